//! Control characters of names and captions never reach a terminal.

use std::fs;
use std::path::Path;
use std::process::Output;

use pairgate::printable::{printable, printable_line};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::cli::{pairgate, run, text};
use crate::support::data;

/// What sets a window's title, clears the screen, and the same in one character each.
const EVIL: &str = "\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}31m\u{7f}\u{85}";

#[test]
fn control_characters_are_written_out() {
    assert_eq!(printable("a\u{1b}[31m\u{7f}\u{9b}\r"), "a\\u001b[31m\\u007f\\u009b\\u000d");
    assert_eq!(printable("one\n\ttwo\n"), "one\n\ttwo\n");
    assert_eq!(printable_line("one\n\ttwo"), "one\\u000a\\u0009two");
    assert!(matches!(printable("gr\u{fc}n, \u{4e2d}"), std::borrow::Cow::Borrowed(_)));
}

proptest! {
    #[test]
    fn json_stays_what_it_says(text in "\\PC*|.*|[\u{0}-\u{a0}\"\\\\]*") {
        let value = json!({ text.as_str(): [text.as_str()] });
        for written in [format!("{value}"), format!("{value:#}\n")] {
            let safe = printable(&written);
            prop_assert!(safe.chars().all(|c| !c.is_control() || c == '\n'));
            prop_assert_eq!(&serde_json::from_str::<Value>(&safe).unwrap(), &value);
        }
    }
}

#[track_caller]
fn harmless(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr].concat();
    let both = String::from_utf8(both).unwrap();
    let evil = both.chars().find(|c| c.is_control() && !matches!(c, '\n' | '\t'));
    assert_eq!(evil, None, "{both:?}");
    both
}

/// A manifest whose keys, captions and image names are evil, and a picture that is there.
fn manifest(folder: &Path) -> String {
    fs::copy(data("pairs/meadow.jpg"), folder.join("a.jpg")).unwrap();
    let caption = format!("a meadow in the sun {EVIL}");
    let line = |image: &str, key: &str| {
        json!({ "image": image, "caption": caption, "key": key }).to_string()
    };
    let lines = [
        line("a.jpg", &format!("good{EVIL}\n")),
        line(&format!("gone{EVIL}\n.jpg"), "gone"),
        line(&format!("../out{EVIL}.jpg"), "out"),
    ];
    let path = folder.join("evil.jsonl");
    fs::write(&path, lines.join("\n")).unwrap();
    text(&path)
}

#[test]
fn names_in_tables_logs_and_lines_are_harmless() {
    let temp = tempfile::tempdir().unwrap();
    let input = manifest(temp.path());
    let at = |name: &str| text(&temp.path().join(name));
    let scored = run(pairgate(["score", &input, "-o", "-"]), 1);
    harmless(&scored);
    let first = String::from_utf8(scored.stdout).unwrap();
    let first: Value = serde_json::from_str(first.lines().next().unwrap()).unwrap();
    assert_eq!(first["key"], format!("good{EVIL}\n"));

    let kept = run(pairgate(["filter", &input, "-o", &at("kept"), "--threshold=-1", "-v"]), 1);
    let told = harmless(&kept);
    // A name with a line's end makes no line of its own.
    assert!(told.lines().any(|line| line.contains("gone\\u001b]0") && line.contains("\\u000a")));
    assert!(told.contains("../out\\u{1b}") || told.contains("../out\\u001b"), "{told}");

    let listed = run(pairgate(["journal", "cat", &at("kept")]), 0);
    harmless(&listed);
    let replayed = harmless(&run(pairgate(["replay", &at("kept"), "--threshold=1"]), 0));
    let line = replayed.lines().find(|line| line.contains("kept -> rejected: good")).unwrap();
    assert!(line.contains("\\u001b]0;owned\\u0007") && line.contains("\\u000a in "), "{line}");
    harmless(&run(pairgate(["replay", &at("kept"), "--threshold=1", "--json"]), 0));
}

#[cfg(unix)]
#[test]
fn paths_in_errors_and_lists_are_harmless() {
    let temp = tempfile::tempdir().unwrap();
    let missing = text(&temp.path().join(format!("no{EVIL}")));
    let told = harmless(&run(pairgate(["score", &missing, "-o", "-"]), 2));
    assert!(told.contains("no\\u001b]0;owned\\u0007"), "{told}");

    let folder = temp.path().join(format!("kept{EVIL}"));
    let input = manifest(temp.path());
    let args = ["filter", &input, "-o", &text(&folder), "--threshold=-1"];
    harmless(&run(pairgate(args), 1));
    for command in ["ls", "check"] {
        for json in [&[][..], &["--json"]] {
            let mut args = vec!["journal", command];
            let path = text(&folder);
            args.push(&path);
            args.extend(json);
            let output = run(pairgate(args), 0);
            let told = harmless(&output);
            assert!(told.contains("kept\\u001b]0;owned\\u0007"), "{told}");
            if !json.is_empty() {
                let value: Value = serde_json::from_slice(&output.stdout).unwrap();
                assert!(value["journal"].as_str().unwrap().contains(EVIL), "{value}");
            }
        }
    }
}

#[test]
fn arguments_in_messages_are_harmless() {
    for arguments in [
        vec!["score".to_owned(), format!("--unknown{EVIL}")],
        vec!["score".to_owned(), "in".to_owned(), format!("--threads={EVIL}")],
        vec![format!("command{EVIL}")],
    ] {
        // What is written with an escape character does not get this far.
        let told = harmless(&run(pairgate(&arguments), 2));
        assert!(told.contains("\\u009b31m\\u0085"), "{told}");
    }
}

/// A model's name and licence are its maker's words.
#[test]
fn what_a_bundle_says_is_harmless() {
    let temp = tempfile::tempdir().unwrap();
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/default");
    for entry in fs::read_dir(default).unwrap() {
        let entry = entry.unwrap();
        if entry.path().is_file() {
            fs::copy(entry.path(), temp.path().join(entry.file_name())).unwrap();
        }
    }
    let path = temp.path().join("bundle.toml");
    let manifest = fs::read_to_string(&path).unwrap();
    let named = manifest.lines().map(|line| match line.starts_with("name = ") {
        true => "name = \"dfn\\u001b[2J\\u009b1m\\nforged\"".to_owned(),
        false => line.to_owned(),
    });
    fs::write(&path, named.collect::<Vec<_>>().join("\n")).unwrap();
    let bundle = text(temp.path());
    let told = harmless(&run(pairgate(["model", "inspect", &bundle]), 0));
    assert!(told.contains("dfn\\u001b[2J\\u009b1m\\u000aforged"), "{told}");
    harmless(&run(pairgate(["model", "inspect", &bundle, "--json"]), 0));
}
