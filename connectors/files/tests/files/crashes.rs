//! A crash at every call that a sink makes to the disk, with everything that a power failure may
//! do to what was not synced; and calls that fail without a crash.

use crate::history::*;
use crate::model_disk::{Fault, Loss, ModelDisk};

fn losses() -> Vec<Loss> {
    let named = [Loss::Nothing, Loss::Everything, Loss::Contents, Loss::Additions, Loss::Removals];
    named.into_iter().chain((1..8).map(Loss::Random)).collect()
}

const STEPS: [Step; 3] = [Step::Acquire, Step::Apply, Step::Reset];

/// Folders to begin with, settled and not, each with its newest marker.
pub fn beginnings() -> Vec<ModelDisk> {
    use Step::*;
    let mut all = vec![ModelDisk::default()];
    for steps in [
        &[Acquire][..],
        &[Acquire, Apply],
        &[Acquire, Apply, Apply, Reset],
        &[Acquire, Apply, Apply, Reset, Apply, Acquire],
    ] {
        let disk = ModelDisk::default();
        take(disk.process(), 1, steps);
        all.push(disk);
    }
    // The last step dies everywhere between its slot and its end.
    for (steps, last) in [(&[Acquire, Apply][..], Apply), (&[Acquire, Apply, Apply], Reset)] {
        for at in 0.. {
            let disk = ModelDisk::default();
            take(disk.process(), 1, steps);
            let before = slots(&disk.files()).len();
            let process = disk.faulty(at, Fault::Dies);
            let expected = Some(marker(1, steps.len() as u64 - 1));
            let made = Change::after(last, expected, 1).make(&mut *open(process));
            if made.is_ok() {
                break;
            }
            if slots(&disk.files()).len() > before {
                all.push(disk);
            }
        }
    }
    assert!(all.len() > 10);
    all
}

/// Every change at every beginning.
pub fn changes() -> Vec<(ModelDisk, Change)> {
    let mut all = Vec::new();
    for disk in beginnings() {
        let expected = found(&mut *open(disk.process())).unwrap();
        for step in STEPS {
            if expected.is_some() || step == Step::Acquire {
                let claim = if step == Step::Apply { 1 } else { 2 };
                all.push((disk.copy(), Change::after(step, expected, claim)));
            }
        }
    }
    all
}

#[test]
fn after_a_crash_at_any_call_what_was_committed_is_visible_once_and_nothing_else() {
    for (beginning, change) in changes() {
        // Else the change might be lost that this one follows.
        beginning.restart(Loss::Nothing);
        for loss in losses() {
            for at in 0.. {
                assert!(at < 100, "it never ends");
                let disk = beginning.copy();
                let process = disk.faulty(at, Fault::Dies);
                let made = change.make(&mut *open(process.clone()));
                let when = format!("{change:?}, {loss:?} at call {at}");
                assert_eq!(made.is_err(), process.has_failed(), "{when}: {made:?}");
                disk.restart(loss);
                check(&disk, made.is_err(), &when);
                if let Ok(made) = made {
                    assert!(made && at > 5, "{when}");
                    let newest = slots(&disk.files()).pop().unwrap();
                    assert_eq!(marker_of(&newest), change.marker, "{when}");
                    check_kept(&disk, &when);
                }
                // Whoever comes next may make the same change again, or go on without it.
                let again = disk.copy();
                assert!(change.make(&mut *open(again.process())).unwrap(), "{when}");
                check(&again, false, &when);
                check_after_recovery(&again, &when);
                check_after_recovery(&disk, &when);
                if !process.has_failed() {
                    break;
                }
            }
        }
    }
}

#[test]
fn the_recovery_from_a_crash_may_crash_as_well() {
    // A selection of beginnings: all of them take a minute, and have passed.
    for (beginning, change) in changes().into_iter().step_by(4) {
        for at in 0..40 {
            let disk = beginning.copy();
            if change.make(&mut *open(disk.faulty(at, Fault::Dies))).is_ok() {
                break;
            }
            for loss in [Loss::Nothing, Loss::Everything, Loss::Removals, Loss::Random(9)] {
                for later in 0.. {
                    let disk = disk.copy();
                    let mut target = open(disk.faulty(later, Fault::Dies));
                    let recovered = found(&mut *target).and_then(|expected| {
                        Change::after(Step::Acquire, expected, 3).make(&mut *target)
                    });
                    disk.restart(loss);
                    check_after_recovery(&disk, &format!("{change:?} {loss:?} {at} {later}"));
                    if recovered.is_ok() {
                        break;
                    }
                }
            }
        }
    }
}

#[test]
fn a_call_that_failed_is_repeated_until_it_succeeds_and_happens_once() {
    for (beginning, change) in changes() {
        for fault in [Fault::Refused, Fault::AnswerLost, Fault::AskedTwice] {
            for at in 0.. {
                let disk = beginning.copy();
                let before = slots(&disk.files()).len();
                let process = disk.faulty(at, fault);
                let mut target = open(process.clone());
                let when = format!("{change:?}, {fault:?} at call {at}");
                let made = change.make(&mut *target).or_else(|_| change.make(&mut *target));
                assert!(made.unwrap(), "{when}");
                assert_eq!(slots(&disk.files()).len(), before + 1, "{when}");
                check(&disk, false, &when);
                disk.restart(Loss::Everything);
                check_after_recovery(&disk, &when);
                if !process.has_failed() {
                    break;
                }
            }
        }
    }
}

#[test]
fn looking_changes_nothing() {
    for disk in beginnings() {
        let before = disk.files();
        let mut target = open(disk.process());
        target.look().unwrap();
        target.contents().unwrap();
        assert_eq!(disk.files(), before);
    }
}
