//! What goes to the terminal: results to standard output, everything about the run to standard
//! error; colours where people look and nowhere else.

use std::io::{IsTerminal, Write};
use std::sync::OnceLock;

use serde_json::Value;
use steadfast_core::printable::{escaped_lines, is_harmful};
use steadfast_core::time::Clock;
use steadfast_core::{Error, Result};

use super::flags::LogFormat;
use super::line::{Fields, Line};
use crate::clock::SystemClock;

/// How lines of the run are written; until that is known, for people.
static LINES: OnceLock<Lines> = OnceLock::new();

/// The form of lines, and what each of them carries.
#[derive(Debug)]
pub(super) struct Lines {
    format: LogFormat,
    job: String,
    /// Known once the job is claimed.
    generation: OnceLock<u64>,
    clock: SystemClock,
}

impl Lines {
    /// Of a run of the job of this name.
    pub(super) fn new(format: LogFormat, job: &str) -> Self {
        let (job, generation) = (job.to_string(), OnceLock::new());
        Lines { format, job, generation, clock: SystemClock::new() }
    }

    /// Writes a line, with the job and its generation.
    pub(super) fn write(&self, mut line: Line) {
        let mut fields = Fields::default();
        fields.set("job", self.job.as_str().into());
        if let Some(generation) = self.generation.get() {
            fields.set("generation", (*generation).into());
        }
        fields.extend(&line.fields);
        line.fields = fields;
        let text = match self.format {
            LogFormat::Text => escaped_lines(&line.text()).into_owned(),
            LogFormat::Json => line.json(),
        };
        let mut err = std::io::stderr().lock();
        let clear = if err.is_terminal() { "\r\x1b[K" } else { "" };
        let _ = err.write_all(format!("{clear}{text}\n").as_bytes());
    }

    /// Writes what is told to people, as a line for programs.
    fn tell(&self, event: &'static str, tone: Tone, text: &str, fields: Fields) {
        let level = match tone {
            Tone::Bad => "ERROR",
            Tone::Warning => "WARN",
            Tone::Good => "INFO",
        };
        let (at, message) = (self.clock.wall(), text.to_string());
        let target = "steadfast::cli";
        self.write(Line { at, level, target, event: Some(event), message, fields });
    }
}

/// From now on lines are written like this; the first to say so counts.
pub(super) fn tell(lines: Lines) -> &'static Lines {
    LINES.get_or_init(|| lines)
}

/// From now on lines carry this generation.
pub(super) fn tell_generation(generation: u64) {
    if let Some(lines) = LINES.get() {
        lines.generation.get_or_init(|| generation);
    }
}

fn for_programs() -> Option<&'static Lines> {
    LINES.get().filter(|lines| lines.format == LogFormat::Json)
}

/// Whether nothing but JSON may go to standard error.
pub(super) fn is_for_programs() -> bool {
    for_programs().is_some()
}

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

/// Writes text for people to standard output. A reader that has gone away, as `head` does, is no failure.
///
/// # Errors
/// `Unavailable` if it cannot be written for another reason.
pub fn print(text: &str) -> Result<()> {
    write(&escaped_lines(text))
}

/// Writes JSON to standard output, with everything escaped that could make a terminal do something: it says
/// the same.
///
/// # Errors
/// As [`print`].
pub fn print_json(json: &Value, is_pretty: bool) -> Result<()> {
    write(&json_text(json, is_pretty))
}

/// What [`print_json`] writes.
pub fn json_text(json: &Value, is_pretty: bool) -> String {
    let json = if is_pretty { format!("{json:#}\n") } else { format!("{json}\n") };
    let mut escaped = String::with_capacity(json.len());
    for c in json.chars() {
        // Outside of strings JSON has no other controls than the ends of lines.
        match is_harmful(c) && c != '\n' {
            true => escaped += &format!("\\u{:04x}", u32::from(c)),
            false => escaped.push(c),
        }
    }
    escaped
}

fn write(text: &str) -> Result<()> {
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
    if let Some(lines) = for_programs() {
        return lines.tell("note", tone, text, Fields::default());
    }
    let mut err = std::io::stderr().lock();
    let word = painted(word, tone, err.is_terminal());
    // What a progress line has left there goes first.
    let clear = if err.is_terminal() { "\r\x1b[K" } else { "" };
    let _ = writeln!(err, "{clear}{word}: {}", escaped_lines(text));
}

/// Writes a headline and what belongs below it to standard error; for programs, the same as an `object`.
pub fn report(headline: &str, text: &str, object: &Value) {
    if let Some(lines) = for_programs() {
        let mut fields = Fields::default();
        fields.set("summary", object.clone());
        return lines.tell("summary", Tone::Good, headline, fields);
    }
    let mut err = std::io::stderr().lock();
    let headline = painted(&escaped_lines(headline), Tone::Good, err.is_terminal());
    let _ = write!(err, "{headline}\n{}", escaped_lines(text));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_for_a_terminal_says_the_same() {
        let value = json!({ "key\u{9b}": "\u{1b}[2J\u{202e}é\n" });
        for is_pretty in [false, true] {
            let escaped = json_text(&value, is_pretty);
            assert!(!escaped.contains(|c| is_harmful(c) && c != '\n'), "{escaped}");
            assert_eq!(serde_json::from_str::<Value>(&escaped).unwrap(), value);
        }
    }
}
