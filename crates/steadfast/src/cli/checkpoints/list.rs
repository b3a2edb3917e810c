//! `checkpoints list`.

use std::time::Duration;

use serde_json::{Value, json};
use steadfast_checkpoint::history::HistoryEntry;
use steadfast_core::Result;
use steadfast_core::message::BarrierKind;
use steadfast_protocol::manifest::Manifest;

use super::super::run::age;
use super::super::table::{Side, aligned};
use super::super::units;
use super::{Look, entries, new_bytes, trigger};

const SIDES: [Side; 9] = [
    Side::Right,
    Side::Right,
    Side::Left,
    Side::Left,
    Side::Right,
    Side::Right,
    Side::Right,
    Side::Right,
    Side::Right,
];
const HEAD: [&str; 9] =
    ["NUMBER", "AGE", "TRIGGER", "KIND", "SIZE", "NEW", "TOOK", "ENTRIES", "GENERATION"];

/// Lists the checkpoints that count, newest first.
pub(super) fn list(look: &Look<'_>) -> Result<()> {
    look.answer(
        || look.history.iter().map(as_json).collect(),
        || {
            let checkpoints = look.history.iter().map(|entry| as_row(look, entry));
            let head = HEAD.iter().map(ToString::to_string).collect();
            let rows: Vec<Vec<String>> = std::iter::once(head).chain(checkpoints).collect();
            match rows.len() {
                1 => format!("job '{}' has no checkpoints\n", look.job),
                _ => aligned("", &SIDES, &rows),
            }
        },
    )
}

fn as_json((id, checkpoint): &HistoryEntry) -> Value {
    match checkpoint {
        Ok(checkpoint) => json!({
            "checkpoint": id.0,
            "job": checkpoint.job,
            "triggered_at": checkpoint.triggered_at.0,
            "trigger": checkpoint.trigger,
            "kind": checkpoint.kind,
            "bytes": checkpoint.total_bytes(),
            "new_bytes": new_bytes(checkpoint),
            "ms": units::millis(took(checkpoint)),
            "entries": entries(checkpoint),
            "generation": checkpoint.generation().0,
            "damage": null,
        }),
        Err(error) => json!({ "checkpoint": id.0, "damage": error.message() }),
    }
}

fn as_row(look: &Look<'_>, (id, checkpoint): &HistoryEntry) -> Vec<String> {
    let Ok(checkpoint) = checkpoint else {
        let mut row = vec![String::new(); SIDES.len()];
        row[0] = id.to_string();
        row[2] = "DAMAGED".to_string();
        return row;
    };
    let kind = match checkpoint.kind {
        BarrierKind::Regular => "regular",
        BarrierKind::Stop => "stop",
        BarrierKind::End => "end",
    };
    vec![
        id.to_string(),
        units::duration(age(look.now, checkpoint.triggered_at)),
        trigger(checkpoint.trigger).to_string(),
        kind.to_string(),
        units::bytes(checkpoint.total_bytes()),
        units::bytes(new_bytes(checkpoint)),
        units::duration(took(checkpoint)),
        units::count(entries(checkpoint)),
        checkpoint.generation().to_string(),
    ]
}

fn took(checkpoint: &Manifest) -> Duration {
    Duration::from_micros(checkpoint.durations.write_us)
}
