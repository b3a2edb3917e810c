//! Lines out of bytes that arrive in pieces.
//!
//! Whole lines are handed out in blocks, so that what is done once for a block (such as checking its encoding) is not
//! done for every line. It knows nothing of where the bytes come from.

use memchr::{memchr, memrchr};

/// A block stays in the nearest cache between being checked and being parsed.
const BLOCK_BYTES: usize = 32 * 1024;
/// How much is kept of a line that is too long to be kept whole.
pub(crate) const KEPT_BYTES: usize = 64 * 1024;

/// What has arrived on one connection and has not been passed.
pub(crate) struct Lines {
    bytes: Vec<u8>,
    /// How many of `bytes` have been passed.
    begin: usize,
    /// How many bytes behind `begin` hold no line end.
    searched: usize,
    /// Where `begin` stands in the stream.
    position: u64,
    /// How many lines have been passed.
    passed: u64,
    /// Whether the rest of a line is dropped as it arrives, because the line is too long.
    is_dropping: bool,
    longest: usize,
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// This many bytes are whole lines, each with its line end.
    Lines(usize),
    /// A line longer than allowed, of which the end has not arrived; see [`Lines::drop_line`].
    TooLong,
    /// No line end has arrived.
    Nothing,
}

impl Lines {
    /// The lines of a connection; one of more than `longest` bytes is not kept.
    pub(crate) fn new(longest: usize) -> Self {
        let (bytes, begin, searched, position, passed) = (Vec::new(), 0, 0, 0, 0);
        Lines { bytes, begin, searched, position, passed, is_dropping: false, longest }
    }

    /// Where the next line begins, in bytes from the beginning of the stream.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// How many lines come before it.
    pub(crate) fn passed(&self) -> u64 {
        self.passed
    }

    /// The first `length` bytes of what comes next.
    pub(crate) fn bytes(&self, length: usize) -> &[u8] {
        &self.bytes[self.begin..self.begin + length]
    }

    /// Leaves `bytes` behind, which are `lines` whole lines.
    pub(crate) fn pass(&mut self, bytes: usize, lines: u64) {
        self.begin += bytes;
        self.position += bytes as u64;
        self.passed += lines;
        self.searched = 0;
    }

    /// More has arrived.
    pub(crate) fn arrive(&mut self, mut bytes: &[u8]) {
        if self.is_dropping {
            let end = memchr(b'\n', bytes);
            let dropped = end.map_or(bytes.len(), |end| end + 1);
            self.position += dropped as u64;
            self.passed += u64::from(end.is_some());
            self.is_dropping = end.is_none();
            bytes = &bytes[dropped..];
        }
        self.bytes.drain(..self.begin);
        self.begin = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// What comes next of what has arrived. Lines are not passed by this; see [`Lines::pass`].
    pub(crate) fn next(&mut self) -> Next {
        let bytes = &self.bytes[self.begin..];
        let block = bytes.len().min(BLOCK_BYTES).max(self.searched);
        if let Some(found) = memrchr(b'\n', &bytes[self.searched..block]) {
            return Next::Lines(self.searched + found + 1);
        }
        if let Some(found) = memchr(b'\n', &bytes[block..]) {
            return Next::Lines(block + found + 1);
        }
        self.searched = bytes.len();
        if bytes.len() > self.longest { Next::TooLong } else { Next::Nothing }
    }

    /// What has arrived of a line of which the end has not.
    pub(crate) fn half_line(&self) -> &[u8] {
        &self.bytes[self.begin..]
    }

    /// Drops what has arrived of that line, and the rest as it arrives. Returns how many bytes have arrived.
    pub(crate) fn drop_line(&mut self) -> usize {
        let arrived = self.half_line().len();
        // The line counts as passed when its end has arrived.
        self.pass(arrived, 0);
        self.is_dropping = true;
        arrived
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The lines of `text`, which arrives in pieces of these sizes, with the numbers of lines and bytes before each;
    /// what is too long is cut.
    fn lines(text: &[u8], mut sizes: impl Iterator<Item = usize>, longest: usize) -> Vec<Seen> {
        let mut lines = Lines::new(longest);
        let (mut seen, mut rest) = (Vec::new(), text);
        loop {
            match lines.next() {
                Next::Lines(length) => {
                    let end = memchr(b'\n', lines.bytes(length)).unwrap();
                    let line = lines.bytes(end).to_vec();
                    let is_too_long = line.len() > longest;
                    seen.push(((!is_too_long).then_some(line), lines.passed(), lines.position()));
                    lines.pass(end + 1, 1);
                }
                Next::TooLong => {
                    assert!(lines.half_line().len() > longest);
                    seen.push((None, lines.passed(), lines.position()));
                    lines.drop_line();
                }
                Next::Nothing if rest.is_empty() => break,
                Next::Nothing => {
                    let piece = sizes.next().unwrap_or(1).clamp(1, rest.len());
                    lines.arrive(&rest[..piece]);
                    rest = &rest[piece..];
                }
            }
        }
        let half = lines.half_line();
        if !half.is_empty() {
            seen.push((Some(half.to_vec()), lines.passed(), lines.position()));
        }
        seen
    }

    /// A line, none if it is too long, and what comes before it.
    type Seen = (Option<Vec<u8>>, u64, u64);

    fn expected(text: &[u8], longest: usize) -> Vec<Seen> {
        let mut position = 0;
        let mut expected = Vec::new();
        for (number, line) in (0..).zip(text.split_inclusive(|byte| *byte == b'\n')) {
            let bare = line.strip_suffix(b"\n").unwrap_or(line);
            expected.push(((bare.len() <= longest).then(|| bare.to_vec()), number, position));
            position += line.len() as u64;
        }
        expected
    }

    proptest! {
        #[test]
        fn lines_do_not_depend_on_the_pieces_in_which_they_arrive(
            text in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'a'), any::<u8>()], 0..200),
            sizes in proptest::collection::vec(1_usize..30, 0..50),
            longest in 1_usize..20,
        ) {
            prop_assert_eq!(lines(&text, sizes.into_iter(), longest), expected(&text, longest));
        }
    }

    #[test]
    fn a_line_that_never_ends_is_not_kept() {
        let mut lines = Lines::new(100);
        lines.arrive(&[b'x'; 90]);
        assert_eq!(lines.next(), Next::Nothing);
        lines.arrive(&[b'x'; 90]);
        assert_eq!(lines.next(), Next::TooLong);
        assert_eq!(lines.drop_line(), 180);
        for _ in 0..1000 {
            lines.arrive(&[b'x'; 1000]);
            assert_eq!(lines.next(), Next::Nothing);
        }
        assert!(lines.bytes.capacity() < 1000, "{}", lines.bytes.capacity());
        lines.arrive(b"x\nnext\n");
        assert_eq!(lines.next(), Next::Lines(5));
        assert_eq!((lines.position(), lines.passed()), (180 + 1_000_000 + 2, 1));
    }

    #[test]
    fn blocks_are_no_longer_than_a_cache_unless_a_line_is() {
        let mut lines = Lines::new(1_000_000);
        lines.arrive(&b"0123456789\n".repeat(10_000));
        let Next::Lines(length) = lines.next() else { panic!("there are lines") };
        assert!(length <= BLOCK_BYTES && length > BLOCK_BYTES - 11, "{length}");
        let mut lines = Lines::new(1_000_000);
        lines.arrive(&[&[b'x'; 100_000][..], b"\ny\n"].concat());
        assert_eq!(lines.next(), Next::Lines(100_001));
    }
}
