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
use steadfast_core::id::CheckpointId;
use steadfast_core::sink::{DeliveryGuarantee, Sink, SinkWriter, Target, TargetIdentity};
use steadfast_core::{Error, Result};

/// Collects records in memory.
///
/// ```
/// use steadfast_core::id::CheckpointId;
/// use steadfast_core::sink::{Sink, SinkWriter, Target, TargetIdentity};
/// use steadfast_memory::Collect;
///
/// let sink = Collect::new();
/// let collected = sink.collected();
/// let mut writer = sink.writer()?;
/// writer.write(&mut vec![1, 2, 3])?;
///
/// let identity = TargetIdentity { job: "job".into(), sink: "sink".into() };
/// let mut target = sink.target(&identity)?;
/// target.apply(CheckpointId(1), &[writer.take_staged()])?;
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
    checkpoints: Arc<Mutex<Applied<T>>>,
}

/// Per job and sink, what each checkpoint brought. The last key is the marker, so that rows and
/// marker cannot differ.
type Applied<T> = BTreeMap<(String, String), BTreeMap<CheckpointId, Vec<T>>>;

impl<T> Collected<T> {
    fn lock(&self) -> MutexGuard<'_, Applied<T>> {
        // Every change is one insertion or removal: a panic elsewhere leaves nothing half done.
        self.checkpoints.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Clone> Collected<T> {
    /// Everything applied so far, by job and sink, then in the order of the checkpoints.
    pub fn items(&self) -> Vec<T> {
        self.lock().values().flat_map(BTreeMap::values).flatten().cloned().collect()
    }

    /// The items of each checkpoint that has been applied, those without items included.
    pub fn checkpoints(&self) -> Vec<(CheckpointId, Vec<T>)> {
        let applied = self.lock();
        let all = applied.values().flatten();
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

impl<T: DeserializeOwned + Send> Target for CollectTarget<T> {
    fn applied(&mut self) -> Result<Option<CheckpointId>> {
        let applied = self.collected.lock();
        Ok(applied.get(&self.key).and_then(|own| own.last_key_value()).map(|(&last, _)| last))
    }

    fn apply(&mut self, checkpoint: CheckpointId, parts: &[Vec<u8>]) -> Result<()> {
        // Decoded before anything is changed: all of it shows, or nothing.
        let mut items = Vec::new();
        for part in parts {
            let mut rest = Cursor::new(part.as_slice());
            while rest.position() < part.len() as u64 {
                let item = rmp_serde::decode::from_read(&mut rest).map_err(|error| {
                    Error::damaged("staged records cannot be read").at("memory").caused_by(error)
                })?;
                items.push(item);
            }
        }
        let mut applied = self.collected.lock();
        let own = applied.entry(self.key.clone()).or_default();
        if own.last_key_value().is_none_or(|(&last, _)| last < checkpoint) {
            own.insert(checkpoint, items);
        }
        Ok(())
    }

    fn guarantee(&self) -> DeliveryGuarantee {
        DeliveryGuarantee::AppendOnce
    }

    fn reset(&mut self) -> Result<()> {
        self.collected.lock().remove(&self.key);
        Ok(())
    }
}

impl<T> Default for Collect<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Default for Collected<T> {
    fn default() -> Self {
        Collected { checkpoints: Arc::default() }
    }
}

impl<T> Clone for Collected<T> {
    fn clone(&self) -> Self {
        Collected { checkpoints: Arc::clone(&self.checkpoints) }
    }
}

impl<T> fmt::Debug for Collect<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collect").field("collected", &self.collected).finish()
    }
}

impl<T> fmt::Debug for Collected<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let items: usize = self.lock().values().flat_map(BTreeMap::values).map(Vec::len).sum();
        f.debug_struct("Collected").field("items", &items).finish()
    }
}

impl<T> fmt::Debug for CollectWriter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CollectWriter").field("staged_bytes", &self.staged.len()).finish()
    }
}
