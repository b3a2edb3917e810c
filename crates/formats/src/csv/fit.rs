//! Whether the columns that a header names are those that a struct needs, known before the first row is read.
//!
//! Which fields a struct needs is nowhere written: one may have a default, or another name. So the struct is asked: it
//! is made of values that stand for any, first of the columns that there are, then of one more for each field that
//! it says is missing. A type that refuses such a value is not judged: then its rows tell. It knows nothing of rows.

use std::collections::BTreeSet;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::de::{self, DeserializeOwned, Deserializer, Visitor, value};
use serde::forward_to_deserialize_any;

/// What a struct and the columns have not in common.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Misfit {
    /// Fields that it needs, and no column is called so.
    pub(super) missing: Vec<&'static str>,
    /// Fields that may be missing and are, where a column is called nearly so.
    pub(super) nearly: Vec<(&'static str, String)>,
}

/// What stands in the way of making a `T` of rows with these columns, if that can be known.
pub(super) fn misfit<T: DeserializeOwned>(columns: &[String]) -> Misfit {
    let mut given: BTreeSet<&str> = columns.iter().map(String::as_str).collect();
    let mut misfit = Misfit::default();
    let Some(fields) = fields::<T>() else { return misfit };
    if fields.iter().all(|field| given.contains(field)) {
        return misfit;
    }
    while let Err(Refused::Missing(field)) = made::<T>(&given) {
        // Who says so again is not helped by the value.
        if !given.insert(field) {
            break;
        }
        misfit.missing.push(field);
    }
    let strange = |column: &&String| !fields.contains(&column.as_str());
    for field in fields.iter().filter(|field| !given.contains(**field)) {
        let mut strangers = columns.iter().filter(strange);
        if let Some(column) = strangers.find(|column| bare(column) == bare(field)) {
            misfit.nearly.push((field, column.clone()));
        }
    }
    misfit
}

/// A `T` of rows with these columns. Code of the user that panics at a value which stands for any refuses it.
fn made<T: DeserializeOwned>(given: &BTreeSet<&str>) -> Result<(), Refused> {
    let make = || T::deserialize(Record { given }).map(drop);
    catch_unwind(AssertUnwindSafe(make)).unwrap_or(Err(Refused::Other))
}

/// The letters and digits of a name, in small letters: what is left of it when it is spelled in another way.
pub(super) fn bare(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The names of the fields of `T`, other names of the same ones included; none if it is no struct.
fn fields<T: DeserializeOwned>() -> Option<&'static [&'static str]> {
    match T::deserialize(Listing) {
        Err(Refused::Fields(fields)) => Some(fields),
        _ => None,
    }
}

/// Why no value was made.
#[derive(Debug)]
enum Refused {
    /// The struct has these fields; nothing more was asked for.
    Fields(&'static [&'static str]),
    Missing(&'static str),
    Other,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no value is made")
    }
}

impl std::error::Error for Refused {}

impl de::Error for Refused {
    fn custom<T: fmt::Display>(_message: T) -> Self {
        Refused::Other
    }

    fn missing_field(field: &'static str) -> Self {
        Refused::Missing(field)
    }
}

/// Asks a type for the names of its fields.
struct Listing;

impl<'de> Deserializer<'de> for Listing {
    type Error = Refused;

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Refused> {
        Err(Refused::Other)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, Refused> {
        Err(Refused::Fields(fields))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// A row in which each of the given columns holds something.
struct Record<'a> {
    given: &'a BTreeSet<&'a str>,
}

impl<'de> Deserializer<'de> for Record<'_> {
    type Error = Refused;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let entries = self.given.iter().map(|name| (*name, Something));
        visitor.visit_map(value::MapDeserializer::new(entries))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

macro_rules! integers {
    ($($method:ident $visit:ident),*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
            visitor.$visit(1)
        })*
    };
}

/// A value that most types take: one.
#[derive(Clone, Copy)]
struct Something;

impl<'de> de::IntoDeserializer<'de, Refused> for Something {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Something {
    type Error = Refused;

    /// The text of a field, as for every type that does not say what it is.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_str("1")
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_bool(true)
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_f32(1.0)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_f64(1.0)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_bytes(b"1")
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_bytes(b"1")
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_none()
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        let first = variants.first().copied().unwrap_or_default();
        visitor.visit_enum(value::StrDeserializer::new(first))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_unit()
    }

    integers! {
        deserialize_i8 visit_i8, deserialize_i16 visit_i16, deserialize_i32 visit_i32,
        deserialize_i64 visit_i64, deserialize_i128 visit_i128, deserialize_u8 visit_u8,
        deserialize_u16 visit_u16, deserialize_u32 visit_u32, deserialize_u64 visit_u64,
        deserialize_u128 visit_u128
    }

    forward_to_deserialize_any! { char str string seq tuple tuple_struct map struct identifier }
}
