//! What holds for the records of a journal: who decided, by what, on which inputs.

use pairgate_core::pair::Digest;
use pairgate_core::policy::TrackerRule;
use pairgate_core::wire;
use serde::{Deserialize, Serialize};

use crate::digest::sha256;

#[cfg(feature = "model")]
use crate::gate::GateSettings;
#[cfg(feature = "model")]
use crate::model::Model;

/// The format that is written.
pub const FORMAT_VERSION: u16 = 3;
/// Rises with each release that changes a decision's bits: a decoder, the order of a kernel's sums.
pub const DECISION_VERSION: u32 = 2;

/// Settings that change the score of a pair, or what it is selected by, as far as to the `=`.
const SCORING: [&str; 3] = ["arithmetic=", "image.decode=", SELECTION];
/// The setting that names a frozen state, as far as to the `=`.
const SELECTION: &str = "select.state=";
/// Settings that decide beside those of a gate.
const BESIDE: [&str; 2] = ["groups.", "scores="];

/// A model's name and the digest of its bundle's manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelName {
    /// Name and version, as the manifest has them; empty where it is not known.
    pub name: String,
    /// SHA-256 of the manifest, which holds the digests of its files.
    pub digest: Digest,
}

/// All that a decision depends on beside the pair.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Terms {
    /// Version of the program.
    pub program: String,
    /// [`DECISION_VERSION`] of the program; 0 where it is not known.
    pub decision_version: u32,
    /// The models that are asked, in their order.
    pub models: Vec<ModelName>,
    /// SHA-256 of the settings that decisions depend on.
    pub config: Digest,
    /// Those settings that are not the default, as `name=value`; not known of formats 1 and 2.
    pub settings: Vec<String>,
    /// Lowest score that passes, where it moves the first one; `None` where pairs are only scored.
    pub threshold: Option<f32>,
    /// How the threshold follows the scores, where it does.
    pub tracker: Option<TrackerRule>,
}

impl Terms {
    /// Terms of this program for one model.
    pub fn new(
        model: ModelName,
        config: Digest,
        settings: Vec<String>,
        threshold: Option<f32>,
        tracker: Option<TrackerRule>,
    ) -> Self {
        Self {
            program: env!("CARGO_PKG_VERSION").to_owned(),
            decision_version: DECISION_VERSION,
            models: vec![model],
            config,
            settings,
            threshold,
            tracker: tracker.filter(|_| threshold.is_some()),
        }
    }

    /// Terms of which nothing is known but the model.
    pub fn of_model(digest: Digest) -> Self {
        let name = ModelName { name: String::new(), digest };
        let terms = Self::new(name, Digest::default(), Vec::new(), None, None);
        // Without a program's version nobody takes its settings for none.
        Self { program: String::new(), decision_version: 0, ..terms }
    }

    /// Terms of this program for a model and what a gate on it decides by.
    #[cfg(feature = "model")]
    pub fn of(model: &Model, settings: &GateSettings) -> Self {
        let (manifest, arithmetic) = (model.manifest(), model.arithmetic());
        let name = format!("{} {}", manifest.name, manifest.version);
        let name = ModelName { name, digest: model.digest() };
        let named = settings.named(arithmetic).into_iter();
        let named = named.map(|(name, value)| format!("{name}={value}")).collect();
        let threshold = settings.policy.threshold;
        Self::new(name, settings.digest(arithmetic), named, threshold, settings.tracker)
    }

    /// Adds what the inputs are read by (`name=value`), where that is not the default.
    pub fn read_as(&mut self, named: Vec<String>) {
        if named.is_empty() {
            return;
        }
        let lines: String = named.iter().map(|line| format!("{line}\n")).collect();
        self.config = sha256([&self.config.0[..], lines.as_bytes()].concat().as_slice());
        self.settings.extend(named);
    }

    /// Adds what decides beside a gate's settings (`name=value` each), such as groups: one after the other,
    /// behind what the inputs are read by.
    pub fn decided_by(&mut self, named: impl IntoIterator<Item = String>) {
        for line in named {
            let bytes = [&self.config.0[..], line.as_bytes(), b"\n"].concat();
            self.config = sha256(&bytes);
            self.settings.push(line);
        }
    }

    /// Whether these are the terms of a gate whose settings have the digest `gate`, over inputs that are
    /// read as `named` says, whatever groups and recorded scores decided beside it.
    pub fn is_of(&self, gate: Digest, named: Vec<String>) -> bool {
        let is_beside = |setting: &&String| BESIDE.iter().any(|name| setting.starts_with(name));
        let mut terms = Self { config: gate, ..self.clone() };
        terms.read_as(named);
        terms.decided_by(self.settings.iter().filter(is_beside).cloned());
        terms.config == self.config
    }

    /// The digest of the model that gave the scores; zero where it is not known.
    pub fn model(&self) -> Digest {
        self.models.last().map(|model| model.digest).unwrap_or_default()
    }

    /// What differs in `now`, in words, beside the version.
    pub fn differences(&self, now: &Self) -> Vec<String> {
        let mut found = Vec::new();
        let digests = |terms: &Self| -> Vec<Digest> {
            terms.models.iter().map(|model| model.digest).collect()
        };
        if digests(self) != digests(now) {
            found.push(format!("the model was {}, it is {}", name(self), name(now)));
        }
        if self.config != now.config {
            // Earlier formats tell no settings.
            found.extend(match self.program.is_empty() {
                true => vec!["the threshold or config was another".to_owned()],
                false => setting_differences(&self.settings, &now.settings),
            });
        }
        if self.threshold != now.threshold {
            let told = |threshold: Option<f32>| threshold.map_or("none".into(), |t| t.to_string());
            let (was, is) = (told(self.threshold), told(now.threshold));
            found.push(format!("the threshold was {was}, it is {is}"));
        }
        if self.tracker != now.tracker {
            found.push("the threshold followed the scores in another way".to_owned());
        }
        found
    }

    /// Whether a frozen state selects among what passes.
    pub fn selects(&self) -> bool {
        self.settings.iter().any(|setting| setting.starts_with(SELECTION))
    }

    /// Whether a threshold that followed the scores under these terms goes on under `now`: the same
    /// model gives the same scores, and the threshold follows them by the same rule, from the same first
    /// one. Other rules let other pairs come to the model, and the window forgets those before.
    pub fn learns_on(&self, now: &Self) -> bool {
        let digests = |terms: &Self| -> Vec<Digest> {
            terms.models.iter().map(|model| model.digest).collect()
        };
        let scores_by = |terms: &Self| -> Vec<String> {
            let scores = |setting: &&String| SCORING.iter().any(|name| setting.starts_with(name));
            terms.settings.iter().filter(scores).cloned().collect()
        };
        digests(self) == digests(now)
            && scores_by(self) == scores_by(now)
            && (self.threshold, self.tracker) == (now.threshold, now.tracker)
    }

    /// The two versions, in words, where `now` is of a program that decides otherwise.
    pub fn version_difference(&self, now: &Self) -> Option<String> {
        let differs = self.decision_version != 0 && self.decision_version != now.decision_version;
        let (was, is) = (&self.program, &now.program);
        differs.then(|| format!("it was pairgate {was}, it is {is}, which decides otherwise"))
    }
}

fn name(terms: &Terms) -> String {
    let Some(model) = terms.models.last() else { return "none".into() };
    let digest = &model.digest.to_string()[..12];
    if model.name.is_empty() { digest.to_owned() } else { format!("{} ({digest})", model.name) }
}

/// The settings that are in one list alone.
fn setting_differences(was: &[String], is: &[String]) -> Vec<String> {
    let only = |these: &[String], those: &[String], when: &str| -> Vec<String> {
        // The threshold is told by itself.
        let differs = |setting: &&String| {
            !those.contains(setting) && !setting.starts_with("policy.threshold=")
        };
        these.iter().filter(differs).map(|setting| format!("{setting} {when}")).collect()
    };
    [only(was, is, "was set"), only(is, was, "is set now")].concat()
}

/// What holds for all entries of a segment, up to an [`Epoch`](super::Epoch).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// [`FORMAT_VERSION`]; 1 or 2 of a journal of that format.
    pub format: u16,
    /// What decides.
    pub terms: Terms,
    /// The inputs, as they were named, in their order; not known of formats 1 and 2.
    pub inputs: Vec<String>,
    /// Ticket of the segment's first record.
    pub first_ticket: u64,
}

impl Header {
    /// The header of a new journal.
    pub fn new(terms: Terms, inputs: Vec<String>) -> Self {
        Self { format: FORMAT_VERSION, terms, inputs, first_ticket: 0 }
    }

    /// A header of which nothing is known but the format.
    pub(super) fn unknown(format: u16) -> Self {
        let terms = Terms {
            program: String::new(),
            decision_version: 0,
            models: Vec::new(),
            config: Digest::default(),
            settings: Vec::new(),
            threshold: None,
            tracker: None,
        };
        Self { format, terms, inputs: Vec::new(), first_ticket: 0 }
    }

    /// What the header of an earlier format says.
    pub(super) fn earlier(header: &wire::Header) -> Self {
        let mut earlier = Self::unknown(header.version);
        earlier.terms.models = vec![ModelName { name: String::new(), digest: header.model }];
        earlier.terms.config = header.config;
        earlier.terms.threshold = header.threshold;
        earlier.terms.tracker = header.tracker;
        earlier
    }
}
