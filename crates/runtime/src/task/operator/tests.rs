//! What a task in the middle of a job says to the next stage.

use std::task::Waker;

use steadfast_checkpoint::limits::Limits;
use steadfast_core::id::CheckpointId;
use steadfast_core::message::Message;
use steadfast_core::state::StateTable;

use super::super::scene::{Said, Scene};
use super::*;
use crate::operators::PassThrough;

/// Says something at each watermark, in two steps.
struct Speaks(u32);

impl Operator<u32> for Speaks {
    type Out = u32;

    fn on_batch(&mut self, _: Moment, batch: &mut Batch<u32>, _: &mut Batch<u32>) -> Result<()> {
        batch.clear();
        Ok(())
    }

    fn on_watermark(&mut self, _at: Moment, out: &mut Batch<u32>) -> Result<Emission> {
        self.0 += 1;
        out.push(self.0, Timestamp::UNTIMED);
        Ok(if self.0.is_multiple_of(2) { Emission::Complete } else { Emission::More })
    }

    fn tables(&mut self, _visit: &mut dyn FnMut(&mut dyn StateTable)) {}
}

/// Results of windows would be late for the windows behind them.
#[test]
fn what_is_said_at_a_watermark_goes_before_it_however_many_steps_it_takes() {
    let edge = Edge::new(1, true);
    edge.open(1, 100);
    let input = edge.senders(0, Waker::noop()).unwrap().remove(0);
    let head =
        OperatorHead::new(OperatorId::new("speaks", "process"), vec![edge], |_, _| Speaks(0));
    let mut task = Scene::new(Limits::default(), 1).tasks(&head, 1).remove(0);
    // Of two that follow each other the channel keeps the last.
    input.send(Message::Watermark(Timestamp(5)));
    input.send(Message::Batch(Batch::from(vec![0])));
    input.send(Message::Watermark(Timestamp(6)));
    task.settle();
    let records = |number| Said::Records(vec![number]);
    let said = [records(1), records(2), Said::Watermark(5)];
    let more = [records(3), records(4), Said::Watermark(6)];
    assert_eq!(task.said(), [said, more].into_iter().flatten().collect::<Vec<_>>());
}

/// A stage behind it would wait for a watermark that does not come.
#[test]
fn that_nothing_is_expected_is_said_to_the_next_stage_too() {
    let edge = Edge::new(1, true);
    edge.open(1, 100);
    let input = edge.senders(0, Waker::noop()).unwrap().remove(0);
    let head =
        OperatorHead::new(OperatorId::new("passes", "process"), vec![edge], |_, _| PassThrough);
    let mut task = Scene::new(Limits::default(), 1).tasks(&head, 1).remove(0);
    for message in [
        Message::Batch(Batch::from(vec![1])),
        Message::Watermark(Timestamp(5)),
        Message::Idle,
        Message::Watermark(Timestamp(6)),
    ] {
        input.send(message);
    }
    task.settle();
    let said = [Said::Records(vec![1]), Said::Watermark(5), Said::Idle, Said::Watermark(6)];
    assert_eq!(task.said(), said);
}

/// Has more to say at the end of an epoch, and a timer that is due meanwhile.
#[derive(Default)]
struct Interrupted {
    said: u32,
    is_due: bool,
}

impl Operator<u32> for Interrupted {
    type Out = u32;

    fn on_batch(&mut self, _: Moment, batch: &mut Batch<u32>, _: &mut Batch<u32>) -> Result<()> {
        batch.clear();
        Ok(())
    }

    fn next_timer(&self) -> Option<Timestamp> {
        self.is_due.then_some(Timestamp(0))
    }

    fn on_timer(&mut self, _at: Moment, out: &mut Batch<u32>) -> Result<Emission> {
        self.is_due = false;
        out.push(100, Timestamp::UNTIMED);
        Ok(Emission::Complete)
    }

    fn on_epoch_end(&mut self, _at: Moment, out: &mut Batch<u32>) -> Result<Emission> {
        (self.said, self.is_due) = (self.said + 1, true);
        out.push(self.said, Timestamp::UNTIMED);
        Ok(if self.said == 3 { Emission::Complete } else { Emission::More })
    }

    fn tables(&mut self, _visit: &mut dyn FnMut(&mut dyn StateTable)) {}
}

/// The barrier would never come.
#[test]
fn a_timer_waits_until_everything_is_said_about_the_end_of_an_epoch() {
    let edge = Edge::new(1, true);
    edge.open(1, 100);
    let input = edge.senders(0, Waker::noop()).unwrap().remove(0);
    let head = OperatorHead::new(OperatorId::new("speaks", "process"), vec![edge], |_, _| {
        Interrupted::default()
    });
    let mut task = Scene::new(Limits::default(), 1).tasks(&head, 1).remove(0);
    let (checkpoint, kind) = (CheckpointId(1), BarrierKind::Regular);
    input.send(Message::Barrier(Barrier { checkpoint, kind, injected: Timestamp(0) }));
    task.settle();
    let records = |number| Said::Records(vec![number]);
    let said = [records(1), records(2), records(3), Said::Barrier, records(100)];
    assert_eq!(task.said(), said);
}

/// Results would wait for a checkpoint that is left out; and one that is taken is no reason for the next.
#[test]
fn what_an_operator_is_called_for_is_worth_a_checkpoint_and_a_barrier_is_not() {
    let edge = Edge::<u32>::new(1, true);
    edge.open(1, 100);
    let input = edge.senders(0, Waker::noop()).unwrap().remove(0);
    let head = OperatorHead::new(OperatorId::new("speaks", "process"), vec![edge], |_, _| {
        Interrupted::default()
    });
    let scene = Scene::new(Limits::default(), 1);
    let mut task = scene.tasks(&head, 1).remove(0);
    let mut happens = |message| {
        input.send(message);
        task.settle();
        scene.has_happened()
    };
    assert!(happens(Message::Batch(Batch::from(vec![1]))));
    assert!(happens(Message::Watermark(Timestamp(5))));
    assert!(happens(Message::Idle));
    // Its end of an epoch takes three steps, and then a timer is due.
    let (checkpoint, kind) = (CheckpointId(1), BarrierKind::Regular);
    let barrier = Barrier { checkpoint, kind, injected: Timestamp(0) };
    assert!(happens(Message::Barrier(barrier)));

    let edge = Edge::<u32>::new(1, true);
    edge.open(1, 100);
    let input = edge.senders(0, Waker::noop()).unwrap().remove(0);
    let head =
        OperatorHead::new(OperatorId::new("passes", "process"), vec![edge], |_, _| PassThrough);
    let scene = Scene::new(Limits::default(), 1);
    let mut task = scene.tasks(&head, 1).remove(0);
    input.send(Message::Barrier(barrier));
    task.settle();
    assert!(!scene.has_happened());
}

#[test]
fn a_task_goes_on_from_the_watermarks_of_those_whose_records_may_come_to_it() {
    let two = KeySpace { groups: 8, tasks: 2 };
    let mut restored = Watermarks::default();
    restored.set(two.groups_of(0), Timestamp(50));
    restored.set(two.groups_of(1), Timestamp(25));
    let from = |space, index, is_keyed, is_aligned| {
        goes_on_from(&restored, (space, index), is_keyed, is_aligned).map(|at| at.0)
    };
    for is_aligned in [true, false] {
        assert_eq!([0, 1].map(|task| from(two, task, true, is_aligned)), [Some(50), Some(25)]);
        assert_eq!([0, 1].map(|task| from(two, task, false, is_aligned)), [Some(25), Some(25)]);
    }
    // One task where there were two.
    let one = KeySpace { tasks: 1, ..two };
    assert_eq!([true, false].map(|aligned| from(one, 0, true, aligned)), [Some(50), Some(25)]);
}
