//! The format suites, on numbers: as they should be, and with one mistake at a time.

mod bite;

use steadfast_core::format::{DecodeError, Decoder, EncodeError, Encoder, Payload};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Mistake {
    None,
    RemembersAnError,
    RemembersAReading,
    CutsBytes,
    PointsBehindTheEnd,
    SpeaksInLines,
    SaysNothing,
    Overwrites,
    WritesOnceOnly,
    LosesTheSign,
}

#[derive(Clone)]
struct Numbers {
    mistake: Mistake,
    failed: bool,
    last: Option<i64>,
}

impl Decoder for Numbers {
    type Record = i64;

    fn decode(&mut self, payload: Payload<'_>) -> Result<i64, DecodeError> {
        let mistake = self.mistake;
        if mistake == Mistake::RemembersAnError && self.failed {
            return Err(DecodeError::new("failed before"));
        }
        let text = match payload {
            Payload::Bytes(bytes) if mistake == Mistake::CutsBytes => {
                String::from_utf8_lossy(&bytes[..bytes.len().min(1)]).into_owned()
            }
            payload => payload.text()?.to_string(),
        };
        if let Ok(number) = text.parse::<i64>() {
            self.last = Some(number);
            let is_lost = mistake == Mistake::LosesTheSign;
            return Ok(if is_lost { number.wrapping_abs() } else { number });
        }
        self.failed = true;
        if mistake == Mistake::RemembersAReading
            && let Some(last) = self.last
        {
            return Ok(last);
        }
        Err(match mistake {
            Mistake::PointsBehindTheEnd => DecodeError::new("wrong").at(text.len() + 1),
            Mistake::SpeaksInLines => DecodeError::new("wrong:\nvery"),
            Mistake::SaysNothing => DecodeError::new(""),
            _ => DecodeError::new("not a number").at(0),
        })
    }
}

impl Encoder for Numbers {
    type Record = i64;

    fn encode(&mut self, number: &i64, payload: &mut Vec<u8>) -> Result<(), EncodeError> {
        if self.mistake == Mistake::Overwrites {
            payload.clear();
        }
        if self.mistake == Mistake::WritesOnceOnly && self.last.replace(*number).is_some() {
            return Ok(());
        }
        payload.extend_from_slice(number.to_string().as_bytes());
        Ok(())
    }
}

fn suite(mistake: Mistake) {
    let numbers = Numbers { mistake, failed: false, last: None };
    steadfast_conformance::format(&numbers, &[17, -170, i64::MIN]);
}

#[test]
fn a_right_format_passes() {
    suite(Mistake::None);
}

#[test]
fn every_mistake_is_seen() {
    let mistakes = [
        (Mistake::RemembersAnError, "does not depend on what was decoded before"),
        (Mistake::RemembersAReading, "does not depend on what was decoded before"),
        (Mistake::CutsBytes, "decoded to what it was"),
        (Mistake::PointsBehindTheEnd, "the position of an error"),
        (Mistake::SpeaksInLines, "the position of an error"),
        (Mistake::SaysNothing, "the position of an error"),
        (Mistake::Overwrites, "an encoder appends"),
        (Mistake::WritesOnceOnly, "an encoder appends"),
        (Mistake::LosesTheSign, "decoded to what it was"),
    ];
    bite::every_mistake_is_seen(mistakes, suite);
}
