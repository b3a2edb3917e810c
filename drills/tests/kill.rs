//! The payments job under SIGKILL: a million events, twenty kills and more of each drill at random
//! moments, at parallelism 1, 2 and 4 in turn, into SQLite and into files; what is there in the end
//! equals what an independent loop over the input computes, cent for cent.
//!
//! The binary is the one that a user builds; nothing in it knows that it will be killed. The loop
//! shares no code with it: it reads the JSON as a tree and adds amounts as text.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use steadfast_drills::ledger::{self, Ledger};
use steadfast_drills::payments::{self, Fixture};

/// In each drill, and so many at least.
const KILLS: u64 = 20;

/// The release binary, the input and the right answer, made once for all drills.
fn fixture() -> &'static Fixture {
    static FIXTURE: OnceLock<Fixture> = OnceLock::new();
    FIXTURE.get_or_init(|| {
        let input = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("kill-payments.jsonl");
        Fixture::generate(payments::build(), input, &["--events", "1000000", "--bad-lines", "20"])
    })
}

/// A job in a folder of its own.
struct Job {
    dir: tempfile::TempDir,
    sink: &'static str,
    emit: &'static str,
    interval: &'static str,
}

impl Job {
    fn start(&self, parallelism: u32) -> Child {
        let output = self.dir.path().join("output");
        Command::new(&fixture().binary)
            .args(["run", "--json", "--bad-input", "dead-letter"])
            .args(["--checkpoint-interval", self.interval, "--emit", self.emit])
            .args(["--parallelism", &parallelism.to_string()])
            .arg("--input")
            .arg(&fixture().input)
            .arg("--sink")
            .arg(format!("{}:{}", self.sink, output.display()))
            .arg("--checkpoints")
            .arg(self.dir.path().join("checkpoints"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Kills processes at random moments, then lets one finish. Returns its summary.
    fn survive(&self, random: &mut fastrand::Rng) -> serde_json::Value {
        let mut kills = 0_u64;
        while kills < KILLS {
            let mut child = self.start([1, 2, 4][kills as usize % 3]);
            let until = Instant::now() + Duration::from_millis(random.u64(5..400));
            while Instant::now() < until && child.try_wait().unwrap().is_none() {
                std::thread::sleep(Duration::from_millis(1));
            }
            if child.try_wait().unwrap().is_some() {
                // It was faster than its killer: start from scratch, so that the rest is killed too.
                let ended = child.wait_with_output().unwrap();
                assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
                break;
            }
            child.kill().unwrap();
            child.wait().unwrap();
            kills += 1;
        }
        let ended = self.start(random.u32(1..=4)).wait_with_output().unwrap();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        eprintln!("{} {}: {kills} kills", self.sink, self.emit);
        let mut summary: serde_json::Value = serde_json::from_slice(&ended.stdout).unwrap();
        summary["kills"] = kills.into();
        summary
    }

    fn ledger(&self) -> Ledger {
        let output = self.dir.path().join("output");
        match self.sink {
            "sqlite" => ledger::from_sqlite(&output).unwrap(),
            _ => ledger::from_files(&output).unwrap(),
        }
    }

    /// Where the lines begin that were set aside; several tasks write them in no common order.
    fn dead_letters(&self) -> Vec<u64> {
        let folder = self.dir.path().join("output.dead-letters");
        let mut letters = ledger::dead_letters(&folder).unwrap();
        letters.sort_unstable();
        letters
    }
}

fn drill(sink: &'static str, emit: &'static str, seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut kills = 0;
    while kills < KILLS {
        let interval = ["20ms", "50ms", "200ms"][random.usize(..3)];
        let job = Job { dir: tempfile::tempdir().unwrap(), sink, emit, interval };
        let summary = job.survive(&mut random);
        kills += summary["kills"].as_u64().unwrap();
        let fixture = fixture();
        let ledger = job.ledger();
        assert_eq!(ledger.len(), fixture.expected.len());
        for (account, balance) in &fixture.expected {
            assert_eq!(ledger.get(account), Some(balance), "{account}");
        }
        // What is counted is part of the checkpoint: every event once, whatever was read again.
        assert_eq!(summary["events"], fixture.events);
        assert_eq!(summary["duplicates"], fixture.duplicates);
        assert_eq!(job.dead_letters(), fixture.bad_lines);
    }
}

#[test]
fn balances_in_sqlite_survive_kills() {
    drill("sqlite", "changes", 1);
}

#[test]
fn final_balances_in_sqlite_survive_kills() {
    drill("sqlite", "final", 2);
}

#[test]
fn balances_in_files_survive_kills() {
    drill("jsonl", "changes", 3);
}

/// Two processes on the same job: the second takes over, the first finds out at its next commit.
#[test]
fn a_second_process_takes_over_and_the_first_stops() {
    let job = Job {
        dir: tempfile::tempdir().unwrap(),
        sink: "sqlite",
        emit: "changes",
        interval: "20ms",
    };
    let mut first = job.start(1);
    // It has committed something once there are two entries in its log: its claim and a checkpoint.
    let log = job.dir.path().join("checkpoints/payments/log/000000000000");
    let entries = || {
        fs::read_dir(&log).map_or(0, |all| {
            all.filter(|entry| {
                !entry.as_ref().unwrap().file_name().to_str().unwrap().starts_with('.')
            })
            .count()
        })
    };
    while entries() < 2 {
        assert!(first.try_wait().unwrap().is_none(), "it ended before anybody could take over");
        std::thread::sleep(Duration::from_millis(1));
    }
    let second = job.start(2);
    let first = first.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&first.stderr).into_owned();
    assert_eq!(first.status.code(), Some(3), "{said}");
    assert!(said.contains("SF05"), "{said}");
    assert!(second.wait_with_output().unwrap().status.success());
    assert_eq!(job.ledger(), fixture().expected);
}
