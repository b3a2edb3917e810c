//! A process that stops before every single call to the disk, while others go on without it.
//!
//! It must find out that it was overtaken (with no other error), and whatever it does before that
//! must not be seen.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use steadfast_core::target::TargetState;

use crate::crashes::changes;
use crate::history::*;
use crate::model_disk::{Loss, ModelDisk};

use Step::*;

/// What others do in the meantime.
const OTHERS: [&[Step]; 6] = [
    &[Acquire],
    &[Acquire, Apply],
    &[Acquire, Apply, Apply, Apply],
    &[Acquire, Reset],
    &[Acquire, Reset, Apply, Apply],
    &[Acquire, Apply, Reset, Reset, Apply],
];

/// A step happened, once, if and only if its maker was told so.
fn check_told(before: &ModelDisk, disk: &ModelDisk, change: &Change, made: bool, when: &str) {
    let before = slots(&before.files()).len();
    let new = slots(&disk.files()).split_off(before);
    let times = new.iter().filter(|slot| marker_of(slot) == change.marker).count();
    assert!(times <= 1, "{when}: {times} times");
    assert_eq!(made, times == 1, "{when}");
}

#[test]
fn a_process_that_sleeps_before_any_call_is_fenced_and_nothing_is_lost_or_repeated() {
    for (beginning, change) in changes() {
        for others in OTHERS {
            for at in 0.. {
                assert!(at < 100, "it never ends");
                let disk = beginning.copy();
                let other = disk.clone();
                let sleeper = disk.sleeper(at, move || {
                    take(other.process(), 7, others);
                    check(&other, false, "others went on");
                });
                let when = format!("{change:?}, others {others:?} before call {at}");
                let made = change.make(&mut *open(sleeper.clone())).expect(&when);
                check(&disk, false, &when);
                check_told(&beginning, &disk, &change, made, &when);
                // Nobody else would remove it before the next start, and it may be large.
                assert_eq!(staged(&disk), Vec::<PathBuf>::new(), "{when}");
                check_after_recovery(&disk, &when);
                if sleeper.calls() <= at {
                    break;
                }
            }
        }
    }
}

#[test]
fn of_two_who_expect_the_same_one_wins_whoever_sleeps() {
    for (beginning, change) in changes() {
        for step in [Acquire, Apply, Reset] {
            if change.expected.is_none() && step != Acquire {
                continue;
            }
            let rival = Change::after(step, change.expected, 8);
            for at in 0.. {
                let disk = beginning.copy();
                let (other, won) = (disk.clone(), Arc::new(Mutex::new(None)));
                let told = won.clone();
                let sleeper = disk.sleeper(at, move || {
                    *told.lock().unwrap() = Some(rival.make(&mut *open(other.process())).unwrap());
                });
                let when = format!("{change:?}, {rival:?} before call {at}");
                let made = change.make(&mut *open(sleeper)).expect(&when);
                let Some(won) = *won.lock().unwrap() else { break };
                assert!(made != won, "{when}: {made} {won}");
                check(&disk, false, &when);
                check_after_recovery(&disk, &when);
            }
        }
    }
}

#[test]
fn two_processes_sleep_while_a_third_goes_on() {
    // A selection of beginnings and calls: all of them take minutes, and have passed.
    for (beginning, change) in changes().into_iter().step_by(4) {
        for (second, third) in [
            (Acquire, &[Acquire, Apply, Apply][..]),
            (Acquire, &[Acquire, Reset, Apply]),
            (Reset, &[Acquire, Apply]),
            (Reset, &[Acquire, Apply, Reset, Apply]),
        ] {
            for at in 0..60 {
                let mut awake = false;
                for later in (at % 3..).step_by(3) {
                    let disk = beginning.copy();
                    let slept = Arc::new(Mutex::new(None));
                    let (one, told) = (disk.clone(), slept.clone());
                    let sleeper = disk.sleeper(at, move || {
                        let other = one.clone();
                        let nested = one.sleeper(later, move || take(other.process(), 9, third));
                        let mut target = open(nested.clone());
                        let expected = found(&mut *target).unwrap();
                        if expected.is_some() || second == Acquire {
                            Change::after(second, expected, 8).make(&mut *target).unwrap();
                        }
                        *told.lock().unwrap() = Some(nested.calls() > later);
                    });
                    let when =
                        format!("{change:?} before call {at}, {second:?} before call {later}");
                    let made = change.make(&mut *open(sleeper)).expect(&when);
                    check(&disk, false, &when);
                    check_told(&beginning, &disk, &change, made, &when);
                    if later % 5 == 0 {
                        disk.restart(Loss::Everything);
                        check_after_recovery(&disk, &when);
                    }
                    match *slept.lock().unwrap() {
                        Some(true) => awake = true,
                        Some(false) => {
                            awake = true;
                            break;
                        }
                        None => break,
                    }
                }
                if !awake {
                    break;
                }
            }
        }
    }
}

#[test]
fn a_process_that_wakes_in_the_middle_of_what_its_successor_does_disturbs_nothing() {
    use std::sync::mpsc::channel;
    for (beginning, change) in changes().into_iter().step_by(5) {
        for at in 0..40 {
            for later in (at % 4..60).step_by(4) {
                let disk = beginning.copy();
                let (asleep, is_asleep) = channel();
                let (wake, is_woken) = channel::<()>();
                let first = disk.sleeper(at, move || {
                    asleep.send(()).unwrap();
                    is_woken.recv().unwrap();
                });
                std::thread::scope(|scope| {
                    let first = scope.spawn(move || change.make(&mut *open(first)).map(drop));
                    // If it ends before that call, it drops its end of the channel.
                    let sleeps = is_asleep.recv().is_ok();
                    let first = Mutex::new(Some(first));
                    let resume = || {
                        let _ = wake.send(());
                        first.lock().unwrap().take().unwrap().join().unwrap().unwrap();
                    };
                    let (reached, is_reached) = channel();
                    let (go, may_go) = channel::<()>();
                    let second = disk.sleeper(later, move || {
                        reached.send(()).unwrap();
                        may_go.recv().unwrap();
                    });
                    let second = scope.spawn(move || {
                        let mut target = open(second);
                        let mut expected = found(&mut *target).unwrap();
                        for step in [Acquire, Apply, Apply] {
                            let change = Change::after(step, expected, 8);
                            // It may be overtaken, if the first was about to take its step.
                            if !change.make(&mut *target).unwrap() {
                                break;
                            }
                            expected = Some(change.marker);
                        }
                    });
                    let _ = is_reached.recv();
                    if sleeps {
                        resume();
                    }
                    let _ = go.send(());
                    second.join().unwrap();
                });
                check_after_recovery(&disk, &format!("{change:?} {at} {later}"));
            }
        }
    }
}

#[test]
fn who_looks_while_this_sink_begins_in_the_folder_does_not_take_it_for_a_strangers() {
    for others in [&[Acquire][..], &[Acquire, Apply], &[Acquire, Apply, Apply, Reset, Apply]] {
        for at in 0.. {
            let disk = ModelDisk::default();
            let other = disk.clone();
            let sleeper = disk.sleeper(at, move || take(other.process(), 7, others));
            let state = open(sleeper.clone()).look().unwrap();
            assert!(!matches!(state, TargetState::Foreign(_)), "call {at}: {state:?}");
            if sleeper.calls() <= at {
                break;
            }
        }
    }
}
