//! Shards that are packed, joined, out of order or named by braces, through the program.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;

use super::{kept_members, pairgate, run, text};
use crate::support::data;

/// A tar whose files are a picture or a text.
fn tar(files: &[(&str, &str)]) -> Vec<u8> {
    let picture = fs::read(data("pairs/meadow.jpg")).unwrap();
    let mut builder = tar::Builder::new(Vec::new());
    for (path, text) in files {
        let data = if text.is_empty() { &picture } else { text.as_bytes() };
        let mut header = tar::Header::new_ustar();
        header.set_size(data.len() as u64);
        builder.append_data(&mut header, path, data).unwrap();
    }
    builder.into_inner().unwrap()
}

const CAPTION: &str = "a meadow in the sun";

fn pair(key: &str) -> Vec<u8> {
    tar(&[(&format!("{key}.jpg"), ""), (&format!("{key}.txt"), CAPTION)])
}

/// The lines of scores by key, and what was told beside.
fn scored(args: &[&str], code: i32) -> (BTreeMap<String, Value>, String) {
    let Output { stdout, stderr, .. } =
        run(pairgate(["score", "-o", "-"].iter().chain(args)), code);
    let line = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        (line["key"].as_str().unwrap().to_owned(), line)
    };
    let lines = String::from_utf8(stdout).unwrap().lines().map(line).collect();
    (lines, String::from_utf8(stderr).unwrap())
}

fn written(folder: &Path, name: &str, bytes: &[u8]) -> String {
    let path = folder.join(name);
    fs::write(&path, bytes).unwrap();
    text(&path)
}

#[test]
fn joined_tars_are_read_to_their_end_and_it_is_said_once() {
    let temp = tempfile::tempdir().unwrap();
    let path = written(temp.path(), "j.tar", &[pair("a"), pair("b"), pair("c")].concat());
    let (lines, told) = scored(&[&path], 0);
    assert_eq!(lines.keys().collect::<Vec<_>>(), ["a", "b", "c"]);
    assert_eq!(told.matches("goes on behind its end mark").count(), 1, "{told}");
}

#[test]
fn members_that_are_no_neighbours_are_told_of() {
    let temp = tempfile::tempdir().unwrap();
    let files = [("a.jpg", ""), ("b.jpg", ""), ("a.txt", CAPTION), ("b.txt", CAPTION)];
    let path = written(temp.path(), "s.tar", &tar(&files));
    let (_, told) = scored(&[&path], 1);
    assert!(told.contains("caption of 2 keys, the first \"a\""), "{told}");
    assert!(told.contains("tar --sort=name"), "{told}");
    let same_half = [("a.jpg", ""), ("b.jpg", ""), ("a.jpg", "")];
    let (_, told) = scored(&[&written(temp.path(), "t.tar", &tar(&same_half))], 1);
    assert!(!told.contains("--sort=name"), "{told}");
}

#[test]
fn captions_that_dots_cost_are_told_of() {
    let temp = tempfile::tempdir().unwrap();
    let dotted = [("a.1.jpg", ""), ("a.1.txt", CAPTION), ("a.2.jpg", ""), ("a.2.txt", CAPTION)];
    let (lines, told) = scored(&[&written(temp.path(), "s.tar", &tar(&dotted))], 0);
    assert_eq!(lines.len(), 1);
    assert!(told.contains("1 captions are not read, the first under \"a\""), "{told}");
    let usual = [("a.jpg", ""), ("a.seg.png", ""), ("a.txt", CAPTION), ("a.more.txt", CAPTION)];
    let (_, told) = scored(&[&written(temp.path(), "t.tar", &tar(&usual))], 0);
    assert!(!told.contains("not read"), "{told}");
}

#[test]
fn braces_are_expanded_before_a_part_is_taken() {
    let temp = tempfile::tempdir().unwrap();
    for key in ["0", "1", "2"] {
        written(temp.path(), &format!("{key}.tar"), &pair(key));
    }
    let braces = text(&temp.path().join("{0..2}.tar"));
    let keys = |args: &[&str]| scored(args, 0).0.into_keys().collect::<Vec<_>>();
    assert_eq!(keys(&[&braces]), ["0", "1", "2"]);
    assert_eq!(keys(&[&braces, "--shard", "1/2"]), ["1"]);
    let missing = text(&temp.path().join("{1..4}.tar"));
    let Output { stderr, .. } = run(pairgate(["score", "-o", "-", &missing]), 2);
    let told = String::from_utf8(stderr).unwrap();
    assert!(told.contains("3.tar") && told.contains("no such file"), "{told}");
}

#[test]
fn packed_shards_count_their_packed_bytes_and_are_known_by_name() {
    for end in ["gz", "bz2", "xz", "zst"] {
        let path = data(&format!("odd/packed.tar.{end}"));
        let (lines, _) = scored(&[&text(&path)], 1);
        assert_eq!(lines.len(), 8, "{end}: what is no picture counts too");
    }
}

#[test]
fn a_json_that_is_not_read_is_told_of() {
    let temp = tempfile::tempdir().unwrap();
    for (json, wanted) in
        [("{", "no object that Python reads"), (r#"{"uid": 5}"#, "uid in the .json")]
    {
        let files = [("a.jpg", ""), ("a.txt", CAPTION), ("a.json", json)];
        let (_, told) = scored(&[&written(temp.path(), "s.tar", &tar(&files))], 0);
        assert_eq!(told.matches(wanted).count(), 1, "{told}");
    }
}

const SEVERAL: &str = r#"{"uid": "000102030405060708090a0b0c0d0e0f", "captions": ["a meadow in the sun", "a ball on grass"]}"#;

fn several(folder: &Path) -> String {
    let files = [("a.jpg", ""), ("a.json", SEVERAL), ("b.jpg", ""), ("b.txt", CAPTION)];
    written(folder, "several.tar", &tar(&files))
}

fn filter(input: &str, output: &Path, more: &[&str], code: i32) -> String {
    let output = text(output);
    let args = ["filter", input, "-o", &output, "--threshold=-1"];
    let Output { stderr, .. } = run(pairgate(args.iter().chain(more)), code);
    String::from_utf8(stderr).unwrap()
}

/// What is stored is the pair, and is read again as one.
#[test]
fn a_pair_of_each_caption_is_stored_and_read_again() {
    let temp = tempfile::tempdir().unwrap();
    let kept = temp.path().join("kept");
    filter(&several(temp.path()), &kept, &["--captions", "all"], 0);
    let members = kept_members(&kept);
    let text_of = |name: &str| String::from_utf8(members[name].clone()).unwrap();
    assert_eq!(text_of("a-caption1.txt"), "a ball on grass");
    assert_eq!(text_of("a.txt"), CAPTION);
    assert!(
        text_of("a.json").ends_with(r#","captions":["a meadow in the sun"]}"#),
        "{}",
        text_of("a.json")
    );
    let stored = text(&kept.join("00000.tar"));
    let (once, _) = scored(&[&several(temp.path()), "--captions", "all"], 0);
    let (again, _) = scored(&[&stored, "--captions", "all"], 0);
    let told = |lines: &BTreeMap<String, Value>| -> Vec<[Value; 3]> {
        lines.values().map(|line| ["key", "uid", "score"].map(|name| line[name].clone())).collect()
    };
    assert_eq!(told(&again), told(&once));
    assert_eq!(once.len(), 3);
}

/// Other pairs would be other decisions.
#[test]
fn a_run_goes_on_with_the_captions_that_it_began_with() {
    let temp = tempfile::tempdir().unwrap();
    let (kept, input): (PathBuf, _) = (temp.path().join("kept"), several(temp.path()));
    filter(&input, &kept, &["--captions", "all"], 0);
    assert!(filter(&input, &kept, &["--captions", "all"], 0).contains("nothing to do"));
    let told = filter(&input, &kept, &[], 2);
    assert!(told.contains("input.captions=all was set"), "{told}");
    let told = filter(&input, &kept, &["--captions", "all", "--caption-key", "txt,captions"], 2);
    assert!(told.contains("input.caption_key=txt,captions is set now"), "{told}");
}
