//! Whether a file that nobody knows is a copy of one that is known, or is becoming one.
//!
//! A rotation that copies and truncates, and one that compresses, leave two files of the same contents for a while.
//! The copy is left alone until it is known which of the two goes on. What goes on for a file that is not there any
//! more is recognised before (see [`super::finding`]). It decides nothing of what is read.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use steadfast_core::Result;
use steadfast_core::disk::FileId;

use super::super::compression::Contents;
use super::super::files::{Files, Present, unreadable};
use super::super::finished_file::{FinishedFile, path_hash};
use super::super::identity::SAMPLE_BYTES;
use super::absent::Absent;
use super::finding::{ById, is_plain};
use super::tail::is_copy;
use super::{Inner, Known};

/// The files that are known, by the hash of their paths: with many files, each that is new is compared with few.
pub(super) struct ByPath(BTreeMap<u64, Vec<FileId>>);

impl ByPath {
    pub(super) fn of(inner: &Inner) -> Self {
        let mut all = ByPath(BTreeMap::new());
        inner.files.iter().for_each(|(id, known)| all.add(id, &known.path));
        all
    }

    pub(super) fn add(&mut self, id: FileId, path: &Path) {
        self.0.entry(path_hash(path)).or_default().push(id);
    }
}

/// See the module.
pub(super) struct Copies<'a> {
    pub(super) files: &'a Files,
    pub(super) inner: &'a Inner,
    pub(super) known: &'a ByPath,
    pub(super) present: &'a ById<'a>,
    pub(super) absent: &'a [Absent],
}

impl Copies<'_> {
    /// Whether `file`, which may have had these `names`, is a copy or is becoming one.
    pub(super) fn may_be(&self, file: &Present, names: &BTreeSet<PathBuf>) -> Result<bool> {
        let names: BTreeSet<u64> = names.iter().map(|name| path_hash(name)).collect();
        // A name passes from one file to the next in a rotation: several may have had it.
        for id in names.iter().filter_map(|name| self.known.0.get(name)).flatten() {
            if let (Some(known), Some(original)) = (self.inner.files.get(*id), self.present.get(id))
                && known.path != file.path
                && self.is_like(file, known, original)?
            {
                return Ok(true);
            }
        }
        Ok(self.is_like_absent(file, &names))
    }

    /// Whether a file is what another is that is there, up to where that was read.
    fn is_like(&self, file: &Present, known: &Known, original: &Present) -> Result<bool> {
        let begins_alike = match (&known.read, is_plain(file)) {
            (Some(read), _) if read.next == 0 => false,
            // Of what is not complete yet it cannot be told.
            (Some(read), false) => read.begins(&self.files.file(&file.path)).unwrap_or(true),
            (Some(read), true) => self.begins_as(file, read, &original.path)?,
            // Small ones that begin alike need not be copies, and nothing of the original was read yet.
            (None, true) => file.status.length >= SAMPLE_BYTES as u64,
            (None, false) => {
                let is_it_compressed = file.path.with_extension("") == original.path;
                is_it_compressed && original.status.length > 0
            }
        };
        Ok(begins_alike && self.ends_as(file, known, original)?)
    }

    /// Whether a file begins with what was read of another, as far as it goes.
    fn begins_as(&self, file: &Present, read: &FinishedFile, original: &Path) -> Result<bool> {
        if file.status.length >= read.next {
            return read.is_in(&self.files.file(&file.path));
        }
        self.are_alike_before(file.status.length, &file.path, original)
    }

    /// Whether a file that begins as another does goes on alike, where the other is as long.
    fn ends_as(&self, file: &Present, known: &Known, original: &Present) -> Result<bool> {
        if !is_plain(file) {
            return Ok(true);
        }
        if let Some(read) = &known.read
            && !is_copy(self.files, original, read)?
        {
            // It was truncated: whoever reads it will go on in its copy.
            return Ok(true);
        }
        // One that is still what it was and is shorter has no copy that is longer.
        let length = file.status.length;
        Ok(original.status.length >= length
            && self.are_alike_before(length, &file.path, &original.path)?)
    }

    fn are_alike_before(&self, position: u64, one: &Path, other: &Path) -> Result<bool> {
        let start = position.saturating_sub(SAMPLE_BYTES as u64);
        let of = |path: &Path| Contents::sample(&self.files.file(path), start..position);
        match (of(one), of(other)) {
            (Ok(one), Ok(other)) => Ok(one == other),
            (Err(error), _) | (_, Err(error)) if error.kind() == ErrorKind::NotFound => Ok(false),
            (Err(error), _) | (_, Err(error)) => Err(unreadable(one, error)),
        }
    }

    /// Whether a file begins as one that is not there. What is shorter than that and than what is compared is rather
    /// the beginning of something else.
    fn is_like_absent(&self, file: &Present, names: &BTreeSet<u64>) -> bool {
        let input = self.files.file(&file.path);
        let has_name = |absent: &&Absent| names.contains(&absent.read.path);
        self.absent.iter().filter(has_name).any(|Absent { read, reader }| match is_plain(file) {
            true => {
                let length = file.status.length;
                let is_part = length >= SAMPLE_BYTES as u64 && length < read.next;
                // Of several that hold it all its reader goes on in one.
                let is_whole = reader.is_some() && length >= read.next;
                is_part && read.begins(&input).unwrap_or(false)
                    || is_whole && read.is_in(&input).unwrap_or(true)
            }
            // Of one that is not complete yet it cannot be told.
            false => reader.is_some() && read.begins(&input).unwrap_or(true),
        })
    }
}
