//! Messages come in order, and neither side sleeps while the other has something for it.

use std::sync::Arc;
use std::task::Waker;

use steadfast_core::message::{Batch, Message};
use steadfast_core::sync::Sleeper;
use steadfast_core::time::Timestamp;

use super::channel;

fn messages(capacity: usize, count: i64) {
    // All of them take hours.
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(5);
    model.check(move || {
        let (sender, receiver) = channel::<i64>(capacity);
        let reads = Arc::new(Sleeper::default());
        receiver.wakes(&Waker::from(Arc::clone(&reads)));
        let sending = loom::thread::spawn(move || {
            let writes = Arc::new(Sleeper::default());
            sender.wakes(&Waker::from(Arc::clone(&writes)));
            for number in 0..count {
                let batch = Message::Batch(Batch::from(vec![number]));
                while !sender.has_room(&batch) {
                    writes.sleep();
                }
                sender.send(batch);
            }
            sender.send(Message::Watermark(Timestamp(count)));
        });
        let next = || loop {
            match receiver.take() {
                Some(message) => break message,
                None => reads.sleep(),
            }
        };
        for number in 0..count {
            assert!(matches!(next(), Message::Batch(batch) if batch.items == [number]));
        }
        assert!(matches!(next(), Message::Watermark(at) if at == Timestamp(count)));
        sending.join().unwrap();
        assert!(receiver.take().is_none());
    });
}

#[test]
fn a_channel_for_one_batch_wakes_both_sides() {
    messages(1, 2);
}

#[test]
fn a_channel_for_two_batches_wakes_both_sides() {
    messages(2, 3);
}
