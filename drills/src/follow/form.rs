//! What a writer does with its logs, each thing with a word for it, and what rotated logs are called.

use std::fmt;
use std::str::FromStr;

/// What a writer does with its logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// `app.jsonl` is renamed to `app.jsonl.1`, that to `app.jsonl.2`.
    Rename,
    /// It is copied to `app.jsonl.1` and truncated.
    Copy,
    /// `app.jsonl` is renamed to `app.jsonl-20260101`.
    DatedRename,
    /// It is copied there and truncated.
    DatedCopy,
    /// `app.jsonl` is renamed to `app.1.jsonl`, that to `app.2.jsonl`.
    InnerRename,
    /// `app.jsonl` is renamed to `app-20260101.jsonl`.
    InnerDatedRename,
    /// A log that was renamed is written to for a while, half lines too.
    LateWriter,
    /// An older log is compressed, step by step.
    Compress,
    /// So is the newest of the rotated ones.
    CompressAtOnce,
    /// A rotated log gets an old time: it is finished at once, and not after five minutes.
    Age,
    /// The oldest log is deleted, if the job has finished it in its newest checkpoint.
    Delete,
    /// It is copied to `app.1.jsonl` and truncated.
    InnerCopy,
    /// It is copied to `app-20260101.jsonl` and truncated.
    InnerDatedCopy,
    /// The log is written again under its own name, by way of a temporary one.
    Replace,
    /// The folder is away for some seconds.
    Away,
    /// A compressed log gets another member.
    Member,
    /// A log is compressed before anything was read of it.
    CompressUnread,
    /// A log whose number or date stands before its extension is compressed.
    InnerCompress,
    /// A log gets another name while a job starts, or is truncated, or deleted once it is compressed, before it
    /// was opened.
    DuringStart,
    /// A job is started while a log is half compressed.
    StartHalfCompressed,
    /// A log that the job has finished gets another name.
    ShiftFinished,
    /// A log that is deleted leaves its inode to the copy of another.
    ReuseInode,
}

/// What rotated logs are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// `app.jsonl.1`
    Numbered,
    /// `app.jsonl-20260101`
    Dated,
    /// `app.1.jsonl`
    InnerNumbered,
    /// `app-20260101.jsonl`
    InnerDated,
}

impl Form {
    /// All of them.
    pub const ALL: [Form; 22] = [
        Form::Rename,
        Form::Copy,
        Form::DatedRename,
        Form::DatedCopy,
        Form::InnerRename,
        Form::InnerDatedRename,
        Form::LateWriter,
        Form::Compress,
        Form::CompressAtOnce,
        Form::Age,
        Form::Delete,
        Form::InnerCopy,
        Form::InnerDatedCopy,
        Form::Replace,
        Form::Away,
        Form::Member,
        Form::CompressUnread,
        Form::InnerCompress,
        Form::DuringStart,
        Form::StartHalfCompressed,
        Form::ShiftFinished,
        Form::ReuseInode,
    ];

    /// Those of which `docs/files.md` says that lines are counted twice or left out, or from which nobody is
    /// promised anything else.
    pub const BROKEN: [Form; 3] = [Form::Away, Form::DuringStart, Form::Replace];

    /// The others.
    pub fn sound() -> Vec<Form> {
        Form::ALL.into_iter().filter(|form| !Form::BROKEN.contains(form)).collect()
    }

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Form::Rename => "rename",
            Form::Copy => "copy",
            Form::DatedRename => "dated-rename",
            Form::DatedCopy => "dated-copy",
            Form::InnerRename => "inner-rename",
            Form::InnerDatedRename => "inner-dated-rename",
            Form::LateWriter => "late-writer",
            Form::Compress => "compress",
            Form::CompressAtOnce => "compress-at-once",
            Form::Age => "age",
            Form::Delete => "delete",
            Form::InnerCopy => "inner-copy",
            Form::InnerDatedCopy => "inner-dated-copy",
            Form::Replace => "replace",
            Form::Away => "away",
            Form::Member => "member",
            Form::CompressUnread => "compress-unread",
            Form::InnerCompress => "inner-compress",
            Form::DuringStart => "during-start",
            Form::StartHalfCompressed => "start-half-compressed",
            Form::ShiftFinished => "shift-finished",
            Form::ReuseInode => "reuse-inode",
        }
    }
}

impl Naming {
    /// All of them.
    pub const ALL: [Naming; 4] =
        [Naming::Numbered, Naming::Dated, Naming::InnerNumbered, Naming::InnerDated];

    /// How logs with such names are rotated: by renaming, by copying and truncating.
    pub(super) fn rotations(self) -> [Form; 2] {
        match self {
            Naming::Numbered => [Form::Rename, Form::Copy],
            Naming::Dated => [Form::DatedRename, Form::DatedCopy],
            Naming::InnerNumbered => [Form::InnerRename, Form::InnerCopy],
            Naming::InnerDated => [Form::InnerDatedRename, Form::InnerDatedCopy],
        }
    }

    /// Whether names change with each rotation.
    pub(super) fn shifts(self) -> bool {
        matches!(self, Naming::Numbered | Naming::InnerNumbered)
    }

    /// Whether what a rotation adds stands before the extension.
    pub(super) fn is_inner(self) -> bool {
        matches!(self, Naming::InnerNumbered | Naming::InnerDated)
    }

    /// The name of the log that is `number`th by age, or of the `number`th day.
    pub(super) fn name(self, number: u32) -> String {
        let date = || format!("2026{:02}{:02}", 1 + number / 28, 1 + number % 28);
        match self {
            Naming::Numbered => format!("app.jsonl.{number}"),
            Naming::Dated => format!("app.jsonl-{}", date()),
            Naming::InnerNumbered => format!("app.{number}.jsonl"),
            Naming::InnerDated => format!("app-{}.jsonl", date()),
        }
    }

    /// The pattern that all of them match.
    pub(super) fn pattern(self) -> &'static str {
        if self.is_inner() { "logs/app*.jsonl*" } else { "logs/app.jsonl*" }
    }
}

impl FromStr for Form {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = Form::ALL.into_iter().find(|form| form.word() == text);
        form.ok_or_else(|| {
            format!("'{text}' is no form; write {}", Form::ALL.map(Form::word).join(", "))
        })
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl fmt::Display for Naming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Naming::Numbered => "numbers",
            Naming::Dated => "dates",
            Naming::InnerNumbered => "numbers before the extension",
            Naming::InnerDated => "dates before the extension",
        })
    }
}
