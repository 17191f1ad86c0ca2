//! Under what a cut decides: what the scores were made under, and what passes now.

use std::path::PathBuf;

use pairgate_core::pair::Digest;
use pairgate_core::policy::{OnError, Policy};

use crate::decide::groups::{Goal, GroupRules};
use crate::digest::sha256;
use crate::journal::{Header, Terms};
use crate::replay::scores::Surveyed;

/// Settings of a run that scored which say nothing of the scores.
const APART: [&str; 6] = ["policy.", "follow.", "input.", "groups.", "scores=", "select."];

/// What a cut decides by.
pub struct Cut<'a> {
    pub surveyed: &'a Surveyed,
    pub policy: Policy,
    pub goal: Goal,
    pub groups: Option<&'a GroupRules>,
    /// The digest of the state that selects, where one does.
    pub selection: Option<Digest>,
    /// How the sources are read, where that is not the default.
    pub reading: Vec<String>,
}

impl Cut<'_> {
    /// The header of its journal: that of `filter` with the settings that gave the scores, and behind it
    /// which scores they are.
    pub fn header(&self, inputs: &[PathBuf]) -> Header {
        let inputs = inputs.iter().map(|input| input.display().to_string()).collect();
        Header::new(self.terms(), inputs)
    }

    pub fn terms(&self) -> Terms {
        let unknown = || Terms::of_model(Digest::default());
        let scored = self.surveyed.terms.clone().unwrap_or_else(unknown);
        let settings = self.settings(&scored);
        let lines: String = settings.iter().map(|setting| format!("{setting}\n")).collect();
        let mut terms = Terms {
            program: env!("CARGO_PKG_VERSION").to_owned(),
            config: sha256(lines.as_bytes()),
            settings,
            threshold: self.policy.threshold,
            tracker: None,
            ..scored
        };
        if let Goal::Share(share) = self.goal {
            terms.settings.push(format!("policy.keep={share}"));
        }
        terms.read_as(self.reading.clone());
        terms.decided_by(self.groups.map(GroupRules::named).into_iter().flatten());
        terms.decided_by([format!("scores={}", self.surveyed.digest)]);
        terms
    }

    /// The settings of a gate that scores alike and decides by this policy.
    fn settings(&self, scored: &Terms) -> Vec<String> {
        let is_of_scores =
            |setting: &&String| !APART.iter().any(|apart| setting.starts_with(apart));
        let mut settings: Vec<String> =
            scored.settings.iter().filter(is_of_scores).cloned().collect();
        settings.extend(self.policy.threshold.map(|x| format!("policy.threshold={x:?}")));
        settings
            .extend((self.policy.on_error == OnError::Keep).then(|| "policy.on_error=keep".into()));
        settings.extend(self.selection.map(|state| format!("select.state={state}")));
        settings.sort_by(|one, other| one.split_once('=').cmp(&other.split_once('=')));
        settings
    }
}
