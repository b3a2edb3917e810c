//! The payments job from the outside: its binary, an input, and the right answer to it.
//!
//! The answer shares no code with the job: it reads the JSON as a tree and adds amounts as text.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::ledger::Ledger;

/// An input and what must come out of it.
pub struct Fixture {
    /// The binary under test.
    pub binary: PathBuf,
    /// The payments.
    pub input: PathBuf,
    /// Every account's balance.
    pub expected: Ledger,
    /// Lines that are payments, duplicates included.
    pub events: u64,
    /// Payments that came before.
    pub duplicates: u64,
    /// Where the lines begin that are no payments.
    pub bad_lines: Vec<u64>,
}

impl Fixture {
    /// Has `binary` make an input by `arguments`, and computes the answer.
    pub fn generate(binary: PathBuf, input: PathBuf, arguments: &[&str]) -> Self {
        let made = Command::new(&binary)
            .args(["generate", "--seed", "7"])
            .args(arguments)
            .arg("--output")
            .arg(&input)
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(made.success(), "the input was not made");
        compute(binary, input)
    }
}

/// Builds the release binary, as a user does, and says where it is.
pub fn build() -> PathBuf {
    build_example("payments")
}

/// The same for any example.
pub fn build_example(name: &str) -> PathBuf {
    let built = Command::new(env!("CARGO"))
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
        .args(["build", "--release", "--package", "steadfast-examples", "--example", name])
        .args(["--message-format", "json"])
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(built.status.success(), "the example {name} does not build");
    let messages = String::from_utf8(built.stdout).unwrap();
    let mut executables = messages.lines().filter_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        (message["target"]["name"] == name)
            .then(|| message["executable"].as_str().map(PathBuf::from))?
    });
    executables.next_back().expect("cargo names the binary that it has built")
}

/// The right answer, from the input alone.
fn compute(binary: PathBuf, input: PathBuf) -> Fixture {
    let (mut expected, mut seen) = (Ledger::new(), BTreeSet::new());
    let (mut events, mut duplicates, mut bad_lines) = (0, 0, Vec::new());
    let mut lines = BufReader::new(fs::File::open(&input).unwrap());
    let (mut line, mut offset) = (Vec::new(), 0);
    while lines.read_until(b'\n', &mut line).unwrap() > 0 {
        match read(&line) {
            None => bad_lines.push(offset),
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
        offset += line.len() as u64;
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
