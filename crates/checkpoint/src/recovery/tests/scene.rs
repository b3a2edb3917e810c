//! A job as its earlier processes have left it: a store during whose reads others act, and a target
//! that can be made to lie.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use steadfast_core::Error;
use steadfast_core::chunks::Chunks;
use steadfast_core::id::{ClaimId, Generation, Lineage};
use steadfast_core::store::Put;
use steadfast_core::target::{
    Applied, Conditional, DeliveryGuarantee, Marker, PlannedStep, RejectedRows, Target, TargetState,
};
use steadfast_core::time::Timestamp;
use steadfast_protocol::manifest::{Consistency, ObjectRef, StagedOutput};
use steadfast_protocol::names;

use super::super::*;
use crate::leadership::Permit;
use crate::object_log::ObjectLog;
use crate::retry::RetryPolicy;
use crate::store::MemoryStore;

pub(super) const LAYOUT: LogLayout = LogLayout { block: 1 };
pub(super) const LINEAGE: Lineage = Lineage(1);

/// A store during whose calls others act, once they have been told to.
#[derive(Default)]
pub(super) struct Objects {
    objects: MemoryStore,
    /// Counts the reads of this object, and acts before the one with the number.
    before_read: Mutex<Option<(String, usize, Act)>>,
}

pub(super) type Act = Box<dyn FnOnce(&MemoryStore) + Send>;

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Store for Objects {
    fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<Put> {
        self.objects.put_if_absent(name, bytes)
    }

    fn get(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let mut before = locked(&self.before_read);
        if let Some((of, left, act)) = before.take() {
            match (of == name, left) {
                (true, 0) => act(&self.objects),
                (true, _) => *before = Some((of, left - 1, act)),
                (false, _) => *before = Some((of, left, act)),
            }
        }
        self.objects.get(name)
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>> {
        self.objects.list(prefix)
    }

    fn delete(&self, name: &str) -> Result<()> {
        self.objects.delete(name)
    }

    fn describe(&self) -> String {
        "memory".to_string()
    }
}

/// What a target holds, and how often it says that it has applied what it has not.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) state: Option<TargetState>,
    pub(super) rows: Vec<String>,
    pub(super) lies: usize,
    /// What it will not do, as it says when it is asked.
    pub(super) refuses: Option<PlannedStep>,
    /// Becomes the state when an application is refused.
    pub(super) instead: Option<TargetState>,
}

impl Table {
    pub(super) fn of(marker: Marker, rows: &[&str]) -> Arc<Mutex<Self>> {
        let state = Some(TargetState::Owned { marker, created: true });
        let rows = rows.iter().map(|row| row.to_string()).collect();
        Arc::new(Mutex::new(Table { state, rows, ..Table::default() }))
    }

    pub(super) fn unmarked() -> Arc<Mutex<Self>> {
        Arc::new(Mutex::new(Table { state: Some(TargetState::Unmarked), ..Table::default() }))
    }

    pub(super) fn marker(&self) -> Option<Marker> {
        match &self.state {
            Some(TargetState::Owned { marker, .. }) => Some(*marker),
            _ => None,
        }
    }

    fn take(&mut self, expected: Option<&Marker>, marker: &Marker) -> bool {
        let is_expected = self.marker().as_ref() == expected;
        if is_expected {
            self.state = Some(TargetState::Owned { marker: *marker, created: true });
        }
        is_expected
    }
}

pub(super) struct TableTarget(Arc<Mutex<Table>>);

impl Target for TableTarget {
    fn look(&mut self) -> Result<TargetState> {
        Ok(locked(&self.0).state.clone().unwrap_or(TargetState::Absent))
    }

    fn check(&mut self, planned: PlannedStep) -> Result<()> {
        match locked(&self.0).refuses == Some(planned) {
            true => Err(Error::configuration(format!("may not: {planned:?}"))),
            false => Ok(()),
        }
    }

    fn acquire(
        &mut self,
        expected: Option<&Marker>,
        marker: &Marker,
        _adopt: bool,
    ) -> Result<Conditional<()>> {
        let table = &mut *locked(&self.0);
        Ok(match table.take(expected, marker) {
            true => Conditional::Done(()),
            false => Conditional::Unexpected(table.marker()),
        })
    }

    fn apply(
        &mut self,
        expected: &Marker,
        marker: &Marker,
        chunks: &dyn Chunks,
        _rejected: RejectedRows,
    ) -> Result<Conditional<Applied>> {
        let rows = chunks.concat()?;
        let table = &mut *locked(&self.0);
        let done = Conditional::Done(Applied::default());
        if let Some(instead) = table.instead.take() {
            table.state = Some(instead);
            return Ok(Conditional::Unexpected(table.marker()));
        }
        if table.lies > 0 {
            table.lies -= 1;
            return Ok(done);
        }
        let is_unmarked = table.state == Some(TargetState::Unmarked);
        if !is_unmarked && !table.take(Some(expected), marker) {
            return Ok(Conditional::Unexpected(table.marker()));
        }
        table.rows.push(String::from_utf8(rows).unwrap());
        Ok(done)
    }

    fn reset(&mut self, expected: &Marker, marker: &Marker) -> Result<Conditional<()>> {
        let table = &mut *locked(&self.0);
        if !table.take(Some(expected), marker) {
            return Ok(Conditional::Unexpected(table.marker()));
        }
        table.rows.clear();
        Ok(Conditional::Done(()))
    }

    fn contents(&mut self) -> Result<String> {
        Ok(format!("{} rows", locked(&self.0).rows.len()))
    }

    fn format(&self) -> String {
        "lines".to_string()
    }

    fn guarantee(&self) -> DeliveryGuarantee {
        DeliveryGuarantee::AppendOnce
    }
}

/// A job's store as its processes leave it.
#[derive(Default)]
pub(super) struct Scene {
    pub(super) store: Arc<Objects>,
}

/// How a process is started.
#[derive(Default)]
pub(super) struct Start {
    pub(super) nonce: u64,
    pub(super) reset: bool,
    pub(super) new: bool,
    pub(super) adopt: bool,
    /// A sink that the job has beside its first.
    pub(super) also: Option<&'static str>,
    /// A sink that is gone from the job.
    pub(super) forget: Option<&'static str>,
}

impl Scene {
    pub(super) fn log(&self) -> Arc<dyn CommitLog> {
        Arc::new(ObjectLog::with_layout(Arc::clone(&self.store) as _, LAYOUT))
    }

    /// The only object of a checkpoint of the first process: output for its sink.
    pub(super) fn object(&self, checkpoint: u64) -> ObjectRef {
        let name = names::data(CheckpointId(checkpoint), Generation(1), checkpoint, "x");
        let text = format!("row {checkpoint}");
        self.store.put_if_absent(&name, text.as_bytes()).unwrap();
        ObjectRef { name, bytes: text.len() as u64, crc32c: crc32c::crc32c(text.as_bytes()) }
    }

    /// A first process commits checkpoints up to `last`, each with a row for the sink, and keeps the
    /// last three. Of those before, it has deleted nothing.
    pub(super) fn begin(&self, last: u64, has_marker: bool) -> Leadership {
        let leadership = candidate(&Start { nonce: 1, ..Start::default() }).acquire(self.log());
        let leadership = leadership.unwrap();
        for checkpoint in 2..=last {
            let before = has_marker.then(|| marker(1, checkpoint - 1));
            let before = before.filter(|_| checkpoint > 2).or(has_marker.then(|| marker(1, 0)));
            let chunks = vec![self.object(checkpoint)];
            let output = StagedOutput { written: true, chunks, before, format: "lines".into() };
            let claim = leadership.claim().id;
            let manifest = Manifest {
                checkpoint: CheckpointId(checkpoint),
                retained: (checkpoint.saturating_sub(2).max(2)..=checkpoint)
                    .map(CheckpointId)
                    .collect(),
                previous: (checkpoint > 2).then(|| CheckpointId(checkpoint - 1)),
                outputs: BTreeMap::from([("out".to_string(), output)]),
                ..Manifest::empty("job", LINEAGE, claim, Generation(1))
            };
            let _ = leadership.commit(Box::new(manifest)).unwrap();
        }
        leadership
    }

    /// The first process commits another checkpoint, with a row for each of its sinks `out` and `more`,
    /// whose targets are at `before`.
    pub(super) fn commit_for_two(
        &self,
        first: &Leadership,
        checkpoint: u64,
        before: Option<Marker>,
    ) {
        let output = || {
            let (chunks, format) = (vec![self.object(checkpoint)], "lines".to_string());
            StagedOutput { written: true, chunks, before, format }
        };
        let outputs = ["out", "more"].map(|sink| (sink.to_string(), output())).into();
        let _ = commit(first, checkpoint, |manifest| Manifest { outputs, ..manifest });
    }

    pub(super) fn with_recovery<T>(
        &self,
        start: &Start,
        run: impl FnOnce(&Recovery<'_>) -> T,
    ) -> T {
        let new = if start.new { BTreeSet::from(["out".to_string()]) } else { BTreeSet::new() };
        let forget = start.forget.into_iter().map(str::to_string).collect();
        let differences = Differences { new, forget };
        let sinks = ["out"].into_iter().chain(start.also).map(str::to_string).collect();
        let shape = JobShape { sinks, ..JobShape::default() };
        run(&Recovery {
            candidate: candidate(start),
            layout: LAYOUT,
            retain: 3,
            shape: &shape,
            differences: &differences,
            adopt: start.adopt,
            check_sources: &|_| Ok(()),
        })
    }

    pub(super) fn recover(
        &self,
        start: &Start,
        table: Option<&Arc<Mutex<Table>>>,
    ) -> Result<Recovered> {
        let store = Arc::clone(&self.store) as Arc<dyn Store>;
        self.with_recovery(start, |recovery| recovery.run(&store, self.log(), targets(table)))
    }

    pub(super) fn names(&self, prefix: &str) -> Vec<String> {
        self.store.objects.list(prefix).unwrap()
    }

    pub(super) fn act_before_read(&self, object: &str, number: usize, act: Act) {
        *locked(&self.store.before_read) = Some((object.to_string(), number, act));
    }
}

/// Commits a checkpoint that holds what is said and nothing else. All before it are kept.
pub(super) fn commit(
    leadership: &Leadership,
    checkpoint: u64,
    with: impl FnOnce(Manifest) -> Manifest,
) -> Permit {
    let retained = (2..=checkpoint).map(CheckpointId).collect();
    let empty = Manifest::empty("job", LINEAGE, leadership.claim().id, Generation(1));
    let manifest = Manifest { checkpoint: CheckpointId(checkpoint), retained, ..empty };
    leadership.commit(Box::new(with(manifest))).unwrap()
}

pub(super) fn candidate(start: &Start) -> Candidate {
    Candidate {
        job: "job".to_string(),
        holder: format!("process {}", start.nonce),
        nonce: start.nonce,
        lineage: LINEAGE,
        at: Timestamp(0),
        consistency: Consistency::ExactlyOnce,
        reset: start.reset,
    }
}

pub(super) fn second() -> Start {
    Start { nonce: 2, ..Start::default() }
}

pub(super) fn targets(table: Option<&Arc<Mutex<Table>>>) -> Targets {
    named_targets(table.map(|table| ("out", table)))
}

pub(super) fn named_targets<'a>(
    tables: impl IntoIterator<Item = (&'a str, &'a Arc<Mutex<Table>>)>,
) -> Targets {
    let target = |(sink, table): (&str, &Arc<Mutex<Table>>)| {
        let target: Box<dyn Target> = Box::new(TableTarget(Arc::clone(table)));
        (sink.to_string(), target)
    };
    let targets = tables.into_iter().map(target).collect();
    Targets::new(targets, RejectedRows::Fail, RetryPolicy::never())
}

/// Of the first process.
pub(super) fn marker(generation: u64, checkpoint: u64) -> Marker {
    let claim = ClaimId { generation: Generation(generation), nonce: generation };
    Marker { lineage: LINEAGE, claim, checkpoint: CheckpointId(checkpoint) }
}
