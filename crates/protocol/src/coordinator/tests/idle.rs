//! Checkpoints that are left out because nothing has happened.

use proptest::prelude::*;

use super::*;

/// An idle coordinator: its first checkpoint, which is taken whatever has happened, is complete.
fn idle(records: Option<u64>) -> Coordinator {
    let mut c = coordinator(Consistency::ExactlyOnce, records);
    c.tick(SECOND, Timestamp(1), 0);
    complete(&mut c, SECOND);
    c
}

#[test]
fn while_nothing_happens_no_checkpoint_is_due_before_the_longest_idle_time() {
    let mut c = idle(None);
    let last = SECOND + LONGEST_IDLE;
    let mut now = SECOND;
    while now + SECOND < last {
        now += SECOND;
        assert_eq!(c.due(), Some(now), "it is looked once an interval");
        c.tick(now, Timestamp(2), 0);
        assert!(wants(&mut c).is_empty(), "{now:?}");
    }
    c.tick(last, Timestamp(2), 0);
    assert_eq!(complete(&mut c, last).trigger, Trigger::Periodic);
    // From there on it counts again.
    c.tick(last + SECOND, Timestamp(2), 0);
    assert!(wants(&mut c).is_empty());
}

#[test]
fn what_has_changed_is_in_a_checkpoint_within_an_interval() {
    let mut c = idle(None);
    c.tick(2 * SECOND, Timestamp(2), 0);
    c.changed();
    c.tick(3 * SECOND - Duration::from_nanos(1), Timestamp(2), 0);
    assert!(wants(&mut c).is_empty());
    c.tick(3 * SECOND, Timestamp(2), 0);
    complete(&mut c, 3 * SECOND);
    c.tick(4 * SECOND, Timestamp(2), 0);
    assert!(wants(&mut c).is_empty(), "it has been taken");
}

#[test]
fn what_changes_while_a_checkpoint_is_collected_is_for_the_next_one() {
    let mut c = coordinator(Consistency::ExactlyOnce, None);
    c.tick(SECOND, Timestamp(1), 0);
    c.changed();
    complete(&mut c, SECOND);
    c.tick(2 * SECOND, Timestamp(2), 0);
    complete(&mut c, 2 * SECOND);
}

#[test]
fn an_idle_job_does_what_it_is_asked_for() {
    let ends = |c: &mut Coordinator| (0..2).for_each(|_| c.source_ended());
    type Way = (fn(&mut Coordinator), u64, Trigger);
    let ways: [Way; 4] = [
        (Coordinator::request, 0, Trigger::Manual),
        (Coordinator::request_stop, 0, Trigger::Stop),
        (ends, 0, Trigger::EndOfInput),
        (|_| (), 100, Trigger::Records),
    ];
    for (ask, records, trigger) in ways {
        // At the end of an interval and within one.
        for now in [2 * SECOND, 2 * SECOND + SECOND / 2] {
            let mut c = idle(Some(100));
            c.tick(2 * SECOND - Duration::from_nanos(1), Timestamp(2), 0);
            ask(&mut c);
            c.tick(now, Timestamp(2), records);
            assert_eq!(complete(&mut c, now).trigger, trigger);
        }
    }
}

#[test]
fn an_interval_that_is_longer_than_the_longest_idle_time_is_kept() {
    let mut c = idle(None);
    c.settings.interval = Some(10 * LONGEST_IDLE);
    c.tick(SECOND + 9 * LONGEST_IDLE, Timestamp(2), 0);
    assert!(wants(&mut c).is_empty());
    c.tick(SECOND + 10 * LONGEST_IDLE, Timestamp(2), 0);
    complete(&mut c, SECOND + 10 * LONGEST_IDLE);
}

/// What happens between two looks of a coordinator at the time, in milliseconds after the one before.
#[derive(Clone, Copy, Debug)]
struct Between {
    ms: u64,
    changes: bool,
    requests: bool,
}

fn between() -> impl Strategy<Value = Between> {
    let ms = prop_oneof![4 => 0..400_u64, 2 => 400..2_000_u64, 1 => 2_000..40_000_u64];
    (ms, prop::bool::weighted(0.1), prop::bool::weighted(0.03))
        .prop_map(|(ms, changes, requests)| Between { ms, changes, requests })
}

proptest! {
    #[test]
    fn nothing_that_has_changed_waits_and_nothing_is_taken_without_need(
        all in prop::collection::vec(between(), 1..200),
    ) {
        let mut c = idle(None);
        let (mut now, mut last, mut unsaved) = (SECOND, SECOND, None);
        for Between { ms, changes, requests } in all {
            now += Duration::from_millis(ms);
            if changes {
                c.changed();
                unsaved.get_or_insert(now);
            }
            if requests {
                c.request();
            }
            c.tick(now, Timestamp(2), 0);
            let commands = wants(&mut c);
            let is_taken = !commands.is_empty();
            let waits = unsaved.map_or(Duration::ZERO, |since| now - since);
            if is_taken {
                prop_assert!(requests || unsaved.is_some() || now - last >= LONGEST_IDLE);
                c.commands.extend(commands);
                complete(&mut c, now);
                (last, unsaved) = (now, None);
            } else {
                prop_assert!(!requests, "it was asked for");
                prop_assert!(waits < SECOND, "it waits for {waits:?}");
                prop_assert!(now - last < LONGEST_IDLE + SECOND, "nothing for {:?}", now - last);
            }
        }
    }
}
