//! When to write everything again: a chain of deltas is cut before it costs too much to read.
//!
//! The bound is on entries read at restore against entries alive, not on deltas against their
//! base: state that only grows never writes an entry twice for this reason.

use steadfast_core::state::StateKind;

/// A restore may read up to this many times the entries that are alive, plus a little.
const MAX_READ_FACTOR: u64 = 3;
const SLACK_ENTRIES: u64 = 8 * 1024;
/// A restore may open up to this many files for each table and task.
const MAX_FILES: u64 = 64;

/// The files that hold a table's share of the newest cut.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Chain {
    files: u64,
    entries: u64,
}

impl Chain {
    /// What the next file should be, given how many entries changed and how many are alive.
    pub(crate) fn next(self, changed: u64, alive: u64) -> StateKind {
        let too_long = self.files >= MAX_FILES;
        let too_much = self.entries + changed > alive * MAX_READ_FACTOR + SLACK_ENTRIES;
        if self.files == 0 || too_long || too_much { StateKind::Base } else { StateKind::Delta }
    }

    /// Notes that a file has been added.
    pub(crate) fn add(&mut self, kind: StateKind, entries: u64) {
        if kind == StateKind::Base {
            *self = Chain::default();
        }
        self.files += 1;
        self.entries += entries;
    }

    pub(crate) fn is_empty(self) -> bool {
        self.files == 0
    }
}
