//! The order of steps after which a file is either there, whole and durable, or not there at all.

use std::io::{self, BufRead, ErrorKind};
use std::path::Path;

use steadfast_core::disk::Disk;

/// What the names of files begin with that are being written.
pub const TEMPORARY: &str = ".tmp-";

/// What to do if the file is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Leave it as it is.
    Keep,
    /// Put the new one in its place.
    Replace,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// The file is there with these bytes.
    Created,
    /// There was one before, and it was kept.
    Kept,
}

/// Writes `path` so that a crash at any moment leaves either no file (or the old one) or all of it.
///
/// 1. write under a temporary name in the same folder, durably, 2. link or rename it to its own
///    name, 3. remove the temporary name, 4. sync the folder.
///
/// If the file cannot be written, its temporary name is removed: on a full disk each try would take
/// more of it.
///
/// `temporary` must be unique among everybody who writes in the folder at the same time. Temporary
/// names begin with [`TEMPORARY`]. They may be removed at any time: those that a crash has left are
/// garbage, and whoever is still writing one gets `NotFound` and can begin again.
///
/// ```no_run
/// use std::path::Path;
/// use steadfast_disk::{Existing, SystemDisk, Written, write_durably};
///
/// let path = Path::new("log/0000000042");
/// match write_durably(&SystemDisk, path, &mut &b"entry"[..], "process-7-1", Existing::Keep)? {
///     Written::Created => println!("the entry is ours"),
///     Written::Kept => println!("somebody was faster"),
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// Those of the disk. After an error it is not known whether the file is there; ask again.
pub fn write_durably(
    disk: &dyn Disk,
    path: &Path,
    contents: &mut dyn BufRead,
    temporary: &str,
    existing: Existing,
) -> io::Result<Written> {
    let dir = path.parent().unwrap_or_else(|| Path::new(""));
    let hidden = dir.join(format!("{TEMPORARY}{temporary}"));
    let named = disk.write(&hidden, contents).and_then(|()| match existing {
        Existing::Replace => disk.rename(&hidden, path).map(|()| Written::Created),
        Existing::Keep => match disk.link(&hidden, path) {
            Ok(()) => Ok(Written::Created),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(Written::Kept),
            Err(error) => Err(error),
        },
    });
    if named.is_err() || existing == Existing::Keep {
        match disk.remove(&hidden) {
            // Somebody has swept it away, or it was never there.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            // The first error is the one that matters.
            removed => removed.or_else(|error| if named.is_ok() { Err(error) } else { Ok(()) })?,
        }
    }
    let written = named?;
    // Also where the file was kept: whoever created it may not have come to this step.
    disk.sync_dir(dir)?;
    Ok(written)
}

/// Makes the name of a folder durable, and those of all above it: however long they have been there,
/// whoever created one may have died before that.
///
/// # Errors
/// Those of the disk at the folder right above. Those further up may belong to others, who may not let us read
/// them and have made them durable.
pub fn sync_above(disk: &dyn Disk, folder: &Path) -> io::Result<()> {
    disk.sync_dir(folder.parent().unwrap_or_else(|| Path::new("")))?;
    let whole = std::path::absolute(folder).unwrap_or_else(|_| folder.to_path_buf());
    for above in whole.ancestors().skip(2) {
        let _ = disk.sync_dir(above);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Mutex;

    use super::*;
    use crate::SystemDisk;

    /// Writes down what it is asked to do, and fails at a chosen step.
    #[derive(Default)]
    struct Recorder {
        steps: Mutex<Vec<String>>,
        fails_at: &'static [&'static str],
        exists: bool,
    }

    impl Recorder {
        fn step(&self, verb: &'static str, path: &Path) -> io::Result<()> {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            self.steps.lock().unwrap().push(format!("{verb} {name}"));
            if self.fails_at.contains(&verb) { Err(io::Error::other(verb)) } else { Ok(()) }
        }

        fn steps(&self, existing: Existing) -> (Vec<String>, io::Result<Written>) {
            let written = write_durably(self, Path::new("d/a"), &mut &b""[..], "1", existing);
            (std::mem::take(&mut *self.steps.lock().unwrap()), written)
        }
    }

    impl Disk for Recorder {
        fn write(&self, path: &Path, _: &mut dyn BufRead) -> io::Result<()> {
            self.step("write", path)
        }
        fn sync_dir(&self, path: &Path) -> io::Result<()> {
            self.step("sync", path)
        }
        fn link(&self, _: &Path, to: &Path) -> io::Result<()> {
            self.step("link", to)?;
            if self.exists { Err(ErrorKind::AlreadyExists.into()) } else { Ok(()) }
        }
        fn rename(&self, _: &Path, to: &Path) -> io::Result<()> {
            self.step("rename", to)
        }
        fn remove(&self, path: &Path) -> io::Result<()> {
            self.step("remove", path)
        }
        fn read(&self, _: &Path) -> io::Result<Vec<u8>> {
            Err(ErrorKind::Unsupported.into())
        }
        fn list(&self, _: &Path) -> io::Result<Vec<PathBuf>> {
            Err(ErrorKind::Unsupported.into())
        }
        fn list_dirs(&self, _: &Path) -> io::Result<Vec<PathBuf>> {
            Err(ErrorKind::Unsupported.into())
        }
        fn remove_dir(&self, _: &Path) -> io::Result<()> {
            Err(ErrorKind::Unsupported.into())
        }
        fn create_dir_all(&self, _: &Path) -> io::Result<()> {
            Err(ErrorKind::Unsupported.into())
        }
    }

    #[test]
    fn the_steps_come_in_the_one_order_that_is_durable() {
        let disk = Recorder::default();
        let kept = ["write .tmp-1", "link a", "remove .tmp-1", "sync d"];
        assert_eq!(disk.steps(Existing::Keep).0, kept);
        let replaced = ["write .tmp-1", "rename a", "sync d"];
        assert_eq!(disk.steps(Existing::Replace).0, replaced);
        let disk = Recorder { exists: true, ..Recorder::default() };
        let (steps, written) = disk.steps(Existing::Keep);
        assert_eq!((steps, written.unwrap()), (kept.map(String::from).to_vec(), Written::Kept));
    }

    #[test]
    fn a_failed_step_is_reported_and_an_unsynced_file_never_gets_its_name() {
        let all: [&[&str]; 6] = [
            &["write"],
            &["link"],
            &["remove"],
            &["sync"],
            &["write", "remove"],
            &["link", "remove"],
        ];
        for fails_at in all {
            let disk = Recorder { fails_at, ..Recorder::default() };
            let (steps, written) = disk.steps(Existing::Keep);
            let error = written.unwrap_err().to_string();
            assert_eq!(error, fails_at[0], "the first error is the one that matters");
            let named = steps.iter().any(|step| step == "link a");
            assert_eq!(named, fails_at[0] != "write", "{fails_at:?}");
            // On a full disk each try would take more of it.
            assert!(steps.iter().any(|step| step == "remove .tmp-1"), "{fails_at:?}: {steps:?}");
        }
        for fails_at in [&["write"][..], &["rename"]] {
            let disk = Recorder { fails_at, ..Recorder::default() };
            let (steps, written) = disk.steps(Existing::Replace);
            assert!(
                written.is_err() && steps.iter().any(|step| step == "remove .tmp-1"),
                "{steps:?}"
            );
        }
    }

    #[test]
    fn an_existing_file_is_kept_or_replaced_and_nothing_else_is_left_behind() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let write = |bytes: &[u8], existing| {
            write_durably(&SystemDisk, &path, &mut &*bytes, "1", existing).unwrap()
        };
        assert_eq!(write(b"one", Existing::Keep), Written::Created);
        assert_eq!(write(b"two", Existing::Keep), Written::Kept);
        assert_eq!(std::fs::read(&path).unwrap(), b"one");
        assert_eq!(write(b"three", Existing::Replace), Written::Created);
        assert_eq!(std::fs::read(&path).unwrap(), b"three");
        assert_eq!(SystemDisk.list(dir.path()).unwrap(), [path]);
    }
}
