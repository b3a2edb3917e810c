//! An operator as its task drives it, for tests: batches, watermarks, barriers, ends, and restarts from what
//! its tables have written.
//!
//! It knows nothing of tasks or channels.

use std::collections::BTreeMap;

use steadfast_core::Result;
use steadfast_core::key::KeyHash;
use steadfast_core::message::Batch;
use steadfast_core::operator::{Emission, Operator};
use steadfast_core::state::{EncodedState, StateLimits};
use steadfast_core::time::{Moment, Timestamp};

/// See the module.
pub(super) struct Driven<T, O> {
    operator: O,
    make: Box<dyn Fn() -> O>,
    hash: fn(&T) -> KeyHash,
    at: Moment,
    /// The files of each table, in the order in which they were written.
    files: BTreeMap<String, Vec<Vec<u8>>>,
}

impl<T, O: Operator<T>> Driven<T, O> {
    /// What `make` makes; `hash` tells the hash of a record's key.
    pub(super) fn new(make: impl Fn() -> O + 'static, hash: fn(&T) -> KeyHash) -> Self {
        let at = Moment { watermark: Timestamp::MIN, now: Timestamp(0) };
        let (operator, make) = (make(), Box::new(make));
        let mut driven = Driven { operator, make, hash, at, files: BTreeMap::new() };
        driven.operator.open(at).unwrap();
        driven
    }

    pub(super) fn operator(&self) -> &O {
        &self.operator
    }

    /// Records with their times have come. Says what is emitted, with its times.
    pub(super) fn batch(
        &mut self,
        records: impl IntoIterator<Item = (T, i64)>,
    ) -> Vec<(O::Out, i64)> {
        self.try_batch(records).unwrap()
    }

    /// As [`Driven::batch`], where that may fail.
    pub(super) fn try_batch(
        &mut self,
        records: impl IntoIterator<Item = (T, i64)>,
    ) -> Result<Vec<(O::Out, i64)>> {
        let (mut batch, mut out) = (Batch::new(), Batch::new());
        records.into_iter().for_each(|(record, at)| batch.push(record, Timestamp(at)));
        batch.hashes.extend(batch.items.iter().map(self.hash));
        self.operator.on_batch(self.at, &mut batch, &mut out)?;
        Ok(emitted(&mut out))
    }

    /// The watermark has moved on.
    pub(super) fn watermark(&mut self, at: i64) -> Vec<(O::Out, i64)> {
        self.at.watermark = Timestamp(at);
        self.speak(O::on_watermark)
    }

    /// The input has ended.
    pub(super) fn end(&mut self) -> Vec<(O::Out, i64)> {
        self.speak(O::on_end)
    }

    /// The epoch ends, and what the tables hold is written.
    pub(super) fn barrier(&mut self) -> Vec<(O::Out, i64)> {
        let emitted = self.speak(O::on_epoch_end);
        let (limits, files) = (StateLimits::default(), &mut self.files);
        self.operator.tables(&mut |table| {
            let files = files.entry(table.name().to_string()).or_default();
            let Some(frozen) = table.freeze(&limits) else { return };
            let keep = &mut |file: EncodedState<'_>| {
                files.push(file.bytes.to_vec());
                Ok(())
            };
            frozen.encode(&limits, &mut Vec::new(), keep).unwrap();
        });
        emitted
    }

    /// The process dies, and another goes on from the last barrier.
    pub(super) fn restart(&mut self) {
        self.operator = (self.make)();
        let files = &self.files;
        self.operator.tables(&mut |table| {
            let written = files.get(table.name()).into_iter().flatten();
            written.for_each(|file| table.load(file).unwrap());
        });
        self.operator.open(self.at).unwrap();
    }

    /// As [`Driven::restart`], at another watermark.
    pub(super) fn restart_at(&mut self, at: i64) {
        self.at.watermark = Timestamp(at);
        self.restart();
    }

    /// Calls it until it has said everything.
    fn speak(
        &mut self,
        say: fn(&mut O, Moment, &mut Batch<O::Out>) -> Result<Emission>,
    ) -> Vec<(O::Out, i64)> {
        let mut all = Vec::new();
        loop {
            let mut out = Batch::new();
            let emission = say(&mut self.operator, self.at, &mut out).unwrap();
            all.append(&mut emitted(&mut out));
            if emission == Emission::Complete {
                return all;
            }
        }
    }
}

fn emitted<R>(out: &mut Batch<R>) -> Vec<(R, i64)> {
    out.drain().map(|(record, at)| (record, at.0)).collect()
}
