//! Languages that captions may be in, as a set that fits in a word.

use core::fmt;

use serde::de::{self, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A language that can be told from others, by its ISO 639-1 code.
///
/// The numbers are places in a [`Languages`] and stand in no file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Language {
    Arabic,
    German,
    English,
    Spanish,
    French,
    Hindi,
    Italian,
    Japanese,
    Korean,
    Dutch,
    Portuguese,
    Russian,
    Swedish,
    Turkish,
    Vietnamese,
    Chinese,
}

impl Language {
    /// All of them, by their codes.
    pub const ALL: [(&'static str, Self); 16] = [
        ("ar", Self::Arabic),
        ("de", Self::German),
        ("en", Self::English),
        ("es", Self::Spanish),
        ("fr", Self::French),
        ("hi", Self::Hindi),
        ("it", Self::Italian),
        ("ja", Self::Japanese),
        ("ko", Self::Korean),
        ("nl", Self::Dutch),
        ("pt", Self::Portuguese),
        ("ru", Self::Russian),
        ("sv", Self::Swedish),
        ("tr", Self::Turkish),
        ("vi", Self::Vietnamese),
        ("zh", Self::Chinese),
    ];

    /// What an error asks for.
    pub const EXPECTED: &'static str =
        "one of ar, de, en, es, fr, hi, it, ja, ko, nl, pt, ru, sv, tr, vi, zh";

    /// The language with this code.
    pub fn of_code(code: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == code).map(|(_, language)| *language)
    }

    const fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// The languages that captions may be in. In a config it is a list of their codes; the empty one asks
/// for none, so that every caption passes.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Languages(u32);

impl Languages {
    /// Every language, known or not.
    pub const ANY: Self = Self(0);

    /// Whether captions may be in any language.
    pub const fn is_any(self) -> bool {
        self.0 == 0
    }

    /// These and `language`.
    pub const fn with(self, language: Language) -> Self {
        Self(self.0 | language.bit())
    }

    /// Whether captions may be in it.
    pub const fn has(self, language: Language) -> bool {
        self.is_any() || self.0 & language.bit() != 0
    }

    /// The codes that were asked for, sorted.
    pub fn codes(self) -> impl Iterator<Item = &'static str> {
        let asked = move |&&(_, language): &&(&str, Language)| self.0 & language.bit() != 0;
        Language::ALL.iter().filter(asked).map(|(code, _)| *code)
    }
}

/// As a list in a config.
impl fmt::Debug for Languages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.codes()).finish()
    }
}

impl Serialize for Languages {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.codes())
    }
}

impl<'de> Deserialize<'de> for Languages {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_seq(Codes)
    }
}

struct Codes;

impl<'de> Visitor<'de> for Codes {
    type Value = Languages;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of codes, such as [\"en\", \"de\"]")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut codes: A) -> Result<Languages, A::Error> {
        let mut languages = Languages::ANY;
        while let Some(Code(language)) = codes.next_element()? {
            languages = languages.with(language);
        }
        Ok(languages)
    }
}

struct Code(Language);

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_str(Code(Language::English))
    }
}

impl Visitor<'_> for Code {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Language::EXPECTED)
    }

    fn visit_str<E: de::Error>(self, code: &str) -> Result<Self, E> {
        let language = Language::of_code(code);
        language.map(Code).ok_or_else(|| E::invalid_value(Unexpected::Str(code), &self))
    }
}
