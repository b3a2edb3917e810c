//! What a manifest shows to have happened to state and output, compared with the one before it.

use std::collections::BTreeSet;

use steadfast_core::state::StateKind;
use steadfast_protocol::manifest::{Manifest, StateRef};

/// So many entries share a page.
const PAGE: u64 = 64;

/// What happened on the way to a manifest. With `tiny_blocks`, every entry has a block of its own.
pub fn of(manifest: &Manifest, before: Option<&Manifest>, tiny_blocks: bool) -> Vec<String> {
    let mut events = BTreeSet::new();
    let mut note = |happened: bool, what: &'static str| {
        if happened {
            events.insert(what);
        }
    };
    let before = before.filter(|before| Some(before.checkpoint) == manifest.previous);
    let own = format!("/{:012}-", manifest.checkpoint.0);
    for (table, files) in &manifest.state {
        let is_new = |file: &&StateRef| file.object.name.contains(&own);
        let old = before.and_then(|before| before.state.get(table)).map_or(&[][..], Vec::as_slice);
        let groups = |file: &StateRef| file.groups.count() as u64;
        let new = || files.iter().filter(is_new);
        let has_new_base = new().any(|file| file.kind == StateKind::Base);
        note(has_new_base && !old.is_empty(), "state: a base written again");
        note(new().any(|file| file.kind == StateKind::Delta), "state: a delta");
        note(old.iter().any(|file| !files.contains(file)), "state: a file superseded");
        note(new().any(|file| file.entries > PAGE * groups(file)), "state: a second page");
        let blocks = tiny_blocks && new().any(|file| file.entries > groups(file));
        note(blocks, "state: a group in several blocks");
        // Every task has its own groups: a second file of the same ones is a part of the same table.
        let several = new().count() > usize::from(manifest.parallelism);
        note(several, "state: a table in several files");
        let divides = |base: &StateRef| {
            let within =
                |file: &&StateRef| file.kind == StateKind::Base && base.groups.covers(file.groups);
            base.kind == StateKind::Base
                && new().filter(within).any(|file| file.groups.count() < base.groups.count())
        };
        note(files.iter().any(divides), "state: a divided base");
    }
    let operators = manifest.state.keys().filter_map(|table| table.split_once('/'));
    let operators: Vec<_> = operators.map(|(operator, _)| operator).collect();
    let distinct: BTreeSet<_> = operators.iter().collect();
    note(distinct.len() < operators.len(), "state: several tables of one operator");
    let most = usize::from(manifest.parallelism);
    let early = manifest.outputs.values().any(|output| output.chunks.len() > most);
    note(early, "output: handed over early");
    let rescaled = before.is_some_and(|before| before.parallelism != manifest.parallelism);
    note(rescaled, "another parallelism");
    let trigger = format!("checkpoint: {:?}", manifest.trigger);
    events.into_iter().map(str::to_string).chain([trigger]).collect()
}
