//! The plan of a job: its operators as people see them, and its stages as tasks are made of them.
//!
//! Builders fill it; [`crate::job`] runs it. It knows no record type: whatever is generic has been
//! closed over by then.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::Location;
use std::sync::{Arc, Mutex, PoisonError};

use steadfast_core::key::KeySpace;
use steadfast_core::source::Seek;
use steadfast_core::target::{Target, TargetIdentity};
use steadfast_core::{Cause, Error, Result};
use steadfast_protocol::fit::{JobShape, operator_of};

use crate::context::{MadeTask, RestoreSource, StageContext, TaskServices};
use crate::exchange::edge::Edge;
use crate::operator_chain::StageHead;

mod names;
mod picture;

pub use names::OperatorName;
pub use picture::Picture;

/// Opens an edge for stages of so many tasks.
pub(crate) type OpenEdge = Box<dyn Fn(u16, usize) + Send + Sync>;
/// Makes the target of a sink.
pub(crate) type MakeTarget = Box<dyn Fn(&TargetIdentity) -> Result<Box<dyn Target>> + Send + Sync>;

/// A job, ready to be run or drawn.
#[derive(Default)]
pub struct Plan {
    operators: Vec<OperatorNode>,
    stages: Vec<NamedStage>,
    edges: Vec<OpenEdge>,
    targets: BTreeMap<String, MakeTarget>,
    /// The places that sinks have for themselves, and who came first.
    places: BTreeMap<String, String>,
    /// Former names of operators, and their present ones.
    renamed: BTreeMap<String, String>,
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
    /// Whether the user chose the name; otherwise it follows from the kind and from what was added before.
    pub is_named: bool,
    /// Where it was added, in the code of the job.
    pub place: &'static Location<'static>,
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

/// A stage, as tasks are made of it.
pub trait Stage: Send + Sync {
    /// Makes its tasks.
    ///
    /// # Errors
    /// If its head cannot be opened.
    fn tasks(&self, context: &StageContext<'_>) -> Result<Vec<MadeTask>>;

    /// Where it begins.
    fn head(&self) -> &dyn StageHead;

    /// Whether its records go anywhere.
    fn leads_somewhere(&self) -> bool;
}

struct NamedStage {
    name: String,
    is_source: bool,
    stage: Box<dyn Stage>,
}

/// A plan that several builders fill.
#[derive(Clone, Default)]
pub struct SharedPlan(Arc<Mutex<Plan>>);

impl SharedPlan {
    /// Adds an operator, and says what it is called: as the user chose, or by its kind and a number that no
    /// other has. Its place is that of the caller.
    #[track_caller]
    pub fn add_operator(
        &self,
        name: OperatorName,
        kind: &'static str,
        detail: impl Into<String>,
        inputs: Vec<(String, EdgeKind)>,
    ) -> String {
        let (place, detail) = (Location::caller(), detail.into());
        self.edit(|plan| {
            plan.add_operator(
                name,
                OperatorNode { name: String::new(), kind, detail, inputs, is_named: false, place },
            )
        })
    }

    /// Changes the plan.
    pub fn edit<R>(&self, edit: impl FnOnce(&mut Plan) -> R) -> R {
        edit(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Plan {
    fn add_operator(&mut self, name: OperatorName, node: OperatorNode) -> String {
        let OperatorName { chosen, former } = name;
        let is_named = chosen.is_some();
        let name =
            chosen.unwrap_or_else(|| names::derived(&self.operators, &self.renamed, node.kind));
        former.into_iter().for_each(|former| self.rename(former, name.clone()));
        self.operators.push(OperatorNode { name: name.clone(), is_named, ..node });
        name
    }

    /// Adds a stage.
    pub fn add_stage(&mut self, name: impl Into<String>, is_source: bool, stage: Box<dyn Stage>) {
        // Two stages end with the same operator where its output goes two ways.
        let name = name.into();
        let taken = |name: &str| self.stages.iter().any(|stage| stage.name == name);
        let name = (1..)
            .map(|n| if n == 1 { name.clone() } else { format!("{name}-{n}") })
            .find(|name| !taken(name))
            .unwrap_or(name);
        self.stages.push(NamedStage { name, is_source, stage });
    }

    /// Adds an edge that carries `T`. With `all_to_all`, every task of one stage can reach every task
    /// of the next; otherwise only the one of its own index.
    pub fn add_edge<T: Send + 'static>(&mut self, all_to_all: bool) -> Edge<T> {
        let edge = Edge::new(self.edges.len(), all_to_all);
        let opened = edge.clone();
        self.edges.push(Box::new(move |tasks, capacity| opened.open(tasks, capacity)));
        edge
    }

    /// Notes that the operator or source `name` was called `former` before. If another was, too, the plan cannot
    /// be run: what is kept under that name belongs to one of them.
    pub fn rename(&mut self, former: impl Into<String>, name: impl Into<String>) {
        let (former, name) = (former.into(), name.into());
        match self.renamed.get(&former).filter(|other| **other != name) {
            Some(other) => self.problems.push(format!(
                "both '{other}' and '{name}' were formerly '{former}': what is kept under that name belongs to one"
            )),
            None => {
                self.renamed.insert(former, name);
            }
        }
    }

    /// Notes why the plan cannot be run.
    pub fn refuse(&mut self, problem: impl Into<String>) {
        self.problems.push(problem.into());
    }

    /// Adds the target of a sink; two that have one `place` for themselves cannot be run.
    pub fn add_target(&mut self, sink: impl Into<String>, place: Option<String>, make: MakeTarget) {
        let sink = sink.into();
        if let Some(place) = place {
            match self.places.get(&place).filter(|other| **other != sink) {
                Some(other) => self.problems.push(format!(
                    "the sinks '{other}' and '{sink}' both write to {place}: give each a place of its own, or bring \
                     their streams together with union()"
                )),
                None => {
                    self.places.insert(place, sink.clone());
                }
            }
        }
        self.targets.insert(sink, make);
    }

    /// The operators.
    pub fn operators(&self) -> &[OperatorNode] {
        &self.operators
    }

    /// The sources that cannot be read again: what they read is lost in a crash, unless a checkpoint with it is
    /// committed.
    pub fn not_replayable(&self) -> BTreeSet<String> {
        let heads = self.stages.iter().map(|stage| stage.stage.head());
        heads.filter_map(|head| head.not_replayable().map(str::to_string)).collect()
    }

    /// The plan, for printing.
    pub fn picture(&self) -> Picture<'_> {
        Picture::new(&self.operators)
    }

    /// Whether the plan can be run.
    ///
    /// # Errors
    /// `Configuration` with everything that stands in the way.
    pub(crate) fn check(&self) -> Result<()> {
        let mut problems = self.problems.clone();
        problems.extend(names::empty(&self.operators));
        if !self.stages.iter().any(|stage| stage.is_source) {
            problems.push("it has no source that leads anywhere".to_string());
        }
        let leads_nowhere = self.stages.iter().filter(|stage| !stage.stage.leads_somewhere());
        problems.extend(leads_nowhere.map(|stage| {
            format!(
                "the stream behind '{}' ends nowhere: give it a sink, or leave it out",
                stage.name
            )
        }));
        let read: BTreeSet<usize> =
            self.stages.iter().flat_map(|stage| stage.stage.head().inputs()).collect();
        if (0..self.edges.len()).any(|edge| !read.contains(&edge)) {
            problems.push(
                "a stream that was shared, keyed or divided ends nowhere: give it a sink, or leave \
                 it out"
                    .to_string(),
            );
        }
        let same = names::same(&self.operators);
        match (problems.is_empty(), same.is_empty()) {
            (true, true) => Ok(()),
            (true, false) => Err(Error::because(Cause::SAME_NAME, same.join("; ")).hint(
                "call one of them something else; one that checkpoints speak of is best left as it is",
            )),
            (false, _) => {
                problems.extend(same);
                let what = format!("the job cannot be built: {}", problems.join("; "));
                Err(Error::because(Cause::PLAN, what))
            }
        }
    }

    /// Refuses state under a name that nobody has chosen: it follows from the order of the code, and two
    /// operators that change places there would take over each other's state.
    ///
    /// # Errors
    /// `Configuration` with all operators that need a name.
    pub(crate) fn check_state_is_named(&self, shape: &JobShape) -> Result<()> {
        names::state_is_named(&self.operators, shape)
    }

    /// Refuses names of what is to be new that are of nothing in the job: whoever wrote them meant another.
    ///
    /// # Errors
    /// `Configuration` with the names that there are.
    pub(crate) fn check_new_are_there(
        &self,
        shape: &JobShape,
        new: &BTreeSet<String>,
    ) -> Result<()> {
        names::new_are_there(&self.operators, shape, new)
    }

    /// What is to be read from another place has to be there.
    ///
    /// # Errors
    /// `Configuration` with the names that there are.
    pub(crate) fn check_sought_are_there(
        &self,
        shape: &JobShape,
        seeks: &[(String, Seek)],
    ) -> Result<()> {
        names::sought_are_there(shape, seeks)
    }

    /// What the job has, by name, with keys divided as `space` says.
    ///
    /// # Errors
    /// `Configuration` if two states have one name.
    pub(crate) fn shape(&self, space: KeySpace) -> Result<JobShape> {
        let sinks = self.targets.keys().cloned().collect();
        let mut shape = JobShape { sinks, renamed: self.renamed.clone(), ..JobShape::default() };
        let mut heads = self.stages.iter().map(|stage| stage.stage.head());
        heads.try_for_each(|head| head.describe(space, &mut shape))?;
        let is_known =
            |table: &&String| self.operators.iter().any(|o| o.name == operator_of(table));
        if let Some(table) = shape.tables.iter().find(|table| !is_known(table)) {
            return Err(Error::because(Cause::STATE_NAMES, "the name of a state holds a slash")
                .at(format!("state '{table}'"))
                .hint("slashes divide the names of operators from those of their states"));
        }
        if let Some(table) = shape.tables.iter().find(|table| table.ends_with('/')) {
            return Err(Error::because(Cause::STATE_NAMES, "the name of a state is empty")
                .at(format!("state '{table}'"))
                .hint("give it one, such as states.value(\"last\"), and keep that name"));
        }
        Ok(shape)
    }

    /// Whether all sources can go on from `restored`, or begin.
    pub(crate) fn check_sources(&self, restored: &RestoreSource, tasks: u16) -> Result<()> {
        self.stages.iter().try_for_each(|stage| stage.stage.head().check(restored, tasks))
    }

    /// Makes the targets of all sinks, none of which is touched by that.
    pub(crate) fn targets(&self, job: &str) -> Result<BTreeMap<String, Box<dyn Target>>> {
        let make = |(sink, make): (&String, &MakeTarget)| {
            let identity = TargetIdentity { job: job.to_string(), sink: sink.clone() };
            let target = make(&identity).map_err(|e| e.at(format!("sink '{sink}'")))?;
            Ok((sink.clone(), target))
        };
        self.targets.iter().map(make).collect()
    }

    /// Makes all tasks, stages in the order in which records pass through them.
    pub(crate) fn tasks(
        &self,
        space: KeySpace,
        restore: &RestoreSource,
        services: &Arc<TaskServices>,
    ) -> Result<Vec<MadeTask>> {
        self.edges.iter().for_each(|open| open(space.tasks, services.limits.channel_batches));
        let mut tasks = Vec::new();
        for NamedStage { name, stage, .. } in &self.stages {
            tasks.extend(stage.tasks(&StageContext { name, space, restore, services })?);
        }
        Ok(tasks)
    }
}
