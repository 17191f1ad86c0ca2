//! What is recorded: embeddings of which pairs, by which model, under which names.

use std::fmt;
use std::str::FromStr;

use pairgate_core::pair::Digest;

/// Names that arrays have beside the embeddings'.
const TAKEN: [&str; 4] = ["uid", "ticket", "model", "covers"];
/// Longest name of an array, in bytes.
const MAX_NAME: usize = 64;

/// Which pairs' embeddings a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Covers {
    /// Kept ones alone: nothing that is fitted to a pool can rest on them.
    Kept,
    /// Every pair that was scored.
    All,
}

impl Covers {
    /// Its name, in files and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::All => "all",
        }
    }
}

impl FromStr for Covers {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "kept" => Ok(Self::Kept),
            "all" => Ok(Self::All),
            other => Err(format!("{other:?} is neither kept nor all")),
        }
    }
}

/// What the two arrays of embeddings are called. DataComp's pools have `b32_img`, `b32_txt` of OpenAI's
/// ViT-B/32, and `l14_img`, `l14_txt` of its ViT-L/14.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Names {
    image: String,
    text: String,
}

impl Names {
    /// The array of the pictures' embeddings.
    pub fn image(&self) -> &str {
        &self.image
    }

    /// The array of the captions' embeddings.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl Default for Names {
    fn default() -> Self {
        Self { image: "image".into(), text: "text".into() }
    }
}

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{}", self.image, self.text)
    }
}

impl FromStr for Names {
    type Err = String;

    /// Two names with a comma between them: letters, digits, `_`, `-` and `.`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (image, text) = text.split_once(',').ok_or("give two names: image,text")?;
        for name in [image, text] {
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
            if name.is_empty() || name.len() > MAX_NAME || !name.bytes().all(is_plain) {
                return Err(format!(
                    "{name:?} is no array's name: 1 to {MAX_NAME} letters, digits, _, - and ."
                ));
            }
            if TAKEN.contains(&name) {
                return Err(format!("{name:?} is another array's name"));
            }
        }
        if image == text {
            return Err(format!("both arrays are called {image:?}"));
        }
        Ok(Self { image: image.into(), text: text.into() })
    }
}

/// What is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    /// Of which pairs.
    pub covers: Covers,
    /// What the arrays are called.
    pub names: Names,
    /// Values of an embedding.
    pub dimension: usize,
    /// The digest of the model whose embeddings they are.
    pub model: Digest,
}

impl Recording {
    /// Bytes that a pair's row takes in an `.npz`: both embeddings in 16 bits, and the uid.
    pub fn row_bytes(&self) -> u64 {
        4 * self.dimension as u64 + 32
    }
}
