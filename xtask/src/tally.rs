//! Counting: how many checks and tests passed, failed and were skipped.

use std::fmt;
use std::ops::AddAssign;

/// The three numbers that a run ends with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub passed: u64,
    pub failed: u64,
    pub skipped: u64,
}

impl Tally {
    pub const PASSED: Tally = Tally { passed: 1, failed: 0, skipped: 0 };
    pub const FAILED: Tally = Tally { passed: 0, failed: 1, skipped: 0 };
    pub const SKIPPED: Tally = Tally { passed: 0, failed: 0, skipped: 1 };

    /// Reads the line with which a test binary ends; any other line is `None`.
    ///
    /// Ignored tests are skipped ones. Tests filtered out were not asked for and do not count.
    pub fn read(line: &str) -> Option<Tally> {
        let rest = line.trim().strip_prefix("test result: ")?;
        let (_verdict, numbers) = rest.split_once(". ")?;
        let mut tally = Tally::default();
        for part in numbers.split(';') {
            let mut words = part.split_whitespace();
            let (Some(number), Some(what)) = (words.next(), words.next()) else { continue };
            let Ok(number) = number.parse::<u64>() else { continue };
            match what {
                "passed" => tally.passed += number,
                "failed" => tally.failed += number,
                "ignored" => tally.skipped += number,
                _ => {}
            }
        }
        Some(tally)
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_of_every_test_binary_is_summed() {
        let lines = [
            "test a::b ... ok",
            "test result: ok. 12 passed; 0 failed; 3 ignored; 0 measured; 7 filtered out; finished in 0.01s",
            "",
            "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
        ];
        let mut sum = Tally::default();
        lines.iter().filter_map(|line| Tally::read(line)).for_each(|tally| sum += tally);
        assert_eq!(sum, Tally { passed: 13, failed: 2, skipped: 3 });
    }

    #[test]
    fn other_lines_do_not_count() {
        assert_eq!(Tally::read("the test result: ok. 12 passed; 0 failed"), None);
        assert_eq!(Tally::read("running 4 tests"), None);
    }

    #[test]
    fn it_reads_as_the_last_line_of_a_run() {
        let tally = Tally { passed: 5, failed: 0, skipped: 1 };
        assert_eq!(tally.to_string(), "5 passed, 0 failed, 1 skipped");
    }
}
