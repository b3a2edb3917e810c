//! As many rounds as there is time for.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;

use super::case::Case;
use super::form::Form;
use super::logs::Logs;
use super::payment::Payments;
use super::play::play;
use crate::campaign::{self, Outcome};

/// What is to be played, and how.
#[derive(Clone, Debug)]
pub struct Campaign {
    /// The payments example.
    pub binary: PathBuf,
    /// What the writer does with its logs.
    pub forms: Vec<Form>,
    /// How long the writer writes in all rounds that are played at the same place, one after the other.
    pub time: Duration,
    /// How long it writes in each.
    pub round: Duration,
    /// That of the first round; the others follow.
    pub seed: u64,
    /// So many rounds at a time.
    pub at_once: usize,
    /// Only the round of this seed.
    pub only: Option<u64>,
}

impl Campaign {
    pub(super) fn has(&self, form: Form) -> bool {
        self.forms.contains(&form)
    }

    /// The logs of a round, in its folder.
    pub(super) fn logs(
        &self,
        folder: &Path,
        case: &Case,
        payments: Payments,
    ) -> std::io::Result<Logs> {
        let [_, by_copying] = case.naming.rotations();
        let reuses_inodes = self.has(Form::ReuseInode) || !self.has(by_copying);
        Logs::new(folder.join("logs"), case.naming, payments, reuses_inodes)
    }

    /// Plays.
    ///
    /// # Errors
    /// The drill itself cannot work: no room, no program to send signals with.
    pub fn play(&self) -> Result<Outcome<Case>> {
        let rounds = (self.time.as_secs_f64() / self.round.as_secs_f64()).ceil().max(1.0) as u64;
        let seeds = match self.only {
            Some(seed) => seed..seed + 1,
            None => self.seed..self.seed + rounds * self.at_once as u64,
        };
        let cases: Vec<_> = seeds.map(|seed| Case::of(seed, &self.forms)).collect();
        campaign::play_all(&cases, self.at_once, |case| play(self, case))
    }
}
