//! What a task is given when it is made: its place, its channels, and the job that it is part of.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_utils::sync::Unparker;
use steadfast_checkpoint::mailbox::Mailbox;
use steadfast_checkpoint::opening::Contents;
use steadfast_checkpoint::snapshot::{ToCoordinator, ToWriter};
use steadfast_core::fault::Faults;
use steadfast_core::id::TaskId;
use steadfast_core::key::KeySpace;
use steadfast_core::message::Barrier;
use steadfast_core::source::{Source, SplitStatus};
use steadfast_core::store::Store;
use steadfast_core::time::Clock;
use steadfast_core::{Error, Result};
use steadfast_protocol::manifest::{Consistency, Manifest};

use crate::exchange::channel::{Receiver, Sender};

/// What all tasks of one attempt share.
pub struct Attempt {
    /// How keys are divided among tasks.
    pub space: KeySpace,
    /// How often an event may show up in the result.
    pub consistency: Consistency,
    /// The clock, for measuring only.
    pub clock: Arc<dyn Clock>,
    /// Where state files lie.
    pub store: Arc<dyn Store>,
    /// The checkpoint to begin at.
    pub restored: Option<Manifest>,
    /// State files of it that have been read already, until tasks take them.
    pub contents: Mutex<Contents>,
    /// Where the snapshots of each worker's tasks go.
    pub writers: Vec<Mailbox<ToWriter>>,
    /// Where ends of sources are told.
    pub coordinator: Mailbox<ToCoordinator>,
    /// What is counted while the job runs.
    pub metrics: Arc<Metrics>,
    /// About how many records a step handles.
    pub batch_records: usize,
    /// Wakes the worker of each parallel index.
    pub wakers: Vec<Unparker>,
    /// A deliberate fault.
    pub faults: Faults,
    /// The splits of every source, planned once for all of its tasks.
    pub planned: Mutex<BTreeMap<String, Box<dyn Any + Send>>>,
    /// The ends of the channels, until tasks take them.
    pub ends: Mutex<ChannelEndpoints>,
    /// The names of all tables of state that the job has.
    pub tables: Mutex<BTreeSet<String>>,
    /// Where barriers are put for each task that reads a source.
    pub barriers: Mutex<Vec<Mailbox<Barrier>>>,
}

/// Live counts, for progress lines and summaries; not part of any checkpoint.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Records read by all sources since this process started.
    pub records: AtomicU64,
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
}

/// The ends of all channels, by edge and parallel index.
#[derive(Default)]
pub struct ChannelEndpoints {
    senders: BTreeMap<(usize, u16), Box<dyn Any + Send>>,
    receivers: BTreeMap<(usize, u16), Box<dyn Any + Send>>,
}

impl ChannelEndpoints {
    /// Keeps the senders of task `index` on `edge`.
    pub fn keep_senders<T: Send + 'static>(
        &mut self,
        edge: usize,
        index: u16,
        ends: Vec<Sender<T>>,
    ) {
        self.senders.insert((edge, index), Box::new(ends));
    }

    /// Keeps the receivers of task `index` on `edge`.
    pub fn keep_receivers<T: Send + 'static>(
        &mut self,
        edge: usize,
        index: u16,
        ends: Vec<Receiver<T>>,
    ) {
        self.receivers.insert((edge, index), Box::new(ends));
    }
}

/// One task's place in the job.
pub struct TaskContext {
    /// The job.
    pub job: Arc<Attempt>,
    /// The task.
    pub id: TaskId,
    /// Its parallel index.
    pub index: u16,
}

impl TaskContext {
    /// Where this task's snapshots go.
    pub fn writer(&self) -> &Mailbox<ToWriter> {
        &self.job.writers[usize::from(self.index)]
    }

    /// Takes the senders of this task on `edge`.
    ///
    /// # Errors
    /// `Internal` if they have been taken or carry another type.
    pub fn senders<T: Send + 'static>(&self, edge: usize) -> Result<Vec<Sender<T>>> {
        let mut ends = self.job.ends.lock().unwrap_or_else(PoisonError::into_inner);
        taken(ends.senders.remove(&(edge, self.index)))
    }

    /// Takes the receivers of this task on `edge`.
    ///
    /// # Errors
    /// As [`TaskContext::senders`].
    pub fn receivers<T: Send + 'static>(&self, edge: usize) -> Result<Vec<Receiver<T>>> {
        let mut ends = self.job.ends.lock().unwrap_or_else(PoisonError::into_inner);
        taken(ends.receivers.remove(&(edge, self.index)))
    }

    /// This task's share of the splits of a source.
    ///
    /// # Errors
    /// Those of [`Source::splits`]; `Configuration` if a stored split does not fit its type.
    pub fn splits<S: Source>(&self, name: &str, source: &S) -> Result<Vec<SplitStatus<S::Split>>> {
        let mut planned = self.job.planned.lock().unwrap_or_else(PoisonError::into_inner);
        if !planned.contains_key(name) {
            let all = self.plan_splits(name, source)?;
            planned.insert(name.to_string(), Box::new(all));
        }
        let all =
            planned.get(name).and_then(|all| all.downcast_ref::<Vec<SplitStatus<S::Split>>>());
        let all = all.ok_or_else(|| Error::internal("two sources have the same name").at(name))?;
        // Those that are still to be read are shared out by themselves, or a restart could give one
        // task all of them.
        let share = |finished: bool| {
            let these = all.iter().filter(move |split| split.finished == finished);
            let tasks = usize::from(self.job.space.tasks);
            these.skip(usize::from(self.index)).step_by(tasks).cloned()
        };
        Ok(share(false).chain(share(true)).collect())
    }

    fn plan_splits<S: Source>(&self, name: &str, source: &S) -> Result<Vec<SplitStatus<S::Split>>> {
        let stored = self.job.restored.as_ref().and_then(|manifest| manifest.sources.get(name));
        let resumed = stored.map_or(&[][..], Vec::as_slice).iter().map(|value| {
            serde_json::from_value::<SplitStatus<S::Split>>(value.clone())
                .map(|status| status.split)
                .map_err(|e| {
                    Error::configuration("a stored position does not fit this source")
                        .caused_by(e)
                        .hint("the source's type has changed: give it another name, or start from scratch")
                })
        });
        let resumed = resumed.collect::<Result<Vec<_>>>()?;
        let all = source.splits(resumed, usize::from(self.job.space.tasks))?;
        let metrics = &self.job.metrics;
        let open = all.iter().filter(|status| !status.finished).count() as u64;
        metrics.open_splits.fetch_add(open, Ordering::Relaxed);
        metrics.advanced.fetch_add(all.iter().map(|status| status.done).sum(), Ordering::Relaxed);
        metrics.total.fetch_add(source.total().unwrap_or(0), Ordering::Relaxed);
        Ok(all)
    }

    /// Puts up a mailbox for barriers.
    pub fn barriers(&self) -> Mailbox<Barrier> {
        let mailbox = Mailbox::new(self.job.wakers.get(usize::from(self.index)).cloned());
        let mut all = self.job.barriers.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(mailbox.clone());
        mailbox
    }
}

impl Attempt {
    /// Notes that `count` records have been read.
    pub fn count_records(&self, count: u64) {
        if count > 0 && self.metrics.records.fetch_add(count, Ordering::Relaxed) == 0 {
            self.note_first(&self.metrics.first_read_ns);
        }
    }

    /// Notes that an operator has processed a batch.
    pub fn count_batch(&self) {
        if self.metrics.first_processed_ns.load(Ordering::Relaxed) == 0 {
            self.note_first(&self.metrics.first_processed_ns);
        }
    }

    fn note_first(&self, first: &AtomicU64) {
        first.store(self.clock.monotonic().as_nanos() as u64, Ordering::Relaxed);
    }
}

fn taken<E: 'static>(ends: Option<Box<dyn Any + Send>>) -> Result<E> {
    let ends = ends.and_then(|ends| ends.downcast::<E>().ok());
    ends.map(|ends| *ends).ok_or_else(|| Error::internal("an edge is not wired as it was planned"))
}
