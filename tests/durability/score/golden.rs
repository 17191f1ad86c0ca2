//! Golden values of tests/golden/selection_scorers.py: the formulas in NumPy, in f64, in another way than here.

use std::fs;

use half::f16;
use pairgate::score::contrast::{batch, margin};
use pairgate::score::prototypes::{SHARE, SHARPNESS};
use pairgate::score::{
    Contrast, Features, Labelled, Linear, LinearOptions, Measure, Prototypes, Row, Rows, Side,
    Subspace, TargetNorm, Targets,
};
use serde::Deserialize;

use super::measured;

#[derive(Deserialize)]
struct Golden {
    bank: usize,
    weight: f64,
    temperatures: Vec<f64>,
    penalty: f64,
    inputs: Inputs,
    classes: Vec<usize>,
    labels: Vec<bool>,
    exact: Values,
    int8: Values,
}

#[derive(Deserialize)]
struct Inputs {
    images: Vec<Vec<f32>>,
    texts: Vec<Vec<f32>>,
    targets: Vec<Vec<f32>>,
    phrases: Vec<Vec<f32>>,
    examples: Vec<Vec<f32>>,
}

#[derive(Deserialize)]
struct Values {
    similarity: Vec<f64>,
    negcliploss: Vec<Vec<f64>>,
    batch: Vec<Vec<f64>>,
    normsim_2: Vec<f64>,
    normsim_infinity: Vec<f64>,
    vas: Vec<f64>,
    nearest_mean: Vec<f64>,
    teen: Vec<f64>,
    r#unsafe: Vec<f64>,
    heads: Heads,
}

#[derive(Deserialize)]
struct Heads {
    image: Head,
    joint: Head,
}

#[derive(Deserialize)]
struct Head {
    weights: Vec<f64>,
    bias: f64,
    probabilities: Vec<f64>,
}

/// What rounding to int8 may change a cosine of these embeddings by, of 24 values each.
const ROUNDING: f64 = 0.012;

fn golden() -> Golden {
    let text = fs::read_to_string("tests/data/selection/scorers.json").unwrap();
    serde_json::from_str(&text).unwrap()
}

fn quantized(rows: &[Vec<f32>]) -> Vec<Row> {
    let row = |values: &Vec<f32>| {
        Row::of(&values.iter().map(|value| f16::from_f32(*value)).collect::<Vec<_>>())
    };
    rows.iter().map(row).collect()
}

fn all(rows: &[Row]) -> Rows {
    let mut all = Rows::new(rows[0].codes().len());
    rows.iter().for_each(|row| all.push(row));
    all
}

/// Asserts that a scorer gives what the formulas give of the same rounded embeddings, and nearly what they
/// give of the recorded ones.
#[track_caller]
fn check(
    name: &str,
    found: impl IntoIterator<Item = f64>,
    int8: &[f64],
    exact: &[f64],
    rounding: f64,
) {
    let found: Vec<f64> = found.into_iter().collect();
    assert_eq!(found.len(), int8.len(), "{name}");
    for (place, found) in found.into_iter().enumerate() {
        let (int8, exact) = (int8[place], exact[place]);
        assert!((found - int8).abs() < 2e-6, "{name} of {place}: {found}, not {int8}");
        assert!((found - exact).abs() < rounding, "{name} of {place}: {found}, and exact {exact}");
    }
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

/// The formula itself, on the recorded embeddings.
#[test]
fn negcliploss_is_the_formula() {
    let golden = golden();
    let Inputs { images, texts, .. } = &golden.inputs;
    for (temperature, wanted) in golden.temperatures.iter().zip(&golden.exact.negcliploss) {
        for (place, wanted) in wanted.iter().enumerate() {
            let others: Vec<usize> = (0..golden.bank).filter(|other| *other != place).collect();
            let by_image: Vec<f64> =
                others.iter().map(|b| dot(&images[place], &texts[*b])).collect();
            let by_text: Vec<f64> =
                others.iter().map(|b| dot(&images[*b], &texts[place])).collect();
            let similarity = dot(&images[place], &texts[place]);
            let found = margin(similarity, [&by_image, &by_text], golden.weight, *temperature);
            assert!((found - wanted).abs() < 1e-10, "{place}: {found}, not {wanted}");
        }
    }
}

/// FNV-1a over the bits of all that scorers with fitted states give, the same on every machine.
const BITS: u64 = 0xb62c_bfbf_4dc4_f4d6;

#[test]
fn scorers_have_the_pinned_bits() {
    let Golden { bank, weight, temperatures, inputs, classes, labels, int8, .. } = golden();
    let (images, texts) = (quantized(&inputs.images), quantized(&inputs.texts));
    let (targets, phrases) = (quantized(&inputs.targets), quantized(&inputs.phrases));
    let examples = quantized(&inputs.examples).into_iter().zip(classes);
    let examples = examples.map(|(row, class)| (class.to_string(), row));
    let pairs = images.iter().cloned().zip(texts.iter().cloned());
    let labelled =
        pairs.zip(&labels).map(|((image, text), is_out)| Labelled { image, text, is_out: *is_out });
    let mean = |rows: &[Row]| pairgate::score::subspace::mean(rows.to_vec()).unwrap();
    let prototypes = Prototypes::fit(examples, Side::Image).unwrap();
    let targets = |norm| Targets::fit(targets.clone(), norm).unwrap();
    let scorers: [Box<dyn Measure>; 6] = [
        Box::new(Contrast::new(temperatures[0], weight, all(&images[..bank]), all(&texts[..bank]))),
        Box::new(targets(TargetNorm::Two)),
        Box::new(targets(TargetNorm::Infinity)),
        Box::new(prototypes.calibrated(&prototypes, SHARPNESS, SHARE)),
        Box::new(Linear::fit(labelled, LinearOptions::default()).unwrap()),
        Box::new(Subspace::fit(phrases, &mean(&images), &mean(&texts)).unwrap()),
    ];
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for scorer in &scorers {
        for ((image, text), similarity) in images.iter().zip(&texts).zip(&int8.similarity) {
            let value = measured(scorer.as_ref(), image, text, *similarity as f32);
            for byte in value.to_bits().to_le_bytes() {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
    }
    assert_eq!(hash, BITS, "{hash:#018x}");
}

#[test]
fn scorers_agree_with_numpy() {
    let golden = golden();
    let Golden { bank, weight, temperatures, penalty, inputs, classes, labels, exact, int8 } =
        &golden;
    let (images, texts) = (quantized(&inputs.images), quantized(&inputs.texts));
    // The score beside them is that of the same embeddings.
    let similarity: Vec<f32> = int8.similarity.iter().map(|value| *value as f32).collect();
    let score = |measure: &dyn Measure| -> Vec<f64> {
        let pairs = images.iter().zip(&texts).zip(&similarity);
        pairs.map(|((image, text), s)| measured(measure, image, text, *s).into()).collect()
    };
    let own: Vec<f64> = images.iter().zip(&texts).map(|(x, t)| x.dot(t).into()).collect();
    check("similarity", own, &int8.similarity, &exact.similarity, ROUNDING);
    for (turn, temperature) in temperatures.iter().enumerate() {
        let scorer =
            Contrast::new(*temperature, *weight, all(&images[..*bank]), all(&texts[..*bank]));
        let (int8_scores, exact_scores) = (&int8.negcliploss[turn], &exact.negcliploss[turn]);
        check("negCLIPLoss", score(&scorer), int8_scores, exact_scores, 2.0 * ROUNDING);
        let found = batch(&similarity, &all(&images), &all(&texts), *temperature);
        check("batch", found, &int8.batch[turn], &exact.batch[turn], 2.0 * ROUNDING);
    }

    let targets = quantized(&inputs.targets);
    let of = |norm| score(&Targets::fit(targets.clone(), norm).unwrap());
    check("NormSim-2", of(TargetNorm::Two), &int8.normsim_2, &exact.normsim_2, 0.03);
    let (wanted, real) = (&int8.normsim_infinity, &exact.normsim_infinity);
    check("NormSim-infinity", of(TargetNorm::Infinity), wanted, real, ROUNDING);
    check("VAS", of(TargetNorm::Squares), &int8.vas, &exact.vas, 0.1);

    let phrases = quantized(&inputs.phrases);
    let mean = |rows: &[Row]| pairgate::score::subspace::mean(rows.to_vec()).unwrap();
    let subspace = Subspace::fit(phrases, &mean(&images), &mean(&texts)).unwrap();
    check("unsafe", score(&subspace), &int8.r#unsafe, &exact.r#unsafe, ROUNDING);

    for (features, int8, exact) in [
        (Features::Image, &int8.heads.image, &exact.heads.image),
        (Features::Joint, &int8.heads.joint, &exact.heads.joint),
    ] {
        let pairs = images.iter().cloned().zip(texts.iter().cloned()).zip(labels);
        let pairs = pairs.map(|((image, text), is_out)| Labelled { image, text, is_out: *is_out });
        let head = Linear::fit(pairs, LinearOptions { features, penalty: *penalty }).unwrap();
        for (found, wanted) in head.weights().iter().zip(&int8.weights) {
            assert!((found - wanted).abs() < 1e-6, "{found}, not {wanted}");
        }
        assert!((head.bias() - int8.bias).abs() < 1e-6);
        check("head", score(&head), &int8.probabilities, &exact.probabilities, 0.1);
    }

    // Prototypes are rounded to int8 once more when they are made.
    let examples = quantized(&inputs.examples).into_iter().zip(classes);
    let examples = examples.map(|(row, class)| (class.to_string(), row)).collect::<Vec<_>>();
    let of = |wanted: &[&str]| {
        let examples = examples.iter().filter(|(name, _)| wanted.contains(&name.as_str()));
        Prototypes::fit(examples.cloned(), Side::Image).unwrap()
    };
    let near = |name: &str, found: Vec<f64>, exact: &[f64]| {
        for (found, exact) in found.into_iter().zip(exact) {
            assert!((found - exact).abs() < ROUNDING, "{name}: {found}, and exact {exact}");
        }
    };
    near("nearest mean", score(&of(&["0", "1", "2", "3"])), &exact.nearest_mean);
    let moved = of(&["0", "1"]).calibrated(&of(&["2", "3"]), SHARPNESS, SHARE);
    near("TEEN", score(&moved), &exact.teen);
}
