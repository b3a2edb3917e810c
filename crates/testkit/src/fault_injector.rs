//! What befalls the processes of a simulation: who goes on at each call, and what becomes of it.
//!
//! The kind of a call at which something happens is drawn first, all kinds alike, and then which of
//! the calls of that kind: so a process dies at its claim as often as at any of its hundred writes.

use std::collections::BTreeMap;

use crate::baton::{Call, CallKind, Choice, DiskCall, Fate, Moment, Pending, ProcessId, Scheduler};
use crate::input::UNMARKED;
use crate::observer::Observer;

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

/// The kinds of call at which something may happen.
const KINDS: [&str; 28] = [
    "claim",
    "commit",
    "put closed marker",
    "put data",
    "get log entry",
    "get closed marker",
    "get data",
    "list",
    "delete log entry",
    "delete data",
    "look",
    "look after the claim",
    "acquire",
    "apply",
    // Few histories have any.
    "reset",
    "reset",
    "reset",
    "clock",
    "disk write",
    "disk sync file",
    "disk sync folder",
    "disk link log entry",
    "disk link",
    "disk remove",
    "disk read",
    "disk list",
    "disk create folder",
    "disk sync log folder",
];

/// The same within the folders of sinks.
const FOLDER_KINDS: [&str; 7] = [
    "folder read",
    "folder list",
    "folder write",
    "folder link slot",
    "folder link part",
    "folder sync",
    "folder remove",
];

/// What a round is.
#[derive(Clone, Debug)]
pub struct Round {
    /// Of each process, whether it starts from scratch.
    pub resets: Vec<bool>,
    /// Whether somebody else comes, who is not disturbed.
    pub has_person: bool,
    /// Whether that is to put the store back.
    pub puts_back: bool,
    /// Whether sinks write into folders.
    pub has_folders: bool,
    /// Whether nothing happens but that processes take turns.
    pub is_calm: bool,
}

fn kind_of(call: &Call, has_claimed: bool) -> &'static str {
    let at = |part: &str| call.object.contains(part);
    match call.kind {
        CallKind::Disk(call) if at("/folders/") => match call {
            DiskCall::Read => "folder read",
            DiskCall::List => "folder list",
            DiskCall::Link if at("/slots/") => "folder link slot",
            DiskCall::Link => "folder link part",
            DiskCall::SyncFile | DiskCall::SyncFolder => "folder sync",
            DiskCall::Remove => "folder remove",
            DiskCall::Write | DiskCall::Rename | DiskCall::CreateFolder => "folder write",
        },
        CallKind::StorePutClaim => "claim",
        CallKind::StorePutCheckpoint => "commit",
        CallKind::StorePutClosed => "put closed marker",
        CallKind::StorePutData => "put data",
        CallKind::StoreGet if at("log/") => "get log entry",
        CallKind::StoreGet if at("closed/") => "get closed marker",
        CallKind::StoreGet => "get data",
        CallKind::StoreList => "list",
        CallKind::StoreDelete if at("log/") => "delete log entry",
        CallKind::StoreDelete => "delete data",
        CallKind::TargetLook if has_claimed => "look after the claim",
        CallKind::TargetLook => "look",
        CallKind::TargetAcquire => "acquire",
        CallKind::TargetApply => "apply",
        CallKind::TargetReset => "reset",
        CallKind::Clock => "clock",
        CallKind::Disk(DiskCall::Write) => "disk write",
        CallKind::Disk(DiskCall::SyncFile) => "disk sync file",
        CallKind::Disk(DiskCall::SyncFolder) if at("/log") => "disk sync log folder",
        CallKind::Disk(DiskCall::SyncFolder) => "disk sync folder",
        CallKind::Disk(DiskCall::Link | DiskCall::Rename) if at("/log/") => "disk link log entry",
        CallKind::Disk(DiskCall::Link | DiskCall::Rename) => "disk link",
        CallKind::Disk(DiskCall::Remove) => "disk remove",
        CallKind::Disk(DiskCall::Read) => "disk read",
        CallKind::Disk(DiskCall::List) => "disk list",
        CallKind::Disk(DiskCall::CreateFolder) => "disk create folder",
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Happening {
    DiesBefore,
    DiesAfter,
    Refused,
    AnswerLost,
    /// It sleeps for so many calls of others; without end, until all others have ended.
    Pauses(u64),
}

#[derive(Debug, Default)]
struct Process {
    begins_at: u64,
    asleep_until: u64,
    /// What happens at which call of which kind.
    happenings: BTreeMap<&'static str, (u32, Option<Happening>)>,
    dies_next: bool,
    /// At how many calls after the last checkpoint of the job it dies.
    dies_after_the_end: Option<u32>,
    begun: bool,
    has_claimed: bool,
}

impl Process {
    /// What shows much where it happens, and would happen too rarely.
    fn draw_likely(&mut self, random: &mut fastrand::Rng, round: &Round, index: usize) {
        let mut happens = |what: bool, kind, nth: u32, happening| {
            if what {
                self.happenings.insert(kind, (nth, Some(happening)));
            }
        };
        let long = [300, 3000, u64::MAX][random.usize(..3)];
        // Others take over between a reset's claim and its look at what it empties.
        let resets = round.resets.get(index).copied().unwrap_or(false);
        let nth = random.u32(..3);
        let what = resets && random.bool();
        happens(what, "look after the claim", nth, Happening::Pauses(long));
        // A process sleeps right before it commits, and the store is another one.
        let what = round.puts_back && random.bool();
        happens(what, "commit", random.u32(..5), Happening::Pauses(long));
        // An entry is there, and its name is not durable.
        let what = random.u8(..8) == 0;
        happens(what, "disk link log entry", random.u32(..12), Happening::DiesAfter);
        let what = round.has_folders && random.u8(..3) == 0;
        let links = ["folder link slot", "folder link part"][random.usize(..2)];
        let deaths = [Happening::DiesBefore, Happening::DiesAfter, Happening::Pauses(long)];
        let death = deaths[random.usize(..3)];
        happens(what, links, random.u32(..6), death);
        // Output is committed, and its target has it or has it not.
        let (what, death) = (random.u8(..10) == 0, deaths[random.usize(..2)]);
        happens(what, "apply", random.u32(..6), death);
    }
}

/// Decides by a seed. See the module.
pub struct FaultInjector {
    random: fastrand::Rng,
    observer: Observer,
    /// The number of the first process of this round.
    base: u16,
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
        let processes = round.resets.len();
        let random = &mut random;
        let late = [0, 30, 150, 1000][random.usize(..4)];
        let all = (0..processes + usize::from(has_person)).map(|index| {
            let mut process = Process::default();
            if index > 0 {
                process.begins_at = random.u64(..=late);
            }
            if !is_calm && random.u8(..3) == 0 {
                process.dies_after_the_end = Some(random.u32(..15));
            }
            let count = if is_calm { 0 } else { [0, 1, 1, 2, 3][random.usize(..5)] };
            for _ in 0..count {
                let kind = match has_folders && random.bool() {
                    true => FOLDER_KINDS[random.usize(..FOLDER_KINDS.len())],
                    false => KINDS[random.usize(..KINDS.len())],
                };
                let nth = if random.bool() { 0 } else { random.u32(..12) };
                let pause = [20, 300, 3000, u64::MAX][random.usize(..4)];
                let what = [
                    Happening::DiesBefore,
                    Happening::DiesAfter,
                    Happening::Refused,
                    Happening::AnswerLost,
                    Happening::Pauses(pause),
                    Happening::Pauses(pause),
                ];
                process.happenings.insert(kind, (nth, Some(what[random.usize(..what.len())])));
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
            disturbed,
            processes,
            calls: 0,
            switches,
            failures,
            outages,
            power_fails,
        }
    }

    fn choose_process(&mut self, moment: &Moment<'_>) -> ProcessId {
        let is_awake = |own: &Process, pending: &Pending| {
            own.asleep_until <= self.calls
                && (own.begun || own.begins_at <= self.calls || *pending != Pending::Begin)
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
            return next;
        }
        let stays = moment.current.filter(|current| awake.contains(current));
        match stays {
            Some(current) if awake.len() == 1 || self.random.u32(..self.switches) != 0 => current,
            _ => awake[self.random.usize(..awake.len())],
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
        let kind = kind_of(call, own.has_claimed);
        own.has_claimed |= call.kind == CallKind::StorePutClaim;
        let mut happening = None;
        if let Some((nth, what)) = own.happenings.get_mut(kind) {
            if *nth == 0 {
                happening = what.take();
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
            Happening::Refused | Happening::AnswerLost => (Fate::Refused, "refused"),
            Happening::Pauses(calls) => {
                own.asleep_until = self.calls.saturating_add(calls);
                self.observer.count(format!("pause at: {kind}"));
                return None;
            }
        };
        self.observer.count(format!("{word}: {kind}"));
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
