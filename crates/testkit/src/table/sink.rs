//! A sink into the table of its name. It stages records as lines of JSON, which are signed if it
//! matters who has computed them.

use std::marker::PhantomData;
use std::sync::Arc;

use serde::Serialize;
use steadfast_core::sink::{Sink, SinkWriter};
use steadfast_core::target::{Target, TargetIdentity};
use steadfast_core::{Error, Result};

use super::call::Connection;
use super::target::TableTarget;

/// How a sink writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteMode {
    /// Every record becomes a row.
    Append,
    /// A record replaces the row of its key. Records are pairs.
    Upsert,
    /// Every record becomes a row, and no marker is kept.
    Unmarked,
}

/// See the module.
pub struct TableSink<T> {
    /// Who carries its calls.
    pub connection: Arc<dyn Connection>,
    /// How it writes.
    pub mode: WriteMode,
    /// The process, if lines are to be signed by it.
    pub signature: Option<u16>,
    /// Whether its target takes another format than those of other processes.
    pub is_other: bool,
    /// What it takes.
    pub records: PhantomData<fn(T)>,
}

impl<T: Serialize + Send + 'static> Sink for TableSink<T> {
    type Item = T;
    type Writer = LineWriter<T>;

    fn writer(&self) -> Result<LineWriter<T>> {
        let signature = self.signature.map(|process| format!("{process}\t")).unwrap_or_default();
        Ok(LineWriter { signature, staged: Vec::new(), records: PhantomData })
    }

    fn target(&self, identity: &TargetIdentity) -> Result<Box<dyn Target>> {
        let (connection, how) = (Arc::clone(&self.connection), (self.mode, self.is_other));
        Ok(Box::new(TableTarget::new(connection, how, identity)))
    }

    fn describe(&self) -> String {
        "simulated database".to_string()
    }
}

/// Stages records as lines of JSON.
pub struct LineWriter<T> {
    signature: String,
    staged: Vec<u8>,
    records: PhantomData<fn(T)>,
}

impl<T: Serialize> SinkWriter for LineWriter<T> {
    type Item = T;

    fn write(&mut self, items: &mut Vec<T>) -> Result<()> {
        for item in items.drain(..) {
            self.staged.extend_from_slice(self.signature.as_bytes());
            serde_json::to_writer(&mut self.staged, &item)
                .map_err(|e| Error::user_code("a record does not serialize").caused_by(e))?;
            self.staged.push(b'\n');
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

/// Who has signed a line or a row, and the rest of it. JSON has no tab outside of a string.
pub fn signed(line: &str) -> (Option<u16>, &str) {
    match line.split_once('\t') {
        Some((process, text)) => (process.parse().ok(), text),
        None => (None, line),
    }
}
