//! Which of the files that are there is one that was read before, whatever it is called now.
//!
//! Names and inodes say where to look first; what was read decides. It is decided in rounds, the surest sign
//! first: the same file under the same name; the same file under another; the same name; a name that a
//! rotation would give (`app.log.1` after `app.log`). Two files that are there together are always two. It
//! knows nothing of splits and reads nothing: whoever calls it says whether a file holds what was read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use steadfast_core::Result;
use steadfast_core::disk::FileId;

use super::files::Present;
use super::finished_file::{path_hash, stamp};

/// The signs of a file that was read before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Signs {
    /// The hash of its path.
    pub(super) path: u64,
    /// Which file it was.
    pub(super) file: FileSign,
    /// Whether anything was read of it: else its contents are no sign.
    pub(super) was_read: bool,
}

/// Which file it was, as far as that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileSign {
    Id(FileId),
    Stamp(u32),
    None,
}

/// For each of `known`, which one of `present` it is.
///
/// # Errors
/// Those of `holds`, which says whether one of `present` holds what was read of one of `known`.
pub(super) fn recognise(
    known: &[Signs],
    present: &[Present],
    mut holds: impl FnMut(usize, usize) -> Result<bool>,
) -> Result<Vec<Option<usize>>> {
    let index = Index::new(present);
    let mut found = vec![None; known.len()];
    let mut is_taken = vec![false; present.len()];
    let rounds: [Round; 4] =
        [Index::same_file_and_name, Index::same_file, Index::same_name, Index::rotated_name];
    // What was read tells more than a number, which may be given again.
    let rounds =
        [true, false].into_iter().flat_map(|was_read| rounds.map(|round| (was_read, round)));
    for (was_read, round) in rounds {
        for (one, signs) in known.iter().enumerate() {
            if found[one].is_some() || signs.was_read != was_read {
                continue;
            }
            for &other in round(&index, signs) {
                if !is_taken[other] && holds(one, other)? {
                    (found[one], is_taken[other]) = (Some(other), true);
                    break;
                }
            }
        }
    }
    Ok(found)
}

type Round = for<'a> fn(&'a Index, &Signs) -> &'a [usize];

/// Where to look.
struct Index {
    paths: BTreeMap<u64, Vec<usize>>,
    ids: BTreeMap<FileId, Vec<usize>>,
    stamps: BTreeMap<u32, Vec<usize>>,
    both: BTreeMap<(u64, u32), Vec<usize>>,
    ids_of_paths: BTreeMap<(u64, FileId), Vec<usize>>,
    /// By the names that they may have had before a rotation.
    earlier: BTreeMap<u64, Vec<usize>>,
}

const NOWHERE: &[usize] = &[];

impl Index {
    fn new(present: &[Present]) -> Self {
        let mut index = Index {
            paths: BTreeMap::new(),
            ids: BTreeMap::new(),
            stamps: BTreeMap::new(),
            both: BTreeMap::new(),
            ids_of_paths: BTreeMap::new(),
            earlier: BTreeMap::new(),
        };
        for (at, Present { path, status }) in present.iter().enumerate() {
            let hash = path_hash(path);
            index.paths.entry(hash).or_default().push(at);
            if let Some(id) = status.id {
                index.ids.entry(id).or_default().push(at);
                index.ids_of_paths.entry((hash, id)).or_default().push(at);
                let stamp = stamp(Some((id, status.modified_ns)));
                index.stamps.entry(stamp).or_default().push(at);
                index.both.entry((hash, stamp)).or_default().push(at);
            }
            for earlier in earlier_names(path) {
                index.earlier.entry(path_hash(&earlier)).or_default().push(at);
            }
        }
        index
    }

    fn same_file_and_name(&self, signs: &Signs) -> &[usize] {
        let found = match signs.file {
            FileSign::Id(id) => self.ids_of_paths.get(&(signs.path, id)),
            FileSign::Stamp(stamp) => self.both.get(&(signs.path, stamp)),
            FileSign::None => None,
        };
        found.map_or(NOWHERE, Vec::as_slice)
    }

    fn same_file(&self, signs: &Signs) -> &[usize] {
        let found = match signs.file {
            FileSign::Id(id) => self.ids.get(&id),
            FileSign::Stamp(stamp) => self.stamps.get(&stamp),
            FileSign::None => None,
        };
        found.map_or(NOWHERE, Vec::as_slice)
    }

    fn same_name(&self, signs: &Signs) -> &[usize] {
        self.paths.get(&signs.path).map_or(NOWHERE, Vec::as_slice)
    }

    fn rotated_name(&self, signs: &Signs) -> &[usize] {
        let found = self.earlier.get(&signs.path).filter(|_| signs.was_read);
        found.map_or(NOWHERE, Vec::as_slice)
    }
}

/// What stands between a name and what a rotation adds to it.
const BEFORE_SUFFIX: &[u8] = b".-_~";
/// What compressed files are called.
const COMPRESSED: [&str; 2] = [".gz", ".zst"];
/// A rotation counts up to here at most.
const HIGHEST_NUMBER: u64 = 1000;

/// The paths that a file may have had before a rotation has given it this one: `app.log.2.gz` may have been
/// `app.log.2`, `app.log.1` and `app.log`.
pub(super) fn earlier_names(path: &Path) -> Vec<PathBuf> {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return Vec::new() };
    let mut names = Vec::new();
    for (at, byte) in name.bytes().enumerate().skip(1) {
        if BEFORE_SUFFIX.contains(&byte) {
            names.push(name[..at].to_string());
        }
    }
    // Of those that end in a number, the lower ones, compressed or not.
    let whole = std::iter::once(name.to_string()).chain(names.clone());
    let mut lower = Vec::new();
    for name in whole {
        let digits = name.len() - name.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        let (stem, number) = name.split_at(name.len() - digits);
        let Ok(number) = number.parse::<u64>() else { continue };
        if number <= HIGHEST_NUMBER && stem.ends_with(['.', '-', '_']) {
            for number in (0..number).rev() {
                lower.push(format!("{stem}{number}"));
                lower.extend(COMPRESSED.map(|suffix| format!("{stem}{number}{suffix}")));
            }
        }
    }
    names.extend(lower);
    names.into_iter().map(|name| path.with_file_name(name)).collect()
}

#[cfg(test)]
mod tests {
    use steadfast_core::disk::FileStatus;

    use super::*;

    fn id(inode: u64) -> FileId {
        FileId { device: 1, inode }
    }

    fn present(files: &[(&str, u64)]) -> Vec<Present> {
        let present = |(path, inode): &(&str, u64)| Present {
            path: path.into(),
            status: FileStatus { id: Some(id(*inode)), ..FileStatus::of_length(10) },
        };
        files.iter().map(present).collect()
    }

    fn signs(path: &str, inode: u64) -> Signs {
        let file = FileSign::Id(id(inode));
        Signs { path: path_hash(Path::new(path)), file, was_read: true }
    }

    #[test]
    fn a_name_after_a_rotation_tells_those_before_it() {
        let earlier = |name: &str| {
            let names = earlier_names(&Path::new("/logs").join(name));
            names.iter().map(|path| path.to_str().unwrap()[6..].to_string()).collect::<Vec<_>>()
        };
        let all = earlier("app.log.2.gz");
        assert_eq!(all[..5], ["app", "app.log", "app.log.2", "app.log.1", "app.log.1.gz"]);
        assert_eq!(earlier("app.log-20261122"), ["app", "app.log"]);
        assert_eq!(earlier("day1"), Vec::<String>::new());
        assert_eq!(earlier(".hidden"), Vec::<String>::new());
    }

    #[test]
    fn the_surest_sign_decides_and_no_file_is_two() {
        // Renamed, and another one has its name now, which begins with the same bytes.
        let known = [signs("/app.log", 1)];
        let found =
            recognise(&known, &present(&[("/app.log", 2), ("/app.log.1", 1)]), |_, _| Ok(true));
        assert_eq!(found.unwrap(), [Some(1)]);
        // Copied back: the name is left.
        let found = recognise(&known, &present(&[("/other", 7), ("/app.log", 2)]), |_, _| Ok(true));
        assert_eq!(found.unwrap(), [Some(1)]);
        // Copied and truncated: the same file under the same name holds something else.
        let all = present(&[("/app.log", 1), ("/app.log.1", 9)]);
        let found = recognise(&known, &all, |_, other| Ok(other == 1));
        assert_eq!(found.unwrap(), [Some(1)]);
        // Two that were read alike are not both the one that is left.
        let known = [signs("/app.log", 1), signs("/app.log.1", 2)];
        let found = recognise(&known, &present(&[("/app.log.1", 2)]), |_, _| Ok(true)).unwrap();
        assert_eq!(found, [None, Some(0)]);
        // Content alone is no sign: another name is another file.
        let found = recognise(&known[..1], &present(&[("/else", 5)]), |_, _| Ok(true)).unwrap();
        assert_eq!(found, [None]);
    }
}
