//! Runs that are told to stop.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{assert_balanced, pairgate, run, shard, summary, text};
use crate::support::data;

#[test]
fn ctrl_c_drains_and_reports() {
    // A pipe that stays open and silent behind a whole shard.
    let temp = tempfile::tempdir().unwrap();
    let (tar, out) = (temp.path().join("pairs.tar"), temp.path().join("kept"));
    shard(&tar);
    let whole = fs::read(&tar).unwrap();
    let args = ["filter", "-", "-o", &text(&out), "--threshold", "-1", "--json"];
    let mut child = pairgate(args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&whole[..whole.len() - 2048]).unwrap();
    stdin.flush().unwrap();
    // The journal appears once the run has begun; the pairs are then on their way.
    while !out.join("journal/00000000.pairgate").exists() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    std::thread::sleep(std::time::Duration::from_millis(500));
    run(command_of("kill", &["-INT", &child.id().to_string()]), 0);
    let output = child.wait_with_output().unwrap();
    drop(stdin);
    assert_eq!(output.status.code(), Some(130));
    let summary = summary(&output);
    assert_balanced(&summary);
    assert_eq!(summary["interrupted"], true);
    // What is not complete has no final name, and is not lost: the same command goes on.
    assert!(out.join(".00000.tar.partial").is_file() && !out.join("00000.tar").exists());
}

/// A long-running command that is told to end has done its work then; a one-shot command has not.
#[test]
fn sigterm_ends_what_runs_long_with_success() {
    let temp = tempfile::tempdir().unwrap();
    let (tar, out) = (temp.path().join("pairs.tar"), temp.path().join("kept"));
    shard(&tar);
    let picture = fs::read(data("pairs/beach.jpg")).unwrap();
    let (one_shot, frames) = (fs::read(&tar).unwrap(), [&*picture, &picture, &picture].concat());
    let (a, b) = (text(&out), text(&temp.path().join("kept2")));
    let capture = ["capture", "-", "-o", &a, "-t=-1", "--caption", "a beach", "--rules", "none"];
    let filter = ["filter", "-", "-o", &b, "-t=-1"];
    for (args, bytes, folder, code) in [
        (&capture[..], &frames, &a, 0),
        (&filter[..], &one_shot[..one_shot.len() - 2048].to_vec(), &b, 130),
    ] {
        let mut child =
            pairgate(args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(bytes).unwrap();
        stdin.flush().unwrap();
        while !Path::new(folder).join(".00000.tar.partial").exists() {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        std::thread::sleep(std::time::Duration::from_millis(500));
        run(command_of("kill", &["-TERM", &child.id().to_string()]), 0);
        assert_eq!(child.wait_with_output().unwrap().status.code(), Some(code), "{args:?}");
        drop(stdin);
        // What is complete has its name; what goes on has not.
        assert_eq!(Path::new(folder).join("00000.tar").exists(), code == 0);
    }
}

/// Ctrl-C gives no file of scores its name with part of the rows in it.
#[test]
fn interrupted_scores_have_no_name() {
    let temp = tempfile::tempdir().unwrap();
    let tar = temp.path().join("pairs.tar");
    shard(&tar);
    let whole = fs::read(&tar).unwrap();
    for name in ["s.jsonl", "s.csv", "s.parquet", "s.pairgate"] {
        if name == "s.parquet" && !cfg!(feature = "parquet") {
            continue;
        }
        let path = temp.path().join(name);
        let args = ["score", "-", "-o", &text(&path)];
        let mut child =
            pairgate(args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(&whole[..whole.len() - 2048]).unwrap();
        stdin.flush().unwrap();
        let partial = temp.path().join(format!(".{name}.partial"));
        while !partial.exists() {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        std::thread::sleep(std::time::Duration::from_millis(300));
        run(command_of("kill", &["-INT", &child.id().to_string()]), 0);
        assert_eq!(child.wait_with_output().unwrap().status.code(), Some(130), "{name}");
        drop(stdin);
        assert!(!path.exists() && partial.exists(), "{name}");
        // The next run has its way.
        run(pairgate(["score", &text(&tar), "-o", &text(&path)]), 0);
        assert!(path.exists() && !partial.exists(), "{name}");
    }
}

fn command_of(program: &str, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args);
    command
}
