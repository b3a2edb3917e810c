//! Who goes on: the contract of schedulers, one that a seed decides, and one that follows a list.

use super::{Call, Fate, ProcessId};

/// What a process that could go on would do first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pending {
    /// It has not begun.
    Begin,
    /// It makes this call.
    Call(Call),
}

/// What a scheduler sees when it is asked.
#[derive(Debug)]
pub struct Moment<'a> {
    /// Who has had the baton: none at the beginning and after a process has ended.
    pub current: Option<ProcessId>,
    /// Every process that could go on, in order, with what it would do. Never empty.
    pub ready: &'a [(ProcessId, Pending)],
}

/// What a scheduler decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// This process goes on. If it has not begun, it runs to its first call, and the fate counts
    /// for nothing.
    GoOn(ProcessId, Fate),
    /// Nobody of those who are left goes on any more: all are dead.
    Abandon,
}

/// Decides at every call who goes on, and what becomes of that process's call.
pub trait Scheduler: Send {
    /// Who goes on. A process that is not ready counts as [`Choice::Abandon`].
    fn choose(&mut self, moment: &Moment<'_>) -> Choice;
}

/// Decides by a seed.
#[derive(Debug)]
pub struct Seeded {
    random: fastrand::Rng,
    /// At one call in so many, another process may go on.
    switches: u32,
    /// One call in so many has another fate than to take effect; 0: none.
    failures: u32,
}

impl Seeded {
    /// Switches at one call in `switches`; lets one call in `failures` fail, or its process die (0:
    /// none).
    pub fn new(seed: u64, switches: u32, failures: u32) -> Self {
        Seeded { random: fastrand::Rng::with_seed(seed), switches: switches.max(1), failures }
    }
}

impl Scheduler for Seeded {
    fn choose(&mut self, moment: &Moment<'_>) -> Choice {
        let stays = moment.current.filter(|_| self.random.u32(..self.switches) != 0);
        let process =
            stays.unwrap_or_else(|| moment.ready[self.random.usize(..moment.ready.len())].0);
        let fails = self.failures > 0 && self.random.u32(..self.failures) == 0;
        let fates = [Fate::Refused, Fate::AnswerLost, Fate::DiesBefore, Fate::DiesAfter];
        let fate = if fails { fates[self.random.usize(..fates.len())] } else { Fate::Effect };
        Choice::GoOn(process, fate)
    }
}

/// Follows a list of calls: whose turn it is, and what becomes of the call. A process that has not
/// begun is begun when its first turn comes. After the end of the list all are dead.
#[derive(Debug)]
pub struct Following {
    turns: std::vec::IntoIter<(ProcessId, Fate)>,
}

impl Following {
    /// Follows `turns`, one for each call.
    pub fn new(turns: Vec<(ProcessId, Fate)>) -> Self {
        Following { turns: turns.into_iter() }
    }
}

impl Scheduler for Following {
    fn choose(&mut self, moment: &Moment<'_>) -> Choice {
        let Some((process, fate)) = self.turns.as_slice().first().copied() else {
            return Choice::Abandon;
        };
        let begins = moment.ready.iter().any(|(id, p)| *id == process && *p == Pending::Begin);
        if !begins {
            self.turns.next();
        }
        Choice::GoOn(process, fate)
    }
}
