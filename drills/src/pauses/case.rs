//! The name of a case, which says everything about it:
//!
//! ```text
//! sqlite/1/resume@committer:link:store-log:3/main:link:store-log:1/takeover
//! sink / parallelism / how the first begins / the call it is held at / what the second does
//! ```

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

/// How the first process, the one that is held, begins.
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

/// What the second process does while the first is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// It takes over and runs to the end.
    Takeover,
    /// It begins anew and runs to the end.
    Anew,
    /// It takes over and is killed at this call.
    Killed(Call),
    /// It begins anew and is killed at this call.
    KilledAnew(Call),
    /// It has another store, but the same target.
    Stranger,
    /// The same, with the flag that lets it take the target over.
    StrangerAdopts,
    /// It was there before, was held, and now goes on.
    Continue,
    /// The same, but only to this call, where it is held until the first has ended.
    Onward(Call),
}

/// One case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// The job.
    pub setup: Setup,
    /// How the first process begins.
    pub start: Start,
    /// The call that it is held at.
    pub at: Call,
    /// What the second does.
    pub action: Action,
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

impl Action {
    /// The word for it, without the call.
    pub fn word(&self) -> String {
        word_and_call(&self.to_string()).0.to_string()
    }

    /// Whether the second process has a store of its own.
    pub fn is_of_stranger(&self) -> bool {
        matches!(self, Action::Stranger | Action::StrangerAdopts)
    }
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

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Takeover => f.write_str("takeover"),
            Action::Anew => f.write_str("anew"),
            Action::Killed(call) => write!(f, "killed@{call}"),
            Action::KilledAnew(call) => write!(f, "killed-anew@{call}"),
            Action::Stranger => f.write_str("stranger"),
            Action::StrangerAdopts => f.write_str("stranger-adopt"),
            Action::Continue => f.write_str("continue"),
            Action::Onward(call) => write!(f, "onward@{call}"),
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}/{}", self.setup, self.start, self.at, self.action)
    }
}

/// A word, or a word and the call that it happens at.
fn word_and_call(text: &str) -> (&str, Option<Call>) {
    match text.split_once('@') {
        Some((word, call)) => (word, Some(call.to_string())),
        None => (text, None),
    }
}

impl FromStr for Case {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fields: Vec<_> = text.split('/').collect();
        let [sink, parallelism, start, at, action] = fields[..] else {
            return Err("write SINK/PARALLELISM/START/CALL/ACTION, as the summary does".into());
        };
        let parallelism = parallelism.parse().map_err(|_| format!("'{parallelism}' tasks?"))?;
        let setup = Setup { sink: sink.parse()?, parallelism };
        let start = match word_and_call(start) {
            ("fresh", None) => Start::Fresh,
            ("resume", Some(call)) => Start::Resume(call),
            ("anew", Some(call)) => Start::Anew(call),
            ("beside", Some(call)) => Start::Beside(call),
            ("anew-beside", Some(call)) => Start::AnewBeside(call),
            _ => return Err(format!("'{start}' is no way to begin")),
        };
        let action = match word_and_call(action) {
            ("takeover", None) => Action::Takeover,
            ("anew", None) => Action::Anew,
            ("killed", Some(call)) => Action::Killed(call),
            ("killed-anew", Some(call)) => Action::KilledAnew(call),
            ("stranger", None) => Action::Stranger,
            ("stranger-adopt", None) => Action::StrangerAdopts,
            ("continue", None) => Action::Continue,
            ("onward", Some(call)) => Action::Onward(call),
            _ => return Err(format!("'{action}' is nothing that a second process does")),
        };
        let goes_on = matches!(action, Action::Continue | Action::Onward(_));
        if start.beside().is_some() != goes_on {
            return Err("who is 'beside' or 'anew-beside' does 'continue' or 'onward'".into());
        }
        Ok(Case { setup, start, at: at.to_string(), action })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_everything() {
        for name in [
            "sqlite/1/fresh/main:link:store-log:1/takeover",
            "jsonl/2/resume@committer:link:store-log:3/worker-0:open:store-data:1/stranger",
            "jsonl/1/anew@a:b:c:1/d:e:f:2/killed-anew@g:h:i:3",
            "sqlite/4/anew-beside@a:b:c:1/d:e:f:2/continue",
            "jsonl-final/4/beside@a:b:c:1/d:e:f:2/onward@a:b:c:4",
        ] {
            assert_eq!(name.parse::<Case>().unwrap().to_string(), name);
        }
        for wrong in
            ["sqlite/1/fresh/a:b:c:1", "sqlite/1/fresh/a:b:c:1/continue", "x/1/fresh/a/anew"]
        {
            assert!(wrong.parse::<Case>().is_err(), "{wrong}");
        }
    }
}
