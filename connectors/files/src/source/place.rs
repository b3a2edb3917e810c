//! Saying where in a file something is wrong, for bad records and for errors.

use std::io::{self, ErrorKind, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use steadfast_core::disk::FileStatus;
use steadfast_core::source::BadRecord;
use steadfast_core::{Cause, Error};

use super::compression::{Compression, Contents};
use super::files::InputFile;
use super::identity::stamp;

/// Lines are not counted while reading, because that would cost something for every record. The
/// first few bad ones are worth reading the file from its beginning; with them a job under the
/// policy to fail is at its end anyway.
const COUNTS: u32 = 8;

/// How often line numbers may still be counted, shared by all readers of a source.
#[derive(Clone)]
pub(super) struct LineCounts(Arc<AtomicU32>);

impl LineCounts {
    pub(super) fn new() -> Self {
        LineCounts(Arc::new(AtomicU32::new(COUNTS)))
    }

    fn take(&self) -> bool {
        let one_less = |left: u32| left.checked_sub(1);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok()
    }
}

/// A file as the place of what is wrong in it.
pub(super) struct Place {
    pub(super) file: InputFile,
}

impl Place {
    pub(super) fn new(file: InputFile) -> Self {
        Place { file }
    }

    /// Whether something has happened to the file, which is still there by this name, since `status` was true of it.
    pub(super) fn has_changed(&self, status: &FileStatus) -> bool {
        let now = self.file.status().ok().filter(|now| now.id == status.id);
        now.is_some_and(|now| stamp(&now) != stamp(status))
    }

    /// Something that begins at byte `offset` of the contents and is not a record.
    #[cold]
    pub(super) fn bad(&self, raw: &[u8], offset: u64, reason: String) -> BadRecord {
        let counts = self.file.counts.take();
        let line = if counts { line_number(&self.file, offset).ok() } else { None };
        BadRecord {
            raw: raw.to_vec(),
            place: self.file.path.display().to_string(),
            offset,
            line,
            reason,
        }
    }

    /// Turns what the operating system or a decompressor says into what a user can act on.
    #[cold]
    pub(super) fn broken(&self, position: u64, error: io::Error) -> Error {
        let place = format!("{}, byte {position}", self.file.path.display());
        // Decompressors use these kinds, and the operating system does not.
        let by_decompressor = matches!(
            error.kind(),
            ErrorKind::InvalidData
                | ErrorKind::InvalidInput
                | ErrorKind::UnexpectedEof
                | ErrorKind::Other
        );
        if by_decompressor && !Compression::of(&self.file.path).is_plain() {
            return Error::because(Cause::CUT_OFF, "the compressed file is damaged or cut off")
                .caused_by(error)
                .at(place)
                .hint("fetch the file again; what was read up to here stays as it is");
        }
        Error::because(Cause::INPUT_AWAY, "cannot read the file").caused_by(error).at(place)
    }

    /// Nothing in the file can be read.
    #[cold]
    pub(super) fn unusable(&self, what: &str) -> Error {
        Error::because(Cause::UNUSABLE_FILE, what)
            .at(self.file.path.display().to_string())
            .hint("is it what its name says? The first line of a CSV file names the fields")
    }

    /// Another file has its name than the one that was looked at.
    #[cold]
    pub(super) fn replaced_unread(&self) -> Error {
        let what =
            "the file was replaced after the job had looked at it, and before all of it was opened";
        Error::because(Cause::INPUT_CHANGED, what)
            .at(self.file.path.display().to_string())
            .hint("start the job again: it reads the file that is there then")
    }

    /// What lies before `position` is not what was read.
    #[cold]
    pub(super) fn changed(&self, position: u64) -> Error {
        changed(&self.file.path, position)
    }

    /// The contents have been taken away before they were read, and nobody knows where to.
    #[cold]
    pub(super) fn truncated(&self, position: u64) -> Error {
        let what = format!(
            "the file was truncated or replaced in place: it was read up to byte {position}, and nobody can \
             tell what came behind that"
        );
        Error::because(Cause::INPUT_TRUNCATED, what).at(self.file.path.display().to_string()).hint(
            "if a rotation copies and truncates, give a pattern that the copy matches too, such as \
             'app.log*'; or go on without what is lost (replaced_files(Replaced::AreNew))",
        )
    }

    /// The contents end before they should.
    #[cold]
    pub(super) fn shorter(&self, length: u64, planned: u64) -> Error {
        shorter(&self.file.path, length, planned)
    }
}

/// The file has lost bytes that were there when it was looked at before.
pub(super) fn shorter(path: &Path, length: u64, before: u64) -> Error {
    let what = format!("the file has become shorter: {length} bytes, {before} before");
    Error::because(Cause::INPUT_SHORTER, what)
        .at(path.display().to_string())
        .hint(
            "positions in it mean nothing any more: put the old file back; or let replaced files count as new \
             ones (replaced_files(Replaced::AreNew)); or start from scratch with --reset (RunOptions::reset)",
        )
}

/// The file holds other bytes than those that were read.
pub(super) fn changed(path: &Path, position: u64) -> Error {
    Error::because(
        Cause::INPUT_CHANGED,
        format!("this is not the file that was read: what lies before byte {position} has changed"),
    )
    .at(path.display().to_string())
    .hint(
        "put the file back that was there; or let replaced files count as new ones \
         (replaced_files(Replaced::AreNew)); or start from scratch with --reset (RunOptions::reset)",
    )
}

/// The number of the line that begins at `offset`, from 1. In a file that has become shorter since there is
/// none.
fn line_number(file: &InputFile, offset: u64) -> io::Result<u64> {
    let mut contents = Contents::open(file, 0, offset)?.take(offset);
    let mut buffer = vec![0; 64 * 1024];
    let (mut lines, mut left) = (1, offset);
    while left > 0 {
        match contents.read(&mut buffer)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            n => {
                lines += memchr::memchr_iter(b'\n', &buffer[..n]).count() as u64;
                left = left.saturating_sub(n as u64);
            }
        }
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::super::files::Files;
    use super::*;

    #[test]
    fn a_line_of_a_file_that_has_become_shorter_has_no_number() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines");
        std::fs::write(&path, "a\nb\nc\n").unwrap();
        let file = Files::new([&path]).file(&path);
        assert_eq!(line_number(&file, 4).unwrap(), 3);
        std::fs::write(&path, "a\n").unwrap();
        assert!(line_number(&file, 4).is_err());
    }
}
