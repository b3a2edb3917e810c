//! `run`: runs the job with checkpoints, shows how it goes, and sums it up.

use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::thread::Builder;
use std::time::Duration;

use clap::Args;
use serde_json::{Map, Value, json};
use steadfast_checkpoint::recovery::Preview;
use steadfast_core::time::Timestamp;
use steadfast_core::{Error, Result};

use super::flags::{Promise, RunFlags};
use super::given::Given;
use super::patience::LatenessTeller;
use super::progress::Progress;
use super::summary::Summary;
use super::terminal::{self, Tone};
use super::{interrupt, show_config, units};
use crate::{Job, Report, RunOptions, Running};

const EXAMPLES: &str = "\
Examples:
  run                                      go on from the newest checkpoint, or begin
  run --reset --dry-run                    say what starting from scratch would remove
  run --reset                              forget everything and start from scratch
  run --checkpoints /var/lib/jobs --parallelism 8
  run --checkpoint-interval none --checkpoint-records 100000
  run --config jobs.toml --show-config     the options and where each comes from
  run --json > summary.json                the summary for programs

Each option can also be given as an environment variable or in the file named with --config; a flag
comes before a variable, a variable before the file.

The first interrupt (Ctrl-C) takes a last checkpoint and stops; run again to go on.
Exit codes: 0 finished or stopped, 1 failure, 2 wrong setting, 3 taken over by another
process, 4 bad input, 5 damaged checkpoints, 6 rows that a target refuses, 130 interrupted twice.";

/// The flags of `run`.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct RunArgs<F: Args> {
    #[command(flatten)]
    given: Given,
    #[command(flatten)]
    flags: F,
}

impl<F: Args> RunArgs<F> {
    pub(super) fn run(
        self,
        build: impl FnOnce(&F) -> Result<Job>,
        extra: impl FnOnce(&Report, &F) -> Value,
    ) -> Result<()> {
        let job = build(&self.flags)?;
        let chosen = self.given.chosen(job.name())?;
        if chosen.flags.show_config {
            return show_config::print(job.name(), &chosen);
        }
        let run = Run { name: job.name().to_string(), flags: chosen.flags };
        run.carry_out(job, |report| extra(report, &self.flags))
    }
}

/// A run whose options are known.
struct Run {
    /// The job's.
    name: String,
    flags: RunFlags,
}

impl Run {
    fn carry_out(&self, job: Job, extra: impl FnOnce(&Report) -> Value) -> Result<()> {
        let dead_letters = job.with_plan(|plan| {
            let dead = plan.operators().iter().filter(|operator| operator.kind == "dead letters");
            dead.map(|operator| operator.name.clone()).collect::<Vec<_>>()
        });
        let teller = LatenessTeller::new(&self.name, self.flags.late_after.0);
        let options = self.flags.options().on_wait(teller.clone().on_wait());
        if self.flags.dry_run {
            return self.preview(&job, &options);
        }
        let running = job.start(&options)?;
        self.greet(&running);
        let report = self.attend(running, teller)?;
        if report.missed_wakeups > 0 {
            let text = format!(
                "{} parts of the engine slept on: a defect, please report it",
                report.missed_wakeups
            );
            terminal::note(&self.name, Tone::Warning, &text);
        }
        if let Some(leftover) = &report.leftover {
            let text = format!(
                "files of the store that are not needed any more are left, the next start deletes \
                 them: {leftover}"
            );
            terminal::note(&self.name, Tone::Warning, &text);
        }
        let summary = Summary::new(&self.name, &report, &dead_letters, extra(&report));
        if self.flags.json {
            return terminal::print(&summary.json());
        }
        if report.had_work && !self.flags.quiet {
            summary.show();
        }
        Ok(())
    }

    /// Says what a run would do with checkpoints and targets.
    fn preview(&self, job: &Job, options: &RunOptions) -> Result<()> {
        let Preview { start, sinks } = job.preview(options)?;
        if self.flags.json {
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
    fn greet(&self, running: &Running) {
        let name = &self.name;
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
            if !self.flags.quiet {
                terminal::note(name, Tone::Good, text);
            }
        };
        let Some(checkpoint) = status.checkpoints().latest else {
            say("beginning at the start of the input");
            return self.warn_of_sinks(&status.at_least_once_sinks);
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
        self.warn_of_sinks(&status.at_least_once_sinks);
    }

    fn warn_of_sinks(&self, sinks: &[String]) {
        for sink in sinks.iter().filter(|_| self.flags.consistency == Promise::Exactly) {
            let text = format!(
                "sink '{sink}' keeps no marker: what it shows may show up again after a crash"
            );
            terminal::note(&self.name, Tone::Warning, &text);
        }
    }

    /// Runs it, with somebody at the signals and somebody at the progress line.
    fn attend(&self, running: Running, teller: LatenessTeller) -> Result<Report> {
        if !running.has_work() {
            return running.join();
        }
        let line = !self.flags.quiet;
        let progress =
            Progress::new(running.status(), running.lateness(), running.clock(), teller, line);
        std::thread::scope(|scope| {
            let _interrupts = {
                let within = self.flags.stop_within.0;
                let deadline = interrupt::Deadline { within, lateness: running.lateness() };
                interrupt::listen(scope, self.name.clone(), running.handle(), deadline)?
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
