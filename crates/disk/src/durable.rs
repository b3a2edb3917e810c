//! The order of steps after which a file is either there, whole and durable, or not there at all.

use std::io::{self, ErrorKind};
use std::path::Path;

use steadfast_core::disk::Disk;

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
/// 1. write under a temporary name in the same folder, 2. sync the file, 3. link or rename it to
///    its own name, 4. remove the temporary name, 5. sync the folder.
///
/// `temporary` must be unique among everybody who writes in the folder at the same time. Temporary
/// names begin with `.tmp-`; what a crash leaves of them may be removed at any time.
///
/// # Errors
/// Those of the disk. After an error it is not known whether the file is there; ask again.
pub fn write_durably(
    disk: &dyn Disk,
    path: &Path,
    bytes: &[u8],
    temporary: &str,
    existing: Existing,
) -> io::Result<Written> {
    let dir = path.parent().unwrap_or_else(|| Path::new(""));
    let hidden = dir.join(format!(".tmp-{temporary}"));
    disk.write(&hidden, bytes)?;
    disk.sync_file(&hidden)?;
    let written = match existing {
        Existing::Replace => disk.rename(&hidden, path).map(|()| Written::Created),
        Existing::Keep => {
            let linked = match disk.link(&hidden, path) {
                Ok(()) => Ok(Written::Created),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(Written::Kept),
                Err(error) => Err(error),
            };
            disk.remove(&hidden)?;
            linked
        }
    }?;
    // Also where the file was kept: whoever created it may not have come to this step.
    disk.sync_dir(dir)?;
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SystemDisk;

    #[test]
    fn an_existing_file_is_kept_or_replaced_and_nothing_else_is_left_behind() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let write = |bytes: &[u8], existing| {
            write_durably(&SystemDisk, &path, bytes, "1", existing).unwrap()
        };
        assert_eq!(write(b"one", Existing::Keep), Written::Created);
        assert_eq!(write(b"two", Existing::Keep), Written::Kept);
        assert_eq!(std::fs::read(&path).unwrap(), b"one");
        assert_eq!(write(b"three", Existing::Replace), Written::Created);
        assert_eq!(std::fs::read(&path).unwrap(), b"three");
        assert_eq!(SystemDisk.list(dir.path()).unwrap(), [path]);
    }
}
