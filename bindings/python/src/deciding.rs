//! What decides on the pairs that a gate has found something of: the policy, and a state with its memory.

use std::sync::{Arc, Mutex, PoisonError};

use pairgate::selection::{By, First, Selecting, State};
use pairgate::{Decider, Examined, Fixed, Member, Policy, Position, Sample};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;

use crate::decision::Decision;
use crate::pairs::{Found, Pair};
use crate::process::OfProcess;

/// Decides by a policy and, where there is one, by a state.
pub struct Deciding {
    policy: Policy,
    selected: Option<Selected>,
}

/// A state, and what it remembers of the pairs that this process has judged.
struct Selected {
    state: Arc<State>,
    memory: OfProcess<Mutex<Option<Memory>>>,
}

struct Memory {
    selecting: Selecting,
    /// Pairs that were decided on.
    pairs: u64,
}

impl Deciding {
    pub fn new(policy: Policy, state: Option<Arc<State>>) -> Self {
        let selected = state.map(|state| Selected { state, memory: OfProcess::default() });
        Self { policy, selected }
    }

    /// The state.
    pub fn state(&self) -> Option<&Arc<State>> {
        self.selected.as_ref().map(|selected| &selected.state)
    }

    /// Decides on pairs, in their order, after all that were decided on before.
    ///
    /// # Errors
    /// `RuntimeError` where a pair was not measured.
    pub fn decide(&self, pairs: &[Pair], found: Vec<Found>) -> PyResult<Vec<Decision>> {
        let each = pairs.iter().zip(found);
        match &self.selected {
            None => Ok(each.map(|(_, found)| self.by_policy(found)).collect()),
            Some(selected) => selected.decide(self.policy, each),
        }
    }

    fn by_policy(&self, found: Found) -> Decision {
        let Found { uid, evidence } = found;
        let decision = self.policy.decide(evidence.found, evidence.facts);
        let threshold = self.policy.threshold;
        Decision { decision, broken: evidence.broken, uid, threshold, choice: None }
    }

    /// Forgets all pairs that were judged in this process.
    pub fn forget(&self) {
        if let Some(selected) = &self.selected {
            *selected.memory.here().lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }

    /// Refuses pairs of which nobody tells what the state selects by.
    ///
    /// # Errors
    /// `ValueError` that names it.
    pub fn check_told(&self, shard: bool, metadata: bool) -> PyResult<()> {
        let Some(state) = self.state() else { return Ok(()) };
        for word in state.sources_by() {
            let by = By::named(word);
            if by.needs_metadata() && !metadata {
                return Err(PyValueError::new_err(format!(
                    "the gate's state selects by {word}, a field of the metadata: give metadata="
                )));
            }
            if !by.needs_metadata() && !shard {
                return Err(PyValueError::new_err(format!(
                    "the gate's state selects by {word}: give shard=, the name of the shard, folder or table \
                     that a pair comes from"
                )));
            }
        }
        Ok(())
    }
}

impl Selected {
    fn decide<'a>(
        &self,
        policy: Policy,
        each: impl Iterator<Item = (&'a Pair, Found)>,
    ) -> PyResult<Vec<Decision>> {
        let mut memory = self.memory.here().lock().unwrap_or_else(PoisonError::into_inner);
        let memory = memory.get_or_insert_with(|| {
            let first = First::Fixed(Fixed(policy));
            Memory { selecting: Selecting::new(first, self.state.clone()), pairs: 0 }
        });
        each.map(|(pair, found)| {
            let examined = self.examined(pair, found, memory.pairs);
            memory.pairs += 1;
            let decision = memory.selecting.decide(&examined);
            let decision = decision.map_err(|error| PyRuntimeError::new_err(error.to_string()))?;
            let choice = memory.selecting.noted().choice.map(|choice| Box::new((*choice).into()));
            let (broken, uid) = (examined.evidence.broken, examined.uid);
            Ok(Decision { decision, broken, uid, threshold: policy.threshold, choice })
        })
        .collect()
    }

    /// The pair as the program's decider sees it, without the files that it does not look into.
    fn examined(&self, pair: &Pair, found: Found, ticket: u64) -> Examined {
        let json = pair.metadata.bytes().filter(|_| self.state.needs_metadata());
        let member = |json: &[u8]| Member { extension: "json".into(), data: json.to_vec() };
        let sample = Sample {
            shard: pair.shard.clone().unwrap_or_default(),
            key: String::new(),
            members: json.map(member).into_iter().collect(),
            fault: None,
        };
        let Found { uid, evidence } = found;
        Examined { ticket, position: Position::default(), sample, uid, evidence }
    }
}
