//! Where a row ends, without looking at what is in it.
//!
//! The same grammar as the parser's, in constant memory: for rows that are too long to be parsed,
//! and to tell whether a quote is open.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    FieldStart,
    Unquoted,
    Quoted,
    /// Behind a quote within quotes: the first half of a doubled one, or the closing one.
    Quote,
}

/// How far into a row the scan has come.
pub(super) struct Extent {
    state: State,
    delimiter: u8,
}

impl Extent {
    /// At the beginning of a row.
    pub(super) fn new(delimiter: u8) -> Self {
        Extent { state: State::FieldStart, delimiter }
    }

    /// Goes on through `bytes`; the number of bytes that belong to the row, line end included, if
    /// it ends among them.
    pub(super) fn end_in(&mut self, bytes: &[u8]) -> Option<usize> {
        for (at, &byte) in bytes.iter().enumerate() {
            self.state = match (self.state, byte) {
                (State::Quoted, b'"') => State::Quote,
                (State::Quoted, _) => State::Quoted,
                (State::FieldStart | State::Quote, b'"') => State::Quoted,
                (_, byte) if byte == self.delimiter => State::FieldStart,
                (_, b'\r' | b'\n') => return Some(at + 1),
                _ => State::Unquoted,
            };
        }
        None
    }

    pub(super) fn is_in_quotes(&self) -> bool {
        self.state == State::Quoted
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_quote_is_special_at_the_beginning_of_a_field_only() {
        let open = |row: &str| {
            let mut extent = Extent::new(b',');
            (extent.end_in(row.as_bytes()), extent.is_in_quotes())
        };
        assert_eq!(open("a,b\nc"), (Some(4), false));
        assert_eq!(open("a,\"b\nc"), (None, true));
        assert_eq!(open("a,\"b\nc\"\r\n"), (Some(8), false));
        assert_eq!(open("a,\"b\"\"\nc\""), (None, false));
        assert_eq!(open("a,b\"\nc"), (Some(5), false));
        assert_eq!(open("a,\"b\"c\"\nd"), (Some(8), false));
    }

    proptest! {
        #[test]
        fn it_agrees_with_the_parser(text in "[a,\"\r\n]{1,40}") {
            let begin = text.len() - text.trim_start_matches(['\r', '\n']).len();
            let row = &text.as_bytes()[begin..];
            let mut parser = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(row);
            let has_row = parser.read_byte_record(&mut csv::ByteRecord::new()).unwrap();
            let parsed = parser.position().byte() as usize;
            let end = Extent::new(b',').end_in(row);
            prop_assert_eq!(end.unwrap_or(row.len()), if has_row { parsed } else { 0 });
        }
    }
}
