//! `checkpoints list`.

use std::time::Duration;

use serde_json::{Value, json};
use steadfast_core::id::CheckpointId;
use steadfast_core::message::BarrierKind;
use steadfast_core::{Error, Result};
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
    ["NUMBER", "AGE", "TRIGGER", "KIND", "SIZE", "NEW", "TOOK", "ENTRIES", "EPOCH"];

/// Lists the checkpoints that count, newest first.
pub(super) fn list(look: &Look<'_>) -> Result<()> {
    look.answer(
        || look.log.cuts_that_count().map(|(id, cut)| as_json(id, cut)).collect(),
        || {
            let cuts = look.log.cuts_that_count().map(|(id, cut)| as_row(look, id, cut));
            let head = HEAD.iter().map(ToString::to_string).collect();
            let rows: Vec<Vec<String>> = std::iter::once(head).chain(cuts).collect();
            match rows.len() {
                1 => format!("job '{}' has no checkpoints\n", look.job),
                _ => aligned("", &SIDES, &rows),
            }
        },
    )
}

fn as_json(id: CheckpointId, cut: Result<&Manifest, &Error>) -> Value {
    match cut {
        Ok(cut) => json!({
            "checkpoint": id.0,
            "job": cut.job,
            "triggered_at": cut.triggered_at.0,
            "trigger": cut.trigger,
            "kind": cut.kind,
            "bytes": cut.total_bytes(),
            "new_bytes": new_bytes(cut),
            "ms": units::millis(took(cut)),
            "entries": entries(cut),
            "epoch": cut.epoch.0,
            "damage": null,
        }),
        Err(error) => json!({ "checkpoint": id.0, "damage": error.to_string() }),
    }
}

fn as_row(look: &Look<'_>, id: CheckpointId, cut: Result<&Manifest, &Error>) -> Vec<String> {
    let Ok(cut) = cut else {
        let mut row = vec![String::new(); SIDES.len()];
        row[0] = id.to_string();
        row[2] = "DAMAGED".to_string();
        return row;
    };
    let kind = match cut.kind {
        BarrierKind::Regular => "regular",
        BarrierKind::Stop => "stop",
        BarrierKind::End => "end",
    };
    vec![
        id.to_string(),
        units::duration(age(look.now, cut.triggered_at)),
        trigger(cut.trigger).to_string(),
        kind.to_string(),
        units::bytes(cut.total_bytes()),
        units::bytes(new_bytes(cut)),
        units::duration(took(cut)),
        units::count(entries(cut)),
        cut.epoch.to_string(),
    ]
}

fn took(cut: &Manifest) -> Duration {
    Duration::from_micros(cut.durations.write_us)
}
