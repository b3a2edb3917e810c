//! One attempt to run a plan: take the job over, put tasks and services together, and keep what
//! people want to know about it.
//!
//! It starts no thread: an executor drives what is assembled here.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use steadfast_checkpoint::committer::{Committer, Targets};
use steadfast_checkpoint::coordination::Coordination;
use steadfast_checkpoint::mailbox::Mailbox;
use steadfast_checkpoint::opening::{Opened, Opening};
use steadfast_checkpoint::snapshot::{ToCommitter, ToCoordination, Workers};
use steadfast_checkpoint::writer::SnapshotWriter;
use steadfast_core::fault::Faults;
use steadfast_core::id::CheckpointId;
use steadfast_core::key::KeySpace;
use steadfast_core::machine::Machine;
use steadfast_core::message::Barrier;
use steadfast_core::sink::{TargetIdentity, TargetPromise};
use steadfast_core::store::Store;
use steadfast_core::time::Clock;
use steadfast_core::{Error, Result};
use steadfast_protocol::coordinator::{Beginning, Coordinator, Settings};
use steadfast_protocol::manifest::{Consistency, Manifest};

use crate::context::{JobContext, Meter, WiringEnds};
use crate::executor::{Bells, Crew};
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
    /// Whether to forget everything and begin anew.
    pub anew: bool,
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
            anew: false,
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
    pub crew: Option<Crew>,
    /// To ask for checkpoints and for the end.
    pub control: Control,
    /// What is known while it runs and afterwards.
    pub watch: Arc<Watch>,
}

/// Asks a running job for something. Cheap to copy.
#[derive(Clone)]
pub struct Control {
    coordination: Mailbox<ToCoordination>,
}

impl Control {
    /// Take a checkpoint now.
    pub fn checkpoint(&self) {
        self.coordination.send(ToCoordination::Request);
    }

    /// Take a last checkpoint and stop.
    pub fn stop(&self) {
        self.coordination.send(ToCoordination::Stop);
    }
}

/// What is known of an attempt.
pub struct Watch {
    /// Live counts.
    pub meter: Arc<Meter>,
    /// The cut that the attempt began at.
    pub resumed_from: Option<CheckpointId>,
    /// Newer cuts that are damaged, with what is wrong.
    pub skipped: Vec<(CheckpointId, String)>,
    /// Sinks that cannot keep what the job promises.
    pub at_least_once_sinks: Vec<String>,
    cuts: Mutex<Cuts>,
}

/// The cuts of an attempt.
#[derive(Clone, Debug, Default)]
pub struct Cuts {
    /// The newest one.
    pub latest: Option<Manifest>,
    /// How many this attempt has committed.
    pub committed: u64,
    /// When the newest was committed, by the process's clock.
    pub at: Option<Duration>,
    /// For how long the slowest task stood still, for each cut of this attempt.
    pub sync: Vec<Duration>,
}

impl Watch {
    /// The cuts so far.
    pub fn cuts(&self) -> Cuts {
        self.cuts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, manifest: &Manifest, at: Duration) {
        let mut cuts = self.cuts.lock().unwrap_or_else(PoisonError::into_inner);
        cuts.committed += 1;
        cuts.at = Some(at);
        cuts.sync.push(Duration::from_micros(manifest.durations.sync_us));
        cuts.latest = Some(manifest.clone());
    }
}

struct SourceTasks(Vec<Mailbox<Barrier>>);

impl Workers for SourceTasks {
    fn inject(&self, barrier: Barrier) {
        self.0.iter().for_each(|mailbox| mailbox.send(barrier));
    }
}

/// Takes the job over and puts it together. `bells` wakes the threads that will drive it.
///
/// # Errors
/// `Configuration` if the plan or the options cannot work or do not fit the restored cut; whatever
/// taking over finds (see [`Opening::open`]).
pub fn assemble(
    plan: &Plan,
    options: &JobOptions,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    bells: Option<Bells>,
) -> Result<Assembled> {
    plan.check()?;
    options.check()?;
    let mut targets = Targets::new();
    let mut at_least_once_sinks = Vec::new();
    for (sink, make) in plan.targets() {
        let identity = TargetIdentity { job: options.name.clone(), sink: sink.clone() };
        let target = make(&identity).map_err(|e| e.at(format!("sink '{sink}'")))?;
        if target.promise() == TargetPromise::AtLeastOnce {
            at_least_once_sinks.push(sink.clone());
        }
        targets.insert(sink.clone(), target);
    }
    let opening = Opening {
        job: options.name.clone(),
        holder: options.holder.clone(),
        at: clock.wall(),
        anew: options.anew,
        consistency: options.consistency,
        retain: options.retained_checkpoints,
    };
    let Opened { epoch, restored, skipped, retained, contents } =
        opening.open(&store, &mut targets)?;

    let (worker_bells, writer_bells, services) = match bells {
        Some(Bells { workers, writers, committer, coordination }) => {
            (workers, writers, [Some(committer), Some(coordination)])
        }
        None => (Vec::new(), Vec::new(), [None, None]),
    };
    let [committer_bell, coordination_bell] = services;
    let to_writer = |index: u16| Mailbox::new(writer_bells.get(usize::from(index)).cloned());
    let to_writers: Vec<_> = (0..options.parallelism).map(to_writer).collect();
    let to_committer = Mailbox::<ToCommitter>::new(committer_bell);
    let to_coordination = Mailbox::new(coordination_bell);
    let meter = Arc::new(Meter::default());
    let context = Arc::new(JobContext {
        space: KeySpace { groups: options.key_groups, tasks: options.parallelism },
        consistency: options.consistency,
        clock: Arc::clone(&clock),
        store: Arc::clone(&store),
        restored: restored.clone(),
        contents: Mutex::new(contents),
        writers: to_writers.clone(),
        coordination: to_coordination.clone(),
        meter: Arc::clone(&meter),
        batch_records: options.batch_records,
        bells: worker_bells,
        faults: options.faults,
        planned: Mutex::default(),
        ends: Mutex::new(WiringEnds::default()),
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
    let watch = Arc::new(Watch {
        meter: Arc::clone(&meter),
        resumed_from: restored.as_ref().map(|manifest| manifest.checkpoint),
        skipped,
        at_least_once_sinks,
        cuts: Mutex::new(Cuts { latest: restored.clone(), ..Cuts::default() }),
    });
    let control = Control { coordination: to_coordination.clone() };
    let was_finished = restored.as_ref().is_some_and(Manifest::is_finished);
    if was_finished && meter.open_splits.load(Ordering::Relaxed) == 0 {
        return Ok(Assembled { crew: None, control, watch });
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
    let beginning = Beginning {
        epoch,
        restored,
        retained,
        tasks: made.iter().map(|task| task.id.clone()).collect(),
        source_tasks: made.iter().filter(|task| task.is_source).count(),
        sinks,
    };
    let source_tasks =
        SourceTasks(context.barriers.lock().unwrap_or_else(PoisonError::into_inner).clone());
    let noting = (Arc::clone(&watch), Arc::clone(&clock));
    let coordination = Coordination::new(
        Coordinator::new(settings, beginning),
        Box::new(source_tasks),
        to_coordination.clone(),
        to_committer.clone(),
        Box::new(move || meter.records.load(Ordering::Relaxed)),
        Box::new(move |manifest| noting.0.note(manifest, noting.1.monotonic())),
    );
    let writer = |(index, inbox): (u16, Mailbox<_>)| -> Box<dyn Machine> {
        Box::new(SnapshotWriter::new(
            (index, options.parallelism),
            Arc::clone(&store),
            epoch,
            options.consistency,
            inbox,
            to_coordination.clone(),
            to_committer.clone(),
        ))
    };
    let writers = (0..options.parallelism).zip(to_writers).map(writer).collect();
    let committer = Committer::new(store, targets, to_committer, to_coordination, options.faults);
    let mut workers: Vec<Vec<_>> = (0..options.parallelism).map(|_| Vec::new()).collect();
    for task in made {
        workers[task.worker].push(task.machine);
    }
    let crew = Crew {
        workers,
        writers,
        committer: Box::new(committer),
        coordination: Box::new(coordination),
    };
    Ok(Assembled { crew: Some(crew), control, watch })
}

/// Refuses to begin at a cut that has something for which the job has no place: dropping it in
/// silence would be a wrong result.
fn check_fit(manifest: &Manifest, context: &JobContext, sinks: &BTreeSet<String>) -> Result<()> {
    let tables = context.tables.lock().unwrap_or_else(PoisonError::into_inner);
    let planned = context.planned.lock().unwrap_or_else(PoisonError::into_inner);
    let state = manifest.state.keys().filter(|name| !tables.contains(*name));
    let sources = manifest.sources.keys().filter(|name| !planned.contains_key(*name));
    let outputs = manifest
        .outputs
        .iter()
        .filter(|(sink, out)| !out.parts.is_empty() && !sinks.contains(*sink));
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
        .hint("give renamed operators their old names, or begin anew with --restart"))
}
