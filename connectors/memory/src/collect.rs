//! A sink that keeps what has been applied where a test can read it, with a marker per sink.
//!
//! What it keeps outlives every writer and target, as a database would: a test can throw a job
//! away in the middle and start it anew on the same [`Collected`].

use std::collections::BTreeMap;
use std::fmt;
use std::io::Cursor;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Serialize, de::DeserializeOwned};
use steadfast_core::chunks::Chunks;
use steadfast_core::id::CheckpointId;
use steadfast_core::sink::{Sink, SinkWriter};
use steadfast_core::target::{
    Applied, Conditional, DeliveryGuarantee, Marker, PlannedStep, RejectedRows, Target,
    TargetIdentity, TargetState,
};
use steadfast_core::{Error, Result};

/// Collects records in memory.
///
/// ```
/// use steadfast_core::id::{CheckpointId, ClaimId, Generation, Lineage};
/// use steadfast_core::sink::{Sink, SinkWriter};
/// use steadfast_core::target::{Marker, RejectedRows, Target, TargetIdentity};
/// use steadfast_memory::Collect;
///
/// let sink = Collect::new();
/// let collected = sink.collected();
/// let mut writer = sink.writer()?;
/// writer.write(&mut vec![1, 2, 3])?;
///
/// let identity = TargetIdentity { job: "job".into(), sink: "sink".into() };
/// let mut target = sink.target(&identity)?;
/// let claim = ClaimId { generation: Generation(1), nonce: 7 };
/// let none = Marker { lineage: Lineage(7), claim, checkpoint: CheckpointId(0) };
/// let first = Marker { checkpoint: CheckpointId(2), ..none };
/// target.acquire(None, &none, false)?;
/// target.apply(&none, &first, &[writer.take_staged()], RejectedRows::Fail)?;
/// assert_eq!(collected.items(), [1, 2, 3]);
/// # Ok::<(), steadfast_core::Error>(())
/// ```
pub struct Collect<T> {
    collected: Collected<T>,
}

impl<T> Collect<T> {
    /// A sink that has collected nothing yet.
    pub fn new() -> Self {
        Collect { collected: Collected::default() }
    }

    /// A sink that adds to what has been collected before.
    pub fn into_collected(collected: &Collected<T>) -> Self {
        Collect { collected: collected.clone() }
    }

    /// Where to read what has been applied.
    pub fn collected(&self) -> Collected<T> {
        self.collected.clone()
    }
}

/// What sinks have applied; clones share it.
pub struct Collected<T> {
    sinks: Arc<Mutex<Sinks<T>>>,
}

/// By job and sink.
type Sinks<T> = BTreeMap<(String, String), Collection<T>>;

/// What one sink has applied.
struct Collection<T> {
    marker: Marker,
    checkpoints: BTreeMap<CheckpointId, Vec<T>>,
}

impl<T> Collected<T> {
    fn lock(&self) -> MutexGuard<'_, Sinks<T>> {
        // Nothing between the first and the last change of a step can panic, so that a panic
        // elsewhere leaves nothing half done.
        self.sinks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Clone> Collected<T> {
    /// Everything applied so far, by job and sink, then in the order of the checkpoints.
    pub fn items(&self) -> Vec<T> {
        let sinks = self.lock();
        sinks.values().flat_map(|own| own.checkpoints.values()).flatten().cloned().collect()
    }

    /// The items of each checkpoint that has been applied, those without items included.
    pub fn checkpoints(&self) -> Vec<(CheckpointId, Vec<T>)> {
        let sinks = self.lock();
        let all = sinks.values().flat_map(|own| &own.checkpoints);
        all.map(|(&checkpoint, items)| (checkpoint, items.clone())).collect()
    }
}

impl<T: Serialize + DeserializeOwned + Send + 'static> Sink for Collect<T> {
    type Item = T;
    type Writer = CollectWriter<T>;

    fn writer(&self) -> Result<CollectWriter<T>> {
        Ok(CollectWriter { staged: Vec::new(), item: PhantomData })
    }

    fn target(&self, identity: &TargetIdentity) -> Result<Box<dyn Target>> {
        let TargetIdentity { job, sink } = identity.clone();
        Ok(Box::new(CollectTarget { collected: self.collected(), key: (job, sink) }))
    }

    fn describe(&self) -> String {
        "memory".to_owned()
    }
}

/// Encodes records one after the other in MessagePack, fields by name.
pub struct CollectWriter<T> {
    staged: Vec<u8>,
    item: PhantomData<fn(T)>,
}

impl<T: Serialize> SinkWriter for CollectWriter<T> {
    type Item = T;

    fn write(&mut self, items: &mut Vec<T>) -> Result<()> {
        for item in items.drain(..) {
            let start = self.staged.len();
            if let Err(error) = rmp_serde::encode::write_named(&mut self.staged, &item) {
                self.staged.truncate(start);
                let error = Error::user_code("a record refuses to be serialized").caused_by(error);
                return Err(error.at("memory"));
            }
        }
        Ok(())
    }

    fn staged_bytes(&self) -> usize {
        self.staged.len()
    }

    fn take_staged(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.staged)
    }
}

struct CollectTarget<T> {
    collected: Collected<T>,
    key: (String, String),
}

impl<T> CollectTarget<T> {
    /// Takes `step` with what the sink has collected, if its marker is `expected`, and moves the
    /// marker. `again` is what comes of it if the marker has been moved before.
    fn step<R>(
        &self,
        (expected, marker): (&Marker, &Marker),
        again: R,
        step: impl FnOnce(&mut BTreeMap<CheckpointId, Vec<T>>) -> R,
    ) -> Conditional<R> {
        match self.collected.lock().get_mut(&self.key) {
            Some(own) if own.marker == *marker && expected != marker => Conditional::Done(again),
            Some(own) if own.marker == *expected => {
                own.marker = *marker;
                Conditional::Done(step(&mut own.checkpoints))
            }
            own => Conditional::Unexpected(own.map(|own| own.marker)),
        }
    }
}

impl<T: DeserializeOwned + Send> Target for CollectTarget<T> {
    fn look(&mut self) -> Result<TargetState> {
        let sinks = self.collected.lock();
        // What a sink collects is its own: it is never there because of anybody else.
        Ok(sinks.get(&self.key).map_or(TargetState::Absent, |own| TargetState::Owned {
            marker: own.marker,
            created: true,
        }))
    }

    fn check(&mut self, _planned: PlannedStep) -> Result<()> {
        Ok(())
    }

    fn acquire(
        &mut self,
        expected: Option<&Marker>,
        marker: &Marker,
        _adopt: bool,
    ) -> Result<Conditional<()>> {
        let mut sinks = self.collected.lock();
        let found = sinks.get(&self.key).map(|own| own.marker);
        if found.as_ref() != expected && found.as_ref() != Some(marker) {
            return Ok(Conditional::Unexpected(found));
        }
        let empty = || Collection { marker: *marker, checkpoints: BTreeMap::new() };
        sinks.entry(self.key.clone()).or_insert_with(empty).marker = *marker;
        Ok(Conditional::Done(()))
    }

    /// No item is ever refused.
    fn apply(
        &mut self,
        expected: &Marker,
        marker: &Marker,
        chunks: &dyn Chunks,
        _rejected: RejectedRows,
    ) -> Result<Conditional<Applied>> {
        // Decoded before anything is changed: all of it shows, or nothing.
        let items = decode(chunks)?;
        let done = Applied::default();
        if expected == marker {
            // There is nothing between a checkpoint and itself that could be applied.
            return Ok(self.step((expected, marker), done, |_| done));
        }
        Ok(self.step((expected, marker), done, |checkpoints| {
            checkpoints.entry(marker.checkpoint).or_default().extend(items);
            done
        }))
    }

    fn reset(&mut self, expected: &Marker, marker: &Marker) -> Result<Conditional<()>> {
        Ok(self.step((expected, marker), (), BTreeMap::clear))
    }

    fn contents(&mut self) -> Result<String> {
        let sinks = self.collected.lock();
        let own = sinks.get(&self.key).into_iter().flat_map(|own| own.checkpoints.values());
        Ok(match own.map(Vec::len).sum::<usize>() {
            1 => "1 item in memory".to_owned(),
            items => format!("{items} items in memory"),
        })
    }

    fn format(&self) -> String {
        "messagepack".to_string()
    }

    fn guarantee(&self) -> DeliveryGuarantee {
        DeliveryGuarantee::AppendOnce
    }
}

fn decode<T: DeserializeOwned>(chunks: &dyn Chunks) -> Result<Vec<T>> {
    let mut items = Vec::new();
    for number in 0..chunks.count() {
        let chunk = chunks.chunk(number)?;
        let mut rest = Cursor::new(&*chunk);
        while rest.position() < chunk.len() as u64 {
            let item = rmp_serde::decode::from_read(&mut rest).map_err(|error| {
                Error::damaged("staged records cannot be read").at("memory").caused_by(error)
            })?;
            items.push(item);
        }
    }
    Ok(items)
}

impl<T> Default for Collect<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Default for Collected<T> {
    fn default() -> Self {
        Collected { sinks: Arc::default() }
    }
}

impl<T> Clone for Collected<T> {
    fn clone(&self) -> Self {
        Collected { sinks: Arc::clone(&self.sinks) }
    }
}

impl<T> fmt::Debug for Collect<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collect").field("collected", &self.collected).finish()
    }
}

impl<T> fmt::Debug for Collected<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sinks = self.lock();
        let items = sinks.values().flat_map(|own| own.checkpoints.values());
        let items: usize = items.map(Vec::len).sum();
        f.debug_struct("Collected").field("items", &items).finish()
    }
}

impl<T> fmt::Debug for CollectWriter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CollectWriter").field("staged_bytes", &self.staged.len()).finish()
    }
}
