//! Splits: which part of which file, and how far it has been read.

use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use steadfast_core::source::SplitStatus;
use steadfast_core::{Error, Result};

use super::compression::Compression;

const SMALLEST_SPLIT: u64 = 1024 * 1024;
const LARGEST_SPLIT: u64 = 64 * 1024 * 1024;
/// Splits for each reader of a large file, so that a slow one does not hold up the end.
const SPLITS_PER_READER: u64 = 8;

/// A part of a file and a position within it.
///
/// The part owns the records that begin in it. Positions count bytes of the uncompressed contents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSplit {
    /// The file, as an absolute path.
    pub path: PathBuf,
    /// Where the part begins.
    pub start: u64,
    /// Where it ends; none: at the end of the contents (compressed files, whose length is unknown).
    pub end: Option<u64>,
    /// Where the next record begins.
    pub next: u64,
    /// The length of the file itself when the split was planned.
    pub length: u64,
    /// Whether the part begins in the middle of a line that was read before it was complete.
    #[serde(default)]
    pub continues_half_line: bool,
}

/// How to divide files.
pub(super) struct Planner<'a> {
    pub(super) paths: &'a [PathBuf],
    pub(super) readers: usize,
    /// The size of a part; none: chosen by the size of the file.
    pub(super) split_bytes: Option<u64>,
    /// Whether a file may be divided at all.
    pub(super) divides: bool,
}

fn unavailable(path: &Path, error: std::io::Error) -> Error {
    Error::unavailable("cannot read the file").caused_by(error).at(path.display().to_string())
}

impl Planner<'_> {
    /// All splits: the resumed ones and what has come since.
    pub(super) fn plan(&self, resumed: Vec<FileSplit>) -> Result<Vec<SplitStatus<FileSplit>>> {
        let mut all = Vec::new();
        for split in &resumed {
            if !self.paths.contains(&split.path) && !is_finished(split) {
                return Err(Error::configuration(
                    "the last checkpoint is in the middle of this file",
                )
                .at(split.path.display().to_string())
                .hint("give it as input again, or begin anew with --restart"));
            }
        }
        for path in self.paths {
            let ours: Vec<_> =
                resumed.iter().filter(|split| split.path == *path).cloned().collect();
            self.plan_file(path, ours, &mut all)?;
        }
        let gone = resumed.into_iter().filter(|split| !self.paths.contains(&split.path));
        all.extend(gone.map(status));
        Ok(all)
    }

    fn plan_file(
        &self,
        path: &Path,
        resumed: Vec<FileSplit>,
        all: &mut Vec<SplitStatus<FileSplit>>,
    ) -> Result<()> {
        let length = match fs::metadata(path) {
            Ok(metadata) => metadata.len(),
            // A file that has been read to its end may be cleaned away.
            Err(_) if !resumed.is_empty() && resumed.iter().all(is_finished) => {
                all.extend(merged(resumed).into_iter().map(status));
                return Ok(());
            }
            Err(error) => return Err(unavailable(path, error)),
        };
        if !Compression::of(path).is_plain() || !self.divides {
            all.push(whole_file(path, length, resumed)?);
            return Ok(());
        }
        let known = resumed.iter().filter_map(|split| split.end).max().unwrap_or(0);
        if length < known {
            let what = format!("the file has become shorter: {length} bytes, {known} before");
            return Err(Error::configuration(what)
                .at(path.display().to_string())
                .hint("positions in it mean nothing any more; begin anew with --restart"));
        }
        all.extend(merged(resumed).into_iter().map(status));
        let size = self.split_bytes.unwrap_or_else(|| {
            let many = self.readers as u64 * SPLITS_PER_READER;
            (length / many.max(1)).clamp(SMALLEST_SPLIT, LARGEST_SPLIT)
        });
        let continues_half_line = known > 0 && length > known && !ends_a_line(path, known)?;
        let mut start = known;
        while start < length {
            let end = (start + size.max(1)).min(length);
            let (path, next) = (path.to_path_buf(), start);
            let continues_half_line = continues_half_line && start == known;
            all.push(status(FileSplit {
                path,
                start,
                end: Some(end),
                next,
                length,
                continues_half_line,
            }));
            start = end;
        }
        Ok(())
    }
}

/// A file that is read by one reader from its beginning to its end.
fn whole_file(
    path: &Path,
    length: u64,
    mut resumed: Vec<FileSplit>,
) -> Result<SplitStatus<FileSplit>> {
    let Some(mut split) = resumed.pop() else {
        let (path, start, next) = (path.to_path_buf(), 0, 0);
        let split = FileSplit { path, start, end: None, next, length, continues_half_line: false };
        return Ok(SplitStatus { split, finished: false, done: 0 });
    };
    if length < split.length {
        let what = format!("the file has become shorter: {length} bytes, {} before", split.length);
        return Err(Error::configuration(what)
            .at(path.display().to_string())
            .hint("positions in it mean nothing any more; begin anew with --restart"));
    }
    if length > split.length && split.end.is_some() {
        // It has grown since it was read to its end: there is more to come.
        split.end = None;
    }
    split.length = length;
    Ok(status(split))
}

fn is_finished(split: &FileSplit) -> bool {
    split.end.is_some_and(|end| split.next >= end)
}

fn status(split: FileSplit) -> SplitStatus<FileSplit> {
    let finished = is_finished(&split);
    let done = match split.end {
        Some(end) if Compression::of(&split.path).is_plain() => split.next.min(end) - split.start,
        Some(_) => split.length,
        None => 0,
    };
    SplitStatus { split, finished, done }
}

/// Joins neighbouring parts that have both been read to their ends.
fn merged(mut splits: Vec<FileSplit>) -> Vec<FileSplit> {
    splits.sort_by_key(|split| split.start);
    let mut merged: Vec<FileSplit> = Vec::new();
    for split in splits {
        match merged.last_mut() {
            Some(last)
                if is_finished(last) && is_finished(&split) && last.end == Some(split.start) =>
            {
                last.end = split.end;
                last.next = split.next;
            }
            _ => merged.push(split),
        }
    }
    merged
}

/// Whether the byte before `at` ends a line.
fn ends_a_line(path: &Path, at: u64) -> Result<bool> {
    let read = || {
        let mut file = fs::File::open(path)?;
        file.seek(SeekFrom::Start(at - 1))?;
        let mut byte = [0];
        file.read_exact(&mut byte)?;
        Ok(byte[0] == b'\n')
    };
    read().map_err(|error| unavailable(path, error))
}
