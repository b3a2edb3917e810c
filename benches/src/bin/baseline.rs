//! The baseline: balances per account, as fast as one thread can without any fault tolerance.
//!
//! It does the job of the payments example in the way a careful programmer would write it by hand
//! for one run: no checkpoints, no state that outlives the process, output in one transaction at
//! the end. It shares no code with the engine.
//!
//! Tried on 10 million payments of 100,000 accounts (1.2 GB, in the page cache; 2 virtual cores at
//! 2.5 GHz that others were using too; the best of three runs, in million events a second, without
//! and with `--dedup`):
//!
//! | parser     | map                        | all  | `--dedup` |
//! |------------|----------------------------|------|-----------|
//! | serde_json | hashbrown, rapidhash       | 2.13 | 1.27      |
//! | serde_json | hashbrown, foldhash        | 2.31 | 1.37      |
//! | serde_json | hashbrown, ahash           | 2.21 | 1.29      |
//! | serde_json | std, its own hash          | 1.53 | 1.05      |
//! | sonic-rs   | hashbrown, rapidhash       | 2.32 | 1.02      |
//!
//! Runs of one program differed by a third, so the first three and the last are alike: the
//! libraries that the workspace uses anyway stay. Parsing alone takes 294 ns a line with
//! serde_json's `from_str` (355 with `from_slice`), 290 with sonic-rs and 309 with simd-json, all
//! into borrowed fields; fields with their own strings add 20 ns.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Parser;
use compact_str::CompactString;
use hashbrown::{HashMap, HashSet};
use memchr::memchr;
use rapidhash::fast::RandomState;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};

/// The bytes read at a time: about a thousand lines, which are all parsed before the first one
/// touches the state. Then the cache misses of many lookups overlap, and what parsing needs stays
/// in the nearest caches.
const CHUNK_BYTES: usize = 128 * 1024;

/// Sums payments per account by hand: what the engine is measured against.
#[derive(Parser)]
struct Arguments {
    /// Lines of JSON, one payment each.
    file: PathBuf,
    /// The SQLite database in which the table `balances` is written anew.
    #[arg(long)]
    output: PathBuf,
    /// Count each event id once.
    #[arg(long)]
    dedup: bool,
}

#[derive(Deserialize)]
struct Payment<'a> {
    #[serde(alias = "eventId")]
    event_id: &'a str,
    #[serde(alias = "accountId")]
    account_id: &'a str,
    amount: Cents,
    #[serde(rename = "type")]
    kind: Kind,
    #[serde(rename = "timestamp")]
    _timestamp: i64,
}

/// The same with ids of its own, for the rare line whose ids contain an escape.
#[derive(Deserialize)]
struct EscapedPayment {
    #[serde(alias = "eventId")]
    event_id: String,
    #[serde(alias = "accountId")]
    account_id: String,
    amount: Cents,
    #[serde(rename = "type")]
    kind: Kind,
    #[serde(rename = "timestamp")]
    _timestamp: i64,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Deposit,
    Withdraw,
}

#[derive(Clone, Copy)]
struct Cents(i64);

impl<'de> Deserialize<'de> for Cents {
    #[inline]
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct CentsVisitor;
        impl Visitor<'_> for CentsVisitor {
            type Value = Cents;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a number with at most two decimals")
            }

            #[inline]
            fn visit_u64<E: Error>(self, value: u64) -> Result<Cents, E> {
                let cents = i64::try_from(value).ok().and_then(|whole| whole.checked_mul(100));
                cents.map(Cents).ok_or_else(|| E::custom("too large"))
            }

            #[inline]
            fn visit_f64<E: Error>(self, value: f64) -> Result<Cents, E> {
                let cents = (value * 100.0 + 0.5) as i64;
                if (0.0..=8e12).contains(&value) && cents as f64 / 100.0 == value {
                    return Ok(Cents(cents));
                }
                Err(E::custom("not an exact number of cents"))
            }
        }
        deserializer.deserialize_f64(CentsVisitor)
    }
}

#[derive(Default)]
struct Account {
    balance_cents: i64,
    payments: u64,
}

struct Totals {
    accounts: HashMap<CompactString, Account, RandomState>,
    /// The ids seen so far, if each is to count once. Up to 24 bytes lie in the table itself.
    seen: Option<HashSet<CompactString, RandomState>>,
    events: u64,
    duplicates: u64,
    bad: u64,
}

impl Totals {
    fn add(&mut self, event_id: &str, account_id: &str, amount: Cents, kind: Kind) {
        self.events += 1;
        if let Some(seen) = &mut self.seen
            && !seen.insert(CompactString::new(event_id))
        {
            self.duplicates += 1;
            return;
        }
        let account = match self.accounts.get_mut(account_id) {
            Some(account) => account,
            None => self.accounts.entry(CompactString::new(account_id)).or_default(),
        };
        account.payments += 1;
        account.balance_cents += match kind {
            Kind::Deposit => amount.0,
            Kind::Withdraw => -amount.0,
        };
    }

    fn add_lines(&mut self, mut lines: &[u8]) {
        let mut parsed = Vec::with_capacity(lines.len() / 64);
        while !lines.is_empty() {
            let end = memchr(b'\n', lines).unwrap_or(lines.len());
            let (line, rest) = lines.split_at(end);
            lines = rest.get(1..).unwrap_or_default();
            if line.is_empty() {
                continue;
            }
            match std::str::from_utf8(line).map(serde_json::from_str::<Payment<'_>>) {
                Ok(Ok(payment)) => parsed.push(payment),
                _ => match serde_json::from_slice::<EscapedPayment>(line) {
                    Ok(p) => self.add(&p.event_id, &p.account_id, p.amount, p.kind),
                    Err(_) => self.bad += 1,
                },
            }
        }
        for p in &parsed {
            self.add(p.event_id, p.account_id, p.amount, p.kind);
        }
    }

    fn read(&mut self, mut file: File) -> io::Result<()> {
        let mut buffer = vec![0; CHUNK_BYTES];
        let mut filled = 0;
        loop {
            if filled == buffer.len() {
                buffer.resize(2 * filled, 0);
            }
            let read = file.read(&mut buffer[filled..])?;
            if read == 0 {
                self.add_lines(&buffer[..filled]);
                return Ok(());
            }
            filled += read;
            let Some(last) = memchr::memrchr(b'\n', &buffer[..filled]) else { continue };
            self.add_lines(&buffer[..=last]);
            buffer.copy_within(last + 1..filled, 0);
            filled -= last + 1;
        }
    }

    fn write(&self, path: &Path) -> rusqlite::Result<()> {
        let mut database = rusqlite::Connection::open(path)?;
        let transaction = database.transaction()?;
        transaction.execute_batch(
            "DROP TABLE IF EXISTS balances;
             CREATE TABLE balances(
                 account_id TEXT PRIMARY KEY, balance_cents INTEGER NOT NULL,
                 payments INTEGER NOT NULL);",
        )?;
        // In the order of the key every page of the index is written once.
        let mut sorted: Vec<_> = self.accounts.iter().collect();
        sorted.sort_unstable_by_key(|(id, _)| *id);
        let mut insert = transaction.prepare("INSERT INTO balances VALUES (?1, ?2, ?3)")?;
        for (id, account) in sorted {
            insert.execute((id.as_str(), account.balance_cents, account.payments as i64))?;
        }
        drop(insert);
        transaction.commit()
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let start = Instant::now();
    let arguments = Arguments::parse();
    let file = File::open(&arguments.file)?;
    // The number of ids, roughly: growing the table would hash every id again.
    let ids = usize::try_from(file.metadata()?.len() / 110)?;
    let mut totals = Totals {
        accounts: HashMap::default(),
        seen: arguments.dedup.then(|| HashSet::with_capacity_and_hasher(ids, RandomState::new())),
        events: 0,
        duplicates: 0,
        bad: 0,
    };
    totals.read(file)?;
    totals.write(&arguments.output)?;
    let seconds = start.elapsed().as_secs_f64();
    println!(
        r#"{{"events":{},"duplicates":{},"bad":{},"accounts":{},"seconds":{seconds:.3},"events_per_second":{:.0}}}"#,
        totals.events,
        totals.duplicates,
        totals.bad,
        totals.accounts.len(),
        totals.events as f64 / seconds,
    );
    // Freeing millions of entries one by one would only delay the end.
    std::mem::forget(totals);
    Ok(())
}
