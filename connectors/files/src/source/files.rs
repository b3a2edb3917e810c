//! The files a source was given, and the disk that they are on.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use steadfast_core::disk::{Disk, OpenFile};
use steadfast_disk::SystemDisk;

use super::place::LineCounts;

/// Where the files really are, each once, in the order in which they were given.
pub(super) struct Files {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) paths: Vec<PathBuf>,
    counts: LineCounts,
}

/// One of them.
#[derive(Clone)]
pub(super) struct InputFile {
    disk: Arc<dyn Disk>,
    pub(super) path: PathBuf,
    pub(super) counts: LineCounts,
}

impl Files {
    /// Relative paths are taken from the working folder of now.
    pub(super) fn new<P: Into<PathBuf>>(given: impl IntoIterator<Item = P>) -> Self {
        let mut paths = Vec::new();
        for path in given {
            let path = path.into();
            let path = real(&path).unwrap_or(path);
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
        Files { disk: Arc::new(SystemDisk), paths, counts: LineCounts::new() }
    }

    /// The one at `path`, which may be of an earlier run.
    pub(super) fn file(&self, path: &Path) -> InputFile {
        let (disk, path) = (Arc::clone(&self.disk), path.to_path_buf());
        InputFile { disk, path, counts: self.counts.clone() }
    }

    /// The bytes in all of the files that are there.
    pub(super) fn total_bytes(&self) -> u64 {
        self.paths.iter().map(|path| self.disk.length(path).unwrap_or(0)).sum()
    }

    pub(super) fn describe(&self) -> String {
        match &self.paths[..] {
            [] => "no file".to_string(),
            [one] => one.display().to_string(),
            [first, _] => format!("{} and 1 more file", first.display()),
            [first, rest @ ..] => format!("{} and {} more files", first.display(), rest.len()),
        }
    }
}

/// The same for each way to spell a path, and for links: one file must not be read under two names. What
/// is not there yet, or not any more, is where its folder is.
fn real(path: &Path) -> io::Result<PathBuf> {
    let whole = std::path::absolute(path)?;
    let in_real_folder = || Some(whole.parent()?.canonicalize().ok()?.join(whole.file_name()?));
    Ok(whole.canonicalize().ok().or_else(in_real_folder).unwrap_or(whole))
}

impl InputFile {
    pub(super) fn open(&self) -> io::Result<Box<dyn OpenFile>> {
        self.disk.open(&self.path)
    }

    pub(super) fn length(&self) -> io::Result<u64> {
        self.disk.length(&self.path)
    }
}
