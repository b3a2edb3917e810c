//! Every order in which the calls of a few processes can follow each other, up to a bound.
//!
//! A few processes run one small [`job`] on one environment. At every call of the process that goes
//! on, any other may come in between (a preemption), and the answer of a call that took effect may be
//! lost; when a process ends, any of the others may go on, or none: then those that are left have
//! crashed. All schedules with at most so many preemptions and lost answers are gone through,
//! depth first. At the end of each, one more process runs undisturbed: it must finish with the right
//! result, or refuse.
//!
//! A state that was seen with the same bounds left, or more, is not gone into again. What a process
//! does is found out by running the real one, once for each history of answers. Each
//! violation is confirmed by carrying its schedule out with real threads.

pub mod bounds;
mod confirm;
pub mod history;
pub mod job;
mod search;
mod state;
mod trace;
mod visited;

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

pub use self::job::{ExploredJob, Start};
use self::search::Search;

/// What to explore.
#[derive(Clone, Debug)]
pub struct Exploration {
    /// The job.
    pub job: ExploredJob,
    /// The processes that may be started, each once, in any order.
    pub starts: Vec<Start>,
    /// At most so many preemptions.
    pub preemptions: u8,
    /// At most so many lost answers.
    pub lost: u8,
    /// At most so many damaged objects.
    pub damages: u8,
    /// Whether states that are known are not gone into again, and a put that is repeated after a lost
    /// answer is taken for what it repeats. Without, the same is found, later.
    pub prunes: bool,
    /// How many threads search.
    pub threads: usize,
    /// Ends the search after so many schedules.
    pub most_schedules: u64,
    /// Called now and then with the number of states seen so far, about.
    pub progress: Option<fn(u64)>,
}

impl Default for Exploration {
    fn default() -> Self {
        Exploration {
            job: ExploredJob::default(),
            starts: vec![Start::Run, Start::Hasty],
            preemptions: 1,
            lost: 0,
            damages: 0,
            prunes: true,
            threads: 1,
            most_schedules: u64::MAX,
            progress: None,
        }
    }
}

/// A kind of end that should not be, or of refusal.
#[derive(Clone, Debug, Default)]
pub struct Finding {
    /// How often it was met.
    pub times: u64,
    /// How many schedules had been gone through when it was met first.
    pub after_schedules: u64,
    /// How long the shortest schedule is that led to it: turns, then calls.
    pub length: (usize, usize),
    /// That schedule.
    pub trace: Vec<String>,
    /// What came of carrying that schedule out with real threads.
    pub confirmed: Option<Result<(), String>>,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// How many schedules were gone through to their end.
    pub schedules: u64,
    /// How many were given up at a state that was known.
    pub pruned: u64,
    /// How many states were noted.
    pub states: u64,
    /// How many calls were made.
    pub calls: u64,
    /// How often a process was run.
    pub runs: u64,
    /// Whether the search ended before everything was seen.
    pub is_cut_short: bool,
    /// Violations, by kind.
    pub violations: BTreeMap<String, Finding>,
    /// Errors with which the last process refused, by kind: acceptable, but of interest.
    pub refusals: BTreeMap<String, Finding>,
}

/// Goes through all schedules.
pub fn explore(exploration: &Exploration) -> Findings {
    let search = Search::new(exploration.clone());
    search.run();
    let (violations, refusals) = search.found();
    let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    let schedules = count(&search.schedules);
    Findings {
        schedules,
        pruned: count(&search.pruned),
        states: search.states(),
        calls: count(&search.calls),
        runs: search.runs(),
        is_cut_short: schedules >= exploration.most_schedules,
        violations,
        refusals,
    }
}

/// What each process does when it is the only one, a line each.
pub fn undisturbed(exploration: &Exploration) -> Vec<String> {
    Search::new(exploration.clone()).undisturbed()
}

#[cfg(test)]
mod tests;
