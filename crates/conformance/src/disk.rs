//! What every [`Disk`] must pass.
//!
//! It sees what a running process sees. What a power failure leaves over is tested by whoever can
//! switch the power off: that is not known here.

use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use steadfast_core::disk::Disk;

use crate::rule::Rule;

const WRITTEN: Rule = Rule("a write creates the file or replaces all of it");
const NO_FOLDER: Rule = Rule("a write creates no folder");
const SYNCED: Rule = Rule("what is there can be synced, and what is not there cannot");
const LINK_KEEPS: Rule = Rule("a link never replaces: AlreadyExists");
const LINKED: Rule = Rule("a link is a second name: the file goes with its last name");
const RENAMED: Rule = Rule("a rename moves the file and replaces what was there");
const NOT_FOUND: Rule = Rule("what is not there is NotFound");
const FILES: Rule = Rule("a list has the files of one folder and nothing else, in ascending order");
const FOLDERS: Rule =
    Rule("list_dirs has the folders of one folder and nothing else, in ascending order");
const NOWHERE: Rule = Rule("a list is empty if the folder is not there");
const THERE: Rule = Rule("a folder that is there can be told from one that is not");
const ONLY_EMPTY: Rule = Rule("only an empty folder is removed: DirectoryNotEmpty");
const REMOVED: Rule = Rule("a removed folder is gone and can be created again");
const CREATED: Rule =
    Rule("folders are created with those above, and creating them again changes nothing");
const IN_THE_WAY: Rule = Rule("a file in the way of a folder is an error, and stays");
const KINDS: Rule = Rule("a file is not removed as a folder, nor a folder as a file");

/// A disk with an empty folder on it.
pub trait DiskFixture {
    /// Another handle on the disk.
    fn disk(&self) -> Box<dyn Disk>;

    /// A folder that is there, is empty and may be used for anything.
    fn root(&self) -> PathBuf;
}

/// Runs all checks of the [`Disk`] contract; every call of `make` gives an empty folder.
///
/// ```no_run
/// use std::path::PathBuf;
///
/// use steadfast_conformance::DiskFixture;
/// use steadfast_core::disk::Disk;
///
/// # fn my_disk() -> Box<dyn Disk> { panic!() }
/// # fn a_fresh_folder() -> PathBuf { PathBuf::new() }
/// struct Fixture(PathBuf);
///
/// impl DiskFixture for Fixture {
///     fn disk(&self) -> Box<dyn Disk> {
///         my_disk()
///     }
///     fn root(&self) -> PathBuf {
///         self.0.clone()
///     }
/// }
///
/// steadfast_conformance::disk(|| Fixture(a_fresh_folder()));
/// ```
///
/// # Panics
/// If a rule is broken, with the rule.
pub fn disk<F: DiskFixture>(make: impl Fn() -> F) {
    for check in [
        files_are_written_and_replaced,
        a_link_never_replaces,
        a_rename_always_replaces,
        what_is_missing_is_not_found,
        lists_have_one_kind_in_order,
        only_empty_folders_are_removed,
        folders_are_created_with_those_above,
    ] {
        let fixture = make();
        check(&*fixture.disk(), &*fixture.disk(), &fixture.root());
    }
}

fn kind<T: std::fmt::Debug>(rule: Rule, answer: io::Result<T>) -> ErrorKind {
    rule.refused(answer).kind()
}

fn files_are_written_and_replaced(disk: &dyn Disk, other: &dyn Disk, root: &Path) {
    let path = root.join("file");
    for bytes in [&b"a long first version"[..], b"short", b"", &[0, 255, 10, 13, 0]] {
        WRITTEN.answered(disk.write(&path, &mut &bytes[..]));
        WRITTEN.equal(&WRITTEN.answered(disk.read(&path)), &bytes.to_vec());
        WRITTEN.equal(&WRITTEN.answered(other.read(&path)), &bytes.to_vec());
        let mut streamed = Vec::new();
        WRITTEN.answered(WRITTEN.answered(other.open(&path)).read_to_end(&mut streamed));
        WRITTEN.equal(&streamed, &bytes.to_vec());
        WRITTEN.equal(&WRITTEN.answered(other.status(&path)).length, &(bytes.len() as u64));
        let mut from_the_middle = WRITTEN.answered(other.open(&path));
        streamed.clear();
        WRITTEN.answered(from_the_middle.seek(SeekFrom::Start(bytes.len() as u64 / 2)));
        WRITTEN.answered(from_the_middle.read_to_end(&mut streamed));
        WRITTEN.equal(&streamed, &bytes[bytes.len() / 2..].to_vec());
        SYNCED.answered(disk.sync_dir(root));
        WRITTEN.equal(&WRITTEN.answered(other.read(&path)), &bytes.to_vec());
    }
    SYNCED.refused(disk.sync_dir(&root.join("missing")));
    // Contents that come in pieces.
    let mut pieces = (&b"in "[..]).chain(&b"pieces"[..]);
    WRITTEN.answered(disk.write(&path, &mut pieces));
    WRITTEN.equal(&WRITTEN.answered(other.read(&path)), &b"in pieces".to_vec());
    NOT_FOUND.refused(disk.open(&root.join("missing")).map(drop));
    NOT_FOUND.refused(disk.status(&root.join("missing")));
    let inside = root.join("folder/file");
    NO_FOLDER.equal(&kind(NO_FOLDER, disk.write(&inside, &mut &b""[..])), &ErrorKind::NotFound);
    NO_FOLDER.nothing(&FOLDERS.answered(disk.list_dirs(root)));
}

fn a_link_never_replaces(disk: &dyn Disk, other: &dyn Disk, root: &Path) {
    let [one, two, three] = ["one", "two", "three"].map(|name| root.join(name));
    WRITTEN.answered(disk.write(&one, &mut &b"1"[..]));
    WRITTEN.answered(disk.write(&two, &mut &b"2"[..]));
    for (from, to) in [(&one, &two), (&two, &one), (&one, &one)] {
        LINK_KEEPS.equal(&kind(LINK_KEEPS, other.link(from, to)), &ErrorKind::AlreadyExists);
    }
    LINK_KEEPS.equal(&WRITTEN.answered(disk.read(&one)), &b"1".to_vec());
    LINK_KEEPS.equal(&WRITTEN.answered(disk.read(&two)), &b"2".to_vec());
    LINKED.answered(disk.link(&one, &three));
    LINKED.equal(&LINKED.answered(disk.read(&one)), &b"1".to_vec());
    LINKED.equal(&LINKED.answered(disk.read(&three)), &b"1".to_vec());
    LINKED.answered(disk.remove(&one));
    LINKED.equal(&LINKED.answered(other.read(&three)), &b"1".to_vec());
    LINKED.equal(&LINKED.answered(other.list(root)), &vec![three.clone(), two]);
    LINKED.answered(other.link(&three, &one));
    LINKED.equal(&LINKED.answered(disk.read(&one)), &b"1".to_vec());
}

fn a_rename_always_replaces(disk: &dyn Disk, other: &dyn Disk, root: &Path) {
    let [one, two, three] = ["one", "two", "three"].map(|name| root.join(name));
    WRITTEN.answered(disk.write(&one, &mut &b"1"[..]));
    WRITTEN.answered(disk.write(&two, &mut &b"2"[..]));
    RENAMED.answered(disk.rename(&one, &two));
    RENAMED.equal(&RENAMED.answered(other.read(&two)), &b"1".to_vec());
    RENAMED.equal(&kind(RENAMED, other.read(&one)), &ErrorKind::NotFound);
    RENAMED.answered(disk.rename(&two, &three));
    RENAMED.equal(&RENAMED.answered(other.read(&three)), &b"1".to_vec());
    RENAMED.equal(&RENAMED.answered(disk.list(root)), &vec![three.clone()]);
    let inside = root.join("folder/three");
    CREATED.answered(disk.create_dir_all(&root.join("folder")));
    RENAMED.answered(disk.rename(&three, &inside));
    RENAMED.equal(&RENAMED.answered(other.read(&inside)), &b"1".to_vec());
    RENAMED.nothing(&RENAMED.answered(disk.list(root)));
}

fn what_is_missing_is_not_found(disk: &dyn Disk, _: &dyn Disk, root: &Path) {
    let [missing, to] = ["missing", "to"].map(|name| root.join(name));
    NOT_FOUND.equal(&kind(NOT_FOUND, disk.read(&missing)), &ErrorKind::NotFound);
    NOT_FOUND.equal(&kind(NOT_FOUND, disk.remove(&missing)), &ErrorKind::NotFound);
    NOT_FOUND.equal(&kind(NOT_FOUND, disk.remove_dir(&missing)), &ErrorKind::NotFound);
    NOT_FOUND.equal(&kind(NOT_FOUND, disk.link(&missing, &to)), &ErrorKind::NotFound);
    NOT_FOUND.equal(&kind(NOT_FOUND, disk.rename(&missing, &to)), &ErrorKind::NotFound);
    NOT_FOUND.nothing(&FILES.answered(disk.list(root)));
    WRITTEN.answered(disk.write(&to, &mut &b""[..]));
    NOT_FOUND.answered(disk.remove(&to));
    NOT_FOUND.equal(&kind(NOT_FOUND, disk.remove(&to)), &ErrorKind::NotFound);
    NOT_FOUND.equal(&kind(NOT_FOUND, disk.read(&to)), &ErrorKind::NotFound);
}

fn lists_have_one_kind_in_order(disk: &dyn Disk, other: &dyn Disk, root: &Path) {
    for name in ["c", "a", "b-1", "b", ".hidden"] {
        WRITTEN.answered(disk.write(&root.join(name), &mut &b""[..]));
    }
    for name in ["y", "x/deep", "z"] {
        CREATED.answered(disk.create_dir_all(&root.join(name)));
    }
    WRITTEN.answered(disk.write(&root.join("y/inside"), &mut &b""[..]));
    let files = [".hidden", "a", "b", "b-1", "c"].map(|name| root.join(name));
    FILES.equal(&FILES.answered(disk.list(root)), &files.to_vec());
    FILES.equal(&FILES.answered(other.list(&root.join("y"))), &vec![root.join("y/inside")]);
    let listed = FILES.answered(disk.list_with_status(root));
    let paths: Vec<PathBuf> = listed.iter().map(|(path, _)| path.clone()).collect();
    FILES.equal(&paths, &files.to_vec());
    for (path, status) in listed {
        FILES.equal(&FILES.answered(disk.status(&path)), &status);
    }
    NOWHERE.nothing(&NOWHERE.answered(disk.list_with_status(&root.join("nowhere"))));
    let folders = ["x", "y", "z"].map(|name| root.join(name));
    FOLDERS.equal(&FOLDERS.answered(disk.list_dirs(root)), &folders.to_vec());
    FOLDERS.equal(&FOLDERS.answered(other.list_dirs(&root.join("x"))), &vec![root.join("x/deep")]);
    let nowhere = root.join("nowhere");
    NOWHERE.nothing(&NOWHERE.answered(disk.list(&nowhere)));
    NOWHERE.nothing(&NOWHERE.answered(disk.list_dirs(&nowhere)));
    for (folder, is_there) in [(root, true), (&root.join("x/deep"), true), (&nowhere, false)] {
        THERE.equal(&THERE.answered(other.has_dir(folder)), &is_there);
    }
}

fn only_empty_folders_are_removed(disk: &dyn Disk, other: &dyn Disk, root: &Path) {
    let [folder, deep] = ["folder", "folder/deep"].map(|name| root.join(name));
    let file = deep.join("file");
    CREATED.answered(disk.create_dir_all(&deep));
    WRITTEN.answered(disk.write(&file, &mut &b"kept"[..]));
    for full in [&folder, &deep] {
        let refused = kind(ONLY_EMPTY, other.remove_dir(full));
        ONLY_EMPTY.equal(&refused, &ErrorKind::DirectoryNotEmpty);
    }
    KINDS.refused(disk.remove_dir(&file));
    KINDS.refused(disk.remove(&deep));
    ONLY_EMPTY.equal(&ONLY_EMPTY.answered(disk.read(&file)), &b"kept".to_vec());
    REMOVED.answered(disk.remove(&file));
    REMOVED.answered(other.remove_dir(&deep));
    REMOVED.nothing(&REMOVED.answered(disk.list_dirs(&folder)));
    REMOVED.answered(disk.remove_dir(&folder));
    REMOVED.nothing(&REMOVED.answered(disk.list_dirs(root)));
    NOT_FOUND.equal(&kind(NOT_FOUND, disk.remove_dir(&folder)), &ErrorKind::NotFound);
    NOT_FOUND.equal(&kind(NOT_FOUND, disk.write(&file, &mut &b""[..])), &ErrorKind::NotFound);
    REMOVED.answered(disk.create_dir_all(&deep));
    REMOVED.answered(disk.write(&file, &mut &b"again"[..]));
}

fn folders_are_created_with_those_above(disk: &dyn Disk, other: &dyn Disk, root: &Path) {
    let deep = root.join("a/b/c");
    CREATED.answered(disk.create_dir_all(&deep));
    let file = deep.join("file");
    WRITTEN.answered(disk.write(&file, &mut &b"kept"[..]));
    CREATED.answered(other.create_dir_all(&deep));
    let beside = root.join("a").join("beside");
    CREATED.answered(disk.create_dir(&beside));
    CREATED.answered(other.create_dir(&beside));
    THERE.equal(&THERE.answered(other.has_dir(&beside)), &true);
    NOT_FOUND.refused(disk.create_dir(&root.join("nowhere").join("below")));
    THERE.equal(&THERE.answered(other.has_dir(&root.join("nowhere"))), &false);
    CREATED.answered(disk.create_dir_all(&root.join("a")));
    CREATED.answered(disk.create_dir_all(root));
    CREATED.equal(&CREATED.answered(disk.read(&file)), &b"kept".to_vec());
    CREATED.equal(&CREATED.answered(disk.list_dirs(root)), &vec![root.join("a")]);
    SYNCED.answered(disk.sync_dir(&deep));
    IN_THE_WAY.refused(disk.create_dir_all(&file));
    IN_THE_WAY.refused(disk.create_dir_all(&file.join("below")));
    IN_THE_WAY.equal(&IN_THE_WAY.answered(disk.read(&file)), &b"kept".to_vec());
}
