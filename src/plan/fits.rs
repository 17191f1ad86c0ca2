//! The constants as a file. It says which runs they were fitted on, and a digest over all of it shows
//! whether somebody has changed them since: a plan from invented constants is worse than none.
//!
//! ```toml
//! format = 1
//! bucket_samples = 12800000.0
//! pool_samples = 128000000.0
//!
//! [last]                  # the floor is added last; [before] likewise
//! a = 0.02
//! d = 0.1
//! rms = 0.004
//!
//! [[last.buckets]]        # from the best on
//! b = -0.18
//! tau = 2.0
//!
//! [provenance]
//! ...                     # what `plan fit` knows of the runs, and `seal`
//! ```

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::PlanError;
use super::law::{Bucket, Floor, Law, within};
use super::runs::Runs;
use super::search::{Fitted, SEED};
use crate::digest::sha256;

/// The format that this version reads and writes.
pub const FORMAT: u32 = 1;
/// Longest file, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// A file of constants.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fits {
    /// Version of the format; see [`FORMAT`].
    pub format: u32,
    /// Samples in a bucket.
    pub bucket_samples: f64,
    /// Samples in the whole pool, of which the buckets are the best.
    pub pool_samples: f64,
    /// Constants where the floor is added last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Constants>,
    /// Constants where it is added before the passes from the second on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Constants>,
    /// Where they come from; `None` if nobody says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Provenance>,
}

/// Constants of one form of the law.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Constants {
    /// Scale of the samples.
    pub a: f64,
    /// Error that no training undercuts.
    pub d: f64,
    /// Root mean square of what the runs differ; 0 if nobody says.
    #[serde(default)]
    pub rms: f64,
    /// From the best on.
    pub buckets: Vec<Bucket>,
}

/// Which runs the constants were fitted on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// Who fitted them.
    pub made_by: String,
    /// Name of the table of runs.
    pub runs_file: String,
    /// SHA-256 of that table.
    pub runs_sha256: String,
    /// Runs in it.
    pub runs: u64,
    /// Most passes over a bucket in a run.
    pub most_epochs: f64,
    /// Seed of the search.
    pub seed: u64,
    /// SHA-256 over all of this file but this line.
    pub seal: String,
}

impl Fits {
    /// The constants of both forms, fitted on the same runs.
    pub fn new(fitted: &[Fitted], runs: &Runs, runs_file: &str, pool_samples: f64) -> Self {
        let constants = |floor: Floor| {
            let of = fitted.iter().find(|fitted| fitted.law.floor == floor)?;
            let Law { a, d, buckets, .. } = of.law.clone();
            Some(Constants { a, d, rms: of.rms(), buckets })
        };
        let bucket_samples = fitted.first().map_or(0.0, |fitted| fitted.law.bucket_samples);
        let most = runs.runs.iter().map(|run| run.samples).fold(0.0, f64::max);
        let mut fits = Self {
            format: FORMAT,
            bucket_samples,
            pool_samples,
            last: constants(Floor::Last),
            before: constants(Floor::Before),
            provenance: Some(Provenance {
                made_by: format!("pairgate {}", env!("CARGO_PKG_VERSION")),
                runs_file: runs_file.to_owned(),
                runs_sha256: runs.digest.to_string(),
                runs: runs.runs.len() as u64,
                most_epochs: most / bucket_samples,
                seed: SEED,
                seal: String::new(),
            }),
        };
        let seal = fits.seal();
        if let Some(provenance) = &mut fits.provenance {
            provenance.seal = seal;
        }
        fits
    }

    /// Reads a file of constants that were fitted; `illustrative`: of any constants.
    ///
    /// # Errors
    /// [`PlanError::Unfounded`] where they do not say which runs they were fitted on, or were changed since;
    /// [`PlanError`] for what cannot be read or is out of range.
    pub fn open(path: &Path, illustrative: bool) -> Result<Self, PlanError> {
        let file = path.display().to_string();
        let refused = |why: String| PlanError::File { file: file.clone(), why };
        let length = fs::metadata(path).map_err(|why| refused(why.to_string()))?.len();
        if length > MAX_BYTES {
            return Err(refused(format!("it has {length} bytes, at most {MAX_BYTES} are read")));
        }
        let text = fs::read_to_string(path).map_err(|why| refused(why.to_string()))?;
        let fits: Self = toml::from_str(&text).map_err(|why| refused(why.to_string()))?;
        fits.check()?;
        if !illustrative {
            fits.check_provenance(&file)?;
        }
        Ok(fits)
    }

    /// The file's text.
    ///
    /// # Errors
    /// [`PlanError::File`] if it cannot be said in TOML.
    pub fn to_toml(&self) -> Result<String, PlanError> {
        let text = toml::to_string(self);
        let text = text.map_err(|why| PlanError::File {
            file: "the constants".into(),
            why: why.to_string(),
        })?;
        Ok(format!(
            "# Written by `pairgate plan fit`. A changed file is refused: fit it again.\n{text}"
        ))
    }

    /// The law in one form, with the root mean square of its residuals; constants of the other form where
    /// the file has no others.
    pub fn law(&self, floor: Floor) -> Option<(Law, f64)> {
        let (one, other) = match floor {
            Floor::Last => (&self.last, &self.before),
            Floor::Before => (&self.before, &self.last),
        };
        let Constants { a, d, rms, buckets } = one.as_ref().or(other.as_ref())?.clone();
        let bucket_samples = self.bucket_samples;
        Some((Law { a, d, bucket_samples, buckets, floor }, rms))
    }

    fn check(&self) -> Result<(), PlanError> {
        within("format", self.format.into(), FORMAT.into(), FORMAT.into())?;
        let mut most = 0;
        for floor in Floor::ALL {
            if let Some((law, _)) = self.law(floor) {
                law.check()?;
                most = most.max(law.buckets.len());
            }
        }
        // Without constants there is no bucket.
        within("buckets", most as f64, 1.0, super::law::MAX_BUCKETS as f64)?;
        within("pool_samples", self.pool_samples, most as f64 * self.bucket_samples, 1e18)
    }

    fn check_provenance(&self, file: &str) -> Result<(), PlanError> {
        let refused =
            |why: &str| Err(PlanError::Unfounded { file: file.to_owned(), why: why.to_owned() });
        match &self.provenance {
            None => refused(
                "it does not say which runs its constants were fitted on. They depend on your pool, your \
                 score and your training: train one small model on each bucket of the pool, write down its \
                 error after 1, 2, 4 and 8 epochs, and run `pairgate plan fit RUNS.csv -o FITS.toml`. \
                 --illustrative shows what invented constants would say",
            ),
            Some(provenance) if provenance.runs == 0 || provenance.seal != self.seal() => refused(
                "its constants are not those that `pairgate plan fit` wrote: run it again on your runs. \
                 --illustrative shows what changed constants would say",
            ),
            Some(_) => Ok(()),
        }
    }

    /// SHA-256 over the file without the seal.
    fn seal(&self) -> String {
        let mut open = self.clone();
        if let Some(provenance) = &mut open.provenance {
            provenance.seal.clear();
        }
        // What cannot be said in TOML cannot be read from it either.
        sha256(toml::to_string(&open).unwrap_or_default().as_bytes()).to_string()
    }
}
