//! The simulation over a range of seeds, and the proof that it would notice.

use steadfast::Consistency;
use steadfast_core::fault::{Fault, Faults};
use steadfast_testkit::simulation::{Outcome, Scenario, simulate};
use steadfast_testkit::topologies::Topology;

fn scenario(seed: u64, consistency: Consistency) -> Scenario {
    let topology = Topology::ALL[seed as usize % Topology::ALL.len()];
    Scenario { seed, topology, consistency, faults: Faults::NONE }
}

fn run(scenario: Scenario) -> Outcome {
    let outcome = simulate(scenario);
    if let Some(violation) = &outcome.violation {
        panic!(
            "seed {}, {:?}, {:?}: {violation}",
            scenario.seed, scenario.topology, scenario.consistency
        );
    }
    outcome
}

#[test]
fn exactly_once_means_once() {
    let deaths: u32 =
        (0..300).map(|seed| run(scenario(seed, Consistency::ExactlyOnce)).deaths).sum();
    assert!(deaths > 300, "only {deaths} deaths: the fault_injector is too fair to show anything");
}

#[test]
fn at_least_once_loses_nothing() {
    (1000..1100).for_each(|seed| drop(run(scenario(seed, Consistency::AtLeastOnce))));
}

#[test]
fn at_most_once_repeats_nothing() {
    (2000..2100).for_each(|seed| drop(run(scenario(seed, Consistency::AtMostOnce))));
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in 0..20 {
        let scenario = scenario(seed, Consistency::ExactlyOnce);
        assert_eq!(run(scenario).trace, run(scenario).trace);
    }
}

/// Searches for a seed that shows the fault.
fn is_found(fault: Fault) -> Option<u64> {
    (0..400).find(|seed| {
        let scenario = scenario(*seed, Consistency::ExactlyOnce);
        let with_fault = simulate(Scenario { faults: Faults::with(fault), ..scenario });
        with_fault.violation.is_some() && simulate(scenario).violation.is_none()
    })
}

#[test]
fn every_deliberate_fault_is_found() {
    let missed: Vec<_> =
        Fault::ALL.into_iter().filter(|fault| is_found(*fault).is_none()).collect();
    assert!(missed.is_empty(), "nobody noticed {missed:?}");
}
