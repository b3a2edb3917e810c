//! All pauses or a sample of them: what they are.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result};

use super::case::{Action, Case};
use super::play::{play, record};
use crate::campaign::{self, Outcome};
use crate::job::{Call, Setup, Sink, Start};
use crate::recording::{calls, commits};
use crate::stage::World;

/// What is to be played, and how.
#[derive(Clone, Debug)]
pub struct Campaign {
    /// The payments example.
    pub binary: PathBuf,
    /// The flag of `run` that forgets everything and begins anew.
    pub anew_flag: String,
    /// Where the output goes.
    pub sinks: Vec<Sink>,
    /// How many tasks each operator has.
    pub parallelism: Vec<u32>,
    /// One of so many cases.
    pub sample: usize,
    /// Decides which.
    pub seed: u64,
    /// So many at a time.
    pub at_once: usize,
    /// Only cases in which the second process does one of these; all, if none is named.
    pub actions: Vec<String>,
    /// Only this one, with all that can be said about it.
    pub only: Option<Case>,
}

impl Campaign {
    /// Plays.
    ///
    /// # Errors
    /// The drill itself cannot work: no compiler, no room, a job that fails undisturbed.
    pub fn play(&self) -> Result<Outcome<Case>> {
        let began = Instant::now();
        let world = World::new(self.binary.clone(), self.anew_flag.clone())?;
        let cases = match &self.only {
            Some(case) => vec![case.clone()],
            None => self.cases(&world)?,
        };
        let mut outcome = campaign::play_all(&cases, self.at_once, |case| play(&world, case))?;
        outcome.seconds = began.elapsed().as_secs_f64();
        Ok(outcome)
    }

    /// All cases, then a sample of them.
    fn cases(&self, world: &World) -> Result<Vec<Case>> {
        let mut random = fastrand::Rng::with_seed(self.seed);
        let mut cases = Vec::new();
        for &sink in &self.sinks {
            for &parallelism in &self.parallelism {
                cases.extend(cases_of(world, Setup { sink, parallelism }, &mut random)?);
            }
        }
        let wanted = |word: &String| self.actions.is_empty() || self.actions.contains(word);
        cases.retain(|case| wanted(&case.action.word()));
        campaign::sample(&mut cases, self.sample, &mut random);
        Ok(cases)
    }
}

fn cases_of(world: &World, setup: Setup, random: &mut fastrand::Rng) -> Result<Vec<Case>> {
    let calls_of =
        |start: &Start| -> Result<Vec<Call>> { Ok(calls(&record(world, setup, start)?)) };
    let commits = commits(&record(world, setup, &Start::Fresh)?);
    let last = commits.last().cloned().context("the job commits nothing")?;
    let [half, third] = [2, 3].map(|part| commits[commits.len() / part].clone());
    let mut cases = Vec::new();
    // Before the first cut, and between two.
    for held in [commits[0].clone(), third] {
        for start in [Start::Beside(held.clone()), Start::AnewBeside(held)] {
            for at in calls_of(&start)? {
                let actions = [Action::Continue, Action::Onward(last.clone())];
                cases.extend(actions.map(|action| {
                    let (start, at) = (start.clone(), at.clone());
                    Case { setup, start, at, action }
                }));
            }
        }
    }
    if setup.sink.is_final() {
        // What differs without output is only what targets can tell of who was there before.
        return Ok(cases);
    }
    let resumed = calls_of(&Start::Resume(half.clone()))?;
    let anew = calls_of(&Start::Anew(half.clone()))?;
    let alone = [Start::Fresh, Start::Resume(half.clone()), Start::Anew(half)];
    for start in alone {
        for at in calls_of(&start)? {
            let mut one_of = |calls: &[Call]| calls[random.usize(..calls.len())].clone();
            let actions = [
                Action::Takeover,
                Action::Anew,
                Action::Killed(one_of(&resumed)),
                Action::KilledAnew(one_of(&anew)),
                Action::Stranger,
                Action::StrangerAdopts,
            ];
            cases.extend(actions.map(|action| {
                let (start, at) = (start.clone(), at.clone());
                Case { setup, start, at, action }
            }));
        }
    }
    Ok(cases)
}

impl campaign::Case for Case {
    const MANY: &'static str = "pauses";
    const EXCUSED: &'static str = "waited";

    fn group(&self) -> String {
        format!("{} {} {}", self.setup.sink.word(), self.start.word(), self.action.word())
    }
}
