//! One attempt to run a plan: take the job over, put tasks and services together, and keep what
//! people want to know about it.
//!
//! It starts no thread: an executor drives what is assembled here.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use steadfast_checkpoint::committer::{Committer, Targets};
use steadfast_checkpoint::coordinator::CoordinatorService;
use steadfast_checkpoint::mailbox::Mailbox;
use steadfast_checkpoint::opening::{Opened, Opening};
use steadfast_checkpoint::snapshot::{ToCommitter, ToCoordinator, Workers};
use steadfast_checkpoint::writer::SnapshotWriter;
use steadfast_core::fault::Faults;
use steadfast_core::id::CheckpointId;
use steadfast_core::key::KeySpace;
use steadfast_core::machine::Machine;
use steadfast_core::message::Barrier;
use steadfast_core::sink::{DeliveryGuarantee, TargetIdentity};
use steadfast_core::store::Store;
use steadfast_core::time::Clock;
use steadfast_core::{Error, Result};
use steadfast_protocol::coordinator::{Coordinator, CoordinatorInit, Settings};
use steadfast_protocol::manifest::{Consistency, Manifest};

use crate::context::{Attempt, ChannelEndpoints, Metrics};
use crate::executor::{TaskSet, Wakers};
use crate::plan::Plan;

/// How a job is run.
#[derive(Clone, Debug)]
pub struct JobOptions {
    /// The job's name: its identity in stores and targets.
    pub name: String,
    /// How many tasks each stage has.
    pub parallelism: u16,
    /// Into how many groups all keys are divided: fixed for the job's life, and the most that
    /// `parallelism` can be.
    pub key_groups: u16,
    /// How often an event may show up in the result.
    pub consistency: Consistency,
    /// The time between two checkpoints; none: only at the end and when asked.
    pub checkpoint_interval: Option<Duration>,
    /// The number of records between two checkpoints.
    pub checkpoint_records: Option<u64>,
    /// How many checkpoints are kept.
    pub retained_checkpoints: usize,
    /// About how many records a task handles in a step.
    pub batch_records: usize,
    /// Whether to forget everything and start from scratch.
    pub reset: bool,
    /// Who runs it: host, process, and something that no other process has.
    pub holder: String,
    /// A deliberate fault, in tests.
    pub faults: Faults,
}

impl JobOptions {
    /// The defaults for a job of this name, run by `holder`.
    pub fn new(name: impl Into<String>, holder: impl Into<String>) -> Self {
        JobOptions {
            name: name.into(),
            parallelism: 1,
            key_groups: 128,
            consistency: Consistency::ExactlyOnce,
            checkpoint_interval: Some(Duration::from_secs(1)),
            checkpoint_records: None,
            retained_checkpoints: 10,
            batch_records: 1024,
            reset: false,
            holder: holder.into(),
            faults: Faults::NONE,
        }
    }

    fn check(&self) -> Result<()> {
        let problem = if self.parallelism == 0 {
            "parallelism must be at least 1".to_string()
        } else if self.parallelism > self.key_groups {
            let (tasks, groups) = (self.parallelism, self.key_groups);
            format!("parallelism {tasks} is more than the job's {groups} key groups")
        } else if self.name.is_empty() {
            "a job needs a name".to_string()
        } else {
            return Ok(());
        };
        Err(Error::configuration(problem))
    }
}

/// A job that has been taken over and put together.
pub struct Assembled {
    /// What an executor drives; none if the job was finished and nothing has come since.
    pub task_set: Option<TaskSet>,
    /// To ask for checkpoints and for the end.
    pub handle: JobHandle,
    /// What is known while it runs and afterwards.
    pub status: Arc<JobStatus>,
}

/// Asks a running job for something. Cheap to copy.
#[derive(Clone)]
pub struct JobHandle {
    coordinator: Mailbox<ToCoordinator>,
}

impl JobHandle {
    /// Take a checkpoint now.
    pub fn checkpoint(&self) {
        self.coordinator.send(ToCoordinator::Request);
    }

    /// Take a last checkpoint and stop.
    pub fn stop(&self) {
        self.coordinator.send(ToCoordinator::Stop);
    }
}

/// What is known of an attempt.
pub struct JobStatus {
    /// Live counts.
    pub metrics: Arc<Metrics>,
    /// The checkpoint that the attempt began at.
    pub resumed_from: Option<CheckpointId>,
    /// Newer checkpoints that are damaged, with what is wrong.
    pub skipped: Vec<(CheckpointId, String)>,
    /// Sinks that cannot keep what the job promises.
    pub at_least_once_sinks: Vec<String>,
    checkpoints: Mutex<CheckpointProgress>,
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
    /// For how long the slowest task stood still, for each checkpoint of this attempt.
    pub sync: Vec<Duration>,
}

impl JobStatus {
    /// The checkpoints so far.
    pub fn checkpoints(&self) -> CheckpointProgress {
        self.checkpoints.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, manifest: &Manifest, at: Duration) {
        let mut checkpoints = self.checkpoints.lock().unwrap_or_else(PoisonError::into_inner);
        checkpoints.committed += 1;
        checkpoints.at = Some(at);
        checkpoints.sync.push(Duration::from_micros(manifest.durations.sync_us));
        checkpoints.latest = Some(manifest.clone());
    }
}

struct SourceTasks(Vec<Mailbox<Barrier>>);

impl Workers for SourceTasks {
    fn inject(&self, barrier: Barrier) {
        self.0.iter().for_each(|mailbox| mailbox.send(barrier));
    }
}

/// Takes the job over and puts it together. `wakers` wakes the threads that will drive it.
///
/// # Errors
/// `Configuration` if the plan or the options cannot work or do not fit the restored checkpoint; whatever
/// taking over finds (see [`Opening::open`]).
pub fn assemble(
    plan: &Plan,
    options: &JobOptions,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    wakers: Option<Wakers>,
) -> Result<Assembled> {
    plan.check()?;
    options.check()?;
    let mut targets = Targets::new();
    let mut at_least_once_sinks = Vec::new();
    for (sink, make) in plan.targets() {
        let identity = TargetIdentity { job: options.name.clone(), sink: sink.clone() };
        let target = make(&identity).map_err(|e| e.at(format!("sink '{sink}'")))?;
        if target.guarantee() == DeliveryGuarantee::AtLeastOnce {
            at_least_once_sinks.push(sink.clone());
        }
        targets.insert(sink.clone(), target);
    }
    let opening = Opening {
        job: options.name.clone(),
        holder: options.holder.clone(),
        at: clock.wall(),
        reset: options.reset,
        consistency: options.consistency,
        retain: options.retained_checkpoints,
    };
    let Opened { generation, restored, skipped, retained, contents } =
        opening.open(&store, &mut targets)?;

    let (worker_wakers, writer_wakers, services) = match wakers {
        Some(Wakers { workers, writers, committer, coordinator }) => {
            (workers, writers, [Some(committer), Some(coordinator)])
        }
        None => (Vec::new(), Vec::new(), [None, None]),
    };
    let [committer_waker, coordinator_waker] = services;
    let to_writer = |index: u16| Mailbox::new(writer_wakers.get(usize::from(index)).cloned());
    let to_writers: Vec<_> = (0..options.parallelism).map(to_writer).collect();
    let to_committer = Mailbox::<ToCommitter>::new(committer_waker);
    let to_coordinator = Mailbox::new(coordinator_waker);
    let metrics = Arc::new(Metrics::default());
    let context = Arc::new(Attempt {
        space: KeySpace { groups: options.key_groups, tasks: options.parallelism },
        consistency: options.consistency,
        clock: Arc::clone(&clock),
        store: Arc::clone(&store),
        restored: restored.clone(),
        contents: Mutex::new(contents),
        writers: to_writers.clone(),
        coordinator: to_coordinator.clone(),
        metrics: Arc::clone(&metrics),
        batch_records: options.batch_records,
        wakers: worker_wakers,
        faults: options.faults,
        planned: Mutex::default(),
        ends: Mutex::new(ChannelEndpoints::default()),
        barriers: Mutex::default(),
        tables: Mutex::default(),
    });
    plan.wire(&context);
    let made = plan.tasks(&context)?;
    // Each task has taken its share.
    context.contents.lock().unwrap_or_else(PoisonError::into_inner).clear();
    let sinks: BTreeSet<String> = targets.keys().cloned().collect();
    if let Some(manifest) = &restored {
        check_fit(manifest, &context, &sinks)?;
    }
    let status = Arc::new(JobStatus {
        metrics: Arc::clone(&metrics),
        resumed_from: restored.as_ref().map(|manifest| manifest.checkpoint),
        skipped,
        at_least_once_sinks,
        checkpoints: Mutex::new(CheckpointProgress {
            latest: restored.clone(),
            ..CheckpointProgress::default()
        }),
    });
    let handle = JobHandle { coordinator: to_coordinator.clone() };
    let was_finished = restored.as_ref().is_some_and(Manifest::is_finished);
    if was_finished && metrics.open_splits.load(Ordering::Relaxed) == 0 {
        return Ok(Assembled { task_set: None, handle, status });
    }

    let settings = Settings {
        job: options.name.clone(),
        consistency: options.consistency,
        interval: options.checkpoint_interval,
        records: options.checkpoint_records,
        retain: options.retained_checkpoints,
        key_groups: options.key_groups,
        parallelism: options.parallelism,
    };
    let init = CoordinatorInit {
        generation,
        restored,
        retained,
        tasks: made.iter().map(|task| task.id.clone()).collect(),
        source_tasks: made.iter().filter(|task| task.is_source).count(),
        sinks,
    };
    let source_tasks =
        SourceTasks(context.barriers.lock().unwrap_or_else(PoisonError::into_inner).clone());
    let noting = (Arc::clone(&status), Arc::clone(&clock));
    let coordinator = CoordinatorService::new(
        Coordinator::new(settings, init),
        Box::new(source_tasks),
        to_coordinator.clone(),
        to_committer.clone(),
        Box::new(move || metrics.records.load(Ordering::Relaxed)),
        Box::new(move |manifest| noting.0.note(manifest, noting.1.monotonic())),
    );
    let writer = |(index, inbox): (u16, Mailbox<_>)| -> Box<dyn Machine> {
        Box::new(SnapshotWriter::new(
            (index, options.parallelism),
            Arc::clone(&store),
            generation,
            options.consistency,
            inbox,
            to_coordinator.clone(),
            to_committer.clone(),
        ))
    };
    let writers = (0..options.parallelism).zip(to_writers).map(writer).collect();
    let committer = Committer::new(store, targets, to_committer, to_coordinator, options.faults);
    let mut workers: Vec<Vec<_>> = (0..options.parallelism).map(|_| Vec::new()).collect();
    for task in made {
        workers[task.worker].push(task.machine);
    }
    let task_set = TaskSet {
        workers,
        writers,
        committer: Box::new(committer),
        coordinator: Box::new(coordinator),
    };
    Ok(Assembled { task_set: Some(task_set), handle, status })
}

/// Refuses to begin at a checkpoint that has something for which the job has no place: dropping it in
/// silence would be a wrong result.
fn check_fit(manifest: &Manifest, context: &Attempt, sinks: &BTreeSet<String>) -> Result<()> {
    let tables = context.tables.lock().unwrap_or_else(PoisonError::into_inner);
    let planned = context.planned.lock().unwrap_or_else(PoisonError::into_inner);
    let state = manifest.state.keys().filter(|name| !tables.contains(*name));
    let sources = manifest.sources.keys().filter(|name| !planned.contains_key(*name));
    let outputs = manifest
        .outputs
        .iter()
        .filter(|(sink, out)| !out.chunks.is_empty() && !sinks.contains(*sink));
    let missing: Vec<String> = state
        .map(|name| format!("state '{name}'"))
        .chain(sources.map(|name| format!("source '{name}'")))
        .chain(outputs.map(|(name, _)| format!("sink '{name}'")))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let what = format!(
        "checkpoint {} holds what this job has no place for: {}",
        manifest.checkpoint,
        missing.join(", ")
    );
    Err(Error::configuration(what)
        .hint("give renamed operators their old names, or start from scratch with --reset"))
}
