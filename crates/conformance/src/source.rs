//! What every [`Source`] of input that has an end must pass.
//!
//! It knows nothing of where records come from: it plans, reads, stops and goes on, as tasks and processes do.

mod patience;
mod process;
mod reading;
mod resuming;

use std::fmt::Debug;

use steadfast_core::source::{Replay, Source};

/// Some input that does not change, of which a source can be made again and again, as each process makes its own.
///
/// It may own a temporary folder or a server.
pub trait SourceFixture {
    /// What is to be checked.
    type Source: Source<Item: Debug>;

    /// The source, as a process that starts would make it.
    fn source(&self) -> Self::Source;

    /// Every record of the input, in any order. They are compared by what [`Debug`] prints.
    fn records(&self) -> Vec<<Self::Source as Source>::Item>;
}

/// Runs all checks of the [`Source`] contract on an input of a few dozen records, of which several should be splits.
///
/// A source whose input cannot be read again ([`Replay::Impossible`]) is only read through.
///
/// ```
/// use steadfast_conformance::{SourceFixture, source};
/// # use std::task::Waker;
/// # use steadfast_core::Result;
/// # use steadfast_core::source::*;
/// # use steadfast_core::time::Timestamp;
/// # struct Countdown;
/// # struct Reader(u64);
/// # impl Source for Countdown {
/// #     type Item = u64;
/// #     type Split = u64;
/// #     type Reader = Reader;
/// #     fn plan(&self, resumed: Resumed<u64>, _readers: usize) -> Result<Planned<u64>> {
/// #         let left = resumed.splits.first().copied().unwrap_or(40);
/// #         Ok(Planned::new(vec![SplitStatus { split: left, finished: left == 0, done: 40 - left }]))
/// #     }
/// #     fn open(&self, split: u64, _waker: &Waker) -> Result<Reader> { Ok(Reader(split)) }
/// #     fn total(&self) -> Option<u64> { Some(40) }
/// #     fn describe(&self) -> String { "a countdown".to_string() }
/// # }
/// # impl SplitReader for Reader {
/// #     type Item = u64;
/// #     type Split = u64;
/// #     fn poll(&mut self, _: PollLimit, _: Timestamp, out: &mut impl SourceOutput<u64>) -> Result<Polled> {
/// #         if self.0 == 0 { return Ok(Polled::End); }
/// #         out.push(self.0)?;
/// #         out.advance(1);
/// #         self.0 -= 1;
/// #         Ok(Polled::More)
/// #     }
/// #     fn split(&self) -> u64 { self.0 }
/// # }
///
/// struct Fixture;
///
/// impl SourceFixture for Fixture {
///     type Source = Countdown;
///
///     fn source(&self) -> Countdown {
///         Countdown
///     }
///
///     fn records(&self) -> Vec<u64> {
///         (1..=40).collect()
///     }
/// }
///
/// source(|| Fixture);
/// ```
///
/// # Panics
/// If a rule is broken, with the rule.
pub fn source<F: SourceFixture>(make: impl Fn() -> F) {
    reading::every_record_is_read_once_by_any_number_of_readers(&make());
    reading::a_poll_hands_over_no_more_than_was_asked_for(&make());
    reading::what_was_read_adds_up_to_the_total(&make());
    reading::it_says_where_its_records_come_from(&make());
    if make().source().replay() == Replay::Impossible {
        return;
    }
    resuming::planning_changes_nothing(&make());
    resuming::a_split_that_was_opened_and_not_read_is_where_it_was(&make());
    resuming::a_split_is_read_in_the_same_order_again(&make());
    resuming::what_has_ended_has_ended(&make());
    resuming::what_is_remembered_of_splits_that_ended_is_enough(&make());
    resuming::reading_goes_on_behind_every_record(&make());
    resuming::reading_goes_on_with_other_numbers_of_readers(&make());
    resuming::from_the_beginning_everything_is_read_again(&make());
}
