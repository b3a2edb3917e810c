//! What a process was doing when it died: told from the calls that it has made.

use crate::baton::{CallKind, Fate, Step};

/// What a process was doing after these calls, of which the last may have been its death.
pub fn place<'a>(steps: impl Iterator<Item = &'a Step>) -> &'static str {
    let mut place = LOOKING;
    for step in steps {
        let took_effect = matches!(step.fate, Fate::Effect | Fate::AnswerLost | Fate::DiesAfter);
        place = after(place, step.call.kind, took_effect);
    }
    place
}

const LOOKING: &str = "looking around";
const CLAIMING: &str = "claiming";
const DECIDING: &str = "deciding where to begin";
const SETTLING: &str = "settling the targets";
const COLLECTING: &str = "collecting what is not needed, before it runs";
const WRITING: &str = "writing parts of a checkpoint";
const COMMITTING: &str = "committing";
const COMMITTED: &str = "committed, and nothing applied";
const APPLYING: &str = "applying output";
const FORGETTING: &str = "collecting what is not needed, while it runs";

/// All places.
pub const ALL: [&str; 10] = [
    LOOKING, CLAIMING, DECIDING, SETTLING, COLLECTING, WRITING, COMMITTING, COMMITTED, APPLYING,
    FORGETTING,
];

fn after(place: &'static str, kind: CallKind, took_effect: bool) -> &'static str {
    let runs = [WRITING, COMMITTING, COMMITTED, APPLYING, FORGETTING].contains(&place);
    match kind {
        CallKind::StorePutClaim if took_effect => DECIDING,
        CallKind::StorePutClaim => CLAIMING,
        CallKind::StorePutData => WRITING,
        CallKind::StorePutCheckpoint if took_effect => COMMITTED,
        CallKind::StorePutCheckpoint => COMMITTING,
        CallKind::TargetApply if runs => APPLYING,
        kind if kind.is_for_target() && place != LOOKING && !runs => SETTLING,
        CallKind::StoreDelete if runs => FORGETTING,
        CallKind::StoreDelete => COLLECTING,
        _ => place,
    }
}
