//! What goes to the terminal: results to standard output, everything about the run to standard
//! error; colours where people look and nowhere else.

use std::io::{IsTerminal, Write};

use steadfast_core::{Error, Result};

/// Something that stands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// A failure.
    Bad,
    /// Something to look at.
    Warning,
    /// A headline or a success.
    Good,
}

fn painted(text: &str, tone: Tone, is_terminal: bool) -> String {
    if !is_terminal || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) {
        return text.to_string();
    }
    let code = match tone {
        Tone::Bad => "1;31",
        Tone::Warning => "1;33",
        Tone::Good => "1;32",
    };
    format!("\x1b[{code}m{text}\x1b[0m")
}

/// Without what could make a terminal do something: text may hold input of others.
fn harmless(text: &str) -> String {
    let harmless = |c: char| !c.is_control() || c == '\n' || c == '\t';
    let each = |c: char| match harmless(c) {
        true => c.to_string(),
        false => c.escape_unicode().to_string(),
    };
    match text.chars().all(harmless) {
        true => text.to_string(),
        false => text.chars().map(each).collect(),
    }
}

/// Writes to standard output. A reader that has gone away, as `head` does, is no failure.
///
/// # Errors
/// `Unavailable` if it cannot be written for another reason.
pub fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::unavailable("cannot write to standard output").caused_by(error))
        }
        _ => Ok(()),
    }
}

/// Writes a line to standard error, after a word that says what it is. If nobody can read it,
/// there is nobody to tell.
pub fn note(word: &str, tone: Tone, text: &str) {
    let mut err = std::io::stderr().lock();
    let word = painted(word, tone, err.is_terminal());
    // What a progress line has left there goes first.
    let clear = if err.is_terminal() { "\r\x1b[K" } else { "" };
    let _ = writeln!(err, "{clear}{word}: {}", harmless(text));
}

/// Writes a headline and what belongs below it to standard error.
pub fn report(headline: &str, text: &str) {
    let mut err = std::io::stderr().lock();
    let headline = painted(headline, Tone::Good, err.is_terminal());
    let _ = write!(err, "{headline}\n{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_have_written_does_nothing_to_a_terminal() {
        assert_eq!(harmless("{\"é\": 1}\n\tnext"), "{\"é\": 1}\n\tnext");
        assert_eq!(harmless("\u{1b}[2Jgone\r\u{9b}"), "\\u{1b}[2Jgone\\u{d}\\u{9b}");
    }
}
