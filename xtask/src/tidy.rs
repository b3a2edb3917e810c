//! `cargo xtask tidy`: sizes, names and words in all Rust files.
//!
//! The rules look at text, so they hold for code that no compiler configuration reaches.

use std::collections::BTreeSet;

use anyhow::Result;

use crate::checkout::{Checkout, RustFile};
use crate::rust_text::{RustText, find_word};

#[cfg(test)]
mod tests;

/// A file with more lines than this, tests not counted, is divided.
const LINES_AT_MOST: usize = 800;
/// From here on a file is listed, so that growth is seen before it is too late.
const LINES_TO_WATCH: usize = 400;

/// Names that say nothing about what is inside, as a whole or as the last word of a name.
const EMPTY_NAMES: [&str; 6] = ["utils", "util", "helper", "helpers", "manager", "misc"];

/// Words that no file may contain, outside comments and literals, with the reason.
const FORBIDDEN: [(&str, &str); 4] = [
    ("todo!(", "finish it, or leave it out and say so in an issue"),
    ("unimplemented!(", "finish it, or return a configuration error"),
    ("dbg!(", "a leftover of debugging"),
    ("#[ignore", "a test that does not run proves nothing: run it, or remove it"),
];

/// A word that needs a reason wherever it is used.
struct Guarded {
    word: &'static str,
    why: &'static str,
    /// Where it is allowed: the beginning of a path, and the reason.
    allowed: &'static [(&'static str, &'static str)],
}

const GUARDED: [Guarded; 2] = [
    Guarded {
        word: "unsafe",
        why: "unsafe code needs a measured need, a written proof and a place in this list",
        allowed: &[("crates/state/src/prefetch.rs", "a prefetch, which has no safe form")],
    },
    Guarded {
        word: "thread::sleep",
        why: "nothing sleeps: wait for the event itself, or take a clock",
        allowed: &[("drills/", "a drill polls real processes from the outside")],
    },
];

/// What the rules say about all files.
#[derive(Default)]
struct Report {
    faults: Vec<String>,
    /// The lines and names of files worth watching.
    large: Vec<(usize, String)>,
    /// Allowances that were made use of.
    used: BTreeSet<(&'static str, &'static str)>,
}

/// Prints every fault and the largest files; `true` if there is no fault.
pub fn check(checkout: &Checkout) -> Result<bool> {
    let files = checkout.rust_files()?;
    let report = examine(&files);
    if !report.large.is_empty() {
        println!("tidy: over {LINES_TO_WATCH} lines ({LINES_AT_MOST} is the limit):");
        report.large.iter().for_each(|(lines, path)| println!("  {lines:4} {path}"));
    }
    for guarded in &GUARDED {
        for (place, _) in
            guarded.allowed.iter().filter(|a| !report.used.contains(&(guarded.word, a.0)))
        {
            println!("tidy: nothing in {place} uses `{}`: its allowance can go", guarded.word);
        }
    }
    report.faults.iter().for_each(|fault| println!("tidy: {fault}"));
    if report.faults.is_empty() {
        println!("tidy: {} files, no fault", files.len());
    }
    Ok(report.faults.is_empty())
}

fn examine(files: &[RustFile]) -> Report {
    let mut report = Report::default();
    for file in files {
        let text = RustText::new(&file.text);
        report.size(file, &text);
        report.name(file);
        report.opening(file);
        report.words(file, &text);
    }
    report.large.sort_by(|a, b| b.cmp(a));
    report
}

impl Report {
    fn size(&mut self, file: &RustFile, text: &RustText) {
        let only_tests = file.path.ends_with("/tests.rs") || file.path.contains("/tests/");
        let lines = if only_tests { 0 } else { text.production_lines() };
        if lines > LINES_TO_WATCH {
            self.large.push((lines, file.path.clone()));
        }
        if lines > LINES_AT_MOST {
            self.fault(file, None, &format!("has {lines} lines of production code: divide it"));
        }
    }

    fn name(&mut self, file: &RustFile) {
        let path = file.path.strip_suffix(".rs").unwrap_or(&file.path);
        for name in path.split('/') {
            let last_word = name.rsplit(['_', '-']).next().unwrap_or_default();
            if name == "common" || EMPTY_NAMES.contains(&last_word) {
                self.fault(file, None, &format!("'{name}' says nothing: name the part it is"));
            }
        }
    }

    fn opening(&mut self, file: &RustFile) {
        let ours = file.path.starts_with("crates/") || file.path.starts_with("connectors/");
        if ours && !file.text.starts_with("//!") {
            self.fault(file, None, "does not open with //!: say what the file is for");
        }
    }

    fn words(&mut self, file: &RustFile, text: &RustText) {
        for (word, why) in FORBIDDEN {
            for at in find_word(text.code(), word) {
                self.fault(file, Some(text.line(at)), &format!("`{word}`: {why}"));
            }
        }
        for guarded in &GUARDED {
            for at in find_word(text.code(), guarded.word) {
                match guarded.allowed.iter().find(|(place, _)| file.path.starts_with(place)) {
                    Some((place, _)) => {
                        self.used.insert((guarded.word, place));
                    }
                    None => {
                        let what = format!("`{}`: {}", guarded.word, guarded.why);
                        self.fault(file, Some(text.line(at)), &what);
                    }
                }
            }
        }
    }

    fn fault(&mut self, file: &RustFile, line: Option<usize>, what: &str) {
        let line = line.map(|line| format!(":{line}")).unwrap_or_default();
        self.faults.push(format!("{}{line}: {what}", file.path));
    }
}
