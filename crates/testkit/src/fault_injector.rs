//! What befalls a simulated process: calls that fail, answers that are lost, and the moment at
//! which it dies.
//!
//! Disk and database ask the fault_injector of the process that calls them at every call. A process that
//! is dead gets no answer any more, whatever it does.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The fault_injector of one process.
#[derive(Clone)]
pub struct FaultInjector(Arc<Mutex<State>>);

struct State {
    random: fastrand::Rng,
    /// One call in so many fails; 0: none.
    failures: u32,
    /// The process dies in the call with this number.
    death: Option<u64>,
    calls: u64,
    dead: bool,
}

/// What happens to one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It does what it should.
    Good,
    /// It does nothing and fails.
    Refused,
    /// It does what it should, but its answer is lost.
    AnswerLost,
    /// It is cut off somewhere in the middle, and the process dies.
    DiesWithin,
    /// The process is dead: nothing happens.
    Dead,
}

impl FaultInjector {
    /// FaultInjector in which one call in `failures` fails (0: none) and the process dies in the call
    /// with the number `death`, if that is ever made.
    pub fn new(random: fastrand::Rng, failures: u32, death: Option<u64>) -> Self {
        let (calls, dead) = (0, false);
        FaultInjector(Arc::new(Mutex::new(State { random, failures, death, calls, dead })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What happens to the next call.
    pub fn fate(&self) -> Fate {
        let state = &mut *self.state();
        if state.dead {
            return Fate::Dead;
        }
        state.calls += 1;
        if state.death == Some(state.calls) {
            state.dead = true;
            return Fate::DiesWithin;
        }
        if state.failures > 0 && state.random.u32(..state.failures) == 0 {
            return if state.random.bool() { Fate::Refused } else { Fate::AnswerLost };
        }
        Fate::Good
    }

    /// Whether the process is dead.
    pub fn is_dead(&self) -> bool {
        self.state().dead
    }

    /// A number below `bound` from the seed.
    pub fn draw(&self, bound: usize) -> usize {
        self.state().random.usize(..bound.max(1))
    }
}
