//! The input as it was given: paths, folders and patterns; and the files that are there.
//!
//! It knows nothing of what was read of them before.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use steadfast_core::disk::{Disk, FileId, FileKind, FileStatus, OpenFile};
use steadfast_core::{Cause, Error, Result};
use steadfast_disk::SystemDisk;

use super::pattern::Pattern;
use super::place::LineCounts;

/// What a source was given, and the disk that it is on.
pub(super) struct Files {
    pub(super) disk: Arc<dyn Disk>,
    given: Vec<Given>,
    /// What the links among them led to at the last look.
    linked: Mutex<Vec<Given>>,
    counts: LineCounts,
    /// The bytes of all files that were there at the last look.
    total_bytes: AtomicU64,
}

/// One part of what was given: a file, a folder of which all files are meant but for hidden ones, or, if nothing
/// is there by that name, a pattern.
struct Given {
    path: PathBuf,
    pattern: Option<Pattern>,
    /// How it was spelled, if a link on the way to it may lead elsewhere at the next look.
    link: Option<PathBuf>,
}

/// What was given by name and is not there, with what the system says.
pub(super) type Missing = (PathBuf, io::Error);

/// What a look has found.
#[derive(Default)]
pub(super) struct Looked {
    /// The files that are there, each once whatever names it has, in the order in which they were given.
    pub(super) present: Vec<Present>,
    /// Those that were given by name and are not there.
    pub(super) missing: Vec<Missing>,
    /// The folders in which the next look may find something else.
    pub(super) folders: BTreeSet<PathBuf>,
}

/// One of the files.
#[derive(Clone)]
pub(super) struct InputFile {
    disk: Arc<dyn Disk>,
    pub(super) path: PathBuf,
    pub(super) counts: LineCounts,
}

/// A file that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Present {
    pub(super) path: PathBuf,
    pub(super) status: FileStatus,
}

impl Files {
    /// Relative paths are taken from the working folder of now.
    pub(super) fn new<P: Into<PathBuf>>(given: impl IntoIterator<Item = P>) -> Self {
        let mut folders = BTreeMap::new();
        let given = given.into_iter().map(|path| Given::new(path.into(), &mut folders)).collect();
        let (linked, counts, total_bytes) =
            (Mutex::default(), LineCounts::new(), AtomicU64::new(0));
        Files { disk: Arc::new(SystemDisk), given, linked, counts, total_bytes }
    }

    /// The one at `path`, which may be of an earlier run.
    pub(super) fn file(&self, path: &Path) -> InputFile {
        let (disk, path) = (Arc::clone(&self.disk), path.to_path_buf());
        InputFile { disk, path, counts: self.counts.clone() }
    }

    /// The files that are there, and those that are not.
    ///
    /// # Errors
    /// `Configuration` for what is no file or may not be read; `Unavailable` for what cannot be looked at.
    pub(super) fn look(&self) -> Result<Looked> {
        let mut found = Found::default();
        let mut real_folders = BTreeMap::new();
        let links = self.given.iter().filter_map(|given| given.link.clone());
        let linked: Vec<_> = links.map(|link| Given::new(link, &mut real_folders)).collect();
        let mut next_linked = linked.iter();
        for given in &self.given {
            let given = given.link.as_ref().and_then(|_| next_linked.next()).unwrap_or(given);
            let Given { path, pattern, .. } = given;
            match (self.disk.status(path), pattern) {
                (Ok(FileStatus { kind: FileKind::Folder, .. }), _) => {
                    let listed = self.disk.list_with_status(path);
                    let listed = listed.map_err(|error| unreadable(path, error))?.into_iter();
                    let visible = listed.filter(|(path, _)| !is_hidden(path));
                    visible.for_each(|(path, status)| found.add(path, status));
                    found.looked.folders.insert(path.clone());
                }
                (Ok(FileStatus { kind: FileKind::Stream, .. }), _) => return Err(no_file(path)),
                (Ok(status), _) => {
                    found.add(path.clone(), status);
                    found.add_folder_of(path);
                }
                (Err(error), Some(pattern)) if error.kind() == ErrorKind::NotFound => {
                    let folders = &mut found.looked.folders;
                    let fitting = pattern.find(&*self.disk, folders)?.into_iter();
                    fitting.for_each(|(path, status)| found.add(path, status));
                }
                (Err(error), _) if error.kind() == ErrorKind::NotFound => {
                    found.looked.missing.push((path.clone(), error));
                    found.add_folder_of(path);
                }
                (Err(error), _) => return Err(unreadable(path, error)),
            }
        }
        let looked = found.looked;
        let total = looked.present.iter().map(|present| present.status.length).sum();
        self.total_bytes.store(total, Ordering::Relaxed);
        *self.linked() = linked;
        Ok(looked)
    }

    /// The file with this number in the folder of `path`.
    pub(super) fn beside(&self, path: &Path, id: FileId) -> Result<Option<Present>> {
        let Some(folder) = path.parent() else { return Ok(None) };
        let listed = self.disk.list_with_status(folder);
        let mut listed = listed.map_err(|error| unreadable(folder, error))?.into_iter();
        let found = listed.find(|(_, status)| status.id == Some(id));
        Ok(found.map(|(path, status)| Present { path, status }))
    }

    /// Whether what was given speaks of a file of this name, be it there or not.
    pub(super) fn ask_for(&self, path: &Path) -> bool {
        let is_meant = |given: &Given| {
            let is_inside = path.parent() == Some(&given.path) && !is_hidden(path);
            let matches = given.pattern.as_ref().is_some_and(|pattern| pattern.matches(path));
            given.path == path || is_inside || matches
        };
        self.given.iter().any(is_meant) || self.linked().iter().any(is_meant)
    }

    fn linked(&self) -> MutexGuard<'_, Vec<Given>> {
        self.linked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bytes in all of the files that are there.
    pub(super) fn total_bytes(&self) -> u64 {
        self.total_bytes.load(Ordering::Relaxed)
    }

    pub(super) fn describe(&self) -> String {
        let name = |given: &Given| given.path.display().to_string();
        match &self.given[..] {
            [] => "no file".to_string(),
            [one] => name(one),
            [first, _] => format!("{} and 1 more file", name(first)),
            [first, rest @ ..] => format!("{} and {} more files", name(first), rest.len()),
        }
    }
}

impl Given {
    /// Where `given` leads now. `folders` are those that were looked up.
    fn new(given: PathBuf, folders: &mut BTreeMap<PathBuf, Option<PathBuf>>) -> Self {
        let given = std::path::absolute(&given).unwrap_or(given);
        let path = real(&given, folders);
        let pattern = Pattern::is_one(&path).then(|| Pattern::new(&path));
        let link = (path != given).then_some(given);
        Given { path, pattern, link }
    }
}

/// What a look that has begun has found.
#[derive(Default)]
struct Found {
    looked: Looked,
    ids: BTreeSet<FileId>,
    /// Of those of which the system does not tell which file they are.
    paths: BTreeSet<PathBuf>,
}

impl Found {
    /// One file under two names is one, and so is one that was given twice.
    fn add(&mut self, path: PathBuf, status: FileStatus) {
        let is_new = match status.id {
            Some(id) => self.ids.insert(id),
            None => self.paths.insert(path.clone()),
        };
        if is_new {
            self.looked.present.push(Present { path, status });
        }
    }

    fn add_folder_of(&mut self, path: &Path) {
        if let Some(folder) = path.parent()
            && !self.looked.folders.contains(folder)
        {
            self.looked.folders.insert(folder.to_path_buf());
        }
    }
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

/// The same for each way to spell a path, and for links: one file must not be read under two names. What
/// is not there yet, or not any more, is where its folder is. `folders` are those that were looked up.
fn real(whole: &Path, folders: &mut BTreeMap<PathBuf, Option<PathBuf>>) -> PathBuf {
    let is_link = whole.symlink_metadata().is_ok_and(|found| found.is_symlink());
    if is_link && let Ok(target) = whole.canonicalize() {
        return target;
    }
    let (Some(parent), Some(name)) = (whole.parent(), whole.file_name()) else {
        return whole.to_path_buf();
    };
    let look_up = || parent.canonicalize().ok();
    match folders.entry(parent.to_path_buf()).or_insert_with(look_up) {
        Some(folder) => folder.join(name),
        None => whole.to_path_buf(),
    }
}

fn no_file(path: &Path) -> Error {
    let what =
        "this is a pipe, a socket or a device, and no file: it has no positions to go on from";
    Error::because(Cause::INPUT_UNUSABLE, what).at(path.display().to_string()).hint(
        "write it to a file first, or read it from standard input (LineStream, often --input -), which a crash \
         loses records of",
    )
}

/// What cannot be looked at or opened.
pub(super) fn unreadable(path: &Path, error: io::Error) -> Error {
    let what = "cannot read the file";
    let failed = match error.kind() {
        ErrorKind::PermissionDenied => {
            Error::because(Cause::INPUT_UNUSABLE, what).hint("check who may read it")
        }
        ErrorKind::IsADirectory => {
            Error::because(Cause::INPUT_UNUSABLE, "this is a folder, and no file")
        }
        _ => Error::because(Cause::INPUT_AWAY, what),
    };
    failed.caused_by(error).at(path.display().to_string())
}

impl InputFile {
    pub(super) fn open(&self) -> io::Result<Box<dyn OpenFile>> {
        self.disk.open(&self.path)
    }

    /// The bytes in `range` of the file itself, be it compressed or not, or as many of them as there are.
    pub(super) fn stored(&self, range: Range<u64>) -> io::Result<Vec<u8>> {
        let (mut file, mut bytes) = (self.open()?, Vec::new());
        file.seek(SeekFrom::Start(range.start))?;
        file.take(range.end - range.start).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    pub(super) fn status(&self) -> io::Result<FileStatus> {
        self.disk.status(&self.path)
    }
}
