//! Messages come in order, and neither side sleeps while the other has something for it.

use std::sync::Arc;
use std::task::Waker;

use steadfast_core::message::Message;
use steadfast_core::sync::Sleeper;
use steadfast_core::time::Timestamp;

use super::channel;

fn messages(capacity: usize, count: i64) {
    loom::model(move || {
        let (sender, receiver) = channel::<u32>(capacity);
        let reads = Arc::new(Sleeper::default());
        receiver.wakes(&Waker::from(Arc::clone(&reads)));
        let sending = loom::thread::spawn(move || {
            let writes = Arc::new(Sleeper::default());
            sender.wakes(&Waker::from(Arc::clone(&writes)));
            for number in 0..count {
                while !sender.has_room() {
                    writes.sleep();
                }
                sender.send(Message::Watermark(Timestamp(number)));
            }
        });
        for number in 0..count {
            let message = loop {
                match receiver.take() {
                    Some(message) => break message,
                    None => reads.sleep(),
                }
            };
            assert!(matches!(message, Message::Watermark(at) if at == Timestamp(number)));
        }
        sending.join().unwrap();
        assert!(receiver.take().is_none());
    });
}

#[test]
fn a_channel_for_one_message_wakes_both_sides() {
    messages(1, 2);
}

#[test]
fn a_channel_for_two_messages_wakes_both_sides() {
    messages(2, 3);
}
