//! Whoever waits for room is woken, whatever comes between.

use std::sync::Arc;
use std::task::Waker;

use super::Budget;
use crate::sync::Sleeper;

/// Waits as a task does: it asks, and sleeps until it is woken.
fn wait_for_room(budget: &Arc<Budget>) {
    let sleeper = Arc::new(Sleeper::default());
    let waker = Waker::from(Arc::clone(&sleeper));
    while !budget.has_room(&waker) {
        sleeper.sleep();
    }
}

#[test]
fn room_that_two_threads_give_back_wakes_whoever_waits() {
    loom::model(|| {
        let budget = Arc::new(Budget::new(1));
        let (one, other) = (budget.reserve(1), budget.reserve(2));
        let threads = [one, other].map(|kept| loom::thread::spawn(move || drop(kept)));
        wait_for_room(&budget);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(budget.used(), 0);
    });
}

#[test]
fn two_who_wait_are_both_woken() {
    loom::model(|| {
        let budget = Arc::new(Budget::new(0));
        let kept = budget.reserve(1);
        let other = Arc::clone(&budget);
        let waiting = loom::thread::spawn(move || wait_for_room(&other));
        let giving = loom::thread::spawn(move || drop(kept));
        wait_for_room(&budget);
        waiting.join().unwrap();
        giving.join().unwrap();
    });
}
