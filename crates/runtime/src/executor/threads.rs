//! A worker thread and a snapshot writer's for each unit of parallelism, and a thread for each of
//! the other services.
//!
//! A worker steps its tasks in the order in which records pass through them, so that a batch is
//! still in the cache when its next task takes it up. A thread with nothing to do is parked; a
//! message wakes it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Scope;
use std::time::Duration;

use crossbeam_utils::sync::{Parker, Unparker};
use steadfast_core::machine::{Machine, Now, Progress};
use steadfast_core::time::Clock;
use steadfast_core::{Error, Result};

use super::guarded_step;

/// Wakes the threads of an executor; made before the machines, which keep copies.
#[derive(Clone)]
pub struct Wakers {
    /// One for each worker.
    pub workers: Vec<Unparker>,
    /// One for each snapshot writer.
    pub writers: Vec<Unparker>,
    /// Of the committer.
    pub committer: Unparker,
    /// Of the coordinator.
    pub coordinator: Unparker,
}

/// The machines of one attempt.
pub struct TaskSet {
    /// The tasks of each worker, in the order in which they are stepped.
    pub workers: Vec<Vec<Box<dyn Machine>>>,
    /// They write snapshots: one for each worker.
    pub writers: Vec<Box<dyn Machine>>,
    /// Commits.
    pub committer: Box<dyn Machine>,
    /// Coordinates; when it is done, so is the attempt.
    pub coordinator: Box<dyn Machine>,
}

/// See the module.
pub struct Threads {
    workers: Vec<Parker>,
    writers: Vec<Parker>,
    services: [Parker; 2],
}

/// What the threads of an attempt share.
struct Shared<'a> {
    clock: &'a dyn Clock,
    /// The attempt is over: services may leave when they have nothing left to do.
    finished: AtomicBool,
    /// Somebody failed: everybody leaves at once.
    failed: AtomicBool,
    error: Mutex<Option<Error>>,
    wakers: Vec<Unparker>,
}

/// The longest a thread sleeps without looking; only a bound in case a waker is missing.
const LONGEST_SLEEP: Duration = Duration::from_millis(500);

impl Threads {
    /// An executor with so many workers.
    pub fn new(workers: usize) -> Self {
        let parkers = || (0..workers).map(|_| Parker::new()).collect();
        let services = [Parker::new(), Parker::new()];
        Threads { workers: parkers(), writers: parkers(), services }
    }

    /// What wakes its threads.
    pub fn wakers(&self) -> Wakers {
        let waker = |parker: &Parker| parker.unparker().clone();
        Wakers {
            workers: self.workers.iter().map(waker).collect(),
            writers: self.writers.iter().map(waker).collect(),
            committer: waker(&self.services[0]),
            coordinator: waker(&self.services[1]),
        }
    }

    /// Drives `task_set` to its end.
    ///
    /// # Errors
    /// The first error of any machine; the others are stopped then.
    pub fn run(self, task_set: TaskSet, clock: &Arc<dyn Clock>) -> Result<()> {
        let wakers = self.wakers();
        let services = [wakers.committer, wakers.coordinator];
        let shared = Shared {
            clock: &**clock,
            finished: AtomicBool::new(false),
            failed: AtomicBool::new(false),
            error: Mutex::new(None),
            wakers: wakers.workers.into_iter().chain(wakers.writers).chain(services).collect(),
        };
        let [committer, coordinator] = self.services;
        let writers = task_set.writers.into_iter().zip(self.writers).enumerate();
        let writers = writers
            .map(|(index, (writer, parker))| (format!("writer-{index}"), writer, parker, false));
        let services = writers.chain([
            ("committer".to_string(), task_set.committer, committer, false),
            ("coordinator".to_string(), task_set.coordinator, coordinator, true),
        ]);
        std::thread::scope(|scope| {
            let shared = &shared;
            for (index, (tasks, parker)) in
                task_set.workers.into_iter().zip(self.workers).enumerate()
            {
                shared.spawn(scope, format!("worker-{index}"), move || shared.work(tasks, &parker));
            }
            for (name, machine, parker, leads) in services {
                shared.spawn(scope, name, move || shared.serve(machine, &parker, leads));
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
        self.wakers.iter().for_each(Unparker::unpark);
    }

    fn sleep(&self, parker: &Parker, now: Now, until: Option<Duration>) {
        let wait = until.map_or(LONGEST_SLEEP, |until| until.saturating_sub(now.monotonic));
        parker.park_timeout(wait.min(LONGEST_SLEEP));
    }

    /// Steps the tasks of a worker until all are done.
    fn work(&self, mut tasks: Vec<Box<dyn Machine>>, parker: &Parker) {
        while !tasks.is_empty() && !self.failed.load(Ordering::Acquire) {
            let now = self.now();
            let (mut worked, mut until) = (false, None);
            tasks.retain_mut(|task| match guarded_step(&mut **task, now) {
                Ok(Progress::Done) => false,
                Ok(Progress::Worked) => {
                    worked = true;
                    true
                }
                Ok(Progress::Idle(at)) => {
                    until = [until, at].into_iter().flatten().min();
                    true
                }
                Ok(Progress::Blocked) => true,
                Err(error) => {
                    self.fail(error);
                    false
                }
            });
            if !worked && !tasks.is_empty() {
                self.sleep(parker, now, until);
            }
        }
    }

    /// Steps a service until the attempt is over. The one that leads says when that is.
    fn serve(&self, mut machine: Box<dyn Machine>, parker: &Parker, leads: bool) {
        while !self.failed.load(Ordering::Acquire) {
            // Asked before the step: what was sent before the end must still be seen.
            let finished = self.finished.load(Ordering::Acquire);
            let now = self.now();
            match guarded_step(&mut *machine, now) {
                Ok(Progress::Worked) => {}
                Ok(Progress::Done) => {
                    if leads {
                        self.finished.store(true, Ordering::Release);
                        self.wakers.iter().for_each(Unparker::unpark);
                    }
                    return;
                }
                Ok(Progress::Idle(_) | Progress::Blocked) if finished => return,
                Ok(Progress::Idle(until)) => self.sleep(parker, now, until),
                Ok(Progress::Blocked) => self.sleep(parker, now, None),
                Err(error) => self.fail(error),
            }
        }
    }
}
