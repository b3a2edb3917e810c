//! What is counted: no counter falls, checkpoints by number of records come no more often than that, and what
//! is broadcast comes to every task.

use steadfast_protocol::manifest::{Manifest, Trigger};

use crate::observer::{Observer, Seen};
use crate::prefix::Prefix;

/// A checkpoint was committed.
pub fn committed(observer: &Observer, manifest: &Manifest, prefix: &Prefix, by: u16) {
    let seen = &mut *observer.seen();
    let wrong =
        [fallen(seen, manifest), too_often(seen, manifest, by), missed_copy(seen, prefix, by)];
    let id = manifest.checkpoint;
    let wrong = wrong.into_iter().flatten();
    let wrong = wrong.map(|wrong| format!("checkpoint {id} of process {by}: {wrong}"));
    seen.violations.extend(wrong);
}

/// The checkpoint before, if it is known for sure.
fn before<'a>(seen: &'a Seen, manifest: &Manifest) -> Option<&'a Manifest> {
    if seen.restorations > 0 || seen.damaged {
        return None;
    }
    Some(&**seen.manifests.get(&manifest.previous?.0)?).filter(|old| old.origin == manifest.origin)
}

/// A counter says less than in the checkpoint before.
fn fallen(seen: &Seen, manifest: &Manifest) -> Option<String> {
    let before = before(seen, manifest)?;
    before.counters.iter().find_map(|(operator, counts)| {
        let now = manifest.counters.get(operator)?;
        counts.iter().find_map(|(name, count)| {
            let now = now.get(name).copied().unwrap_or(0);
            let wrong = format!("{operator} had counted {count} {name}, and now it is {now}");
            (now < *count).then_some(wrong)
        })
    })
}

/// Between two checkpoints by number of records a process has read that many.
fn too_often(seen: &mut Seen, manifest: &Manifest, by: u16) -> Option<String> {
    let own = &mut seen.processes[usize::from(by)];
    let each = own.records_due?;
    if manifest.trigger == Trigger::Records && own.counted.insert(manifest.checkpoint.0) {
        let (count, read) = (own.counted.len() as u64, own.read);
        let wrong =
            format!("{count} checkpoints by records, each after {each}, and it read {read}");
        return (count * each > read).then_some(wrong);
    }
    None
}

/// What this process has read, and its checkpoint has, has come to every task.
fn missed_copy(seen: &Seen, prefix: &Prefix, by: u16) -> Option<String> {
    let own = &seen.processes[usize::from(by)];
    let tasks = own.tasks_of_broadcast?;
    let missed = seen.readers[0].iter().enumerate().find(|(index, readers)| {
        let is_own = readers.contains(&by) && prefix.has((0, *index));
        is_own && own.copies.get(&(*index as u64)).copied().unwrap_or(0) < u32::from(tasks)
    });
    missed.map(|(index, _)| format!("event {index} has not come to each of {tasks} tasks"))
}
