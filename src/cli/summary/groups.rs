//! What each group came to, in the summary.

use serde_json::{Value, json};

use crate::decide::groups::{GroupBar, GroupCount, MAX_GROUPS};
use crate::printable::printable_line;
use crate::score_text::shortest;

/// Groups that the terminal shows; JSON has all.
const SHOWN: usize = 20;
/// Columns of a name.
const NAME: usize = 28;

/// The groups of a run.
pub struct GroupTable {
    by: String,
    counts: Vec<GroupCount>,
    is_full: bool,
    /// Groups with a goal of their own that no pair was of.
    unseen: Vec<String>,
}

impl GroupTable {
    /// What the groups have come to.
    pub fn of(groups: &GroupBar) -> Self {
        Self {
            by: groups.by().to_string(),
            counts: groups.counts(),
            is_full: groups.is_full(),
            unseen: groups.unseen().into_iter().map(str::to_owned).collect(),
        }
    }

    /// The summary's `groups`.
    pub fn json(&self) -> Value {
        let group = |count: &GroupCount| {
            json!({
                "name": &*count.name,
                "pairs": count.pairs,
                "scored": count.scored,
                "kept": count.kept,
                "share": count.kept_share(),
                "asked": count.share,
                "threshold": count.threshold.map(shortest),
            })
        };
        json!({
            "by": self.by,
            "too_many": self.is_full,
            "unseen": self.unseen,
            "groups": self.counts.iter().map(group).collect::<Vec<_>>(),
        })
    }

    /// The table, the largest groups first.
    pub fn text(&self) -> String {
        let title = cut(&format!("by {}", printable_line(&self.by)));
        let mut text = format!(
            "{title:<NAME$} {:>10} {:>10} {:>8} {:>10}\n",
            "scored", "kept", "share", "threshold"
        );
        let mut counts: Vec<&GroupCount> = self.counts.iter().collect();
        counts.sort_by_key(|count| std::cmp::Reverse(count.pairs));
        for count in counts.iter().take(SHOWN) {
            let share = count.kept_share().map_or("-".into(), |s| format!("{:.1} %", 100.0 * s));
            let threshold = count.threshold.map_or("-".into(), |t| format!("{t:.4}"));
            let name = cut(&printable_line(&count.name));
            text += &format!(
                "{name:<NAME$} {:>10} {:>10} {share:>8} {threshold:>10}\n",
                count.scored, count.kept
            );
        }
        if counts.len() > SHOWN {
            text += &format!("and {} groups more: --json has all\n", counts.len() - SHOWN);
        }
        if self.is_full {
            text += &format!(
                "more than {MAX_GROUPS} groups: the pairs of those beyond are in `other`\n"
            );
        }
        if !self.unseen.is_empty() {
            let shown = self.unseen.iter().take(5).map(|name| printable_line(name).into_owned());
            let names = shown.collect::<Vec<_>>().join(", ");
            let more = if self.unseen.len() > 5 { ", ..." } else { "" };
            text += &format!("no pair was of {names}{more}\n");
        }
        text
    }
}

/// A name's end, where it is too long for its column: shards differ there.
fn cut(name: &str) -> String {
    let length = name.chars().count();
    match length <= NAME {
        true => name.to_owned(),
        false => format!("...{}", name.chars().skip(length - NAME + 3).collect::<String>()),
    }
}
