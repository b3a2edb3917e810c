//! What a stage and its tasks are given when they are made: no more than each of them needs.
//!
//! It knows nothing of plans or of how an attempt to run a job is put together.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;

use steadfast_checkpoint::activity::Activity;
use steadfast_checkpoint::backlog::Backlog;
use steadfast_checkpoint::limits::Limits;
use steadfast_checkpoint::mailbox::Mailbox;
use steadfast_checkpoint::recovery::Contents;
use steadfast_checkpoint::snapshot::{ToCoordinator, ToSource, ToWriter};
use steadfast_core::budget::Budget;
use steadfast_core::id::TaskId;
use steadfast_core::key::KeySpace;
use steadfast_core::machine::Machine;
use steadfast_core::source::Seek;
use steadfast_core::store::Store;
use steadfast_core::time::Clock;
use steadfast_protocol::manifest::{Manifest, Splits, Watermarks};

use crate::bad_limit::BadLimit;
use crate::executor::{Alarm, Scheduled};
use crate::status::Metrics;
use crate::user_code::{OperatorId, OperatorLabel};

/// What tasks use while they run.
pub(crate) struct TaskServices {
    /// The clock, for measuring only.
    pub clock: Arc<dyn Clock>,
    /// What is counted while the job runs.
    pub metrics: Arc<Metrics>,
    /// Where it is noted that something has happened which a checkpoint would keep.
    pub activity: Arc<Activity>,
    /// Where ends of sources are told.
    pub coordinator: Mailbox<ToCoordinator>,
    /// Sizes.
    pub limits: Limits,
    /// Large records between two tasks, of all sources.
    pub in_flight: Arc<Budget>,
    /// Staged output that is on its way to the store, of all tasks.
    pub staged: Arc<Budget>,
    /// Output that targets do not hold yet, of all epochs.
    pub backlog: Arc<Backlog>,
    /// How much of the input may be bad.
    pub bad: Arc<BadLimit>,
    /// Where the snapshots of each worker's tasks go.
    pub writers: Vec<Mailbox<ToWriter>>,
    /// About how many records a step handles.
    pub batch_records: usize,
    /// Whether barriers are aligned.
    pub aligned: bool,
}

impl TaskServices {
    /// Notes that `count` records have been read.
    pub(crate) fn count_records(&self, count: u64) {
        if count > 0 && self.metrics.records.add(count) == 0 {
            self.metrics.first_read_ns.store(self.now_ns(), Ordering::Relaxed);
        }
    }

    /// Notes that an operator has processed a batch.
    pub(crate) fn count_batch(&self) {
        if self.metrics.first_processed_ns.load(Ordering::Relaxed) == 0 {
            self.metrics.first_processed_ns.store(self.now_ns(), Ordering::Relaxed);
        }
    }

    fn now_ns(&self) -> u64 {
        self.clock.monotonic().as_nanos() as u64
    }
}

/// The checkpoint that tasks are restored from.
pub struct RestoreSource {
    /// The checkpoint; none: everything begins empty.
    pub manifest: Option<Manifest>,
    /// State files of it that have been read already.
    pub contents: Contents,
    /// Where the others lie.
    pub store: Arc<dyn Store>,
    /// From where sources are read whatever the checkpoint says.
    pub seeks: Seeks,
}

/// What a person has chosen for a source, by its name, in the order in which it is done.
pub type Seeks = Arc<[(String, Seek)]>;

impl RestoreSource {
    /// How far event time had come for the tasks of the operator or source of this name.
    pub(crate) fn watermarks(&self, name: &str) -> Option<&Watermarks> {
        self.manifest.as_ref()?.watermarks.get(name)
    }
}

/// What a stage is given to make its tasks.
pub struct StageContext<'a> {
    /// The stage's name.
    pub name: &'a str,
    /// How keys are divided among its tasks.
    pub space: KeySpace,
    /// What its tasks are restored from.
    pub restore: &'a RestoreSource,
    /// What its tasks use while they run.
    pub(crate) services: &'a Arc<TaskServices>,
}

/// One task's place in the job.
#[derive(Clone)]
pub struct TaskContext {
    /// The task.
    pub id: TaskId,
    /// Its parallel index.
    pub index: u16,
    /// How keys are divided among it and its siblings.
    pub space: KeySpace,
    /// What it uses while it runs.
    pub(crate) services: Arc<TaskServices>,
    alarm: Arc<Alarm>,
    waker: Waker,
}

impl StageContext<'_> {
    /// The places of its tasks, by parallel index.
    pub(crate) fn tasks(&self) -> impl Iterator<Item = TaskContext> {
        (0..self.space.tasks).map(|index| {
            let alarm = Arc::<Alarm>::default();
            TaskContext {
                id: TaskId { stage: self.name.to_string(), index: u32::from(index) },
                index,
                space: self.space,
                services: Arc::clone(self.services),
                waker: alarm.waker(),
                alarm,
            }
        })
    }
}

impl TaskContext {
    /// Wakes the task.
    pub fn waker(&self) -> &Waker {
        &self.waker
    }

    /// An operator in this task, as errors name it.
    pub fn label(&self, operator: &OperatorId) -> OperatorLabel {
        operator.in_task(self.index, self.space.tasks)
    }

    /// Where this task's snapshots go.
    pub(crate) fn writer(&self) -> &Mailbox<ToWriter> {
        &self.services.writers[usize::from(self.index)]
    }
}

/// A task that has been made.
pub struct MadeTask {
    /// The task.
    pub id: TaskId,
    /// The worker that steps it.
    pub worker: usize,
    /// What is stepped.
    pub scheduled: Scheduled,
    /// If it reads a source: where it takes barriers from.
    pub barriers: Option<Mailbox<ToSource>>,
    /// The splits of its source, by the source's name, as the attempt begins; told by one of its tasks.
    pub splits: Option<(String, Splits)>,
}

impl MadeTask {
    /// A task in the middle of the graph.
    pub(crate) fn new(context: &TaskContext, machine: Box<dyn Machine>) -> Self {
        let worker = usize::from(context.index);
        let scheduled = Scheduled::new(machine, Arc::clone(&context.alarm));
        MadeTask { id: context.id.clone(), worker, scheduled, barriers: None, splits: None }
    }
}
