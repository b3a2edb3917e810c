//! What is simulated, and what came of it.

use steadfast::Consistency;

use crate::baton::Step;
use crate::coverage::Counts;
use crate::fault_injector::Mutation;
use crate::input::Topology;

/// What to simulate.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// Decides everything else.
    pub seed: u64,
    /// The shape of the job.
    pub topology: Topology,
    /// What the job promises to begin with.
    pub consistency: Consistency,
    /// A deliberate fault.
    pub mutation: Option<Mutation>,
}

impl Scenario {
    /// Whether the job has a sink whose target keeps no marker. It is not drawn, so that the other
    /// histories are what they were before there was one.
    pub(super) fn has_unmarked(&self) -> bool {
        self.seed % 3 == 1
    }
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What is wrong, if anything.
    pub violation: Option<String>,
    /// Every call that was made, and how each process ended.
    pub trace: Vec<TraceLine>,
    /// How often what took place.
    pub counts: Counts,
}

/// A line of a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TraceLine {
    /// A call; the first number is that of the round's first process.
    Call(u16, Step),
    /// Anything else.
    Note(String),
}

impl std::fmt::Display for TraceLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            TraceLine::Call(base, Step { process, call, fate }) => {
                write!(f, "  {} {call}: {fate:?}", usize::from(*base) + process)
            }
            TraceLine::Note(note) => f.write_str(note),
        }
    }
}
