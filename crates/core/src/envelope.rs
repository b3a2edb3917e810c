//! A line that says what follows, then JSON that people can read.
//!
//! ```text
//! steadfast-log 4 bytes=311 crc32c=0badcafe
//! {"entry":"claim",…}
//! ```
//!
//! The line has the word, the version, the length, and the checksum of all else. That much stays in every
//! version, or a flipped bit could not be told from another release. It knows nothing of what the JSON says.

/// What one kind of file begins with.
#[derive(Clone, Copy, Debug)]
pub struct Envelope {
    /// The first word of the line.
    pub word: &'static str,
    /// The version that is written and read.
    pub version: u32,
}

/// Why there is nothing to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// It is not what was written.
    Damaged,
    /// A release with this version wrote it.
    Version(u32),
}

impl Envelope {
    /// The JSON with its line.
    ///
    /// ```
    /// use steadfast_core::envelope::{Envelope, Unreadable};
    ///
    /// let (one, two) = (Envelope { word: "w", version: 1 }, Envelope { word: "w", version: 2 });
    /// assert_eq!(one.open(&one.seal("{}")), Ok("{}"));
    /// assert_eq!(one.open(&two.seal("{}")), Err(Unreadable::Version(2)));
    /// assert_eq!(one.open(b"{}"), Err(Unreadable::Damaged));
    /// ```
    pub fn seal(&self, json: &str) -> Vec<u8> {
        format!("{}\n{json}", self.line(json)).into_bytes()
    }

    /// The JSON behind the line.
    ///
    /// # Errors
    /// See [`Unreadable`].
    pub fn open<'a>(&self, bytes: &'a [u8]) -> Result<&'a str, Unreadable> {
        let text = std::str::from_utf8(bytes).map_err(|_| Unreadable::Damaged)?;
        let (line, json) = text.split_once('\n').ok_or(Unreadable::Damaged)?;
        let version = line.split(' ').nth(1).and_then(|version| version.parse().ok());
        let version = version.ok_or(Unreadable::Damaged)?;
        if line != (Envelope { version, ..*self }).line(json) {
            return Err(Unreadable::Damaged);
        }
        if version == self.version { Ok(json) } else { Err(Unreadable::Version(version)) }
    }

    fn line(&self, json: &str) -> String {
        let line = format!("{} {} bytes={}", self.word, self.version, json.len());
        let crc = crc32c::crc32c_append(crc32c::crc32c(line.as_bytes()), json.as_bytes());
        format!("{line} crc32c={crc:08x}")
    }
}
