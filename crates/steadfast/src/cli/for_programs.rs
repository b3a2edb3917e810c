//! The one JSON object that a run gives to programs, however it ends: on standard output (`--json`), in a
//! file (`--json-to`), or both.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, TryLockError};

use serde_json::{Value, json};
use steadfast_core::{Cause, Error, ErrorKind, Result};

use super::flags::RunFlags;
use super::terminal::{self, Tone};

/// Where the object goes, and whether it is there.
#[derive(Debug, Default)]
pub(super) struct ForPrograms {
    job: Option<String>,
    on_stdout: bool,
    file: Option<PathBuf>,
    /// A signal may come when the run is at its end: the first to tell is the only one, and whoever comes
    /// second goes on to leave the process only when the first is done.
    is_told: Mutex<bool>,
}

impl ForPrograms {
    /// For a run with these flags, of a job whose name may not be known yet.
    pub(super) fn new(job: Option<&str>, flags: &RunFlags) -> Self {
        ForPrograms {
            job: job.map(str::to_string),
            on_stdout: flags.json,
            file: flags.json_to.clone(),
            is_told: Mutex::new(false),
        }
    }

    /// Sees whether the file can be written, before anything else happens.
    ///
    /// # Errors
    /// `Configuration` if it cannot.
    pub(super) fn prepare(&self) -> Result<()> {
        let Some(path) = &self.file else { return Ok(()) };
        let created = File::create(partial(path));
        let what = "the file that --json-to names cannot be written";
        created.map(drop).map_err(|error| {
            Error::because(Cause::NOT_WRITABLE, what)
                .caused_by(error)
                .at(path.display().to_string())
        })
    }

    /// Gives the object, unless one has been given.
    ///
    /// # Errors
    /// `Unavailable` if it cannot be written.
    pub(super) fn give(&self, object: &Value) -> Result<()> {
        let mut is_told = self.is_told.lock().unwrap_or_else(PoisonError::into_inner);
        if *is_told {
            return Ok(());
        }
        *is_told = true;
        let printed = if self.on_stdout { terminal::print_json(object, false) } else { Ok(()) };
        let line = terminal::json_text(object, false);
        let written = self.file.as_deref().map_or(Ok(()), |path| {
            let what = "the file that --json-to names cannot be written";
            write(path, &line).map_err(|error| {
                Error::unavailable(what).caused_by(error).at(path.display().to_string())
            })
        });
        // Whoever reads the one is told, whatever has become of the other.
        printed.and(written)
    }

    /// Gives what tells that the run has ended with `error`.
    pub(super) fn failed(&self, error: &Error) {
        self.ended(&json!({
            "code": error.code(),
            "kind": kind(error.kind()),
            "message": error.message(),
            "hint": error.advice(),
        }));
    }

    /// Gives what tells that a second signal has ended the run.
    pub(super) fn interrupted(&self, message: &str) {
        // Who presses twice does not wait for a file that cannot be written.
        if let Err(TryLockError::WouldBlock) = self.is_told.try_lock() {
            return;
        }
        let error = json!({
            "code": null,
            "kind": "interrupted",
            "message": message,
            "hint": "run the job again: it goes on from its newest checkpoint",
        });
        self.ended(&error);
    }

    fn ended(&self, error: &Value) {
        let object = json!({ "job": self.job, "finished": false, "error": error });
        // The run has failed already; that nobody can be told does not end it in another way.
        if let Err(error) = self.give(&object) {
            terminal::note("warning", Tone::Warning, &error.to_string());
        }
    }
}

/// Whoever reads the file finds all of the object or none of it.
fn write(path: &Path, line: &str) -> std::io::Result<()> {
    let partial = partial(path);
    File::create(&partial)?.write_all(line.as_bytes())?;
    std::fs::rename(partial, path)
}

fn partial(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    name.into()
}

/// The kind of an error, as a word that stays the same.
fn kind(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::BadInput => "bad_input",
        ErrorKind::UserCode => "user_code",
        ErrorKind::Configuration => "configuration",
        ErrorKind::Unavailable => "unavailable",
        ErrorKind::Fenced => "fenced",
        ErrorKind::Damaged => "damaged",
        ErrorKind::Rejected => "rejected",
        _ => "internal",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(file: &Path) -> ForPrograms {
        let file = Some(file.to_path_buf());
        ForPrograms { job: Some("sums".into()), file, ..ForPrograms::default() }
    }

    #[test]
    fn an_error_is_told_with_all_that_it_says() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("summary.json");
        let programs = to(&file);
        programs.prepare().unwrap();
        assert!(!file.exists());
        programs.failed(
            &Error::damaged("bits\n  what to do: not this").at("object x").hint("restore\u{9b}"),
        );
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(!text.contains('\u{9b}'), "a terminal that shows the file does nothing: {text:?}");
        let told: Value = serde_json::from_str(&text).unwrap();
        let error = json!({
            "code": "SF0600", "kind": "damaged", "hint": "restore\u{9b}",
            "message": "object x: bits\\n  what to do: not this",
        });
        assert_eq!(told, json!({ "job": "sums", "finished": false, "error": error }));
        assert_eq!(
            std::fs::read_dir(folder.path()).unwrap().count(),
            1,
            "nothing is left beside it"
        );

        // What comes after the first is not told.
        programs.interrupted("a second signal");
        programs.give(&json!({ "finished": true })).unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&std::fs::read(&file).unwrap()).unwrap(), told);
    }

    #[test]
    fn a_file_that_cannot_be_written_is_refused_before_the_run() {
        let folder = tempfile::tempdir().unwrap();
        let error = to(&folder.path().join("no/such/folder.json")).prepare().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
    }
}
