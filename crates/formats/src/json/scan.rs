//! Finding ends in JSON text: of spaces, of strings, of numbers, of whole values. It knows nothing of serde.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH_BITS: u64 = 0x8080_8080_8080_8080;

/// More digits than these do not fit an integer for sure.
const INTEGER_DIGITS: usize = 18;
/// Of so many digits a float is exact before it is divided, so that one division rounds it once, and right
/// (Clinger, *How to Read Floating Point Numbers Accurately*, 1990).
const FLOAT_DIGITS: usize = 15;
/// Values that are nested deeper are left to a parser that watches its stack.
const DEPTH: usize = 64;

const POWERS_OF_TEN: [f64; FLOAT_DIGITS + 1] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

/// The end of the spaces that begin at `at`.
#[inline]
pub(super) fn space_end(text: &[u8], mut at: usize) -> usize {
    while matches!(text.get(at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
        at += 1;
    }
    at
}

/// The end of what is in a string as it is: the first quote, backslash or control character from `at` on.
#[inline]
pub(super) fn plain_end(text: &[u8], mut at: usize) -> usize {
    while let Some(eight) = text.get(at..at + 8).and_then(|bytes| bytes.first_chunk()) {
        let special = special_bytes(u64::from_le_bytes(*eight));
        if special != 0 {
            return at + (special.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    let rest = text.get(at..).unwrap_or_default();
    let special = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20));
    at + special.unwrap_or(rest.len())
}

/// The high bit of the first byte of eight that is a quote, a backslash or a control character, and perhaps of some
/// behind it (Mycroft's test for zero bytes, which is exact up to the first one).
#[inline]
fn special_bytes(eight: u64) -> u64 {
    let is_zero = |bytes: u64| bytes.wrapping_sub(ONES) & !bytes;
    let quote = is_zero(eight ^ (ONES * b'"' as u64));
    let backslash = is_zero(eight ^ (ONES * b'\\' as u64));
    let control = eight.wrapping_sub(ONES * 0x20) & !eight;
    (quote | backslash | control) & HIGH_BITS
}

/// A number without an exponent and with few digits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number {
    Unsigned(u64),
    /// Below zero.
    Negative(i64),
    Float(f64),
}

/// The number at `at`, and its end; `None` if it is none, or not simple.
#[inline]
pub(super) fn simple_number(text: &[u8], at: usize) -> Option<(Number, usize)> {
    let is_negative = text.get(at) == Some(&b'-');
    let start = at + usize::from(is_negative);
    let (whole, end) = digits(text, start, 0);
    let count = end - start;
    if count == 0 || count > INTEGER_DIGITS || (count > 1 && text[start] == b'0') {
        return None;
    }
    match text.get(end) {
        Some(b'.') => {}
        Some(b'e' | b'E') => return None,
        _ if !is_negative => return Some((Number::Unsigned(whole), end)),
        // Minus zero is a float.
        _ if whole == 0 => return None,
        _ => return Some((Number::Negative(-(whole as i64)), end)),
    }
    let (significand, float_end) = digits(text, end + 1, whole);
    let decimals = float_end - end - 1;
    if decimals == 0
        || count + decimals > FLOAT_DIGITS
        || matches!(text.get(float_end), Some(b'e' | b'E'))
    {
        return None;
    }
    let value = significand as f64 / POWERS_OF_TEN[decimals];
    Some((Number::Float(if is_negative { -value } else { value }), float_end))
}

/// The digits from `at` on behind those of `number`, and their end. Of too many digits the number means nothing.
#[inline]
fn digits(text: &[u8], mut at: usize, mut number: u64) -> (u64, usize) {
    while let Some(digit) = text.get(at).map(|byte| byte.wrapping_sub(b'0'))
        && digit < 10
    {
        number = number.wrapping_mul(10).wrapping_add(u64::from(digit));
        at += 1;
    }
    (number, at)
}

/// The end of the value that begins at `at`, if the text is JSON; `None` if the value has no end, or is nested deeply.
/// Whether it is a value is for a parser to say.
#[cold]
pub(super) fn value_end(text: &[u8], mut at: usize) -> Option<usize> {
    let mut depth = 0_usize;
    loop {
        match text.get(at)? {
            b'"' => at = string_end(text, at + 1)?,
            b'{' | b'[' => {
                depth += 1;
                at += 1;
            }
            b'}' | b']' => {
                depth = depth.checked_sub(1)?;
                at += 1;
            }
            _ if depth > 0 => at += 1,
            _ => {
                let word = text[at..].iter();
                let is_behind =
                    |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r');
                at += word.take_while(|byte| !is_behind(byte)).count();
            }
        }
        if depth > DEPTH {
            return None;
        }
        if depth == 0 {
            return Some(at);
        }
    }
}

/// The end of a string, the quote included, of which the contents begin at `at`.
fn string_end(text: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at = plain_end(text, at);
        match text.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_plain_text_is_found_at_every_place_of_a_word() {
        for length in 0..40 {
            for (at, special) in (0..length).flat_map(|at| [(at, b'"'), (at, b'\\'), (at, 0x1f)]) {
                for other in [b'!', b'#', b'[', b']', b' ', 0x7f, 0x80, 0xa2, 0xdc, 0xff] {
                    let mut text = vec![other; length];
                    assert_eq!(plain_end(&text, 0), length);
                    text[at] = special;
                    assert_eq!(plain_end(&text, 0), at);
                }
            }
        }
    }

    #[test]
    fn simple_numbers_are_those_that_a_parser_reads() {
        let read = |text: &str| simple_number(text.as_bytes(), 0);
        assert_eq!(read("0,"), Some((Number::Unsigned(0), 1)));
        assert_eq!(read("-17}"), Some((Number::Negative(-17), 3)));
        assert_eq!(read("12.50"), Some((Number::Float(12.5), 5)));
        let longest = "999999999999999999";
        assert_eq!(read(longest), Some((Number::Unsigned(999_999_999_999_999_999), 18)));
        for hard in [
            "",
            "-",
            "01",
            "-0",
            "1.",
            ".5",
            "1e3",
            "1.5E3",
            "1234567890123456789",
            "0.1234567890123456",
            "12.34567890123456",
        ] {
            assert_eq!(read(hard), None, "{hard}");
        }
    }

    #[test]
    fn the_end_of_a_value_is_behind_its_last_bracket() {
        let end = |text: &str| value_end(text.as_bytes(), 0);
        assert_eq!(end(r#"{"a":["}",{"b":"\"]"}]},"c""#), Some(23));
        assert_eq!(end(r#""a\\"x"#), Some(5));
        assert_eq!(end("1e5 ,"), Some(3));
        assert_eq!(end("true"), Some(4));
        for hard in ["{", "[1,2", r#""a"#, r#""a\"#, "}", &"[".repeat(100)] {
            assert_eq!(end(hard), None, "{hard}");
        }
    }
}
