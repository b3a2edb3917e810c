//! What every [`Decoder`] and [`Encoder`] must pass.
//!
//! It knows nothing of what a format looks like: it is given records or payloads and breaks them itself.

use std::fmt::Debug;

use steadfast_core::format::{Decoder, Encoder, Payload};

use crate::rule::Rule;

/// Runs all checks of the [`Decoder`] contract on `payloads`, of which some should be records and some not.
///
/// Records are compared by what [`Debug`] prints.
///
/// ```
/// use steadfast_core::format::{DecodeError, Decoder, Payload};
///
/// #[derive(Clone)]
/// struct Number;
///
/// impl Decoder for Number {
///     type Record = u64;
///
///     fn decode(&mut self, payload: Payload<'_>) -> Result<u64, DecodeError> {
///         payload.text()?.parse().map_err(|_| DecodeError::new("not a number"))
///     }
/// }
///
/// steadfast_conformance::decoder(&Number, &[b"17", b"0", b"many"]);
/// ```
///
/// # Panics
/// If a rule is broken, with the rule.
pub fn decoder<D: Decoder<Record: Debug>>(decoder: &D, payloads: &[&[u8]]) {
    let mut broken: Vec<Vec<u8>> = payloads.iter().map(|payload| payload.to_vec()).collect();
    broken.extend(payloads.iter().flat_map(|payload| variants(payload)));
    nothing_is_remembered(decoder, &broken);
    text_is_what_its_bytes_are(decoder, &broken);
    an_error_is_within_the_payload(decoder, &broken);
}

/// Runs all checks of the [`Encoder`] contract on `records`.
///
/// ```
/// # use steadfast_core::format::{EncodeError, Encoder};
/// # #[derive(Clone)]
/// # struct Number;
/// # impl Encoder for Number {
/// #     type Record = u64;
/// #     fn encode(&mut self, number: &u64, payload: &mut Vec<u8>) -> Result<(), EncodeError> {
/// #         payload.extend_from_slice(number.to_string().as_bytes());
/// #         Ok(())
/// #     }
/// # }
/// steadfast_conformance::encoder(&Number, &[17, 0]);
/// ```
///
/// # Panics
/// If a rule is broken, with the rule.
pub fn encoder<E: Encoder>(encoder: &E, records: &[E::Record]) {
    const APPENDS: Rule = Rule("an encoder appends, whatever it has encoded before");
    let alone = |record| {
        let mut payload = Vec::new();
        encoder.clone().encode(record, &mut payload).map(|()| payload)
    };
    let (mut used, mut all, mut expected) =
        (encoder.clone(), b"before".to_vec(), b"before".to_vec());
    for record in records.iter().chain(records.iter().rev()) {
        let before = all.len();
        if let Err(error) = used.encode(record, &mut all) {
            all.truncate(before);
            APPENDS.equal(&alone(record).err(), &Some(error));
            continue;
        }
        expected.extend(APPENDS.answered(alone(record)));
        APPENDS.equal(&all, &expected);
    }
}

/// Runs the checks of both contracts, and that what was encoded is decoded to what it was.
///
/// # Panics
/// If a rule is broken, with the rule.
pub fn format<R: Debug, F: Decoder<Record = R> + Encoder<Record = R>>(format: &F, records: &[R]) {
    const SAME: Rule = Rule("what was encoded is decoded to what it was");
    encoder(format, records);
    let mut payloads = Vec::new();
    for record in records {
        let mut payload = Vec::new();
        SAME.answered(format.clone().encode(record, &mut payload));
        let decoded = SAME.answered(format.clone().decode(Payload::Bytes(&payload)));
        SAME.equal(&format!("{decoded:?}"), &format!("{record:?}"));
        payloads.push(payload);
    }
    decoder(format, &payloads.iter().map(Vec::as_slice).collect::<Vec<_>>());
}

/// The payload cut off at each byte, without each, and with others in their places.
fn variants(payload: &[u8]) -> Vec<Vec<u8>> {
    let mut variants = Vec::new();
    for at in 0..payload.len() {
        let (before, behind) = (&payload[..at], &payload[at + 1..]);
        variants.push(before.to_vec());
        variants.push([before, behind].concat());
        for other in [b'"', b',', b'0', b'{', b'\n', b'\\', 0, 0xff] {
            variants.push([before, &[other], behind].concat());
            variants.push([before, &[other], &payload[at..]].concat());
        }
    }
    variants
}

fn shown<D: Decoder<Record: Debug>>(decoder: &mut D, payload: Payload<'_>) -> String {
    format!("{:?}", decoder.decode(payload))
}

fn nothing_is_remembered<D: Decoder<Record: Debug>>(decoder: &D, payloads: &[Vec<u8>]) {
    const SAME: Rule = Rule("what a payload becomes does not depend on what was decoded before it");
    let mut used = decoder.clone();
    // Forwards, backwards, and each one twice.
    let order = payloads.iter().chain(payloads.iter().rev());
    for payload in order.chain(payloads.iter().flat_map(|payload| [payload, payload])) {
        let alone = shown(&mut decoder.clone(), Payload::Bytes(payload));
        SAME.equal(&shown(&mut used, Payload::Bytes(payload)), &alone);
    }
}

fn text_is_what_its_bytes_are<D: Decoder<Record: Debug>>(decoder: &D, payloads: &[Vec<u8>]) {
    const SAME: Rule = Rule("text becomes what its bytes become");
    let mut used = decoder.clone();
    for payload in payloads {
        if let Ok(text) = str::from_utf8(payload) {
            let bytes = shown(&mut decoder.clone(), Payload::Bytes(payload));
            SAME.equal(&shown(&mut used, Payload::Text(text)), &bytes);
        }
    }
}

fn an_error_is_within_the_payload<D: Decoder>(decoder: &D, payloads: &[Vec<u8>]) {
    const WITHIN: Rule =
        Rule("the position of an error is within the payload, and its words in one line");
    for payload in payloads {
        let Err(error) = decoder.clone().decode(Payload::Bytes(payload)) else { continue };
        let words = error.to_string();
        WITHIN.holds(error.position().is_none_or(|at| at <= payload.len()), &(payload, &words));
        WITHIN.holds(!words.trim().is_empty() && !words.contains('\n'), &(payload, &words));
    }
}
