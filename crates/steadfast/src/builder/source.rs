//! What is said of a source: when its records happened, and what becomes of input that is no record.

use std::sync::Arc;
use std::time::Duration;

use steadfast_core::sink::Sink;
use steadfast_core::source::{BadRecord, Source};
use steadfast_core::time::Timestamp;
use steadfast_runtime::event_time::{EventTime, TimeOptions, TimedBy, Untimed};
use steadfast_runtime::exchange::output::SinkOutput;
use steadfast_runtime::plan::{EdgeKind, OperatorName};
use steadfast_runtime::task::SourceHead;
use steadfast_runtime::user_code::OperatorId;

use super::stage;
use super::stream::Stream;

/// What a sink of dead letters is called where a plan is shown.
pub(crate) const DEAD_LETTERS: &str = "dead letters";

impl<S: Source> Stream<SourceHead<S, Untimed>> {
    /// Says when each record happened, and how far a record may be behind the latest one before it in its
    /// split (its file or partition): its disorder. Times are milliseconds: see [`Timestamp`]. All that works with event time rests on this.
    ///
    /// If every split keeps what is declared, nothing is late, and results do not depend on how the input
    /// is divided, on the number of tasks, on checkpoints or on crashes. A record that is more than a day
    /// ahead of all others is doubted until ten such have come in a row: see [`Stream::jumps`].
    pub fn event_time<F>(self, disorder: Duration, f: F) -> Stream<SourceHead<S, TimedBy<F>>>
    where
        F: Fn(&S::Item) -> Timestamp + Send + Sync + 'static,
    {
        let Stream { plan, chain, last, stage, next_name, is_source, .. } = self;
        let chain = chain.timed(TimedBy(f), TimeOptions::new(disorder));
        Stream { plan, chain, last, stage, next_name, is_source, is_timed: true }
    }
}

impl<S: Source, F> Stream<SourceHead<S, TimedBy<F>>> {
    /// Says from where on a record is so far ahead of all others that it is doubted, and how many such
    /// records in a row confirm each other. Doubted records are processed as all others are; they do not
    /// move the watermark. The limit is longer than zero, and there is at least one confirmation.
    pub fn jumps(mut self, limit: Duration, confirmations: u32) -> Self {
        if limit.is_zero() || confirmations == 0 {
            self.refuse(
                "jumps() takes a limit longer than zero and at least one confirmation; for a limit that no \
                 record is beyond, write Duration::MAX",
            );
        }
        let time = self.chain.time();
        (time.jump, time.confirmations) = (limit, confirmations);
        self
    }

    /// Says for how long a split of a source without end may have nothing, before it holds the watermark
    /// back no more: longer than zero. What comes from it after that may be late.
    pub fn idle_after(mut self, duration: Duration) -> Self {
        if duration.is_zero() {
            self.refuse(
                "idle_after() takes a time longer than zero: no split would hold anything back",
            );
        }
        self.chain.time().idle_after = Some(duration);
        self
    }

    /// Says how far one split may be ahead of the others in event time before it waits for them: so that
    /// no more than that has to be kept.
    pub fn align_within(mut self, duration: Duration) -> Self {
        self.chain.time().drift = Some(duration);
        self
    }

    /// The problem is told when the job is run.
    fn refuse(&self, problem: &str) {
        let problem = format!("source '{}': {problem}", self.stage);
        self.plan.edit(|plan| plan.refuse(problem));
    }
}

impl<S: Source, E: EventTime<S::Item>> Stream<SourceHead<S, E>> {
    /// Says what the source was called before, so that it finds its positions again.
    pub fn source_formerly(self, name: impl Into<String>) -> Self {
        self.plan.edit(|plan| plan.rename(name, self.stage.clone()));
        self
    }

    /// Counts bad input and goes on; without this, the job ends with an error that names it.
    pub fn skip_bad_input(mut self) -> Self {
        self.chain.skip_bad_input();
        self
    }

    /// Writes bad input to a sink and goes on. The dead letters commit with the checkpoints, as
    /// all output does.
    #[track_caller]
    pub fn dead_letters<D: Sink<Item = BadRecord>>(
        mut self,
        name: impl Into<String>,
        sink: D,
    ) -> Self {
        let (chosen, detail) = (OperatorName::chosen(name), sink.describe());
        let inputs = vec![(self.last.0.clone(), EdgeKind::Fused)];
        let name = self.plan.add_operator(chosen, DEAD_LETTERS, detail, inputs);
        let place = format!("sink '{name}': {}", sink.describe());
        let sink = Arc::new(sink);
        stage::add_target(&self.plan, &name, &sink);
        let operator = OperatorId::sink(name);
        self.chain.dead_letters(
            place,
            Arc::new(move |task| {
                Ok(Box::new(SinkOutput::new(task.label(&operator), sink.writer()?)))
            }),
        );
        self
    }
}
