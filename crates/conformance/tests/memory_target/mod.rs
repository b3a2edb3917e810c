//! A system in memory that sinks write to: one table, or a place for each sink, or a terminal.
//!
//! It can make one mistake at a time. It knows nothing of the suite.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use steadfast_conformance::TargetFixture;
use steadfast_core::chunks::Chunks;
use steadfast_core::id::CheckpointId;
use steadfast_core::target::{
    Applied, Conditional, DeliveryGuarantee, Marker, PlannedStep, RejectedRows, Target,
    TargetIdentity, TargetState,
};
use steadfast_core::{Error, Result};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// One table that rows are appended to; an adopted one is never emptied.
    Appends,
    /// One table with a key.
    Upserts,
    /// Each sink has a place of its own.
    PlacePerSink,
    /// One table that knows who wrote each row, so that a reset may remove the sink's own.
    EmptiesOwn,
    /// A terminal.
    Unmarked,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mistake {
    None,
    LookCreates,
    AcquiresUnasked,
    AcquireEmpties,
    AcquireOnce,
    AppliesAgain,
    AppliesStale,
    ComparesCheckpoints,
    ComparesGenerations,
    IgnoresLineage,
    IgnoresNonce,
    IgnoresCheckpoint,
    CutsNumbers,
    HandleRemembers,
    ChunksBackwards,
    MarkerStaysIfEmpty,
    ResetKeepsRows,
    RepeatedResetEmpties,
    ResetUnasked,
    AcquiresAfterReset,
    ResetEmptiesAll,
    AdoptsUnasked,
    ForgetsAdoption,
    EmptiesAdopted,
    ChecksNothing,
    NeverCreates,
    JoinsNames,
    IgnoresSink,
    FailsHalfway,
    FailsOtherwise,
    DoesNotCount,
    PromisesNothing,
    PromisesMore,
    LosesRows,
}

/// The row that is refused for good.
const REFUSED: u64 = u64::MAX;

#[derive(Default)]
struct Table {
    /// Whether somebody has created it; with a place for each sink, there is always room.
    exists: bool,
    /// Per sink, its marker and whether it created what it writes to.
    markers: BTreeMap<String, (Marker, bool)>,
    /// Each row with the sink that wrote it.
    rows: Vec<(String, u64)>,
    set_aside: Vec<u64>,
    /// The marker that the last reset replaced.
    before_reset: Option<Marker>,
}

/// The system, and a reader of it.
pub struct MemorySystem {
    table: Arc<Mutex<Table>>,
    kind: Kind,
    mistake: Mistake,
}

impl MemorySystem {
    pub fn new(kind: Kind, mistake: Mistake) -> Self {
        MemorySystem { table: Arc::default(), kind, mistake }
    }
}

impl TargetFixture for MemorySystem {
    fn target(&self, identity: &TargetIdentity) -> Box<dyn Target> {
        let TargetIdentity { job, sink } = identity;
        let owner = match self.mistake {
            Mistake::JoinsNames => format!("{job}-{sink}"),
            Mistake::IgnoresSink => job.clone(),
            _ => format!("{job}/{sink}"),
        };
        let (table, seen) = (Arc::clone(&self.table), None);
        Box::new(MemoryTarget { table, owner, kind: self.kind, mistake: self.mistake, seen })
    }

    fn chunk(&self, rows: &[u64]) -> Vec<u8> {
        rows.iter().flat_map(|row| row.to_be_bytes()).collect()
    }

    fn rows(&self) -> Vec<u64> {
        let mut rows: Vec<u64> = self.table.lock().unwrap().rows.iter().map(|row| row.1).collect();
        if self.kind == Kind::Upserts {
            rows.sort_unstable();
            rows.dedup();
        }
        rows
    }

    fn occupy(&self) -> Option<()> {
        let one_table = !matches!(self.kind, Kind::PlacePerSink | Kind::Unmarked);
        one_table.then(|| {
            let mut table = self.table.lock().unwrap();
            table.exists = true;
            table.rows.extend([3, 7].map(|row| ("somebody else".to_owned(), row)));
        })
    }

    fn poison(&self) -> Option<Vec<u8>> {
        (self.kind != Kind::Unmarked).then(|| self.chunk(&[REFUSED]))
    }
}

struct MemoryTarget {
    table: Arc<Mutex<Table>>,
    owner: String,
    kind: Kind,
    mistake: Mistake,
    /// The marker that this handle found first.
    seen: Option<Option<Marker>>,
}

fn lock(table: &Mutex<Table>) -> MutexGuard<'_, Table> {
    table.lock().unwrap()
}

impl MemoryTarget {
    fn is(&self, mistake: Mistake) -> bool {
        self.mistake == mistake
    }

    /// The marker as it is compared: `None` if there is none of this sink.
    fn found(&mut self, table: &Table) -> Option<Marker> {
        let found = table.markers.get(&self.owner).map(|own| own.0);
        if self.is(Mistake::HandleRemembers) { *self.seen.get_or_insert(found) } else { found }
    }

    fn is_expected(&self, found: Option<Marker>, expected: Option<&Marker>) -> bool {
        let (Some(mut found), Some(&expected)) = (found, expected) else {
            return found.is_none() && expected.is_none();
        };
        match self.mistake {
            Mistake::ComparesCheckpoints => return expected.checkpoint >= found.checkpoint,
            Mistake::ComparesGenerations => {
                return expected.claim.generation >= found.claim.generation;
            }
            Mistake::IgnoresLineage => found.lineage = expected.lineage,
            Mistake::IgnoresNonce => found.claim.nonce = expected.claim.nonce,
            Mistake::IgnoresCheckpoint => found.checkpoint = expected.checkpoint,
            _ => {}
        }
        found == expected
    }

    fn keep(&mut self, table: &mut Table, mut marker: Marker, created: bool) {
        self.seen = self.seen.map(|_| Some(marker));
        if self.is(Mistake::CutsNumbers) {
            marker.checkpoint = CheckpointId(marker.checkpoint.0 & 0xffff_ffff);
        }
        let created = created || self.is(Mistake::ForgetsAdoption);
        table.markers.insert(self.owner.clone(), (marker, created));
    }

    fn created(&self, table: &Table) -> bool {
        table.markers.get(&self.owner).is_some_and(|own| own.1)
    }

    fn is_foreign(&self, table: &Table) -> bool {
        table.exists && self.kind != Kind::PlacePerSink && !table.markers.contains_key(&self.owner)
    }

    fn rows(&self, chunks: &dyn Chunks) -> Vec<u64> {
        let chunks = (0..chunks.count()).map(|number| chunks.chunk(number).unwrap().into_owned());
        let mut chunks: Vec<_> = chunks.collect();
        if self.is(Mistake::ChunksBackwards) {
            chunks.reverse();
        }
        let rows = chunks.iter().flat_map(|chunk| chunk.chunks_exact(8));
        rows.map(|row| u64::from_be_bytes(row.try_into().unwrap())).collect()
    }

    fn add(&self, table: &mut Table, rows: &[u64]) {
        table.rows.extend(rows.iter().map(|&row| (self.owner.clone(), row)));
    }
}

impl Target for MemoryTarget {
    fn look(&mut self) -> Result<TargetState> {
        let shared = Arc::clone(&self.table);
        let mut table = lock(&shared);
        if self.kind == Kind::Unmarked {
            let wrong = self.is(Mistake::LookCreates) && !table.rows.is_empty();
            return Ok(if wrong { TargetState::Absent } else { TargetState::Unmarked });
        }
        let state = match table.markers.get(&self.owner) {
            Some(&(marker, created)) => TargetState::Owned { marker, created },
            None if self.is_foreign(&table) => TargetState::Foreign("a table".to_owned()),
            None => TargetState::Absent,
        };
        if self.is(Mistake::LookCreates) {
            table.exists = true;
        }
        Ok(state)
    }

    fn check(&mut self, planned: PlannedStep) -> Result<()> {
        let shared = Arc::clone(&self.table);
        let table = lock(&shared);
        let tells_apart = matches!(self.kind, Kind::EmptiesOwn | Kind::PlacePerSink);
        let may = self.created(&table) || tells_apart || self.is(Mistake::ChecksNothing);
        match planned {
            PlannedStep::Reset if self.kind != Kind::Unmarked && !may => {
                Err(Error::configuration("an adopted table is not emptied"))
            }
            _ => Ok(()),
        }
    }

    fn acquire(
        &mut self,
        expected: Option<&Marker>,
        marker: &Marker,
        adopt: bool,
    ) -> Result<Conditional<()>> {
        if self.kind == Kind::Unmarked {
            return Ok(Conditional::Done(()));
        }
        let shared = Arc::clone(&self.table);
        let mut table = lock(&shared);
        let found = self.found(&table);
        if found == Some(*marker) && !self.is(Mistake::AcquireOnce) {
            return Ok(Conditional::Done(()));
        }
        let revived = self.is(Mistake::AcquiresAfterReset)
            && expected.is_some()
            && table.before_reset.as_ref() == expected;
        let takes = revived || self.is(Mistake::AcquiresUnasked);
        if !takes && !self.is_expected(found, expected) {
            return Ok(Conditional::Unexpected(found));
        }
        let foreign = self.is_foreign(&table);
        if foreign && !adopt && !self.is(Mistake::AdoptsUnasked) {
            return Err(Error::configuration("the table was created by others"));
        }
        let creates = found.is_none() && !foreign && !(adopt && self.is(Mistake::NeverCreates));
        let created = creates || self.created(&table);
        if self.is(Mistake::AcquireEmpties) {
            table.rows.clear();
        }
        table.exists = true;
        self.keep(&mut table, *marker, created);
        Ok(Conditional::Done(()))
    }

    fn apply(
        &mut self,
        expected: &Marker,
        marker: &Marker,
        chunks: &dyn Chunks,
        rejected: RejectedRows,
    ) -> Result<Conditional<Applied>> {
        let mut rows = self.rows(chunks);
        let shared = Arc::clone(&self.table);
        let mut table = lock(&shared);
        if self.kind == Kind::Unmarked {
            if !self.is(Mistake::LosesRows) || table.rows.is_empty() {
                self.add(&mut table, &rows);
            }
            return Ok(Conditional::Done(Applied::default()));
        }
        let found = self.found(&table);
        if found == Some(*marker) && !self.is(Mistake::AppliesAgain) {
            return Ok(Conditional::Done(Applied::default()));
        }
        let again = found == Some(*marker);
        let stale = self.is(Mistake::AppliesStale) && found.is_some();
        let takes = again || stale || self.is_expected(found, Some(expected));
        if !takes {
            return Ok(Conditional::Unexpected(found));
        }
        let refused: Vec<u64> = rows.iter().copied().filter(|&row| row == REFUSED).collect();
        if !refused.is_empty() && rejected == RejectedRows::Fail {
            if self.is(Mistake::FailsHalfway) {
                self.add(&mut table, &rows[..1]);
            }
            let otherwise = self.is(Mistake::FailsOtherwise);
            let error = if otherwise { Error::unavailable } else { Error::rejected };
            return Err(error("a row is refused"));
        }
        rows.retain(|&row| row != REFUSED);
        self.add(&mut table, &rows);
        let count = if self.is(Mistake::DoesNotCount) { 0 } else { refused.len() as u64 };
        table.set_aside.extend(refused);
        if !(rows.is_empty() && self.is(Mistake::MarkerStaysIfEmpty)) {
            let created = self.created(&table);
            self.keep(&mut table, *marker, created);
        }
        Ok(Conditional::Done(Applied { rejected: count }))
    }

    fn reset(&mut self, expected: &Marker, marker: &Marker) -> Result<Conditional<()>> {
        if self.kind == Kind::Unmarked {
            return Ok(Conditional::Done(()));
        }
        let shared = Arc::clone(&self.table);
        let mut table = lock(&shared);
        let found = self.found(&table);
        if found == Some(*marker) {
            return Ok(Conditional::Done(()));
        }
        let again = found.is_some_and(|found| found.claim == marker.claim);
        let takes = self.is_expected(found, Some(expected))
            || again && self.is(Mistake::RepeatedResetEmpties)
            || found.is_some() && self.is(Mistake::ResetUnasked);
        if !takes {
            return Ok(Conditional::Unexpected(found));
        }
        let created = self.created(&table);
        let all = self.is(Mistake::ResetEmptiesAll) || self.is(Mistake::EmptiesAdopted);
        let tells_apart = matches!(self.kind, Kind::EmptiesOwn | Kind::PlacePerSink);
        if !created && !tells_apart && !all {
            return Err(Error::configuration("an adopted table is not emptied"));
        }
        if !self.is(Mistake::ResetKeepsRows) {
            table.rows.retain(|(owner, _)| !all && *owner != self.owner);
        }
        table.before_reset = found;
        self.keep(&mut table, *marker, created);
        Ok(Conditional::Done(()))
    }

    fn contents(&mut self) -> Result<String> {
        Ok(format!("{} rows of a table", lock(&self.table).rows.len()))
    }

    fn format(&self) -> String {
        "numbers".to_string()
    }

    fn guarantee(&self) -> DeliveryGuarantee {
        match (self.kind, self.mistake) {
            (_, Mistake::PromisesNothing) => DeliveryGuarantee::AtLeastOnce,
            (Kind::Unmarked, Mistake::PromisesMore) => DeliveryGuarantee::AppendOnce,
            (Kind::Unmarked, _) => DeliveryGuarantee::AtLeastOnce,
            (Kind::Upserts, _) => DeliveryGuarantee::UpsertOnce,
            _ => DeliveryGuarantee::AppendOnce,
        }
    }
}
