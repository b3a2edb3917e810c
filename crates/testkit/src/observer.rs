//! Writes down what happens in a run: who claimed, committed and read what, how often each kind of
//! thing took place, and what was wrong.
//!
//! It decides nothing. What it knows comes from the outside of the engine: log entries as they are
//! put, records as a source hands them over, rows as they reach a table.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use steadfast_core::state::StateLimits;
use steadfast_core::target::Marker;
use steadfast_protocol::entry::LogEntry;
use steadfast_protocol::manifest::{Consistency, Manifest};

use crate::coverage::{Counts, manifests};
use crate::prefix::Prefix;

/// See the module.
#[derive(Clone, Default)]
pub struct Observer(Arc<Mutex<Seen>>);

/// A claim that took effect.
#[derive(Clone, Debug)]
pub struct SeenClaim {
    /// Who.
    pub process: u16,
    /// Where it stands among all claims: a later one is greater.
    pub rank: u64,
    /// The rank of the claim with which its history began.
    pub era: u64,
}

/// A process, as it was started.
#[derive(Clone, Debug)]
pub struct SeenProcess {
    /// What it promises.
    pub level: Consistency,
    /// Its newest claim.
    pub claim: Option<SeenClaim>,
    /// The sinks that it has.
    pub sinks: BTreeSet<&'static str>,
    /// Whether any of its calls had another fate than to take effect and be answered.
    pub disturbed: bool,
    /// Whether it came to the end of the job, or stopped after a last checkpoint.
    pub finished: bool,
    /// Whether every entry of its state files has a block of its own.
    pub tiny_blocks: bool,
    /// How many checkpoints it keeps.
    pub retained: usize,
    /// How many of its calls were refused or lost their answers.
    pub failures: u32,
    /// Whether it may give up at once: reading input is not tried again, nor is what a target without a
    /// marker would show again, and nobody waits where the clock fails.
    pub may_give_up: bool,
    /// Whether a file that it reads was cut off meanwhile.
    pub input_was_cut: bool,
    /// Whether nothing may be read while any of its output waits for its target.
    pub holds_sources: bool,
    /// The name of some of its output that waits for its target.
    pub waiting: Option<String>,
    /// What decides when it writes state again.
    pub state_limits: StateLimits,
    /// After how many records it takes a checkpoint, if that is all that decides.
    pub records_due: Option<u64>,
    /// Its checkpoints that were taken for that.
    pub counted: BTreeSet<u64>,
    /// How many records it has read.
    pub read: u64,
    /// How many tasks get what is broadcast, if anything is.
    pub tasks_of_broadcast: Option<u16>,
    /// How often each event has come to one of them.
    pub copies: BTreeMap<u64, u32>,
    /// How many rows its targets have set aside.
    pub rejected: u64,
    /// Whether a target has told it that another writes there now.
    pub is_refused: Option<u64>,
    /// Whether somebody has put a file where one of its own may come.
    pub may_find_strangers: bool,
    /// Whether it has looked at the log since it looked at a target.
    pub has_looked: bool,
    /// The checkpoint that it has put behind an entry of another claim.
    pub stray: Option<u64>,
    /// The objects in whose place it has found what others had written.
    pub others: BTreeSet<String>,
}

impl SeenProcess {
    /// A process that has done nothing yet, and keeps one checkpoint.
    pub fn new(level: Consistency, sinks: BTreeSet<&'static str>) -> Self {
        SeenProcess {
            level,
            claim: None,
            sinks,
            disturbed: false,
            finished: false,
            tiny_blocks: false,
            retained: 1,
            failures: 0,
            may_give_up: false,
            input_was_cut: false,
            holds_sources: false,
            waiting: None,
            state_limits: StateLimits::default(),
            records_due: None,
            counted: BTreeSet::new(),
            read: 0,
            tasks_of_broadcast: None,
            copies: BTreeMap::new(),
            rejected: 0,
            is_refused: None,
            may_find_strangers: false,
            has_looked: false,
            stray: None,
            others: BTreeSet::new(),
        }
    }
}

/// A checkpoint that somebody has tried to commit.
pub struct Attempt {
    /// The bytes of its log entry.
    pub bytes: Arc<[u8]>,
    /// What they say.
    pub manifest: Box<Manifest>,
}

/// Everything that was written down.
#[derive(Default)]
pub struct Seen {
    /// How often what took place.
    pub counts: Counts,
    /// What was wrong.
    pub violations: Vec<String>,
    /// All processes, by number.
    pub processes: Vec<SeenProcess>,
    /// Claims by generation and nonce.
    pub claims: BTreeMap<(u64, u64), SeenClaim>,
    /// The era that began with each origin, by lineage and generation.
    pub origins: BTreeMap<(u64, u64), u64>,
    /// Who tried to claim, in order.
    pub attempts: Vec<u16>,
    /// By checkpoint, who committed it last.
    pub commits: BTreeMap<u64, u16>,
    /// By who has shown a row where no marker is kept, who has computed it, and what it shares with
    /// those that it follows: the place of the last one.
    pub shown: BTreeMap<(u16, u16, u64), u64>,
    /// By table, the rank of the newest claim that has changed it.
    pub ranks: BTreeMap<String, u64>,
    /// What each checkpoint that was committed has read.
    pub prefixes: BTreeMap<u64, Prefix>,
    /// By number, what was tried to be committed: what lies in the log is one of them.
    pub tried: BTreeMap<u64, Vec<Attempt>>,
    /// The manifests that were committed, by number.
    pub manifests: BTreeMap<u64, Box<Manifest>>,
    /// Who has put what, by name of a log entry.
    pub put_by: BTreeMap<String, BTreeSet<u16>>,
    /// The log entries that counted when they were put, by name.
    pub entries: BTreeMap<String, Vec<u8>>,
    /// The newest manifest that was committed.
    pub newest: Option<Box<Manifest>>,
    /// The era of the newest claim.
    pub era: u64,
    /// By source and index, who has read the record.
    pub readers: [Vec<Vec<u16>>; 2],
    /// By history, what is no record and was read half: file and position.
    pub read_half: BTreeMap<u64, BTreeSet<(usize, u64)>>,
    /// How often the store was put back to an old copy.
    pub restorations: u64,
    /// Whether an entry of the log was removed.
    pub log_removed: bool,
    /// How often the power failed: names that were removed may be back.
    pub power_losses: u64,
    /// Whether an entry of the log was damaged: where it ends may not be where it ended.
    pub log_damaged: bool,
    /// Whether anything was damaged or put back.
    pub damaged: bool,
    /// How many entries a block of the log has.
    pub log_block: u64,
}

impl Observer {
    /// What was written down so far.
    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts something.
    pub fn count(&self, what: impl Into<String>) {
        self.seen().count(what);
    }

    /// Something is wrong.
    pub fn violation(&self, what: String) {
        self.seen().violations.push(what);
    }

    /// A process is about to put something.
    pub fn attempts(&self, process: u16, entry: Option<&LogEntry>, bytes: &[u8]) {
        match entry {
            Some(LogEntry::Claim(_)) => self.seen().attempts.push(process),
            Some(LogEntry::Checkpoint(manifest)) => {
                let attempt = Attempt { bytes: bytes.into(), manifest: manifest.clone() };
                let seen = &mut *self.seen();
                let same = seen.tried.entry(manifest.checkpoint.0).or_default();
                if same.iter().all(|before| before.bytes != attempt.bytes) {
                    same.push(attempt);
                }
            }
            None => {}
        }
    }

    /// A process has put a log entry; with `is_own`, it is the one that is there.
    pub fn appended(&self, process: u16, entry: &LogEntry, is_own: bool) {
        let seen = &mut *self.seen();
        match (entry, is_own) {
            (LogEntry::Claim(_), false) => seen.count("claim: taken by another"),
            (LogEntry::Checkpoint(_), false) => seen.count("commit: fenced"),
            (LogEntry::Claim(claim), true) => {
                let rank = |generation: u64| (seen.restorations << 32) | generation;
                let generation = claim.id.generation.0;
                // The first claim may not have been noted, although it is there: whoever put it may be dead.
                let begun = seen.origins.get(&(claim.lineage.0, claim.origin.0)).copied();
                let era = begun.filter(|_| !claim.is_origin()).unwrap_or(rank(claim.origin.0));
                seen.origins.insert((claim.lineage.0, claim.origin.0), era);
                let new = SeenClaim { process, rank: rank(generation), era };
                if seen.claims.insert((generation, claim.id.nonce), new.clone()).is_none() {
                    seen.count("claim");
                    let origin = claim.is_origin() && generation > 1;
                    seen.counts
                        .entry("reset: claimed".into())
                        .and_modify(|n| *n += u64::from(origin))
                        .or_insert(u64::from(origin));
                }
                // A store that was put back may have had a reset after the copy was made.
                if seen.claims.values().all(|claim| claim.rank <= new.rank) {
                    seen.era = era;
                }
                seen.processes[usize::from(process)].claim = Some(new);
            }
            (LogEntry::Checkpoint(manifest), true) => {
                let checkpoint = manifest.checkpoint.0;
                if seen.commits.insert(checkpoint, process) != Some(process) {
                    seen.count("commit");
                    let tiny_blocks = seen.processes[usize::from(process)].tiny_blocks;
                    let events = manifests::of(manifest, seen.newest.as_deref(), tiny_blocks);
                    events.into_iter().for_each(|event| seen.count(event));
                }
                seen.manifests.insert(checkpoint, manifest.clone());
                // A process may sleep between its commit and this note.
                let is_newer = seen.newest.as_ref().is_none_or(|newest| {
                    newest.checkpoint < manifest.checkpoint || seen.restorations > 0
                });
                if is_newer {
                    seen.newest = Some(manifest.clone());
                }
            }
        }
    }

    /// A process has staged output.
    pub fn stages(&self, process: u16, name: &str) {
        let own = &mut self.seen().processes[usize::from(process)];
        if own.holds_sources {
            own.waiting = Some(name.to_string());
        }
    }

    /// A process has brought output into a target.
    pub fn applies(&self, process: u16) {
        self.seen().processes[usize::from(process)].waiting = None;
    }

    /// A process has read an object of staged output. Its name says of which generation it is.
    pub fn reads_output(&self, process: u16, name: &str) {
        let seen = &mut *self.seen();
        let generation = name.split('-').nth(1).and_then(|generation| generation.parse().ok());
        let own = seen.claim_of(process).map(|claim| claim.rank & u64::from(u32::MAX));
        let is_own = own.is_some() && own == generation;
        seen.count(if is_own {
            "output: read back by who wrote it"
        } else {
            "output: read by another"
        });
    }

    /// A process has read a record.
    pub fn reads(&self, process: u16, source: usize, index: usize) {
        let seen = &mut *self.seen();
        if let Some(name) = &seen.processes[usize::from(process)].waiting {
            let what = format!("process {process} reads on while {name} waits for its target");
            seen.violations.push(what);
        }
        seen.processes[usize::from(process)].read += 1;
        let readers = &mut seen.readers[source][index];
        if !readers.contains(&process) {
            readers.push(process);
        }
    }
}

impl Seen {
    /// Counts something.
    pub fn count(&mut self, what: impl Into<String>) {
        *self.counts.entry(what.into()).or_default() += 1;
    }

    /// The generation with which the newest history began, as far as claims were noted.
    pub fn newest_origin(&self) -> u64 {
        self.era & u64::from(u32::MAX)
    }

    /// The level of a process.
    pub fn level(&self, process: u16) -> Consistency {
        self.processes[usize::from(process)].level
    }

    /// The claim of a process.
    pub fn claim_of(&self, process: u16) -> Option<&SeenClaim> {
        self.processes[usize::from(process)].claim.as_ref()
    }

    /// The claim that a marker names.
    pub fn claim_in(&self, marker: &Marker) -> Option<&SeenClaim> {
        self.claims.get(&(marker.claim.generation.0, marker.claim.nonce))
    }

    /// Whether a process that may count an event twice has claimed in this era.
    pub fn is_inflated(&self, era: u64) -> bool {
        self.has_level(era, Consistency::AtLeastOnce)
    }

    /// Whether a process of this level has claimed in this era.
    pub fn has_level(&self, era: u64, level: Consistency) -> bool {
        self.claims.values().any(|claim| claim.era == era && self.level(claim.process) == level)
    }

    /// Of all who have read a record, the one that claimed last: if anybody has committed it, it was
    /// that one.
    pub fn last_reader(&self, source: usize, index: usize) -> Option<u16> {
        let readers = self.readers[source][index].iter().copied();
        readers.max_by_key(|process| self.claim_of(*process).map_or(0, |claim| claim.rank))
    }
}
