//! Every order of the calls of two small processes, up to bounds that a debug build goes through in
//! seconds. `cargo xtask explore` goes further.

use steadfast_testkit::explorer::{Exploration, ExploredJob, Findings, Start, explore};

/// Explores, and asserts that nothing was found. Says how many schedules there were.
fn explore_without_violation(exploration: &Exploration) -> u64 {
    let Findings { schedules, violations, is_cut_short, .. } = explore(exploration);
    for (kind, finding) in &violations {
        eprintln!("{} times: {kind}\n    {}", finding.times, finding.trace.join("\n    "));
    }
    assert!(violations.is_empty() && !is_cut_short, "{exploration:?}");
    schedules
}

fn with_blocks(starts: [Start; 2], blocks: &[u64]) -> impl Iterator<Item = Exploration> {
    blocks.iter().map(move |block| Exploration {
        job: ExploredJob { block: *block, ..ExploredJob::default() },
        starts: starts.to_vec(),
        ..Exploration::default()
    })
}

#[test]
fn nobody_is_led_astray_by_one_pause() {
    let all = with_blocks([Start::Run, Start::Reset], &[1, 2, 4])
        .chain(with_blocks([Start::Run, Start::Hasty], &[1, 2, 4]));
    let schedules: u64 = all.map(|exploration| explore_without_violation(&exploration)).sum();
    assert!(schedules > 700, "{schedules}");
}

#[test]
fn nobody_is_led_astray_by_two_pauses() {
    let all = with_blocks([Start::Run, Start::Hasty], &[2]);
    let all = all.map(|exploration| Exploration { preemptions: 2, ..exploration });
    let schedules: u64 = all.map(|exploration| explore_without_violation(&exploration)).sum();
    assert!(schedules > 700, "{schedules}");
}

#[test]
fn nobody_is_led_astray_by_an_answer_that_is_lost() {
    let all = with_blocks([Start::Run, Start::Hasty], &[1, 2]);
    let all = all.map(|exploration| Exploration { lost: 1, ..exploration });
    let schedules: u64 = all.map(|exploration| explore_without_violation(&exploration)).sum();
    // No more than without: every call whose answer was lost is made again, and comes to the same.
    assert!(schedules > 150, "{schedules}");
}

#[test]
fn nobody_is_led_astray_by_a_damaged_object() {
    let all = with_blocks([Start::Run, Start::Hasty], &[1, 2]).flat_map(|exploration| {
        [1, 2].map(|retained| {
            let job = ExploredJob { retained, ..exploration.job.clone() };
            Exploration { job, damages: 1, ..exploration.clone() }
        })
    });
    let schedules: u64 = all.map(|exploration| explore_without_violation(&exploration)).sum();
    assert!(schedules > 300, "{schedules}");
}
