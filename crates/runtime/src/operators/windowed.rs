//! An aggregate for each key and window.
//!
//! What is kept for a window has the key and the window's start as its key, so a checkpoint writes the
//! windows that have changed and nothing else. A window is complete when the watermark has passed its
//! end; it is dropped when records that late are not allowed any more. What comes later than that is not
//! lost: it leaves through the side.
//!
//! Records of a batch that have the same key and are in the same windows are looked up once, however many
//! windows overlap.

use std::borrow::Borrow;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use steadfast_core::key::{Key, KeyHash, KeySpace};
use steadfast_core::key_of::KeyOf;
use steadfast_core::message::Batch;
use steadfast_core::operator::{Emission, Operator};
use steadfast_core::state::StateTable;
use steadfast_core::time::{Moment, Timestamp};
use steadfast_core::{Error, Result};
use steadfast_state::{Slot, Table};

use super::aggregate::Aggregate;
use super::alike::{Alike, Group};
use super::emit::Emit;
use super::side::Sided;
use super::timeline::Timeline;
use super::window::{Window, Windows};

/// The result of a window for a key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct WindowResult<K, R> {
    /// The key.
    pub key: K,
    /// The window.
    pub window: Window,
    /// What the aggregate has made of its records.
    pub value: R,
}

/// How results of windows are emitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Emitting {
    /// When.
    pub emit: Emit,
    /// For how long after its end a window still takes records, and is emitted again with them.
    pub allowed_lateness: Duration,
}

/// The key of what is kept for a window.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Pane<K> {
    key: K,
    #[serde(flatten)]
    window: Window,
}

impl<K: Key> Pane<K> {
    fn hash(&self) -> KeyHash {
        hash_of(KeyHash::of(&self.key), self.window)
    }
}

fn hash_of(key: KeyHash, window: Window) -> KeyHash {
    key.part(&window.start.0)
}

/// What is kept for a window.
#[derive(Clone, Serialize, Deserialize)]
struct Kept<A> {
    state: A,
    /// Whether it has been emitted as it is.
    shown: bool,
}

/// What becomes of a window at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// It is complete.
    Show(Window),
    /// Nothing more is taken.
    Drop(Window),
}

/// See the module.
pub struct Windowed<T, G: Aggregate<T>, S: KeyOf<T>> {
    name: String,
    table: Table<Pane<S::Key>, Kept<G::State>>,
    due: Timeline<Due>,
    key: Arc<S>,
    aggregate: Arc<G>,
    windows: Windows,
    emitting: Emitting,
    late: u64,
    /// Records that came too late for some of their windows, and not for others.
    partly_late: u64,
    alike: Alike<S::Key>,
    /// For each group of records that are alike and each of its windows: the group's number and the window.
    panes: Vec<(usize, Window)>,
    hashes: Vec<KeyHash>,
    located: Vec<(Slot, bool)>,
    /// The latest that the engine's clock has shown.
    now: Timestamp,
    /// The group from which results are emitted next.
    group: usize,
}

type Results<K, R, T> = Batch<Sided<WindowResult<K, R>, T>>;

impl<T, G: Aggregate<T>, S: KeyOf<T>> Windowed<T, G, S> {
    /// The operator `name` of one task; `key` tells a record's key.
    pub fn new(
        name: impl Into<String>,
        (space, task): (KeySpace, u16),
        key: Arc<S>,
        aggregate: Arc<G>,
        windows: Windows,
        emitting: Emitting,
    ) -> Self {
        let name = name.into();
        Windowed {
            table: Table::with_hash(format!("{name}/windows"), space, task, Pane::hash),
            name,
            due: Timeline::new(),
            key,
            aggregate,
            windows,
            emitting,
            late: 0,
            partly_late: 0,
            alike: Alike::default(),
            panes: Vec::new(),
            hashes: Vec::new(),
            located: Vec::new(),
            now: Timestamp::MIN,
            group: 0,
        }
    }

    /// How far the time has come by which windows are closed. A clock may be set back: what it has shown
    /// once counts.
    fn clock(&mut self, at: Moment) -> Timestamp {
        if self.windows.is_by_clock() {
            self.now = at.now.max(self.now);
            return self.now;
        }
        at.watermark
    }

    fn drops_at(&self, window: Window) -> Timestamp {
        window.end.plus(self.emitting.allowed_lateness)
    }

    fn schedule(&mut self, window: Window, clock: Timestamp, hash: KeyHash) {
        if window.end > clock {
            self.due.add(window.end, Due::Show(window), hash);
        } else {
            self.due.add(self.drops_at(window), Due::Drop(window), hash);
        }
    }

    /// Finds out which records belong to which windows that are still open.
    fn assign(&mut self, at: Moment, batch: &Batch<T>) {
        let clock = self.clock(at);
        let mut alike = std::mem::take(&mut self.alike);
        let mut span = None;
        for (number, hash) in batch.hashes.iter().enumerate() {
            let time = if self.windows.is_by_clock() { clock } else { batch.time(number) };
            let span = match span {
                Some(span) if Window::contains(&span, time) => span,
                _ => *span.insert(self.windows.span(time)),
            };
            let key = self.key.key(&batch.items[number]);
            if alike.join(*hash, key.borrow(), span) {
                continue;
            }
            let (group, first) = (alike.groups().len(), self.panes.len());
            let mut left_out = false;
            for window in self.windows.of(time) {
                if self.drops_at(window) > clock {
                    self.panes.push((group, window));
                    self.hashes.push(hash_of(*hash, window));
                } else {
                    left_out = true;
                }
            }
            let panes = first..self.panes.len();
            alike.begin(*hash, key.borrow().clone(), span, (panes, left_out));
        }
        if alike.groups().iter().any(Group::is_partly_late) {
            let late = alike.of_records().filter(|group| group.is_partly_late());
            self.partly_late += late.count() as u64;
        }
        self.alike = alike;
    }

    fn add(&mut self, at: Moment, batch: &Batch<T>) -> Result<()> {
        let Windowed { panes, alike, aggregate, .. } = self;
        let key = |group: usize| &alike.groups()[group].key;
        let is_it = |number: usize, pane: &Pane<S::Key>| {
            let (group, window) = panes[number];
            pane.window == window && pane.key == *key(group)
        };
        let entry = |number: usize| {
            let (group, window) = panes[number];
            let key = key(group).clone();
            (Pane { key, window }, Kept { state: aggregate.init(), shown: false })
        };
        self.table.locate_where(&self.hashes, is_it, entry, &mut self.located);
        for (item, group) in batch.items.iter().zip(alike.of_records()) {
            for (slot, _) in &self.located[group.panes.clone()] {
                let kept = self.table.value_mut(*slot);
                aggregate.add(&mut kept.state, item).map_err(Error::of_user_code)?;
                kept.shown = false;
            }
        }
        let clock = self.clock(at);
        for number in 0..self.located.len() {
            if self.located[number].1 {
                self.schedule(self.panes[number].1, clock, self.hashes[number]);
            }
        }
        Ok(())
    }

    /// Emits what a slot holds, unless it has been emitted as it is.
    fn show(&mut self, slot: Slot, out: &mut Results<S::Key, G::Out, T>) {
        let (pane, kept) = self.table.entry(slot);
        if kept.shown {
            return;
        }
        let Pane { key, window } = pane.clone();
        let value = self.aggregate.result(&kept.state);
        // Its own time is the last of the window. The watermark that completed it comes behind it.
        let time = Timestamp(window.end.0.saturating_sub(1));
        out.push(Sided::Main(WindowResult { key, window, value }), time);
        self.table.value_mut(slot).shown = true;
    }

    /// Shows and drops what is due by now.
    fn close(&mut self, at: Moment, out: &mut Results<S::Key, G::Out, T>) -> Emission {
        let clock = self.clock(at);
        while let Some((_, due, hashes)) = self.due.take(clock, super::AT_ONCE) {
            let (Due::Show(window) | Due::Drop(window)) = due;
            let (drops_at, is_over) = (self.drops_at(window), self.drops_at(window) <= clock);
            for hash in hashes {
                // Keys may share a hash. Their windows are due together, and each finds one that is left.
                let is_it = |pane: &Pane<S::Key>, kept: &Kept<G::State>| {
                    pane.window == window && (is_over || !kept.shown)
                };
                let found = self.table.find_where(hash, is_it);
                if let Some(slot) = found {
                    self.show(slot, out);
                }
                if !is_over {
                    self.due.add(drops_at, Due::Drop(window), hash);
                } else if let Some(slot) = found {
                    self.table.take(hash, slot);
                }
            }
            if out.items.len() >= super::AT_ONCE {
                return Emission::More;
            }
        }
        Emission::Complete
    }

    /// Emits what is not shown of the slots of each group, some groups at a time.
    fn show_groups(
        &mut self,
        out: &mut Results<S::Key, G::Out, T>,
        slots: impl Fn(&Self, usize) -> Vec<Slot>,
    ) -> Emission {
        let mut next = self.group;
        let emission = super::group_by_group(&mut next, self.table.groups(), out, |group, out| {
            slots(self, group).into_iter().for_each(|slot| self.show(slot, out));
        });
        self.group = next;
        emission
    }
}

impl<T, G, S> Operator<T> for Windowed<T, G, S>
where
    T: Send + 'static,
    G: Aggregate<T>,
    S: KeyOf<T>,
{
    type Out = Sided<WindowResult<S::Key, G::Out>, T>;

    fn open(&mut self, at: Moment) -> Result<()> {
        let clock = self.clock(at);
        for group in 0..self.table.groups() {
            for slot in self.table.slots_in(group) {
                let (pane, kept) = self.table.entry(slot);
                let (window, hash) = (pane.window, pane.hash());
                // The tasks before may have come less far: what they have not shown is due.
                match kept.shown {
                    true => self.schedule(window, clock, hash),
                    false => self.due.add(window.end, Due::Show(window), hash),
                }
            }
        }
        Ok(())
    }

    fn on_batch(
        &mut self,
        at: Moment,
        batch: &mut Batch<T>,
        out: &mut Batch<Self::Out>,
    ) -> Result<()> {
        self.panes.clear();
        self.hashes.clear();
        self.located.clear();
        self.alike.clear();
        self.assign(at, batch);
        self.add(at, batch)?;
        if self.alike.groups().iter().any(|group| group.panes.is_empty()) {
            let records = batch.drain().zip(self.alike.of_records());
            for ((item, time), _) in records.filter(|(_, group)| group.panes.is_empty()) {
                self.late += 1;
                out.push(Sided::Side(item), time);
            }
        }
        batch.clear();
        Ok(())
    }

    fn on_watermark(&mut self, at: Moment, out: &mut Batch<Self::Out>) -> Result<Emission> {
        if self.windows.is_by_clock() {
            return Ok(Emission::Complete);
        }
        Ok(self.close(at, out))
    }

    fn next_timer(&self) -> Option<Timestamp> {
        self.due.next().filter(|_| self.windows.is_by_clock())
    }

    fn on_timer(&mut self, at: Moment, out: &mut Batch<Self::Out>) -> Result<Emission> {
        Ok(self.close(at, out))
    }

    fn on_end(&mut self, _at: Moment, out: &mut Batch<Self::Out>) -> Result<Emission> {
        Ok(self.show_groups(out, |this, group| this.table.slots_in(group).collect()))
    }

    /// What has changed since it was complete is emitted with the checkpoint; the rest only if all changes
    /// are.
    fn on_epoch_end(&mut self, at: Moment, out: &mut Batch<Self::Out>) -> Result<Emission> {
        let clock = self.clock(at);
        Ok(self.show_groups(out, |this, group| {
            let changed = this.table.changed_in(group);
            let is_due = |slot: &Slot| {
                let end = this.table.entry(*slot).0.window.end;
                this.emitting.emit == Emit::Changes || end <= clock
            };
            changed.filter(is_due).collect()
        }))
    }

    fn tables(&mut self, visit: &mut dyn FnMut(&mut dyn StateTable)) {
        visit(&mut self.table);
    }

    fn modes(&self, visit: &mut dyn FnMut(&str, &str)) {
        // Open windows of another size would be mixed with those of this one; a window that was dropped would
        // begin again from nothing.
        let Emitting { emit, allowed_lateness } = self.emitting;
        let (emit, lateness) = (emit.name(), allowed_lateness.as_millis());
        let windows = self.windows.describe();
        visit(&self.name, &format!("{emit}, {windows}, {lateness} ms of lateness allowed"));
    }

    fn counters(&self, visit: &mut dyn FnMut(&str, &'static str, u64)) {
        visit(&self.name, "late", self.late);
        visit(&self.name, "partly_late", self.partly_late);
    }
}

#[cfg(test)]
mod tests;
