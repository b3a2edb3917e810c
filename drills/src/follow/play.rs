//! One round: the writer writes and rotates, the job runs, dies and is stopped.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::Value;
use tempfile::TempDir;

use super::campaign::Campaign;
use super::case::Case;
use super::form::{Form, Naming};
use super::journal::Journal;
use super::logs::{LIVE, Logs};
use super::payment::Payments;
use super::rotation::{Rotation, Step};
use super::table::{Counts, Table};
use super::verdict;
use crate::campaign::Played;
use crate::process::{Ended, Process};
use crate::verdict::Verdict;

/// What was written last has to be in the table after this time at most.
const CAUGHT_UP: Duration = Duration::from_secs(60);
/// A stop that takes longer hangs.
const STOPPED: Duration = Duration::from_secs(60);
/// A start that takes longer hangs.
const STARTED: Duration = Duration::from_secs(60);
/// Catching up takes no longer if the job is told of what is appended.
const AT_ONCE: Duration = Duration::from_secs(5);

/// A round that is being played.
struct Play<'a> {
    campaign: &'a Campaign,
    case: &'a Case,
    random: fastrand::Rng,
    folder: TempDir,
    logs: Logs,
    rotation: Rotation,
    table: Table,
    running: Option<Process>,
    journal: Journal,
    verdict: Verdict,
    done: Done,
}

/// How often what was done.
#[derive(Default)]
struct Done {
    starts: u32,
    kills: u32,
    stops: u32,
    rotations: u32,
    others: u32,
}

/// Plays a round.
///
/// # Errors
/// The drill itself cannot work.
pub(super) fn play(campaign: &Campaign, case: &Case) -> Result<Played> {
    let folder = tempfile::tempdir()?;
    let payments = Payments { seed: case.seed };
    let mut play = Play {
        campaign,
        case,
        // Another row than the one that the case is drawn from.
        random: fastrand::Rng::with_seed(!case.seed),
        logs: campaign.logs(folder.path(), case, payments)?,
        rotation: Rotation::default(),
        table: Table::new(&folder.path().join("output")),
        running: None,
        journal: Journal::new(),
        verdict: Verdict::default(),
        done: Done::default(),
        folder,
    };
    play.disturb()?;
    if play.goes_well() {
        play.come_to_rest()?;
    }
    drop(play.running.take());
    play.judge(payments)
}

impl Play<'_> {
    fn goes_well(&self) -> bool {
        self.verdict.violations.is_empty() && self.verdict.refusals.is_empty()
    }

    /// One thing after the other, for as long as a round takes or until something goes wrong.
    fn disturb(&mut self) -> Result<()> {
        let mut left = self.campaign.round;
        while !left.is_zero() && self.goes_well() {
            let lot = self.random.u32(..100);
            match lot {
                0..6 => self.disturb_job()?,
                6..9 => self.rest()?,
                _ if !self.rotation.is_done() && lot < 70 => self.go_on_rotating()?,
                _ if self.rotation.is_done() && lot < 30 => self.begin_rotation()?,
                _ => self.write()?,
            }
            let pause = match self.random.u32(..30) {
                0 => self.random.u64(200..1500),
                1..10 => self.random.u64(1..100),
                _ => self.random.u64(0..20),
            };
            let pause = Duration::from_millis(pause).min(left);
            left -= pause;
            self.wait(pause)?;
        }
        Ok(())
    }

    /// Lets time pass, in which the job goes on by itself or ends.
    fn wait(&mut self, pause: Duration) -> Result<()> {
        let Some(process) = &mut self.running else {
            std::thread::sleep(pause);
            return Ok(());
        };
        if let Some(ended) = process.wait(pause)? {
            self.running = None;
            self.ended_by_itself(&ended);
        }
        Ok(())
    }

    fn ended_by_itself(&mut self, ended: &Ended) {
        self.verdict.failed("the job has ended by itself", ended);
        self.journal.all(format!("the job has ended by itself: {}", ended.err.trim_end()));
    }

    fn write(&mut self) -> Result<()> {
        // All is drawn whether it is needed or not, so that a seed stays what it is.
        let (few, many, cut) =
            (self.random.usize(1..20), self.random.usize(1..400), self.random.usize(..1000));
        let (is_many, is_cut) = (self.random.u32(..4) == 0, self.random.bool());
        if self.rotation.lets_write() {
            let lines = if is_many { many } else { few };
            self.logs.write(lines, is_cut.then_some(cut))?;
            let (log, written) = (self.logs.current(), self.logs.written());
            let half = if is_cut { ", the last one half" } else { "" };
            let bytes = self.logs.log(log).bytes;
            let what =
                format!("{lines} lines before payment {written}{half}, {bytes} bytes by now");
            self.journal.of(log, what);
        }
        Ok(())
    }

    fn begin_rotation(&mut self) -> Result<()> {
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

    fn go_on_rotating(&mut self) -> Result<()> {
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
    fn may_start(&self) -> bool {
        let half = self.campaign.has(Form::StartHalfCompressed) || !self.rotation.compresses();
        half && !self.rotation.is_away()
    }

    /// Whether names may change: not while a job that starts looks at them.
    fn has_begun(&self) -> bool {
        let is_allowed = self.campaign.has(Form::DuringStart);
        is_allowed || self.running.is_none() || self.has_said(self.job())
    }

    /// Whether a log may be gone from its place: not while a job that starts has not opened it.
    fn may_take(&self, log: usize) -> Result<bool> {
        let Some(process) = &self.running else { return Ok(true) };
        if self.campaign.has(Form::DuringStart) {
            return Ok(true);
        }
        let is_open = process.has_open(&self.logs.path_of(log)?);
        Ok(self.has_begun() && (is_open || self.is_finished(log)?))
    }

    /// Whether the process that was started last has said these words.
    fn has_said(&self, words: &str) -> bool {
        process_says(self.folder.path(), self.done.starts, words)
    }

    fn may_compress(&self, log: usize) -> Result<bool> {
        Ok(self.campaign.has(Form::CompressUnread) || self.was_read(log)?)
    }

    /// Whether the newest checkpoint says that a log was read to its end.
    fn is_finished(&self, log: usize) -> Result<bool> {
        let Some(checkpoints) = self.ask(&["list"])? else { return Ok(false) };
        let Some(newest) = checkpoints[0]["checkpoint"].as_u64() else { return Ok(false) };
        let Some(newest) = self.ask(&["show", &newest.to_string()])? else { return Ok(false) };
        let ((device, inode), bytes) = (self.logs.id(log)?, self.logs.log(log).bytes);
        let is_it = |status: &Value| {
            let (split, file) = (&status["split"], &status["split"]["identity"]["file"][0]);
            status["finished"] == true
                && (file["device"].as_u64(), file["inode"].as_u64()) == (Some(device), Some(inode))
                && split["next"] == bytes
        };
        let splits = newest["sources"]["payments"].as_object();
        Ok(splits.is_some_and(|splits| splits.values().any(is_it)))
    }

    /// What the job says of its checkpoints; none if one of those is gone meanwhile.
    fn ask(&self, about: &[&str]) -> Result<Option<Value>> {
        let said = Command::new(&self.campaign.binary)
            .current_dir(self.folder.path())
            .arg("checkpoints")
            .args(about)
            .args(["--json", "--job", self.job()])
            .output()
            .context("cannot ask for checkpoints")?;
        Ok(said.status.success().then(|| serde_json::from_slice(&said.stdout)).transpose()?)
    }

    fn job(&self) -> &'static str {
        if self.case.naive { "payments-naive" } else { "payments" }
    }

    /// Starts, kills or stops it.
    fn disturb_job(&mut self) -> Result<()> {
        // One that does not run is started the sooner.
        let (is_kill, is_late) = (self.random.u32(..4) > 0, self.random.u32(..3) == 0);
        let Some(process) = &mut self.running else {
            return if self.may_start() { self.start() } else { Ok(()) };
        };
        if is_kill {
            process.kill()?;
            self.running = None;
            self.done.kills += 1;
            self.journal.all("killed");
            return self.check_now();
        }
        if !self.stop(is_late)? {
            return Ok(());
        }
        self.done.stops += 1;
        self.check_now()
    }

    fn start(&mut self) -> Result<()> {
        self.done.starts += 1;
        let interval = ["20ms", "50ms", "200ms", "1s"][self.random.usize(..4)];
        let parallelism = self.random.u32(1..=3).to_string();
        let mut command = Command::new(&self.campaign.binary);
        command
            .current_dir(self.folder.path())
            .args(["run", "--json", "--follow", "--input", self.case.naming.pattern()])
            .args(["--bad-input", "fail", "--sink", "sqlite:output"])
            .args(["--checkpoint-interval", interval, "--parallelism", &parallelism]);
        if self.case.naive {
            command.arg("--naive");
        }
        let who = format!("job-{}", self.done.starts);
        self.running = Some(Process::start(&mut command, self.folder.path(), &who)?);
        let what = format!("{who} is started, {parallelism} tasks, a checkpoint each {interval}");
        self.journal.all(what);
        Ok(())
    }

    /// Tells it to end, and whether it ended well; killed on its way, if `is_late`.
    fn stop(&mut self, is_killed: bool) -> Result<bool> {
        let Some(mut process) = self.running.take() else { return Ok(true) };
        // Before it listens, a signal just ends it.
        let listens = format!("{}: ", self.job());
        if let Some(ended) = process
            .wait_or(STARTED, || process_says(self.folder.path(), self.done.starts, &listens))?
        {
            self.ended_by_itself(&ended);
            return Ok(false);
        }
        process.terminate()?;
        self.journal.all("told to end");
        if is_killed {
            let grace = Duration::from_millis(self.random.u64(0..10));
            if process.wait(grace)?.is_none() {
                process.kill()?;
                self.journal.all("killed before it has");
            }
            return Ok(true);
        }
        match process.wait(STOPPED)? {
            None => {
                let what = format!("it has not ended {} s after SIGTERM", STOPPED.as_secs());
                self.verdict.violation(what);
                Ok(false)
            }
            Some(ended) if ended.code != Some(0) => {
                self.verdict.failed("told to end", &ended);
                self.journal.all(format!("it ended: {}", ended.err.trim_end()));
                Ok(false)
            }
            Some(ended) => {
                self.journal.all(format!("ended, after {} events", ended.summary()["events"]));
                verdict::of_summary(&mut self.verdict, &ended.summary());
                Ok(true)
            }
        }
    }

    /// What counted twice is found soon after it did.
    fn check_now(&mut self) -> Result<()> {
        let counts = self.table.counts()?;
        if counts.counted_twice > 0 || counts.accounts > self.logs.written() {
            self.verdict.violation(format!("there is too much in the table, {counts:?}"));
        }
        Ok(())
    }

    /// Nothing more is written: all has to be there soon, and nothing more may come then.
    fn come_to_rest(&mut self) -> Result<()> {
        let until = Instant::now() + STARTED;
        while !self.rotation.is_done() && self.goes_well() {
            self.go_on_rotating()?;
            self.wait(Duration::from_millis(1))?;
            if Instant::now() >= until {
                self.verdict.violation("a log is neither opened nor finished");
            }
        }
        self.logs.end_line()?;
        self.journal.all("nothing more is written");
        if self.running.is_none() {
            self.start()?;
        }
        let began = Instant::now();
        if !self.has_all()? {
            return Ok(());
        }
        self.verdict.excused = began.elapsed() > AT_ONCE;
        let all = self.logs.written();
        for events in [all, all] {
            if !self.stop_with(events)? {
                return Ok(());
            }
            self.start()?;
            // So long that it has looked at all files.
            self.wait(Duration::from_millis(1500))?;
        }
        self.stop_with(all)?;
        Ok(())
    }

    /// Whether the running job reads all that was written so far, without another start.
    fn has_all(&mut self) -> Result<bool> {
        if self.catches_up(CAUGHT_UP)? {
            return Ok(true);
        }
        self.journal.all("it does not catch up");
        if !self.goes_well() || !self.stop(false)? {
            return Ok(false);
        }
        self.start()?;
        let how = if self.catches_up(CAUGHT_UP)? { "only after another start" } else { "never" };
        self.verdict.violation(format!("what was written last is in the table {how}"));
        Ok(false)
    }

    /// Writes nothing until the job has read everything.
    fn rest(&mut self) -> Result<()> {
        if self.running.is_some() && self.rotation.is_done() {
            self.logs.end_line()?;
            if self.has_all()? {
                self.journal.all("it has read everything");
            }
        }
        Ok(())
    }

    fn stop_with(&mut self, events: u64) -> Result<bool> {
        let who = self.done.starts;
        let well = self.stop(false)?;
        let said = std::fs::read(self.folder.path().join(format!("job-{who}.out")))?;
        let summary: Value = serde_json::from_slice(&said).unwrap_or_default();
        if well && summary["events"] != events {
            self.verdict.violation(format!("{} events instead of {events}", summary["events"]));
        }
        Ok(well)
    }

    /// Waits until the table has every payment, at most so long.
    fn catches_up(&mut self, at_most: Duration) -> Result<bool> {
        let until = Instant::now() + at_most;
        let all = Counts { accounts: self.logs.written(), counted_twice: 0 };
        while self.goes_well() {
            if self.table.counts()? == all {
                return Ok(true);
            }
            self.check_now()?;
            if Instant::now() >= until {
                break;
            }
            self.wait(Duration::from_millis(50))?;
        }
        Ok(false)
    }

    fn judge(mut self, payments: Payments) -> Result<Played> {
        let is_at_rest = self.goes_well();
        let damaged = verdict::of_table(
            &mut self.verdict,
            &self.table.all()?,
            &self.logs,
            payments,
            is_at_rest,
        );
        let Done { starts, kills, stops, rotations, others } = self.done;
        let mut trace = vec![format!(
            "round {}: {}, {} payments in {} logs; {rotations} rotations, {others} other changes; \
             {starts} starts, {kills} kills, {stops} stops",
            self.case,
            crate::campaign::Case::group(self.case),
            self.logs.written(),
            self.logs.count(),
        )];
        eprintln!("{}{}", trace[0], if self.goes_well() { "" } else { ": NOT as it should be" });
        if !self.goes_well() {
            trace.extend(self.journal.story(&damaged));
            let folder = self.folder.path().join("logs");
            trace.push(format!("  in the end: {}", Logs::listing(&folder).join(", ")));
            let kept = self.folder.keep();
            std::fs::write(kept.join("journal"), self.journal.lines().join("\n"))?;
            trace.push(format!(
                "  everything is kept in {}; all that was done: journal",
                kept.display()
            ));
        }
        Ok(Played { verdict: self.verdict, trace })
    }
}

/// Whether a process has said these words.
fn process_says(notes: &Path, start: u32, words: &str) -> bool {
    let said = std::fs::read_to_string(notes.join(format!("job-{start}.err")));
    said.is_ok_and(|said| said.contains(words))
}
