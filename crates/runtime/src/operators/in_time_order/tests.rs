//! In which order records are handed on, and when.

use steadfast_core::key_of::Borrowed;

use super::super::driven::Driven;
use super::*;

/// A key, and what decides among records of one time.
type Record = (u32, u32);
type Subject = InTimeOrder<Record, Borrowed<u32, fn(&Record) -> &u32>, fn(&Record) -> u32>;

fn in_time_order() -> Driven<Record, Subject> {
    within(usize::MAX)
}

fn within(bytes: usize) -> Driven<Record, Subject> {
    let make = move || {
        let space = KeySpace { groups: 8, tasks: 1 };
        let key = Arc::new(Borrowed::new((|record| &record.0) as fn(&Record) -> &u32));
        let tie = Arc::new((|record| record.1) as fn(&Record) -> u32);
        InTimeOrder::new("o", (space, 0), key, tie, bytes)
    };
    Driven::new(make, |record| KeyHash::of(&record.0))
}

fn handed_on(number: u32, at: i64) -> (Sided<Record, Record>, i64) {
    (Sided::Main((1, number)), at)
}

#[test]
fn a_record_is_handed_on_when_no_other_of_its_time_can_come_any_more() {
    let mut in_time_order = in_time_order();
    assert_eq!(in_time_order.batch([((1, 3), 10), ((1, 9), 12), ((1, 5), 5)]), []);
    assert_eq!(in_time_order.watermark(10), [handed_on(5, 5)]);
    // At the watermark is in time; what is before it is late.
    assert_eq!(
        in_time_order.batch([((1, 1), 10), ((1, 7), 9), ((1, 2), 10)]),
        [(Sided::Side((1, 7)), 9)]
    );
    let all_of_ten = [handed_on(1, 10), handed_on(2, 10), handed_on(3, 10)];
    assert_eq!(in_time_order.watermark(11), all_of_ten);
    assert_eq!(in_time_order.end(), [handed_on(9, 12)]);
}

#[test]
fn records_that_waited_at_a_restart_are_handed_on_in_order() {
    let mut in_time_order = in_time_order();
    in_time_order.batch([((1, 2), 10), ((1, 1), 10), ((1, 0), 20)]);
    in_time_order.barrier();
    in_time_order.restart();
    assert_eq!(in_time_order.watermark(15), [handed_on(1, 10), handed_on(2, 10)]);
    assert_eq!(in_time_order.end(), [handed_on(0, 20)]);
}

/// A record takes three bytes: an array of two small numbers.
#[test]
fn what_waits_is_bounded_in_bytes_and_says_what_to_do() {
    let mut in_time_order = within(30);
    for at in 0..10 {
        assert_eq!(in_time_order.batch([((1, 1), at)]), []);
    }
    in_time_order.barrier();
    in_time_order.restart();
    // Where some have left, others may come.
    assert_eq!(in_time_order.watermark(5).len(), 5);
    in_time_order.batch((10..15).map(|at| ((1, 1), at)));
    let error = in_time_order.try_batch([((1, 1), 15)]).unwrap_err().to_string();
    assert!(error.contains("11 records, 33 bytes"), "{error}");
}

#[test]
fn the_bound_counts_what_waits_and_not_batches_or_the_latest_record() {
    type Text = (u32, String);
    let within = |bytes: usize| {
        let make = move || {
            let space = KeySpace { groups: 8, tasks: 1 };
            let key = Arc::new(Borrowed::new((|text| &text.0) as fn(&Text) -> &u32));
            let tie = Arc::new(|text: &Text| text.0);
            InTimeOrder::new("o", (space, 0), key, tie, bytes)
        };
        Driven::new(make, |text: &Text| KeyHash::of(&text.0))
    };
    // One large record among many small ones.
    let mut large = within(500_000);
    for at in 0..100 {
        large.batch((0..100).map(|key| ((key, "small".to_string()), at)));
    }
    large.batch([((1, "x".repeat(100_000)), 100)]);
    // Large ones that never come first in their batch, which is no matter.
    let texts = (0..100_u32).map(|n| ((n, "x".repeat(if n % 10 == 9 { 20_000 } else { 1 })), 0));
    assert!(within(150_000).try_batch(texts.clone()).is_err());
    let mut one_by_one = within(150_000);
    assert!(texts.into_iter().any(|text| one_by_one.try_batch([text]).is_err()));
}
