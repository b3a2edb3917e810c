//! Where checkpoints are kept, as users say it.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use steadfast_checkpoint::store::{FileStore, MemoryStore};
use steadfast_core::store::{Put, Store};
use steadfast_core::{Cause, Error, Result};
use steadfast_protocol::names;

/// Where checkpoints are kept.
#[derive(Clone)]
pub enum CheckpointStore {
    /// In this process, apart for each job; gone with it.
    Memory(Arc<MemoryStore>),
    /// In a local folder, one folder below it for each job.
    Folder(PathBuf),
    /// In a store of your own, apart for each job: names begin with that of the job and a slash. It is taken
    /// to outlive the process.
    Custom(Arc<dyn Store>),
}

/// Where a job's command line keeps checkpoints if nothing is said.
#[cfg(feature = "cli")]
pub(crate) const CHECKPOINTS: &str = ".steadfast";

const FORMS: &str = "use a path, file:///path or memory:";

impl CheckpointStore {
    /// From `memory:`, a path, or a URL `file:///path` without percent signs.
    ///
    /// # Errors
    /// `Configuration` if it is none of them, with what to write.
    pub fn parse(url: &str) -> Result<Self> {
        let hint = match (url.split_once("://"), url) {
            (_, "memory:") => return Ok(CheckpointStore::Memory(Arc::default())),
            (_, "memory" | "memory://") => {
                "write memory: with a colon for checkpoints in memory, ./memory for a folder".into()
            }
            (Some(("file", path)), _) if path.starts_with('/') && !path.contains('%') => {
                return Ok(CheckpointStore::Folder(path.into()));
            }
            (Some(("file", path)), _) if path.contains('%') => {
                "a percent sign stands for another character there: write the path alone".into()
            }
            (Some(("file", path)), _) => {
                format!(
                    "write file:///{path} for the path /{path}, or {path} for the folder from here"
                )
            }
            (None, _) if url.starts_with("file:") => {
                let path = url.trim_start_matches("file:").trim_start_matches('/');
                format!("write file:///{path}, with three slashes, or the path alone")
            }
            (Some((scheme, _)), _) => {
                let what = format!("checkpoints cannot be kept in {scheme}:// yet");
                return Err(Error::because(Cause::OPTION, what).hint(FORMS));
            }
            (None, "") => FORMS.into(),
            (None, path) => return Ok(CheckpointStore::Folder(path.into())),
        };
        Err(Error::because(Cause::OPTION, format!("'{url}' is no place for checkpoints"))
            .hint(hint))
    }

    /// In a store of your own: see [`Store`] for what it has to keep, which the crate `steadfast-conformance`
    /// tests.
    pub fn custom(store: impl Store + 'static) -> Self {
        CheckpointStore::Custom(Arc::new(store))
    }

    /// Refuses a place that is none.
    pub(crate) fn check(&self) -> Result<()> {
        match self {
            CheckpointStore::Folder(folder) if folder.as_os_str().is_empty() => {
                let what = "the folder of the checkpoints has no name";
                Err(Error::because(Cause::OPTION, what)
                    .hint("write . for the folder that the job runs in"))
            }
            _ => Ok(()),
        }
    }

    /// Whether another process may find the checkpoints of this one.
    pub(crate) fn is_durable(&self) -> bool {
        !matches!(self, CheckpointStore::Memory(_))
    }

    /// Where it is, for people.
    pub fn describe(&self) -> String {
        match self {
            CheckpointStore::Memory(_) => "memory:".to_string(),
            CheckpointStore::Folder(folder) => folder.display().to_string(),
            CheckpointStore::Custom(store) => store.describe(),
        }
    }

    /// The jobs that have checkpoints here.
    ///
    /// # Errors
    /// `Unavailable` if the folder cannot be read, or the store does not answer.
    pub fn jobs(&self) -> Result<Vec<String>> {
        let folder = match self {
            CheckpointStore::Folder(folder) => folder,
            CheckpointStore::Memory(store) => return jobs_in(&**store),
            CheckpointStore::Custom(store) => return jobs_in(&**store),
        };
        let failed = |error| {
            Error::unavailable(format!("cannot look into {}", self.describe())).caused_by(error)
        };
        let mut jobs = Vec::new();
        let entries = match std::fs::read_dir(folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(jobs),
            entries => entries.map_err(failed)?,
        };
        for entry in entries {
            let entry = entry.map_err(failed)?;
            if entry.path().join(names::LOG).is_dir() {
                jobs.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
        jobs.sort_unstable();
        Ok(jobs)
    }

    /// Removes what killed processes of a job have left half written; for the holder of its claim.
    ///
    /// # Errors
    /// `Unavailable` if the folder cannot be read or changed.
    pub(crate) fn sweep(&self, job: &str, holder: &str) -> Result<()> {
        match self {
            CheckpointStore::Memory(_) | CheckpointStore::Custom(_) => Ok(()),
            CheckpointStore::Folder(folder) => FileStore::new(folder.join(job), holder).sweep(),
        }
    }

    /// The store of one job.
    pub fn open(&self, job: &str, holder: &str) -> Arc<dyn Store> {
        match self {
            CheckpointStore::Memory(store) => Arc::new(PartOfJob::new(Arc::clone(store), job)),
            CheckpointStore::Custom(store) => Arc::new(PartOfJob::new(Arc::clone(store), job)),
            CheckpointStore::Folder(folder) => Arc::new(FileStore::new(folder.join(job), holder)),
        }
    }
}

/// The jobs of which such a store holds a log.
fn jobs_in(store: &dyn Store) -> Result<Vec<String>> {
    let names = store.list("")?;
    let job = |name: &String| {
        let (job, rest) = name.split_once('/')?;
        rest.starts_with(names::LOG).then(|| job.to_string())
    };
    let mut jobs: Vec<_> = names.iter().filter_map(job).collect();
    jobs.dedup();
    Ok(jobs)
}

/// What a store that many jobs share holds for one of them: names of two jobs would be the same.
struct PartOfJob<S> {
    store: S,
    /// The name of the job, which has no slash, and a slash.
    folder: String,
}

impl<S: Store> PartOfJob<S> {
    fn new(store: S, job: &str) -> Self {
        PartOfJob { store, folder: format!("{job}/") }
    }

    fn name(&self, name: &str) -> String {
        format!("{}{name}", self.folder)
    }
}

impl<S: Store> Store for PartOfJob<S> {
    fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<Put> {
        self.store.put_if_absent(&self.name(name), bytes)
    }

    fn get(&self, name: &str) -> Result<Option<Vec<u8>>> {
        self.store.get(&self.name(name))
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>> {
        let names = self.store.list(&self.name(prefix))?;
        Ok(names
            .iter()
            .filter_map(|name| name.strip_prefix(&self.folder))
            .map(Into::into)
            .collect())
    }

    fn delete(&self, name: &str) -> Result<()> {
        self.store.delete(&self.name(name))
    }

    fn describe(&self) -> String {
        self.store.describe()
    }
}

impl fmt::Debug for CheckpointStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.describe())
    }
}
