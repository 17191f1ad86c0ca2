//! Scores that a run made, and language models.

use pairgate::datacomp::language::fasttext::{FastText, Scratch};
use pairgate::recorded::scores::scores_by_uid;

use crate::{Target, files};

pub const LINES: Target = Target {
    name: "score_lines",
    about: "scores of any form, fewer than bytes",
    seeds: || {
        let line = r#"{"key":"meadow","uid":"00112233445566778899aabbccddeeff","score":0.3281,"#;
        vec![format!("{line}\"reason\":null}}\n\n{line}\"score\":null}}\n").into_bytes()]
    },
    run: |bytes| {
        if let Ok(scores) = scores_by_uid(&files::in_file("scores.jsonl", bytes)) {
            assert!(scores.len() <= bytes.len());
        }
    },
};

pub const FASTTEXT: Target = Target {
    name: "fasttext",
    about: "a model that is read names a label that is likely, or none",
    seeds: || files::all_in("tests/data/golden/datacomp", &["ftz", "bin"]),
    run: |bytes| {
        let Ok(model) = FastText::load(&files::in_file("model.bin", bytes)) else { return };
        let mut scratch = Scratch::default();
        for text in ["a ball on a beach", "ein Ball\nam Strand", "\u{7403}", ""] {
            let _ = model.predict(text, &mut scratch);
        }
    },
};
