//! What a gate finds of a pair; a decider says what becomes of it.

use std::sync::Arc;

use pairgate_core::decision::{Decision, Facts, Reason, ReasonSet};

use crate::score::PairEmbeddings;

/// What was found of a pair, before anybody decides on it.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// What rules and decoding said first; [`Reason::Passed`] where they said nothing.
    pub found: Reason,
    /// What was measured.
    pub facts: Facts,
    /// Every rule that the pair breaks, as far as its path went; `found` is one of them where it is
    /// a rule.
    pub broken: ReasonSet,
    /// Both embeddings, where they were asked for and the pair was scored.
    pub embeddings: Option<Arc<PairEmbeddings>>,
    /// What the gate's pure scorers gave, in their order; empty where the pair was not scored.
    pub measures: Vec<f32>,
}

impl Evidence {
    /// What was found of a pair that breaks no rule but, perhaps, `found`.
    pub fn new(found: Reason, facts: Facts) -> Self {
        Self { found, facts, broken: ReasonSet::default(), embeddings: None, measures: Vec::new() }
    }

    /// What a decision rests on, whatever threshold it was made by.
    pub fn of(decision: &Decision) -> Self {
        let scored = matches!(decision.reason, Reason::Passed | Reason::LowSimilarity);
        let found = if scored { Reason::Passed } else { decision.reason };
        Self::new(found, decision.facts)
    }
}
