//! How much of a long text a tokenizer has to read to find its first tokens.
//!
//! Most tokenizers cut text into words first, at least wherever there is a space, and read each
//! word by itself. The tokens of such a text up to a space are then the first tokens of the whole
//! text. Of those that may read over a space, the whole text is read.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::Value;
use tokenizers::{NormalizedString, Normalizer as _, Tokenizer};

/// The end of the expression by which CLIP's tokenizer finds words; special tokens stand before
/// it. No part of it matches white space.
const CLIP_WORDS: &str = r"|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";

/// Whether no token depends on what is behind a space that comes after it.
pub fn splits_at_spaces(tokenizer: &Tokenizer) -> bool {
    // A part that cannot be told as JSON is null, which passes for nothing.
    let normalizer =
        tokenizer.get_normalizer().map(|n| serde_json::to_value(n).unwrap_or_default());
    let pre_tokenizer = serde_json::to_value(tokenizer.get_pre_tokenizer()).unwrap_or_default();
    let spaces_stay = normalized(tokenizer, "a b").is_some_and(|text| text.ends_with("a b"));
    let spaced = |text: &str| text.contains(char::is_whitespace);
    // An added token is found in the text as a whole, before it is cut.
    let added = tokenizer.get_added_tokens_decoder();
    let mut added = added.values().map(|token| token.content.as_str());
    spaces_stay
        && normalizer.as_ref().is_none_or(is_local)
        && cuts_words(&pre_tokenizer)
        && !added.any(|text| spaced(text) || normalized(tokenizer, text).is_none_or(|t| spaced(&t)))
}

/// The text as the tokenizer's normalizer makes it; `None` where that fails.
pub fn normalized(tokenizer: &Tokenizer, text: &str) -> Option<String> {
    let mut normalized = NormalizedString::from(text);
    // A precompiled form whose tables are damaged is read past their end.
    let normalize = || tokenizer.get_normalizer().map_or(Ok(()), |n| n.normalize(&mut normalized));
    let done = catch_unwind(AssertUnwindSafe(normalize)).ok()?;
    done.is_ok().then(|| normalized.get().to_owned())
}

/// Whether a normalizer does to the text before a space the same whatever follows the space, and
/// does not take the space away.
fn is_local(normalizer: &Value) -> bool {
    match normalizer["type"].as_str() {
        None => false,
        Some("Sequence") => all(&normalizer["normalizers"], is_local),
        Some("Replace") => {
            match (&normalizer["pattern"]["String"], &normalizer["pattern"]["Regex"]) {
                (Value::String(text), _) => !text.contains(char::is_whitespace),
                (_, Value::String(regex)) if regex == r"\s+" => normalizer["content"] == " ",
                (_, Value::String(regex)) => is_punctuation_class(regex),
                _ => false,
            }
        }
        Some(name) => matches!(
            name,
            "NFC"
                | "NFD"
                | "NFKC"
                | "NFKD"
                | "Lowercase"
                | "Strip"
                | "StripAccents"
                | "Prepend"
                | "BertNormalizer"
                | "Precompiled"
        ),
    }
}

/// Whether an expression matches one character of ASCII punctuation: a class of nothing else.
fn is_punctuation_class(regex: &str) -> bool {
    let class = regex.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    class.is_some_and(|class| {
        let mut escaped = false;
        let plain = class.chars().all(|c| {
            let is_bracket = matches!(c, '[' | ']') && !escaped;
            escaped = c == '\\' && !escaped;
            c.is_ascii_punctuation() && !is_bracket
        });
        plain && !escaped && !class.starts_with('^') && !class.contains("&&")
    })
}

/// Whether a pre-tokenizer cuts at every space, before it looks further.
fn cuts_words(pre_tokenizer: &Value) -> bool {
    match pre_tokenizer["type"].as_str() {
        Some("Sequence") => cuts_words(&pre_tokenizer["pretokenizers"][0]),
        Some("WhitespaceSplit" | "Whitespace" | "BertPreTokenizer") => true,
        Some("ByteLevel") => pre_tokenizer["use_regex"] == true,
        Some("Metaspace") => pre_tokenizer["split"] == true,
        Some("Split") => {
            let regex = pre_tokenizer["pattern"]["Regex"].as_str().unwrap_or_default();
            let finds_words =
                pre_tokenizer["behavior"] == "Removed" && pre_tokenizer["invert"] == true;
            finds_words && is_clips(regex)
        }
        _ => false,
    }
}

/// Whether an expression is CLIP's, with any special tokens, alone or as `(?i:...)`.
fn is_clips(regex: &str) -> bool {
    let inner = regex.strip_prefix("(?i:").and_then(|rest| rest.strip_suffix(')'));
    let special = inner.unwrap_or(regex).strip_suffix(CLIP_WORDS);
    special.is_some_and(|special| {
        let plain = special.replace(r"\|", "");
        plain.chars().all(|c| c.is_ascii_alphanumeric() || "<>|_".contains(c))
    })
}

fn all(list: &Value, fits: fn(&Value) -> bool) -> bool {
    list.as_array().is_some_and(|list| list.iter().all(fits))
}

/// The text before a space that is about `bytes` in, if that is much less than the whole.
pub fn before_space(text: &str, bytes: usize) -> Option<&str> {
    let end = bytes.saturating_mul(2);
    if text.len() / 2 < end {
        return None;
    }
    let is_cut = |at: &usize| {
        let at = *at;
        text.as_bytes()[at] == b' '
            && text[..at].chars().next_back().is_some_and(stands_alone)
            && text[at + 1..].chars().next().is_some_and(stands_alone)
    };
    (bytes..end).find(is_cut).map(|at| &text[..at])
}

/// Whether a character neither joins a space before it nor is joined by one after it, in any
/// normal form or grapheme: a choice of those that most captions are made of.
fn stands_alone(c: char) -> bool {
    matches!(c, '!'..='~' | '\u{c0}'..='\u{24f}' | '\u{370}'..='\u{482}' | '\u{48a}'..='\u{58f}'
        | '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}')
}
