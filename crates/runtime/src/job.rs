//! How a job is run, as an attempt is told. It runs nothing.

use std::time::Duration;

use steadfast_checkpoint::leadership::Candidate;
use steadfast_checkpoint::limits::Limits;
use steadfast_core::id::Lineage;
use steadfast_core::key::KeySpace;
use steadfast_core::target::RejectedRows;
use steadfast_core::time::Timestamp;
use steadfast_core::{Cause, Error, Result};
use steadfast_protocol::coordinator::Settings;
use steadfast_protocol::fit::Differences;
use steadfast_protocol::manifest::Consistency;

use crate::bad_limit::MaxBad;
use crate::context::Seeks;

/// How a job is run.
#[derive(Clone, Debug)]
pub struct JobOptions {
    /// The job's name: its identity in stores and targets.
    pub name: String,
    /// How many tasks each stage has.
    pub parallelism: u16,
    /// Into how many groups all keys are divided: fixed for the job's life, and the most that
    /// `parallelism` can be.
    pub key_groups: u16,
    /// How often an event may show up in the result.
    pub consistency: Consistency,
    /// The time between two checkpoints; none: only at the end and when asked.
    pub checkpoint_interval: Option<Duration>,
    /// The number of records between two checkpoints.
    pub checkpoint_records: Option<u64>,
    /// How many checkpoints are kept.
    pub retained_checkpoints: usize,
    /// About how many records a task handles in a step.
    pub batch_records: usize,
    /// Sizes that decide no result.
    pub limits: Limits,
    /// Whether to forget everything and start from scratch.
    pub reset: bool,
    /// Whether targets that others created may be taken over.
    pub adopt: bool,
    /// What the user says about differences between the job and its checkpoint.
    pub differences: Differences,
    /// From where sources are read whatever the checkpoint says.
    pub seeks: Seeks,
    /// What becomes of rows that a target will never take.
    pub rejected_rows: RejectedRows,
    /// How much of the input may be no record.
    pub max_bad: MaxBad,
    /// Whether another process may begin at the checkpoints one day: then whatever keeps state needs a name
    /// that was chosen.
    pub is_durable: bool,
    /// Who runs it.
    pub process: Process,
}

/// What sets one process that runs a job apart from all others.
#[derive(Clone, Debug)]
pub struct Process {
    /// Host, process, and something that no other process has; for people.
    pub holder: String,
    /// Drawn at random for this start.
    pub nonce: u64,
    /// Drawn at random: the lineage, should the job have no history yet.
    pub lineage: Lineage,
}

/// The name is that of a folder or of a prefix in a store.
fn problem_of_name(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        Some("it needs a name")
    } else if name == "." || name == ".." {
        Some("that is a folder")
    } else if name.contains(['/', '\\']) {
        Some("it must not hold a slash")
    } else if name.contains(char::is_control) {
        Some("it must not hold control characters")
    } else if name.len() > 200 {
        Some("it must not be longer than 200 bytes, so that file systems take it")
    } else {
        None
    }
}

impl JobOptions {
    /// The defaults for a job of this name, run by `process`.
    pub fn new(name: impl Into<String>, process: Process) -> Self {
        JobOptions {
            name: name.into(),
            parallelism: 1,
            key_groups: 128,
            consistency: Consistency::ExactlyOnce,
            checkpoint_interval: Some(Duration::from_secs(1)),
            checkpoint_records: None,
            retained_checkpoints: 10,
            batch_records: 1024,
            limits: Limits::default(),
            reset: false,
            adopt: false,
            differences: Differences::default(),
            seeks: Seeks::default(),
            rejected_rows: RejectedRows::Fail,
            max_bad: MaxBad::default(),
            is_durable: true,
            process,
        }
    }

    pub(crate) fn check(&self) -> Result<()> {
        let problem = if self.parallelism == 0 {
            "parallelism must be at least 1".to_string()
        } else if self.parallelism > self.key_groups {
            let (tasks, groups) = (self.parallelism, self.key_groups);
            format!("parallelism {tasks} is more than the job's {groups} key groups")
        } else if let Some(problem) = problem_of_name(&self.name) {
            format!("a job cannot be called '{}': {problem}", self.name.escape_debug())
        } else if self.retained_checkpoints == 0 {
            "at least one checkpoint must be kept".to_string()
        } else {
            return Ok(());
        };
        Err(Error::because(Cause::OPTION, problem))
    }

    pub(crate) fn space(&self) -> KeySpace {
        KeySpace { groups: self.key_groups, tasks: self.parallelism }
    }

    pub(crate) fn candidate(&self, at: Timestamp) -> Candidate {
        let Process { holder, nonce, lineage } = self.process.clone();
        let (job, consistency, reset) = (self.name.clone(), self.consistency, self.reset);
        Candidate { job, holder, nonce, lineage, at, consistency, reset }
    }

    pub(crate) fn settings(&self) -> Settings {
        Settings {
            job: self.name.clone(),
            consistency: self.consistency,
            interval: self.checkpoint_interval,
            records: self.checkpoint_records,
            key_groups: self.key_groups,
            parallelism: self.parallelism,
        }
    }
}
