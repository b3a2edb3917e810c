//! What befalls the processes of a simulation: who goes on at each call, and what becomes of it.
//!
//! The kind of a call at which something happens is drawn first, all kinds alike, and then which of
//! the calls of that kind: so a process dies at its claim as often as at any of its hundred writes. Many
//! histories have a theme: the same happens to most of their processes at the same kind of call, so that what
//! needs two such happenings in a row is not rare.

mod kinds;
mod moments;

use std::collections::BTreeMap;

use crate::baton::{Call, CallKind, Choice, Fate, Moment, Pending, ProcessId, Scheduler};
use crate::input::UNMARKED;
use crate::invariants::kept::Kept;
use crate::observer::Observer;

use kinds::Stage;

/// A deliberate fault in what is around the engine. Those in the engine are planted in a copy of its
/// sources (`cargo xtask faults`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// The disk's syncs do nothing.
    SyncSkipped,
    /// A target applies output without writing its marker.
    MarkerNotWritten,
    /// The store says that a log entry was created although another was there.
    FencingSkipped,
}

impl Mutation {
    /// All of them.
    pub const ALL: [Mutation; 3] =
        [Mutation::SyncSkipped, Mutation::MarkerNotWritten, Mutation::FencingSkipped];
}

/// No round takes so many calls: those with thousands of keys and a state file for each take many.
const MOST_CALLS: u64 = 3_000_000;

/// What a round is.
#[derive(Clone)]
pub struct Round {
    /// Of each process, whether it starts from scratch.
    pub resets: Vec<bool>,
    /// Whether somebody else comes, who is not disturbed.
    pub has_person: bool,
    /// Whether that is to put the store back.
    pub puts_back: bool,
    /// Whether sinks write into folders.
    pub has_folders: bool,
    /// What lies in the store.
    pub kept: Kept,
    /// What happens to most processes of the history, if it has a theme.
    pub theme: Option<Theme>,
    /// Whether it is the first of the history: folders are made only once.
    pub is_first: bool,
    /// Whether nothing happens but that processes take turns.
    pub is_calm: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Happening {
    DiesBefore,
    DiesAfter,
    Refused,
    AnswerLost,
    /// It sleeps for so many calls of others; without end, until all others have ended.
    Pauses(u64),
    /// It sleeps until the store was put back and has come, with another process, to just before where this one
    /// would go on.
    PausesForAnother,
    /// So many calls of this kind are refused, one after the other.
    StaysAway(u32),
}

impl Happening {
    fn draw(random: &mut fastrand::Rng) -> Happening {
        let pause = [20, 300, 3000, u64::MAX][random.usize(..4)];
        match random.u8(..13) {
            0..2 => Happening::DiesBefore,
            2..4 => Happening::DiesAfter,
            4..6 => Happening::Refused,
            6..8 => Happening::AnswerLost,
            8..12 => Happening::Pauses(pause),
            _ => Happening::StaysAway(random.u32(4..9)),
        }
    }
}

/// What happens to most processes of a history, and at which kind of call.
#[derive(Clone, Copy, Debug)]
pub struct Theme {
    kind: &'static str,
    happening: Happening,
    since: Stage,
}

impl Theme {
    /// Draws one.
    pub fn draw(random: &mut fastrand::Rng, has_folders: bool) -> Theme {
        if random.u8(..3) != 0 {
            let (kind, _, happening) = moments::draw(random, has_folders);
            return Theme { kind, happening, since: Stage::Looking };
        }
        let kind = kinds::draw(random, has_folders);
        Theme { kind, happening: Happening::draw(random), since: Stage::draw(random, kind) }
    }
}

#[derive(Debug, Default)]
struct Process {
    begins_at: u64,
    asleep_until: u64,
    /// From when on, what happens at which call of which kind.
    happenings: BTreeMap<&'static str, (Stage, u32, Option<Happening>)>,
    dies_next: bool,
    /// At how many calls after the last checkpoint of the job it dies.
    dies_after_the_end: Option<u32>,
    begun: bool,
    stage: Stage,
    /// It sleeps until there is another history, which has come to this log entry.
    waits_for: Option<String>,
    /// It begins when the store has been put back.
    begins_after_restoration: bool,
}

impl Process {
    /// What shows much where it happens, and would happen too rarely.
    fn draw_likely(&mut self, random: &mut fastrand::Rng, round: &Round, index: usize) {
        let mut happens = |kind, nth: u32, happening| {
            self.happenings.insert(kind, (Stage::Looking, nth, Some(happening)));
        };
        let long = [300, 3000, u64::MAX][random.usize(..3)];
        for _ in 0..[0, 0, 1, 1, 2][random.usize(..5)] {
            let (kind, nth, happening) = moments::draw(random, round.has_folders);
            happens(kind, nth, happening);
        }
        if round.is_first && index == 0 && round.has_folders && random.bool() {
            happens("folder create folder", random.u32(..6), Happening::DiesAfter);
        }
        // Others take over between a reset's claim and its look at what it empties.
        let resets = round.resets.get(index).copied().unwrap_or(false);
        if resets && random.bool() {
            happens("look after the claim", random.u32(..3), Happening::Pauses(long));
        }
        // Or while it empties it, and it is told of that by the target; or it is not told that it has.
        if resets && random.u8(..3) == 0 {
            let happening = [Happening::Pauses(long), Happening::AnswerLost][random.usize(..2)];
            happens("reset", random.u32(..2), happening);
        }
        // A process sleeps right before it commits, and the store is another one.
        if round.puts_back && random.u8(..4) != 0 {
            let pause = [Happening::Pauses(long), Happening::PausesForAnother];
            let pause = pause[usize::from(random.u8(..4) != 0)];
            let nth = [0, 0, 1, 1, 2, random.u32(..8)][random.usize(..6)];
            happens("commit", nth, pause);
        }
        if let Some(Theme { kind, happening, since }) = round.theme.filter(|_| random.u8(..4) != 0)
        {
            let nth = [0, 0, 1, 2, random.u32(..8), random.u32(..30)][random.usize(..6)];
            self.happenings.insert(kind, (since, nth, Some(happening)));
        }
    }
}

/// Decides by a seed. See the module.
pub struct FaultInjector {
    random: fastrand::Rng,
    observer: Observer,
    /// The number of the first process of this round.
    base: u16,
    kept: Kept,
    /// How often the store had been put back before.
    restorations: u64,
    /// How many of them calls can fail.
    disturbed: usize,
    processes: Vec<Process>,
    calls: u64,
    /// At one call in so many, another process may go on.
    switches: u32,
    /// One call in so many fails; 0: none.
    failures: u32,
    /// From which call to which the store does not answer, the target, and the store only to who puts.
    outages: [(u64, u64); 3],
    /// At this call everybody dies.
    power_fails: Option<u64>,
}

impl FaultInjector {
    /// For a round, the first process of which has the number `base`.
    pub fn new(mut random: fastrand::Rng, observer: Observer, base: u16, round: &Round) -> Self {
        let Round { has_person, has_folders, is_calm, .. } = *round;
        let restorations = observer.seen().restorations;
        let processes = round.resets.len();
        let random = &mut random;
        let late = [0, 30, 150, 1000][random.usize(..4)];
        let all = (0..processes + usize::from(has_person)).map(|index| {
            let mut process = Process::default();
            if index > 0 {
                // Who puts a store back makes the copy before others have done much.
                let is_early = round.puts_back && index == processes;
                process.begins_at = random.u64(..=if is_early { late.min(60) } else { late });
                if round.puts_back && index < processes && random.bool() {
                    process.begins_at = u64::MAX - 1;
                    process.begins_after_restoration = true;
                }
            }
            if !is_calm && random.u8(..3) == 0 {
                process.dies_after_the_end = Some(random.u32(..15));
            }
            let count = if is_calm { 0 } else { [0, 1, 1, 2, 3][random.usize(..5)] };
            for _ in 0..count {
                let kind = kinds::draw(random, has_folders);
                let nth = if random.bool() { 0 } else { random.u32(..12) };
                let since = Stage::draw(random, kind);
                process.happenings.insert(kind, (since, nth, Some(Happening::draw(random))));
            }
            if !is_calm {
                process.draw_likely(random, round, index);
            }
            process
        });
        let (disturbed, processes) = (processes, all.collect());
        let mut outage = || {
            let from = random.u64(..600);
            let long = [10, 100, 5000][random.usize(..3)];
            if is_calm || random.u8(..8) != 0 { (0, 0) } else { (from, from + long) }
        };
        let outages = [outage(), outage(), outage()];
        let power_fails = (!is_calm && random.u8(..5) == 0).then(|| {
            let most = [100, 600, 3000][random.usize(..3)];
            random.u64(..most)
        });
        let failures = if is_calm { 0 } else { [0, 0, 0, 2000, 300, 60][random.usize(..6)] };
        let switches = [2, 5, 20, 100, 1000][random.usize(..5)];
        let random = random.fork();
        FaultInjector {
            random,
            observer,
            base,
            kept: round.kept.clone(),
            restorations,
            disturbed,
            processes,
            calls: 0,
            switches,
            failures,
            outages,
            power_fails,
        }
    }

    /// A process that sleeps until there is another history, if that has come.
    fn awaited(&mut self, moment: &Moment<'_>) -> Option<ProcessId> {
        let waits = |(id, _): &&(ProcessId, Pending)| self.processes[*id].waits_for.is_some();
        let (id, _) = moment.ready.iter().find(waits)?;
        let own = &mut self.processes[*id];
        let seen = self.observer.seen();
        let number = self.base + *id as u16;
        let is_next = |entry: &String| self.kept.is_next(&seen, entry, number);
        let is_restored = seen.restorations > self.restorations;
        let has_come = is_restored && own.waits_for.as_ref().is_some_and(is_next);
        drop(seen);
        if !is_restored {
            // The old store comes at once: the other history may need some time.
            let person = self.processes.len() - 1;
            return moment.ready.iter().any(|(id, _)| *id == person).then_some(person);
        }
        if !has_come {
            return None;
        }
        (own.waits_for, own.asleep_until) = (None, 0);
        self.observer.count("pause at: commit, until another history has come there");
        Some(*id)
    }

    fn choose_process(&mut self, moment: &Moment<'_>) -> ProcessId {
        if let Some(process) = self.awaited(moment) {
            return process;
        }
        let is_restored = self.observer.seen().restorations > self.restorations;
        let begins = |own: &Process| {
            own.begins_at <= self.calls || own.begins_after_restoration && is_restored
        };
        let is_awake = |own: &Process, pending: &Pending| {
            own.asleep_until <= self.calls
                && (own.begun || begins(own) || *pending != Pending::Begin)
        };
        let awake: Vec<ProcessId> = moment
            .ready
            .iter()
            .filter(|(id, pending)| is_awake(&self.processes[*id], pending))
            .map(|(id, _)| *id)
            .collect();
        if awake.is_empty() {
            let all = moment.ready.iter().map(|(id, _)| *id);
            let next = all.min_by_key(|id| {
                let own = &self.processes[*id];
                (own.asleep_until.max(if own.begun { 0 } else { own.begins_at }), *id)
            });
            let next = next.unwrap_or_default();
            self.processes[next].asleep_until = 0;
            self.processes[next].waits_for = None;
            return next;
        }
        let stays = moment.current.filter(|current| awake.contains(current));
        match stays {
            Some(current) if awake.len() == 1 || self.random.u32(..self.switches) != 0 => current,
            _ => awake[self.random.usize(..awake.len())],
        }
    }

    /// Something has happened at a call of this kind, which was drawn as that kind.
    fn count(&self, word: &str, kind: &str, drawn: &str) {
        self.observer.count(format!("{word}: {kind}"));
        if kind != drawn {
            self.observer.count(format!("{word}: {drawn}"));
        }
    }

    fn fate(&mut self, process: ProcessId, call: &Call) -> Option<Fate> {
        let own = &mut self.processes[process];
        let is_disk = matches!(call.kind, CallKind::Disk(_));
        if own.dies_next && !is_disk {
            return Some(Fate::DiesBefore);
        }
        if let Some(calls) = &mut own.dies_after_the_end
            && self.observer.seen().newest.as_ref().is_some_and(|newest| newest.is_finished())
        {
            if *calls == 0 {
                self.observer.count("death after the last commit");
                return Some(Fate::DiesBefore);
            }
            *calls -= 1;
        }
        let kind = kinds::general(call, own.stage);
        let special = kinds::special(call, own.stage, self.kept.layout.block);
        own.stage = own.stage.after(call.kind);
        let (mut happening, mut at) = (None, kind);
        for one in [Some(kind), special].into_iter().flatten() {
            let Some((since, nth, what)) = own.happenings.get_mut(one) else { continue };
            if own.stage < *since {
                continue;
            }
            if *nth == 0 && happening.is_none() && what.is_some() {
                (happening, at) = (what.take(), one);
                if let Some(Happening::StaysAway(more)) = happening {
                    *what = more.checked_sub(1).map(Happening::StaysAway);
                }
            }
            *nth = nth.saturating_sub(1);
        }
        let within = |(from, to): (u64, u64)| (from..to).contains(&self.calls);
        let is_target = call.kind.is_for_target();
        let is_store = !is_target && !is_disk && call.kind != CallKind::Clock;
        if is_store && within(self.outages[0]) || is_target && within(self.outages[1]) {
            self.observer.count(if is_store { "outage: store" } else { "outage: target" });
            return Some(Fate::Refused);
        }
        if call.kind.is_put() && within(self.outages[2]) {
            self.observer.count("outage: puts");
            return Some(Fate::Refused);
        }
        if happening.is_none() && self.failures > 0 && self.random.u32(..self.failures) == 0 {
            let lost = self.random.bool();
            happening = Some(if lost { Happening::AnswerLost } else { Happening::Refused });
        }
        let (fate, word) = match happening? {
            Happening::DiesBefore => (Fate::DiesBefore, "death before"),
            Happening::DiesAfter if is_disk || is_target => (Fate::DiesAfter, "death after"),
            Happening::DiesAfter => {
                own.dies_next = true;
                (Fate::Effect, "death after")
            }
            Happening::AnswerLost if call.kind.has_effect() => (Fate::AnswerLost, "answer lost"),
            Happening::Refused | Happening::AnswerLost | Happening::StaysAway(_) => {
                (Fate::Refused, "refused")
            }
            Happening::PausesForAnother => {
                own.asleep_until = u64::MAX;
                own.waits_for = Some(call.object.clone());
                return None;
            }
            Happening::Pauses(calls) => {
                own.asleep_until = self.calls.saturating_add(calls);
                self.count("pause at", kind, at);
                return None;
            }
        };
        self.count(word, kind, at);
        Some(fate)
    }
}

impl Scheduler for FaultInjector {
    fn choose(&mut self, moment: &Moment<'_>) -> Choice {
        self.calls += 1;
        if self.calls == MOST_CALLS {
            self.observer.violation("the processes go on calling for ever".to_string());
            self.power_fails = Some(0);
        }
        if self.power_fails.is_some_and(|at| self.calls >= at) {
            self.observer.count("everybody dies at once");
            return Choice::Abandon;
        }
        loop {
            let process = self.choose_process(moment);
            let pending = moment.ready.iter().find(|(id, _)| *id == process).map(|(_, p)| p);
            self.processes[process].begun = true;
            let Some(Pending::Call(call)) = pending.filter(|_| process < self.disturbed) else {
                return Choice::GoOn(process, Fate::Effect);
            };
            let slept = self.processes[process].asleep_until;
            let fate = self.fate(process, call);
            if fate.is_none() && self.processes[process].asleep_until != slept {
                if moment.ready.len() > 1 {
                    continue;
                }
                self.processes[process].asleep_until = 0;
            }
            if fate.is_some_and(|fate| fate != Fate::Effect) {
                let number = usize::from(self.base) + process;
                let own = &mut self.observer.seen().processes[number];
                own.disturbed = true;
                own.failures += 1;
                own.may_give_up |= call.object.starts_with("/input/")
                    || call.object == UNMARKED
                    || call.kind == CallKind::Clock;
            }
            return Choice::GoOn(process, fate.unwrap_or(Fate::Effect));
        }
    }
}
