//! The text between the values of an object, remembered from the object before.
//!
//! `{"id":17,"kind":"a"}` has three pieces: `{"id":`, `,"kind":` and `}`. An object that has the same pieces is read
//! by comparing them; where one differs it is parsed, and remembered for the next object. It knows nothing of values.

use std::ops::Range;

use super::scan::{plain_end, space_end};

/// The pieces of the last object.
#[derive(Clone, Default)]
pub(super) struct Shape {
    pieces: Vec<Piece>,
}

/// What stands before a value, or behind the last one.
#[derive(Clone, Default)]
struct Piece {
    text: Vec<u8>,
    /// Where in the text the key is that comes before the value; none behind the last value.
    key: Option<Range<usize>>,
}

/// What was found at a position of an object.
pub(super) enum Found {
    /// A key at this range of the text, and behind it a value that begins at `value`.
    Key { key: Range<usize>, value: usize },
    /// The end of the object, and of the text.
    End,
    /// Something that only a whole parser can tell.
    Unknown,
}

impl Shape {
    /// What stands at `at` of `text`, before the value of this number, from 0.
    #[inline]
    pub(super) fn find(&mut self, number: usize, text: &[u8], at: usize) -> Found {
        if let Some(piece) = self.pieces.get(number)
            && let Some(rest) = text.get(at..)
            && rest.starts_with(&piece.text)
        {
            let value = at + piece.text.len();
            match &piece.key {
                Some(key) => return Found::Key { key: at + key.start..at + key.end, value },
                None if value == text.len() => return Found::End,
                None => {}
            }
        }
        self.learn(number, text, at)
    }

    #[cold]
    fn learn(&mut self, number: usize, text: &[u8], at: usize) -> Found {
        let Some((key, end)) = parse(text, at, number == 0) else { return Found::Unknown };
        if self.pieces.len() <= number {
            self.pieces.resize_with(number + 1, Piece::default);
        }
        let piece = &mut self.pieces[number];
        piece.text.clear();
        piece.text.extend_from_slice(&text[at..end]);
        piece.key = key.clone().map(|key| key.start - at..key.end - at);
        match key {
            Some(key) => Found::Key { key, value: end },
            None => Found::End,
        }
    }
}

/// The key, if there is one, and the end of what stands between two values, at the beginning of an object, or at its
/// end. `None` if it is neither, or if the key has an escape.
fn parse(text: &[u8], at: usize, is_first: bool) -> Option<(Option<Range<usize>>, usize)> {
    let mut at = space_end(text, at);
    if is_first {
        at = space_end(text, expect(text, at, b'{')?);
    }
    if text.get(at) == Some(&b'}') {
        let end = space_end(text, at + 1);
        return (end == text.len()).then_some((None, end));
    }
    if !is_first {
        at = space_end(text, expect(text, at, b',')?);
    }
    let start = expect(text, at, b'"')?;
    let end = plain_end(text, start);
    let colon = space_end(text, expect(text, end, b'"')?);
    Some((Some(start..end), space_end(text, expect(text, colon, b':')?)))
}

/// What comes behind this byte, if it is there.
fn expect(text: &[u8], at: usize, byte: u8) -> Option<usize> {
    (text.get(at) == Some(&byte)).then_some(at + 1)
}
