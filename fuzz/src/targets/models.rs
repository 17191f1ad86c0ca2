//! Bundles, graphs, tokenizers, and folders to import.

use std::cell::OnceCell;
use std::fs;

use pairgate::model::bundle::manifest::{Manifest, TextManifest};
use pairgate::model::check::golden::Golden;
use pairgate::model::import::{Import, import};
use pairgate::model::onnx::Graph;
use pairgate::text::tokenize::CaptionTokenizer;

use super::texts;
use crate::{Target, files};

pub const BUNDLE: Target = Target {
    name: "bundle",
    about: "a manifest is read and checked, or refused",
    seeds: || files::all_in("models/default", &["toml"]),
    run: |bytes| {
        if let Ok(manifest) = Manifest::parse(bytes) {
            let _ = (manifest.calibrated_threshold(0.15), manifest.files().count());
            let _ = manifest.image.preparation();
        }
    },
};

pub const ONNX: Target = Target {
    name: "onnx",
    about: "a graph is read and lowered, or refused",
    seeds: || files::all_in("tests/data/models/operators", &["onnx"]),
    run: |bytes| {
        let Ok(graph) = Graph::parse("fuzz.onnx", bytes) else { return };
        let _ = (graph.inputs(), graph.outputs());
        if let Ok(lowered) = graph.lowered() {
            let _ = lowered.to_bytes();
        }
    },
};

pub const GOLDEN: Target = Target {
    name: "golden",
    about: "a golden file is read, or refused",
    seeds: || vec![files::read(&files::repository("tests/data/models/open_clip-vit/golden.json"))],
    run: |bytes| {
        let _ = Golden::parse("golden.json", bytes);
    },
};

pub const TOKENIZER: Target = Target {
    name: "tokenizer",
    about: "a tokenizer that is read reads captions within the context",
    seeds: || {
        ["open_clip-vit", "optimum-siglip", "transformers-siglip"]
            .map(|name| files::repository(&format!("tests/data/models/{name}/tokenizer.json")))
            .iter()
            .map(|path| files::read(path))
            .collect()
    },
    run: tokenizer,
};

pub const IMPORT: Target = Target {
    name: "import",
    about: "a folder whose image tower is damaged is imported, or refused, and then leaves nothing",
    seeds: || {
        let mut seeds = files::all_in(FIXTURE, &["onnx"]);
        seeds.retain(|seed| seed.len() < 70 << 10);
        seeds
    },
    run: import_tower,
};

const FIXTURE: &str = "tests/data/models/open_clip-vit";

thread_local! {
    static TEXT: OnceCell<TextManifest> = const { OnceCell::new() };
}

fn tokenizer(bytes: &[u8]) {
    TEXT.with(|known| {
        let text = known.get_or_init(|| {
            let text = texts::tokenizer().1.text;
            TextManifest { sot_id: None, eot_id: None, ..text }
        });
        let Ok(tokenizer) = CaptionTokenizer::load(bytes, text.framing()) else { return };
        let _ = tokenizer.vocabulary_size();
        for caption in ["", "a ball on a beach", "\u{1f468}\u{200d}\u{1f469} e\u{301}", "&amp; _ _"]
        {
            if let Ok(ids) = tokenizer.tokenize(caption) {
                assert!(ids.len() <= text.context_length);
            }
        }
    });
}

fn import_tower(bytes: &[u8]) {
    let folder = files::work().join("import");
    fs::create_dir_all(&folder).expect("a folder can be made");
    for name in ["open_clip_config.json", "text.onnx", "tokenizer.json", "export.json"] {
        let from = files::repository(FIXTURE).join(name);
        fs::copy(from, folder.join(name)).expect("the fixture can be copied");
    }
    files::in_file("import/image.onnx", bytes);
    let to = files::work().join("imported");
    let settings = ["licence=CC0-1.0", "logit_scale=unknown"].map(str::to_owned).to_vec();
    let wanted = Import { folder, settings, ..Import::default() };
    match import(&wanted, &to, &mut |_| ()) {
        Ok(_) => fs::remove_dir_all(&to).expect("it was just written"),
        Err(_) => assert!(!to.exists(), "nothing is left of a failed import"),
    }
}
