//! The level of a job may change between two runs: what a checkpoint was written under decides what
//! becomes of its output. Every cell of the table in GUARANTEES.md, with the process ended before and
//! after the application of an epoch's output.

use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use steadfast::memory::Collected;
use steadfast::prelude::*;

use support::Watched;

mod support;

use Consistency::{AtLeastOnce, AtMostOnce, ExactlyOnce};

/// When the process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Death {
    BeforeApply,
    AfterApply,
}

/// A sink into memory whose target loses its process at the first application with rows.
fn mortal(into: &Collected<u64>, death: u8) -> Watched {
    let death = AtomicU8::new(death);
    Watched::into_collected(into, move |apply| match death.swap(0, Ordering::Relaxed) {
        1 => Err(Error::unavailable("died before")),
        2 => {
            apply()?;
            Err(Error::unavailable("died after"))
        }
        _ => apply(),
    })
}

/// One run of the job; its only checkpoint is the last one.
fn run(options: &RunOptions, level: Consistency, into: &Collected<u64>, death: u8) -> Result<()> {
    let job = Job::new("levels");
    let sink = mortal(into, death);
    job.source("numbers", Values::new([1_u64, 2, 3])).sink("out", sink);
    let options = options.clone().consistency(level).checkpoint_interval(None);
    // Whoever is dead is not asked again.
    let options = options.give_up_after(Duration::ZERO);
    job.run(&options).map(drop)
}

/// What a reader sees after a process under `from` has died and one under `to` has finished.
fn seen(from: Consistency, to: Consistency, death: Death) -> Vec<u64> {
    let (options, collected) = (RunOptions::in_memory(), Collect::new().collected());
    run(&options, from, &collected, death as u8 + 1).unwrap_err();
    run(&options, to, &collected, 0).unwrap();
    collected.items()
}

const ONCE: [u64; 3] = [1, 2, 3];
const TWICE: [u64; 6] = [1, 2, 3, 1, 2, 3];

#[test]
fn what_was_committed_exactly_once_is_shown_exactly_once_whatever_comes_next() {
    for to in [ExactlyOnce, AtLeastOnce, AtMostOnce] {
        for death in [Death::BeforeApply, Death::AfterApply] {
            assert_eq!(seen(ExactlyOnce, to, death), ONCE, "to {to:?}, {death:?}");
        }
    }
}

#[test]
fn what_was_shown_at_least_once_may_be_shown_again_whatever_comes_next() {
    for to in [ExactlyOnce, AtLeastOnce, AtMostOnce] {
        assert_eq!(seen(AtLeastOnce, to, Death::BeforeApply), ONCE, "to {to:?}");
        // It was shown before it was committed, and its process died in between.
        assert_eq!(seen(AtLeastOnce, to, Death::AfterApply), TWICE, "to {to:?}");
    }
}

#[test]
fn what_was_committed_at_most_once_is_never_shown_again_whatever_comes_next() {
    for to in [ExactlyOnce, AtLeastOnce, AtMostOnce] {
        assert!(seen(AtMostOnce, to, Death::BeforeApply).is_empty(), "to {to:?}");
        assert_eq!(seen(AtMostOnce, to, Death::AfterApply), ONCE, "to {to:?}");
    }
}
