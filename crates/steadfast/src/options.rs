//! How to run a job: what can be chosen, what is chosen where nothing is said, and what cannot work.
//!
//! It runs nothing and knows nothing of command lines, which take their defaults from here.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use steadfast_checkpoint::limits::Limits;
use steadfast_core::source::Seek;
use steadfast_core::target::RejectedRows;
use steadfast_core::{Cause, Error, Result};
use steadfast_protocol::fit::Differences;
use steadfast_runtime::bad_limit::MaxBad;
use steadfast_runtime::job::{JobOptions, Process};
use steadfast_runtime::lateness::OnWait;

use crate::{CheckpointStore, Consistency};

/// What is chosen where nothing is said.
pub(crate) mod defaults {
    use super::*;

    pub const CONSISTENCY: Consistency = Consistency::ExactlyOnce;
    pub const CHECKPOINT_INTERVAL: Option<Duration> = Some(Duration::from_secs(1));
    pub const CHECKPOINT_RECORDS: Option<u64> = None;
    pub const RETAINED_CHECKPOINTS: usize = 10;
    pub const GIVE_UP_AFTER: Option<Duration> = Some(Duration::from_secs(600));
    pub const REJECTED_ROWS: RejectedRows = RejectedRows::Fail;
    pub const MAX_BAD: MaxBad = MaxBad::NotTheFirst;

    /// A task for each core, as long as each task has a key group.
    pub fn parallelism() -> u16 {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        u16::try_from(cores).unwrap_or(u16::MAX).min(KEY_GROUPS)
    }
}

/// Into how many groups the keys of a job are divided, for its whole life: it cannot have more tasks.
pub(crate) const KEY_GROUPS: u16 = 128;

/// How to run a job.
///
/// All but the place of the checkpoints has a default, which the command line has too:
/// `docs/options.md` lists them. A value that cannot work is refused by [`Job::start`](crate::Job::start),
/// before anything is begun, with the reason.
///
/// ```
/// use std::time::Duration;
/// use steadfast::{CheckpointStore, RunOptions};
///
/// let options = RunOptions::new(CheckpointStore::parse("/var/lib/jobs")?)
///     .parallelism(8)
///     .checkpoint_interval(None)
///     .checkpoint_records(100_000)
///     .give_up_after(Duration::from_secs(60));
/// # drop(options);
/// # Ok::<(), steadfast::Error>(())
/// ```
#[derive(Clone)]
pub struct RunOptions {
    pub(crate) checkpoints: CheckpointStore,
    pub(crate) give_up_after: Option<Duration>,
    pub(crate) on_wait: Option<OnWait>,
    parallelism: u16,
    consistency: Consistency,
    checkpoint_interval: Option<Duration>,
    checkpoint_records: Option<u64>,
    retained_checkpoints: usize,
    reset: bool,
    adopt: bool,
    differences: Differences,
    seeks: Vec<(String, Seek)>,
    rejected_rows: RejectedRows,
    max_bad: MaxBad,
    limits: Limits,
}

impl RunOptions {
    /// The defaults, with checkpoints in `checkpoints`.
    pub fn new(checkpoints: CheckpointStore) -> Self {
        RunOptions {
            checkpoints,
            give_up_after: defaults::GIVE_UP_AFTER,
            on_wait: None,
            parallelism: defaults::parallelism(),
            consistency: defaults::CONSISTENCY,
            checkpoint_interval: defaults::CHECKPOINT_INTERVAL,
            checkpoint_records: defaults::CHECKPOINT_RECORDS,
            retained_checkpoints: defaults::RETAINED_CHECKPOINTS,
            reset: false,
            adopt: false,
            differences: Differences::default(),
            seeks: Vec::new(),
            rejected_rows: defaults::REJECTED_ROWS,
            max_bad: defaults::MAX_BAD,
            limits: Limits::default(),
        }
    }

    /// Checkpoints in memory and one task for each operator, so that output keeps the order of the
    /// input: for tests and examples. All jobs that are run with these options or a copy of them find
    /// their checkpoints again.
    pub fn in_memory() -> Self {
        Self::new(CheckpointStore::Memory(Arc::default())).parallelism(1)
    }

    /// How many tasks each operator has: from 1 to 128, the number of key groups. Default: the number
    /// of cores.
    #[must_use]
    pub fn parallelism(mut self, tasks: u16) -> Self {
        self.parallelism = tasks;
        self
    }

    /// How often an event may show up in the result. Default: exactly once.
    #[must_use]
    pub fn consistency(mut self, consistency: Consistency) -> Self {
        self.consistency = consistency;
        self
    }

    /// The time between two checkpoints, longer than zero; none: only at the end, when asked and after
    /// [`checkpoint_records`](Self::checkpoint_records). Default: a second.
    #[must_use]
    pub fn checkpoint_interval(mut self, time: impl Into<Option<Duration>>) -> Self {
        self.checkpoint_interval = time.into();
        self
    }

    /// The number of records, at least 1, after which a checkpoint is taken, too. Default: none.
    #[must_use]
    pub fn checkpoint_records(mut self, records: impl Into<Option<u64>>) -> Self {
        self.checkpoint_records = records.into();
        self
    }

    /// How many checkpoints are kept, at least 1. Default: 10.
    #[must_use]
    pub fn retained_checkpoints(mut self, checkpoints: usize) -> Self {
        self.retained_checkpoints = checkpoints;
        self
    }

    /// How long a store or target that does not answer is waited for before the run ends; none: for
    /// ever. Meanwhile nothing is lost, checkpoints are late. It is asked a second time even if this is
    /// zero. Default: ten minutes.
    #[must_use]
    pub fn give_up_after(mut self, time: impl Into<Option<Duration>>) -> Self {
        self.give_up_after = time.into();
        self
    }

    /// Is told what is waited for, before each wait; also while the job is being taken over.
    #[must_use]
    pub fn on_wait(mut self, on_wait: OnWait) -> Self {
        self.on_wait = Some(on_wait);
        self
    }

    /// Whether to forget all checkpoints, empty the targets that the job has created, and start from
    /// scratch. Default: no.
    #[must_use]
    pub fn reset(mut self, reset: bool) -> Self {
        self.reset = reset;
        self
    }

    /// Whether targets that this job did not create, or that another store of it has written to, may
    /// be taken over. What is there stays. Default: no.
    #[must_use]
    pub fn adopt(mut self, adopt: bool) -> Self {
        self.adopt = adopt;
        self
    }

    /// Operators and sinks that are new in the job and begin without what came before. Default: none.
    #[must_use]
    pub fn new_operators<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.differences.new = collect(names);
        self
    }

    /// Operators, sources and sinks that are gone from the job, and whose state is dropped.
    /// Default: none.
    #[must_use]
    pub fn forget<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.differences.forget = collect(names);
        self
    }

    /// Has a source read from another place than its last checkpoint says, before anything is read: once, at this
    /// start. Whoever goes back has records counted again; whoever goes on has them left out; state stays as it is.
    /// The places of several calls are gone to one after the other. Default: none.
    ///
    /// ```
    /// use steadfast::source::{Seek, SeekTo};
    /// use steadfast::{CheckpointStore, RunOptions};
    ///
    /// let options = RunOptions::new(CheckpointStore::parse("/var/lib/jobs")?)
    ///     .seek("payments", Seek::all(SeekTo::Beginning));
    /// # drop(options);
    /// # Ok::<(), steadfast::Error>(())
    /// ```
    #[must_use]
    pub fn seek(mut self, source: impl Into<String>, seek: Seek) -> Self {
        self.seeks.push((source.into(), seek));
        self
    }

    /// What becomes of committed rows that a target will never take. Default: the job ends with an
    /// error that names them.
    #[must_use]
    pub fn rejected_rows(mut self, rejected_rows: RejectedRows) -> Self {
        self.rejected_rows = rejected_rows;
        self
    }

    /// How much of the input may be no record, where sources set such input aside or skip it. Default: any
    /// amount, unless the first 100 inputs of a source are all bad, or all that it has when it is at its end.
    #[must_use]
    pub fn max_bad(mut self, max_bad: MaxBad) -> Self {
        self.max_bad = max_bad;
        self
    }

    /// Sizes that decide speed and memory, never a result. Of channels, polls and early output none
    /// may be 0.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// What the engine is told of them; what it refuses itself is left to it.
    pub(crate) fn for_job(&self, name: &str, process: Process) -> Result<JobOptions> {
        self.check()?;
        Ok(JobOptions {
            parallelism: self.parallelism,
            key_groups: KEY_GROUPS,
            consistency: self.consistency,
            checkpoint_interval: self.checkpoint_interval,
            checkpoint_records: self.checkpoint_records,
            retained_checkpoints: self.retained_checkpoints,
            reset: self.reset,
            adopt: self.adopt,
            differences: self.differences.clone(),
            seeks: self.seeks.clone().into(),
            rejected_rows: self.rejected_rows,
            max_bad: self.max_bad,
            limits: self.limits.clone(),
            is_durable: self.checkpoints.is_durable(),
            ..JobOptions::new(name, process)
        })
    }

    fn check(&self) -> Result<()> {
        self.checkpoints.check()?;
        let Limits { channel_batches, poll_bytes, early_output_bytes, .. } = self.limits;
        let problem = if self.checkpoint_interval == Some(Duration::ZERO) {
            "the time between two checkpoints must be longer than zero; none at all is written None"
        } else if self.checkpoint_records == Some(0) {
            "the number of records between two checkpoints must be at least 1; none is written None"
        } else if channel_batches == 0 {
            "a channel between two tasks must have room for a batch: limits.channel_batches is 0"
        } else if poll_bytes == 0 {
            "a source must be allowed to read a byte at a time: limits.poll_bytes is 0"
        } else if early_output_bytes == 0 {
            "output of no bytes cannot be handed over: limits.early_output_bytes is 0"
        } else {
            return Ok(());
        };
        Err(Error::because(Cause::OPTION, problem))
    }
}

fn collect<S: Into<String>>(names: impl IntoIterator<Item = S>) -> BTreeSet<String> {
    names.into_iter().map(Into::into).collect()
}

impl fmt::Debug for RunOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunOptions")
            .field("checkpoints", &self.checkpoints)
            .field("parallelism", &self.parallelism)
            .field("consistency", &self.consistency)
            .field("checkpoint_interval", &self.checkpoint_interval)
            .field("checkpoint_records", &self.checkpoint_records)
            .field("retained_checkpoints", &self.retained_checkpoints)
            .field("give_up_after", &self.give_up_after)
            .field("reset", &self.reset)
            .field("adopt", &self.adopt)
            .field("differences", &self.differences)
            .field("rejected_rows", &self.rejected_rows)
            .field("max_bad", &self.max_bad)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
