//! The options of `run` as clap knows them, and as they would be typed.
//!
//! It knows nothing of where their values come from.

use std::ffi::OsString;

use clap::error::Error as ClapError;
use clap::{Arg, ArgAction, Args, Command};

use super::flags::RunFlags;

/// Nothing but the flags of `run`.
pub(super) fn command() -> Command {
    RunFlags::augment_args(Command::new("run").no_binary_name(true).disable_help_flag(true))
}

/// The name of an option, without the dashes.
pub(super) fn name(arg: &Arg) -> &str {
    arg.get_long().unwrap_or_default()
}

pub(super) fn is_switch(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::SetTrue)
}

/// An option as it would be typed.
pub(super) fn as_arguments(arg: &Arg, values: &[OsString]) -> Vec<OsString> {
    let flag = OsString::from(format!("--{}", name(arg)));
    if is_switch(arg) {
        let is_on = values.iter().any(|value| value != "false");
        return if is_on { vec![flag] } else { Vec::new() };
    }
    let each = |value: &OsString| {
        let mut argument = flag.clone();
        argument.push("=");
        argument.push(value);
        argument
    };
    values.iter().map(each).collect()
}

/// What clap says, without the word before it and the advice after it.
pub(super) fn without_frame(error: &ClapError) -> String {
    let text = error.to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let end = text.find("\n\nFor more information").unwrap_or(text.len());
    text[..end].trim_end().to_string()
}
