//! negCLIPLoss: a pair's cosine less how well its picture and its caption fit the rest of a batch, which a
//! frozen bank of pairs stands for.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::array::{Array, Arrays, StateError};
use super::numeric::log_sum_exp_weighted;
use super::{Measure, Row, Rows, Scored};

/// Pairs of the batch that the bank stands for.
const BATCH: usize = 32_768;
/// Pairs of a bank, where nobody says another number.
const BANK: usize = 4_096;
/// The temperature of a network whose logit scale is not known.
const TEMPERATURE: f64 = 0.07;

/// How a bank is made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ContrastOptions {
    /// What cosines are divided by: 1 / the logit scale that the network was trained with.
    pub temperature: f64,
    /// Pairs of the bank, at most.
    pub bank: usize,
    /// Pairs of the batch that it stands for.
    pub batch: usize,
}

impl ContrastOptions {
    /// The options for a network of this logit scale, where it is known.
    pub fn of(logit_scale: Option<f32>) -> Self {
        let scale = logit_scale.filter(|scale| *scale > 0.0 && scale.is_finite());
        let temperature = scale.map_or(TEMPERATURE, |scale| 1.0 / f64::from(scale));
        Self { temperature, bank: BANK, batch: BATCH }
    }
}

/// The pair's cosine less its share of the batch's contrastive loss.
#[derive(Debug, Clone, PartialEq)]
pub struct Contrast {
    temperature: f64,
    /// What each pair of the bank counts for.
    weight: f64,
    images: Rows,
    texts: Rows,
    /// Places in the bank by a hash of both rows: a pair of the bank is no rival of itself.
    places: BTreeMap<u64, Vec<usize>>,
}

impl Contrast {
    /// A bank of pairs of a pool, each given with the number that it draws by the seed, its picture's and
    /// its caption's embedding: those with the least numbers, whatever their order. `None` of an empty pool.
    pub fn fit(
        pairs: impl IntoIterator<Item = (u64, Row, Row)>,
        options: ContrastOptions,
    ) -> Option<Self> {
        let mut drawn = BTreeMap::new();
        for (number, (draw, image, text)) in pairs.into_iter().enumerate() {
            drawn.insert((draw, Reverse(number)), (image, text));
            if drawn.len() > options.bank.max(1) {
                drawn.pop_last();
            }
        }
        let dimension = drawn.first_key_value()?.1.0.codes().len();
        let (mut images, mut texts) = (Rows::new(dimension), Rows::new(dimension));
        for (image, text) in drawn.values() {
            images.push(image);
            texts.push(text);
        }
        let weight = options.batch.saturating_sub(1).max(1) as f64 / images.len() as f64;
        Some(Self::new(options.temperature, weight, images, texts))
    }

    /// The scorer of a bank whose pairs count `weight` times each.
    pub fn new(temperature: f64, weight: f64, images: Rows, texts: Rows) -> Self {
        let mut places = BTreeMap::<_, Vec<_>>::new();
        for place in 0..images.len() {
            let hash = hash(images.codes_of(place), texts.codes_of(place));
            places.entry(hash).or_default().push(place);
        }
        Self { temperature, weight, images, texts, places }
    }

    /// Pairs of the bank.
    pub fn len(&self) -> usize {
        self.images.len()
    }

    /// Whether the bank is empty.
    pub fn is_empty(&self) -> bool {
        self.images.is_empty()
    }

    /// The state as arrays.
    pub fn to_arrays(&self) -> Vec<Array> {
        let mut arrays = vec![
            Array::number("temperature", self.temperature),
            Array::number("weight", self.weight),
        ];
        arrays.extend(Array::embeddings("images", &self.images));
        arrays.extend(Array::embeddings("texts", &self.texts));
        arrays
    }

    /// The state that arrays hold.
    ///
    /// # Errors
    /// [`StateError`] if they hold none for embeddings of `dimension` values.
    pub fn from_arrays(arrays: &[Array], dimension: usize) -> Result<Self, StateError> {
        let arrays = Arrays(arrays);
        let temperature = arrays.number("temperature", 1e-6..=1e6)?;
        let weight = arrays.number("weight", 0.0..=1e12)?;
        let (images, texts) = (arrays.rows("images", dimension)?, arrays.rows("texts", dimension)?);
        if images.len() != texts.len() {
            let why = format!("{} rows, and {} of images", texts.len(), images.len());
            return Err(StateError::value("texts.scales", why));
        }
        Ok(Self::new(temperature, weight, images, texts))
    }

    /// The place of this very pair in the bank.
    fn own_place(&self, image: &Row, text: &Row) -> Option<usize> {
        let places = self.places.get(&hash(image.codes(), text.codes()))?;
        let is_own = |place: &usize| {
            self.images.codes_of(*place) == image.codes()
                && self.texts.codes_of(*place) == text.codes()
        };
        places.iter().copied().find(is_own)
    }
}

impl Measure for Contrast {
    fn measure(&self, pair: &Scored<'_>) -> f32 {
        let own = self.own_place(pair.image, pair.text);
        let others = |rows: &Rows, row: &Row| -> Vec<f64> {
            let dots = rows.dots(row).enumerate().filter(|(place, _)| Some(*place) != own);
            dots.map(|(_, dot)| f64::from(dot)).collect()
        };
        let (by_image, by_text) =
            (others(&self.texts, pair.image), others(&self.images, pair.text));
        let dots = [by_image.as_slice(), by_text.as_slice()];
        margin(pair.similarity.into(), dots, self.weight, self.temperature) as f32
    }
}

/// A pair's cosine less its loss: `s - (t / 2) * (ln(e^(s / t) + c * sum(e^(a / t))) + the same of b)`, where
/// `t` is the temperature, `a` are the cosines of its picture with others' captions, `b` those of its caption
/// with others' pictures, and each other pair counts `c` times.
pub fn margin(similarity: f64, others: [&[f64]; 2], weight: f64, temperature: f64) -> f64 {
    let [image, text] = others.map(|dots| {
        let logits = dots.iter().map(|dot| dot / temperature);
        log_sum_exp_weighted(similarity / temperature, logits, weight)
    });
    similarity - temperature / 2.0 * (image + text)
}

/// The scores of a whole batch, each pair against all others of it, as over a pool: the mean over several
/// random batches is the published score.
pub fn batch(similarities: &[f32], images: &Rows, texts: &Rows, temperature: f64) -> Vec<f64> {
    let cosines = |rows: &Rows, row: &Row, own: usize| -> Vec<f64> {
        let dots = rows.dots(row).enumerate().filter(|(place, _)| *place != own);
        dots.map(|(_, dot)| f64::from(dot)).collect()
    };
    let score = |(place, similarity): (usize, &f32)| {
        let by_image = cosines(texts, &images.row(place), place);
        let by_text = cosines(images, &texts.row(place), place);
        margin((*similarity).into(), [&by_image, &by_text], 1.0, temperature)
    };
    similarities.iter().enumerate().map(score).collect()
}

/// FNV-1a over the codes of both rows.
fn hash(image: &[i8], text: &[i8]) -> u64 {
    let codes = image.iter().chain(text);
    codes.fold(0xcbf2_9ce4_8422_2325, |hash, code| {
        (hash ^ u64::from(code.cast_unsigned())).wrapping_mul(0x0100_0000_01b3)
    })
}
