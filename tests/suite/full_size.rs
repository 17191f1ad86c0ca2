//! A full-size ViT-B/32 and the full vocabulary, against open_clip and transformers. What
//! tests/golden/full_size.py makes is too big for the repository: PAIRGATE_FULL_SIZE names its
//! work folder.

use std::fs;
use std::path::PathBuf;

use pairgate::model::check::golden::Golden;
use pairgate::model::check::verify::verify;
use pairgate::model::import::{Import, import};
use pairgate::text::clean::Step;
use pairgate::text::tokenize::{CaptionTokenizer, Framing};
use serde::Deserialize;

fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("PAIRGATE_FULL_SIZE").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("SKIPPED: PAIRGATE_FULL_SIZE does not name the folder that full_size.py writes");
    }
    folder
}

#[test]
fn vit_b_32_scores_real_pairs_as_open_clip_does() {
    let Some(folder) = folder() else { return };
    let bundle = tempfile::tempdir().unwrap();
    let wanted = Import {
        folder: folder.join("export"),
        settings: vec!["licence=none".into()],
        ..Import::default()
    };
    let imported = import(&wanted, &bundle.path().join("b32"), &mut |_| {}).unwrap();
    let golden = Golden::open(&folder.join("golden.json")).unwrap();
    assert_eq!(golden.pairs.len(), 256);
    let agreement = verify(imported.model, &golden, &folder, &mut |_| {}).unwrap();
    println!("{agreement:?}");
    assert_eq!(agreement.ids_differ, [0usize; 0]);
    assert!(agreement.score_differences[3] <= 1e-4);
}

#[derive(Deserialize)]
struct Tokens {
    captions: Vec<String>,
    cleaned: Vec<String>,
    open_clip: Vec<Vec<i64>>,
    transformers: Vec<Vec<i64>>,
}

/// CLIP's own frame, as both libraries have it.
fn framing(cleaning: &[Step]) -> Framing {
    Framing {
        cleaning: cleaning.to_vec(),
        context_length: 77,
        sot_id: Some(49406),
        eot_id: Some(49407),
    }
}

#[test]
fn thousands_of_captions_get_the_ids_of_both_libraries() {
    let Some(folder) = folder() else { return };
    let tokens: Tokens =
        serde_json::from_slice(&fs::read(folder.join("tokens.json")).unwrap()).unwrap();
    assert!(tokens.captions.len() >= 5000);
    let open_clip = [
        Step::Ftfy,
        Step::HtmlUnescape,
        Step::HtmlUnescape,
        Step::Strip,
        Step::CollapseWhitespace,
        Step::Lowercase,
    ];
    for (caption, cleaned) in tokens.captions.iter().zip(&tokens.cleaned) {
        assert_eq!(pairgate::text::clean::clean(caption, &open_clip), *cleaned, "{caption:?}");
    }
    for (file, steps, wanted) in [
        ("tokenizer_open_clip.json", &open_clip[..], &tokens.open_clip),
        ("tokenizer_transformers.json", &[], &tokens.transformers),
    ] {
        let json = fs::read(folder.join(file)).unwrap();
        let tokenizer = CaptionTokenizer::load(&json, framing(steps)).unwrap();
        let mut differ = Vec::new();
        for (caption, wanted) in tokens.captions.iter().zip(wanted) {
            if tokenizer.tokenize(caption).unwrap() != *wanted {
                differ.push(caption);
            }
        }
        let count = tokens.captions.len();
        println!("{file}: {} of {count} differ", differ.len());
        assert!(differ.is_empty(), "{file}: {differ:?}");
    }
}
