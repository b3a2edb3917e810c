//! The options of a run, each from the first place that gives it: a flag, an environment variable, the
//! file named with `--config`, the default.
//!
//! It knows nothing of what they mean.

use std::collections::BTreeMap;
use std::ffi::OsString;

use clap::builder::Resettable;
use clap::error::{Error as ClapError, Result as ClapResult};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};
use steadfast_core::{Cause, Error, Result};

use super::arguments::{as_arguments, command, is_switch, name, without_frame};
use super::config_file::{ConfigFile, FromFile};
use super::flags::RunFlags;
use super::variables;

/// The flags as they were given, before a file has been read.
#[derive(Clone, Debug)]
pub struct Given {
    /// As far as they are known without the file.
    pub flags: RunFlags,
    /// What flags and variables say, by the name of the flag.
    said: BTreeMap<String, Said>,
}

/// The value of an option that is not left to others.
#[derive(Clone, Debug)]
struct Said {
    values: Vec<OsString>,
    by: ValueSource,
}

/// All options of a run.
#[derive(Debug)]
pub struct Chosen {
    pub flags: RunFlags,
    /// What is probably not as it was meant.
    pub warnings: Vec<String>,
    /// In the order in which they are documented.
    pub options: Vec<Choice>,
}

/// An option as it is, and where it comes from.
#[derive(Debug, PartialEq, Eq)]
pub struct Choice {
    pub name: String,
    pub value: String,
    pub from: String,
}

impl Given {
    /// Takes the rest from the file that they name, if they do, for the job called `job`.
    ///
    /// # Errors
    /// `Configuration` if the file cannot be read or says what cannot be.
    pub fn chosen(&self, job: &str) -> Result<Chosen> {
        let file = self.flags.config.as_deref().map(|path| ConfigFile::read(path, job));
        let file = file.transpose()?.unwrap_or_default();
        let command = command();
        let mut arguments = Vec::new();
        for arg in command.get_arguments() {
            match (self.said.get(name(arg)), file.get(name(arg))) {
                (Some(said), _) => arguments.extend(as_arguments(arg, &said.values)),
                (None, Some(FromFile { values, .. })) => {
                    arguments.extend(as_arguments(arg, values));
                }
                (None, None) => {}
            }
        }
        let failed = |error: ClapError| Error::because(Cause::OPTION, without_frame(&error));
        let matches = command.clone().try_get_matches_from(arguments).map_err(failed)?;
        let flags = RunFlags::from_arg_matches(&matches).map_err(failed)?;
        let choice = |arg: &Arg| {
            let values = matches.get_raw(arg.get_id().as_str()).into_iter().flatten();
            let values: Vec<_> = values.map(|value| value.to_string_lossy()).collect();
            let (name, value) = (name(arg).to_string(), values.join(","));
            let from = self.origin(arg, &file);
            Choice { name, value, from }
        };
        let options = command.get_arguments().map(choice).collect();
        let warnings = file.warning.into_iter().collect();
        Ok(Chosen { flags, warnings, options })
    }

    fn origin(&self, arg: &Arg, file: &ConfigFile) -> String {
        let variable = arg.get_env().unwrap_or_default().to_string_lossy();
        match (self.said.get(name(arg)), file.get(name(arg))) {
            (Some(Said { by: ValueSource::EnvVariable, .. }), _) => {
                format!("environment, {variable}")
            }
            (Some(_), _) => "flag".to_string(),
            (None, Some(FromFile { place, .. })) => place.clone(),
            (None, None) => "default".to_string(),
        }
    }
}

impl FromArgMatches for Given {
    fn from_arg_matches(matches: &ArgMatches) -> ClapResult<Self> {
        let (command, mut said, mut arguments) = (command(), BTreeMap::new(), Vec::new());
        for arg in command.get_arguments() {
            let id = arg.get_id().as_str();
            let by = matches.value_source(id).filter(|by| *by != ValueSource::DefaultValue);
            let of_one = match by {
                Some(by) => {
                    // A switch has its meaning, whatever word it was given by.
                    let values = match is_switch(arg) {
                        true => vec![matches.get_flag(id).to_string().into()],
                        false => {
                            matches.get_raw(id).into_iter().flatten().map(Into::into).collect()
                        }
                    };
                    Some(Said { values, by })
                }
                None => variables::values(arg)?
                    .map(|values| Said { values, by: ValueSource::EnvVariable }),
            };
            if let Some(of_one) = of_one {
                arguments.extend(as_arguments(arg, &of_one.values));
                said.insert(name(arg).to_string(), of_one);
            }
        }
        let flags = RunFlags::from_arg_matches(&command.try_get_matches_from(arguments)?)?;
        Ok(Given { flags, said })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> ClapResult<()> {
        *self = Given::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for Given {
    fn augment_args(command: Command) -> Command {
        // The job's own flags come first. Variables are looked at afterwards, so that an error about one names
        // it; their names follow from those of flags.
        let place = |command: Command, id| {
            command
                .mut_arg(id, |arg| arg.help_heading("Options of every job").env(Resettable::Reset))
        };
        let ids: Vec<_> = self::command().get_arguments().map(|arg| arg.get_id().clone()).collect();
        ids.into_iter().fold(RunFlags::augment_args(command), place)
    }

    fn augment_args_for_update(command: Command) -> Command {
        RunFlags::augment_args_for_update(command)
    }
}

#[cfg(test)]
mod tests;
