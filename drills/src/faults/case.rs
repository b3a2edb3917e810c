//! The name of a case, which says everything about it:
//!
//! ```text
//! sqlite/1/resume@committer:link:store-log:3/main:link:store-log:1/lost
//! sink / parallelism / how the process begins / the call that meets a fault / the fault
//! ```

use std::fmt;
use std::str::FromStr;

use crate::job::{Call, Setup, Start};

/// What happens to a call. `shim/fault.c` knows it by its word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The process is killed right before the call.
    DiesBefore,
    /// The process is killed once the call has taken effect.
    DiesAfter,
    /// The call fails once, without effect: input/output error.
    Fails,
    /// So do the next two like it.
    FailsForAWhile,
    /// So do all others like it.
    FailsForGood,
    /// The disk is full for three calls.
    Full,
    /// The call takes effect and is answered with an input/output error.
    Lost,
    /// Half of what is to be written is, and the answer says so.
    Short,
    /// The same, and then the disk is full once.
    ShortThenFull,
    /// A sync fails, and what it should have made durable is gone.
    Gate,
}

/// One case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// The job.
    pub setup: Setup,
    /// How the process begins.
    pub start: Start,
    /// The call that meets the fault.
    pub at: Call,
    /// Which.
    pub fault: Fault,
}

impl Case {
    /// What the call does, and to what.
    pub(super) fn verb_and_kind(&self) -> (&str, &str) {
        let mut words = self.at.split(':').skip(1);
        (words.next().unwrap_or_default(), words.next().unwrap_or_default())
    }
}

impl Fault {
    /// All of them.
    pub const ALL: [Fault; 10] = [
        Fault::DiesBefore,
        Fault::DiesAfter,
        Fault::Fails,
        Fault::FailsForAWhile,
        Fault::FailsForGood,
        Fault::Full,
        Fault::Lost,
        Fault::Short,
        Fault::ShortThenFull,
        Fault::Gate,
    ];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Fault::DiesBefore => "dies-before",
            Fault::DiesAfter => "dies-after",
            Fault::Fails => "eio",
            Fault::FailsForAWhile => "eio-3",
            Fault::FailsForGood => "eio-on",
            Fault::Full => "enospc-3",
            Fault::Lost => "lost",
            Fault::Short => "short",
            Fault::ShortThenFull => "short-enospc",
            Fault::Gate => "gate",
        }
    }

    /// Whether a call with this verb can meet it, and the number of the call allows it.
    pub fn befalls(self, call: &Call) -> bool {
        let mut words = call.split(':');
        let (verb, number) = (words.nth(1).unwrap_or_default(), words.nth(1).unwrap_or_default());
        let looks = ["open", "read", "look", "list", "lock", "unlock"].contains(&verb);
        match self {
            // Before a call that changes nothing all is as it was after the one before.
            Fault::DiesBefore | Fault::DiesAfter | Fault::Lost => !looks,
            Fault::Fails | Fault::FailsForAWhile => true,
            // Each takes as long as the job's patience; one call of a kind stands for all.
            Fault::FailsForGood => number == "1",
            Fault::Full => ["write", "fsync", "link", "rename", "mkdir"].contains(&verb),
            Fault::Short | Fault::ShortThenFull => verb == "write",
            Fault::Gate => verb == "fsync",
        }
    }

    /// Whether the process cannot go on.
    pub fn kills(self) -> bool {
        matches!(self, Fault::DiesBefore | Fault::DiesAfter)
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fault = Fault::ALL.into_iter().find(|fault| fault.word() == text);
        fault.ok_or_else(|| {
            format!("'{text}' is no fault; write {}", Fault::ALL.map(Fault::word).join(" or "))
        })
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}/{}", self.setup, self.start, self.at, self.fault.word())
    }
}

impl FromStr for Case {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fields: Vec<_> = text.split('/').collect();
        let [sink, parallelism, start, at, fault] = fields[..] else {
            return Err("write SINK/PARALLELISM/START/CALL/FAULT, as the summary does".into());
        };
        let (setup, start) = (Setup::parse(sink, parallelism)?, start.parse::<Start>()?);
        if start.beside().is_some() {
            return Err("no other process is there when a fault is played".into());
        }
        Ok(Case { setup, start, at: at.to_string(), fault: fault.parse()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_everything() {
        for fault in Fault::ALL {
            let name = format!("sqlite/1/resume@a:link:store-log:3/b:c:d:1/{}", fault.word());
            assert_eq!(name.parse::<Case>().unwrap().to_string(), name);
        }
        for wrong in ["sqlite/1/fresh/a:b:c:1", "sqlite/1/beside@a:b:c:1/a:b:c:1/eio"] {
            assert!(wrong.parse::<Case>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_call_meets_what_can_happen_to_it() {
        let all = |call: &str| -> Vec<_> {
            let call = call.to_string();
            Fault::ALL.into_iter().filter(|fault| fault.befalls(&call)).map(Fault::word).collect()
        };
        assert_eq!(all("main:read:slot:2"), ["eio", "eio-3"]);
        assert_eq!(all("main:list:slot:1"), ["eio", "eio-3", "eio-on"]);
        assert!(all("main:fsync:slot:2").contains(&"gate"));
        assert!(all("main:write:slot:2").contains(&"short"));
    }
}
