//! What is told of a take-over, and with which fields.

use super::*;
use crate::heard::{Heard, hear};

fn of<'a>(heard: &'a [Heard], event: &str) -> &'a Heard {
    let found = heard.iter().find(|heard| heard.get("event") == event);
    found.unwrap_or_else(|| panic!("no {event}: {heard:?}"))
}

#[test]
fn a_take_over_tells_of_the_claim_the_decision_and_each_target() {
    let scene = Scene::default();
    scene.begin(6, true);
    scene.store.delete(&scene.object(6).name).unwrap();
    let table = Table::of(marker(1, 5), &[]);
    let (recovered, heard) = hear(|| scene.recover(&second(), Some(&table)).unwrap());
    let job = recovered.leadership.claim().job.clone();
    for heard in &heard {
        assert_eq!(heard.all(["job", "generation"]), [&*job, "7"], "{heard:?}");
    }
    assert_eq!(of(&heard, "claim_taken").get("holder"), recovered.leadership.claim().holder);
    let skipped = of(&heard, "checkpoint_skipped");
    assert_eq!(skipped.all(["level", "checkpoint"]), ["WARN", "6"]);
    assert_eq!(skipped.get("reason"), recovered.skipped[0].1);
    assert_eq!(of(&heard, "recovery_decided").all(["checkpoint", "skipped"]), ["5", "1"]);
    assert_eq!(of(&heard, "target_acquired").get("sink"), "out");
}

#[test]
fn output_that_is_finished_and_a_target_that_is_emptied_are_told() {
    let scene = Scene::default();
    scene.begin(3, true);
    let table = Table::of(marker(1, 2), &["row 2"]);
    let (_, heard) = hear(|| scene.recover(&second(), Some(&table)).unwrap());
    let finished = of(&heard, "output_finished").all(["sink", "checkpoint", "generation"]);
    assert_eq!(finished, ["out", "3", "4"]);
    let start = Start { reset: true, ..second() };
    let (_, heard) = hear(|| scene.recover(&start, Some(&table)).unwrap());
    assert_eq!(of(&heard, "claim_taken").get("reset"), "true");
    assert_eq!(of(&heard, "recovery_decided").get("checkpoint"), "");
    assert_eq!(of(&heard, "target_reset").all(["sink", "level"]), ["out", "INFO"]);
}

#[test]
fn whoever_has_been_overtaken_tells_so() {
    let scene = Scene::default();
    let first = scene.begin(3, true);
    let nothing = || steadfast_core::Error::unavailable("no answer");
    let (_, heard) = hear(|| first.held().explain(nothing()));
    assert!(heard.is_empty(), "{heard:?}");
    scene.recover(&second(), Some(&Table::of(marker(1, 3), &[]))).unwrap();
    let (error, heard) = hear(|| first.held().explain(nothing()));
    let told = of(&heard, "taken_over");
    assert_eq!(told.all(["level", "generation"]), ["WARN", "1"]);
    assert_eq!(told.get("error"), error.message());
}
