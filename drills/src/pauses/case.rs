//! The name of a case, which says everything about it:
//!
//! ```text
//! sqlite/1/resume@committer:link:store-log:3/main:link:store-log:1/takeover
//! sink / parallelism / how the first begins / the call it is held at / what the second does
//! ```

use std::fmt;
use std::str::FromStr;

use crate::job::{Call, Setup, Start, word_and_call};

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

impl FromStr for Case {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fields: Vec<_> = text.split('/').collect();
        let [sink, parallelism, start, at, action] = fields[..] else {
            return Err("write SINK/PARALLELISM/START/CALL/ACTION, as the summary does".into());
        };
        let setup = Setup::parse(sink, parallelism)?;
        let start: Start = start.parse()?;
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
