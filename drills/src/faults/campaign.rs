//! All faults or a sample of them: what they are.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result};

use super::case::{Case, Fault};
use super::play::{Recorded, play, record};
use crate::campaign::{self, Outcome};
use crate::job::{Setup, Sink, Start};
use crate::recording::{calls, commits};
use crate::stage::World;

/// What is to be played, and how.
#[derive(Clone, Debug)]
pub struct Campaign {
    /// The payments example.
    pub binary: PathBuf,
    /// Where the output goes.
    pub sinks: Vec<Sink>,
    /// How many tasks each operator has.
    pub parallelism: Vec<u32>,
    /// One of so many cases; with 0 the recordings are made and judged, and nothing else.
    pub sample: usize,
    /// Decides which.
    pub seed: u64,
    /// So many at a time.
    pub at_once: usize,
    /// Only these faults; all, if none is named.
    pub faults: Vec<Fault>,
    /// Only calls whose verb and kind of path are one of these, such as `list:store-data`.
    pub calls: Vec<String>,
    /// Only this one, with all that can be said about it.
    pub only: Option<Case>,
}

/// What came of it.
pub struct Report {
    /// How many recordings were held against the order that survives the loss of power,
    pub recordings: usize,
    /// and where they break it.
    pub breaches: Vec<String>,
    /// The cases.
    pub outcome: Outcome<Case>,
}

impl Campaign {
    /// Plays.
    ///
    /// # Errors
    /// The drill itself cannot work: no compiler, no room, a job that fails undisturbed.
    pub fn play(&self) -> Result<Report> {
        let began = Instant::now();
        let world = World::new(self.binary.clone(), "--reset".to_string())?;
        let (mut recordings, mut breaches) = (0, Vec::new());
        let mut cases = Vec::new();
        if let Some(case) = &self.only {
            cases.push(case.clone());
        } else {
            for (setup, start) in self.jobs(&world)? {
                let recorded = record(&world, setup, &start)?;
                let found = recorded.breaches.iter();
                breaches.extend(found.map(|breach| format!("{setup}/{start}: {breach}")));
                recordings += 1;
                cases.extend(self.cases_of(setup, &start, &recorded));
            }
            match self.sample {
                0 => cases.clear(),
                one_of => {
                    let mut random = fastrand::Rng::with_seed(self.seed);
                    campaign::sample(&mut cases, one_of, &mut random);
                }
            }
        }
        let mut outcome = campaign::play_all(&cases, self.at_once, |case| play(&world, case))?;
        outcome.seconds = began.elapsed().as_secs_f64();
        Ok(Report { recordings, breaches, outcome })
    }

    /// Each job from its start, from the middle, and reset in the middle.
    fn jobs(&self, world: &World) -> Result<Vec<(Setup, Start)>> {
        let mut jobs = Vec::new();
        for &sink in &self.sinks {
            for &parallelism in &self.parallelism {
                let setup = Setup { sink, parallelism };
                let commits = commits(&record(world, setup, &Start::Fresh)?.noted);
                // The second, if there are so many: then there is one to go on from.
                let left = commits.get(1).or(commits.first()).context("the job commits nothing")?;
                let starts = [Start::Fresh, Start::Resume(left.clone()), Start::Anew(left.clone())];
                jobs.extend(starts.map(|start| (setup, start)));
            }
        }
        Ok(jobs)
    }

    fn cases_of(&self, setup: Setup, start: &Start, recorded: &Recorded) -> Vec<Case> {
        let mut cases = Vec::new();
        let wanted = |at: &String| {
            self.calls.is_empty() || self.calls.iter().any(|call| at.contains(&format!(":{call}:")))
        };
        for at in calls(&recorded.noted).into_iter().filter(wanted) {
            let wanted = |fault: &Fault| self.faults.is_empty() || self.faults.contains(fault);
            let faults = Fault::ALL.into_iter().filter(|fault| wanted(fault) && fault.befalls(&at));
            cases.extend(faults.map(|fault| Case {
                setup,
                start: start.clone(),
                at: at.clone(),
                fault,
            }));
        }
        cases
    }
}

impl campaign::Case for Case {
    const MANY: &'static str = "faults";
    const EXCUSED: &'static str = "ended with an error";

    fn group(&self) -> String {
        let (verb, kind) = self.verb_and_kind();
        format!("{} {verb} {kind} {}", self.setup.sink.word(), self.fault.word())
    }
}

impl Report {
    /// Whether all is as it should be.
    pub fn is_clean(&self) -> bool {
        self.breaches.is_empty() && self.outcome.flawed().next().is_none()
    }

    /// The summary, as lines. `replay` is the command that plays one case, but for its name.
    pub fn summary(&self, replay: &str, with_traces: usize) -> Vec<String> {
        let breaches = self.breaches.iter().map(|breach| format!("would not survive: {breach}"));
        let mut lines: Vec<_> = breaches.collect();
        lines.extend(self.outcome.summary(replay, with_traces));
        let (recordings, breaches) = (self.recordings, self.breaches.len());
        lines.push(format!("{recordings} recordings: {breaches} breaches of the durable order"));
        lines
    }
}
