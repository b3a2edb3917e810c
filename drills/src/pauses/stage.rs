//! The folder that one case plays in, and the processes on it.
//!
//! `job` holds what the job sees: its store and its output. `notes` holds what the drill writes
//! down, where the shim does not look.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use super::case::{Call, Setup};
use super::process::{Ended, Process};
use super::shim::{Rein, Shim};
use super::verdict::DEADLINE;
use crate::ledger;
use crate::payments::Fixture;

/// What all cases share.
pub(super) struct World {
    pub(super) fixture: Fixture,
    pub(super) shim: Shim,
    /// The flag of `run` that forgets everything and begins anew.
    pub(super) anew_flag: String,
    pub(super) folder: TempDir,
    /// What processes left that were killed, by job and by the call they were killed at.
    left: Mutex<Vec<((Setup, Call), PathBuf)>>,
}

/// See the module.
pub(super) struct Stage<'w> {
    world: &'w World,
    setup: Setup,
    folder: TempDir,
}

/// A process with a rein.
pub(super) struct Actor {
    pub(super) process: Process,
    pub(super) rein: Rein,
}

/// How a process is started.
#[derive(Clone, Copy, Default)]
pub(super) struct Manner<'a> {
    /// With the flag for beginning anew.
    pub(super) anew: bool,
    /// With another store.
    pub(super) elsewhere: bool,
    /// With the flag for taking over what another store has written.
    pub(super) adopts: bool,
    /// Held at these calls.
    pub(super) held_at: &'a [&'a Call],
}

/// What targets hold, by where it is.
pub(super) type Contents = BTreeMap<PathBuf, String>;

/// How much of a folder is looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// What users see.
    Visible,
    /// What is hidden, too.
    All,
}

impl World {
    /// Makes the input and builds the shim, below the folder for temporary files.
    pub(super) fn new(binary: PathBuf, anew_flag: String) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("pauses-").tempdir()?;
        let input = folder.path().join("payments-of-the-pauses.jsonl");
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
        let stage = Stage::new(self, setup)?;
        let mut victim = stage.begin("victim", Manner { held_at: &[call], ..Manner::default() })?;
        if !victim.comes_to_its_call()? {
            bail!("a job from the start does not come to {call}");
        }
        victim.process.kill()?;
        let folder = self.folder.path().join(format!("left-{}", left.len()));
        copy(&stage.job(), &folder)?;
        left.push((key, folder.clone()));
        Ok(folder)
    }
}

impl<'w> Stage<'w> {
    /// An empty one.
    pub(super) fn new(world: &'w World, setup: Setup) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("case-").tempdir_in(world.folder.path())?;
        let stage = Stage { world, setup, folder };
        fs::create_dir(stage.job())?;
        fs::create_dir(stage.notes())?;
        Ok(stage)
    }

    /// One with what a process left that was killed at `call`.
    pub(super) fn with_left(world: &'w World, setup: Setup, call: &Call) -> Result<Self> {
        let left = world.left_at(setup, call)?;
        let stage = Stage::new(world, setup)?;
        copy(&left, &stage.job())?;
        Ok(stage)
    }

    /// What the job sees.
    pub(super) fn job(&self) -> PathBuf {
        // The shim sees paths as the kernel does.
        let folder = self.folder.path();
        folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf()).join("job")
    }

    /// Where the output is.
    pub(super) fn output(&self) -> PathBuf {
        self.job().join("output")
    }

    /// Where the lines are that were set aside.
    pub(super) fn dead_letters(&self) -> PathBuf {
        self.job().join("output.dead-letters")
    }

    /// The store that a stranger has.
    pub(super) fn elsewhere(&self) -> PathBuf {
        self.job().join("elsewhere")
    }

    /// What the targets hold, read so that no process notices.
    pub(super) fn contents(&self, seen: Seen) -> Result<Contents> {
        let mut contents = Contents::new();
        if self.setup.sink.is_database() {
            let copy = tempfile::tempdir_in(self.notes())?;
            for file in ["output", "output-wal", "output-journal"] {
                let from = self.job().join(file);
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

    fn notes(&self) -> PathBuf {
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
        command
    }

    /// Starts a process under the shim.
    pub(super) fn begin(&self, who: &str, manner: Manner<'_>) -> Result<Actor> {
        let (notes, rein) = (self.notes(), Rein::new(&self.notes(), who));
        let mut command = self.run(manner);
        self.world.shim.put(&mut command, &self.job(), self.setup.sink, &rein, manner.held_at);
        Ok(Actor { process: Process::start(&mut command, &notes, who)?, rein })
    }

    /// Starts a process as a user does.
    pub(super) fn begin_free(&self, who: &str, manner: Manner<'_>) -> Result<Actor> {
        let (notes, rein) = (self.notes(), Rein::new(&self.notes(), who));
        Ok(Actor { process: Process::start(&mut self.run(manner), &notes, who)?, rein })
    }

    /// Has every object of every checkpoint read.
    pub(super) fn verify(&self) -> Result<Option<Ended>> {
        let mut command = Command::new(&self.world.fixture.binary);
        command.args(["checkpoints", "verify", "--job", "payments", "--checkpoints"]);
        command.arg(self.job().join("checkpoints"));
        Process::start(&mut command, &self.notes(), "verify")?.wait(DEADLINE)
    }

    /// The names of what is there, one on each line, for a trace.
    pub(super) fn listing(&self) -> Result<Vec<String>> {
        let mut names = Vec::new();
        list(&self.job(), Path::new(""), &mut names)?;
        names.sort();
        Ok(names)
    }
}

impl Actor {
    /// Waits until it is held; `false` if it ended before, or never came there.
    pub(super) fn comes_to_its_call(&mut self) -> Result<bool> {
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
