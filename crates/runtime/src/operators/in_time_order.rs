//! Puts the records of each key into the order of their event times.
//!
//! A record waits until the watermark is beyond its time: then all that could come before it has come.
//! Records of the same time come in the order of what `tie` tells of them, so the order depends on nothing
//! but the records. What waits is state, and bounded: a watermark that stands still would fill the memory.

use std::borrow::Borrow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use steadfast_core::key::{Key, KeyHash, KeySpace};
use steadfast_core::key_of::KeyOf;
use steadfast_core::message::Batch;
use steadfast_core::operator::{Emission, Operator};
use steadfast_core::state::StateTable;
use steadfast_core::time::{Moment, Timestamp};
use steadfast_core::{Cause, Error, Result};
use steadfast_state::{State, Table, encoded_bytes};

use super::side::Sided;
use super::timeline::Timeline;

/// The key of the records of a key that have the same time.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Place<K> {
    key: K,
    at: Timestamp,
}

impl<K: Key> Place<K> {
    fn hash(&self) -> KeyHash {
        hash_of(KeyHash::of(&self.key), self.at)
    }
}

fn hash_of(key: KeyHash, at: Timestamp) -> KeyHash {
    key.part(&at.0)
}

/// See the module.
pub struct InTimeOrder<T: State, S: KeyOf<T>, R> {
    name: String,
    waiting: Table<Place<S::Key>, Vec<T>>,
    due: Timeline<()>,
    key: Arc<S>,
    tie: Arc<R>,
    late: u64,
    held: Held,
    most_bytes: usize,
}

/// How much waits. Each record is measured when it comes and when it goes: it is the same.
#[derive(Default)]
struct Held {
    records: usize,
    bytes: usize,
}

impl Held {
    fn add(&mut self, record: &impl Serialize) {
        self.records += 1;
        self.bytes += encoded_bytes(record);
    }

    fn remove(&mut self, records: &[impl Serialize]) {
        let bytes = records.iter().map(|record| encoded_bytes(record)).sum();
        self.records -= records.len();
        // A type may be written in another way than before; the bound is not worth a panic.
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}

impl<T: State, S: KeyOf<T>, R> InTimeOrder<T, S, R> {
    /// The operator `name` of one task; `key` tells a record's key, `tie` what comes first of records with
    /// the same time. It lets so many bytes wait, counted as state files hold them.
    pub fn new(
        name: impl Into<String>,
        (space, task): (KeySpace, u16),
        key: Arc<S>,
        tie: Arc<R>,
        most_bytes: usize,
    ) -> Self {
        let name = name.into();
        let waiting = Table::with_hash(format!("{name}/waiting"), space, task, Place::hash);
        let (due, held) = (Timeline::new(), Held::default());
        InTimeOrder { name, waiting, due, key, tie, late: 0, held, most_bytes }
    }

    /// Nothing that is taken from a source can help: what comes next would wait as well.
    fn too_much(&self, moment: Moment) -> Error {
        let Held { records, bytes } = self.held;
        let what = format!(
            "{records} records, {bytes} bytes, wait until the watermark has passed them, and it stands at \
             {} ms: more than the {} bytes for which there is to be room in a task",
            moment.watermark.0, self.most_bytes
        );
        Error::because(Cause::TOO_MUCH_WAITS, what).hint(
            "the progress line names the split that holds event time back: idle_after() lets those that have \
             fallen silent not count, align_within() holds back those that are ahead, and \
             in_time_order_within() makes more room",
        )
    }
}

impl<T, S, R, O> InTimeOrder<T, S, R>
where
    T: State,
    S: KeyOf<T>,
    O: Ord,
    R: Fn(&T) -> O,
{
    /// Emits the records of one key and time.
    fn emit(&mut self, at: Timestamp, hash: KeyHash, out: &mut Batch<Sided<T, T>>) {
        let Some(slot) = self.waiting.find_where(hash, |place, _| place.at == at) else { return };
        let Some((_, mut records)) = self.waiting.take(hash, slot) else { return };
        self.held.remove(&records);
        records.sort_by_key(|record| (self.tie)(record));
        records.into_iter().for_each(|record| out.push(Sided::Main(record), at));
    }
}

impl<T, S, R, O> Operator<T> for InTimeOrder<T, S, R>
where
    T: State,
    S: KeyOf<T>,
    O: Ord,
    R: Fn(&T) -> O + Send + Sync + 'static,
{
    type Out = Sided<T, T>;

    fn open(&mut self, _at: Moment) -> Result<()> {
        for group in 0..self.waiting.groups() {
            for slot in self.waiting.slots_in(group) {
                let (place, records) = self.waiting.entry(slot);
                self.due.add(place.at, (), place.hash());
                records.iter().for_each(|record| self.held.add(record));
            }
        }
        Ok(())
    }

    fn on_batch(
        &mut self,
        moment: Moment,
        batch: &mut Batch<T>,
        out: &mut Batch<Self::Out>,
    ) -> Result<()> {
        let (hashes, before) = (std::mem::take(&mut batch.hashes), self.held.bytes);
        for ((item, at), key_hash) in batch.drain().zip(&hashes) {
            if at < moment.watermark {
                self.late += 1;
                out.push(Sided::Side(item), at);
                continue;
            }
            let hash = hash_of(*key_hash, at);
            let key = self.key.key(&item).borrow().clone();
            let (slot, inserted) =
                self.waiting.insert_if_absent(hash, &Place { key, at }, Vec::new);
            self.held.add(&item);
            self.waiting.value_mut(slot).push(item);
            if inserted {
                self.due.add(at, (), hash);
            }
        }
        // Fewer tasks than before may begin with more: then the watermark may still come.
        if self.held.bytes > before.max(self.most_bytes) {
            return Err(self.too_much(moment));
        }
        Ok(())
    }

    fn on_watermark(&mut self, moment: Moment, out: &mut Batch<Self::Out>) -> Result<Emission> {
        let until = Timestamp(moment.watermark.0.saturating_sub(1));
        while let Some((at, (), hashes)) = self.due.take(until, super::AT_ONCE) {
            hashes.into_iter().for_each(|hash| self.emit(at, hash, out));
            if out.items.len() >= super::AT_ONCE {
                return Ok(Emission::More);
            }
        }
        Ok(Emission::Complete)
    }

    /// Whatever comes later, it comes behind what has been emitted.
    fn on_end(&mut self, _at: Moment, out: &mut Batch<Self::Out>) -> Result<Emission> {
        while let Some((at, (), hashes)) = self.due.take(Timestamp::MAX, super::AT_ONCE) {
            hashes.into_iter().for_each(|hash| self.emit(at, hash, out));
            if out.items.len() >= super::AT_ONCE {
                return Ok(Emission::More);
            }
        }
        Ok(Emission::Complete)
    }

    fn tables(&mut self, visit: &mut dyn FnMut(&mut dyn StateTable)) {
        visit(&mut self.waiting);
    }

    fn counters(&self, visit: &mut dyn FnMut(&str, &'static str, u64)) {
        visit(&self.name, "late", self.late);
    }
}

#[cfg(test)]
mod tests;
