//! The copy of the checkout in which faults are planted: each as a choice at run time, so that one build
//! serves all of them.
//!
//! An expression becomes `(if planted { fault } else { as it was })`, a statement the same without the
//! brackets. It knows nothing of who looks for them.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::list::{self, Fault, Place};
use crate::checkout::Checkout;

/// By which variable a program of the copy is told the number of the fault.
pub const VARIABLE: &str = "STEADFAST_PLANTED";
/// By which variable it is told the file in which it notes which places it has come to.
pub const REACHED: &str = "STEADFAST_REACHED";

/// The file of the copy that every crate can reach, and what is added to it.
const ROOT: &str = "crates/core/src/lib.rs";
const ROOT_ADDED: &str = "\nextern crate self as steadfast_core;\npub mod planted;\n";
const MODULE: &str = "crates/core/src/planted.rs";
const MODULE_TEXT: &str = include_str!("planted.rs.txt");

/// The copy.
pub struct Planted {
    root: PathBuf,
    build: PathBuf,
}

impl Planted {
    /// Brings the copy up to date, with all of `faults` in it.
    pub fn prepare(checkout: &Checkout, faults: &[Fault]) -> Result<Self> {
        let root = checkout.path("target/faults/checkout");
        let mut files = tracked(checkout)?;
        plant(&mut files, faults)?;
        for path in files_below(&root)?.into_iter().filter(|path| !files.contains_key(path)) {
            fs::remove_file(root.join(path))?;
        }
        for (path, bytes) in &files {
            // What has not changed keeps its time, so that it is not built again.
            let path = root.join(path);
            if fs::read(&path).ok().as_ref() != Some(bytes) {
                fs::create_dir_all(path.parent().unwrap_or(&root))?;
                fs::write(&path, bytes).with_context(|| path.display().to_string())?;
            }
        }
        Ok(Planted { root, build: checkout.path("target/faults/build") })
    }

    /// Cargo, to build programs of the copy.
    pub fn cargo(&self) -> Command {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.current_dir(&self.root).envs(self.environment());
        command.env_remove("CARGO_MANIFEST_DIR").env_remove("CARGO_MANIFEST_PATH");
        command
    }

    /// The environment in which programs of the copy are built, and tests run that build some.
    pub fn environment(&self) -> Vec<(&'static str, OsString)> {
        vec![
            ("CARGO_TARGET_DIR", self.build.clone().into()),
            // A fault may leave names unused.
            ("RUSTFLAGS", "--cap-lints=allow".into()),
            // Here a short build counts more than a fast program.
            ("CARGO_PROFILE_DEV_DEBUG", "false".into()),
            ("CARGO_PROFILE_RELEASE_DEBUG", "false".into()),
            ("CARGO_PROFILE_RELEASE_LTO", "off".into()),
            ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16".into()),
        ]
    }

    /// A program that was built from the copy, such as `release/simulate`.
    pub fn program(&self, path: &str) -> PathBuf {
        self.build.join(path)
    }
}

/// The files that belong to the checkout, with their contents.
fn tracked(checkout: &Checkout) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut git = Command::new("git");
    git.arg("-C").arg(checkout.path(""));
    git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let listed = git.output().context("cannot run git")?;
    ensure!(listed.status.success(), "git does not list the files of the checkout");
    let names = String::from_utf8(listed.stdout)?;
    let mut files = BTreeMap::new();
    for name in names.split('\0').filter(|name| !name.is_empty()) {
        let path = checkout.path(name);
        // Removed, and git has not been told yet.
        if path.is_file() {
            files.insert(name.to_string(), fs::read(&path).with_context(|| name.to_string())?);
        }
    }
    Ok(files)
}

/// All files below a folder, relative to it; none if it is not there.
fn files_below(root: &Path) -> Result<Vec<String>> {
    let (mut folders, mut files) = (vec![String::new()], Vec::new());
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(root.join(&folder)) else { continue };
        for entry in entries {
            let entry = entry?;
            let path = format!("{folder}{}", entry.file_name().to_string_lossy());
            match entry.file_type()?.is_dir() {
                true => folders.push(path + "/"),
                false => files.push(path),
            }
        }
    }
    Ok(files)
}

fn plant(files: &mut BTreeMap<String, Vec<u8>>, faults: &[Fault]) -> Result<()> {
    let places: BTreeSet<_> = faults.iter().map(|fault| fault.file.clone()).collect();
    for place in places {
        let here = faults.iter().filter(|fault| fault.file == place);
        let text = files.get(&place).with_context(|| format!("git does not know {place}"))?;
        let text = planted(std::str::from_utf8(text)?, here)?;
        files.insert(place, text.into_bytes());
    }
    let root = files.get_mut(ROOT).with_context(|| format!("there is no {ROOT}"))?;
    root.extend(ROOT_ADDED.as_bytes());
    files.insert(MODULE.to_string(), MODULE_TEXT.as_bytes().to_vec());
    Ok(())
}

/// What keeps one of `faults`, which all have their places, from being planted.
pub fn problems(checkout: &Checkout, faults: &[Fault]) -> Result<Vec<String>> {
    let places: BTreeSet<_> = faults.iter().map(|fault| &fault.file).collect();
    let mut problems = Vec::new();
    for place in places {
        let text = fs::read_to_string(checkout.path(place)).with_context(|| place.clone())?;
        let here = faults.iter().filter(|fault| fault.file == *place);
        problems.extend(here.filter_map(|fault| problem(&text, fault)));
    }
    Ok(problems)
}

/// A plant that is Rust by itself need not be where it stands.
fn problem(text: &str, fault: &Fault) -> Option<String> {
    let error = syn::parse_file(&planted(text, [fault]).ok()?).err()?;
    Some(format!("{}: planted, it is no Rust: {error}", fault.name))
}

fn planted<'a>(text: &str, faults: impl IntoIterator<Item = &'a Fault>) -> Result<String> {
    let places = match list::places(text, faults) {
        Ok(places) => places,
        Err(problems) => bail!("{}", problems.join("; ")),
    };
    let (mut planted, mut end) = (String::new(), 0);
    for Place { range, faults } in places {
        planted += &text[end..range.start];
        planted += &choice(&text[range.clone()], &faults)?;
        end = range.end;
    }
    Ok(planted + &text[end..])
}

fn choice(was: &str, faults: &[&Fault]) -> Result<String> {
    let mut text = String::new();
    for fault in faults {
        let Fault { number, plant, .. } = fault;
        write!(text, "if ::steadfast_core::planted::is({number}) {{ {plant} }} else ")?;
    }
    let is_statement = was.ends_with([';', '}']);
    Ok(match is_statement {
        true => format!("{text}{{ {was} }}"),
        false => format!("({text}{{ {was} }})"),
    })
}

#[cfg(test)]
mod tests {
    use super::super::list::tests::fault;
    use super::*;

    #[test]
    fn expressions_and_statements_become_choices() {
        let faults = [fault(1, "a + 1", "a"), fault(2, "f(b);", ""), fault(3, "a + 1", "a + 2")];
        let is = |number| format!("if ::steadfast_core::planted::is({number})");
        assert_eq!(
            planted("let b = a + 1; f(b);", &faults).unwrap(),
            format!(
                "let b = ({} {{ a }} else {} {{ a + 2 }} else {{ a + 1 }}); \
                 {} {{  }} else {{ f(b); }}",
                is(1),
                is(3),
                is(2)
            )
        );
        assert!(planted("", &faults).is_err());
    }

    #[test]
    fn what_is_no_expression_where_it_stands_cannot_be_planted() {
        let text = "fn f() { let a = b.c(d); match a { 1 => 2, _ => 3 } }";
        let (whole, arm) = (fault(1, "b.c(d)", "b"), fault(2, "_ => 3", "_ => 4"));
        let call = fault(3, "c(d)", "c(e)");
        assert_eq!(problem(text, &whole), None);
        assert!([arm, call].iter().all(|fault| problem(text, fault).is_some()));
    }
}
