//! Plans that cannot be made.

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// A table of runs, or a file of constants, is not what it should be.
    #[error("{file}: {why}")]
    File {
        /// The file.
        file: String,
        /// What is wrong, with line and key where known.
        why: String,
    },
    /// A value is outside its range.
    #[error("{key} = {value} is out of range: it must be {min} to {max}")]
    OutOfRange {
        /// What it is called.
        key: &'static str,
        /// The value found.
        value: f64,
        /// Smallest value allowed.
        min: f64,
        /// Largest value allowed.
        max: f64,
    },
    /// There are too few runs to tell the constants.
    #[error("too few runs: {why}")]
    TooFew {
        /// What is there, and what it takes.
        why: String,
    },
    /// The constants are nobody's measurement.
    #[error("{file}: {why}")]
    Unfounded {
        /// The file.
        file: String,
        /// What is missing or was changed, and what to do.
        why: String,
    },
}
