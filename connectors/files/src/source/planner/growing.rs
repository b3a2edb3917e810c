//! The splits of files that go on growing: those that are known, each whole.
//!
//! It knows nothing of files that were never seen; whoever looks while the job runs finds them.

use std::collections::BTreeMap;

use steadfast_core::source::{Planned, Resumed};
use steadfast_core::{Cause, Error, Result};

use super::super::compression::Compression;
use super::super::files::Present;
use super::super::finished_file::{FinishedFile, path_hash};
use super::super::follow::Followed;
use super::super::known::{self, Known};
use super::super::rotated_names::earlier_names;
use super::super::split::{FileSplit, Replaced, identified, is_finished, merged, status};
use super::Planner;

/// So often is it looked again where files change while a start looks at them.
const MOST_LOOKS: u32 = 16;

impl Planner<'_> {
    /// The same of files that go on growing: each in one split. Files that were not known are left to who looks
    /// for them while the job runs. A rotation that goes on meanwhile is waited for.
    pub(in super::super) fn plan_growing(
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
        let found = known::among(&known, &present, self.files)?;
        let mut planned = Planned::new(Vec::new());
        let (mut finished, mut gone) = (Vec::new(), Vec::new());
        // The last one of each name.
        let mut last = BTreeMap::new();
        for known in &known {
            let serial = last.entry(known.path_hash()).or_insert(0);
            *serial = known.serial().max(*serial);
        }
        for (known, found) in known.into_iter().zip(found) {
            let Some(file) = found.map(|found| &present[found]) else {
                // Another one of its name was begun when its reader had found nothing in it.
                let was_empty = last[&known.path_hash()] > known.serial();
                // What has its number is read from its beginning, be it this one under another name or not.
                if known.furthest() > 0 || !was_empty && !is_elsewhere(&known, &present) {
                    gone.extend(self.not_found_growing(known, &mut planned)?);
                }
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

    /// Adds files that were asked for when they were read, and that nobody asks for by the names that they have now: a
    /// rotation has given them others in their folders, or a link leads elsewhere by now. Of one of which nothing was
    /// read, only its number would tell, which may be that of any file now.
    fn add_those_elsewhere(&self, known: &[Known], present: &mut Vec<Present>) -> Result<()> {
        let begun = known.iter().filter(|known| known.furthest() > 0);
        for split in begun.filter_map(Known::unfinished) {
            let Some((id, _)) = split.identity.file else { continue };
            if present.iter().any(|file| file.status.id == Some(id)) {
                continue;
            }
            let Some(file) = self.files.beside(&split.path, id)? else { continue };
            let is_rotated = || earlier_names(&file.path).contains(&split.path);
            if file.path == split.path || self.files.ask_for(&split.path) && is_rotated() {
                present.push(file);
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
        let (splits, mut finished) = known.into_parts();
        let (splits, unfinished): (Vec<_>, Vec<_>) = splits.into_iter().partition(is_finished);
        // It is not missed, and when it is there again it is gone on with.
        finished.extend(unfinished.iter().filter_map(FinishedFile::read_so_far));
        let splits = merged(splits);
        let all = splits.iter().filter_map(FinishedFile::of).chain(finished.iter().copied());
        let furthest = all.filter(|file| file.next > 0).max_by_key(|file| file.next);
        planned.splits.extend(splits.into_iter().map(status));
        planned.finished.extend(finished.iter().map(FinishedFile::encode));
        Ok(furthest)
    }
}

/// Whether a file that is not under its name any more is under another one, as far as its number tells.
fn is_elsewhere(known: &Known, present: &[Present]) -> bool {
    let id = known.unfinished().and_then(|split| split.identity.file).map(|(id, _)| id);
    id.is_some()
        && present
            .iter()
            .any(|file| file.status.id == id && path_hash(&file.path) != known.path_hash())
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
