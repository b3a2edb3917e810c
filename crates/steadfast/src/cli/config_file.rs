//! The file of options: a table for each job, and one for what they share.
//!
//! ```toml
//! [default]
//! checkpoints = "/var/lib/jobs"
//!
//! [payments]
//! parallelism = 8
//! checkpoint-interval = "500ms"
//! ```
//!
//! What a value means is left to the command line, which takes it as if it had been typed.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use clap::Arg;
use steadfast_core::{Cause, Error, Result};
use toml::{Table, Value};

use super::arguments::{as_arguments, command, is_switch, name, without_frame};
use super::nearest::nearest;

/// What belongs to one run, and would do harm or nothing in all that follow.
pub(super) const ONLY_FOR_ONE_RUN: [&str; 5] =
    ["reset", "seek", "dry-run", "show-config", "config"];

/// The table that holds for all jobs.
const FOR_ALL: &str = "default";

/// What a file says of one job.
#[derive(Debug, Default)]
pub(super) struct ConfigFile {
    options: BTreeMap<String, FromFile>,
    /// That it says nothing of the job, and what of.
    pub(super) warning: Option<String>,
}

/// An option and where it stands.
#[derive(Debug)]
pub(super) struct FromFile {
    /// As they would be typed.
    pub values: Vec<OsString>,
    pub place: String,
}

impl ConfigFile {
    /// Reads what the file at `path` says of the job called `job`.
    ///
    /// # Errors
    /// `Configuration` if it cannot be read, is no TOML, or says what cannot be.
    pub(super) fn read(path: &Path, job: &str) -> Result<Self> {
        let place = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| {
            Error::because(Cause::CONFIG_FILE, "the file of options cannot be read")
                .caused_by(error)
                .at(&place)
        })?;
        Self::parse(&text, &place, job)
    }

    fn parse(text: &str, place: &str, job: &str) -> Result<Self> {
        let file: Table = text.parse().map_err(|error: toml::de::Error| {
            Error::because(Cause::CONFIG_FILE, "the file of options is no TOML")
                .caused_by(error)
                .at(place)
        })?;
        if let Some((key, _)) = file.iter().find(|(_, value)| !value.is_table()) {
            let what = format!("'{key}' stands outside of all tables");
            return Err(Error::because(Cause::CONFIG_FILE, what)
                .at(place)
                .hint(format!("put it below [{FOR_ALL}], for all jobs, or below {}", head(job))));
        }
        let mut options = BTreeMap::new();
        // What is said of the job takes the place of what is said of all.
        for table in [FOR_ALL, job] {
            let place = format!("{place}, {}", head(table));
            for (key, value) in file.get(table).and_then(Value::as_table).into_iter().flatten() {
                let values = option(key, value).map_err(|error| error.at(&place))?;
                options.insert(key.clone(), FromFile { values, place: place.clone() });
            }
        }
        let is_meant = file.contains_key(FOR_ALL) || file.contains_key(job);
        let warning = (!is_meant).then(|| {
            let tables: Vec<_> = file.keys().map(|table| head(table)).collect();
            let has = if tables.is_empty() { "no table".to_string() } else { tables.join(", ") };
            let job = head(job);
            format!("{place}: nothing in it is for this job: it has {has}, and neither [{FOR_ALL}] nor {job}")
        });
        Ok(ConfigFile { options, warning })
    }

    pub(super) fn get(&self, name: &str) -> Option<&FromFile> {
        self.options.get(name)
    }
}

/// The line with which the table of a job begins.
fn head(table: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    match !table.is_empty() && table.chars().all(is_bare) {
        true => format!("[{table}]"),
        false => format!("[{table:?}]"),
    }
}

/// An option as it would be typed.
fn option(key: &str, value: &Value) -> Result<Vec<OsString>> {
    let command = command();
    if ONLY_FOR_ONE_RUN.contains(&key) {
        let what = format!("'{key}' belongs to one run, and a file to all of them");
        return Err(
            Error::because(Cause::CONFIG_FILE, what).hint(format!("give it as a flag: --{key}"))
        );
    }
    let Some(arg) = command.get_arguments().find(|arg| name(arg) == key) else {
        let names = command.get_arguments().map(name);
        let nearest = nearest(key, names.filter(|name| !ONLY_FOR_ONE_RUN.contains(name)));
        return Err(Error::because(Cause::CONFIG_FILE, format!("there is no option '{key}'"))
            .hint(format!("the nearest name is '{nearest}'; docs/options.md has all of them")));
    };
    let values = typed(arg, value).ok_or_else(|| {
        let takes = match (is_switch(arg), takes_many(arg)) {
            (true, _) => "true or false",
            (_, true) => "a text, or a list of texts",
            _ => "a text or a whole number",
        };
        Error::because(
            Cause::CONFIG_FILE,
            format!("'{key}' is {}: it takes {takes}", value.type_str()),
        )
    })?;
    let alone = command.clone().try_get_matches_from(as_arguments(arg, &values));
    alone.map_err(|error| Error::because(Cause::OPTION, without_frame(&error)))?;
    Ok(values)
}

fn takes_many(arg: &Arg) -> bool {
    arg.get_value_delimiter().is_some()
}

fn typed(arg: &Arg, value: &Value) -> Option<Vec<OsString>> {
    let one = match value {
        Value::Boolean(is_on) if is_switch(arg) => is_on.to_string(),
        _ if is_switch(arg) => return None,
        Value::String(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        Value::Array(list) if takes_many(arg) => {
            return list.iter().map(|item| item.as_str().map(Into::into)).collect();
        }
        _ => return None,
    };
    Some(vec![one.into()])
}

#[cfg(test)]
mod tests {
    use steadfast_core::ErrorKind;

    use super::*;

    fn refused(text: &str) -> String {
        let error = ConfigFile::parse(text, "jobs.toml", "my job").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        error.to_string()
    }

    #[test]
    fn a_file_that_says_what_cannot_be_is_refused_with_the_place() {
        for (text, reason) in [
            ("retained = 3", "jobs.toml: 'retained' stands outside of all tables"),
            ("retained = 3", "[\"my job\"]"),
            ("[default", "jobs.toml: the file of options is no TOML"),
            ("[default]\nretaind = 3", "jobs.toml, [default]: there is no option 'retaind'"),
            ("[default]\nretaind = 3", "the nearest name is 'retained'"),
            ("['my job']\ncheckpoint_interval = '1s'", "the nearest name is 'checkpoint-interval'"),
            (
                "['my job']\nretained = 0",
                "[\"my job\"]: invalid value '0' for '--retained <N>': at least one",
            ),
            ("[default]\nretained = 1.5", "'retained' is float: it takes a text or a whole number"),
            ("[default]\nadopt = 'yes'", "'adopt' is string: it takes true or false"),
            ("[default]\nforget = [1]", "'forget' is array: it takes a text, or a list of texts"),
            ("[default]\nretained = ['1']", "'retained' is array"),
            ("[default]\nreset = true", "give it as a flag: --reset"),
            ("[default]\ncheckpoints = 'memory'", "write memory: with a colon"),
        ] {
            let error = refused(text);
            assert!(error.contains(reason), "{text}: {error}");
        }
        assert!(refused("[default]\nretained = 1.5").contains("[SF0324]"));
        assert!(refused("[default]\nretained = 0").contains("[SF0318]"), "a value, not the file");
        let other_job = "[other]\nretaind = 0";
        assert!(ConfigFile::parse(other_job, "jobs.toml", "my job").unwrap().options.is_empty());
    }

    #[test]
    fn a_file_in_which_nothing_is_for_the_job_is_told_with_what_it_has() {
        let warning = |text| ConfigFile::parse(text, "jobs.toml", "my job").unwrap().warning;
        let told = "jobs.toml: nothing in it is for this job: it has [my-job], [other], and neither [default] nor \
                    [\"my job\"]";
        assert_eq!(warning("[other]\nretained = 0\n[my-job]\n").as_deref(), Some(told));
        assert!(warning("").unwrap().contains("it has no table"));
        for meant in ["['my job']", "[default]", "[other]\n[default]"] {
            assert_eq!(warning(meant), None, "{meant}");
        }
    }
}
