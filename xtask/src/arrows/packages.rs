//! The members of the workspace and their dependencies on each other, as cargo sees them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::arrows::allowed::Allowed;

/// The members by short name: `core` for `steadfast-core`.
pub struct Packages(BTreeMap<String, Package>);

struct Package {
    folder: PathBuf,
    /// Members that it needs to be built: normal, optional and build dependencies.
    needs: BTreeSet<String>,
    /// Members that only its tests need.
    tests_need: BTreeSet<String>,
}

impl Packages {
    /// Reads the output of `cargo metadata --no-deps`.
    pub fn read(metadata: &Value) -> Result<Self> {
        let list = metadata["packages"].as_array().context("cargo metadata lists no packages")?;
        let name = |value: &Value| short(value["name"].as_str().unwrap_or_default());
        let members: BTreeSet<String> = list.iter().map(name).collect();
        let mut packages = BTreeMap::new();
        for package in list {
            let manifest = package["manifest_path"].as_str().context("a package has no path")?;
            let folder = Path::new(manifest).parent().context("a manifest has no folder")?;
            let (mut needs, mut tests_need) = (BTreeSet::new(), BTreeSet::new());
            for dependency in package["dependencies"].as_array().into_iter().flatten() {
                let to = name(dependency);
                if !dependency["path"].is_string() || !members.contains(&to) {
                    continue;
                }
                let for_tests = dependency["kind"] == "dev";
                if for_tests {
                    tests_need.insert(to)
                } else {
                    needs.insert(to)
                };
            }
            let folder = folder.to_path_buf();
            packages.insert(name(package), Package { folder, needs, tests_need });
        }
        Ok(Packages(packages))
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Each package with the folder of its sources, where there is one.
    pub fn source_folders(&self) -> impl Iterator<Item = (&str, PathBuf)> {
        let folder = |package: &Package| package.folder.join("src");
        self.0
            .iter()
            .map(move |(name, package)| (name.as_str(), folder(package)))
            .filter(|(_, folder)| folder.is_dir())
    }

    /// All differences between what is and what is listed.
    pub fn compare(&self, allowed: &Allowed) -> Vec<String> {
        let mut faults = Vec::new();
        let none = BTreeSet::new();
        for (name, package) in &self.0 {
            let listed = allowed.0.get(name).unwrap_or(&none);
            for to in package.needs.difference(listed) {
                faults.push(format!(
                    "{name} -> {to} exists, but ARCHITECTURE.md does not list it: \
                     take the dependency away, or decide that it belongs there"
                ));
            }
            for to in listed.difference(&package.needs) {
                faults.push(format!("{name} -> {to} is listed in ARCHITECTURE.md, but not there"));
            }
        }
        for unknown in allowed.0.keys().filter(|name| !self.0.contains_key(*name)) {
            faults.push(format!("ARCHITECTURE.md lists the crate {unknown}, which is not there"));
        }
        for to in self.0.get("core").iter().flat_map(|core| &core.tests_need) {
            faults.push(format!("the tests of core need {to}: core stands alone, in tests too"));
        }
        faults
    }
}

fn short(name: &str) -> String {
    name.strip_prefix("steadfast-").unwrap_or(name).to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn package(name: &str, dependencies: &[(&str, Option<&str>)]) -> Value {
        let dependencies: Vec<_> = dependencies
            .iter()
            .map(|(name, kind)| json!({ "name": name, "kind": kind, "path": "somewhere" }))
            .chain([json!({ "name": "serde", "kind": null })])
            .collect();
        json!({ "name": name, "manifest_path": "x/Cargo.toml", "dependencies": dependencies })
    }

    fn faults(core_tests: &[(&str, Option<&str>)], block: &str) -> Vec<String> {
        let metadata = json!({ "packages": [
            package("steadfast-core", core_tests),
            package("steadfast-state", &[("steadfast-core", None), ("steadfast-testkit", Some("dev"))]),
            package("steadfast-testkit", &[("steadfast-state", Some("build"))]),
        ]});
        let allowed = Allowed::parse(&format!("```arrows\n{block}\n```")).unwrap();
        Packages::read(&metadata).unwrap().compare(&allowed)
    }

    #[test]
    fn an_exact_list_has_no_faults_and_tests_are_free() {
        assert_eq!(faults(&[], "core ->\nstate -> core\ntestkit -> state"), [""; 0]);
    }

    #[test]
    fn an_arrow_that_is_not_listed_is_a_fault() {
        let faults = faults(&[], "state -> core");
        assert_eq!(faults.len(), 1);
        assert!(faults[0].starts_with("testkit -> state exists"), "{faults:?}");
    }

    #[test]
    fn a_listed_arrow_or_crate_that_is_gone_is_a_fault() {
        let faults = faults(&[], "state -> core testkit\ntestkit -> state\nold -> core");
        assert_eq!(faults.len(), 2);
        assert!(faults[0].starts_with("state -> testkit is listed"), "{faults:?}");
        assert!(faults[1].contains("lists the crate old"), "{faults:?}");
    }

    #[test]
    fn core_stands_alone_in_tests_too() {
        let faults =
            faults(&[("steadfast-testkit", Some("dev"))], "state -> core\ntestkit -> state");
        assert_eq!(faults, ["the tests of core need testkit: core stands alone, in tests too"]);
    }
}
