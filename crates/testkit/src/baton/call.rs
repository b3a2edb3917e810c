//! The words of the baton: what a call is, and what may become of it.

use std::fmt;

/// What is called, so that schedulers can tell calls apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CallKind {
    /// A conditional put of a log entry that claims a job.
    StorePutClaim,
    /// A conditional put of a log entry that commits a checkpoint.
    StorePutCheckpoint,
    /// A conditional put of what says that a block of the log is closed.
    StorePutClosed,
    /// A conditional put of anything else.
    StorePutData,
    /// A look at an object.
    StoreGet,
    /// A look at a page of names.
    StoreList,
    /// A removal.
    StoreDelete,
    /// A look at a target's marker.
    TargetLook,
    /// A target taken over: its marker changes, its output stays.
    TargetAcquire,
    /// Output brought into a target.
    TargetApply,
    /// A target emptied.
    TargetReset,
    /// A call to a disk.
    Disk(DiskCall),
    /// A look at a clock.
    Clock,
}

/// A call to a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the verbs of the disk's contract")]
pub enum DiskCall {
    Write,
    SyncFile,
    SyncFolder,
    Link,
    Rename,
    Remove,
    Read,
    List,
    CreateFolder,
}

impl CallKind {
    /// Whether the call changes what a target shows, or who may write to it.
    pub fn changes_a_target(self) -> bool {
        matches!(self, CallKind::TargetAcquire | CallKind::TargetApply | CallKind::TargetReset)
    }

    /// Whether the call can change anything.
    pub fn has_effect(self) -> bool {
        !matches!(
            self,
            CallKind::StoreGet
                | CallKind::StoreList
                | CallKind::TargetLook
                | CallKind::Clock
                | CallKind::Disk(DiskCall::Read | DiskCall::List)
        )
    }

    /// Whether something is put into the store.
    pub fn is_put(self) -> bool {
        use CallKind::{StorePutCheckpoint, StorePutClaim, StorePutClosed, StorePutData};
        matches!(self, StorePutClaim | StorePutCheckpoint | StorePutClosed | StorePutData)
    }

    /// Whether a target is called.
    pub fn is_for_target(self) -> bool {
        use CallKind::{TargetAcquire, TargetApply, TargetLook, TargetReset};
        matches!(self, TargetLook | TargetAcquire | TargetApply | TargetReset)
    }
}

/// A call: its kind, and the name of what is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// What is called.
    pub kind: CallKind,
    /// The name of the object, table or file.
    pub object: String,
}

impl Call {
    /// A call of this kind to the object of this name.
    pub fn new(kind: CallKind, object: impl Into<String>) -> Self {
        Call { kind, object: object.into() }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = match self.kind {
            CallKind::StorePutClaim => "claims",
            CallKind::StorePutCheckpoint => "commits",
            CallKind::StorePutClosed => "closes",
            CallKind::StorePutData => "puts",
            CallKind::StoreGet => "gets",
            CallKind::StoreList => "lists",
            CallKind::StoreDelete => "deletes",
            CallKind::TargetLook => "looks at the marker of",
            CallKind::TargetApply => "applies output to",
            CallKind::TargetAcquire => "acquires",
            CallKind::TargetReset => "resets",
            CallKind::Disk(call) => return write!(f, "disk {call:?} {}", self.object),
            CallKind::Clock => "looks at the clock",
        };
        write!(f, "{verb} {}", self.object)
    }
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fate {
    /// It takes effect and is answered.
    Effect,
    /// It takes no effect and fails.
    Refused,
    /// It takes effect, but the caller is told that it failed.
    AnswerLost,
    /// The process dies, and the call takes no effect.
    DiesBefore,
    /// The process dies, and the call takes effect.
    DiesAfter,
}

/// What a caller is told of a call that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallFailure {
    /// Nobody has done anything.
    Refused,
    /// It was done; the caller cannot tell it from `Refused`.
    AnswerLost,
    /// The process is dead and will not be heard any more.
    Dead,
}
