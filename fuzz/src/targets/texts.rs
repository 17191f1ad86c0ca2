//! Captions and names.

use std::cell::OnceCell;

use pairgate::datacomp::language::Identifier;
use pairgate::datacomp::language::fasttext::Scratch;
use pairgate::model::bundle::Bundle;
use pairgate::model::bundle::manifest::Manifest;
use pairgate::printable::{printable, printable_line};
use pairgate::store::names::{flat_key, safe_extension, safe_key};
use pairgate::text::clean::{Step, clean};
use pairgate::text::tokenize::CaptionTokenizer;
use pairgate_core::rules::Rules;

use crate::{Target, files};

pub const CAPTION: Target = Target {
    name: "caption",
    about: "cleaned, tokenized within the context, and printable",
    seeds: captions,
    run: caption,
};

pub const NAMES: Target = Target {
    name: "names",
    about: "names of stored samples stay in their folder, and made safe again are the same",
    seeds: || {
        [
            "a/b/c.d.jpg",
            "../../etc/passwd",
            "__key__",
            "C:\\x",
            "..",
            "/",
            "a//b/./c/",
            "\u{7}\u{202e}",
        ]
        .map(|name| name.as_bytes().to_vec())
        .into()
    },
    run: names,
};

const STEPS: [Step; 9] = [
    Step::Ftfy,
    Step::HtmlUnescape,
    Step::HtmlUnescape,
    Step::Strip,
    Step::CollapseWhitespace,
    Step::UnderscoresToSpaces,
    Step::RemovePunctuation,
    Step::Lowercase,
    Step::CollapseWhitespace,
];

thread_local! {
    static TOKENIZER: OnceCell<(CaptionTokenizer, Manifest)> = const { OnceCell::new() };
}

/// A tokenizer, and the manifest that goes with it.
pub fn tokenizer() -> (CaptionTokenizer, Manifest) {
    let manifest = Bundle::embedded().expect("the default model is whole").manifest;
    let json = files::read(&files::repository("models/default/tokenizer.json"));
    let tokenizer =
        CaptionTokenizer::load(&json, manifest.text.framing()).expect("it is the model's");
    (tokenizer, manifest)
}

fn caption(bytes: &[u8]) {
    // Reading a long one takes long; what is above the limit never comes this far.
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(4096)]);
    let cleaned = clean(&text, &STEPS);
    assert!(!cleaned.starts_with(' ') && !cleaned.ends_with(' '));
    assert!(!cleaned.contains("  ") && !cleaned.contains('_'));
    TOKENIZER.with(|known| {
        let (tokenizer, manifest) = known.get_or_init(tokenizer);
        let ids = tokenizer.tokenize(&text).expect("it gives up on no text");
        assert!(ids.len() <= manifest.text.context_length, "{} tokens", ids.len());
        let size = tokenizer.vocabulary_size() as i64;
        assert!(ids.iter().all(|id| (0..size).contains(id)));
    });
    let _ = Rules::default().caption_faults(&text).count();
    let _ = Identifier::BuiltIn.is_english(&text, &mut Scratch::default());
    let shown = printable_line(&text);
    assert!(!shown.contains(char::is_control), "{shown:?}");
    let shown = printable(&text);
    assert!(!shown.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\t')), "{shown:?}");
}

fn captions() -> Vec<Vec<u8>> {
    let mut seeds = files::all_in("tests/data/pairs", &["txt"]);
    for text in [
        "caf\u{c3}\u{a9} &amp;amp; cr\u{e8}me &notit; &#x80; &#1114112; &#38;lt;",
        "\u{fb01}ne \u{2018}quotes\u{2019} \u{ff21}\u{ff22} \u{1b}[31mred\u{1b}[0m \u{202e}back",
        "\u{e2}\u{80}\u{9c}mojibake\u{e2}\u{80}\u{9d} \u{c2}\u{a0} \u{f0}\u{9f}\u{98}\u{80}",
        "I\u{307}\u{130}\u{1e9e}\u{3a3} \u{1f468}\u{200d}\u{1f469} e\u{301}\u{301} \u{ac00}\u{11a8}",
    ] {
        seeds.push(text.as_bytes().to_vec());
    }
    seeds
}

fn names(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (key, flat, extension) = (safe_key(&text), flat_key(&text), safe_extension(&text));
    assert_eq!(safe_key(&key), key);
    assert!(key.split('/').all(|part| !matches!(part, "" | "." | "..") && part.len() <= 176));
    for name in [&key, &flat, &extension] {
        assert!(!name.is_empty() && !name.contains(char::is_control) && !name.contains('\\'));
    }
    assert!(!flat.contains('/') && flat.len() <= 176);
    assert!(!extension.contains('/') && extension.len() <= 64);
}
