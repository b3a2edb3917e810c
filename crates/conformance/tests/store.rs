//! The store suite, on a store in memory: as it should be, and with one mistake at a time.

mod bite;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use steadfast_core::store::{Put, Store};
use steadfast_core::{Error, Result};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Mistake {
    None,
    Overwrites,
    RepeatedIsCreated,
    DeletedForGood,
    DeleteMissingFails,
    EmptyIsNothing,
    TextOnly,
    CutOff,
    HandleRemembers,
    ListsOneLevel,
    ListsAsAWalk,
    PrefixIsAFolder,
    ListsOnePage,
    EmptiedFolderIsGone,
    LosersWin,
}

#[derive(Default)]
struct Objects {
    objects: BTreeMap<String, Vec<u8>>,
    deleted: BTreeSet<String>,
}

struct MemoryStore {
    shared: Arc<Mutex<Objects>>,
    seen: Mutex<BTreeMap<String, Option<Vec<u8>>>>,
    mistake: Mistake,
}

fn folder(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(folder, _)| folder)
}

impl Store for MemoryStore {
    fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<Put> {
        let mut shared = self.shared.lock().unwrap();
        if self.mistake == Mistake::DeletedForGood && shared.deleted.contains(name) {
            return Ok(Put::AlreadyExists);
        }
        let emptied = shared.deleted.iter().any(|gone| folder(gone) == folder(name))
            && !shared.objects.keys().any(|there| folder(there) == folder(name));
        if self.mistake == Mistake::EmptiedFolderIsGone && emptied && name.contains("/1/") {
            return Err(Error::unavailable("there is no such folder"));
        }
        if let Some(there) = shared.objects.get(name) {
            let own = there == bytes && self.mistake == Mistake::RepeatedIsCreated;
            let won = self.mistake == Mistake::LosersWin && name.starts_with("race/");
            if self.mistake == Mistake::Overwrites {
                shared.objects.insert(name.to_owned(), bytes.to_vec());
            }
            return Ok(if own || won { Put::Created } else { Put::AlreadyExists });
        }
        let mut kept = bytes.to_vec();
        match self.mistake {
            Mistake::TextOnly => kept = String::from_utf8_lossy(bytes).into_owned().into(),
            Mistake::CutOff => kept.truncate(5 * 1024 * 1024),
            _ => {}
        }
        shared.objects.insert(name.to_owned(), kept);
        Ok(Put::Created)
    }

    fn get(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let found = self.shared.lock().unwrap().objects.get(name).cloned();
        match self.mistake {
            Mistake::HandleRemembers => {
                let mut seen = self.seen.lock().unwrap();
                Ok(seen.entry(name.to_owned()).or_insert(found).clone())
            }
            Mistake::EmptyIsNothing => Ok(found.filter(|bytes| !bytes.is_empty())),
            _ => Ok(found),
        }
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>> {
        let shared = self.shared.lock().unwrap();
        let mut names: Vec<String> =
            shared.objects.keys().filter(|name| name.starts_with(prefix)).cloned().collect();
        match self.mistake {
            Mistake::ListsOneLevel => names.retain(|name| folder(name) == folder(prefix)),
            Mistake::ListsAsAWalk => {
                names.sort_by_key(|name| name.split('/').map(str::to_owned).collect::<Vec<_>>());
            }
            Mistake::PrefixIsAFolder if !prefix.is_empty() && !prefix.ends_with('/') => {
                names.retain(|name| name[prefix.len()..].starts_with('/'));
            }
            Mistake::ListsOnePage => names.truncate(1000),
            _ => {}
        }
        Ok(names)
    }

    fn delete(&self, name: &str) -> Result<()> {
        let mut shared = self.shared.lock().unwrap();
        let was_there = shared.objects.remove(name).is_some();
        if !was_there && self.mistake == Mistake::DeleteMissingFails {
            return Err(Error::unavailable("there is no such object"));
        }
        shared.deleted.insert(name.to_owned());
        Ok(())
    }

    fn describe(&self) -> String {
        "memory".to_owned()
    }
}

fn suite(mistake: Mistake) {
    steadfast_conformance::store(|| {
        let shared = Arc::<Mutex<Objects>>::default();
        move || {
            let (shared, seen) = (Arc::clone(&shared), Mutex::default());
            Box::new(MemoryStore { shared, seen, mistake }) as Box<dyn Store>
        }
    });
}

#[test]
fn a_right_store_passes() {
    suite(Mistake::None);
}

#[test]
fn every_mistake_is_seen() {
    let mistakes = [
        (Mistake::Overwrites, "a put never changes"),
        (Mistake::RepeatedIsCreated, "a repeated put"),
        (Mistake::DeletedForGood, "a put after a delete creates"),
        (Mistake::DeleteMissingFails, "a delete of what is not there"),
        (Mistake::EmptyIsNothing, "get gives the bytes that were put"),
        (Mistake::TextOnly, "get gives the bytes that were put"),
        (Mistake::CutOff, "get gives the bytes that were put"),
        (Mistake::HandleRemembers, "a put creates the object if there is none"),
        (Mistake::ListsOneLevel, "a list has the names on all levels"),
        (Mistake::ListsAsAWalk, "a list has the names on all levels"),
        (Mistake::PrefixIsAFolder, "exactly the names that begin with the prefix"),
        (Mistake::ListsOnePage, "a list has all names"),
        (Mistake::EmptiedFolderIsGone, "a folder that was emptied"),
        (Mistake::LosersWin, "of many writers of one name exactly one"),
    ];
    bite::every_mistake_is_seen(mistakes, suite);
}
