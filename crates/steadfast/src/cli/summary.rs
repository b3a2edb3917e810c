//! The summary of a run: one JSON object for programs, a table for people.

use serde_json::{Map, Value, json};
use steadfast_runtime::plan::{OperatorNode, Plan};

use super::table::{Side, aligned};
use super::{terminal, units};
use crate::Report;
use crate::builder::DEAD_LETTERS;

/// The sinks of a job.
pub struct Sinks {
    /// Those of its output, by name.
    of_output: Vec<String>,
    of_dead_letters: Vec<DeadLetters>,
}

/// A sink of dead letters.
struct DeadLetters {
    sink: String,
    /// Where they lie.
    place: String,
    /// Whether it takes input that is no record, and not what an operator has refused.
    is_of_source: bool,
}

impl Sinks {
    /// All that a job has.
    pub fn of(plan: &Plan) -> Self {
        let of_kind = |kind: &'static str| plan.operators().iter().filter(move |o| o.kind == kind);
        let is_source = |name: &str| of_kind("source").any(|source| source.name == name);
        let dead_letters = |node: &OperatorNode| DeadLetters {
            sink: node.name.clone(),
            place: node.detail.clone(),
            // What a source has refused has not come through any operator.
            is_of_source: node.inputs.iter().any(|(from, _)| is_source(from)),
        };
        Sinks {
            of_output: of_kind("sink").map(|sink| sink.name.clone()).collect(),
            of_dead_letters: of_kind(DEAD_LETTERS).map(dead_letters).collect(),
        }
    }

    fn all(&self) -> impl Iterator<Item = &str> {
        let dead_letters = self.of_dead_letters.iter().map(|letters| &letters.sink);
        self.of_output.iter().chain(dead_letters).map(String::as_str)
    }
}

/// What a run has done, with what the job itself wants to add.
pub struct Summary {
    fields: Map<String, Value>,
    headline: String,
    rows: Vec<Vec<String>>,
}

impl Summary {
    /// The summary of `report`; `extra` is an object with more fields, or null.
    pub fn new(job: &str, report: &Report, sinks: &Sinks, extra: Value) -> Self {
        let written = |sink: &str| report.counter(sink, "records");
        let taken = |letters: &&DeadLetters| written(&letters.sink);
        let dead: u64 = sinks.of_dead_letters.iter().map(|letters| taken(&letters)).sum();
        let of_input = sinks.of_dead_letters.iter().filter(|letters| letters.is_of_source);
        let skipped =
            report.bad_records().saturating_sub(of_input.map(|letters| taken(&letters)).sum());
        let each = |sink: &str| (sink.to_string(), Value::from(written(sink)));
        let output: Map<String, Value> = sinks.all().map(each).collect();
        let counters = report.counters();
        let over_all = |name: &str| counters.values().filter_map(|counts| counts.get(name)).sum();
        let (late, partly_late): (u64, u64) = (over_all("late"), over_all("partly_late"));
        let seconds = report.elapsed.as_secs_f64();
        let rate = if seconds > 0.0 { report.records as f64 / seconds } else { 0.0 };
        let pauses = report.pauses.median_and_longest();
        let fields = json!({
            "job": job,
            "finished": report.is_finished(),
            "events": report.events(),
            "events_this_run": report.records,
            "output": output,
            "dead_letters": dead,
            "skipped": skipped,
            "late_records": late,
            "partly_late_records": partly_late,
            "rejected_rows": report.rejected_rows,
            "emptied_sinks": report.emptied.iter().map(|(sink, _)| sink).collect::<Vec<_>>(),
            "not_replayable": report.not_replayable,
            "nothing_to_read": report.nothing_to_read,
            "checkpoints": report.checkpoints,
            "retries": report.lateness.retries,
            "waited_seconds": report.lateness.waited.as_secs_f64(),
            "missed_wakeups": report.missed_wakeups,
            "resumed_from": report.resumed_from.map(|id| id.0),
            "seconds": seconds,
            "events_per_second": rate.round() as u64,
            "sync_ms_median": pauses.map(|(median, _)| units::millis(median)),
            "sync_ms_max": pauses.map(|(_, longest)| units::millis(longest)),
            "first_event_ms": report.first_record_after.map(units::millis),
            "loading_ms": units::millis(report.loading),
        });
        let mut rows = vec![
            row("events", units::count(report.events())),
            row("in this run", units::count(report.records)),
            row("time", units::duration(report.elapsed)),
            row("events per second", units::count(rate.round() as u64)),
            row("checkpoints", units::count(report.checkpoints)),
        ];
        let output = sinks.of_output.iter();
        rows.extend(output.map(|sink| row(&format!("to {sink}"), units::count(written(sink)))));
        if let Some((median, max)) = pauses {
            let (median, max) = (units::duration(median), units::duration(max));
            rows.push(row("pause, median", median));
            rows.push(row("pause, longest", max));
        }
        let notable = [
            ("dead letters", dead),
            ("skipped", skipped),
            ("late records", late),
            ("late for some windows", partly_late),
            ("rejected rows", report.rejected_rows),
        ];
        let notable = notable.into_iter().filter(|(_, number)| *number > 0);
        rows.extend(notable.map(|(label, number)| row(label, units::count(number))));
        let used = sinks.of_dead_letters.iter().filter(|letters| taken(letters) > 0);
        rows.extend(
            used.map(|letters| row(&format!("  in '{}'", letters.sink), letters.place.clone())),
        );
        if !report.not_replayable.is_empty() {
            let sources: Vec<_> = report.not_replayable.iter().map(String::as_str).collect();
            rows.push(row("cannot be read again", sources.join(", ")));
        }
        if report.lateness.retries > 0 {
            rows.push(row("waited for answers", units::duration(report.lateness.waited)));
        }
        let extra = match extra {
            Value::Object(extra) => extra,
            _ => Map::new(),
        };
        // What the job reports under a name of the engine's is in the table already.
        let own = extra.iter().filter(|(name, _)| fields.get(name.as_str()).is_none());
        rows.extend(own.map(|(name, value)| row(&name.replace('_', " "), shown(value))));
        let headline = format!("{job}: {}", state(report));
        let mut fields = match fields {
            Value::Object(fields) => fields,
            _ => Map::new(),
        };
        fields.extend(extra);
        Summary { fields, headline, rows }
    }

    /// For programs.
    pub fn object(&self) -> Value {
        Value::Object(self.fields.clone())
    }

    /// Shows a headline and a table.
    pub fn show(&self) {
        let rows = aligned("  ", &[Side::Left, Side::Right], &self.rows);
        terminal::report(&self.headline, &rows, &self.object());
    }
}

fn state(report: &Report) -> String {
    match report.checkpoint() {
        _ if report.is_finished() => "finished".to_string(),
        Some(id) => format!("stopped at checkpoint {id}; run it again to go on"),
        None => "stopped before the first checkpoint".to_string(),
    }
}

fn row(label: &str, value: String) -> Vec<String> {
    vec![label.to_string(), value]
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.as_u64().map_or(number.to_string(), units::count),
        other => other.to_string(),
    }
}

#[cfg(all(test, feature = "files"))]
mod tests {
    use super::*;
    use crate::prelude::*;

    #[test]
    fn what_each_sink_took_is_told_and_where_dead_letters_are() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("in.jsonl"), "1\nbad\n2\n3\n").unwrap();
        let job = Job::new("sums");
        let odd = |n: &u64| if n % 2 == 1 { Ok(*n) } else { Err("even".into()) };
        job.source("numbers", JsonLines::<u64>::new([folder.path().join("in.jsonl")]))
            .skip_bad_input()
            .map_or_reject(odd)
            .dead_letters("even", DeadLetterSink::new(folder.path().join("even")))
            .sink("odd", Collect::new());
        let sinks = job.with_plan(Sinks::of);
        let report = job.run(&RunOptions::in_memory()).unwrap();
        let summary = Summary::new("sums", &report, &sinks, Value::Null);
        let shown =
            |label: &str| summary.rows.iter().find(|row| row[0] == label).map(|row| &*row[1]);
        assert_eq!(shown("to odd"), Some("2"));
        assert_eq!((shown("dead letters"), shown("skipped")), (Some("1"), Some("1")));
        assert!(shown("  in 'even'").unwrap().ends_with("even"), "{:?}", summary.rows);
        assert_eq!(shown("to even"), None, "they are told as dead letters");
        let object = summary.object();
        assert_eq!(object["output"], json!({ "odd": 2, "even": 1 }));
        assert_eq!((&object["dead_letters"], &object["skipped"]), (&json!(1), &json!(1)));
    }
}
