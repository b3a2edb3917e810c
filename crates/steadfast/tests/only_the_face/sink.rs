//! A sink of one's own: lines in a ledger, each once.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex};

use steadfast::chunks::Chunks;
use steadfast::sink::{Sink, SinkWriter};
use steadfast::target::{
    Applied, Conditional, DeliveryGuarantee, Marker, PlannedStep, RejectedRows, Target,
    TargetIdentity, TargetState,
};
use steadfast::{CheckpointId, Error, Result};

/// Pages by sink; clones share it.
#[derive(Clone, Default)]
pub struct Ledger(Arc<Mutex<BTreeMap<String, Page>>>);

struct Page {
    marker: Marker,
    lines: Vec<(CheckpointId, String)>,
}

impl Ledger {
    pub fn lines(&self) -> Vec<String> {
        let pages = self.0.lock().unwrap();
        pages.values().flat_map(|page| &page.lines).map(|(_, line)| line.clone()).collect()
    }
}

pub struct LedgerSink<T, F> {
    ledger: Ledger,
    line: F,
    item: PhantomData<fn(T)>,
}

impl<T, F: Fn(&T) -> String> LedgerSink<T, F> {
    pub fn new(ledger: &Ledger, line: F) -> Self {
        LedgerSink { ledger: ledger.clone(), line, item: PhantomData }
    }
}

impl<T, F> Sink for LedgerSink<T, F>
where
    T: Send + 'static,
    F: Fn(&T) -> String + Clone + Send + Sync + 'static,
{
    type Item = T;
    type Writer = LineWriter<T, F>;

    fn writer(&self) -> Result<LineWriter<T, F>> {
        Ok(LineWriter { line: self.line.clone(), staged: Vec::new(), item: PhantomData })
    }

    fn target(&self, identity: &TargetIdentity) -> Result<Box<dyn Target>> {
        Ok(Box::new(LedgerTarget { ledger: self.ledger.clone(), page: identity.sink.clone() }))
    }

    fn describe(&self) -> String {
        "a ledger".to_string()
    }
}

pub struct LineWriter<T, F> {
    line: F,
    staged: Vec<u8>,
    item: PhantomData<fn(T)>,
}

impl<T, F: Fn(&T) -> String + Send> SinkWriter for LineWriter<T, F> {
    type Item = T;

    fn write(&mut self, items: &mut Vec<T>) -> Result<()> {
        for item in items.drain(..) {
            self.staged.extend_from_slice((self.line)(&item).as_bytes());
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

struct LedgerTarget {
    ledger: Ledger,
    page: String,
}

impl LedgerTarget {
    /// Changes the page, if its marker is the expected one; it may have been changed by the same call before.
    fn step(
        &self,
        (expected, marker): (&Marker, &Marker),
        change: impl FnOnce(&mut Vec<(CheckpointId, String)>),
    ) -> Conditional<()> {
        match self.ledger.0.lock().unwrap().get_mut(&self.page) {
            Some(page) if page.marker == *marker && expected != marker => Conditional::Done(()),
            Some(page) if page.marker == *expected => {
                page.marker = *marker;
                change(&mut page.lines);
                Conditional::Done(())
            }
            page => Conditional::Unexpected(page.map(|page| page.marker)),
        }
    }
}

impl Target for LedgerTarget {
    fn look(&mut self) -> Result<TargetState> {
        let pages = self.ledger.0.lock().unwrap();
        let owned = |page: &Page| TargetState::Owned { marker: page.marker, created: true };
        Ok(pages.get(&self.page).map_or(TargetState::Absent, owned))
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
        let mut pages = self.ledger.0.lock().unwrap();
        let found = pages.get(&self.page).map(|page| page.marker);
        if found.as_ref() != expected && found.as_ref() != Some(marker) {
            return Ok(Conditional::Unexpected(found));
        }
        let empty = || Page { marker: *marker, lines: Vec::new() };
        pages.entry(self.page.clone()).or_insert_with(empty).marker = *marker;
        Ok(Conditional::Done(()))
    }

    fn apply(
        &mut self,
        expected: &Marker,
        marker: &Marker,
        chunks: &dyn Chunks,
        _rejected: RejectedRows,
    ) -> Result<Conditional<Applied>> {
        let text = String::from_utf8(chunks.concat()?)
            .map_err(|error| Error::damaged("staged lines are no text").caused_by(error))?;
        let lines = text.lines().map(|line| (marker.checkpoint, line.to_string()));
        Ok(match self.step((expected, marker), |all| all.extend(lines)) {
            Conditional::Done(()) => Conditional::Done(Applied::default()),
            Conditional::Unexpected(found) => Conditional::Unexpected(found),
        })
    }

    fn reset(&mut self, expected: &Marker, marker: &Marker) -> Result<Conditional<()>> {
        Ok(self.step((expected, marker), Vec::clear))
    }

    fn contents(&mut self) -> Result<String> {
        Ok(format!("{} lines", self.ledger.lines().len()))
    }

    fn format(&self) -> String {
        "lines".to_string()
    }

    fn guarantee(&self) -> DeliveryGuarantee {
        DeliveryGuarantee::AppendOnce
    }
}
