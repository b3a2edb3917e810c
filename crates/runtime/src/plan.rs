//! The plan of a job: its operators as people see them, and its stages as tasks are made of them.
//!
//! Builders fill it; [`crate::job`] runs it. It knows no record type: whatever is generic has been
//! closed over by then.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use steadfast_core::machine::Machine;
use steadfast_core::sink::{Target, TargetIdentity};
use steadfast_core::{Error, Result};

use crate::context::{Attempt, TaskContext};
use crate::exchange::channel::channel;

mod picture;

pub use picture::Picture;

/// Makes one task of a stage.
pub type MakeTask = Box<dyn Fn(&TaskContext) -> Result<Box<dyn Machine>> + Send + Sync>;
/// Makes the channels of an edge.
pub type MakeChannels = Box<dyn Fn(&Attempt, usize) + Send + Sync>;
/// Makes the target of a sink.
pub type MakeTarget = Box<dyn Fn(&TargetIdentity) -> Result<Box<dyn Target>> + Send + Sync>;

/// How many batches wait between two tasks at most: enough to go on with while the operating system
/// gives the other worker's core to somebody else for a time slice.
const CHANNEL_CAPACITY: usize = 32;

/// A job, ready to be run or drawn.
#[derive(Default)]
pub struct Plan {
    operators: Vec<OperatorNode>,
    stages: Vec<Stage>,
    edges: Vec<MakeChannels>,
    targets: BTreeMap<String, MakeTarget>,
    problems: Vec<String>,
}

/// An operator as people see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorNode {
    /// Its name, unique in the job.
    pub name: String,
    /// What it is: `source`, `map`, `fold`, …
    pub kind: &'static str,
    /// Something worth knowing, such as where a sink writes.
    pub detail: String,
    /// The names of the operators before it, and how records get here from each.
    pub inputs: Vec<(String, EdgeKind)>,
}

/// How records get from one operator to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EdgeKind {
    /// In the same loop.
    Fused,
    /// Through a channel to the task of the same index.
    Forward,
    /// Through a channel to the task that owns the key.
    ByKey,
    /// Through a channel to each task in turn.
    Rebalance,
    /// Through a channel to every task.
    Broadcast,
}

struct Stage {
    name: String,
    is_source: bool,
    make: MakeTask,
}

/// A plan that several builders fill.
#[derive(Clone, Default)]
pub struct SharedPlan(Arc<Mutex<Plan>>);

impl SharedPlan {
    /// Changes the plan.
    pub fn edit<R>(&self, edit: impl FnOnce(&mut Plan) -> R) -> R {
        edit(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes the plan out, leaving an empty one.
    pub fn take(&self) -> Plan {
        self.edit(std::mem::take)
    }
}

impl Plan {
    /// Adds an operator. If the name is derived and taken, a number makes it unique; if the user
    /// chose it, that is a problem that [`Plan::check`] reports.
    pub fn add_operator(
        &mut self,
        name: OperatorName,
        kind: &'static str,
        detail: impl Into<String>,
        inputs: Vec<(String, EdgeKind)>,
    ) -> String {
        let taken = |name: &str| self.operators.iter().any(|operator| operator.name == name);
        let name = match name {
            OperatorName::Chosen(name) => {
                if taken(&name) {
                    self.problems.push(format!("two operators are named '{name}'"));
                }
                name
            }
            OperatorName::Derived => (1..)
                .map(|n| if n == 1 { kind.to_string() } else { format!("{kind}-{n}") })
                .find(|name| !taken(name))
                .unwrap_or_default(),
        };
        self.operators.push(OperatorNode {
            name: name.clone(),
            kind,
            detail: detail.into(),
            inputs,
        });
        name
    }

    /// Adds a stage.
    pub fn add_stage(&mut self, name: impl Into<String>, is_source: bool, make: MakeTask) {
        // Two stages end with the same operator where its output goes two ways.
        let name = name.into();
        let taken = |name: &str| self.stages.iter().any(|stage| stage.name == name);
        let name = (1..)
            .map(|n| if n == 1 { name.clone() } else { format!("{name}-{n}") })
            .find(|name| !taken(name))
            .unwrap_or(name);
        self.stages.push(Stage { name, is_source, make });
    }

    /// Adds an edge that carries `T` and returns its number. With `all_to_all`, every task of one
    /// stage can reach every task of the next; otherwise only the one of its own index.
    pub fn add_edge<T: Send + 'static>(&mut self, all_to_all: bool) -> usize {
        self.edges.push(Box::new(move |job, edge| make_channels::<T>(job, edge, all_to_all)));
        self.edges.len() - 1
    }

    /// Adds the target of a sink.
    pub fn add_target(&mut self, sink: impl Into<String>, make: MakeTarget) {
        self.targets.insert(sink.into(), make);
    }

    /// The operators.
    pub fn operators(&self) -> &[OperatorNode] {
        &self.operators
    }

    /// The plan, for printing.
    pub fn picture(&self) -> Picture<'_> {
        Picture::new(&self.operators)
    }

    /// Whether the plan can be run.
    ///
    /// # Errors
    /// `Configuration` with everything that stands in the way.
    pub fn check(&self) -> Result<()> {
        let mut problems = self.problems.clone();
        if !self.stages.iter().any(|stage| stage.is_source) {
            problems.push("it has no source that leads anywhere".to_string());
        }
        if problems.is_empty() {
            return Ok(());
        }
        Err(Error::configuration(format!("the job cannot be built: {}", problems.join("; "))))
    }

    pub(crate) fn targets(&self) -> impl Iterator<Item = (&String, &MakeTarget)> {
        self.targets.iter()
    }

    pub(crate) fn wire(&self, job: &Attempt) {
        self.edges.iter().enumerate().for_each(|(edge, make)| make(job, edge));
    }

    /// Makes all tasks, each with the worker that it belongs to; stages in the order in which
    /// records pass through them.
    pub(crate) fn tasks(&self, job: &Arc<Attempt>) -> Result<Vec<Made>> {
        let mut tasks = Vec::new();
        for stage in &self.stages {
            for index in 0..job.space.tasks {
                let id = steadfast_core::id::TaskId {
                    stage: stage.name.clone(),
                    index: u32::from(index),
                };
                let context = TaskContext { job: Arc::clone(job), id: id.clone(), index };
                let machine = (stage.make)(&context)?;
                tasks.push(Made {
                    id,
                    worker: usize::from(index),
                    is_source: stage.is_source,
                    machine,
                });
            }
        }
        Ok(tasks)
    }
}

/// A task that has been made.
pub(crate) struct Made {
    pub(crate) id: steadfast_core::id::TaskId,
    pub(crate) worker: usize,
    pub(crate) is_source: bool,
    pub(crate) machine: Box<dyn Machine>,
}

/// Where an operator's name comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OperatorName {
    /// The user's own.
    Chosen(String),
    /// From its kind.
    Derived,
}

fn make_channels<T: Send + 'static>(job: &Attempt, edge: usize, all_to_all: bool) {
    let tasks = usize::from(job.space.tasks);
    let mut receivers: Vec<Vec<_>> = (0..tasks).map(|_| Vec::new()).collect();
    let mut ends = job.ends.lock().unwrap_or_else(PoisonError::into_inner);
    for from in 0..tasks {
        let to = if all_to_all { 0..tasks } else { from..from + 1 };
        let senders = to.map(|to| {
            let (here, there) = (job.wakers.get(from).cloned(), job.wakers.get(to).cloned());
            let (sender, receiver) = channel::<T>(CHANNEL_CAPACITY, here, there);
            receivers[to].push(receiver);
            sender
        });
        ends.keep_senders(edge, from as u16, senders.collect());
    }
    for (to, receivers) in receivers.into_iter().enumerate() {
        ends.keep_receivers(edge, to as u16, receivers);
    }
}
