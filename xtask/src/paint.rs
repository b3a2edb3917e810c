//! Colours, for terminals only.

use std::env;
use std::io::{IsTerminal, stdout};

/// How a piece of text is to stand out.
#[derive(Clone, Copy)]
pub enum Paint {
    Bold,
    Good,
    Bad,
    Faint,
}

/// `text` in a colour if standard output is a terminal and `NO_COLOR` is not set.
pub fn paint(paint: Paint, text: &str) -> String {
    let plain = !stdout().is_terminal() || env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
    if plain {
        return text.to_owned();
    }
    let code = match paint {
        Paint::Bold => "1",
        Paint::Good => "32",
        Paint::Bad => "31",
        Paint::Faint => "2",
    };
    format!("\x1b[{code}m{text}\x1b[0m")
}
