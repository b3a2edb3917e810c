//! A sample of the faults; `cargo xtask drill faults` plays them all. Only Linux loads the shim.
#![cfg(target_os = "linux")]

use steadfast_drills::faults::campaign::{Campaign, Report};
use steadfast_drills::faults::case::Fault;
use steadfast_drills::job::Sink;
use steadfast_drills::payments;

fn campaign() -> Campaign {
    Campaign {
        binary: payments::build(),
        sinks: Sink::ALL.to_vec(),
        parallelism: vec![1],
        sample: 1,
        seed: 1,
        at_once: 4,
        faults: Vec::new(),
        calls: Vec::new(),
        only: None,
    }
}

fn summary(report: &Report) -> String {
    report.summary("cargo xtask drill faults --only", 3).join("\n")
}

/// A job that makes other calls than those that were written down would not be tested at all. Under load it
/// makes fewer checkpoints, and some calls of the last ones are not reached.
fn assert_clean(report: &Report) {
    let played = &report.outcome.played;
    let missed = played.iter().filter(|played| played.verdict.not_reached).count();
    assert!(missed * 5 < played.len(), "{}", summary(report));
    assert!(report.is_clean(), "{}", summary(report));
}

#[test]
fn a_fault_at_any_call_is_waited_out_or_ends_the_run_honestly() {
    // So many that they take less than twenty seconds on a disk.
    assert_clean(&Campaign { sample: 400, ..campaign() }.play().unwrap());
}

/// Found by the drill: temporary files of killed processes were swept without patience.
#[test]
fn an_error_while_the_store_is_swept_is_waited_out() {
    let calls = vec!["list:store".to_string(), "unlink:store-temporary".to_string()];
    let sinks = vec![Sink::JsonLinesFinal];
    let faults = vec![Fault::Fails];
    assert_clean(&Campaign { sinks, calls, faults, ..campaign() }.play().unwrap());
}

#[test]
fn the_order_of_steps_survives_the_loss_of_power() {
    let report = Campaign { sample: 0, parallelism: vec![1, 2], ..campaign() }.play().unwrap();
    assert_eq!(report.recordings, 24);
    assert!(report.is_clean(), "{}", summary(&report));
}
