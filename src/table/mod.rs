//! Tables as files: what they are made of, and how Parquet holds them.

mod column;
#[cfg(feature = "parquet")]
pub(crate) mod pages;
#[cfg(feature = "parquet")]
mod parquet;

pub(crate) use column::{Cell, Column, Kind};
#[cfg(feature = "parquet")]
pub(crate) use parquet::{About, ParquetRows};
