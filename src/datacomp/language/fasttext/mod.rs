//! fastText's classifiers, in its own model format: `.bin`, and `.ftz` with product quantization
//! and a pruned dictionary.
//!
//! A text is cut at blanks into words. Each word stands for itself, where the dictionary has it, and
//! for its n-grams, which are hashed into buckets. The rows of the input matrix of all of them are
//! averaged, and the output matrix says of the average how likely each label is: by softmax, or by a
//! walk through a Huffman tree of the labels.
//!
//! | file | idea |
//! |---|---|
//! | `reader` | numbers of a file that may be cut or lie about sizes |
//! | `dictionary` | words, n-grams and labels: a text to rows |
//! | `matrix` | rows, plain or quantized |
//! | `tree` | hierarchical softmax |

mod dictionary;
mod matrix;
mod reader;
mod tree;

use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;

use dictionary::Dictionary;
use matrix::Matrix;
use reader::Reader;
use tree::Tree;

use crate::datacomp::{unread, wrong};
use crate::disk::IoError;

/// The first four bytes of a model.
const MAGIC: i32 = 793_712_314;
/// Longest vectors that are read.
const MAX_SIZE: i32 = 1 << 16;

/// A classifier.
#[derive(Debug)]
pub struct FastText {
    dictionary: Dictionary,
    input: Matrix,
    output: Matrix,
    /// `None` for softmax.
    tree: Option<Tree>,
}

/// What one thread computes in.
#[derive(Debug, Default)]
pub struct Scratch {
    rows: Vec<u32>,
    hashes: Vec<i32>,
    word: Vec<u8>,
    hidden: Vec<f32>,
    output: Vec<f32>,
    branches: Vec<(u32, f32)>,
}

/// The most likely label.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Best<'a> {
    /// As it is written in the model, `__label__en`.
    pub label: &'a [u8],
    /// What fastText gives as its probability; rounding lets it pass 1 by a little.
    pub probability: f32,
}

/// The header's numbers that matter here.
#[derive(Debug, Clone, Copy)]
struct Arguments {
    size: usize,
    word_ngrams: usize,
    loss: i32,
    bucket: u32,
    min_n: usize,
    max_n: usize,
}

impl FastText {
    /// Reads the model at `path`.
    ///
    /// # Errors
    /// [`IoError::Read`] where it is no classifier of fastText, is damaged, or was trained with a
    /// loss that is not read (negative sampling, one-vs-all).
    pub fn load(path: &Path) -> Result<Self, IoError> {
        let read = || {
            let file = File::open(path)?;
            let bytes = file.metadata()?.len();
            Self::read(&mut Reader::new(BufReader::with_capacity(1 << 18, file), bytes))
        };
        read().map_err(unread(path))
    }

    fn read(reader: &mut Reader<impl io::Read>) -> io::Result<Self> {
        let arguments = Arguments::read(reader)?;
        let dictionary = Dictionary::read(reader, &arguments)?;
        let is_quantized = reader.flag()?;
        let input = Matrix::read(reader, is_quantized)?;
        if !is_quantized && dictionary.is_pruned() {
            return Err(wrong("a pruned dictionary goes with a quantized matrix"));
        }
        // The second flag counts only where the first is set.
        let is_quantized = reader.flag()? && is_quantized;
        let output = Matrix::read(reader, is_quantized)?;
        input.check("input", dictionary.rows(), arguments.size)?;
        output.check("output", dictionary.labels() as u64, arguments.size)?;
        let tree = match arguments.loss {
            1 => Some(Tree::new(dictionary.label_counts())?),
            _ => None,
        };
        Ok(Self { dictionary, input, output, tree })
    }

    /// The most likely label of `text`, whose line breaks count as blanks. `None` where no word of it
    /// is known, and where every label is too unlikely for fastText to name it.
    pub fn predict(&self, text: &str, scratch: &mut Scratch) -> Option<Best<'_>> {
        self.dictionary.rows_of(text, scratch);
        if scratch.rows.is_empty() {
            return None;
        }
        let Scratch { rows, hidden, output, branches, .. } = scratch;
        hidden.clear();
        hidden.resize(self.input.columns(), 0.0);
        rows.iter().for_each(|&row| self.input.add_row(row as usize, hidden));
        let factor = (1.0 / rows.len() as f64) as f32;
        hidden.iter_mut().for_each(|value| *value *= factor);
        let (place, log) = match &self.tree {
            Some(tree) => tree.best(&self.output, hidden, branches)?,
            None => softmax_best(&self.output, hidden, output)?,
        };
        Some(Best { label: self.dictionary.label(place), probability: log.exp() })
    }
}

impl Arguments {
    fn read(reader: &mut Reader<impl io::Read>) -> io::Result<Self> {
        if reader.i32()? != MAGIC {
            return Err(wrong("not a model of fastText"));
        }
        let version = reader.i32()?;
        if !(11..=12).contains(&version) {
            return Err(wrong(format!("fastText's format {version}; 11 and 12 are read")));
        }
        let mut numbers = [0; 12];
        for number in &mut numbers {
            *number = reader.i32()?;
        }
        let _sampling = reader.f64()?;
        let [size, _, _, _, _, word_ngrams, loss, model, bucket, min_n, max_n, _] = numbers;
        if model != 3 {
            return Err(wrong("a model of words, not a classifier"));
        }
        let loss_name = match loss {
            1 | 3 => "",
            2 => "negative sampling (ns)",
            4 => "one-vs-all (ova)",
            _ => "an unknown loss",
        };
        if !loss_name.is_empty() {
            return Err(wrong(format!("trained with {loss_name}; softmax and hs are read")));
        }
        let in_range = (1..=MAX_SIZE).contains(&size)
            && (0..=64).contains(&word_ngrams)
            && (0..=64).contains(&min_n)
            && (0..=64).contains(&max_n)
            && bucket >= 0;
        if !in_range {
            let [.., bucket, min_n, max_n, _] = numbers;
            return Err(wrong(format!(
                "sizes out of range: dim {size}, wordNgrams {word_ngrams}, bucket {bucket}, minn {min_n}, maxn {max_n}"
            )));
        }
        // Classifiers of the older format had no n-grams of characters.
        let max_n = if version == 11 { 0 } else { max_n };
        Ok(Self {
            size: size as usize,
            word_ngrams: word_ngrams as usize,
            loss,
            bucket: bucket as u32,
            min_n: min_n as usize,
            max_n: max_n as usize,
        })
    }
}

/// fastText's logarithm, which is bounded below.
fn bounded_log(x: f32) -> f32 {
    (f64::from(x) + 1e-5).ln() as f32
}

/// The label with the highest softmax, the last of equal ones, and its logarithm.
fn softmax_best(matrix: &Matrix, hidden: &[f32], output: &mut Vec<f32>) -> Option<(usize, f32)> {
    output.clear();
    output.extend((0..matrix.rows()).map(|row| matrix.product(row, hidden)));
    let highest = output.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    for value in output.iter_mut() {
        *value = (*value - highest).exp();
        sum += *value;
    }
    let mut best = None;
    for (place, value) in output.iter().enumerate() {
        let log = bounded_log(value / sum);
        if best.is_none_or(|(_, lead)| log >= lead) {
            best = Some((place, log));
        }
    }
    best.filter(|(_, log)| !log.is_nan())
}
