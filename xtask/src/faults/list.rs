//! The lists of faults: what is planted where, and whether that place is still there.
//!
//! It changes no file and runs nothing.

use std::collections::BTreeSet;
use std::fs;
use std::ops::Range;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::checkout::Checkout;

/// A mistake that could be made at one place of the sources.
#[derive(Clone)]
pub struct Fault {
    /// By which it is chosen in the copy; from 1 on.
    pub number: usize,
    pub name: String,
    pub package: String,
    /// Relative to the root.
    pub file: String,
    /// The text that is there, once in the file.
    pub find: String,
    /// What stands there instead.
    pub plant: String,
    /// What it would do to a user.
    pub why: String,
    /// The packages whose tests should find it.
    pub tests: Vec<String>,
}

/// The faults of one crate, as they are written down.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    package: String,
    /// The folder below which its files are.
    sources: String,
    tests: Vec<String>,
    fault: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    file: String,
    find: String,
    plant: String,
    why: String,
    /// Where they are others than for the rest of the list.
    tests: Option<Vec<String>>,
}

/// All faults, in the order of the lists.
pub fn read(checkout: &Checkout) -> Result<Vec<Fault>> {
    let folder = checkout.path("faults");
    let entries = fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    let mut faults = Vec::new();
    for path in paths {
        let place = || path.display().to_string();
        let text = fs::read_to_string(&path).with_context(place)?;
        let list: List = toml::from_str(&text).with_context(place)?;
        faults.extend(list.into_faults(faults.len()));
    }
    Ok(faults)
}

impl List {
    fn into_faults(self, before: usize) -> impl Iterator<Item = Fault> {
        let List { package, sources, tests, fault } = self;
        fault.into_iter().zip(before + 1..).map(move |(entry, number)| Fault {
            number,
            name: entry.name,
            package: package.clone(),
            file: format!("{sources}/{}", entry.file),
            find: entry.find,
            plant: entry.plant,
            why: entry.why,
            tests: entry.tests.unwrap_or_else(|| tests.clone()),
        })
    }
}

/// Every reason why one of `faults` cannot be planted.
pub fn problems(checkout: &Checkout, faults: &[Fault]) -> Result<Vec<String>> {
    let mut problems = Vec::new();
    let mut names = BTreeSet::new();
    let is_whole = |fault: &&Fault| is_balanced(&fault.find) && is_balanced(&fault.plant);
    let parts = faults.iter().filter(|fault| !is_whole(fault));
    problems
        .extend(parts.map(|fault| format!("{}: not a whole expression or statement", fault.name)));
    let twice = faults.iter().filter(|fault| !names.insert(&fault.name));
    problems.extend(twice.map(|fault| format!("{}: there are two of this name", fault.name)));
    let files: BTreeSet<_> = faults.iter().map(|fault| &fault.file).collect();
    for file in files {
        let Ok(text) = fs::read_to_string(checkout.path(file)) else {
            problems.push(format!("there is no file {file}"));
            continue;
        };
        let here = faults.iter().filter(|fault| fault.file == *file);
        if let Err(found) = places(&text, here) {
            problems.extend(found.into_iter().map(|problem| format!("{file}: {problem}")));
        }
    }
    Ok(problems)
}

/// Whether each bracket has its partner, as in a whole expression.
fn is_balanced(text: &str) -> bool {
    let count = |bracket| text.matches(bracket).count();
    [('(', ')'), ('[', ']'), ('{', '}')].iter().all(|(open, close)| count(*open) == count(*close))
}

/// A place in a text, and what can be planted there.
pub struct Place<'a> {
    pub range: Range<usize>,
    pub faults: Vec<&'a Fault>,
}

/// Where in `text` the faults belong, from front to back. Several may share one place.
pub fn places<'a>(
    text: &str,
    faults: impl IntoIterator<Item = &'a Fault>,
) -> Result<Vec<Place<'a>>, Vec<String>> {
    let mut problems = Vec::new();
    let mut places: Vec<Place<'a>> = Vec::new();
    for fault in faults {
        let found: Vec<_> = text.match_indices(&fault.find).collect();
        let [(at, _)] = found[..] else {
            let what = format!("{}: its place is there {} times", fault.name, found.len());
            problems.push(what);
            continue;
        };
        let range = at..at + fault.find.len();
        match places.iter_mut().find(|place| place.range == range) {
            Some(place) => place.faults.push(fault),
            None => places.push(Place { range, faults: vec![fault] }),
        }
    }
    places.sort_by_key(|place| place.range.start);
    for pair in places.windows(2).filter(|pair| pair[0].range.end > pair[1].range.start) {
        let (one, other) = (&pair[0].faults[0].name, &pair[1].faults[0].name);
        problems.push(format!("{one} and {other}: their places overlap"));
    }
    if problems.is_empty() { Ok(places) } else { Err(problems) }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn fault(number: usize, find: &str, plant: &str) -> Fault {
        let text = "package = 'p'\nsources = 's'\ntests = ['p']\n[[fault]]\n\
                    name = 'n'\nfile = 'f.rs'\nfind = ''\nplant = ''\nwhy = 'w'\n";
        let list: List = toml::from_str(text).unwrap();
        let base = list.into_faults(number - 1).next().unwrap();
        Fault { name: format!("n{number}"), find: find.into(), plant: plant.into(), ..base }
    }

    #[test]
    fn a_list_says_once_what_holds_for_most_of_its_faults() {
        let fault = fault(3, "a", "b");
        assert_eq!((fault.number, fault.file.as_str()), (3, "s/f.rs"));
        assert_eq!(fault.tests, ["p"]);
    }

    #[test]
    fn a_place_is_there_once_and_overlaps_no_other() {
        let found = |text: &str, finds: &[&str]| {
            let faults: Vec<_> = finds.iter().zip(1..).map(|(f, n)| fault(n, f, "")).collect();
            places(text, &faults).map(|places| {
                places.iter().map(|p| (p.range.clone(), p.faults.len())).collect::<Vec<_>>()
            })
        };
        assert_eq!(found("abcd", &["cd", "ab", "cd"]), Ok(vec![(0..2, 1), (2..4, 2)]));
        assert_eq!(found("abab", &["ab"]), Err(vec!["n1: its place is there 2 times".into()]));
        assert_eq!(found("abab", &["x"]), Err(vec!["n1: its place is there 0 times".into()]));
        let overlap = "n1 and n2: their places overlap".to_string();
        assert_eq!(found("abcd", &["abc", "bcd"]), Err(vec![overlap]));
    }

    #[test]
    fn half_an_expression_cannot_be_planted() {
        assert!(is_balanced("f(&[a], || { b })"));
        assert!(!is_balanced("if a {"));
    }
}
