//! Whether a file that nobody knows is a copy of one that is known, or is becoming one.
//!
//! A rotation that copies and truncates, and one that compresses, leave two files of the same contents for a while.
//! The copy is left alone until it is known which of the two goes on. What goes on for a file that is not there any
//! more is recognised before (see [`super::finding`]). It decides nothing of what is read.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::Path;

use steadfast_core::Result;
use steadfast_core::disk::FileId;

use super::super::compression::Contents;
use super::super::files::{Files, InputFile, Present, unreadable};
use super::super::finished_file::{FinishedFile, path_hash};
use super::super::identity::{Fingerprint, SAMPLE_BYTES, stamp};
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
    /// The file that is there of which `file`, which may have had these `names`, is a copy or is becoming one. What it
    /// was a copy of at the look before may have another name since.
    pub(super) fn original(
        &self,
        file: &Present,
        names: &BTreeSet<u64>,
        before: Option<FileId>,
        compared: &mut Compared,
    ) -> Result<Option<FileId>> {
        // A name passes from one file to the next in a rotation: several may have had it.
        let of_names = names.iter().filter_map(|name| self.known.0.get(name)).flatten().copied();
        for id in before.into_iter().chain(of_names) {
            if let (Some(known), Some(original)) = (self.inner.files.get(id), self.present.get(&id))
                && known.path != file.path
                && self.is_like(file, (id, known, original), compared)?
            {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    /// Whether a file is what another is that is there, up to where that was read.
    fn is_like(
        &self,
        file: &Present,
        (id, known, original): (FileId, &Known, &Present),
        compared: &mut Compared,
    ) -> Result<bool> {
        let begins_alike = match (&known.read, is_plain(file)) {
            (Some(read), _) if read.next == 0 => false,
            // Of what is not complete yet it cannot be told.
            (Some(read), false) => read.begins(&self.files.file(&file.path)).unwrap_or(true),
            (Some(read), true) => self.begins_as(file, read, &original.path)?,
            // Small ones that begin alike need not be copies, and nothing of the original was read yet.
            (None, true) => file.status.length >= SAMPLE_BYTES as u64,
            (None, false) => {
                let is_it_compressed = file.path.with_extension("") == original.path;
                return Ok(is_it_compressed && original.status.length > 0);
            }
        };
        if !begins_alike || is_plain(file) {
            return Ok(begins_alike && self.ends_as(file, known, original)?);
        }
        let ends_alike = || self.ends_as_compressed(file, known, original);
        compared.when_complete(file, id, ends_alike)
    }

    /// Whether what a compressed file holds, which begins as another does, is what that holds.
    fn ends_as_compressed(
        &self,
        file: &Present,
        known: &Known,
        original: &Present,
    ) -> Result<bool> {
        let Some(read) = &known.read else { return Ok(true) };
        let input = self.files.file(&file.path);
        if !is_plain(original) {
            let length = file.status.length;
            let start = length.saturating_sub(SAMPLE_BYTES as u64);
            let stored = |input: &InputFile| input.stored(start..length);
            let alike =
                stored(&input).and_then(|one| Ok(one == stored(&self.files.file(&original.path))?));
            // One of them may be gone by now.
            return Ok(alike.unwrap_or(true));
        }
        if !is_copy(self.files, original, read)? {
            // It was truncated: whoever reads it goes on in its copy, if this is one.
            return Ok(read.is_in(&input).unwrap_or(true));
        }
        // Of what is not complete yet it cannot be told.
        let Ok((length, last)) = Contents::end(&input, SAMPLE_BYTES) else { return Ok(true) };
        let start = length.saturating_sub(SAMPLE_BYTES as u64);
        let there = Contents::sample(&self.files.file(&original.path), start..length);
        // It may be gone by now: compressed, as it seems.
        Ok(there.map_or(true, |there| there == last))
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

    /// Whether a file holds all of one that is not there and is being read: of several that do its reader goes on in
    /// one.
    pub(super) fn is_whole_copy_of_absent(&self, file: &Present, names: &BTreeSet<u64>) -> bool {
        let input = self.files.file(&file.path);
        is_plain(file)
            && self.absent_of(names).any(|Absent { read, reader }| {
                let is_long_enough = file.status.length >= read.next;
                reader.is_some() && is_long_enough && read.is_in(&input).unwrap_or(true)
            })
    }

    /// Whether a file begins as one that is not there, and is not yet as long. What is shorter than what is compared is
    /// rather the beginning of something else.
    pub(super) fn is_becoming_absent(&self, file: &Present, names: &BTreeSet<u64>) -> bool {
        let input = self.files.file(&file.path);
        let length = file.status.length;
        self.absent_of(names).any(|Absent { read, reader }| {
            let may_be = match is_plain(file) {
                true => length >= SAMPLE_BYTES as u64 && length < read.next,
                // Of one that is not complete yet it cannot be told.
                false => reader.is_some(),
            };
            may_be && read.begins(&input).unwrap_or(!is_plain(file))
        })
    }

    fn absent_of(&self, names: &BTreeSet<u64>) -> impl Iterator<Item = &Absent> {
        self.absent.iter().filter(|absent| names.contains(&absent.read.path))
    }
}

/// Compressed files that may be copies of others: whether they are, found out once for each by decompressing it.
#[derive(Default)]
pub(super) struct Compared {
    found: BTreeMap<(FileId, FileId), (Fingerprint, Option<bool>)>,
    /// Whether one of them is to be looked at again soon.
    is_one_open: bool,
}

impl Compared {
    /// A look begins, at which these are there.
    pub(super) fn begin(&mut self, present: &ById<'_>) {
        self.found.retain(|(id, _), _| present.contains_key(id));
        self.is_one_open = false;
    }

    /// Whether one of them is still to be compared.
    pub(super) fn is_one_open(&self) -> bool {
        self.is_one_open
    }

    /// The answer of `ends_alike` of a file and the one that it may be a copy of, when nothing has happened to it since
    /// the look before. Until then it may be.
    fn when_complete(
        &mut self,
        file: &Present,
        original: FileId,
        ends_alike: impl FnOnce() -> Result<bool>,
    ) -> Result<bool> {
        let (Some(id), Some(stamp)) = (file.status.id, stamp(&file.status)) else {
            return ends_alike();
        };
        match self.found.get(&(id, original)) {
            Some((before, Some(answer))) if *before == stamp => Ok(*answer),
            Some((before, None)) if *before == stamp => {
                let answer = ends_alike()?;
                self.found.insert((id, original), (stamp, Some(answer)));
                Ok(answer)
            }
            _ => {
                self.is_one_open = true;
                self.found.insert((id, original), (stamp, None));
                Ok(true)
            }
        }
    }
}
