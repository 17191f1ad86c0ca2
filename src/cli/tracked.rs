//! Where a threshold went that followed the scores, for the summary.

use std::fmt;

use serde_json::{Value, json};

use crate::decide::{Distance, Tracker};
use crate::score_text::shortest;

/// What a run that followed the scores came to.
pub struct Tracked {
    first: Option<f32>,
    last: Option<f32>,
    moves: u64,
    drift: Option<Drifted>,
}

/// The window at the end, against the model's calibration.
struct Drifted {
    distance: Option<Distance>,
    alarms: u64,
    is_raised: bool,
}

impl Tracked {
    /// What `tracker` came to from its `first` threshold on.
    pub fn of(tracker: &Tracker, first: Option<f32>) -> Self {
        let drift = tracker.drift().map(|drift| Drifted {
            distance: drift.last(),
            alarms: drift.alarms(),
            is_raised: drift.is_raised(),
        });
        Self { first, last: tracker.threshold(), moves: tracker.moves(), drift }
    }

    /// The summary's `follow`.
    pub fn json(&self) -> Value {
        let distance = self.drift.as_ref().and_then(|drift| drift.distance);
        json!({
            "first_threshold": self.first.map(shortest),
            "last_threshold": self.last.map(shortest),
            "moves": self.moves,
            "psi": distance.map(|distance| distance.psi),
            "ks": distance.map(|distance| distance.ks),
            "drift_alarms": self.drift.as_ref().map(|drift| drift.alarms),
            "drifting": self.drift.as_ref().map(|drift| drift.is_raised),
        })
    }
}

impl fmt::Display for Tracked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = |threshold: Option<f32>| threshold.map_or("none".into(), |t| format!("{t:.4}"));
        let (first, last) = (told(self.first), told(self.last));
        write!(f, "threshold followed the scores from {first} to {last}, {} moves", self.moves)?;
        let Some(drift) = &self.drift else { return Ok(()) };
        if let Some(Distance { psi, ks }) = drift.distance {
            write!(f, "\ndrift: PSI {psi:.3}, KS {ks:.3} at the end")?;
        } else {
            f.write_str("\ndrift: too few scores to tell")?;
        }
        match (drift.alarms, drift.is_raised) {
            (0, _) => f.write_str("; no alarm"),
            (1, false) => f.write_str("; 1 alarm"),
            (1, true) => f.write_str("; 1 alarm, which stands"),
            (many, false) => write!(f, "; {many} alarms"),
            (many, true) => write!(f, "; {many} alarms, the last of which stands"),
        }
    }
}
