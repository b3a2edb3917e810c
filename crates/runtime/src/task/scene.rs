//! The tasks of one stage, made as an attempt makes them and stepped by hand, for tests: what they say to the
//! next stage is read from their channels.
//!
//! It knows nothing of what the stage does.

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use steadfast_checkpoint::backlog::Backlog;
use steadfast_checkpoint::limits::Limits;
use steadfast_checkpoint::mailbox::Mailbox;
use steadfast_checkpoint::record_count::RecordCount;
use steadfast_checkpoint::recovery::Contents;
use steadfast_checkpoint::store::MemoryStore;
use steadfast_core::budget::Budget;
use steadfast_core::key::KeySpace;
use steadfast_core::machine::{Now, Progress};
use steadfast_core::message::Message;
use steadfast_core::time::{Clock, Timestamp};
use steadfast_protocol::manifest::Manifest;

use crate::bad_limit::{BadLimit, MaxBad};
use crate::context::{RestoreSource, Seeks, StageContext, TaskContext, TaskServices};
use crate::exchange::channel::Receiver;
use crate::exchange::edge::Edge;
use crate::exchange::output::{Distribution, ExchangeOutput, Output};
use crate::exchange::output_collector::OutputCollector;
use crate::executor::Scheduled;
use crate::operator_chain::OperatorChain;
use crate::status::Metrics;

/// What the tasks of a stage are made with.
pub(super) struct Scene {
    restore: RestoreSource,
    services: Arc<TaskServices>,
}

/// A task and what it says to the next stage.
pub(super) struct Stepped<T> {
    task: Scheduled,
    output: Receiver<T>,
}

/// A message to the next stage.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said<T> {
    Records(Vec<T>),
    Watermark(i64),
    Idle,
    Barrier,
}

/// Time stands still.
struct Still;

impl Clock for Still {
    fn monotonic(&self) -> Duration {
        NOW.monotonic
    }

    fn wall(&self) -> Timestamp {
        NOW.wall
    }
}

const NOW: Now = Now { monotonic: Duration::ZERO, wall: Timestamp(0) };

impl Scene {
    /// Each step handles about so many records.
    pub(super) fn new(limits: Limits, batch_records: usize) -> Self {
        let restore = RestoreSource {
            seeks: Seeks::default(),
            manifest: None,
            contents: Contents::new(),
            store: Arc::new(MemoryStore::new()),
        };
        let services = TaskServices {
            bad: Arc::new(BadLimit::new(MaxBad::Any, None)),
            clock: Arc::new(Still),
            metrics: Arc::new(Metrics::new(Arc::new(RecordCount::new(Waker::noop().clone())))),
            activity: Arc::default(),
            coordinator: Mailbox::new(Waker::noop().clone()),
            in_flight: Arc::new(Budget::new(limits.in_flight_bytes)),
            staged: Arc::new(Budget::new(limits.staged_bytes)),
            backlog: Arc::new(Backlog::new(limits.unapplied_bytes)),
            // Nobody takes what is sent there.
            writers: (0..8).map(|_| Mailbox::new(Waker::noop().clone())).collect(),
            limits,
            batch_records,
            aligned: true,
        };
        Scene { restore, services: Arc::new(services) }
    }

    /// The same after a restart.
    pub(super) fn goes_on_from(mut self, checkpoint: Manifest) -> Self {
        self.restore.manifest = Some(checkpoint);
        self
    }

    /// Whether anything has happened since the last call that a checkpoint would keep.
    pub(super) fn has_happened(&self) -> bool {
        self.services.activity.take()
    }

    /// The tasks of a stage.
    pub(super) fn tasks<P: OperatorChain>(&self, chain: &P, tasks: u16) -> Vec<Stepped<P::Out>> {
        let space = KeySpace { groups: 8, tasks };
        let Scene { restore, services } = self;
        let stage = StageContext { name: "stage", space, restore, services };
        let edge = Edge::new(0, false);
        edge.open(tasks, 100);
        let next = |task: &TaskContext| {
            let senders = edge.senders(task.index, task.waker())?;
            let output = ExchangeOutput::new(Distribution::Rebalance, senders);
            let output: Box<dyn Output<P::Out>> = Box::new(output);
            Ok(OutputCollector::new(vec![output], None))
        };
        let made = chain.tasks(&stage, next).unwrap();
        let stepped = made.into_iter().zip(0..).map(|(made, index)| {
            let output = edge.receivers(index, Waker::noop()).unwrap().remove(0);
            Stepped { task: made.scheduled, output }
        });
        stepped.collect()
    }
}

impl<T> Stepped<T> {
    pub(super) fn step(&mut self) -> Progress {
        self.task.step(NOW).unwrap()
    }

    /// Steps it until it waits for something.
    pub(super) fn settle(&mut self) {
        while self.step() == Progress::Worked {}
    }

    /// Whether it is to be stepped again.
    pub(super) fn is_due(&self) -> bool {
        self.task.is_due(NOW)
    }

    /// Takes what it has said since the last call.
    pub(super) fn said(&self) -> Vec<Said<T>> {
        let messages = std::iter::from_fn(|| self.output.take());
        let said = messages.map(|message| match message {
            Message::Batch(batch) => Said::Records(batch.items),
            Message::Watermark(at) => Said::Watermark(at.0),
            Message::Idle => Said::Idle,
            Message::Barrier(_) => Said::Barrier,
        });
        said.collect()
    }
}
