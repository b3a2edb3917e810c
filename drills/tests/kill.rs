//! The payments job under SIGKILL: a million events, twenty kills and more of each drill at random
//! moments, at parallelism 1, 2 and 4 in turn, into SQLite and into files; what is there in the end
//! equals what an independent loop over the input computes, cent for cent.
//!
//! The binary is the one that a user builds; nothing in it knows that it will be killed. The loop
//! shares no code with it: it reads the JSON as a tree and adds amounts as text.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

const EVENTS: u64 = 1_000_000;
/// In each drill, and so many at least.
const KILLS: u64 = 20;

/// Balance in cents and number of payments, by account.
type Ledger = BTreeMap<String, (i64, i64)>;

struct Fixture {
    binary: PathBuf,
    input: PathBuf,
    expected: Ledger,
    events: u64,
    duplicates: u64,
    bad_lines: u64,
}

/// The release binary, the input and the right answer, made once for all drills.
fn fixture() -> &'static Fixture {
    static FIXTURE: OnceLock<Fixture> = OnceLock::new();
    FIXTURE.get_or_init(|| {
        let binary = build();
        let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        let input = dir.join("kill-payments.jsonl");
        let events = EVENTS.to_string();
        let made = Command::new(&binary)
            .args(["generate", "--events", &events, "--seed", "7", "--bad-lines", "20", "--output"])
            .arg(&input)
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(made.success());
        compute(binary, input)
    })
}

fn build() -> PathBuf {
    let built = Command::new(env!("CARGO"))
        .args(["build", "--release", "--package", "steadfast-examples", "--example", "payments"])
        .args(["--message-format", "json"])
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(built.status.success(), "the payments example does not build");
    let messages = String::from_utf8(built.stdout).unwrap();
    let mut executables = messages.lines().filter_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        (message["target"]["name"] == "payments")
            .then(|| message["executable"].as_str().map(PathBuf::from))?
    });
    executables.next_back().expect("cargo names the binary that it has built")
}

/// The right answer, from the input alone.
fn compute(binary: PathBuf, input: PathBuf) -> Fixture {
    let (mut expected, mut seen) = (Ledger::new(), BTreeSet::new());
    let (mut events, mut duplicates, mut bad_lines) = (0, 0, 0);
    let mut lines = BufReader::new(fs::File::open(&input).unwrap());
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).unwrap() > 0 {
        match read(&line) {
            None => bad_lines += 1,
            Some((id, account, cents)) => {
                events += 1;
                if seen.insert(id) {
                    let balance = expected.entry(account).or_default();
                    balance.0 += cents;
                    balance.1 += 1;
                } else {
                    duplicates += 1;
                }
            }
        }
        line.clear();
    }
    Fixture { binary, input, expected, events, duplicates, bad_lines }
}

/// Id, account and signed cents of a line that is a payment.
fn read(line: &[u8]) -> Option<(String, String, i64)> {
    let value: serde_json::Value = serde_json::from_slice(line).ok()?;
    let text = |name: &str| value.get(name)?.as_str().map(str::to_string);
    let amount = value.get("amount").filter(|amount| amount.is_number())?.to_string();
    let (whole, fraction) = amount.split_once('.').unwrap_or((&amount, "0"));
    if fraction.len() > 2 || amount.contains('e') {
        return None;
    }
    let cents = whole.parse::<i64>().ok()? * 100 + format!("{fraction:0<2}").parse::<i64>().ok()?;
    value.get("timestamp")?.as_i64()?;
    let sign = match text("type")?.as_str() {
        "deposit" => 1,
        "withdraw" => -1,
        _ => return None,
    };
    Some((text("event_id")?, text("account_id")?, sign * cents))
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
            "sqlite" => from_sqlite(&output),
            _ => from_files(&output),
        }
    }

    fn dead_letters(&self) -> u64 {
        lines_of(&self.dir.path().join("output.dead-letters")).len() as u64
    }
}

fn from_sqlite(path: &Path) -> Ledger {
    let database = rusqlite::Connection::open(path).unwrap();
    let mut query =
        database.prepare("SELECT account_id, balance_cents, payments FROM balances").unwrap();
    let rows = query.query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?)))).unwrap();
    rows.map(Result::unwrap).collect()
}

fn lines_of(folder: &Path) -> Vec<String> {
    let mut parts: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    parts.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    parts.sort();
    parts
        .iter()
        .flat_map(|path| {
            fs::read_to_string(path).unwrap().lines().map(str::to_string).collect::<Vec<_>>()
        })
        .collect()
}

/// The last line of an account is its balance. Each line must be there once.
fn from_files(folder: &Path) -> Ledger {
    let mut ledger = Ledger::new();
    for line in lines_of(folder) {
        let row: serde_json::Value = serde_json::from_str(&line).unwrap();
        let balance = (row["balance_cents"].as_i64().unwrap(), row["payments"].as_i64().unwrap());
        let before = ledger.insert(row["account_id"].as_str().unwrap().to_string(), balance);
        assert!(before.is_none_or(|before| before.1 < balance.1), "a line came twice: {line}");
    }
    ledger
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
    let log = job.dir.path().join("checkpoints/payments/log");
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
