//! A machine is stepped again after whatever comes for it, also while it looks.

use std::sync::Arc;
use std::task::Waker;

use steadfast_core::sync::{Mutex, Sleeper};

use super::Alarm;

/// Drives one machine as an executor of threads does: it is stepped when its alarm has rung, and the
/// thread sleeps when none has.
fn drive(alarm: &Arc<Alarm>, mut step: impl FnMut() -> bool) {
    let sleeper = Arc::new(Sleeper::default());
    alarm.wakes(&Waker::from(Arc::clone(&sleeper)));
    loop {
        alarm.clear();
        if step() {
            return;
        }
        while !alarm.has_rung() {
            sleeper.sleep();
        }
    }
}

#[test]
fn what_two_threads_bring_is_seen() {
    // All of them are a million; with so many preemptions nothing that two threads can do is left out.
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(|| {
        let alarm = Arc::new(Alarm::default());
        let brought = Arc::new(Mutex::new(0));
        let threads = [1, 1].map(|number| {
            let (waker, brought) = (alarm.waker(), Arc::clone(&brought));
            loom::thread::spawn(move || {
                *brought.lock().unwrap() += number;
                waker.wake();
            })
        });
        drive(&alarm, || *brought.lock().unwrap() == 2);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}
