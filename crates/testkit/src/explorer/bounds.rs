//! The bounds to which everything is explored before a release, and the table of what was found.
//!
//! Each row is there for a kind of fault that it has found, or would have.

use std::fmt::Write;
use std::time::Duration;

use super::{Exploration, ExploredJob, Findings, Start};

/// The bounds, from the quickest to the longest.
pub fn all() -> Vec<Exploration> {
    use Start::{Hasty, Reset, Run};
    let of = |starts: &[Start], preemptions, lost| {
        let starts = starts.to_vec();
        move |block| Exploration {
            job: ExploredJob { block, ..ExploredJob::default() },
            starts: starts.clone(),
            preemptions,
            lost,
            ..Exploration::default()
        }
    };
    let every = [1, 2, 4];
    let mut all = Vec::new();
    // A paused process comes back to a log that has forgotten what it knows.
    all.extend(every.map(of(&[Run, Reset], 1, 0)));
    all.extend(every.map(of(&[Run, Reset], 2, 0)));
    // A process that resets the job sleeps just before it empties a target.
    all.extend(every.map(of(&[Run, Run, Reset], 1, 0)));
    // Answers get lost: puts, deletes and changes of targets are repeated.
    all.extend(every.map(of(&[Run, Run], 2, 1)));
    all.extend(every.map(of(&[Run, Hasty], 2, 2)));
    all.extend(every.map(of(&[Run, Reset], 2, 2)));
    // The newest checkpoint is damaged, and the one before it must still be whole.
    let damaged = |exploration| Exploration { damages: 1, ..exploration };
    all.extend(every.map(of(&[Run, Hasty], 2, 0)).map(damaged));
    all.extend(every.map(of(&[Run, Hasty], 2, 0)).map(damaged).map(|exploration| {
        let job = ExploredJob { retained: 2, ..exploration.job };
        Exploration { job, ..exploration }
    }));
    // Checkpoints without output: a marker that has not moved is no sign that nothing has happened.
    all.extend(every.map(of(&[Run, Hasty], 3, 0)).map(|exploration| {
        let job = ExploredJob { quiet: 4, ..exploration.job };
        Exploration { job, ..exploration }
    }));
    // Two processes that sleep, and a third that goes on.
    all.extend([of(&[Run, Run, Hasty], 2, 1)(2), of(&[Run, Run, Reset, Hasty], 2, 0)(2)]);
    all.push(of(&[Run, Run, Reset, Hasty], 2, 1)(2));
    all
}

/// What stands above the rows.
pub const HEAD: &str = "| processes | preemptions | lost | damaged | quiet | kept | block | schedules | states | runs | seconds | violations | refusals |\n\
                        |---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|";

/// The row of one exploration.
pub fn row(exploration: &Exploration, findings: &Findings, took: Duration) -> String {
    let Exploration { job, starts, preemptions, lost, damages, .. } = exploration;
    let starts: Vec<_> = starts.iter().map(|start| format!("{start:?}").to_lowercase()).collect();
    let Findings { schedules, states, runs, violations, refusals, .. } = findings;
    let mut row = format!("| {} | {preemptions} | {lost} | {damages} ", starts.join(", "));
    let (violations, refusals) = (violations.len(), refusals.len());
    // Writing to a string does not fail.
    let _ = write!(row, "| {} | {} | {} ", job.quiet, job.retained, job.block);
    let _ = write!(row, "| {schedules} | {states} | {runs} ");
    let _ = write!(row, "| {:.1} | {violations} | {refusals} |", took.as_secs_f64());
    row
}
