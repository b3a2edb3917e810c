//! A schedule carried out for real: every process on a thread of its own, handing over by the baton.
//! The environment must look as the search says it does.

use std::sync::{Arc, Mutex, PoisonError};

use crate::baton::{Baton, Choice, Fate, Following, Moment, Pending, ProcessId, Scheduler};
use crate::environment::{BatonCourier, Courier, Environment};

use super::Exploration;
use super::job::Start;
use super::state::Event;

/// See the module.
///
/// # Errors
/// Says what differs.
pub fn confirm(
    exploration: &Exploration,
    path: &[Event],
    expected: &Environment,
) -> Result<(), String> {
    let environment = Arc::new(Mutex::new(Environment::default()));
    let (mut turns, mut damages, mut calls) = (Vec::new(), Vec::new(), Vec::new());
    for event in path {
        match event {
            Event::Turn { place, fate, .. } => {
                turns.push((place.process, *fate));
                calls.extend(place.request().map(|request| (place.process, request.call())));
            }
            Event::Damaged(name) => damages.push((turns.len(), Arc::clone(name))),
        }
    }
    let mut baton = Baton::new(Damaging {
        turns: Following::new(turns),
        taken: 0,
        damages,
        environment: Arc::clone(&environment),
    });
    let starts = exploration.starts.iter().copied().chain([Start::Run]);
    for (process, start) in starts.enumerate() {
        let (job, environment) = (exploration.job.clone(), Arc::clone(&environment));
        baton.add(format!("process {process}"), move |handle| {
            let courier: Arc<dyn Courier> = Arc::new(BatonCourier { handle, environment });
            job.run(process, start, &courier)
        });
    }
    let run = baton.run();
    let made = run.trace.into_iter().map(|step| (step.process, step.call));
    let differs = made.zip(&calls).position(|(made, planned)| made != *planned);
    if let Some(at) = differs {
        return Err(format!("call {at} is another one"));
    }
    let environment = environment.lock().unwrap_or_else(PoisonError::into_inner);
    if environment.fingerprint() != expected.fingerprint() {
        return Err("store and tables look different".to_string());
    }
    Ok(())
}

/// Follows a list, and damages objects before calls of certain numbers.
struct Damaging {
    turns: Following,
    taken: usize,
    damages: Vec<(usize, Arc<str>)>,
    environment: Arc<Mutex<Environment>>,
}

impl Scheduler for Damaging {
    fn choose(&mut self, moment: &Moment<'_>) -> Choice {
        let due = self.damages.iter().filter(|(turn, _)| *turn == self.taken);
        let due: Vec<_> = due.map(|(_, name)| Arc::clone(name)).collect();
        let choice = self.turns.choose(moment);
        let is_call = |chosen: ProcessId| {
            moment.ready.iter().any(|(id, p)| *id == chosen && matches!(p, Pending::Call(_)))
        };
        if let Choice::GoOn(process, Fate::Effect | Fate::AnswerLost) = choice
            && is_call(process)
        {
            for name in due {
                self.environment.lock().unwrap_or_else(PoisonError::into_inner).damage(&name);
            }
            self.taken += 1;
        }
        choice
    }
}
