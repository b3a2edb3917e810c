//! Every kind of thing that the search can find.

use std::collections::BTreeMap;

use steadfast_core::id::{ClaimId, Lineage};
use steadfast_core::time::Timestamp;

use super::*;
use crate::entry::Claim;
use crate::manifest::{Consistency, manifest_for_tests};

fn claim_id(generation: u64) -> ClaimId {
    ClaimId { generation: Generation(generation), nonce: generation }
}

/// A checkpoint that keeps `kept` and itself.
fn checkpoint(number: u64, origin: u64, kept: &[u64]) -> LogEntry {
    let retained = kept.iter().chain([&number]).map(|id| CheckpointId(*id)).collect();
    let manifest = manifest_for_tests(number, origin);
    LogEntry::Checkpoint(Box::new(Manifest { origin: Generation(origin), retained, ..manifest }))
}

fn claim(number: u64, origin: u64, newest: Option<u64>) -> LogEntry {
    LogEntry::Claim(Claim {
        job: "j".into(),
        id: claim_id(number),
        lineage: Lineage(1),
        origin: Generation(origin),
        newest: newest.map(CheckpointId),
        consistency: Consistency::ExactlyOnce,
        holder: "h".into(),
        at: Timestamp(0),
    })
}

/// What the log holds: entries, those that cannot be read, and nothing.
struct Log(BTreeMap<u64, Option<LogEntry>>);

impl Log {
    fn new(entries: impl IntoIterator<Item = (u64, LogEntry)>, unreadable: &[u64]) -> Self {
        let mut all: BTreeMap<_, _> = entries.into_iter().map(|(n, e)| (n, Some(e))).collect();
        all.extend(unreadable.iter().map(|n| (*n, None)));
        Log(all)
    }

    fn read(&self, index: LogIndex) -> Option<Result<LogEntry>> {
        let entry = self.0.get(&index.0)?;
        Some(entry.clone().ok_or_else(|| Error::damaged("torn")))
    }

    /// The checkpoint that is begun at and those that were skipped, with objects of `damaged` gone.
    fn begin(
        &self,
        origin: u64,
        newest: Option<u64>,
        damaged: &[u64],
    ) -> Result<(Option<u64>, Vec<u64>)> {
        let mut search =
            RestoreSearch::new(Generation(origin), newest.map(CheckpointId), LogIndex(1));
        loop {
            let point = match search.step()? {
                RestoreStep::Read(index) => {
                    search.found(self.read(index))?;
                    continue;
                }
                RestoreStep::Verify(manifest) => {
                    let gone = damaged.contains(&manifest.checkpoint.0);
                    let intact = if gone { Err(Error::damaged("bits")) } else { Ok(()) };
                    match search.verified(intact)? {
                        RestoreOutcome::Decided(point) => point,
                        RestoreOutcome::GoOn => continue,
                    }
                }
                RestoreStep::Decided(point) => point,
            };
            return Ok(match point {
                RestorePoint::Fresh => (None, vec![]),
                RestorePoint::From { manifest, skipped } => {
                    (Some(manifest.checkpoint.0), skipped.iter().map(|(id, _)| id.0).collect())
                }
            });
        }
    }
}

#[test]
fn the_newest_intact_one_wins_and_the_skipped_ones_are_named() {
    let entries = [
        (1, claim(1, 1, None)),
        (2, checkpoint(2, 1, &[])),
        (3, checkpoint(3, 1, &[2])),
        (4, checkpoint(4, 1, &[2, 3])),
    ];
    let log = Log::new(entries.clone(), &[]);
    assert_eq!(log.begin(1, Some(4), &[]).unwrap(), (Some(4), vec![]));
    assert_eq!(log.begin(1, Some(4), &[4]).unwrap(), (Some(3), vec![4]));
    assert_eq!(log.begin(1, Some(4), &[4, 3]).unwrap(), (Some(2), vec![4, 3]));
    assert_eq!(log.begin(1, Some(4), &[2, 3, 4]).unwrap_err().kind(), ErrorKind::Damaged);
    let refusal = log.begin(1, Some(4), &[2, 3, 4]).unwrap_err().to_string();
    assert_eq!(refusal.matches("[SF06").count(), 1, "{refusal}");
    let log = Log::new(entries, &[4]);
    assert_eq!(log.begin(1, Some(4), &[3]).unwrap(), (Some(2), vec![4, 3]));
}

#[test]
fn nothing_beyond_what_the_newest_readable_one_keeps_is_fallen_back_to() {
    // 2 is still there, but 4 does not keep it: half of it may be deleted already.
    let log = Log::new([(2, checkpoint(2, 1, &[])), (4, checkpoint(4, 1, &[]))], &[]);
    assert_eq!(log.begin(1, Some(4), &[4]).unwrap_err().kind(), ErrorKind::Damaged);
}

#[test]
fn unreadable_entries_are_passed_over_and_a_claim_among_them_knows_the_way() {
    let entries =
        [(2, checkpoint(2, 1, &[])), (3, claim(3, 1, Some(2))), (4, claim(4, 1, Some(2)))];
    let log = Log::new(entries, &[5, 6]);
    assert_eq!(log.begin(1, Some(6), &[]).unwrap(), (Some(2), vec![6, 5]));
    // A missing entry is no better than one that cannot be read.
    let log = Log::new([(2, checkpoint(2, 1, &[])), (3, claim(3, 1, Some(2)))], &[]);
    assert_eq!(log.begin(1, Some(5), &[]).unwrap(), (Some(2), vec![5, 4]));
}

#[test]
fn nothing_before_a_reset_counts() {
    let log = Log::new([(2, checkpoint(2, 1, &[])), (3, claim(3, 3, None))], &[]);
    assert_eq!(log.begin(3, None, &[]).unwrap(), (None, vec![]));
    // The only checkpoint since cannot be read: beginning at the start would repeat its output.
    let log = Log::new([(2, checkpoint(2, 1, &[])), (3, claim(3, 3, None))], &[4]);
    assert_eq!(log.begin(3, Some(4), &[]).unwrap_err().kind(), ErrorKind::Damaged);
    // An entry of an older history in the place of one of this history is no checkpoint of this one.
    let log = Log::new([(4, checkpoint(4, 1, &[]))], &[]);
    assert_eq!(log.begin(3, Some(4), &[]).unwrap_err().kind(), ErrorKind::Damaged);
}

/// The indexes that are looked at in a log of which nothing can be read.
fn looked_at(origin: u64, newest: u64, first: u64) -> Vec<u64> {
    let (origin, newest) = (Generation(origin), Some(CheckpointId(newest)));
    let mut search = RestoreSearch::new(origin, newest, LogIndex(first));
    let mut indexes = vec![];
    while let Ok(RestoreStep::Read(index)) = search.step() {
        indexes.push(index.0);
        search.found(None).unwrap();
    }
    indexes
}

#[test]
fn nothing_is_looked_at_that_does_not_count_or_is_forgotten() {
    assert_eq!(looked_at(3, 6, 1), [6, 5, 4], "the history began with the claim 3");
    assert_eq!(looked_at(1, 6, 4), [6, 5, 4], "the log has forgotten what is before 4");
    // Nor where a claim says so.
    let mut search = RestoreSearch::new(Generation(3), Some(CheckpointId(5)), LogIndex(1));
    search.found(Some(Ok(claim(5, 3, Some(3))))).unwrap();
    assert!(matches!(search.step(), Ok(RestoreStep::Decided(RestorePoint::Fresh))));
}

#[test]
fn a_claim_in_the_place_of_a_kept_checkpoint_is_skipped_and_named() {
    let kept = [(2, checkpoint(2, 1, &[])), (4, checkpoint(4, 1, &[2, 3]))];
    let log = Log::new(kept.into_iter().chain([(3, claim(3, 1, Some(2)))]), &[]);
    assert_eq!(log.begin(1, Some(4), &[4]).unwrap(), (Some(2), vec![4, 3]));
}

#[test]
fn an_empty_history_begins_at_the_start() {
    assert_eq!(Log::new([], &[]).begin(1, None, &[]).unwrap(), (None, vec![]));
}

#[test]
fn a_store_that_is_away_is_not_taken_for_damage() {
    let mut search = RestoreSearch::new(Generation(1), Some(CheckpointId(2)), LogIndex(1));
    let away = || Error::unavailable("no answer");
    assert_eq!(search.found(Some(Err(away()))).unwrap_err().kind(), ErrorKind::Unavailable);
    let mut search = RestoreSearch::new(Generation(1), Some(CheckpointId(2)), LogIndex(1));
    search.found(Some(Ok(checkpoint(2, 1, &[])))).unwrap();
    assert_eq!(search.verified(Err(away())).unwrap_err().kind(), ErrorKind::Unavailable);
}

#[test]
fn the_first_entry_that_the_log_still_has_is_looked_at_too() {
    let log = Log::new([(3, checkpoint(3, 1, &[]))], &[4, 5]);
    let mut search = RestoreSearch::new(Generation(1), Some(CheckpointId(5)), LogIndex(3));
    for expected in [5, 4, 3] {
        let RestoreStep::Read(index) = search.step().unwrap() else { panic!("nothing to read") };
        assert_eq!(index, LogIndex(expected));
        search.found(log.read(index)).unwrap();
    }
    assert!(matches!(search.step().unwrap(), RestoreStep::Verify(_)));
}
