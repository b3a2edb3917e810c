//! `run`: runs the job with checkpoints, shows how it goes, and sums it up.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::thread::Builder;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};
use steadfast_checkpoint::recovery::Preview;
use steadfast_core::target::RejectedRows;
use steadfast_core::time::Timestamp;
use steadfast_core::{Error, Result};

use super::patience::{LatenessTeller, PatienceArgs};
use super::progress::Progress;
use super::summary::Summary;
use super::terminal::{self, Tone};
use super::{interrupt, units};
use crate::checkpoint_store::CHECKPOINTS;
use crate::options::{KEY_GROUPS, defaults};
use crate::{CheckpointStore, Consistency, Job, Report, RunOptions, Running};

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
    #[arg(long, value_name = "URL|PATH", default_value = CHECKPOINTS, value_parser = CheckpointStore::parse)]
    checkpoints: CheckpointStore,
    /// How many tasks each operator has, at most 128 [default: the number of cores]
    #[arg(long, value_name = "N", default_value_t = defaults::parallelism(), hide_default_value = true, value_parser = parallelism)]
    parallelism: u16,
    /// The time between two checkpoints, such as 500ms or 1min, or none
    #[arg(long, value_name = "TIME|none", default_value_t = Interval(defaults::CHECKPOINT_INTERVAL))]
    checkpoint_interval: Interval,
    /// Take a checkpoint after so many records, too
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    checkpoint_records: Option<u64>,
    /// How often an event may show up in the result
    #[arg(long, value_enum, default_value_t = Promise::from(defaults::CONSISTENCY))]
    consistency: Promise,
    /// How many checkpoints are kept
    #[arg(long, value_name = "N", default_value_t = defaults::RETAINED_CHECKPOINTS, value_parser = at_least_one)]
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
    #[arg(long, value_enum, default_value_t = Rejected::from(defaults::REJECTED_ROWS))]
    rejected_rows: Rejected,
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

impl From<Consistency> for Promise {
    fn from(consistency: Consistency) -> Self {
        match consistency {
            Consistency::ExactlyOnce => Promise::Exactly,
            Consistency::AtLeastOnce => Promise::AtLeast,
            Consistency::AtMostOnce => Promise::AtMost,
        }
    }
}

impl From<RejectedRows> for Rejected {
    fn from(rejected_rows: RejectedRows) -> Self {
        match rejected_rows {
            RejectedRows::Fail => Rejected::Fail,
            RejectedRows::SetAside => Rejected::SetAside,
        }
    }
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

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(time) => write!(f, "{}", humantime::format_duration(time)),
            None => f.write_str("none"),
        }
    }
}

fn at_least_one(text: &str) -> std::result::Result<usize, String> {
    match text.parse::<usize>() {
        Ok(0) => Err("at least one checkpoint is kept".into()),
        number => number.map_err(|error| error.to_string()),
    }
}

fn parallelism(text: &str) -> std::result::Result<u16, String> {
    match text.parse::<u64>() {
        Ok(0) => Err("each operator has at least one task".into()),
        Ok(tasks) => match u16::try_from(tasks) {
            Ok(tasks) if tasks <= KEY_GROUPS => Ok(tasks),
            _ => Err(format!("a job has {KEY_GROUPS} key groups, and each task needs one")),
        },
        Err(error) => Err(error.to_string()),
    }
}

impl EngineArgs {
    fn options(&self) -> RunOptions {
        RunOptions::new(self.checkpoints.clone())
            .parallelism(self.parallelism)
            .consistency(match self.consistency {
                Promise::Exactly => Consistency::ExactlyOnce,
                Promise::AtLeast => Consistency::AtLeastOnce,
                Promise::AtMost => Consistency::AtMostOnce,
            })
            .checkpoint_interval(self.checkpoint_interval.0)
            .checkpoint_records(self.checkpoint_records)
            .retained_checkpoints(self.retained)
            .give_up_after(self.patience.give_up_after())
            .reset(self.reset)
            .adopt(self.adopt)
            .new_operators(self.new.clone())
            .forget(self.forget.clone())
            .rejected_rows(match self.rejected_rows {
                Rejected::Fail => RejectedRows::Fail,
                Rejected::SetAside => RejectedRows::SetAside,
            })
    }
}

impl<F: Args> RunArgs<F> {
    pub(super) fn run(
        self,
        build: impl FnOnce(&F) -> Result<Job>,
        extra: impl FnOnce(&Report, &F) -> Value,
    ) -> Result<()> {
        let job = build(&self.flags)?;
        let name = job.name().to_string();
        let dead_letters = job.with_plan(|plan| {
            let dead = plan.operators().iter().filter(|operator| operator.kind == "dead letters");
            dead.map(|operator| operator.name.clone()).collect::<Vec<_>>()
        });
        let teller = self.engine.patience.teller(&name);
        let options = self.engine.options().on_wait(teller.clone().on_wait());
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
            return terminal::print(&summary.json());
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
            return terminal::print(&format!("{object}\n"));
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
