//! A struct as a row: serde hands over its fields, each becomes the value of its column.
//!
//! A value that SQLite cannot hold as it is ends the job with an error that names column and value:
//! none is ever stored as another. It knows nothing of tables.

use std::fmt::{self, Display};

use serde::ser::{self, Impossible, SerializeStruct};
use serde::{Serialize, Serializer};
use steadfast_core::{Cause, Error, Result};

use crate::fields::Field;
use crate::row::RowWriter;
use scalar::Scalar;

/// Methods of a serializer that refuse what they are given.
macro_rules! refuse {
    ($what:literal: $($method:ident($($given:ty),*) -> $done:ty;)*) => {
        $(fn $method(self, $(_: $given),*) -> Result<$done, Unfit> {
            Err(self.refused($what))
        })*
    };
}

mod scalar;

/// Writes the fields of `record` as the values of a row.
///
/// # Errors
/// `UserCode` if a value cannot be stored as it is, or if the record gives other fields than those
/// that its type was found to have.
pub(crate) fn write(record: &impl Serialize, fields: &[Field], row: &mut RowWriter) -> Result<()> {
    record
        .serialize(Row { fields, row })
        .map_err(|Unfit(what)| Error::because(Cause::NOT_SERIALIZED, what))
}

/// Why a record is no row.
#[derive(Debug)]
pub(crate) struct Unfit(String);

impl Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unfit {}

impl ser::Error for Unfit {
    fn custom<T: Display>(message: T) -> Self {
        Unfit(message.to_string())
    }
}

/// The columns that have no value yet.
struct Row<'a> {
    fields: &'a [Field],
    row: &'a mut RowWriter,
}

impl<'a> Row<'a> {
    /// The column of the field `name`, which must be the next one.
    fn next(&mut self, name: &str) -> Result<&'a Field, Unfit> {
        match self.fields.split_first() {
            Some((field, rest)) if field.name == name => {
                self.fields = rest;
                Ok(field)
            }
            Some((field, _)) => Err(self.without(field)),
            None => Err(Unfit(format!(
                "there is no column for '{name}', which Serialize gives and Deserialize does not \
                 know: the two must have the same fields"
            ))),
        }
    }

    fn without(&self, field: &Field) -> Unfit {
        Unfit(format!(
            "column '{}' gets no value at its place: Serialize and Deserialize must have the same \
             fields in the same order",
            field.name
        ))
    }
}

impl SerializeStruct for Row<'_> {
    type Ok = ();
    type Error = Unfit;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Unfit> {
        let field = self.next(name)?;
        scalar::write(value, field, self.row)
    }

    fn skip_field(&mut self, name: &'static str) -> Result<(), Unfit> {
        let field = self.next(name)?;
        Scalar { field, row: self.row }.null()
    }

    fn end(self) -> Result<(), Unfit> {
        self.fields.first().map_or(Ok(()), |field| Err(self.without(field)))
    }
}

impl Row<'_> {
    fn refused(&self, what: &str) -> Unfit {
        Unfit(format!(
            "a row cannot be made of {what}: Serialize must give a struct with its fields"
        ))
    }
}

impl Serializer for Row<'_> {
    type Ok = ();
    type Error = Unfit;
    type SerializeSeq = Impossible<(), Unfit>;
    type SerializeTuple = Impossible<(), Unfit>;
    type SerializeTupleStruct = Impossible<(), Unfit>;
    type SerializeTupleVariant = Impossible<(), Unfit>;
    type SerializeMap = Impossible<(), Unfit>;
    type SerializeStruct = Self;
    type SerializeStructVariant = Impossible<(), Unfit>;

    fn serialize_struct(self, _name: &'static str, _fields: usize) -> Result<Self, Unfit> {
        Ok(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Result<(), Unfit> {
        value.serialize(self)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Unfit> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _value: &T,
    ) -> Result<(), Unfit> {
        Err(self.refused("a variant"))
    }

    refuse! { "a single value":
        serialize_bool(bool) -> ();
        serialize_i8(i8) -> ();
        serialize_i16(i16) -> ();
        serialize_i32(i32) -> ();
        serialize_i64(i64) -> ();
        serialize_u8(u8) -> ();
        serialize_u16(u16) -> ();
        serialize_u32(u32) -> ();
        serialize_u64(u64) -> ();
        serialize_f32(f32) -> ();
        serialize_f64(f64) -> ();
        serialize_char(char) -> ();
        serialize_str(&str) -> ();
        serialize_bytes(&[u8]) -> ();
        serialize_none() -> ();
        serialize_unit() -> ();
        serialize_unit_struct(&'static str) -> ();
    }

    refuse! { "a variant":
        serialize_unit_variant(&'static str, u32, &'static str) -> ();
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Impossible<(), Unfit>;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Impossible<(), Unfit>;
    }

    refuse! { "a sequence":
        serialize_seq(Option<usize>) -> Impossible<(), Unfit>;
        serialize_tuple(usize) -> Impossible<(), Unfit>;
        serialize_tuple_struct(&'static str, usize) -> Impossible<(), Unfit>;
    }

    refuse! { "a map":
        serialize_map(Option<usize>) -> Impossible<(), Unfit>;
    }
}

#[cfg(test)]
mod tests;
