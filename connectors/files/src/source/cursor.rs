//! How far a split has been read: what counts as progress, what is the rest of something that was
//! read half, and where the contents end.
//!
//! It is the same for every format; a cursor does not know what the records look like.

use std::io::{self, ErrorKind, Read};
use std::path::Path;

use steadfast_core::Result;
use steadfast_core::disk::FileStatus;
use steadfast_core::source::SourceOutput;

use super::compression::{Compression, Contents};
use super::files::{Files, InputFile};
use super::identity::{Fingerprint, Identity, SAMPLE_BYTES};
use super::place::Place;
use super::split::FileSplit;

/// See the module.
pub(super) struct Cursor {
    pub(super) split: FileSplit,
    pub(super) place: Place,
    is_plain: bool,
    /// No more of plain contents is read than this.
    limit: u64,
}

impl Cursor {
    /// At the position of `split`, of which no more is read than there was when it was planned.
    pub(super) fn new(split: FileSplit, files: &Files) -> Self {
        let place = Place::new(files.file(&split.path));
        let is_plain = Compression::of(&split.path).is_plain();
        let limit = split.length;
        Cursor { split, place, is_plain, limit }
    }

    /// At the position of `split`, which is read on as it grows.
    pub(super) fn of_growing(split: FileSplit, files: &Files) -> Self {
        Cursor { limit: u64::MAX, ..Cursor::new(split, files) }
    }

    /// The split is of this file now.
    pub(super) fn goes_on_in(&mut self, path: &Path, files: &Files) {
        self.split.path = path.to_path_buf();
        self.place = Place::new(files.file(path));
        self.is_plain = Compression::of(path).is_plain();
    }

    /// Whether the file is read on as it grows.
    pub(super) fn grows(&self) -> bool {
        self.limit == u64::MAX
    }

    /// Whether the contents are the bytes of the file.
    pub(super) fn is_plain(&self) -> bool {
        self.is_plain
    }

    /// Takes note that something has been read, and whether it had its end. If it had none, it was
    /// the last, and what is added to it later is not a record by itself.
    #[inline]
    pub(super) fn has_read(&mut self, ended: bool) {
        self.split.continues_half_line = !ended;
    }

    /// Rejects the rest of something that was read before it was complete, even if it looks like a
    /// record.
    #[cold]
    pub(super) fn reject_rest<T>(
        &mut self,
        rest: &[u8],
        offset: u64,
        ended: bool,
        output: &mut impl SourceOutput<T>,
    ) -> Result<()> {
        // Often what was missing was the line end and nothing else.
        if !rest.trim_ascii().is_empty() {
            let reason = "the rest of a line whose beginning was read before it was complete";
            output.reject(self.place.bad(rest, offset, reason.to_string()))?;
        }
        self.has_read(ended);
        Ok(())
    }

    /// Whether the split has no records that begin at `position` or later.
    #[inline]
    pub(super) fn is_behind_end(&self, position: u64) -> bool {
        self.split.end.is_some_and(|end| position >= end)
    }

    /// The split, where the last bytes before the position that it has come to are `passed`, and the first bytes
    /// of the contents have the fingerprint `head`.
    pub(super) fn split(
        &self,
        (position, passed): (u64, &[u8]),
        head: Option<Fingerprint>,
    ) -> FileSplit {
        let mut split = self.split.clone();
        // A part that begins in the middle of a line is opened behind its position.
        if split.next > 0 && split.next == position {
            split.identity.tail = Some(Fingerprint::of(passed));
        }
        split.identity.head = head;
        split
    }

    /// Opens the contents at the position of the split, after having seen that they are those that it was
    /// read from.
    pub(super) fn open(&mut self) -> Result<Opened> {
        let (split, place) = (&mut self.split, &self.place);
        let broken = |error| place.broken(split.next, error);
        let opened = Opened::at(&place.file, split.next, self.limit);
        let mut opened = match opened {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof && self.is_plain => {
                let length = place.file.status().map_err(broken)?.length;
                return Err(place.shorter(length, split.next));
            }
            opened => opened.map_err(broken)?,
        };
        let Identity { head, tail, .. } = split.identity;
        let differs = |known: Option<Fingerprint>, bytes: &[u8]| {
            known.is_some_and(|known| known != Fingerprint::of(bytes))
        };
        if differs(tail, &opened.before) {
            return Err(place.changed(split.next));
        }
        if head.is_some() {
            let first = Contents::sample(&place.file, 0..SAMPLE_BYTES as u64).map_err(broken)?;
            if differs(head, &first) {
                return Err(place.changed(split.next));
            }
        }
        opened.head = head;
        if tail.is_none() && !self.grows() && !self.is_planned(&opened.contents.status)? {
            return self.open();
        }
        self.split.identity.note(&opened.contents.status);
        Ok(opened)
    }

    /// Of a split of which nothing was read: whether `opened` is the file that was looked at when it was planned. If
    /// it is another, a split of a whole file is of that one from now on, and is to be opened again; a part fails,
    /// because other readers may have others of the old one. Not each system gives a file the same number each time:
    /// then its time and length tell.
    pub(super) fn is_planned(&mut self, opened: &FileStatus) -> Result<bool> {
        let FileSplit { start, end, length, identity, .. } = &mut self.split;
        let Some(((looked_at, modified_ns), opened_id)) = identity.file.zip(opened.id) else {
            return Ok(true);
        };
        let is_alike = opened.modified_ns == modified_ns && opened.length == *length;
        if opened_id == looked_at || is_alike {
            return Ok(true);
        }
        if *start > 0 || end.is_some_and(|end| end < *length) {
            return Err(self.place.replaced_unread());
        }
        (*length, *end) = (opened.length, end.map(|_| opened.length));
        identity.note(opened);
        self.limit = opened.length;
        Ok(false)
    }

    /// Takes note that everything before `position` has been handed over and that `taken` bytes
    /// came from the file itself. Returns how much of the input that is, in bytes of the file.
    #[inline]
    pub(super) fn advance(&mut self, position: u64, taken: u64) -> u64 {
        // Several parts of one file read a little over their ends; it counts once all the same.
        let within = |position: u64| self.split.end.map_or(position, |end| position.min(end));
        let amount = within(position).saturating_sub(within(self.split.next));
        self.split.next = position;
        if self.grows() {
            self.split.length = self.split.length.max(position);
        }
        if self.is_plain { amount } else { taken }
    }

    /// Takes note that the contents end at `position`.
    pub(super) fn end(&mut self, position: u64) -> Result<()> {
        if self.is_plain && position < self.split.length {
            return Err(self.place.shorter(position, self.split.length));
        }
        self.split.end = Some(position);
        Ok(())
    }
}

/// Contents that are open at a position.
pub(super) struct Opened {
    pub(super) contents: Contents,
    /// The last bytes before the position, as many as count for a fingerprint.
    pub(super) before: Vec<u8>,
    pub(super) position: u64,
    /// The fingerprint of the first bytes of the contents, if it is known.
    pub(super) head: Option<Fingerprint>,
}

impl Opened {
    /// Opens `file`, of whose contents no more than `length` bytes are read, at `position`.
    pub(super) fn at(file: &InputFile, position: u64, length: u64) -> io::Result<Self> {
        let back = position.min(SAMPLE_BYTES as u64);
        let mut contents = Contents::open(file, position - back, length.max(position))?;
        let mut before = vec![0; back as usize];
        contents.read_exact(&mut before)?;
        Ok(Opened { contents, before, position, head: None })
    }
}
