//! Whether a checkpoint fits the job that wants to begin at it.
//!
//! State, sources and sinks are kept under the names of operators. What the job has no place for, or
//! what it has and the checkpoint does not, would make a wrong result in silence: it is refused, with
//! the flag or the method that says what was meant. It knows nothing of plans or of how names came
//! about.

use std::collections::{BTreeMap, BTreeSet};

use steadfast_core::{Cause, Error, Result};

use crate::manifest::Manifest;
use parts::{Part, Parts, former_names, has_source, listed, names};

mod parts;

/// What a job has, by name.
#[derive(Clone, Debug, Default)]
pub struct JobShape {
    /// Every table of state, as `operator/table`.
    pub tables: BTreeSet<String>,
    /// How operators emit, where it matters.
    pub modes: BTreeMap<String, String>,
    /// Every source.
    pub sources: BTreeSet<String>,
    /// Every sink.
    pub sinks: BTreeSet<String>,
    /// Operators that were renamed: the former name, and the present one.
    pub renamed: BTreeMap<String, String>,
}

/// What the user says about the differences.
#[derive(Clone, Debug, Default)]
pub struct Differences {
    /// Operators, sources and sinks that are gone from the job on purpose.
    pub forget: BTreeSet<String>,
    /// Operators and sinks that are new and begin without what came before.
    pub new: BTreeSet<String>,
}

/// Gives what the checkpoint holds for renamed operators their present names, and drops what is to
/// be forgotten.
///
/// # Errors
/// `Configuration` if something is to be forgotten that the job still has and that is not said to be
/// new, or if a renamed operator would take the place of another.
pub fn adapt(manifest: &mut Manifest, shape: &JobShape, differences: &Differences) -> Result<()> {
    refuse_present(shape, differences)?;
    refuse_collisions(manifest, shape, differences)?;
    let forgets = |operator: &str| differences.forget.contains(operator);
    let table = |name: &str| -> Option<String> {
        let (operator, table) = name.rsplit_once('/').unwrap_or((name, ""));
        if forgets(operator) {
            return None;
        }
        Some(match shape.renamed.get(operator) {
            Some(now) if !shape.tables.contains(name) => format!("{now}/{table}"),
            _ => name.to_string(),
        })
    };
    let source = |name: &str| -> Option<String> {
        if forgets(name) {
            return None;
        }
        Some(match shape.renamed.get(name) {
            Some(now) if !shape.sources.contains(name) => now.clone(),
            _ => name.to_string(),
        })
    };
    manifest.state = std::mem::take(&mut manifest.state)
        .into_iter()
        .filter_map(|(name, files)| Some((table(&name)?, files)))
        .collect();
    manifest.tables = manifest.tables.iter().filter_map(|name| table(name)).collect();
    manifest.sources = std::mem::take(&mut manifest.sources)
        .into_iter()
        .filter_map(|(name, splits)| Some((source(&name)?, splits)))
        .collect();
    let present = |name: String| shape.renamed.get(&name).cloned().unwrap_or(name);
    manifest.modes = std::mem::take(&mut manifest.modes)
        .into_iter()
        .filter(|(name, _)| !forgets(name))
        .map(|(name, mode)| (present(name), mode))
        .collect();
    manifest.watermarks = std::mem::take(&mut manifest.watermarks)
        .into_iter()
        .filter(|(name, _)| !forgets(name))
        .map(|(name, at)| (present(name), at))
        .collect();
    manifest.counters = std::mem::take(&mut manifest.counters)
        .into_iter()
        .filter(|(name, _)| !forgets(name))
        .map(|(name, counts)| (present(name), counts))
        .collect();
    manifest.outputs.retain(|sink, _| !forgets(sink));
    Ok(())
}

/// What is to be forgotten and is nowhere, neither in the job nor in the checkpoint, and what the checkpoint
/// holds; none if all is somewhere. It is no error: at the start before this one it may have been forgotten, and
/// a supervisor gives the same flags again. The checkpoint has not been [adapted](adapt).
pub fn nowhere<'a>(
    manifest: &'a Manifest,
    shape: &JobShape,
    differences: &'a Differences,
) -> Option<(BTreeSet<&'a str>, BTreeSet<&'a str>)> {
    let tables = manifest.tables.iter().map(|table| operator_of(table));
    let sources = manifest.sources.keys().map(String::as_str);
    let sinks = manifest.outputs.keys().map(String::as_str);
    let held: BTreeSet<&str> = tables.chain(sources).chain(sinks).collect();
    let is_nowhere = |name: &&str| {
        let has_state = shape.tables.iter().any(|table| operator_of(table) == *name);
        let is_in_job = has_state || shape.sources.contains(*name) || shape.sinks.contains(*name);
        !is_in_job && !held.contains(name)
    };
    let nowhere: BTreeSet<_> =
        differences.forget.iter().map(String::as_str).filter(is_nowhere).collect();
    if nowhere.is_empty() { None } else { Some((nowhere, held)) }
}

/// What is forgotten at each start of a supervisor must not be what the job works with.
fn refuse_present(shape: &JobShape, differences: &Differences) -> Result<()> {
    let is_there = |name: &&String| {
        let is_source = shape.sources.contains(*name);
        let has_state = shape.tables.iter().any(|table| operator_of(table) == **name);
        let is_sink = shape.sinks.contains(*name);
        let begins_again = differences.new.contains(*name) && has_state;
        is_source || is_sink || has_state && !begins_again
    };
    let present: Vec<_> = differences.forget.iter().filter(is_there).cloned().collect();
    if present.is_empty() {
        return Ok(());
    }
    let what = format!("the job still has what is to be forgotten: {}", present.join(", "));
    Err(Error::because(Cause::NAMES_COLLIDE, what).hint(
        "take it out of --forget (RunOptions::forget); to let an operator begin again, name it in --new (RunOptions::new_operators) too; to read a \
         source again from its start, or to write all of a sink again, use --reset (RunOptions::reset)",
    ))
}

fn refuse_collisions(
    manifest: &Manifest,
    shape: &JobShape,
    differences: &Differences,
) -> Result<()> {
    let holds = |name: &str| {
        let has_state = manifest.tables.iter().any(|table| operator_of(table) == name);
        has_state || manifest.sources.contains_key(name)
    };
    let collides = |(former, now): &(&String, &String)| {
        let both = holds(former) && holds(now);
        both && ![*former, *now].iter().any(|name| differences.forget.contains(*name))
    };
    let Some((former, now)) = shape.renamed.iter().find(collides) else { return Ok(()) };
    let (id, what) = (manifest.checkpoint, "holds state or positions of both");
    let hint = match manifest.sources.contains_key(former) && !shape.sources.contains(now) {
        true => format!(
            "'{former}' is a source: take formerly(\"{former}\") away, and write source_formerly(\"{former}\") behind \
             the source that was called so"
        ),
        false => format!(
            "say which one is to go with --forget (RunOptions::forget), or take formerly(\"{former}\") away"
        ),
    };
    Err(Error::because(
        Cause::NAMES_COLLIDE,
        format!("'{now}' was formerly '{former}', but checkpoint {id} {what}"),
    )
    .hint(hint))
}

/// The operator of a table `operator/table`: the names of operators may hold slashes, those of tables not.
pub fn operator_of(table: &str) -> &str {
    table.rsplit_once('/').map_or(table, |(operator, _)| operator)
}

/// Refuses a checkpoint that holds what the job has no place for, or that lacks the state of an
/// operator. The checkpoint has been [adapted](adapt).
///
/// # Errors
/// `Configuration` with all that does not fit.
pub fn check(manifest: &Manifest, shape: &JobShape, differences: &Differences) -> Result<()> {
    refuse_homeless(manifest, shape)?;
    if let Some((name, (before, now))) = other_mode(manifest, shape) {
        let what = format!(
            "operator '{name}' emits '{now}', and until checkpoint {} it emitted '{before}': what it has \
             not emitted would be missing, or come again",
            manifest.checkpoint
        );
        return Err(Error::because(Cause::OTHER_MODE, what).hint(
            "let it emit as before, or start from scratch with --reset (RunOptions::reset)",
        ));
    }
    refuse_empty(manifest, shape, differences)
}

fn refuse_homeless(manifest: &Manifest, shape: &JobShape) -> Result<()> {
    let (held, had) = (Parts::of_checkpoint(manifest), Parts::of_job(shape));
    let homeless = held.beyond(&had);
    if homeless.is_empty() {
        return Ok(());
    }
    // A rename is best recognised where both names are told.
    let mut new = had.beyond(&held);
    new.retain(|part| homeless.iter().any(|gone| gone.kind == part.kind));
    let new = match new.is_empty() {
        true => String::new(),
        false => format!("; new in the job: {}", listed(&new)),
    };
    let what = format!(
        "checkpoint {} holds what this job has no place for: {}{new}",
        manifest.checkpoint,
        listed(&homeless)
    );
    let drop = format!("; or drop with --forget {} (RunOptions::forget)", names(&homeless));
    let again = ", but a source of another name that reads the same input reads all of it again, and it is counted again";
    Err(Error::because(Cause::HOMELESS, what).hint(ways_out(&homeless, &drop, again)))
}

fn refuse_empty(manifest: &Manifest, shape: &JobShape, differences: &Differences) -> Result<()> {
    let is_new = |name: &&String| {
        !manifest.tables.contains(*name) && !differences.new.contains(operator_of(name))
    };
    let had = Parts::of_job(shape);
    let empty: BTreeSet<_> =
        shape.tables.iter().filter(is_new).map(|table| had.of_table(table)).collect();
    if empty.is_empty() {
        return Ok(());
    }
    let what = format!(
        "checkpoint {} lacks what this job keeps, which would begin empty in mid-life: {}",
        manifest.checkpoint,
        listed(&empty)
    );
    let accept = format!(", or accept it with --new {} (RunOptions::new_operators)", names(&empty));
    let again = ": a source that is new is read from its beginning, and what one of another name has read of the same input \
                 is counted again";
    Err(Error::because(Cause::BEGINS_EMPTY, what).hint(ways_out(&empty, &accept, again)))
}

/// What can be done about `parts`: they were renamed; or it is to be so, with what that means for a source.
fn ways_out(parts: &BTreeSet<Part>, be_it_so: &str, for_source: &str) -> String {
    let for_source = if has_source(parts) { for_source } else { "" };
    let renamed = former_names(parts);
    format!(
        "{renamed}{be_it_so}{for_source}; or start from scratch with --reset (RunOptions::reset)"
    )
}

/// An operator that emitted in another way.
fn other_mode<'a>(
    manifest: &'a Manifest,
    shape: &'a JobShape,
) -> Option<(&'a String, (&'a String, &'a String))> {
    let both = manifest
        .modes
        .iter()
        .filter_map(|(name, mode)| shape.modes.get(name).map(|now| (name, (mode, now))));
    let mut changed = both.filter(|(_, (before, now))| before != now);
    changed.next()
}

#[cfg(test)]
mod tests;
