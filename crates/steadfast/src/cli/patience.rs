//! The flags about what does not answer, and what people are told of it.
//!
//! It only tells; what is done about it is decided elsewhere.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::Args;
use steadfast_runtime::lateness::{LatenessReport, OnWait};

use super::run::Interval;
use super::terminal::{self, Tone};
use super::units;
use crate::options::defaults;

const LATE_AFTER: Option<Duration> = Some(Duration::from_secs(10));
const STOP_WITHIN: Option<Duration> = Some(Duration::from_secs(60));

/// See the module.
#[derive(Clone, Debug, Args)]
pub struct PatienceArgs {
    /// Tell when a store or target has not answered for so long
    #[arg(long, value_name = "TIME|none", default_value_t = Interval(LATE_AFTER))]
    late_after: Interval,
    /// End the run when a store or target has not answered for so long; nothing that was committed is
    /// lost
    #[arg(long, value_name = "TIME|none", default_value_t = Interval(defaults::GIVE_UP_AFTER))]
    give_up_after: Interval,
    /// End the run without a last checkpoint when that has taken so long after an interrupt
    #[arg(long, value_name = "TIME|none", default_value_t = Interval(STOP_WITHIN))]
    stop_within: Interval,
}

impl PatienceArgs {
    pub fn give_up_after(&self) -> Option<Duration> {
        self.give_up_after.0
    }

    pub fn stop_within(&self) -> Option<Duration> {
        self.stop_within.0
    }

    /// Tells of what is late, for a job of this name.
    pub fn teller(&self, job: &str) -> LatenessTeller {
        let told = Arc::default();
        LatenessTeller { job: job.to_string(), after: self.late_after.0, told }
    }
}

/// Tells once that something is late, and once that it is not any more, whichever of its copies looks.
#[derive(Clone)]
pub struct LatenessTeller {
    job: String,
    after: Option<Duration>,
    told: Arc<Mutex<bool>>,
}

impl LatenessTeller {
    /// As what is told before each wait.
    pub fn on_wait(self) -> OnWait {
        Arc::new(move |report| self.look(report))
    }

    /// Tells what is new.
    pub fn look(&self, report: &LatenessReport) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let late =
            report.longest().filter(|(_, late)| self.after.is_some_and(|after| *late >= after));
        match late {
            Some((what, late)) if !*told => {
                *told = true;
                let text = format!(
                    "waiting for {} now: {what}\n  nothing is lost: checkpoints are late until it answers",
                    units::duration(late)
                );
                terminal::note(&self.job, Tone::Warning, &text);
            }
            None if *told && report.now.is_none() => {
                *told = false;
                let text = match report.waited {
                    Duration::ZERO => "answered again".to_string(),
                    waited => format!("answered again; waited {} in all", units::duration(waited)),
                };
                terminal::note(&self.job, Tone::Good, &text);
            }
            _ => {}
        }
    }
}

/// What a progress line says of it.
pub fn shown(report: &LatenessReport) -> Option<String> {
    let (_, late) = report.longest().filter(|(_, late)| *late >= Duration::from_secs(1))?;
    Some(format!("waiting for an answer for {}", units::duration(late)))
}
