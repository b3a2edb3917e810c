//! What is right and what is wrong about how a case ended, as far as it is the same for all drills.

use crate::process::Ended;
use crate::stage::{Results, World};

/// What is to be said about a case.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// Promises that were broken.
    pub violations: Vec<String>,
    /// A process would not work although nothing that the drill did damages anything.
    pub refusals: Vec<String>,
    /// The call never came.
    pub not_reached: bool,
    /// It went well, though not all at once: see [`Case::EXCUSED`](crate::campaign::Case::EXCUSED).
    pub excused: bool,
}

impl Verdict {
    /// All as it should be.
    pub fn is_clean(&self) -> bool {
        self.violations.is_empty() && self.refusals.is_empty() && !self.not_reached
    }

    pub(crate) fn violation(&mut self, what: impl Into<String>) {
        self.violations.push(what.into());
    }

    pub(crate) fn refusal(&mut self, what: impl Into<String>) {
        self.refusals.push(what.into());
    }

    /// A process that may not have ended as it did has refused, or worse.
    pub(crate) fn failed(&mut self, who: &str, ended: &Ended) {
        let what = format!("{who}: {}", ended.in_short());
        if ended.is_refusal() { self.refusals.push(what) } else { self.violation(what) }
    }
}

/// What a run that came to its end says of it.
pub(crate) fn judge_summary(verdict: &mut Verdict, world: &World, ended: &Ended) {
    let (summary, expected) = (ended.summary(), &world.fixture);
    for (what, count) in [("events", expected.events), ("duplicates", expected.duplicates)] {
        if summary[what] != count {
            verdict.violation(format!("{} {what} instead of {count}", summary[what]));
        }
    }
}

/// What is in the targets in the end.
pub(crate) fn judge_results(verdict: &mut Verdict, world: &World, results: &Results) {
    match &results.ledger {
        Err(error) => verdict.violation(format!("output: {error:#}")),
        Ok(ledger) => {
            let expected = &world.fixture.expected;
            let wrong =
                expected.iter().filter(|(account, balance)| ledger.get(*account) != Some(balance));
            let (wrong, foreign) = (wrong.count(), ledger.len().saturating_sub(expected.len()));
            if wrong + foreign > 0 {
                verdict
                    .violation(format!("output: {wrong} balances are wrong, {foreign} too many"));
            }
        }
    }
    match &results.dead_letters {
        Err(error) => verdict.violation(format!("dead letters: {error:#}")),
        Ok(letters) => {
            let mut letters = letters.clone();
            letters.sort_unstable();
            let expected = &world.fixture.bad_lines;
            if letters != *expected {
                let (there, right) = (letters.len(), expected.len());
                verdict
                    .violation(format!("dead letters: {there} of {right}, or not the right ones"));
            }
        }
    }
}
