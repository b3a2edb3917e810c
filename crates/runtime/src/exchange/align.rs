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
pub(crate) enum Input<T> {
    /// Records from one of the channels.
    Batch(Batch<T>),
    /// The watermark has moved on, or counts again after [`Input::Idle`].
    Watermark(Timestamp),
    /// Nothing is expected for now.
    Idle,
    /// Every channel has delivered this barrier; aligning took so long.
    Barrier(Barrier, Duration),
}

/// See the module.
pub(crate) struct InputGate<T> {
    channels: Vec<Channel<T>>,
    /// Whether a channel is left alone between its barrier and the last one.
    blocks: bool,
    /// Where the last batch came from.
    cursor: usize,
    /// Which is looked at first: whatever else they hold, each is to bring one batch in its turn. Otherwise
    /// one whose watermarks hold the others back, and which is behind, would be read the least.
    first: usize,
    watermark: Timestamp,
    is_idle: bool,
    /// Whether it has still to be said that it is.
    says_idle: bool,
    /// Whether the watermark from which it goes on has still to be said: others behind it may know less.
    is_untold: bool,
    barrier: Option<(Barrier, Duration)>,
}

struct Channel<T> {
    receiver: Receiver<T>,
    watermark: Timestamp,
    is_idle: bool,
    has_barrier: bool,
}

impl<T> InputGate<T> {
    /// An input gate over `receivers` that goes on from `watermark`. With `blocks`, barriers are aligned.
    pub(crate) fn new(receivers: Vec<Receiver<T>>, blocks: bool, watermark: Timestamp) -> Self {
        let channel = |receiver| Channel {
            receiver,
            watermark: Timestamp::MIN,
            is_idle: false,
            has_barrier: false,
        };
        let channels = receivers.into_iter().map(channel).collect();
        let (cursor, first, is_idle, says_idle) = (0, 0, false, false);
        let (barrier, is_untold) = (None, watermark > Timestamp::MIN);
        InputGate {
            channels,
            blocks,
            cursor,
            first,
            watermark,
            is_idle,
            says_idle,
            is_untold,
            barrier,
        }
    }

    /// No record older than this will come, unless it is late.
    pub(crate) fn watermark(&self) -> Timestamp {
        self.watermark
    }

    /// Gives an emptied batch back to the channel that the last input came from.
    pub(crate) fn give_back(&mut self, batch: Batch<T>) {
        self.channels[self.cursor].receiver.give_back(batch);
    }

    /// The next input, if any channel that may be read has one.
    pub(crate) fn next(&mut self, now: Duration) -> Option<Input<T>> {
        if std::mem::take(&mut self.says_idle) {
            return Some(Input::Idle);
        }
        for _ in 0..self.channels.len() {
            let number = self.first;
            let mut channel = &mut self.channels[number];
            if channel.has_barrier && self.blocks {
                self.pass_over(number);
                continue;
            }
            // What yields nothing does not end the look at a channel: a task that is told that there
            // is no input goes to sleep.
            while let Some(message) = channel.receiver.take() {
                match message {
                    Message::Batch(batch) => {
                        self.cursor = number;
                        self.pass_over(number);
                        return Some(Input::Batch(batch));
                    }
                    Message::Watermark(at) => {
                        channel.watermark = channel.watermark.max(at);
                        channel.is_idle = false;
                        if let Some(input) = self.follow_watermarks() {
                            return Some(input);
                        }
                    }
                    Message::Idle => {
                        channel.is_idle = true;
                        if let Some(input) = self.follow_watermarks() {
                            return Some(input);
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
                channel = &mut self.channels[number];
            }
            self.pass_over(number);
        }
        None
    }

    /// Looks at the next channel first.
    fn pass_over(&mut self, number: usize) {
        self.first = (number + 1) % self.channels.len();
    }

    /// Says what has become of the watermark: the least of the channels that are not idle. Where all are,
    /// each has held the others back no longer than it has read, in whatever order they became so: it is
    /// the greatest.
    fn follow_watermarks(&mut self) -> Option<Input<T>> {
        let active = self.channels.iter().filter(|channel| !channel.is_idle);
        let least = active.map(|channel| channel.watermark).min();
        let was_idle = std::mem::replace(&mut self.is_idle, least.is_none());
        let greatest = || self.channels.iter().map(|channel| channel.watermark).max();
        let at = least.or_else(greatest).unwrap_or(Timestamp::MIN);
        let begins = self.is_idle && !was_idle;
        if at > self.watermark || std::mem::take(&mut self.is_untold) {
            self.watermark = at.max(self.watermark);
            self.is_untold = false;
            self.says_idle = begins;
            return Some(Input::Watermark(self.watermark));
        }
        if begins {
            return Some(Input::Idle);
        }
        (was_idle && !self.is_idle).then_some(Input::Watermark(self.watermark))
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
        (senders, InputGate::new(receivers, blocks, Timestamp::MIN))
    }

    fn batch(n: u32) -> Message<u32> {
        Message::Batch(Batch::from(vec![n]))
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
                Input::Idle => "idle".to_string(),
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

    /// What comes behind it may have no state, and so know nothing.
    #[test]
    fn a_watermark_that_was_restored_is_said_once() {
        let (sender, receiver) = channel::<u32>(16);
        let mut gate = InputGate::new(vec![receiver], true, Timestamp(50));
        sender.send(Message::Watermark(Timestamp(40)));
        assert_eq!(drain(&mut gate), ["w50"]);
        sender.send(Message::Watermark(Timestamp(45)));
        assert!(drain(&mut gate).is_empty());
        sender.send(Message::Watermark(Timestamp(60)));
        sender.send(Message::Idle);
        assert_eq!(drain(&mut gate), ["w60", "idle"]);
    }

    #[test]
    fn a_channel_that_holds_the_watermark_back_is_read_as_often_as_others() {
        let (senders, mut gate) = gate(2, true);
        for n in 0..4 {
            senders[0].send(Message::Watermark(Timestamp(n)));
            senders[0].send(batch(0));
            senders[1].send(Message::Watermark(Timestamp(100)));
            senders[1].send(batch(1));
        }
        let seen = drain(&mut gate);
        let batches: Vec<_> = seen.iter().filter(|seen| seen.starts_with('[')).collect();
        assert_eq!(batches, ["[0]", "[1]"].repeat(4).iter().collect::<Vec<_>>(), "{seen:?}");
    }

    #[test]
    fn an_idle_channel_holds_nobody_back_until_it_speaks_again() {
        let (senders, mut gate) = gate(2, true);
        senders[0].send(Message::Watermark(Timestamp(5)));
        senders[1].send(Message::Watermark(Timestamp(9)));
        assert_eq!(drain(&mut gate), ["w5"]);
        senders[0].send(Message::Idle);
        assert_eq!(drain(&mut gate), ["w9"]);
        senders[0].send(Message::Watermark(Timestamp(7)));
        assert!(drain(&mut gate).is_empty());
        senders[1].send(Message::Watermark(Timestamp(20)));
        assert!(drain(&mut gate).is_empty());
        senders[0].send(Message::Watermark(Timestamp(12)));
        assert_eq!(drain(&mut gate), ["w12"]);
    }

    #[test]
    fn where_all_are_idle_it_does_not_matter_who_was_first() {
        for first in [0, 1] {
            let (senders, mut gate) = gate(2, true);
            senders[0].send(Message::Watermark(Timestamp(5)));
            senders[1].send(Message::Watermark(Timestamp(9)));
            drain(&mut gate);
            senders[first].send(Message::Idle);
            drain(&mut gate);
            senders[1 - first].send(Message::Idle);
            assert_eq!(drain(&mut gate).last().map(String::as_str), Some("idle"));
            assert_eq!(gate.watermark(), Timestamp(9));
            // It counts again, though it has not moved on.
            senders[0].send(Message::Watermark(Timestamp(5)));
            assert_eq!(drain(&mut gate), ["w9"]);
        }
    }
}
