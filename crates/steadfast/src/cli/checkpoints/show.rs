//! `checkpoints show`.

use std::fmt::Write;
use std::time::{Duration, UNIX_EPOCH};

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
    let cut = look.cut(id)?;
    look.answer(|| serde_json::to_value(cut).unwrap_or(Value::Null), || text(look, cut))
}

fn text(look: &Look<'_>, cut: &Manifest) -> String {
    let mut text = format!("checkpoint {} of job '{}'\n", cut.checkpoint, cut.job);
    text += &aligned("  ", &[Side::Left, Side::Left], &facts(look, cut));
    let mut section = |title: &str, sides: &[Side], rows: Vec<Vec<String>>| {
        if !rows.is_empty() {
            let _ = write!(text, "{title}\n{}", aligned("  ", sides, &rows));
        }
    };
    let sources = cut.sources.iter().flat_map(|(name, splits)| {
        splits.iter().map(move |split| vec![name.clone(), split.to_string()])
    });
    section("sources", &[Side::Left, Side::Left], sources.collect());
    let state = cut.state.iter().flat_map(|(table, files)| {
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
    let outputs = cut.outputs.iter().flat_map(|(sink, output)| {
        output
            .parts
            .iter()
            .map(move |part| std::iter::once(sink.clone()).chain(object(part)).collect())
    });
    section("output", &[Side::Left, Side::Right, Side::Left, Side::Left], outputs.collect());
    let counters = cut.counters.iter().flat_map(|(operator, counts)| {
        counts.iter().map(move |(name, n)| vec![format!("{operator}/{name}"), units::count(*n)])
    });
    section("counters", &[Side::Left, Side::Right], counters.collect());
    text
}

fn facts(look: &Look<'_>, cut: &Manifest) -> Vec<Vec<String>> {
    let at = UNIX_EPOCH + Duration::from_millis(u64::try_from(cut.triggered_at.0).unwrap_or(0));
    let ago = units::duration(age(look.now, cut.triggered_at));
    let time = |us| units::duration(Duration::from_micros(us));
    let before = cut.previous.map_or("none".to_string(), |id| id.to_string());
    let consistency = match serde_json::to_value(cut.consistency) {
        Ok(Value::String(word)) => word.replace('_', "-"),
        _ => String::new(),
    };
    let fact = |label: &str, value: String| vec![label.to_string(), value];
    vec![
        fact("taken", format!("{}, {ago} ago", humantime::format_rfc3339_seconds(at))),
        fact("trigger", trigger(cut.trigger).to_string()),
        fact("epoch", cut.epoch.to_string()),
        fact("before it", before),
        fact("consistency", consistency),
        fact(
            "tasks",
            format!("{} for each operator, {} key groups", cut.parallelism, cut.key_groups),
        ),
        fact(
            "size",
            format!(
                "{}, {} of it new",
                units::bytes(cut.total_bytes()),
                units::bytes(new_bytes(cut))
            ),
        ),
        fact("entries", units::count(entries(cut))),
        fact("alignment", time(cut.durations.align_us)),
        fact("pause", time(cut.durations.sync_us)),
        fact("all of it", time(cut.durations.write_us)),
    ]
}

fn object(object: &ObjectRef) -> [String; 3] {
    [units::bytes(object.bytes), format!("crc32c {:08x}", object.crc32c), object.name.clone()]
}
