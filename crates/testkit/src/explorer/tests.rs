//! What the explorer promises.

use super::*;

#[test]
fn an_undisturbed_process_finishes_with_the_right_result() {
    for start in [Start::Run, Start::Hasty, Start::Reset] {
        let alone = Exploration { starts: vec![start], preemptions: 0, ..Exploration::default() };
        let findings = explore(&alone);
        assert!(findings.violations.is_empty(), "{findings:?}");
        assert!(findings.refusals.is_empty(), "{findings:?}");
    }
}

#[test]
fn the_same_bounds_give_the_same_findings() {
    let exploration = Exploration::default();
    assert_eq!(format!("{:?}", explore(&exploration)), format!("{:?}", explore(&exploration)));
}

/// The kinds of violation and of refusal. All of them must have been confirmed.
fn kinds(findings: &Findings) -> Vec<&String> {
    let all = || findings.violations.iter().chain(&findings.refusals);
    assert!(all().all(|(_, finding)| finding.confirmed == Some(Ok(()))), "{findings:?}");
    all().map(|(kind, _)| kind).collect()
}

#[test]
fn nothing_is_lost_by_pruning_and_every_schedule_can_be_carried_out_by_threads() {
    for (starts, preemptions, lost, damages) in [
        (vec![Start::Run, Start::Reset], 2, 0, 0),
        (vec![Start::Hasty, Start::Reset], 1, 1, 0),
        (vec![Start::Hasty, Start::Run], 1, 0, 1),
    ] {
        let pruned = Exploration { starts, preemptions, lost, damages, ..Exploration::default() };
        let whole = Exploration { prunes: false, ..pruned.clone() };
        let (pruned, whole) = (explore(&pruned), explore(&whole));
        assert_eq!(kinds(&pruned), kinds(&whole));
        assert!(pruned.schedules < whole.schedules, "{pruned:?}");
    }
}
