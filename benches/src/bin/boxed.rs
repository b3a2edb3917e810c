//! What it costs to forget the type of a stream ([`Stream::boxed`]) and of a key ([`KeyedStream::boxed`]):
//! the same jobs with and without, in turn, on one core.
//!
//! Prints a Markdown table. Run it alone on the machine.
//!
//! [`KeyedStream::boxed`]: steadfast::KeyedStream::boxed

use std::time::Instant;

use serde::{Deserialize, Serialize};
use steadfast::prelude::*;
use steadfast::{BoxedKeyedStream, BoxedStream};

const RECORDS: u64 = 20_000_000;
const ROUNDS: usize = 7;

/// A record of 80 bytes.
#[derive(Clone, Serialize, Deserialize)]
struct Wide {
    number: u64,
    rest: [u64; 9],
}

type Build = fn(&Job);

/// No record gets through, so that no sink is measured.
fn ends<P: OperatorChain<Out = u64>>(stream: Stream<P>) {
    stream.filter(|n| *n == RECORDS + 1).sink("out", Collect::new());
}

fn numbers(job: &Job) -> Stream<impl OperatorChain<Out = u64> + use<>> {
    job.source("numbers", Generator::new(|n| n).count(RECORDS)).map(|n| n ^ 1)
}

fn wide(job: &Job) -> Stream<impl OperatorChain<Out = Wide> + use<>> {
    numbers(job).map(|number| Wide { number, rest: [number; 9] })
}

fn narrow_fused(job: &Job) {
    ends(numbers(job).map(|n| n + 3));
}

fn narrow_boxed(job: &Job) {
    let boxed: BoxedStream<u64> = numbers(job).boxed();
    ends(boxed.map(|n| n + 3));
}

fn wide_fused(job: &Job) {
    ends(wide(job).map(|wide| wide.number + wide.rest[3]));
}

fn wide_boxed(job: &Job) {
    let boxed: BoxedStream<Wide> = wide(job).boxed();
    ends(boxed.map(|wide| wide.number + wide.rest[3]));
}

fn key_static(job: &Job) {
    let keyed = numbers(job).key_by(|n| n % 1000).named("sums");
    ends(keyed.fold(Emit::Final, || 0, |sum: &mut u64, n| *sum ^= n).map(|(_, sum)| sum));
}

fn key_boxed(job: &Job) {
    let keyed: BoxedKeyedStream<u64, u64> = numbers(job).key_by(|n| n % 1000).boxed();
    let sums = keyed.named("sums").fold(Emit::Final, || 0, |sum: &mut u64, n| *sum ^= n);
    ends(sums.map(|(_, sum)| sum));
}

/// Nanoseconds for each record.
fn measure(build: Build) -> f64 {
    let job = Job::new("boxed");
    build(&job);
    let began = Instant::now();
    let report = job.run(&RunOptions::in_memory()).expect("the job runs");
    assert_eq!(report.records, RECORDS);
    began.elapsed().as_secs_f64() * 1e9 / RECORDS as f64
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let pairs: [(&str, Build, Build); 3] = [
        ("stream of 8-byte records", narrow_fused, narrow_boxed),
        ("stream of 80-byte records", wide_fused, wide_boxed),
        ("computed key of a fold", key_static, key_boxed),
    ];
    println!("| | as it is, ns a record | boxed | more |");
    println!("|---|--:|--:|--:|");
    for (what, plain, boxed) in pairs {
        let rounds = (0..ROUNDS).map(|_| (measure(plain), measure(boxed)));
        let (plain, boxed): (Vec<_>, Vec<_>) = rounds.unzip();
        let (plain, boxed) = (median(plain), median(boxed));
        println!("| {what} | {plain:.2} | {boxed:.2} | {:.2} |", boxed - plain);
    }
}
