//! The deserializer that gives no values and notes what it is asked for.

use std::cell::Cell;
use std::fmt;

use serde::Deserializer;
use serde::de::value::{StrDeserializer, U64Deserializer};
use serde::de::{
    self, DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::Kind;

/// What has been noted when a type has given up.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// The fields that the struct listed.
    pub fields: Option<&'static [&'static str]>,
    /// What its one field asked for.
    pub asked: Option<Asked>,
    /// Whether the field can be missing.
    pub nullable: bool,
}

/// What a field has asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    For(Kind),
    /// One of these variants.
    Variant(&'static [&'static str]),
    /// The value of a variant, which holds none.
    UnitVariant,
    /// Anything, in order to leave it out.
    Ignored,
}

/// The one field that there is.
#[derive(Clone, Copy)]
pub(super) enum FieldName {
    None,
    Is(&'static str),
    Number(u64),
}

/// The end of every attempt.
#[derive(Debug)]
pub(super) struct Noted;

impl fmt::Display for Noted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no value is given")
    }
}

impl std::error::Error for Noted {}

impl de::Error for Noted {
    fn custom<T: fmt::Display>(_message: T) -> Self {
        Noted
    }
}

/// A struct with one field at most.
pub(super) struct Struct<'a> {
    pub field: FieldName,
    pub variant: Option<&'static str>,
    pub notes: &'a Cell<Notes>,
}

impl Struct<'_> {
    fn note(&self, note: impl FnOnce(&mut Notes)) {
        let mut notes = self.notes.take();
        note(&mut notes);
        self.notes.set(notes);
    }
}

impl<'de> Deserializer<'de> for Struct<'_> {
    type Error = Noted;

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Noted> {
        Err(Noted)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Noted> {
        self.note(|notes| notes.fields = Some(fields));
        visitor.visit_map(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Noted> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

impl<'de> MapAccess<'de> for Struct<'_> {
    type Error = Noted;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Noted> {
        match self.field {
            FieldName::None => Ok(None),
            FieldName::Is(name) => seed.deserialize(StrDeserializer::new(name)).map(Some),
            FieldName::Number(number) => seed.deserialize(U64Deserializer::new(number)).map(Some),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Noted> {
        seed.deserialize(Value(self))
    }
}

/// The value of the one field.
struct Value<'a, 'b>(&'a Struct<'b>);

impl Value<'_, '_> {
    fn asked<T>(&self, asked: Asked) -> Result<T, Noted> {
        self.0.note(|notes| notes.asked = Some(asked));
        Err(Noted)
    }
}

macro_rules! asks_for {
    ($($method:ident)*, $kind:ident) => {
        $(fn $method<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Noted> {
            self.asked(Asked::For(Kind::$kind))
        })*
    };
}

impl<'de> Deserializer<'de> for Value<'_, '_> {
    type Error = Noted;

    asks_for!(deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_i128 deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
        deserialize_u128, Integer);
    asks_for!(deserialize_f32 deserialize_f64, Real);
    asks_for!(deserialize_char deserialize_str deserialize_string, Text);
    asks_for!(deserialize_bytes deserialize_byte_buf, Blob);
    asks_for!(deserialize_any deserialize_unit deserialize_seq deserialize_map
        deserialize_identifier, Json);

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Noted> {
        let mut was_option = false;
        self.0.note(|notes| was_option = std::mem::replace(&mut notes.nullable, true));
        match was_option {
            // JSON tells a missing value from a value that says that something is missing.
            true => self.asked(Asked::For(Kind::Json)),
            false => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Noted> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Noted> {
        match self.0.variant {
            Some(_) => visitor.visit_enum(self),
            None => self.asked(Asked::Variant(variants)),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Noted> {
        self.asked(Asked::Ignored)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _visitor: V,
    ) -> Result<V::Value, Noted> {
        self.asked(Asked::For(Kind::Json))
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _length: usize,
        _visitor: V,
    ) -> Result<V::Value, Noted> {
        self.asked(Asked::For(Kind::Json))
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _length: usize,
        _visitor: V,
    ) -> Result<V::Value, Noted> {
        self.asked(Asked::For(Kind::Json))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, Noted> {
        self.asked(Asked::For(Kind::Json))
    }
}

impl<'de> EnumAccess<'de> for Value<'_, '_> {
    type Error = Noted;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Noted> {
        let name = self.0.variant.unwrap_or_default();
        Ok((seed.deserialize(name.into_deserializer())?, self))
    }
}

impl<'de> VariantAccess<'de> for Value<'_, '_> {
    type Error = Noted;

    fn unit_variant(self) -> Result<(), Noted> {
        self.asked(Asked::UnitVariant)
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _seed: T) -> Result<T::Value, Noted> {
        Err(Noted)
    }

    fn tuple_variant<V: Visitor<'de>>(
        self,
        _length: usize,
        _visitor: V,
    ) -> Result<V::Value, Noted> {
        Err(Noted)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, Noted> {
        Err(Noted)
    }
}
