//! The output folder: what is refused and what is removed.

use std::collections::BTreeSet;
use std::fs;

use pairgate::disk::Disk;
use pairgate::sink::rejected::RejectedSink;
use pairgate::store::{OutputFolder, StoreOptions, StoreSink};
use pairgate_core::config::StorageConfig;
use tempfile::tempdir;

use super::{accept_all, header, listing, rejected, to};

#[test]
fn earlier_output_is_refused() {
    let leftovers = ["00000.tar", "00012_stats.json", ".00003.tar.partial", "journal.pairgate"];
    let folders = [
        "journal/00000000.pairgate",
        ".first_pass/journal/00000000.pairgate",
        "low_similarity/a-00000000.jpg",
    ];
    for name in leftovers.into_iter().chain(folders) {
        let folder = tempdir().unwrap();
        fs::create_dir_all(folder.path().join(name).parent().unwrap()).unwrap();
        fs::write(folder.path().join(name), "x").unwrap();
        let error = OutputFolder::prepare(folder.path(), false).unwrap_err();
        assert_eq!(to(&error), folder.path().display().to_string());
        let advice = match name.contains("journal") {
            true => "name another folder or pass --overwrite",
            false => "there is no decision journal beside it; name another folder",
        };
        let why = format!("already holds {name}: {advice}");
        assert!(error.to_string().ends_with(&why), "{error}");
        assert_eq!(listing(folder.path()), [name]);
    }
}

/// A run that was killed while it began its journal: the same command was refused.
#[test]
fn what_a_killed_beginning_leaves_is_removed() {
    let left = [
        ".first_pass/.pairgate.lock",
        ".first_pass/journal/00000000.header",
        "journal/.00000000.checkpoint.partial",
        "journal/00000000.checkpoint",
        "journal/.00000000.header.partial",
        "journal/00000000.header",
    ];
    for name in left {
        let folder = tempdir().unwrap();
        fs::create_dir_all(folder.path().join(name).parent().unwrap()).unwrap();
        fs::write(folder.path().join(name), "x").unwrap();
        OutputFolder::prepare(folder.path(), false).unwrap();
        assert!(listing(folder.path()).is_empty(), "{name}");
        // Beside anything that a run may have put there, it is not.
        fs::create_dir_all(folder.path().join(name).parent().unwrap()).unwrap();
        fs::write(folder.path().join(name), "x").unwrap();
        fs::write(folder.path().join("00000.tar"), "x").unwrap();
        OutputFolder::prepare(folder.path(), false).unwrap_err();
        assert_eq!(listing(folder.path()).len(), 2);
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
        "00000.parquet",
        "journal.pairgate",
        ".first_pass.pairgate",
        "journal/00000000.pairgate",
        "journal/00000000.header",
        "journal/00000000.checkpoint",
        ".first_pass/journal/00000000.pairgate",
        "undecodable/k-0123abcd.jpg",
        "undecodable/k-0123abcd.decision.json",
    ];
    let others = [
        "0000.tar",
        "00000.tar.gz",
        "0000.parquet",
        "journal/notes.txt",
        "journal/00000000.pairgate.damaged-1",
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
    assert!(error.to_string().contains("00000.tar: it has no decision journal"), "{error}");
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
    fs::write(folder.path().join(OutputFolder::EARLIER_JOURNAL), "x").unwrap();
    let create = |path: &std::path::Path| {
        let options = StoreOptions::new(StorageConfig::default(), header());
        StoreSink::create(&Disk::system(), path, options).unwrap_err()
    };
    let error = create(folder.path());
    assert!(error.to_string().contains("already holds 00007.tar"), "{error}");
    create(&folder.path().join("none"));

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
