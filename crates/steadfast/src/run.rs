//! Running a job on this machine's threads.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use steadfast_checkpoint::recovery::Preview;
use steadfast_checkpoint::retry::{RetryPolicy, Waiting};
use steadfast_core::id::{CheckpointId, Lineage};
use steadfast_core::time::Clock;
use steadfast_core::{Error, Result};
use steadfast_protocol::manifest::{Counters, Manifest, Trigger};
use steadfast_protocol::names::LogLayout;
use steadfast_runtime::attempt::{self, Assembled, Environment};
use steadfast_runtime::executor::Threads;
use steadfast_runtime::job::{JobOptions, Process};
use steadfast_runtime::lateness::{Lateness, LatenessReport};
use steadfast_runtime::pauses::Pauses;
use steadfast_runtime::status::{JobHandle, JobStatus};

use crate::builder::Job;
use crate::clock::SystemClock;
use crate::options::RunOptions;

/// A job that has been taken over and is about to run.
pub struct Running {
    assembled: Assembled,
    lateness: Arc<Lateness>,
    clock: Arc<dyn Clock>,
}

impl Job {
    /// Runs the job until its sources are at their end.
    ///
    /// # Errors
    /// See [`Job::start`] and [`Running::join`].
    pub fn run(self, options: &RunOptions) -> Result<Report> {
        self.start(options)?.join()
    }

    /// Takes the job over and puts it together.
    ///
    /// # Errors
    /// `Configuration` if the job cannot be built or does not fit its last checkpoint; `Damaged` if
    /// no checkpoint is intact; `Unavailable` if a store or target does not answer.
    pub fn start(self, options: &RunOptions) -> Result<Running> {
        let (job_options, environment, lateness) = self.prepare(options)?;
        let (clock, retry) = (Arc::clone(&environment.clock), environment.retry.clone());
        let assembled =
            self.with_plan(|plan| attempt::assemble(plan, &job_options, environment))?;
        let writer = writer(&job_options.process);
        let place = format!("the store {}", options.checkpoints.describe());
        let sweep = || options.checkpoints.sweep(self.name(), &writer);
        let swept = assembled.claim.span().in_scope(|| retry.ask(&place, sweep));
        swept.map_err(|error| assembled.claim.explain(error))?;
        Ok(Running { assembled, lateness, clock })
    }

    /// Says what [`Job::start`] would do with checkpoints and targets, and does nothing.
    ///
    /// # Errors
    /// Those with which it would refuse before anything is changed.
    pub fn preview(&self, options: &RunOptions) -> Result<Preview> {
        let (job_options, environment, _) = self.prepare(options)?;
        self.with_plan(|plan| attempt::preview(plan, &job_options, &environment))
    }

    fn prepare(&self, options: &RunOptions) -> Result<(JobOptions, Environment, Arc<Lateness>)> {
        let process = this_process()?;
        let job_options = options.for_job(self.name(), process.clone())?;
        let store = options.checkpoints.open(self.name(), &writer(&process));
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let lateness = Lateness::new(Arc::clone(&clock), options.give_up_after);
        let lateness = Arc::new(match &options.on_wait {
            Some(on_wait) => lateness.telling(Arc::clone(on_wait)),
            None => lateness,
        });
        let retry = RetryPolicy::new(process.nonce, Arc::clone(&lateness) as Arc<dyn Waiting>);
        let environment = Environment { store, retry, log: LogLayout::default(), clock };
        Ok((job_options, environment, lateness))
    }
}

/// What the store calls a process that writes to it.
fn writer(process: &Process) -> String {
    format!("{:016x}", process.nonce)
}

/// What sets this start apart from all others, on this machine and elsewhere: containers often share
/// a process id and sometimes a host name.
fn this_process() -> Result<Process> {
    let random = || {
        getrandom::u64()
            .map_err(|e| Error::unavailable("the system has no random numbers").caused_by(e))
    };
    let (nonce, lineage) = (random()?, Lineage(random()?));
    let host = gethostname::gethostname();
    let holder = format!("{}-{}-{nonce:016x}", host.to_string_lossy(), std::process::id());
    Ok(Process { holder, nonce, lineage })
}

impl Running {
    /// To ask for checkpoints and for the end.
    pub fn handle(&self) -> JobHandle {
        self.assembled.handle.clone()
    }

    /// What is late, and for how long.
    pub fn lateness(&self) -> Arc<Lateness> {
        Arc::clone(&self.lateness)
    }

    /// To look at it while it runs.
    pub fn status(&self) -> Arc<JobStatus> {
        Arc::clone(&self.assembled.status)
    }

    /// Whether there is anything to do: not if the job was finished and nothing has come since.
    pub fn has_work(&self) -> bool {
        self.assembled.task_set.is_some()
    }

    /// The generation of this process: the number of its claim in the job's log.
    pub fn generation(&self) -> u64 {
        self.assembled.claim.generation().0
    }

    /// The clock by which its times are told.
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    /// Runs it to its end on threads of its own.
    ///
    /// # Errors
    /// The first error of a source, an operator, a sink or the store. What was committed stays.
    pub fn join(self) -> Result<Report> {
        let Running { assembled, lateness, clock } = self;
        let began = clock.monotonic();
        let had_work = assembled.task_set.is_some();
        if let Some(task_set) = assembled.task_set {
            let watchdog = &assembled.status.watchdog;
            let on_failure = &|| lateness.give_up();
            let span = assembled.claim.span();
            let run = Threads { clock: &*clock, watchdog, on_failure, span }.run(task_set);
            run.map_err(|error| assembled.claim.explain(error))?;
        }
        let status = assembled.status;
        let checkpoints = status.checkpoints();
        // A job without stateful operators has processed what it has read.
        let times = [&status.metrics.first_processed_ns, &status.metrics.first_read_ns];
        let mut times = times.iter().map(|time| time.load(Ordering::Relaxed));
        let first = times.find(|time| *time > 0);
        Ok(Report {
            latest: checkpoints.latest,
            checkpoints: checkpoints.committed,
            pauses: checkpoints.pauses,
            rejected_rows: checkpoints.rejected_rows,
            missed_wakeups: status.watchdog.found(),
            lateness: lateness.report(),
            leftover: status.leftover(),
            resumed_from: status.resumed_from,
            emptied: status.emptied.clone(),
            not_replayable: status.not_replayable_sources.clone(),
            nothing_to_read: status.metrics.nothing_to_read.sources(),
            records: status.metrics.records.read(),
            elapsed: clock.monotonic().saturating_sub(began),
            first_record_after: first.map(Duration::from_nanos),
            loading: Duration::from_nanos(status.metrics.loading_ns.load(Ordering::Relaxed)),
            had_work,
        })
    }
}

/// What a run has done.
#[derive(Clone, Debug)]
pub struct Report {
    latest: Option<Manifest>,
    /// How many checkpoints it has committed.
    pub checkpoints: u64,
    /// For how long the slowest task stood still, at each checkpoint.
    pub pauses: Pauses,
    /// Rows of this run that targets refused for good, and set aside.
    pub rejected_rows: u64,
    /// How often a store or target was asked again because it did not answer, and how long that took.
    pub lateness: LatenessReport,
    /// Why not everything could be deleted that was not needed any more at the end; the next start of the
    /// job does it.
    pub leftover: Option<String>,
    /// How often a part of the engine was found asleep that should have been woken: a defect.
    pub missed_wakeups: u64,
    /// The checkpoint that it began at.
    pub resumed_from: Option<CheckpointId>,
    /// Sinks that this run has emptied unasked, with what they held: they had been left out when the
    /// job was reset.
    pub emptied: Vec<(String, String)>,
    /// How many records this run has read, those that were read again included.
    pub records: u64,
    /// From the first step to the last.
    pub elapsed: Duration,
    /// From the start of the process's clock until the first batch of new records had been processed
    /// by an operator whose state had been loaded.
    pub first_record_after: Option<Duration>,
    /// Of that, for how long the task with the most state has loaded it.
    pub loading: Duration,
    /// Sources that cannot be read again: if the process had died, what they had read since its newest checkpoint
    /// would have been lost, whatever the job promises.
    pub not_replayable: BTreeSet<String>,
    /// Sources that had nothing to read, each with where its input was to come from: such as a pattern that no file
    /// fits.
    pub nothing_to_read: BTreeMap<String, String>,
    /// Whether there was anything to do.
    pub had_work: bool,
}

impl Report {
    /// Whether all sources are at their end; otherwise the job was asked to stop.
    pub fn is_finished(&self) -> bool {
        self.latest.as_ref().is_some_and(|latest| latest.trigger == Trigger::EndOfInput)
    }

    /// The newest checkpoint.
    pub fn checkpoint(&self) -> Option<CheckpointId> {
        self.latest.as_ref().map(|latest| latest.checkpoint)
    }

    /// How many records all sources have read since the job began, each once, whatever crashes
    /// there were.
    pub fn events(&self) -> u64 {
        self.over_sources("records")
    }

    /// How much of the input was no record since the job began, each piece counted once.
    pub fn bad_records(&self) -> u64 {
        self.over_sources("bad_records")
    }

    fn over_sources(&self, name: &str) -> u64 {
        let sources = self.latest.iter().flat_map(|latest| latest.sources.keys());
        sources.map(|source| self.counter(source, name)).sum()
    }

    /// What the operators have counted since the job began, each event once, whatever crashes there
    /// were.
    pub fn counters(&self) -> Counters {
        self.latest.as_ref().map(|latest| latest.counters.clone()).unwrap_or_default()
    }

    /// One of them, 0 if there is none of that name.
    pub fn counter(&self, operator: &str, name: &str) -> u64 {
        self.counters().get(operator).and_then(|counts| counts.get(name)).copied().unwrap_or(0)
    }
}
