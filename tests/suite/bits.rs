//! The promise of the scores, pinned: the same file and the same caption give these bits on every
//! instruction set of every architecture. What lies between is pinned too, so that a difference
//! shows where it begins.
//!
//! `PAIRGATE_WRITE_BITS=1 cargo test --release bits` writes the pins anew, after a change of the
//! model or of the arithmetic; a user's stored scores change with them.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use pairgate::decode::{Rgb8, decode, probe};
use pairgate::model::bundle::Bundle;
use pairgate::model::check::golden::Picture;
use pairgate::model::{Arithmetic, Model, Scorer, score};
use pairgate::prepare::{Interpolation, Preparation, Preparer, Resize};
use pairgate::score::{PairEmbeddings, Row};
use pairgate::select::fit::{Work, frozen};
use pairgate::select::pool::InMemory;
use pairgate::select::scorers::Resources;
use pairgate::select::{About, PoolPair, fit};
use pairgate::{Digest, Uid};
use pairgate_core::config::ImageLimits;
use pairgate_kernels::{Isa, Team};

use crate::cli::emulated;
use crate::support::data;

/// Set to write the pins.
const WRITE: &str = "PAIRGATE_WRITE_BITS";
const HEADER: &str = "picture,pixels,prepared,image,caption,score";

/// What becomes of a pair, stage by stage.
#[derive(Debug, PartialEq)]
struct Stages {
    picture: String,
    /// Digests, see [`digest`].
    pixels: u64,
    prepared: u64,
    image: u64,
    caption: u64,
    /// The score's own bits.
    score: u32,
}

impl fmt::Display for Stages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { picture, pixels, prepared, image, caption, score } = self;
        write!(f, "{picture},{pixels:016x},{prepared:016x},{image:016x},{caption:016x},{score:08x}")
    }
}

/// FNV-1a, 64 bits.
fn digest(bytes: impl IntoIterator<Item = u8>) -> u64 {
    bytes.into_iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn digest_of_values(values: &[f32]) -> u64 {
    digest(values.iter().flat_map(|value| value.to_bits().to_le_bytes()))
}

/// Pictures without a caption of their own get one of the sample pairs'.
fn caption_of(picture: &Path, turn: usize) -> String {
    let captions = ["meadow", "sunset", "mountain", "beach", "ball", "city", "boilerplate"];
    let other = data(&format!("pairs/{}.txt", captions[turn % captions.len()]));
    fs::read_to_string(picture.with_extension("txt"))
        .unwrap_or_else(|_| fs::read_to_string(other).unwrap())
}

/// Every picture of the repository that is ours, in a fixed order.
fn pictures() -> Vec<PathBuf> {
    let is_picture = |path: &PathBuf| path.extension().is_some_and(|e| e != "txt" && e != "json");
    let mut all: Vec<PathBuf> = ["bits", "pairs", "golden/files"]
        .iter()
        .flat_map(|folder| fs::read_dir(data(folder)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(is_picture)
        .collect();
    all.sort();
    all
}

/// A picture decoded and prepared, and its caption.
struct Pair {
    picture: String,
    pixels: u64,
    prepared: Vec<f32>,
    caption: String,
}

fn pair(preparer: &mut Preparer, path: &Path, turn: usize) -> Pair {
    let limits = ImageLimits::default();
    let bytes = fs::read(path).unwrap();
    let mut rgb = Rgb8::default();
    decode(&bytes, &probe(&bytes, &limits).unwrap(), &limits, &mut rgb).unwrap();
    let side = preparer.preparation().size as usize;
    let mut prepared = vec![0.0; 3 * side * side];
    preparer.prepare(&rgb, &mut prepared);
    let size = [rgb.size.width, rgb.size.height].map(u32::to_le_bytes);
    let picture = path.strip_prefix(data("")).unwrap().to_str().unwrap().to_owned();
    let pixels = digest(size.into_iter().flatten().chain(rgb.pixels.iter().copied()));
    Pair { picture, pixels, prepared, caption: caption_of(path, turn) }
}

fn stages(scorer: &mut Scorer, pair: &Pair) -> Stages {
    let image = scorer.embed_image(&pair.prepared).unwrap().to_vec();
    let ids = scorer.tokenize(&pair.caption).unwrap();
    let caption = scorer.embed_tokens(&ids).unwrap();
    Stages {
        picture: pair.picture.clone(),
        pixels: pair.pixels,
        prepared: digest_of_values(&pair.prepared),
        image: digest_of_values(&image),
        caption: digest_of_values(caption),
        score: score(&image, caption).to_bits(),
    }
}

/// Digest of all pairs' recorded embeddings: those in 16 bits, and the codes and scales in int8 that scorers
/// and selectors work on.
const RECORDED: u64 = 0x6158_3834_3886_990c;

fn recorded_digest(scorer: &mut Scorer, pairs: &[Pair]) -> u64 {
    let mut bytes = Vec::new();
    for pair in pairs {
        let image = scorer.embed_image(&pair.prepared).unwrap().to_vec();
        let ids = scorer.tokenize(&pair.caption).unwrap();
        let recorded = PairEmbeddings::of(&image, scorer.embed_tokens(&ids).unwrap());
        for values in [&recorded.image, &recorded.text] {
            bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
            let row = Row::of(values);
            bytes.extend(row.codes().iter().map(|code| code.cast_unsigned()));
            bytes.extend(row.scale().to_bits().to_le_bytes());
        }
    }
    digest(bytes)
}

/// Digest of a state that is fitted on all pairs, and of what it decides of each of them.
const SELECTED: u64 = 0xd3aa_8e06_050b_0f65;

fn selected_digest(scorer: &mut Scorer, pairs: &[Pair]) -> u64 {
    let recorded = |(place, pair): (usize, &Pair)| {
        let image = scorer.embed_image(&pair.prepared).unwrap().to_vec();
        let ids = scorer.tokenize(&pair.caption).unwrap();
        let text = scorer.embed_tokens(&ids).unwrap();
        PoolPair {
            uid: Uid((place as u128).to_be_bytes()),
            key: pair.picture.clone(),
            shard: "bits".into(),
            score: score(&image, text),
            embeddings: PairEmbeddings::of(&image, text),
            caption: Some(pair.caption.clone()),
            tokens: ids,
            metadata: None,
        }
    };
    let mut pool = InMemory(pairs.iter().enumerate().map(recorded).collect());
    let about = About {
        program: "1".into(),
        model_name: "model".into(),
        model: Digest::default(),
        dimension: scorer.model().manifest().embedding_size as u32,
        seed: 1234,
        calibration: Digest::default(),
        pairs: 0,
        threshold: Some(-1.0),
        expression: "all(contrast bank 40 keep 70%, clusters k 5 keep 70%, duplicates k 5 eps 0.1)"
            .into(),
    };
    let (stop, resources) = (AtomicBool::new(false), Resources::default());
    let mut tell = |_| {};
    let work = Work { team: &Team::ALONE, stop: &stop, tell: &mut tell };
    let state = fit(&mut pool, about, &resources, work).unwrap().state;
    let bytes = state.to_bytes();
    let work = Work { team: &Team::ALONE, stop: &stop, tell: &mut tell };
    let reasons = frozen(&mut pool, &Arc::new(state), work).unwrap();
    digest(bytes.into_iter().chain(reasons.into_iter().map(|reason| reason as u8)))
}

#[test]
fn scores_have_the_pinned_bits() {
    let model = |isa| {
        let bundle = Bundle::embedded().unwrap();
        Arc::new(Model::unchecked(&bundle, Arithmetic::Int8(isa)).unwrap())
    };
    let mut preparer = Preparer::new(model(Isa::SCALAR).manifest().image.preparation());
    let paths = pictures();
    let pairs: Vec<Pair> =
        paths.iter().zip(0..).map(|(path, turn)| pair(&mut preparer, path, turn)).collect();
    let lines_on = |isa, step| {
        let mut scorer = Scorer::new(model(isa));
        let lines = pairs.iter().step_by(step).map(|pair| stages(&mut scorer, pair).to_string());
        [HEADER.to_owned()].into_iter().chain(lines).collect::<Vec<String>>()
    };
    let recorded = recorded_digest(&mut Scorer::new(model(Isa::chosen())), &pairs);
    assert_eq!(recorded, RECORDED, "{recorded:#018x}");
    let selected = selected_digest(&mut Scorer::new(model(Isa::chosen())), &pairs);
    assert_eq!(selected, SELECTED, "{selected:#018x}");
    let file = data("bits.csv");
    if std::env::var_os(WRITE).is_some() {
        fs::write(&file, lines_on(Isa::SCALAR, 1).join("\n") + "\n").unwrap();
    }
    let pinned = fs::read_to_string(&file).unwrap();
    let (header, pinned) = pinned.split_once('\n').unwrap();
    for isa in Isa::available() {
        // Emulated, a part is enough for sets that other cores have as their fastest.
        let step = if emulated() && isa != Isa::chosen() { 8 } else { 1 };
        let pinned: Vec<&str> = [header].into_iter().chain(pinned.lines().step_by(step)).collect();
        assert_eq!(lines_on(isa, step), pinned, "{isa}");
    }
}

/// Digests of made pictures resized in every way; see [`resizes_have_the_pinned_bits`].
const RESIZES: [(Interpolation, u64); 6] = [
    (Interpolation::Nearest, 0xbd64b5773d4084b4),
    (Interpolation::Box, 0xf86597861d967e13),
    (Interpolation::Bilinear, 0x885b981f364bea9a),
    (Interpolation::Hamming, 0x1804cec641325769),
    (Interpolation::Bicubic, 0x64d6e379b3bce3db),
    (Interpolation::Lanczos, 0x0d6d6abdf089ccda),
];

/// Sizes that leave rests of vectors, shrunk and enlarged.
const SIZES: [[u32; 2]; 9] = [
    [640, 480],
    [481, 641],
    [1023, 37],
    [33, 1999],
    [225, 223],
    [64, 64],
    [17, 90],
    [3, 5],
    [1, 1],
];

#[test]
fn resizes_have_the_pinned_bits() {
    let made = |[width, height]: [u32; 2]| {
        let mut rgb = Rgb8::default();
        let seed = u64::from(width + height);
        Picture::Made { width, height, seed }.load(Path::new(""), &mut rgb).unwrap();
        rgb
    };
    let pictures = SIZES.map(made);
    let digest_by = |interpolation| {
        let mut all = Vec::new();
        for resize in [Resize::Shortest, Resize::Squash, Resize::Longest] {
            for side in [112, 97] {
                let preparation = Preparation::new(side, resize, interpolation, [0.0; 3], [1.0; 3]);
                let mut preparer = Preparer::new(preparation);
                for picture in &pictures {
                    all.extend_from_slice(preparer.square(picture));
                }
            }
        }
        digest(all)
    };
    let found = RESIZES.map(|(interpolation, _)| (interpolation, digest_by(interpolation)));
    assert_eq!(found.map(line), RESIZES.map(line));
}

/// As a line of [`RESIZES`].
fn line((interpolation, digest): (Interpolation, u64)) -> String {
    format!("(Interpolation::{interpolation:?}, {digest:#018x}),")
}
