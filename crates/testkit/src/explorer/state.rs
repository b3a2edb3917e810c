//! Everything at one moment of a schedule: the environment, where each process stands, what is left
//! of the bounds, and what has to be remembered to tell right from wrong.

use std::sync::Arc;

use steadfast_core::ErrorKind;
use steadfast_core::store::Put;

use crate::baton::{CallFailure, CallKind, Fate, ProcessId};
use crate::environment::{Answer, Environment, Fingerprint, Request};

use super::history::{Histories, Place, Reply};
use super::job::{self, Exit, Expected};

/// See the module.
#[derive(Clone)]
pub struct State {
    /// What outlives the processes.
    pub environment: Environment,
    /// Where each process stands.
    pub places: Vec<Arc<Place>>,
    /// Who goes on; none at the beginning and when a process has ended.
    pub current: Option<ProcessId>,
    /// How many preemptions are left.
    pub preemptions: u8,
    /// How many answers may still be lost.
    pub lost: u8,
    /// How many objects may still be damaged.
    pub damages: u8,
    memory: Memory,
}

/// What tells right from wrong later on.
#[derive(Clone, Debug, Default)]
struct Memory {
    /// Who claimed last.
    leader: Option<ProcessId>,
    /// Who committed last.
    committer: Option<ProcessId>,
    /// Everybody who committed before that, a bit each.
    former_committers: u32,
    highest_committed: u64,
    /// The job was finished, and nobody has claimed it since.
    settled: bool,
    /// Something was damaged.
    damaged: bool,
    /// Something was damaged, and there was nothing to fall back to.
    hopeless: bool,
    /// Everybody who is alive and has claimed before the last one who did, a bit each.
    superseded: u32,
    /// Everybody who has claimed, a bit each.
    claimants: u32,
    /// Everybody who is alive and wanted to commit what was no commit, a bit each.
    refuted: u32,
    /// Everybody who is alive and has not had an answer of a target, a bit each: that ends a process.
    /// The store is asked again.
    unanswered: u32,
}

/// One thing that has happened in a schedule.
#[derive(Clone)]
pub enum Event {
    /// A process made the call that it stood before.
    Turn {
        /// Where it stood.
        place: Arc<Place>,
        /// What became of the call.
        fate: Fate,
        /// What it was told.
        reply: Reply,
        /// Where it stood then.
        then: Arc<Place>,
    },
    /// An object was damaged.
    Damaged(Arc<str>),
}

/// Something that must not happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// What has happened.
    pub what: String,
    /// Whether a result is wrong; otherwise a rule was broken that protects results.
    pub is_wrong_result: bool,
}

impl State {
    /// Before everything.
    pub fn new(histories: &[Histories], bounds: [u8; 3]) -> Self {
        let [preemptions, lost, damages] = bounds;
        State {
            environment: Environment::default(),
            places: histories.iter().map(Histories::beginning).collect(),
            current: None,
            preemptions,
            lost,
            damages,
            memory: Memory::default(),
        }
    }

    /// Two states with the same one have the same future, but for what is left of the bounds.
    pub fn print(&self) -> Fingerprint {
        let mut print = self.environment.fingerprint();
        self.places.iter().for_each(|place| print.add_print(place.print));
        let Memory { leader, committer, former_committers, highest_committed, settled, .. } =
            self.memory;
        let Memory { damaged, hopeless, superseded, claimants, refuted, unanswered, .. } =
            self.memory;
        let number = |process: Option<ProcessId>| process.map_or(0, |process| process as u64 + 1);
        print.add(number(self.current) << 16 | number(leader) << 8 | number(committer));
        print.add(u64::from(former_committers) << 32 | u64::from(self.damages));
        let flags = u64::from(settled) << 2 | u64::from(damaged) << 1 | u64::from(hopeless);
        print.add(highest_committed << 3 | flags);
        print.add(u64::from(superseded) << 32 | u64::from(unanswered));
        print.add(u64::from(claimants) << 32 | u64::from(refuted));
        print
    }

    /// Whether something was damaged.
    pub fn is_damaged(&self) -> bool {
        self.memory.damaged
    }

    /// Whether it was hopeless to go on after what was damaged.
    pub fn is_hopeless(&self) -> bool {
        self.memory.hopeless
    }

    /// The current process makes its call.
    pub fn step(
        &mut self,
        histories: &[Histories],
        expected: &Expected,
        fate: Fate,
    ) -> (Option<Event>, Option<Violation>) {
        let Some(process) = self.current else { return (None, None) };
        let place = Arc::clone(&self.places[process]);
        let Some(request) = place.request() else { return (None, None) };
        let answer = self.environment.perform(request);
        let mut violation = self.watch(process, request, &answer, expected);
        if fate != Fate::Effect && request.kind().is_for_target() {
            self.memory.unanswered |= 1 << process;
        }
        let reply = match fate {
            Fate::Effect => Ok(answer),
            _ => Err(CallFailure::AnswerLost),
        };
        let then = histories[process].after(&place, reply.clone(), &self.environment);
        self.places[process] = Arc::clone(&then);
        if let Some(exit) = then.exit() {
            self.current = None;
            violation = violation.or(self.watch_exit(process, exit, expected));
            self.memory.superseded &= !(1 << process);
            self.memory.claimants &= !(1 << process);
            self.memory.refuted &= !(1 << process);
            self.memory.unanswered &= !(1 << process);
        }
        (Some(Event::Turn { place, fate, reply, then }), violation)
    }

    fn check_all(&self, expected: &Expected) -> Result<(), String> {
        let table = |name| self.environment.table(name);
        expected.check_all(table("payments"), table("balances"))
    }

    /// Holds a call that took effect against the rules.
    fn watch(
        &mut self,
        process: ProcessId,
        request: &Request,
        answer: &Answer,
        expected: &Expected,
    ) -> Option<Violation> {
        // An entry of the log may be put again: after a lost answer, or to make it durable.
        let repeats =
            matches!(request.kind(), CallKind::StorePutClaim | CallKind::StorePutCheckpoint);
        let goes_on = request.kind().has_effect() && !repeats;
        if request.kind() == CallKind::StorePutClaim {
            // It begins again: what it put before was to make the end of the log durable.
            self.memory.refuted &= !(1 << process);
        }
        if self.memory.refuted >> process & 1 == 1 && goes_on {
            let what = "a process goes on after a commit that was none";
            return Some(Violation { what: what.to_string(), is_wrong_result: true });
        }
        match (request.kind(), answer) {
            (CallKind::StorePutCheckpoint, Answer::Put(Put::AlreadyExists)) => {
                let Request::Put { name, object, .. } = request else { return None };
                let mut there = self.environment.objects().filter(|(other, _)| *other == name);
                let is_own = there.all(|(_, there)| there.print == object.print);
                self.memory.refuted |= u32::from(!is_own) << process;
                None
            }
            (kind, Answer::Put(Put::Created)) => {
                let Request::Put { name, .. } = request else { return None };
                let number = job::log_number(name)?;
                // What is put into a closed block is no entry; whoever has put it must find out.
                if self.environment.has_object(&expected.job.closed(number)) {
                    // Before it has claimed anything it makes others' entries durable.
                    let has_claimed = self.memory.claimants >> process & 1 == 1;
                    let is_commit = kind == CallKind::StorePutCheckpoint && has_claimed;
                    self.memory.refuted |= u32::from(is_commit) << process;
                    return None;
                }
                if kind == CallKind::StorePutCheckpoint {
                    return self.watch_commit(process, number);
                }
                if let Some(before) = self.memory.leader.filter(|before| *before != process) {
                    let lives = self.places[before].exit().is_none();
                    self.memory.superseded |= u32::from(lives) << before;
                }
                self.memory.leader = Some(process);
                self.memory.claimants |= 1 << process;
                self.memory.settled = false;
                None
            }
            (CallKind::TargetApply | CallKind::TargetAcquire | CallKind::TargetReset, _) => {
                if self.memory.claimants >> process & 1 == 0 {
                    let what = "a process that has claimed nothing wants to change a target";
                    return Some(Violation { what: what.to_string(), is_wrong_result: true });
                }
                let rows = expected.check_rows(self.environment.table("payments"));
                let settled = self.memory.settled.then(|| self.check_all(expected));
                let changed = |what| format!("a finished result was changed: {what}");
                let problem = rows.err().or(settled.and_then(Result::err).map(changed))?;
                Some(Violation { what: problem, is_wrong_result: true })
            }
            _ => None,
        }
    }

    fn watch_commit(&mut self, process: ProcessId, number: u64) -> Option<Violation> {
        let memory = &mut self.memory;
        let broken = |what: &str| {
            let what = format!("two leaders: {what}");
            Some(Violation { what, is_wrong_result: false })
        };
        let is_former = memory.former_committers >> process & 1 == 1;
        let is_below = number <= memory.highest_committed;
        if let Some(before) = memory.committer.filter(|before| *before != process) {
            memory.former_committers |= 1 << before;
        }
        memory.committer = Some(process);
        memory.highest_committed = memory.highest_committed.max(number);
        if is_former {
            broken("a process commits again after another has committed")
        } else if is_below {
            broken("a checkpoint is committed under a number below one that was committed")
        } else {
            None
        }
    }

    fn watch_exit(
        &mut self,
        process: ProcessId,
        exit: &Exit,
        expected: &Expected,
    ) -> Option<Violation> {
        let has = |processes: u32| processes >> process & 1 == 1;
        let broken = |what| Some(Violation { what, is_wrong_result: false });
        let what = match exit {
            Exit::Broken(what) => what.clone(),
            Exit::Finished if self.memory.leader == Some(process) => {
                self.memory.settled = true;
                let what = self.check_all(expected).err()?;
                format!("a process has finished, but {what}")
            }
            Exit::Failed { kind: ErrorKind::Fenced, what } if !has(self.memory.superseded) => {
                return broken(format!("nobody has taken over, but a process says: {what}"));
            }
            Exit::Failed { kind, what } if *kind != ErrorKind::Fenced && !self.memory.damaged => {
                let is_unavailable = *kind == ErrorKind::Unavailable;
                if is_unavailable && has(self.memory.unanswered) {
                    return None;
                } else if has(self.memory.superseded) {
                    return broken(format!("a process that is fenced says: {what}"));
                }
                return broken(format!("nothing is damaged, but a process says: {what}"));
            }
            Exit::Finished | Exit::Failed { .. } | Exit::Crashed => return None,
        };
        Some(Violation { what, is_wrong_result: true })
    }

    /// What a bad disk may damage now: the newest checkpoint's log entry, or one of its objects.
    pub fn damageable(&self) -> Vec<Arc<str>> {
        let Some((newest, _)) = self.checkpoints().next_back() else { return Vec::new() };
        let number = job::log_number(newest);
        let data = self.environment.objects().map(|(name, _)| name);
        let data = data.filter(|name| job::checkpoint_of_data(name) == number);
        data.chain([newest]).map(Arc::clone).collect()
    }

    fn checkpoints(&self) -> impl DoubleEndedIterator<Item = (&Arc<str>, &[u8])> {
        let objects = self.environment.objects().map(|(name, object)| (name, &*object.bytes));
        objects
            .filter(|(name, bytes)| job::kind_of_put(name, bytes) == CallKind::StorePutCheckpoint)
    }

    /// Damages an object of the newest checkpoint. Whoever has begun has crashed: a process that is
    /// alive needs what it has written no more, and cannot know.
    pub fn damage(&mut self, histories: &[Histories], name: &Arc<str>) -> Event {
        for (place, histories) in self.places.iter_mut().zip(histories) {
            if !place.is_beginning() && place.exit().is_none() {
                *place = histories.crashed();
            }
        }
        self.damages -= 1;
        (self.memory.superseded, self.memory.unanswered) = (0, 0);
        self.memory.damaged = true;
        // The entry of an older checkpoint says nothing: what only it needed may be gone.
        let newest = self.checkpoints().next_back();
        self.memory.hopeless = newest.is_none_or(|(_, bytes)| job::kept_with(bytes) < 2);
        self.memory.settled = false;
        self.environment.damage(name);
        Event::Damaged(Arc::clone(name))
    }
}
