//! The machine's own file system.

use std::fs::{self, DirEntry, File, FileType, Metadata};
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

#[cfg(unix)]
use steadfast_core::disk::FileId;
use steadfast_core::disk::{Disk, FileKind, FileStatus, OpenFile};
#[cfg(target_os = "linux")]
use steadfast_core::disk::{OnChange, Watch};

#[cfg(target_os = "linux")]
use crate::inotify::Inotify;

/// The machine's own file system, with real fsync.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemDisk;

/// A relative path of one name has an empty parent: that is the working folder.
fn folder(path: &Path) -> &Path {
    if path.as_os_str().is_empty() { Path::new(".") } else { path }
}

/// The entries of a folder that are of the wanted kind, in ascending order, each with what `look` sees of it.
fn entries<T>(
    dir: &Path,
    wanted: impl Fn(FileType) -> bool,
    look: impl Fn(&DirEntry) -> io::Result<T>,
) -> io::Result<Vec<(PathBuf, T)>> {
    let entries = match fs::read_dir(folder(dir)) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let looked = match entry.file_type() {
            Ok(kind) if wanted(kind) => look(&entry),
            Ok(_) => continue,
            Err(error) => Err(error),
        };
        match looked {
            Ok(looked) => found.push((entry.file_name(), looked)),
            // Removed since it was read from the folder.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    // In one folder, names are in the order of paths; and to compare whole paths takes far longer.
    found.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
    Ok(found.into_iter().map(|(name, looked)| (dir.join(name), looked)).collect())
}

/// The paths of the entries of a folder that are of the wanted kind, in ascending order.
fn paths(dir: &Path, wanted: impl Fn(FileType) -> bool) -> io::Result<Vec<PathBuf>> {
    Ok(entries(dir, wanted, |_| Ok(()))?.into_iter().map(|(path, ())| path).collect())
}

/// What the system says of a file.
fn status(of: &Metadata) -> FileStatus {
    let kind = match of.file_type() {
        kind if kind.is_file() => FileKind::File,
        kind if kind.is_dir() => FileKind::Folder,
        _ => FileKind::Stream,
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;

        let modified_ns = of.mtime().saturating_mul(1_000_000_000).saturating_add(of.mtime_nsec());
        let changed_ns = of.ctime().saturating_mul(1_000_000_000).saturating_add(of.ctime_nsec());
        let id = Some(FileId { device: of.dev(), inode: of.ino() });
        FileStatus { length: of.len(), kind, id, modified_ns, changed_ns }
    }
    #[cfg(not(unix))]
    FileStatus { kind, ..FileStatus::of_length(of.len()) }
}

/// A file of the system that is open.
struct OpenSystemFile(BufReader<File>);

impl OpenFile for OpenSystemFile {
    fn status(&self) -> io::Result<FileStatus> {
        Ok(status(&self.0.get_ref().metadata()?))
    }
}

impl Read for OpenSystemFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl BufRead for OpenSystemFile {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.0.fill_buf()
    }

    fn consume(&mut self, length: usize) {
        self.0.consume(length);
    }
}

impl Seek for OpenSystemFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

impl Disk for SystemDisk {
    fn write(&self, path: &Path, contents: &mut dyn BufRead) -> io::Result<()> {
        let mut file = File::create(path)?;
        loop {
            let bytes = contents.fill_buf()?;
            if bytes.is_empty() {
                return file.sync_all();
            }
            file.write_all(bytes)?;
            let written = bytes.len();
            contents.consume(written);
        }
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn OpenFile>> {
        let file = File::open(path)?;
        // It would open, and fail at the first read.
        if file.metadata()?.is_dir() {
            return Err(ErrorKind::IsADirectory.into());
        }
        Ok(Box::new(OpenSystemFile(BufReader::new(file))))
    }

    fn status(&self, path: &Path) -> io::Result<FileStatus> {
        Ok(status(&fs::metadata(path)?))
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        File::open(folder(path))?.sync_all()
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::hard_link(from, to)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        paths(dir, |kind| kind.is_file())
    }

    /// Asks for each file from its folder, so that the system need not walk down to it. A link is what it leads to.
    fn list_with_status(&self, dir: &Path) -> io::Result<Vec<(PathBuf, FileStatus)>> {
        let looked = |entry: &DirEntry| {
            let found = match entry.file_type()?.is_symlink() {
                true => fs::metadata(entry.path())?,
                false => entry.metadata()?,
            };
            Ok(status(&found))
        };
        let mut files = entries(dir, |kind| kind.is_file() || kind.is_symlink(), looked)?;
        files.retain(|(_, status)| status.kind == FileKind::File);
        Ok(files)
    }

    fn list_dirs(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        paths(dir, |kind| kind.is_dir())
    }

    fn has_dir(&self, dir: &Path) -> io::Result<bool> {
        match fs::metadata(folder(dir)) {
            Ok(found) => Ok(found.is_dir()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    #[cfg(target_os = "linux")]
    fn watch(&self, on_change: OnChange) -> io::Result<Option<Box<dyn Watch>>> {
        Ok(Some(Box::new(Inotify::new(on_change)?)))
    }

    #[cfg(unix)]
    fn may_write(&self, dir: &Path) -> io::Result<bool> {
        use rustix::fs::{Access, access};
        use rustix::io::Errno;

        match access(folder(dir), Access::WRITE_OK | Access::EXEC_OK) {
            Ok(()) => Ok(true),
            Err(Errno::ACCESS | Errno::ROFS | Errno::PERM) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        fs::remove_dir(dir)
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        let dir = folder(dir);
        if dir.is_dir() {
            return Ok(());
        }
        self.create_dir_all(folder(dir.parent().unwrap_or_else(|| Path::new(""))))?;
        self.create_dir(dir)
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        let parent = folder(dir.parent().unwrap_or_else(|| Path::new("")));
        match fs::create_dir(dir) {
            // Somebody else was faster; but a file of that name is no folder.
            Err(error) if error.kind() != ErrorKind::AlreadyExists || !dir.is_dir() => Err(error),
            _ => self.sync_dir(parent),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_created_with_those_above_and_creating_them_again_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("a/b/c");
        SystemDisk.create_dir_all(&deep).unwrap();
        SystemDisk.create_dir_all(&deep).unwrap();
        assert!(deep.is_dir());
    }

    #[test]
    fn a_file_in_the_way_of_a_folder_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        SystemDisk.write(&path, &mut &b""[..]).unwrap();
        assert!(SystemDisk.create_dir_all(&path).is_err());
        assert!(SystemDisk.create_dir_all(&path.join("b")).is_err());
    }

    #[test]
    fn a_link_never_replaces_and_a_rename_always_does() {
        let dir = tempfile::tempdir().unwrap();
        let [one, two] = ["one", "two"].map(|name| dir.path().join(name));
        SystemDisk.write(&one, &mut &b"1"[..]).unwrap();
        SystemDisk.write(&two, &mut &b"2"[..]).unwrap();
        let linked = SystemDisk.link(&one, &two).map_err(|error| error.kind());
        assert_eq!(linked, Err(ErrorKind::AlreadyExists));
        SystemDisk.rename(&one, &two).unwrap();
        assert_eq!(SystemDisk.read(&two).unwrap(), b"1");
        assert_eq!(SystemDisk.read(&one).map_err(|e| e.kind()), Err(ErrorKind::NotFound));
    }

    #[test]
    fn a_list_has_files_only_in_order_and_is_empty_without_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        let [b, a] = ["b", "a"].map(|name| dir.path().join(name));
        SystemDisk.write(&b, &mut &b""[..]).unwrap();
        SystemDisk.write(&a, &mut &b""[..]).unwrap();
        SystemDisk.create_dir_all(&dir.path().join("folder")).unwrap();
        assert_eq!(SystemDisk.list(dir.path()).unwrap(), [a, b]);
        assert!(SystemDisk.list(&dir.path().join("nowhere")).unwrap().is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_that_cannot_be_listed_is_not_taken_for_empty() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("loop");
        std::os::unix::fs::symlink(&path, &path).unwrap();
        assert!(SystemDisk.list(&path).is_err() && SystemDisk.list_dirs(&path).is_err());
    }
}
