//! Environment variables: what one says of an option, and those that look like options and are none.
//!
//! It knows nothing of flags and files, which say the same.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, Error as ClapError, ErrorKind, Result as ClapResult};
use clap::{Arg, Command};

use super::arguments::{command, is_switch, without_frame};
use super::nearest::nearest;

/// What the variable of an option begins with.
const PREFIX: &str = "STEADFAST_";

/// What the variable of `arg` says; none if it is not set.
///
/// # Errors
/// If the option does not take it: it names the variable, for the user has typed no flag.
pub(super) fn values(arg: &Arg) -> ClapResult<Option<Vec<OsString>>> {
    let variable = arg.get_env().unwrap_or_default();
    if std::env::var_os(variable).is_none() {
        return Ok(None);
    }
    let alone = Command::new("run").no_binary_name(true).arg(arg.clone());
    let matches = alone
        .try_get_matches_from([""; 0])
        .map_err(|error| of_variable(&variable.to_string_lossy(), &error))?;
    let id = arg.get_id().as_str();
    Ok(Some(match is_switch(arg) {
        true => vec![matches.get_flag(id).to_string().into()],
        false => matches.get_raw(id).into_iter().flatten().map(Into::into).collect(),
    }))
}

/// An error about the option, as one about its variable.
fn of_variable(variable: &str, error: &ClapError) -> ClapError {
    let (said, blamed) = (without_frame(error), format!("the environment variable {variable}"));
    let told = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(option)) => said.replace(&format!("'{option}'"), &blamed),
        _ => format!("{said} in {blamed}"),
    };
    ClapError::raw(ErrorKind::InvalidValue, format!("{told}\n"))
}

/// What to say of the variables in `set` that begin as those of options do, and are of no option; the job has
/// `own` ones. They may be meant for somebody else, so nothing is refused.
pub(super) fn unknown(set: impl Iterator<Item = OsString>, own: &Command) -> Vec<String> {
    let options = command();
    let known = |command: &Command| -> Vec<String> {
        let variables = command.get_arguments().filter_map(Arg::get_env);
        variables.map(|variable| variable.to_string_lossy().into_owned()).collect()
    };
    let (known, own) = (known(&options), known(own));
    let set = set.filter_map(|name| name.into_string().ok());
    let is_none =
        |name: &String| name.starts_with(PREFIX) && !known.contains(name) && !own.contains(name);
    let mut unknown: Vec<_> = set.filter(is_none).collect();
    unknown.sort();
    let told = unknown.iter().map(|name| {
        let nearest = nearest(name, known.iter().chain(&own).map(String::as_str));
        format!("the environment variable {name} is of no option: the nearest is {nearest}")
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_of_no_option_is_told_with_the_nearest_one() {
        let own = Command::new("job").arg(Arg::new("own").env("STEADFAST_OWN"));
        let set = [
            "STEADFAST_PARALLELLISM",
            "PATH",
            "STEADFAST_CHECKPOINT",
            "STEADFAST_RETAINED",
            "STEADFAST_OWN",
        ];
        let told = unknown(set.into_iter().map(OsString::from), &own);
        let told: Vec<_> = told.iter().map(String::as_str).collect();
        assert_eq!(
            told,
            [
                "the environment variable STEADFAST_CHECKPOINT is of no option: the nearest is STEADFAST_CHECKPOINTS",
                "the environment variable STEADFAST_PARALLELLISM is of no option: the nearest is STEADFAST_PARALLELISM",
            ]
        );
    }

    #[test]
    fn an_error_about_a_value_names_the_variable() {
        for (flag, told) in [
            (
                "--retained=0",
                "invalid value '0' for the environment variable V: at least one checkpoint is kept",
            ),
            ("--consistency=twice", "invalid value 'twice' for the environment variable V\n"),
        ] {
            let error = command().try_get_matches_from([flag]).unwrap_err();
            let error = of_variable("V", &error).to_string();
            assert!(error.starts_with(&format!("error: {told}")), "{error}");
        }
    }
}
