//! The input gate of a task: several channels become one input, with one barrier for each checkpoint.
//!
//! A channel whose barrier has come is not read until all have theirs: what follows the barrier
//! belongs to the next epoch (aligned checkpoints, Carbone et al., "Lightweight Asynchronous
//! Snapshots for Distributed Dataflows", <https://arxiv.org/abs/1506.08603>). A job that accepts
//! repetition reads on instead.
//!
//! It knows nothing of state or of where the channels come from.

use std::time::Duration;

use steadfast_core::message::{Barrier, Batch, Message};
use steadfast_core::time::Timestamp;

use super::channel::Receiver;

/// What an input gate yields.
pub enum Input<T> {
    /// Records from one of the channels.
    Batch(Batch<T>),
    /// The least watermark of all channels has moved on.
    Watermark(Timestamp),
    /// Every channel has delivered this barrier; aligning took so long.
    Barrier(Barrier, Duration),
}

/// See the module.
pub struct InputGate<T> {
    channels: Vec<Channel<T>>,
    /// Whether a channel is left alone between its barrier and the last one.
    blocks: bool,
    cursor: usize,
    watermark: Timestamp,
    barrier: Option<(Barrier, Duration)>,
}

struct Channel<T> {
    receiver: Receiver<T>,
    watermark: Timestamp,
    has_barrier: bool,
}

impl<T> InputGate<T> {
    /// An input gate over `receivers`. With `blocks`, barriers are aligned.
    pub fn new(receivers: Vec<Receiver<T>>, blocks: bool) -> Self {
        let channel =
            |receiver| Channel { receiver, watermark: Timestamp::MIN, has_barrier: false };
        let channels = receivers.into_iter().map(channel).collect();
        InputGate { channels, blocks, cursor: 0, watermark: Timestamp::MIN, barrier: None }
    }

    /// Gives an emptied batch back to the channel that the last input came from.
    pub fn give_back(&mut self, batch: Batch<T>) {
        self.channels[self.cursor].receiver.give_back(batch);
    }

    /// The next input, if any channel that may be read has one.
    pub fn next(&mut self, now: Duration) -> Option<Input<T>> {
        for _ in 0..self.channels.len() {
            self.cursor = (self.cursor + 1) % self.channels.len();
            let mut channel = &mut self.channels[self.cursor];
            if channel.has_barrier && self.blocks {
                continue;
            }
            // What yields nothing does not end the look at a channel: a task that is told that there
            // is no input goes to sleep.
            while let Some(message) = channel.receiver.take() {
                match message {
                    Message::Batch(batch) => return Some(Input::Batch(batch)),
                    Message::Watermark(at) => {
                        channel.watermark = channel.watermark.max(at);
                        let least = self.channels.iter().map(|channel| channel.watermark).min();
                        if let Some(least) = least.filter(|least| *least > self.watermark) {
                            self.watermark = least;
                            return Some(Input::Watermark(least));
                        }
                    }
                    Message::Barrier(barrier) => {
                        channel.has_barrier = true;
                        let since = self.barrier.get_or_insert((barrier, now)).1;
                        if self.channels.iter().all(|channel| channel.has_barrier) {
                            self.channels.iter_mut().for_each(|c| c.has_barrier = false);
                            self.barrier = None;
                            return Some(Input::Barrier(barrier, now.saturating_sub(since)));
                        }
                        if self.blocks {
                            break;
                        }
                    }
                }
                channel = &mut self.channels[self.cursor];
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use steadfast_core::id::CheckpointId;
    use steadfast_core::message::BarrierKind;

    use super::super::channel::{Sender, channel};
    use super::*;

    fn gate(n: usize, blocks: bool) -> (Vec<Sender<u32>>, InputGate<u32>) {
        let (senders, receivers) = (0..n).map(|_| channel(16)).unzip();
        (senders, InputGate::new(receivers, blocks))
    }

    fn batch(n: u32) -> Message<u32> {
        Message::Batch(Batch { items: vec![n], ..Batch::new() })
    }

    fn barrier() -> Barrier {
        let kind = BarrierKind::Regular;
        Barrier { checkpoint: CheckpointId(7), kind, injected: Timestamp(0) }
    }

    fn drain(gate: &mut InputGate<u32>) -> Vec<String> {
        let mut seen = vec![];
        while let Some(input) = gate.next(Duration::ZERO) {
            seen.push(match input {
                Input::Batch(batch) => format!("{:?}", batch.items),
                Input::Watermark(at) => format!("w{}", at.0),
                Input::Barrier(barrier, _) => format!("b{}", barrier.checkpoint),
            });
        }
        seen
    }

    #[test]
    fn nothing_behind_a_barrier_is_read_before_all_barriers_have_come() {
        let (senders, mut gate) = gate(2, true);
        senders[0].send(Message::Barrier(barrier()));
        senders[0].send(batch(2));
        senders[1].send(batch(1));
        assert_eq!(drain(&mut gate), ["[1]"]);
        senders[1].send(Message::Barrier(barrier()));
        assert_eq!(drain(&mut gate), ["b7", "[2]"]);
    }

    #[test]
    fn without_alignment_channels_are_read_on() {
        let (senders, mut gate) = gate(2, false);
        senders[0].send(Message::Barrier(barrier()));
        senders[0].send(batch(2));
        assert_eq!(drain(&mut gate), ["[2]"]);
        senders[1].send(Message::Barrier(barrier()));
        assert_eq!(drain(&mut gate), ["b7"]);
    }

    #[test]
    fn the_watermark_is_the_least_of_all_channels_and_never_goes_back() {
        let (senders, mut gate) = gate(2, true);
        senders[0].send(Message::Watermark(Timestamp(5)));
        assert!(drain(&mut gate).is_empty());
        senders[1].send(Message::Watermark(Timestamp(3)));
        assert_eq!(drain(&mut gate), ["w3"]);
        senders[1].send(Message::Watermark(Timestamp(9)));
        assert_eq!(drain(&mut gate), ["w5"]);
        senders[1].send(Message::Watermark(Timestamp(4)));
        assert!(drain(&mut gate).is_empty());
    }
}
