//! A pattern for paths, such as `logs/*/app.jsonl*`.
//!
//! `*` and `?` stand for characters of a name, `[…]` for one of several, `{a,b}` for either. They do not reach
//! over a slash, and `*` does not stand for names that begin with a dot.

use std::collections::BTreeSet;
use std::fmt;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};
use steadfast_core::disk::{Disk, FileKind, FileStatus};
use steadfast_core::{Error, Result};

use super::files::unreadable;

/// See the module.
pub(super) struct Pattern {
    whole: PathBuf,
    /// What is before the first name that is a pattern.
    root: PathBuf,
    names: Vec<Name>,
}

/// One name of a path.
enum Name {
    Is(PathBuf),
    Fits(GlobMatcher),
    /// It does not mean anything: why.
    Wrong(String),
}

impl Name {
    fn of(name: &Path) -> Self {
        if !Pattern::is_one(name) {
            return Name::Is(name.to_path_buf());
        }
        let text = name.to_string_lossy();
        let built = GlobBuilder::new(&text).literal_separator(true).build();
        match built {
            Ok(glob) => Name::Fits(glob.compile_matcher()),
            Err(error) => Name::Wrong(error.kind().to_string()),
        }
    }

    fn matches(&self, name: &Path) -> bool {
        match self {
            Name::Is(same) => same == name,
            Name::Fits(glob) => {
                let is_hidden = name.as_os_str().as_encoded_bytes().starts_with(b".");
                glob.is_match(name) && (!is_hidden || glob.glob().glob().starts_with('.'))
            }
            Name::Wrong(_) => false,
        }
    }
}

impl Pattern {
    /// Whether a path has characters of a pattern.
    pub(super) fn is_one(path: &Path) -> bool {
        path.as_os_str().as_encoded_bytes().iter().any(|byte| b"*?[{".contains(byte))
    }

    /// The pattern `path`, which is absolute.
    pub(super) fn new(path: &Path) -> Self {
        let mut components = path.components().peekable();
        let mut root = PathBuf::new();
        while let Some(component) = components.peek()
            && !Pattern::is_one(component.as_ref())
        {
            root.push(component);
            components.next();
        }
        let names = components.map(|component: Component<'_>| Name::of(component.as_ref()));
        Pattern { whole: path.to_path_buf(), root, names: names.collect() }
    }

    /// Whether a path fits.
    pub(super) fn matches(&self, path: &Path) -> bool {
        let Ok(rest) = path.strip_prefix(&self.root) else { return false };
        let rest: Vec<_> = rest.components().collect();
        let mut both = rest.iter().zip(&self.names);
        rest.len() == self.names.len() && both.all(|(name, fits)| fits.matches(name.as_ref()))
    }

    /// The files that fit, in ascending order. Adds to `listed` the folders in which others may come that fit.
    ///
    /// # Errors
    /// `Configuration` if it means nothing; `Unavailable` if a folder cannot be read.
    pub(super) fn find(
        &self,
        disk: &dyn Disk,
        listed: &mut BTreeSet<PathBuf>,
    ) -> Result<Vec<(PathBuf, FileStatus)>> {
        let (mut folders, mut files) = (vec![self.root.clone()], Vec::new());
        for (at, name) in self.names.iter().enumerate() {
            if let Name::Wrong(why) = name {
                return Err(Error::configuration(format!("the pattern means nothing: {why}"))
                    .at(self.to_string())
                    .hint("a file of that name is not there; put a backslash before [ and { that are part of one"));
            }
            let is_last = at + 1 == self.names.len();
            let fits =
                |path: &Path| path.file_name().is_some_and(|file| name.matches(Path::new(file)));
            let mut found = Vec::new();
            // Folders are in ascending order, and so is what is in each: so are all.
            for folder in folders {
                if is_last || !matches!(name, Name::Is(_)) {
                    listed.insert(folder.clone());
                }
                match name {
                    Name::Is(same) if is_last => files.extend(file(disk, folder.join(same))?),
                    Name::Is(same) => found.push(folder.join(same)),
                    _ if is_last => {
                        let all = disk.list_with_status(&folder);
                        let all = all.map_err(|error| unreadable(&folder, error))?;
                        files.extend(all.into_iter().filter(|(path, _)| fits(path)));
                    }
                    _ => {
                        let all = disk.list_dirs(&folder);
                        let all = all.map_err(|error| unreadable(&folder, error))?;
                        found.extend(all.into_iter().filter(|path| fits(path)));
                    }
                }
            }
            folders = found;
        }
        Ok(files)
    }
}

/// The file at `path`, if there is one.
fn file(disk: &dyn Disk, path: PathBuf) -> Result<Option<(PathBuf, FileStatus)>> {
    match disk.status(&path) {
        Ok(status) if status.kind == FileKind::File => Ok(Some((path, status))),
        Ok(_) => Ok(None),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(&path, error)),
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.whole.display().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use steadfast_disk::SystemDisk;

    use super::*;

    #[test]
    fn files_that_fit_are_found_in_order_and_no_others() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        for name in ["a/app.log", "a/app.log.1", "a/.app.log", "b/app.log.2", "b/other", "c.log"] {
            let path = root.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let find = |pattern: &str| {
            let pattern = Pattern::new(&root.join(pattern));
            let found = pattern.find(&SystemDisk, &mut BTreeSet::new()).unwrap().into_iter();
            let found: Vec<_> = found.map(|(path, _)| path).collect();
            assert!(found.iter().all(|path| pattern.matches(path)), "{found:?}");
            let names = found.iter().map(|path| path.strip_prefix(&root).unwrap().to_path_buf());
            names.map(|path| path.display().to_string()).collect::<Vec<_>>()
        };
        assert_eq!(find("*/app.log*"), ["a/app.log", "a/app.log.1", "b/app.log.2"]);
        assert_eq!(find("{a,c}/*.[0-9]"), ["a/app.log.1"]);
        assert_eq!(find("*/other"), ["b/other"], "what is not there does not fit");
        assert_eq!(find("?.log"), ["c.log"]);
        assert_eq!(find("a/.app*"), ["a/.app.log"]);
        assert!(!Pattern::new(&root.join("*")).matches(&root.join("a/app.log")));
        let mut listed = BTreeSet::new();
        Pattern::new(&root.join("*/app.log*")).find(&SystemDisk, &mut listed).unwrap();
        assert_eq!(listed, [root.clone(), root.join("a"), root.join("b")].into());
        let wrong = Pattern::new(&root.join("[a")).find(&SystemDisk, &mut listed).unwrap_err();
        assert!(wrong.to_string().contains("means nothing"), "{wrong}");
    }
}
