//! Shards that go where there is no room, as people see it.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::tempdir;

use crate::cli::{pairgate, run, text};
use crate::support::data;

fn told(args: &[&str], code: i32) -> (String, String) {
    let output = run(pairgate(args), code);
    let of = |bytes| String::from_utf8(bytes).unwrap();
    (of(output.stdout), of(output.stderr))
}

fn shards(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut tars: Vec<_> = names.filter(|name| name.ends_with(".tar")).collect();
    tars.sort();
    tars
}

/// The summary counts what went, the commands that read the journal take it for no damage, and say how
/// many pairs are gone.
#[test]
fn what_went_is_counted_and_no_damage() {
    let temp = tempdir().unwrap();
    let (kept, config) = (temp.path().join("kept"), temp.path().join("c.toml"));
    fs::write(&config, "[storage]\nmax_bytes = \"30 KiB\"\non_full = \"drop_oldest\"\n").unwrap();
    let (pairs, config, out) = (text(&data("pairs")), text(&config), text(&kept));
    let filter = ["filter", &pairs, "-c", &config, "-o", &out];
    let (summary, _) = told(&[&filter[..], &["--json"]].concat(), 0);
    let summary: Value = serde_json::from_str(&summary).unwrap();
    let left = shards(&kept);
    assert!((1..5).contains(&left.len()) && !left.contains(&"00000.tar".into()), "{left:?}");
    let gone = 6 - left.len() as u64;
    assert_eq!((summary["kept"].as_u64(), summary["dropped"].as_u64()), (Some(6), Some(gone)));
    let bytes: u64 = left.iter().map(|name| kept.join(name).metadata().unwrap().len()).sum();
    assert!(bytes <= 30 << 10, "{bytes}");

    let (checked, _) = told(&["journal", "check", &out], 0);
    let line = format!("its shards hold the {} kept pairs; {gone} more are gone", left.len());
    assert!(checked.contains(&line), "{checked}");
    let (checked, _) = told(&["journal", "check", &out, "--json"], 0);
    let checked: Value = serde_json::from_str(&checked).unwrap();
    assert_eq!(checked["dropped"].as_u64(), Some(gone));
    let (replayed, _) = told(&["replay", &out, "--verify"], 0);
    assert!(replayed.contains("12 decisions, 0 differ"), "{replayed}");
    told(&["replay", &out, "--verify", "--source", &pairs, "--config", &config], 0);
    let (subset, page) = (text(&temp.path().join("s.npy")), text(&temp.path().join("r.html")));
    for command in [&["subset", &out, "-o", &subset], &["report", &out, "-o", &page]] {
        let (_, said) = told(command, 0);
        assert!(said.contains(&format!("{gone} of the kept pairs are gone")), "{said}");
    }
    assert!(told(&filter, 0).1.contains("nothing to do"));

    // A shard that somebody else has taken away is another matter.
    let taken = left[0].strip_suffix(".tar").unwrap();
    fs::remove_file(kept.join(&left[0])).unwrap();
    fs::remove_file(kept.join(format!("{taken}_stats.json"))).unwrap();
    told(&["journal", "check", &out], 1);
}

/// A removal that was begun is no damage before the next run has finished it, and the table says what went.
#[test]
fn a_removal_that_was_begun_is_finished() {
    let temp = tempdir().unwrap();
    let kept = temp.path().join("kept");
    let (pairs, out) = (text(&data("pairs")), text(&kept));
    let filter = ["filter", &pairs, "-o", &out, "--shard-size", "2"];
    told(&filter, 0);
    fs::rename(kept.join("00000.tar"), kept.join(".00000.2.dropped")).unwrap();
    let (checked, _) = told(&["journal", "check", &out], 0);
    let line = "its shards hold the 4 kept pairs; 2 more are gone with 1 shards";
    assert!(checked.contains(line), "{checked}");
    // New pairs are behind the old ones.
    let more = temp.path().join("more");
    fs::create_dir(&more).unwrap();
    for name in ["city.jpg", "city.txt"] {
        fs::copy(data("pairs").join(name), more.join(name)).unwrap();
    }
    let (table, _) = told(&[&filter[..2], &[&text(&more)], &filter[2..]].concat(), 0);
    let row = table.lines().find(|line| line.starts_with("stored and removed again"));
    assert_eq!(row.unwrap().split_whitespace().last(), Some("2"), "{table}");
    assert_eq!(shards(&kept), ["00001.tar", "00002.tar", "00003.tar"]);
    let names = fs::read_dir(&kept).unwrap().map(|entry| entry.unwrap().file_name());
    let left = names.filter(|name| name.to_str().unwrap().contains("00000"));
    assert_eq!(left.count(), 0, "what lay beside it is gone too");
    let (checked, _) = told(&["journal", "check", &out], 0);
    assert!(checked.contains("its shards hold the 5 kept pairs; 2 more are gone"), "{checked}");
}
