//! A few short rounds of the drill; `cargo xtask drill follow` plays long ones, and many.
#![cfg(unix)]

use std::time::Duration;

use steadfast_drills::follow::campaign::Campaign;
use steadfast_drills::follow::form::Form;
use steadfast_drills::payments;

#[test]
fn followed_logs_count_once_however_they_are_rotated_and_whoever_dies() {
    let campaign = Campaign {
        binary: payments::build(),
        forms: Form::sound(),
        time: Duration::from_secs(8),
        round: Duration::from_secs(8),
        seed: 1,
        at_once: 4,
        only: None,
    };
    let outcome = campaign.play().unwrap();
    let summary = outcome.summary("cargo xtask drill follow --round 8 --only", 1).join("\n");
    assert!(outcome.flawed().next().is_none(), "{summary}");
}
