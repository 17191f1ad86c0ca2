//! What each step of the gate costs: `cargo bench --bench steps [-- [--model=BUNDLE] SHARDS...]`.
//!
//! The steps' scores are checked against the gate's before anything is timed. All steps take turns
//! on the same pairs, round by round, so that a slow moment of the machine strikes all of them.

mod common;

use std::hint::black_box;

use common::{median, model, print_host, samples, seconds};
use pairgate::decode::{Rgb8, decode, probe};
use pairgate::gate::{Examine, Gate, GateSettings, Screening};
use pairgate::model::Scorer;
use pairgate::prepare::Preparer;
use pairgate::source::Sample;
use pairgate_core::config::ImageLimits;

const ROUNDS: usize = 15;
const NAMES: [&str; 6] = ["probe", "decode", "prepare", "tokenize", "text tower", "image tower"];

/// A pair with what each step hands to the next.
struct Worked {
    image: Vec<u8>,
    caption: String,
    rgb: Rgb8,
    pixels: Vec<f32>,
    ids: Vec<i64>,
    score: f32,
}

fn main() {
    let model = model();
    print_host(&model);
    let mut scorer = Scorer::new(model.clone());
    let mut preparer = Preparer::new(model.manifest().image.preparation());
    let settings = GateSettings { screening: Screening::Note, ..GateSettings::default() };
    let mut gate = Gate::new(model, settings);
    let all = samples(200);
    let work: Vec<Worked> =
        all.iter().filter_map(|sample| walk(sample, &mut scorer, &mut preparer)).collect();
    check(&all, &work, &mut gate);

    let mut times = vec![Vec::new(); NAMES.len()];
    for _ in 0..ROUNDS {
        for (step, times) in times.iter_mut().enumerate() {
            times.push(time_step(step, &work, &mut scorer, &mut preparer) / work.len() as f64);
        }
    }
    let medians: Vec<f64> = times.into_iter().map(median).collect();
    let total: f64 = medians.iter().sum();
    println!("{} pairs, median of {ROUNDS} rounds, one thread", work.len());
    for (name, time) in NAMES.iter().zip(medians) {
        println!("{name:<12} {:>8.0} us {:>5.1} %", time * 1e6, 100.0 * time / total);
    }
    println!("{:<12} {:>8.0} us", "all", total * 1e6);
}

/// Takes one pair through all steps; `None` if it does not reach the model.
fn walk(sample: &Sample, scorer: &mut Scorer, preparer: &mut Preparer) -> Option<Worked> {
    let metadata = sample.metadata();
    let pair = sample.pair(&metadata);
    let (image, caption) = (pair.image?.to_vec(), std::str::from_utf8(pair.caption?).ok()?);
    let limits = ImageLimits::default();
    let header = probe(&image, &limits).ok()?;
    let mut rgb = Rgb8::default();
    decode(&image, &header, &limits, &mut rgb).ok()?;
    let side = scorer.model().manifest().image.size as usize;
    let mut pixels = vec![0.0; 3 * side * side];
    preparer.prepare(&rgb, &mut pixels);
    let ids = scorer.tokenize(caption).ok()?;
    let score = scorer.score(&pixels, caption).ok()?;
    Some(Worked { image, caption: caption.to_owned(), rgb, pixels, ids, score })
}

/// The steps one by one must give the scores that the gate gives.
fn check(all: &[Sample], work: &[Worked], gate: &mut Gate) {
    let metadata: Vec<_> = all.iter().map(Sample::metadata).collect();
    let pairs: Vec<_> = all.iter().zip(&metadata).map(|(s, m)| s.pair(m)).collect();
    let found = gate.examine(&pairs).expect("the gate works");
    let scores: Vec<f32> = found.iter().filter_map(|evidence| evidence.facts.score).collect();
    assert_eq!(scores, work.iter().map(|worked| worked.score).collect::<Vec<_>>());
    assert!(!scores.is_empty(), "no pair reaches the model");
}

fn time_step(step: usize, work: &[Worked], scorer: &mut Scorer, preparer: &mut Preparer) -> f64 {
    let limits = ImageLimits::default();
    let mut rgb = Rgb8::default();
    let mut pixels = work[0].pixels.clone();
    let headers: Vec<_> = work.iter().map(|w| probe(&w.image, &limits)).collect();
    seconds(|| {
        for (pair, header) in work.iter().zip(&headers) {
            match step {
                0 => drop(black_box(probe(&pair.image, &limits))),
                1 => {
                    let header = header.as_ref().expect("probed before");
                    black_box(decode(&pair.image, header, &limits, &mut rgb))
                        .expect("decoded before");
                }
                2 => preparer.prepare(&pair.rgb, &mut pixels),
                3 => drop(black_box(scorer.tokenize(&pair.caption))),
                4 => drop(black_box(scorer.embed_tokens(&pair.ids).map(<[f32]>::len))),
                _ => drop(black_box(scorer.embed_image(&pair.pixels).map(<[f32]>::len))),
            }
        }
    })
}
