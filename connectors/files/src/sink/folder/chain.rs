//! The chain of slots: what makes one process out of many the one that may write.
//!
//! ```text
//! DIR/.steadfast/slots/000000/0000000001 … 0000004095
//! DIR/.steadfast/slots/000001/0000004096 …
//! ```
//!
//! Numbers begin at 1 and have no hole. A slot is created only if there is none of its number, and
//! never changed or removed: whoever creates number n + 1 has seen all up to n, and nobody else
//! can create it. Slots lie in folders of their own so that no folder grows without bound.
//!
//! It knows nothing of parts, or of what a slot means.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use steadfast_core::disk::{Disk, may_pass};
use steadfast_core::{Cause, Error, Result};
use steadfast_disk::{Existing, TEMPORARY, Written, sync_above, write_durably};

use super::slot::Slot;

/// See the module.
pub(super) struct Chain {
    disk: Arc<dyn Disk>,
    /// The folder of the target itself.
    folder: PathBuf,
    /// A slot that is known to be there; 0 if none is. The search for the newest begins here.
    known: u64,
    /// A slot that is known to survive a power failure, and with it all before.
    durable: u64,
}

/// How many slots lie in one folder.
const SLOTS_PER_FOLDER: u64 = 4096;
/// Where everything lies that is not for users.
pub(super) const HIDDEN: &str = ".steadfast";
const SLOTS: &str = "slots";

/// A number as it stands in names: so wide that names sort as numbers do.
pub(super) fn padded(number: u64) -> String {
    format!("{number:010}")
}

/// An error of the disk, as the user has to see it.
pub(super) fn failed(verb: &str, path: &Path, error: io::Error) -> Error {
    let what = format!("cannot {verb}");
    let failed = match error.kind() {
        ErrorKind::NotADirectory => {
            Error::because(Cause::NOT_WRITABLE, what).hint("give the sink a folder, not a file")
        }
        _ if may_pass(&error) => Error::because(Cause::TARGET_AWAY, what),
        _ => Error::because(Cause::NOT_WRITABLE, what).hint("check who may write there"),
    };
    failed.caused_by(error).at(path.display().to_string())
}

/// Removes a file that somebody else may have removed already.
pub(super) fn remove_if_there(disk: &dyn Disk, path: &Path) -> Result<()> {
    match disk.remove(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(failed("remove", path, error)),
        _ => Ok(()),
    }
}

impl Chain {
    /// The chain in `folder`. Nothing is looked at yet.
    pub(super) fn new(disk: Arc<dyn Disk>, folder: &Path) -> Self {
        Chain { disk, folder: folder.to_path_buf(), known: 0, durable: 0 }
    }

    fn slots(&self) -> PathBuf {
        self.folder.join(HIDDEN).join(SLOTS)
    }

    fn folder_of(&self, number: u64) -> PathBuf {
        self.slots().join(format!("{:06}", number / SLOTS_PER_FOLDER))
    }

    fn path(&self, number: u64) -> PathBuf {
        self.folder_of(number).join(padded(number))
    }

    /// Whether there is a slot of this number.
    pub(super) fn contains(&self, number: u64) -> Result<bool> {
        let path = self.path(number);
        match self.disk.read(&path) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(failed("read", &path, error)),
        }
    }

    /// The slot of this number, which must be there.
    pub(super) fn read(&self, number: u64) -> Result<Slot> {
        let path = self.path(number);
        let bytes = self.disk.read(&path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => self.missing(&path),
            _ => failed("read", &path, error),
        })?;
        Slot::decode(&bytes, number).map_err(|error| error.at(path.display().to_string()))
    }

    /// That a slot is missing which has been there: it may be back, if all of the folder is away.
    fn missing(&self, path: &Path) -> Error {
        match self.disk.has_dir(&self.folder) {
            Ok(true) => Error::damaged("the slot is missing")
                .at(path.display().to_string())
                .hint("restore the folder from a copy, or give the sink an empty one"),
            Ok(false) => Error::unavailable("the folder of the sink is gone")
                .at(self.folder.display().to_string())
                .hint("put it back where it was; if it is lost, start from scratch with --reset (RunOptions::reset)"),
            Err(error) => failed("look for", &self.folder, error),
        }
    }

    /// The newest slot. Slots are never removed, so it can be searched for with growing steps and
    /// then by halves, from the newest one that is known.
    pub(super) fn newest(&mut self) -> Result<Option<Slot>> {
        let mut step = 1;
        while self.contains(self.known + step)? {
            self.known += step;
            step *= 2;
        }
        let mut missing = self.known + step;
        while missing - self.known > 1 {
            let middle = self.known + (missing - self.known) / 2;
            if self.contains(middle)? {
                self.known = middle;
            } else {
                missing = middle;
            }
        }
        if self.known == 0 { Ok(None) } else { self.read(self.known).map(Some) }
    }

    /// Refuses a chain with a hole: somebody removed slots, and to go on at the hole would repeat
    /// numbers. Correctness does not rest on this listing; it finds damage that people did.
    pub(super) fn check_whole(&self, newest: u64) -> Result<()> {
        let next = self.folder_of(newest + 1);
        let slots = self.slots();
        let files = self.disk.list(&next).map_err(|e| failed("list", &next, e))?;
        let folders = self.disk.list_dirs(&slots).map_err(|e| failed("list", &slots, e))?;
        let is_later = |path: &PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str());
            name.and_then(|name| name.parse().ok()).is_some_and(|number: u64| number > newest)
        };
        let later = files.iter().find(|path| is_later(path));
        let later = later.or_else(|| folders.iter().find(|path| **path > next));
        match later {
            // Somebody may have gone on since the newest slot was looked for.
            Some(later) if !self.contains(newest + 1)? => {
                Err(Error::damaged("the slot is missing, and later ones are there")
                    .caused_by(io::Error::other(format!("found {}", later.display())))
                    .at(self.path(newest + 1).display().to_string())
                    .hint("restore the folder from a copy, or give the sink an empty one"))
            }
            _ => Ok(()),
        }
    }

    /// Refuses folders in which this process may make no files, as far as they are there.
    pub(super) fn check_writable(&self) -> Result<()> {
        let hidden = self.folder.join(HIDDEN);
        for folder in [&self.slots(), &hidden, &self.folder] {
            let has = self.disk.has_dir(folder).map_err(|e| failed("look for", folder, e))?;
            if has && !self.disk.may_write(folder).map_err(|e| failed("look at", folder, e))? {
                return Err(failed("write to", folder, ErrorKind::PermissionDenied.into()));
            }
        }
        Ok(())
    }

    /// Makes sure that a slot that is there stays there. Whoever created it may not have come to
    /// that yet, and what is built on it must not outlive it.
    pub(super) fn confirm(&mut self, number: u64) -> Result<()> {
        if number > self.durable {
            self.sync(&self.folder_of(number))?;
            self.sync_new_folders(number)?;
            self.durable = number;
        }
        Ok(())
    }

    /// The first slot in a folder also makes sure of that folder's own name, and the very first of
    /// all above: a folder that is there may have been created by somebody who has not synced it.
    fn sync_new_folders(&self, number: u64) -> Result<()> {
        if number == 1 || number.is_multiple_of(SLOTS_PER_FOLDER) {
            self.sync(&self.slots())?;
        }
        if number == 1 {
            self.sync(&self.folder.join(HIDDEN))?;
            self.sync(&self.folder)?;
            sync_above(&*self.disk, &self.folder).map_err(|e| failed("sync", &self.folder, e))?;
        }
        Ok(())
    }

    fn sync(&self, dir: &Path) -> Result<()> {
        self.disk.sync_dir(dir).map_err(|e| failed("sync", dir, e))
    }

    /// Takes the step if nobody has taken one with this number: says whether it was this caller.
    /// `attempt` is a name that nobody else uses, and begins with the number.
    pub(super) fn link(&mut self, slot: &Slot, attempt: &str) -> Result<Written> {
        let (number, dir) = (slot.number, self.folder_of(slot.number));
        // Behind the first slot, a folder of slots that is not there is away, and not to be made.
        let created = match number {
            1 => self.disk.create_dir_all(&dir),
            _ => self.disk.create_dir(&dir),
        };
        created.map_err(|e| failed("create", &dir, e))?;
        let path = self.path(number);
        let written =
            write_durably(&*self.disk, &path, &mut &*slot.encode()?, attempt, Existing::Keep)
                .map_err(|e| failed("write", &path, e))?;
        self.sync_new_folders(number)?;
        self.durable = number;
        Ok(written)
    }

    /// Removes what dead processes have left of attempts up to `number`: all of those have come to
    /// an end, because the slots are there. Attempts at later slots may be alive.
    pub(super) fn sweep(&self, number: u64) -> Result<()> {
        sweep(&*self.disk, &self.folder_of(number), number)?;
        match number.checked_sub(SLOTS_PER_FOLDER) {
            Some(before) => sweep(&*self.disk, &self.folder_of(before), number),
            None => Ok(()),
        }
    }
}

/// Removes the attempts at slots up to `number` from a folder. A slot is no attempt.
pub(super) fn sweep(disk: &dyn Disk, dir: &Path, number: u64) -> Result<()> {
    for path in disk.list(dir).map_err(|e| failed("list", dir, e))? {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let attempt = name.strip_prefix(TEMPORARY).unwrap_or(name).split_once('-');
        let attempt = attempt.and_then(|(digits, _)| digits.parse::<u64>().ok());
        if attempt.is_some_and(|attempt| attempt <= number) {
            remove_if_there(disk, &path)?;
        }
    }
    Ok(())
}
