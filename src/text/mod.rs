//! Caption to token ids: cleaning, then the bundle's own tokenizer.

pub mod clean;
mod ftfy;
mod html;
mod prefix;
pub mod tokenize;
