//! A frozen selection: methods fitted once, and the rule that combines them.

mod file;

use std::path::Path;
use std::sync::Arc;

use pairgate_core::pair::Digest;
use serde::{Deserialize, Serialize};

use super::expression::Expression;
use super::parts::{Frozen, Node, Part, Slot, lay_out};
use super::sources::By;
use crate::disk::{Disk, IoError};
#[cfg(feature = "model")]
use crate::model::bundle::manifest::Manifest;
use crate::score::Measure;

pub use file::{FORMAT_VERSION, MAGIC, StateError};

/// What is told of a state beside its arrays.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// Version of the program that fitted it.
    pub program: String,
    /// The model's name and version; empty where nobody told it.
    pub model_name: String,
    /// SHA-256 of the manifest of the model whose embeddings and scores it was fitted on.
    pub model: Digest,
    /// Values of an embedding.
    pub dimension: u32,
    /// What all that is drawn is drawn by.
    pub seed: u64,
    /// SHA-256 over uids and scores of the pairs that it was fitted on, in their order.
    pub calibration: Digest,
    /// How many they were.
    pub pairs: u64,
    /// The least score that they had; `None` where all scores were taken.
    pub threshold: Option<f32>,
    /// The expression.
    pub expression: String,
}

/// A frozen selection.
#[derive(Debug)]
pub struct State {
    about: About,
    expression: Expression,
    root: Node,
    slots: Vec<Slot>,
    parts: Vec<Part>,
    /// Where each part's values begin among those that workers give.
    columns: Vec<usize>,
    width: usize,
    digest: Digest,
}

impl State {
    /// A state of these parts, one for each place that the expression has.
    ///
    /// # Errors
    /// [`StateError`] where the parts are not those of the expression.
    pub fn new(about: About, parts: Vec<Part>) -> Result<Self, StateError> {
        let mut state = Self::assemble(about, parts)?;
        // The bytes end with the digest of all that stands before it.
        let bytes = state.to_bytes();
        state.digest = Digest(*bytes.last_chunk().unwrap_or(&[0; 32]));
        Ok(state)
    }

    fn assemble(about: About, parts: Vec<Part>) -> Result<Self, StateError> {
        let expression = Expression::parse(&about.expression)
            .map_err(|why| StateError::Expression(why.to_string()))?;
        let (root, slots) = lay_out(&expression);
        let is_theirs = slots.len() == parts.len()
            && slots.iter().zip(&parts).all(|(slot, part)| slot.name() == part.name);
        if !is_theirs {
            return Err(StateError::Parts);
        }
        let (mut columns, mut width) = (Vec::new(), 0);
        for part in &parts {
            columns.push(width);
            width += part.measure().map_or(0, |measure| measure.width());
        }
        let digest = Digest::default();
        Ok(Self { about, expression, root, slots, parts, columns, width, digest })
    }

    /// What is told of it.
    pub fn about(&self) -> &About {
        &self.about
    }

    /// SHA-256 that its file ends with.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The expression.
    pub fn expression(&self) -> &Expression {
        &self.expression
    }

    /// The expression, its parts told by their places.
    pub fn root(&self) -> &Node {
        &self.root
    }

    /// The parts as the expression has them.
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// The parts, in the order of evaluation.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The values of a part among `measures`, which workers gave; empty where they are not there.
    pub fn values<'a>(&self, part: usize, measures: &'a [f32]) -> &'a [f32] {
        let end = self.columns.get(part + 1).copied().unwrap_or(self.width);
        measures.get(self.columns[part]..end).unwrap_or_default()
    }

    /// What workers compute of each pair, in this order.
    pub fn measures(&self) -> Vec<Arc<dyn Measure>> {
        self.parts.iter().filter_map(Part::measure).collect()
    }

    /// How many values that comes to.
    pub fn width(&self) -> usize {
        self.width
    }

    /// What tables call each of these values: a method's name, with `_2` behind it the second time.
    pub fn value_names(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::with_capacity(self.width);
        for name in self.parts.iter().flat_map(Part::value_names) {
            let is_free = |name: &String| !names.contains(name);
            let again = (2..).map(|place| format!("{name}_{place}"));
            let free = std::iter::once(name.clone()).chain(again).find(is_free);
            names.push(free.unwrap_or(name));
        }
        names
    }

    /// Whether decisions need the embeddings, beside what workers compute of them.
    pub fn needs_embeddings(&self) -> bool {
        self.parts.iter().any(|part| matches!(part.frozen, Frozen::Duplicates(_)))
    }

    /// Whether decisions need a pair's metadata.
    pub fn needs_metadata(&self) -> bool {
        self.parts.iter().any(|part| match &part.frozen {
            Frozen::Sources(sources) => By::named(&sources.by).needs_metadata(),
            _ => false,
        })
    }

    /// What the pairs' sources are told by, where decisions need that: a shard's name or a field.
    pub fn sources_by(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match &part.frozen {
            Frozen::Sources(sources) => Some(sources.by.as_str()),
            _ => None,
        })
    }

    /// The method whose decisions depend on the pairs before, where there is one.
    pub fn moving(&self) -> Option<&'static str> {
        let moves = |part: &Part| match &part.frozen {
            Frozen::Duplicates(_) => true,
            Frozen::Sources(sources) => sources.follows,
            _ => false,
        };
        let place = self.parts.iter().position(moves)?;
        Some(self.slots[place].name())
    }

    /// Bytes that a run takes for it beyond what is loaded.
    pub fn growth(&self) -> u64 {
        self.parts.iter().map(Part::growth).sum()
    }

    /// Bytes that it takes once it is loaded.
    pub fn memory(&self) -> u64 {
        self.parts.iter().map(Part::memory).sum()
    }

    /// Refuses another model, by name.
    ///
    /// # Errors
    /// [`StateError::Model`], [`StateError::Dimension`].
    pub fn check_model(
        &self,
        name: &str,
        digest: Digest,
        dimension: usize,
    ) -> Result<(), StateError> {
        if self.about.model != digest {
            let was = match self.about.model_name.as_str() {
                "" => self.about.model.to_string()[..12].to_owned(),
                name => format!("{name} ({})", &self.about.model.to_string()[..12]),
            };
            let is = format!("{name} ({})", &digest.to_string()[..12]);
            return Err(StateError::Model { was, is });
        }
        if self.about.dimension as usize != dimension {
            return Err(StateError::Dimension { was: self.about.dimension, is: dimension });
        }
        Ok(())
    }

    /// Refuses another model than the one that `manifest` tells of.
    ///
    /// # Errors
    /// [`StateError::Model`], [`StateError::Dimension`].
    #[cfg(feature = "model")]
    pub fn check_manifest(&self, manifest: &Manifest, digest: Digest) -> Result<(), StateError> {
        let name = format!("{} {}", manifest.name, manifest.version);
        self.check_model(&name, digest, manifest.embedding_size)
    }

    /// Reads the state at `path`.
    ///
    /// # Errors
    /// [`IoError::Read`] where it cannot be read, is none, or is damaged.
    pub fn load(path: &Path) -> Result<Self, IoError> {
        file::load(path)
    }

    /// Reads a state's bytes.
    ///
    /// # Errors
    /// [`StateError`] where they are none.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StateError> {
        file::parse(bytes)
    }

    /// The bytes of its file.
    pub fn to_bytes(&self) -> Vec<u8> {
        file::bytes(self)
    }

    /// Writes it to `path`, whole or not at all.
    ///
    /// # Errors
    /// [`IoError::Write`].
    pub fn save(&self, disk: &Disk, path: &Path) -> Result<(), IoError> {
        crate::disk::write_whole(disk, path, &self.to_bytes())
    }
}
