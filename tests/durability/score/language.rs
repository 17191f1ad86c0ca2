//! The language model of captions.

use std::collections::HashMap;
use std::fs;

use pairgate::score::language::arpa::{ArpaLimits, read, write};
use pairgate::score::language::{TrainError, TrainOptions, Trainer, Word, Words};
use pairgate::score::{Band, LossReduction, NGrams, Perplexity};
use serde_json::Value;

use super::assert_rounds_to;

/// A vocabulary of letters: `a` is 0.
pub const LETTERS: Words = Words { vocabulary: 26, start: None, end: None, unknown: None };

pub fn letter(id: Word) -> Option<String> {
    char::from_u32('a' as u32 + id).map(String::from)
}

pub fn letters() -> HashMap<String, Word> {
    (0..26).filter_map(|id| Some((letter(id)?, id))).collect()
}

pub fn from_text(text: &str) -> NGrams {
    read(text.as_bytes(), LETTERS, &letters(), ArpaLimits::default()).unwrap().model
}

#[test]
fn the_worked_example_of_back_off() {
    let model = from_text(
        "\\data\\\nngram 1=5\nngram 2=2\n\n\\1-grams:\n-3\t<unk>\n-99\t<s>\t-0.1\n-2\t</s>\n\
         -0.9\ta\t-0.2\n-1\tb\n\n\\2-grams:\n-0.301\t<s> a\n-0.5\tb </s>\n\n\\end\\\n",
    );
    let likelihood = model.likelihood(&[0, 1]);
    assert_rounds_to(likelihood.log10, -2.001, 6);
    assert_eq!(likelihood.words, 2);
    assert_rounds_to(likelihood.perplexity(), 4.645_153, 5);
    assert_rounds_to(likelihood.loss(), 4.645_153f64.ln(), 6);
    // What it does not know is <unk>: <s> backs off, and <unk> has no weight of its own.
    assert_rounds_to(model.likelihood(&[25]).log10, -0.1 - 3.0 - 2.0, 6);
    assert_rounds_to(model.likelihood(&[]).log10, -0.1 - 2.0, 6);
}

#[test]
fn frames_are_no_words() {
    let words = Words { vocabulary: 10, start: Some(8), end: Some(9), unknown: Some(7) };
    let of = |tokens: &[i64]| words.of(tokens).collect::<Vec<_>>();
    assert_eq!(of(&[8, 1, 2, 9]), [1, 2]);
    assert_eq!(of(&[8, 9]), [0; 0]);
    assert_eq!(of(&[]), [0; 0]);
    assert_eq!(of(&[1, 8, 9, 2]), [1, 8, 9, 2]);
    assert_eq!(of(&[7, -1, 10, i64::MAX]), [10; 4]);
}

#[test]
fn a_caption_with_its_frame_is_as_likely_as_without() {
    let words = Words { vocabulary: 10, start: Some(8), end: Some(9), unknown: None };
    let mut trainer = Trainer::new(words, TrainOptions::default()).unwrap();
    trainer.add(&[8, 1, 2, 3, 9]).unwrap();
    trainer.add(&[1, 2]).unwrap();
    let model = trainer.finish().unwrap();
    assert_eq!(model.likelihood(&[8, 1, 2, 9]), model.likelihood(&[1, 2]));
}

#[test]
fn the_worked_example_of_conditional_loss_reduction() {
    // 1 word and an end a caption, both of this loss.
    let of_loss = |loss: f64| {
        let log10 = -loss / std::f64::consts::LN_10;
        from_text(&format!(
            "\\data\\\nngram 1=3\n\\1-grams:\n{log10}\ta\n{log10}\t</s>\n-99\t<s>\n\\end\\\n"
        ))
    };
    let prior = [3.2, 2.9, 3.5, 4.0, 2.5, 3.1];
    let conditional = [3.0, 2.95, 2.9, 3.9, 2.1, 3.1];
    let wanted = [0.2, -0.05, 0.6, 0.1, 0.4, 0.0];
    let mut scores = Vec::new();
    for ((prior, conditional), wanted) in prior.into_iter().zip(conditional).zip(wanted) {
        let scorer = LossReduction::new(of_loss(prior), of_loss(conditional));
        let score = scorer.of(&[0]);
        assert_rounds_to(score.into(), wanted, 5);
        scores.push(score);
        assert_eq!(LossReduction::from_arrays(&scorer.to_arrays(), 0).unwrap(), scorer);
    }
    // tau 3 keeps int(6 / 3) of them.
    let mut best: Vec<usize> = (0..6).collect();
    best.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
    assert_eq!(best[..2], [2, 4]);
}

#[test]
fn a_band_lies_between_values_that_are_there() {
    let values = || (1..=10u8).rev().map(f32::from).chain([f32::NAN]);
    assert_eq!(Band::of(values(), 0.1, 0.9), Some(Band { low: 1.0, high: 9.0 }));
    assert_eq!(Band::of(values(), 0.0, 1.0), Some(Band { low: 1.0, high: 10.0 }));
    assert_eq!(Band::of(values(), 0.3, 0.6), Some(Band { low: 3.0, high: 6.0 }));
    assert_eq!(Band::of([f32::NAN], 0.1, 0.9), None);
    let band = Band { low: 3.0, high: 6.0 };
    let within = [2.9, 3.0, 6.0, 6.1, f32::NAN].map(|value| band.contains(value));
    assert_eq!(within, [false, true, true, false, false]);
    assert!(Band::ALL.contains(f32::INFINITY));
}

fn ids(value: &Value) -> Vec<Vec<i64>> {
    serde_json::from_value(value.clone()).unwrap()
}

/// What tests/golden/selection_language.py wrote.
struct Golden {
    words: Words,
    learnt: Vec<Vec<i64>>,
    asked: Vec<Vec<i64>>,
    models: Vec<Value>,
}

fn golden() -> Golden {
    let text = fs::read_to_string("tests/data/selection/language.json").unwrap();
    let golden: Value = serde_json::from_str(&text).unwrap();
    let id = |name: &str| golden[name].as_u64().unwrap() as u32;
    let (start, end) = (Some(id("start")), Some(id("end")));
    Golden {
        words: Words { vocabulary: id("vocabulary"), start, end, unknown: None },
        learnt: ids(&golden["learnt"]),
        asked: ids(&golden["asked"]),
        models: golden["models"].as_array().unwrap().clone(),
    }
}

fn train(words: Words, learnt: &[Vec<i64>], order: usize, pruned: [u32; 6]) -> NGrams {
    let options = TrainOptions { order, pruned, ..TrainOptions::default() };
    let mut trainer = Trainer::new(words, options).unwrap();
    learnt.iter().for_each(|caption| trainer.add(caption).unwrap());
    trainer.finish().unwrap()
}

/// A model as a file in which token 7 is `t7`.
fn as_file(model: &NGrams) -> Vec<u8> {
    let mut file = Vec::new();
    write(model, |id| Some(format!("t{id}")), &mut file).unwrap();
    file
}

/// The script counts in dictionaries and follows the formulas by recursion.
#[test]
fn learning_agrees_with_the_formulas() {
    let Golden { words, mut learnt, asked, models } = golden();
    for model in models {
        let order = model["order"].as_u64().unwrap() as usize;
        let mut pruned = [9; 6];
        for (pruned, wanted) in pruned.iter_mut().zip(model["pruned"].as_array().unwrap()) {
            *pruned = wanted.as_u64().unwrap() as u32;
        }
        let trained = train(words, &learnt, order, pruned);
        learnt.reverse();
        assert_eq!(train(words, &learnt, order, pruned), trained, "the order of captions matters");

        let mut counts: Vec<usize> = serde_json::from_value(model["counts"].clone()).unwrap();
        counts[0] += 2; // <s> and <unk>
        assert_eq!(trained.counts(), counts, "{model}");
        for (caption, wanted) in asked.iter().zip(model["log10"].as_array().unwrap()) {
            let (found, wanted) = (trained.likelihood(caption).log10, wanted.as_f64().unwrap());
            assert!((found - wanted).abs() < 1e-5, "{order} {pruned:?}: {found}, not {wanted}");
        }
        let scorer = Perplexity::new(trained.clone(), Band { low: 2.0, high: 90.0 });
        assert_eq!(Perplexity::from_arrays(&scorer.to_arrays(), 0).unwrap(), scorer);

        // As a file, and back.
        let names = (0..40).map(|id| (format!("t{id}"), id)).collect();
        let again =
            read(as_file(&trained).as_slice(), words, &names, ArpaLimits::default()).unwrap();
        assert_eq!(again.foreign, 0);
        assert_eq!(again.model, trained);
    }
}

/// tests/golden/selection_kenlm.py asked KenLM, with the file that is written here.
#[test]
fn kenlm_reads_what_is_written_and_says_the_same() {
    let Golden { words, learnt, asked, .. } = golden();
    let model = train(words, &learnt, 3, [0, 0, 1, 1, 1, 1]);
    let path = "tests/data/selection/model.arpa";
    if std::env::var_os("PAIRGATE_WRITE_ARPA").is_some() {
        fs::write(path, as_file(&model)).unwrap();
    }
    assert!(fs::read(path).unwrap() == as_file(&model), "{path} is another model");
    let text = fs::read_to_string("tests/data/selection/kenlm.json").unwrap();
    let kenlm: Value = serde_json::from_str(&text).unwrap();
    let scores = kenlm["log10"].as_array().unwrap();
    assert_eq!(scores.len(), asked.len());
    for (caption, score) in asked.iter().zip(scores) {
        let (found, wanted) = (model.likelihood(caption).log10, score.as_f64().unwrap());
        assert!((found - wanted).abs() < 1e-4, "{caption:?}: {found}, and KenLM {wanted}");
    }
}

#[test]
fn what_cannot_be_learnt_is_said() {
    let new = |order, pruned: [u32; 6]| {
        Trainer::new(LETTERS, TrainOptions { order, pruned, most_words: 10 })
    };
    assert!(matches!(new(0, [0; 6]), Err(TrainError::Options(_))));
    assert!(matches!(new(7, [0; 6]), Err(TrainError::Options(_))));
    assert!(matches!(new(3, [1; 6]), Err(TrainError::Options(_))));
    assert!(matches!(new(3, [0, 2, 1, 1, 1, 1]), Err(TrainError::Options(_))));
    let mut trainer = new(3, [0; 6]).unwrap();
    trainer.add(&[1; 8]).unwrap();
    assert_eq!(trainer.add(&[]), Err(TrainError::TooManyWords { most: 10 }));
    assert!(trainer.finish().is_ok());
    assert_eq!(new(3, [0; 6]).unwrap().finish(), Err(TrainError::Empty));
}
