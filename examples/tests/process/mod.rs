//! Starts an example in a folder of its own and looks at what comes of it.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::fs::File;
use std::io::{PipeReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Once};
use std::time::Duration;

use serde_json::Value;
use signal_hook::consts::SIGHUP;
use tempfile::TempDir;

/// What takes longer to end does not end.
const HANGS: Duration = Duration::from_secs(300);

/// A folder that is gone with the test, and the example that is started in it.
pub struct Folder(TempDir, &'static str);

/// A process that has ended.
pub struct Ended {
    code: Option<i32>,
    pub out: String,
    pub err: String,
}

/// A process that runs. One that hangs is killed, so that no test waits for it without end.
pub struct Started {
    child: Child,
    /// What it has said so far.
    err: String,
    /// Closed when nobody waits for it any more.
    _waited_for: Sender<()>,
}

impl Folder {
    pub fn of(example: &'static str) -> Self {
        Folder(tempfile::tempdir().unwrap(), example)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn job(&self, args: &[&str]) -> Ended {
        self.start(args).wait()
    }

    pub fn start(&self, args: &[&str]) -> Started {
        self.start_with(args, &[])
    }

    /// With these environment variables.
    pub fn start_with(&self, args: &[&str], variables: &[(&str, &str)]) -> Started {
        heed_hangups();
        let mut command = Command::new(binary(self.1));
        command.args(args).current_dir(self.0.path()).envs(variables.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Started::of(&mut command)
    }

    /// With a pipe as standard input: see [`Started::feed`].
    pub fn start_fed(&self, args: &[&str]) -> Started {
        let mut command = Command::new(binary(self.1));
        command.args(args).current_dir(self.0.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Started::of(&mut command)
    }

    /// Where the system lets it have so many files open before it asks for more.
    pub fn job_with_open_files(&self, files: u32, args: &[&str]) -> Started {
        heed_hangups();
        let mut command = Command::new("sh");
        command.args(["-c", &format!("ulimit -Sn {files} && exec \"$0\" \"$@\"")]);
        command.arg(binary(self.1)).args(args).current_dir(self.0.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Started::of(&mut command)
    }

    /// With a pipe as standard error that is full until it is read.
    pub fn start_unheard(&self, args: &[&str]) -> (Started, PipeReader) {
        heed_hangups();
        let (hears, mut says) = std::io::pipe().unwrap();
        let mut command = Command::new(binary(self.1));
        command.args(args).current_dir(self.0.path()).stderr(says.try_clone().unwrap());
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        // More than any pipe holds.
        std::thread::spawn(move || says.write_all(&[b'\n'; 1 << 21]));
        (Started::of(&mut command), hears)
    }

    /// With a file as standard input.
    pub fn job_reading(&self, file: &str, args: &[&str]) -> Ended {
        let mut command = Command::new(binary(self.1));
        command.args(args).current_dir(self.0.path());
        command.stdin(File::open(self.path(file)).unwrap());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Started::of(&mut command).wait()
    }

    /// Under `nohup`, as what is to live on when its terminal is gone.
    pub fn start_without_hangups(&self, args: &[&str]) -> Started {
        let mut command = Command::new("nohup");
        command.arg(binary(self.1)).args(args).current_dir(self.0.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Started::of(&mut command)
    }

    /// Waits until a folder has so many entries.
    pub fn wait_for_entries(&self, folder: &str, entries: usize) {
        let folder = self.path(folder);
        let count = || std::fs::read_dir(&folder).map_or(0, Iterator::count);
        let waited = comes_true(10_000, || count() >= entries);
        assert!(waited, "{} stays below {entries} entries", folder.display());
    }
}

/// Whether something comes true while it is looked at so often, each two milliseconds.
pub fn comes_true(looks: u32, mut is_so: impl FnMut() -> bool) -> bool {
    let (_never, pause) = channel::<()>();
    (0..looks).any(|_| {
        let _ = pause.recv_timeout(Duration::from_millis(2));
        is_so()
    })
}

/// Has what is started heed SIGHUP, also where the tests themselves run under `nohup`: what is ignored is inherited,
/// what is handled is not.
fn heed_hangups() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        signal_hook::flag::register(SIGHUP, Arc::new(AtomicBool::new(false))).unwrap();
    });
}

impl Started {
    fn of(command: &mut Command) -> Self {
        let child = command.spawn().unwrap();
        let id = child.id().to_string();
        let (waited_for, waits) = channel();
        std::thread::spawn(move || {
            if waits.recv_timeout(HANGS) == Err(RecvTimeoutError::Timeout) {
                let _ = Command::new("kill").args(["-KILL", &id]).status();
            }
        });
        Started { child, err: String::new(), _waited_for: waited_for }
    }

    /// Writes to its standard input.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.child.stdin.as_mut().unwrap().write_all(bytes).unwrap();
    }

    /// Closes its standard input, and waits.
    pub fn close_input(mut self) -> Ended {
        drop(self.child.stdin.take());
        self.wait()
    }

    /// The time for which it has used processors, in ticks (of which there are 100 in a second).
    pub fn ticks(&self) -> u64 {
        let path = format!("/proc/{}/stat", self.child.id());
        let stat = std::fs::read_to_string(path).unwrap();
        // What stands before the last bracket is the name of the program.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }

    /// How many files it has open; none if it has ended.
    pub fn open_files(&self) -> Option<usize> {
        let open = std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).ok()?;
        Some(open.count())
    }

    /// Waits until it has asked the system for a signal.
    pub fn listens_for(&self, signal: i32) {
        let path = format!("/proc/{}/status", self.child.id());
        let listens = || {
            let status = std::fs::read_to_string(&path).unwrap();
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
            u64::from_str_radix(caught.trim(), 16).unwrap() >> (signal - 1) & 1 == 1
        };
        assert!(comes_true(10_000, listens), "it does not listen for signal {signal}");
    }

    /// Waits until it has said so on standard error.
    pub fn says(&mut self, words: &str) {
        let errors = self.child.stderr.as_mut().unwrap();
        while !self.err.contains(words) {
            let mut bytes = [0; 1000];
            let read = errors.read(&mut bytes).unwrap();
            assert!(read > 0, "it has ended without '{words}': {}", self.err);
            self.err += std::str::from_utf8(&bytes[..read]).unwrap();
        }
    }

    /// Kills it when a folder has so many entries, unless it has ended by then.
    pub fn kill_after_entries(mut self, folder: &Folder, within: &str, entries: usize) {
        let within = folder.path(within);
        let count = || std::fs::read_dir(&within).map_or(0, Iterator::count);
        let (_never, pause) = channel::<()>();
        while self.child.try_wait().unwrap().is_none() && count() < entries {
            let _ = pause.recv_timeout(Duration::from_millis(1));
        }
        let _ = self.child.kill();
        self.wait();
    }

    /// Kills it, unless it has ended by then.
    pub fn kill(mut self) -> Ended {
        let _ = self.child.kill();
        self.wait()
    }

    /// Sends what Ctrl-C sends.
    pub fn press(&self) {
        self.signal("INT");
    }

    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([&format!("-{name}"), &id]).status();
        assert!(sent.unwrap().success());
    }

    /// Sends signals, each at once after the one before it.
    pub fn signals(&self, names: &[&str]) {
        let id = self.child.id();
        let kills: Vec<_> = names.iter().map(|name| format!("kill -{name} {id}")).collect();
        let sent = Command::new("sh").args(["-c", &kills.join(" && ")]).status();
        assert!(sent.unwrap().success());
    }

    /// Sends what a supervisor sends, and waits.
    pub fn terminate(self) -> Ended {
        self.signal("TERM");
        self.wait()
    }

    /// Presses Ctrl-C, and waits.
    pub fn interrupt(self) -> Ended {
        self.press();
        self.wait()
    }

    /// Its standard input stays open meanwhile, where nobody has closed it.
    pub fn wait(mut self) -> Ended {
        let _input = self.child.stdin.take();
        let output = self.child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let (out, err) = (text(output.stdout), self.err + &text(output.stderr));
        Ended { code: output.status.code(), out, err }
    }
}

impl Ended {
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        self.ends(Some(code))
    }

    /// None: by a signal.
    #[track_caller]
    pub fn ends(self, code: Option<i32>) -> Self {
        assert_eq!(self.code, code, "output: {}\nerrors: {}", self.out, self.err);
        self
    }
}

/// Reads output that must be one JSON value and nothing else.
#[track_caller]
pub fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The example lies beside the tests; running all tests of the package builds it.
fn binary(example: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    let binary = profile.join("examples").join(example);
    assert!(binary.exists(), "build it first: cargo build --package steadfast-examples --examples");
    binary
}
