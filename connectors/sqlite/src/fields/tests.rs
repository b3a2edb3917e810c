//! What the fields of structs of many kinds are taken for.

use std::collections::BTreeMap;
use std::num::NonZeroU64;

use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct Cents(#[expect(dead_code)] i64);

#[derive(Deserialize)]
enum Level {
    Low,
    #[serde(rename = "very high")]
    High,
}

#[derive(Deserialize)]
#[expect(dead_code)]
enum Shape {
    Point,
    Circle(f64),
}

#[derive(Deserialize)]
#[expect(dead_code)]
struct Inner {
    a: u8,
}

#[derive(Deserialize)]
#[expect(dead_code)]
struct Everything {
    flag: bool,
    number: NonZeroU64,
    large: u128,
    cents: Cents,
    #[serde(rename = "half")]
    real: f32,
    letter: char,
    text: String,
    maybe: Option<String>,
    level: Level,
    shape: Option<Shape>,
    twice: Option<Option<u8>>,
    list: Vec<u8>,
    map: BTreeMap<String, u8>,
    inner: Inner,
    unit: (),
    #[serde(skip)]
    left_out: u8,
    #[serde(default)]
    last: i8,
}

#[test]
fn a_column_can_hold_what_its_field_asks_for() {
    let fields = of::<Everything>().unwrap();
    let found: Vec<_> = fields.iter().map(|f| (f.name, f.kind, f.nullable)).collect();
    assert_eq!(
        found,
        [
            ("flag", Kind::Integer, false),
            ("number", Kind::Integer, false),
            ("large", Kind::Integer, false),
            ("cents", Kind::Integer, false),
            ("half", Kind::Real, false),
            ("letter", Kind::Text, false),
            ("text", Kind::Text, false),
            ("maybe", Kind::Text, true),
            ("level", Kind::Text, false),
            ("shape", Kind::Json, true),
            ("twice", Kind::Json, true),
            ("list", Kind::Json, false),
            ("map", Kind::Json, false),
            ("inner", Kind::Json, false),
            ("unit", Kind::Json, false),
            ("last", Kind::Integer, false),
        ]
    );
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code)]
struct Strict {
    id: u8,
    name: String,
}

#[derive(Deserialize)]
#[serde(transparent)]
#[expect(dead_code)]
struct Wrapped(Strict);

#[test]
fn a_struct_in_a_struct_of_its_own_is_that_struct() {
    let names = |fields: Vec<Field>| fields.into_iter().map(|f| f.name).collect::<Vec<_>>();
    assert_eq!(names(of::<Strict>().unwrap()), ["id", "name"]);
    assert_eq!(names(of::<Wrapped>().unwrap()), ["id", "name"]);
}

#[derive(Deserialize)]
#[expect(dead_code)]
struct Flattened {
    id: u8,
    #[serde(flatten)]
    rest: Inner,
}

#[derive(Deserialize)]
#[expect(dead_code)]
struct Aliased {
    id: u8,
    #[serde(alias = "old")]
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code)]
struct StrictlyAliased {
    #[serde(alias = "number")]
    id: u8,
    name: String,
}

#[test]
fn a_type_without_certain_columns_is_refused_with_the_reason() {
    for flat in [of::<Flattened>(), of::<BTreeMap<String, u8>>(), of::<(u8, u8)>(), of::<u8>()] {
        assert!(flat.unwrap_err().contains("no struct with named fields"));
    }
    assert!(of::<Shape>().is_err());
    assert!(of::<Aliased>().unwrap_err().contains("alias"));
    assert!(of::<StrictlyAliased>().unwrap_err().contains("alias"));
}
