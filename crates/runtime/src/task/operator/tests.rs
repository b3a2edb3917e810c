//! What a task in the middle of a job says to the next stage.

use std::task::Waker;

use steadfast_checkpoint::limits::Limits;
use steadfast_core::message::Message;

use super::super::scene::{Said, Scene};
use super::*;
use crate::operators::PassThrough;

/// A stage behind it would wait for a watermark that does not come.
#[test]
fn that_nothing_is_expected_is_said_to_the_next_stage_too() {
    let edge = Edge::new(1, true);
    edge.open(1, 100);
    let input = edge.senders(0, Waker::noop()).unwrap().remove(0);
    let head = OperatorHead::new("passes", vec![edge], |_, _| PassThrough);
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
