//! How much of the input may be bad before a job ends: a wrong file should not be set aside piece by piece.
//!
//! It counts since the job began, over restarts. It knows nothing of policies, nor of where dead letters go.

use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use steadfast_core::source::BadRecord;
use steadfast_core::{Cause, Error, Result};
use steadfast_protocol::manifest::Manifest;

/// How much of the input may be no record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MaxBad {
    /// Any amount, unless the first 100 inputs of a source are all bad, or all there are at its end.
    #[default]
    NotTheFirst,
    /// So many pieces since the job began, over restarts and all sources.
    Pieces(u64),
    /// Any amount.
    Any,
}

/// If so many of a source are bad before one is good, it is the wrong input.
const FIRST: u64 = 100;
/// So many of them are shown.
const SHOWN: usize = 3;
/// Of each, so many bytes.
const SHOWN_BYTES: usize = 60;

/// The limit of a job.
pub(crate) struct BadLimit {
    max: MaxBad,
    /// Bad pieces of all sources since the job began.
    bad: AtomicU64,
}

impl BadLimit {
    /// The limit of a job that goes on from `restored`.
    pub fn new(max: MaxBad, restored: Option<&Manifest>) -> Self {
        let sources = restored.iter().flat_map(|manifest| manifest.sources.keys());
        let bad = sources.map(|source| counted(restored, source, "bad_records")).sum();
        BadLimit { max, bad: AtomicU64::new(bad) }
    }
}

fn counted(restored: Option<&Manifest>, source: &str, name: &str) -> u64 {
    let counts = restored.and_then(|manifest| manifest.counters.get(source));
    counts.and_then(|counts| counts.get(name)).copied().unwrap_or(0)
}

/// What all tasks of a source know of its bad input.
pub(crate) struct BadOfSource {
    limit: Arc<BadLimit>,
    has_good: AtomicBool,
    bad: AtomicU64,
    shown: Mutex<Vec<String>>,
    /// Tasks of the source that have not come to its end.
    reading: AtomicU16,
    /// Where its dead letters are, for people.
    dead_letters: Option<Arc<str>>,
}

impl BadOfSource {
    /// Of the source `name`, which so many `tasks` read and which goes on from `restored`.
    /// Its dead letters, if it has any, are in `dead_letters`.
    pub fn new(
        limit: Arc<BadLimit>,
        restored: Option<&Manifest>,
        (name, tasks): (&str, u16),
        dead_letters: Option<Arc<str>>,
    ) -> Self {
        BadOfSource {
            limit,
            has_good: AtomicBool::new(counted(restored, name, "records") > 0),
            bad: AtomicU64::new(counted(restored, name, "bad_records")),
            shown: Mutex::default(),
            reading: AtomicU16::new(tasks),
            dead_letters,
        }
    }

    /// Something of the source is a record.
    pub(crate) fn has_good(&self) {
        if !self.has_good.load(Ordering::Relaxed) {
            self.has_good.store(true, Ordering::Relaxed);
        }
    }

    /// Counts one piece.
    ///
    /// # Errors
    /// `BadInput` if that is more than is allowed.
    pub fn add(&self, bad: &BadRecord) -> Result<()> {
        let of_job = self.limit.bad.fetch_add(1, Ordering::Relaxed) + 1;
        let of_source = self.bad.fetch_add(1, Ordering::Relaxed) + 1;
        match self.limit.max {
            MaxBad::Any => Ok(()),
            MaxBad::Pieces(max) if of_job <= max => Ok(()),
            MaxBad::Pieces(max) => Err(self.too_much(of_job, max, bad)),
            MaxBad::NotTheFirst => self.judge_first(of_source, bad),
        }
    }

    fn judge_first(&self, of_source: u64, bad: &BadRecord) -> Result<()> {
        if self.has_good.load(Ordering::Relaxed) {
            return Ok(());
        }
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if shown.len() < SHOWN {
            shown.push(described(bad));
        }
        if of_source < FIRST {
            return Ok(());
        }
        Err(self.all_bad(&format!("the first {FIRST} inputs are all bad"), &shown))
    }

    /// A task has come to the end of the source, and all that it has read is counted.
    ///
    /// # Errors
    /// `BadInput` if it is the last one, and nothing that any of them has read is a record.
    pub(crate) fn ended(&self) -> Result<()> {
        // Whoever is the last sees what the others have found.
        let is_last = self.reading.fetch_sub(1, Ordering::AcqRel) == 1;
        let bad = self.bad.load(Ordering::Relaxed);
        let is_good = bad == 0 || self.has_good.load(Ordering::Relaxed);
        if !is_last || is_good || self.limit.max != MaxBad::NotTheFirst {
            return Ok(());
        }
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let inputs =
            if bad == 1 { "the only input is".into() } else { format!("all {bad} inputs are") };
        Err(self.all_bad(&format!("{inputs} bad, and there are no more"), &shown))
    }

    fn all_bad(&self, what: &str, shown: &[String]) -> Error {
        let shown =
            if shown.is_empty() { String::new() } else { format!(": {}", shown.join("; ")) };
        // They are not there before a checkpoint with them is committed.
        let place = self.dead_letters.as_ref();
        let place = place.map_or(String::new(), |place| format!("; dead letters go to {place}"));
        Error::because(Cause::ALL_BAD, format!("{what}{shown}{place}")).hint(
            "give the file that was meant; if this is it, go on with --max-bad none (RunOptions::max_bad)",
        )
    }

    fn too_much(&self, of_job: u64, max: u64, last: &BadRecord) -> Error {
        let place = self.dead_letters.as_ref();
        let place = place.map_or(String::new(), |place| format!("; dead letters are in {place}"));
        let what = format!(
            "{of_job} inputs are bad since the job began, and {max} are allowed; the last: {}{place}",
            described(last),
        );
        Error::because(Cause::TOO_MUCH_BAD, what).hint(
            "see what they have in common; then correct the input, or allow more with --max-bad \
         (RunOptions::max_bad)",
        )
    }
}

/// Where a piece is, why it is no record, and how it begins.
fn described(bad: &BadRecord) -> String {
    let BadRecord { raw, place, offset, reason, .. } = bad;
    let begins = String::from_utf8_lossy(&raw[..raw.len().min(SHOWN_BYTES)]);
    let more = if raw.len() > SHOWN_BYTES { "…" } else { "" };
    format!("{place}, byte {offset}: {reason}: {begins}{more}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_source(max: MaxBad) -> BadOfSource {
        BadOfSource::new(Arc::new(BadLimit::new(max, None)), None, ("s", 2), None)
    }

    fn bad(offset: u64) -> BadRecord {
        let (place, reason) = ("f".to_string(), "no".to_string());
        BadRecord { raw: b"x".repeat(100), place, offset, line: None, reason }
    }

    #[test]
    fn the_first_hundred_may_not_all_be_bad() {
        let of = of_source(MaxBad::NotTheFirst);
        assert!((0..99).all(|n| of.add(&bad(n)).is_ok()));
        let text = of.add(&bad(99)).unwrap_err().message();
        let beginning = format!("f, byte 0: no: {}…; f, byte 1: no", "x".repeat(60));
        assert!(text.contains(&beginning) && !text.contains("byte 3"), "{text}");
        let of = of_source(MaxBad::NotTheFirst);
        assert!((0..99).all(|n| of.add(&bad(n)).is_ok()));
        of.has_good();
        assert!((0..1000).all(|n| of.add(&bad(n)).is_ok()));
    }

    #[test]
    fn a_source_that_ends_without_a_record_and_not_empty_was_the_wrong_one() {
        let of = of_source(MaxBad::NotTheFirst);
        assert!(of.add(&bad(7)).is_ok());
        assert!(of.ended().is_ok(), "another task may still find a record");
        let error = of.ended().unwrap_err();
        assert_eq!(error.code(), "SF0104");
        let beginning = "the only input is bad, and there are no more: f, byte 7: no: x";
        assert!(error.message().starts_with(beginning), "{error}");
        let ends = |of: BadOfSource| of.ended().and(of.ended());
        assert!(ends(of_source(MaxBad::NotTheFirst)).is_ok(), "nothing bad, nothing at all");
        for (max, is_good) in
            [(MaxBad::Any, false), (MaxBad::Pieces(1), false), (MaxBad::NotTheFirst, true)]
        {
            let of = of_source(max);
            of.add(&bad(0)).unwrap();
            if is_good {
                of.has_good();
            }
            assert!(ends(of).is_ok(), "{max:?}");
        }
    }

    #[test]
    fn so_many_are_allowed_or_any() {
        let of = of_source(MaxBad::Pieces(2));
        of.has_good();
        assert!(of.add(&bad(0)).is_ok() && of.add(&bad(1)).is_ok());
        assert_eq!(of.add(&bad(2)).unwrap_err().code(), "SF0105");
        let of = of_source(MaxBad::Any);
        assert!((0..1000).all(|n| of.add(&bad(n)).is_ok()));
        assert!(of_source(MaxBad::Pieces(0)).add(&bad(0)).is_err());
    }
}
