//! The tests of packages as finders of planted faults. Tests in documentation are left out: they run
//! through the compiler.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::list::Fault;
use super::plant::{Planted, VARIABLE};
use super::trial::{self, End, Found};

/// A suite that ends no test for as long as all of it takes without a fault, and this, has hung.
const LEAST: Duration = Duration::from_secs(30);
/// Without a fault.
const LIMIT: Duration = Duration::from_secs(300);

/// The test binaries of the copy.
pub struct Suites {
    by_package: BTreeMap<String, Vec<Suite>>,
    /// In which they run: some build programs of the copy themselves.
    environment: Vec<(&'static str, OsString)>,
}

struct Suite {
    binary: PathBuf,
    /// Where tests expect to run.
    folder: PathBuf,
    /// How long it may be silent; not known before it has run without a fault.
    limit: Option<Duration>,
}

impl Suites {
    /// Builds the tests that `faults` ask for, all at once.
    pub fn build<'a>(
        planted: &Planted,
        faults: impl IntoIterator<Item = &'a Fault>,
    ) -> Result<Self> {
        let packages: BTreeSet<_> = faults.into_iter().flat_map(|fault| &fault.tests).collect();
        let mut by_package = BTreeMap::<String, Vec<Suite>>::new();
        let environment = planted.environment();
        if packages.is_empty() {
            return Ok(Suites { by_package, environment });
        }
        let mut command = planted.cargo();
        command.args(["test", "--no-run", "--quiet", "--message-format=json"]);
        packages.iter().for_each(|package| {
            command.args(["--package", package]);
        });
        let built = command.stderr(Stdio::inherit()).output().context("cannot start cargo")?;
        ensure!(built.status.success(), "the tests of the copy do not build");
        let lines = String::from_utf8(built.stdout)?;
        let messages = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        for message in messages.filter(|message| message["profile"]["test"] == true) {
            if let Some((package, suite)) = Suite::of(&message) {
                by_package.entry(package).or_default().push(suite);
            }
        }
        Ok(Suites { by_package, environment })
    }

    /// Runs the tests of the packages that should find `fault`, up to the first that does.
    pub fn look_for(&mut self, fault: &Fault) -> Result<Option<Found>> {
        for package in &fault.tests {
            let short = package.strip_prefix("steadfast-").unwrap_or(package);
            let found = |what: &str| Some(Found { seeds: None, what: format!("{short}: {what}") });
            let environment = &self.environment;
            for suite in self.by_package.get_mut(package).into_iter().flatten() {
                let limit = suite.limit(environment)?;
                let (end, output) = suite.run(environment, fault.number, limit)?;
                match end {
                    End::Success => {}
                    End::Hangs => return Ok(found("hangs")),
                    End::Failure => return Ok(found(failed(&output).unwrap_or("dies"))),
                }
            }
        }
        Ok(None)
    }
}

impl Suite {
    /// What cargo says of a program that it has built, and of which package it is.
    fn of(message: &Value) -> Option<(String, Self)> {
        let (binary, manifest) =
            (message["executable"].as_str()?, message["manifest_path"].as_str()?);
        let package = package_of(message["package_id"].as_str()?)?.to_string();
        let folder = PathBuf::from(manifest).parent()?.to_path_buf();
        Some((package, Suite { binary: binary.into(), folder, limit: None }))
    }

    /// How long it may be silent with a fault: the first time, it is run without.
    fn limit(&mut self, environment: &[(&str, OsString)]) -> Result<Duration> {
        if let Some(limit) = self.limit {
            return Ok(limit);
        }
        let began = Instant::now();
        if let (End::Failure | End::Hangs, output) = self.run(environment, 0, LIMIT)? {
            let (binary, test) = (self.binary.display(), failed(&output).unwrap_or("a test"));
            bail!("{binary}: {test} fails or hangs where nothing is planted");
        }
        Ok(*self.limit.insert(LEAST + began.elapsed()))
    }

    /// Runs it up to the first test that fails.
    fn run(
        &self,
        environment: &[(&str, OsString)],
        fault: usize,
        limit: Duration,
    ) -> Result<(End, String)> {
        let mut command = Command::new(&self.binary);
        command
            .current_dir(&self.folder)
            .envs(environment.iter().map(|(name, value)| (name, value)));
        command.env(VARIABLE, fault.to_string());
        trial::run(command, limit, |line| failed(line).is_some())
    }
}

/// The name in `path+file:///a/b#name@1.0.0` or `path+file:///a/name#1.0.0`.
fn package_of(id: &str) -> Option<&str> {
    let (path, version) = id.rsplit_once('#')?;
    match version.split_once('@') {
        Some((name, _)) => Some(name),
        None => path.rsplit('/').next(),
    }
}

/// The first test that failed.
fn failed(output: &str) -> Option<&str> {
    output.lines().find_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_test_that_failed_is_named() {
        let output = "test a::b ... ok\ntest c::d ... FAILED\ntest e ... FAILED\n";
        assert_eq!(failed(output), Some("c::d"));
        assert_eq!(failed("test a ... ok"), None);
    }

    #[test]
    fn an_id_of_cargo_has_the_name_of_its_package() {
        assert_eq!(package_of("path+file:///a/core#steadfast-core@0.1.0"), Some("steadfast-core"));
        assert_eq!(package_of("path+file:///a/steadfast#0.1.0"), Some("steadfast"));
    }
}
