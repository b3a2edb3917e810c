//! The ways in turns, each in a process of its own, and the tables of what they say.

use std::process::Command;

use crate::{Arguments, Failure, NOTHING, Outcome, SinkKind, Way};

/// One way with its settings.
#[derive(Clone, Copy)]
struct Started<'a> {
    arguments: &'a Arguments,
    query: u8,
    way: Way,
    parallelism: u16,
    sink: SinkKind,
}

impl Started<'_> {
    fn run(self, checksum: bool) -> Result<Outcome, Failure> {
        let Started { arguments, query, way, parallelism, sink } = self;
        let way = if way == Way::Loop { "loop" } else { "engine" };
        let mut command = Command::new(std::env::current_exe()?);
        let query = if query == NOTHING { "none".to_string() } else { query.to_string() };
        command.args(["--query", &query, "--way", way, "--sink", sink.name()]);
        command.args(["--events", &arguments.events.to_string()]);
        command.args(["--parallelism", &parallelism.to_string()]);
        command.args(["--checkpoint-interval", &arguments.checkpoint_interval.to_string()]);
        command.args(checksum.then_some("--checksum"));
        let output = command.output()?;
        if !output.status.success() {
            let error = String::from_utf8_lossy(&output.stderr);
            return Err(format!("q{query}, {way}: {}: {error}", output.status).into());
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }
}

impl SinkKind {
    fn name(self) -> &'static str {
        match self {
            SinkKind::Counting => "counting",
            SinkKind::Jsonl => "jsonl",
            SinkKind::Sqlite => "sqlite",
        }
    }
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    match (values.get((values.len() - 1) / 2), values.get(values.len() / 2)) {
        (Some(low), Some(high)) => (low + high) / 2.0,
        _ => f64::NAN,
    }
}

/// Median, least and greatest.
fn spread(values: &[f64]) -> String {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let greatest = values.iter().copied().fold(0.0, f64::max);
    format!("{:.2} [{least:.2}–{greatest:.2}]", median(values))
}

/// Digits in groups of three.
fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let groups = digits.as_bytes().rchunks(3).rev();
    groups.map(|group| String::from_utf8_lossy(group)).collect::<Vec<_>>().join(",")
}

fn seconds(outcome: &Outcome) -> f64 {
    outcome.seconds.unwrap_or(f64::NAN)
}

/// The engine with one task and with two, each beside a loop that has just run.
pub fn print_ratios(arguments: &Arguments) -> Result<(), Failure> {
    println!(
        "| query | rows | the loop, events/s | 1 task, events/s | of the loop: median [min–max] \
         | 2 tasks, events/s | per core, of the loop: median [min–max] |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|");
    let sink = SinkKind::Counting;
    let rate = |times: &[f64]| grouped(arguments.events as f64 / median(times));
    let nothing = Started { arguments, query: NOTHING, way: Way::Loop, parallelism: 1, sink };
    let only_made = (0..arguments.pairs).map(|_| Ok(seconds(&nothing.run(false)?)));
    println!("| none | 0 | {} | | | | |", rate(&only_made.collect::<Result<Vec<_>, Failure>>()?));
    for query in arguments.queries()? {
        let by_hand = Started { query, ..nothing };
        let one = Started { way: Way::Engine, ..by_hand };
        let two = Started { parallelism: 2, ..one };
        let due = by_hand.run(true)?;
        for engine in [one, two] {
            let shown = engine.run(true)?;
            // How many rows q12 has depends on the clock.
            if shown.checksum != due.checksum || query != 12 && shown.rows != due.rows {
                return Err(format!("q{query}: {shown:?} is not {due:?}").into());
            }
        }
        let (mut loops, mut times, mut ratios) = (vec![], [vec![], vec![]], [vec![], vec![]]);
        for pair in 0..arguments.pairs {
            for (number, engine) in [one, two].into_iter().enumerate() {
                // Who comes first changes from pair to pair.
                let (of_engine, of_loop) = if pair % 2 == 0 {
                    let of_engine = seconds(&engine.run(false)?);
                    (of_engine, seconds(&by_hand.run(false)?))
                } else {
                    let of_loop = seconds(&by_hand.run(false)?);
                    (seconds(&engine.run(false)?), of_loop)
                };
                loops.push(of_loop);
                times[number].push(of_engine);
                ratios[number].push(of_loop / of_engine / f64::from(engine.parallelism));
            }
        }
        println!(
            "| q{query} | {} | {} | {} | {} | {} | {} |",
            grouped(due.rows as f64),
            rate(&loops),
            rate(&times[0]),
            spread(&ratios[0]),
            rate(&times[1]),
            spread(&ratios[1]),
        );
    }
    Ok(())
}

/// The engine into sinks, each beside one that only counts; times are to the end of the job.
pub fn print_sinks(arguments: &Arguments) -> Result<(), Failure> {
    println!(
        "| query | rows | counting, events/s | JSON lines, events/s | of counting: median [min–max] \
         | SQLite, events/s | of counting: median [min–max] |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|");
    for query in arguments.queries()? {
        let counting = Started {
            arguments,
            query,
            way: Way::Engine,
            parallelism: arguments.parallelism,
            sink: SinkKind::Counting,
        };
        let (mut counts, mut times, mut ratios) = (vec![], [vec![], vec![]], [vec![], vec![]]);
        let mut rows = 0;
        for _ in 0..arguments.pairs {
            for (number, sink) in [SinkKind::Jsonl, SinkKind::Sqlite].into_iter().enumerate() {
                let counted = counting.run(false)?;
                let shown = Started { sink, ..counting }.run(false)?;
                if query != 12 && counted.rows != shown.rows {
                    return Err(format!("q{query}: {shown:?} is not {counted:?}").into());
                }
                rows = counted.rows;
                counts.push(counted.finished_seconds);
                times[number].push(shown.finished_seconds);
                ratios[number].push(counted.finished_seconds / shown.finished_seconds);
            }
        }
        let rate = |times: &[f64]| grouped(arguments.events as f64 / median(times));
        println!(
            "| q{query} | {} | {} | {} | {} | {} | {} |",
            grouped(rows as f64),
            rate(&counts),
            rate(&times[0]),
            spread(&ratios[0]),
            rate(&times[1]),
            spread(&ratios[1]),
        );
    }
    Ok(())
}
