//! What the writer does beside writing, and when it may: a call to the system at a time.

use anyhow::Result;

use super::Play;
use crate::follow::form::{Form, Naming};
use crate::follow::logs::LIVE;
use crate::follow::rotation::{Rotation, Step};

impl Play<'_> {
    pub(super) fn begin_rotation(&mut self) -> Result<()> {
        let rotations = self.case.naming.rotations();
        let with_late_writer = self.campaign.has(Form::LateWriter) && self.random.bool();
        let may_age = !self.case.naming.shifts() || self.campaign.has(Form::ShiftFinished);
        let other = |form: &Form| {
            let is_rotation = Naming::ALL.iter().any(|naming| naming.rotations().contains(form));
            !is_rotation && (may_age || *form != Form::Age)
        };
        let (rotating, others): (Vec<Form>, Vec<Form>) = (
            self.campaign.forms.iter().copied().filter(|form| rotations.contains(form)).collect(),
            self.campaign.forms.iter().copied().filter(other).collect(),
        );
        let is_rotation = self.random.u32(..3) == 0 || others.is_empty();
        let Some(form) = self.random.choice(if is_rotation { rotating } else { others }) else {
            return Ok(());
        };
        let began = Rotation::begin(form, &mut self.logs, with_late_writer, &mut self.random)?;
        if let Some(rotation) = began {
            self.rotation = rotation;
            *(if is_rotation { &mut self.done.rotations } else { &mut self.done.others }) += 1;
        }
        Ok(())
    }

    pub(super) fn go_on_rotating(&mut self) -> Result<()> {
        let Some(step) = self.rotation.next() else { return Ok(()) };
        let current = self.logs.current();
        let is_now = match &step {
            Step::Truncate { .. } => self.may_take(current)?,
            Step::DeleteCompressed { log } => self.may_take(*log)?,
            Step::Rename { .. } | Step::Compress { .. } | Step::Delete { .. } | Step::Replace => {
                self.has_begun()
            }
            _ => true,
        };
        if !is_now {
            self.rotation.put_back(step);
            return Ok(());
        }
        match step {
            Step::Rename { log, to } => {
                let from = self.logs.log(log).name.clone().unwrap_or_default();
                self.logs.rename(log, &to)?;
                self.journal.of(log, format!("{from} is renamed to {to}"));
            }
            Step::Reopen { at_once } => {
                self.logs.reopen(at_once)?;
                self.journal.of(current, "its writer lets go of it");
                let how = if at_once { "empty" } else { "with its first line" };
                self.journal.of(self.logs.current(), format!("{LIVE} is to be there {how}"));
            }
            Step::Copy { to, part } => {
                let is_moved = part.start == 0 && !self.was_read(current)?;
                self.logs.copy(&to, part.clone(), is_moved)?;
                let how = if is_moved { "moved to" } else { "copied to" };
                self.journal.of(current, format!("bytes {part:?} are {how} {to}"));
            }
            Step::Truncate { copy } => {
                self.logs.truncate(&copy)?;
                self.journal.of(current, format!("{LIVE} is truncated: it is in {copy}"));
                self.journal.of(self.logs.current(), format!("{LIVE} is empty"));
            }
            Step::Compress { log, is_rest: false } if !self.may_compress(log)? => {
                self.rotation.give_up();
            }
            Step::Compress { log, is_rest } => {
                self.logs.compress(log, is_rest)?;
                let what = if is_rest { "is compressed" } else { "is half compressed" };
                self.journal.of(log, what);
            }
            Step::DeleteCompressed { log } => {
                self.logs.delete_compressed(log)?;
                self.journal.of(log, "only the compressed log is left");
            }
            Step::Age { log } => {
                self.logs.age(log)?;
                self.journal.of(log, "its time is set back by an hour");
            }
            Step::Delete { log } => {
                if self.is_finished(log)? {
                    self.logs.delete(log)?;
                    self.journal.of(log, "deleted: the job has finished it");
                }
            }
            Step::AddMember { log, lines } => {
                self.logs.add_member(log, lines)?;
                self.journal.of(log, format!("another member with {lines} lines"));
            }
            Step::Replace => {
                self.logs.replace()?;
                self.journal.of(current, format!("{LIVE} is written again and takes its place"));
            }
            Step::FolderLeaves => {
                self.logs.folder_leaves()?;
                self.journal.all("the folder is away");
            }
            Step::Wait => {}
            Step::FolderReturns => {
                self.logs.folder_returns()?;
                self.journal.all("the folder is back");
            }
        }
        Ok(())
    }

    /// Whether anything of a log has counted, so that every process to come knows that it was read.
    fn was_read(&self, log: usize) -> Result<bool> {
        let first = self.logs.log(log).first;
        first.map_or(Ok(false), |payment| self.table.has(payment))
    }

    /// Whether a job may begin with what is there now.
    pub(super) fn may_start(&self) -> bool {
        let half = self.campaign.has(Form::StartHalfCompressed) || !self.rotation.compresses();
        half && !self.rotation.is_away()
    }

    /// Whether names may change: not while a job that starts looks at them.
    fn has_begun(&self) -> bool {
        let is_allowed = self.campaign.has(Form::DuringStart);
        is_allowed || !self.job.is_running() || self.job.has_begun()
    }

    /// Whether a log may be gone from its place: not while a job that starts has not opened it.
    fn may_take(&self, log: usize) -> Result<bool> {
        if self.campaign.has(Form::DuringStart) || !self.job.is_running() {
            return Ok(true);
        }
        let is_open = self.job.has_open(&self.logs.path_of(log)?);
        Ok(self.has_begun() && (is_open || self.is_finished(log)?))
    }

    fn may_compress(&self, log: usize) -> Result<bool> {
        Ok(self.campaign.has(Form::CompressUnread) || self.was_read(log)?)
    }

    /// Whether the newest checkpoint says that a log was read to its end.
    fn is_finished(&self, log: usize) -> Result<bool> {
        self.job.has_finished(self.logs.id(log)?, self.logs.log(log).bytes)
    }
}
