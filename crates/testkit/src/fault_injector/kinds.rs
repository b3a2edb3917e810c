//! The kinds of calls at which something may happen: what is called, and for some what that is for, or at
//! which moment.
//!
//! All kinds are alike to who draws one, so that what happens once in a history is as likely as what happens a
//! thousand times. It knows nothing of what happens.

use crate::baton::{Call, CallKind, DiskCall};

/// What is called.
const GENERAL: [&str; 28] = [
    "claim",
    "commit",
    "put closed marker",
    "put data",
    "get log entry",
    "get closed marker",
    "get data",
    "list",
    "delete log entry",
    "delete data",
    "look",
    "look after the claim",
    "acquire",
    "apply",
    // Few histories have any.
    "reset",
    "reset",
    "reset",
    "clock",
    "disk write",
    "disk sync file",
    "disk sync folder",
    "disk link log entry",
    "disk link",
    "disk remove",
    "disk read",
    "disk list",
    "disk create folder",
    "disk sync log folder",
];

/// The same within the folders of sinks.
const OF_FOLDERS: [&str; 7] = [
    "folder read",
    "folder list",
    "folder write",
    "folder link slot",
    "folder link part",
    "folder sync",
    "folder remove",
];

/// What that is for.
const SPECIAL: [&str; 8] = [
    "claim of a new block",
    "commit of a new block",
    "disk link the last of a block",
    "settling: get log entry",
    "settling: get data",
    "settling: delete data",
    "list data",
    "running: delete data",
];

/// The same within the folders of sinks.
const SPECIAL_OF_FOLDERS: [&str; 12] = [
    "settling: folder read",
    "settling: folder list",
    "settling: folder link slot",
    "settling: folder link part",
    "settling: folder remove",
    "running: folder read",
    "running: folder list",
    "running: folder link slot",
    "running: folder remove",
    "folder create folder",
    "folder create folder",
    "folder move",
];

/// Draws a kind.
pub fn draw(random: &mut fastrand::Rng, has_folders: bool) -> &'static str {
    let mut one_of = |kinds: &[&'static str]| kinds[random.usize(..kinds.len())];
    match (has_folders, one_of(&["general", "special"])) {
        (false, "general") => one_of(&GENERAL),
        (false, _) => one_of(&SPECIAL),
        (true, "general") => match one_of(&["store", "folder"]) {
            "store" => one_of(&GENERAL),
            _ => one_of(&OF_FOLDERS),
        },
        (true, _) => one_of(&SPECIAL_OF_FOLDERS),
    }
}

/// How far a process has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// It has claimed nothing.
    #[default]
    Looking,
    /// It has claimed, and written nothing yet.
    Settling,
    /// It has.
    Running,
}

impl Stage {
    /// From when on calls of a kind count: what begins with a thousand looks would seldom come further.
    pub fn draw(random: &mut fastrand::Rng, kind: &str) -> Stage {
        match kind {
            "claim" | "claim of a new block" | "look" => Stage::Looking,
            _ => {
                [Stage::Looking, Stage::Settling, Stage::Running, Stage::Running][random.usize(..4)]
            }
        }
    }

    /// A call is about to be made.
    pub fn after(self, kind: CallKind) -> Stage {
        match kind {
            CallKind::StorePutClaim => Stage::Settling,
            CallKind::StorePutData | CallKind::StorePutCheckpoint if self == Stage::Settling => {
                Stage::Running
            }
            _ => self,
        }
    }
}

/// What is called.
pub fn general(call: &Call, stage: Stage) -> &'static str {
    let at = |part: &str| call.object.contains(part);
    match call.kind {
        CallKind::Disk(call) if at("/folders/") => match call {
            DiskCall::Read => "folder read",
            DiskCall::List => "folder list",
            DiskCall::Link if at("/slots/") => "folder link slot",
            DiskCall::Link => "folder link part",
            DiskCall::SyncFile | DiskCall::SyncFolder => "folder sync",
            DiskCall::Remove => "folder remove",
            DiskCall::Write | DiskCall::Rename | DiskCall::CreateFolder => "folder write",
        },
        CallKind::StorePutClaim => "claim",
        CallKind::StorePutCheckpoint => "commit",
        CallKind::StorePutClosed => "put closed marker",
        CallKind::StorePutData => "put data",
        CallKind::StoreGet if at("log/") => "get log entry",
        CallKind::StoreGet if at("closed/") => "get closed marker",
        CallKind::StoreGet => "get data",
        CallKind::StoreList => "list",
        CallKind::StoreDelete if at("log/") => "delete log entry",
        CallKind::StoreDelete => "delete data",
        CallKind::TargetLook if stage != Stage::Looking => "look after the claim",
        CallKind::TargetLook => "look",
        CallKind::TargetAcquire => "acquire",
        CallKind::TargetApply => "apply",
        CallKind::TargetReset => "reset",
        CallKind::Clock => "clock",
        CallKind::Disk(DiskCall::Write) => "disk write",
        CallKind::Disk(DiskCall::SyncFile) => "disk sync file",
        CallKind::Disk(DiskCall::SyncFolder) if at("/log") => "disk sync log folder",
        CallKind::Disk(DiskCall::SyncFolder) => "disk sync folder",
        CallKind::Disk(DiskCall::Link | DiskCall::Rename) if at("/log/") => "disk link log entry",
        CallKind::Disk(DiskCall::Link | DiskCall::Rename) => "disk link",
        CallKind::Disk(DiskCall::Remove) => "disk remove",
        CallKind::Disk(DiskCall::Read) => "disk read",
        CallKind::Disk(DiskCall::List) => "disk list",
        CallKind::Disk(DiskCall::CreateFolder) => "disk create folder",
    }
}

/// What that is for, where the log has blocks of so many entries.
pub fn special(call: &Call, stage: Stage, log_block: u64) -> Option<&'static str> {
    let at = |part: &str| call.object.contains(part);
    let (settles, runs) = (stage == Stage::Settling, stage == Stage::Running);
    // Entries begin with the second place of the first block.
    let place = || call.object.rsplit('/').next()?.parse::<u64>().ok().map(|at| at % log_block);
    Some(match call.kind {
        CallKind::StorePutClaim if place() == Some(0) => "claim of a new block",
        CallKind::StorePutCheckpoint if place() == Some(0) => "commit of a new block",
        CallKind::Disk(DiskCall::Link) if at("/log/") && place() == Some(log_block - 1) => {
            "disk link the last of a block"
        }
        CallKind::StoreGet if settles && at("log/") => "settling: get log entry",
        CallKind::StoreGet if settles && at("data/") => "settling: get data",
        CallKind::StoreDelete if settles && at("data/") => "settling: delete data",
        CallKind::StoreDelete if runs && at("data/") => "running: delete data",
        CallKind::StoreList if at("data/") => "list data",
        CallKind::Disk(call) if at("/folders") => match call {
            DiskCall::CreateFolder => "folder create folder",
            DiskCall::Rename => "folder move",
            DiskCall::Read if settles => "settling: folder read",
            DiskCall::List if settles => "settling: folder list",
            DiskCall::Link if settles && at("/slots/") => "settling: folder link slot",
            DiskCall::Link if settles => "settling: folder link part",
            DiskCall::Remove if settles => "settling: folder remove",
            DiskCall::Read if runs => "running: folder read",
            DiskCall::List if runs => "running: folder list",
            DiskCall::Link if runs && at("/slots/") => "running: folder link slot",
            DiskCall::Remove if runs => "running: folder remove",
            _ => return None,
        },
        _ => return None,
    })
}
