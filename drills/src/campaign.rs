//! Many cases: a sample of them, how they are played side by side, what came of them.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::verdict::Verdict;

/// One of many, whose name says everything about it.
pub trait Case: Clone + Display + Send + Sync {
    /// What many of them are called.
    const MANY: &'static str;
    /// What is said of those that are clean although not all went on at once.
    const EXCUSED: &'static str;

    /// What it has in common with others: findings are counted by it.
    fn group(&self) -> String;
}

/// What came of all.
#[derive(Debug)]
pub struct Outcome<C> {
    /// In the order of their names.
    pub played: Vec<Finding<C>>,
    /// How long it took.
    pub seconds: f64,
}

/// What came of one case.
#[derive(Debug)]
pub struct Finding<C> {
    /// The case.
    pub case: C,
    /// What is to be said about it.
    pub verdict: Verdict,
    /// What happened, as lines.
    pub trace: Vec<String>,
}

/// What came of a case, from whoever plays it.
pub(crate) struct Played {
    pub(crate) verdict: Verdict,
    pub(crate) trace: Vec<String>,
}

/// Between two lines about how far it is.
const PROGRESS: Duration = Duration::from_secs(10);

/// Leaves one of so many cases, and tells how many those are.
pub(crate) fn sample<C: Case>(cases: &mut Vec<C>, one_of: usize, random: &mut fastrand::Rng) {
    let all = cases.len();
    random.shuffle(cases);
    cases.truncate(all.div_ceil(one_of.max(1)));
    eprintln!("{} of {all} {} are played", cases.len(), C::MANY);
}

/// Plays all, so many at a time.
pub(crate) fn play_all<C: Case>(
    cases: &[C],
    at_once: usize,
    play: impl Fn(&C) -> Result<Played> + Sync,
) -> Result<Outcome<C>> {
    let began = Instant::now();
    let (next, total) = (AtomicUsize::new(0), cases.len());
    let told = Mutex::new(Instant::now());
    let outcome = Mutex::new(Outcome { played: Vec::new(), seconds: 0.0 });
    let work = || -> Result<()> {
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            let Played { verdict, trace } = play(case)?;
            let mut outcome = outcome.lock().expect("nobody panics while holding it");
            outcome.played.push(Finding { case: case.clone(), verdict, trace });
            let mut told = told.lock().expect("nobody panics while holding it");
            if told.elapsed() > PROGRESS {
                *told = Instant::now();
                let (done, bad) = (outcome.played.len(), outcome.flawed().count());
                eprintln!("{done} of {total} {}, {bad} with findings", C::MANY);
            }
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..at_once).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().expect("no case panics"))
    })?;
    let mut outcome = outcome.into_inner().expect("nobody has panicked");
    outcome.seconds = began.elapsed().as_secs_f64();
    outcome.played.sort_by_cached_key(|played| played.case.to_string());
    Ok(outcome)
}

impl<C: Case> Outcome<C> {
    /// The cases with a violation or a refusal.
    pub fn flawed(&self) -> impl Iterator<Item = &Finding<C>> {
        let flawed = |verdict: &Verdict| !verdict.is_clean() && !verdict.not_reached;
        self.played.iter().filter(move |played| flawed(&played.verdict))
    }

    /// The summary, as lines. `replay` is the command that plays one case, but for its name.
    pub fn summary(&self, replay: &str, with_traces: usize) -> Vec<String> {
        let mut groups: BTreeMap<(&str, String), Vec<&Finding<C>>> = BTreeMap::new();
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
                *jobs.entry(case.group()).or_default() += 1;
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
            "{} {}: {} clean ({} of them {}), {} refusals, {} violations, {} never reached; \
             {:.0} seconds",
            self.played.len(),
            C::MANY,
            count(&Verdict::is_clean),
            count(&|verdict| verdict.is_clean() && verdict.excused),
            C::EXCUSED,
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
