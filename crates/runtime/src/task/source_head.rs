//! The head of a stage that reads a source: plans its splits and shares them out among the tasks.
//!
//! It reads nothing of the input but what tells which splits there are.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use steadfast_checkpoint::mailbox::Mailbox;
use steadfast_core::key::KeySpace;
use steadfast_core::source::{
    BadInput, BadRecord, FinishedSplit, Planned, Replay, Resumed, Seek, Source, SplitStatus,
};
use steadfast_core::time::Timestamp;
use steadfast_core::{Cause, Error, Result};
use steadfast_protocol::fit::JobShape;
use steadfast_protocol::manifest::{Manifest, SplitNumber, Splits, Watermarks};

use super::bad_input::BadInputs;
use super::discovering::Discovering;
use super::finished_splits::{FinishedSplits, remembered, remembered_if_intact, table_name};
use super::source::{EVENT_TIME, SharedSource, SourceTask, SourceTaskInit, split_value};
use super::split_queue;
use crate::bad_limit::BadOfSource;
use crate::collector::Collector;
use crate::context::{MadeTask, RestoreSource, StageContext, TaskContext};
use crate::event_time::{EventTime, SourceTime, TimeOptions, Untimed};
use crate::exchange::output::Output;
use crate::operator_chain::{OperatorChain, StageHead};
use crate::status::{SplitNames, TimedSource};
use crate::user_code::{OperatorId, OperatorLabel};

/// Makes the output into the dead letters for each task.
pub(crate) type DeadLetterOutput =
    Arc<dyn Fn(&TaskContext) -> Result<Box<dyn Output<BadRecord>>> + Send + Sync>;

/// See the module.
pub struct SourceHead<S: Source, E = Untimed> {
    name: String,
    source: Arc<S>,
    event_time: Arc<E>,
    time: TimeOptions,
    bad_input: BadInput,
    /// Makes the output into the dead letters, and says where they are.
    dead_letters: Option<(Arc<str>, DeadLetterOutput)>,
    /// What was planned when the start was looked at, until its tasks are made.
    looked: Looked<S::Split>,
}

/// A plan, with what it goes on from.
struct Going<P> {
    from: Option<Manifest>,
    tasks: u16,
    /// What is remembered of finished splits in what it goes on from.
    before: Vec<FinishedSplit>,
    planned: Planned<P>,
}

/// The plan of the last look, if everything that it goes on from could be read. Tasks that are made to go on
/// from the same checkpoint go by it: to plan once more would be to look at each of thousands of files again,
/// within the same start.
struct Looked<P>(Mutex<Option<Going<P>>>);

impl<P> Looked<P> {
    fn none() -> Self {
        Looked(Mutex::new(None))
    }

    fn set(&self, going: Option<Going<P>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = going;
    }

    /// The plan, if it goes on from there; it is used once.
    fn take(&self, from: Option<&Manifest>, tasks: u16) -> Option<Going<P>> {
        let looked = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        looked.filter(|looked| looked.from.as_ref() == from && looked.tasks == tasks)
    }
}

impl<S: Source> SourceHead<S, Untimed> {
    /// A stage that reads `source` and fails at bad input.
    pub fn new(name: impl Into<String>, source: S) -> Self {
        let (bad_input, dead_letters) = (BadInput::Fail, None);
        let (source, event_time) = (Arc::new(source), Arc::new(Untimed));
        let time = TimeOptions::new(Duration::ZERO);
        let (name, looked) = (name.into(), Looked::none());
        SourceHead { name, source, event_time, time, bad_input, dead_letters, looked }
    }
}

impl<S: Source, E> SourceHead<S, E> {
    /// The same, with records that have event times.
    pub fn timed<G>(self, event_time: G, time: TimeOptions) -> SourceHead<S, G> {
        let SourceHead { name, source, bad_input, dead_letters, looked, .. } = self;
        let event_time = Arc::new(event_time);
        SourceHead { name, source, event_time, time, bad_input, dead_letters, looked }
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

    /// Every split that there is, those of `restored` as it left them; `finished` is what is remembered of
    /// others.
    fn plan(
        &self,
        restored: &RestoreSource,
        finished: Vec<FinishedSplit>,
        tasks: u16,
    ) -> Result<Planned<S::Split>> {
        let stored = restored.manifest.as_ref();
        let stored = stored.and_then(|manifest| manifest.sources.get(&self.name));
        let stored = stored.into_iter().flat_map(|splits| splits.values());
        let splits = stored.map(|value| {
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
        let planned = splits
            .collect::<Result<Vec<_>>>()
            .and_then(|splits| self.sought(Resumed { splits, finished }, &restored.seeks))
            .and_then(|resumed| self.source.plan(resumed, usize::from(tasks)));
        planned.map_err(|error| self.place(error))
    }

    /// What is resumed, as a person wants it.
    fn sought(
        &self,
        resumed: Resumed<S::Split>,
        seeks: &[(String, Seek)],
    ) -> Result<Resumed<S::Split>> {
        let mut mine = seeks.iter().filter(|(source, _)| *source == self.name);
        mine.try_fold(resumed, |resumed, (source, seek)| {
            if self.source.replay() == Replay::Impossible {
                let what = "what this source has read is gone, and it has no other place";
                return Err(Error::because(Cause::OPTION, what).at(seek.to_string()));
            }
            tracing::info!(name: "source_sought", source, to = %seek, "a source is read from where a person wants it");
            self.source.seek(resumed, seek)
        })
    }

    fn place(&self, error: Error) -> Error {
        self.label().names(error)
    }

    fn label(&self) -> OperatorLabel {
        OperatorId::source(&*self.name, "").outside()
    }

    /// A pattern that is misspelled would end as if all were well.
    fn tell_nothing_to_read(&self, stage: &StageContext<'_>) {
        let (source, input) = (&*self.name, self.source.describe());
        tracing::warn!(name: "nothing_to_read", source, input = %input, "a source has nothing to read");
        stage.services.metrics.nothing_to_read.add(source, input);
    }

    /// Tells people how much there is to read, and how much has been read.
    fn count(&self, stage: &StageContext<'_>, planned: &Planned<S::Split>) {
        let Planned { splits, done, .. } = planned;
        let metrics = &stage.services.metrics;
        let open = splits.iter().filter(|status| !status.finished).count() as u64;
        metrics.open_splits.fetch_add(open, Ordering::Relaxed);
        let done = splits.iter().map(|status| status.done).sum::<u64>() + done;
        metrics.advanced.fetch_add(done, Ordering::Relaxed);
        metrics.total.fetch_add(self.source.total().unwrap_or(0), Ordering::Relaxed);
        let (source, splits) = (&*self.name, splits.len() as u64);
        tracing::info!(name: "splits_planned", source, splits, open, "the splits of a source are known");
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
            .map_err(|error| self.place(error))?;
        // What one task has found to be so is so for all.
        let restored = stage.restore.watermarks(&self.name).and_then(Watermarks::greatest);
        let reference = match restored.filter(|restored| *restored > Timestamp::MIN) {
            Some(restored) => Some(restored.plus(self.time.disorder)),
            None => queue
                .least()
                .map(|first| first.at)
                .filter(|at| *at > Timestamp::MIN && *at < Timestamp::MAX),
        };
        let time = SourceTime::new(self.time, stage.space.tasks, reference);
        let names = SplitNames::default();
        if E::IS_TIMED {
            names.extend(splits.iter().map(|status| self.source.describe_split(&status.split)));
            let (source, time, splits) = (self.name.clone(), Arc::clone(&time), names.clone());
            stage.services.metrics.times.add(TimedSource { source, time, splits });
        }
        Ok(SharedSource {
            name: self.name.clone(),
            source: Arc::clone(&self.source),
            event_time: Arc::clone(&self.event_time),
            time,
            queue: Arc::new(queue),
            names,
        })
    }

    /// What each task keeps of finished splits. The first one has those that no task has read in this run.
    fn finished(
        &self,
        stage: &StageContext<'_>,
        before: &[FinishedSplit],
        planned: &Planned<S::Split>,
    ) -> Result<Vec<FinishedSplits>> {
        let kept: BTreeSet<FinishedSplit> = planned.finished.iter().cloned().collect();
        let most_listed = stage.services.limits.listed_splits;
        let restore = |index| {
            let place = (stage.space, index);
            FinishedSplits::restore(&self.name, place, most_listed, stage.restore, &kept)
        };
        let mut all = (0..stage.space.tasks).map(restore).collect::<Result<Vec<_>>>()?;
        if let Some(first) = all.first_mut() {
            let before: BTreeSet<&FinishedSplit> = before.iter().collect();
            kept.iter()
                .filter(|split| !before.contains(split))
                .for_each(|new| first.keep(new.clone()));
            for (number, status) in (0..).zip(&planned.splits) {
                if status.finished
                    && let Some(remembered) = self.source.remember(&status.split)
                {
                    first.add(SplitNumber(number), remembered);
                }
            }
        }
        Ok(all)
    }
}

impl<S: Source, E: EventTime<S::Item>> OperatorChain for SourceHead<S, E> {
    type Out = S::Item;

    fn tasks<C: Collector<S::Item> + 'static>(
        &self,
        stage: &StageContext<'_>,
        mut next: impl FnMut(&TaskContext) -> Result<C>,
    ) -> Result<Vec<MadeTask>> {
        let manifest = stage.restore.manifest.as_ref();
        let (before, planned) = match self.looked.take(manifest, stage.space.tasks) {
            Some(Going { before, planned, .. }) => (before, planned),
            None => {
                let before = remembered(&self.name, stage.restore);
                let before = before.map_err(|error| self.place(error))?;
                let planned = self.plan(stage.restore, before.clone(), stage.space.tasks)?;
                (before, planned)
            }
        };
        self.count(stage, &planned);
        let shared = self.shared(stage, &planned.splits)?;
        let values = (0..).zip(&planned.splits);
        let values = values.map(|(number, status)| Ok((SplitNumber(number), split_value(status)?)));
        let mut values = Some((self.name.clone(), values.collect::<Result<Splits>>()?));
        let finished = self.finished(stage, &before, &planned)?;
        let (limit, place) = (Arc::clone(&stage.services.bad), self.dead_letters.as_ref());
        let place = place.map(|(place, _)| Arc::clone(place));
        let bad_of_source =
            BadOfSource::new(limit, manifest, (&self.name, stage.space.tasks), place);
        let bad_of_source = Arc::new(bad_of_source);
        let make = |(context, finished): (TaskContext, FinishedSplits)| {
            let inbox = Mailbox::new(context.waker().clone());
            let output = self.dead_letters.as_ref().map(|(_, make)| make(&context)).transpose()?;
            let bad = BadInputs::new(self.bad_input, output, Arc::clone(&bad_of_source));
            let discovering = match context.index {
                0 => Discovering::of(&*self.source, context.waker())
                    .map_err(|error| self.place(error))?,
                _ => None,
            };
            if discovering.is_some() {
                shared.queue.leave_open();
                // What is to be found counts as one that is not at its end.
                stage.services.metrics.open_splits.fetch_add(1, Ordering::Relaxed);
            }
            let next = next(&context)?;
            let init = SourceTaskInit { bad, inbox: inbox.clone(), finished, discovering };
            let task = SourceTask::new(&shared, init, next, context.clone());
            let made = MadeTask::new(&context, Box::new(task));
            Ok(MadeTask { barriers: Some(inbox), splits: values.take(), ..made })
        };
        let made = stage.tasks().zip(finished).map(make).collect::<Result<Vec<_>>>()?;
        if planned.splits.is_empty() && planned.finished.is_empty() && !shared.queue.is_open() {
            self.tell_nothing_to_read(stage);
        }
        Ok(made)
    }

    fn head(&self) -> &dyn StageHead {
        self
    }
}

impl<S: Source, E: EventTime<S::Item>> StageHead for SourceHead<S, E> {
    fn describe(&self, _space: KeySpace, shape: &mut JobShape) -> Result<()> {
        shape.sources.insert(self.name.clone());
        shape.tables.insert(table_name(&self.name));
        Ok(())
    }

    fn check(&self, restored: &RestoreSource, tasks: u16) -> Result<()> {
        self.looked.set(None);
        let finished =
            remembered_if_intact(&self.name, restored).map_err(|error| self.place(error))?;
        let (is_whole, before) = (finished.is_some(), finished.unwrap_or_default());
        let planned = self.plan(restored, before.clone(), tasks)?;
        let from = restored.manifest.clone();
        self.looked.set(is_whole.then_some(Going { from, tasks, before, planned }));
        Ok(())
    }

    fn inputs(&self) -> Vec<usize> {
        Vec::new()
    }

    fn not_replayable(&self) -> Option<&str> {
        (self.source.replay() == Replay::Impossible).then_some(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use steadfast_core::id::{CheckpointId, ClaimId, Generation, Lineage};

    use super::*;

    fn going(from: Option<&Manifest>) -> Option<Going<u64>> {
        let planned = Planned::new(Vec::new());
        Some(Going { from: from.cloned(), tasks: 2, before: Vec::new(), planned })
    }

    #[test]
    fn a_plan_counts_once_and_only_for_the_checkpoint_that_it_goes_on_from() {
        let claim = ClaimId { generation: Generation(1), nonce: 1 };
        let empty = Manifest::empty("job", Lineage(1), claim, Generation(1));
        let one = Manifest { checkpoint: CheckpointId(2), ..empty.clone() };
        let other = Manifest { checkpoint: CheckpointId(3), ..empty };
        let looked = Looked::none();
        assert!(looked.take(None, 2).is_none());
        for from in [None, Some(&one)] {
            looked.set(going(from));
            assert!(looked.take(from, 2).is_some());
            assert!(looked.take(from, 2).is_none(), "it was used");
        }
        let others = [(None, 2), (Some(&other), 2), (Some(&one), 3)];
        for (from, tasks) in others {
            looked.set(going(Some(&one)));
            assert!(looked.take(from, tasks).is_none());
            assert!(looked.take(Some(&one), 2).is_none(), "it is out of date");
        }
    }
}
