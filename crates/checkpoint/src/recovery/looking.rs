//! What can be seen without changing anything: whether taking over would be refused, and what it
//! would do.
//!
//! Whoever runs the job goes on meanwhile, so what is seen may not fit together; it is looked again
//! then. Nothing here is decided for good: that is done after the claim.

use steadfast_core::Result;
use steadfast_core::id::CheckpointId;
use steadfast_core::log::CommitLog;
use steadfast_core::target::{PlannedStep, TargetState};
use steadfast_protocol::entry::Claim;
use steadfast_protocol::manifest::Manifest;
use steadfast_protocol::restore::RestorePoint;
use steadfast_protocol::sink_recovery::{SinkRecovery, Successor};

use super::Recovery;
use super::intact::search;
use super::settling::decide_about;
use crate::leadership::LogTail;
use crate::targets::{Looked, Targets};

/// How often the whole is looked at again because the job has gone on meanwhile.
const MOST_LOOKS: usize = 100;

/// What taking over would do, for people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preview {
    /// Where the job would begin.
    pub start: String,
    /// What would become of each target.
    pub sinks: Vec<(String, String)>,
}

/// What is seen at one moment.
struct Seen {
    /// What this process would claim.
    claim: Claim,
    /// Where it would begin.
    point: RestorePoint,
}

impl Seen {
    fn manifest(&self) -> Option<&Manifest> {
        match &self.point {
            RestorePoint::Fresh => None,
            RestorePoint::From { manifest, .. } => Some(manifest),
        }
    }
}

impl Recovery<'_> {
    /// Says what [`Recovery::run`] would do, and does nothing.
    ///
    /// # Errors
    /// Those with which it would refuse, as far as they can be seen.
    pub fn preview(&self, log: &dyn CommitLog, targets: &mut Targets) -> Result<Preview> {
        self.steadily(log, targets, |tail, looked, targets| {
            let seen = self.look_from(tail, log, &looked, targets)?;
            let start = match &seen.point {
                RestorePoint::From { manifest, .. } => {
                    format!("goes on from checkpoint {}", manifest.checkpoint)
                }
                RestorePoint::Fresh if self.candidate.reset && seen.claim.id.generation.0 > 1 => {
                    "forgets all checkpoints and begins at the start of the input".to_string()
                }
                RestorePoint::Fresh => "begins at the start of the input".to_string(),
            };
            let permissions = self.permissions();
            let successor = self.successor(&seen.claim, &seen.point, &permissions, false);
            let mut sinks = Vec::new();
            for (sink, looked) in looked {
                let fate = fate((&sink, &looked), &successor, log, targets)?;
                sinks.push((sink, fate));
            }
            Ok(Preview { start, sinks })
        })
    }

    /// Refuses what can be seen to be wrong without touching anything. Returns the checkpoint that the
    /// job would begin at.
    pub(super) fn look(
        &self,
        log: &dyn CommitLog,
        targets: &mut Targets,
    ) -> Result<Option<CheckpointId>> {
        self.steadily(log, targets, |tail, looked, targets| {
            let seen = self.look_from(tail, log, &looked, targets)?;
            Ok(seen.manifest().map(|manifest| manifest.checkpoint))
        })
    }

    /// Looks until the job has not gone on while an error was seen.
    fn steadily<T>(
        &self,
        log: &dyn CommitLog,
        targets: &mut Targets,
        mut look: impl FnMut(&LogTail, LookedAt, &mut Targets) -> Result<T>,
    ) -> Result<T> {
        let mut rounds = 0;
        loop {
            rounds += 1;
            let tail = self.candidate.look(log)?;
            let looked = look_at_all(targets);
            match looked.and_then(|looked| look(&tail, looked, targets)) {
                // Whoever runs the job, or begins to, goes on meanwhile: it forgets entries and moves
                // targets on, and what is seen before and after it does so need not fit together.
                Err(_) if rounds < MOST_LOOKS && log.look()?.next != tail.next => {}
                looked => return looked,
            }
        }
    }

    fn look_from(
        &self,
        tail: &LogTail,
        log: &dyn CommitLog,
        looked: &LookedAt,
        targets: &mut Targets,
    ) -> Result<Seen> {
        // Were this process alone and everything intact: what is damaged is dealt with after the claim,
        // when nobody can change it any more.
        let claim = self.candidate.claim_after(tail);
        let point = self.adapted(search(&claim, log, |_| Ok(()))?)?;
        let seen = Seen { claim, point };
        self.check(seen.manifest())?;
        let permissions = self.permissions();
        let successor = self.successor(&seen.claim, &seen.point, &permissions, false);
        for (sink, looked) in looked {
            let planned = match decide_about(&successor, sink, looked, log)? {
                _ if looked.state == TargetState::Unmarked => continue,
                SinkRecovery::Reset { .. } => PlannedStep::Reset,
                _ => PlannedStep::Acquire,
            };
            targets.check(sink, planned)?;
        }
        Ok(seen)
    }
}

/// What becomes of a target that is adopted. Rows by key take the place of those with the same key; what is appended
/// from input that has been read before is there twice.
const BESIDE_WHAT_IS_THERE: &str = "the rows that are there stay, and new ones come beside them";

/// What was seen of each sink's target.
type LookedAt = Vec<(String, Looked)>;

fn look_at_all(targets: &mut Targets) -> Result<LookedAt> {
    let sinks = targets.sinks().into_iter();
    sinks.map(|sink| targets.look(&sink).map(|looked| (sink, looked))).collect()
}

/// What would become of one target.
fn fate(
    (sink, looked): (&str, &Looked),
    successor: &Successor<'_>,
    log: &dyn CommitLog,
    targets: &mut Targets,
) -> Result<String> {
    Ok(match &looked.state {
        TargetState::Absent => "is created".to_string(),
        TargetState::Unmarked => "is written to".to_string(),
        TargetState::Foreign(what) => {
            format!("is adopted as it is: {what}; {BESIDE_WHAT_IS_THERE}")
        }
        // The error with which the run would refuse after its claim is worth knowing before, too.
        TargetState::Owned { marker, .. } => match decide_about(successor, sink, looked, log)? {
            SinkRecovery::Reset { .. } if successor.reset => {
                format!("is emptied: {}", targets.contents(sink)?)
            }
            SinkRecovery::Reset { .. } => {
                let contents = targets.contents(sink)?;
                format!("is emptied, because the job was reset without it: {contents}")
            }
            _ if marker.lineage != successor.claim.lineage => {
                format!("is taken over from another store of this job: {BESIDE_WHAT_IS_THERE}")
            }
            _ => "goes on".to_string(),
        },
    })
}
