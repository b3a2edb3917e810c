//! Prefix compression: a run of byte strings, each without what it begins with like the one before it.
//!
//! Keys of one group lie in the order in which they came; ids that are counted up, and times beside
//! them, share most of their bytes with their neighbour. It knows nothing of what the bytes mean.

/// Writes a run.
#[derive(Default)]
pub(super) struct FrontWriter {
    before: Vec<u8>,
    next: Vec<u8>,
}

impl FrontWriter {
    /// Begins another run.
    pub(super) fn restart(&mut self) {
        self.before.clear();
    }

    /// The empty buffer in which the next string is to be put together.
    #[inline]
    pub(super) fn next(&mut self) -> &mut Vec<u8> {
        self.next.clear();
        &mut self.next
    }

    /// Appends the string that was put together in [`FrontWriter::next`] to `out`.
    #[inline]
    pub(super) fn write(&mut self, out: &mut Vec<u8>) {
        let shared = shared_prefix(&self.before, &self.next);
        let added = self.next.len() - shared;
        if shared < 0x80 && added < 0x80 {
            // Nearly always; both at once, because the vector is asked for room each time.
            out.extend_from_slice(&[shared as u8, added as u8]);
        } else {
            put_varint(out, shared);
            put_varint(out, added);
        }
        out.extend_from_slice(&self.next[shared..]);
        std::mem::swap(&mut self.before, &mut self.next);
    }
}

/// Reads a run.
#[derive(Default)]
pub(super) struct FrontReader {
    string: Vec<u8>,
}

impl FrontReader {
    /// Takes the next string off the front of `bytes`; none if they are not such a run.
    #[inline]
    pub(super) fn read(&mut self, bytes: &mut &[u8]) -> Option<&[u8]> {
        let shared = take_varint(bytes)?;
        let added = take_varint(bytes)?;
        let (added, rest) = bytes.split_at_checked(added)?;
        if shared > self.string.len() {
            return None;
        }
        *bytes = rest;
        self.string.truncate(shared);
        self.string.extend_from_slice(added);
        Some(&self.string)
    }
}

/// How many bytes the two have in common at the front, eight at a time.
#[inline]
fn shared_prefix(a: &[u8], b: &[u8]) -> usize {
    let (a_words, _) = a.as_chunks::<8>();
    let (b_words, _) = b.as_chunks::<8>();
    for (number, (x, y)) in a_words.iter().zip(b_words).enumerate() {
        let differ = u64::from_le_bytes(*x) ^ u64::from_le_bytes(*y);
        if differ != 0 {
            return number * 8 + differ.trailing_zeros() as usize / 8;
        }
    }
    let words = a_words.len().min(b_words.len()) * 8;
    let rest = a[words..].iter().zip(&b[words..]);
    words + rest.take_while(|(x, y)| x == y).count()
}

/// Seven bits in each byte, the lowest first; the highest bit says that more follow.
#[inline]
fn put_varint(out: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

#[inline]
fn take_varint(bytes: &mut &[u8]) -> Option<usize> {
    let (mut number, mut shift) = (0, 0);
    loop {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= usize::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(number);
        }
        shift += 7;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(strings: &[Vec<u8>]) -> Vec<u8> {
        let (mut writer, mut out) = (FrontWriter::default(), Vec::new());
        for string in strings {
            writer.next().extend(string);
            writer.write(&mut out);
        }
        out
    }

    #[test]
    fn what_repeats_is_not_written_again() {
        let strings = ["evt_000000012345", "evt_000000012401"].map(|s| s.as_bytes().to_vec());
        assert_eq!(written(&strings), b"\0\x10evt_000000012345\x0d\x03401");
    }

    /// The lengths around which one byte becomes two, shared and added.
    #[test]
    fn long_strings_that_share_much_or_little_are_read_as_they_were_written() {
        let string =
            |shared: usize, with: u8, added: usize| [vec![1; shared], vec![with; added]].concat();
        for (shared, added) in
            [(127, 1), (128, 1), (1, 127), (1, 128), (300, 0), (128, 128), (1000, 127)]
        {
            let strings = [(shared, 3, 200), (shared, 2, added), (shared + 1, 2, added)]
                .map(|(shared, with, added)| string(shared, with, added));
            let out = written(&strings);
            let (mut reader, mut rest) = (FrontReader::default(), out.as_slice());
            for string in &strings {
                assert_eq!(reader.read(&mut rest), Some(string.as_slice()), "{shared}, {added}");
            }
        }
    }

    #[test]
    fn a_length_of_any_size_survives() {
        for number in [0, 1, 127, 128, 300, 1 << 20, usize::MAX] {
            let mut out = Vec::new();
            put_varint(&mut out, number);
            assert_eq!(take_varint(&mut out.as_slice()), Some(number));
            assert_eq!(take_varint(&mut &out[..out.len() - 1]), None);
        }
        assert_eq!(take_varint(&mut [0xff; 12].as_slice()), None);
    }

    proptest! {
        /// Few distinct bytes, so that much is shared.
        #[test]
        fn a_run_is_read_as_it_was_written(
            strings in prop::collection::vec(prop::collection::vec(0..2_u8, 0..30), 0..20)
        ) {
            let out = written(&strings);
            let (mut reader, mut rest) = (FrontReader::default(), out.as_slice());
            for string in &strings {
                prop_assert_eq!(reader.read(&mut rest), Some(string.as_slice()));
            }
            prop_assert!(rest.is_empty());
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let (mut reader, mut rest) = (FrontReader::default(), bytes.as_slice());
            while !rest.is_empty() && reader.read(&mut rest).is_some() {}
        }
    }
}
