//! ARPA files: models of captions as text, as KenLM, SRILM and others write and read them.
//!
//! Words are the names that the network's tokenizer gives its tokens, `<s>`, `</s>` and `<unk>`.

mod build;
mod read;
mod write;

pub use read::{ArpaError, ArpaLimits, ArpaModel, read};
pub use write::{NameError, write};

/// Names of the words behind the token ids, in their order.
const SPECIAL: [&str; 3] = ["<unk>", "<s>", "</s>"];
