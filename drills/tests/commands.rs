//! What people type by mistake, in a hurry or too often, with the binary that they have: a command
//! that cannot be right harms nobody, and one that was given a hundred thousand times is no slower.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use steadfast_core::id::{ClaimId, Generation, LogIndex};
use steadfast_drills::ledger;
use steadfast_drills::payments::{self, Fixture};
use steadfast_protocol::entry::{Claim, LogEntry};
use steadfast_protocol::names::LogLayout;
use tempfile::TempDir;

/// An input that is read in a moment.
fn small() -> &'static Fixture {
    static FIXTURE: OnceLock<Fixture> = OnceLock::new();
    FIXTURE.get_or_init(|| made("commands-small.jsonl", "5000"))
}

/// One that takes so long that others can come between.
fn large() -> &'static Fixture {
    static FIXTURE: OnceLock<Fixture> = OnceLock::new();
    FIXTURE.get_or_init(|| made("commands-large.jsonl", "400000"))
}

fn made(name: &str, events: &str) -> Fixture {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    let input = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let binary = BINARY.get_or_init(payments::build).clone();
    let size = ["--events", events, "--accounts", "300", "--bad-lines", "6"];
    Fixture::generate(binary, input, &size)
}

/// What a person does in a folder.
struct Person {
    folder: TempDir,
    fixture: &'static Fixture,
}

/// How a command ended.
#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    out: String,
    err: String,
}

/// Every file below a folder.
type Tree = BTreeMap<PathBuf, Vec<u8>>;

const SINKS: [&str; 2] = ["sqlite:output", "jsonl:output"];

impl Person {
    fn new(fixture: &'static Fixture) -> Self {
        Person { folder: tempfile::tempdir().unwrap(), fixture }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn start_any(&self, arguments: &[&str]) -> Child {
        Command::new(&self.fixture.binary)
            .args(arguments)
            .current_dir(self.folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Another command than `run`.
    fn command(&self, arguments: &[&str]) -> Ended {
        ended(self.start_any(arguments))
    }

    fn start(&self, arguments: &[&str]) -> Child {
        let run = ["run", "--checkpoint-interval", "20ms", "--parallelism", "1"];
        self.start_any(&[&run[..], arguments].concat())
    }

    /// Runs with another input, where `arguments` say so.
    fn run_as_typed(&self, arguments: &[&str]) -> Ended {
        ended(self.start(arguments))
    }

    /// `run` with the right input.
    fn begin(&self, arguments: &[&str]) -> Child {
        let input = self.fixture.input.to_str().unwrap();
        self.start(&[&["--input", input][..], arguments].concat())
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        ended(self.begin(arguments))
    }

    fn tree(&self) -> Tree {
        let mut tree = Tree::new();
        read(self.folder.path(), &mut tree);
        tree
    }

    /// Waits until the job has committed something.
    fn wait_for_checkpoint(&self, running: &mut Child) {
        let entry = self.path(".steadfast/payments").join(LogLayout::default().entry(LogIndex(3)));
        while !entry.exists() {
            assert!(running.try_wait().unwrap().is_none(), "it ended too early");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn check_ledger(&self, sink: &str) {
        let output = self.path("output");
        let ledger = match sink.starts_with("sqlite") {
            true => ledger::from_sqlite(&output),
            false => ledger::from_files(&output),
        };
        assert_eq!(ledger.unwrap(), self.fixture.expected);
        let mut letters = ledger::dead_letters(&self.path("output.dead-letters")).unwrap();
        letters.sort_unstable();
        assert_eq!(letters, self.fixture.bad_lines);
    }
}

impl Ended {
    #[track_caller]
    fn exits(self, codes: &[i32]) -> Self {
        assert!(self.code.is_some_and(|code| codes.contains(&code)), "{self:?}");
        self
    }
}

/// Has a running job stand still, so that it lasts as long as the test wants, or go on.
fn signal(running: &Child, signal: &str) {
    let mut kill = Command::new("kill");
    let sent = kill.args(["-s", signal, &running.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

fn ended(child: Child) -> Ended {
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

fn read(folder: &Path, tree: &mut Tree) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(&path, tree);
        } else {
            tree.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
}

/// A database with a table that the job's rows would fit into.
fn table_of_a_person(path: &Path) {
    let database = Connection::open(path).unwrap();
    let create = "CREATE TABLE balances(
            account_id TEXT PRIMARY KEY, balance_cents INTEGER NOT NULL, payments INTEGER NOT NULL);
        INSERT INTO balances VALUES ('a person', 5, 1), ('another', -7, 2)";
    database.execute_batch(create).unwrap();
}

#[test]
fn a_mistyped_command_beside_a_running_job_does_not_fence_it() {
    for sink in SINKS {
        let person = Person::new(large());
        table_of_a_person(&person.path("theirs"));
        fs::create_dir(person.path("their-folder")).unwrap();
        fs::write(person.path("their-folder/part-0000000001.jsonl"), "1\n").unwrap();
        fs::write(person.path("a-file"), "no folder").unwrap();
        let mut running = person.begin(&["--sink", sink]);
        person.wait_for_checkpoint(&mut running);
        signal(&running, "STOP");
        person.run_as_typed(&["--input", "nowhere.jsonl", "--sink", sink]).exits(&[1, 2]);
        person.run(&["--sink", "sqlite:theirs"]).exits(&[1, 2]);
        person.run(&["--sink", "jsonl:their-folder"]).exits(&[1, 2]);
        person.run(&["--sink", "jsonl:a-file"]).exits(&[1, 2]);
        person.run(&["--sink", "sqlite:their-folder"]).exits(&[1, 2]);
        // That nothing is there may also mean that it was lost.
        let nowhere = sink.replace("output", "nowhere/output");
        person.run(&["--sink", &nowhere]).exits(&[1, 2, 5]);
        person.run(&["--sink", sink, "--naive", "--checkpoints", "a-file"]).exits(&[1, 2]);
        assert!(!person.path("nowhere").exists());
        signal(&running, "CONT");
        ended(running).exits(&[0]);
        person.check_ledger(sink);
    }
}

#[test]
fn a_reset_that_is_only_tried_says_what_would_go_and_changes_nothing() {
    for sink in SINKS {
        let person = Person::new(small());
        person.run(&["--sink", sink]).exits(&[0]);
        let before = person.tree();
        let said = person.run(&["--sink", sink, "--reset", "--dry-run"]).exits(&[0]).out;
        assert_eq!(person.tree(), before);
        assert!(said.contains("forgets all checkpoints"), "{said}");
        let what = if sink.starts_with("sqlite") { "300 rows of table balances" } else { " part" };
        assert!(said.contains("sink 'balances' is emptied: "), "{said}");
        assert!(said.contains(what), "{said}");
        assert!(said.contains("sink 'dead-letters' is emptied: "), "{said}");
        assert!(said.contains("nothing has been changed"), "{said}");
        let said = person.run(&["--sink", sink, "--dry-run"]).exits(&[0]).out;
        assert_eq!(person.tree(), before);
        assert!(said.contains("goes on from checkpoint"), "{said}");
        person.run(&["--sink", sink, "--reset"]).exits(&[0]);
        person.check_ledger(sink);
    }
}

#[test]
fn a_reset_that_is_only_tried_beside_a_running_job_does_not_fence_it() {
    for sink in SINKS {
        let person = Person::new(large());
        let mut running = person.begin(&["--sink", sink]);
        person.wait_for_checkpoint(&mut running);
        signal(&running, "STOP");
        let said = person.run(&["--sink", sink, "--reset", "--dry-run"]).exits(&[0]).out;
        assert!(said.contains("is emptied: "), "{said}");
        signal(&running, "CONT");
        ended(running).exits(&[0]);
        person.check_ledger(sink);
    }
}

#[test]
fn an_adopted_table_keeps_its_rows_whatever_is_reset() {
    let person = Person::new(small());
    table_of_a_person(&person.path("output"));
    let before = person.tree();
    let refused = person.run(&["--sink", "sqlite:output"]).exits(&[2]);
    assert!(refused.err.contains("--adopt"), "{refused:?}");
    assert_eq!(person.tree(), before);
    person.run(&["--sink", "sqlite:output", "--adopt"]).exits(&[0]);
    let rows = ledger::from_sqlite(&person.path("output")).unwrap();
    assert_eq!(rows.len(), small().expected.len() + 2);
    for more in [&[][..], &["--adopt"]] {
        let reset = person.run(&[&["--sink", "sqlite:output", "--reset"], more].concat());
        assert!(reset.exits(&[2]).err.contains("its rows are not deleted"));
        assert_eq!(ledger::from_sqlite(&person.path("output")).unwrap(), rows);
    }
    // It was refused before anything was forgotten.
    let again = person.run(&["--sink", "sqlite:output"]).exits(&[0]);
    assert!(again.err.contains("nothing to do"), "{again:?}");
    assert_eq!(ledger::from_sqlite(&person.path("output")).unwrap(), rows);
}

#[test]
fn of_two_stores_with_one_target_only_one_writes_to_it() {
    for sink in SINKS {
        let person = Person::new(small());
        let with = |store: &str, more: &[&str]| {
            person.run(&[&["--sink", sink, "--checkpoints", store], more].concat())
        };
        with("one", &[]).exits(&[0]);
        let before = person.tree();
        let refused = with("two", &[]).exits(&[2]);
        assert!(refused.err.contains("another store of this job"), "{refused:?}");
        with("two", &["--reset"]).exits(&[2]);
        assert_eq!(person.tree(), before);
        with("two", &["--adopt"]).exits(&[0]);
        let before = person.tree();
        with("one", &[]).exits(&[2, 5]);
        with("one", &["--reset"]).exits(&[2, 5]);
        assert_eq!(person.tree(), before);
        with("two", &[]).exits(&[0]);
        with("two", &["--reset"]).exits(&[0]);
        if sink.starts_with("sqlite") {
            person.check_ledger(sink);
        }
    }
}

/// Begins again so often, to take the median.
const STARTS: usize = 11;

/// Writes claims behind the log of a job until there are so many.
fn add_claims(store: &Path, total: u64) {
    let entry = |index: u64| store.join(LogLayout::default().entry(LogIndex(index)));
    let last = (1..).take_while(|index| entry(*index).exists()).last().unwrap();
    let read = |index| LogEntry::decode(&fs::read(entry(index)).unwrap()).unwrap();
    let LogEntry::Claim(first) = read(1) else { panic!("a log begins with a claim") };
    let newest = (1..=last).rev().find_map(|index| match read(index) {
        LogEntry::Checkpoint(manifest) => Some(manifest.checkpoint),
        LogEntry::Claim(_) => None,
    });
    for index in last + 1..=last + total {
        let id = ClaimId { generation: Generation(index), nonce: index };
        let claim = Claim { id, newest, ..first.clone() };
        let path = entry(index);
        if !path.parent().unwrap().exists() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
        }
        fs::write(path, LogEntry::Claim(claim).encode().unwrap()).unwrap();
    }
}

#[test]
fn a_hundred_thousand_starts_do_not_make_the_next_one_slower() {
    let medians = [10, 100_000].map(|claims| {
        let person = Person::new(small());
        person.run(&["--sink", "sqlite:output"]).exits(&[0]);
        add_claims(&person.path(".steadfast/payments"), claims);
        let mut times: Vec<_> = (0..STARTS)
            .map(|_| {
                let began = Instant::now();
                let again = person.run(&["--sink", "sqlite:output"]).exits(&[0]);
                assert!(again.err.contains("nothing to do"), "{again:?}");
                began.elapsed()
            })
            .collect();
        times.sort_unstable();
        person.check_ledger("sqlite");
        eprintln!("a start after {claims} others: median {:?} of {times:?}", times[STARTS / 2]);
        times[STARTS / 2]
    });
    // A hundred thousand reads take more than that.
    assert!(medians[1] < medians[0] + Duration::from_secs(1), "{medians:?}");
}

#[test]
fn an_object_that_two_checkpoints_share_is_damaged_in_both() {
    let person = Person::new(large());
    person.run(&["--checkpoint-records", "20000", "--retained", "50"]).exits(&[0]);
    let listed = person.command(&["checkpoints", "list", "--json"]).exits(&[0]).out;
    assert!(listed.matches("checkpoint").count() > 2, "{listed}");
    // The oldest state file is part of every checkpoint since, until all of it is written again.
    let data = person.path(".steadfast/payments/data/000000000000");
    let mut files: Vec<_> = std::fs::read_dir(data).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "state"));
    files.sort();
    std::fs::write(&files[0], "damaged").unwrap();
    let ended = person.command(&["checkpoints", "verify", "--json"]).exits(&[5]);
    let damaged = ended.out.matches("\"intact\":false").count();
    let damaged = damaged.max(ended.out.matches("\"intact\": false").count());
    assert!(damaged > 1, "{}", ended.out);
}
