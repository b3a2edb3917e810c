//! One round: the writer writes and rotates, the job runs, dies and is stopped.

use std::time::{Duration, Instant};

use anyhow::Result;
use tempfile::TempDir;

use super::campaign::Campaign;
use super::case::Case;
use super::job::{Job, TABLE};
use super::journal::Journal;
use super::logs::Logs;
use super::payment::Payments;
use super::rotation::Rotation;
use super::table::{Counts, Table};
use super::verdict;
use crate::campaign::Played;
use crate::process::Ended;
use crate::verdict::Verdict;

mod rotating;

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
    job: Job,
    journal: Journal,
    verdict: Verdict,
    done: Done,
    /// Whether the job had time to read everything.
    was_waited_for: bool,
}

/// How often what was done.
#[derive(Default)]
struct Done {
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
        table: Table::new(&folder.path().join(TABLE)),
        job: Job::new(&campaign.binary, folder.path(), case),
        journal: Journal::new(),
        verdict: Verdict::default(),
        done: Done::default(),
        was_waited_for: false,
        folder,
    };
    play.disturb()?;
    if play.goes_well() {
        play.come_to_rest()?;
    }
    play.job.kill()?;
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
                // One that does not run is started the sooner.
                _ if !self.job.is_running() && lot < 25 => self.disturb_job()?,
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
        if let Some(ended) = self.job.run_for(pause)? {
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

    /// Starts, kills or stops it.
    fn disturb_job(&mut self) -> Result<()> {
        let (is_kill, is_late) = (self.random.u32(..4) > 0, self.random.u32(..3) == 0);
        if !self.job.is_running() {
            return if self.may_start() { self.start() } else { Ok(()) };
        }
        if is_kill {
            self.job.kill()?;
            self.done.kills += 1;
            self.journal.all("killed");
        } else {
            self.done.stops += u32::from(self.stop(is_late)?);
        }
        self.check_now()
    }

    fn start(&mut self) -> Result<()> {
        let interval = ["20ms", "50ms", "200ms", "1s"][self.random.usize(..4)];
        let parallelism = self.random.u32(1..=3);
        let who = self.job.start(interval, parallelism)?;
        let what = format!("{who} is started, {parallelism} tasks, a checkpoint each {interval}");
        self.journal.all(what);
        Ok(())
    }

    /// Tells it to end, and whether it ended well; killed on its way, if `is_killed`.
    fn stop(&mut self, is_killed: bool) -> Result<bool> {
        if let Some(ended) = self.job.terminate(STARTED)? {
            self.ended_by_itself(&ended);
            return Ok(false);
        }
        self.journal.all("told to end");
        let grace = if is_killed { Duration::from_millis(self.random.u64(0..10)) } else { STOPPED };
        match self.job.run_for(grace)? {
            None if is_killed => {
                self.job.kill()?;
                self.journal.all("killed before it has");
                return Ok(true);
            }
            None => {
                let what = format!("it has not ended {} s after SIGTERM", STOPPED.as_secs());
                self.verdict.violation(what);
            }
            Some(ended) if ended.code != Some(0) => {
                self.verdict.failed("told to end", &ended);
                self.journal.all(format!("it ended: {}", ended.err.trim_end()));
            }
            Some(ended) => {
                self.journal.all(format!("ended, after {} events", ended.summary()["events"]));
                verdict::of_summary(&mut self.verdict, &ended.summary());
            }
        }
        Ok(self.goes_well())
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
        if !self.job.is_running() {
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
        self.was_waited_for = self.stop_with(all)?;
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
        let what = if self.catches_up(CAUGHT_UP)? {
            "what was written last is in the table only after another start"
        } else {
            self.was_waited_for = true;
            "what was written last does not come into the table"
        };
        self.verdict.violation(what);
        Ok(false)
    }

    /// Writes nothing until the job has read everything.
    fn rest(&mut self) -> Result<()> {
        if self.job.is_running() && self.rotation.is_done() {
            self.logs.end_line()?;
            if self.has_all()? {
                self.journal.all("it has read everything");
            }
        }
        Ok(())
    }

    fn stop_with(&mut self, events: u64) -> Result<bool> {
        let well = self.stop(false)?;
        let summary = self.job.summary();
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
        let damaged = verdict::of_table(
            &mut self.verdict,
            &self.table.all()?,
            &self.logs,
            payments,
            self.was_waited_for,
        );
        let Done { kills, stops, rotations, others } = self.done;
        let mut trace = vec![format!(
            "round {}: {}, {} payments in {} logs; {rotations} rotations, {others} other changes; \
             {} starts, {kills} kills, {stops} stops",
            self.case,
            crate::campaign::Case::group(self.case),
            self.logs.written(),
            self.logs.count(),
            self.job.starts(),
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
