//! What each pure scorer costs a pair: `cargo bench --bench measures --no-default-features`.
//!
//! On generated embeddings and captions, one thread, with and without the pair's rounding to int8. Scorers take
//! turns, round by round, and must give the same values in every round. A pair's least time of all rounds counts:
//! that is what it takes while nobody else has the core.

use std::hint::black_box;
use std::time::Instant;

use half::f16;
use pairgate::score::language::{TrainOptions, Trainer, Words};
use pairgate::score::{
    Band, Contrast, ContrastOptions, Features, Labelled, Linear, LinearOptions, LossReduction,
    Measure, NGrams, Perplexity, Prototypes, Row, Scored, Side, Subspace, TargetNorm, Targets,
};

const ROUNDS: usize = 25;
const PAIRS: usize = 100;
const BANK: usize = 4096;
/// Captions that the language models learn from.
const CAPTIONS: usize = 100_000;

struct Noise(u64);

impl Noise {
    fn bits(&mut self) -> u32 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 32) as u32
    }

    fn below(&mut self, end: u32) -> u32 {
        self.bits() % end
    }

    fn values(&mut self, dimension: usize) -> Vec<f16> {
        let values = (0..dimension).map(|_| f64::from(self.bits()) / f64::from(u32::MAX) - 0.5);
        let unit = pairgate::score::numeric::unit(&values.collect::<Vec<_>>());
        unit.into_iter().map(f16::from_f64).collect()
    }

    fn rows(&mut self, count: usize, dimension: usize) -> Vec<Row> {
        (0..count).map(|_| Row::of(&self.values(dimension))).collect()
    }

    /// Token ids of a caption: few are frequent, and each has followers that it likes.
    fn caption(&mut self) -> Vec<i64> {
        let mut tokens = vec![i64::from(self.below(49_000))];
        for _ in 0..self.below(24) {
            let last = tokens[tokens.len() - 1];
            let liked = (last * 31 + i64::from(self.below(4))) % 49_000;
            let rare = i64::from(self.below(49_000)) >> self.below(10);
            tokens.push(if self.below(3) > 0 { liked } else { rare });
        }
        tokens
    }
}

/// A pair as a gate has it.
struct Pair {
    image: Vec<f16>,
    text: Vec<f16>,
    tokens: Vec<i64>,
}

fn main() {
    let noise = &mut Noise(1);
    let started = Instant::now();
    let model = language(noise);
    println!(
        "learning from {CAPTIONS} captions: {:.1} s, n-grams {:?}",
        started.elapsed().as_secs_f64(),
        model.counts()
    );
    for dimension in [256, 512] {
        let scorers = scorers(noise, dimension, &model);
        let pair = |noise: &mut Noise| Pair {
            image: noise.values(dimension),
            text: noise.values(dimension),
            tokens: noise.caption(),
        };
        let pairs: Vec<Pair> = (0..PAIRS).map(|_| pair(noise)).collect();
        println!("\n{dimension} values, {}", pairgate_kernels::Isa::chosen());
        for (name, micros) in timed(&scorers, &pairs) {
            println!("{name:<28} {micros:>8.1} us a pair");
        }
    }
}

fn language(noise: &mut Noise) -> NGrams {
    let words = Words { vocabulary: 49_408, start: None, end: None, unknown: None };
    let mut trainer = Trainer::new(words, TrainOptions::default()).expect("options");
    (0..CAPTIONS).for_each(|_| trainer.add(&noise.caption()).expect("room"));
    trainer.finish().expect("captions")
}

fn scorers(
    noise: &mut Noise,
    dimension: usize,
    model: &NGrams,
) -> Vec<(&'static str, Box<dyn Measure>)> {
    let (images, texts) = (noise.rows(BANK, dimension), noise.rows(BANK, dimension));
    let pairs = images.iter().cloned().zip(texts.iter().cloned());
    let drawn = pairs.enumerate().map(|(n, (image, text))| (n as u64, image, text));
    let contrast = Contrast::fit(drawn, ContrastOptions::of(Some(100.0))).expect("pairs");
    let two = Targets::fit(images.clone(), TargetNorm::Two).expect("targets");
    let infinity = Targets::fit(images.clone(), TargetNorm::Infinity).expect("targets");
    let classes = images[..1000].iter().enumerate().map(|(n, row)| (n.to_string(), row.clone()));
    let prototypes = Prototypes::fit(classes, Side::Image).expect("classes");
    let labelled = (0..200).map(|n| Labelled {
        image: images[n].clone(),
        text: texts[n].clone(),
        is_out: n % 3 == 0,
    });
    let options = LinearOptions { features: Features::Joint, ..LinearOptions::default() };
    let linear = Linear::fit(labelled, options).expect("labels");
    let mean = vec![0.0; dimension];
    let subspace = Subspace::fit(texts[..17].to_vec(), &mean, &mean).expect("phrases");
    vec![
        ("contrast, bank of 4096", Box::new(contrast) as Box<dyn Measure>),
        ("targets, two", Box::new(two)),
        ("targets, infinity, 4096", Box::new(infinity)),
        ("prototypes, 1000", Box::new(prototypes)),
        ("linear, joint", Box::new(linear)),
        ("subspace, 17 phrases", Box::new(subspace)),
        ("perplexity", Box::new(Perplexity::new(model.clone(), Band::ALL))),
        ("loss reduction", Box::new(LossReduction::new(model.clone(), model.clone()))),
    ]
}

/// Microseconds a pair, and those of rounding to int8: the least of all rounds, the mean of all pairs.
fn timed(scorers: &[(&'static str, Box<dyn Measure>)], pairs: &[Pair]) -> Vec<(&'static str, f64)> {
    let rows: Vec<[Row; 2]> =
        pairs.iter().map(|pair| [Row::of(&pair.image), Row::of(&pair.text)]).collect();
    let mut least = vec![vec![f64::INFINITY; pairs.len()]; scorers.len() + 1];
    let mut first: Vec<Vec<f32>> = Vec::new();
    for round in 0..ROUNDS {
        for (place, (name, scorer)) in scorers.iter().enumerate() {
            let mut values = Vec::new();
            for ((pair, [image, text]), least) in pairs.iter().zip(&rows).zip(&mut least[place]) {
                let tokens = &pair.tokens;
                let scored = Scored { similarity: 0.2, image, text, caption: "", tokens };
                let started = Instant::now();
                values.push(scorer.measure(&scored));
                *least = least.min(started.elapsed().as_secs_f64());
            }
            if round == 0 {
                first.push(values);
            } else {
                assert_eq!(values, first[place], "{name} gives other values in another round");
            }
        }
        for (pair, least) in pairs.iter().zip(&mut least[scorers.len()]) {
            let started = Instant::now();
            black_box([Row::of(&pair.image), Row::of(&pair.text)]);
            *least = least.min(started.elapsed().as_secs_f64());
        }
    }
    let names = scorers.iter().map(|(name, _)| *name).chain(["both embeddings to int8"]);
    let mean = |least: Vec<f64>| least.iter().sum::<f64>() / least.len() as f64 * 1e6;
    names.zip(least.into_iter().map(mean)).collect()
}
