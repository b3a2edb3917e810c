//! Splits: which part of which file, and how far it has been read.

use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use steadfast_core::source::SplitStatus;
use steadfast_core::{Cause, Error, Result};

use super::compression::Compression;
use super::files::{Files, InputFile};
use super::place::shorter;

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
    /// The length of the file itself when the split was planned. Of a plain file no more than this
    /// is read.
    pub length: u64,
    /// Whether what comes next is the rest of a record that was read before it was complete, if
    /// anything comes at all.
    #[serde(default)]
    pub continues_half_line: bool,
}

/// How to divide files.
pub(super) struct Planner<'a> {
    pub(super) files: &'a Files,
    pub(super) readers: usize,
    /// The size of a part; none: chosen by the size of the file.
    pub(super) split_bytes: Option<u64>,
    /// Whether a file may be divided at all.
    pub(super) divides: bool,
}

fn unavailable(path: &Path, error: std::io::Error) -> Error {
    let what = "cannot read the file";
    let failed = match error.kind() {
        io::ErrorKind::PermissionDenied => {
            Error::because(Cause::INPUT_UNUSABLE, what).hint("check who may read it")
        }
        io::ErrorKind::IsADirectory => {
            Error::because(Cause::INPUT_UNUSABLE, "this is a folder, and no file")
        }
        _ => Error::because(Cause::INPUT_AWAY, what),
    };
    failed.caused_by(error).at(path.display().to_string())
}

impl Planner<'_> {
    /// All splits: the resumed ones and what has come since.
    pub(super) fn plan(&self, resumed: Vec<FileSplit>) -> Result<Vec<SplitStatus<FileSplit>>> {
        let mut files: BTreeMap<PathBuf, Vec<FileSplit>> = BTreeMap::new();
        for split in resumed {
            files.entry(split.path.clone()).or_default().push(split);
        }
        let mut all = Vec::new();
        for path in &self.files.paths {
            self.plan_file(path, files.remove(path).unwrap_or_default(), &mut all)?;
        }
        // What is left is no longer asked for.
        for split in files.into_values().flatten() {
            if !is_finished(&split) {
                return Err(Error::because(
                    Cause::INPUT_GONE,
                    "the last checkpoint is in the middle of this file",
                )
                .at(split.path.display().to_string())
                .hint("give it as input again, or start from scratch with --reset (RunOptions::reset)"));
            }
            all.push(status(split));
        }
        Ok(all)
    }

    fn plan_file(
        &self,
        path: &Path,
        resumed: Vec<FileSplit>,
        all: &mut Vec<SplitStatus<FileSplit>>,
    ) -> Result<()> {
        if path.to_str().is_none() {
            return Err(Error::because(
                Cause::INPUT_UNUSABLE,
                "the path is not in UTF-8, in which positions are kept",
            )
            .at(path.display().to_string())
            .hint("rename the file, or give another path to it"));
        }
        let file = self.files.file(path);
        let length = match file.length() {
            Ok(length) => length,
            // A file that has been read to its end may be cleaned away.
            Err(error)
                if error.kind() == io::ErrorKind::NotFound
                    && !resumed.is_empty()
                    && resumed.iter().all(is_finished) =>
            {
                all.extend(merged(resumed).into_iter().map(status));
                return Ok(());
            }
            Err(error) => return Err(unavailable(path, error)),
        };
        // What cannot be read is said before anybody is fenced.
        drop(file.open().map_err(|error| unavailable(path, error))?);
        if !Compression::of(path).is_plain() || !self.divides {
            all.push(whole_file(path, length, resumed)?);
            return Ok(());
        }
        if resumed.iter().any(|split| split.end.is_none()) {
            return Err(another_source(path));
        }
        let known = resumed.iter().filter_map(|split| split.end).max().unwrap_or(0);
        if length < known {
            return Err(shorter(path, length, known));
        }
        let mut parts = merged(resumed);
        for part in parts.iter_mut().filter(|part| !is_finished(part)) {
            // A line that was half there when the part was planned may be whole by now.
            part.length = length;
        }
        let mut continues_half_line = length > known && half_line_was_read(&file, known, &parts)?;
        all.extend(parts.into_iter().map(status));
        let size = self.split_bytes.unwrap_or_else(|| {
            let many = self.readers as u64 * SPLITS_PER_READER;
            (length / many.max(1)).clamp(SMALLEST_SPLIT, LARGEST_SPLIT)
        });
        let mut start = known;
        while start < length {
            let end = start.saturating_add(size.max(1)).min(length);
            let (path, next) = (path.to_path_buf(), start);
            let part = FileSplit { path, start, end: Some(end), next, length, continues_half_line };
            all.push(status(part));
            continues_half_line = false;
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
        return Ok(status(split));
    };
    if !resumed.is_empty() || split.start != 0 {
        return Err(another_source(path));
    }
    if length < split.length {
        return Err(shorter(path, length, split.length));
    }
    if length > split.length {
        // It has grown since it was read to its end: there is more to come.
        split.end = None;
    }
    split.length = length;
    Ok(status(split))
}

fn another_source(path: &Path) -> Error {
    Error::because(Cause::INPUT_OTHER, "the last checkpoint has read this file in another way")
        .at(path.display().to_string())
        .hint("the source's type has changed: give it another name, or start from scratch with --reset (RunOptions::reset)")
}

fn is_finished(split: &FileSplit) -> bool {
    split.end.is_some_and(|end| split.next >= end)
}

fn status(split: FileSplit) -> SplitStatus<FileSplit> {
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
fn merged(mut splits: Vec<FileSplit>) -> Vec<FileSplit> {
    splits.sort_by_key(|split| split.start);
    let mut merged: Vec<FileSplit> = Vec::new();
    for split in splits {
        match merged.last_mut() {
            Some(last)
                if is_finished(last) && is_finished(&split) && last.end == Some(split.start) =>
            {
                last.end = split.end;
                last.next = last.next.max(split.next);
                last.length = last.length.max(split.length);
            }
            _ => merged.push(split),
        }
    }
    merged
}

/// Whether `known` is in the middle of a line and its first half has been read already, so that
/// nobody will read the line as a whole.
fn half_line_was_read(file: &InputFile, known: u64, parts: &[FileSplit]) -> Result<bool> {
    let Some(begin) = cut_line(file, known).map_err(|error| unavailable(&file.path, error))? else {
        return Ok(false);
    };
    let will_be_read_whole = |part: &FileSplit| {
        let owns = part.start <= begin && part.end.is_some_and(|end| begin < end);
        owns && part.next <= begin
    };
    // The rest of a line that grows for the second time before anybody has read its first rest.
    let rest_will_be_read =
        |part: &FileSplit| part.continues_half_line && part.next > begin && !is_finished(part);
    Ok(!parts.iter().any(|part| will_be_read_whole(part) || rest_will_be_read(part)))
}

/// Where the line begins that is cut in two by `at`; none if a line ends there.
fn cut_line(file: &InputFile, at: u64) -> io::Result<Option<u64>> {
    const CHUNK: u64 = 64 * 1024;
    let mut file = file.open()?;
    let mut chunk = Vec::new();
    let mut end = at;
    while end > 0 {
        let start = end.saturating_sub(CHUNK);
        chunk.resize((end - start) as usize, 0);
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(&mut chunk)?;
        if let Some(found) = memchr::memrchr(b'\n', &chunk) {
            let begin = start + found as u64 + 1;
            return Ok((begin < at).then_some(begin));
        }
        end = start;
    }
    Ok((at > 0).then_some(0))
}
