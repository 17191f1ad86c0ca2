//! The report's page: what is in it, and what a browser makes of it.

#[cfg(feature = "parquet")]
mod clusters;
#[cfg(unix)]
mod shown;

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pairgate::digest::sha256;
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

use crate::cli::{pairgate, run, text};
use crate::support::data;

/// A run over `pairs`, and the page of it.
struct Reported {
    temp: TempDir,
    summary: Value,
    page: PathBuf,
}

impl Reported {
    /// Of the sample pairs, their pictures from `more`.
    fn of_samples(more: &[&str]) -> Self {
        Self::of(&data("pairs"), &[], more)
    }

    fn of(pairs: &Path, options: &[&str], more: &[&str]) -> Self {
        let temp = tempdir().unwrap();
        let kept = text(&temp.path().join("kept"));
        let page = temp.path().join("report.html");
        let filter = ["filter", &text(pairs), "-o", &kept, "--json"].map(str::to_owned);
        let options = options.iter().map(|option| (*option).to_owned());
        let output = run(pairgate(filter.into_iter().chain(options)), 0);
        let summary = serde_json::from_slice(&output.stdout).unwrap();
        let args = ["report", &kept, "-o", &text(&page)];
        run(pairgate(args.iter().chain(more)), 0);
        Self { temp, summary, page }
    }

    fn html(&self) -> String {
        fs::read_to_string(&self.page).unwrap()
    }

    fn count(&self, key: &str) -> u64 {
        self.summary[key].as_u64().unwrap()
    }
}

/// What is between two texts.
#[track_caller]
pub fn between<'t>(text: &'t str, before: &str, after: &str) -> &'t str {
    let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("no {before}"));
    rest.split_once(after).unwrap().0
}

pub fn numbers(page: &str, id: &str) -> Value {
    let start = format!("<script id=\"{id}\" type=\"application/json\">");
    serde_json::from_str(between(page, &start, "</script>")).unwrap()
}

#[test]
fn the_page_holds_what_the_journal_holds() {
    let pairs = text(&data("pairs"));
    let reported = Reported::of_samples(&["--source", &pairs]);
    let page = reported.html();
    let data = numbers(&page, "data");
    for (key, wanted) in
        [("pairs", "in"), ("kept", "kept"), ("rejected", "rejected"), ("failed", "failed")]
    {
        assert_eq!(data[key], reported.summary[wanted], "{key}");
    }
    assert_eq!(data["scored"], 9);
    assert_eq!(data["scores"].as_array().unwrap().len(), 9);
    // Twelve pairs are all shown, each once, scored or not.
    let cards = data["cards"].as_array().unwrap();
    assert_eq!(cards.len(), 12);
    assert_eq!(cards.iter().filter(|card| card["even"] == true).count(), 9);
    assert!(cards.iter().any(|card| card["reason"] == "image_too_small"));
    for card in cards {
        assert!(card["thumbnail"].as_str().unwrap().starts_with("data:image/jpeg;base64,"));
        assert!(!card["caption"].as_str().unwrap().is_empty());
        assert_eq!(card["uid"].as_str().unwrap().len(), 32);
    }
    let groups = &data["groupings"][0];
    assert_eq!((&groups["by"], &groups["rows"][0]["scored"]), (&json!("source"), &json!(9)));
    let head = &data["head"];
    assert_eq!(head["inputs"], json!([pairs]));
    assert_eq!(head["model"], "pairgate-default 0.3.0");
    assert_eq!(head["program"], env!("CARGO_PKG_VERSION"));
    assert_eq!(head["written"].as_str().unwrap().len(), "2026-01-01".len());
    assert_eq!(head["calibration"]["quantiles"].as_array().unwrap().len(), 101);
    assert_eq!(numbers(&page, "compared"), Value::Null);
    // Nothing is asked of a network.
    assert!(!page.contains("http://") && !page.contains("https://"), "it must hold everything");
}

#[test]
fn the_policy_lets_in_the_pages_own_script_and_style_alone() {
    let page = Reported::of_samples(&[]).html();
    let policy = between(&page, "http-equiv=\"Content-Security-Policy\" content=\"", "\"");
    let digest = |text: &str| STANDARD.encode(sha256(text.as_bytes()).0);
    let (style, script) = (between(&page, "<style>", "</style>"), page.rsplit("<script>").next());
    let script = script.unwrap().split_once("</script>").unwrap().0;
    assert!(policy.starts_with("default-src 'none'; "), "{policy}");
    assert!(policy.contains(&format!("style-src 'sha256-{}'", digest(style))), "{policy}");
    assert!(policy.contains(&format!("script-src 'sha256-{}'", digest(script))), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    // Nothing inline that the policy would refuse.
    for inline in [" style=", " onclick=", " onload=", "javascript:"] {
        assert!(!page.contains(inline), "{inline}");
    }
    // It stands before whatever it is about.
    assert!(page.find("Content-Security-Policy") < page.find("<style>"));
}

#[test]
fn without_a_source_the_kept_shards_give_the_pictures() {
    let reported = Reported::of_samples(&[]);
    let data = numbers(&reported.html(), "data");
    let cards = data["cards"].as_array().unwrap();
    // A rejected pair may share a kept one's picture, but not its caption.
    let seen = cards.iter().filter(|card| card["caption"].is_string()).count();
    assert_eq!(seen as u64, reported.count("kept"));
}

/// Many pairs: the page has some of them, from all over the scores, of each source and reason.
#[test]
fn a_large_run_gives_a_bounded_page() {
    let temp = tempdir().unwrap();
    let mut lines = String::new();
    for entry in fs::read_dir(data("pairs")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "jpg") {
            for number in 0..30 {
                let caption = format!("a picture of number {number}, as it was on that day");
                lines += &json!({ "image": path, "caption": caption }).to_string();
                lines += "\n";
            }
        }
    }
    let (pairs, root) = (temp.path().join("many.jsonl"), text(&data("pairs")));
    fs::write(&pairs, &lines).unwrap();
    let few = Reported::of(&pairs, &["--image-root", &root], &["--pairs", "20"]);
    let shown = numbers(&few.html(), "data");
    let cards = shown["cards"].as_array().unwrap();
    assert_eq!(shown["pairs"], lines.lines().count());
    assert_eq!(cards.iter().filter(|card| card["even"] == true).count(), 20);
    assert!(cards.len() < 50, "{}", cards.len());
    let scores: Vec<f64> = cards.iter().filter_map(|card| card["score"].as_f64()).collect();
    let all: Vec<f64> =
        shown["scores"].as_array().unwrap().iter().map(|score| score.as_f64().unwrap()).collect();
    for end in [all[0], all[all.len() - 1]] {
        assert!(scores.contains(&end), "{end} is not shown");
    }
}

/// The pictures' size and the number shown are told.
#[test]
fn the_size_of_the_page_is_told() {
    let reported = Reported::of_samples(&[]);
    let again = text(&reported.temp.path().join("again.html"));
    let kept = text(&reported.temp.path().join("kept"));
    let output = run(pairgate(["report", &kept, "-o", &again]), 0);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("12 pairs, ") && told.contains(" MB: open it in a browser"), "{told}");
}

/// Two runs of the same pairs are not one of twice as many.
#[test]
fn two_runs_of_the_same_pairs_are_compared() {
    let pairs = text(&data("pairs"));
    let reported = Reported::of_samples(&["--source", &pairs]);
    let at = |name: &str| text(&reported.temp.path().join(name));
    run(pairgate(["filter", &pairs, "-o", &at("other"), "--threshold", "0.15"]), 0);
    let args = ["report", &at("kept"), &at("other"), "--source", &pairs, "-o", &at("both.html")];
    let output = run(pairgate(args), 0);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("are runs of the same pairs"), "{told}");
    let page = fs::read_to_string(at("both.html")).unwrap();
    let (data, compared) = (numbers(&page, "data"), numbers(&page, "compared"));
    assert_eq!((&data["pairs"], &data["head"]["threshold"]), (&json!(12), &json!(0.15)));
    assert_eq!(compared["pairs"], 12);
    let kept = data["kept"].as_u64().unwrap();
    assert_eq!(compared["changed"], reported.count("kept") - kept);
    assert_eq!(compared["differences"], json!(["the threshold was -0.0618, it is 0.15"]));
    // Runs of other pairs are still one set.
    let damaged = text(&crate::support::data("damaged"));
    run(pairgate(["filter", &damaged, "-o", &at("else")]), 1);
    run(pairgate(["report", &at("kept"), &at("else"), "-o", &at("sum.html")]), 0);
    let page = fs::read_to_string(at("sum.html")).unwrap();
    assert_eq!(numbers(&page, "data")["pairs"], 13);
    assert_eq!(numbers(&page, "compared"), Value::Null);
}
