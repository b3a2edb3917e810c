//! An object as serde sees it: its keys from the shape of the object before, its values one by one.
//!
//! It reads a payload that is one object and nothing beside. With any other, and with what it does not expect, it
//! fails, without a reason: somebody else decodes the payload then.

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::Error;

use super::shape::{Found, Shape};
use super::value::Value;

/// One payload, read up to some position.
pub(super) struct Object<'de, 's> {
    pub(super) text: &'de str,
    /// Bytes that have been read.
    pub(super) at: usize,
    /// Whether numbers in values of any type keep all their digits.
    pub(super) keeps_digits: bool,
    /// Whether something was found that is to be told by another parser, whatever the record's type makes of the
    /// error: it may have taken it as a value that is missing.
    has_failed: bool,
    shape: &'s mut Shape,
    /// The number of the next value.
    number: usize,
    has_ended: bool,
}

/// Leaves to somebody else what a record's type asks for in these ways.
macro_rules! not_here {
    ($($method:ident($($argument:ident: $type:ty),*))*) => {$(
        #[cold]
        fn $method<V: Visitor<'de>>(self, $($argument: $type,)* _visitor: V) -> Result<V::Value, Error> {
            Err(self.fail())
        }
    )*};
}

/// Whether a type with this name is one that only the parser itself can make, such as its `RawValue`.
#[inline]
pub(super) fn is_of_parser(name: &str) -> bool {
    name.starts_with("$serde_json")
}

impl<'de, 's> Object<'de, 's> {
    pub(super) fn new(text: &'de str, shape: &'s mut Shape, keeps_digits: bool) -> Self {
        let (at, number) = (0, 0);
        Object { text, at, keeps_digits, has_failed: false, shape, number, has_ended: false }
    }

    /// Whether all of the payload has been read and understood.
    #[inline]
    pub(super) fn is_complete(&self) -> bool {
        self.has_ended && !self.has_failed
    }

    /// What is found cannot be told here.
    #[cold]
    pub(super) fn fail(&mut self) -> Error {
        self.has_failed = true;
        Error::custom("not read here")
    }
}

impl<'de> MapAccess<'de> for &mut Object<'de, '_> {
    type Error = Error;

    #[inline]
    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        if self.has_ended {
            return Ok(None);
        }
        match self.shape.find(self.number, self.text.as_bytes(), self.at) {
            Found::Key { key, value } => {
                (self.at, self.number) = (value, self.number + 1);
                let Some(key) = self.text.get(key) else { return Err(self.fail()) };
                seed.deserialize(Key { key, object: self }).map(Some)
            }
            Found::End => {
                self.has_ended = true;
                Ok(None)
            }
            Found::Unknown => Err(self.fail()),
        }
    }

    #[inline]
    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        seed.deserialize(Value { object: self })
    }
}

/// A payload is read as an object, if that is what the record's type may ask for.
impl<'de> Deserializer<'de> for &mut Object<'de, '_> {
    type Error = Error;

    #[inline]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_map(self)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_map(self)
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_map(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        if is_of_parser(name) {
            return Err(self.fail());
        }
        visitor.visit_newtype_struct(self)
    }

    not_here! {
        deserialize_bool() deserialize_char() deserialize_str() deserialize_string() deserialize_identifier()
        deserialize_i8() deserialize_i16() deserialize_i32() deserialize_i64() deserialize_i128()
        deserialize_u8() deserialize_u16() deserialize_u32() deserialize_u64() deserialize_u128()
        deserialize_f32() deserialize_f64() deserialize_bytes() deserialize_byte_buf() deserialize_option()
        deserialize_unit() deserialize_seq() deserialize_ignored_any() deserialize_unit_struct(_name: &'static str)
        deserialize_tuple(_length: usize) deserialize_tuple_struct(_name: &'static str, _length: usize)
        deserialize_enum(_name: &'static str, _variants: &'static [&'static str])
    }
}

/// A key, as the text that it is.
struct Key<'a, 'de, 's> {
    key: &'de str,
    object: &'a mut Object<'de, 's>,
}

impl Key<'_, '_, '_> {
    #[cold]
    fn fail(self) -> Error {
        self.object.fail()
    }
}

impl<'de> Deserializer<'de> for Key<'_, 'de, '_> {
    type Error = Error;

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_borrowed_str(self.key)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        if is_of_parser(name) {
            return Err(self.fail());
        }
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! { char str string identifier ignored_any }

    not_here! {
        deserialize_i8() deserialize_i16() deserialize_i32() deserialize_i64() deserialize_i128()
        deserialize_u8() deserialize_u16() deserialize_u32() deserialize_u64() deserialize_u128()
        deserialize_f32() deserialize_f64() deserialize_bool() deserialize_bytes() deserialize_byte_buf()
        deserialize_option() deserialize_unit() deserialize_seq() deserialize_map()
        deserialize_unit_struct(_name: &'static str) deserialize_tuple(_length: usize)
        deserialize_tuple_struct(_name: &'static str, _length: usize)
        deserialize_struct(_name: &'static str, _fields: &'static [&'static str])
        deserialize_enum(_name: &'static str, _variants: &'static [&'static str])
    }
}
