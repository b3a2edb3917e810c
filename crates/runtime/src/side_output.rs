//! An operator with two ways out: its results go on in the stage, the rest leaves through outputs of its own.
//!
//! It knows nothing of what is behind either.

use std::marker::PhantomData;
use std::sync::Arc;

use steadfast_core::Result;
use steadfast_core::budget::Reservation;
use steadfast_core::message::{Barrier, Batch};
use steadfast_core::time::Timestamp;

use crate::collector::{Collector, FlushStatus, StageOutput, Staged};
use crate::context::{MadeTask, StageContext, TaskContext};
use crate::exchange::output_collector::OutputCollector;
use crate::operator_chain::{OperatorChain, StageHead};
use crate::operators::Sided;

/// Makes the side output of each task.
pub(crate) type MakeSide<B> = Box<dyn Fn(&TaskContext) -> Result<OutputCollector<B>> + Send + Sync>;

/// Results go on; the rest leaves.
pub struct WithSide<P, B> {
    upstream: P,
    make: Arc<MakeSide<B>>,
}

impl<P, B> WithSide<P, B> {
    /// What leaves goes to what `make` makes.
    pub fn new(upstream: P, make: MakeSide<B>) -> Self {
        WithSide { upstream, make: Arc::new(make) }
    }
}

impl<P, A, B> OperatorChain for WithSide<P, B>
where
    P: OperatorChain<Out = Sided<A, B>>,
    A: Send + 'static,
    B: Send + 'static,
{
    type Out = A;

    fn tasks<C: Collector<A> + 'static>(
        &self,
        stage: &StageContext<'_>,
        mut next: impl FnMut(&TaskContext) -> Result<C>,
    ) -> Result<Vec<MadeTask>> {
        self.upstream.tasks(stage, |task| {
            let (main, side, results) = (next(task)?, (self.make)(task)?, PhantomData);
            Ok(SidePush { main, side, results })
        })
    }

    fn head(&self) -> &dyn StageHead {
        self.upstream.head()
    }
}

struct SidePush<C, A, B> {
    main: C,
    side: OutputCollector<B>,
    results: PhantomData<fn(A)>,
}

impl<A: Send, B: Send, C: Collector<A>> Collector<Sided<A, B>> for SidePush<C, A, B> {
    #[inline]
    fn push(&mut self, item: Sided<A, B>, at: Timestamp) -> Result<()> {
        match item {
            Sided::Main(item) => self.main.push(item, at),
            Sided::Side(item) => self.side.push(item, at),
        }
    }

    fn push_all(&mut self, batch: &mut Batch<Sided<A, B>>) -> Result<()> {
        batch.drain().try_for_each(|(item, at)| self.push(item, at))
    }

    fn stage_output(&mut self) -> &mut dyn StageOutput {
        self
    }
}

/// Both ends of the stage as one.
impl<A: Send, B: Send, C: Collector<A>> StageOutput for SidePush<C, A, B> {
    fn hold(&mut self, reservation: Option<&Arc<Reservation>>) {
        self.main.stage_output().hold(reservation);
        self.side.hold(reservation);
    }

    fn flush(&mut self) -> Result<()> {
        self.main.stage_output().flush()?;
        self.side.flush()
    }

    fn watermark(&mut self, at: Timestamp) -> Result<()> {
        self.main.stage_output().watermark(at)?;
        self.side.watermark(at)
    }

    fn idle(&mut self) -> Result<()> {
        self.main.stage_output().idle()?;
        self.side.idle()
    }

    fn barrier(&mut self, barrier: Barrier) -> Result<()> {
        self.main.stage_output().barrier(barrier)?;
        self.side.barrier(barrier)
    }

    fn drain(&mut self) -> FlushStatus {
        self.main.stage_output().drain().and(self.side.drain())
    }

    fn staged(&mut self, min_bytes: usize) -> Vec<Staged> {
        let mut staged = self.main.stage_output().staged(min_bytes);
        staged.append(&mut self.side.staged(min_bytes));
        staged
    }
}

#[cfg(test)]
mod tests {
    use steadfast_core::sink::SinkWriter;

    use super::*;
    use crate::exchange::output::SinkOutput;
    use crate::user_code::OperatorId;

    /// Stages each number as a byte.
    #[derive(Default)]
    struct Bytes(Vec<u8>);

    impl SinkWriter for Bytes {
        type Item = u8;

        fn write(&mut self, items: &mut Vec<u8>) -> Result<()> {
            self.0.append(items);
            Ok(())
        }

        fn staged_bytes(&self) -> usize {
            self.0.len()
        }

        fn take_staged(&mut self) -> Vec<u8> {
            std::mem::take(&mut self.0)
        }
    }

    fn into(sink: &str) -> OutputCollector<u8> {
        OutputCollector::new(
            vec![Box::new(SinkOutput::new(OperatorId::sink(sink).outside(), Bytes::default()))],
            None,
        )
    }

    /// It would be lost with the epoch.
    #[test]
    fn what_is_staged_behind_the_side_is_handed_over_with_the_results() {
        let mut both = SidePush { main: into("results"), side: into("side"), results: PhantomData };
        let records = [Sided::Main(1), Sided::Side(2), Sided::Side(3)];
        both.push_all(&mut Batch::from(records.to_vec())).unwrap();
        both.flush().unwrap();
        let mut staged = |least| {
            let staged = both.staged(least).into_iter();
            staged.map(|staged| (staged.sink, staged.bytes)).collect::<Vec<_>>()
        };
        assert_eq!(staged(2), [("side".to_string(), vec![2, 3])]);
        let rest = [("results".to_string(), vec![1]), ("side".to_string(), vec![])];
        assert_eq!(staged(0), rest);
    }
}
