//! Pure scorers: what a pair's embeddings and caption come to under a frozen state, one number a pair.
//!
//! They know no other pair, so they run in the workers. All that they compute is the same on every machine:
//! embeddings are rounded to 16 bits and then to int8 with a scale a row ([`embedding`]), products are sums
//! of integers, sums of floats have a fixed order, and logarithms are one library's ([`numeric`]).

pub mod array;
pub mod contrast;
pub mod embedding;
pub mod language;
pub mod linear;
pub mod numeric;
pub mod prototypes;
pub mod subspace;
pub mod targets;

use std::fmt::Debug;
use std::sync::Arc;

pub use array::{Array, Arrays, StateError, Values};
pub use contrast::{Contrast, ContrastOptions};
pub use embedding::{PairEmbeddings, Row, Rows};
pub use language::{Band, LossReduction, NGrams, Perplexity};
pub use linear::{Features, Labelled, Linear, LinearError, LinearOptions};
pub use prototypes::{Prototypes, Side};
pub use subspace::Subspace;
pub use targets::{TargetNorm, Targets};

/// What is known of a scored pair.
#[derive(Debug, Clone, Copy)]
pub struct Scored<'a> {
    /// The model's score: the cosine of both embeddings, -1 to 1.
    pub similarity: f32,
    /// The picture's embedding, `[embedding_size]`.
    pub image: &'a Row,
    /// The caption's embedding, `[embedding_size]`.
    pub text: &'a Row,
    /// The caption.
    pub caption: &'a str,
    /// The caption's token ids in the model's vocabulary, at most its context length of them.
    pub tokens: &'a [i64],
}

/// A pure scorer with its frozen state.
pub trait Measure: Send + Sync + Debug {
    /// The pair's value; NaN where it has none.
    fn measure(&self, pair: &Scored<'_>) -> f32;

    /// How many values it gives of a pair.
    fn width(&self) -> usize {
        1
    }

    /// Adds all of its values to `values`; the first is [`measure`](Self::measure)'s.
    fn measure_into(&self, pair: &Scored<'_>, values: &mut Vec<f32>) {
        values.push(self.measure(pair));
    }
}

/// All values that `measures` give of a pair, one measure's after the other's.
pub fn measured(
    measures: &[Arc<dyn Measure>],
    similarity: f32,
    embeddings: &PairEmbeddings,
    caption: &str,
    tokens: &[i64],
) -> Vec<f32> {
    if measures.is_empty() {
        return Vec::new();
    }
    let (image, text) = (&Row::of(&embeddings.image), &Row::of(&embeddings.text));
    let pair = Scored { similarity, image, text, caption, tokens };
    let mut values = Vec::with_capacity(measures.iter().map(|measure| measure.width()).sum());
    measures.iter().for_each(|measure| measure.measure_into(&pair, &mut values));
    values
}
