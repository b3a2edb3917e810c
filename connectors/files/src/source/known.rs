//! A file that was read before: what the last checkpoint knows of it.
//!
//! It may be listed as splits, or remembered in a few bytes, or both. It knows nothing of how files are found
//! or divided.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};

use steadfast_core::source::Resumed;
use steadfast_core::{Error, Result};

use super::compression::{Compression, Contents};
use super::files::{Files, InputFile, Present, unreadable};
use super::finished_file::{FinishedFile, number_sign, path_hash};
use super::identity::{Fingerprint, Identity, SAMPLE_BYTES, stamp};
use super::place::{changed, shorter};
use super::recognise::{Signs, WasRead, recognise};
use super::split::{FileSplit, is_finished};

/// See the module.
#[derive(Default)]
pub(super) struct Known {
    /// Its splits, as the checkpoint lists them.
    splits: Vec<FileSplit>,
    /// What is remembered: the whole of it, or parts.
    finished: Vec<FinishedFile>,
}

/// All files that were read before, and the serial of the next one.
pub(super) fn all(resumed: Resumed<FileSplit>) -> (Vec<Known>, u64) {
    let mut by_serial: BTreeMap<u64, Known> = BTreeMap::new();
    for split in resumed.splits {
        by_serial.entry(split.serial).or_default().splits.push(split);
    }
    for finished in resumed.finished.iter().filter_map(FinishedFile::decode) {
        by_serial.entry(u64::from(finished.serial)).or_default().finished.push(finished);
    }
    let next = by_serial.last_key_value().map_or(1, |(serial, _)| serial + 1);
    let mut all: Vec<Known> = by_serial.into_values().collect();
    // Of two that may be one file, the one of which more was read has the say.
    all.sort_by_key(|known| Reverse((known.furthest(), known.unfinished().is_some())));
    (all, next)
}

/// For each of `known`, which one of `present` it is.
pub(super) fn among(
    known: &[Known],
    present: &[Present],
    files: &Files,
) -> Result<Vec<Option<usize>>> {
    let signs: Vec<_> = known.iter().map(Known::signs).collect();
    recognise(&signs, present, |one, other| known[one].is_in(&present[other], files))
}

/// Whether a file holds what was read of a split. Where nothing was read that could tell, its name or number has to
/// do.
fn is_read_in(file: &InputFile, split: &FileSplit) -> io::Result<bool> {
    const LENGTH: u64 = SAMPLE_BYTES as u64;
    let FileSplit { next, identity: Identity { head, tail, .. }, .. } = split;
    let differs = |known: Option<Fingerprint>, range| -> io::Result<bool> {
        let Some(known) = known else { return Ok(false) };
        Ok(known != Fingerprint::of(&Contents::sample(file, range)?))
    };
    if differs(*head, 0..LENGTH)? {
        return Ok(false);
    }
    // Compressed contents are compared when they are decompressed up to there anyway.
    let is_cheap = Compression::of(&file.path).is_plain() || *next <= LENGTH;
    Ok(!is_cheap || !differs(*tail, next.saturating_sub(LENGTH)..*next)?)
}

impl Known {
    /// The path that it was read at last.
    pub(super) fn path_hash(&self) -> u64 {
        self.signs().path
    }

    /// Which of the files of its source it is.
    pub(super) fn serial(&self) -> u64 {
        let of_finished = self.finished.first().map(|finished| u64::from(finished.serial));
        self.splits.first().map(|split| split.serial).or(of_finished).unwrap_or(0)
    }

    /// Up to where it was read.
    pub(super) fn furthest(&self) -> u64 {
        let of_splits = self.splits.iter().map(|split| split.next);
        of_splits.chain(self.finished.iter().map(|finished| finished.next)).max().unwrap_or(0)
    }

    /// Where to look for it: where it was read last.
    pub(super) fn signs(&self) -> Signs {
        let of_split = |split: &FileSplit| {
            let file = split.identity.file.map(|(id, _)| number_sign(id));
            (split.next, path_hash(&split.path), file)
        };
        let of_finished =
            |file: &FinishedFile| (file.next, file.path, Signs::of_finished(file).file);
        let of_splits = self.splits.iter().filter(|split| is_finished(split)).map(of_split);
        let all = self.finished.iter().map(of_finished).chain(of_splits);
        // Of what was read as far, the one that is still being read is the last.
        let all = all.chain(self.unfinished().map(of_split));
        let last = all.max_by_key(|(next, ..)| *next);
        let (next, path, file) = last.unwrap_or((0, 0, None));
        let read = WasRead::up_to(next, self.unfinished().is_none());
        Signs { path, file, read }
    }

    /// Whether a file holds what was read of this one. One that is not there any more does not, nor does a compressed
    /// one that is damaged or not complete before there.
    pub(super) fn is_in(&self, file: &Present, files: &Files) -> Result<bool> {
        if self.is_untouched(file) {
            return Ok(true);
        }
        let is_plain = Compression::of(&file.path).is_plain();
        if is_plain && file.status.length < self.known_length() {
            return Ok(false);
        }
        let input = files.file(&file.path);
        for finished in &self.finished {
            if !finished.is_in(&input)? {
                return Ok(false);
            }
        }
        let Some(furthest) = self.splits.iter().max_by_key(|split| split.next) else {
            return Ok(true);
        };
        match is_read_in(&input, furthest) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) if !is_plain && error.raw_os_error().is_none() => Ok(false),
            is_in => is_in.map_err(|error| unreadable(&file.path, error)),
        }
    }

    /// Whether it has been read to its end and nothing has happened to it since.
    fn is_untouched(&self, file: &Present) -> bool {
        let [finished] = &self.finished[..] else { return false };
        let same = stamp(&file.status).is_some_and(|stamp| stamp.0 == finished.stamp);
        let is_plain = Compression::of(&file.path).is_plain();
        let is_whole = self.splits.is_empty() && !finished.is_part;
        is_whole && same && (!is_plain || file.status.length == finished.end)
    }

    /// What is remembered of it from now on, if it has been read to its end and has not grown.
    pub(super) fn unchanged(&self, file: &Present) -> Option<FinishedFile> {
        let [finished] = &self.finished[..] else { return None };
        let is_plain = Compression::of(&file.path).is_plain();
        let has_grown = is_plain && file.status.length > finished.end;
        let is_compressed_and_touched = !is_plain && !self.is_untouched(file);
        let is_whole = self.splits.is_empty() && !finished.is_part;
        (is_whole && !has_grown && !is_compressed_and_touched).then(|| FinishedFile {
            path: path_hash(&file.path),
            number: file.status.id.map_or(0, number_sign),
            stamp: stamp(&file.status).map_or(0, |stamp| stamp.0),
            ..*finished
        })
    }

    /// As splits of the file that it is.
    pub(super) fn into_splits(self, file: &Present) -> Vec<FileSplit> {
        let mut identity = Identity::default();
        identity.note(&file.status);
        let Known { splits, finished } = self;
        let is_plain = Compression::of(&file.path).is_plain();
        let of_finished = finished.into_iter().map(|finished| FileSplit {
            path: file.path.clone(),
            start: finished.start,
            end: Some(finished.end),
            next: finished.next,
            // How long a compressed file was is not remembered: it is looked at again.
            length: if is_plain { finished.next } else { 0 },
            continues_half_line: finished.ends_in_half_line,
            serial: u64::from(finished.serial),
            identity: identity.clone(),
        });
        let listed = splits.into_iter().map(|mut split| {
            let is_same =
                split.identity.stamp.is_some() && split.identity.stamp == stamp(&file.status);
            if !is_plain && is_finished(&split) && !is_same {
                // Whether there is more, only reading it tells.
                split.length = 0;
            }
            // It may be a copy, and what has the number is another file.
            split.identity.note(&file.status);
            FileSplit { path: file.path.clone(), ..split }
        });
        listed.chain(of_finished).collect()
    }

    /// Its splits, and what is remembered of it.
    pub(super) fn into_parts(self) -> (Vec<FileSplit>, Vec<FinishedFile>) {
        (self.splits, self.finished)
    }

    /// One of its splits that is not at its end.
    pub(super) fn unfinished(&self) -> Option<&FileSplit> {
        self.splits.iter().find(|split| !is_finished(split))
    }

    /// The least length of a file that holds what was read or was to be read.
    fn known_length(&self) -> u64 {
        let of_splits = self
            .splits
            .iter()
            .map(|split| split.end.unwrap_or(0).max(split.length).max(split.next));
        let of_finished = self.finished.iter().map(|finished| finished.next);
        of_splits.chain(of_finished).max().unwrap_or(0)
    }

    /// Another file has its name.
    pub(super) fn replaced_by(&self, file: &Present) -> Error {
        let length = file.status.length;
        if Compression::of(&file.path).is_plain() && length < self.known_length() {
            return shorter(&file.path, length, self.known_length());
        }
        changed(&file.path, self.furthest())
    }
}
