//! Which of the files that are there is one that was read before, whatever it is called now.
//!
//! Names and inodes say where to look first; what was read decides. It is decided in rounds, the surest sign
//! first: the same file under the same name; the same file under another, and the same name; a name that a
//! rotation would give (`app.log.1` after `app.log`). Two files that are there together are always two. It
//! knows nothing of splits and reads nothing: whoever calls it says whether a file holds what was read.

use steadfast_core::Result;

use super::compression::Compression;
use super::files::Present;
use super::finished_file::{FinishedFile, number_sign, path_hash};
use super::identity::SAMPLE_BYTES;
use super::rotated_names::earlier_names;

/// The signs of a file that was read before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Signs {
    /// The hash of its path.
    pub(super) path: u64,
    /// What tells which file it was: see [`number_sign`].
    pub(super) file: Option<u32>,
    pub(super) read: WasRead,
}

/// What was read of a file, what tells most first: whoever comes first has the say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WasRead {
    /// So much that its contents tell it from any other.
    Much,
    /// Another may begin with the same.
    Little,
    /// Nothing yet: only its name and number can tell. What is there under them is read from its beginning,
    /// whether it is this file or not.
    NotYet,
    /// All, and that was nothing: it is not missed.
    Nothing,
}

const RANKS: [WasRead; 4] = [WasRead::Much, WasRead::Little, WasRead::NotYet, WasRead::Nothing];

impl WasRead {
    /// Of a file that was read up to `position`, which is at its end or not.
    pub(super) fn up_to(position: u64, is_finished: bool) -> Self {
        match position {
            0 if is_finished => WasRead::Nothing,
            0 => WasRead::NotYet,
            _ if position < SAMPLE_BYTES as u64 => WasRead::Little,
            _ => WasRead::Much,
        }
    }

    /// What is looked at, the surest first. Where contents tell, a name is surer than a number: that of a file that
    /// was written again may be its copy's by now.
    fn rounds(self) -> [Round; 4] {
        use Round::{RotatedName, SameFile, SameFileAndName, SameName};
        match self {
            WasRead::Much => [SameFileAndName, SameName, SameFile, RotatedName],
            _ => [SameFileAndName, SameFile, SameName, RotatedName],
        }
    }
}

impl Signs {
    /// Those of one that has been read to its end.
    pub(super) fn of_finished(file: &FinishedFile) -> Self {
        Signs {
            path: file.path,
            file: Some(file.number).filter(|number| *number != 0),
            read: WasRead::up_to(file.next, true),
        }
    }
}

/// What is looked at, the surest first.
#[derive(Clone, Copy)]
enum Round {
    SameFileAndName,
    SameFile,
    SameName,
    RotatedName,
}

impl Round {
    /// What a file must have to be the one with these signs.
    fn wanted(self, signs: &Signs) -> Option<u64> {
        match self {
            Round::SameFileAndName => Some(both(signs.path, signs.file?)),
            Round::SameFile => signs.file.map(u64::from),
            Round::SameName | Round::RotatedName => Some(signs.path),
        }
    }

    /// What files have, in ascending order, each with its place among `present`.
    fn index(self, present: &[Present]) -> Vec<(u64, usize)> {
        let mut index = Vec::with_capacity(2 * present.len());
        for (at, Present { path, status }) in present.iter().enumerate() {
            let sign = status.id.map(number_sign);
            match self {
                Round::SameFileAndName => {
                    let path = path_hash(path);
                    index.extend(sign.map(|sign| (both(path, sign), at)));
                }
                Round::SameFile => index.extend(sign.map(|sign| (u64::from(sign), at))),
                Round::SameName => index.push((path_hash(path), at)),
                Round::RotatedName => {
                    let earlier = earlier_names(path);
                    index.extend(earlier.iter().map(|earlier| (path_hash(earlier), at)));
                }
            }
        }
        index.sort_unstable();
        index
    }
}

fn both(path: u64, sign: u32) -> u64 {
    path.rotate_left(32) ^ u64::from(sign)
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
    let mut found = vec![None; known.len()];
    let mut is_taken = vec![false; present.len()];
    // What was read tells more than a number, which may be given again.
    let rounds = RANKS.into_iter().flat_map(|rank| rank.rounds().map(|round| (rank, round)));
    for (rank, round) in rounds {
        let is_left = |one: &usize| known[*one].read == rank;
        let left: Vec<usize> =
            (0..known.len()).filter(is_left).filter(|one| found[*one].is_none()).collect();
        if left.is_empty() {
            continue;
        }
        let index = round.index(present);
        for one in left {
            let Some(wanted) = round.wanted(&known[one]) else { continue };
            let first = index.partition_point(|(key, _)| *key < wanted);
            let candidates = index[first..].iter().take_while(|(key, _)| *key == wanted);
            for &(_, other) in candidates {
                let may_be = match (round, rank) {
                    (Round::SameFile, WasRead::NotYet | WasRead::Nothing) => {
                        is_renamed(&present[other], known[one].path)
                    }
                    _ => true,
                };
                if may_be && !is_taken[other] && holds(one, other)? {
                    (found[one], is_taken[other]) = (Some(other), true);
                    break;
                }
            }
        }
    }
    Ok(found)
}

/// Whether a rotation may have given a file its name that had the one with this hash. Where no contents tell, its
/// number alone does not: it may be that of a file that was deleted.
fn is_renamed(file: &Present, path: u64) -> bool {
    let is_plain = Compression::of(&file.path).is_plain();
    is_plain && earlier_names(&file.path).iter().any(|earlier| path_hash(earlier) == path)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use steadfast_core::disk::{FileId, FileStatus};

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
        let file = Some(number_sign(id(inode)));
        Signs { path: path_hash(Path::new(path)), file, read: WasRead::Little }
    }

    #[test]
    fn the_surest_sign_decides_and_no_file_is_two() {
        // Renamed, and another one has its name now, which begins with the same bytes.
        let known = [signs("/app.log", 1)];
        let found =
            recognise(&known, &present(&[("/app.log", 2), ("/app.log.1", 1)]), |_, _| Ok(true));
        assert_eq!(found.unwrap(), [Some(1)]);
        // Written again and copied: its number may have been given to the copy.
        let much = [Signs { read: WasRead::Much, ..known[0] }];
        let all = present(&[("/app.log", 2), ("/app.log.1", 1)]);
        assert_eq!(recognise(&much, &all, |_, _| Ok(true)).unwrap(), [Some(0)]);
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
