//! The value of one column.

use std::fmt::Display;

use serde::ser::Impossible;
use serde::{Serialize, Serializer};
use steadfast_formats::to_json;

use super::Unfit;
use crate::fields::{Field, Kind};
use crate::row::RowWriter;

/// Writes `value` as the next value of the row.
pub(super) fn write<T: Serialize + ?Sized>(
    value: &T,
    field: &Field,
    row: &mut RowWriter,
) -> Result<(), Unfit> {
    let scalar = Scalar { field, row };
    match field.kind {
        Kind::Json if !field.nullable => scalar.json(value),
        _ => value.serialize(scalar),
    }
}

/// A column and where its value goes.
pub(super) struct Scalar<'a> {
    pub field: &'a Field,
    pub row: &'a mut RowWriter,
}

impl Scalar<'_> {
    /// A value that is missing.
    pub(super) fn null(self) -> Result<(), Unfit> {
        if !self.field.nullable {
            return Err(self.unfit("a value is missing, and the field is no Option"));
        }
        self.row.null();
        Ok(())
    }

    fn unfit(&self, why: impl Display) -> Unfit {
        Unfit(format!("column '{}': {why}", self.field.name))
    }

    fn refused(&self, what: &str) -> Unfit {
        let takes = match self.field.kind {
            Kind::Integer => "whole numbers",
            Kind::Real => "floating-point numbers",
            Kind::Text => "texts",
            Kind::Blob => "bytes",
            Kind::Json => "an Option of what becomes JSON",
        };
        self.unfit(format!("by its Deserialize it holds {takes}, but Serialize gives {what}"))
    }

    fn integer<N: Copy + Display + TryInto<i64>>(self, value: N) -> Result<(), Unfit> {
        if self.field.kind != Kind::Integer {
            return Err(self.refused("a whole number"));
        }
        match value.try_into() {
            Ok(value) => {
                self.row.integer(value);
                Ok(())
            }
            Err(_) => Err(self.unfit(format!(
                "{value} does not fit into the integers of SQLite, which are those of i64"
            ))),
        }
    }

    fn json<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Unfit> {
        let mut text = Vec::new();
        to_json(value, &mut text).map_err(|error| self.unfit(error.to_string()))?;
        self.row.text(&String::from_utf8_lossy(&text));
        Ok(())
    }
}

impl Serializer for Scalar<'_> {
    type Ok = ();
    type Error = Unfit;
    type SerializeSeq = Impossible<(), Unfit>;
    type SerializeTuple = Impossible<(), Unfit>;
    type SerializeTupleStruct = Impossible<(), Unfit>;
    type SerializeTupleVariant = Impossible<(), Unfit>;
    type SerializeMap = Impossible<(), Unfit>;
    type SerializeStruct = Impossible<(), Unfit>;
    type SerializeStructVariant = Impossible<(), Unfit>;

    fn serialize_bool(self, value: bool) -> Result<(), Unfit> {
        self.integer(i64::from(value))
    }

    fn serialize_i8(self, value: i8) -> Result<(), Unfit> {
        self.integer(value)
    }

    fn serialize_i16(self, value: i16) -> Result<(), Unfit> {
        self.integer(value)
    }

    fn serialize_i32(self, value: i32) -> Result<(), Unfit> {
        self.integer(value)
    }

    fn serialize_i64(self, value: i64) -> Result<(), Unfit> {
        self.integer(value)
    }

    fn serialize_i128(self, value: i128) -> Result<(), Unfit> {
        self.integer(value)
    }

    fn serialize_u8(self, value: u8) -> Result<(), Unfit> {
        self.integer(value)
    }

    fn serialize_u16(self, value: u16) -> Result<(), Unfit> {
        self.integer(value)
    }

    fn serialize_u32(self, value: u32) -> Result<(), Unfit> {
        self.integer(value)
    }

    fn serialize_u64(self, value: u64) -> Result<(), Unfit> {
        self.integer(value)
    }

    fn serialize_u128(self, value: u128) -> Result<(), Unfit> {
        self.integer(value)
    }

    fn serialize_f32(self, value: f32) -> Result<(), Unfit> {
        self.serialize_f64(f64::from(value))
    }

    fn serialize_f64(self, value: f64) -> Result<(), Unfit> {
        if self.field.kind != Kind::Real {
            return Err(self.refused("a floating-point number"));
        }
        if value.is_nan() {
            return Err(self.unfit("NaN is a number that SQLite cannot hold"));
        }
        self.row.real(value);
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<(), Unfit> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<(), Unfit> {
        if self.field.kind != Kind::Text {
            return Err(self.refused("a text"));
        }
        self.row.text(value);
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), Unfit> {
        if self.field.kind != Kind::Blob {
            return Err(self.refused("bytes"));
        }
        self.row.blob(value);
        Ok(())
    }

    fn serialize_none(self) -> Result<(), Unfit> {
        self.null()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Unfit> {
        match self.field.kind {
            Kind::Json => self.json(value),
            _ => value.serialize(self),
        }
    }

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<(), Unfit> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Result<(), Unfit> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _value: &T,
    ) -> Result<(), Unfit> {
        Err(self.refused("a variant that holds something"))
    }

    refuse! { "a value of several parts":
        serialize_unit() -> ();
        serialize_unit_struct(&'static str) -> ();
        serialize_seq(Option<usize>) -> Impossible<(), Unfit>;
        serialize_tuple(usize) -> Impossible<(), Unfit>;
        serialize_tuple_struct(&'static str, usize) -> Impossible<(), Unfit>;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Impossible<(), Unfit>;
        serialize_map(Option<usize>) -> Impossible<(), Unfit>;
        serialize_struct(&'static str, usize) -> Impossible<(), Unfit>;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Impossible<(), Unfit>;
    }
}
