//! Captions against Python's `tokenizers` and `html`: values made by models/train/golden.py.

use pairgate::model::bundle::Bundle;
use pairgate::text::clean::clean;
use pairgate::text::tokenize::CaptionTokenizer;
use serde::Deserialize;

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

fn golden() -> Vec<Golden> {
    let json = std::fs::read(data("golden/tokenizer.json")).unwrap();
    serde_json::from_slice::<File>(&json).unwrap().captions
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
fn token_ids_are_pythons() {
    let bundle = Bundle::embedded().unwrap();
    let tokenizer = CaptionTokenizer::load(&bundle.tokenizer, &bundle.manifest.text).unwrap();
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
    let tokenizer = CaptionTokenizer::load(&bundle.tokenizer, text).unwrap();
    let ids = tokenizer.tokenize(&"a dog runs ".repeat(5000)).unwrap();
    assert_eq!(ids.len(), text.context_length);
    assert_eq!(ids.last(), Some(&i64::from(text.eot_id)));
}
