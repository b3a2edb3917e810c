//! A rotation as a row of calls to the system, between any two of which something else may happen.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;

use super::form::{Form, Naming};
use super::logs::Logs;

/// What is still to be done of a rotation.
#[derive(Default)]
pub(super) struct Rotation {
    left: VecDeque<Step>,
    /// Nothing may be written before it is done.
    is_quiet: bool,
}

/// One call, or as many as are never seen apart.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Rename {
        log: usize,
        to: String,
    },
    Reopen {
        at_once: bool,
    },
    Copy {
        to: String,
        part: Range<u64>,
    },
    Truncate {
        copy: String,
    },
    Compress {
        log: usize,
        is_rest: bool,
    },
    DeleteCompressed {
        log: usize,
    },
    Age {
        log: usize,
    },
    Delete {
        log: usize,
    },
    AddMember {
        log: usize,
        lines: usize,
    },
    Replace,
    FolderLeaves,
    /// The folder stays away.
    Wait,
    FolderReturns,
}

/// Of a smaller file nobody can tell whether it is a copy, if nothing was read of the original.
const SMALLEST_COPY: u64 = 4096;

impl Rotation {
    /// Nothing is left to be done.
    pub(super) fn is_done(&self) -> bool {
        self.left.is_empty()
    }

    /// Whether the writer may append lines.
    pub(super) fn lets_write(&self) -> bool {
        self.is_done() || !self.is_quiet
    }

    pub(super) fn next(&mut self) -> Option<Step> {
        self.left.pop_front()
    }

    /// Whether the folder is away: a job that is started then is refused, as it should be.
    pub(super) fn is_away(&self) -> bool {
        matches!(self.left.front(), Some(Step::Wait | Step::FolderReturns))
    }

    /// Whether a log is half compressed.
    pub(super) fn compresses(&self) -> bool {
        matches!(self.left.front(), Some(Step::Compress { is_rest: true, .. }))
    }

    /// It is not the time for this step yet.
    pub(super) fn put_back(&mut self, step: Step) {
        self.left.push_front(step);
    }

    /// What came before it was not as it should be: the rest is left out.
    pub(super) fn give_up(&mut self) {
        self.left.clear();
    }

    /// How `form` is done now; none where it cannot be done.
    pub(super) fn begin(
        form: Form,
        logs: &mut Logs,
        with_late_writer: bool,
        random: &mut fastrand::Rng,
    ) -> io::Result<Option<Rotation>> {
        let mut steps = Vec::new();
        // All is drawn whatever there is, so that a seed goes on alike where the job was slower.
        let (lot, at_once, pieces) = (random.usize(..), random.bool(), random.u64(1..4));
        let mut is_quiet = false;
        let pick = |from: Vec<usize>| (!from.is_empty()).then(|| from[lot % from.len()]);
        match form {
            Form::Rename | Form::DatedRename | Form::InnerRename | Form::InnerDatedRename => {
                if logs.log(logs.current()).bytes == 0 {
                    return Ok(None);
                }
                is_quiet = !with_late_writer;
                if is_quiet {
                    logs.end_line()?;
                }
                let to = make_room(logs, &mut steps);
                steps.push(Step::Rename { log: logs.current(), to });
                steps.push(Step::Reopen { at_once });
            }
            Form::Copy | Form::DatedCopy | Form::InnerCopy | Form::InnerDatedCopy => {
                logs.end_line()?;
                let bytes = logs.log(logs.current()).bytes;
                if bytes < SMALLEST_COPY {
                    return Ok(None);
                }
                is_quiet = true;
                let to = make_room(logs, &mut steps);
                let piece = (bytes / pieces).max(SMALLEST_COPY);
                let mut from = 0;
                while from < bytes {
                    let until = if bytes - from < 2 * piece { bytes } else { from + piece };
                    steps.push(Step::Copy { to: to.clone(), part: from..until });
                    from = until;
                }
                steps.push(Step::Truncate { copy: to });
            }
            Form::Compress | Form::CompressAtOnce | Form::CompressUnread | Form::InnerCompress => {
                let is_inner = logs.naming.is_inner();
                let is_plain = |log: &usize| !logs.log(*log).is_compressed;
                let newest = logs.rotated().first().copied();
                let delayed =
                    logs.closed().filter(|log| form != Form::Compress || Some(*log) != newest);
                let plain: Vec<_> = delayed.filter(is_plain).collect();
                let log =
                    if form == Form::CompressAtOnce { plain.first().copied() } else { pick(plain) };
                // A number before the extension says nothing of what it was before.
                let Some(log) = log.filter(|_| is_inner == (form == Form::InnerCompress)) else {
                    return Ok(None);
                };
                steps.push(Step::Compress { log, is_rest: false });
                steps.push(Step::Compress { log, is_rest: true });
                steps.push(Step::DeleteCompressed { log });
            }
            Form::Age => {
                let Some(log) = pick(logs.closed().filter(|log| !logs.log(*log).is_old).collect())
                else {
                    return Ok(None);
                };
                steps.push(Step::Age { log });
            }
            Form::Delete => {
                let Some(log) = logs.closed().next_back() else { return Ok(None) };
                steps.push(Step::Delete { log });
            }
            Form::Member => {
                let compressed = logs.closed().filter(|log| logs.log(*log).is_compressed).collect();
                let Some(log) = pick(compressed) else { return Ok(None) };
                steps.push(Step::AddMember { log, lines: 1 + lot % 20 });
            }
            Form::Replace => {
                logs.end_line()?;
                if logs.log(logs.current()).bytes == 0 {
                    return Ok(None);
                }
                steps.push(Step::Replace);
            }
            Form::Away => {
                is_quiet = true;
                steps.push(Step::FolderLeaves);
                steps.extend(vec![Step::Wait; lot % 100]);
                steps.push(Step::FolderReturns);
            }
            Form::LateWriter
            | Form::DuringStart
            | Form::StartHalfCompressed
            | Form::ShiftFinished
            | Form::ReuseInode => return Ok(None),
        }
        Ok(Some(Rotation { left: steps.into(), is_quiet }))
    }
}

/// Where the current log is to go, once all others have gone on by one.
fn make_room(logs: &mut Logs, steps: &mut Vec<Step>) -> String {
    let naming: Naming = logs.naming;
    if !naming.shifts() {
        let day = logs.next_day();
        return naming.name(day);
    }
    let rotated = logs.rotated().to_vec();
    for (number, log) in (2..).zip(&rotated).collect::<Vec<_>>().into_iter().rev() {
        let suffix = if logs.log(*log).is_compressed { ".gz" } else { "" };
        steps.push(Step::Rename { log: *log, to: naming.name(number) + suffix });
    }
    naming.name(1)
}
