//! One payment, and how it is read from a line of JSON: every amount exact to the cent or refused.
//!
//! It knows nothing of accounts, balances or where the lines come from.

use std::fmt;

use compact_str::CompactString;
use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Money moved into or out of one account.
///
/// ```json
/// {"event_id":"evt_000000012345","account_id":"acct_0012345","amount":12.34,"type":"deposit","timestamp":1700000000123}
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// The same for every copy of this payment. Ids of up to 24 bytes are kept without allocation.
    #[serde(alias = "eventId")]
    pub event_id: CompactString,
    /// Whose balance changes.
    #[serde(alias = "accountId")]
    pub account_id: CompactString,
    /// How much, never negative.
    pub amount: Cents,
    /// In which direction.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// When it happened, in milliseconds since 1970.
    pub timestamp: i64,
}

impl Payment {
    /// What the payment adds to the balance: a withdrawal takes away.
    pub fn signed_cents(&self) -> i64 {
        match self.kind {
            Kind::Deposit => self.amount.0,
            Kind::Withdraw => -self.amount.0,
        }
    }
}

/// The direction of a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Into the account.
    Deposit,
    /// Out of the account.
    Withdraw,
}

/// An amount of money in hundredths, written in JSON as a number with at most two decimals.
///
/// The decimal number passes through an `f64` on its way, because that is what parsers are fast
/// at. Up to [`Cents::MAX_DECIMAL`] this loses nothing: there, neighbouring `f64` are less than
/// a thousandth apart, so the nearest `f64` of `n / 100` belongs to no other `n`, and that of a
/// number with a third decimal belongs to none. Amounts beyond that must be whole numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cents(pub i64);

impl Cents {
    /// The largest amount that may have decimals: eight trillion.
    pub const MAX_DECIMAL: f64 = 8e12;

    fn from_decimal(value: f64) -> Result<Self, &'static str> {
        if value < 0.0 {
            return Err("an amount is never negative");
        }
        if value > Self::MAX_DECIMAL {
            return Err("the amount is too large to be exact to the cent");
        }
        // Rounds, since the value is not negative; `f64::round` is a call without SSE 4.1.
        #[expect(clippy::cast_possible_truncation, reason = "MAX_DECIMAL is far within an i64")]
        let cents = (value * 100.0 + 0.5) as i64;
        // Division rounds correctly: it yields the very `f64` that a parser makes of these digits.
        #[expect(clippy::cast_precision_loss, reason = "MAX_DECIMAL is below 2^53 cents")]
        if cents as f64 / 100.0 == value {
            Ok(Cents(cents))
        } else {
            Err("the amount has more than two decimals")
        }
    }
}

impl fmt::Display for Cents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, cents) = (if self.0 < 0 { "-" } else { "" }, self.0.unsigned_abs());
        write!(f, "{sign}{}.{:02}", cents / 100, cents % 100)
    }
}

impl Serialize for Cents {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0 % 100 == 0 {
            return serializer.serialize_i64(self.0 / 100);
        }
        #[expect(clippy::cast_precision_loss, reason = "checked by reading it again")]
        let value = self.0 as f64 / 100.0;
        match Cents::from_decimal(value) {
            Ok(same) if same == *self => serializer.serialize_f64(value),
            _ => Err(serde::ser::Error::custom("the amount cannot be written as a JSON number")),
        }
    }
}

impl<'de> Deserialize<'de> for Cents {
    #[inline]
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_f64(CentsVisitor)
    }
}

struct CentsVisitor;

impl Visitor<'_> for CentsVisitor {
    type Value = Cents;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an amount: a number with at most two decimals, without quotes")
    }

    #[inline]
    fn visit_u64<E: Error>(self, value: u64) -> Result<Cents, E> {
        let cents = i64::try_from(value).ok().and_then(|whole| whole.checked_mul(100));
        cents.map(Cents).ok_or_else(|| E::custom("the amount is too large"))
    }

    #[inline]
    fn visit_i64<E: Error>(self, value: i64) -> Result<Cents, E> {
        match u64::try_from(value) {
            Ok(value) => self.visit_u64(value),
            Err(_) => Err(E::custom("an amount is never negative")),
        }
    }

    #[inline]
    fn visit_f64<E: Error>(self, value: f64) -> Result<Cents, E> {
        Cents::from_decimal(value).map_err(E::custom)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Cents, E> {
        Err(E::invalid_type(Unexpected::Str(value), &self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(amount: &str) -> Result<Cents, String> {
        let line = format!(
            r#"{{"event_id":"e","account_id":"a","amount":{amount},"type":"deposit","timestamp":1}}"#
        );
        serde_json::from_str::<Payment>(&line).map(|p| p.amount).map_err(|e| e.to_string())
    }

    #[test]
    fn amounts_are_exact_to_the_cent() {
        let cents = |amount| read(amount).unwrap().0;
        assert_eq!(cents("0.1") + cents("0.2"), cents("0.30"));
        assert_eq!(cents("1e2"), 10_000);
        assert_eq!(cents("12.340"), 1_234);
        assert_eq!(cents("0"), 0);
        assert_eq!(cents("-0.0"), 0);
        assert_eq!(cents("7999999999999.99"), 799_999_999_999_999);
        assert_eq!(cents("92233720368547758"), 9_223_372_036_854_775_800);
    }

    #[test]
    fn what_is_not_an_exact_amount_is_refused_with_the_reason() {
        for (amount, reason) in [
            ("12.345", "more than two decimals"),
            ("0.001", "more than two decimals"),
            ("0.009999999", "more than two decimals"),
            ("7999999999999.991", "more than two decimals"),
            ("-1", "never negative"),
            ("-0.01", "never negative"),
            ("92233720368547759", "too large"),
            ("18446744073709551616", "too large"),
            ("9000000000000.01", "too large"),
            ("1e300", "too large"),
            ("1e999", "out of range"),
            ("\"12.34\"", "string \"12.34\", expected an amount: a number"),
            ("null", "expected an amount: a number"),
        ] {
            let error = read(amount).unwrap_err();
            assert!(error.contains(reason), "{amount}: {error}");
        }
    }

    #[test]
    fn every_amount_of_cents_survives_being_written_and_read() {
        let all = (0..200_000).chain((0..9_000).map(|n| n * 88_888_888_889 % 800_000_000_000_000));
        for cents in all.map(Cents) {
            let by_digits = read(&cents.to_string());
            assert_eq!(by_digits, Ok(cents));
            let json = serde_json::to_string(&cents).unwrap();
            assert_eq!(serde_json::from_str::<Cents>(&json).unwrap(), cents);
        }
    }

    #[test]
    fn a_third_decimal_is_seen_at_every_size() {
        for whole in (0..43).map(|bit| 1_u64 << bit).filter(|&whole| whole < 8_000_000_000_000) {
            for thousandths in (1..1_000).filter(|t| t % 10 != 0) {
                let amount = format!("{whole}.{thousandths:03}");
                assert!(read(&amount).is_err(), "{amount}");
            }
        }
    }

    #[test]
    fn both_spellings_of_the_names_are_read() {
        let snake =
            r#"{"event_id":"e","account_id":"a","amount":1.5,"type":"withdraw","timestamp":7}"#;
        let camel =
            r#"{"timestamp":7,"type":"withdraw","amount":1.50,"accountId":"a","eventId":"e"}"#;
        let payment: Payment = serde_json::from_str(snake).unwrap();
        assert_eq!(payment, serde_json::from_str(camel).unwrap());
        assert_eq!(payment.signed_cents(), -150);
        assert_eq!(serde_json::to_string(&payment).unwrap(), snake);
    }
}
