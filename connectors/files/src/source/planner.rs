//! Dividing files into splits that are read at the same time, and finding those again that were read before.
//!
//! It knows nothing of how they are read.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, SeekFrom};
use std::path::Path;

use steadfast_core::disk::FileStatus;
use steadfast_core::source::{Planned, Resumed, SplitStatus};
use steadfast_core::{Cause, Error, Result};

use super::compression::{Compression, Contents};
use super::files::{Files, InputFile, Looked, Present, unreadable};
use super::finished_file::{FinishedFile, path_hash};
use super::identity::{Fingerprint, Identity, SAMPLE_BYTES};
use super::known::{self, Known};
use super::split::{FileSplit, Replaced, identified, is_finished, merged, status};

mod growing;

const SMALLEST_SPLIT: u64 = 1024 * 1024;
const LARGEST_SPLIT: u64 = 64 * 1024 * 1024;
/// Splits for each reader of a large file, so that a slow one does not hold up the end.
const SPLITS_PER_READER: u64 = 8;

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
        let found = known::among(&known, &present, self.files)?;
        let mut planned = Planned::new(Vec::new());
        let mut resumed: Vec<Vec<FileSplit>> = vec![Vec::new(); present.len()];
        let mut is_known = vec![false; present.len()];
        let mut were_known = BTreeSet::new();
        let is_taken: BTreeSet<usize> = found.iter().flatten().copied().collect();
        // What has the name of another one now and is that is no sign of what became of this one.
        let by_path: BTreeMap<u64, &Present> = (present.iter().enumerate())
            .filter(|(at, _)| !is_taken.contains(at))
            .map(|(_, file)| (path_hash(&file.path), file))
            .collect();
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
                None => self.not_found(known, &by_path, &mut planned)?,
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

    /// What was read before and is not there any more, or not as it was.
    fn not_found(
        &self,
        known: Known,
        by_path: &BTreeMap<u64, &Present>,
        planned: &mut Planned<FileSplit>,
    ) -> Result<()> {
        if let Some(file) = by_path.get(&known.path_hash()) {
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
