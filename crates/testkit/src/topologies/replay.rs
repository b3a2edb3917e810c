//! A source that replays the events of a simulation, and writes down who reads what.
//!
//! It keeps to the number of records and of bytes that it is asked for, and says what they weigh. One in
//! a sleepy process has nothing for a while now and then: until some time, or until its bell rings.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use serde::{Deserialize, Serialize};
use steadfast::time::Timestamp;
use steadfast_core::Result;
use steadfast_core::source::{
    BadRecord, Planned, PollLimit, Polled, Resumed, Source, SourceOutput, SplitReader, SplitStatus,
};

use crate::input::{Event, SPLITS, range};
use crate::observer::Observer;

/// See the module.
pub(super) struct Replay {
    pub(super) events: Arc<[Event]>,
    pub(super) source: usize,
    pub(super) process: u16,
    pub(super) observer: Observer,
    /// Whether bad events are rejected.
    pub(super) rejects: bool,
    /// Who rings where it waits; none if it never does.
    pub(super) bells: Option<Bells>,
    /// Whose turn it was, where splits are read in turn.
    pub(super) turns: Option<Turns>,
}

/// Which splits a task reads at once, and how often it has read one of them without looking at another.
#[derive(Clone, Default)]
pub struct Turns(Arc<Mutex<BTreeMap<usize, Turn>>>);

#[derive(Default)]
struct Turn {
    open: BTreeSet<usize>,
    last: Option<usize>,
    times: u32,
}

/// So often no split is read before the others that are open.
const MOST_TURNS: u32 = 20;

impl Turns {
    /// A task polls a split. Says whether it has done so too often.
    fn polled(&self, waker: &Waker, split: usize, has_ended: bool) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = all.entry(waker.data() as usize).or_default();
        turn.open.insert(split);
        turn.times = if turn.last == Some(split) { turn.times + 1 } else { 0 };
        turn.last = Some(split);
        let is_too_often = turn.open.len() > 1 && turn.times > MOST_TURNS;
        if has_ended {
            turn.open.remove(&split);
        }
        is_too_often
    }

    /// A task has begun a split.
    fn opened(&self, waker: &Waker, split: usize) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(waker.data() as usize).or_default().open.insert(split);
    }
}

/// What readers wait for, who have nothing for now.
#[derive(Clone, Default)]
pub struct Bells(Arc<Mutex<Vec<Bell>>>);

type Bell = (Arc<AtomicBool>, Waker);

impl Bells {
    fn all(&self) -> MutexGuard<'_, Vec<Bell>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something has come for one of those who wait. Says whether anybody does.
    pub fn ring(&self, random: &mut fastrand::Rng) -> bool {
        let mut all = self.all();
        if all.is_empty() {
            return false;
        }
        let which = random.usize(..all.len());
        let (has_come, waker) = all.swap_remove(which);
        drop(all);
        has_come.store(true, Ordering::Relaxed);
        waker.wake();
        true
    }
}

/// What a reader waits for.
enum Wait {
    Until(Timestamp),
    ForBell(Arc<AtomicBool>),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ReplaySplit {
    next: usize,
    end: usize,
}

impl Source for Replay {
    type Item = Event;
    type Split = ReplaySplit;
    type Reader = ReplayReader;

    fn plan(
        &self,
        Resumed { splits: resumed, .. }: Resumed<ReplaySplit>,
        _readers: usize,
    ) -> Result<Planned<ReplaySplit>> {
        let splits = SPLITS[self.source];
        let fresh = |index| {
            let Range { start, end } = range(self.events.len(), splits, index);
            ReplaySplit { next: start, end }
        };
        let all = if resumed.is_empty() { (0..splits).map(fresh).collect() } else { resumed };
        if all.len() != splits {
            self.observer.violation(format!("{} splits instead of {splits}", all.len()));
        }
        let status =
            |split: ReplaySplit| SplitStatus { finished: split.next == split.end, done: 0, split };
        Ok(Planned::new(all.into_iter().map(status).collect()))
    }

    fn open(&self, split: ReplaySplit, waker: &Waker) -> Result<ReplayReader> {
        let (events, observer) = (Arc::clone(&self.events), self.observer.clone());
        let Replay { source, process, rejects, .. } = *self;
        let random = fastrand::Rng::with_seed(split.next as u64 + u64::from(process));
        let sleep = self.bells.clone().map(|bells| (bells, waker.clone(), random));
        // Who sleeps is passed over.
        let turns = self.turns.clone().filter(|_| sleep.is_none() && self.total().is_none());
        let turns = turns.map(|turns| (turns, waker.clone()));
        if let Some((turns, waker)) = &turns {
            turns.opened(waker, split.end);
        }
        let wait = None;
        Ok(ReplayReader { events, source, process, observer, rejects, split, sleep, turns, wait })
    }

    fn at_once(&self) -> usize {
        // Of what has no end that is known, all splits are read at once.
        if self.total().is_some() { 1 } else { usize::MAX }
    }

    fn total(&self) -> Option<u64> {
        (self.process % 3 != 2).then_some(self.events.len() as u64)
    }

    fn describe(&self) -> String {
        "events of a simulation".to_string()
    }
}

pub(super) struct ReplayReader {
    events: Arc<[Event]>,
    source: usize,
    process: u16,
    observer: Observer,
    rejects: bool,
    split: ReplaySplit,
    sleep: Option<(Bells, Waker, fastrand::Rng)>,
    turns: Option<(Turns, Waker)>,
    wait: Option<Wait>,
}

impl ReplayReader {
    /// Whether it has nothing for now.
    fn sleeps(&mut self, now: Timestamp) -> Option<Polled> {
        match &self.wait {
            Some(Wait::Until(until)) if now < *until => return Some(Polled::Idle(Some(*until))),
            Some(Wait::ForBell(has_come)) if !has_come.load(Ordering::Relaxed) => {
                return Some(Polled::Idle(None));
            }
            // It has something now, and gives that first.
            Some(_) => {
                self.wait = None;
                return None;
            }
            None => {}
        }
        let (bells, waker, random) = self.sleep.as_mut()?;
        match random.u16(..800) {
            0..8 => {
                let until = Timestamp(now.0 + 1);
                self.observer.count("source: sleeps until a time");
                self.wait = Some(Wait::Until(until));
                Some(Polled::Idle(Some(until)))
            }
            // Something comes while it looks.
            8..16 => {
                self.wait = Some(Wait::ForBell(Arc::new(AtomicBool::new(true))));
                self.observer.count("source: woken while it is asked");
                waker.wake_by_ref();
                Some(Polled::Idle(None))
            }
            16..80 => {
                let has_come = Arc::new(AtomicBool::new(false));
                bells.all().push((Arc::clone(&has_come), waker.clone()));
                self.observer.count("source: sleeps until it is woken");
                self.wait = Some(Wait::ForBell(has_come));
                Some(Polled::Idle(None))
            }
            _ => None,
        }
    }
}

impl SplitReader for ReplayReader {
    type Item = Event;
    type Split = ReplaySplit;

    fn poll(
        &mut self,
        limit: PollLimit,
        now: Timestamp,
        output: &mut impl SourceOutput<Event>,
    ) -> Result<Polled> {
        if let Some(sleeps) = self.sleeps(now) {
            return Ok(sleeps);
        }
        let end = self.split.end.min(self.split.next.saturating_add(limit.records));
        let mut read = 0;
        while self.split.next < end && read < limit.bytes {
            let index = self.split.next;
            let event = &self.events[index];
            self.split.next += 1;
            if !output.looks_ahead() {
                self.observer.reads(self.process, self.source, index);
            }
            let bytes = event.amount.unsigned_abs() as usize;
            read += bytes.max(1);
            output.weigh(bytes);
            if event.bad && self.rejects {
                output.reject(bad_record(event, self.process))?;
            } else {
                output.push(event.clone())?;
            }
            output.advance(1);
        }
        let has_ended = self.split.next == self.split.end;
        if let Some((turns, waker)) = &self.turns
            && turns.polled(waker, self.split.end, has_ended)
        {
            self.observer.violation("a split is read on and on, and others wait".to_string());
        }
        Ok(if has_ended { Polled::End } else { Polled::More })
    }

    fn split(&self) -> ReplaySplit {
        self.split.clone()
    }
}

/// What is rejected of an event that is no record. Its place is who has read it.
fn bad_record(event: &Event, process: u16) -> BadRecord {
    BadRecord {
        raw: event.seq.to_string().into_bytes(),
        place: process.to_string(),
        offset: event.seq,
        line: None,
        reason: "it was drawn so".to_string(),
    }
}
