//! What every [`CommitLog`] must pass.
//!
//! To it, entries are bytes that differ. It knows nothing of claims, manifests or blocks, except that
//! a log which keeps its entries in blocks has borders where mistakes live.

mod appending;
mod forgetting;
mod races;

use steadfast_core::id::LogIndex;
use steadfast_core::log::{Appended, CommitLog, LogRange};

use crate::rule::Rule;

const APPENDED: Rule = Rule("an entry is appended at the index after the last");
const NEXT: Rule = Rule(
    "look gives a first index that is not after what is kept, and the one after the last entry as the next",
);

/// One commit log, of which several handles can be had.
///
/// Every closure that gives a `Box<dyn CommitLog>` is one; it may own a temporary folder.
pub trait CommitLogFixture {
    /// Another handle on the log, as another process would have it.
    fn commit_log(&self) -> Box<dyn CommitLog>;
}

impl<F: Fn() -> Box<dyn CommitLog>> CommitLogFixture for F {
    fn commit_log(&self) -> Box<dyn CommitLog> {
        self()
    }
}

/// Runs all checks of the [`CommitLog`] contract; every call of `make` gives an empty log.
///
/// ```no_run
/// # fn my_log(folder: &str) -> Box<dyn steadfast_core::log::CommitLog> { panic!("{folder}") }
/// # fn a_fresh_folder() -> String { String::new() }
/// steadfast_conformance::commit_log(|| {
///     let folder = a_fresh_folder();
///     move || my_log(&folder)
/// });
/// ```
///
/// # Panics
/// If a rule is broken, with the rule.
pub fn commit_log<F: CommitLogFixture>(make: impl Fn() -> F) {
    appending::an_empty_log_looks_empty(&make());
    appending::entries_stand_where_they_were_appended(&make());
    appending::a_taken_index_gives_the_winners_entry(&make());
    appending::a_repeated_append_finds_its_own_entry(&make());
    appending::an_overtaken_holder_is_refused(&make());
    forgetting::what_is_needed_stays(&make());
    forgetting::forgetting_never_goes_back(&make());
    forgetting::a_forgotten_index_is_never_used_again(&make());
    forgetting::a_log_forgets_as_it_goes(&make());
    races::one_of_many_appends_wins(&make());
    races::one_of_many_claims_wins(&make());
    races::claims_and_forgetting_at_the_same_time_lose_nothing(&make());
}

/// An entry that no other writer and no other index has.
fn entry(index: u64, writer: &str) -> Vec<u8> {
    format!("entry {index} by {writer}").into_bytes()
}

/// Appends the entries of `writer` at every index of `indexes`, in turns as checkpoint and claim.
fn append_all(log: &dyn CommitLog, indexes: impl IntoIterator<Item = u64>, writer: &str) {
    for index in indexes {
        let bytes = entry(index, writer);
        let appended = match index % 10 {
            1 => log.claim(LogIndex(index), &bytes),
            _ => log.append(LogIndex(index), &bytes),
        };
        APPENDED.equal(&APPENDED.answered(appended), &Appended::Done);
    }
}

/// Looks: the log goes up to `next`, and nothing from `kept` on is said to be forgotten.
fn looks(log: &dyn CommitLog, kept: u64, next: u64) {
    let range = NEXT.answered(log.look());
    let LogRange { first, next: found } = range;
    let right = LogIndex(1) <= first && first <= LogIndex(kept) && found == LogIndex(next);
    NEXT.holds(right, &format!("{range:?} where {kept} is kept and {next} is next"));
}
