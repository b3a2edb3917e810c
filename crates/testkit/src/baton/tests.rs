//! What the baton promises.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

fn call(name: impl Into<String>) -> Call {
    Call::new(CallKind::StorePutData, name)
}

/// Three processes that each make `calls` calls, and count how many of them run between two calls.
fn counting(scheduler: impl Scheduler + 'static, calls: usize) -> (Run<usize>, usize) {
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut baton = Baton::new(scheduler);
    for name in ["a", "b", "c"] {
        let (running, most) = (Arc::clone(&running), Arc::clone(&most));
        baton.add(name, move |handle| {
            let mut done = 0;
            for number in 0..calls {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                std::thread::yield_now();
                running.fetch_sub(1, Ordering::SeqCst);
                done += usize::from(handle.call(call(format!("{name}{number}")), || ()).is_ok());
            }
            done
        });
    }
    let run = baton.run();
    (run, most.load(Ordering::SeqCst))
}

#[test]
fn exactly_one_runs_at_any_moment() {
    for seed in 0..20 {
        let (run, most) = counting(Seeded::new(seed, 2, 0), 50);
        assert_eq!(most, 1);
        assert_eq!(run.endings, vec![Ending::Returned(50); 3]);
        assert_eq!(run.trace.len(), 150);
        let switches = run.trace.windows(2).filter(|w| w[0].process != w[1].process).count();
        assert!(switches > 10, "{switches}");
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in 0..20 {
        let (first, again) =
            (counting(Seeded::new(seed, 3, 20), 30), counting(Seeded::new(seed, 3, 20), 30));
        assert_eq!(format!("{first:?}"), format!("{again:?}"));
    }
    let of = |seed| counting(Seeded::new(seed, 3, 20), 30).0;
    assert_ne!(of(0).trace, of(1).trace);
}

#[test]
fn a_dead_process_has_no_effect_any_more() {
    for (fate, effects) in [(Fate::DiesBefore, 1), (Fate::DiesAfter, 2)] {
        let effect = Arc::new(AtomicUsize::new(0));
        let turns = vec![(0, Fate::Effect), (0, fate), (1, Fate::Effect)];
        let mut baton = Baton::new(Following::new(turns));
        for name in ["dies", "goes on"] {
            let effect = Arc::clone(&effect);
            baton.add(name, move |handle| {
                let count = || {
                    effect.fetch_add(usize::from(handle.process() == 0), Ordering::SeqCst);
                };
                (0..5).map(|n| handle.call(call(n.to_string()), count).is_ok()).collect::<Vec<_>>()
            });
        }
        let run = baton.run();
        assert_eq!(effect.load(Ordering::SeqCst), effects);
        assert_eq!(run.trace.len(), 3);
        assert_eq!(run.died, [true, true]);
        let dead = Ending::Returned(vec![true, false, false, false, false]);
        assert_eq!(run.endings, [dead.clone(), dead]);
    }
}

#[test]
fn a_call_that_is_refused_or_whose_answer_is_lost_fails_and_the_process_goes_on() {
    let effect = Arc::new(AtomicUsize::new(0));
    let turns = vec![(0, Fate::Refused), (0, Fate::AnswerLost), (0, Fate::Effect)];
    let mut baton = Baton::new(Following::new(turns));
    let counted = Arc::clone(&effect);
    baton.add("goes on", move |handle| {
        [1, 10, 100].map(|n| handle.call(call("x"), || counted.fetch_add(n, Ordering::SeqCst)))
    });
    let run = baton.run();
    let answers = [Err(CallFailure::Refused), Err(CallFailure::AnswerLost), Ok(10)];
    assert_eq!(run.endings, [Ending::Returned(answers)]);
    assert_eq!((effect.load(Ordering::SeqCst), run.died), (110, vec![false]));
}

#[test]
fn a_panic_is_reported_and_the_others_go_on() {
    let mut baton = Baton::new(Seeded::new(1, 2, 0));
    baton.add("panics", |handle| {
        let _ = handle.call(call("x"), || ());
        panic!("on purpose");
    });
    baton.add("goes on", |handle| {
        let _ = handle.call(call("y"), || ());
    });
    let run: Run<()> = baton.run();
    assert_eq!(run.endings, [Ending::Panicked("on purpose".to_string()), Ending::Returned(())]);
}

#[test]
fn who_is_never_chosen_never_begins() {
    let mut baton = Baton::new(Following::new(vec![(1, Fate::Effect)]));
    baton.add("never", |handle| handle.call(call("x"), || ()));
    baton.add("once", |handle| handle.call(call("y"), || ()));
    let run = baton.run();
    assert_eq!(run.endings, [Ending::NeverBegan, Ending::Returned(Ok(()))]);
}
