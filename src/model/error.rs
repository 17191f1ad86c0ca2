//! Model bundles that cannot be used.

use crate::text::tokenize::TokenizerError;

/// A model bundle that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// A file of the bundle cannot be read.
    #[error("model file {file}: {why}")]
    Read {
        /// The file.
        file: String,
        /// The system's reason.
        why: std::io::Error,
    },
    /// The manifest is not what it should be.
    #[error("bundle.toml: {why}")]
    Manifest {
        /// What is wrong, with line and key where known.
        why: String,
    },
    /// A value of the manifest is outside its range.
    #[error("bundle.toml: {key} = {value} is out of range: it must be {min} to {max}")]
    OutOfRange {
        /// The key, with its table.
        key: &'static str,
        /// The value found.
        value: f64,
        /// Smallest value allowed.
        min: f64,
        /// Largest value allowed.
        max: f64,
    },
    /// A file is not the one that the manifest was written for.
    #[error("model file {file} has SHA-256 {found}, bundle.toml says {expected}")]
    Digest {
        /// The file.
        file: String,
        /// The digest in the manifest.
        expected: String,
        /// The digest of the file.
        found: String,
    },
    /// A graph's input or output does not fit the manifest.
    #[error("model file {file}: the manifest asks for {wanted}, the graph has {found}")]
    Shape {
        /// The file.
        file: String,
        /// What the manifest leads to.
        wanted: String,
        /// What the graph has.
        found: String,
    },
    /// An operator of a graph cannot be run.
    #[error("model file {file}: operator {operator} (node {node:?}): {why}")]
    Operator {
        /// The file.
        file: String,
        /// The operator's ONNX name.
        operator: String,
        /// The node's name, or its first output's.
        node: String,
        /// What is wrong with it.
        why: String,
    },
    /// A graph is not the tower that it is to be; towers that are swapped end here.
    #[error("model file {file} is no {side} tower: it must have {wanted}, and has {found}")]
    Tower {
        /// The file.
        file: String,
        /// The tower that it is to be.
        side: super::Side,
        /// The inputs that such a tower has.
        wanted: String,
        /// The inputs that it has.
        found: String,
    },
    /// Embeddings are not as long as the manifest says, or not equally long.
    #[error(
        "model file {file}: its embeddings have {found} values, bundle.toml says embedding_size = {manifest}"
    )]
    EmbeddingSize {
        /// The file.
        file: String,
        /// The size in the manifest.
        manifest: usize,
        /// The size in the graph.
        found: usize,
    },
    /// The text tower takes another number of tokens.
    #[error(
        "model file {file} takes {found} tokens, no more and no less; bundle.toml says text.context_length = {manifest}"
    )]
    ContextLength {
        /// The file.
        file: String,
        /// The length in the manifest.
        manifest: usize,
        /// The length in the graph.
        found: usize,
    },
    /// The text tower cannot be run at a length up to the manifest's context length.
    #[error(
        "model file {file} cannot be run at {tokens} tokens (is text.context_length right?): {why}"
    )]
    Length {
        /// The file.
        file: String,
        /// The length in tokens.
        tokens: usize,
        /// The engine's reason.
        why: String,
    },
    /// The tokenizer is not the one that the text tower was trained with.
    #[error(
        "model file {file} knows {table} tokens, the tokenizer has {tokens}: it belongs to another model"
    )]
    Vocabulary {
        /// The text tower's file.
        file: String,
        /// Rows of its token table.
        table: usize,
        /// Ids of the tokenizer.
        tokens: usize,
    },
    /// The tower was exported with another nonlinearity.
    #[error(
        "model file {file} computes {found}, bundle.toml says {manifest}: it was exported with the wrong activation"
    )]
    Activation {
        /// The file.
        file: String,
        /// The nonlinearity in the manifest.
        manifest: super::onnx::survey::Activation,
        /// The nonlinearity in the graph.
        found: super::onnx::survey::Activation,
    },
    /// The token ids of a golden caption differ.
    #[error(
        "self-check: the token ids of golden caption {pair} differ at place {place}: {found}, the golden file says {wanted} (is this the model's tokenizer, cleaning and context length?)"
    )]
    SelfCheckTokens {
        /// Place of the pair in the golden file.
        pair: usize,
        /// Place of the first id that differs.
        place: usize,
        /// Our id there.
        found: String,
        /// The golden id there.
        wanted: String,
    },
    /// An embedding of a golden pair differs.
    #[error(
        "self-check: model file {file} says something else of golden pair {pair}: {side} cosine {cosine:.6}, at least {min_cosine} is wanted"
    )]
    SelfCheck {
        /// The tower's file.
        file: String,
        /// The tower.
        side: super::Side,
        /// Place of the pair in the golden file.
        pair: usize,
        /// Cosine of the two embeddings.
        cosine: f64,
        /// Smallest cosine that passes.
        min_cosine: f64,
    },
    /// A golden file cannot be used.
    #[error("golden file {file}: {why}")]
    Golden {
        /// The file.
        file: String,
        /// What is wrong with it.
        why: String,
    },
    /// A file, or what it would unpack to, is bigger than any model's.
    #[error("model file {file} has {bytes} bytes; {limit} are allowed")]
    TooBig {
        /// The file.
        file: String,
        /// Its size, stated or real.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// A bundle is packed.
    #[error(
        "model bundle {file} is compressed ({format}): unpack it first, to a folder or a plain tar"
    )]
    Compressed {
        /// The file.
        file: String,
        /// How it is compressed.
        format: &'static str,
    },
    /// A file of a bundle cannot be written.
    #[error("writing {file}: {why}")]
    Write {
        /// The file.
        file: String,
        /// The system's reason.
        why: std::io::Error,
    },
    /// A folder cannot be imported.
    #[error("importing {folder}: {why}")]
    Import {
        /// The folder.
        folder: String,
        /// What is missing or contradictory, with file and key.
        why: String,
    },
    /// Bundles cannot be blended.
    #[error("blending {what}: {why}")]
    Blend {
        /// The bundle or the graph that does not fit the first one.
        what: String,
        /// What differs.
        why: String,
    },
    /// The engine cannot load or run a graph.
    #[error("model file {file}: {why}")]
    Graph {
        /// The file.
        file: String,
        /// The engine's reason.
        why: String,
    },
    /// The tokenizer cannot be loaded or cannot read a caption.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
}
