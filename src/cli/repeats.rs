//! Warnings that repeat: of one kind the first few are told, and the rest is counted.

use std::collections::BTreeMap;
use std::time::Duration;

/// Warnings of a kind that are told within [`WINDOW`].
pub const TOLD: u32 = 5;

/// After this time a kind is told anew: what a camera's gate warns of today is not hidden by what it
/// warned of a month ago.
pub const WINDOW: Duration = Duration::from_secs(3600);

/// What counts them.
#[derive(Debug, Default)]
pub struct Repeats {
    kinds: BTreeMap<(String, u32), Kind>,
}

#[derive(Debug, Default)]
struct Kind {
    since: Duration,
    told: u32,
    counted: u64,
    /// The warning that was told last.
    last: String,
}

/// What becomes of a warning.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Admitted {
    /// What is told first: how many went untold before.
    pub closing: Option<String>,
    /// Whether the warning itself is told.
    pub is_told: bool,
}

impl Repeats {
    /// Takes a warning that the code at `place`, a file and a line, gives at the time `now`.
    pub fn admit(&mut self, place: (String, u32), text: &str, now: Duration) -> Admitted {
        let kind = self.kinds.entry(place).or_default();
        let mut closing = None;
        if kind.told == 0 || now.saturating_sub(kind.since) >= WINDOW {
            closing = kind.closing();
            *kind = Kind { since: now, ..Kind::default() };
        }
        let is_told = kind.told < TOLD;
        if is_told {
            kind.told += 1;
            text.clone_into(&mut kind.last);
        } else {
            kind.counted += 1;
        }
        Admitted { closing, is_told }
    }

    /// How many of each kind went untold; all is told anew after this.
    pub fn close(&mut self) -> Vec<String> {
        std::mem::take(&mut self.kinds).into_values().filter_map(|kind| kind.closing()).collect()
    }
}

impl Kind {
    fn closing(&self) -> Option<String> {
        let Self { counted, last, .. } = self;
        (*counted > 0).then(|| format!("... and {counted} more like it (-v tells all): {last}"))
    }
}
