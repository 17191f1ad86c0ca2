//! The share that a stream kept, beside the one that was asked for.

use pairgate_core::decision::{Reason, Verdict};
use pairgate_core::stats::Counts;
use serde_json::{Value, json};

use crate::decide::sketch::known_to;

/// The probability with which a difference is more than chance.
const CONFIDENCE: f64 = 0.99;

/// Both shares, of the scored pairs.
pub struct Asked {
    asked: f64,
    /// What the threshold let pass.
    kept: f64,
    scored: u64,
    /// Whether a state selected among these.
    is_selected: bool,
}

impl Asked {
    /// What a run that was to keep the share `asked` came to; `None` without scores.
    pub fn of(asked: f64, counts: &Counts) -> Option<Self> {
        let count = |verdict, wanted| {
            counts.reasons(verdict).find(|(reason, _)| *reason == wanted).map_or(0, |(_, n)| n)
        };
        let of_selection = Reason::ALL.iter().filter(|reason| reason.is_of_selection());
        let dropped: u64 = of_selection.map(|reason| count(Verdict::Rejected, *reason)).sum();
        let passed = count(Verdict::Kept, Reason::Passed) + dropped;
        let scored = passed + count(Verdict::Rejected, Reason::LowSimilarity);
        let kept = passed as f64 / scored as f64;
        (scored > 0).then_some(Self { asked, kept, scored, is_selected: dropped > 0 })
    }

    /// Whether chance alone would hardly give the difference.
    fn differs(&self) -> bool {
        (self.kept - self.asked).abs() > known_to(self.asked, self.scored, CONFIDENCE)
    }

    /// The summary's `keep`.
    pub fn json(&self) -> Value {
        json!({ "asked": self.asked, "kept": self.kept, "scored": self.scored, "differs": self.differs() })
    }

    /// In words, for a stream that is read once.
    pub fn text(&self) -> String {
        let Self { asked, kept, .. } = self;
        let who = if self.is_selected { "the threshold let pass" } else { "kept" };
        let (kept, asked) = (100.0 * kept, 100.0 * asked);
        let shares = format!("{who} {kept:.1} % of the scored pairs; {asked:.1} % were asked for");
        match self.differs() {
            false => format!("{shares}\n"),
            true => format!(
                "{shares}: a stream's\nthreshold is the one that keeps that share of the pairs the model was \
                 calibrated\nwith, and these score otherwise\n"
            ),
        }
    }

    /// What helps where they differ.
    pub fn hint(&self) -> Option<&'static str> {
        self.differs().then_some(
            "--follow lets the threshold follow the scores, so that the share is kept;\n\
             of files, `pairgate score`, then `pairgate cut --keep`, keeps it exactly",
        )
    }
}
