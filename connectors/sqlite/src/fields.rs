//! The columns of a struct: what its fields are called and what each can hold, found out from its
//! `Deserialize` before the first value of it exists.
//!
//! A struct is asked to deserialize itself from something that has exactly one of its fields, and
//! that gives no value: it only notes which type the field asks for. So no value is ever made up.
//! It knows nothing of SQL, databases or rows.

mod probe;

use serde::de::DeserializeOwned;

use probe::{Asked, FieldName, Notes};

/// What the values of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Whole numbers and truth values.
    Integer,
    /// Floating-point numbers.
    Real,
    /// Texts, characters, and the names of variants that hold nothing.
    Text,
    /// Bytes.
    Blob,
    /// Everything else, as a text of JSON.
    Json,
}

/// A column that a field of a struct stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    pub name: &'static str,
    pub kind: Kind,
    /// Whether the field is an `Option`.
    pub nullable: bool,
}

/// The columns of `T`, in the order of its fields; otherwise the reason why it has none, as the
/// rest of a sentence about the type.
pub(crate) fn of<T: DeserializeOwned>() -> Result<Vec<Field>, String> {
    let names = probe::<T>(FieldName::None).fields;
    let names =
        names.ok_or("is no struct with named fields, or has a field with #[serde(flatten)]")?;
    refuse_aliases::<T>(names)?;
    Ok(names.iter().map(|name| field::<T>(name)).collect())
}

fn probe<T: DeserializeOwned>(field: FieldName) -> Notes {
    probe_variant::<T>(field, None)
}

fn probe_variant<T: DeserializeOwned>(field: FieldName, variant: Option<&'static str>) -> Notes {
    let notes = Default::default();
    // It cannot succeed: what matters is what has been noted until it failed.
    let _ = T::deserialize(probe::Struct { field, variant, notes: &notes });
    notes.take()
}

fn field<T: DeserializeOwned>(name: &'static str) -> Field {
    let notes = probe::<T>(FieldName::Is(name));
    let holds_nothing = |variant: &&'static str| {
        probe_variant::<T>(FieldName::Is(name), Some(variant)).asked == Some(Asked::UnitVariant)
    };
    let kind = match notes.asked {
        Some(Asked::For(kind)) => kind,
        Some(Asked::Variant(variants)) if variants.iter().all(holds_nothing) => Kind::Text,
        // JSON can hold whatever a type may ask for.
        _ => Kind::Json,
    };
    Field { name, kind, nullable: notes.nullable }
}

/// The names of a struct's fields are listed together with their other names, and nothing tells them
/// apart; but fields have numbers, too, and the last number is the last field's only if no field has
/// two names.
fn refuse_aliases<T: DeserializeOwned>(names: &[&str]) -> Result<(), String> {
    let is_field = |number: usize| {
        let asked = probe::<T>(FieldName::Number(number as u64)).asked;
        asked.is_some_and(|asked| asked != Asked::Ignored)
    };
    // A type whose Deserialize was written by hand may have no numbers.
    match names.len() {
        0 | 1 => Ok(()),
        count if !is_field(0) || is_field(count - 1) => Ok(()),
        _ => Err("has a field with #[serde(alias)], which would be a column more".to_string()),
    }
}

#[cfg(test)]
mod tests;
