//! A simulated history of a job from its seed.

mod damage;
mod history;
mod life;
mod other_job;
mod process;
mod scenario;
mod sizes;
mod somebody;
mod verdict;
mod waiting;
mod worse_input;

pub use scenario::{Outcome, Scenario, TraceLine};

use std::sync::Arc;

use crate::database::Database;
use crate::disk::DurableDisk;
use crate::fault_injector::Theme;
use crate::input::Input;
use crate::input_files::Growth;
use crate::observer::Observer;
use crate::oracle::Oracle;

use damage::Damage;
use history::Run;
use life::Character;
use process::World;

/// Simulates one history of a job.
pub fn simulate(scenario: Scenario) -> Outcome {
    let mut random = fastrand::Rng::with_seed(scenario.seed);
    let input = Arc::new(Input::draw(&mut random));
    let oracle = Arc::new(Oracle::new(scenario.topology, &input));
    let observer = Observer::default();
    let unread = |source: usize| vec![Vec::new(); input.sources[source].len()];
    observer.seen().readers = [unread(0), unread(1)];
    let log_block = [2, 3, 5, 256][random.usize(..4)];
    observer.seen().log_block = log_block;
    let character = Character::draw(&mut random);
    let database = Database::new(Arc::clone(&oracle), observer.clone(), character.damage);
    let world = World {
        scenario,
        input,
        clock: Arc::default(),
        disk: DurableDisk::default(),
        database,
        observer,
        files: oracle.files.clone(),
        log_block,
    };
    let damage = Damage::new(character.foreign);
    let (trace, lives, growth) = (Vec::new(), Vec::new(), Growth::default());
    let has_theme = random.bool();
    let theme = has_theme.then(|| Theme::draw(&mut random, scenario.topology.has_folders()));
    let mut run = Run { world, oracle, random, character, damage, growth, trace, lives, theme };
    let violation = run.run();
    if let Some(violation) = &violation {
        run.note(format!("VIOLATION {violation}"));
    }
    let counts = std::mem::take(&mut run.world.observer.seen().counts);
    Outcome { violation, trace: run.trace, counts }
}
