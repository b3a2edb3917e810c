//! The folders of the real connector, as somebody reads them who knows nothing of the engine: the
//! lines of all parts in the order of their names.

use serde::Deserialize;

use crate::disk::DurableDisk;
use crate::input::{DEAD, LINES};
use crate::table::Table;

/// Where the sinks that write into folders write.
pub(super) fn folder(sink: &str) -> String {
    format!("/folders/{sink}")
}

/// What somebody else has written into a file that has the name of a part.
pub const STRANGER: &str = "[65535,0]\n";

/// What is said of such a file.
pub const IN_THE_WAY: &str =
    "a file that this sink has not written has the name of one of its parts";

/// The name of one of the next parts of the sink of lines, if there is such a folder.
pub fn next_part(disk: &DurableDisk, later: u64) -> Option<String> {
    let slots = disk.names(&format!("{}/.steadfast/slots/", folder(LINES)));
    let newest: u64 = slots.last()?.rsplit('/').next()?.parse().ok()?;
    Some(format!("{}/part-{:010}.jsonl", folder(LINES), newest + later))
}

/// The name of a part of the sink of lines that has its slot and is not visible yet, if there is one.
pub fn hidden_part(disk: &DurableDisk) -> Option<String> {
    let part = next_part(disk, 0)?;
    let number = part.rsplit('-').next()?.strip_suffix(".jsonl")?.to_string();
    let staged = disk.names(&format!("{}/.steadfast/staged/{number}-", folder(LINES)));
    (!staged.is_empty() && disk.read(&part).is_none()).then_some(part)
}

/// Takes away what somebody else has put.
pub fn take_strangers(disk: &DurableDisk) {
    for name in disk.names(&format!("{}/part-", folder(LINES))) {
        if disk.read(&name).is_some_and(|bytes| bytes == STRANGER.as_bytes()) {
            disk.damage(&name, |_| false);
        }
    }
}

/// A dead letter. Its place is the process that has read it.
#[derive(Deserialize)]
struct Letter {
    place: String,
    offset: u64,
}

/// What the folder of a sink shows, as a table of signed rows; none if the sink has no folder.
///
/// # Errors
/// A line that cannot be read.
pub fn read(disk: &DurableDisk, sink: &str) -> Result<Option<Table>, String> {
    if ![LINES, DEAD].contains(&sink) {
        return Ok(None);
    }
    let mut table = Table::default();
    let within = format!("{}/", folder(sink));
    for name in disk.names(&within).iter().filter(|name| name.ends_with(".jsonl")) {
        // What lies in the hidden folder is not for readers.
        if name[within.len()..].contains('/') {
            continue;
        }
        let bytes = disk.read(name).unwrap_or_default();
        for line in String::from_utf8_lossy(&bytes).lines() {
            let row = row(sink, line).ok_or_else(|| format!("{name} has the line {line:?}"))?;
            table.appended.push(row.into());
        }
    }
    Ok(Some(table))
}

fn row(sink: &str, line: &str) -> Option<String> {
    if sink == LINES {
        let (process, seq): (u16, u64) = serde_json::from_str(line).ok()?;
        return Some(format!("{process}\t{seq}"));
    }
    let letter: Letter = serde_json::from_str(line).ok()?;
    Some(format!("{}\t{}", letter.place, letter.offset))
}
