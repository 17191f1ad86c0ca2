//! A camera's frames on the command line.

use std::fs;
use std::path::Path;

use super::{assert_balanced, kept_members, pairgate, pairs, run, summary, text};
use crate::support::data;

/// The sample pictures, as a camera's stream.
fn mjpeg(path: &Path, count: usize) {
    let picture = fs::read(data("pairs/sunset.jpg")).unwrap();
    fs::write(path, picture.repeat(count)).unwrap();
}

#[test]
fn capture_keeps_frames_of_a_stream_and_goes_on() {
    let temp = tempfile::tempdir().unwrap();
    let (stream, out) = (temp.path().join("camera.mjpeg"), text(&temp.path().join("kept")));
    mjpeg(&stream, 5);
    let config = temp.path().join("c.toml");
    fs::write(&config, "[capture]\non_full = \"block\"\n[storage]\nsync_pairs = 2\n").unwrap();
    let args = ["capture", &text(&stream), "-o", &out, "--config", &text(&config), "--json"];
    let more = ["--caption", "an orange sunset over {place}", "--place", "the sea", "-t=-1"];
    for round in 1..3 {
        let summary = summary(&run(pairgate(args.iter().chain(&more)), 0));
        assert_balanced(&summary);
        assert_eq!(summary["kept"], 5);
        assert_eq!(summary["frames"]["read"], 5);
        let shards = fs::read_dir(&out).unwrap().filter(|entry| {
            entry.as_ref().unwrap().path().extension().is_some_and(|tar| tar == "tar")
        });
        assert_eq!(shards.count(), round);
    }
    let texts: Vec<_> = kept_members(Path::new(&out)).into_iter().collect();
    assert_eq!(texts.iter().filter(|(name, _)| name.ends_with(".jpg")).count(), 5);
    let captions = texts.iter().filter(|(name, _)| name.ends_with(".txt"));
    captions.for_each(|(_, text)| assert_eq!(text, b"an orange sunset over the sea"));
    let error = run(pairgate(args.iter().chain(&more[..4]).chain(&["-t=0.5"])), 2);
    let error = String::from_utf8(error.stderr).unwrap();
    assert!(error.contains("the threshold was -1, it is 0.5"), "{error}");
}

#[test]
fn capture_says_what_it_misses() {
    let temp = tempfile::tempdir().unwrap();
    let out = text(&temp.path().join("kept"));
    let told = |args: &[&str]| {
        let output = run(pairgate(["capture", "-o", &out].iter().chain(args)), 2);
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(told(&["-"]).contains("--labels"));
    assert!(told(&["-", "--caption", "{x}"]).contains("there is no {x}"));
    assert!(told(&["no such camera", "--caption", "a"]).contains("no such camera"));
    assert!(told(&[&pairs(), "--caption", "a"]).contains("folder"));
    let stream = text(&data("pairs/sunset.txt"));
    assert!(told(&[&stream, "--caption", "a"]).contains("no JPEG"));
    if cfg!(target_os = "linux") {
        assert!(told(&["/dev/null", "--caption", "a"]).contains("/dev/null"));
    }
}
