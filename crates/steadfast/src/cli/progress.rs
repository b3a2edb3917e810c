//! The progress line: events per second, the age of the newest checkpoint, and how far it is. Where there
//! is no terminal, the same as a line from time to time.
//!
//! It only looks; the job neither knows of it nor waits for it.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use steadfast_core::time::Clock;
use steadfast_runtime::lateness::Lateness;
use steadfast_runtime::status::{EventTimeReached, JobStatus};

use super::patience::{self, LatenessTeller};
use super::rates::{Rates, Seen};
use super::terminal::{self, Tone};
use super::units;
use crate::Running;

/// The time between two looks, for a line.
const TICK: Duration = Duration::from_millis(200);
/// The same where there is none.
const LOOK: Duration = Duration::from_secs(1);
/// A split that is further behind than this is named.
const WORTH_A_WORD: Duration = Duration::from_secs(60);

/// See the module.
pub struct Progress {
    job: String,
    status: Arc<JobStatus>,
    lateness: Arc<Lateness>,
    clock: Arc<dyn Clock>,
    teller: LatenessTeller,
    shown: Shown,
    rates: Rates,
}

/// How people are told.
#[derive(Clone, Copy, Debug)]
pub enum Shown {
    /// By a line that changes on a terminal, or where there is none by one so often, if at all.
    LineOrEvery(Option<Duration>),
    /// Not at all.
    Nothing,
}

impl Progress {
    /// For a job that is about to run. What is late is told however the rest is `shown`.
    pub fn new(job: &str, running: &Running, teller: LatenessTeller, shown: Shown) -> Self {
        let (status, lateness, clock) = (running.status(), running.lateness(), running.clock());
        let rates = Rates::beginning(seen(&status, &*clock));
        Progress { job: job.to_string(), status, lateness, clock, teller, shown, rates }
    }

    /// Shows it until the other end of `running` is gone.
    pub fn show(self, running: &Receiver<()>) {
        match self.shown {
            Shown::LineOrEvery(_) if can_change() => self.show_line(running),
            Shown::LineOrEvery(interval) => self.show_every(interval, running),
            Shown::Nothing => self.show_every(None, running),
        }
    }

    fn show_line(mut self, running: &Receiver<()>) {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            bar.set_style(style);
        }
        while running.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
            let line = self.line();
            bar.suspend(|| self.teller.look(&self.lateness.report()));
            bar.set_message(line);
            bar.tick();
        }
        bar.finish_and_clear();
    }

    fn show_every(mut self, interval: Option<Duration>, running: &Receiver<()>) {
        let look = interval.map_or(LOOK, |interval| interval.min(LOOK));
        let mut shown_at = self.clock.monotonic();
        while running.recv_timeout(look) == Err(RecvTimeoutError::Timeout) {
            self.teller.look(&self.lateness.report());
            let now = self.clock.monotonic();
            let line = self.line();
            if interval.is_some_and(|interval| now.saturating_sub(shown_at) >= interval) {
                terminal::note(&self.job, Tone::Good, &line);
                shown_at = now;
            }
        }
    }

    fn line(&mut self) -> String {
        let metrics = &self.status.metrics;
        let now = seen(&self.status, &*self.clock);
        let speed = self.rates.look(now, metrics.total.load(Ordering::Relaxed));
        let mut parts = vec![
            format!("{} events", units::count(now.records)),
            format!("{}/s", units::count(speed.records_per_second)),
        ];
        parts.extend(speed.percent.map(|percent| format!("{percent} %")));
        parts.extend(speed.left.map(|left| format!("{} left", units::duration(left))));
        parts.extend(metrics.times.reached().iter().map(event_time));
        parts.push(match self.status.committed_at() {
            Some(at) => {
                format!("checkpoint {} ago", units::duration(now.at.saturating_sub(at)))
            }
            None => "no checkpoint yet".to_string(),
        });
        parts.extend(patience::shown(&self.lateness.report()));
        parts.join("  ")
    }
}

/// Whether a line can be written over.
fn can_change() -> bool {
    std::io::stderr().is_terminal() && !terminal::is_for_programs()
}

fn seen(status: &JobStatus, clock: &dyn Clock) -> Seen {
    let metrics = &status.metrics;
    let advanced = metrics.advanced.load(Ordering::Relaxed);
    Seen { at: clock.monotonic(), records: metrics.records.read(), advanced }
}

/// How far event time has come, and who holds it back if it is worth a word.
fn event_time(reached: &EventTimeReached) -> String {
    let at = units::moment(reached.watermark);
    match &reached.held_back_by {
        // Nothing was read of it yet, and anything may come.
        Some((split, _)) if reached.watermark.0 <= i64::MIN / 2 => {
            format!("event time waits for {}", split.escape_debug())
        }
        Some((split, behind)) if *behind >= WORTH_A_WORD => {
            let behind = units::duration(*behind);
            format!("event time {at}, held back {behind} by {}", split.escape_debug())
        }
        _ => format!("event time {at}"),
    }
}

#[cfg(test)]
mod tests {
    use steadfast_core::time::Timestamp;

    use super::*;

    #[test]
    fn a_split_that_holds_event_time_back_is_named() {
        let reached = |behind| EventTimeReached {
            source: "clicks".to_string(),
            latest: Timestamp(7_200_000),
            watermark: Timestamp(3_600_000),
            held_back_by: Some(("{\"path\":\"a.log\"}".to_string(), behind)),
        };
        let line = event_time(&reached(Duration::from_secs(3600)));
        assert!(
            line.starts_with("event time 1970-01-01T01:00:00Z, held back 1 h 0 min by"),
            "{line}"
        );
        assert!(line.contains("a.log"), "{line}");
        let waits = EventTimeReached {
            watermark: Timestamp::MIN,
            held_back_by: Some(("a.log".to_string(), Duration::MAX)),
            ..reached(Duration::ZERO)
        };
        assert_eq!(event_time(&waits), "event time waits for a.log");
        let line = event_time(&reached(Duration::from_secs(5)));
        assert_eq!(line, "event time 1970-01-01T01:00:00Z");
    }
}
