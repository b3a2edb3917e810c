//! A sink that counts rows and stages nothing.
//!
//! It notes when it has taken the last one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use steadfast::Result;
use steadfast::prelude::Collect;
use steadfast::sink::{Sink, SinkWriter};
use steadfast::target::{Target, TargetIdentity};

use crate::rows::Row;
use crate::tally::{Checksum, Tally};

/// What all writers have counted.
#[derive(Clone, Default)]
pub struct Counted(Arc<Mutex<Counts>>);

#[derive(Clone, Copy, Default)]
pub struct Counts {
    pub rows: u64,
    pub checksum: u64,
    /// When the last batch of rows had been counted.
    pub last: Option<Instant>,
}

impl Counted {
    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As it is now.
    pub fn counts(&self) -> Counts {
        *self.lock()
    }
}

/// See the module.
pub struct Counting<R> {
    counted: Counted,
    of: Option<Checksum<R>>,
}

impl<R> Counting<R> {
    /// A sink that adds to `counted`.
    pub fn new(counted: &Counted, of: Option<Checksum<R>>) -> Self {
        Counting { counted: counted.clone(), of }
    }
}

impl<R: Row> Sink for Counting<R> {
    type Item = R;
    type Writer = CountingWriter<R>;

    fn writer(&self) -> Result<CountingWriter<R>> {
        Ok(CountingWriter { counted: self.counted.clone(), of: self.of })
    }

    /// It keeps a marker, as a sink that promises something does, and never has anything to apply.
    fn target(&self, identity: &TargetIdentity) -> Result<Box<dyn Target>> {
        Collect::<R>::new().target(identity)
    }

    fn describe(&self) -> String {
        "a count".to_string()
    }
}

/// Counts the rows of one task.
pub struct CountingWriter<R> {
    counted: Counted,
    of: Option<Checksum<R>>,
}

impl<R: Row> SinkWriter for CountingWriter<R> {
    type Item = R;

    fn write(&mut self, rows: &mut Vec<R>) -> Result<()> {
        let mut tally = Tally::new(self.of);
        rows.drain(..).for_each(|row| tally.take(row));
        let mut counts = self.counted.lock();
        counts.rows += tally.rows;
        counts.checksum = counts.checksum.wrapping_add(tally.checksum);
        counts.last = Some(Instant::now());
        Ok(())
    }

    fn staged_bytes(&self) -> usize {
        0
    }

    fn take_staged(&mut self) -> Vec<u8> {
        Vec::new()
    }
}
