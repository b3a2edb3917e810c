//! What was done in a round, and when, so that the story of one log can be told.

use std::time::Instant;

/// See the module.
pub(super) struct Journal {
    began: Instant,
    entries: Vec<Entry>,
}

struct Entry {
    ms: u128,
    /// The log that it is about; none if it concerns all.
    log: Option<usize>,
    what: String,
}

/// Of a long story the beginning and the end are told.
const TOLD: usize = 60;

impl Journal {
    pub(super) fn new() -> Self {
        Journal { began: Instant::now(), entries: Vec::new() }
    }

    /// Of a log.
    pub(super) fn of(&mut self, log: usize, what: impl Into<String>) {
        self.note(Some(log), what.into());
    }

    /// Of all.
    pub(super) fn all(&mut self, what: impl Into<String>) {
        self.note(None, what.into());
    }

    fn note(&mut self, log: Option<usize>, what: String) {
        self.entries.push(Entry { ms: self.began.elapsed().as_millis(), log, what });
    }

    /// Everything.
    pub(super) fn lines(&self) -> Vec<String> {
        self.entries.iter().map(Entry::line).collect()
    }

    /// What happened to these logs, and meanwhile to the job; what was done last, if there are none.
    pub(super) fn story(&self, logs: &[usize]) -> Vec<String> {
        if logs.is_empty() {
            let last = self.entries.len().saturating_sub(TOLD);
            return self.entries[last..].iter().map(Entry::line).collect();
        }
        let is_about = |entry: &Entry| entry.log.is_some_and(|log| logs.contains(&log));
        let first = self.entries.iter().position(is_about).unwrap_or(0);
        let told =
            self.entries[first..].iter().filter(|entry| entry.log.is_none() || is_about(entry));
        let mut told: Vec<_> = told.map(Entry::line).collect();
        if told.len() > 2 * TOLD {
            let left_out = told.len() - 2 * TOLD;
            told.splice(TOLD..TOLD + left_out, [format!("  … {left_out} more")]);
        }
        told
    }
}

impl Entry {
    fn line(&self) -> String {
        let log = self.log.map_or(String::new(), |log| format!("log {log}: "));
        format!("  {:7} ms  {log}{}", self.ms, self.what)
    }
}
