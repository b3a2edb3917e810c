//! `run`: runs the job with checkpoints, shows how it goes, and sums it up.

use std::str::FromStr;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::thread::Builder;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};
use steadfast_checkpoint::limits::Limits;
use steadfast_checkpoint::recovery::Preview;
use steadfast_core::target::RejectedRows;
use steadfast_core::time::Timestamp;
use steadfast_core::{Error, Result};

use super::patience::{LatenessTeller, PatienceArgs};
use super::progress::Progress;
use super::summary::{DeadLetters, Summary};
use super::terminal::{self, Tone};
use super::{interrupt, units};
use crate::{CheckpointStore, Consistency, Job, MaxBad, Report, RunOptions, Running};

const EXAMPLES: &str = "\
Examples:
  run                                      go on from the newest checkpoint, or begin
  run --reset --dry-run                    say what starting from scratch would remove
  run --reset                              forget everything and start from scratch
  run --checkpoints /var/lib/jobs --parallelism 8
  run --checkpoint-interval none --checkpoint-records 100000
  run --json > summary.json                the summary for programs

The first interrupt (Ctrl-C) takes a last checkpoint and stops; run again to go on.
Exit codes: 0 finished or stopped, 1 failure, 2 wrong setting, 3 taken over by another
process, 4 bad input, 5 damaged checkpoints, 6 rows that a target refuses, 130 interrupted twice.";

/// The flags of `run`.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct RunArgs<F: Args> {
    #[command(flatten)]
    engine: EngineArgs,
    /// Print the summary as one JSON object on standard output
    #[arg(long)]
    json: bool,
    /// Say nothing on standard error but warnings and errors
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    flags: F,
}

/// How the engine is to run the job.
#[derive(Clone, Debug, Args)]
struct EngineArgs {
    /// Where checkpoints are kept: a path, file:///path or memory:
    #[arg(long, value_name = "URL|PATH", default_value = ".steadfast", value_parser = CheckpointStore::parse)]
    checkpoints: CheckpointStore,
    /// How many tasks each operator has [default: the number of cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    parallelism: Option<u16>,
    /// The time between two checkpoints, such as 500ms or 1min, or none
    #[arg(long, value_name = "TIME|none", default_value = "1s")]
    checkpoint_interval: Interval,
    /// Take a checkpoint after so many records, too
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    checkpoint_records: Option<u64>,
    /// How often an event may show up in the result
    #[arg(long, value_enum, default_value_t = Promise::Exactly)]
    consistency: Promise,
    /// How many checkpoints are kept
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = at_least_one)]
    retained: usize,
    /// Forget all checkpoints, empty the targets that this job has created, and start from scratch
    #[arg(long, alias = "restart")]
    reset: bool,
    /// Say what would become of checkpoints and targets, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Write to targets that this job did not create, or that another store of it has written to;
    /// what is there stays
    #[arg(long)]
    adopt: bool,
    /// Operators or sinks that are new in the job and begin without what came before
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    new: Vec<String>,
    /// Operators, sources or sinks that are gone from the job: drop what is kept for them
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    forget: Vec<String>,
    /// What to do with committed rows that a target refuses for good
    #[arg(long, value_enum, default_value_t = Rejected::Fail)]
    rejected_rows: Rejected,
    /// End the job when more pieces of input than this have been bad since it began, or never [default: when
    /// the first 100 of a source are all bad]
    #[arg(long, value_name = "N|none", value_parser = max_bad)]
    max_bad: Option<MaxBad>,
    #[command(flatten)]
    patience: PatienceArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Promise {
    /// Once, whatever happens
    #[value(name = "exactly-once")]
    Exactly,
    /// Once, or more often after a crash; a little faster
    #[value(name = "at-least-once")]
    AtLeast,
    /// Once, or not at all after a crash
    #[value(name = "at-most-once")]
    AtMost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Rejected {
    /// Stop with an error that names them; nothing of their checkpoint is applied
    Fail,
    /// Keep them in the target beside the rest, with the reason, in the same step
    SetAside,
}

/// A time, or none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Interval(pub(super) Option<Duration>);

impl FromStr for Interval {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        if text == "none" {
            return Ok(Interval(None));
        }
        match humantime::parse_duration(text) {
            Ok(time) if time.is_zero() => Err("it must be longer than nothing".into()),
            Ok(time) => Ok(Interval(Some(time))),
            Err(error) => Err(format!("{error}; write 500ms, 10s, 1min or none")),
        }
    }
}

fn at_least_one(text: &str) -> std::result::Result<usize, String> {
    match text.parse::<usize>() {
        Ok(0) => Err("at least one checkpoint is kept".into()),
        number => number.map_err(|error| error.to_string()),
    }
}

fn max_bad(text: &str) -> std::result::Result<MaxBad, String> {
    match text {
        "none" => Ok(MaxBad::Any),
        number => number.parse().map(MaxBad::Pieces).map_err(|_| "write a number or none".into()),
    }
}

impl EngineArgs {
    fn options(&self) -> RunOptions {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let cores = u16::try_from(cores).unwrap_or(u16::MAX).min(MOST_BY_DEFAULT);
        RunOptions {
            checkpoints: self.checkpoints.clone(),
            parallelism: self.parallelism.unwrap_or(cores),
            consistency: match self.consistency {
                Promise::Exactly => Consistency::ExactlyOnce,
                Promise::AtLeast => Consistency::AtLeastOnce,
                Promise::AtMost => Consistency::AtMostOnce,
            },
            checkpoint_interval: self.checkpoint_interval.0,
            checkpoint_records: self.checkpoint_records,
            retained_checkpoints: self.retained,
            give_up_after: self.patience.give_up_after(),
            on_wait: None,
            reset: self.reset,
            adopt: self.adopt,
            new: self.new.iter().cloned().collect(),
            forget: self.forget.iter().cloned().collect(),
            rejected_rows: match self.rejected_rows {
                Rejected::Fail => RejectedRows::Fail,
                Rejected::SetAside => RejectedRows::SetAside,
            },
            max_bad: self.max_bad.unwrap_or_default(),
            limits: Limits::default(),
        }
    }
}

/// The key groups of a job: it cannot have more tasks, however many cores there are.
const MOST_BY_DEFAULT: u16 = 128;

impl<F: Args> RunArgs<F> {
    pub(super) fn run(
        self,
        build: impl FnOnce(&F) -> Result<Job>,
        extra: impl FnOnce(&Report, &F) -> Value,
    ) -> Result<()> {
        let job = build(&self.flags)?;
        let name = job.name().to_string();
        let dead_letters = job.with_plan(DeadLetters::of);
        let teller = self.engine.patience.teller(&name);
        let mut options = self.engine.options();
        options.on_wait = Some(teller.clone().on_wait());
        if self.engine.dry_run {
            return self.preview(&job, &options);
        }
        let running = job.start(&options)?;
        self.greet(&name, &running);
        let report = self.attend(&name, running, teller)?;
        if report.missed_wakeups > 0 {
            let text = format!(
                "{} parts of the engine slept on: a defect, please report it",
                report.missed_wakeups
            );
            terminal::note(&name, Tone::Warning, &text);
        }
        if let Some(leftover) = &report.leftover {
            let text = format!(
                "files of the store that are not needed any more are left, the next start deletes \
                 them: {leftover}"
            );
            terminal::note(&name, Tone::Warning, &text);
        }
        let summary = Summary::new(&name, &report, &dead_letters, extra(&report, &self.flags));
        if self.json {
            return terminal::print_json(&summary.json(), false);
        }
        if report.had_work && !self.quiet {
            summary.show();
        }
        Ok(())
    }

    /// Says what a run would do with checkpoints and targets.
    fn preview(&self, job: &Job, options: &RunOptions) -> Result<()> {
        let Preview { start, sinks } = job.preview(options)?;
        if self.json {
            let sinks: Map<String, Value> =
                sinks.into_iter().map(|(sink, fate)| (sink, fate.into())).collect();
            let object = json!({ "job": job.name(), "start": start, "sinks": sinks });
            return terminal::print_json(&object, false);
        }
        let mut text = format!("job '{}' {start}\n", job.name());
        for (sink, fate) in sinks {
            text += &format!("  sink '{sink}' {fate}\n");
        }
        terminal::print(&(text + "nothing has been changed\n"))
    }

    /// Says where the run begins, and everything about it that may surprise.
    fn greet(&self, name: &str, running: &Running) {
        let status = running.status();
        for (id, problem) in &status.skipped {
            let text = format!("checkpoint {id} is damaged and was skipped: {problem}");
            terminal::note(name, Tone::Warning, &text);
        }
        for (sink, held) in &status.emptied {
            let text = format!(
                "sink '{sink}' was emptied, because the job had been reset without it: {held}"
            );
            terminal::note(name, Tone::Warning, &text);
        }
        let say = |text: &str| {
            if !self.quiet {
                terminal::note(name, Tone::Good, text);
            }
        };
        let Some(checkpoint) = status.checkpoints().latest else {
            say("beginning at the start of the input");
            return self.warn_of_sinks(name, &status.at_least_once_sinks);
        };
        if !running.has_work() {
            let id = checkpoint.checkpoint;
            return say(&format!(
                "nothing to do: the job finished at checkpoint {id}; --reset starts from scratch"
            ));
        }
        let (done, total) = (&status.metrics.advanced, &status.metrics.total);
        let percent = units::percent(done.load(Ordering::Relaxed), total.load(Ordering::Relaxed));
        let place =
            percent.map_or(String::new(), |percent| format!(", at {percent} % of the input"));
        let age = units::duration(age(running.clock().wall(), checkpoint.triggered_at));
        say(&format!("going on from checkpoint {}, taken {age} ago{place}", checkpoint.checkpoint));
        self.warn_of_sinks(name, &status.at_least_once_sinks);
    }

    fn warn_of_sinks(&self, name: &str, sinks: &[String]) {
        for sink in sinks.iter().filter(|_| self.engine.consistency == Promise::Exactly) {
            let text = format!(
                "sink '{sink}' keeps no marker: what it shows may show up again after a crash"
            );
            terminal::note(name, Tone::Warning, &text);
        }
    }

    /// Runs it, with somebody at the signals and somebody at the progress line.
    fn attend(&self, name: &str, running: Running, teller: LatenessTeller) -> Result<Report> {
        if !running.has_work() {
            return running.join();
        }
        let line = !self.quiet;
        let progress =
            Progress::new(running.status(), running.lateness(), running.clock(), teller, line);
        std::thread::scope(|scope| {
            let _interrupts = {
                let within = self.engine.patience.stop_within();
                let deadline = interrupt::Deadline { within, lateness: running.lateness() };
                interrupt::listen(scope, name.to_string(), running.handle(), deadline)?
            };
            let (end_of_run, until_end) = mpsc::channel::<()>();
            let show = move || progress.show(&until_end);
            let shown = Builder::new().name("progress".into()).spawn_scoped(scope, show);
            let report = running.join();
            drop(end_of_run);
            match shown {
                Err(error) => {
                    report.and(Err(Error::unavailable("cannot start a thread").caused_by(error)))
                }
                Ok(thread) => {
                    // The line must be gone before anything else is printed.
                    let _ = thread.join();
                    report
                }
            }
        })
    }
}

/// How long before `now` it was `then`; nothing if clocks disagree.
pub(super) fn age(now: Timestamp, then: Timestamp) -> Duration {
    Duration::from_millis(u64::try_from(now.0.saturating_sub(then.0)).unwrap_or(0))
}
