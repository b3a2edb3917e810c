//! What people want to know of a job while it runs, and what they may ask of it.
//!
//! It knows nothing of how the job is run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use steadfast_checkpoint::committer::OnLeftover;
use steadfast_checkpoint::mailbox::Mailbox;
use steadfast_checkpoint::record_count::RecordCount;
use steadfast_checkpoint::snapshot::ToCoordinator;
use steadfast_core::id::CheckpointId;
use steadfast_core::time::Timestamp;
use steadfast_protocol::manifest::Manifest;

use crate::event_time::{Reached, SourceTime};
use crate::executor::Watchdog;
use crate::pauses::Pauses;

/// Live counts, for progress lines and summaries; not part of any checkpoint.
pub struct Metrics {
    /// Records read by all sources since this process started.
    pub records: Arc<RecordCount>,
    /// How much of the input has been read, over all runs, in the unit of the sources.
    pub advanced: AtomicU64,
    /// How much there is to read, where that is known.
    pub total: AtomicU64,
    /// Splits that are not at their end.
    pub open_splits: AtomicU64,
    /// When a source had read its first record of this process, in nanoseconds of its clock.
    pub first_read_ns: AtomicU64,
    /// When an operator with all of its state restored had processed its first batch, likewise.
    pub first_processed_ns: AtomicU64,
    /// For how long the task with the most state has loaded it, in nanoseconds.
    pub loading_ns: AtomicU64,
    /// How far event time has come.
    pub times: Times,
    /// The sources that have nothing to read.
    pub nothing_to_read: NothingToRead,
}

/// Sources that had nothing to read when the attempt began, and will find nothing.
#[derive(Default)]
pub struct NothingToRead(Mutex<BTreeMap<String, String>>);

impl NothingToRead {
    pub(crate) fn add(&self, source: &str, input: String) {
        let mut sources = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sources.insert(source.to_string(), input);
    }

    /// Their names, each with where its input was to come from.
    pub fn sources(&self) -> BTreeMap<String, String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The sources whose records have event times.
#[derive(Default)]
pub struct Times(Mutex<Vec<TimedSource>>);

/// The splits of a source, by number, as people see them.
#[derive(Clone, Default)]
pub(crate) struct SplitNames(Arc<Mutex<Vec<String>>>);

impl SplitNames {
    /// Adds those that come next.
    pub(crate) fn extend(&self, names: impl IntoIterator<Item = String>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(names);
    }

    /// One of them.
    pub(crate) fn get(&self, number: usize) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(number).cloned()
    }
}

/// A source whose records have event times, as it is known while it runs.
pub(crate) struct TimedSource {
    pub(crate) source: String,
    pub(crate) time: Arc<SourceTime>,
    pub(crate) splits: SplitNames,
}

/// How far event time has come in a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventTimeReached {
    /// The source.
    pub source: String,
    /// The latest time that is not doubted.
    pub latest: Timestamp,
    /// No record older than this is expected.
    pub watermark: Timestamp,
    /// The split that holds the watermark back, as it stood when this run began, and by how much it is behind
    /// the latest record; none if nothing more is expected.
    pub held_back_by: Option<(String, Duration)>,
}

impl Times {
    pub(crate) fn add(&self, source: TimedSource) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(source);
    }

    /// How far it has come in each source of which a record has been read.
    pub fn reached(&self) -> Vec<EventTimeReached> {
        let sources = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sources.iter().filter_map(TimedSource::reached).collect()
    }
}

impl TimedSource {
    fn reached(&self) -> Option<EventTimeReached> {
        let Reached { latest, slowest } = self.time.reached()?;
        let least = slowest.map_or(latest, |slowest| slowest.at.min(latest));
        let behind = u64::try_from(latest.0.saturating_sub(least.0)).unwrap_or(0);
        let held_back_by = slowest.map(|slowest| {
            let split = self.splits.get(slowest.split).unwrap_or_default();
            (split, Duration::from_millis(behind))
        });
        let watermark = least.minus(self.time.options.disorder);
        Some(EventTimeReached { source: self.source.clone(), latest, watermark, held_back_by })
    }
}

impl Metrics {
    /// Nothing has been counted.
    pub fn new(records: Arc<RecordCount>) -> Self {
        let zero = || AtomicU64::new(0);
        Metrics {
            records,
            advanced: zero(),
            total: zero(),
            open_splits: zero(),
            first_read_ns: zero(),
            first_processed_ns: zero(),
            loading_ns: zero(),
            times: Times::default(),
            nothing_to_read: NothingToRead::default(),
        }
    }
}

/// Asks a running job for something. Cheap to copy.
#[derive(Clone)]
pub struct JobHandle {
    coordinator: Mailbox<ToCoordinator>,
}

impl JobHandle {
    pub(crate) fn new(coordinator: Mailbox<ToCoordinator>) -> Self {
        JobHandle { coordinator }
    }

    /// Take a checkpoint now.
    pub fn checkpoint(&self) {
        self.coordinator.send(ToCoordinator::Request);
    }

    /// Take a last checkpoint and stop, within this time if there is one: then the attempt ends without it,
    /// and nothing that was committed is lost.
    pub fn stop(&self, within: Option<Duration>) {
        self.coordinator.send(ToCoordinator::Stop { within });
    }
}

/// What is known of an attempt to run a job.
pub struct JobStatus {
    /// Live counts.
    pub metrics: Arc<Metrics>,
    /// The checkpoint that the attempt began at.
    pub resumed_from: Option<CheckpointId>,
    /// Newer checkpoints that are damaged, with what is wrong.
    pub skipped: Vec<(CheckpointId, String)>,
    /// Sinks that were emptied although nobody asked for that in this run, with what they held: they
    /// had been left out when the job was reset.
    pub emptied: Vec<(String, String)>,
    /// Sinks that cannot keep what the job promises.
    pub at_least_once_sinks: Vec<String>,
    /// Sources that cannot be read again: of what they have read, a crash loses what is in no committed
    /// checkpoint.
    pub not_replayable_sources: BTreeSet<String>,
    /// Looks for what should have been woken.
    pub watchdog: Watchdog,
    checkpoints: Mutex<CheckpointProgress>,
    leftover: Arc<Mutex<Option<String>>>,
}

/// The checkpoints of an attempt.
#[derive(Clone, Debug, Default)]
pub struct CheckpointProgress {
    /// The newest one.
    pub latest: Option<Manifest>,
    /// How many this attempt has committed.
    pub committed: u64,
    /// When the newest was committed, by the process's clock.
    pub at: Option<Duration>,
    /// For how long the slowest task stood still, at each checkpoint of this attempt.
    pub pauses: Pauses,
    /// Rows that targets refused for good, and set aside, since the attempt began.
    pub rejected_rows: u64,
}

impl JobStatus {
    pub(crate) fn new(
        metrics: Arc<Metrics>,
        restored: Option<Manifest>,
        skipped: Vec<(CheckpointId, String)>,
        (at_least_once_sinks, not_replayable_sources): (Vec<String>, BTreeSet<String>),
        emptied: Vec<(String, String)>,
        rejected_rows: u64,
    ) -> Self {
        let resumed_from = restored.as_ref().map(|manifest| manifest.checkpoint);
        let checkpoints =
            CheckpointProgress { latest: restored, rejected_rows, ..CheckpointProgress::default() };
        let checkpoints = Mutex::new(checkpoints);
        let watchdog = Watchdog::default();
        JobStatus {
            metrics,
            resumed_from,
            skipped,
            emptied,
            at_least_once_sinks,
            not_replayable_sources,
            watchdog,
            checkpoints,
            leftover: Arc::default(),
        }
    }

    /// The checkpoints so far.
    pub fn checkpoints(&self) -> CheckpointProgress {
        self.checkpoints.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// When the newest checkpoint was committed, by the process's clock.
    pub fn committed_at(&self) -> Option<Duration> {
        self.checkpoints.lock().unwrap_or_else(PoisonError::into_inner).at
    }

    /// Why not everything could be deleted that was not needed any more when the job was done. The next
    /// start does it.
    pub fn leftover(&self) -> Option<String> {
        self.leftover.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn on_leftover(&self) -> OnLeftover {
        let leftover = Arc::clone(&self.leftover);
        Box::new(move |error| {
            let mut leftover = leftover.lock().unwrap_or_else(PoisonError::into_inner);
            *leftover = Some(error.message());
        })
    }

    pub(crate) fn note(&self, manifest: &Manifest, rejected_rows: u64, at: Duration) {
        let mut checkpoints = self.checkpoints.lock().unwrap_or_else(PoisonError::into_inner);
        checkpoints.committed += 1;
        checkpoints.at = Some(at);
        checkpoints.pauses.add(Duration::from_micros(manifest.durations.sync_us));
        checkpoints.latest = Some(manifest.clone());
        checkpoints.rejected_rows += rejected_rows;
    }
}
