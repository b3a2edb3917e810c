//! Which tests failed and which have not ended, as far as the lines tell that a run of tests prints.
//!
//! A test binary names a test once it has run for a minute, and again when it has ended.

use std::collections::BTreeSet;

/// The tests that somebody has to look at.
#[derive(Debug, Default)]
pub struct Trouble {
    failed: Vec<String>,
    slow: BTreeSet<String>,
}

impl Trouble {
    /// Reads a line; most say nothing about this.
    pub fn read(&mut self, line: &str) {
        let Some(rest) = line.trim_end().strip_prefix("test ") else { return };
        if let Some(name) = rest.strip_suffix(" has been running for over 60 seconds") {
            self.slow.insert(name.to_owned());
        } else if let Some((name, outcome)) = rest.split_once(" ... ") {
            self.slow.remove(name);
            if outcome == "FAILED" {
                self.failed.push(name.to_owned());
            }
        }
    }

    /// A line for each of them, for the end of a run.
    pub fn lines(self) -> Vec<String> {
        let failed = self.failed.into_iter().map(|name| format!("failed: {name}"));
        let slow = self.slow.into_iter().map(|name| format!("has not ended: {name}"));
        failed.chain(slow).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_and_what_has_not_ended_is_named() {
        let mut trouble = Trouble::default();
        let lines = [
            "running 4 tests",
            "test quick ... ok",
            "test wrong ... FAILED",
            "test a::slow has been running for over 60 seconds",
            "test b::hangs has been running for over 60 seconds\n",
            "test a::slow ... ok",
            "test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out",
        ];
        lines.iter().for_each(|line| trouble.read(line));
        assert_eq!(trouble.lines(), ["failed: wrong", "has not ended: b::hangs"]);
    }
}
