//! A schedule for people: one line for each time that a process goes on, with what matters of it.

use steadfast_core::store::Put;
use steadfast_core::target::Conditional;

use crate::baton::{CallKind, Fate};
use crate::environment::{Answer, Request};
use crate::table::TableAnswer;

use super::Exploration;
use super::history::Place;
use super::job::{self, Exit};
use super::state::Event;

/// See the module.
pub fn readable(exploration: &Exploration, path: &[Event]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut events = path.iter().peekable();
    while let Some(event) = events.next() {
        let (first, mut last, mut calls, mut shown) = match event {
            Event::Damaged(name) => {
                lines.push(format!("    everybody has crashed, and {name} is damaged"));
                continue;
            }
            Event::Turn { place, then, .. } => (place, then, 1, vec![]),
        };
        shown.extend(highlight(event));
        while let Some(Event::Turn { place, then, .. }) = events.peek() {
            if place.process != first.process || last.exit().is_some() {
                break;
            }
            shown.extend(events.next().and_then(highlight));
            (last, calls) = (then, calls + 1);
        }
        lines.push(line(exploration, first, last, calls, &shown));
    }
    lines
}

/// How often another process goes on.
pub fn turns(path: &[Event]) -> usize {
    let process = |event: &Event| match event {
        Event::Turn { place, .. } => Some(place.process),
        Event::Damaged(_) => None,
    };
    path.chunk_by(|left, right| process(left) == process(right)).count()
}

fn line(
    exploration: &Exploration,
    first: &Place,
    last: &Place,
    calls: u32,
    shown: &[String],
) -> String {
    let process = first.process;
    let start = exploration.starts.get(process);
    let start =
        start.map_or("the last, undisturbed".to_string(), |s| format!("{s:?}").to_lowercase());
    let begins = if first.is_beginning() { "begins" } else { "goes on" };
    let stands = match (last.exit(), last.request()) {
        (Some(Exit::Finished), _) => "ends: finished".to_string(),
        (Some(Exit::Failed { what, .. }), _) => {
            format!("ends: {}", what.lines().next().unwrap_or_default())
        }
        (Some(Exit::Crashed), _) => "has crashed".to_string(),
        (Some(Exit::Broken(what)), _) => format!("ends: {what}"),
        (None, Some(request)) => format!("stands before: {}", request.call()),
        (None, None) => String::new(),
    };
    let shown = if shown.is_empty() { "only reads".to_string() } else { shorten(shown).join(", ") };
    format!("P{process} ({start}) {begins}, {calls} calls: {shown}; {stands}")
}

/// Counts data objects that are deleted one after the other.
fn shorten(shown: &[String]) -> Vec<String> {
    let is_data = |text: &&String| text.starts_with("deletes data/") && !text.ends_with(')');
    let pieces = shown.chunk_by(|left, right| is_data(&left) && is_data(&right));
    let shorter = |piece: &[String]| match piece {
        [first, .., _] => format!("{first} and {} more", piece.len() - 1),
        [only] => only.clone(),
        [] => String::new(),
    };
    pieces.map(shorter).collect()
}

/// What matters of a call, if anything does.
fn highlight(event: &Event) -> Option<String> {
    let Event::Turn { place, fate, reply, .. } = event else { return None };
    let request = place.request()?;
    let name = short(request);
    let taken = match reply {
        Ok(Answer::Put(Put::AlreadyExists)) => " (taken)",
        Ok(Answer::Table(TableAnswer::Step(Conditional::Unexpected(_)))) => " (unexpected)",
        _ => "",
    };
    let lost = if *fate == Fate::AnswerLost { " (answer lost)" } else { "" };
    let what = match request.kind() {
        CallKind::StorePutClaim => format!("claims {name}"),
        CallKind::StorePutCheckpoint => format!("commits {name}"),
        CallKind::TargetApply => format!("applies {name}"),
        CallKind::StorePutClosed => format!("closes {name}"),
        CallKind::TargetAcquire => format!("acquires {name}"),
        CallKind::TargetReset => format!("resets {name}"),
        CallKind::StoreDelete => format!("deletes {name}"),
        kind if *fate != Fate::Effect => format!("{kind:?} {name}"),
        _ => return None,
    };
    Some(what + taken + lost)
}

fn short(request: &Request) -> String {
    let object = request.call().object;
    match (job::log_number(&object), request) {
        (Some(number), Request::Delete { .. }) => format!("log entry {number}"),
        (Some(number), _) => number.to_string(),
        (None, _) => object,
    }
}
