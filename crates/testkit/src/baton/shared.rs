//! What the threads of a run share: who has the baton, and what everybody waits to do.
//!
//! A process that goes on keeps its thread running; only where another goes on is one thread woken
//! and the other parked.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, Thread};

use super::{Call, Choice, Fate, Moment, Pending, ProcessId, Scheduler, Step};

/// A dead process that calls more often than this does not end by itself.
const MOST_CALLS_OF_THE_DEAD: u32 = 100_000;

pub(super) struct Shared {
    core: Mutex<Core>,
    /// Rung for a process that goes on; the last one is for whoever waits for the end of the run.
    bells: Vec<AtomicBool>,
    threads: OnceLock<Vec<Thread>>,
}

struct Core {
    scheduler: Box<dyn Scheduler>,
    /// What everybody who could go on would do; in the order of the processes.
    ready: Vec<(ProcessId, Pending)>,
    /// The fate of the call of a process that has been woken.
    fate: Fate,
    /// Whether a process that is woken in its beginning begins.
    abandoned: bool,
    dead: Vec<bool>,
    calls_of_the_dead: u32,
    trace: Vec<Step>,
}

/// Who is woken next.
enum Next {
    Process(ProcessId),
    /// Everybody has ended.
    Nobody,
}

impl Core {
    /// Asks the scheduler, and notes what it says.
    fn choose(&mut self, current: Option<ProcessId>) -> Next {
        if self.ready.is_empty() {
            return Next::Nobody;
        }
        let choice = if self.abandoned {
            Choice::Abandon
        } else {
            self.scheduler.choose(&Moment { current, ready: &self.ready })
        };
        let chosen = match choice {
            Choice::GoOn(process, fate) => {
                self.ready.iter().position(|(id, _)| *id == process).map(|at| (at, fate))
            }
            Choice::Abandon => None,
        };
        let Some((at, fate)) = chosen else {
            // Each of them runs out, one after the other, without effect.
            self.abandoned = true;
            let (process, _) = self.ready.remove(0);
            self.dead[process] = true;
            self.fate = Fate::DiesBefore;
            return Next::Process(process);
        };
        let (process, pending) = self.ready.remove(at);
        self.fate = fate;
        if let Pending::Call(call) = pending {
            self.dead[process] |= matches!(fate, Fate::DiesBefore | Fate::DiesAfter);
            self.trace.push(Step { process, call, fate });
        }
        Next::Process(process)
    }
}

impl Shared {
    pub(super) fn new(scheduler: Box<dyn Scheduler>, processes: usize) -> Self {
        let core = Core {
            scheduler,
            ready: (0..processes).map(|process| (process, Pending::Begin)).collect(),
            fate: Fate::Effect,
            abandoned: false,
            dead: vec![false; processes],
            calls_of_the_dead: 0,
            trace: Vec::new(),
        };
        let bells = (0..=processes).map(|_| AtomicBool::new(false)).collect();
        Shared { core: Mutex::new(core), bells, threads: OnceLock::new() }
    }

    fn core(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands the baton to the first process and waits until everybody has ended.
    pub(super) fn run(&self, processes: &[Thread]) {
        let everybody = processes.iter().cloned().chain([thread::current()]).collect();
        // It is set once, here, before anybody else is woken.
        let _ = self.threads.set(everybody);
        let next = self.core().choose(None);
        self.wake(&next);
        self.wait(self.bells.len() - 1);
    }

    pub(super) fn outcome(&self) -> (Vec<Step>, Vec<bool>) {
        let core = &mut *self.core();
        (std::mem::take(&mut core.trace), std::mem::take(&mut core.dead))
    }

    /// Waits until the process may begin; false if it never does.
    pub(super) fn wait_for_begin(&self, process: ProcessId) -> bool {
        self.wait(process);
        let begins = !self.core().dead[process];
        if !begins {
            self.ended();
        }
        begins
    }

    /// The process wants to make a call. Returns when it has the baton again.
    pub(super) fn hand_over(&self, process: ProcessId, call: Call) -> Fate {
        let mut core = self.core();
        if core.dead[process] {
            core.calls_of_the_dead += 1;
            let is_stuck = core.calls_of_the_dead > MOST_CALLS_OF_THE_DEAD;
            drop(core);
            assert!(!is_stuck, "a dead process goes on calling for ever");
            return Fate::DiesBefore;
        }
        let at = core.ready.partition_point(|(id, _)| *id < process);
        core.ready.insert(at, (process, Pending::Call(call)));
        let next = core.choose(Some(process));
        if !matches!(next, Next::Process(chosen) if chosen == process) {
            drop(core);
            self.wake(&next);
            self.wait(process);
            core = self.core();
        }
        core.fate
    }

    /// The process has ended: somebody else goes on.
    pub(super) fn ended(&self) {
        let next = self.core().choose(None);
        self.wake(&next);
    }

    fn wake(&self, next: &Next) {
        let index = match next {
            Next::Process(process) => *process,
            Next::Nobody => self.bells.len() - 1,
        };
        self.bells[index].store(true, Ordering::Release);
        if let Some(threads) = self.threads.get() {
            threads[index].unpark();
        }
    }

    fn wait(&self, index: usize) {
        while !self.bells[index].swap(false, Ordering::Acquire) {
            thread::park();
        }
    }
}
