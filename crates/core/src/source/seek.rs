//! Positions that a person chooses for a source, and how they are written.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

/// From where a source is to be read, whatever its last checkpoint says: see
/// [`Source::seek`](super::Source::seek).
///
/// ```
/// use steadfast_core::source::{Seek, SeekTo};
///
/// let tail = Seek::all(SeekTo::End);
/// assert_eq!(tail.to_string(), "end");
/// let again = Seek::split("logs/app.jsonl", "4096".parse()?);
/// assert_eq!(again.to_string(), "logs/app.jsonl=4096");
/// # Ok::<(), std::convert::Infallible>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seek {
    /// A part of the input, by the name that the source gives it for people; none: all of it.
    pub split: Option<String>,
    /// From where that is read.
    pub to: SeekTo,
}

/// A place in a part of the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SeekTo {
    /// Everything that is there, as if it had never been read.
    Beginning,
    /// What comes from now on.
    End,
    /// What the source calls a position, such as the number of a byte.
    Position(String),
}

impl Seek {
    /// The whole input.
    pub fn all(to: SeekTo) -> Self {
        Seek { split: None, to }
    }

    /// A part of it.
    pub fn split(split: impl Into<String>, to: SeekTo) -> Self {
        Seek { split: Some(split.into()), to }
    }
}

impl FromStr for SeekTo {
    type Err = Infallible;

    /// `beginning`, `end` or a position.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            "beginning" => SeekTo::Beginning,
            "end" => SeekTo::End,
            position => SeekTo::Position(position.to_string()),
        })
    }
}

impl fmt::Display for SeekTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SeekTo::Beginning => "beginning",
            SeekTo::End => "end",
            SeekTo::Position(position) => position,
        })
    }
}

impl fmt::Display for Seek {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.split {
            Some(split) => write!(f, "{split}={}", self.to),
            None => self.to.fmt(f),
        }
    }
}
