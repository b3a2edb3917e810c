//! A scheduler that a seed decides: which machine is stepped next, and which of them are slow.
//!
//! It runs everything on one thread, so that the same seed gives the same run, step by step. Time
//! is moved by whoever drives it. A machine that was not woken is not stepped.

use std::time::Duration;

use steadfast_core::Result;
use steadfast_core::machine::{Now, Progress};

use super::TaskSet;
use super::scheduled::Scheduled;
use super::watchdog::Watchdog;

/// See the module.
pub struct Simulated {
    machines: Vec<Slot>,
    random: fastrand::Rng,
    finished: bool,
}

struct Slot {
    scheduled: Scheduled,
    /// How often it is chosen, compared with others.
    weight: u32,
    leads: bool,
    is_service: bool,
}

/// What came of one simulated step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SimulatedStep {
    /// A machine was stepped.
    Stepped {
        /// Its name.
        machine: String,
        /// What it said.
        progress: Progress,
    },
    /// Nobody can do anything before the given time; with `None`, ever.
    AllIdle(Option<Duration>),
    /// The attempt is over.
    Finished,
}

impl Simulated {
    /// Drives `task_set` by `random`.
    pub fn new(task_set: TaskSet, mut random: fastrand::Rng) -> Self {
        let mut machines = Vec::new();
        let tasks = task_set.workers.into_iter().flatten().map(|task| (task, false, false));
        let writers = task_set.writers.into_iter().map(|writer| (writer, false, true));
        let services =
            writers.chain([(task_set.committer, false, true), (task_set.coordinator, true, true)]);
        for (scheduled, leads, is_service) in tasks.chain(services) {
            // Some machines are far slower than others.
            let weight = [1, 1, 4, 16, 64][random.usize(..5)];
            machines.push(Slot { scheduled, weight, leads, is_service });
        }
        Simulated { machines, random, finished: false }
    }

    /// Steps one machine.
    ///
    /// # Errors
    /// That of the machine. The run is over then.
    pub fn step(&mut self, now: Now) -> Result<SimulatedStep> {
        let due = |slot: &Slot| slot.scheduled.is_due(now);
        let total: u32 = self.machines.iter().filter(|s| due(s)).map(|s| s.weight).sum();
        if total == 0 {
            if self.finished {
                return Ok(SimulatedStep::Finished);
            }
            let next = self.machines.iter().filter_map(|slot| slot.scheduled.due_at());
            return Ok(SimulatedStep::AllIdle(next.min()));
        }
        let mut left = self.random.u32(..total);
        let chosen = self.machines.iter().position(|slot| {
            let here = due(slot) && left < slot.weight;
            if due(slot) && !here {
                left -= slot.weight;
            }
            here
        });
        let Some(chosen) = chosen else { return Ok(SimulatedStep::AllIdle(None)) };
        let scheduled = &mut self.machines[chosen].scheduled;
        let progress = scheduled.step(now)?;
        let machine = scheduled.name().to_string();
        if progress == Progress::Done {
            self.finished |= self.machines[chosen].leads;
            self.machines.remove(chosen);
        }
        if self.finished && !self.machines.iter().any(|slot| slot.is_service && due(slot)) {
            return Ok(SimulatedStep::Finished);
        }
        Ok(SimulatedStep::Stepped { machine, progress })
    }
    /// Lets `watchdog` look at every machine whose turn has not come: one that finds work should have
    /// been woken.
    ///
    /// # Errors
    /// As [`Simulated::step`].
    pub fn look_at_sleepers(&mut self, watchdog: &Watchdog, now: Now) -> Result<()> {
        let mut at = 0;
        while let Some(slot) = self.machines.get_mut(at) {
            let sleeps = !slot.scheduled.is_due(now);
            if sleeps && watchdog.look(&mut slot.scheduled, now)? == Progress::Done {
                self.finished |= slot.leads;
                self.machines.remove(at);
            } else {
                at += 1;
            }
        }
        Ok(())
    }
}
