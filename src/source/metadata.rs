//! The few fields of a sample's `.json` member that matter to the gate.

use std::borrow::Cow;
use std::fmt;

use pairgate_core::pair::{Size, Uid};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::json::from_python;
use super::texts::Texts;

/// What a sample's `.json` member says of the pair.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Metadata {
    /// `caption`, else `text`, else `captions`, where it is a string or a list; of a list, the first
    /// string that is not blank.
    pub caption: Option<String>,
    /// `uid`, where it is 32 hex digits, as in DataComp's metadata.
    pub uid: Option<Uid>,
    /// `original_width` and `original_height`, where both are positive whole numbers.
    pub original_size: Option<Size>,
    /// Whether the member is not a JSON object; then nothing else is set.
    pub invalid: bool,
    /// A field that is there and does not say what it should.
    pub unread: Option<&'static str>,
}

impl Metadata {
    /// Reads a `.json` member. Fields of the wrong type count as absent.
    pub fn parse(json: &[u8]) -> Self {
        let Some(fields) = from_python::<Fields>(json) else {
            return Self { invalid: true, ..Self::default() };
        };
        let side = |value: &Value| whole_number(value).filter(|&side| side > 0);
        let size = |width, height| Some(Size::new(side(width)?, side(height)?));
        let captions = [&fields.caption, &fields.text, &fields.captions];
        let original_size = size(&fields.original_width, &fields.original_height);
        let uid = fields.uid.as_str().and_then(|uid| uid.parse().ok());
        let is_told = |field: &Value| !field.is_null();
        let unread = match (uid, original_size) {
            (None, _) if is_told(&fields.uid) => Some("uid"),
            (_, None) if is_told(&fields.original_width) => Some("original_width"),
            (_, None) if is_told(&fields.original_height) => Some("original_height"),
            _ => None,
        };
        Self {
            original_size,
            uid,
            unread,
            caption: captions.into_iter().find_map(Texts::first).cloned(),
            invalid: false,
        }
    }
}

/// The number as a `u32`; pandas turns integer columns with gaps into floats, so `640.0` counts.
fn whole_number(value: &Value) -> Option<u32> {
    let whole = |x: &f64| x.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(x);
    let float = || value.as_f64().filter(whole).map(|x| x as u64);
    value.as_u64().or_else(float)?.try_into().ok()
}

/// The fields, whatever their types. Of a repeated field the last one counts, as in Python.
#[derive(Default)]
struct Fields {
    caption: Texts,
    text: Texts,
    captions: Texts,
    uid: Value,
    original_width: Value,
    original_height: Value,
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Object)
    }
}

/// A value that is no list and no object; of those, which take many times their text in memory,
/// nothing is held.
struct Scalar(Value);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyScalar)
    }
}

struct AnyScalar;

impl<'de> Visitor<'de> for AnyScalar {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Scalar, E> {
        Ok(Scalar(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Scalar, E> {
        Ok(Scalar(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Scalar, E> {
        Ok(Scalar(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Scalar, E> {
        Ok(Scalar(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Scalar, E> {
        Ok(Scalar(value.into()))
    }

    fn visit_unit<E>(self) -> Result<Scalar, E> {
        Ok(Scalar(Value::Null))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Scalar, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar(Value::Null))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar(Value::Null))
    }
}

/// Takes the fields out of an object; a derived reader would refuse arrays less clearly and
/// repeated fields at all.
struct Object;

impl<'de> Visitor<'de> for Object {
    type Value = Fields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
        let mut fields = Fields::default();
        while let Some(key) = map.next_key::<Cow<'_, str>>()? {
            let field = match &*key {
                "caption" => {
                    fields.caption = map.next_value()?;
                    continue;
                }
                "text" => {
                    fields.text = map.next_value()?;
                    continue;
                }
                "captions" => {
                    fields.captions = map.next_value()?;
                    continue;
                }
                "uid" => &mut fields.uid,
                "original_width" => &mut fields.original_width,
                "original_height" => &mut fields.original_height,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            *field = map.next_value::<Scalar>()?.0;
        }
        Ok(fields)
    }
}
