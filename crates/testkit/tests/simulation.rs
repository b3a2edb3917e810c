//! The simulation over a range of seeds, and the proof that it would notice.

use std::sync::Mutex;

use steadfast::Consistency;
use steadfast_testkit::coverage;
use steadfast_testkit::coverage::Counts;
use steadfast_testkit::fault_injector::Mutation;
use steadfast_testkit::input::Topology;
use steadfast_testkit::simulation::{Outcome, Scenario, simulate};

const LEVELS: [Consistency; 3] =
    [Consistency::ExactlyOnce, Consistency::AtLeastOnce, Consistency::AtMostOnce];

fn scenario(seed: u64, consistency: Consistency) -> Scenario {
    let topology = Topology::ALL[seed as usize % Topology::ALL.len()];
    Scenario { seed, topology, consistency, mutation: None }
}

fn run(scenario: Scenario) -> Outcome {
    let outcome = simulate(scenario);
    if let Some(violation) = &outcome.violation {
        panic!("{scenario:?}: {violation}");
    }
    outcome
}

/// Events of the list that come so seldom that these few seeds may not show them.
const RARE: [&str; 21] = [
    "answer lost: reset",
    "answer lost: acquire",
    "damage: bit flipped in staged output",
    "damage: old store put back",
    "damage: old target put back",
    "death after: apply",
    "death after: claim",
    "death after: commit",
    "death after: folder link part",
    "death before: acquire",
    "death before: apply",
    "death before: claim",
    "death before: delete data",
    "death before: delete log entry",
    "died while: claiming",
    "fallback over several checkpoints",
    "fenced by the target: TargetReset",
    "input: a file that is not named any more is refused",
    "pause at: apply",
    "pause at: folder link slot",
    "target: ahead, and refused",
];

#[test]
fn every_history_ends_right_or_refused() {
    let counts = Mutex::new(Counts::new());
    std::thread::scope(|scope| {
        for level in LEVELS {
            let counts = &counts;
            scope.spawn(move || {
                for seed in 0..300 {
                    let outcome = run(scenario(seed, level));
                    let mut counts = counts.lock().unwrap();
                    outcome
                        .counts
                        .into_iter()
                        .for_each(|(what, n)| *counts.entry(what).or_default() += n);
                }
            });
        }
    });
    let counts = counts.into_inner().unwrap();
    let mut never = coverage::missing(&counts);
    never.retain(|event| !RARE.contains(&&**event));
    assert!(never.is_empty(), "never happened: {never:?}; what did: {counts:#?}");
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in 0..20 {
        let lines = |outcome: Outcome| -> Vec<String> {
            outcome.trace.iter().map(ToString::to_string).collect()
        };
        let scenario = scenario(seed, LEVELS[seed as usize % 3]);
        assert_eq!(lines(run(scenario)), lines(run(scenario)));
    }
}

#[test]
fn every_deliberate_fault_is_found() {
    let is_found = |mutation: &Mutation| {
        (0..400).any(|seed| {
            let scenario = scenario(seed, Consistency::ExactlyOnce);
            simulate(Scenario { mutation: Some(*mutation), ..scenario }).violation.is_some()
        })
    };
    let missed: Vec<_> = Mutation::ALL.iter().filter(|mutation| !is_found(mutation)).collect();
    assert!(missed.is_empty(), "nobody noticed {missed:?}");
}
