//! What the fuzz targets found: files on which the crates that read them panic.

use pairgate::model::bundle::Bundle;
use pairgate::text::tokenize::CaptionTokenizer;

/// The reader of a precompiled normal form takes its text for base64.
#[test]
fn a_tokenizer_that_its_reader_panics_on_is_an_error() {
    let json = br#"{"version": "1.0", "added_tokens": [],
        "normalizer": {"type": "Precompiled", "precompiled_charsmap": "@@@@"},
        "model": {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"}}"#;
    let text = Bundle::embedded().unwrap().manifest.text;
    let error = CaptionTokenizer::load(json, text.framing()).unwrap_err().to_string();
    assert!(error.contains("panic"), "{error}");
}

/// Lengths of texts add up to more than their page holds; a header's list has billions of fields, of which
/// the file holds none.
#[test]
#[cfg(feature = "parquet")]
fn a_table_that_its_reader_panics_on_or_never_leaves_is_an_error() {
    for name in ["lengths-past-the-page.parquet", "list-without-end.parquet"] {
        assert!(!column_errors(name).is_empty(), "{name}");
    }
}

/// What reading the columns of a table comes to, where that fails.
#[cfg(feature = "parquet")]
fn column_errors(name: &str) -> Vec<String> {
    use pairgate::datacomp::metadata::Table;

    let table = Table::open(&crate::support::data(name)).unwrap();
    let mut texts = Vec::new();
    let errors = (0..table.groups().unwrap().len()).flat_map(|group| {
        ["uid", "text"].map(|name| {
            let mut column = table.texts(group, name).ok()?;
            while column.read(500, &mut texts).is_ok() && texts.len() == 500 {}
            column.read(500, &mut texts).err().map(|error| error.to_string())
        })
    });
    errors.flatten().collect()
}
