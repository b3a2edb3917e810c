//! `checkpoints`: looks at a job's store and tidies it up, without running the job.
//!
//! It takes no claim, so it never ends a job that is running.

mod delete;
mod list;
mod show;
mod verify;

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand};
use serde_json::Value;
use steadfast_checkpoint::ObjectLog;
use steadfast_checkpoint::history::{self, HistoryEntry};
use steadfast_core::id::CheckpointId;
use steadfast_core::store::Store;
use steadfast_core::time::{Clock, Timestamp};
use steadfast_core::{Cause, Error, Result};
use steadfast_protocol::manifest::{Manifest, Trigger};
use steadfast_protocol::names;

use super::config_file::ConfigFile;
use super::terminal;
use crate::checkpoint_store::CHECKPOINTS;
use crate::{CheckpointStore, SystemClock};

const EXAMPLES: &str = "\
Examples:
  checkpoints list
  checkpoints list --json
  checkpoints show 42
  checkpoints verify               read every object and hold it against its checksum
  checkpoints delete 17 23         and every object that no other checkpoint needs
  checkpoints list --checkpoints /var/lib/jobs
  checkpoints list --job other     of another job that keeps its checkpoints there";

/// The flags of `checkpoints`.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct CheckpointsArgs {
    #[command(flatten)]
    place: PlaceArgs,
    #[command(subcommand)]
    action: Action,
}

/// Which checkpoints, and how to show them.
#[derive(Clone, Debug, Args)]
struct PlaceArgs {
    /// Where checkpoints are kept: a path or file:///path
    #[arg(long, global = true, env = "STEADFAST_CHECKPOINTS", hide_env = true, value_name = "URL|PATH", value_parser = CheckpointStore::parse, help = format!("Where checkpoints are kept: a path or file:///path [default: {CHECKPOINTS}]"))]
    checkpoints: Option<CheckpointStore>,
    /// The file with the options of a run, which may say where checkpoints are kept
    #[arg(long, global = true, env = "STEADFAST_CONFIG", hide_env = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Another job than the one that the program runs
    #[arg(long, global = true, value_name = "NAME")]
    job: Option<String>,
    /// Print JSON on standard output
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Clone, Debug, Subcommand)]
enum Action {
    /// List the checkpoints, newest first
    List,
    /// Show everything that a checkpoint consists of
    Show {
        /// The checkpoint's number
        id: u64,
    },
    /// Read every object of a checkpoint, or of all; exit code 5 if one is damaged
    Verify {
        /// The checkpoint's number
        id: Option<u64>,
    },
    /// Delete checkpoints and the objects that no other checkpoint needs
    Delete {
        /// The numbers of the checkpoints
        #[arg(required = true)]
        ids: Vec<u64>,
        /// Delete even the newest intact one, from which the job would go on
        #[arg(long)]
        force: bool,
    },
}

impl CheckpointsArgs {
    /// `own` tells the name of the job that the program runs, if that can be known without its flags.
    pub(super) fn carry_out(self, own: impl FnOnce() -> Option<String>) -> Result<()> {
        let clock = SystemClock::new();
        let own = self.place.job.clone().or_else(own);
        let checkpoints = self.place.checkpoints(own.as_deref())?;
        let job = job_in(&checkpoints, self.place.job.as_deref(), own)?;
        let holder = format!("reader-{}", std::process::id());
        let store = checkpoints.open(&job, &holder);
        let history = history::read(&ObjectLog::new(Arc::clone(&store)), &*store)?;
        let (now, json) = (clock.wall(), self.place.json);
        let look = Look { job, store: &*store, history, now, json };
        match self.action {
            Action::List => list::list(&look),
            Action::Show { id } => show::show(&look, CheckpointId(id)),
            Action::Verify { id } => verify::verify(&look, id.map(CheckpointId)),
            Action::Delete { ids, force } => {
                delete::delete(&look, &ids.into_iter().map(CheckpointId).collect(), force)
            }
        }
    }
}

impl PlaceArgs {
    /// From the flag, the variable, the file or the default, as for a run.
    fn checkpoints(&self, job: Option<&str>) -> Result<CheckpointStore> {
        let from_file = match (&self.checkpoints, &self.config) {
            (Some(checkpoints), _) => return Ok(checkpoints.clone()),
            (None, Some(path)) => ConfigFile::read(path, job.unwrap_or_default())?,
            (None, None) => ConfigFile::default(),
        };
        let url = from_file.get("checkpoints").and_then(|found| found.values.first());
        CheckpointStore::parse(url.and_then(|url| url.to_str()).unwrap_or(CHECKPOINTS))
    }
}

/// Which job is meant: the one that was asked for, or the program's own one, or the only one.
fn job_in(
    checkpoints: &CheckpointStore,
    asked_for: Option<&str>,
    own: Option<String>,
) -> Result<String> {
    let mut jobs = checkpoints.jobs()?;
    let missing = |what: String| {
        Error::because(Cause::NO_SUCH_CHECKPOINT, what)
            .at(checkpoints.describe())
            .hint("give the place that the job was run with: --checkpoints PATH")
    };
    match (asked_for, own.filter(|own| jobs.contains(own))) {
        (_, Some(own)) => Ok(own),
        (Some(job), None) => Err(missing(format!("there are no checkpoints of job '{job}'"))),
        (None, None) if jobs.len() > 1 => {
            let what = format!("several jobs keep checkpoints here: {}", jobs.join(", "));
            Err(Error::because(Cause::NO_SUCH_CHECKPOINT, what).hint("say which one: --job NAME"))
        }
        (None, None) => jobs.pop().ok_or_else(|| missing("there are no checkpoints".to_string())),
    }
}

/// A job's store as it was when the command was given.
struct Look<'a> {
    job: String,
    store: &'a dyn Store,
    /// Newest first.
    history: Vec<HistoryEntry>,
    now: Timestamp,
    json: bool,
}

impl Look<'_> {
    /// A checkpoint that must be there.
    fn checkpoint(&self, id: CheckpointId) -> Result<&Manifest> {
        match self.history.iter().find(|(other, _)| *other == id) {
            Some((_, Ok(manifest))) => Ok(manifest),
            Some((_, Err(error))) => Err(error.repeated().at(format!("checkpoint {id}"))),
            None => {
                let what = format!("job '{}' has no checkpoint {id}", self.job);
                Err(Error::because(Cause::NO_SUCH_CHECKPOINT, what)
                    .hint("'checkpoints list' shows those it has"))
            }
        }
    }

    /// Prints an answer in the form that was asked for.
    fn answer(&self, json: impl FnOnce() -> Value, text: impl FnOnce() -> String) -> Result<()> {
        if self.json { terminal::print_json(&json(), true) } else { terminal::print(&text()) }
    }
}

fn trigger(trigger: Trigger) -> &'static str {
    match trigger {
        Trigger::Periodic => "periodic",
        Trigger::Records => "records",
        Trigger::Manual => "manual",
        Trigger::Stop => "stop",
        Trigger::EndOfInput => "end of input",
    }
}

/// The data that a checkpoint added to the store, as far as it still refers to it.
fn new_bytes(manifest: &Manifest) -> u64 {
    let first = names::data(manifest.checkpoint, manifest.generation(), 0, "");
    let own = first.strip_suffix("0-").unwrap_or(&first);
    let objects = manifest.objects().filter(|object| object.name.starts_with(own));
    objects.map(|object| object.bytes).sum()
}

/// The entries of all state files of a checkpoint.
fn entries(manifest: &Manifest) -> u64 {
    manifest.state.values().flatten().map(|file| file.entries).sum()
}
