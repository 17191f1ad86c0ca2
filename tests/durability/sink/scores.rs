//! Scores as JSON lines.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use pairgate::sink::scores::ScoresSink;
use pairgate::sink::{RunEnd, Sink};
use pairgate_core::pair::Uid;
use serde_json::{Value, json};
use tempfile::tempdir;

use super::{accept_all, decided, kept, listing, member, to};

#[test]
fn scores_are_these_lines() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("scores.jsonl");
    let mut pairs = decided();
    pairs[0].uid = Uid([0xab; 16]);
    pairs[0].decision.facts.score = Some(0.1);
    pairs[1].sample.key = "quote\" and\nline".into();
    pairs[1].uid = Uid([0; 16]);
    pairs[1].decision.facts.score = Some(f32::NAN);
    pairs.truncate(2);
    accept_all(&mut ScoresSink::create(&path).unwrap(), &pairs);
    let expected = [
        r#"{"key":"000000000","shard":"00000.tar","uid":"abababababababababababababababab","#,
        r#""score":0.1,"reason":null,"caption_length":9,"width":640,"height":480,"#,
        r#""sha256":"0303030303030303030303030303030303030303030303030303030303030303"}"#,
        "\n",
        r#"{"key":"quote\" and\nline","shard":"00000.tar","#,
        r#""uid":"00000000000000000000000000000000","score":null,"reason":"low_similarity","#,
        r#""caption_length":0,"width":0,"height":0,"sha256":null}"#,
        "\n",
    ];
    assert_eq!(fs::read_to_string(&path).unwrap(), expected.concat());
}

#[test]
fn lines_carry_metadata_where_there_are_some() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("scores.jsonl");
    let mut pairs = vec![kept("a"), kept("b"), kept("c")];
    pairs[0].sample.members.push(member("json", br#"{"score":"theirs","n":NaN,"l":[1]}"#));
    pairs[1].sample.members.push(member("json", b"[]"));
    accept_all(&mut ScoresSink::create(&path).unwrap(), &pairs);
    let lines = fs::read_to_string(&path).unwrap();
    let lines: Vec<Value> = lines.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(lines[0]["metadata"], json!({ "score": "theirs", "n": null, "l": [1] }));
    assert_eq!(lines[0]["score"], Value::Null);
    assert!(lines[1..].iter().all(|line| line.get("metadata").is_none()));
}

#[test]
fn lines_say_the_verdict_where_that_is_asked_for() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("scores.jsonl");
    accept_all(&mut ScoresSink::create(&path).unwrap().with_verdicts(), &decided()[..2]);
    let lines = fs::read_to_string(&path).unwrap();
    let lines: Vec<_> = lines.lines().collect();
    assert!(lines[0].contains(r#""reason":null,"verdict":"kept","caption_length""#), "{lines:?}");
    let rejected = r#""reason":"low_similarity","verdict":"rejected","caption_length""#;
    assert!(lines[1].contains(rejected), "{lines:?}");
}

/// What somebody who reads the stream has got.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<u8>>>);

impl Write for Heard {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn each_line_of_a_stream_is_handed_over_as_it_is_made() {
    let heard = Heard::default();
    let mut sink = ScoresSink::over(Box::new(heard.clone()), Path::new("stream"));
    for lines in 1..4 {
        sink.accept(&kept("a")).unwrap();
        let text = heard.0.lock().unwrap().clone();
        assert!(text.ends_with(b"\n"));
        assert_eq!(text.iter().filter(|byte| **byte == b'\n').count(), lines);
    }
}

#[test]
fn scores_appear_when_the_run_is_done() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("scores.jsonl");
    fs::write(&path, "an earlier run's").unwrap();
    let mut sink = ScoresSink::create(&path).unwrap();
    sink.accept(&kept("a")).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"an earlier run's");
    drop(sink);
    assert_eq!(fs::read(&path).unwrap(), b"an earlier run's");
    accept_all(&mut ScoresSink::create(&path).unwrap(), &[kept("a"), kept("b")]);
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 2);
    assert_eq!(listing(folder.path()), ["scores.jsonl"]);
    assert!(ScoresSink::create(&folder.path().join("none/scores.jsonl")).is_err());
}

#[cfg(unix)]
#[test]
fn scores_through_a_link_leave_the_link() {
    let folder = tempdir().unwrap();
    let (target, link) = (folder.path().join("target"), folder.path().join("link"));
    fs::write(&target, "old").unwrap();
    std::os::unix::fs::symlink(&target, &link).unwrap();
    accept_all(&mut ScoresSink::create(&link).unwrap(), &[kept("a")]);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(fs::read_to_string(&target).unwrap().starts_with("{\"key\":\"a\""));
}

/// Takes so many bytes, refuses once, and then takes more: somebody has made room.
struct Small(usize);

impl Write for Small {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() > self.0 {
            self.0 = usize::MAX;
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.0 -= bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn full_disk_is_an_error() {
    let mut sink = ScoresSink::over(Box::new(Small(100)), Path::new("small"));
    assert_eq!(to(&sink.accept(&kept("a")).unwrap_err()), "small");

    let mut sink = ScoresSink::over(Box::new(Small(100_000)), Path::new("small"));
    let error = (0..10_000).find_map(|_| sink.accept(&kept("a")).err()).unwrap();
    assert_eq!(to(&error), "small");
    sink.accept(&kept("a")).unwrap_err();
    sink.finish(RunEnd::Failed).unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn full_device_is_an_error() {
    let Some(full) = super::full_device() else { return };
    let mut sink = ScoresSink::create(full).unwrap();
    assert_eq!(to(&sink.accept(&kept("a")).unwrap_err()), "/dev/full");
}
