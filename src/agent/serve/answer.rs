//! What is answered of one pair.

use std::sync::Arc;

use pairgate_core::decision::{Decision, Reason, Verdict};
use pairgate_core::pair::{Digest, Uid};
use serde_json::{Value, json};

use crate::journal::{Record, Terms};
use crate::score_text::shortest;
use crate::store::{Judged, shard_name};

/// Who decided: what an answer names of a journal's terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// The model's name and version.
    pub model: String,
    /// The digest of its bundle.
    pub model_digest: Digest,
    /// The digest of the settings that a decision depends on.
    pub config_digest: Digest,
}

impl Names {
    /// Those of these terms.
    pub fn of(terms: &Terms) -> Self {
        let model = terms.models.last();
        Self {
            model: model.map(|model| model.name.clone()).unwrap_or_default(),
            model_digest: terms.model(),
            config_digest: terms.config,
        }
    }

    /// Whether these terms have the same names.
    pub fn are_of(&self, terms: &Terms) -> bool {
        self.config_digest == terms.config && self.model_digest == terms.model()
    }
}

/// Where a kept pair is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// In the output folder.
    Shard {
        /// The shard's name; it has the name once it is complete.
        shard: String,
        /// The pair's key there.
        key: String,
    },
    /// In the spool, on its way to the output folder.
    Spool,
}

/// The answer to one pair.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The pair's number in the journal; `None` where it was judged only.
    pub ticket: Option<u64>,
    /// Its key, as it was said or given.
    pub key: String,
    /// Its identity.
    pub uid: Uid,
    /// What became of it.
    pub verdict: Verdict,
    /// Why.
    pub reason: Reason,
    /// The cosine, where the network was asked.
    pub score: Option<f32>,
    /// Lowest score that passed then.
    pub threshold: Option<f32>,
    /// Where it is stored, if it is.
    pub stored: Option<Place>,
    /// Who decided.
    pub names: Arc<Names>,
}

impl Answer {
    /// The answer to a pair that was decided on by `names`, under `threshold` where none moves.
    pub fn of_judged(
        judged: &Judged,
        stored: Option<Place>,
        threshold: Option<f32>,
        names: Arc<Names>,
    ) -> Self {
        let threshold = judged.threshold.or(threshold);
        let (key, uid) = (judged.sample.key.clone(), judged.uid);
        let answer = Self::of_decision(key, uid, judged.decision, threshold, names);
        Self { ticket: Some(judged.ticket), stored, ..answer }
    }

    /// The answer to a pair that is judged only.
    pub fn of_decision(
        key: String,
        uid: Uid,
        decision: Decision,
        threshold: Option<f32>,
        names: Arc<Names>,
    ) -> Self {
        let Decision { verdict, reason, facts } = decision;
        let score = facts.score;
        Self { ticket: None, key, uid, verdict, reason, score, threshold, stored: None, names }
    }

    /// The answer that was given to the pair of a record, which these terms decided.
    pub fn of_record(record: Record, terms: &Terms, names: Arc<Names>) -> Self {
        let threshold = record.threshold.or(terms.threshold);
        let decision = record.decision();
        let place = |stored: crate::journal::Stored| Place::Shard {
            shard: shard_name(stored.shard),
            key: stored.key,
        };
        let stored = record.stored.map(place);
        let answer = Self::of_decision(record.key, record.uid, decision, threshold, names);
        Self { ticket: Some(record.ticket), stored, ..answer }
    }

    /// Says of a kept pair that it is in the spool.
    pub(super) fn set_spooled(&mut self) {
        if self.verdict == Verdict::Kept {
            self.stored = Some(Place::Spool);
        }
    }

    /// Bytes of the texts that it alone holds.
    pub fn text_bytes(&self) -> usize {
        let place = match &self.stored {
            Some(Place::Shard { shard, key }) => shard.len() + key.len(),
            Some(Place::Spool) | None => 0,
        };
        self.key.len() + place
    }

    /// The answer as clients get it; `repeated` where it was given before.
    pub fn json(&self, repeated: bool) -> Value {
        let place = |place: &Place| match place {
            Place::Shard { shard, key } => json!({ "shard": shard, "key": key }),
            Place::Spool => json!({ "spool": true }),
        };
        json!({
            "verdict": self.verdict.name(),
            "reason": self.reason.name(),
            "score": self.score.map(shortest),
            "threshold": self.threshold.map(shortest),
            "key": self.key,
            "uid": self.uid.to_string(),
            "ticket": self.ticket,
            "stored": self.stored.as_ref().map(place),
            "repeated": repeated,
            "model": self.names.model,
            "model_digest": self.names.model_digest.to_string(),
            "config_digest": self.names.config_digest.to_string(),
        })
    }
}
