//! A sample of the pauses; `cargo xtask drill pauses` plays them all. Only Linux loads the shim.
#![cfg(target_os = "linux")]

use steadfast_drills::job::Sink;
use steadfast_drills::pauses::campaign::Campaign;
use steadfast_drills::payments;

#[test]
fn a_process_that_is_held_at_any_call_does_no_harm() {
    let campaign = Campaign {
        binary: payments::build(),
        anew_flag: "--reset".to_string(),
        sinks: Sink::ALL.to_vec(),
        parallelism: vec![1],
        // So many that they take less than twenty seconds on a disk.
        sample: 400,
        seed: 1,
        at_once: 4,
        actions: Vec::new(),
        only: None,
    };
    let outcome = campaign.play().unwrap();
    let summary = outcome.summary("cargo xtask drill pauses --only", 3).join("\n");
    // A job that makes other calls than those that were written down would not be tested at all.
    let missed = outcome.played.iter().filter(|played| played.verdict.not_reached).count();
    assert!(missed * 10 < outcome.played.len(), "{summary}");
    assert!(outcome.flawed().next().is_none(), "{summary}");
}
