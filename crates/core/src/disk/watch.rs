//! The contract of being told of changes, instead of looking for them.
//!
//! It is a help and no more: whoever is told of nothing has to find out by looking, now and then, all the same.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Tells of changes in folders, as long as it lives. When it has been dropped nobody is told any more, and
/// whatever it had running, such as a thread, has ended.
pub trait Watch: Send {
    /// Tells of changes in these folders from now on, and in no others; not of those in folders inside of them.
    /// Returns those of which it does: not one that is not there, nor one on a file system that does not tell of
    /// what others change, such as one behind a network.
    ///
    /// # Errors
    /// Those of the operating system. It is not known then in which folders it tells of changes.
    fn set(&mut self, folders: &BTreeSet<PathBuf>) -> io::Result<BTreeSet<PathBuf>>;
}

/// What has changed. It may be told more than once, and together with what was changed after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change<'a> {
    /// The contents of the file that has this path.
    Contents(&'a Path),
    /// A file has come under this path, or has gone.
    Name(&'a Path),
    /// Anything: a folder has come, gone or been given another name, or there were too many changes to tell.
    Unknown,
}

/// Is told of changes, perhaps on a thread of its own. It must not block.
pub type OnChange = Arc<dyn Fn(Change<'_>) + Send + Sync>;
