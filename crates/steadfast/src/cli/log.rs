//! The log: events of the engine, and of the job's own code, as lines on standard error.
//!
//! The engine tells its events to whoever subscribes (`tracing`); here is the one that does. It decides nothing
//! about what is told. A program that has a subscriber of its own keeps it.

use std::fmt::Debug;

use serde_json::Value;
use steadfast_core::time::Clock;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::Registry;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use super::flags::{LogFormat, LogLevel};
use super::line::{Fields, Line};
use super::terminal::{self, Lines};
use crate::clock::SystemClock;

/// What the run tells people itself, in its own words: they need not read it twice.
const TOLD_OTHERWISE: [&str; 6] = [
    "checkpoint_skipped",
    "target_emptied",
    "output_rejected",
    "source_not_replayable",
    "nothing_to_read",
    "taken_over",
];

/// Subscribes, for a run of the job of this name.
pub(super) fn begin(job: &str, level: LogLevel, format: LogFormat) {
    let lines = terminal::tell(Lines::new(format, job));
    if level == LogLevel::Off {
        return;
    }
    let write = move |line: Line| lines.write(line);
    let log = Log { is_for_people: format == LogFormat::Text, clock: SystemClock::new(), write };
    let subscriber = Registry::default().with(filter(level)).with(log);
    // A program that subscribes itself has its reasons.
    let _ = subscriber.try_init();
}

fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Off => LevelFilter::OFF,
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}

/// Makes lines of events.
struct Log<W> {
    is_for_people: bool,
    clock: SystemClock,
    write: W,
}

impl<S, W> Layer<S> for Log<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: Fn(Line) + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut visited = Visited::default();
        attributes.record(&mut visited);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(visited.fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let mut visited = Visited::default();
        values.record(&mut visited);
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            fields.extend(&visited.fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let metadata = event.metadata();
        if self.is_for_people && TOLD_OTHERWISE.contains(&metadata.name()) {
            return;
        }
        let mut fields = Fields::default();
        for span in context.event_scope(event).into_iter().flat_map(|scope| scope.from_root()) {
            if let Some(of_span) = span.extensions().get::<Fields>() {
                fields.extend(of_span);
            }
        }
        let mut visited = Visited::default();
        event.record(&mut visited);
        fields.extend(&visited.fields);
        // Events without a name are called after their place in the sources.
        let name = Some(metadata.name()).filter(|name| !name.starts_with("event "));
        (self.write)(Line {
            at: self.clock.wall(),
            level: metadata.level().as_str(),
            target: metadata.target(),
            event: name,
            message: visited.message,
            fields,
        });
    }
}

/// The fields of an event or a span.
#[derive(Default)]
struct Visited {
    message: String,
    fields: Fields,
}

impl Visited {
    fn set(&mut self, field: &Field, value: Value) {
        match (field.name(), &value) {
            ("message", Value::String(text)) => self.message.clone_from(text),
            (name, _) => self.fields.set(name, value),
        }
    }
}

impl Visit for Visited {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.set(field, format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value.into());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex, OnceLock};

    use tracing::Dispatch;

    use super::*;

    /// What is written while `tell` runs.
    fn lines(level: LogLevel, is_for_people: bool, tell: impl FnOnce()) -> Vec<String> {
        // With one subscriber alone, what another thread tells first would count as wanted by nobody.
        static ANOTHER: OnceLock<Dispatch> = OnceLock::new();
        ANOTHER.get_or_init(|| Dispatch::new(Registry::default()));
        let written = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&written);
        let write = move |line: Line| seen.lock().unwrap().push(line.text());
        let log = Log { is_for_people, clock: SystemClock::new(), write };
        let subscriber = Registry::default().with(filter(level)).with(log);
        let subscribed = subscriber.set_default();
        tell();
        drop(subscribed);
        let lines = written.lock().unwrap();
        lines.iter().map(|line| line.split_once(' ').unwrap().1.to_string()).collect()
    }

    #[test]
    fn a_line_carries_what_the_spans_around_it_say() {
        let tell = || {
            let run = tracing::error_span!("run", job = "sums", generation = tracing::field::Empty);
            let _run = run.enter();
            run.record("generation", 3);
            let _inner = tracing::error_span!("checkpoint", checkpoint = 7).entered();
            tracing::info!(name: "done", task = %"sum-0", ratio = 0.5, "the {} is {}", "end", true);
            tracing::debug!("not so important");
        };
        let told =
            ["INFO  the end is true job=sums generation=3 checkpoint=7 task=sum-0 ratio=0.5"];
        assert_eq!(lines(LogLevel::Info, true, tell), told);
        assert_eq!(lines(LogLevel::Debug, true, tell).len(), 2);
        assert!(lines(LogLevel::Off, true, tell).is_empty());
    }

    #[test]
    fn people_are_not_told_twice_and_programs_are_told_all() {
        let tell = || tracing::error!(name: "taken_over", "another process runs the job now");
        assert!(lines(LogLevel::Warn, true, tell).is_empty());
        assert_eq!(lines(LogLevel::Warn, false, tell), ["ERROR another process runs the job now"]);
    }
}
