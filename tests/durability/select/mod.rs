//! Selection: the rules of each method by worked examples, states and their files, pools and streams.

mod clusters;
mod edges;
mod expression;
mod golden;
mod kmeans;
mod pool;
mod power;
mod quota;
mod rules;
mod state;

use half::f16;
use pairgate::score::PairEmbeddings;
use pairgate::select::{About, PoolPair};
use pairgate::{Digest, Uid};

/// Numbers that look random and are the same each time.
pub struct Drawn(pub u64);

impl Drawn {
    pub fn next(&mut self) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    /// From -1 to 1.
    pub fn unit(&mut self) -> f32 {
        self.next() as f32 / (1u64 << 30) as f32 - 1.0
    }
}

pub fn about(expression: &str, dimension: u32) -> About {
    About {
        program: "0.1.0".into(),
        model_name: "test 1".into(),
        model: Digest([7; 32]),
        dimension,
        seed: 1234,
        calibration: Digest::default(),
        pairs: 0,
        threshold: Some(0.1),
        expression: expression.into(),
    }
}

/// Pairs of pictures round a few centres.
pub fn pairs(count: usize, dimension: usize, seed: u64) -> Vec<PoolPair> {
    let mut drawn = Drawn(seed);
    let centres: Vec<Vec<f32>> =
        (0..8).map(|_| (0..dimension).map(|_| drawn.unit()).collect()).collect();
    let pair = |place: usize| {
        let centre = &centres[drawn.next() as usize % centres.len()];
        // Some pairs are nearly those before them.
        let wide = if drawn.next().is_multiple_of(4) { 0.01 } else { 0.4 };
        let image: Vec<f32> = centre.iter().map(|value| value + wide * drawn.unit()).collect();
        let text: Vec<f32> = centre.iter().map(|value| value + drawn.unit()).collect();
        let mut uid = Uid::default();
        uid.0[..8].copy_from_slice(&(place as u64).to_le_bytes());
        uid.0[8..].copy_from_slice(&seed.to_le_bytes());
        let words = ["dog", "cat", "beach", "car", "tree"];
        let word = |n: u64| words[(n % words.len() as u64).min(n % 3) as usize];
        PoolPair {
            uid,
            key: format!("{place:06}"),
            shard: format!("shards/{:05}.tar", drawn.next() % 3),
            score: 0.2 + 0.1 * drawn.unit(),
            embeddings: PairEmbeddings { image: rounded(&image), text: rounded(&text) },
            caption: Some(format!("a {} and a {}", word(drawn.next()), word(drawn.next()))),
            tokens: Vec::new(),
            metadata: Some(
                serde_json::json!({ "site": { "url": format!("https://Host{}.example:80/a?b", drawn.next() % 4) } }),
            ),
        }
    };
    (0..count).map(pair).collect()
}

/// At unit length, in 16 bits.
pub fn rounded(values: &[f32]) -> Box<[f16]> {
    let length = values.iter().map(|value| value * value).sum::<f32>().sqrt();
    values.iter().map(|value| f16::from_f32(value / length)).collect()
}
