//! The head of a stage that reads a source: plans its splits and shares them out among the tasks.
//!
//! It reads nothing of the input but what tells which splits there are.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use steadfast_checkpoint::mailbox::Mailbox;
use steadfast_core::key::KeySpace;
use steadfast_core::source::{BadInput, BadRecord, Source, SplitStatus};
use steadfast_core::time::Timestamp;
use steadfast_core::{Cause, Error, Result};
use steadfast_protocol::fit::JobShape;
use steadfast_protocol::manifest::{Manifest, Watermarks};

use super::bad_input::BadInputs;
use super::source::{EVENT_TIME, SharedSource, SourceTask, split_value};
use super::split_queue;
use crate::bad_limit::BadOfSource;
use crate::collector::Collector;
use crate::context::{MadeTask, StageContext, TaskContext};
use crate::event_time::{EventTime, SourceTime, TimeOptions, Untimed};
use crate::exchange::output::Output;
use crate::operator_chain::{OperatorChain, StageHead};
use crate::status::TimedSource;
use crate::user_code::{OperatorId, OperatorLabel};

/// Makes the output into the dead letters for each task.
pub type DeadLetterOutput =
    Arc<dyn Fn(&TaskContext) -> Result<Box<dyn Output<BadRecord>>> + Send + Sync>;

/// See the module.
pub struct SourceHead<S, E = Untimed> {
    name: String,
    source: Arc<S>,
    event_time: Arc<E>,
    time: TimeOptions,
    bad_input: BadInput,
    /// Makes the output into the dead letters, and says where they are.
    dead_letters: Option<(Arc<str>, DeadLetterOutput)>,
}

impl<S: Source> SourceHead<S, Untimed> {
    /// A stage that reads `source` and fails at bad input.
    pub fn new(name: impl Into<String>, source: S) -> Self {
        let (bad_input, dead_letters) = (BadInput::Fail, None);
        let (source, event_time) = (Arc::new(source), Arc::new(Untimed));
        let time = TimeOptions::new(Duration::ZERO);
        SourceHead { name: name.into(), source, event_time, time, bad_input, dead_letters }
    }
}

impl<S: Source, E> SourceHead<S, E> {
    /// The same, with records that have event times.
    pub fn timed<G>(self, event_time: G, time: TimeOptions) -> SourceHead<S, G> {
        let SourceHead { name, source, bad_input, dead_letters, .. } = self;
        let event_time = Arc::new(event_time);
        SourceHead { name, source, event_time, time, bad_input, dead_letters }
    }

    /// What is declared of its times.
    pub fn time(&mut self) -> &mut TimeOptions {
        &mut self.time
    }

    /// Counts bad input and goes on.
    pub fn skip_bad_input(&mut self) {
        self.bad_input = BadInput::Skip;
    }

    /// Sends bad input to dead letters, which are in `place`, and goes on.
    pub fn dead_letters(&mut self, place: impl Into<Arc<str>>, output: DeadLetterOutput) {
        self.bad_input = BadInput::DeadLetter;
        self.dead_letters = Some((place.into(), output));
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
                    Error::because(Cause::INPUT_OTHER, "a stored position does not fit this source")
                        .caused_by(e)
                        .hint(
                            "the source's type has changed: give it another name, or start from scratch with --reset (RunOptions::reset)",
                        )
                })
        });
        let splits = resumed
            .collect::<Result<Vec<_>>>()
            .and_then(|resumed| self.source.splits(resumed, usize::from(tasks)));
        splits.map_err(|error| self.label().names(error))
    }

    fn label(&self) -> OperatorLabel {
        OperatorId::source(&*self.name, "").outside()
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

impl<S: Source, E: EventTime<S::Item>> SourceHead<S, E> {
    /// What all tasks share: the splits that are still to be read, and how far event time has come.
    fn shared(
        &self,
        stage: &StageContext<'_>,
        splits: &[SplitStatus<S::Split>],
    ) -> Result<SharedSource<S, E>> {
        let now = stage.services.clock.wall();
        // Functions of the user run here outside of any task.
        let label = OperatorId::source(&*self.name, EVENT_TIME).outside();
        let queue = split_queue::queue((&*self.source, &label), &*self.event_time, splits, now)
            .map_err(|error| self.label().names(error))?;
        // What one task has found to be so is so for all.
        let restored = stage.restore.watermarks(&self.name).and_then(Watermarks::greatest);
        let reference = match restored.filter(|restored| *restored > Timestamp::MIN) {
            Some(restored) => Some(restored.plus(self.time.disorder)),
            None => queue
                .least()
                .map(|first| first.at)
                .filter(|at| *at > Timestamp::MIN && *at < Timestamp::MAX),
        };
        let open = splits.iter().filter(|status| !status.finished).count();
        let time = SourceTime::new(self.time, stage.space.tasks, reference);
        if E::IS_TIMED {
            let splits = splits.iter().map(|status| &status.split);
            let splits = splits.map(|split| serde_json::to_string(split).unwrap_or_default());
            let (source, time) = (self.name.clone(), Arc::clone(&time));
            stage.services.metrics.times.add(TimedSource {
                source,
                time,
                splits: splits.collect(),
            });
        }
        Ok(SharedSource {
            name: self.name.clone(),
            source: Arc::clone(&self.source),
            event_time: Arc::clone(&self.event_time),
            time,
            queue: Arc::new(queue),
            at_once: match self.source.total() {
                Some(_) => 1,
                // A source without an end is read on all of its splits at once.
                None => open.div_ceil(usize::from(stage.space.tasks)),
            },
        })
    }
}

impl<S: Source, E: EventTime<S::Item>> OperatorChain for SourceHead<S, E> {
    type Out = S::Item;

    fn tasks<C: Collector<S::Item> + 'static>(
        &self,
        stage: &StageContext<'_>,
        mut next: impl FnMut(&TaskContext) -> Result<C>,
    ) -> Result<Vec<MadeTask>> {
        let splits = self.splits(stage.restore.manifest.as_ref(), stage.space.tasks)?;
        self.count(stage, &splits);
        let shared = self.shared(stage, &splits)?;
        let values = splits.iter().map(split_value).collect::<Result<Vec<_>>>()?;
        let mut values = Some((self.name.clone(), values));
        let (limit, restored) = (Arc::clone(&stage.services.bad), stage.restore.manifest.as_ref());
        let place = self.dead_letters.as_ref().map(|(place, _)| Arc::clone(place));
        let bad_of_source = Arc::new(BadOfSource::new(limit, restored, &self.name, place));
        let make = |context: TaskContext| {
            let barriers = Mailbox::new(context.waker().clone());
            let output = self.dead_letters.as_ref().map(|(_, make)| make(&context)).transpose()?;
            let bad = BadInputs::new(self.bad_input, output, Arc::clone(&bad_of_source));
            let next = next(&context)?;
            let task = SourceTask::new(&shared, bad, barriers.clone(), next, context.clone());
            let made = MadeTask::new(&context, Box::new(task));
            Ok(MadeTask { barriers: Some(barriers), splits: values.take(), ..made })
        };
        stage.tasks().map(make).collect()
    }

    fn head(&self) -> &dyn StageHead {
        self
    }
}

impl<S: Source, E: EventTime<S::Item>> StageHead for SourceHead<S, E> {
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
