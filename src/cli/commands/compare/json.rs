//! A comparison as JSON.

use std::path::Path;

use pairgate_core::decision::Verdict;
use serde_json::{Map, Value, json};

use crate::compare::{Comparison, Picked, Side, Totals};
use crate::score_text::shortest;

/// The JSON, with at most `most` pairs of each change.
pub(super) fn of(compared: &Comparison, paths: [&Path; 2], most: usize) -> String {
    let account = &compared.account;
    let (spearman, kendall) = account.correlations();
    let reasons = account
        .reasons()
        .into_iter()
        .map(|((old, new), count)| json!({ "old": old.name(), "new": new.name(), "pairs": count }));
    let sources = account.sources().into_iter().map(|(name, sum)| {
        json!({
            "source": name,
            "pairs": sum.pairs,
            "old_kept": sum.kept[0],
            "new_kept": sum.kept[1],
            "changed": sum.changed,
        })
    });
    let value = json!({
        "old": run(&account.runs[0], paths[0]),
        "new": run(&account.runs[1], paths[1]),
        "differences": compared.differences(),
        "pairs": account.common(),
        "changed": account.confusion.changed(),
        "verdicts": verdicts(compared),
        "reasons": reasons.collect::<Vec<_>>(),
        "scored": account.points.seen(),
        "spearman": spearman,
        "kendall": kendall,
        "correlations_exact": account.points.is_exact(),
        "sources": sources.collect::<Vec<_>>(),
        "most_changed": super::text::shown(&compared.picks, most).map(picked).collect::<Vec<_>>(),
    });
    format!("{value:#}\n")
}

fn run(run: &Totals, path: &Path) -> Value {
    let terms = run.terms.as_ref();
    json!({
        "path": path.display().to_string(),
        "model": terms.map(|terms| terms.model().to_string()),
        "threshold": run.threshold.map(shortest),
        "pairs": run.counts.decided(),
        "scored": run.scored,
        "kept": run.counts.total(Verdict::Kept),
        "rejected": run.counts.total(Verdict::Rejected),
        "failed": run.counts.total(Verdict::Failed),
        "only_here": run.only,
        "only_here_kept": run.only_kept,
    })
}

fn verdicts(compared: &Comparison) -> Map<String, Value> {
    let row = |old: Verdict| {
        let cell = |new: Verdict| {
            (new.name().to_owned(), compared.account.confusion.count(old, new).into())
        };
        (old.name().to_owned(), Verdict::ALL.into_iter().map(cell).collect::<Map<_, _>>().into())
    };
    Verdict::ALL.into_iter().map(row).collect()
}

fn picked(picked: &Picked) -> Value {
    let side = |side: &Side, rank: Option<f64>| {
        json!({
            "verdict": side.verdict.name(),
            "reason": side.reason.name(),
            "score": side.score.map(shortest),
            "rank": rank,
        })
    };
    let pair = &picked.pair;
    json!({
        "change": picked.change.name(),
        "uid": pair.uid.to_string(),
        "key": pair.key,
        "shard": pair.shard,
        "old": side(&pair.sides[0], picked.ranks[0]),
        "new": side(&pair.sides[1], picked.ranks[1]),
    })
}
