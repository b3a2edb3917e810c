//! Taking over a job: look, claim, read, decide, finish what was committed, take the targets over,
//! collect.
//!
//! Looking changes nothing, so that a mistyped command fences nobody. Each later step may be cut off
//! or come between those of another process; each is conditional, and decided from what was observed
//! last. When this returns, no earlier process can commit, and the targets show exactly what the
//! checkpoint says.

use std::collections::BTreeMap;
use std::sync::Arc;

use steadfast_core::id::{CheckpointId, Generation, LogIndex};
use steadfast_core::log::CommitLog;
use steadfast_core::store::Store;
use steadfast_core::target::{PlannedStep, TargetState};
use steadfast_core::{Error, Result};
use steadfast_protocol::entry::{Claim, LogEntry};
use steadfast_protocol::fit::{self, Differences, JobShape};
use steadfast_protocol::manifest::{Manifest, ObjectRef};
use steadfast_protocol::names::{self, LogLayout};
use steadfast_protocol::restore::{RestoreOutcome, RestorePoint, RestoreSearch, RestoreStep};
use steadfast_protocol::retention::Retained;
use steadfast_protocol::sink_recovery::{
    self, Permissions, SinkRecovery, SinkView, Successor, Writer,
};

use crate::committer::fetch;
use crate::leadership::{self, Candidate, Leadership, LogTail, Permit};
use crate::targets::{Looked, Targets};

/// So many bytes of state, read to see whether they are intact, are kept for the tasks to load; what
/// is beyond that they read again.
const KEEP_BYTES: usize = 512 * 1024 * 1024;

/// How often a target is looked at again because somebody else has come between: each time, another
/// process had passed this one or was passed by it.
const MOST_ROUNDS: usize = 1000;

/// How often the whole is looked at again because the job has gone on meanwhile.
const MOST_LOOKS: usize = 20;

/// The contents of objects, by name.
pub type Contents = BTreeMap<String, Arc<Vec<u8>>>;

/// What the job says about the checkpoint that it would begin at, beside its shape: whether its
/// sources can go on from there.
pub type CheckSources<'a> = &'a dyn Fn(Option<&Manifest>) -> Result<()>;

/// Everything that taking over needs to know.
pub struct Recovery<'a> {
    /// Who takes over.
    pub candidate: Candidate,
    /// How the log lies in the store.
    pub layout: LogLayout,
    /// How many checkpoints to keep.
    pub retain: usize,
    /// What the job has.
    pub shape: &'a JobShape,
    /// What the user says about differences between job and checkpoint.
    pub differences: &'a Differences,
    /// Whether targets that others created may be taken over.
    pub adopt: bool,
    /// Whether the job's sources can go on.
    pub check_sources: CheckSources<'a>,
}

/// A job that has been taken over.
pub struct Recovered {
    /// The right to commit.
    pub leadership: Leadership,
    /// The targets, all of them ours.
    pub targets: Targets,
    /// The checkpoint to begin at.
    pub restored: Option<Manifest>,
    /// Newer checkpoints that are damaged, with what is wrong.
    pub skipped: Vec<(CheckpointId, String)>,
    /// The checkpoints that are kept.
    pub retained: Retained,
    /// State files of the checkpoint to begin at that have been read already.
    pub contents: Contents,
    /// Rows of its output that targets refused for good, and set aside.
    pub rejected_rows: u64,
}

/// What is known of a job once it has been taken over.
struct Taken {
    restored: Option<Manifest>,
    skipped: Vec<(CheckpointId, String)>,
    retained: Retained,
    contents: Contents,
    rejected_rows: u64,
}

/// What taking over would do, for people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preview {
    /// Where the job would begin.
    pub start: String,
    /// What would become of each target.
    pub sinks: Vec<(String, String)>,
}

impl Recovery<'_> {
    /// Takes over.
    ///
    /// # Errors
    /// `Damaged` if no checkpoint is intact or a target lost what it had; `Configuration` if job,
    /// store and targets do not belong together; `Unavailable` if one of them does not answer; `Fenced`
    /// if another process has claimed the job meanwhile, whatever was seen of what it did.
    pub fn run(
        &self,
        store: &Arc<dyn Store>,
        log: Arc<dyn CommitLog>,
        mut targets: Targets,
    ) -> Result<Recovered> {
        let looked_at = self.look(&*log, &mut targets)?;
        let leadership = self.candidate.acquire(log)?;
        let taken = self.take_over(looked_at, &leadership, &**store, &mut targets);
        let Taken { restored, skipped, retained, contents, rejected_rows } =
            taken.map_err(|error| leadership.held().explain(error))?;
        Ok(Recovered { leadership, targets, restored, skipped, retained, contents, rejected_rows })
    }

    /// Everything after the claim.
    fn take_over(
        &self,
        looked_at: Option<CheckpointId>,
        leadership: &Leadership,
        store: &dyn Store,
        targets: &mut Targets,
    ) -> Result<Taken> {
        let (point, contents) = self.decide(leadership, store)?;
        // What is forgotten now is needed until the next commit: this process may die before it.
        let original = match &point {
            RestorePoint::Fresh => None,
            RestorePoint::From { manifest, .. } => Some((**manifest).clone()),
        };
        let point = self.adapted(point)?;
        let (restored, skipped) = match &point {
            RestorePoint::Fresh => (None, Vec::new()),
            RestorePoint::From { manifest, skipped } => {
                (Some((**manifest).clone()), skipped.clone())
            }
        };
        // Others may have committed since the look, or what was looked at is damaged.
        if restored.as_ref().map(|manifest| manifest.checkpoint) != looked_at {
            self.check(restored.as_ref())?;
        }
        let mut rejected_rows = 0;
        for sink in targets.sinks() {
            rejected_rows += self.settle(&sink, leadership, &point, store, targets)?;
        }
        let kept = self.read_kept(leadership, original.as_ref())?;
        let retained = Retained::new(self.retain, &kept);
        // Where something is damaged, somebody may want to look at what is left of it.
        if skipped.is_empty() {
            collect(leadership, store, &retained, &kept)?;
        }
        Ok(Taken { restored, skipped, retained, contents, rejected_rows })
    }

    /// Says what [`Recovery::run`] would do, and does nothing.
    ///
    /// # Errors
    /// Those with which it would refuse before it claims the job.
    pub fn preview(&self, log: &dyn CommitLog, targets: &mut Targets) -> Result<Preview> {
        self.look(log, targets)?;
        let (claim, point) = self.expected(&leadership::look(log)?, log)?;
        let start = match &point {
            RestorePoint::From { manifest, .. } => {
                format!("goes on from checkpoint {}", manifest.checkpoint)
            }
            RestorePoint::Fresh if self.candidate.reset && claim.id.generation.0 > 1 => {
                "forgets all checkpoints and begins at the start of the input".to_string()
            }
            RestorePoint::Fresh => "begins at the start of the input".to_string(),
        };
        let mut sinks = Vec::new();
        for sink in targets.sinks() {
            let state = targets.look(&sink)?.state;
            let fate = match state {
                TargetState::Absent => "is created".to_string(),
                TargetState::Unmarked => "is written to".to_string(),
                TargetState::Foreign(what) => format!("is adopted as it is: {what}"),
                TargetState::Owned { .. } if self.candidate.reset => {
                    format!("is emptied: {}", targets.contents(&sink)?)
                }
                TargetState::Owned { .. } => "goes on".to_string(),
            };
            sinks.push((sink, fate));
        }
        Ok(Preview { start, sinks })
    }

    fn successor<'a>(&'a self, claim: &'a Claim, restore: &'a RestorePoint) -> SuccessorOf<'a> {
        let permissions = Permissions { adopt: self.adopt, new: self.differences.new.clone() };
        SuccessorOf { claim, restore, reset: self.candidate.reset, permissions }
    }

    /// Refuses what can be seen to be wrong without touching anything. Returns the checkpoint that the
    /// job would begin at.
    fn look(&self, log: &dyn CommitLog, targets: &mut Targets) -> Result<Option<CheckpointId>> {
        let mut rounds = 0;
        loop {
            rounds += 1;
            let tail = leadership::look(log)?;
            match self.look_from(&tail, log, targets) {
                // Whoever runs the job, or begins to, goes on meanwhile: it forgets entries and moves
                // targets on, and what is seen before and after it does so need not fit together.
                Err(_) if rounds < MOST_LOOKS && leadership::look(log)?.next != tail.next => {}
                looked => return looked,
            }
        }
    }

    fn look_from(
        &self,
        tail: &LogTail,
        log: &dyn CommitLog,
        targets: &mut Targets,
    ) -> Result<Option<CheckpointId>> {
        let (claim, point) = self.expected(tail, log)?;
        let manifest = match &point {
            RestorePoint::Fresh => None,
            RestorePoint::From { manifest, .. } => Some(&**manifest),
        };
        self.check(manifest)?;
        let successor = self.successor(&claim, &point);
        for sink in targets.sinks() {
            let Looked { state, format, .. } = targets.look(&sink)?;
            sink_recovery::admit(&successor.get(), &sink, &state, &format)?;
            let planned = match self.candidate.reset {
                true => PlannedStep::Reset,
                false => PlannedStep::Acquire,
            };
            if let TargetState::Owned { .. } = state {
                targets.check(&sink, planned)?;
            }
        }
        Ok(manifest.map(|manifest| manifest.checkpoint))
    }

    /// What this process would claim and begin at, were it alone and everything intact. What is
    /// damaged is dealt with after the claim, when nobody can change it any more.
    fn expected(&self, tail: &LogTail, log: &dyn CommitLog) -> Result<(Claim, RestorePoint)> {
        let claim = self.candidate.claim_after(tail);
        let point = search(&claim, log, |_| Ok(()))?;
        Ok((claim, self.adapted(point)?))
    }

    fn adapted(&self, mut point: RestorePoint) -> Result<RestorePoint> {
        if let RestorePoint::From { manifest, .. } = &mut point {
            fit::adapt(manifest, self.shape, self.differences)?;
        }
        Ok(point)
    }

    fn check(&self, manifest: Option<&Manifest>) -> Result<()> {
        if let Some(manifest) = manifest {
            fit::check(manifest, self.shape, self.differences)?;
        }
        (self.check_sources)(manifest)
    }

    /// Finds the newest intact checkpoint.
    fn decide(
        &self,
        leadership: &Leadership,
        store: &dyn Store,
    ) -> Result<(RestorePoint, Contents)> {
        let mut contents = Contents::new();
        let point = search(leadership.claim(), leadership.log(), |manifest| {
            if store.get(&self.layout.dropped(manifest.checkpoint))?.is_some() {
                return Err(Error::damaged("it was deleted by hand"));
            }
            contents = check(store, manifest, KEEP_BYTES)?;
            Ok(())
        })?;
        Ok((point, contents))
    }

    /// Brings one target to what the checkpoint says, and makes it ours. Says how many rows were set
    /// aside.
    fn settle(
        &self,
        sink: &str,
        leadership: &Leadership,
        point: &RestorePoint,
        store: &dyn Store,
        targets: &mut Targets,
    ) -> Result<u64> {
        let successor = self.successor(leadership.claim(), point);
        let mut rejected = 0;
        for _ in 0..MOST_ROUNDS {
            let looked = targets.look(sink)?;
            let decision = decide_about(&successor.get(), sink, &looked, leadership)?;
            let state = looked.state;
            // Whoever has written to the target through this log claimed before it did. So what was
            // seen is of the past, and not of a successor, exactly if there is none yet.
            if decision != SinkRecovery::Settled {
                leadership.held().confirm()?;
            }
            match decision {
                SinkRecovery::Settled => {
                    let marker = match state {
                        TargetState::Owned { marker, .. } => Some(marker),
                        _ => None,
                    };
                    targets.settle(sink, marker)?;
                    return Ok(rejected);
                }
                SinkRecovery::Acquire { expected, marker } => {
                    targets.acquire(sink, expected.as_ref(), &marker, self.adopt)?;
                }
                SinkRecovery::Reset { expected, marker } => {
                    targets.reset(sink, &expected, &marker)?;
                }
                SinkRecovery::Apply { expected, .. } => {
                    let (permit, chunks) = restored_output(leadership, point, store, sink)?;
                    let applied = targets.finish(&permit, sink, &expected, &chunks)?;
                    rejected += applied.unwrap_or(0);
                }
                SinkRecovery::Repeat => {
                    let (permit, chunks) = restored_output(leadership, point, store, sink)?;
                    targets.finish(&permit, sink, &permit.marker(), &chunks)?;
                    return Ok(rejected);
                }
                SinkRecovery::ReadClaim(_) => {
                    return Err(Error::internal("a claim that was read is asked for again"));
                }
            }
        }
        let what = format!("others change the target each time, {MOST_ROUNDS} times in a row");
        Err(Error::unavailable(what).at(format!("sink '{sink}'")))
    }

    /// The manifests that are kept beside the restored one, which comes last.
    fn read_kept(
        &self,
        leadership: &Leadership,
        restored: Option<&Manifest>,
    ) -> Result<Vec<Manifest>> {
        let Some(restored) = restored else { return Ok(Vec::new()) };
        let mut kept = Vec::new();
        for id in restored.retained.iter().filter(|id| **id < restored.checkpoint) {
            let Some(bytes) = leadership.log().read(LogIndex(id.0))? else { continue };
            if let Ok(LogEntry::Checkpoint(manifest)) = LogEntry::decode(&bytes) {
                kept.push(*manifest);
            }
        }
        kept.push(restored.clone());
        Ok(kept)
    }
}

/// A [`Successor`] with what it borrows from.
struct SuccessorOf<'a> {
    claim: &'a Claim,
    restore: &'a RestorePoint,
    reset: bool,
    permissions: Permissions,
}

impl SuccessorOf<'_> {
    fn get(&self) -> Successor<'_> {
        let SuccessorOf { claim, restore, reset, permissions } = self;
        Successor { claim, restore, reset: *reset, permissions }
    }
}

/// Decides about a target, reading the claim that its marker names where that matters.
fn decide_about(
    successor: &Successor<'_>,
    sink: &str,
    looked: &Looked,
    leadership: &Leadership,
) -> Result<SinkRecovery> {
    let Looked { state, guarantee, format } = looked;
    let view = SinkView { sink, state, format, guarantee: *guarantee, writer: None };
    match sink_recovery::recover_sink(successor, view)? {
        SinkRecovery::ReadClaim(Generation(generation)) => {
            let entry = leadership.log().read(LogIndex(generation))?;
            let entry = entry.map(|bytes| LogEntry::decode(&bytes));
            let writer = match &entry {
                None => Writer::Absent,
                Some(Ok(LogEntry::Claim(claim))) => Writer::Known(claim),
                Some(Ok(LogEntry::Checkpoint(_))) => Writer::Other,
                Some(Err(_)) => Writer::Unreadable,
            };
            sink_recovery::recover_sink(successor, SinkView { writer: Some(writer), ..view })
        }
        decision => Ok(decision),
    }
}

/// Runs the search for a checkpoint to begin at.
fn search(
    claim: &Claim,
    log: &dyn CommitLog,
    mut verify: impl FnMut(&Manifest) -> Result<()>,
) -> Result<RestorePoint> {
    let mut search = RestoreSearch::new(claim.origin, claim.newest, log.look()?.first);
    loop {
        match search.step()? {
            RestoreStep::Read(index) => {
                let entry = log.read(index)?.map(|bytes| LogEntry::decode(&bytes));
                search.found(entry)?;
            }
            RestoreStep::Verify(manifest) => {
                let intact = verify(manifest);
                if let RestoreOutcome::Decided(point) = search.verified(intact)? {
                    return Ok(point);
                }
            }
            RestoreStep::Decided(point) => return Ok(point),
        }
    }
}

fn restored_output(
    leadership: &Leadership,
    point: &RestorePoint,
    store: &dyn Store,
    sink: &str,
) -> Result<(Permit, Vec<Vec<u8>>)> {
    let RestorePoint::From { manifest, .. } = point else {
        return Err(Error::internal("there is output to be applied, but no checkpoint"));
    };
    let chunks = manifest.outputs.get(sink).map_or(&[][..], |output| &output.chunks[..]);
    let chunks = chunks.iter().map(|chunk| fetch(store, chunk)).collect::<Result<_>>()?;
    Ok((leadership.permit_restored(manifest), chunks))
}

/// Deletes what crashed processes left behind, and what a reset has made worthless.
fn collect(
    leadership: &Leadership,
    store: &dyn Store,
    retained: &Retained,
    kept: &[Manifest],
) -> Result<()> {
    let claim = leadership.claim();
    let oldest = kept.first().map_or(claim.origin.0, |manifest| manifest.checkpoint.0);
    leadership.forget_before(LogIndex(oldest))?;
    let data = store.list(names::DATA)?;
    retained.orphans(&data, claim.id.generation).try_for_each(|name| store.delete(name))
}

/// Reads every object of a checkpoint and checks it against the manifest. Keeps `room` bytes of state.
fn check(store: &dyn Store, manifest: &Manifest, mut room: usize) -> Result<Contents> {
    let mut kept = Contents::new();
    let fetch = |object: &ObjectRef| fetch(store, object);
    for object in manifest.outputs.values().flat_map(|output| &output.chunks) {
        fetch(object)?;
    }
    for file in manifest.state.values().flatten() {
        let bytes = fetch(&file.object)?;
        if let Some(left) = room.checked_sub(bytes.len()) {
            room = left;
            kept.insert(file.object.name.clone(), Arc::new(bytes));
        }
    }
    Ok(kept)
}

/// Reads every object of a checkpoint and checks it against the manifest.
///
/// # Errors
/// `Damaged` with the first object that is missing or differs.
pub fn verify(store: &dyn Store, manifest: &Manifest) -> Result<()> {
    check(store, manifest, 0).map(drop)
}
