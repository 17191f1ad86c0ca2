//! The output folder: what is refused and what is removed.

use std::collections::BTreeSet;
use std::fs;

use pairgate::sink::output::OutputFolder;
use pairgate::sink::rejected::RejectedSink;
use pairgate::sink::shards::ShardSink;
use tempfile::tempdir;

use super::{accept_all, listing, rejected, to};

#[test]
fn earlier_output_is_refused() {
    let leftovers = ["00000.tar", "00012_stats.json", ".00003.tar.partial", "journal.pairgate"];
    for name in
        leftovers.into_iter().chain([OutputFolder::FIRST_PASS, "low_similarity/a-00000000.jpg"])
    {
        let folder = tempdir().unwrap();
        fs::create_dir_all(folder.path().join(name).parent().unwrap()).unwrap();
        fs::write(folder.path().join(name), "x").unwrap();
        let error = OutputFolder::prepare(folder.path(), false).unwrap_err();
        assert_eq!(to(&error), folder.path().display().to_string());
        let why = format!("already holds {name}: name another folder or pass --overwrite");
        assert!(error.to_string().ends_with(&why), "{error}");
        assert_eq!(listing(folder.path()), [name]);
    }
}

#[test]
fn overwrite_removes_a_runs_files_and_no_others() {
    let folder = tempdir().unwrap();
    let ours = [
        "00000.tar",
        "00000_stats.json",
        ".00001.tar.partial",
        ".00001_stats.json.partial",
        "100000.tar",
        "journal.pairgate",
        OutputFolder::FIRST_PASS,
        "undecodable/k-0123abcd.jpg",
        "undecodable/k-0123abcd.decision.json",
    ];
    let others = [
        "0000.tar",
        "00000.tar.gz",
        "00000.parquet",
        "a00000.tar",
        ".hidden",
        "notes.txt",
        "summary.json",
        "image_missing/note.txt",
        "image_missing/k-0123abc.jpg",
        "elsewhere/k-0123abcd.jpg",
        "elsewhere/00000.tar",
        "+0001.tar",
    ];
    for name in ours.iter().chain(&others) {
        fs::create_dir_all(folder.path().join(name).parent().unwrap()).unwrap();
        fs::write(folder.path().join(name), "x").unwrap();
    }
    OutputFolder::prepare(folder.path(), true).unwrap();
    let left: BTreeSet<String> = listing(folder.path()).into_iter().collect();
    assert_eq!(left, others.map(str::to_owned).into());
    assert!(!folder.path().join("undecodable").exists(), "an empty folder goes");
    OutputFolder::prepare(folder.path(), false).unwrap();
}

/// `--overwrite` with the folder of a data set for an output must not delete the data set:
/// img2dataset's shards have the names of ours.
#[test]
fn overwrite_spares_shards_that_no_run_wrote() {
    let folder = tempdir().unwrap();
    for name in ["00000.tar", "00000_stats.json", "00000.parquet"] {
        fs::write(folder.path().join(name), "x").unwrap();
    }
    let error = OutputFolder::prepare(folder.path(), true).unwrap_err();
    assert!(error.to_string().contains("00000.tar: it has no journal.pairgate"), "{error}");
    assert_eq!(listing(folder.path()), ["00000.parquet", "00000.tar", "00000_stats.json"]);
    fs::remove_file(folder.path().join("00000.tar")).unwrap();
    OutputFolder::prepare(folder.path(), true).unwrap_err();
    assert_eq!(listing(folder.path()), ["00000.parquet", "00000_stats.json"]);
}

#[test]
fn new_folders_are_made_and_files_are_not_folders() {
    let folder = tempdir().unwrap();
    let deep = folder.path().join("a/b");
    OutputFolder::prepare(&deep, false).unwrap();
    assert!(deep.is_dir());
    fs::write(folder.path().join("file"), "x").unwrap();
    OutputFolder::prepare(&folder.path().join("file"), true).unwrap_err();
}

/// Whoever forgets to prepare the folder still does not overwrite shards or mix samples.
#[test]
fn sinks_refuse_an_earlier_runs_folder() {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("00007.tar"), "x").unwrap();
    fs::write(folder.path().join(OutputFolder::JOURNAL), "x").unwrap();
    let error = ShardSink::create(folder.path(), 1).unwrap_err();
    assert!(error.to_string().contains("already holds 00007.tar"), "{error}");
    ShardSink::create(&folder.path().join("none"), 1).unwrap_err();

    accept_all(&mut RejectedSink::create(folder.path(), 1).unwrap(), &[rejected("a")]);
    let error = RejectedSink::create(folder.path(), 1).unwrap_err();
    assert!(error.to_string().contains("already holds low_similarity/a-"), "{error}");
    OutputFolder::prepare(folder.path(), true).unwrap();
    RejectedSink::create(folder.path(), 1).unwrap();
}

#[cfg(unix)]
#[test]
fn links_are_not_followed_when_removing() {
    let (folder, other) = (tempdir().unwrap(), tempdir().unwrap());
    fs::write(other.path().join("k-0123abcd.jpg"), "x").unwrap();
    std::os::unix::fs::symlink(other.path(), folder.path().join("undecodable")).unwrap();
    OutputFolder::prepare(folder.path(), true).unwrap();
    assert_eq!(listing(other.path()), ["k-0123abcd.jpg"]);
}
