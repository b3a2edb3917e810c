//! One attempt to run a plan: take the job over, make its tasks, put services beside them.
//!
//! It starts no thread: an executor drives what is assembled here.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use steadfast_checkpoint::ObjectLog;
use steadfast_checkpoint::activity::Activity;
use steadfast_checkpoint::backlog::Backlog;
use steadfast_checkpoint::committer::Committer;
use steadfast_checkpoint::coordinator::CoordinatorService;
use steadfast_checkpoint::leadership::HeldClaim;
use steadfast_checkpoint::mailbox::Mailbox;
use steadfast_checkpoint::record_count::RecordCount;
use steadfast_checkpoint::recovery::{Contents, Preview, Recovered, Recovery};
use steadfast_checkpoint::retry::{RetryPolicy, RetryingStore};
use steadfast_checkpoint::snapshot::{ToCommitter, ToCoordinator, ToSource, ToWriter, Workers};
use steadfast_checkpoint::targets::Targets;
use steadfast_checkpoint::writer::{SnapshotWriter, WriterSettings};
use steadfast_core::Result;
use steadfast_core::budget::Budget;
use steadfast_core::id::{CheckpointId, Generation};
use steadfast_core::log::CommitLog;
use steadfast_core::machine::Machine;
use steadfast_core::message::Barrier;
use steadfast_core::store::Store;
use steadfast_core::time::Clock;
use steadfast_protocol::coordinator::{Coordinator, CoordinatorInit};
use steadfast_protocol::fit::JobShape;
use steadfast_protocol::manifest::{Consistency, Manifest};
use steadfast_protocol::names::LogLayout;

use crate::bad_limit::BadLimit;
use crate::context::{MadeTask, RestoreSource, TaskServices};
use crate::executor::{Alarm, Scheduled, TaskSet};
use crate::job::JobOptions;
use crate::plan::Plan;
use crate::status::{JobHandle, JobStatus, Metrics};

/// What an attempt works with.
#[derive(Clone)]
pub struct Environment {
    /// Where checkpoints are kept.
    pub store: Arc<dyn Store>,
    /// What is done about a store or a target that does not answer.
    pub retry: RetryPolicy,
    /// How the commit log lies in the store.
    pub log: LogLayout,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
}

impl Environment {
    /// The same, with a store that is asked again.
    fn patient(self) -> Self {
        let store = Arc::new(RetryingStore::new(self.store, self.retry.clone()));
        Environment { store, ..self }
    }

    fn commit_log(&self) -> ObjectLog {
        ObjectLog::with_layout(Arc::clone(&self.store), self.log)
    }
}

/// A job that has been taken over and put together.
pub struct Assembled {
    /// What an executor drives; none if the job was finished and nothing has come since.
    pub task_set: Option<TaskSet>,
    /// To ask for checkpoints and for the end.
    pub handle: JobHandle,
    /// What is known while it runs and afterwards.
    pub status: Arc<JobStatus>,
    /// Tells what an error of the run means: whoever has been overtaken finds much missing.
    pub claim: HeldClaim,
}

/// Takes the job over and puts it together.
///
/// # Errors
/// `Configuration` if the plan or the options cannot work or do not fit the restored checkpoint;
/// whatever taking over finds (see [`Recovery::run`]).
pub fn assemble(plan: &Plan, options: &JobOptions, environment: Environment) -> Result<Assembled> {
    let shape = checked(plan, options)?;
    let environment = environment.patient();
    let targets = Targets::new(
        plan.targets(&options.name)?,
        options.rejected_rows,
        environment.retry.clone(),
    );
    let at_least_once_sinks = targets.at_least_once().cloned().collect();
    let recovered = take_over(plan, options, &environment, &shape, targets)?;
    let _run = recovered.leadership.held().span().entered();

    let alarms = ServiceAlarms::new(options.parallelism);
    let mailboxes = Mailboxes::new(&alarms);
    let records = Arc::new(RecordCount::new(alarms.coordinator.waker()));
    let metrics = Arc::new(Metrics::new(records));
    let bad = BadLimit::new(options.max_bad, recovered.restored.as_ref());
    let services = task_services(options, &environment, &mailboxes, &metrics, bad);
    let restore = RestoreSource {
        manifest: recovered.restored.clone(),
        contents: recovered.contents,
        store: Arc::clone(&environment.store),
        seeks: Arc::clone(&options.seeks),
    };
    let made = plan.tasks(options.space(), &restore, &services);
    let made = made.map_err(|error| recovered.leadership.held().explain(error))?;
    // Each task has taken its share of what was read.
    drop(restore);

    let status = Arc::new(JobStatus::new(
        metrics,
        recovered.restored.clone(),
        recovered.skipped,
        (at_least_once_sinks, tell_not_replayable(plan, options.consistency)),
        recovered.emptied,
        recovered.rejected_rows,
    ));
    let handle = JobHandle::new(mailboxes.coordinator.clone());
    let claim = recovered.leadership.held();
    let was_finished = recovered.restored.as_ref().is_some_and(Manifest::is_finished);
    if was_finished && status.metrics.open_splits.load(Ordering::Relaxed) == 0 {
        return Ok(Assembled { task_set: None, handle, status, claim });
    }
    let Recovered { leadership, targets, restored, retained, .. } = recovered;
    let generation = leadership.claim().id.generation;
    let splits = made.iter().filter_map(|task| task.splits.clone()).collect();
    let barriers: Vec<_> = made.iter().filter_map(|task| task.barriers.clone()).collect();
    let init = CoordinatorInit {
        claim: leadership.claim().id,
        lineage: leadership.claim().lineage,
        origin: leadership.claim().origin,
        restored,
        retained,
        tasks: made.iter().map(|task| task.id.clone()).collect(),
        source_tasks: barriers.len(),
        splits,
        tables: shape.tables,
        modes: shape.modes,
        sinks: targets.describe(),
    };
    let coordinator = Coordinator::new(options.settings(), init);
    let clock = Arc::clone(&environment.clock);
    let task_set = TaskSet {
        workers: by_worker(made, options.parallelism),
        writers: scheduled_writers(
            snapshot_writers(
                options,
                &environment.store,
                generation,
                &mailboxes,
                &services.backlog,
            ),
            alarms.writers,
        ),
        coordinator: Scheduled::new(
            coordinator_service(
                coordinator,
                barriers,
                &mailboxes,
                (&status, &services.activity),
                clock,
            ),
            alarms.coordinator,
        ),
        committer: Scheduled::new(
            Box::new(
                Committer::new(
                    environment.store,
                    environment.log,
                    leadership,
                    targets,
                    mailboxes.committer,
                    mailboxes.coordinator,
                    services.backlog.clone(),
                )
                .leaving(environment.retry.waiting, status.on_leftover()),
            ),
            alarms.committer,
        ),
    };
    Ok(Assembled { task_set: Some(task_set), handle, status, claim })
}

/// What the job has, if it can be run at all.
fn checked(plan: &Plan, options: &JobOptions) -> Result<JobShape> {
    plan.check()?;
    options.check()?;
    let shape = plan.shape(options.space())?;
    if options.is_durable {
        plan.check_state_is_named(&shape)?;
    }
    plan.check_new_are_there(&shape, &options.differences.new)?;
    plan.check_sought_are_there(&shape, &options.seeks)?;
    Ok(shape)
}

/// The sources that cannot be read again, told where the job promises more than they can give.
fn tell_not_replayable(plan: &Plan, consistency: Consistency) -> BTreeSet<String> {
    let sources = plan.not_replayable();
    for source in sources.iter().filter(|_| consistency != Consistency::AtMostOnce) {
        tracing::warn!(
            name: "source_not_replayable",
            source,
            "the source cannot be read again: what it has read is lost if the process dies before a checkpoint with it is committed"
        );
    }
    sources
}

fn take_over(
    plan: &Plan,
    options: &JobOptions,
    environment: &Environment,
    shape: &JobShape,
    targets: Targets,
) -> Result<Recovered> {
    let check_sources =
        |restored: Option<&Manifest>| check_sources(plan, restored, options, environment);
    let log: Arc<dyn CommitLog> = Arc::new(environment.commit_log());
    recovery(options, shape, environment, &check_sources).run(&environment.store, log, targets)
}

/// Has sources look at what is restored, as far as they do before anything is decided.
fn check_sources(
    plan: &Plan,
    restored: Option<&Manifest>,
    options: &JobOptions,
    environment: &Environment,
) -> Result<()> {
    let (manifest, contents) = (restored.cloned(), Contents::new());
    let (store, seeks) = (Arc::clone(&environment.store), Arc::clone(&options.seeks));
    let restored = RestoreSource { manifest, contents, store, seeks };
    plan.check_sources(&restored, options.parallelism)
}

fn task_services(
    options: &JobOptions,
    environment: &Environment,
    mailboxes: &Mailboxes,
    metrics: &Arc<Metrics>,
    bad: BadLimit,
) -> Arc<TaskServices> {
    Arc::new(TaskServices {
        bad: Arc::new(bad),
        clock: Arc::clone(&environment.clock),
        metrics: Arc::clone(metrics),
        activity: Arc::default(),
        coordinator: mailboxes.coordinator.clone(),
        limits: options.limits.clone(),
        in_flight: Arc::new(Budget::new(options.limits.in_flight_bytes)),
        staged: Arc::new(Budget::new(options.limits.staged_bytes)),
        backlog: Arc::new(Backlog::new(options.limits.unapplied_bytes)),
        writers: mailboxes.writers.clone(),
        batch_records: options.batch_records,
        aligned: options.consistency != Consistency::AtLeastOnce,
    })
}

/// One for each worker.
fn snapshot_writers(
    options: &JobOptions,
    store: &Arc<dyn Store>,
    generation: Generation,
    mailboxes: &Mailboxes,
    backlog: &Arc<Backlog>,
) -> Vec<Box<dyn Machine>> {
    let settings = WriterSettings {
        generation,
        consistency: options.consistency,
        limits: options.limits.clone(),
    };
    let writer = |(index, inbox): (u16, &Mailbox<ToWriter>)| -> Box<dyn Machine> {
        Box::new(SnapshotWriter::new(
            (index, options.parallelism),
            Arc::clone(store),
            settings.clone(),
            inbox.clone(),
            mailboxes.coordinator.clone(),
            mailboxes.committer.clone(),
            Arc::clone(backlog),
        ))
    };
    (0..).zip(&mailboxes.writers).map(writer).collect()
}

fn coordinator_service(
    coordinator: Coordinator,
    barriers: Vec<Mailbox<ToSource>>,
    mailboxes: &Mailboxes,
    (status, activity): (&Arc<JobStatus>, &Arc<Activity>),
    clock: Arc<dyn Clock>,
) -> Box<dyn Machine> {
    let (metrics, status) = (Arc::clone(&status.metrics), Arc::clone(status));
    Box::new(CoordinatorService::new(
        coordinator,
        Box::new(SourceTasks(barriers)),
        mailboxes.coordinator.clone(),
        mailboxes.committer.clone(),
        (Arc::clone(&metrics.records), Arc::clone(activity)),
        Box::new(move |manifest, rejected| status.note(manifest, rejected, clock.monotonic())),
    ))
}

/// Says what [`assemble`] would do with checkpoints and targets, and does nothing.
///
/// # Errors
/// Those with which it would refuse before anything is changed.
pub fn preview(plan: &Plan, options: &JobOptions, environment: &Environment) -> Result<Preview> {
    let shape = checked(plan, options)?;
    let environment = &environment.clone().patient();
    let mut targets = Targets::new(
        plan.targets(&options.name)?,
        options.rejected_rows,
        environment.retry.clone(),
    );
    let check_sources =
        |restored: Option<&Manifest>| check_sources(plan, restored, options, environment);
    let log = environment.commit_log();
    recovery(options, &shape, environment, &check_sources).preview(&log, &mut targets)
}

fn recovery<'a>(
    options: &'a JobOptions,
    shape: &'a JobShape,
    environment: &Environment,
    check_sources: &'a dyn Fn(Option<&Manifest>) -> Result<()>,
) -> Recovery<'a> {
    Recovery {
        candidate: options.candidate(environment.clock.wall()),
        layout: environment.log,
        retain: options.retained_checkpoints,
        shape,
        differences: &options.differences,
        adopt: options.adopt,
        check_sources,
    }
}

/// The tasks of each worker, in the order in which records pass through them.
fn by_worker(made: Vec<MadeTask>, workers: u16) -> Vec<Vec<Scheduled>> {
    let mut by_worker: Vec<Vec<_>> = (0..workers).map(|_| Vec::new()).collect();
    for task in made {
        by_worker[task.worker].push(task.scheduled);
    }
    by_worker
}

fn scheduled_writers(writers: Vec<Box<dyn Machine>>, alarms: Vec<Arc<Alarm>>) -> Vec<Scheduled> {
    writers.into_iter().zip(alarms).map(|(writer, alarm)| Scheduled::new(writer, alarm)).collect()
}

struct SourceTasks(Vec<Mailbox<ToSource>>);

impl Workers for SourceTasks {
    fn inject(&self, barrier: Barrier) {
        self.0.iter().for_each(|mailbox| mailbox.send(ToSource::Barrier(barrier)));
    }

    fn committed(&self, checkpoint: CheckpointId) {
        self.0.iter().for_each(|mailbox| mailbox.send(ToSource::Committed(checkpoint)));
    }
}

/// What wakes the services of an attempt.
struct ServiceAlarms {
    writers: Vec<Arc<Alarm>>,
    committer: Arc<Alarm>,
    coordinator: Arc<Alarm>,
}

impl ServiceAlarms {
    fn new(workers: u16) -> Self {
        let writers = (0..workers).map(|_| Arc::default()).collect();
        ServiceAlarms { writers, committer: Arc::default(), coordinator: Arc::default() }
    }
}

/// The mailboxes of the services.
struct Mailboxes {
    writers: Vec<Mailbox<ToWriter>>,
    committer: Mailbox<ToCommitter>,
    coordinator: Mailbox<ToCoordinator>,
}

impl Mailboxes {
    fn new(alarms: &ServiceAlarms) -> Self {
        Mailboxes {
            writers: alarms.writers.iter().map(|alarm| Mailbox::new(alarm.waker())).collect(),
            committer: Mailbox::new(alarms.committer.waker()),
            coordinator: Mailbox::new(alarms.coordinator.waker()),
        }
    }
}
