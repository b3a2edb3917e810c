//! What a checkpoint says of those before it: it goes on from the newest, and keeps as many as it should.

use steadfast_protocol::manifest::Manifest;

use crate::observer::{Observer, Seen};

/// A checkpoint was committed.
pub fn committed(observer: &Observer, manifest: &Manifest, by: u16) {
    let seen = &mut *observer.seen();
    if let Some(wrong) = problem(seen, manifest, by) {
        seen.violations.push(format!("checkpoint {} of process {by} {wrong}", manifest.checkpoint));
    }
}

fn problem(seen: &Seen, manifest: &Manifest, by: u16) -> Option<String> {
    if seen.restorations > 0 || seen.log_damaged {
        return None;
    }
    let before = seen.manifests.range(..manifest.checkpoint.0);
    let newest = before.rev().map(|(_, before)| before).find(|m| m.origin == manifest.origin);
    // Who died between a commit and the note of it has committed what is not known here.
    let newest = newest.map(|newest| newest.checkpoint);
    match (manifest.previous, newest) {
        (None, Some(newest)) => return Some(format!("begins anew, and {newest} was there")),
        (previous, newest) if previous < newest && !seen.damaged => {
            return Some(format!("goes on from {previous:?}, and {newest:?} was there"));
        }
        _ => {}
    }
    let mut expected = match manifest.previous {
        _ if seen.damaged => return None,
        Some(previous) => seen.manifests.get(&previous.0)?.retained.clone(),
        None => Vec::new(),
    };
    expected.push(manifest.checkpoint);
    let most = seen.processes[usize::from(by)].retained;
    expected.drain(..expected.len().saturating_sub(most));
    let found = &manifest.retained;
    (*found != expected).then(|| format!("keeps {found:?} instead of {expected:?}"))
}
