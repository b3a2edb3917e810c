//! Positions in files that a person chooses: what is known of files becomes what it would be if they had been read up to
//! there.
//!
//! It knows nothing of how files are divided and read.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::path::Path;

use steadfast_core::source::{Resumed, Seek, SeekTo};
use steadfast_core::{Cause, Error, Result};

use super::compression::{Compression, Contents};
use super::files::{Files, Present, unreadable};
use super::finished_file::{FinishedFile, path_hash};
use super::identity::Identity;
use super::known;
use super::split::{FileSplit, identified};

/// What is known of files that are read line by line, and where a person wants to have them read.
pub(super) struct Seeking<'a> {
    pub(super) files: &'a Files,
    /// Whether they go on growing while they are read.
    pub(super) are_followed: bool,
}

impl Seeking<'_> {
    /// See [`Source::seek`](steadfast_core::source::Source::seek).
    pub(super) fn seek(
        &self,
        resumed: Resumed<FileSplit>,
        seek: &Seek,
    ) -> Result<Resumed<FileSplit>> {
        if let Seek { split: None, to: SeekTo::Beginning } = seek {
            return Ok(Resumed::default());
        }
        let all = self.files.look()?.present;
        let sought = match &seek.split {
            None => all.iter().collect(),
            Some(name) => vec![called(&all, name)?],
        };
        let (mut rest, mut next_serial) = self.without(resumed, &all, &sought)?;
        for file in sought {
            let position = match &seek.to {
                SeekTo::Beginning => continue,
                SeekTo::End => self.end(file)?,
                SeekTo::Position(position) if seek.split.is_some() => {
                    self.beginning_of_line(file, position)?
                }
                SeekTo::Position(_) => {
                    let what = "each file has positions of its own: say which file is meant";
                    return Err(Error::because(Cause::OPTION, what).at(seek.to_string()));
                }
            };
            rest.splits.extend(self.read_up_to(position, file, next_serial)?);
            next_serial += 1;
        }
        Ok(rest)
    }

    /// What is known of all files but those that are sought, and the serial of the next one.
    fn without(
        &self,
        resumed: Resumed<FileSplit>,
        all: &[Present],
        sought: &[&Present],
    ) -> Result<(Resumed<FileSplit>, u64)> {
        let (known, next_serial) = known::all(resumed);
        let found = known::among(&known, all, self.files)?;
        let sought: BTreeSet<u64> = sought.iter().map(|file| path_hash(&file.path)).collect();
        let mut rest = Resumed::default();
        for (known, found) in known.into_iter().zip(found) {
            let path = found.map_or(known.path_hash(), |at| path_hash(&all[at].path));
            if sought.contains(&path) {
                continue;
            }
            let (splits, finished) = known.into_parts();
            rest.splits.extend(splits);
            rest.finished.extend(finished.iter().map(FinishedFile::encode));
        }
        Ok((rest, next_serial))
    }

    /// The splits of a file of which nothing is to be read before `position`.
    fn read_up_to(&self, position: u64, file: &Present, serial: u64) -> Result<Vec<FileSplit>> {
        let mut identity = Identity::default();
        identity.note(&file.status);
        let beginning = FileSplit::beginning(file.path.clone(), serial, identity);
        let length = file.status.length;
        let is_divided = !self.are_followed && Compression::of(&file.path).is_plain();
        let (before, behind) = match is_divided {
            false => (None, FileSplit { next: position, length, ..beginning }),
            true => {
                let part = FileSplit { length, ..beginning };
                let before = FileSplit { end: Some(position), next: position, ..part.clone() };
                let behind =
                    FileSplit { start: position, end: Some(length), next: position, ..part };
                (Some(before).filter(|before| before.next > 0), behind)
            }
        };
        before.into_iter().chain([behind]).map(|split| identified(split, self.files)).collect()
    }

    /// Just behind the last line of a file that has an end.
    fn end(&self, file: &Present) -> Result<u64> {
        let unreadable = |error| unreadable(&file.path, error);
        let input = self.files.file(&file.path);
        let contents = Contents::open(&input, 0, file.status.length).map_err(unreadable)?;
        behind_last_line(contents).map_err(unreadable)
    }

    fn beginning_of_line(&self, file: &Present, position: &str) -> Result<u64> {
        let wrong = |what: String| {
            Err(Error::because(Cause::OPTION, what).at(file.path.display().to_string()).hint(
                "a position is the number of bytes before the line with which to begin, those of the uncompressed \
                 contents; or write beginning or end",
            ))
        };
        let Ok(position) = position.parse::<u64>() else {
            return wrong(format!("'{position}' is no position"));
        };
        let Some(before) = position.checked_sub(1) else { return Ok(0) };
        match Contents::sample(&self.files.file(&file.path), before..position) {
            Ok(byte) if byte == b"\n" => Ok(position),
            Ok(byte) if byte.is_empty() => wrong(format!("the file ends before byte {position}")),
            Ok(_) => wrong(format!("no line begins at byte {position}")),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                wrong(format!("the file ends before byte {position}"))
            }
            Err(error) => Err(unreadable(&file.path, error)),
        }
    }
}

/// The one that a person means by `name`: its path, or the end of it.
fn called<'a>(all: &'a [Present], name: &str) -> Result<&'a Present> {
    let wrong = |what: String| {
        let some: Vec<_> = all.iter().take(5).map(|file| file.path.display().to_string()).collect();
        let more = if all.len() > some.len() { " and others" } else { "" };
        let hint = format!("the input is {}{more}", some.join(", "));
        Error::because(Cause::OPTION, what).at(name.to_string()).hint(hint)
    };
    let mut fitting = all.iter().filter(|file| file.path.ends_with(Path::new(name)));
    match (fitting.next(), fitting.next()) {
        (Some(file), None) => Ok(file),
        (None, _) => Err(wrong("there is no such file in the input".to_string())),
        (Some(_), Some(_)) => Err(wrong("several files of the input are called so".to_string())),
    }
}

fn behind_last_line(mut contents: impl Read) -> io::Result<u64> {
    let mut buffer = vec![0; 64 * 1024];
    let (mut read, mut behind) = (0, 0);
    loop {
        let block = match contents.read(&mut buffer)? {
            0 => return Ok(behind),
            length => &buffer[..length],
        };
        if let Some(last) = memchr::memrchr(b'\n', block) {
            behind = read + last as u64 + 1;
        }
        read += block.len() as u64;
    }
}
