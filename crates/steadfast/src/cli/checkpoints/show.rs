//! `checkpoints show`.

use std::fmt::Write;
use std::time::Duration;

use serde_json::Value;
use steadfast_core::Result;
use steadfast_core::id::CheckpointId;
use steadfast_core::state::StateKind;
use steadfast_protocol::manifest::{Manifest, ObjectRef};

use super::super::run::age;
use super::super::table::{Side, aligned};
use super::super::units;
use super::{Look, entries, new_bytes, trigger};

/// Shows everything in the manifest of checkpoint `id`.
pub(super) fn show(look: &Look<'_>, id: CheckpointId) -> Result<()> {
    let checkpoint = look.checkpoint(id)?;
    look.answer(
        || serde_json::to_value(checkpoint).unwrap_or(Value::Null),
        || text(look, checkpoint),
    )
}

fn text(look: &Look<'_>, checkpoint: &Manifest) -> String {
    let mut text = format!("checkpoint {} of job '{}'\n", checkpoint.checkpoint, checkpoint.job);
    text += &aligned("  ", &[Side::Left, Side::Left], &facts(look, checkpoint));
    let mut section = |title: &str, sides: &[Side], rows: Vec<Vec<String>>| {
        if !rows.is_empty() {
            let _ = write!(text, "{title}\n{}", aligned("  ", sides, &rows));
        }
    };
    let sources = checkpoint.sources.iter().flat_map(|(name, splits)| {
        splits.values().map(move |split| vec![name.clone(), split.to_string()])
    });
    section("sources", &[Side::Left, Side::Left], sources.collect());
    let state = checkpoint.state.iter().flat_map(|(table, files)| {
        files.iter().map(move |file| {
            let kind = match file.kind {
                StateKind::Base => "base",
                StateKind::Delta => "delta",
            };
            let groups = format!("groups {}..{}", file.groups.first, file.groups.end);
            let count = format!("{} entries", units::count(file.entries));
            vec![table.clone(), kind.into(), groups, count]
                .into_iter()
                .chain(object(&file.object))
                .collect()
        })
    });
    let sides =
        [Side::Left, Side::Left, Side::Left, Side::Right, Side::Right, Side::Left, Side::Left];
    section("state", &sides, state.collect());
    let outputs = checkpoint.outputs.iter().flat_map(|(sink, output)| {
        output
            .chunks
            .iter()
            .map(move |part| std::iter::once(sink.clone()).chain(object(part)).collect())
    });
    section("output", &[Side::Left, Side::Right, Side::Left, Side::Left], outputs.collect());
    let watermarks = checkpoint.watermarks.iter().filter_map(|(operator, watermarks)| {
        let at = watermarks.greatest()?;
        let behind = units::duration(age(checkpoint.triggered_at, at));
        Some(vec![operator.clone(), units::moment(at), format!("{behind} behind")])
    });
    section("event time", &[Side::Left, Side::Left, Side::Right], watermarks.collect());
    let counters = checkpoint.counters.iter().flat_map(|(operator, counts)| {
        counts.iter().map(move |(name, n)| vec![format!("{operator}/{name}"), units::count(*n)])
    });
    section("counters", &[Side::Left, Side::Right], counters.collect());
    text
}

fn facts(look: &Look<'_>, checkpoint: &Manifest) -> Vec<Vec<String>> {
    let ago = units::duration(age(look.now, checkpoint.triggered_at));
    let time = |us| units::duration(Duration::from_micros(us));
    let before = checkpoint.previous.map_or("none".to_string(), |id| id.to_string());
    let consistency = match serde_json::to_value(checkpoint.consistency) {
        Ok(Value::String(word)) => word.replace('_', "-"),
        _ => String::new(),
    };
    let fact = |label: &str, value: String| vec![label.to_string(), value];
    vec![
        fact("taken", format!("{}, {ago} ago", units::moment(checkpoint.triggered_at))),
        fact("trigger", trigger(checkpoint.trigger).to_string()),
        fact("generation", checkpoint.generation().to_string()),
        fact("before it", before),
        fact("consistency", consistency),
        fact(
            "tasks",
            format!(
                "{} for each operator, {} key groups",
                checkpoint.parallelism, checkpoint.key_groups
            ),
        ),
        fact(
            "size",
            format!(
                "{}, {} of it new",
                units::bytes(checkpoint.total_bytes()),
                units::bytes(new_bytes(checkpoint))
            ),
        ),
        fact("entries", units::count(entries(checkpoint))),
        fact("alignment", time(checkpoint.durations.align_us)),
        fact("pause", time(checkpoint.durations.sync_us)),
        fact("all of it", time(checkpoint.durations.write_us)),
    ]
}

fn object(object: &ObjectRef) -> [String; 3] {
    [units::bytes(object.bytes), format!("crc32c {:08x}", object.crc32c), object.name.clone()]
}
