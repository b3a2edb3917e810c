//! The job that a drill plays with: where its output goes, and what it finds when it begins. Each has
//! a word for it, which is part of the names of cases.

use std::fmt;
use std::str::FromStr;

/// A call, as the shim names it: `thread:verb:kind:number`.
pub type Call = String;

/// Where the output goes, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sink {
    /// A database, with every cut.
    Sqlite,
    /// A folder, with every cut.
    JsonLines,
    /// A database, at the end: until then the target knows of no cut.
    SqliteFinal,
    /// A folder, at the end.
    JsonLinesFinal,
}

/// The job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Setup {
    /// Where its output goes.
    pub sink: Sink,
    /// How many tasks each operator has.
    pub parallelism: u32,
}

impl Setup {
    /// Reads what a case says of its job.
    pub(crate) fn parse(sink: &str, parallelism: &str) -> Result<Self, String> {
        let parallelism = parallelism.parse().map_err(|_| format!("'{parallelism}' tasks?"))?;
        Ok(Setup { sink: sink.parse()?, parallelism })
    }
}

/// How the first process, the one that something happens to, begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// Nothing is there.
    Fresh,
    /// It goes on with what a process left that was killed at this call.
    Resume(Call),
    /// It begins anew over what such a process left.
    Anew(Call),
    /// It takes over from the second process, which is held at this call.
    Beside(Call),
    /// It begins anew beside such a process.
    AnewBeside(Call),
}

impl Sink {
    /// All of them.
    pub const ALL: [Sink; 4] =
        [Sink::Sqlite, Sink::JsonLines, Sink::SqliteFinal, Sink::JsonLinesFinal];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Sink::Sqlite => "sqlite",
            Sink::JsonLines => "jsonl",
            Sink::SqliteFinal => "sqlite-final",
            Sink::JsonLinesFinal => "jsonl-final",
        }
    }

    /// Whether it is a database, not a folder.
    pub fn is_database(self) -> bool {
        matches!(self, Sink::Sqlite | Sink::SqliteFinal)
    }

    /// Whether there is no output before the end.
    pub fn is_final(self) -> bool {
        matches!(self, Sink::SqliteFinal | Sink::JsonLinesFinal)
    }
}

impl FromStr for Sink {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let sink = Sink::ALL.into_iter().find(|sink| sink.word() == text);
        sink.ok_or_else(|| {
            format!("'{text}' is no sink; write {}", Sink::ALL.map(Sink::word).join(" or "))
        })
    }
}

impl Start {
    /// The word for it, without the call.
    pub fn word(&self) -> String {
        word_and_call(&self.to_string()).0.to_string()
    }

    /// Whether the first process has the flag for beginning anew.
    pub fn is_anew(&self) -> bool {
        matches!(self, Start::Anew(_) | Start::AnewBeside(_))
    }

    /// The call at which the second process was held before the first began.
    pub fn beside(&self) -> Option<&Call> {
        match self {
            Start::Beside(call) | Start::AnewBeside(call) => Some(call),
            _ => None,
        }
    }

    /// The call at which an earlier process was killed.
    pub fn left_at(&self) -> Option<&Call> {
        match self {
            Start::Resume(call) | Start::Anew(call) => Some(call),
            _ => None,
        }
    }
}

impl fmt::Display for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.sink.word(), self.parallelism)
    }
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Start::Fresh => f.write_str("fresh"),
            Start::Resume(call) => write!(f, "resume@{call}"),
            Start::Anew(call) => write!(f, "anew@{call}"),
            Start::Beside(call) => write!(f, "beside@{call}"),
            Start::AnewBeside(call) => write!(f, "anew-beside@{call}"),
        }
    }
}

impl FromStr for Start {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match word_and_call(text) {
            ("fresh", None) => Start::Fresh,
            ("resume", Some(call)) => Start::Resume(call),
            ("anew", Some(call)) => Start::Anew(call),
            ("beside", Some(call)) => Start::Beside(call),
            ("anew-beside", Some(call)) => Start::AnewBeside(call),
            _ => return Err(format!("'{text}' is no way to begin")),
        })
    }
}

/// A word, or a word and the call that it happens at.
pub(crate) fn word_and_call(text: &str) -> (&str, Option<Call>) {
    match text.split_once('@') {
        Some((word, call)) => (word, Some(call.to_string())),
        None => (text, None),
    }
}
