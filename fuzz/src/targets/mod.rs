//! The parsers, by what they read.

mod configs;
mod images;
mod journals;
mod models;
mod scores;
mod sources;
mod states;
mod streams;
mod tables;
mod texts;

use crate::Target;

/// All of them.
pub const ALL: &[Target] = &[
    sources::TAR,
    sources::MANIFEST,
    sources::CSV,
    sources::LIST,
    sources::PAIRS,
    sources::METADATA,
    streams::FRAMES,
    streams::MJPEG,
    streams::YUYV,
    journals::JOURNAL,
    journals::EARLIER,
    journals::SKETCH,
    configs::PACKED,
    configs::TOML,
    configs::BROKER,
    images::JPEG,
    images::PNG,
    images::WEBP,
    images::GIF,
    images::BMP,
    images::TIFF,
    images::AVIF,
    texts::CAPTION,
    texts::NAMES,
    models::BUNDLE,
    models::ONNX,
    models::GOLDEN,
    models::TOKENIZER,
    models::IMPORT,
    tables::ARRAY,
    tables::ARCHIVE,
    tables::PARQUET,
    scores::LINES,
    scores::FASTTEXT,
    states::STATE,
    states::METHOD,
];
