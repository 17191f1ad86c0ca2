//! JSON as Python's `json` reads it: the one reader of everything that datasets carry as JSON.
//!
//! What Python takes and the standard does not is made standard, and the rest is left to
//! `serde_json`:
//!
//! | in the text | becomes |
//! |---|---|
//! | `NaN`, `Infinity`, `-Infinity`, a float beyond 64 bits | `null` |
//! | half of a surrogate pair | U+FFFD, as ftfy has it |
//! | an integer of more than 64 bits | a string of its digits, or its digits |
//! | UTF-16, UTF-32, a byte order mark | UTF-8 without one |
//!
//! As in Python, the last of several fields of one name counts, control characters in strings are
//! refused, and so is what is nested too deeply.

use std::borrow::Cow;

use serde::de::{DeserializeOwned, DeserializeSeed};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::texts::{Field, Texts};

/// Lists and objects in each other at most: where Python's recursion ends.
const MAX_DEPTH: usize = 1000;
/// Bytes of a text at most that is taken apart whole, where its fields alone do not give the answer.
const MAX_WHOLE_BYTES: usize = 1 << 20;

/// Reads a text, whatever `T` takes of it.
pub(super) fn from_python<T: DeserializeOwned>(json: &[u8]) -> Option<T> {
    let text = decoded(json)?;
    let text = Strict::of(&text, Wide::Quoted)?.text;
    from_strict(&text).or_else(|| {
        // Of a field that is there twice a derived reader takes none.
        let whole: Value = from_strict(&text).filter(|_| text.len() <= MAX_WHOLE_BYTES)?;
        serde_json::from_value(whole).ok()
    })
}

/// The text's object; `None` where it is none.
pub(super) fn object(json: &[u8]) -> Option<Map<String, Value>> {
    let text = decoded(json)?;
    from_strict(&Strict::of(&text, Wide::Quoted)?.text)
}

/// The text's object as a text of one line; `None` where it is none. Integers have all their digits.
pub(super) fn object_text(json: &[u8]) -> Option<Box<RawValue>> {
    let text = decoded(json)?;
    let strict = Strict::of(&text, Wide::Kept)?;
    let line = match strict.has_wide {
        true => strict.text.into_owned(),
        false => serde_json::to_string(&from_strict::<Map<String, Value>>(&strict.text)?).ok()?,
    };
    RawValue::from_string(line).ok().filter(|line| line.get().starts_with('{'))
}

/// The strings under `name` in the text's object; `None` where that is no object, or has no such
/// field.
pub(super) fn texts(json: &[u8], name: &str) -> Option<Texts> {
    let text = decoded(json)?;
    let text = Strict::of(&text, Wide::Quoted)?.text;
    let mut reader = serde_json::Deserializer::from_str(&text);
    reader.disable_recursion_limit();
    Field(name).deserialize(&mut reader).ok()?
}

/// The text with `members` (`"name":value`, one or more) at the end of its object, the rest as it
/// was, to the byte; in UTF-8 where it was in UTF-16 or UTF-32. `None` where it is no object.
pub(crate) fn spliced(json: &[u8], members: &str) -> Option<Vec<u8>> {
    if !is_object(json) {
        return None;
    }
    // No text in UTF-8 has a zero in it.
    let decoded = json.contains(&0).then(|| decoded(json)).flatten();
    let json = decoded.as_ref().map_or(json, |text| text.as_bytes());
    let end = json.iter().rposition(|byte| *byte == b'}')?;
    let before = json[..end].trim_ascii_end();
    let comma = if before.ends_with(b"{") { "" } else { "," };
    Some([before, comma.as_bytes(), members.as_bytes(), &json[before.len()..]].concat())
}

/// Whether Python reads the text, and as an object.
pub(super) fn is_object(json: &[u8]) -> bool {
    let is_strict = |text: Cow<'_, str>| {
        text.trim_start().starts_with('{') && Strict::of(&text, Wide::Kept).is_some()
    };
    decoded(json).is_some_and(is_strict)
}

/// The text in UTF-8, as `json.loads` decodes bytes.
pub(super) fn decoded(json: &[u8]) -> Option<Cow<'_, str>> {
    let units = |width, is_big| units(json, width, is_big);
    match *json {
        [0, 0, 0xfe, 0xff, ..] => from_utf32(units(4, true)?.skip(1)),
        [0xff, 0xfe, 0, 0, ..] => from_utf32(units(4, false)?.skip(1)),
        [0xfe, 0xff, ..] => Some(from_utf16(units(2, true)?.skip(1))),
        [0xff, 0xfe, ..] => Some(from_utf16(units(2, false)?.skip(1))),
        [0xef, 0xbb, 0xbf, ref text @ ..] => from_utf8(text),
        [0, 0, _, _, ..] => from_utf32(units(4, true)?),
        [0, _, _, _, ..] | [0, _] => Some(from_utf16(units(2, true)?)),
        [_, 0, 0, 0, ..] => from_utf32(units(4, false)?),
        [_, 0, _, _, ..] | [_, 0] => Some(from_utf16(units(2, false)?)),
        ref text => from_utf8(text),
    }
}

fn from_strict<T: DeserializeOwned>(text: &str) -> Option<T> {
    let mut reader = serde_json::Deserializer::from_str(text);
    // The text is known not to be too deep.
    reader.disable_recursion_limit();
    T::deserialize(&mut reader).ok()
}

/// UTF-8 in which a half of a surrogate pair may stand by itself.
fn from_utf8(text: &[u8]) -> Option<Cow<'_, str>> {
    if let Ok(text) = std::str::from_utf8(text) {
        return Some(text.into());
    }
    let mut text = text.to_vec();
    let mut at = 0;
    while let Some(found) = text[at..].iter().position(|&byte| byte == 0xed) {
        at += found;
        if let Some([_, 0xa0..=0xbf, 0x80..=0xbf]) = text.get(at..at + 3) {
            text[at..at + 3].copy_from_slice("\u{fffd}".as_bytes());
        }
        at += 1;
    }
    String::from_utf8(text).ok().map(Cow::Owned)
}

/// Code units of `width` bytes; `None` where bytes are left over.
fn units(text: &[u8], width: usize, is_big: bool) -> Option<impl Iterator<Item = u32>> {
    let unit = move |bytes: &[u8]| {
        let join = |unit: u32, byte: &u8| (unit << 8) | u32::from(*byte);
        if is_big { bytes.iter().fold(0, join) } else { bytes.iter().rev().fold(0, join) }
    };
    text.len().is_multiple_of(width).then(|| text.chunks_exact(width).map(unit))
}

fn from_utf16(units: impl Iterator<Item = u32>) -> Cow<'static, str> {
    let units = units.map(|unit| unit as u16);
    let char = |unit: Result<char, _>| unit.unwrap_or(char::REPLACEMENT_CHARACTER);
    char::decode_utf16(units).map(char).collect()
}

fn from_utf32(units: impl Iterator<Item = u32>) -> Option<Cow<'static, str>> {
    let char = |unit| match unit {
        0xd800..=0xdfff => Some(char::REPLACEMENT_CHARACTER),
        unit => char::from_u32(unit),
    };
    units.map(char).collect::<Option<String>>().map(Cow::Owned)
}

/// What becomes of integers of more than 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wide {
    /// They stay, and blanks between the values go.
    Kept,
    /// They become strings.
    Quoted,
}

/// A text that is standard JSON.
struct Strict<'a> {
    text: Cow<'a, str>,
    has_wide: bool,
}

/// What may come next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Want {
    Value,
    FirstItem,
    FirstKey,
    Key,
    Colon,
    Comma,
    Nothing,
}

/// Walks over a text once.
struct Walk<'a> {
    text: &'a str,
    at: usize,
    wide: Wide,
    has_wide: bool,
    /// What is made standard so far, of the text up to `copied`.
    out: String,
    copied: usize,
}

impl<'a> Strict<'a> {
    /// `None` where Python would not read the text.
    fn of(text: &'a str, wide: Wide) -> Option<Self> {
        let mut walk = Walk { text, at: 0, wide, has_wide: false, out: String::new(), copied: 0 };
        walk.all()?;
        let Walk { mut out, copied, has_wide, .. } = walk;
        if copied == 0 {
            return Some(Self { text: text.into(), has_wide });
        }
        out.push_str(&text[copied..]);
        Some(Self { text: out.into(), has_wide })
    }
}

impl Walk<'_> {
    /// Walks to the end of the only value.
    fn all(&mut self) -> Option<()> {
        let mut open = Vec::new();
        let mut want = Want::Value;
        loop {
            self.blanks();
            let Some(byte) = self.byte() else {
                return (want == Want::Nothing).then_some(());
            };
            want = match (want, byte) {
                (Want::Value | Want::FirstItem, b'[' | b'{') => {
                    if open.len() == MAX_DEPTH {
                        return None;
                    }
                    open.push(byte);
                    self.at += 1;
                    if byte == b'[' { Want::FirstItem } else { Want::FirstKey }
                }
                (Want::FirstItem | Want::Comma, b']') | (Want::FirstKey | Want::Comma, b'}') => {
                    // The two brackets of a pair are two apart.
                    open.pop_if(|opened| *opened + 2 == byte)?;
                    self.at += 1;
                    Self::behind_value(&open)
                }
                (Want::Value | Want::FirstItem, _) => {
                    self.scalar(byte)?;
                    Self::behind_value(&open)
                }
                (Want::FirstKey | Want::Key, b'"') => {
                    self.string()?;
                    Want::Colon
                }
                (Want::Colon, b':') => {
                    self.at += 1;
                    Want::Value
                }
                (Want::Comma, b',') => {
                    self.at += 1;
                    if open.last() == Some(&b'[') { Want::Value } else { Want::Key }
                }
                _ => return None,
            };
        }
    }

    fn behind_value(open: &[u8]) -> Want {
        if open.is_empty() { Want::Nothing } else { Want::Comma }
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blanks(&mut self) {
        let start = self.at;
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.byte() {
            self.at += 1;
        }
        if self.wide == Wide::Kept && self.at > start {
            self.replace(start, "");
        }
    }

    fn scalar(&mut self, first: u8) -> Option<()> {
        if first == b'"' {
            return self.string();
        }
        let start = self.at;
        for (word, is_standard) in [
            ("null", true),
            ("true", true),
            ("false", true),
            ("NaN", false),
            ("Infinity", false),
            ("-Infinity", false),
        ] {
            if self.text[start..].starts_with(word) {
                self.at += word.len();
                if !is_standard {
                    self.replace(start, "null");
                }
                return Some(());
            }
        }
        self.number()
    }

    fn number(&mut self) -> Option<()> {
        let start = self.at;
        self.at += usize::from(self.byte() == Some(b'-'));
        match self.byte()? {
            b'0' => self.at += 1,
            b'1'..=b'9' => drop(self.digits()),
            _ => return None,
        }
        let whole = self.at;
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.digits().then_some(())?;
        }
        if let Some(b'e' | b'E') = self.byte() {
            self.at += 1;
            self.at += usize::from(matches!(self.byte(), Some(b'+' | b'-')));
            self.digits().then_some(())?;
        }
        let text = &self.text[start..self.at];
        if self.at > whole {
            let fits = text.parse::<f64>().is_ok_and(f64::is_finite);
            if !fits {
                self.replace(start, "null");
            }
        } else if text == "-0" {
            self.replace(start, "0");
        } else if text.parse::<i64>().is_err() && text.parse::<u64>().is_err() {
            self.has_wide = true;
            if self.wide == Wide::Quoted {
                let quoted = format!("\"{text}\"");
                self.replace(start, &quoted);
            }
        }
        Some(())
    }

    /// Passes digits; whether there were any.
    fn digits(&mut self) -> bool {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.byte() {
            self.at += 1;
        }
        self.at > start
    }

    fn string(&mut self) -> Option<()> {
        self.at += 1;
        loop {
            match self.byte()? {
                b'"' => break,
                b'\\' => self.escape()?,
                0..0x20 => return None,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        Some(())
    }

    fn escape(&mut self) -> Option<()> {
        let start = self.at;
        let Some(code) = self.code_at(start) else {
            let known = matches!(
                self.text.as_bytes().get(start + 1)?,
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't'
            );
            self.at += 2;
            return known.then_some(());
        };
        self.at += 6;
        let is_low = |code| (0xdc00..0xe000).contains(&code);
        if (0xd800..0xdc00).contains(&code) && self.code_at(self.at).is_some_and(is_low) {
            self.at += 6;
        } else if (0xd800..0xe000).contains(&code) {
            self.replace(start, "\\ufffd");
        }
        Some(())
    }

    /// The code of an escape such as `\u00e9` that starts here.
    fn code_at(&self, at: usize) -> Option<u32> {
        let digits = self.text.as_bytes().get(at..at + 6)?.strip_prefix(b"\\u")?;
        let digit = |code, digit: &u8| Some((code << 4) | char::from(*digit).to_digit(16)?);
        digits.iter().try_fold(0, digit)
    }

    /// Puts `with` in the place of the text from `start` to here.
    fn replace(&mut self, start: usize, with: &str) {
        self.out.push_str(&self.text[self.copied..start]);
        self.out.push_str(with);
        self.copied = self.at;
    }
}
