//! A camera's frames on the command line.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

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
    fs::write(&config, "[storage]\nsync_pairs = 2\n").unwrap();
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

/// By its name, and as standard input.
#[test]
fn a_recorded_file_is_read_whole_whatever_is_said_of_a_full_queue() {
    let temp = tempfile::tempdir().unwrap();
    let (stream, config) = (temp.path().join("camera.mjpeg"), temp.path().join("c.toml"));
    mjpeg(&stream, 60);
    for on_full in ["drop_newest", "drop_oldest"] {
        fs::write(&config, format!("[capture]\nplaces = 1\non_full = \"{on_full}\"\n")).unwrap();
        for camera in [text(&stream), "-".into()] {
            let out = temp.path().join(format!("{on_full}{}", camera.len()));
            let mut command = pairgate(["capture", &camera, "-o", &text(&out), "--json"]);
            command.args(["--config", &text(&config), "--caption", "an orange sunset", "-t=-1"]);
            command.args(["--rules", "none"]);
            if camera == "-" {
                command.stdin(fs::File::open(&stream).unwrap());
            }
            let summary = summary(&run(command, 0));
            assert_eq!((&summary["kept"], &summary["frames"]["shed"]), (&60.into(), &0.into()));
        }
    }
}

/// Damaged pictures among good ones.
#[test]
fn damaged_pictures_of_a_recording_cost_themselves() {
    let temp = tempfile::tempdir().unwrap();
    let (stream, out) = (temp.path().join("camera.mjpeg"), text(&temp.path().join("kept")));
    let good = fs::read(data("pairs/sunset.jpg")).unwrap();
    let mut false_marker = good.clone();
    let middle = good.len() * 3 / 4;
    false_marker[middle..middle + 4].copy_from_slice(&[0xFF, 0xE5, 0xFF, 0xF0]);
    let cut = &good[..100];
    fs::write(&stream, [&good, &false_marker, &good, cut, &good, b"\xFF\xD8", &good].concat())
        .unwrap();
    let args = ["capture", &text(&stream), "-o", &out, "--json", "--caption", "an orange sunset"];
    let summary = summary(&run(pairgate(args.iter().chain(&["-t=-1"])), 1));
    let counts = ["kept", "failed"].map(|key| summary[key].as_u64().unwrap());
    assert_eq!((counts, &summary["frames"]["read"]), ([4, 2], &6.into()), "{summary}");
}

/// A camera that is open: it says nothing, or nothing that is a picture.
#[test]
fn a_camera_without_pictures_is_warned_of_and_ends() {
    let temp = tempfile::tempdir().unwrap();
    let config = temp.path().join("c.toml");
    fs::write(&config, "[capture]\nmax_silence_ms = \"2 s\"\n").unwrap();
    for (name, said) in [("silent", &b""[..]), ("noise", b"no picture, ")] {
        let out = text(&temp.path().join(name));
        let mut command = pairgate(["capture", "-", "-o", &out, "--config", &text(&config)]);
        command.args(["--caption", "a door"]).stdin(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut camera = child.stdin.take().unwrap();
        while child.try_wait().unwrap().is_none() {
            // The program may have ended in the meantime.
            let _ = camera.write_all(said);
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let output = child.wait_with_output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert_eq!(told.matches("after 2 s the run ends").count(), 1, "{told}");
        assert!(told.contains("error: reading -: no picture that can be read in"), "{told}");
        let table = String::from_utf8(output.stdout).unwrap();
        assert!(table.contains("1 times without a picture"), "{table}");
    }
}
