//! The disk suite, on a disk in memory: as it should be, and with one mistake at a time.

mod bite;

use std::collections::BTreeMap;
use std::io::{self, BufRead, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use steadfast_conformance::DiskFixture;
use steadfast_core::disk::Disk;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Mistake {
    None,
    WriteAppends,
    WriteMakesFolders,
    LinkReplaces,
    LinkMoves,
    RenameKeeps,
    RemovesTheMissing,
    ListsFolders,
    ListsBackwards,
    ListsDeep,
    MissingFolderFails,
    MissingFolderIsThere,
    RemovesFullFolders,
    CreatesOnce,
    FolderOverFile,
}

/// A folder, or a file with its bytes.
#[derive(Clone)]
enum Node {
    Folder,
    File(Vec<u8>),
}

type Nodes = BTreeMap<PathBuf, Node>;

#[derive(Clone)]
struct MemoryDisk {
    nodes: Arc<Mutex<Nodes>>,
    mistake: Mistake,
}

fn file(nodes: &Nodes, path: &Path) -> io::Result<Vec<u8>> {
    match nodes.get(path) {
        Some(Node::File(bytes)) => Ok(bytes.clone()),
        Some(Node::Folder) => Err(ErrorKind::IsADirectory.into()),
        None => Err(ErrorKind::NotFound.into()),
    }
}

impl MemoryDisk {
    fn nodes(&self) -> MutexGuard<'_, Nodes> {
        self.nodes.lock().unwrap()
    }

    fn is(&self, mistake: Mistake) -> bool {
        self.mistake == mistake
    }

    fn entries(&self, dir: &Path, folders: bool) -> io::Result<Vec<PathBuf>> {
        let nodes = self.nodes();
        if self.is(Mistake::MissingFolderFails) && !nodes.contains_key(dir) {
            return Err(ErrorKind::NotFound.into());
        }
        let mut paths: Vec<PathBuf> = nodes
            .iter()
            .filter(|(path, _)| {
                let below = path.as_path() != dir && path.starts_with(dir);
                path.parent() == Some(dir) || self.is(Mistake::ListsDeep) && below
            })
            .filter(|(_, node)| {
                self.is(Mistake::ListsFolders) || matches!(node, Node::Folder) == folders
            })
            .map(|(path, _)| path.clone())
            .collect();
        if self.is(Mistake::ListsBackwards) {
            paths.reverse();
        }
        Ok(paths)
    }
}

impl Disk for MemoryDisk {
    fn write(&self, path: &Path, contents: &mut dyn BufRead) -> io::Result<()> {
        let folder = path.parent().unwrap_or(path);
        if self.is(Mistake::WriteMakesFolders) {
            self.create_dir_all(folder)?;
        }
        let mut nodes = self.nodes();
        if !nodes.contains_key(folder) {
            return Err(ErrorKind::NotFound.into());
        }
        let appends = self.is(Mistake::WriteAppends);
        let mut all = if appends { file(&nodes, path).unwrap_or_default() } else { Vec::new() };
        contents.read_to_end(&mut all)?;
        nodes.insert(path.to_owned(), Node::File(all));
        Ok(())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.nodes().get(path).map(drop).ok_or(ErrorKind::NotFound.into())
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut nodes = self.nodes();
        let bytes = file(&nodes, from)?;
        if nodes.contains_key(to) && !self.is(Mistake::LinkReplaces) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        if self.is(Mistake::LinkMoves) {
            nodes.remove(from);
        }
        nodes.insert(to.to_owned(), Node::File(bytes));
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut nodes = self.nodes();
        let bytes = file(&nodes, from)?;
        if nodes.contains_key(to) && self.is(Mistake::RenameKeeps) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        nodes.remove(from);
        nodes.insert(to.to_owned(), Node::File(bytes));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut nodes = self.nodes();
        match file(&nodes, path) {
            Err(_) if self.is(Mistake::RemovesTheMissing) => Ok(()),
            Err(error) => Err(error),
            Ok(_) => {
                nodes.remove(path);
                Ok(())
            }
        }
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        file(&self.nodes(), path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        self.entries(dir, false)
    }

    fn list_dirs(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        self.entries(dir, true)
    }

    fn has_dir(&self, dir: &Path) -> io::Result<bool> {
        let is_there = matches!(self.nodes().get(dir), Some(Node::Folder));
        Ok(is_there || self.is(Mistake::MissingFolderIsThere))
    }

    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        let mut nodes = self.nodes();
        match nodes.get(dir) {
            Some(Node::Folder) => {}
            Some(Node::File(_)) => return Err(ErrorKind::NotADirectory.into()),
            None => return Err(ErrorKind::NotFound.into()),
        }
        let full = nodes.keys().any(|path| path.parent() == Some(dir));
        if full && !self.is(Mistake::RemovesFullFolders) {
            return Err(ErrorKind::DirectoryNotEmpty.into());
        }
        nodes.retain(|path, _| !path.starts_with(dir));
        Ok(())
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        let mut nodes = self.nodes();
        if self.is(Mistake::CreatesOnce) && nodes.contains_key(dir) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        let in_the_way = dir.ancestors().any(|path| file(&nodes, path).is_ok());
        if in_the_way && !self.is(Mistake::FolderOverFile) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        nodes.extend(dir.ancestors().map(|path| (path.to_owned(), Node::Folder)));
        Ok(())
    }
}

impl DiskFixture for MemoryDisk {
    fn disk(&self) -> Box<dyn Disk> {
        Box::new(self.clone())
    }

    fn root(&self) -> PathBuf {
        PathBuf::from("/root")
    }
}

fn suite(mistake: Mistake) {
    steadfast_conformance::disk(|| {
        let root = ["/", "/root"].map(|path| (PathBuf::from(path), Node::Folder));
        MemoryDisk { nodes: Arc::new(Mutex::new(root.into())), mistake }
    });
}

#[test]
fn a_right_disk_passes() {
    suite(Mistake::None);
}

#[test]
fn every_mistake_is_seen() {
    let mistakes = [
        (Mistake::WriteAppends, "a write creates the file or replaces all of it"),
        (Mistake::WriteMakesFolders, "a write creates no folder"),
        (Mistake::LinkReplaces, "a link never replaces"),
        (Mistake::LinkMoves, "a link is a second name"),
        (Mistake::RenameKeeps, "a rename moves the file and replaces"),
        (Mistake::RemovesTheMissing, "what is not there is NotFound"),
        (Mistake::ListsFolders, "and nothing else, in ascending order|a write creates no folder"),
        (Mistake::ListsBackwards, "in ascending order|is a second name"),
        (Mistake::ListsDeep, "the files of one folder|moves the file"),
        (Mistake::MissingFolderFails, "a list is empty if the folder is not there"),
        (Mistake::MissingFolderIsThere, "a folder that is there can be told from one that is not"),
        (Mistake::RemovesFullFolders, "only an empty folder is removed"),
        (Mistake::CreatesOnce, "creating them again changes nothing"),
        (Mistake::FolderOverFile, "a file in the way of a folder"),
    ];
    bite::every_mistake_is_seen(mistakes, suite);
}
