//! A file that was read before: what the last checkpoint knows of it.
//!
//! It may be listed as splits, or remembered in a few bytes, or both. It knows nothing of how files are found
//! or divided.

use std::collections::BTreeMap;

use steadfast_core::source::Resumed;
use steadfast_core::{Error, Result};

use super::compression::{Compression, Contents};
use super::files::{Files, Present, unreadable};
use super::finished_file::{FinishedFile, path_hash, stamp};
use super::identity::{Fingerprint, Identity, SAMPLE_BYTES};
use super::place::{changed, shorter};
use super::recognise::{FileSign, Signs};
use super::split::{FileSplit, is_finished};

/// See the module.
pub(super) struct Known {
    path: u64,
    /// Its splits, as the checkpoint lists them.
    splits: Vec<FileSplit>,
    /// What is remembered: the whole of it, or parts.
    finished: Vec<FinishedFile>,
}

/// All files that were read before.
pub(super) fn all(resumed: Resumed<FileSplit>) -> Vec<Known> {
    let mut all: Vec<Known> = Vec::new();
    let mut by_path: BTreeMap<u64, Known> = BTreeMap::new();
    let new = |path: u64| Known { path, splits: Vec::new(), finished: Vec::new() };
    for split in resumed.splits {
        let path = path_hash(&split.path);
        by_path.entry(path).or_insert_with(|| new(path)).splits.push(split);
    }
    let finished = resumed.finished.iter().filter_map(FinishedFile::decode);
    let (parts, whole): (Vec<_>, Vec<_>) = finished.partition(|finished| finished.is_part);
    for part in parts {
        by_path.entry(part.path).or_insert_with(|| new(part.path)).finished.push(part);
    }
    for whole in whole {
        match by_path.get_mut(&whole.path) {
            Some(known) if known.begins_at(whole.end) => known.finished.push(whole),
            // Another file may have its name by now.
            _ => all.push(Known { finished: vec![whole], ..new(whole.path) }),
        }
    }
    all.extend(by_path.into_values());
    all
}

impl Known {
    pub(super) fn path_hash(&self) -> u64 {
        self.path
    }

    /// Whether what is known of it goes on from there: it has grown since.
    fn begins_at(&self, position: u64) -> bool {
        let of_splits = self.splits.iter().map(|split| split.start);
        let of_finished = self.finished.iter().map(|finished| finished.start);
        of_splits.chain(of_finished).any(|start| start == position)
    }

    /// Where to look for it.
    pub(super) fn signs(&self) -> Signs {
        let of_splits =
            self.splits.iter().find_map(|split| Some(FileSign::Id(split.identity.file?.0)));
        let of_finished = || Some(FileSign::Stamp(self.finished.first()?.stamp));
        let file = of_splits.or_else(of_finished).unwrap_or(FileSign::None);
        Signs { path: self.path, file }
    }

    /// Whether a file holds what was read of this one.
    pub(super) fn is_in(&self, file: &Present, files: &Files) -> Result<bool> {
        if self.is_untouched(file) {
            return Ok(true);
        }
        let is_plain = Compression::of(&file.path).is_plain();
        if is_plain && file.status.length < self.known_length() {
            return Ok(false);
        }
        let input = files.file(&file.path);
        let sample =
            |range| Contents::sample(&input, range).map_err(|error| unreadable(&file.path, error));
        let head = |next: u64| {
            let known = next > SAMPLE_BYTES as u64;
            known.then(|| sample(0..SAMPLE_BYTES as u64)).transpose()
        };
        for finished in &self.finished {
            let next = finished.next;
            let first = head(next)?.map(|bytes| Fingerprint::of(&bytes));
            if is_plain || next <= SAMPLE_BYTES as u64 {
                let tail = sample(next.saturating_sub(SAMPLE_BYTES as u64)..next)?;
                if !finished.is_of(first, Fingerprint::of(&tail)) {
                    return Ok(false);
                }
            } else if !finished.has_head(first) {
                return Ok(false);
            }
        }
        let differs = |known: Option<Fingerprint>, bytes: &[u8]| {
            known.is_some_and(|known| known != Fingerprint::of(bytes))
        };
        let Some(furthest) = self.splits.iter().max_by_key(|split| split.next) else {
            return Ok(true);
        };
        let (next, Identity { head: first, tail, .. }) = (furthest.next, &furthest.identity);
        if first.is_some() && differs(*first, &sample(0..SAMPLE_BYTES as u64)?) {
            return Ok(false);
        }
        let is_cheap = is_plain || next <= SAMPLE_BYTES as u64;
        if tail.is_some() && is_cheap {
            let last = sample(next.saturating_sub(SAMPLE_BYTES as u64)..next)?;
            return Ok(!differs(*tail, &last));
        }
        // Nothing was read of it that could tell: then its name or number has to do.
        Ok(true)
    }

    /// Whether it has been read to its end and nothing has happened to it since.
    fn is_untouched(&self, file: &Present) -> bool {
        let [finished] = &self.finished[..] else { return false };
        let same = stamp(file.status.id.map(|id| (id, file.status.modified_ns))) == finished.stamp;
        let is_plain = Compression::of(&file.path).is_plain();
        let is_whole = self.splits.is_empty() && !finished.is_part;
        is_whole && same && finished.stamp != 0 && (!is_plain || file.status.length == finished.end)
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
            stamp: stamp(file.status.id.map(|id| (id, file.status.modified_ns))),
            ..*finished
        })
    }

    /// As splits of the file that it is.
    pub(super) fn into_splits(self, file: &Present) -> Vec<FileSplit> {
        let mut identity = Identity::default();
        identity.note(&file.status);
        let Known { splits, finished, .. } = self;
        let is_plain = Compression::of(&file.path).is_plain();
        let of_finished = finished.into_iter().map(|finished| FileSplit {
            path: file.path.clone(),
            start: finished.start,
            end: Some(finished.end),
            next: finished.next,
            // How long a compressed file was is not remembered: it is looked at again.
            length: if is_plain { finished.next } else { 0 },
            continues_half_line: finished.ends_in_half_line,
            identity: identity.clone(),
        });
        let listed = splits.into_iter().map(|split| FileSplit { path: file.path.clone(), ..split });
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
        let of_splits = self.splits.iter().map(|split| split.end.unwrap_or(0).max(split.length));
        let of_finished = self.finished.iter().map(|finished| finished.next);
        of_splits.chain(of_finished).max().unwrap_or(0)
    }

    /// Another file has its name.
    pub(super) fn replaced_by(&self, file: &Present) -> Error {
        let length = file.status.length;
        if Compression::of(&file.path).is_plain() && length < self.known_length() {
            return shorter(&file.path, length, self.known_length());
        }
        let of_splits = self.splits.iter().map(|split| split.next).max().unwrap_or(0);
        let of_finished = self.finished.iter().map(|finished| finished.next).max().unwrap_or(0);
        changed(&file.path, of_splits.max(of_finished))
    }
}
