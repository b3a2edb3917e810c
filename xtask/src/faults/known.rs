//! What earlier runs have found, as they have printed it with `--json`: a run over all faults takes an hour,
//! and need not begin again when it was cut off.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::list::Fault;
use super::trial::Found;

/// What one run says of one fault.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Known {
    pub fault: String,
    pub package: String,
    pub file: String,
    pub find: String,
    pub plant: String,
    pub why: String,
    /// Whether the simulation has looked for it, if it comes to its place.
    pub sought: bool,
    /// Whether the simulation comes to its place.
    pub reached: bool,
    pub simulation: Option<Found>,
    /// Whether tests have.
    pub tested: bool,
    pub tests: Option<Found>,
}

/// Reads what was printed.
pub fn read(paths: &[PathBuf]) -> Result<Vec<Known>> {
    let mut known = Vec::new();
    for path in paths {
        let place = || path.display().to_string();
        let text = fs::read_to_string(path).with_context(place)?;
        known.extend(serde_json::from_str::<Vec<Known>>(&text).with_context(place)?);
    }
    Ok(known)
}

impl Known {
    /// Whether it speaks of `fault` as it is planted now.
    pub fn is_of(&self, fault: &Fault) -> bool {
        let Known { fault: name, file, find, plant, .. } = self;
        (name, file, find, plant) == (&fault.name, &fault.file, &fault.find, &fault.plant)
    }
}
