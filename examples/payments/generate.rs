//! Writes payments to try a job on: any number of them, the same bytes for the same seed for ever.
//!
//! Every line is a pure function of the seed and its number, so a duplicate of an earlier event is
//! made by making that event again and nothing has to be remembered. Only integers are computed
//! with, and the random numbers are splitmix64, spelled out here: no library can change the data.
//!
//! It knows nothing of [`Payment`](super::event::Payment) or of what the right result is; checks
//! of a result come from elsewhere, so that one mistake cannot hide the other.

use std::io::{self, Write};

/// The time of the first event; each further one is a millisecond later.
const FIRST_TIMESTAMP_MS: u64 = 1_700_000_000_000;
/// How far back the original of a duplicate is looked for, in lines.
const DUPLICATE_DISTANCE: u64 = 100_000;
/// Amounts go from one cent to this many.
const MAX_CENTS: u64 = 100_000;
/// Lines are collected up to this size before they are written.
const CHUNK_BYTES: usize = 256 * 1024;

/// What to generate.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// Other seeds give other payments.
    pub seed: u64,
    /// How many lines are payments, duplicates included.
    pub events: u64,
    /// How many accounts the payments are spread over, evenly.
    pub accounts: u64,
    /// How many of a thousand payments are exact copies of an earlier one; at most 500 are.
    pub duplicate_rate_per_mille: u64,
    /// How many lines that are no payments are put in between, evenly spread, in addition.
    pub bad_lines: u64,
}

impl Default for Spec {
    fn default() -> Self {
        Spec {
            seed: 1,
            events: 1_000_000,
            accounts: 100_000,
            duplicate_rate_per_mille: 10,
            bad_lines: 0,
        }
    }
}

/// What has been generated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Generated {
    /// Lines that are payments, duplicates included.
    pub events: u64,
    /// Payments that are a copy of an earlier one.
    pub duplicates: u64,
    /// Lines that are no payments.
    pub bad_lines: u64,
    /// The size of it all.
    pub bytes: u64,
}

/// Writes the lines that `spec` describes.
///
/// # Errors
/// Whatever `out` returns.
pub fn generate(out: &mut impl Write, spec: &Spec) -> io::Result<Generated> {
    let mut done = Generated::default();
    let mut chunk = Vec::with_capacity(CHUNK_BYTES + 1024);
    for n in 0..spec.events {
        // Bad line `k` of `b` stands in the middle of the `k`-th of `b` equal stretches. Numbers
        // beyond 64 bits would need more events than anyone can write.
        while done.bad_lines < spec.bad_lines
            && (2 * done.bad_lines + 1) * spec.events <= 2 * spec.bad_lines * n
        {
            push_bad_line(&mut chunk, spec, done.bad_lines, n);
            done.bad_lines += 1;
        }
        let event = original(spec, n);
        done.duplicates += u64::from(event != n);
        push_event(&mut chunk, spec, event);
        if chunk.len() >= CHUNK_BYTES {
            out.write_all(&chunk)?;
            done.bytes += chunk.len() as u64;
            chunk.clear();
        }
    }
    while done.bad_lines < spec.bad_lines {
        push_bad_line(&mut chunk, spec, done.bad_lines, spec.events);
        done.bad_lines += 1;
    }
    out.write_all(&chunk)?;
    out.flush()?;
    done.events = spec.events;
    done.bytes += chunk.len() as u64;
    Ok(done)
}

/// The event that line `n` shows: `n` itself, or an earlier one of which the line is a copy.
fn original(spec: &Spec, n: u64) -> u64 {
    if !is_duplicate(spec, n) {
        return n;
    }
    let back = 1 + random(spec.seed, n, Draw::Distance) % DUPLICATE_DISTANCE.min(n);
    let mut event = n - back;
    // A copy of a copy would be a third line with the same id; the nearest original before it is
    // taken instead. Line 0 is an original.
    while is_duplicate(spec, event) {
        event -= 1;
    }
    event
}

fn is_duplicate(spec: &Spec, n: u64) -> bool {
    let rate = spec.duplicate_rate_per_mille.min(500);
    n > 0 && random(spec.seed, n, Draw::Duplicate) % 1000 < rate
}

/// `{"event_id":"evt_000000012345","account_id":"acct_0012345","amount":12.34,"type":"deposit",
/// "timestamp":1700000000123}` and a line feed.
fn push_event(line: &mut Vec<u8>, spec: &Spec, n: u64) {
    push_ids(line, spec, n);
    line.extend_from_slice(b",\"amount\":");
    push_amount(line, 1 + random(spec.seed, n, Draw::Amount) % MAX_CENTS);
    let kind = random(spec.seed, n, Draw::Kind) % 3;
    line.extend_from_slice(if kind == 0 {
        b",\"type\":\"withdraw\",\"timestamp\":".as_slice()
    } else {
        b",\"type\":\"deposit\",\"timestamp\":".as_slice()
    });
    push_number(line, FIRST_TIMESTAMP_MS + n, 1);
    line.extend_from_slice(b"}\n");
}

/// The beginning of a line, up to the account.
fn push_ids(line: &mut Vec<u8>, spec: &Spec, n: u64) {
    line.extend_from_slice(b"{\"event_id\":\"evt_");
    push_number(line, n, 12);
    line.extend_from_slice(b"\",\"account_id\":\"acct_");
    push_number(line, random(spec.seed, n, Draw::Account) % spec.accounts.max(1), 7);
    line.push(b'"');
}

/// A line that is no payment. There are seven kinds, which take turns.
fn push_bad_line(line: &mut Vec<u8>, spec: &Spec, number: u64, n: u64) {
    let with_amount = |line: &mut Vec<u8>, amount: &[u8]| {
        push_ids(line, spec, n);
        line.extend_from_slice(b",\"amount\":");
        line.extend_from_slice(amount);
        line.extend_from_slice(b",\"type\":\"deposit\",\"timestamp\":");
        push_number(line, FIRST_TIMESTAMP_MS + n, 1);
        line.extend_from_slice(b"}\n");
    };
    match number % 7 {
        0 => line.extend_from_slice(b"this line is not JSON\n"),
        1 => {
            push_ids(line, spec, n);
            line.extend_from_slice(b",\"type\":\"deposit\",\"timestamp\":1700000000000}\n");
        }
        2 => with_amount(line, b"\"12.34\""),
        3 => with_amount(line, b"12.345"),
        4 => {
            line.extend_from_slice(
                b"{\"event_id\":\"evt_\xff\xfe\",\"account_id\":\"acct_0000001\"",
            );
            line.extend_from_slice(b",\"amount\":1,\"type\":\"deposit\",\"timestamp\":1}\n");
        }
        5 => with_amount(line, b"1e300"),
        _ => {
            push_ids(line, spec, n);
            line.extend_from_slice(b",\"amo\n");
        }
    }
}

/// An amount as most programs write it: `12.34`, `12.5`, `12`.
fn push_amount(line: &mut Vec<u8>, cents: u64) {
    push_number(line, cents / 100, 1);
    match cents % 100 {
        0 => {}
        tenths if tenths % 10 == 0 => line.extend_from_slice(&[b'.', b'0' + (tenths / 10) as u8]),
        hundredths => {
            line.push(b'.');
            push_number(line, hundredths, 2);
        }
    }
}

/// `number` in at least `width` digits.
fn push_number(line: &mut Vec<u8>, mut number: u64, width: usize) {
    let mut digits = [b'0'; 20];
    let mut first = digits.len();
    while number > 0 {
        first -= 1;
        digits[first] = b'0' + (number % 10) as u8;
        number /= 10;
    }
    line.extend_from_slice(&digits[first.min(digits.len() - width)..]);
}

/// What a random number is drawn for; each has numbers of its own.
#[derive(Clone, Copy)]
enum Draw {
    Duplicate = 1,
    Distance = 2,
    Account = 3,
    Amount = 4,
    Kind = 5,
}

/// The random number for one trait of event `n`.
fn random(seed: u64, n: u64, draw: Draw) -> u64 {
    splitmix64(splitmix64(seed ^ ((draw as u64) << 56)).wrapping_add(n))
}

/// Sebastiano Vigna's splitmix64: one step from the given state.
fn splitmix64(state: u64) -> u64 {
    let z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn lines(spec: &Spec) -> (Vec<Vec<u8>>, Generated) {
        let mut bytes = Vec::new();
        let generated = generate(&mut bytes, spec).unwrap();
        assert_eq!(generated.bytes, bytes.len() as u64);
        assert_eq!(bytes.last(), Some(&b'\n'));
        let lines = bytes[..bytes.len() - 1].split(|&b| b == b'\n').map(<[u8]>::to_vec).collect();
        (lines, generated)
    }

    #[test]
    fn the_first_lines_stay_as_they_are_for_ever() {
        let (lines, _) = lines(&Spec { events: 3, ..Spec::default() });
        let lines: Vec<_> = lines.iter().map(|l| std::str::from_utf8(l).unwrap()).collect();
        let expected = [
            r#"{"event_id":"evt_000000000000","account_id":"acct_0067613","amount":477.89,"type":"withdraw","timestamp":1700000000000}"#,
            r#"{"event_id":"evt_000000000001","account_id":"acct_0099958","amount":110.12,"type":"deposit","timestamp":1700000000001}"#,
            r#"{"event_id":"evt_000000000002","account_id":"acct_0018865","amount":307.33,"type":"deposit","timestamp":1700000000002}"#,
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn duplicates_are_exact_copies_of_one_earlier_line() {
        let spec = Spec { events: 300_000, ..Spec::default() };
        let (lines, generated) = lines(&spec);
        let mut seen: HashMap<&[u8], usize> = HashMap::new();
        let mut duplicates = 0;
        for (n, line) in lines.iter().enumerate() {
            if let Some(first) = seen.get(&line[..30]) {
                duplicates += 1;
                assert_eq!(&lines[*first], line);
                assert!(n - first < DUPLICATE_DISTANCE as usize + 100);
            } else {
                seen.insert(&line[..30], n);
            }
        }
        assert_eq!(generated.duplicates, duplicates);
        assert!((2_700..3_300).contains(&duplicates), "{duplicates} of 300,000");
    }

    #[test]
    fn bad_lines_are_added_and_spread() {
        let spec = Spec { events: 1_000, accounts: 10, bad_lines: 14, ..Spec::default() };
        let (with, generated) = lines(&spec);
        let (without, _) = lines(&Spec { bad_lines: 0, ..spec });
        assert_eq!((with.len(), generated.bad_lines), (1_014, 14));
        let added: Vec<_> = (0..with.len()).filter(|&i| !without.contains(&with[i])).collect();
        assert_eq!(added.len(), 14);
        assert!(added.windows(2).all(|pair| pair[1] - pair[0] > 60));
    }

    #[test]
    fn numbers_are_padded_but_never_cut() {
        let mut out = Vec::new();
        push_number(&mut out, 0, 1);
        push_number(&mut out, 45, 7);
        push_number(&mut out, 12_345_678, 7);
        push_amount(&mut out, 1_205);
        push_amount(&mut out, 1_250);
        push_amount(&mut out, 1_200);
        assert_eq!(out, b"000000451234567812.0512.512");
    }
}
