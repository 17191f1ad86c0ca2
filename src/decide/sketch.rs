//! The distribution of any number of scores, in bounded memory: a t-digest that is written to a file
//! and merged with those of other machines.
//!
//! # Bytes
//! ```text
//! file    = "PAIRSKCH" frame(Header)                 frame as in the journal: length, payload, CRC-32C
//! payload = the postcard encoding of Header, which holds the digest as Apache DataSketches writes it
//! ```

use std::fs;
use std::io;
use std::path::Path;

use datasketches::tdigest::TDigestMut;
use pairgate_core::pair::Digest;
use pairgate_core::wire;
use serde::{Deserialize, Serialize};

use crate::disk::IoError;
use crate::disk::{Disk, failed, write_whole};

/// First bytes of every sketch file.
pub const MAGIC: &[u8; 8] = b"PAIRSKCH";
/// The format written.
pub const FORMAT_VERSION: u16 = 1;
/// The t-digest's compression: about twice as many centroids, of 16 bytes each. Ranks are off by less
/// than 0.05 % in the middle and by less towards the ends.
const COMPRESSION: u16 = 1000;

/// A sketch of scores.
#[derive(Debug, Clone)]
pub struct ScoreSketch {
    digest: TDigestMut,
}

#[derive(Serialize, Deserialize)]
struct Header<'a> {
    version: u16,
    /// SHA-256 of the manifest of the model whose scores they are.
    model: Digest,
    digest: &'a [u8],
}

impl Default for ScoreSketch {
    fn default() -> Self {
        Self::new()
    }
}

impl ScoreSketch {
    /// A sketch of nothing.
    pub fn new() -> Self {
        // The only error is a compression below 10.
        let digest = TDigestMut::new(COMPRESSION);
        Self { digest: digest.unwrap_or_else(|_| unreachable!("the compression is 1000")) }
    }

    /// Adds a score; one that is no finite number says nothing.
    pub fn add(&mut self, score: f32) {
        if score.is_finite() {
            self.digest.update(f64::from(score));
        }
    }

    /// Adds what another sketch has seen.
    pub fn merge(&mut self, other: &Self) {
        self.digest.merge(&other.digest);
    }

    /// Scores seen.
    pub fn count(&self) -> u64 {
        self.digest.total_weight()
    }

    /// The score below which a share `rank` of the scores lies, 0 to 1; `None` without scores.
    pub fn quantile(&mut self, rank: f64) -> Option<f32> {
        let found = self.digest.quantile(rank.clamp(0.0, 1.0)).ok().flatten();
        found.map(|score| score as f32)
    }

    /// The share of scores at or above `threshold`; `None` without scores.
    pub fn share_kept(&mut self, threshold: f32) -> Option<f64> {
        self.digest.rank(f64::from(threshold)).ok().flatten().map(|rank| 1.0 - rank)
    }

    /// The threshold that keeps a share of the scores; `None` without scores.
    pub fn threshold(&mut self, keep: f64) -> Option<f32> {
        self.quantile(1.0 - keep)
    }

    /// Where the threshold lies with the probability `confidence`, if the scores are a random sample:
    /// the percentile bootstrap's interval. The share of a resample that lies above a score is
    /// binomial, so that no resample is drawn: the interval goes from one quantile to another, `z`
    /// standard deviations of that share apart.
    pub fn interval(&mut self, keep: f64, confidence: f64) -> Option<(f32, f32)> {
        let reach = known_to(keep, self.count(), confidence);
        Some((self.quantile(1.0 - keep - reach)?, self.quantile(1.0 - keep + reach)?))
    }

    /// Bytes that the sketch takes in memory, about.
    pub fn memory(&self) -> usize {
        self.digest.estimated_size()
    }

    /// The sketch as Apache DataSketches writes it.
    pub(crate) fn save_bytes(&mut self) -> Vec<u8> {
        self.digest.serialize()
    }

    /// The sketch that [`save_bytes`](Self::save_bytes) gave.
    pub(crate) fn of_bytes(bytes: &[u8]) -> Option<Self> {
        TDigestMut::deserialize(bytes).ok().map(|digest| Self { digest })
    }

    /// Writes the sketch to `path`, whole or not at all.
    ///
    /// # Errors
    /// [`IoError::Write`] if that fails.
    pub fn save(&mut self, path: &Path, model: Digest) -> Result<(), IoError> {
        let digest = self.digest.serialize();
        let header = Header { version: FORMAT_VERSION, model, digest: &digest };
        let mut frame = vec![0; digest.len() + 256];
        let frame = wire::frame(&header, &mut frame).map_err(io::Error::other);
        let bytes = [MAGIC, frame.map_err(failed(path))?].concat();
        write_whole(&Disk::system(), path, &bytes)
    }

    /// Reads a sketch, and the digest of the model whose scores it holds.
    ///
    /// # Errors
    /// [`IoError::Read`] if it cannot be read, is no sketch, damaged, or of another version.
    pub fn load(path: &Path) -> Result<(Self, Digest), IoError> {
        let source = |why| IoError::Read { from: path.display().to_string(), why };
        let bytes = fs::read(path).map_err(source)?;
        parse(&bytes).map_err(|why| source(io::Error::new(io::ErrorKind::InvalidData, why)))
    }
}

fn parse(bytes: &[u8]) -> Result<(ScoreSketch, Digest), String> {
    let body = bytes.strip_prefix(MAGIC).ok_or("not a sketch of scores")?;
    let payload = wire::payload(body).ok_or("the sketch is damaged")?;
    let header: Header<'_> =
        postcard::from_bytes(payload).map_err(|_| "the sketch is damaged".to_owned())?;
    if header.version != FORMAT_VERSION {
        return Err(format!("a sketch of format {}, not {FORMAT_VERSION}", header.version));
    }
    let digest = TDigestMut::deserialize(header.digest).map_err(|why| why.to_string())?;
    Ok((ScoreSketch { digest }, header.model))
}

/// Pairs from which the share above a threshold is known to within `precision` (as a share, both
/// ways) with the probability `confidence`: `n = z^2 keep (1 - keep) / precision^2`.
pub fn sample_size(keep: f64, precision: f64, confidence: f64) -> u64 {
    let z = normal_quantile(confidence);
    (z * z * keep * (1.0 - keep) / (precision * precision)).ceil() as u64
}

/// How far the share that a threshold keeps may be from `keep`, both ways, with the probability
/// `confidence`, if `count` scores gave the threshold: [`sample_size`] the other way round.
pub fn known_to(keep: f64, count: u64, confidence: f64) -> f64 {
    normal_quantile(confidence) * (keep * (1.0 - keep) / count.max(1) as f64).sqrt()
}

/// Standard deviations that hold the share `confidence` of a normal distribution between them and
/// their negative: Abramowitz and Stegun 26.2.23, off by less than 0.00045.
fn normal_quantile(confidence: f64) -> f64 {
    let tail = ((1.0 - confidence) / 2.0).clamp(1e-12, 0.5);
    let t = (-2.0 * tail.ln()).sqrt();
    let above = 2.515517 + 0.802853 * t + 0.010328 * t * t;
    let below = 1.0 + 1.432788 * t + 0.189269 * t * t + 0.001308 * t * t * t;
    t - above / below
}
