//! Every record once, wherever a source is stopped and resumed.

use std::task::Waker;
use steadfast_core::source::{
    BadRecord, PollLimit, Polled, Resumed, Source, SourceOutput, SplitReader, SplitStatus,
};
use steadfast_core::time::Timestamp;
use steadfast_core::{Error, ErrorKind, Result};
use steadfast_memory::{Generator, GeneratorSplit, Values};

#[derive(Default)]
struct Taken {
    items: Vec<u64>,
    advanced: u64,
}

impl SourceOutput<u64> for Taken {
    fn push(&mut self, item: u64) -> Result<()> {
        self.items.push(item);
        Ok(())
    }

    fn reject(&mut self, bad: BadRecord) -> Result<()> {
        panic!("{bad:?}");
    }

    fn advance(&mut self, amount: u64) {
        self.advanced += amount;
    }
}

fn planned<S: Source>(
    source: &S,
    resumed: Vec<S::Split>,
    readers: usize,
) -> Result<Vec<SplitStatus<S::Split>>> {
    Ok(source.plan(Resumed::new(resumed), readers)?.splits)
}

/// Polls until `taken` holds `stop_at` items or the split ends.
fn read<R: SplitReader<Item = u64>>(reader: &mut R, taken: &mut Taken, stop_at: usize) -> Polled {
    loop {
        let limit = 3.min(stop_at - taken.items.len());
        let polled = reader.poll(PollLimit::records(limit), Timestamp(0), taken).unwrap();
        if polled != Polled::More || taken.items.len() == stop_at {
            return polled;
        }
    }
}

fn read_all<S: Source<Item = u64>>(source: &S) -> Vec<Vec<u64>> {
    let splits = planned(source, Vec::new(), 1).unwrap();
    let read_split = |split| {
        let mut taken = Taken::default();
        let end = read(&mut source.open(split, Waker::noop()).unwrap(), &mut taken, usize::MAX);
        assert_eq!(end, Polled::End);
        assert_eq!(taken.advanced, taken.items.len() as u64);
        taken.items
    };
    splits.into_iter().map(|status| read_split(status.split)).collect()
}

/// Stops each split after every possible number of items, resumes, and compares.
fn resumes_everywhere<S: Source<Item = u64>>(source: &S) {
    for (index, whole) in read_all(source).into_iter().enumerate() {
        for stop_at in 0..=whole.len() {
            let mut taken = Taken::default();
            let mut splits: Vec<_> =
                planned(source, Vec::new(), 1).unwrap().into_iter().map(|s| s.split).collect();
            let mut reader = source.open(splits[index].clone(), Waker::noop()).unwrap();
            if stop_at > 0 {
                read(&mut reader, &mut taken, stop_at);
            }
            assert_eq!(taken.items.len(), stop_at);
            splits[index] = reader.split();

            let resumed = planned(source, splits, 1).unwrap().swap_remove(index);
            assert_eq!(resumed.done, stop_at as u64);
            assert_eq!(resumed.finished, stop_at == whole.len());
            assert_eq!(
                read(
                    &mut source.open(resumed.split, Waker::noop()).unwrap(),
                    &mut taken,
                    usize::MAX
                ),
                Polled::End
            );
            assert_eq!(taken.items, whole);
        }
    }
}

#[test]
fn values_resume_everywhere() {
    for (length, splits) in [(0, 1), (0, 3), (1, 2), (10, 1), (10, 3), (12, 4), (2, 5)] {
        let source = Values::new((0..length).collect::<Vec<u64>>()).splits(splits);
        assert_eq!(read_all(&source).len(), splits);
        assert_eq!(read_all(&source).concat(), (0..length).collect::<Vec<_>>());
        resumes_everywhere(&source);
    }
}

/// Takes everything but the first value.
#[derive(Default)]
struct Choosy(Taken, bool);

impl SourceOutput<u64> for Choosy {
    fn push(&mut self, item: u64) -> Result<()> {
        match std::mem::replace(&mut self.1, true) {
            true => self.0.push(item),
            false => Err(Error::user_code("not this one")),
        }
    }

    fn reject(&mut self, bad: BadRecord) -> Result<()> {
        self.0.reject(bad)
    }

    fn advance(&mut self, amount: u64) {
        self.0.advance(amount);
    }
}

/// Its position lies behind what it has handed over, whatever has come of that.
#[test]
fn a_value_that_was_refused_is_not_handed_over_again() {
    let source = Values::new(vec![1_u64, 2, 3]);
    let split = planned(&source, Vec::new(), 1).unwrap().remove(0).split;
    let mut reader = source.open(split, Waker::noop()).unwrap();
    let (mut output, all) = (Choosy::default(), PollLimit::records(10));
    reader.poll(all, Timestamp(0), &mut output).unwrap_err();
    assert_eq!(reader.split().next, 1);
    assert_eq!(reader.poll(all, Timestamp(0), &mut output).unwrap(), Polled::End);
    assert_eq!(output.0.items, [2, 3]);
}

#[test]
fn generated_records_resume_everywhere() {
    for (count, splits) in [(0, 1), (0, 2), (1, 3), (10, 1), (10, 3), (12, 4)] {
        let source = Generator::new(|n| n * n).count(count).splits(splits);
        for (index, items) in read_all(&source).into_iter().enumerate() {
            let own = (index as u64..count).step_by(usize::try_from(splits).unwrap());
            assert_eq!(items, own.map(|n| n * n).collect::<Vec<_>>());
        }
        resumes_everywhere(&source);
    }
}

#[test]
fn splits_of_another_run_are_refused() {
    let splits = |source: &Values<u64>| -> Vec<_> {
        let all = planned(source, Vec::new(), 1).unwrap();
        all.into_iter().map(|status| status.split).collect()
    };
    let two = Values::new(vec![1, 2, 3, 4]).splits(2);
    for other in [Values::new(vec![1, 2, 3, 4]), Values::new(vec![1, 2, 3]).splits(2)] {
        assert_eq!(planned(&two, splits(&other), 1).unwrap_err().kind(), ErrorKind::Configuration);
    }
    let of_three = (0..3).map(|index| GeneratorSplit { index, of: 3, done: 0 }).collect();
    let two = Generator::new(|n| n).splits(2);
    let error = planned(&two, of_three, 1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
}

/// Polls at `now` and says what came: the items and when to ask again.
fn poll_at<R: SplitReader<Item = u64>>(reader: &mut R, now: i64) -> (Vec<u64>, Polled) {
    let mut taken = Taken::default();
    let polled = reader.poll(PollLimit::records(100), Timestamp(now), &mut taken).unwrap();
    (taken.items, polled)
}

#[test]
fn a_rate_makes_each_record_due_at_its_time() {
    let source = Generator::new(|n| n).rate(3);
    let split = planned(&source, Vec::new(), 1).unwrap().remove(0).split;
    let mut reader = source.open(split, Waker::noop()).unwrap();
    let idle = |ms| Polled::Idle(Some(Timestamp(ms)));
    assert_eq!(poll_at(&mut reader, 1_000), (vec![0], idle(1_334)));
    assert_eq!(poll_at(&mut reader, 1_333), (vec![], idle(1_334)));
    assert_eq!(poll_at(&mut reader, 1_334), (vec![1], idle(1_667)));
    // A late poll catches up, and the rate does not drift.
    assert_eq!(poll_at(&mut reader, 2_999), (vec![2, 3, 4, 5], idle(3_000)));

    // A resumed reader goes on from its position, by a new start.
    let mut reader = source.open(reader.split(), Waker::noop()).unwrap();
    assert_eq!(poll_at(&mut reader, 50_000), (vec![6], idle(50_334)));
}

#[test]
fn splits_share_the_rate() {
    let source = Generator::new(|n| n).rate(1_000).splits(4).count(10_000);
    let mut taken = 0;
    for status in planned(&source, Vec::new(), 4).unwrap() {
        let mut reader = source.open(status.split, Waker::noop()).unwrap();
        taken += poll_at(&mut reader, 0).0.len();
        taken += poll_at(&mut reader, 99).0.len();
    }
    assert_eq!(taken, 100);
}

#[test]
fn a_generator_without_count_goes_up_to_the_last_number() {
    let source = Generator::new(|n| n).splits(2);
    assert_eq!(source.total(), None);
    let split = GeneratorSplit { index: 1, of: 2, done: u64::MAX / 2 };
    let mut reader = source.open(split, Waker::noop()).unwrap();
    assert_eq!(poll_at(&mut reader, 0), (vec![u64::MAX], Polled::End));
}
