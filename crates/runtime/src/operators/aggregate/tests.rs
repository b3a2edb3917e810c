//! Which results come at an end of the input, and which at the next.

use steadfast_core::key_of::Borrowed;

use super::super::driven::Driven;
use super::*;
use crate::operators::Count;

type Counted = Aggregation<u32, Count, Borrowed<u32, fn(&u32) -> &u32>>;

fn counts(emit: Emit) -> Driven<u32, Counted> {
    let make = move || {
        let space = KeySpace { groups: 8, tasks: 1 };
        let key = Arc::new(Borrowed::new((|record| record) as fn(&u32) -> &u32));
        Aggregation::new("a", (space, 0), key, Arc::new(Count), emit)
    };
    Driven::new(make, KeyHash::of)
}

fn results(emitted: Vec<((u32, u64), i64)>) -> Vec<(u32, u64)> {
    let mut results: Vec<_> = emitted.into_iter().map(|(result, _)| result).collect();
    results.sort_unstable();
    results
}

fn records(keys: impl IntoIterator<Item = u32>) -> impl Iterator<Item = (u32, i64)> {
    keys.into_iter().map(|key| (key, 0))
}

/// A target that appends would get each of them again for one more line of input.
#[test]
fn at_the_next_end_only_what_has_changed_since_is_shown_again() {
    for restarts in [false, true] {
        let mut counts = counts(Emit::Final);
        counts.batch(records([1, 2, 3, 1]));
        assert_eq!(results(counts.end()), [(1, 2), (2, 1), (3, 1)]);
        assert_eq!(counts.barrier(), []);
        if restarts {
            counts.restart();
        }
        counts.batch(records([3, 4, 3]));
        assert_eq!(results(counts.end()), [(3, 3), (4, 1)]);
        assert_eq!(results(counts.end()), []);
    }
}

/// They come in several steps.
#[test]
fn of_many_results_none_is_missing() {
    let many = 4 * super::super::AT_ONCE as u32;
    for emit in [Emit::Final, Emit::Changes] {
        let mut counts = counts(emit);
        counts.batch(records(0..many));
        let (at_end, at_barrier) = (results(counts.end()), results(counts.barrier()));
        let (shown, others) = match emit {
            Emit::Final => (at_end, at_barrier),
            Emit::Changes => (at_barrier, at_end),
        };
        assert_eq!(shown, (0..many).map(|key| (key, 1)).collect::<Vec<_>>());
        assert_eq!(others, []);
    }
}

/// What is touched, written, and forgotten at the next end must not come back with a restart.
#[test]
fn what_has_been_shown_stays_shown_after_a_restart() {
    let mut counts = counts(Emit::Final);
    counts.batch(records([1, 2]));
    counts.end();
    counts.barrier();
    counts.batch(records([1, 3]));
    counts.barrier();
    assert_eq!(results(counts.end()), [(1, 2), (3, 1)]);
    counts.barrier();
    counts.restart();
    counts.batch(records([4]));
    assert_eq!(results(counts.end()), [(4, 1)]);
}
