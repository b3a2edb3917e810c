//! Moments at which much depends on what happens: between two steps of which the second makes up for it if the
//! first comes to nothing, or where another process could come between.
//!
//! Each is drawn as often as any other, however seldom a process comes to it.

use super::Happening;

/// A moment, and what may happen at it.
pub struct Moment {
    /// The kind of call.
    pub kind: &'static str,
    /// At which of these calls at the latest.
    pub latest: u32,
    /// What may happen.
    pub happens: &'static [What],
}

/// What may happen at a moment.
#[derive(Clone, Copy)]
pub enum What {
    /// The process dies before.
    Before,
    /// The process dies after.
    After,
    /// Others come between.
    Sleep,
    /// It is done, and nobody says so.
    Lost,
    /// For as long as anybody asks, there is no answer.
    Away,
}

use What::{After, Away, Before, Lost, Sleep};

const fn at(kind: &'static str, latest: u32, happens: &'static [What]) -> Moment {
    Moment { kind, latest, happens }
}

const OF_STORE: [Moment; 18] = [
    // Others commit between a look and a claim.
    at("claim", 0, &[Sleep]),
    at("look after the claim", 2, &[Sleep]),
    at("acquire", 2, &[Before, After, Sleep]),
    at("settling: get log entry", 12, &[Sleep]),
    // What cannot be read now is not damaged.
    at("settling: get data", 3, &[Away]),
    at("list data", 1, &[Sleep]),
    at("settling: delete data", 2, &[Before, Sleep]),
    at("put data", 0, &[Before]),
    at("commit", 6, &[Before, After, Sleep]),
    at("apply", 6, &[Before, After, Sleep]),
    at("apply", 6, &[Before, After]),
    // A log is forgotten in steps.
    at("put closed marker", 2, &[Before, After, Sleep]),
    at("delete log entry", 3, &[Before, Sleep]),
    at("running: delete data", 2, &[Before, Sleep]),
    // An entry is there, and its name is not durable; or a folder is.
    at("disk link log entry", 12, &[After]),
    at("disk link the last of a block", 1, &[After]),
    at("commit of a new block", 0, &[Before, After, Sleep]),
    at("disk create folder", 8, &[After]),
];

const OF_FOLDERS: [Moment; 10] = [
    at("folder create folder", 6, &[After]),
    at("folder create folder", 2, &[After]),
    // Another has taken over between a commit and its output.
    at("running: folder read", 3, &[Sleep]),
    at("running: folder link slot", 5, &[Before, After, Lost, Sleep]),
    at("running: folder link slot", 5, &[After, Lost]),
    at("settling: folder link slot", 1, &[Before, After, Lost]),
    at("folder link part", 5, &[Before, After, Sleep]),
    at("settling: folder list", 2, &[Sleep]),
    at("running: folder list", 5, &[Sleep]),
    at("folder move", 2, &[Before, After, Sleep]),
];

/// Draws a moment: the kind of call, at how many of them, and what happens.
pub fn draw(random: &mut fastrand::Rng, has_folders: bool) -> (&'static str, u32, Happening) {
    let moment = match has_folders && random.u8(..4) != 0 {
        true => &OF_FOLDERS[random.usize(..OF_FOLDERS.len())],
        false => &OF_STORE[random.usize(..OF_STORE.len())],
    };
    let long = [300, 3000, u64::MAX, u64::MAX][random.usize(..4)];
    let happening = match moment.happens[random.usize(..moment.happens.len())] {
        Before => Happening::DiesBefore,
        After => Happening::DiesAfter,
        Sleep => Happening::Pauses(long),
        Lost => Happening::AnswerLost,
        Away => Happening::StaysAway([3, 3, 7][random.usize(..3)]),
    };
    (moment.kind, random.u32(..=moment.latest), happening)
}
