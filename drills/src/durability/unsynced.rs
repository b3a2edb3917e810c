//! What a disk that lost power now might forget: bytes, and names.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::is_passing;
use crate::recording::Noted;

/// See the module.
#[derive(Default)]
pub(super) struct Unsynced {
    /// Files that were written to, with the last step and the thread that did it.
    bytes: BTreeMap<String, (usize, String)>,
    /// Names that were given or taken away.
    names: BTreeMap<String, Given>,
    /// Syncs that have begun, by thread: of what, and when.
    syncing: BTreeMap<String, (String, usize)>,
    /// What each thread has named since it named something that is durable by now.
    named: Vec<(String, String)>,
    /// All names that were given: what lies above one may be lost when it is durable itself.
    ever_named: BTreeSet<String>,
}

struct Given {
    step: usize,
    kind: String,
}

/// Whether users see such files.
fn is_shown(kind: &str) -> bool {
    matches!(kind, "part" | "dead-part")
}

impl Unsynced {
    /// Goes on by a line of a recording.
    pub(super) fn follow(&mut self, step: usize, noted: &Noted) {
        let (path, done) = (noted.path.clone(), noted.what == "done");
        let thread = noted.thread().to_string();
        match noted.verb() {
            // From when it is begun, and until a sync that begins when it is over.
            "write" | "truncate" => {
                self.bytes.insert(path, (step, thread));
            }
            "fsync" if noted.is_before() => {
                self.syncing.insert(thread, (path, step));
            }
            "fsync" if done => self.sync(&thread),
            "create" | "mkdir" if done && (noted.verb() == "mkdir" || noted.detail == "new") => {
                self.name(step, noted);
            }
            "link" if done => self.name(step, noted),
            "rename" if done => {
                self.forget(&noted.detail);
                self.take_away(step, noted.detail.clone());
                self.name(step, noted);
            }
            "unlink" | "rmdir" if done => {
                self.forget(&path);
                if is_shown(noted.kind()) {
                    self.take_away(step, path);
                }
            }
            _ => {}
        }
    }

    fn name(&mut self, step: usize, noted: &Noted) {
        let (path, kind) = (noted.path.clone(), noted.kind().to_string());
        if !is_passing(&kind) {
            self.named.push((noted.thread().to_string(), path.clone()));
        }
        self.ever_named.insert(path.clone());
        self.names.insert(path, Given { step, kind });
    }

    /// A name that is gone may come back as one that was given may be gone.
    fn take_away(&mut self, step: usize, path: String) {
        self.names.insert(path, Given { step, kind: "gone".to_string() });
    }

    fn forget(&mut self, path: &str) {
        self.bytes.remove(path);
        self.names.remove(path);
        self.named.retain(|(_, named)| named != path);
    }

    fn sync(&mut self, thread: &str) {
        let Some((synced, since)) = self.syncing.remove(thread) else { return };
        if self.bytes.get(&synced).is_some_and(|(step, _)| *step < since) {
            self.bytes.remove(&synced);
        }
        let folder = Some(Path::new(&synced));
        self.names.retain(|path, given| Path::new(path).parent() != folder || given.step > since);
        let durable: Vec<_> =
            self.named.iter().filter(|(_, path)| self.why(path).is_none()).cloned().collect();
        self.named.retain(|named| !durable.contains(named));
    }

    /// Whether a file has bytes that might be lost.
    pub(super) fn bytes_of(&self, path: &str) -> bool {
        self.bytes.contains_key(path)
    }

    /// The same, if this thread wrote them.
    pub(super) fn bytes_by(&self, thread: &str, path: &str) -> bool {
        self.bytes.get(path).is_some_and(|(_, writer)| writer == thread)
    }

    /// Whether a name might be lost.
    pub(super) fn name_of(&self, path: &str) -> bool {
        self.names.contains_key(path)
    }

    fn why(&self, path: &str) -> Option<String> {
        if self.bytes_of(path) {
            return Some("its bytes are not synced".to_string());
        }
        let mut above = Path::new(path).ancestors().filter_map(Path::to_str);
        let lost = above.find(|above| self.names.contains_key(*above))?;
        Some(format!("the folder of {lost} is not synced"))
    }

    /// Why the file whose path ends like this might be lost, if it might.
    pub(super) fn why_not_durable(&self, end: &str) -> Option<String> {
        let mut known = self.ever_named.iter();
        known.find(|path| path.ends_with(end)).and_then(|path| self.why(path))
    }

    /// What a thread has named and what might be lost of it.
    pub(super) fn named_by(&self, thread: &str) -> impl Iterator<Item = (&str, String)> {
        let own = self.named.iter().filter(move |(by, _)| by == thread);
        own.filter_map(|(_, path)| Some((path.as_str(), self.why(path)?)))
    }

    /// Names of one kind that might be lost, whoever gave them.
    pub(super) fn named_as(&self, kind: &str) -> impl Iterator<Item = &str> {
        let of_kind = self.names.iter().filter(move |(_, given)| given.kind == kind);
        of_kind.map(|(path, _)| path.as_str())
    }

    /// What might be lost although the process has said that it is done.
    pub(super) fn at_the_end(&self) -> impl Iterator<Item = String> {
        // Others rebuild it from the log beside it.
        let matters = |path: &str| !path.ends_with("-shm");
        let bytes = self.bytes.keys().filter(move |path| matters(path));
        let bytes = bytes.map(|path| format!("{path} has bytes that are not synced"));
        let names = self.names.keys().filter(move |path| matters(path));
        bytes.chain(names.map(|path| format!("the folder of {path} is not synced")))
    }
}
