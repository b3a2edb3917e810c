//! What a process did, call by call, as the shim has written it down.

use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::job::Call;

/// The kind of path under which the shim looks for names that make something committed.
pub(crate) const LOG: &str = "store-log";

/// One line of it.
#[derive(Clone, Debug)]
pub(crate) struct Noted {
    /// `call` or `held` before it, `fault` where it met one; `done` or `failed` after it, if it
    /// changes something.
    pub(crate) what: String,
    pub(crate) call: Call,
    pub(crate) path: String,
    /// The old name of what gets a new one, the place of a write, the bytes of a lock, `new` for
    /// what was created.
    pub(crate) detail: String,
}

/// Reads a recording; it is empty if there is none.
pub(crate) fn read(record: &Path) -> Result<Vec<Noted>> {
    if !record.exists() {
        return Ok(Vec::new());
    }
    let record = fs::read_to_string(record)?;
    let noted = record.lines().filter_map(|line| {
        let mut fields = line.split('\t').map(str::to_string);
        let [what, call, path, detail] = std::array::from_fn(|_| fields.next());
        Some(Noted { what: what?, call: call?, path: path?, detail: detail.unwrap_or_default() })
    });
    Ok(noted.collect())
}

/// The calls that were made, in their order.
pub(crate) fn calls(noted: &[Noted]) -> Vec<Call> {
    let before = noted.iter().filter(|noted| noted.is_before());
    before.map(|noted| noted.call.clone()).collect()
}

/// The calls by which a run gave its checkpoints a name in the log: there another process is most in
/// the way.
pub(crate) fn commits(noted: &[Noted]) -> Vec<Call> {
    let of_committer =
        noted.iter().filter(|noted| noted.appended_to_log() && noted.thread() != "main");
    of_committer.map(|noted| noted.call.clone()).collect()
}

impl Noted {
    fn word(&self, number: usize) -> &str {
        self.call.split(':').nth(number).unwrap_or_default()
    }

    /// The thread that made the call.
    pub(crate) fn thread(&self) -> &str {
        self.word(0)
    }

    /// What the call does.
    pub(crate) fn verb(&self) -> &str {
        self.word(1)
    }

    /// What it does it to.
    pub(crate) fn kind(&self) -> &str {
        self.word(2)
    }

    /// Written down before the call was made.
    pub(crate) fn is_before(&self) -> bool {
        matches!(self.what.as_str(), "call" | "held")
    }

    /// Whether names come and go by it.
    pub(crate) fn changes_names(&self) -> bool {
        matches!(self.verb(), "link" | "rename" | "unlink")
    }

    /// It has given a log entry its name: something was claimed or committed.
    pub(crate) fn appended_to_log(&self) -> bool {
        self.what == "done" && self.verb() == "link" && self.kind() == LOG
    }
}
