//! The files a source was given.

use std::path::PathBuf;

/// Absolute paths, each once, in the order in which they were given.
pub(super) struct Paths(pub(super) Vec<PathBuf>);

impl Paths {
    /// Relative paths are taken from the working folder of now.
    pub(super) fn new<P: Into<PathBuf>>(given: impl IntoIterator<Item = P>) -> Self {
        let mut paths = Vec::new();
        for path in given {
            let path = path.into();
            let path = std::path::absolute(&path).unwrap_or(path);
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
        Paths(paths)
    }

    /// The bytes in all of the files that are there.
    pub(super) fn total_bytes(&self) -> u64 {
        self.0.iter().map(|path| std::fs::metadata(path).map_or(0, |file| file.len())).sum()
    }

    pub(super) fn describe(&self) -> String {
        match &self.0[..] {
            [] => "no file".to_string(),
            [one] => one.display().to_string(),
            [first, _] => format!("{} and 1 more file", first.display()),
            [first, rest @ ..] => format!("{} and {} more files", first.display(), rest.len()),
        }
    }
}
