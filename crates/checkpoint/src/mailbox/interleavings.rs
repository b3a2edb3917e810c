//! Every message is taken, in the order of its sender, and nobody sleeps beside one.

use std::sync::Arc;
use std::task::Waker;

use steadfast_core::sync::Sleeper;

use super::Mailbox;

#[test]
fn what_two_senders_put_in_is_taken_out() {
    loom::model(|| {
        let sleeper = Arc::new(Sleeper::default());
        let mailbox = Mailbox::new(Waker::from(Arc::clone(&sleeper)));
        let threads = [10, 20].map(|first| {
            let mailbox = mailbox.clone();
            loom::thread::spawn(move || mailbox.send(first))
        });
        let mut taken = Vec::new();
        while taken.len() < 2 {
            match mailbox.take() {
                Some(message) => taken.push(message),
                None => sleeper.sleep(),
            }
        }
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        taken.sort_unstable();
        assert_eq!(taken, [10, 20]);
    });
}
