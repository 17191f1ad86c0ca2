//! Captions against Python: `tokenizers` and `html` (values made by models/train/golden.py), ftfy
//! and open_clip (by tests/golden/captions.py).

use pairgate::model::bundle::Bundle;
use pairgate::text::clean::{Step, clean};
use pairgate::text::tokenize::{CaptionTokenizer, Framing};
use proptest::prelude::*;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::support::data;

#[derive(Deserialize)]
struct File {
    captions: Vec<Golden>,
}

#[derive(Deserialize)]
struct Golden {
    raw: String,
    cleaned: String,
    ids: Vec<i64>,
}

/// A caption and what Python makes of it.
#[derive(Deserialize)]
struct Cleaned {
    raw: String,
    ftfy: String,
    basic: String,
    lower: String,
    whitespace: String,
    canonicalize: String,
}

fn read<T: DeserializeOwned>(name: &str) -> T {
    serde_json::from_slice(&std::fs::read(data(name)).unwrap()).unwrap()
}

fn golden() -> Vec<Golden> {
    read::<File>("golden/tokenizer.json").captions
}

/// Steps by the names that a manifest has for them.
fn steps(names: &[&str]) -> Vec<Step> {
    serde_json::from_value(json!(names)).unwrap()
}

const BASIC: [&str; 4] = ["ftfy", "html_unescape", "html_unescape", "strip"];

fn canonicalize() -> Vec<Step> {
    let rest = ["underscores_to_spaces", "remove_punctuation", "lowercase", "collapse_whitespace"];
    steps(&[&BASIC[..], &rest].concat())
}

fn assert_cleaning(steps: &[Step], pythons: fn(Cleaned) -> (String, String)) {
    let captions = read::<Vec<Cleaned>>("golden/captions.json");
    assert!(captions.len() >= 1000);
    let wrong: Vec<_> = captions
        .into_iter()
        .map(pythons)
        .filter(|(raw, pythons)| clean(raw, steps) != *pythons)
        .map(|(raw, pythons)| (clean(&raw, steps).into_owned(), raw, pythons))
        .collect();
    assert!(wrong.is_empty(), "{}: ours, raw, Python's: {wrong:#?}", wrong.len());
}

#[test]
fn cleaning_is_pythons() {
    let steps = Bundle::embedded().unwrap().manifest.text.cleaning;
    let wrong: Vec<_> = golden()
        .into_iter()
        .filter_map(|golden| {
            let cleaned = clean(&golden.raw, &steps).into_owned();
            (cleaned != golden.cleaned).then_some((golden.raw, cleaned, golden.cleaned))
        })
        .collect();
    assert!(wrong.is_empty(), "raw, ours, Python's: {wrong:#?}");
}

#[test]
fn repairs_are_ftfys() {
    assert_cleaning(&steps(&["ftfy"]), |row| (row.raw, row.ftfy));
}

#[test]
fn basic_cleaning_is_open_clips() {
    assert_cleaning(&steps(&BASIC), |row| (row.raw, row.basic));
}

#[test]
fn clip_cleaning_is_open_clips() {
    let whitespace = [&BASIC[..], &["collapse_whitespace"]].concat();
    assert_cleaning(&steps(&whitespace), |row| (row.raw, row.whitespace));
    let lower = [&whitespace[..], &["lowercase"]].concat();
    assert_cleaning(&steps(&lower), |row| (row.raw, row.lower));
}

#[test]
fn siglip_cleaning_is_open_clips() {
    assert_cleaning(&canonicalize(), |row| (row.raw, row.canonicalize));
}

#[test]
fn plain_ascii_is_not_copied() {
    let caption = "A small dog (3 years) runs;\n<b>\"fast\"</b>, isn't it?";
    let repaired = clean(caption, &steps(&BASIC));
    assert!(matches!(repaired, std::borrow::Cow::Borrowed(text) if text == caption));
}

/// A caption may be megabytes: work must grow with its length, or this would take hours.
#[test]
fn long_captions_are_cleaned_in_time() {
    let steps = canonicalize();
    for c in ['a', '&', ';', '\u{1b}', 'é', 'Ã', '\u{fffd}', '日', '\u{301}', '\u{85}', 'ﾞ', ' ']
    {
        clean(&c.to_string().repeat((1 << 18) / c.len_utf8()), &steps);
    }
    for (start, again) in [("", "aé"), ("", "Ã©"), ("日", "Ã©"), ("e", "\u{301}\u{327}")] {
        clean(&(start.to_owned() + &again.repeat((1 << 18) / again.len())), &steps);
    }
    assert_eq!(clean(&"a ".repeat(2 << 20), &steps).len(), (4 << 20) - 1);
}

/// Each repair uncovers the next, so ftfy needs as many passes as the text is long.
#[test]
fn nested_damage_is_cleaned_in_time() {
    let ftfy = steps(&["ftfy"]);
    for (start, again) in [("&", "amp;"), ("&", "#38;"), ("Ã", "ƒ"), ("日Ã", "ƒ")] {
        let short = start.to_owned() + &again.repeat(20);
        assert!(clean(&short, &ftfy).len() <= start.len(), "{start}{again}");
        clean(&(start.to_owned() + &again.repeat((1 << 16) / again.len())), &ftfy);
    }
}

#[test]
fn a_segment_of_a_million_characters_is_repaired_by_itself() {
    // Read with the whole text, the second part could not be mojibake: no encoding has 日.
    let text = "日".repeat(1_000_000) + "Ã©";
    assert!(clean(&text, &steps(&["ftfy"])).ends_with("日é"));
}

#[test]
fn token_ids_are_pythons() {
    let bundle = Bundle::embedded().unwrap();
    let tokenizer =
        CaptionTokenizer::load(&bundle.tokenizer, bundle.manifest.text.framing()).unwrap();
    let golden = golden();
    assert!(golden.len() >= 500);
    for golden in golden {
        assert_eq!(tokenizer.tokenize(&golden.raw).unwrap(), golden.ids, "{:?}", golden.raw);
    }
}

#[test]
fn a_long_caption_is_cut_and_ends_with_end_of_text() {
    let bundle = Bundle::embedded().unwrap();
    let text = &bundle.manifest.text;
    let tokenizer = CaptionTokenizer::load(&bundle.tokenizer, text.framing()).unwrap();
    let ids = tokenizer.tokenize(&"a dog runs ".repeat(400_000)).unwrap();
    assert_eq!(ids.len(), text.context_length);
    assert_eq!(ids.last(), text.eot_id.map(i64::from).as_ref());
}

fn framing(context_length: usize, sot_id: Option<u32>, eot_id: Option<u32>) -> Framing {
    Framing { cleaning: Vec::new(), context_length, sot_id, eot_id }
}

/// Words "a" to "d" are 1 to 4, [S] is 5, [E] is 9. It asks for things that must not count.
fn words(pre_tokenizer: &Value) -> Vec<u8> {
    let added = |id: u32, content: &str| {
        json!({"id": id, "content": content, "single_word": false, "lstrip": false,
               "rstrip": false, "normalized": false, "special": true})
    };
    let template = json!([{"SpecialToken": {"id": "[S]", "type_id": 0}},
                          {"Sequence": {"id": "A", "type_id": 0}}]);
    let tokenizer = json!({
        "version": "1.0",
        "truncation": {"direction": "Left", "max_length": 2, "strategy": "LongestFirst", "stride": 0},
        "padding": {"strategy": {"Fixed": 6}, "direction": "Right", "pad_to_multiple_of": null,
                    "pad_id": 0, "pad_type_id": 0, "pad_token": "[P]"},
        "added_tokens": [added(5, "[S]"), added(9, "[E]")],
        "normalizer": null,
        "pre_tokenizer": pre_tokenizer,
        "post_processor": {"type": "TemplateProcessing", "single": template, "pair": template,
                           "special_tokens": {"[S]": {"id": "[S]", "ids": [5], "tokens": ["[S]"]}}},
        "decoder": null,
        "model": {"type": "WordLevel", "unk_token": "[P]",
                  "vocab": {"[P]": 0, "a": 1, "b": 2, "c": 3, "d": 4, "[S]": 5, "[E]": 9}},
    });
    serde_json::to_vec(&tokenizer).unwrap()
}

fn framed(framing: Framing, caption: &str) -> Vec<i64> {
    let tokenizer = words(&json!({"type": "WhitespaceSplit"}));
    CaptionTokenizer::load(&tokenizer, framing).unwrap().tokenize(caption).unwrap()
}

#[test]
fn only_the_manifest_frames_and_cuts() {
    let (sot, eot) = (Some(5), Some(9));
    assert_eq!(framed(framing(8, sot, eot), "a b c d"), [5, 1, 2, 3, 4, 9]);
    assert_eq!(framed(framing(5, sot, eot), "a b c d"), [5, 1, 2, 3, 9]);
    assert_eq!(framed(framing(2, sot, eot), "a b c d"), [5, 9]);
    assert_eq!(framed(framing(4, None, eot), "a b c d"), [1, 2, 3, 9]);
    assert_eq!(framed(framing(4, sot, None), "a b c d"), [5, 1, 2, 3]);
    assert_eq!(framed(framing(4, None, None), "a b c d a"), [1, 2, 3, 4]);
    assert_eq!(framed(framing(4, None, None), ""), [0_i64; 0]);
    assert_eq!(framed(framing(4, sot, eot), ""), [5, 9]);
}

#[test]
fn an_id_that_the_tokenizer_lacks_is_named() {
    for (framing, named) in [
        (framing(8, Some(6), None), "text.sot_id = 6"),
        (framing(8, None, Some(7)), "text.eot_id = 7"),
    ] {
        let refused = CaptionTokenizer::load(&words(&Value::Null), framing).unwrap_err();
        assert!(refused.to_string().contains(named), "{refused}");
    }
    assert!(CaptionTokenizer::load(b"{}", framing(8, None, None)).is_err());
}

#[test]
fn the_vocabulary_ends_with_the_largest_id() {
    let framing = framing(8, None, None);
    let tokenizer = CaptionTokenizer::load(&words(&Value::Null), framing).unwrap();
    assert_eq!(tokenizer.vocabulary_size(), 10);
    let bundle = Bundle::embedded().unwrap();
    let tokenizer =
        CaptionTokenizer::load(&bundle.tokenizer, bundle.manifest.text.framing()).unwrap();
    assert_eq!(tokenizer.vocabulary_size(), 8192);
}

/// Tokenizers as the families have them, with the default model's vocabulary or [`words`]'.
fn tokenizers() -> Vec<Vec<u8>> {
    let clip = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";
    let split = |regex: &str| json!({"type": "Split", "pattern": {"Regex": regex}, "behavior": "Removed", "invert": true});
    let bytes = |add_prefix_space: bool, use_regex: bool| json!({"type": "ByteLevel", "add_prefix_space": add_prefix_space, "trim_offsets": true, "use_regex": use_regex});
    let sequence = |parts: &[Value]| json!({"type": "Sequence", "pretokenizers": parts});
    let metaspace =
        json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true});
    let spaces = json!({"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "});
    let punctuation = json!({"type": "Replace", "content": "",
                             "pattern": {"Regex": r##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~]"##}});
    let normalizers = json!({"type": "Sequence", "normalizers": [{"type": "NFC"}, spaces, {"type": "Lowercase"}, punctuation]});
    let cases = [
        (Value::Null, bytes(true, true)),
        (normalizers.clone(), bytes(false, true)),
        (normalizers.clone(), sequence(&[split(clip), bytes(false, true)])),
        (Value::Null, sequence(&[split(&format!("(?i:{clip})")), bytes(false, false)])),
        (normalizers, sequence(&[json!({"type": "WhitespaceSplit"}), metaspace.clone()])),
        (json!({"type": "NFKC"}), metaspace),
        // These may read over a space: nothing is to be cut.
        (
            json!({"type": "Replace", "pattern": {"String": " "}, "content": "▁"}),
            bytes(false, true),
        ),
        (Value::Null, split(r"\w+ \w+|\S")),
        (Value::Null, Value::Null),
    ];
    let default: Value = serde_json::from_slice(&Bundle::embedded().unwrap().tokenizer).unwrap();
    let with = |(normalizer, pre_tokenizer): (Value, Value)| {
        let mut tokenizer = default.clone();
        tokenizer["normalizer"] = normalizer;
        tokenizer["pre_tokenizer"] = pre_tokenizer;
        serde_json::to_vec(&tokenizer).unwrap()
    };
    cases.into_iter().map(with).collect()
}

/// Of a long caption only a part is read where that is exact; a context that needs all of it shows
/// what the whole gives.
#[test]
fn a_part_of_a_long_caption_gives_the_ids_of_the_whole() {
    let captions = read::<Vec<Cleaned>>("golden/captions.json");
    let short =
        captions.iter().step_by(9).filter(|row| row.raw.len() < 400).map(|row| row.raw.as_str());
    let joined = short.collect::<Vec<_>>().join(" ");
    let texts = [joined, "a dog's tail, wet ".repeat(500), "собака бежит ".repeat(200)];
    for json in tokenizers() {
        let load = |context_length: usize| {
            CaptionTokenizer::load(&json, framing(context_length, None, None)).unwrap()
        };
        let whole = load(usize::MAX);
        let cut = [1, 3, 16, 77].map(|context_length| (context_length, load(context_length)));
        for text in &texts {
            let whole = whole.tokenize(text).unwrap();
            for (context_length, tokenizer) in &cut {
                let ids = tokenizer.tokenize(text).unwrap();
                assert_eq!(ids[..], whole[..whole.len().min(*context_length)]);
            }
        }
    }
}

proptest! {
    #[test]
    fn any_caption_is_cleaned(caption in any::<String>()) {
        clean(&caption, &canonicalize());
    }

    /// Characters that mojibake, entities and escapes are made of.
    #[test]
    fn any_damaged_caption_is_cleaned(
        caption in "([ -~]|[\u{80}-\u{250}]|[Α-ωЀ-џ]|[\u{2010}-\u{2030}€™]|[─-▓]|\u{fffd}|\u{1b}\\[|&#|Ã|\n){0,60}",
    ) {
        let repaired = clean(&caption, &steps(&["ftfy"])).into_owned();
        prop_assert!(!repaired.contains(['\r', '\u{1b}', '\u{85}', '\u{2028}', '’', 'ﬁ']), "{repaired:?}");
        clean(&caption, &canonicalize());
    }
}
