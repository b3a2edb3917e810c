//! What people are told of what does not answer.
//!
//! It only tells; what is done about it is decided elsewhere.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use steadfast_runtime::lateness::{LatenessReport, OnWait};

use super::terminal::{self, Tone};
use super::units;

/// Tells once that something is late, and once that it is not any more, whichever of its copies looks.
#[derive(Clone)]
pub struct LatenessTeller {
    job: String,
    after: Option<Duration>,
    told: Arc<Mutex<bool>>,
}

impl LatenessTeller {
    /// For a job of this name, of what is late by `after`.
    pub fn new(job: &str, after: Option<Duration>) -> Self {
        LatenessTeller { job: job.to_string(), after, told: Arc::default() }
    }

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
