//! The head of a stage that reads a source: plans its splits and shares them out among the tasks.
//!
//! It reads nothing of the input but what tells which splits there are.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use steadfast_checkpoint::mailbox::Mailbox;
use steadfast_core::key::KeySpace;
use steadfast_core::source::{BadInput, BadRecord, Source, SplitStatus};
use steadfast_core::{Error, Result};
use steadfast_protocol::fit::JobShape;
use steadfast_protocol::manifest::Manifest;

use super::source::{BadInputs, SourceTask};
use crate::collector::Collector;
use crate::context::{MadeTask, StageContext, TaskContext};
use crate::exchange::output::Output;
use crate::operator_chain::{OperatorChain, StageHead};

/// Makes the output into the dead letters for each task.
pub type DeadLetterOutput = Arc<dyn Fn() -> Result<Box<dyn Output<BadRecord>>> + Send + Sync>;

/// See the module.
pub struct SourceHead<S> {
    name: String,
    source: Arc<S>,
    bad_input: BadInput,
    dead_letters: Option<DeadLetterOutput>,
}

impl<S: Source> SourceHead<S> {
    /// A stage that reads `source` and fails at bad input.
    pub fn new(name: impl Into<String>, source: S) -> Self {
        let (bad_input, dead_letters) = (BadInput::Fail, None);
        SourceHead { name: name.into(), source: Arc::new(source), bad_input, dead_letters }
    }

    /// Counts bad input and goes on.
    pub fn skip_bad_input(&mut self) {
        self.bad_input = BadInput::Skip;
    }

    /// Sends bad input to dead letters and goes on.
    pub fn dead_letters(&mut self, output: DeadLetterOutput) {
        self.bad_input = BadInput::DeadLetter;
        self.dead_letters = Some(output);
    }

    /// Every split that there is, those of `restored` as it left them.
    fn splits(
        &self,
        restored: Option<&Manifest>,
        tasks: u16,
    ) -> Result<Vec<SplitStatus<S::Split>>> {
        let stored = restored.and_then(|manifest| manifest.sources.get(&self.name));
        let resumed = stored.map_or(&[][..], Vec::as_slice).iter().map(|value| {
            serde_json::from_value::<SplitStatus<S::Split>>(value.clone())
                .map(|status| status.split)
                .map_err(|e| {
                    Error::configuration("a stored position does not fit this source")
                        .caused_by(e)
                        .hint(
                            "the source's type has changed: give it another name, or reset the job",
                        )
                })
        });
        let splits = resumed
            .collect::<Result<Vec<_>>>()
            .and_then(|resumed| self.source.splits(resumed, usize::from(tasks)));
        splits.map_err(|error| error.at(format!("source '{}'", self.name)))
    }

    /// Tells people how much there is to read, and how much has been read.
    fn count(&self, stage: &StageContext<'_>, splits: &[SplitStatus<S::Split>]) {
        let metrics = &stage.services.metrics;
        let open = splits.iter().filter(|status| !status.finished).count() as u64;
        metrics.open_splits.fetch_add(open, Ordering::Relaxed);
        metrics.advanced.fetch_add(splits.iter().map(|s| s.done).sum(), Ordering::Relaxed);
        metrics.total.fetch_add(self.source.total().unwrap_or(0), Ordering::Relaxed);
    }
}

impl<S: Source> OperatorChain for SourceHead<S> {
    type Out = S::Item;

    fn tasks<C: Collector<S::Item> + 'static>(
        &self,
        stage: &StageContext<'_>,
        mut next: impl FnMut(&TaskContext) -> Result<C>,
    ) -> Result<Vec<MadeTask>> {
        let splits = self.splits(stage.restore.manifest.as_ref(), stage.space.tasks)?;
        self.count(stage, &splits);
        // Those that are still to be read are shared out by themselves, or a restart could give one
        // task all of them.
        let (finished, waiting) = splits.into_iter().partition::<Vec<_>, _>(|s| s.finished);
        let share = |index: u16| {
            let these = |splits: &[SplitStatus<S::Split>]| {
                let share = splits.iter().skip(usize::from(index));
                share.step_by(usize::from(stage.space.tasks)).cloned().collect::<Vec<_>>()
            };
            [these(&finished), these(&waiting)].concat()
        };
        let make = |context: TaskContext| {
            let barriers = Mailbox::new(context.waker().clone());
            let output = self.dead_letters.as_ref().map(|make| make()).transpose()?;
            let task = SourceTask::new(
                &self.name,
                Arc::clone(&self.source),
                share(context.index),
                BadInputs::new(self.bad_input, output),
                barriers.clone(),
                next(&context)?,
                context.clone(),
            );
            let made = MadeTask::new(&context, Box::new(task));
            Ok(MadeTask { barriers: Some(barriers), ..made })
        };
        stage.tasks().map(make).collect()
    }

    fn head(&self) -> &dyn StageHead {
        self
    }
}

impl<S: Source> StageHead for SourceHead<S> {
    fn describe(&self, _space: KeySpace, shape: &mut JobShape) -> Result<()> {
        shape.sources.insert(self.name.clone());
        Ok(())
    }

    fn check(&self, restored: Option<&Manifest>, tasks: u16) -> Result<()> {
        self.splits(restored, tasks).map(drop)
    }

    fn inputs(&self) -> Vec<usize> {
        Vec::new()
    }
}
