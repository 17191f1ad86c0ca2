//! How much of a pool to keep for a compute budget, by the scaling laws for data filtering: good data wears
//! off as it is repeated, so the share that is best grows with the budget.
//!
//! | file | idea |
//! |---|---|
//! | `law` | the error after so many samples of the best buckets |
//! | `runs` | what people measured: a small training run a bucket, as a table |
//! | `search` | the constants that fit these runs |
//! | `fits` | the constants as a file that says what they were fitted on |
//! | `plot` | the predicted errors as a picture |

mod error;
pub mod fits;
pub mod law;
pub mod plot;
pub mod runs;
pub mod search;

pub use error::PlanError;
