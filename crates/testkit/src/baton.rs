//! Simulated processes on threads of their own, of which exactly one runs at any moment.
//!
//! A process hands the baton over at every call to something outside of it: a disk, a store, a
//! target, a clock. A [`Scheduler`] then says who goes on and what becomes of that process's call.
//! So any process can come between any two calls of another, inside one start or one step too,
//! while the code under test is the blocking code that runs in production.
//!
//! The same decisions give the same trace, byte for byte. It knows nothing of engines, stores or
//! jobs: a call is a kind and a name, and its effect is a closure.

mod call;
mod scheduler;
mod shared;

pub use call::{Call, CallFailure, CallKind, DiskCall, Fate};
pub use scheduler::{Choice, Following, Moment, Pending, Scheduler, Seeded};

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

use self::shared::Shared;

/// Which of the simulated processes, in the order in which they were added.
pub type ProcessId = usize;

/// A call as it went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Who called.
    pub process: ProcessId,
    /// What was called.
    pub call: Call,
    /// What became of it.
    pub fate: Fate,
}

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending<R> {
    /// Its body returned.
    Returned(R),
    /// Its body panicked, with this message.
    Panicked(String),
    /// It was never chosen.
    NeverBegan,
}

/// What a run has been.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run<R> {
    /// Every call of a process that was alive, in order.
    pub trace: Vec<Step>,
    /// How each process ended.
    pub endings: Vec<Ending<R>>,
    /// Whether each process was declared dead, as a fate of a call or because nobody chose it again.
    pub died: Vec<bool>,
}

type Body<R> = Box<dyn FnOnce(Handle) -> R + Send>;

/// See the module.
pub struct Baton<R> {
    scheduler: Box<dyn Scheduler>,
    processes: Vec<(String, Body<R>)>,
}

/// What a process calls through. Cheap to copy; all copies are the same process.
#[derive(Clone)]
pub struct Handle {
    /// None for a process that is in no run.
    shared: Option<Arc<Shared>>,
    process: ProcessId,
}

impl Handle {
    /// A process that is in no run: each of its calls takes effect at once, from any thread.
    pub fn undisturbed() -> Self {
        Handle { shared: None, process: 0 }
    }

    /// Makes a call: hands the baton over, and when it has come back, carries out `effect` if the
    /// scheduler lets the call take effect.
    ///
    /// # Errors
    /// What the scheduler has decided. A process that is dead gets [`CallFailure::Dead`] at this and
    /// every later call, with no effect.
    pub fn call<A>(&self, call: Call, effect: impl FnOnce() -> A) -> Result<A, CallFailure> {
        let hand_over = |shared: &Arc<Shared>| shared.hand_over(self.process, call);
        match self.shared.as_ref().map_or(Fate::Effect, hand_over) {
            Fate::Effect => Ok(effect()),
            Fate::Refused => Err(CallFailure::Refused),
            Fate::AnswerLost => {
                effect();
                Err(CallFailure::AnswerLost)
            }
            Fate::DiesBefore => Err(CallFailure::Dead),
            Fate::DiesAfter => {
                effect();
                Err(CallFailure::Dead)
            }
        }
    }

    /// Which process this is.
    pub fn process(&self) -> ProcessId {
        self.process
    }
}

impl<R: Send + 'static> Baton<R> {
    /// Nobody yet; `scheduler` will decide.
    pub fn new(scheduler: impl Scheduler + 'static) -> Self {
        Baton { scheduler: Box::new(scheduler), processes: Vec::new() }
    }

    /// Adds a process. It begins when it is first chosen.
    pub fn add(
        &mut self,
        name: impl Into<String>,
        body: impl FnOnce(Handle) -> R + Send + 'static,
    ) -> ProcessId {
        self.processes.push((name.into(), Box::new(body)));
        self.processes.len() - 1
    }

    /// Runs until every process has ended, or has been declared dead and has run out.
    pub fn run(self) -> Run<R> {
        let Baton { scheduler, processes } = self;
        let shared = Arc::new(Shared::new(scheduler, processes.len()));
        let threads: Vec<_> = processes
            .into_iter()
            .enumerate()
            .map(|(process, (name, body))| begin(Arc::clone(&shared), process, name, body))
            .collect();
        shared.run(&threads.iter().map(|thread| thread.thread().clone()).collect::<Vec<_>>());
        let endings = threads.into_iter().map(|thread| match thread.join() {
            Ok(ending) => ending,
            Err(panic) => Ending::Panicked(message(&*panic)),
        });
        let endings = endings.collect();
        let (trace, died) = shared.outcome();
        Run { trace, endings, died }
    }
}

fn begin<R: Send + 'static>(
    shared: Arc<Shared>,
    process: ProcessId,
    name: String,
    body: Body<R>,
) -> JoinHandle<Ending<R>> {
    let run = move || {
        let handle = Handle { shared: Some(Arc::clone(&shared)), process };
        if !shared.wait_for_begin(process) {
            return Ending::NeverBegan;
        }
        // Whoever looks at what the process has left behind looks at what a crash would leave.
        let ending = catch_unwind(AssertUnwindSafe(|| body(handle)));
        let ending = match ending {
            Ok(returned) => Ending::Returned(returned),
            Err(panic) => Ending::Panicked(message(&*panic)),
        };
        shared.ended();
        ending
    };
    // A machine that has no thread left cannot simulate: there is nothing to recover.
    Builder::new().name(name).spawn(run).expect("a thread for a simulated process")
}

/// What a panic says.
pub(crate) fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "a panic without a message".to_string())
}

#[cfg(test)]
mod tests;
