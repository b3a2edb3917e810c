//! The files with the output: staged where no user looks, then made visible, at last moved away.
//!
//! ```text
//! DIR/.steadfast/staged/0000000007-40-00c0ffee00c0ffee-3   written before its slot is there
//! DIR/part-0000000007.jsonl                                linked after its slot is there
//! DIR/.steadfast/reset-0000000009/part-0000000007.jsonl    moved by the reset in slot 9
//! ```
//!
//! It knows nothing of the chain: who may make what visible, and when, is decided elsewhere.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use steadfast_core::chunks::{ChunkReader, Chunks};
use steadfast_core::disk::Disk;
use steadfast_core::{Error, Result};
use steadfast_disk::{Existing, write_durably};

use super::chain::{HIDDEN, failed, padded, remove_if_there, sweep};
use super::slot::Part;
use super::sum::{Sum, Summing};

/// See the module.
pub(super) struct Parts {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
}

/// Who has written what is staged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Staged {
    /// This process, a moment ago.
    JustNow,
    /// Who knows, and when: the disk may have changed it since.
    ByAnybody,
}

const EXTENSION: &str = ".jsonl";

/// The name that users see: `part-0000000007.jsonl`.
pub(super) fn name(prefix: &str, number: u64) -> String {
    format!("{prefix}-{}{EXTENSION}", padded(number))
}

/// The number in such a name, whatever its prefix.
fn number_in(name: &str) -> Option<u64> {
    let (_, digits) = name.strip_suffix(EXTENSION)?.rsplit_once('-')?;
    digits.parse().ok().filter(|number| digits == padded(*number))
}

impl Parts {
    /// The parts in `folder`.
    pub(super) fn new(disk: Arc<dyn Disk>, folder: &Path) -> Self {
        Parts { disk, folder: folder.to_path_buf() }
    }

    fn staged(&self) -> PathBuf {
        self.folder.join(HIDDEN).join("staged")
    }

    /// Creates the folders that are needed, for who comes to this folder first.
    pub(super) fn create_folders(&self) -> Result<()> {
        let dir = self.staged();
        self.disk.create_dir_all(&dir).map_err(|e| failed("create", &dir, e))
    }

    /// Creates one of the folders that are hidden; if what it is in is not there, all of it is away, and not to be
    /// made again.
    fn create(&self, dir: &Path) -> Result<()> {
        self.disk.create_dir(dir).map_err(|e| failed("create", dir, e))
    }

    /// Writes what will become the part `name`, durably.
    pub(super) fn stage(&self, name: String, staged: String, chunks: &dyn Chunks) -> Result<Part> {
        self.create(&self.staged())?;
        let path = self.staged().join(&staged);
        let mut contents = Summing::new(ChunkReader::new(chunks));
        let written = write_durably(&*self.disk, &path, &mut contents, &staged, Existing::Replace);
        let Summing { sum, inner } = contents;
        match (written, inner.into_error()) {
            (Ok(_), _) => Ok(Part { name, staged, sum }),
            (Err(_), Some(error)) => Err(error),
            (Err(error), None) => Err(failed("write", &path, error)),
        }
    }

    /// Whether what was staged for a part is still there.
    pub(super) fn is_staged(&self, part: &Part) -> Result<bool> {
        let path = self.staged().join(&part.staged);
        match self.disk.status(&path).map(|status| status.length) {
            Ok(length) => Ok(length == part.sum.bytes),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(failed("read", &path, error)),
        }
    }

    /// Removes what was staged for a part that will never be.
    pub(super) fn unstage(&self, part: &Part) -> Result<()> {
        remove_if_there(&*self.disk, &self.staged().join(&part.staged))
    }

    /// The files that have the name of a part of any sink, with their numbers.
    pub(super) fn visible(&self) -> Result<Vec<(u64, String)>> {
        let files = self.disk.list(&self.folder).map_err(|e| failed("list", &self.folder, e))?;
        let names = files.iter().filter_map(|path| path.file_name()?.to_str());
        Ok(names.filter_map(|name| Some((number_in(name)?, name.to_string()))).collect())
    }

    /// Whether there is a file of this name where users look.
    pub(super) fn is_visible(&self, name: &str) -> Result<bool> {
        let path = self.folder.join(name);
        match self.disk.open(&path) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(failed("read", &path, error)),
        }
    }

    /// Makes a part visible if it has not been visible yet. The staged file goes last, and only
    /// after its second name is durable; once it is durably gone, nobody can make the part visible
    /// again, not even a process that slept in between.
    pub(super) fn publish(&self, part: &Part, by: Staged) -> Result<()> {
        let (staged, visible) = (self.staged().join(&part.staged), self.folder.join(&part.name));
        if by == Staged::ByAnybody {
            match self.disk.open(&staged).and_then(Sum::of) {
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
                found if found.as_ref().is_ok_and(|found| *found == part.sum) => {}
                Ok(_) => return Err(damaged_part(&staged)),
                Err(error) => return Err(failed("read", &staged, error)),
            }
        }
        match self.disk.link(&staged, &visible) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let found = self.disk.open(&visible).and_then(Sum::of);
                if found.map_err(|e| failed("read", &visible, e))? != part.sum {
                    return Err(self.in_the_way(&part.name));
                }
            }
            Err(error) => return Err(failed("create", &visible, error)),
        }
        self.sync(&self.folder)?;
        remove_if_there(&*self.disk, &staged)?;
        self.sync(&self.staged())
    }

    /// Moves parts to where the reset in slot `reset` keeps what it takes away, and makes that
    /// durable: also where nothing is left to move, because whoever moved it may not have come to
    /// that, and a part that is back after a power failure would stay for ever.
    pub(super) fn take_away(&self, names: &[String], reset: u64) -> Result<()> {
        let kept = self.folder.join(HIDDEN).join(format!("reset-{}", padded(reset)));
        if !names.is_empty() {
            self.create(&kept)?;
            for name in names {
                let from = self.folder.join(name);
                match self.disk.rename(&from, &kept.join(name)) {
                    // Somebody else finishes the same reset.
                    Err(error) if error.kind() == ErrorKind::NotFound => {}
                    renamed => renamed.map_err(|e| failed("move", &from, e))?,
                }
            }
        }
        // Also what somebody else has moved: once its old name is durably gone, it has no other.
        if !names.is_empty()
            || self.disk.has_dir(&kept).map_err(|e| failed("look for", &kept, e))?
        {
            self.sync(&kept)?;
            // Also where it was there: whoever has made it may have died before this.
            self.sync(&self.folder.join(HIDDEN))?;
        }
        self.sync(&self.folder)
    }

    fn sync(&self, dir: &Path) -> Result<()> {
        self.disk.sync_dir(dir).map_err(|e| failed("sync", dir, e))
    }

    /// Removes what was staged for slots up to `number`, which are settled.
    pub(super) fn sweep(&self, number: u64) -> Result<()> {
        sweep(&*self.disk, &self.staged(), number)
    }

    /// What is in the folder, other than the hidden folder: a few names, and how many there are.
    pub(super) fn strangers(&self) -> Result<Option<String>> {
        let files = self.disk.list(&self.folder).map_err(|e| failed("list", &self.folder, e))?;
        let folders = self.disk.list_dirs(&self.folder);
        let folders = folders.map_err(|e| failed("list", &self.folder, e))?;
        let hidden = self.folder.join(HIDDEN);
        let mut all = files.iter().chain(folders.iter().filter(|path| **path != hidden));
        let Some(first) = all.next().and_then(|path| path.file_name()) else { return Ok(None) };
        let (first, more) = (first.to_string_lossy(), all.count());
        Ok(Some(match more {
            0 => format!("holds '{first}', which no sink has written"),
            _ => format!("holds '{first}' and {more} more that no sink has written"),
        }))
    }

    /// Refuses to begin where a file of somebody else has the name that one of our parts will have.
    pub(super) fn check_names_are_free(&self, prefix: &str, from: u64) -> Result<()> {
        let visible = self.visible()?;
        let taken = visible
            .iter()
            .find(|(number, found)| *number >= from && *found == name(prefix, *number));
        taken.map_or(Ok(()), |(_, name)| Err(self.in_the_way(name)))
    }

    /// The error about a file of somebody else that has the name of a part.
    pub(super) fn in_the_way(&self, name: &str) -> Error {
        Error::configuration(
            "a file that this sink has not written has the name of one of its parts",
        )
        .at(self.folder.join(name).display().to_string())
        .hint("move the file to another folder, then start the job again")
    }
}

fn damaged_part(staged: &Path) -> Error {
    Error::damaged("output that was committed and is not visible yet is not what was written")
        .at(staged.display().to_string())
        .hint("restore the folder from a copy, or start from scratch with --reset (RunOptions::reset)")
}
