//! One value of an object, read here if it is simple and by the parser if it is not: a string with escapes, a number
//! with an exponent or many digits, an array, an object.

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{Deserializer, Visitor};
use serde_json::Error;
use serde_json::de::StrRead;

use super::object::{Object, is_of_parser};
use super::scan::{Number, plain_end, simple_number, space_end, value_end};

/// The value that comes next.
pub(super) struct Value<'a, 'de, 's> {
    pub(super) object: &'a mut Object<'de, 's>,
}

type Parser<'de> = serde_json::Deserializer<StrRead<'de>>;

impl<'de> Value<'_, 'de, '_> {
    #[inline]
    fn first(&self) -> Option<u8> {
        self.object.text.as_bytes().get(self.object.at).copied()
    }

    /// A string without escapes.
    #[inline]
    fn string(&mut self) -> Option<&'de str> {
        if self.first() != Some(b'"') {
            return None;
        }
        let text = self.object.text;
        let start = self.object.at + 1;
        let end = plain_end(text.as_bytes(), start);
        if text.as_bytes().get(end) != Some(&b'"') {
            return None;
        }
        self.object.at = end + 1;
        text.get(start..end)
    }

    #[inline]
    fn number(&mut self) -> Option<Number> {
        let (number, end) = simple_number(self.object.text.as_bytes(), self.object.at)?;
        self.object.at = end;
        Some(number)
    }

    /// Passes over this word, if it is what comes next.
    #[inline]
    fn word(&mut self, word: &str) -> bool {
        let text = self.object.text.as_bytes();
        let is_there =
            text.get(self.object.at..).is_some_and(|rest| rest.starts_with(word.as_bytes()));
        if is_there {
            self.object.at += word.len();
        }
        is_there
    }

    #[inline]
    fn boolean(&mut self) -> Option<bool> {
        if self.word("true") {
            return Some(true);
        }
        self.word("false").then_some(false)
    }

    /// Lets the parser read the value.
    #[cold]
    fn by_parser<R>(
        self,
        read: impl FnOnce(&mut Parser<'de>) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let text = self.object.text;
        let at = space_end(text.as_bytes(), self.object.at);
        let end = value_end(text.as_bytes(), at);
        let Some(value) = end.and_then(|end| text.get(at..end)) else {
            return Err(self.object.fail());
        };
        self.object.at = at + value.len();
        let mut parser = serde_json::Deserializer::from_str(value);
        match read(&mut parser).and_then(|read| parser.end().map(|()| read)) {
            Ok(read) => Ok(read),
            Err(_) => Err(self.object.fail()),
        }
    }
}

/// Hands over a number as the parser would.
#[inline]
fn visit<'de, V: Visitor<'de>>(number: Number, visitor: V) -> Result<V::Value, Error> {
    match number {
        Number::Unsigned(number) => visitor.visit_u64(number),
        Number::Negative(number) => visitor.visit_i64(number),
        Number::Float(number) => visitor.visit_f64(number),
    }
}

/// Reads what is simple with the first function and hands it over with the second.
macro_rules! if_simple {
    ($($method:ident: $read:ident, $visit:expr;)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
            match self.$read() {
                Some(value) => $visit(visitor, value),
                None => self.by_parser(|parser| parser.$method(visitor)),
            }
        }
    )*};
}

macro_rules! by_parser {
    ($($method:ident($($argument:ident: $type:ty),*))*) => {$(
        fn $method<V: Visitor<'de>>(self, $($argument: $type,)* visitor: V) -> Result<V::Value, Error> {
            self.by_parser(|parser| parser.$method($($argument,)* visitor))
        }
    )*};
}

impl<'de> Deserializer<'de> for Value<'_, 'de, '_> {
    type Error = Error;

    if_simple! {
        deserialize_str: string, Visitor::visit_borrowed_str;
        deserialize_string: string, Visitor::visit_borrowed_str;
        deserialize_char: string, Visitor::visit_borrowed_str;
        deserialize_identifier: string, Visitor::visit_borrowed_str;
        deserialize_bool: boolean, Visitor::visit_bool;
        deserialize_i8: number, |visitor, number| visit(number, visitor);
        deserialize_i16: number, |visitor, number| visit(number, visitor);
        deserialize_i32: number, |visitor, number| visit(number, visitor);
        deserialize_i64: number, |visitor, number| visit(number, visitor);
        deserialize_u8: number, |visitor, number| visit(number, visitor);
        deserialize_u16: number, |visitor, number| visit(number, visitor);
        deserialize_u32: number, |visitor, number| visit(number, visitor);
        deserialize_u64: number, |visitor, number| visit(number, visitor);
        deserialize_f64: number, |visitor, number| visit(number, visitor);
    }

    // Of these the parser may keep more digits than a float of 64 bits has.
    by_parser! { deserialize_f32() deserialize_i128() deserialize_u128() }

    by_parser! {
        deserialize_bytes() deserialize_byte_buf() deserialize_unit() deserialize_seq() deserialize_map()
        deserialize_unit_struct(name: &'static str) deserialize_tuple(length: usize)
        deserialize_tuple_struct(name: &'static str, length: usize)
        deserialize_struct(name: &'static str, fields: &'static [&'static str])
    }

    fn deserialize_any<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
        if let Some(text) = self.string() {
            return visitor.visit_borrowed_str(text);
        }
        if let Some(boolean) = self.boolean() {
            return visitor.visit_bool(boolean);
        }
        if !self.object.keeps_digits
            && let Some(number) = self.number()
        {
            return visit(number, visitor);
        }
        self.by_parser(|parser| parser.deserialize_any(visitor))
    }

    #[inline]
    fn deserialize_ignored_any<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
        if self.string().is_some() || self.number().is_some() || self.boolean().is_some() {
            return visitor.visit_unit();
        }
        self.by_parser(|parser| parser.deserialize_ignored_any(visitor))
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
        if self.word("null") {
            return visitor.visit_none();
        }
        // Behind a space it may be one, too.
        match self.first() {
            Some(b' ' | b'\t' | b'\n' | b'\r') => {
                self.by_parser(|parser| parser.deserialize_option(visitor))
            }
            _ => visitor.visit_some(self),
        }
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        if is_of_parser(name) {
            return self.by_parser(|parser| parser.deserialize_newtype_struct(name, visitor));
        }
        visitor.visit_newtype_struct(self)
    }

    #[inline]
    fn deserialize_enum<V: Visitor<'de>>(
        mut self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.string() {
            Some(variant) => visitor.visit_enum(BorrowedStrDeserializer::new(variant)),
            None => self.by_parser(|parser| parser.deserialize_enum(name, variants, visitor)),
        }
    }
}
