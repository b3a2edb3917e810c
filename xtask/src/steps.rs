//! The table of steps that `cargo xtask test` and `cargo xtask ci` consist of, and how they run.
//!
//! A step that fails does not keep the next ones from running. Each step that is not itself a run
//! of tests counts as one test, so that the last line tells about everything that was done.

use std::io::{BufRead, BufReader, Write, stdout};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::checkout::Checkout;
use crate::paint::{Paint, paint};
use crate::simulate;
use crate::tally::Tally;
use crate::time_limit::Limited;
use crate::trouble::Trouble;
use crate::{arrows, faults, guarantees, tidy};

/// A step that takes longer hangs; all of them together take a quarter of an hour on two cores.
const LONGEST_STEP: Duration = Duration::from_secs(40 * 60);

/// Which steps are wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Suite {
    Test,
    Ci,
}

struct Step {
    name: &'static str,
    what: &'static str,
    /// The smallest suite that has it; `Ci` has all.
    suite: Suite,
    act: Act,
}

enum Act {
    /// A rule that this tool checks itself; `true` if it holds.
    Rule(fn(&Checkout) -> Result<bool>),
    /// A cargo command that succeeds or fails as a whole.
    Cargo {
        arguments: &'static [&'static str],
        environment: &'static [(&'static str, &'static str)],
    },
    /// A cargo command that is not part of the toolchain, skipped where it is not installed.
    Extra { tool: &'static str, arguments: &'static [&'static str] },
    /// A cargo command that runs tests, each of which counts.
    Tests {
        arguments: &'static [&'static str],
        environment: &'static [(&'static str, &'static str)],
    },
    /// The simulation with these arguments.
    Simulation { arguments: &'static [&'static str] },
}

/// Cheap steps first: what fails should fail early.
const STEPS: &[Step] = &[
    Step {
        name: "fmt",
        what: "files that `cargo fmt` would change",
        suite: Suite::Test,
        act: Act::Cargo { arguments: &["fmt", "--all", "--", "--check", "-l"], environment: &[] },
    },
    Step {
        name: "arrows",
        what: "crates and modules depend on each other as ARCHITECTURE.md says",
        suite: Suite::Test,
        act: Act::Rule(arrows::check),
    },
    Step {
        name: "tidy",
        what: "sizes, names and forbidden words",
        suite: Suite::Test,
        act: Act::Rule(tidy::check),
    },
    Step {
        name: "guarantees",
        what: "every test that GUARANTEES.md names is there",
        suite: Suite::Test,
        act: Act::Rule(guarantees::check),
    },
    Step {
        name: "faults",
        what: "every fault to be planted has its place in the sources",
        suite: Suite::Test,
        act: Act::Rule(faults::check),
    },
    Step {
        name: "clippy",
        what: "no warnings in any target",
        suite: Suite::Test,
        act: Act::Cargo {
            arguments: &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"],
            environment: &[],
        },
    },
    Step {
        name: "deny",
        what: "bans, licences and sources of dependencies",
        suite: Suite::Test,
        act: Act::Extra {
            tool: "cargo-deny",
            arguments: &["deny", "check", "bans", "licenses", "sources"],
        },
    },
    Step {
        name: "tests",
        what: "unit, integration and documentation tests",
        suite: Suite::Test,
        act: Act::Tests { arguments: &["test", "--workspace", "--no-fail-fast"], environment: &[] },
    },
    Step {
        name: "loom",
        what: "every interleaving of a few threads at channels, mailboxes, budgets and alarms",
        suite: Suite::Test,
        act: Act::Tests {
            arguments: &[
                "test",
                "--package=steadfast-core",
                "--package=steadfast-checkpoint",
                "--package=steadfast-runtime",
                "--lib",
                "interleavings",
            ],
            // Of its own, so that neither build throws the other's away.
            environment: &[("RUSTFLAGS", "--cfg loom"), ("CARGO_TARGET_DIR", "target/loom")],
        },
    },
    Step {
        name: "doc",
        what: "the documentation builds without warnings",
        suite: Suite::Test,
        act: Act::Cargo {
            arguments: &["doc", "--workspace", "--no-deps"],
            environment: &[("RUSTDOCFLAGS", "-D warnings")],
        },
    },
    Step {
        name: "sim",
        what: "a short simulation",
        suite: Suite::Ci,
        act: Act::Simulation { arguments: &["--seeds", "0..200"] },
    },
];

/// Runs the steps of `suite`, or those of them named in `only`, and ends with the sum on a line.
pub fn run(checkout: &Checkout, suite: Suite, only: &[String]) -> Result<ExitCode> {
    let steps = choose(suite, only)?;
    let mut sum = Tally::default();
    let mut lines = Vec::new();
    let mut trouble = Vec::new();
    for step in steps {
        say(&paint(Paint::Bold, &format!("\n=== {}: {}", step.name, step.what)));
        let start = Instant::now();
        let tally = step.act.run(checkout, &mut trouble).unwrap_or_else(|error| {
            say(&paint(Paint::Bad, &format!("error: {error:#}")));
            Tally::FAILED
        });
        let line = outcome(step.name, tally, start.elapsed());
        say(&line);
        lines.push(line);
        sum += tally;
    }
    say(&paint(Paint::Bold, "\n=== all steps"));
    lines.iter().for_each(|line| say(line));
    // Again here, where one looks first.
    trouble.iter().for_each(|line| say(&paint(Paint::Bad, line)));
    say("");
    say(&sum.to_string());
    Ok(if sum.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn choose(suite: Suite, only: &[String]) -> Result<Vec<&'static Step>> {
    if let Some(unknown) = only.iter().find(|name| STEPS.iter().all(|step| step.name != **name)) {
        let names: Vec<_> = STEPS.iter().map(|step| step.name).collect();
        bail!("there is no step '{unknown}'; the steps are {}", names.join(", "));
    }
    let wanted = |step: &&Step| match only {
        [] => suite == Suite::Ci || step.suite == Suite::Test,
        names => names.iter().any(|name| name == step.name),
    };
    Ok(STEPS.iter().filter(wanted).collect())
}

fn outcome(name: &str, tally: Tally, took: Duration) -> String {
    let (colour, word) = match tally {
        Tally { failed: 1.., .. } => (Paint::Bad, "failed"),
        Tally::SKIPPED => (Paint::Faint, "skipped"),
        _ => (Paint::Good, "ok"),
    };
    let word = paint(colour, &format!("{word:7}"));
    format!("{name:11}{word} {:7.1} s   {tally}", took.as_secs_f64())
}

/// Prints a line at once, so that it stands before what the next program prints.
fn say(line: &str) {
    let mut out = stdout().lock();
    // A closed pipe must not hide how the checks ended: the exit code still tells.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

impl Act {
    /// Adds to `trouble` the tests that somebody has to look at.
    fn run(&self, checkout: &Checkout, trouble: &mut Vec<String>) -> Result<Tally> {
        match self {
            Act::Rule(rule) => Ok(one(rule(checkout)?)),
            Act::Cargo { arguments, environment } => {
                let mut command = checkout.cargo();
                command.args(*arguments).envs(environment.iter().copied());
                succeeds(command)
            }
            Act::Extra { tool, arguments } => {
                if !installed(checkout, arguments[0]) {
                    say(&format!("skipped: {tool} is not installed (cargo install {tool})"));
                    return Ok(Tally::SKIPPED);
                }
                let mut command = checkout.cargo();
                command.args(*arguments);
                succeeds(command)
            }
            Act::Tests { arguments, environment } => {
                let mut command = checkout.cargo();
                command.args(*arguments).envs(environment.iter().copied());
                count_tests(command, &mut stdout().lock(), trouble)
            }
            Act::Simulation { arguments } => {
                let mut command = checkout.cargo();
                command.args(simulate::PROGRAM).arg("--").args(*arguments);
                succeeds(command)
            }
        }
    }
}

fn one(passed: bool) -> Tally {
    if passed { Tally::PASSED } else { Tally::FAILED }
}

fn succeeds(mut command: Command) -> Result<Tally> {
    ended(Limited::start(&mut command, limit())?).map(one)
}

/// Where somebody sits at a terminal, it is up to them how long they wait.
fn limit() -> Option<Duration> {
    std::env::var_os("CI").map(|_| LONGEST_STEP)
}

/// Whether it has succeeded.
fn ended(command: Limited) -> Result<bool> {
    let Some(status) = command.wait()? else {
        bail!("it hangs: ended after {} minutes", LONGEST_STEP.as_secs() / 60);
    };
    Ok(status.success())
}

fn installed(checkout: &Checkout, subcommand: &str) -> bool {
    let mut probe = checkout.cargo();
    probe.args([subcommand, "--version"]).stdout(Stdio::null()).stderr(Stdio::null());
    probe.status().is_ok_and(|status| status.success())
}

/// Runs tests with their output on the terminal and sums what the test binaries say of themselves.
fn count_tests(
    mut command: Command,
    out: &mut impl Write,
    trouble: &mut Vec<String>,
) -> Result<Tally> {
    let mut running = Limited::start(command.stdout(Stdio::piped()), limit())?;
    let output = running.child().stdout.take().context("the output of cargo is missing")?;
    let mut lines = BufReader::new(output);
    let mut tally = Tally::default();
    let mut seen = Trouble::default();
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line)? > 0 {
        let _ = out.write_all(&line).and_then(|()| out.flush());
        let text = String::from_utf8_lossy(&line);
        if let Some(more) = Tally::read(&text) {
            tally += more;
        }
        seen.read(&text);
        line.clear();
    }
    trouble.extend(seen.lines());
    let succeeded = ended(running).unwrap_or_else(|error| {
        trouble.push(format!("{error:#}"));
        false
    });
    // A binary that does not compile or that dies has no last line, yet it has failed.
    if !succeeded && tally.failed == 0 {
        tally += Tally::FAILED;
    }
    Ok(tally)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(suite: Suite, only: &[&str]) -> Vec<&'static str> {
        let only: Vec<_> = only.iter().map(|&name| name.to_owned()).collect();
        choose(suite, &only).unwrap().iter().map(|step| step.name).collect()
    }

    #[test]
    fn ci_runs_everything_and_test_leaves_the_simulation_out() {
        let test = names(Suite::Test, &[]);
        let rules = ["fmt", "arrows", "tidy", "guarantees", "faults"];
        assert_eq!(test, [&rules[..], &["clippy", "deny", "tests", "loom", "doc"]].concat());
        assert_eq!(names(Suite::Ci, &[]), [test, vec!["sim"]].concat());
    }

    #[test]
    fn single_steps_can_be_chosen_and_a_wrong_name_is_an_error() {
        assert_eq!(names(Suite::Test, &["doc", "fmt"]), ["fmt", "doc"]);
        let error = choose(Suite::Test, &["docs".to_owned()]).err().unwrap().to_string();
        assert!(error.contains("'docs'") && error.contains("doc, sim"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn tests_are_counted_and_a_binary_that_dies_has_failed() {
        // The output is kept, or the run of tests that this test belongs to would count it too.
        let mut shown = Vec::new();
        let mut trouble = Vec::new();
        let mut shell = |script: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            count_tests(command, &mut shown, &mut trouble).unwrap()
        };
        let three = "echo 'test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured'";
        assert_eq!(shell(three), Tally { passed: 3, failed: 0, skipped: 1 });
        assert_eq!(
            shell(&format!("{three}; exit 101")),
            Tally { passed: 3, failed: 1, skipped: 1 }
        );
        shell("echo 'test a::b ... FAILED'; exit 101");
        assert_eq!(trouble, ["failed: a::b"]);
    }
}
