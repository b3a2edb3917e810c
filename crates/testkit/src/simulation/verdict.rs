//! What is right of a history: how a process may end, and what readers see when the job has finished.

use std::sync::Arc;

use steadfast_core::ErrorKind;
use steadfast_protocol::entry::LogEntry;
use steadfast_protocol::manifest::Manifest;

use crate::input::{EXTRA, UNMARKED};
use crate::invariants::{self, lateness, order};
use crate::remembered::with_all_splits;
use crate::shown::{Shown, ShownRow};
use crate::table::{Row, Table};
use crate::topologies::folders;

use super::history::Run;
use super::life::End;
use super::process::MOST_ATTEMPTS;

impl Run {
    /// Whether a process may end like this.
    pub(super) fn judge(&self, number: u16, end: &End, attempts: &[u16]) -> Option<String> {
        if let Some(what) = self.lives[usize::from(number)].must_say {
            let says = matches!(end, End::Failed(_, text) if text.contains(what));
            return (!says).then(|| format!("process {number} does not say '{what}': {end:?}"));
        }
        let (kind, text) = match end {
            End::Finished | End::Stopped | End::Nothing => {
                self.world.observer.count("process: finished, stopped or had nothing to do");
                return None;
            }
            End::Hangs(how) => return Some(format!("process {number} hangs: {how}")),
            End::Failed(kind, text) => (*kind, text),
        };
        if text.contains("already shows output of a checkpoint after") {
            self.world.observer.count("target: ahead, and refused");
        }
        let life = &self.lives[usize::from(number)];
        let seen = &mut *self.world.observer.seen();
        seen.count(format!("process: ended with {}", kind.code()));
        let first = attempts.iter().position(|by| *by == number);
        let others = |from: usize| attempts[from..].iter().any(|by| *by != number);
        let was_overtaken = first.is_some_and(others);
        let allowed = match kind {
            ErrorKind::Unavailable => {
                let own = &seen.processes[usize::from(number)];
                // The old copy may be of a time before the store, or before the folder of a sink.
                let is_gone = ["the store is gone", "the folder of the sink is gone"];
                let is_gone = is_gone.iter().any(|gone| text.contains(gone));
                let is_gone = seen.restorations > 0 && is_gone;
                is_gone || own.may_give_up || own.input_was_cut || own.failures >= MOST_ATTEMPTS
            }
            ErrorKind::Fenced => was_overtaken || seen.damaged,
            ErrorKind::Configuration => {
                let flags = life.new && life.forget && life.new_state && life.forget_state;
                let was_cut = seen.processes[usize::from(number)].input_was_cut;
                let strangers = seen.processes[usize::from(number)].may_find_strangers;
                seen.damaged
                    || strangers && text.contains(folders::IN_THE_WAY)
                    || was_cut && text.contains("the file has become shorter")
                    || self.character.sinks_change && !flags
                    || self.character.foreign && (!life.adopt || life.reset)
            }
            // Two claims of one number, each in its own copy of the store, name objects alike.
            ErrorKind::Internal if seen.restorations > 0 => text.contains("with other contents"),
            ErrorKind::Damaged if seen.damaged => true,
            _ => false,
        };
        (!allowed).then(|| format!("process {number} is refused: {text}"))
    }

    /// Whether a process that nobody has disturbed was refused as late as it may be: what one target refuses is
    /// said before another is changed. And whether one may have ended well.
    pub(super) fn judge_refusal(
        &self,
        number: u16,
        end: &End,
        (is_calm, has_changed): (bool, bool),
    ) -> Option<String> {
        let life = &self.lives[usize::from(number)];
        let says_none =
            matches!(end, End::Failed(_, text) if text.contains("no checkpoint is intact"));
        let seen = self.world.observer.seen();
        if says_none
            && is_calm
            && seen.restorations == 0
            && !seen.log_removed
            && let Some(id) = self.world.kept().intact(&seen)
        {
            return Some(format!("process {number} finds no checkpoint, and {id} is intact"));
        }
        drop(seen);
        match end {
            End::Failed(ErrorKind::Configuration | ErrorKind::Damaged, text)
                if is_calm
                    && has_changed
                    && !(life.reset || life.adopt || life.must_say.is_some())
                    // What is staged is read when it is to be shown.
                    && !text.contains("is not visible yet is not what was written") =>
            {
                Some(format!("process {number} is refused, and has changed a target: {text}"))
            }
            End::Finished | End::Stopped => {
                let seen = self.world.observer.seen();
                let own = &seen.processes[usize::from(number)];
                own.is_refused.map(|id| {
                    format!("process {number} ends well, and a target has refused that of {id}")
                })
            }
            _ => None,
        }
    }

    /// What lies in the store: a process may have committed it and died before that was noted.
    pub(super) fn newest_manifest(&self) -> Option<Box<Manifest>> {
        let names = self.world.disk.names("/store/log/");
        let entries = names.iter().rev().filter_map(|name| {
            match LogEntry::decode(&self.world.disk.read(name)?) {
                Ok(LogEntry::Checkpoint(manifest)) => Some(manifest),
                _ => None,
            }
        });
        let newest = entries.take(1).next()?;
        Some(match &self.oracle.files {
            Some(files) => {
                let place = (&self.world.disk, "/store");
                Box::new(with_all_splits(*newest, "first", files, place))
            }
            None => newest,
        })
    }

    /// The newest checkpoint from which a process would go on, if the newest claim or checkpoint in the log is
    /// of its history.
    pub(super) fn newest_of_history(&self) -> Option<Box<Manifest>> {
        let newest = self.world.disk.names("/store/log/").pop()?;
        let origin = match LogEntry::decode(&self.world.disk.read(&newest)?).ok()? {
            LogEntry::Claim(claim) => claim.origin,
            LogEntry::Checkpoint(manifest) => manifest.origin,
        };
        self.newest_manifest().filter(|manifest| manifest.origin == origin)
    }

    pub(super) fn is_damaged(&self) -> bool {
        self.world.observer.seen().damaged
    }

    pub(super) fn last_refusal(&self) -> Option<String> {
        match self.lives.last()?.end.as_ref()? {
            End::Failed(_, text) => Some(text.clone()),
            _ => None,
        }
    }

    /// Holds what readers of folders see, line by line, against what must hold of rows.
    pub(super) fn look_into_folders(&self) -> Option<String> {
        let observer = &self.world.observer;
        for name in self.scenario().topology.sinks() {
            let table = match folders::read(&self.world.disk, name) {
                Ok(table) => table?,
                Err(wrong) => return Some(wrong),
            };
            let mut shown = Shown::default();
            for line in &table.appended {
                let row = Row::Append(Arc::clone(line));
                let row = ShownRow::read(&self.oracle, name, &row);
                invariants::appends(&self.oracle, observer, name, &shown, &row);
                order::follows(observer, name, &shown, &row);
                shown.add_line(&self.oracle, name, line);
            }
            observer.count("a folder looked into");
        }
        observer.seen().violations.first().cloned()
    }

    /// Holds what readers see at the end against the oracle.
    pub(super) fn look(&self) -> Option<String> {
        let tables = self.world.database.tables();
        let seen = self.world.observer.seen();
        let forgets = self.lives.iter().enumerate().filter(|(_, life)| !life.extra);
        let forgotten = forgets.filter_map(|(number, _)| seen.claim_of(number as u16));
        let forgotten = forgotten.map(|claim| claim.rank).max().unwrap_or(0);
        let sinks = self.scenario().topology.sinks().iter().copied().chain([EXTRA, UNMARKED]);
        let mut wrong = sinks.filter_map(|name| {
            let empty = Table::default();
            let folder = match folders::read(&self.world.disk, name) {
                Ok(folder) => folder,
                Err(wrong) => return Some(wrong),
            };
            let table = folder.as_ref().or(tables.get(name)).unwrap_or(&empty);
            let table = &Shown::of(&self.oracle, name, table);
            let forgotten = if name == EXTRA { forgotten } else { 0 };
            invariants::at_end(&self.oracle, &seen, name, table, forgotten)
        });
        let lateness = || {
            let empty = Table::default();
            let shown = |name| Shown::of(&self.oracle, name, tables.get(name).unwrap_or(&empty));
            let seen = &mut *self.world.observer.seen();
            let manifest = self.newest_manifest();
            lateness::at_end(
                &self.oracle,
                seen,
                &shown("timed"),
                &shown("late"),
                manifest.as_deref(),
            )
        };
        let counters = || {
            let manifest = self.newest_manifest()?;
            let wrong = self.oracle.totals.iter().find(|(source, total)| {
                let counted = manifest.counters.get(**source).and_then(|c| c.get("records"));
                counted.copied().unwrap_or(0) != **total
            });
            wrong.map(|(source, total)| {
                format!(
                    "{source}: {total} records, but the manifest counts {:?}",
                    manifest.counters
                )
            })
        };
        let wrong = wrong.next();
        drop(seen);
        wrong.or_else(lateness).or_else(counters)
    }
}
