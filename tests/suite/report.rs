//! The report's page: what is in it, and what a browser makes of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::{TempDir, tempdir};

use crate::cli::{pairgate, run, text};
use crate::support::data;

/// A journal of the sample pairs, its summary, and the page of it.
fn report(more: &[&str]) -> (TempDir, Value, PathBuf) {
    let temp = tempdir().unwrap();
    let (pairs, kept) = (text(&data("pairs")), text(&temp.path().join("kept")));
    let page = temp.path().join("report.html");
    let output = run(pairgate(["filter", &pairs, "-o", &kept, "--json"]), 0);
    let summary = serde_json::from_slice(&output.stdout).unwrap();
    let args = ["report", &kept, "-o", &text(&page)];
    run(pairgate(args.iter().chain(more)), 0);
    (temp, summary, page)
}

fn numbers(page: &str) -> Value {
    let (_, rest) = page.split_once("type=\"application/json\">").unwrap();
    serde_json::from_str(rest.split_once("</script>").unwrap().0).unwrap()
}

#[test]
fn the_page_holds_what_the_journal_holds() {
    let pairs = text(&data("pairs"));
    let (_temp, summary, page) = report(&["--source", &pairs]);
    let page = fs::read_to_string(page).unwrap();
    let data = numbers(&page);
    for (key, wanted) in
        [("pairs", "in"), ("kept", "kept"), ("rejected", "rejected"), ("failed", "failed")]
    {
        assert_eq!(data[key], summary[wanted], "{key}");
    }
    assert_eq!(data["scored"], 9);
    assert_eq!(data["scores"].as_array().unwrap().len(), 9);
    let sheets = data["sheets"].as_array().unwrap();
    let names: Vec<_> = sheets.iter().map(|sheet| sheet["name"].as_str().unwrap()).collect();
    assert_eq!(names[..3], ["scale", "best", "worst"]);
    assert!(names.contains(&"image_too_small"), "{names:?}");
    for sheet in sheets {
        for pair in sheet["pairs"].as_array().unwrap() {
            assert!(pair["thumbnail"].as_str().unwrap().starts_with("data:image/jpeg;base64,"));
            assert!(!pair["caption"].as_str().unwrap().is_empty());
        }
    }
    // Nothing is asked of a network.
    assert!(!page.contains("http://") && !page.contains("https://"), "it must hold everything");
}

#[test]
fn without_a_source_the_kept_shards_give_the_pictures() {
    let (_temp, summary, page) = report(&[]);
    let data = numbers(&fs::read_to_string(page).unwrap());
    let best = data["sheets"][1]["pairs"].as_array().unwrap();
    // A rejected pair may share a kept one's picture, but not its caption.
    let seen = best.iter().filter(|pair| pair["caption"].is_string()).count();
    assert_eq!(seen as u64, summary["kept"].as_u64().unwrap());
}

/// A browser, where there is one; it must be there where the environment says so.
pub fn browser() -> Option<&'static str> {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let is_there = |name: &&str| Command::new(name).arg("--version").output().is_ok();
    let found = names.into_iter().find(is_there);
    if found.is_none() {
        assert!(std::env::var_os("PAIRGATE_REQUIRE_CHROMIUM").is_none(), "there must be a browser");
        eprintln!("SKIPPED: no chromium on the path");
    }
    found
}

/// What is in the page after its scripts, and `more`, have run.
fn rendered(browser: &str, page: &Path, more: &str, folder: &Path) -> String {
    let scripted = folder.join("scripted.html");
    let text = fs::read_to_string(page).unwrap();
    fs::write(&scripted, text.replace("</body>", &format!("<script>{more}</script></body>")))
        .unwrap();
    let profile = format!("--user-data-dir={}", folder.join("profile").display());
    let mut command = Command::new(browser);
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]);
    command.args(["--no-first-run", "--disable-background-networking", "--disable-sync"]);
    command.args(["--disable-component-update", "--disable-extensions", &profile]);
    command.args(["--virtual-time-budget=3000", "--dump-dom"]).arg(&scripted);
    String::from_utf8(run(command, 0).stdout).unwrap()
}

fn shown(dom: &str, id: &str) -> u64 {
    let (_, rest) = dom.split_once(&format!("id=\"{id}\">")).unwrap();
    rest.split_once('<').unwrap().0.replace(',', "").parse().unwrap()
}

#[test]
fn the_slider_moves_the_counts() {
    let Some(browser) = browser() else { return };
    let pairs = text(&data("pairs"));
    let (temp, summary, page) = report(&["--source", &pairs]);
    let dom = rendered(browser, &page, "", temp.path());
    for (id, key) in
        [("n-pairs", "in"), ("n-kept", "kept"), ("n-rejected", "rejected"), ("n-failed", "failed")]
    {
        assert_eq!(Some(shown(&dom, id)), summary[key].as_u64(), "{id}");
    }
    assert!(dom.contains("(as recorded)"));
    let move_to = |value: &str| {
        let script = format!(
            "const s = document.getElementById('threshold'); s.value = {value}; \
             s.dispatchEvent(new Event('input'));"
        );
        let dom = rendered(browser, &page, &script, temp.path());
        (shown(&dom, "n-kept"), shown(&dom, "n-rejected"))
    };
    let pairs = summary["in"].as_u64().unwrap();
    assert_eq!(move_to("s.min"), (9, pairs - 9));
    assert_eq!(move_to("s.max"), (0, pairs));
}
