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
use steadfast_runtime::status::JobStatus;

use super::units;

/// The time between two looks.
const TICK: Duration = Duration::from_millis(200);
/// The looks over which a rate is taken: five seconds.
const WINDOW: usize = 25;

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
    clock: Arc<dyn Clock>,
    recent: VecDeque<Seen>,
}

impl Progress {
    /// For a job that `status` shows; none where no person would see it.
    pub fn for_people(status: Arc<JobStatus>, clock: Arc<dyn Clock>) -> Option<Self> {
        let recent = VecDeque::new();
        std::io::stderr().is_terminal().then_some(Progress { status, clock, recent })
    }

    /// Shows the line until the other end of `running` is gone.
    pub fn show(mut self, running: &Receiver<()>) {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            bar.set_style(style);
        }
        while running.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
            bar.set_message(self.line());
            bar.tick();
        }
        bar.finish_and_clear();
    }

    fn line(&mut self) -> String {
        let metrics = &self.status.metrics;
        let now = Seen {
            at: self.clock.monotonic(),
            records: metrics.records.load(Ordering::Relaxed),
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
        parts.push(match self.status.checkpoints().at {
            Some(at) => {
                format!("checkpoint {} ago", units::duration(now.at.saturating_sub(at)))
            }
            None => "no checkpoint yet".to_string(),
        });
        parts.join("  ")
    }
}
