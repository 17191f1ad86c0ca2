//! Warnings that repeat are counted.

use std::fs;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

use pairgate::cli::repeats::{Repeats, TOLD, WINDOW};

use super::{pairgate, run, text};
use crate::support::data;

const LINE: &str = "is not what it should be";
const MISSING: &str = "No such file";

/// A manifest with a good line, 1000 that are none, and 3 whose image is missing.
fn manifest(folder: &Path) -> String {
    fs::copy(data("pairs/meadow.jpg"), folder.join("a.jpg")).unwrap();
    let good = "{\"image\": \"a.jpg\", \"caption\": \"a meadow in the sun\"}\n";
    let gone = "{\"image\": \"gone.jpg\", \"caption\": \"a meadow in the sun\"}\n";
    let path = folder.join("list.jsonl");
    fs::write(&path, format!("{good}{}{}", "no object\n".repeat(1000), gone.repeat(3))).unwrap();
    text(&path)
}

fn told(manifest: &str, more: &[&str], filter: Option<&str>) -> String {
    let mut command = pairgate(["score", manifest, "-o", "-"].iter().chain(more));
    command.env_remove("RUST_LOG").envs(filter.map(|filter| ("RUST_LOG", filter)));
    let Output { stderr, .. } = run(command, 1);
    String::from_utf8(stderr).unwrap()
}

fn count(text: &str, wanted: &str) -> usize {
    text.lines().filter(|line| line.contains("WARN") && line.contains(wanted)).count()
}

#[test]
fn a_thousand_warnings_of_a_kind_are_six_lines() {
    let temp = tempfile::tempdir().unwrap();
    let manifest = manifest(temp.path());
    let text = told(&manifest, &[], None);
    assert_eq!(count(&text, LINE), 6, "{text}");
    // Another kind is another count.
    assert_eq!(count(&text, MISSING), 3, "{text}");
    let closing = text.lines().position(|line| line.contains("... and 995 more like it"));
    let summary = text.lines().position(|line| line.starts_with("pairs in"));
    assert!(closing.is_some() && closing < summary, "{text}");
    assert_eq!(count(&text, "more like it"), 1, "{text}");
}

#[test]
fn who_asks_for_all_warnings_gets_them() {
    let temp = tempfile::tempdir().unwrap();
    let manifest = manifest(temp.path());
    for text in [told(&manifest, &["-v"], None), told(&manifest, &[], Some("warn"))] {
        assert_eq!(count(&text, LINE), 1000);
        assert_eq!(count(&text, "more like it"), 0);
    }
    assert_eq!(count(&told(&manifest, &[], Some("error")), ""), 0);
}

#[test]
fn after_an_hour_a_kind_is_told_anew() {
    let mut repeats = Repeats::default();
    let here = || ("a.rs".to_owned(), 7);
    let mut admit = |place, seconds| {
        let text = format!("at {seconds}");
        repeats.admit(place, &text, Duration::from_secs(seconds))
    };
    let told = (0..100).filter(|&second| admit(here(), second).is_told).count();
    assert_eq!(told, TOLD as usize);
    assert!(admit(("a.rs".to_owned(), 8), 100).is_told, "another line is another kind");
    assert!(!admit(here(), WINDOW.as_secs() - 1).is_told);
    let anew = admit(here(), WINDOW.as_secs());
    assert!(anew.is_told);
    let closing = anew.closing.unwrap();
    assert!(closing.contains("... and 96 more like it") && closing.ends_with("at 4"), "{closing}");
    assert_eq!(admit(here(), WINDOW.as_secs() + 1).closing, None, "it is told once");
    assert_eq!(repeats.close(), Vec::<String>::new());
    let mut admit = |seconds| repeats.admit(here(), "again", Duration::from_secs(seconds));
    assert!((0..7).all(|second| admit(second).closing.is_none()));
    assert_eq!(repeats.close(), ["... and 2 more like it (-v tells all): again"]);
    assert_eq!(repeats.close(), Vec::<String>::new());
}
