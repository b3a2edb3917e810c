//! Which place an option comes from, and that the documentation lists all of them.

use std::path::PathBuf;

use super::*;
use crate::MaxBad;
use crate::cli::config_file::ONLY_FOR_ONE_RUN;

/// As clap has them after the flags `typed`, in an environment in which `variables` are set. The
/// variables of a process are the same for all tests, so they are played by flags.
fn given(typed: &[&str], variables: &[&str]) -> Given {
    let arguments = || typed.iter().chain(variables);
    let matches = command().try_get_matches_from(arguments()).unwrap();
    let mut given = Given::from_arg_matches(&matches).unwrap();
    for variable in variables {
        let name = variable.trim_start_matches('-').split('=').next().unwrap();
        given.said.get_mut(name).unwrap().by = ValueSource::EnvVariable;
    }
    given
}

fn file(text: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.toml");
    std::fs::write(&path, text).unwrap();
    (folder, format!("--config={}", path.display()))
}

fn option<'a>(chosen: &'a Chosen, name: &str) -> (&'a str, &'a str) {
    let option = chosen.options.iter().find(|option| option.name == name).unwrap();
    (&option.value, option.from.rsplit('/').next().unwrap())
}

#[test]
fn an_option_comes_from_flag_environment_file_or_default_in_this_order() {
    let (_folder, config) = file(
        "[default]\nretained = 1\nparallelism = 1\nlate-after = '1s'\nstop-within = '1s'\n\
         quiet = true\nnew = ['a', 'b']\nadopt = true\nmax-bad = 'none'\n\
         [payments]\nlate-after = '2s'\ncheckpoint-records = 7\nadopt = false\nmax-bad = 5\n",
    );
    let typed = ["--retained=3", &config];
    let given = given(&typed, &["--parallelism=2", "--forget=x,y"]);
    let chosen = given.chosen("payments").unwrap();
    for (name, expected) in [
        ("retained", ("3", "flag")),
        ("parallelism", ("2", "environment, STEADFAST_PARALLELISM")),
        ("forget", ("x,y", "environment, STEADFAST_FORGET")),
        ("late-after", ("2s", "jobs.toml, [payments]")),
        ("checkpoint-records", ("7", "jobs.toml, [payments]")),
        ("adopt", ("false", "jobs.toml, [payments]")),
        ("max-bad", ("5", "jobs.toml, [payments]")),
        ("stop-within", ("1s", "jobs.toml, [default]")),
        ("quiet", ("true", "jobs.toml, [default]")),
        ("new", ("a,b", "jobs.toml, [default]")),
        ("reset", ("false", "default")),
        ("checkpoint-interval", ("1s", "default")),
    ] {
        assert_eq!(option(&chosen, name), expected, "{name}");
    }
    let RunFlags { retained, parallelism, quiet, adopt, max_bad, ref new, .. } = chosen.flags;
    assert_eq!(max_bad, Some(MaxBad::Pieces(5)));
    assert_eq!((retained, parallelism, quiet, adopt), (3, 2, true, false));
    assert_eq!(new, &["a", "b"]);
    let other = given.chosen("other").unwrap();
    assert_eq!(option(&other, "late-after").0, "1s");
    assert_eq!(other.flags.max_bad, Some(MaxBad::Any));
}

#[test]
fn a_switch_that_the_environment_turns_off_is_not_turned_on_by_a_file() {
    let (_folder, config) = file("[default]\nquiet = true\n");
    let mut given = given(&[&config, "--quiet"], &[]);
    let off = Said { values: vec!["false".into()], by: ValueSource::EnvVariable };
    given.said.insert("quiet".into(), off);
    assert!(!given.chosen("job").unwrap().flags.quiet);
}

#[test]
fn without_a_file_all_is_as_it_was_given() {
    let chosen = given(&["--checkpoints=memory:"], &[]).chosen("job").unwrap();
    assert_eq!(option(&chosen, "checkpoints"), ("memory:", "flag"));
    let missing = given(&["--config=/no/such/file"], &[]).chosen("job").unwrap_err().to_string();
    assert!(missing.contains("/no/such/file: the file of options cannot be read"), "{missing}");
}

/// The rows of the table in `docs/options.md`, as clap knows the options.
fn rows() -> Vec<String> {
    let row = |arg: &Arg| {
        let name = name(arg);
        let values: Vec<_> = arg.get_value_names().into_iter().flatten().collect();
        let takes = match is_switch(arg) {
            true => String::new(),
            false => format!(" {}", values[0].replace('|', "\\|")),
        };
        let possible = arg.get_possible_values();
        let takes = match possible.is_empty() || is_switch(arg) {
            true => takes,
            false => {
                let names: Vec<_> = possible.iter().map(|value| value.get_name()).collect();
                format!(" {}", names.join("\\|"))
            }
        };
        let variable = arg.get_env().unwrap().to_str().unwrap();
        let in_file = match ONLY_FOR_ONE_RUN.contains(&name) {
            true => String::new(),
            false => format!("`{name}`"),
        };
        let help = arg.get_help().unwrap().to_string().replace('|', "\\|");
        let (help, default) = match help.split_once(" [default: ") {
            Some((help, default)) => (help, default.trim_end_matches(']').to_string()),
            None => {
                let defaults = arg.get_default_values().iter().map(|value| value.to_string_lossy());
                let defaults = defaults.collect::<Vec<_>>().join(",");
                let is_off = is_switch(arg) || defaults.is_empty();
                (&*help, if is_off { String::new() } else { format!("`{defaults}`") })
            }
        };
        format!("| `--{name}{takes}` | `{variable}` | {in_file} | {default} | {help} |")
    };
    command().get_arguments().map(row).collect()
}

#[test]
fn the_documentation_lists_every_option_as_it_is() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/options.md");
    let document = std::fs::read_to_string(path).unwrap();
    let listed: Vec<_> = document.lines().filter(|line| line.starts_with("| `--")).collect();
    assert_eq!(listed, rows(), "these are the rows:\n{}", rows().join("\n"));
}

#[test]
fn every_option_has_a_variable_of_its_own_name() {
    for arg in command().get_arguments() {
        let variable = format!("STEADFAST_{}", name(arg).replace('-', "_").to_uppercase());
        assert_eq!(arg.get_env().unwrap().to_str().unwrap(), variable);
    }
}
