//! A comparison for a terminal of 80 columns.

use std::path::Path;

use pairgate_core::decision::Verdict;

use crate::cli::terminal::{LITERAL, POOR, Styled};
use crate::compare::{Account, Change, Comparison, Picked, Totals};
use crate::printable::printable_line;

/// Columns of a name.
const NAME: usize = 36;
/// Sources and reasons that are listed.
const MOST_ROWS: usize = 12;

/// The text, with at most `most` pairs of each change.
pub(super) fn of(compared: &Comparison, paths: [&Path; 2], most: usize) -> Styled {
    let mut text = Styled::default();
    let account = &compared.account;
    head(&mut text, compared, paths);
    verdicts(&mut text, account);
    reasons(&mut text, account);
    scores(&mut text, compared);
    sources(&mut text, account);
    changed(&mut text, compared, most);
    text
}

/// The first `most` pairs of each change.
pub(super) fn shown(picks: &[Picked], most: usize) -> impl Iterator<Item = &Picked> {
    picks.chunk_by(|a, b| a.change == b.change).flat_map(move |some| some.iter().take(most))
}

fn head(text: &mut Styled, compared: &Comparison, paths: [&Path; 2]) {
    let account = &compared.account;
    for ((name, run), path) in ["old", "new"].into_iter().zip(&account.runs).zip(paths) {
        let path = printable_line(&path.display().to_string()).into_owned();
        text.styled(LITERAL, name).plain(&format!("  {path}\n"));
        text.plain(&format!("     {}{}\n", model(run), counts(run)));
    }
    match compared.differences().as_deref() {
        None => text.plain("\nA file of scores does not tell by which terms it was made.\n"),
        Some([]) => text.plain("\nTheir terms are the same.\n"),
        Some(some) => {
            let lines = some.iter().map(|line| wrapped(&printable_line(line)));
            text.plain(&format!("\nwhat differs\n{}", lines.collect::<String>()))
        }
    };
    text.plain(&format!("\n{:<24}{:>12}\n", "pairs in both", grouped(account.common())));
    for (name, run) in ["old", "new"].into_iter().zip(&account.runs) {
        if run.only > 0 {
            let (count, kept) = (grouped(run.only), grouped(run.only_kept));
            text.plain(&format!("{:<24}{count:>12}  ({kept} kept)\n", format!("only in {name}")));
        }
    }
}

/// A line of at most 80 columns, broken between words.
fn wrapped(line: &str) -> String {
    let mut lines = vec![String::from(" ")];
    for word in line.split(' ') {
        match lines.last_mut() {
            Some(last) if last.chars().count() + word.chars().count() < 80 => {
                *last += " ";
                *last += word;
            }
            _ => lines.push(format!("    {word}")),
        }
    }
    lines.join("\n") + "\n"
}

fn model(run: &Totals) -> String {
    let Some(model) = run.terms.as_ref().and_then(|terms| terms.models.last()) else {
        return String::new();
    };
    let digest = &model.digest.to_string()[..12];
    match model.name.is_empty() {
        true => format!("model {digest}\n     "),
        false => format!("model {} ({digest})\n     ", printable_line(&model.name)),
    }
}

fn counts(run: &Totals) -> String {
    let kept = run.counts.total(Verdict::Kept);
    let of_scored = share(run.counts.total(Verdict::Kept), run.scored);
    let pairs = grouped(run.counts.decided());
    match (run.is_decided, run.threshold) {
        (false, _) => format!("{pairs} pairs, scored alone: --keep or --threshold decides on them"),
        (true, None) => format!("{pairs} pairs, {} kept", grouped(kept)),
        (true, Some(threshold)) => format!(
            "{pairs} pairs, {} kept ({of_scored} of the scored), threshold {threshold:.4}",
            grouped(kept)
        ),
    }
}

fn verdicts(text: &mut Styled, account: &Account) {
    text.plain(&format!(
        "\n{:<24}{:>12}{:>12}{:>12}\n",
        "old \\ new", "kept", "rejected", "failed"
    ));
    for old in Verdict::ALL {
        text.plain(&format!("{:<24}", old.name()));
        for new in Verdict::ALL {
            let count = account.confusion.count(old, new);
            let cell = format!("{:>12}", grouped(count));
            if old != new && count > 0 {
                text.styled(POOR, &cell)
            } else {
                text.plain(&cell)
            };
        }
        text.plain("\n");
    }
    let changed = account.confusion.changed();
    let of_all = share(changed, account.common());
    text.plain(&format!("{:<24}{:>12}  {of_all}\n", "verdicts changed", grouped(changed)));
}

fn reasons(text: &mut Styled, account: &Account) {
    let reasons = account.reasons();
    if reasons.is_empty() {
        return;
    }
    text.plain("\nreasons that changed\n");
    for ((old, new), count) in reasons.iter().take(MOST_ROWS) {
        text.plain(&format!("  {:<46}{:>12}\n", format!("{old} -> {new}"), grouped(*count)));
    }
    more(text, reasons.len(), "reasons");
}

fn scores(text: &mut Styled, compared: &Comparison) {
    let points = &compared.account.points;
    let (spearman, kendall) = compared.account.correlations();
    let told = |found: Option<f64>| found.map_or("-".into(), |found| format!("{found:.4}"));
    text.plain(&format!("\n{:<24}{:>12}\n", "scored in both", grouped(points.seen())));
    text.plain(&format!("{:<24}{:>12}\n", "Spearman's correlation", told(spearman)));
    text.plain(&format!("{:<24}{:>12}\n", "Kendall's tau", told(kendall)));
    if !points.is_exact() {
        let held = points.scores().len() as u64;
        text.plain(&format!("  both from {} of the pairs, by chance\n", grouped(held)));
    }
}

fn sources(text: &mut Styled, account: &Account) {
    let sources = account.sources();
    let header = ["pairs", "old kept", "new kept", "changed"].map(|name| format!("{name:>11}"));
    text.plain(&format!("\n{:<NAME$}{}\n", "source", header.concat()));
    for (name, sum) in sources.iter().take(MOST_ROWS) {
        let [old, new] = sum.kept.map(|kept| share(kept, sum.pairs));
        let (pairs, changed) = (grouped(sum.pairs), grouped(sum.changed));
        let name = tail(&printable_line(name), NAME - 1);
        text.plain(&format!("{name:<NAME$}{pairs:>11}{old:>11}{new:>11}{changed:>11}\n"));
    }
    more(text, sources.len(), "sources");
}

fn changed(text: &mut Styled, compared: &Comparison, most: usize) {
    let mut last: Option<Change> = None;
    for picked in shown(&compared.picks, most) {
        if last != Some(picked.change) {
            let what = picked.change.name();
            let moved = matches!(picked.change, Change::Rose | Change::Fell);
            let note = if moved { ", the verdict stayed" } else { "" };
            text.plain(&format!("\nmost changed: {what}{note}\n"));
            last = Some(picked.change);
        }
        text.plain(&format!("  {:<NAME$}{}\n", named(picked), how(picked)));
    }
}

/// The key, and the end of its source's name as far as there is room.
fn named(picked: &Picked) -> String {
    let key = printable_line(&picked.pair.key).into_owned();
    let room = NAME.saturating_sub(key.chars().count() + 5);
    match room {
        0..4 => tail(&key, NAME - 1),
        _ => format!("{key} in {}", tail(&printable_line(&picked.pair.shard), room)),
    }
}

/// The scores and their ranks, or the reasons where a score is missing.
fn how(picked: &Picked) -> String {
    let [old, new] = &picked.pair.sides;
    let scores = old.score.zip(new.score);
    match (scores, picked.ranks) {
        (Some((a, b)), [Some(was), Some(is)]) => {
            format!("{a:>7.4} -> {b:>7.4}  rank {:>5.1} -> {:>5.1} %", 100.0 * was, 100.0 * is)
        }
        _ => format!("{} -> {}", old.reason, new.reason),
    }
}

fn more(text: &mut Styled, count: usize, what: &str) {
    if count > MOST_ROWS {
        text.plain(&format!("  and {} more {what}; --json names them\n", count - MOST_ROWS));
    }
}

/// The end of a name that is too long: what tells names apart stands there.
fn tail(name: &str, columns: usize) -> String {
    let count = name.chars().count();
    match count.checked_sub(columns).filter(|over| *over > 0) {
        None => name.to_owned(),
        Some(over) => format!("…{}", name.chars().skip(over + 1).collect::<String>()),
    }
}

fn share(part: u64, whole: u64) -> String {
    if whole == 0 { "-".into() } else { format!("{:.1} %", 100.0 * part as f64 / whole as f64) }
}

/// A number with a comma at each thousand.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().collect();
    groups.iter().map(|group| String::from_utf8_lossy(group)).collect::<Vec<_>>().join(",")
}
