//! Names that rotations give to files, and those that the files may have had before.
//!
//! ```text
//! app.log.2.gz             app.log.2, app.log.1.gz, app.log.1, app.log
//! app.log-20261122         app.log
//! app.2.jsonl              app.1.jsonl, app.jsonl
//! app-2026-11-22T10.jsonl  app.jsonl
//! ```
//!
//! A name only says where to look: what was read decides. This module knows nothing of files.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::stored_path;

/// What stands between a name and what a rotation adds to it.
const BEFORE_MARK: &[u8] = b".-_~";
/// What compressed files are called.
const COMPRESSED: [&str; 2] = [".gz", ".zst"];
/// A rotation counts up to here at most.
const HIGHEST_NUMBER: u64 = 1000;

/// The paths that a file may have had before a rotation has given it this one.
pub(super) fn earlier_names(path: &Path) -> BTreeSet<PathBuf> {
    let Some(name) = path.file_name() else { return BTreeSet::new() };
    // Each byte as a character: names need not be text.
    let name: String =
        stored_path::bytes(Path::new(name)).iter().map(|byte| char::from(*byte)).collect();
    let name = &*name;
    let is_mark = |(at, byte): &(usize, u8)| *at > 0 && BEFORE_MARK.contains(byte);
    let shorter = name.bytes().enumerate().filter(is_mark).map(|(at, _)| &name[..at]);
    let shorter: BTreeSet<&str> = shorter.collect();
    let mut names: BTreeSet<String> = shorter.iter().map(ToString::to_string).collect();
    for name in shorter.into_iter().chain([name]) {
        names.extend(without_mark(name));
    }
    names.remove(name);
    let bytes = |name: String| name.chars().map(|character| character as u8).collect();
    let named = |name| path.with_file_name(stored_path::of_bytes(bytes(name)));
    names.into_iter().map(named).collect()
}

/// The name without each number or date that a rotation may have added to it, and with each lower number.
fn without_mark(name: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (at, byte) in name.bytes().enumerate().skip(1) {
        if !BEFORE_MARK.contains(&byte) {
            continue;
        }
        for length in mark_lengths(&name[at + 1..]) {
            let (mark, after) = name[at + 1..].split_at(length);
            names.push(format!("{}{after}", &name[..at]));
            // A number with leading zeros is one of many files, and not of many rotations.
            let number = mark.parse::<u64>().ok().filter(|_| mark == "0" || !mark.starts_with('0'));
            for lower in 0..number.filter(|number| *number <= HIGHEST_NUMBER).unwrap_or(0) {
                let lower = format!("{}{lower}{after}", &name[..=at]);
                if !is_compressed(after) {
                    names.extend(COMPRESSED.map(|suffix| format!("{lower}{suffix}")));
                }
                names.push(lower);
            }
        }
    }
    names
}

/// Less of a name that another file may have had earlier: those that are copied before their copies.
pub(super) fn age(path: &Path) -> (usize, &[u8], usize) {
    let name = path.file_name().map_or(&b""[..], OsStr::as_encoded_bytes);
    let mut plain = name;
    while let Some(shorter) =
        COMPRESSED.iter().find_map(|suffix| plain.strip_suffix(suffix.as_bytes()))
    {
        plain = shorter;
    }
    // What a rotation adds makes it longer, or is a higher number.
    (plain.len(), plain, name.len())
}

fn is_compressed(name: &str) -> bool {
    COMPRESSED.iter().any(|suffix| name.ends_with(suffix))
}

/// The lengths of the numbers and dates that `text` begins with, each up to its end or to a dot.
fn mark_lengths(text: &str) -> impl Iterator<Item = usize> {
    let is_of_date = |byte: &u8| byte.is_ascii_digit() || b"-_:.TZ".contains(byte);
    let bytes = text.as_bytes();
    let begins = bytes.first().is_some_and(u8::is_ascii_digit);
    let run = if begins { bytes.iter().take_while(|byte| is_of_date(byte)).count() } else { 0 };
    let ends_mark = |length: &usize| {
        let last = bytes[length - 1];
        (last.is_ascii_digit() || last == b'Z')
            && bytes.get(*length).is_none_or(|next| *next == b'.')
    };
    (1..=run).filter(ends_mark)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn earlier(name: &str) -> Vec<String> {
        let names = earlier_names(&Path::new("/logs").join(name));
        names.iter().map(|path| path.to_str().unwrap()[6..].to_string()).collect()
    }

    #[test]
    fn a_name_after_a_rotation_tells_those_before_it() {
        let after_rotations = [
            ("app.log.2.gz", &["app.log.2", "app.log.1.gz", "app.log.1", "app.log"][..]),
            ("app.log-20261122", &["app.log"]),
            ("app.log-20261122.gz", &["app.log", "app.log-20261122"]),
            ("app.log~", &["app.log"]),
            ("app.2.jsonl", &["app.1.jsonl", "app.1.jsonl.gz", "app.jsonl"]),
            ("app.2.jsonl.gz", &["app.2.jsonl", "app.1.jsonl.gz", "app.1.jsonl", "app.jsonl"]),
            ("app-20261122.jsonl", &["app.jsonl"]),
            ("app-20261122.jsonl.zst", &["app.jsonl", "app-20261122.jsonl"]),
            ("app-web-2026-11-22-1.log", &["app-web.log", "app-web-2026-11-22.log"]),
            ("app-2026-11-22T14-44-33.555.log", &["app.log"]),
            ("app.2026-11-22T10:00:00Z.jsonl", &["app.jsonl"]),
        ];
        for (name, before) in after_rotations {
            let all = earlier(name);
            for before in before {
                assert!(all.iter().any(|one| one == before), "{name}: {before} not in {all:?}");
            }
            assert!(!all.iter().any(|one| one == name), "{name}");
        }
    }

    proptest! {
        #[test]
        fn an_earlier_name_is_older(name in "app([.~_-]([a-c0-9]{1,4}|2026-?11-?22)){0,4}([.]log)?([.]gz|[.]zst)?") {
            let path = Path::new("/logs").join(&name);
            for before in earlier_names(&path) {
                prop_assert!(age(&before) < age(&path), "{} before {}", before.display(), name);
            }
        }
    }

    #[cfg(unix)]
    #[test]
    fn names_that_are_no_text_are_rotated_too() {
        let path = |bytes: &[u8]| Path::new("/logs").join(stored_path::of_bytes(bytes.to_vec()));
        let earlier = earlier_names(&path(b"b\xfccher.log.2.gz"));
        for before in [&b"b\xfccher.log.2"[..], b"b\xfccher.log.1.gz", b"b\xfccher.log"] {
            assert!(earlier.contains(&path(before)), "{earlier:?}");
        }
    }

    #[test]
    fn what_is_numbered_but_not_rotated_has_few() {
        for name in ["day1", ".hidden", "00017.log", "log"] {
            let all = earlier(name);
            assert!(all.len() <= 1, "{name}: {all:?}");
        }
        assert_eq!(earlier("part-00017.jsonl"), ["part", "part-00017", "part.jsonl"]);
        assert!(earlier("id-1699999999.jsonl").len() < 10);
        assert!(earlier("app-2026-11-22.jsonl").len() < 200);
    }
}
