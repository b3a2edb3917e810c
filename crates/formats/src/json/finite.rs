//! Looks for numbers that JSON does not have, for which `serde_json` would write `null`.
//!
//! It writes nothing, and is asked only where a `null` was written: that may be a value that is missing.

use std::fmt::{self, Display};

use serde::{Serialize, Serializer, ser};

/// Why a value has no JSON, and where in it: the names of fields, the innermost first.
#[derive(Debug)]
pub(super) struct Unfit {
    what: String,
    fields: Vec<&'static str>,
}

impl Unfit {
    fn within(mut self, field: &'static str) -> Self {
        self.fields.push(field);
        self
    }
}

impl Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path: Vec<&str> = self.fields.iter().rev().copied().collect();
        match path.is_empty() {
            true => f.write_str(&self.what),
            false => write!(f, "field '{}': {}", path.join("."), self.what),
        }
    }
}

impl std::error::Error for Unfit {}

impl ser::Error for Unfit {
    fn custom<T: Display>(message: T) -> Self {
        Unfit { what: message.to_string(), fields: Vec::new() }
    }
}

/// Refuses a value with a NaN or an infinity anywhere in it.
pub(super) fn check<T: Serialize + ?Sized>(value: &T) -> Result<(), Unfit> {
    value.serialize(Finite)
}

/// Takes everything but those numbers.
#[derive(Clone, Copy)]
struct Finite;

fn number(value: f64) -> Result<(), Unfit> {
    match value.is_finite() {
        true => Ok(()),
        false => Err(ser::Error::custom(format_args!("{value} is a number that JSON cannot hold"))),
    }
}

macro_rules! take {
    ($($method:ident($($given:ty),*);)*) => {
        $(fn $method(self, $(_: $given),*) -> Result<(), Unfit> {
            Ok(())
        })*
    };
}

macro_rules! look_into {
    ($($method:ident($($given:ty),*);)*) => {
        $(fn $method(self, $(_: $given),*) -> Result<Self, Unfit> {
            Ok(self)
        })*
    };
}

impl Serializer for Finite {
    type Ok = ();
    type Error = Unfit;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    fn serialize_f32(self, value: f32) -> Result<(), Unfit> {
        number(f64::from(value))
    }

    fn serialize_f64(self, value: f64) -> Result<(), Unfit> {
        number(value)
    }

    take! {
        serialize_bool(bool);
        serialize_i8(i8);
        serialize_i16(i16);
        serialize_i32(i32);
        serialize_i64(i64);
        serialize_i128(i128);
        serialize_u8(u8);
        serialize_u16(u16);
        serialize_u32(u32);
        serialize_u64(u64);
        serialize_u128(u128);
        serialize_char(char);
        serialize_str(&str);
        serialize_bytes(&[u8]);
        serialize_none();
        serialize_unit();
        serialize_unit_struct(&'static str);
        serialize_unit_variant(&'static str, u32, &'static str);
    }

    look_into! {
        serialize_seq(Option<usize>);
        serialize_tuple(usize);
        serialize_tuple_struct(&'static str, usize);
        serialize_tuple_variant(&'static str, u32, &'static str, usize);
        serialize_map(Option<usize>);
        serialize_struct(&'static str, usize);
        serialize_struct_variant(&'static str, u32, &'static str, usize);
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Unfit> {
        check(value)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Result<(), Unfit> {
        check(value)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        value: &T,
    ) -> Result<(), Unfit> {
        check(value)
    }

    fn collect_str<T: Display + ?Sized>(self, _value: &T) -> Result<(), Unfit> {
        Ok(())
    }
}

macro_rules! parts {
    ($($whole:ident $part:ident)*) => {
        $(impl ser::$whole for Finite {
            type Ok = ();
            type Error = Unfit;

            fn $part<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unfit> {
                check(value)
            }

            fn end(self) -> Result<(), Unfit> {
                Ok(())
            }
        })*
    };
}

macro_rules! fields {
    ($($whole:ident)*) => {
        $(impl ser::$whole for Finite {
            type Ok = ();
            type Error = Unfit;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), Unfit> {
                check(value).map_err(|unfit| unfit.within(name))
            }

            fn end(self) -> Result<(), Unfit> {
                Ok(())
            }
        })*
    };
}

parts! {
    SerializeSeq serialize_element
    SerializeTuple serialize_element
    SerializeTupleStruct serialize_field
    SerializeTupleVariant serialize_field
}

fields! { SerializeStruct SerializeStructVariant }

impl ser::SerializeMap for Finite {
    type Ok = ();
    type Error = Unfit;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Unfit> {
        check(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unfit> {
        check(value)
    }

    fn end(self) -> Result<(), Unfit> {
        Ok(())
    }
}
