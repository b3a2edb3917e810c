//! A scheduler that a seed decides: which machine is stepped next, and which of them are slow.
//!
//! It runs everything on one thread, so that the same seed gives the same run, step by step. Time
//! is moved by whoever drives it.

use std::time::Duration;

use steadfast_core::Result;
use steadfast_core::machine::{Machine, Now, Progress};

use super::guarded_step;
use super::threads::TaskSet;

/// See the module.
pub struct Simulated {
    machines: Vec<Slot>,
    random: fastrand::Rng,
    finished: bool,
}

struct Slot {
    machine: Box<dyn Machine>,
    /// How often it is chosen, compared with others.
    weight: u32,
    leads: bool,
    is_service: bool,
    /// What its last step said, until another machine has worked.
    rests: Option<Progress>,
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
        for (machine, leads, is_service) in tasks.chain(services) {
            // Some machines are far slower than others.
            let weight = [1, 1, 4, 16, 64][random.usize(..5)];
            machines.push(Slot { machine, weight, leads, is_service, rests: None });
        }
        Simulated { machines, random, finished: false }
    }

    /// Steps one machine.
    ///
    /// # Errors
    /// That of the machine. The run is over then.
    pub fn step(&mut self, now: Now) -> Result<SimulatedStep> {
        let due = |slot: &Slot| match slot.rests {
            None => true,
            Some(Progress::Idle(Some(at))) => at <= now.monotonic,
            Some(_) => false,
        };
        let total: u32 = self.machines.iter().filter(|s| due(s)).map(|s| s.weight).sum();
        if total == 0 {
            if self.finished {
                return Ok(SimulatedStep::Finished);
            }
            let next = self.machines.iter().filter_map(|slot| match slot.rests {
                Some(Progress::Idle(at)) => at,
                _ => None,
            });
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
        let machine = &mut self.machines[chosen].machine;
        let progress = guarded_step(&mut **machine, now)?;
        let machine = machine.name().to_string();
        if matches!(progress, Progress::Worked | Progress::Done) {
            // Whatever it did may have given the others something to do.
            self.machines.iter_mut().for_each(|slot| slot.rests = None);
        } else {
            self.machines[chosen].rests = Some(progress);
        }
        if progress == Progress::Done {
            self.finished |= self.machines[chosen].leads;
            self.machines.remove(chosen);
        }
        if self.finished && !self.machines.iter().any(|slot| slot.is_service && due(slot)) {
            return Ok(SimulatedStep::Finished);
        }
        Ok(SimulatedStep::Stepped { machine, progress })
    }
}
