//! The flags of `run`: what each takes, and what it is if nothing is said.
//!
//! Each has an environment variable; where they come from is not known here.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{Args, ValueEnum};
use steadfast_core::source::{Seek, SeekTo};
use steadfast_core::target::RejectedRows;

use crate::checkpoint_store::CHECKPOINTS;
use crate::options::{KEY_GROUPS, defaults};
use crate::{CheckpointStore, Consistency, MaxBad, RunOptions};

const LATE_AFTER: Interval = Interval(Some(Duration::from_secs(10)));
const STOP_WITHIN: Interval = Interval(Some(Duration::from_secs(60)));
const STATUS_INTERVAL: Interval = Interval(Some(Duration::from_secs(10)));

/// See the module.
#[derive(Clone, Debug, Args)]
pub struct RunFlags {
    /// Where checkpoints are kept: a path, file:///path or memory:
    #[arg(long, env = "STEADFAST_CHECKPOINTS", value_name = "URL|PATH", default_value = CHECKPOINTS, value_parser = CheckpointStore::parse)]
    pub checkpoints: CheckpointStore,
    /// How many tasks each operator has, at most 128 [default: the number of cores]
    #[arg(long, env = "STEADFAST_PARALLELISM", value_name = "N", default_value_t = defaults::parallelism(), hide_default_value = true, value_parser = parallelism)]
    pub parallelism: u16,
    /// The time between two checkpoints, such as 500ms or 1min, or none
    #[arg(long, env = "STEADFAST_CHECKPOINT_INTERVAL", value_name = "TIME|none", default_value_t = Interval(defaults::CHECKPOINT_INTERVAL))]
    pub checkpoint_interval: Interval,
    /// Take a checkpoint after so many records, too
    #[arg(long, env = "STEADFAST_CHECKPOINT_RECORDS", value_name = "N|none", default_value_t = Records(defaults::CHECKPOINT_RECORDS))]
    pub checkpoint_records: Records,
    /// How often an event may show up in the result
    #[arg(long, env = "STEADFAST_CONSISTENCY", value_enum, default_value_t = Promise::from(defaults::CONSISTENCY))]
    pub consistency: Promise,
    /// How many checkpoints are kept
    #[arg(long, env = "STEADFAST_RETAINED", value_name = "N", default_value_t = defaults::RETAINED_CHECKPOINTS, value_parser = at_least_one)]
    pub retained: usize,
    /// Forget all checkpoints, empty the targets that this job has created, and start from scratch
    #[arg(long, env = "STEADFAST_RESET", alias = "restart", value_parser = BoolishValueParser::new())]
    pub reset: bool,
    /// Say what would become of checkpoints and targets, and change nothing
    #[arg(long, env = "STEADFAST_DRY_RUN", value_parser = BoolishValueParser::new())]
    pub dry_run: bool,
    /// Write to targets that this job did not create, or that another store of it has written to;
    /// what is there stays
    #[arg(long, env = "STEADFAST_ADOPT", value_parser = BoolishValueParser::new())]
    pub adopt: bool,
    /// Operators, sources or sinks that are new in the job and begin without what came before
    #[arg(long, env = "STEADFAST_NEW", value_name = "NAME", value_delimiter = ',')]
    pub new: Vec<String>,
    /// Operators, sources or sinks that are gone from the job: drop what is kept for them
    #[arg(long, env = "STEADFAST_FORGET", value_name = "NAME", value_delimiter = ',')]
    pub forget: Vec<String>,
    /// Read a source, or a part of it, from another place than the last checkpoint says, once: from its beginning, its
    /// end or a position
    #[arg(long, env = "STEADFAST_SEEK", value_name = "SOURCE[:PART]=PLACE", value_parser = seek)]
    pub seek: Vec<(String, Seek)>,
    /// What to do with committed rows that a target refuses for good
    #[arg(long, env = "STEADFAST_REJECTED_ROWS", value_enum, default_value_t = Rejected::from(defaults::REJECTED_ROWS))]
    pub rejected_rows: Rejected,
    /// End the job when more pieces of input than this have been bad since it began, or never [default: when
    /// the first 100 of a source are all bad, or all it has]
    #[arg(long, env = "STEADFAST_MAX_BAD", value_name = "N|none", value_parser = max_bad)]
    pub max_bad: Option<MaxBad>,
    /// Tell when a store or target has not answered for so long
    #[arg(long, env = "STEADFAST_LATE_AFTER", value_name = "TIME|none", default_value_t = LATE_AFTER)]
    pub late_after: Interval,
    /// End the run when a store or target has not answered for so long; nothing that was committed is
    /// lost
    #[arg(long, env = "STEADFAST_GIVE_UP_AFTER", value_name = "TIME|none", default_value_t = Interval(defaults::GIVE_UP_AFTER))]
    pub give_up_after: Interval,
    /// End the run without a last checkpoint when that has taken so long after an interrupt
    #[arg(long, env = "STEADFAST_STOP_WITHIN", value_name = "TIME|none", default_value_t = STOP_WITHIN)]
    pub stop_within: Interval,
    /// Print the summary as one JSON object on standard output
    #[arg(long, env = "STEADFAST_JSON", value_parser = BoolishValueParser::new())]
    pub json: bool,
    /// Write the summary as one JSON object to this file, at the end
    #[arg(long, env = "STEADFAST_JSON_TO", value_name = "FILE")]
    pub json_to: Option<PathBuf>,
    /// Where there is no terminal for a progress line, print its content so often
    #[arg(long, env = "STEADFAST_STATUS_INTERVAL", value_name = "TIME|none", default_value_t = STATUS_INTERVAL)]
    pub status_interval: Interval,
    /// Say nothing on standard error but warnings and errors
    #[arg(long, short, env = "STEADFAST_QUIET", value_parser = BoolishValueParser::new())]
    pub quiet: bool,
    /// Events of the engine from this level on, as lines on standard error; docs/logging.md lists them
    #[arg(long, env = "STEADFAST_LOG", value_name = "LEVEL|off", value_enum, default_value_t = LogLevel::Warn)]
    pub log: LogLevel,
    /// The form of the log; with json, all else on standard error is such a line, too
    #[arg(long, env = "STEADFAST_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
    /// A TOML file with these options, in a table [default] and in one for each job
    #[arg(long, env = "STEADFAST_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print the options and where each comes from, and do nothing else
    #[arg(long, env = "STEADFAST_SHOW_CONFIG", value_parser = BoolishValueParser::new())]
    pub show_config: bool,
}

impl RunFlags {
    pub fn options(&self) -> RunOptions {
        let options = RunOptions::new(self.checkpoints.clone())
            .parallelism(self.parallelism)
            .consistency(match self.consistency {
                Promise::Exactly => Consistency::ExactlyOnce,
                Promise::AtLeast => Consistency::AtLeastOnce,
                Promise::AtMost => Consistency::AtMostOnce,
            })
            .checkpoint_interval(self.checkpoint_interval.0)
            .checkpoint_records(self.checkpoint_records.0)
            .retained_checkpoints(self.retained)
            .give_up_after(self.give_up_after.0)
            .reset(self.reset)
            .adopt(self.adopt)
            .new_operators(self.new.clone())
            .forget(self.forget.clone())
            .rejected_rows(match self.rejected_rows {
                Rejected::Fail => RejectedRows::Fail,
                Rejected::SetAside => RejectedRows::SetAside,
            })
            .max_bad(self.max_bad.unwrap_or(defaults::MAX_BAD));
        let seeks = self.seek.iter().cloned();
        seeks.fold(options, |options, (source, seek)| options.seek(source, seek))
    }
}

/// From which level on events are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    /// None
    Off,
    /// Defects and what ends a run
    Error,
    /// What somebody should look at
    Warn,
    /// What happens to the job: claims, recovery, commits
    Info,
    /// The steps of it: triggers, acknowledgements, splits
    Debug,
    /// Nothing more of the engine; for events of the job itself
    Trace,
}

/// The form of what is told on standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// A line for people
    Text,
    /// A line with one JSON object
    Json,
}

/// How often an event may show up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Promise {
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

impl From<Consistency> for Promise {
    fn from(consistency: Consistency) -> Self {
        match consistency {
            Consistency::ExactlyOnce => Promise::Exactly,
            Consistency::AtLeastOnce => Promise::AtLeast,
            Consistency::AtMostOnce => Promise::AtMost,
        }
    }
}

/// What becomes of rows that a target refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Rejected {
    /// Stop with an error that names them; nothing of their checkpoint is applied
    Fail,
    /// Keep them in the target beside the rest, with the reason, in the same step
    SetAside,
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
pub struct Interval(pub Option<Duration>);

impl FromStr for Interval {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
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

/// A number of records, or none.
#[derive(Clone, Copy, Debug)]
pub struct Records(pub Option<u64>);

impl FromStr for Records {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text, text.parse()) {
            ("none", _) => Ok(Records(None)),
            (_, Ok(0)) => Err("it must be at least 1; write none for none".into()),
            (_, Ok(records)) => Ok(Records(Some(records))),
            (_, Err(error)) => Err(format!("{error}; write a number or none")),
        }
    }
}

impl fmt::Display for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(records) => write!(f, "{records}"),
            None => f.write_str("none"),
        }
    }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(0) => Err("at least one checkpoint is kept".into()),
        number => number.map_err(|error| error.to_string()),
    }
}

fn max_bad(text: &str) -> Result<MaxBad, String> {
    match text {
        "none" => Ok(MaxBad::Any),
        number => number.parse().map(MaxBad::Pieces).map_err(|_| "write a number or none".into()),
    }
}

/// A place in a source, and in a part of it: `payments=end`, `payments:logs/app.jsonl=4096`.
fn seek(text: &str) -> Result<(String, Seek), String> {
    const FORM: &str =
        "write SOURCE=PLACE or SOURCE:PART=PLACE, where the place is beginning, end or a position";
    let (what, to) = text.rsplit_once('=').ok_or(FORM)?;
    let (source, split) =
        what.split_once(':').map_or((what, None), |(source, split)| (source, Some(split)));
    if source.is_empty() || to.is_empty() || split == Some("") {
        return Err(FORM.to_string());
    }
    let Ok(to) = SeekTo::from_str(to);
    Ok((source.to_string(), Seek { split: split.map(str::to_string), to }))
}

fn parallelism(text: &str) -> Result<u16, String> {
    match text.parse::<u64>() {
        Ok(0) => Err("each operator has at least one task".into()),
        Ok(tasks) => match u16::try_from(tasks) {
            Ok(tasks) if tasks <= KEY_GROUPS => Ok(tasks),
            _ => Err(format!("a job has {KEY_GROUPS} key groups, and each task needs one")),
        },
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        flags: RunFlags,
    }

    #[test]
    fn a_value_that_cannot_work_is_refused_with_the_reason() {
        for (flag, reason) in [
            ("--retained=0", "at least one checkpoint is kept"),
            ("--parallelism=0", "at least one task"),
            ("--parallelism=129", "128 key groups"),
            ("--parallelism=99999999", "128 key groups"),
            ("--checkpoint-records=0", "at least 1"),
            ("--checkpoint-records=many", "write a number or none"),
            ("--max-bad=few", "write a number or none"),
            ("--max-bad=-1", "write a number or none"),
            ("--checkpoint-interval=0s", "longer than nothing"),
            ("--checkpoint-interval=1", "write 500ms, 10s, 1min or none"),
            ("--checkpoints=", "no place for checkpoints"),
            ("--checkpoints=memory", "write memory: with a colon"),
            ("--checkpoints=file:/x", "write file:///x"),
        ] {
            let error = Cli::try_parse_from(["job", flag]).unwrap_err().to_string();
            assert!(error.contains(reason), "{flag}: {error}");
        }
        let largest = format!("--checkpoint-records={}", u64::MAX);
        let cli = Cli::try_parse_from(["job", &largest, "--give-up-after=none"]).unwrap();
        assert_eq!(cli.flags.checkpoint_records.0, Some(u64::MAX));
        assert_eq!(cli.flags.give_up_after.0, None);
    }

    #[test]
    fn what_is_not_said_is_as_in_a_program() {
        let said_nothing = Cli::try_parse_from(["job"]).unwrap().flags.options();
        let store = CheckpointStore::parse(CHECKPOINTS).unwrap();
        assert_eq!(format!("{said_nothing:?}"), format!("{:?}", RunOptions::new(store)));
    }
}
