//! Caption to token ids: cleaning, then the bundle's own tokenizer.

pub mod clean;
pub mod tokenize;
