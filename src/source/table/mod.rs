//! Tables of pairs: one row, line or element a pair.
//!
//! | file | idea |
//! |---|---|
//! | [`names`] | which columns are the picture, the caption and the key |
//! | [`picture`] | pictures within a cell, and what their first bytes say |
//! | [`root`] | the folder that pictures are named in |
//! | [`row`] | a row becomes a sample |
//! | [`told`] | what is wrong with many rows is told once |
//! | [`object`] | the fields of a JSON object that matter |
//! | [`scan`] | the values of a JSON text, one after the other |
//! | [`list`] | JSON lists of objects |
//! | [`coco`] | captions as COCO has them |
//! | [`csv`] | CSV and TSV |
//! | `parquet` | Parquet |
//! | [`kind`] | which of them a file or stream is |

pub(super) mod coco;
pub(super) mod csv;
pub(super) mod kind;
pub(super) mod list;
pub(super) mod names;
pub(super) mod object;
#[cfg(feature = "parquet")]
pub(super) mod parquet;
mod picture;
pub(super) mod root;
pub(super) mod row;
mod scan;
mod told;

pub(super) use names::Names;
pub(super) use picture::{extension_of, member_extension};
