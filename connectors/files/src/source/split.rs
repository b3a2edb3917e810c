//! Splits: which part of which file, and how far it has been read.

use std::collections::BTreeSet;
use std::io::{self, Read, SeekFrom};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use steadfast_core::disk::FileStatus;
use steadfast_core::source::{FinishedSplit, Planned, Resumed, SplitStatus};
use steadfast_core::{Cause, Error, Result};

use super::compression::{Compression, Contents};
use super::files::{Files, InputFile, Looked, Present, unreadable};
use super::finished_file::{FinishedFile, path_hash};
use super::follow::Followed;
use super::identity::{Fingerprint, Identity, SAMPLE_BYTES};
use super::known::{self, Known};
use super::recognise::recognise;
use super::rotated_names::earlier_names;
use super::stored_path;

const SMALLEST_SPLIT: u64 = 1024 * 1024;
const LARGEST_SPLIT: u64 = 64 * 1024 * 1024;
/// Splits for each reader of a large file, so that a slow one does not hold up the end.
const SPLITS_PER_READER: u64 = 8;

/// So often is it looked again where files change while a start looks at them.
const MOST_LOOKS: u32 = 16;

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

/// What to do with a file that is not the one that was read under its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Replaced {
    /// Stop with an error that names it, before anything is changed.
    #[default]
    Refuse,
    /// Read it from its beginning. What was not yet read of the one that was there is not read any more.
    AreNew,
}

/// How to divide files.
pub(super) struct Planner<'a> {
    pub(super) files: &'a Files,
    pub(super) readers: usize,
    /// The size of a part; none: chosen by the size of the file.
    pub(super) split_bytes: Option<u64>,
    /// Whether a file may be divided at all.
    pub(super) divides: bool,
    /// What becomes of files that hold something else than what was read.
    pub(super) replaced: Replaced,
}

impl Planner<'_> {
    /// All splits: the resumed ones and what has come since.
    pub(super) fn plan(&self, resumed: Resumed<FileSplit>) -> Result<Planned<FileSplit>> {
        let Looked { present, missing, .. } = self.files.look()?;
        let (mut known, mut next_serial) = known::all(resumed);
        let signs: Vec<_> = known.iter().map(Known::signs).collect();
        let holds = |one: usize, other: usize| known[one].is_in(&present[other], self.files);
        let found = recognise(&signs, &present, holds)?;
        let mut planned = Planned::new(Vec::new());
        let mut resumed: Vec<Vec<FileSplit>> = vec![Vec::new(); present.len()];
        let mut is_known = vec![false; present.len()];
        let mut were_known = BTreeSet::new();
        for (known, found) in known.drain(..).zip(found) {
            were_known.insert(known.path_hash());
            match found.map(|found| (found, &present[found])) {
                Some((at, file)) => {
                    is_known[at] = true;
                    match known.unchanged(file) {
                        Some(finished) => {
                            planned.done += file.status.length;
                            planned.finished.push(finished.encode());
                        }
                        None => resumed[at].extend(known.into_splits(file)),
                    }
                }
                None => self.not_found(known, &present, &mut planned)?,
            }
        }
        for ((file, resumed), is_known) in present.iter().zip(resumed).zip(is_known) {
            if !is_known || !resumed.is_empty() {
                let serial = resumed.first().map_or(next_serial, |split| split.serial);
                next_serial += u64::from(resumed.is_empty());
                self.plan_file((file, serial), resumed, &mut planned.splits)?;
            }
        }
        match missing.into_iter().find(|(path, _)| !were_known.contains(&path_hash(path))) {
            Some((path, error)) => Err(unreadable(&path, error).hint(
                "give the path of a file that is there: relative ones are taken from the folder in which the job was \
                 started; for files that come later give their folder or a pattern",
            )),
            None => Ok(planned),
        }
    }

    /// The same of files that go on growing: each in one split. Files that were not known are left to who looks
    /// for them while the job runs. A rotation that goes on meanwhile is waited for.
    pub(super) fn plan_growing(
        &self,
        resumed: &Resumed<FileSplit>,
        followed: &Followed,
    ) -> Result<Planned<FileSplit>> {
        let mut looked = self.files.look()?;
        for _ in 0..MOST_LOOKS {
            let planned = self.plan_growing_as(looked.present.clone(), resumed, followed);
            let Err(error) = planned else { return planned };
            let again = self.files.look()?;
            if again.present == looked.present {
                return Err(error);
            }
            looked = again;
        }
        self.plan_growing_as(looked.present, resumed, followed)
    }

    fn plan_growing_as(
        &self,
        mut present: Vec<Present>,
        resumed: &Resumed<FileSplit>,
        followed: &Followed,
    ) -> Result<Planned<FileSplit>> {
        let (known, next_serial) = known::all(resumed.clone());
        self.add_those_elsewhere(&known, &mut present)?;
        let signs: Vec<_> = known.iter().map(Known::signs).collect();
        let holds = |one: usize, other: usize| known[one].is_in(&present[other], self.files);
        let found = recognise(&signs, &present, holds)?;
        let mut planned = Planned::new(Vec::new());
        let (mut finished, mut gone) = (Vec::new(), Vec::new());
        for (known, found) in known.into_iter().zip(found) {
            let Some(file) = found.map(|found| &present[found]) else {
                gone.extend(self.not_found_growing(known, &mut planned)?);
                continue;
            };
            let read = match known.unchanged(file) {
                Some(read) => read,
                None => {
                    let split = growing_split(file, known.into_splits(file))?;
                    let split = identified(split, self.files)?;
                    if !is_finished(&split) {
                        planned.splits.push(status(split));
                        continue;
                    }
                    let read = FinishedFile::of(&split);
                    planned.splits.push(status(split));
                    finished.extend(file.status.id.map(|id| (file.path.clone(), id, read)));
                    continue;
                }
            };
            planned.finished.push(read.encode());
            finished.extend(file.status.id.map(|id| (file.path.clone(), id, Some(read))));
        }
        let reading = planned.splits.iter().filter(|status| !status.finished);
        followed.begin(reading.map(|status| &status.split), finished, gone, next_serial);
        Ok(planned)
    }

    /// Adds files that were asked for when they were read, and that a rotation has given another name in their
    /// folder. Of one of which nothing was read, only its number would tell, which may be that of any file now.
    fn add_those_elsewhere(&self, known: &[Known], present: &mut Vec<Present>) -> Result<()> {
        let begun = known.iter().filter(|known| known.furthest() > 0);
        for split in begun.filter_map(Known::unfinished) {
            let Some((id, _)) = split.identity.file else { continue };
            let is_there = present.iter().any(|file| file.status.id == Some(id));
            if !is_there && self.files.ask_for(&split.path) {
                let is_rotated = |file: &Present| earlier_names(&file.path).contains(&split.path);
                present.extend(self.files.beside(&split.path, id)?.filter(is_rotated));
            }
        }
        Ok(())
    }

    /// A file that grew when it was read last and is not there any more. Returns what it is recognised by if it
    /// comes back.
    fn not_found_growing(
        &self,
        known: Known,
        planned: &mut Planned<FileSplit>,
    ) -> Result<Option<FinishedFile>> {
        if let (Some(split), Replaced::Refuse) = (known.unfinished(), self.replaced) {
            let what = format!(
                "the file was read up to byte {} and is not there any more: nobody can tell what came \
                 behind that",
                split.next
            );
            return Err(Error::because(Cause::INPUT_GONE, what).at(split.path.display().to_string()).hint(
                "if it was rotated, give a pattern that its new name matches too, such as 'app.log*'; or \
                 go on without what is lost (replaced_files(Replaced::AreNew)); or start from scratch with \
                 --reset (RunOptions::reset)",
            ));
        }
        let (splits, finished) = known.into_parts();
        let splits = merged(splits.into_iter().filter(is_finished).collect());
        let all = splits.iter().filter_map(FinishedFile::of).chain(finished.iter().copied());
        let furthest = all.filter(|file| file.next > 0).max_by_key(|file| file.next);
        planned.splits.extend(splits.into_iter().map(status));
        planned.finished.extend(finished.iter().map(FinishedFile::encode));
        Ok(furthest)
    }

    /// What was read before and is not there any more, or not as it was.
    fn not_found(
        &self,
        known: Known,
        present: &[Present],
        planned: &mut Planned<FileSplit>,
    ) -> Result<()> {
        if let Some(file) = present.iter().find(|file| path_hash(&file.path) == known.path_hash()) {
            return match self.replaced {
                Replaced::AreNew => Ok(()),
                Replaced::Refuse => Err(known.replaced_by(file)),
            };
        }
        if let Some(unfinished) = known.unfinished() {
            return Err(self.cannot_go_on(unfinished));
        }
        // A file that has been read to its end may be cleaned away.
        let (splits, finished) = known.into_parts();
        planned.splits.extend(merged(splits).into_iter().map(status));
        planned.finished.extend(finished.iter().map(FinishedFile::encode));
        Ok(())
    }

    /// A split that is not at its end belongs to a file that is not there, or not asked for.
    fn cannot_go_on(&self, split: &FileSplit) -> Error {
        if self.files.ask_for(&split.path) {
            return unreadable(&split.path, io::ErrorKind::NotFound.into()).hint(format!(
                "it was read up to byte {}: put it back, or give the name that it has now as input; or \
                 start from scratch with --reset (RunOptions::reset)",
                split.next
            ));
        }
        Error::because(Cause::INPUT_GONE, "the last checkpoint is in the middle of this file")
            .at(split.path.display().to_string())
            .hint("give it as input again, or start from scratch with --reset (RunOptions::reset)")
    }

    fn plan_file(
        &self,
        (file, serial): (&Present, u64),
        resumed: Vec<FileSplit>,
        all: &mut Vec<SplitStatus<FileSplit>>,
    ) -> Result<()> {
        let (path, length) = (&file.path, file.status.length);
        let input = self.files.file(path);
        // What cannot be read is said before anybody is fenced.
        drop(input.open().map_err(|error| unreadable(path, error))?);
        if !Compression::of(path).is_plain() || !self.divides {
            let mut planned = whole_file((file, serial), resumed)?;
            if !planned.finished {
                planned.split = identified(planned.split, self.files)?;
            }
            all.push(planned);
            return Ok(());
        }
        if resumed.iter().any(|split| split.end.is_none()) {
            return Err(another_source(path).hint(
                "if the files were followed, go on with follow(): what is followed has no end up to which it could be \
                 read in parts; otherwise give the source another name, or start from scratch with --reset \
                 (RunOptions::reset)",
            ));
        }
        let known = resumed.iter().filter_map(|split| split.end).max().unwrap_or(0);
        let mut parts = merged(resumed);
        for part in parts.iter_mut().filter(|part| !is_finished(part)) {
            // A line that was half there when the part was planned may be whole by now.
            part.length = length;
        }
        let mut continues_half_line = length > known && half_line_was_read(&input, known, &parts)?;
        for part in parts {
            let is_begun = part.next > part.start;
            all.push(status(if is_begun { identified(part, self.files)? } else { part }));
        }
        let size = self.split_bytes.unwrap_or_else(|| {
            let many = self.readers as u64 * SPLITS_PER_READER;
            (length / many.max(1)).clamp(SMALLEST_SPLIT, LARGEST_SPLIT)
        });
        let mut identity = Identity::default();
        identity.note(&file.status);
        if (known > 0 || length - known > size) && length > SAMPLE_BYTES as u64 {
            // The parts behind the first one do not see how the file begins.
            let first = Contents::sample(&input, 0..SAMPLE_BYTES as u64);
            let first = first.map_err(|error| unreadable(path, error))?;
            identity.head = Some(Fingerprint::of(&first));
        }
        let mut start = known;
        while start < length {
            let end = start.saturating_add(size.max(1)).min(length);
            let (path, next, identity) = (path.clone(), start, identity.clone());
            let part = FileSplit {
                path,
                start,
                end: Some(end),
                next,
                length,
                continues_half_line,
                serial,
                identity,
            };
            all.push(status(part));
            continues_half_line = false;
            start = end;
        }
        Ok(())
    }
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

/// The one split of a file that goes on growing: the one that was read furthest, because what is before it was
/// read before.
fn growing_split(file: &Present, resumed: Vec<FileSplit>) -> Result<FileSplit> {
    let is_half_read = |split: &FileSplit| split.end.is_some() && !is_finished(split);
    let furthest = resumed.iter().max_by_key(|split| (split.next, split.end.is_none())).cloned();
    let Some(split) = furthest.filter(|_| !resumed.iter().any(is_half_read)) else {
        let what = "the last checkpoint is in the middle of this file, which was read in parts";
        return Err(Error::because(Cause::INPUT_OTHER, what)
            .at(file.path.display().to_string())
            .hint("let the job come to its end as it was, without follow(), and follow the files then"));
    };
    let has_grown = match Compression::of(&file.path).is_plain() {
        true => file.status.length > split.next,
        false => split.length == 0,
    };
    let end = split.end.filter(|_| !has_grown);
    Ok(FileSplit { start: 0, end, ..split })
}

/// A file that is read by one reader from its beginning to its end.
fn whole_file(
    (file, serial): (&Present, u64),
    resumed: Vec<FileSplit>,
) -> Result<SplitStatus<FileSplit>> {
    let mut resumed = merged(resumed);
    let Present { path, status: FileStatus { length, .. } } = file;
    let Some(mut split) = resumed.pop() else {
        let mut identity = Identity::default();
        identity.note(&file.status);
        return Ok(status(FileSplit {
            path: path.clone(),
            start: 0,
            end: None,
            next: 0,
            length: *length,
            continues_half_line: false,
            serial,
            identity,
        }));
    };
    if !resumed.is_empty() || split.start != 0 {
        return Err(another_source(path).hint(
            "the source's type has changed: give it another name, or start from scratch with --reset (RunOptions::reset)",
        ));
    }
    if *length > split.length {
        // It has grown since it was read to its end: there is more to come.
        split.end = None;
    }
    split.length = *length;
    Ok(status(split))
}

fn another_source(path: &Path) -> Error {
    Error::because(Cause::INPUT_OTHER, "the last checkpoint has read this file in another way")
        .at(path.display().to_string())
}

pub(super) fn is_finished(split: &FileSplit) -> bool {
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

/// Whether `known` is in the middle of a line and its first half has been read already, so that
/// nobody will read the line as a whole.
fn half_line_was_read(file: &InputFile, known: u64, parts: &[FileSplit]) -> Result<bool> {
    let Some(begin) = cut_line(file, known).map_err(|error| unreadable(&file.path, error))? else {
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
