//! What may be written where.

use std::fs;

use super::{pairgate, pairs, run, text};

#[test]
fn a_kind_of_table_that_is_not_written_is_refused_before_anything_is_read() {
    let temp = tempfile::tempdir().unwrap();
    for name in [
        "s.xlsx",
        "s.xls",
        "s.ods",
        "s.arrow",
        "s.feather",
        "s.npy",
        "s.npz",
        "s.pq",
        "s.orc",
        "s.avro",
        "s.tsv",
        "s.sqlite",
        "s.pkl",
        "s.h5",
        "s.XLSX",
        "s.csv.gz",
        "s.jsonl.zst",
    ] {
        let path = text(&temp.path().join(name));
        let output = run(pairgate(["score", "no/such/input", "-o", &path]), 2);
        let errors = String::from_utf8(output.stderr).unwrap();
        let extension = name.rsplit('.').next().unwrap().to_lowercase();
        assert!(errors.contains(&format!(".{extension} files are not written")), "{errors}");
        for known in [".parquet", ".csv", ".jsonl", ".pairgate", "- for JSON lines"] {
            assert!(errors.contains(known), "{known}: {errors}");
        }
    }
    assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 0);
}

#[test]
fn names_of_json_lines_and_names_without_a_kind_are_json_lines() {
    let temp = tempfile::tempdir().unwrap();
    let mut first = None;
    for name in ["s.jsonl", "s.ndjson", "s.json", "s.txt", "scores", "s.2026"] {
        let path = temp.path().join(name);
        run(pairgate(["score", &pairs(), "-o", &text(&path)]), 0);
        let lines = fs::read_to_string(&path).unwrap();
        assert!(lines.lines().all(|line| line.starts_with("{\"key\":")), "{name}: {lines}");
        assert_eq!(&lines, first.get_or_insert_with(|| lines.clone()), "{name}");
    }
}

#[test]
fn shards_need_a_folder_and_standard_output_is_none() {
    for args in [
        &["filter", "no/such/input", "-o", "-"][..],
        &["filter", "-", "-o-"],
        &["capture", "no-camera", "--caption", "a", "--output", "-"],
    ] {
        let output = run(pairgate(args), 2);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(errors.contains("a folder is needed"), "{args:?}: {errors}");
    }
}

#[test]
fn where_no_pair_is_found_the_run_says_so_and_ends_with_1() {
    let folder = tempfile::tempdir().unwrap();
    let (empty, kept) = (folder.path().join("empty"), folder.path().join("kept"));
    fs::create_dir(&empty).unwrap();
    let output = run(pairgate(["filter", &text(&empty), "-o", &text(&kept)]), 1);
    assert!(String::from_utf8(output.stdout).unwrap().contains("no pairs were found"));
}

#[test]
fn what_would_do_nothing_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("kept");
    let (pairs, kept_name) = (pairs(), text(&kept));
    for (args, wanted) in [
        (
            &["filter", &pairs, "-o", &kept_name, "--first-threshold", "0.1"][..],
            "--first-threshold needs --follow",
        ),
        (&["journal", "cat", &kept_name, "--reason", "nosuch"], "low_similarity"),
    ] {
        let error = String::from_utf8(run(pairgate(args), 2).stderr).unwrap();
        assert!(error.contains(wanted), "{error}");
    }
    assert!(!kept.exists());
}
