//! Splits: which part of which file, and how far it has been read.
//!
//! It knows nothing of how files are divided into them.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use steadfast_core::Result;
use steadfast_core::source::{FinishedSplit, SplitStatus};

use super::compression::{Compression, Contents};
use super::files::{Files, Present, unreadable};
use super::finished_file::{FinishedFile, path_hash};
use super::identity::{Fingerprint, Identity, SAMPLE_BYTES};
use super::stored_path;

/// A part of a file and a position within it.
///
/// The part owns the records that begin in it. Positions count bytes of the uncompressed contents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSplit {
    /// The file, as an absolute path.
    #[serde(with = "stored_path")]
    pub path: PathBuf,
    /// Where the part begins.
    pub start: u64,
    /// Where it ends; none: at the end of the contents (compressed files, whose length is unknown).
    pub end: Option<u64>,
    /// Where the next record begins.
    pub next: u64,
    /// The length of the file itself when the split was planned. Of a plain file no more than this
    /// is read.
    pub length: u64,
    /// Whether what comes next is the rest of a record that was read before it was complete, if
    /// anything comes at all.
    #[serde(default)]
    pub continues_half_line: bool,
    /// Which of the files of its source it is a part of, whatever that is called.
    #[serde(default)]
    pub serial: u64,
    /// Which contents it is a part of.
    #[serde(default)]
    pub identity: Identity,
}

impl FileSplit {
    /// A whole file that goes on growing, of which nothing was read.
    pub(super) fn beginning(path: PathBuf, serial: u64, identity: Identity) -> Self {
        let (start, end, next, length, continues_half_line) = (0, None, 0, 0, false);
        FileSplit { path, start, end, next, length, continues_half_line, serial, identity }
    }

    /// What comes in a file that goes on growing behind where `read` says that it was read to.
    pub(super) fn growing(file: &Present, read: &FinishedFile) -> Self {
        let mut identity = Identity::default();
        identity.note(&file.status);
        let beginning = FileSplit::beginning(file.path.clone(), u64::from(read.serial), identity);
        // What was read before stays a split of its own in this run.
        let (start, next, length) = (read.next, read.next, read.next);
        FileSplit { start, next, length, continues_half_line: read.ends_in_half_line, ..beginning }
    }

    /// The split at its end of which `finished` is what its source remembers, if it is of the file at `path`:
    /// for tools that show positions. Its identity is not known any more.
    pub fn remembered(finished: &FinishedSplit, path: &Path) -> Option<Self> {
        let file = FinishedFile::decode(finished).filter(|file| file.path == path_hash(path))?;
        Some(FileSplit {
            path: path.to_path_buf(),
            start: file.start,
            end: Some(file.end),
            next: file.next,
            length: file.next,
            continues_half_line: file.ends_in_half_line,
            serial: u64::from(file.serial),
            identity: Identity::default(),
        })
    }
}

impl fmt::Display for FileSplit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        match self.end {
            Some(end) if self.start > 0 || end < self.length => {
                write!(f, ", bytes {} to {end}", self.start)
            }
            _ => Ok(()),
        }
    }
}

/// What to do with a file that is not the one that was read under its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Replaced {
    /// Stop with an error that names it, before anything is changed.
    #[default]
    Refuse,
    /// Read it from its beginning. What was not yet read of the one that was there is not read any more.
    AreNew,
}

/// The split with the fingerprints of what was read of it, where they are not known any more. That it is the file
/// that was read has been seen.
pub(super) fn identified(mut split: FileSplit, files: &Files) -> Result<FileSplit> {
    if split.identity.tail.is_none() && split.next > 0 {
        const LENGTH: u64 = SAMPLE_BYTES as u64;
        let file = files.file(&split.path);
        let sample = |range| {
            let sample = Contents::sample(&file, range);
            sample.map_err(|error| unreadable(&split.path, error))
        };
        let last = sample(split.next.saturating_sub(LENGTH)..split.next)?;
        let first = (split.next > LENGTH).then(|| sample(0..LENGTH)).transpose()?;
        split.identity.tail = Some(Fingerprint::of(&last));
        split.identity.head = first.map(|first| Fingerprint::of(&first));
    }
    Ok(split)
}

pub(super) fn is_finished(split: &FileSplit) -> bool {
    split.end.is_some_and(|end| split.next >= end)
}

pub(super) fn status(split: FileSplit) -> SplitStatus<FileSplit> {
    let finished = is_finished(&split);
    let is_plain = Compression::of(&split.path).is_plain();
    let done = match split.end {
        Some(end) if is_plain => split.next.min(end).saturating_sub(split.start),
        None if is_plain => split.next.saturating_sub(split.start),
        Some(_) => split.length,
        // The stream is read from its beginning once more.
        None => 0,
    };
    SplitStatus { split, finished, done }
}

/// Joins neighbouring parts that have both been read to their ends, and puts them in order.
pub(super) fn merged(mut splits: Vec<FileSplit>) -> Vec<FileSplit> {
    splits.sort_by_key(|split| split.start);
    let mut merged: Vec<FileSplit> = Vec::new();
    for split in splits {
        match merged.last_mut() {
            Some(last)
                if is_finished(last) && is_finished(&split) && last.end == Some(split.start) =>
            {
                last.end = split.end;
                last.length = last.length.max(split.length);
                if split.next >= last.next {
                    last.next = split.next;
                    last.identity.tail = split.identity.tail;
                }
            }
            _ => merged.push(split),
        }
    }
    merged
}
