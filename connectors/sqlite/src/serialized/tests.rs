//! What is written of a struct equals what would be written by hand, or is an error.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use steadfast_core::ErrorKind;

use super::*;
use crate::fields;

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Level {
    Low,
    #[serde(rename = "very high")]
    High,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Cents(i64);

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Account {
    id: String,
    cents: Cents,
    count: u64,
    small: i8,
    is_open: bool,
    share: f64,
    letter: char,
    level: Level,
    #[serde(with = "bytes")]
    bytes: Vec<u8>,
    tags: Vec<String>,
    note: Option<String>,
    limit: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sums: Option<BTreeMap<String, f64>>,
}

mod bytes {
    use serde::{Deserializer, Serializer};

    #[expect(clippy::ptr_arg, reason = "serde hands over the field as it is")]
    pub fn serialize<S: Serializer>(bytes: &Vec<u8>, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(bytes)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        struct Bytes;
        impl serde::de::Visitor<'_> for Bytes {
            type Value = Vec<u8>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }
        }
        from.deserialize_byte_buf(Bytes)
    }
}

fn by_hand(account: &Account, row: &mut RowWriter) {
    row.text(&account.id);
    row.integer(account.cents.0);
    row.integer(i64::try_from(account.count).unwrap());
    row.integer(account.small.into());
    row.integer(account.is_open.into());
    row.real(account.share);
    row.text(&account.letter.to_string());
    row.text(match account.level {
        Level::Low => "Low",
        Level::High => "very high",
    });
    row.blob(&account.bytes);
    row.text(&serde_json::to_string(&account.tags).unwrap());
    match &account.note {
        Some(note) => row.text(note),
        None => row.null(),
    }
    match account.limit {
        Some(limit) => row.integer(limit.into()),
        None => row.null(),
    }
    match &account.sums {
        Some(sums) => row.text(&serde_json::to_string(sums).unwrap()),
        None => row.null(),
    }
}

fn accounts() -> impl Strategy<Value = Account> {
    let float = || proptest::num::f64::NORMAL | proptest::num::f64::ZERO;
    let numbers = (any::<i64>(), 0..=i64::MAX.cast_unsigned(), any::<i8>(), any::<bool>(), float());
    let words = (any::<String>(), any::<char>(), any::<bool>(), any::<Vec<u8>>());
    let sums = proptest::collection::btree_map(any::<String>(), float(), 0..3);
    let more = (
        proptest::collection::vec(any::<String>(), 0..3),
        proptest::option::of(any::<String>()),
        proptest::option::of(any::<u32>()),
        proptest::option::of(sums),
    );
    (numbers, words, more).prop_map(|(numbers, words, (tags, note, limit, sums))| {
        let (cents, count, small, is_open, share) = numbers;
        let (id, letter, is_high, bytes) = words;
        let level = if is_high { Level::High } else { Level::Low };
        let cents = Cents(cents);
        Account {
            id,
            cents,
            count,
            small,
            is_open,
            share,
            letter,
            level,
            bytes,
            tags,
            note,
            limit,
            sums,
        }
    })
}

proptest! {
    #[test]
    fn what_serde_writes_equals_what_is_written_by_hand(
        accounts in proptest::collection::vec(accounts(), 0..5),
    ) {
        let fields = fields::of::<Account>().unwrap();
        let (mut serde, mut hand) = (RowWriter::default(), RowWriter::default());
        for account in &accounts {
            serde.row(fields.len(), |row| write(account, &fields, row)).unwrap();
            hand.row(fields.len(), |row| {
                by_hand(account, row);
                Ok(())
            }).unwrap();
        }
        prop_assert_eq!(serde.take(), hand.take());
    }
}

/// The error with which a row of one field is refused, after a row that is taken.
fn refused<T: Serialize + serde::de::DeserializeOwned>(good: &T, bad: &T) -> String {
    let fields = fields::of::<T>().unwrap();
    let mut writer = RowWriter::default();
    writer.row(fields.len(), |row| write(good, &fields, row)).unwrap();
    let before = writer.len();
    let error = writer.row(fields.len(), |row| write(bad, &fields, row)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UserCode);
    assert_eq!(writer.len(), before, "half a row");
    error.to_string()
}

#[test]
fn a_value_that_sqlite_cannot_hold_is_an_error_with_column_and_value() {
    #[derive(Serialize, Deserialize)]
    struct Count {
        id: u8,
        count: u64,
    }
    let largest = i64::MAX.cast_unsigned();
    let error = refused(&Count { id: 1, count: largest }, &Count { id: 1, count: largest + 1 });
    assert!(error.contains("column 'count': 9223372036854775808"), "{error}");

    #[derive(Serialize, Deserialize)]
    struct Large {
        large: i128,
    }
    let large = |large| Large { large };
    let error = refused(&large(i64::MIN.into()), &large(i128::from(i64::MIN) - 1));
    assert!(error.contains("column 'large': -9223372036854775809"), "{error}");

    #[derive(Serialize, Deserialize)]
    struct Share {
        share: f32,
    }
    let error = refused(&Share { share: f32::INFINITY }, &Share { share: f32::NAN });
    assert!(error.contains("column 'share': NaN"), "{error}");

    #[derive(Serialize, Deserialize)]
    struct Shares {
        shares: Option<Vec<(u8, f64)>>,
    }
    let shares = |share| Shares { shares: Some(vec![(1, share)]) };
    for bad in [f64::NAN, f64::INFINITY] {
        let error = refused(&shares(1.5), &shares(bad));
        assert!(error.contains(&format!("column 'shares': {bad}")), "{error}");
    }
}

#[test]
fn a_field_that_is_left_out_is_missing_or_an_error() {
    fn is_zero(number: &u8) -> bool {
        *number == 0
    }
    #[derive(Serialize, Deserialize)]
    struct Sparse {
        #[serde(skip_serializing_if = "is_zero")]
        number: u8,
    }
    let error = refused(&Sparse { number: 1 }, &Sparse { number: 0 });
    assert!(error.contains("column 'number': a value is missing"), "{error}");
}

#[test]
fn fields_that_serialize_and_deserialize_do_not_share_are_an_error() {
    #[derive(Default, Serialize, Deserialize)]
    struct NotWritten {
        id: u8,
        #[serde(skip_serializing)]
        #[expect(dead_code)]
        secret: u8,
    }
    #[derive(Default, Serialize, Deserialize)]
    struct NotRead {
        id: u8,
        #[serde(skip_deserializing)]
        shown: u8,
    }
    #[derive(Default, Serialize, Deserialize)]
    struct Otherwise {
        #[serde(serialize_with = "as_text")]
        id: u8,
    }
    fn as_text<S: Serializer>(_: &u8, to: S) -> std::result::Result<S::Ok, S::Error> {
        to.serialize_str("0")
    }
    #[derive(Default, Deserialize)]
    #[expect(dead_code)]
    struct Turned {
        id: u8,
        number: u8,
    }
    impl Serialize for Turned {
        fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
            let mut fields = to.serialize_struct("Turned", 2)?;
            fields.serialize_field("number", &1)?;
            fields.serialize_field("id", &2)?;
            fields.end()
        }
    }
    fn error<T: Default + Serialize + serde::de::DeserializeOwned>() -> String {
        let fields = fields::of::<T>().unwrap();
        let row = |row: &mut RowWriter| write(&T::default(), &fields, row);
        RowWriter::default().row(fields.len(), row).unwrap_err().to_string()
    }
    assert!(error::<NotWritten>().contains("'secret' gets no value"));
    assert!(error::<Turned>().contains("'id' gets no value at its place"));
    assert!(error::<NotRead>().contains("no column for 'shown'"));
    assert!(
        error::<Otherwise>().contains("column 'id': by its Deserialize it holds whole numbers")
    );
}
