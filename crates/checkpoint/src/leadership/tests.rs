//! Who may append, and what it looks like to whoever may not any more.

use std::sync::Mutex;

use steadfast_core::log::LogRange;
use steadfast_core::store::Store;
use steadfast_protocol::names::LogLayout;

use super::*;
use crate::object_log::ObjectLog;
use crate::store::MemoryStore;

fn candidate(nonce: u64) -> Candidate {
    Candidate {
        job: "job".to_string(),
        holder: format!("process {nonce}"),
        nonce,
        lineage: Lineage(nonce),
        at: Timestamp(0),
        consistency: Consistency::ExactlyOnce,
        reset: false,
    }
}

fn log(store: &Arc<MemoryStore>) -> Arc<dyn CommitLog> {
    Arc::new(ObjectLog::new(Arc::clone(store) as _))
}

fn missing() -> Error {
    Error::damaged("object x is missing")
}

/// Puts these bytes where a log entry is.
fn replace(store: &MemoryStore, index: u64, bytes: &[u8]) {
    let name = LogLayout::default().entry(LogIndex(index));
    store.delete(&name).unwrap();
    store.put_if_absent(&name, bytes).unwrap();
}

#[test]
fn whoever_was_overtaken_says_so_and_nobody_else() {
    let store = Arc::new(MemoryStore::new());
    let first = candidate(1).acquire(log(&store)).unwrap();
    assert_eq!(first.held().explain(missing()).kind(), ErrorKind::Damaged);
    let second = candidate(2).acquire(log(&store)).unwrap();
    let error = first.held().explain(missing());
    assert_eq!(error.kind(), ErrorKind::Fenced);
    let text = error.to_string();
    assert!(text.contains("by process 2") && text.contains("object x is missing"), "{text}");
    assert_eq!(second.held().explain(missing()).kind(), ErrorKind::Damaged);
}

#[test]
fn an_entry_that_cannot_be_read_hides_no_successor() {
    let store = Arc::new(MemoryStore::new());
    let first = candidate(1).acquire(log(&store)).unwrap();
    candidate(2).acquire(log(&store)).unwrap();
    let third = candidate(3).acquire(log(&store)).unwrap();
    replace(&store, 3, b"torn");
    assert_eq!(first.held().confirm().unwrap_err().kind(), ErrorKind::Fenced);
    assert_eq!(first.held().explain(missing()).kind(), ErrorKind::Fenced);
    third.held().confirm().unwrap();
    // Whose the only later entry is, nobody can tell: that is no leave to go on.
    replace(&store, 2, b"torn");
    assert_eq!(first.held().confirm().unwrap_err().kind(), ErrorKind::Damaged);
    let text = first.held().explain(missing()).to_string();
    assert!(text.contains("object x is missing"), "{text}");
}

#[test]
fn an_entry_of_another_release_is_not_ours() {
    let store = Arc::new(MemoryStore::new());
    let first = candidate(1).acquire(log(&store)).unwrap();
    let second = candidate(2).acquire(log(&store)).unwrap();
    let text = String::from_utf8(LogEntry::Claim(second.claim).encode().unwrap()).unwrap();
    let json = text.split_once('\n').unwrap().1;
    let head = format!("steadfast-log 77 bytes={}", json.len());
    let crc = crc32c::crc32c(format!("{head}{json}").as_bytes());
    replace(&store, 2, format!("{head} crc32c={crc:08x}\n{json}").as_bytes());
    let error = first.held().confirm().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced);
    assert!(error.to_string().contains("another release"), "{error}");
}

/// Its newest entry is always forgotten before it can be read.
struct Running(Mutex<u64>);

impl CommitLog for Running {
    fn look(&self) -> Result<LogRange> {
        let mut next = self.0.lock().unwrap();
        *next += 1;
        Ok(LogRange { first: LogIndex(*next - 1), next: LogIndex(*next) })
    }

    fn read(&self, _index: LogIndex) -> Result<Option<Vec<u8>>> {
        Ok(None)
    }

    fn claim(&self, _index: LogIndex, _entry: &[u8]) -> Result<Appended> {
        Ok(Appended::Forgotten)
    }

    fn append(&self, _index: LogIndex, _entry: &[u8]) -> Result<Appended> {
        Ok(Appended::Forgotten)
    }

    fn forget_before(&self, _index: LogIndex) -> Result<()> {
        Ok(())
    }
}

/// It used to say that nobody had.
#[test]
fn a_log_that_goes_on_faster_than_it_can_be_read_has_been_taken_over() {
    let claim = candidate(1).acquire(log(&Arc::default())).unwrap().claim;
    let held = Leadership { log: Arc::new(Running(Mutex::new(5))), claim }.held();
    assert_eq!(held.confirm().unwrap_err().kind(), ErrorKind::Fenced);
    assert_eq!(held.explain(missing()).kind(), ErrorKind::Fenced);
}

#[test]
fn a_reset_gets_past_a_log_of_which_nothing_can_be_read_and_fences_its_writer() {
    let store = Arc::new(MemoryStore::new());
    let first = candidate(1).acquire(log(&store)).unwrap();
    replace(&store, 1, b"torn");
    let error = candidate(2).acquire(log(&store)).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Damaged);
    assert!(error.to_string().contains("--reset"), "{error}");
    let reset = Candidate { reset: true, ..candidate(3) };
    let claim = reset.acquire(log(&store)).unwrap().claim;
    // A history of its own: what targets hold of the old one is a stranger's.
    assert_eq!((claim.id.generation, claim.origin), (Generation(2), Generation(2)));
    assert_eq!((claim.lineage, claim.newest), (Lineage(3), None));
    assert_eq!(first.held().confirm().unwrap_err().kind(), ErrorKind::Fenced);
    // Whoever comes next goes on with the new history.
    let next = candidate(4).acquire(log(&store)).unwrap().claim;
    assert_eq!((next.lineage, next.origin), (Lineage(3), Generation(2)));
}

fn commit(leadership: &Leadership, checkpoint: u64) -> Result<CheckpointId> {
    let Claim { job, id, lineage, origin, .. } = leadership.claim();
    let checkpoint = CheckpointId(checkpoint);
    let manifest = Manifest { checkpoint, ..Manifest::empty(job, *lineage, *id, *origin) };
    leadership.commit(Box::new(manifest)).map(|permit| permit.checkpoint())
}

/// Puts the log back to what it was when it had so many entries.
fn put_back(store: &MemoryStore, entries: u64) {
    let newest = LogLayout::default().entry(LogIndex(entries));
    let later = store.list("log/").unwrap().into_iter().filter(|name| *name > newest);
    later.for_each(|name| store.delete(&name).unwrap());
}

/// The next index of a process that slept is free in a log that was put back to an old copy, and others
/// may have gone on from there.
#[test]
fn nothing_is_committed_into_a_log_that_has_become_another_one() {
    let store = Arc::new(MemoryStore::new());
    let sleeper = candidate(1).acquire(log(&store)).unwrap();
    for checkpoint in 2..=6 {
        commit(&sleeper, checkpoint).unwrap();
    }
    put_back(&store, 3);
    let error = commit(&sleeper, 7).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced);
    assert!(error.to_string().contains("log entry 6"), "{error}");
    assert_eq!(store.list("log/").unwrap().len(), 3, "nothing is left in a log of others");
    let successor = candidate(2).acquire(log(&store)).unwrap();
    commit(&successor, 5).unwrap();
    commit(&successor, 6).unwrap();
    assert_eq!(commit(&sleeper, 7).unwrap_err().kind(), ErrorKind::Fenced);
    commit(&successor, 7).unwrap();
}

/// A log to which something happens right before an append.
struct Interrupted(Arc<dyn CommitLog>, Mutex<Option<Box<dyn FnOnce() + Send>>>);

impl CommitLog for Interrupted {
    fn look(&self) -> Result<LogRange> {
        self.0.look()
    }

    fn read(&self, index: LogIndex) -> Result<Option<Vec<u8>>> {
        self.0.read(index)
    }

    fn claim(&self, index: LogIndex, entry: &[u8]) -> Result<Appended> {
        self.0.claim(index, entry)
    }

    fn append(&self, index: LogIndex, entry: &[u8]) -> Result<Appended> {
        if let Some(act) = self.1.lock().unwrap().take() {
            act();
        }
        self.0.append(index, entry)
    }

    fn forget_before(&self, index: LogIndex) -> Result<()> {
        self.0.forget_before(index)
    }
}

#[test]
fn a_commit_that_slept_right_before_its_put_is_none_in_another_log() {
    let store = Arc::new(MemoryStore::new());
    let first = candidate(1).acquire(log(&store)).unwrap();
    commit(&first, 2).unwrap();
    let others = Arc::clone(&store);
    let act = move || {
        put_back(&others, 1);
        candidate(2).acquire(log(&others)).unwrap();
    };
    let log = Interrupted(log(&store), Mutex::new(Some(Box::new(act))));
    let sleeper = Leadership { log: Arc::new(log), claim: first.claim().clone() };
    assert_eq!(commit(&sleeper, 3).unwrap_err().kind(), ErrorKind::Fenced);
}

/// The same between the look at the entry before and the put.
#[test]
fn what_was_put_behind_an_entry_of_another_claim_counts_for_nobody() {
    let store = Arc::new(MemoryStore::new());
    let sleeper = candidate(1).acquire(log(&store)).unwrap();
    commit(&sleeper, 2).unwrap();
    commit(&sleeper, 3).unwrap();
    put_back(&store, 1);
    let successor = candidate(2).acquire(log(&store)).unwrap();
    commit(&successor, 3).unwrap();
    let Claim { job, id, lineage, origin, .. } = sleeper.claim();
    let manifest = Manifest::empty(job, *lineage, *id, *origin);
    let late = Manifest { checkpoint: CheckpointId(4), ..manifest };
    let late = LogEntry::Checkpoint(Box::new(late)).encode().unwrap();
    assert_eq!(log(&store).append(LogIndex(4), &late).unwrap(), Appended::Done);
    let tail = look(&*log(&store)).unwrap();
    assert_eq!((tail.next, tail.newest), (LogIndex(5), Some(CheckpointId(3))));
    let third = candidate(3).acquire(log(&store)).unwrap();
    assert_eq!(third.claim().newest, Some(CheckpointId(3)));
    commit(&third, 6).unwrap();
}

/// It used to see nobody after its own claim, and so to be the newest.
#[test]
fn whoever_is_not_in_a_log_that_was_put_back_has_been_taken_over() {
    let store = Arc::new(MemoryStore::new());
    candidate(1).acquire(log(&store)).unwrap();
    candidate(2).acquire(log(&store)).unwrap();
    let sleeper = candidate(3).acquire(log(&store)).unwrap();
    sleeper.held().confirm().unwrap();
    put_back(&store, 1);
    let error = sleeper.held().confirm().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced);
    assert!(error.to_string().contains("log entry 3, its claim, is gone"), "{error}");
    // Others go on, at first not as far as it has come, and then beyond.
    for by in 4..8 {
        let successor = candidate(by).acquire(log(&store)).unwrap();
        commit(&successor, successor.claim().id.generation.0 + 1).unwrap();
        successor.held().confirm().unwrap();
        assert_eq!(sleeper.held().confirm().unwrap_err().kind(), ErrorKind::Fenced, "{by}");
    }
}

/// A store that does not answer.
struct Away;

impl CommitLog for Away {
    fn look(&self) -> Result<LogRange> {
        Err(Error::unavailable("nobody answers"))
    }

    fn read(&self, _index: LogIndex) -> Result<Option<Vec<u8>>> {
        Err(Error::unavailable("nobody answers"))
    }

    fn claim(&self, _index: LogIndex, _entry: &[u8]) -> Result<Appended> {
        Err(Error::unavailable("nobody answers"))
    }

    fn append(&self, _index: LogIndex, _entry: &[u8]) -> Result<Appended> {
        Err(Error::unavailable("nobody answers"))
    }

    fn forget_before(&self, _index: LogIndex) -> Result<()> {
        Err(Error::unavailable("nobody answers"))
    }
}

/// It used to be called damage: a successor had deleted what this process looked for.
#[test]
fn what_is_missing_is_no_damage_before_the_log_has_said_who_holds_the_job() {
    let claim = candidate(1).acquire(log(&Arc::default())).unwrap().claim;
    let held = Leadership { log: Arc::new(Away), claim }.held();
    let error = held.explain(missing());
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("object x is missing"), "{error}");
    let mistake = held.explain(Error::user_code("a mistake"));
    assert_eq!(mistake.kind(), ErrorKind::UserCode);
}

/// The claim lies in a block that has been closed, and the only entry of the open one is damaged.
#[test]
fn damage_behind_a_claim_in_a_closed_block_is_no_take_over() {
    let store = Arc::new(MemoryStore::new());
    let leader = candidate(1).acquire(log(&store)).unwrap();
    for checkpoint in 2..=256 {
        commit(&leader, checkpoint).unwrap();
    }
    leader.forget_before(LogIndex(256)).unwrap();
    leader.held().confirm().unwrap();
    replace(&store, 256, b"torn");
    assert_eq!(leader.held().confirm().unwrap_err().kind(), ErrorKind::Damaged);
    store.delete(&LogLayout::default().entry(LogIndex(256))).unwrap();
    assert_eq!(leader.held().confirm().unwrap_err().kind(), ErrorKind::Damaged);
}
