//! The commit log suite, on a log in memory: as it should be, and with one mistake at a time.

mod bite;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use steadfast_core::Result;
use steadfast_core::id::LogIndex;
use steadfast_core::log::{Appended, CommitLog, LogRange};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Mistake {
    None,
    Overwrites,
    TakenWithOwnBytes,
    RepeatedIsTaken,
    ClaimTakesOver,
    HoleIsFree,
    HoleIsFreeToSleepers,
    SaysDoneInAHole,
    ForgetsTheNeeded,
    ForgetsWholeBlocks,
    ForgetsBackwards,
    NextIsTheNumberOfEntries,
    FirstIsTheNext,
    ReadsTheNearest,
    LosesTheBorder,
    HandlesRemember,
}

#[derive(Clone, Default)]
struct Entries {
    entries: BTreeMap<u64, Vec<u8>>,
    first: u64,
    next: u64,
}

struct MemoryLog {
    shared: Arc<Mutex<Entries>>,
    /// Where the log was forgotten up to when this handle looked first.
    first_seen: Mutex<Option<u64>>,
    /// What the log held when this handle appended first.
    own: Mutex<Option<Entries>>,
    mistake: Mistake,
}

impl MemoryLog {
    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.shared.lock().unwrap()
    }

    fn is(&self, mistake: Mistake) -> bool {
        self.mistake == mistake
    }

    fn put(&self, index: u64, entry: &[u8], claims: bool) -> Appended {
        let mut log = self.lock();
        let mut own = self.own.lock().unwrap();
        let seen = own.get_or_insert_with(|| log.clone());
        let there = if self.is(Mistake::HandlesRemember) {
            seen.entries.get(&index).cloned()
        } else {
            log.entries.get(&index).cloned()
        };
        if let Some(there) = there {
            let replaces =
                self.is(Mistake::Overwrites) || claims && self.is(Mistake::ClaimTakesOver);
            return match () {
                () if there == entry && !self.is(Mistake::RepeatedIsTaken) => Appended::Done,
                () if replaces => {
                    log.entries.insert(index, entry.to_vec());
                    Appended::Done
                }
                () if self.is(Mistake::TakenWithOwnBytes) => Appended::Taken(entry.to_vec()),
                () => Appended::Taken(there),
            };
        }
        let floor = self.first_seen.lock().unwrap().unwrap_or(log.first);
        let forgotten = match self.mistake {
            Mistake::HoleIsFree => false,
            Mistake::HoleIsFreeToSleepers => index < floor,
            _ => index < log.first,
        };
        if forgotten {
            let done = self.is(Mistake::SaysDoneInAHole);
            return if done { Appended::Done } else { Appended::Forgotten };
        }
        log.entries.insert(index, entry.to_vec());
        seen.entries.insert(index, entry.to_vec());
        log.next = log.next.max(index + 1);
        Appended::Done
    }
}

impl CommitLog for MemoryLog {
    fn look(&self) -> Result<LogRange> {
        let log = self.lock();
        self.first_seen.lock().unwrap().get_or_insert(log.first);
        let number = log.entries.len() as u64;
        let counted = self.is(Mistake::NextIsTheNumberOfEntries);
        let lost = self.is(Mistake::LosesTheBorder) && log.next == 257;
        let next = if counted { number + 1 } else { log.next - u64::from(lost) };
        let first = if self.is(Mistake::FirstIsTheNext) { next } else { log.first };
        Ok(LogRange { first: LogIndex(first), next: LogIndex(next) })
    }

    fn read(&self, index: LogIndex) -> Result<Option<Vec<u8>>> {
        let log = self.lock();
        if self.is(Mistake::ReadsTheNearest) && index.0 < log.first {
            return Ok(log.entries.values().next().cloned());
        }
        Ok(log.entries.get(&index.0).cloned())
    }

    fn claim(&self, index: LogIndex, entry: &[u8]) -> Result<Appended> {
        Ok(self.put(index.0, entry, true))
    }

    fn append(&self, index: LogIndex, entry: &[u8]) -> Result<Appended> {
        Ok(self.put(index.0, entry, false))
    }

    fn forget_before(&self, index: LogIndex) -> Result<()> {
        let mut log = self.lock();
        let mut first = index.0;
        match self.mistake {
            Mistake::ForgetsTheNeeded if first > 1 => first += 1,
            Mistake::ForgetsWholeBlocks => first = (first - 1).div_ceil(256) * 256 + 1,
            _ => {}
        }
        if self.mistake != Mistake::ForgetsBackwards {
            first = first.max(log.first);
        }
        log.first = first;
        log.entries = log.entries.split_off(&first);
        Ok(())
    }
}

fn suite(mistake: Mistake) {
    steadfast_conformance::commit_log(|| {
        let entries = Entries { entries: BTreeMap::new(), first: 1, next: 1 };
        let shared = Arc::new(Mutex::new(entries));
        move || {
            let shared = Arc::clone(&shared);
            let (first_seen, own) = (Mutex::default(), Mutex::default());
            Box::new(MemoryLog { shared, first_seen, own, mistake }) as Box<dyn CommitLog>
        }
    });
}

#[test]
fn a_right_log_passes() {
    suite(Mistake::None);
}

#[test]
fn every_mistake_is_seen() {
    let mistakes = [
        (Mistake::Overwrites, "says Taken with that entry"),
        (Mistake::TakenWithOwnBytes, "says Taken with that entry"),
        (Mistake::RepeatedIsTaken, "a repeated append"),
        (Mistake::ClaimTakesOver, "says Taken with that entry"),
        (Mistake::HoleIsFree, "never used again"),
        (Mistake::HoleIsFreeToSleepers, "never used again"),
        (Mistake::SaysDoneInAHole, "never used again"),
        (Mistake::ForgetsTheNeeded, "stay|look gives"),
        (Mistake::ForgetsWholeBlocks, "stay|look gives"),
        (Mistake::ForgetsBackwards, "never used again"),
        (Mistake::NextIsTheNumberOfEntries, "look gives"),
        (Mistake::FirstIsTheNext, "look gives"),
        (Mistake::ReadsTheNearest, "reads as itself or as none"),
        (Mistake::LosesTheBorder, "look gives"),
        (Mistake::HandlesRemember, "Done|Taken"),
    ];
    bite::every_mistake_is_seen(mistakes, suite);
}
