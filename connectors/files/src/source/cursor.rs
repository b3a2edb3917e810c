//! How far a split has been read: what counts as progress, what is the rest of something that was
//! read half, and where the contents end.
//!
//! It is the same for every format; a cursor does not know what the records look like.

use steadfast_core::Result;
use steadfast_core::source::SourceOutput;

use super::compression::Compression;
use super::files::Files;
use super::place::Place;
use super::split::FileSplit;

/// See the module.
pub(super) struct Cursor {
    pub(super) split: FileSplit,
    pub(super) place: Place,
    is_plain: bool,
}

impl Cursor {
    /// At the position of `split`.
    pub(super) fn new(split: FileSplit, files: &Files) -> Self {
        let place = Place::new(files.file(&split.path));
        let is_plain = Compression::of(&split.path).is_plain();
        Cursor { split, place, is_plain }
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

    /// Takes note that everything before `position` has been handed over and that `taken` bytes
    /// came from the file itself. Returns how much of the input that is, in bytes of the file.
    #[inline]
    pub(super) fn advance(&mut self, position: u64, taken: u64) -> u64 {
        // Several parts of one file read a little over their ends; it counts once all the same.
        let within = |position: u64| self.split.end.map_or(position, |end| position.min(end));
        let amount = within(position).saturating_sub(within(self.split.next));
        self.split.next = position;
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
