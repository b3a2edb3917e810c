//! Whoever asks while others count is woken, or is told that it need not wait.

use std::sync::Arc;
use std::task::Waker;

use steadfast_core::sync::Sleeper;

use super::RecordCount;

#[test]
fn nobody_is_missed_who_asks_while_two_count() {
    loom::model(|| {
        let sleeper = Arc::new(Sleeper::default());
        let count = Arc::new(RecordCount::new(Waker::from(Arc::clone(&sleeper))));
        let threads = [1, 2].map(|records| {
            let count = Arc::clone(&count);
            loom::thread::spawn(move || {
                count.add(records);
            })
        });
        if !count.wake_at(Some(3)) {
            sleeper.sleep();
            assert!(count.read() >= 3, "it was woken too early");
        }
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}
