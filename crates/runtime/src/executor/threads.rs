//! A worker thread and a snapshot writer's for each unit of parallelism, and a thread for each of
//! the other services.
//!
//! A worker steps its tasks in the order in which records pass through them, so that a batch is
//! still in the cache when its next task takes it up. A thread with nothing to do is parked; the alarm of
//! one of its machines wakes it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};
use std::thread::Scope;

use crossbeam_utils::sync::{Parker, Unparker};
use steadfast_core::machine::{Now, Progress};
use steadfast_core::time::Clock;
use steadfast_core::{Error, Result};
use tracing::Span;

use super::scheduled::Scheduled;
use super::{TaskSet, Watchdog};
use crate::user_code::note_lines;

/// See the module.
pub struct Threads<'a> {
    /// Where time comes from.
    pub clock: &'a dyn Clock,
    /// Looks at what has slept for long.
    pub watchdog: &'a Watchdog,
    /// Is called when a machine has failed: whoever waits for somebody outside must be called back.
    pub on_failure: &'a (dyn Fn() + Sync),
    /// Entered on each thread: what every line of a log is to carry.
    pub span: Span,
}

/// What the threads of an attempt share.
struct Shared<'a> {
    clock: &'a dyn Clock,
    watchdog: &'a Watchdog,
    on_failure: &'a (dyn Fn() + Sync),
    /// The attempt is over: services may leave when they have nothing left to do.
    finished: AtomicBool,
    /// Somebody failed: everybody leaves at once.
    failed: AtomicBool,
    error: Mutex<Option<Error>>,
    /// Of all machines.
    wakers: Vec<Waker>,
}

impl Threads<'_> {
    /// Drives `task_set` to its end.
    ///
    /// # Errors
    /// The first error of any machine; the others are stopped then.
    pub fn run(self, task_set: TaskSet) -> Result<()> {
        note_lines();
        let TaskSet { workers, writers, committer, coordinator } = task_set;
        let services = writers.iter().chain([&committer, &coordinator]);
        let all = workers.iter().flatten().chain(services);
        let shared = Shared {
            clock: self.clock,
            watchdog: self.watchdog,
            on_failure: self.on_failure,
            finished: AtomicBool::new(false),
            failed: AtomicBool::new(false),
            error: Mutex::new(None),
            wakers: all.map(|scheduled| scheduled.alarm().waker()).collect(),
        };
        let writers = writers.into_iter().enumerate();
        let writers = writers.map(|(index, writer)| (format!("writer-{index}"), writer, false));
        let services = writers.chain([
            ("committer".to_string(), committer, false),
            ("coordinator".to_string(), coordinator, true),
        ]);
        std::thread::scope(|scope| {
            let (shared, span) = (&shared, &self.span);
            for (index, tasks) in workers.into_iter().enumerate() {
                let work = move || span.in_scope(|| shared.work(tasks));
                shared.spawn(scope, format!("worker-{index}"), work);
            }
            for (name, service, leads) in services {
                let serve = move || span.in_scope(|| shared.serve(service, leads));
                shared.spawn(scope, name, serve);
            }
        });
        match shared.error.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

impl Shared<'_> {
    fn spawn<'scope>(
        &self,
        scope: &'scope Scope<'scope, '_>,
        name: String,
        work: impl FnOnce() + Send + 'scope,
    ) {
        if let Err(error) = std::thread::Builder::new().name(name).spawn_scoped(scope, work) {
            self.fail(Error::unavailable("cannot start a thread").caused_by(error));
        }
    }

    fn now(&self) -> Now {
        Now { monotonic: self.clock.monotonic(), wall: self.clock.wall() }
    }

    fn fail(&self, error: Error) {
        let mut first = self.error.lock().unwrap_or_else(PoisonError::into_inner);
        first.get_or_insert(error);
        self.failed.store(true, Ordering::Release);
        (self.on_failure)();
        self.wakers.iter().for_each(Waker::wake_by_ref);
    }

    fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    /// Sleeps until one of `machines` is due. True if nothing has come for so long that the watchdog
    /// wants to look.
    fn sleep(&self, parker: &Parker, machines: &[Scheduled], now: Now) -> bool {
        let until = machines.iter().filter_map(Scheduled::due_at).min();
        let wait = until.map_or(self.watchdog.after(), |at| at.saturating_sub(now.monotonic));
        parker.park_timeout(wait.min(self.watchdog.after()));
        let now_then = self.now();
        let slept = now_then.monotonic.saturating_sub(now.monotonic);
        slept >= self.watchdog.after() && !machines.iter().any(|machine| machine.is_due(now_then))
    }

    /// Steps the tasks of a worker until all are done.
    fn work(&self, mut tasks: Vec<Scheduled>) {
        let parker = Parker::new();
        tasks.iter().for_each(|task| task.alarm().wakes(&waker(&parker)));
        let mut watched = false;
        while !tasks.is_empty() && !self.has_failed() {
            let now = self.now();
            let mut worked = false;
            tasks.retain_mut(|task| {
                let progress = match (task.is_due(now), watched) {
                    (true, _) => task.step(now),
                    (false, true) => self.watchdog.look(task, now),
                    (false, false) => return true,
                };
                match progress {
                    Ok(Progress::Done) => return false,
                    Ok(Progress::Worked) => worked = true,
                    Ok(Progress::Idle(_) | Progress::Blocked) => {}
                    Err(error) => self.fail(error),
                }
                true
            });
            watched = !worked && !tasks.is_empty() && self.sleep(&parker, &tasks, now);
        }
    }

    /// Steps a service until the attempt is over. The one that leads says when that is.
    fn serve(&self, mut service: Scheduled, leads: bool) {
        let parker = Parker::new();
        service.alarm().wakes(&waker(&parker));
        let mut watched = false;
        while !self.has_failed() {
            // Asked before the step: what was sent before the end must still be seen.
            let finished = self.finished.load(Ordering::Acquire);
            let now = self.now();
            let progress = match (service.is_due(now), watched) {
                (true, _) => service.step(now),
                (false, true) => self.watchdog.look(&mut service, now),
                (false, false) => {
                    watched = self.sleep(&parker, std::slice::from_ref(&service), now);
                    continue;
                }
            };
            watched = false;
            match progress {
                Ok(Progress::Done) => {
                    if leads {
                        self.finished.store(true, Ordering::Release);
                        self.wakers.iter().for_each(Waker::wake_by_ref);
                    }
                    return;
                }
                Ok(Progress::Idle(_) | Progress::Blocked) if finished => return,
                Ok(Progress::Worked | Progress::Idle(_) | Progress::Blocked) => {}
                Err(error) => self.fail(error),
            }
        }
    }
}

/// Ends the sleep of a thread.
struct Unpark(Unparker);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn waker(parker: &Parker) -> Waker {
    Waker::from(Arc::new(Unpark(parker.unparker().clone())))
}

#[cfg(test)]
mod tests;
