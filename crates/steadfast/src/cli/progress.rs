//! The progress line: events per second, the age of the newest checkpoint, and how far it is.
//!
//! It only looks; the job neither knows of it nor waits for it.

use std::collections::VecDeque;
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
use super::units;

/// The time between two looks, for a line.
const TICK: Duration = Duration::from_millis(200);
/// The same where there is none.
const LOOK: Duration = Duration::from_secs(1);
/// The looks over which a rate is taken: five seconds.
const WINDOW: usize = 25;

/// A split that is further behind than this is named.
const WORTH_A_WORD: Duration = Duration::from_secs(60);

/// What one look has seen.
#[derive(Clone, Copy, Default)]
struct Seen {
    at: Duration,
    records: u64,
    advanced: u64,
}

/// See the module.
pub struct Progress {
    status: Arc<JobStatus>,
    lateness: Arc<Lateness>,
    clock: Arc<dyn Clock>,
    teller: LatenessTeller,
    has_line: bool,
    recent: VecDeque<Seen>,
}

impl Progress {
    /// For a job that `status` shows. The line is there where a person would see it and `wants_line`;
    /// what is late is told anywhere.
    pub fn new(
        status: Arc<JobStatus>,
        lateness: Arc<Lateness>,
        clock: Arc<dyn Clock>,
        teller: LatenessTeller,
        wants_line: bool,
    ) -> Self {
        let has_line = wants_line && std::io::stderr().is_terminal();
        Progress { status, lateness, clock, teller, has_line, recent: VecDeque::new() }
    }

    /// Shows the line until the other end of `running` is gone.
    pub fn show(mut self, running: &Receiver<()>) {
        if !self.has_line {
            while running.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                self.teller.look(&self.lateness.report());
            }
            return;
        }
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

    fn line(&mut self) -> String {
        let metrics = &self.status.metrics;
        let now = Seen {
            at: self.clock.monotonic(),
            records: metrics.records.read(),
            advanced: metrics.advanced.load(Ordering::Relaxed),
        };
        let total = metrics.total.load(Ordering::Relaxed);
        self.recent.push_back(now);
        if self.recent.len() > WINDOW {
            self.recent.pop_front();
        }
        let first = self.recent.front().copied().unwrap_or_default();
        let seconds = now.at.saturating_sub(first.at).as_secs_f64();
        let rate = |from: u64, to: u64| match seconds {
            0.0 => 0.0,
            seconds => to.saturating_sub(from) as f64 / seconds,
        };
        let mut parts = vec![
            format!("{} events", units::count(now.records)),
            format!("{}/s", units::count(rate(first.records, now.records) as u64)),
        ];
        if let Some(percent) = units::percent(now.advanced, total) {
            parts.push(format!("{percent} %"));
            let speed = rate(first.advanced, now.advanced);
            if speed > 0.0 {
                let left = total.saturating_sub(now.advanced) as f64 / speed;
                let left = Duration::try_from_secs_f64(left).unwrap_or(Duration::MAX);
                parts.push(format!("{} left", units::duration(left)));
            }
        }
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

/// How far event time has come, and who holds it back if it is worth a word.
fn event_time(reached: &EventTimeReached) -> String {
    let at = units::moment(reached.watermark);
    match &reached.held_back_by {
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
        let line = event_time(&reached(Duration::from_secs(5)));
        assert_eq!(line, "event time 1970-01-01T01:00:00Z");
    }
}
