//! The search: depth first from state to state, with a state for each choice that was put off.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::baton::{CallKind, Fate, ProcessId};

use super::confirm::confirm;
use super::history::Histories;
use super::job::{self, Exit, Expected};
use super::state::{Event, State, Violation};
use super::visited::{self, Visited};
use super::{Exploration, Finding, Start, trace};

/// So deep, choices are left to whoever has nothing to do.
const SHARED_DEPTH: u32 = 3;

/// See the module.
pub struct Search {
    exploration: Exploration,
    /// Of each process, and of the one that runs undisturbed at the end.
    histories: Vec<Histories>,
    expected: Expected,
    visited: Visited,
    work: Mutex<Work>,
    more_work: Condvar,
    violations: Mutex<BTreeMap<String, Finding>>,
    refusals: Mutex<BTreeMap<String, Finding>>,
    is_over: AtomicBool,
    pub(super) schedules: AtomicU64,
    pub(super) pruned: AtomicU64,
    pub(super) calls: AtomicU64,
}

#[derive(Default)]
struct Work {
    waiting: Vec<(State, Vec<Event>)>,
    busy: usize,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Search {
    pub(super) fn new(exploration: Exploration) -> Self {
        let starts = exploration.starts.iter().copied().chain([Start::Run]).enumerate();
        let histories = |(process, start)| {
            Histories::new(exploration.job.clone(), process, start, exploration.prunes)
        };
        let histories = starts.map(histories).collect();
        Search {
            expected: Expected::of(exploration.job.clone()),
            visited: Visited::new(exploration.progress),
            exploration,
            histories,
            work: Mutex::default(),
            more_work: Condvar::new(),
            violations: Mutex::default(),
            refusals: Mutex::default(),
            is_over: AtomicBool::new(false),
            schedules: AtomicU64::new(0),
            pruned: AtomicU64::new(0),
            calls: AtomicU64::new(0),
        }
    }

    pub(super) fn run(&self) {
        let Exploration { preemptions, lost, damages, threads, .. } = self.exploration;
        let (preemptions, lost) = (preemptions.min(visited::MOST.0), lost.min(visited::MOST.1));
        let state = State::new(&self.histories, [preemptions, lost, damages]);
        lock(&self.work).waiting.push((state, Vec::new()));
        std::thread::scope(|scope| {
            (1..threads).for_each(|_| drop(scope.spawn(|| self.work())));
            self.work();
        });
    }

    fn work(&self) {
        let mut work = lock(&self.work);
        loop {
            if let Some((state, mut path)) = work.waiting.pop() {
                work.busy += 1;
                drop(work);
                self.go(state, &mut path, 0);
                work = lock(&self.work);
                work.busy -= 1;
            } else if work.busy == 0 {
                self.more_work.notify_all();
                return;
            } else {
                work = self.more_work.wait(work).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    /// Goes into a state, now or later.
    fn branch(&self, state: State, path: &mut Vec<Event>, depth: u32) {
        if depth < SHARED_DEPTH && self.exploration.threads > 1 {
            lock(&self.work).waiting.push((state, path.clone()));
            self.more_work.notify_one();
            return;
        }
        let length = path.len();
        self.go(state, path, depth + 1);
        path.truncate(length);
    }

    /// What each process does when it is the only one.
    pub(super) fn undisturbed(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for process in 0..self.exploration.starts.len() {
            let (mut state, mut path) = (State::new(&self.histories, [0; 3]), Vec::new());
            state.current = Some(process);
            while state.current.is_some() && self.step(&mut state, &mut path, Fate::Effect) {}
            lines.extend(trace::readable(&self.exploration, &path));
        }
        lines
    }

    /// Goes through everything that can follow.
    fn go(&self, mut state: State, path: &mut Vec<Event>, depth: u32) {
        let mut calls = 0;
        while !self.is_over.load(Ordering::Relaxed) {
            if self.exploration.prunes && !self.is_new(&state) {
                self.pruned.fetch_add(1, Ordering::Relaxed);
                break;
            }
            let Some(current) = state.current else {
                self.branch_at_end(&state, path, depth);
                self.finish(&state, path);
                break;
            };
            if state.preemptions > 0 {
                // To switch to nobody is a crash of all.
                self.finish(&state, path);
                for other in self.others(&state).filter(|other| *other != current) {
                    let mut preempted = state.clone();
                    preempted.preemptions -= 1;
                    self.go_on_with(preempted, other, path, depth);
                }
            }
            if state.lost > 0 && can_be_lost(&state, current) {
                let mut lost = state.clone();
                lost.lost -= 1;
                let length = path.len();
                calls += 1;
                if self.step(&mut lost, path, Fate::AnswerLost) {
                    self.branch(lost, path, depth);
                }
                path.truncate(length);
            }
            calls += 1;
            if !self.step(&mut state, path, Fate::Effect) {
                break;
            }
        }
        self.calls.fetch_add(calls, Ordering::Relaxed);
    }

    /// Whether the state was not seen with as much left. Where no choice is left until the process
    /// ends, one state in four is noted: what leads there twice is found out a few calls later.
    fn is_new(&self, state: &State) -> bool {
        let (print, left) = (state.print(), (state.preemptions, state.lost));
        let has_choices = left != (0, 0) || state.current.is_none();
        if !has_choices && !print.is_one_in_four() {
            return true;
        }
        self.visited.is_new(print, left)
    }

    /// Everybody who could go on. Of those who have not begun and are started alike, the first.
    fn others<'a>(&'a self, state: &'a State) -> impl Iterator<Item = ProcessId> + 'a {
        let starts = &self.exploration.starts;
        (0..starts.len()).filter(move |process| {
            let place = &state.places[*process];
            let twin = |other: ProcessId| {
                starts[other] == starts[*process] && state.places[other].is_beginning()
            };
            place.exit().is_none() && !(place.is_beginning() && (0..*process).any(twin))
        })
    }

    /// A process has ended: anybody may go on.
    fn branch_at_end(&self, state: &State, path: &mut Vec<Event>, depth: u32) {
        for process in self.others(state) {
            self.go_on_with(state.clone(), process, path, depth);
        }
    }

    /// Another process goes on, perhaps after something was damaged.
    fn go_on_with(&self, mut chosen: State, process: ProcessId, path: &mut Vec<Event>, depth: u32) {
        chosen.current = Some(process);
        if chosen.damages > 0 && chosen.places[process].is_beginning() {
            for name in chosen.damageable() {
                let mut damaged = chosen.clone();
                path.push(damaged.damage(&self.histories, &name));
                self.branch(damaged, path, depth);
                path.pop();
            }
        }
        self.branch(chosen, path, depth);
    }

    /// Nobody goes on any more: whoever is left has crashed. One more process runs, undisturbed.
    fn finish(&self, state: &State, path: &mut Vec<Event>) {
        let mut key = state.environment.fingerprint();
        key.add(4 | u64::from(state.is_damaged()) << 1 | u64::from(state.is_hopeless()));
        if self.exploration.prunes && !self.visited.is_new(key, (0, 0)) {
            self.pruned.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let last = self.exploration.starts.len();
        let length = path.len();
        let mut state = state.clone();
        state.current = Some(last);
        let mut is_right = true;
        while is_right && state.current.is_some() {
            is_right = self.step(&mut state, path, Fate::Effect);
        }
        if is_right {
            self.count_schedule();
            if let Some(Exit::Failed { what, .. }) = state.places[last].exit()
                && state.is_damaged()
            {
                let stuck = !state.is_hopeless() && job::says_nothing_is_intact(what);
                let what = if stuck { format!("nobody can go on: {what}") } else { what.clone() };
                let found = if stuck { &self.violations } else { &self.refusals };
                self.note(found, &what, &state, path);
            }
        }
        path.truncate(length);
    }

    /// The current process makes its call. False if the schedule ends with a wrong result.
    fn step(&self, state: &mut State, path: &mut Vec<Event>, fate: Fate) -> bool {
        let (event, violation) = state.step(&self.histories, &self.expected, fate);
        path.extend(event);
        let Some(Violation { what, is_wrong_result }) = violation else { return true };
        if is_wrong_result {
            self.count_schedule();
        }
        self.note(&self.violations, &what, state, path);
        !is_wrong_result
    }

    fn count_schedule(&self) {
        let schedules = self.schedules.fetch_add(1, Ordering::Relaxed) + 1;
        if schedules >= self.exploration.most_schedules {
            self.is_over.store(true, Ordering::Relaxed);
        }
    }

    fn note(
        &self,
        found: &Mutex<BTreeMap<String, Finding>>,
        what: &str,
        state: &State,
        path: &[Event],
    ) {
        let mut found = lock(found);
        let finding = found.entry(job::class_of(what)).or_default();
        finding.times += 1;
        if finding.times == 1 {
            finding.after_schedules = self.schedules.load(Ordering::Relaxed);
        }
        let length = (trace::turns(path), path.len());
        if finding.times > 1 && finding.length <= length {
            return;
        }
        finding.length = length;
        finding.trace = trace::readable(&self.exploration, path);
        finding.trace.push(format!("==> {}", what.lines().next().unwrap_or_default()));
        finding.confirmed = Some(confirm(&self.exploration, path, &state.environment));
    }

    pub(super) fn found(&self) -> (BTreeMap<String, Finding>, BTreeMap<String, Finding>) {
        (lock(&self.violations).clone(), lock(&self.refusals).clone())
    }

    pub(super) fn states(&self) -> u64 {
        self.visited.count()
    }

    pub(super) fn runs(&self) -> u64 {
        self.histories.iter().map(Histories::runs).sum()
    }
}

/// Whether it makes a difference that an answer is lost. Reads of the store are repeated until they
/// are answered: one that was not is as if it had not been made.
fn can_be_lost(state: &State, process: ProcessId) -> bool {
    let request = state.places[process].request();
    request.is_some_and(|r| r.kind().has_effect() || r.kind() == CallKind::TargetLook)
}
