//! Recorded embeddings as files: the `.npz` that is kept, and the rows that it is made of while a run
//! goes on.
//!
//! | file | idea |
//! |---|---|
//! | [`recording`] | what is recorded: of which pairs, by which model, under which names |
//! | [`rows`] | embeddings as they come, pair by pair, each row with its checksum |
//! | [`npz`] | those rows as NumPy's arrays, in DataComp's layout |
//! | [`numpy`] | the header of an array |
//! | [`arrays`] | arrays in `.npz` and `.npy` files, read within bounds |
//! | [`by_ticket`] | the embeddings of a journal's pairs, found again in their order |
//!
//! `.npz` files need the feature `parquet`.

#[cfg(feature = "parquet")]
pub mod arrays;
pub mod by_ticket;
#[cfg(feature = "parquet")]
mod columns;
pub mod npz;
#[cfg(feature = "parquet")]
pub mod numpy;
pub mod recording;
pub mod rows;

pub use by_ticket::ByTicket;
pub use recording::{Covers, Names, Recording};

#[cfg(feature = "parquet")]
use crate::disk::{unread, wrong};
