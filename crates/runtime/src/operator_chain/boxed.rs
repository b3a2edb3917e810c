//! A stage up to some operator whose type is forgotten, so that a function can return it and a struct hold it.
//!
//! The compiler does not see beyond it. So records are collected in front of it and cross it in batches, in
//! their order, before anything is said about them: one dynamic call for each batch, none for each record.

use std::sync::Arc;

use steadfast_core::Result;
use steadfast_core::budget::Reservation;
use steadfast_core::message::{Barrier, Batch};
use steadfast_core::time::Timestamp;

use super::{OperatorChain, StageHead};
use crate::collector::{Collector, FlushStatus, StageOutput, Staged};
use crate::context::{MadeTask, StageContext, TaskContext};

/// So many records cross at once, or fewer where a batch ends: also wide ones still lie in the processor's nearest cache then.
const AT_ONCE: usize = 256;

/// A stage up to some operator, of which only the type of its records is known.
pub struct Boxed<T>(Box<dyn AnyChain<T>>);

impl<T: Send + 'static> Boxed<T> {
    /// Forgets the type of `chain`.
    pub fn new(chain: impl OperatorChain<Out = T>) -> Self {
        Boxed(Box::new(chain))
    }
}

type MakeNext<'a, T> = dyn FnMut(&TaskContext) -> Result<Box<dyn Collector<T>>> + 'a;

/// An operator chain without types in its methods.
trait AnyChain<T>: Send + Sync {
    fn tasks(&self, stage: &StageContext<'_>, next: &mut MakeNext<'_, T>) -> Result<Vec<MadeTask>>;

    fn head(&self) -> &dyn StageHead;
}

impl<P: OperatorChain> AnyChain<P::Out> for P {
    fn tasks(
        &self,
        stage: &StageContext<'_>,
        next: &mut MakeNext<'_, P::Out>,
    ) -> Result<Vec<MadeTask>> {
        let border = |task: &TaskContext| Ok(Border { batch: Batch::new(), next: next(task)? });
        OperatorChain::tasks(self, stage, border)
    }

    fn head(&self) -> &dyn StageHead {
        OperatorChain::head(self)
    }
}

impl<T: Send + 'static> OperatorChain for Boxed<T> {
    type Out = T;

    fn tasks<C: Collector<T> + 'static>(
        &self,
        stage: &StageContext<'_>,
        mut next: impl FnMut(&TaskContext) -> Result<C>,
    ) -> Result<Vec<MadeTask>> {
        self.0.tasks(stage, &mut |task| Ok(Box::new(next(task)?)))
    }

    fn head(&self) -> &dyn StageHead {
        self.0.head()
    }
}

/// Collects what crosses.
struct Border<T> {
    batch: Batch<T>,
    next: Box<dyn Collector<T>>,
}

impl<T: Send> Border<T> {
    fn cross(&mut self) -> Result<()> {
        if self.batch.is_empty() {
            return Ok(());
        }
        self.next.push_all(&mut self.batch)
    }
}

impl<T: Send> Collector<T> for Border<T> {
    #[inline]
    fn push(&mut self, item: T, at: Timestamp) -> Result<()> {
        self.batch.push(item, at);
        if self.batch.items.len() < AT_ONCE { Ok(()) } else { self.cross() }
    }

    fn push_all(&mut self, batch: &mut Batch<T>) -> Result<()> {
        self.cross()?;
        self.next.push_all(batch)
    }

    fn stage_output(&mut self) -> &mut dyn StageOutput {
        self
    }
}

/// What has been collected crosses before whatever is said about it.
impl<T: Send> StageOutput for Border<T> {
    fn hold(&mut self, reservation: Option<&Arc<Reservation>>) {
        self.next.stage_output().hold(reservation);
    }

    fn flush(&mut self) -> Result<()> {
        self.cross()?;
        self.next.stage_output().flush()
    }

    fn watermark(&mut self, at: Timestamp) -> Result<()> {
        self.cross()?;
        self.next.stage_output().watermark(at)
    }

    fn idle(&mut self) -> Result<()> {
        self.cross()?;
        self.next.stage_output().idle()
    }

    fn barrier(&mut self, barrier: Barrier) -> Result<()> {
        self.cross()?;
        self.next.stage_output().barrier(barrier)
    }

    fn drain(&mut self) -> FlushStatus {
        self.next.stage_output().drain()
    }

    fn staged(&mut self, min_bytes: usize) -> Vec<Staged> {
        self.next.stage_output().staged(min_bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use steadfast_core::id::CheckpointId;
    use steadfast_core::message::BarrierKind;

    use super::*;

    /// Notes what it is told, in order.
    #[derive(Default)]
    struct Noting(Arc<Mutex<Vec<String>>>);

    impl Noting {
        fn note(&self, what: impl Into<String>) -> Result<()> {
            self.0.lock().unwrap().push(what.into());
            Ok(())
        }
    }

    impl Collector<usize> for Noting {
        fn push(&mut self, _item: usize, _at: Timestamp) -> Result<()> {
            self.note("a call for one record")
        }

        fn push_all(&mut self, batch: &mut Batch<usize>) -> Result<()> {
            let times: Vec<_> = batch.times().iter().map(|at| at.0).collect();
            let records: Vec<_> = batch.drain().map(|(item, _)| item).collect();
            let (first, last) = (records.first().unwrap(), records.last().unwrap());
            self.note(format!("{first} to {last} at {} to {}", times[0], times[times.len() - 1]))
        }

        fn stage_output(&mut self) -> &mut dyn StageOutput {
            self
        }
    }

    impl StageOutput for Noting {
        fn hold(&mut self, _reservation: Option<&Arc<Reservation>>) {}

        fn flush(&mut self) -> Result<()> {
            self.note("flush")
        }

        fn watermark(&mut self, _at: Timestamp) -> Result<()> {
            self.note("watermark")
        }

        fn idle(&mut self) -> Result<()> {
            self.note("idle")
        }

        fn barrier(&mut self, _barrier: Barrier) -> Result<()> {
            self.note("barrier")
        }

        fn drain(&mut self) -> FlushStatus {
            FlushStatus::All
        }

        fn staged(&mut self, _min_bytes: usize) -> Vec<Staged> {
            Vec::new()
        }
    }

    /// A record behind a watermark would be late, behind a barrier in the wrong epoch.
    #[test]
    fn records_cross_in_batches_and_before_what_is_said_about_them() {
        let notes = Arc::<Mutex<Vec<String>>>::default();
        let mut border = Border { batch: Batch::new(), next: Box::new(Noting(Arc::clone(&notes))) };
        let mut next = 0;
        let mut push = |border: &mut Border<usize>, count| {
            for _ in 0..count {
                border.push(next, Timestamp(next as i64)).unwrap();
                next += 1;
            }
        };
        push(&mut border, AT_ONCE + 1);
        border.watermark(Timestamp(5)).unwrap();
        push(&mut border, 1);
        border.idle().unwrap();
        push(&mut border, 1);
        let (checkpoint, injected) = (CheckpointId(7), Timestamp(0));
        border.barrier(Barrier { checkpoint, kind: BarrierKind::Regular, injected }).unwrap();
        push(&mut border, 1);
        let mut batch = Batch::new();
        batch.push(9000, Timestamp(9000));
        border.push_all(&mut batch).unwrap();
        push(&mut border, 1);
        border.flush().unwrap();
        let expected = [
            "0 to 255 at 0 to 255",
            "256 to 256 at 256 to 256",
            "watermark",
            "257 to 257 at 257 to 257",
            "idle",
            "258 to 258 at 258 to 258",
            "barrier",
            "259 to 259 at 259 to 259",
            "9000 to 9000 at 9000 to 9000",
            "260 to 260 at 260 to 260",
            "flush",
        ];
        assert_eq!(*notes.lock().unwrap(), expected);
    }
}
