//! What runs have recorded, pair by pair, whatever form it has: what selection is fitted on, what is cut by,
//! and what is compared.
//!
//! | file | idea |
//! |---|---|
//! | [`row`] | what is recorded of a pair, and which of it is read |
//! | [`rows`] | the rows of one file or folder: its first bytes tell its form |
//! | `lines`, `csv`, `table`, `journal` | the forms |
//! | `cells` | from a row's cells, as texts and tables have them, to the row |
//! | `run` | rows of several runs with their embeddings |
//! | `find`, `beside` | what a run's path is, and the embeddings that lie beside it |
//! | [`scores`] | scores by uid |
//!
//! Tables and embeddings need the feature `parquet`.
//!
//! Rows come in the order in which they were written. Nothing is held but the row that is being read, and
//! pages of a table; a line or row of text has at most [`MAX_ROW`] bytes. A file that is damaged, or whose
//! rows are not those of the table beside it, is an error that names it and the row.

#[cfg(feature = "parquet")]
mod beside;
mod cells;
mod csv;
#[cfg(feature = "parquet")]
mod find;
mod journal;
mod lines;
pub mod row;
pub mod rows;
#[cfg(feature = "parquet")]
mod run;
pub mod scores;
#[cfg(feature = "parquet")]
mod table;

use crate::disk::{unread, wrong};

pub use row::{Field, ReadAs, RecordedRow};
pub use rows::{MAX_ROW, Rows, check_repeatable};
#[cfg(feature = "parquet")]
pub use run::RecordedRun;
