//! All cases or a sample of them: what they are, how they are played, what came of them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::case::{Action, Call, Case, Setup, Sink, Start};
use super::play::{Played, commits, play, record};
use super::stage::World;
use super::verdict::Verdict;

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

/// What came of it.
#[derive(Debug, Default)]
pub struct Outcome {
    /// In the order of their names.
    pub played: Vec<Finding>,
    /// How long it took.
    pub seconds: f64,
}

/// What came of one case.
#[derive(Debug)]
pub struct Finding {
    /// The case.
    pub case: Case,
    /// What is to be said about it.
    pub verdict: Verdict,
    /// What happened, as lines.
    pub trace: Vec<String>,
}

/// Between two lines about how far it is.
const PROGRESS: Duration = Duration::from_secs(10);

impl Campaign {
    /// Plays.
    ///
    /// # Errors
    /// The drill itself cannot work: no compiler, no room, a job that fails undisturbed.
    pub fn play(&self) -> Result<Outcome> {
        let began = Instant::now();
        let world = World::new(self.binary.clone(), self.anew_flag.clone())?;
        let cases = match &self.only {
            Some(case) => vec![case.clone()],
            None => self.cases(&world)?,
        };
        let (next, total) = (AtomicUsize::new(0), cases.len());
        let told = Mutex::new(Instant::now());
        let outcome = Mutex::new(Outcome::default());
        let work = || -> Result<()> {
            while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                let Played { verdict, trace } = play(&world, case)?;
                let mut outcome = outcome.lock().expect("nobody panics while holding it");
                outcome.played.push(Finding { case: case.clone(), verdict, trace });
                let mut told = told.lock().expect("nobody panics while holding it");
                if told.elapsed() > PROGRESS {
                    *told = Instant::now();
                    let (done, bad) = (outcome.played.len(), outcome.flawed().count());
                    eprintln!("{done} of {total} pauses, {bad} with findings");
                }
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..self.at_once).map(|_| scope.spawn(work)).collect();
            workers.into_iter().try_for_each(|worker| worker.join().expect("no case panics"))
        })?;
        let mut outcome = outcome.into_inner().expect("nobody has panicked");
        outcome.seconds = began.elapsed().as_secs_f64();
        outcome.played.sort_by_cached_key(|played| played.case.to_string());
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
        let all = cases.len();
        random.shuffle(&mut cases);
        cases.truncate(all.div_ceil(self.sample.max(1)));
        eprintln!("{} of {all} pauses are played", cases.len());
        Ok(cases)
    }
}

fn cases_of(world: &World, setup: Setup, random: &mut fastrand::Rng) -> Result<Vec<Case>> {
    let calls_of = |start: &Start| -> Result<Vec<Call>> {
        let noted = record(world, setup, start)?;
        let before = |what: &str| what == "call" || what == "held";
        Ok(noted.into_iter().filter(|noted| before(&noted.what)).map(|noted| noted.call).collect())
    };
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

impl Outcome {
    /// The cases with a violation or a refusal.
    pub fn flawed(&self) -> impl Iterator<Item = &Finding> {
        let flawed = |verdict: &Verdict| !verdict.is_clean() && !verdict.not_reached;
        self.played.iter().filter(move |played| flawed(&played.verdict))
    }

    /// The summary, as lines. `replay` is the command that plays one case, but for its name.
    pub fn summary(&self, replay: &str, with_traces: usize) -> Vec<String> {
        let mut groups: BTreeMap<(&str, String), Vec<&Finding>> = BTreeMap::new();
        for played in &self.played {
            let found =
                [("violation", &played.verdict.violations), ("refusal", &played.verdict.refusals)];
            for (kind, texts) in found {
                for text in texts {
                    groups.entry((kind, alike(text))).or_default().push(played);
                }
            }
        }
        let mut lines = Vec::new();
        for ((kind, text), mut cases) in groups {
            cases.sort_by_key(|played| played.trace.len());
            lines.push(format!("{kind}, {} times: {text}", cases.len()));
            let mut jobs: BTreeMap<String, usize> = BTreeMap::new();
            for Finding { case, .. } in &cases {
                let sink = case.setup.sink.word();
                let job = format!("{sink} {} {}", case.start.word(), case.action.word());
                *jobs.entry(job).or_default() += 1;
            }
            lines.extend(jobs.into_iter().map(|(job, times)| format!("    {times:4} {job}")));
            lines
                .extend(cases.iter().take(2).map(|played| format!("  {replay} '{}'", played.case)));
        }
        let mut flawed: Vec<_> = self.flawed().collect();
        // What was broken counts for more than what was refused.
        flawed.sort_by_key(|played| (played.verdict.violations.is_empty(), played.trace.len()));
        for Finding { case, verdict, trace } in flawed.into_iter().take(with_traces) {
            lines.push(format!("\n{case}"));
            lines.extend(trace.iter().cloned());
            lines.extend(verdict.violations.iter().map(|text| format!("=> violation: {text}")));
            lines.extend(verdict.refusals.iter().map(|text| format!("=> refusal: {text}")));
        }
        lines.push(String::new());
        lines.push(self.sum());
        lines
    }

    fn sum(&self) -> String {
        let count = |is: &dyn Fn(&Verdict) -> bool| {
            self.played.iter().filter(|played| is(&played.verdict)).count()
        };
        format!(
            "{} pauses: {} clean ({} of them waited), {} refusals, {} violations, {} never reached; \
             {:.0} seconds",
            self.played.len(),
            count(&Verdict::is_clean),
            count(&|verdict| verdict.is_clean() && verdict.waited),
            count(&|verdict| verdict.violations.is_empty() && !verdict.refusals.is_empty()),
            count(&|verdict| !verdict.violations.is_empty()),
            count(&|verdict| verdict.not_reached),
            self.seconds,
        )
    }
}

/// The text without what differs from case to case: places and numbers.
fn alike(text: &str) -> String {
    let word = |word: &str| {
        if word.starts_with('/') || word.contains("://") {
            return "PATH".to_string();
        }
        let mut short = String::new();
        for c in word.chars() {
            match c {
                '0'..='9' if short.ends_with('#') => {}
                '0'..='9' => short.push('#'),
                c => short.push(c),
            }
        }
        short
    };
    let text = ["{\"", " (checkpoint "]
        .iter()
        .fold(text, |text, end| text.split_once(end).map_or(text, |(before, _)| before));
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}
