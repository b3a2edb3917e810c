//! The commit log as objects in a store, appended by conditional puts and found by gets alone.
//!
//! Entries lie in blocks of 256 neighbours (see [`LogLayout`]). A block is forgotten as a whole: first an object says that
//! it is *closed*, which is never taken back, then its entries are deleted. So an index was never used
//! before exactly if a put created it **and** its block is not closed afterwards: deleted entries leave
//! no hole that a process with an old view could take for the end of the log. Closed blocks are the
//! first so many, and entries of open blocks have no gaps; the end is found by searching for the first
//! name that is absent. No listing is needed for any of this.
//!
//! Why it is enough, and what else was considered: `docs/decisions/0001-one-log.md`. It knows nothing
//! of what entries mean.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use steadfast_core::id::LogIndex;
use steadfast_core::log::{Appended, CommitLog, LogRange};
use steadfast_core::store::{Put, Store};
use steadfast_core::{Cause, Error, Result};
use steadfast_protocol::names::{self, LogBlock, LogLayout};

use search::first_absent;

mod search;

/// See the module.
pub struct ObjectLog {
    store: Arc<dyn Store>,
    layout: LogLayout,
    /// So many blocks are closed and swept, as far as this process knows.
    swept: AtomicU64,
}

impl ObjectLog {
    /// The log whose entries are objects of `store`.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self::with_layout(store, LogLayout::default())
    }

    /// The same with another layout, which must be that with which the log was begun.
    pub fn with_layout(store: Arc<dyn Store>, layout: LogLayout) -> Self {
        ObjectLog { store, layout, swept: AtomicU64::new(0) }
    }

    fn exists(&self, name: &str) -> Result<bool> {
        Ok(self.store.get(name)?.is_some())
    }

    fn is_closed(&self, block: LogBlock) -> Result<bool> {
        self.exists(&block.closed())
    }

    /// How many blocks are closed: the first so many.
    fn closed_blocks(&self) -> Result<u64> {
        first_absent(0, |block| self.is_closed(LogBlock(block)))
    }

    /// Makes the entry before `index` durable if it lies in another block: whoever put it may have
    /// died before it was. Within a block that is done by putting the entry itself.
    fn settle_before(&self, index: LogIndex) -> Result<()> {
        if index.0 > 1 && self.layout.first(self.layout.block_of(index)) == index {
            let name = self.layout.entry(LogIndex(index.0 - 1));
            if let Some(bytes) = self.store.get(&name)? {
                self.store.put_if_absent(&name, &bytes)?;
            }
        }
        Ok(())
    }

    fn put(&self, index: LogIndex, entry: &[u8]) -> Result<Appended> {
        let name = self.layout.entry(index);
        self.settle_before(index)?;
        let there = match self.store.put_if_absent(&name, entry)? {
            Put::Created => None,
            Put::AlreadyExists => Some(self.store.get(&name)?),
        };
        // Asked after the put: if the block is open now, nothing in it had been deleted by then.
        if self.is_closed(self.layout.block_of(index))? {
            return Ok(Appended::Forgotten);
        }
        match there {
            None => Ok(Appended::Done),
            Some(Some(bytes)) if bytes == entry => Ok(Appended::Done),
            Some(Some(bytes)) => Ok(Appended::Taken(bytes)),
            Some(None) => {
                let what = format!("log entry {index} was there and is gone");
                Err(Error::because(Cause::LOG_HOLE, what).at(self.store.describe()))
            }
        }
    }

    /// Whether an entry can be seen behind the first one that is absent: then it has been lost. A
    /// listing may miss what is new; what it shows is there.
    fn has_entry_after(&self, next: LogIndex) -> Result<bool> {
        let entry = self.layout.entry(next);
        let seen = self.store.list(&self.layout.block_of(next).prefix())?;
        let after = LogIndex(next.0 + 1);
        let is_last_of_block = self.layout.block_of(after) != self.layout.block_of(next);
        let begins_next = is_last_of_block && self.exists(&self.layout.entry(after))?;
        Ok(begins_next || seen.iter().any(|name| *name > entry))
    }

    /// Whether an entry can be seen, or a closed block beyond the first so many. A listing may miss
    /// what is new; it is asked only to notice what has been lost.
    fn has_more_than(&self, closed: u64) -> Result<bool> {
        let known: Vec<_> = (0..closed).map(|block| LogBlock(block).closed()).collect();
        let seen = self.store.list(names::CLOSED)?;
        let is_beyond = seen.iter().any(|name| !known.contains(name));
        // Whoever writes data has claimed before.
        let is_there = |prefix| -> Result<bool> { Ok(!self.store.list(prefix)?.is_empty()) };
        Ok(is_beyond || is_there(names::LOG)? || is_there(names::DATA)?)
    }

    /// Deletes the entries of a closed block.
    fn sweep(&self, block: LogBlock) -> Result<()> {
        // What a listing does not show yet stays behind, and counts for nothing.
        for prefix in [block.prefix(), block.dropped_prefix(), block.shown_prefix()] {
            self.store.list(&prefix)?.iter().try_for_each(|name| self.store.delete(name))?;
        }
        Ok(())
    }
}

impl CommitLog for ObjectLog {
    fn look(&self) -> Result<LogRange> {
        let mut before = None;
        loop {
            let closed = self.closed_blocks()?;
            let first = self.layout.first(LogBlock(closed));
            let exists = |index| self.exists(&self.layout.entry(LogIndex(index)));
            let next = LogIndex(first_absent(first.0, exists)?);
            // Asked last: what is absent from a block that is closed by now may have been deleted, and
            // is not the end.
            if self.is_closed(self.layout.block_of(next))? {
                // Blocks are closed in ascending order: seen twice, that is no matter of time.
                if before == Some((closed, next)) {
                    let what = format!(
                        "a block of the log is closed, and block {closed} before it is not"
                    );
                    return Err(Error::because(Cause::LOG_HOLE, what)
                        .at(self.store.describe())
                        .hint("restore the store from a copy, or give the job another place"));
                }
                before = Some((closed, next));
                continue;
            }
            let is_new = next == LogIndex(1);
            if self.has_entry_after(next)? || is_new && self.has_more_than(closed)? {
                if self.exists(&self.layout.entry(next))? || self.closed_blocks()? != closed {
                    // Somebody has begun meanwhile.
                    continue;
                }
                let what = format!("log entry {next} is gone, and what came after it is there");
                return Err(Error::because(Cause::LOG_HOLE, what)
                    .at(self.store.describe())
                    .hint("restore the store from a copy, or give the job another place"));
            }
            return Ok(LogRange { first, next });
        }
    }

    fn read(&self, index: LogIndex) -> Result<Option<Vec<u8>>> {
        let Some(bytes) = self.store.get(&self.layout.entry(index))? else { return Ok(None) };
        // In a closed block there may be what a process that slept has put into a hole.
        Ok((!self.is_closed(self.layout.block_of(index))?).then_some(bytes))
    }

    fn claim(&self, index: LogIndex, entry: &[u8]) -> Result<Appended> {
        self.put(index, entry)
    }

    fn append(&self, index: LogIndex, entry: &[u8]) -> Result<Appended> {
        self.put(index, entry)
    }

    fn forget_before(&self, index: LogIndex) -> Result<()> {
        let open = self.layout.block_of(index).0;
        if open <= self.swept.load(Ordering::Relaxed) {
            return Ok(());
        }
        let closed = self.closed_blocks()?;
        // The last closed one may not have been swept to its end.
        for block in closed.saturating_sub(1)..open {
            let block = LogBlock(block);
            self.store.put_if_absent(&block.closed(), b"")?;
            self.sweep(block)?;
        }
        self.swept.store(open, Ordering::Relaxed);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
