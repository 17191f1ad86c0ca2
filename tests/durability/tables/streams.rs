//! Pairs that come through a pipe.
#![cfg(unix)]

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use pairgate::source::{InputOptions, Inputs, Sample, Source};
use tempfile::TempDir;

use super::{LIMITS, folder, lines};

const LIMIT: Duration = Duration::from_secs(30);

fn pipe() -> (TempDir, PathBuf) {
    let folder = folder(&[]);
    let path = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    (folder, path)
}

/// All pairs of what is written to a pipe in pieces.
fn through(pieces: &[&[u8]]) -> Result<Vec<Sample>, String> {
    let (folder, path) = pipe();
    let pieces: Vec<Vec<u8>> = pieces.iter().map(|piece| piece.to_vec()).collect();
    let target = path.clone();
    let writer = thread::spawn(move || {
        let mut pipe = OpenOptions::new().write(true).open(target).unwrap();
        for piece in pieces {
            if pipe.write_all(&piece).is_err() {
                return;
            }
        }
    });
    let image_root = Some(folder.path().to_owned());
    let options = InputOptions { image_root, ..InputOptions::default() };
    let mut inputs = Inputs::open_with(options, &[path], LIMITS).unwrap();
    let mut samples = Vec::new();
    let result = loop {
        match inputs.next() {
            Ok(Some(sample)) => samples.push(sample),
            Ok(None) => break Ok(samples),
            Err(why) => break Err(why.to_string()),
        }
    };
    drop(inputs);
    writer.join().unwrap();
    result
}

#[test]
fn a_stream_is_told_by_its_text() {
    let line = b"{\"image\": \"a.png\", \"caption\": \"a dog\"}\n";
    let list = [b"[", &line[..], b"]"].concat();
    let bytes: Vec<&[u8]> = line.chunks(1).collect();
    for pieces in [
        vec![&line[..]],
        bytes,
        vec![b"\xef\xbb\xbf", b"  ", line],
        vec![&list],
        vec![b"image,caption\na.png,a dog\n"],
        vec![b"title\tfilepath\na dog\ta.png\n"],
    ] {
        assert_eq!(lines(&through(&pieces).unwrap()), ["000000000: a dog"], "{pieces:?}");
    }
    assert_eq!(lines(&through(&[b"hello"]).unwrap()), [": !archive_torn"]);
    let why = through(&[b"PAR1\x15\x04"]).unwrap_err();
    assert!(why.contains("write it to a file"), "{why}");
}

#[test]
fn a_shard_whose_first_name_looks_like_json_is_one() {
    let mut shard = tar::Builder::new(Vec::new());
    for name in ["{a}.png", "[b].png", "PAR1.png"] {
        let mut header = tar::Header::new_ustar();
        header.set_size(super::PNG.len() as u64);
        shard.append_data(&mut header, name, super::PNG).unwrap();
    }
    let samples = through(&[&shard.into_inner().unwrap()]).unwrap();
    let keys: Vec<_> = samples.iter().map(|sample| sample.key.as_str()).collect();
    assert_eq!(keys, ["{a}", "[b]", "PAR1"]);
}

#[test]
fn a_line_gives_its_pair_before_the_next_one_is_written() {
    let (folder, path) = pipe();
    let (asks, asked) = mpsc::channel();
    let target = path.clone();
    let reader = thread::spawn(move || {
        let options =
            InputOptions { image_root: Some(folder.path().to_owned()), ..InputOptions::default() };
        let mut inputs = Inputs::open_with(options, &[target], LIMITS).unwrap();
        while let Some(sample) = inputs.next().unwrap() {
            asks.send(sample.key).unwrap();
        }
    });
    let mut pipe = OpenOptions::new().write(true).open(path).unwrap();
    for key in ["one", "two", "three"] {
        let line =
            format!("{{\"image\": \"a.png\", \"caption\": \"a dog\", \"key\": \"{key}\"}}\n");
        pipe.write_all(line.as_bytes()).unwrap();
        assert_eq!(asked.recv_timeout(LIMIT).as_deref(), Ok(key));
    }
    drop(pipe);
    reader.join().unwrap();
}
