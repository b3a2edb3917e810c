//! What is told of folders of this machine.

use std::fs;
use std::io::Write;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use super::*;

/// What was told: a word, and the name of the file.
type Told = (&'static str, String);

fn watch() -> (Inotify, Receiver<Told>, Arc<()>) {
    let (tell, told) = channel();
    let alive = Arc::new(());
    let of_thread = Arc::clone(&alive);
    let on_change: OnChange = Arc::new(move |change| {
        let _ = &of_thread;
        let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_string();
        let _ = tell.send(match change {
            Change::Contents(path) => ("contents", name(path)),
            Change::Name(path) => ("name", name(path)),
            Change::Unknown => ("unknown", String::new()),
        });
    });
    (Inotify::new(on_change).unwrap(), told, alive)
}

/// Whether this is told before long, whatever else is.
fn is_told(told: &Receiver<Told>, what: &'static str, name: &str) -> bool {
    let next = || told.recv_timeout(Duration::from_secs(10)).ok();
    std::iter::from_fn(next).any(|told| told == (what, name.to_string()))
}

#[test]
fn what_changes_in_a_folder_is_told_and_what_changes_elsewhere_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let [folder, other] = ["folder", "other"].map(|name| dir.path().join(name));
    fs::create_dir(&folder).unwrap();
    fs::create_dir(&other).unwrap();
    let (mut watch, told, _) = watch();
    let missing = dir.path().join("missing");
    let set = watch.set(&[folder.clone(), missing].into()).unwrap();
    assert_eq!(set, [folder.clone()].into());
    fs::write(other.join("elsewhere"), "x").unwrap();
    fs::write(folder.join("a"), "x").unwrap();
    assert_eq!(told.recv().unwrap(), ("name", "a".to_string()));
    assert!(is_told(&told, "contents", "a"));
    fs::File::options().append(true).open(folder.join("a")).unwrap().write_all(b"y").unwrap();
    assert!(is_told(&told, "contents", "a"));
    fs::File::options().write(true).truncate(true).open(folder.join("a")).unwrap();
    assert!(is_told(&told, "contents", "a"));
    fs::rename(folder.join("a"), folder.join("b")).unwrap();
    assert!(is_told(&told, "name", "a") && is_told(&told, "name", "b"));
    fs::rename(folder.join("b"), other.join("b")).unwrap();
    assert!(is_told(&told, "name", "b"));
    fs::rename(other.join("b"), folder.join("c")).unwrap();
    assert!(is_told(&told, "name", "c"));
    fs::remove_file(folder.join("c")).unwrap();
    assert!(is_told(&told, "name", "c"));
    fs::create_dir(folder.join("inside")).unwrap();
    assert!(is_told(&told, "unknown", ""));
    fs::remove_dir(folder.join("inside")).unwrap();
    fs::rename(&folder, dir.path().join("renamed")).unwrap();
    assert!(is_told(&told, "unknown", ""));
}

#[test]
fn a_folder_that_nobody_wants_to_be_told_of_any_more_is_quiet_and_another_is_told_of() {
    let dir = tempfile::tempdir().unwrap();
    let [one, two] = ["one", "two"].map(|name| dir.path().join(name));
    fs::create_dir(&one).unwrap();
    fs::create_dir(&two).unwrap();
    let (mut watch, told, _) = watch();
    watch.set(&[one.clone()].into()).unwrap();
    watch.set(&[two.clone()].into()).unwrap();
    fs::write(one.join("a"), "x").unwrap();
    fs::write(two.join("b"), "x").unwrap();
    assert_eq!(told.recv_timeout(Duration::from_secs(10)), Ok(("name", "b".to_string())));
}

#[test]
fn when_it_is_dropped_its_thread_has_ended() {
    let (mut watch, told, alive) = watch();
    let dir = tempfile::tempdir().unwrap();
    watch.set(&[dir.path().to_path_buf()].into()).unwrap();
    fs::write(dir.path().join("a"), "x").unwrap();
    assert!(is_told(&told, "contents", "a"));
    assert_eq!(Arc::strong_count(&alive), 2);
    drop(watch);
    assert_eq!(Arc::strong_count(&alive), 1);
}
