//! Text that does nothing but stand where it is shown: input of others may hold anything.
//!
//! It knows nothing of terminals: what it lets through is harmless to all of them.

use std::borrow::Cow;
use std::fmt::Write;

/// Whether a character makes whoever shows it do something else: controls, C1 controls too, and marks that
/// change the direction of what stands beside them, or end a line.
pub fn is_harmful(c: char) -> bool {
    let changes_direction = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}')
        || ('\u{202a}'..='\u{202e}').contains(&c)
        || ('\u{2066}'..='\u{2069}').contains(&c);
    c.is_control() || changes_direction || matches!(c, '\u{2028}' | '\u{2029}')
}

/// `text` in one line, with everything harmful written as it is in Rust: `\u{1b}`, `\n`.
///
/// ```
/// use steadfast_core::printable::escaped;
/// assert_eq!(escaped("caf\u{e9}\u{1b}[2J\tgone"), "caf\u{e9}\\u{1b}[2J\\tgone");
/// ```
pub fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match is_harmful(c) {
            false => escaped.push(c),
            true if c.is_ascii_whitespace() => escaped.extend(c.escape_default()),
            true => {
                // A string takes whatever is written to it.
                let _ = write!(escaped, "{}", c.escape_unicode());
            }
        }
    }
    Cow::Owned(escaped)
}

/// As [`escaped`], with lines and tabs left as they are: for text of which each part is ours or was escaped.
pub fn escaped_lines(text: &str) -> Cow<'_, str> {
    if !text.contains(|c| is_harmful(c) && c != '\n' && c != '\t') {
        return Cow::Borrowed(text);
    }
    let keep_tabs = |line: &str| line.split('\t').map(escaped).collect::<Vec<_>>().join("\t");
    Cow::Owned(text.split('\n').map(keep_tabs).collect::<Vec<_>>().join("\n"))
}

/// Several lines as one, with what indents them left out: for what libraries say.
pub fn one_line(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    escaped(&lines.collect::<Vec<_>>().join(" ")).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_have_written_does_nothing_to_whoever_shows_it() {
        assert_eq!(escaped("{\"é\": 1} 漢字 👍"), "{\"é\": 1} 漢字 👍");
        assert_eq!(
            escaped("\u{1b}[2Jgone\r\n\u{9b}\u{7f}\0"),
            "\\u{1b}[2Jgone\\r\\n\\u{9b}\\u{7f}\\u{0}"
        );
        assert_eq!(
            escaped("a\u{202e}b\u{2066}c\u{200f}\u{2028}"),
            "a\\u{202e}b\\u{2066}c\\u{200f}\\u{2028}"
        );
        assert_eq!(escaped_lines("a\u{1b}\n\tb\u{202e}"), "a\\u{1b}\n\tb\\u{202e}");
        assert_eq!(escaped_lines("a\n\tb"), "a\n\tb");
        assert_eq!(one_line("no:\n  left: 1\n\n right: \u{1b}2\n"), "no: left: 1 right: \\u{1b}2");
    }

    #[test]
    fn what_is_escaped_once_stays_as_it_is() {
        let once = escaped("\u{1b}\t\u{202e}").into_owned();
        assert_eq!(escaped(&once), once);
    }
}
