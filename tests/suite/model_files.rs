//! Bundles with something else where a file should be: none of it is waited for, and none of it fills
//! the memory.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pairgate::digest::sha256;
use pairgate::model::ModelError;
use pairgate::model::bundle::{Bundle, MANIFEST};
use pairgate::model::check::golden::{Golden, Picture};
use pairgate::model::import::import;
use pairgate::model::quantize::quantize;
use pairgate::model::{Arithmetic, Model};
use tempfile::TempDir;

use crate::support::{fixture, import_of, imported, in_time, named_pipe};

fn load(path: &Path) -> Result<Arc<Model>, ModelError> {
    let path = path.to_owned();
    in_time("a load", move || Model::load(&Bundle::load(&path)?, Arithmetic::Float).map(Arc::new))
}

#[track_caller]
fn refused(path: &Path, expected: &[&str]) {
    let error = load(path).expect_err("it must be refused").to_string();
    for expected in expected {
        assert!(error.contains(expected), "{expected}: {error}");
    }
}

/// A small bundle with weights beside its graphs, and its folder.
fn small() -> (TempDir, PathBuf) {
    let (folder, _) = imported("transformers-clip", None);
    let to = folder.path().join("int8");
    quantize(&Bundle::load(&folder.path().join("bundle")).unwrap(), &to, &mut |_| {}).unwrap();
    (folder, to)
}

/// Puts something else in a file's place.
fn replace(path: &Path, by: impl FnOnce(&Path)) {
    fs::remove_file(path).unwrap();
    by(path);
}

fn edit(path: &Path, change: impl FnOnce(String) -> String) {
    fs::write(path, change(fs::read_to_string(path).unwrap())).unwrap();
}

const FILES: [&str; 6] =
    [MANIFEST, "image.onnx", "text.onnx", "image.onnx.data", "tokenizer.json", "golden.json"];

#[test]
fn what_is_no_regular_file_is_named_and_not_waited_for() {
    let (_guard, bundle) = small();
    load(&bundle).expect("as it was made");
    for name in FILES {
        let path = bundle.join(name);
        let bytes = fs::read(&path).unwrap();
        replace(&path, named_pipe);
        refused(&bundle, &[name, "it is a named pipe, not a regular file"]);
        replace(&path, |path| symlink("/dev/zero", path).unwrap());
        refused(&bundle, &[name, "it is a device, not a regular file"]);
        replace(&path, |path| fs::create_dir(path).unwrap());
        refused(&bundle, &[name, "it is a folder, not a regular file"]);
        fs::remove_dir(&path).unwrap();
        // A link to a regular file is as good as the file.
        let elsewhere = bundle.with_extension("file");
        fs::write(&elsewhere, bytes).unwrap();
        symlink(&elsewhere, &path).unwrap();
        load(&bundle).unwrap_or_else(|error| panic!("{name}: {error}"));
        fs::rename(&elsewhere, &path).unwrap();
    }
}

#[test]
fn weights_without_a_digest_are_looked_at_too() {
    let (_guard, bundle) = small();
    edit(&bundle.join(MANIFEST), |text| {
        let kept = text.lines().filter(|line| !line.contains("image.onnx.data"));
        kept.collect::<Vec<_>>().join("\n")
    });
    replace(&bundle.join("image.onnx.data"), named_pipe);
    refused(&bundle, &["image.onnx.data", "it is a named pipe"]);
}

#[test]
fn a_golden_picture_is_a_regular_file() {
    let (_guard, bundle) = small();
    let path = bundle.join("golden.json");
    let mut golden = Golden::open(&path).unwrap();
    let before = sha256(&fs::read(&path).unwrap()).to_string();
    golden.pairs[0].picture = Picture::File { file: "picture.png".to_owned() };
    fs::write(&path, serde_json::to_vec(&golden).unwrap()).unwrap();
    let after = sha256(&fs::read(&path).unwrap()).to_string();
    edit(&bundle.join(MANIFEST), |text| text.replace(&before, &after));
    named_pipe(&bundle.join("picture.png"));
    refused(&bundle, &["picture.png", "it is a named pipe"]);
    replace(&bundle.join("picture.png"), |path| symlink("/dev/zero", path).unwrap());
    refused(&bundle, &["picture.png", "it is a device"]);
}

#[test]
fn a_golden_picture_is_not_copied_out_of_the_new_bundle() {
    let (folder, bundle) = small();
    let mine = folder.path().join("mine.png");
    fs::write(&mine, "mine").unwrap();
    let mut loaded = Bundle::load(&bundle).unwrap();
    let mut golden = Golden::parse("golden", loaded.golden.as_ref().unwrap()).unwrap();
    for out in [mine.display().to_string(), "../mine.png".to_owned()] {
        golden.pairs[0].picture = Picture::File { file: out };
        loaded.golden = Some(serde_json::to_vec(&golden).unwrap());
        let error = quantize(&loaded, &folder.path().join("again"), &mut |_| {}).unwrap_err();
        assert!(error.to_string().contains("leads out of the bundle"), "{error}");
        assert_eq!(fs::read(&mine).unwrap(), b"mine");
    }
}

#[test]
fn golden_files_and_tars_are_regular_files_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe");
    named_pipe(&path);
    refused(&path, &["pipe", "it is a named pipe"]);
    let asked = path.clone();
    let error = in_time("a golden file", move || Golden::open(&asked)).unwrap_err();
    assert!(error.to_string().contains("it is a named pipe"), "{error}");
    refused(Path::new("/dev/zero"), &["/dev/zero", "it is a device"]);
}

/// Files of `/proc` say that they have no bytes, and have some.
#[cfg(target_os = "linux")]
#[test]
fn a_size_that_is_not_true_is_not_believed() {
    let (_guard, bundle) = small();
    for name in FILES {
        let path = bundle.join(name);
        let bytes = fs::read(&path).unwrap();
        replace(&path, |path| symlink("/proc/self/status", path).unwrap());
        refused(&bundle, &[name, "it goes on behind its stated size of 0 bytes"]);
        fs::remove_file(&path).unwrap();
        fs::write(&path, bytes).unwrap();
    }
}

#[test]
fn an_import_waits_for_no_file_of_its_folder() {
    const READ: [&str; 8] = [
        "config.json",
        "tokenizer_config.json",
        "preprocessor_config.json",
        "tokenizer.json",
        "export.json",
        "golden.json",
        "onnx/vision_model.onnx",
        "onnx/text_model.onnx",
    ];
    for piped in READ.into_iter().chain(["README.md", "model.safetensors"]) {
        let folder = tempfile::tempdir().unwrap();
        let from = folder.path().join("in");
        fs::create_dir_all(from.join("onnx")).unwrap();
        for name in READ.into_iter().filter(|name| *name != piped) {
            fs::copy(fixture("transformers-clip").join(name), from.join(name)).unwrap();
        }
        named_pipe(&from.join(piped));
        let (wanted, to) = (import_of(from, None), folder.path().join("out"));
        let done = in_time(piped, move || import(&wanted, &to, &mut |_| {}));
        let error = done.expect_err(piped).to_string();
        let named = piped.rsplit('/').next().unwrap();
        for expected in [named, "it is a named pipe, not a regular file"] {
            assert!(error.contains(expected), "{piped}: {error}");
        }
    }
}
