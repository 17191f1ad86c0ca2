//! Captions in JSON: a string, or a list of them.

use std::fmt;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

/// Captions of one picture at most; what comes after them is passed over.
pub(super) const MOST_CAPTIONS: usize = 1000;

/// The strings that a field holds; none where it is neither a string nor a list with strings in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Texts {
    pub texts: Vec<String>,
    /// Whether the field is a list.
    pub is_list: bool,
}

impl Texts {
    /// The string, or the first one in the list that is not blank.
    pub fn first(&self) -> Option<&String> {
        let mut texts = self.texts.iter();
        texts.find(|text| !self.is_list || !text.trim().is_empty())
    }
}

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyTexts { is_item: false })
    }
}

/// A string in a list; empty for all else.
struct Item(String);

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut texts = deserializer.deserialize_any(AnyTexts { is_item: true })?;
        Ok(Self(texts.texts.pop().unwrap_or_default()))
    }
}

struct AnyTexts {
    /// Lists in lists are none of ours.
    is_item: bool,
}

impl<'de> Visitor<'de> for AnyTexts {
    type Value = Texts;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Texts, E> {
        Ok(Texts::default())
    }

    fn visit_u64<E>(self, _: u64) -> Result<Texts, E> {
        Ok(Texts::default())
    }

    fn visit_i64<E>(self, _: i64) -> Result<Texts, E> {
        Ok(Texts::default())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Texts, E> {
        Ok(Texts::default())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Texts, E> {
        Ok(Texts { texts: vec![value.to_owned()], is_list: false })
    }

    fn visit_unit<E>(self) -> Result<Texts, E> {
        Ok(Texts::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Texts, A::Error> {
        let mut texts = Vec::new();
        while !self.is_item
            && texts.len() < MOST_CAPTIONS
            && let Some(Item(text)) = list.next_element()?
        {
            if !text.is_empty() {
                texts.push(text);
            }
        }
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Texts { texts, is_list: true })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Texts, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Texts::default())
    }
}

/// Takes the texts of one field out of an object; of a repeated field the last one counts.
pub(super) struct Field<'a>(pub &'a str);

impl<'de> DeserializeSeed<'de> for Field<'_> {
    type Value = Option<Texts>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Field<'_> {
    type Value = Option<Texts>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(name) = map.next_key::<String>()? {
            if name == self.0 {
                found = Some(map.next_value::<Texts>()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}
