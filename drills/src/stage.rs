//! The folder that one case plays in, and the processes on it.
//!
//! `job` holds what the job sees: its store and its output. `notes` holds what the drill writes
//! down, where the shim does not look.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::job::{Call, Setup, Start};
use crate::ledger::{self, Ledger};
use crate::payments::Fixture;
use crate::process::{Ended, Process};
use crate::shim::{Orders, Rein, Shim};

/// By then a process must have ended that nobody holds back.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// What all cases share.
pub(crate) struct World {
    pub(crate) fixture: Fixture,
    pub(crate) shim: Shim,
    /// The flag of `run` that forgets everything and begins anew.
    pub(crate) anew_flag: String,
    pub(crate) folder: TempDir,
    /// What processes left that were killed, by job and by the call they were killed at.
    left: Mutex<Vec<((Setup, Call), PathBuf)>>,
}

/// See the module.
pub(crate) struct Stage<'w> {
    world: &'w World,
    setup: Setup,
    folder: TempDir,
}

/// A process with a rein.
pub(crate) struct Actor {
    pub(crate) process: Process,
    pub(crate) rein: Rein,
}

/// What is in the targets, read by other means than the job's own.
pub(crate) struct Results {
    pub(crate) ledger: Result<Ledger>,
    pub(crate) dead_letters: Result<Vec<u64>>,
}

/// How often a job is started that is to come to a certain call.
const TRIES: usize = 5;

/// For how long an impatient process asks again.
const GIVE_UP_AFTER: &str = "2s";

/// How a process is started.
#[derive(Clone, Copy, Default)]
pub(crate) struct Manner<'a> {
    /// With the flag for beginning anew.
    pub(crate) anew: bool,
    /// With another store.
    pub(crate) elsewhere: bool,
    /// With the flag for taking over what another store has written.
    pub(crate) adopts: bool,
    /// With little patience for what does not answer.
    pub(crate) is_impatient: bool,
    /// What the shim does to it.
    pub(crate) orders: Orders<'a>,
}

impl<'a> Manner<'a> {
    /// As a user starts it, but held at these calls.
    pub(crate) fn held_at(held_at: &'a [&'a Call]) -> Self {
        Manner { orders: Orders { held_at, ..Orders::default() }, ..Manner::default() }
    }
}

/// What targets hold, by where it is.
pub(crate) type Contents = BTreeMap<PathBuf, String>;

/// How much of a folder is looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    /// What users see.
    Visible,
    /// What is hidden, too.
    All,
}

impl World {
    /// Makes the input and builds the shim, below the folder for temporary files.
    pub(crate) fn new(binary: PathBuf, anew_flag: String) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("drill-").tempdir()?;
        let input = folder.path().join("payments-of-the-drill.jsonl");
        let size = ["--events", "6000", "--accounts", "40"];
        let flaws = ["--bad-lines", "6", "--duplicates-per-mille", "50"];
        let fixture = Fixture::generate(binary, input, &[size, flaws].concat());
        let shim = Shim::build(folder.path())?;
        Ok(World { fixture, shim, anew_flag, folder, left: Mutex::default() })
    }

    /// What a process has left that was killed at `call`; made once.
    fn left_at(&self, setup: Setup, call: &Call) -> Result<PathBuf> {
        let mut left = self.left.lock().expect("nobody panics while making it");
        let key = (setup, call.clone());
        if let Some((_, folder)) = left.iter().find(|(known, _)| *known == key) {
            return Ok(folder.clone());
        }
        let stage = self.killed_at(setup, call)?;
        let folder = self.folder.path().join(format!("left-{}", left.len()));
        copy(&stage.job(), &folder)?;
        left.push((key, folder.clone()));
        Ok(folder)
    }

    /// A job that was killed at `call`. A machine that is busy makes fewer checkpoints at times, and
    /// the job does not come so far.
    fn killed_at(&self, setup: Setup, call: &Call) -> Result<Stage<'_>> {
        for _ in 0..TRIES {
            let stage = Stage::new(self, setup)?;
            let mut victim = stage.begin("victim", Manner::held_at(&[call]))?;
            if victim.comes_to_its_call()? {
                victim.process.kill()?;
                return Ok(stage);
            }
        }
        bail!("a job from the start does not come to {call}");
    }
}

impl<'w> Stage<'w> {
    /// An empty one.
    pub(crate) fn new(world: &'w World, setup: Setup) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("case-").tempdir_in(world.folder.path())?;
        let stage = Stage { world, setup, folder };
        fs::create_dir(stage.job())?;
        fs::create_dir(stage.notes())?;
        Ok(stage)
    }

    /// One as a process finds it that begins like this, beside nobody.
    pub(crate) fn before(world: &'w World, setup: Setup, start: &Start) -> Result<Self> {
        match start.left_at() {
            Some(call) => Stage::with_left(world, setup, call),
            None => Stage::new(world, setup),
        }
    }

    /// What the targets hold for users: the balances, and what was set aside. `owned` says which
    /// parts of a folder count.
    pub(crate) fn results(&self, owned: impl Fn(&Path) -> Result<Vec<String>>) -> Results {
        let (output, letters) = (self.output(), self.dead_letters());
        Results {
            ledger: match self.setup.sink.is_database() {
                true => ledger::from_sqlite(&output),
                false => owned(&output).and_then(|parts| ledger::from_parts(&output, &parts)),
            },
            dead_letters: owned(&letters)
                .and_then(|parts| ledger::dead_letters_in(&letters, &parts)),
        }
    }

    /// One with what a process left that was killed at `call`.
    fn with_left(world: &'w World, setup: Setup, call: &Call) -> Result<Self> {
        let left = world.left_at(setup, call)?;
        let stage = Stage::new(world, setup)?;
        copy(&left, &stage.job())?;
        Ok(stage)
    }

    /// What the job sees.
    pub(crate) fn job(&self) -> PathBuf {
        // The shim sees paths as the kernel does.
        let folder = self.folder.path();
        folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf()).join("job")
    }

    /// Where the output is.
    pub(crate) fn output(&self) -> PathBuf {
        self.job().join("target/output")
    }

    /// Where the lines are that were set aside.
    pub(crate) fn dead_letters(&self) -> PathBuf {
        self.job().join("target/output.dead-letters")
    }

    /// The store that a stranger has.
    pub(crate) fn elsewhere(&self) -> PathBuf {
        self.job().join("elsewhere")
    }

    /// What the targets hold, read so that no process notices.
    pub(crate) fn contents(&self, seen: Seen) -> Result<Contents> {
        let mut contents = Contents::new();
        if self.setup.sink.is_database() {
            let copy = tempfile::tempdir_in(self.notes())?;
            for file in ["output", "output-wal", "output-journal"] {
                let from = self.job().join("target").join(file);
                if from.exists() {
                    fs::copy(from, copy.path().join(file))?;
                }
            }
            contents.insert("database".into(), ledger::dump(&copy.path().join("output"))?);
        } else {
            read_all(&self.output(), seen, &mut contents)?;
        }
        read_all(&self.dead_letters(), seen, &mut contents)?;
        Ok(contents)
    }

    /// Where the drill writes things down.
    pub(crate) fn notes(&self) -> PathBuf {
        self.folder.path().join("notes")
    }

    fn run(&self, manner: Manner<'_>) -> Command {
        let store = if manner.elsewhere { "elsewhere" } else { "checkpoints" };
        let emit = if self.setup.sink.is_final() { "final" } else { "changes" };
        let sink = if self.setup.sink.is_database() { "sqlite" } else { "jsonl" };
        let mut command = Command::new(&self.world.fixture.binary);
        command
            .args(["run", "--json", "--bad-input", "dead-letter", "--emit", emit])
            .args(["--checkpoint-interval", "none", "--checkpoint-records", "1000"])
            .args(["--retained", "1", "--parallelism", &self.setup.parallelism.to_string()])
            .arg("--input")
            .arg(&self.world.fixture.input)
            .arg("--sink")
            .arg(format!("{sink}:{}", self.output().display()))
            .arg("--checkpoints")
            .arg(self.job().join(store));
        if manner.anew {
            command.arg(&self.world.anew_flag);
        }
        if manner.adopts {
            command.arg("--adopt");
        }
        if manner.is_impatient {
            command.args(["--late-after", "500ms", "--give-up-after", GIVE_UP_AFTER]);
        }
        command
    }

    /// Starts a process under the shim.
    pub(crate) fn begin(&self, who: &str, manner: Manner<'_>) -> Result<Actor> {
        let (notes, rein) = (self.notes(), Rein::new(&self.notes(), who));
        let mut command = self.run(manner);
        self.world.shim.put(&mut command, &self.job(), self.setup.sink, &rein, &manner.orders);
        Ok(Actor { process: Process::start(&mut command, &notes, who)?, rein })
    }

    /// Starts a process as a user does.
    pub(crate) fn begin_free(&self, who: &str, manner: Manner<'_>) -> Result<Actor> {
        let (notes, rein) = (self.notes(), Rein::new(&self.notes(), who));
        Ok(Actor { process: Process::start(&mut self.run(manner), &notes, who)?, rein })
    }

    /// Has every object of every checkpoint read.
    pub(crate) fn verify(&self) -> Result<Option<Ended>> {
        let mut command = Command::new(&self.world.fixture.binary);
        command.args(["checkpoints", "verify", "--job", "payments", "--checkpoints"]);
        command.arg(self.job().join("checkpoints"));
        Process::start(&mut command, &self.notes(), "verify")?.wait(DEADLINE)
    }

    /// The names of what is there, one on each line, for a trace.
    pub(crate) fn listing(&self) -> Result<Vec<String>> {
        let mut names = Vec::new();
        list(&self.job(), Path::new(""), &mut names)?;
        names.sort();
        Ok(names)
    }
}

impl Actor {
    /// Waits until it is held; `false` if it ended before, or never came there.
    pub(crate) fn comes_to_its_call(&mut self) -> Result<bool> {
        let rein = &self.rein;
        let ended = self.process.wait_or(DEADLINE, || rein.has_reached(1))?;
        Ok(ended.is_none() && rein.has_reached(1))
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target).with_context(|| target.display().to_string())?;
        }
    }
    Ok(())
}

fn read_all(folder: &Path, seen: Seen, contents: &mut Contents) -> Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let is_hidden = entry.file_name().as_encoded_bytes()[0] == b'.';
        if is_hidden && seen == Seen::Visible {
            continue;
        }
        if entry.file_type()?.is_dir() {
            read_all(&entry.path(), seen, contents)?;
        } else {
            let bytes = fs::read(entry.path())?;
            contents.insert(entry.path(), String::from_utf8_lossy(&bytes).into_owned());
        }
    }
    Ok(())
}

fn list(root: &Path, below: &Path, names: &mut Vec<String>) -> Result<()> {
    for entry in fs::read_dir(root.join(below))? {
        let entry = entry?;
        let name = below.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            list(root, &name, names)?;
        } else {
            names.push(format!("{} ({} bytes)", name.display(), entry.metadata()?.len()));
        }
    }
    Ok(())
}
