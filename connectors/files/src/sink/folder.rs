//! A folder as a target: one part for each checkpoint that has output, and a chain of slots that
//! says who may write and what has been written.
//!
//! ```text
//! DIR/part-0000000007.jsonl      what users read; the number is that of the slot
//! DIR/.steadfast/slots/…         the chain: the marker of the target is that in the newest slot
//! DIR/.steadfast/staged/…        parts that are written, and not visible yet
//! DIR/.steadfast/reset-…/        the parts that a reset took away; people may remove them
//! ```
//!
//! A folder has no transactions. So the one atomic step of every change is a slot that is created
//! if nobody has created it, and what the slot brings about comes after it: a part is *settled*
//! when it is visible and its staged file is gone, a reset when the parts before it are gone.
//! **Nobody takes a step before the slot that it follows is settled**, whoever took that one. Hence:
//!
//! - Only the newest slot can be unsettled, and whoever comes next settles it first.
//! - A process that sleeps through that can take no step, because its number is taken, and can
//!   make nothing visible, because what it staged is gone. Its parts were visible before.
//! - A reset that sleeps can move only parts with smaller numbers than its own, which are gone;
//!   numbers go on ascending for ever.
//!
//! It knows nothing of stores, or of what is in a part.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use steadfast_core::chunks::Chunks;
use steadfast_core::disk::Disk;
use steadfast_core::target::{
    Applied, Conditional, DeliveryGuarantee, Marker, PlannedStep, RejectedRows, Target,
    TargetIdentity, TargetState,
};
use steadfast_core::{Cause, Error, ErrorKind, Result};
use steadfast_disk::Written;

use chain::Chain;
use parts::{Parts, Staged};
use slot::{Part, Slot, Step};

mod chain;
mod parts;
mod slot;
mod sum;

/// See the module.
pub(super) struct FolderTarget {
    folder: PathBuf,
    identity: TargetIdentity,
    prefix: &'static str,
    /// Sets the attempts of this target apart; its claim sets those of processes apart. It is not shared
    /// with other targets: the same calls must give the same names.
    sequence: u64,
    /// What was staged for a slot that could not be created, and for which marker: the next try takes it,
    /// or each would leave another.
    staged: Option<(Marker, Part)>,
    /// Whether the folder has been ours: if it is not any more, somebody else has adopted it.
    acquired: bool,
    chain: Chain,
    parts: Parts,
}

/// The folder, as other sinks may have spelled it.
pub(super) fn place_of(folder: &Path) -> String {
    let whole = std::path::absolute(folder).unwrap_or_else(|_| folder.to_path_buf());
    // What is between two slashes may be nothing.
    let whole: PathBuf = whole.components().collect();
    format!("the folder {}", whole.display())
}

/// A change that is to be made on a condition.
struct Change<'a> {
    expected: Option<&'a Marker>,
    marker: &'a Marker,
    wish: Wish<'a>,
}

#[derive(Clone, Copy)]
enum Wish<'a> {
    Acquire { adopt: bool },
    Apply(&'a dyn Chunks),
    Reset,
}

impl FolderTarget {
    /// The folder as a target; parts are called `prefix-0000000042.jsonl`. Nothing is looked at.
    pub(super) fn new(
        disk: Arc<dyn Disk>,
        folder: &Path,
        identity: &TargetIdentity,
        prefix: &'static str,
    ) -> Self {
        let chain = Chain::new(Arc::clone(&disk), folder);
        let parts = Parts::new(disk, folder);
        let (folder, identity) = (folder.to_path_buf(), identity.clone());
        let (sequence, staged, acquired) = (0, None, false);
        FolderTarget { folder, identity, prefix, sequence, staged, acquired, chain, parts }
    }

    /// Makes a change if the newest slot of this sink holds what is expected. Returns the slot.
    fn change(&mut self, change: &Change<'_>) -> Result<Conditional<u64>> {
        loop {
            let newest = self.chain.newest()?;
            let number = newest.as_ref().map_or(0, |slot| slot.number);
            let own = newest.as_ref().filter(|slot| slot.belongs_to(&self.identity));
            if let Some(slot) = own.filter(|slot| change.is_done_by(slot)) {
                self.settle(slot, Staged::ByAnybody)?;
                return Ok(Conditional::Done(number));
            }
            let found = own.map(|slot| slot.marker);
            if found.as_ref() != change.expected {
                return Ok(Conditional::Unexpected(found));
            }
            match self.attempt(newest.as_ref(), change) {
                Ok(Some(slot)) => {
                    self.settle(&slot, Staged::JustNow)?;
                    return Ok(Conditional::Done(slot.number));
                }
                // Somebody else has gone on: perhaps an earlier try of this very call.
                Ok(None) => {}
                // What failed may have failed because somebody has gone on and swept it away. Then
                // the answer is who it was, and not that a file is missing.
                Err(error) => match self.chain.contains(number + 1) {
                    Ok(true) => {}
                    _ => return Err(error),
                },
            }
        }
    }

    /// Tries to create the slot after `newest`. `None` if it is taken.
    fn attempt(&mut self, newest: Option<&Slot>, change: &Change<'_>) -> Result<Option<Slot>> {
        let number = newest.map_or(1, |slot| slot.number + 1);
        let adopted = match newest.filter(|slot| slot.belongs_to(&self.identity)) {
            Some(slot) => slot.adopted,
            None => self.adopts(newest, change.wish)?,
        };
        if let Some(slot) = newest {
            match self.settle(slot, Staged::ByAnybody) {
                // A reset takes it away anyhow.
                Err(error) if error.kind() == ErrorKind::Damaged && change.is_reset() => {
                    if let Step::Part(part) = &slot.step {
                        self.parts.unstage(part)?;
                    }
                }
                settled => settled?,
            }
        }
        let (claim, sequence) = (change.marker.claim, self.sequence);
        self.sequence += 1;
        let attempt = format!("{}-{claim}-{sequence}", chain::padded(number));
        let step = match change.wish {
            Wish::Acquire { .. } => Step::Acquired,
            Wish::Reset => {
                // A part from here on would stay among what comes: its slot was lost.
                if let Err(in_the_way) = self.parts.check_names_are_free(self.prefix, number) {
                    let taken = self.chain.contains(number)?;
                    return if taken { Ok(None) } else { Err(in_the_way) };
                }
                Step::Reset
            }
            Wish::Apply(chunks) if chunks.bytes() == 0 => Step::Empty,
            Wish::Apply(chunks) => {
                let name = parts::name(self.prefix, number);
                // In this order: a part of ours is visible only after its slot is there.
                if self.parts.is_visible(&name)? {
                    let taken = self.chain.contains(number)?;
                    return if taken { Ok(None) } else { Err(self.parts.in_the_way(&name)) };
                }
                Step::Part(self.stage(change.marker, name, attempt.clone(), chunks)?)
            }
        };
        let TargetIdentity { job, sink } = self.identity.clone();
        let slot = Slot { number, marker: *change.marker, job, sink, adopted, step };
        let linked = self.chain.link(&slot, &attempt);
        // It may be ours also where that was not the answer: a file system behind a network asks
        // twice and is told that the name exists, and whoever went on may have swept the temporary
        // name away. What is staged must stay then, and the caller be told that it is done.
        let is_created = matches!(linked, Ok(Written::Created));
        if is_created || self.chain.contains(number)? && self.chain.read(number)? == slot {
            self.staged = None;
            return Ok(Some(slot));
        }
        linked?;
        self.staged = None;
        if let Step::Part(part) = &slot.step {
            self.parts.unstage(part)?;
        }
        Ok(None)
    }

    /// Writes what will become the part `name`, if no earlier try of the same call has.
    fn stage(
        &mut self,
        marker: &Marker,
        name: String,
        attempt: String,
        chunks: &dyn Chunks,
    ) -> Result<Part> {
        let earlier = self.staged.take();
        let earlier = earlier.filter(|(of, part)| of == marker && part.name == name);
        let part = match earlier {
            Some((_, part)) if self.parts.is_staged(&part)? => part,
            _ => self.parts.stage(name, attempt, chunks)?,
        };
        self.staged = Some((*marker, part.clone()));
        Ok(part)
    }

    /// Whether a folder that is not ours yet is in use by others. Refuses to come to it then,
    /// unless that is wished; creates what the first slot needs.
    fn adopts(&self, newest: Option<&Slot>, wish: Wish<'_>) -> Result<bool> {
        let Wish::Acquire { adopt } = wish else {
            return Err(Error::internal("a folder is changed before it is acquired"));
        };
        let number = newest.map_or(0, |slot| slot.number);
        self.chain.check_whole(number)?;
        let strangers = self.strangers(newest)?;
        match &strangers {
            Some(_) if adopt => self.parts.check_names_are_free(self.prefix, number + 1)?,
            Some(strangers) => {
                let hint = match newest {
                    Some(slot) => format!(
                        "give the sink a folder of its own; or start with --adopt (RunOptions::adopt) to take this one \
                         over: what is there stays, and job '{}' can write to it no more",
                        slot.job
                    ),
                    None => {
                        "give the sink an empty folder, or start with --adopt (RunOptions::adopt) to write beside it"
                            .to_string()
                    }
                };
                return Err(Error::because(
                    Cause::TARGET_FOREIGN,
                    format!("the folder {strangers}"),
                )
                .at(self.folder.display().to_string())
                .hint(hint));
            }
            None => {}
        }
        if newest.is_none() {
            self.parts.create_folders()?;
        }
        Ok(strangers.is_some())
    }

    /// Who else uses a folder whose newest slot is not ours.
    fn strangers(&self, newest: Option<&Slot>) -> Result<Option<String>> {
        newest.map_or_else(|| self.parts.strangers(), |slot| Ok(Some(slot.holds())))
    }

    /// Brings about what a slot says, if nobody has yet. May be repeated at any time, also by
    /// somebody who slept in the middle while others went on.
    fn settle(&mut self, slot: &Slot, staged: Staged) -> Result<()> {
        self.chain.confirm(slot.number)?;
        match &slot.step {
            Step::Part(part) => self.parts.publish(part, staged),
            Step::Reset => {
                let owner = TargetIdentity { job: slot.job.clone(), sink: slot.sink.clone() };
                let parts = self.parts_of(&owner, slot.number)?;
                let names: Vec<_> = parts.into_iter().map(|part| part.name).collect();
                self.parts.take_away(&names, slot.number)
            }
            Step::Acquired | Step::Empty => Ok(()),
        }
    }

    /// The visible parts of a sink in slots below `end`. Files of others may have such names too:
    /// the slots say which is which.
    fn parts_of(&self, owner: &TargetIdentity, end: u64) -> Result<Vec<Part>> {
        let mut parts = Vec::new();
        for (number, name) in self.parts.visible()? {
            if number == 0 || number >= end {
                continue;
            }
            let slot = self.chain.read(number)?;
            let is_owned = slot.belongs_to(owner);
            match slot.step {
                Step::Part(part) if is_owned && part.name == name => parts.push(part),
                _ => {}
            }
        }
        Ok(parts)
    }

    /// Refuses to go on in a folder that was ours, if it is now somebody else's who has adopted it.
    fn refuse_adopted(&mut self) -> Result<()> {
        let newest = self.chain.newest()?;
        let Some(slot) = newest.filter(|slot| !slot.belongs_to(&self.identity)) else {
            return Ok(());
        };
        let Slot { job, sink, .. } = slot;
        let what = format!("the folder was taken over by sink '{sink}' of job '{job}'");
        Err(Error::because(Cause::TARGET_TAKEN_OVER, what)
            .at(self.folder.display().to_string())
            .hint("one job at a time writes to a folder: give each a folder of its own"))
    }

    /// Removes what dead processes have left, once the slot of this call is settled.
    fn sweep(&self, changed: Conditional<u64>) -> Result<Conditional<()>> {
        Ok(match changed {
            Conditional::Unexpected(found) => Conditional::Unexpected(found),
            Conditional::Done(number) => {
                self.parts.sweep(number)?;
                self.chain.sweep(number)?;
                Conditional::Done(())
            }
        })
    }
}

impl Change<'_> {
    fn is_reset(&self) -> bool {
        matches!(self.wish, Wish::Reset)
    }

    /// Whether a slot of ours is an earlier try of this call. Who acquires with the marker that is
    /// there has it, however it came there; but only a reset has taken the parts away.
    fn is_done_by(&self, slot: &Slot) -> bool {
        let is_such = !self.is_reset() || slot.step == Step::Reset;
        slot.marker == *self.marker && is_such
    }
}

impl Target for FolderTarget {
    fn look(&mut self) -> Result<TargetState> {
        loop {
            let newest = self.chain.newest()?;
            let number = newest.as_ref().map_or(0, |slot| slot.number);
            self.chain.check_whole(number)?;
            if let Some(slot) = newest.as_ref().filter(|slot| slot.belongs_to(&self.identity)) {
                return Ok(TargetState::Owned { marker: slot.marker, created: !slot.adopted });
            }
            let Some(strangers) = self.strangers(newest.as_ref())? else {
                return Ok(TargetState::Absent);
            };
            // What is there may be the parts of somebody of this sink who has come since.
            if !self.chain.contains(number + 1)? {
                return Ok(TargetState::Foreign(strangers));
            }
        }
    }

    fn check(&mut self, _planned: PlannedStep) -> Result<()> {
        self.chain.check_writable()
    }

    fn acquire(
        &mut self,
        expected: Option<&Marker>,
        marker: &Marker,
        adopt: bool,
    ) -> Result<Conditional<()>> {
        let wish = Wish::Acquire { adopt };
        let changed = self.change(&Change { expected, marker, wish })?;
        self.acquired |= matches!(changed, Conditional::Done(_));
        self.sweep(changed)
    }

    fn apply(
        &mut self,
        expected: &Marker,
        marker: &Marker,
        chunks: &dyn Chunks,
        _rejected: RejectedRows,
    ) -> Result<Conditional<Applied>> {
        let wish = Wish::Apply(chunks);
        Ok(match self.change(&Change { expected: Some(expected), marker, wish })? {
            Conditional::Done(_) => Conditional::Done(Applied::default()),
            Conditional::Unexpected(None) if self.acquired => {
                self.refuse_adopted()?;
                Conditional::Unexpected(None)
            }
            Conditional::Unexpected(found) => Conditional::Unexpected(found),
        })
    }

    fn reset(&mut self, expected: &Marker, marker: &Marker) -> Result<Conditional<()>> {
        let change = Change { expected: Some(expected), marker, wish: Wish::Reset };
        let changed = self.change(&change)?;
        self.sweep(changed)
    }

    fn contents(&mut self) -> Result<String> {
        let end = self.chain.newest()?.map_or(0, |slot| slot.number + 1);
        let parts = self.parts_of(&self.identity, end)?;
        let bytes: u64 = parts.iter().map(|part| part.sum.bytes).sum();
        let word = if parts.len() == 1 { "part" } else { "parts" };
        Ok(format!("{} {word} ({bytes} bytes) in {}", parts.len(), self.folder.display()))
    }

    fn format(&self) -> String {
        "lines".to_string()
    }

    fn guarantee(&self) -> DeliveryGuarantee {
        DeliveryGuarantee::AppendOnce
    }
}
