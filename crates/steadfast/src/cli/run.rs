//! `run`: runs the job with checkpoints, shows how it goes, and sums it up.

use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::thread::Builder;
use std::time::Duration;

use clap::{Args, Command};
use serde_json::{Map, Value, json};
use steadfast_checkpoint::recovery::Preview;
use steadfast_core::time::Timestamp;
use steadfast_core::{Cause, Error, Result};
use steadfast_protocol::manifest::{Manifest, Trigger};
use steadfast_runtime::plan::{OperatorNode, Plan};
use steadfast_runtime::status::JobStatus;

use super::flags::{Promise, RunFlags};
use super::for_programs::ForPrograms;
use super::given::Given;
use super::patience::LatenessTeller;
use super::progress::{Progress, Shown};
use super::summary::{Sinks, Summary};
use super::terminal::{self, Tone};
use super::{interrupt, log, show_config, units, variables};
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

Each option of every job can also be given as an environment variable (--retained as
STEADFAST_RETAINED) or in the file named with --config; a flag comes before a variable, a variable
before the file.

The first interrupt (Ctrl-C) takes a last checkpoint and stops, as do the signals TERM and HUP; a second
one, half a second later or more, leaves at once, without it. Run again to go on.
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
        let mut programs = Arc::new(ForPrograms::new(None, &self.given.flags));
        let done = self.try_run(&mut programs, build, extra);
        done.inspect_err(|error| programs.failed(error))
    }

    /// Whoever is told of a failure may change when more is known of the run.
    fn try_run(
        &self,
        programs: &mut Arc<ForPrograms>,
        build: impl FnOnce(&F) -> Result<Job>,
        extra: impl FnOnce(&Report, &F) -> Value,
    ) -> Result<()> {
        let job = build(&self.flags)?;
        let name = job.name().to_string();
        *programs = Arc::new(ForPrograms::new(Some(&name), &self.given.flags));
        let chosen = self.given.chosen(&name)?;
        *programs = Arc::new(ForPrograms::new(Some(&name), &chosen.flags));
        log::begin(&name, chosen.flags.log, chosen.flags.log_format);
        let own = F::augment_args(Command::new("job"));
        let unknown = variables::unknown(std::env::vars_os().map(|(name, _)| name), &own);
        for warning in chosen.warnings.iter().chain(&unknown) {
            terminal::note(&name, Tone::Warning, warning);
        }
        if chosen.flags.show_config {
            return show_config::print(&name, &chosen);
        }
        let run = Run { name, flags: chosen.flags, programs: Arc::clone(programs) };
        run.carry_out(job, |report| extra(report, &self.flags))
    }
}

/// A run whose options are known.
struct Run {
    /// The job's.
    name: String,
    flags: RunFlags,
    programs: Arc<ForPrograms>,
}

impl Run {
    fn carry_out(&self, job: Job, extra: impl FnOnce(&Report) -> Value) -> Result<()> {
        let sinks = job.with_plan(Sinks::of);
        let teller = LatenessTeller::new(&self.name, self.flags.late_after.0);
        let options = self.flags.options().on_wait(teller.clone().on_wait());
        if self.flags.dry_run {
            return self.preview(&job, &options);
        }
        self.refuse_mixed_output(&job)?;
        self.programs.prepare()?;
        allow_open_files();
        let running = job.start(&options)?;
        terminal::tell_generation(running.generation());
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
        let summary = Summary::new(&self.name, &report, &sinks, extra(&report));
        if report.had_work && !self.flags.quiet && !self.flags.json {
            summary.show();
        }
        self.programs.give(&summary.object())
    }

    /// Refuses a summary between the records of a sink: no program could tell them apart.
    fn refuse_mixed_output(&self, job: &Job) -> Result<()> {
        let prints = |plan: &Plan| {
            let prints = |operator: &&OperatorNode| Some(&operator.detail) == on_stdout().as_ref();
            plan.operators().iter().find(prints).map(|operator| operator.name.clone())
        };
        match job.with_plan(prints).filter(|_| self.flags.json) {
            Some(sink) => {
                let what =
                    format!("sink '{sink}' prints its records where --json prints the summary");
                Err(Error::because(Cause::OPTION, what)
                    .hint("have the summary in a file: --json-to FILE"))
            }
            None => Ok(()),
        }
    }

    /// Says what a run would do with checkpoints and targets.
    fn preview(&self, job: &Job, options: &RunOptions) -> Result<()> {
        let Preview { start, sinks } = job.preview(options)?;
        let each = |(sink, fate): &(String, String)| (sink.clone(), Value::from(fate.as_str()));
        let fates: Map<String, Value> = sinks.iter().map(each).collect();
        let lost = job.with_plan(Plan::not_replayable);
        let object =
            json!({ "job": job.name(), "start": start, "sinks": fates, "not_replayable": lost });
        self.programs.give(&object)?;
        if self.flags.json {
            return Ok(());
        }
        let mut text = format!("job '{}' {start}\n", job.name());
        for (sink, fate) in sinks {
            text += &format!("  sink '{sink}' {fate}\n");
        }
        for source in lost {
            text += &format!("  source '{source}' cannot be read again\n");
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
        for (source, input) in status.metrics.nothing_to_read.sources() {
            let text = format!("source '{source}' has nothing to read: {input}");
            terminal::note(name, Tone::Warning, &text);
        }
        let say = |text: &str| {
            if !self.flags.quiet {
                terminal::note(name, Tone::Good, text);
            }
        };
        for (source, seek) in &self.flags.seek {
            let text = format!("source '{source}' is read from {seek} this once, as --seek says");
            terminal::note(name, Tone::Warning, &text);
        }
        let Some(checkpoint) = status.checkpoints().latest else {
            say("beginning at the start of the input");
            return self.warn(&status, None);
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
        self.warn(&status, Some(&checkpoint));
    }

    /// Says where the job cannot keep what it promises.
    fn warn(&self, status: &JobStatus, resumed: Option<&Manifest>) {
        for source in &status.not_replayable_sources {
            self.warn_of_source(source, resumed);
        }
        let sinks = status.at_least_once_sinks.iter();
        for sink in sinks.filter(|_| self.flags.consistency == Promise::Exactly) {
            let text = format!(
                "sink '{sink}' keeps no marker: what it shows may show up again after a crash"
            );
            terminal::note(&self.name, Tone::Warning, &text);
        }
    }

    fn warn_of_source(&self, source: &str, resumed: Option<&Manifest>) {
        let promise = match self.flags.consistency {
            Promise::Exactly => "so its records count at most once, and not exactly once",
            Promise::AtLeast => "so its records do not count at least once",
            Promise::AtMost => return,
        };
        let text = format!(
            "source '{source}' cannot be read again: what it has read is lost if the process dies before a \
             checkpoint with it is committed, {promise}"
        );
        terminal::note(&self.name, Tone::Warning, &text);
        let has_died =
            |manifest: &&Manifest| !matches!(manifest.trigger, Trigger::Stop | Trigger::EndOfInput);
        if let Some(Manifest { checkpoint, .. }) = resumed.filter(has_died) {
            let text = format!(
                "the run before this one did not end well: what source '{source}' had read after checkpoint \
                 {checkpoint} is lost"
            );
            terminal::note(&self.name, Tone::Warning, &text);
        }
    }

    /// Says where it begins and runs it, with somebody at the signals and somebody at the progress line.
    fn attend(&self, running: Running, teller: LatenessTeller) -> Result<Report> {
        if !running.has_work() {
            self.greet(&running);
            return running.join();
        }
        let shown = match self.flags.quiet {
            true => Shown::Nothing,
            false => Shown::LineOrEvery(self.flags.status_interval.0),
        };
        let progress = Progress::new(&self.name, &running, teller, shown);
        std::thread::scope(|scope| {
            let _interrupts = {
                let within = self.flags.stop_within.0;
                let (lateness, programs) = (running.lateness(), Arc::clone(&self.programs));
                let deadline = interrupt::Deadline { within, lateness, programs };
                let job = (running.handle(), running.clock());
                interrupt::listen(scope, self.name.clone(), job, deadline)?
            };
            // Not before: whoever has heard that it runs may tell it to end.
            self.greet(&running);
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

/// As many files may be open at once as the system lets this process have: each followed file that waits for the end of
/// a line is. If it does not, the job says which file it cannot open.
#[cfg(unix)]
fn allow_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

#[cfg(not(unix))]
fn allow_open_files() {}

/// How a sink is described that prints its records.
#[cfg(feature = "files")]
fn on_stdout() -> Option<String> {
    use steadfast_core::sink::Sink;
    Some(steadfast_files::StdoutSink::<Value>::new().describe())
}

#[cfg(not(feature = "files"))]
fn on_stdout() -> Option<String> {
    None
}

/// How long before `now` it was `then`; nothing if clocks disagree.
pub(super) fn age(now: Timestamp, then: Timestamp) -> Duration {
    Duration::from_millis(u64::try_from(now.0.saturating_sub(then.0)).unwrap_or(0))
}
