//! Which files a manifest may name: those of its folder, or of the image root.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use pairgate::source::{InputOptions, Inputs, Source};
use pairgate_core::config::SampleLimits;
use pairgate_core::decision::Reason;
use serde_json::json;
use tempfile::TempDir;

use crate::cli::{pairgate, run, summary, text};
use crate::support::{data, in_time, named_pipe};

/// `in/` with a picture, `in/sub/` and `out/` with one each, and links between them.
fn tree() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["in/a.jpg", "in/sub/b.jpg", "out/secret.jpg"] {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::copy(data("pairs/meadow.jpg"), path).unwrap();
    }
    symlink("../out/secret.jpg", folder.path().join("in/link.jpg")).unwrap();
    symlink("../out", folder.path().join("in/away")).unwrap();
    symlink("sub/b.jpg", folder.path().join("in/inner.jpg")).unwrap();
    named_pipe(&folder.path().join("in/pipe.jpg"));
    folder
}

/// A manifest in `in/` that names `images`.
fn manifest(folder: &TempDir, images: &[&str]) -> PathBuf {
    let line = |image: &&str| json!({ "image": image, "caption": "a meadow in the sun" });
    let lines: Vec<String> = images.iter().map(|image| line(image).to_string()).collect();
    let path = folder.path().join("in/pairs.jsonl");
    fs::write(&path, lines.join("\n")).unwrap();
    path
}

/// What is wrong with each pair.
fn faults(manifest: &Path, image_root: Option<PathBuf>) -> Vec<Option<Reason>> {
    let options = InputOptions { image_root, ..InputOptions::default() };
    let mut inputs =
        Inputs::open_with(options, &[manifest.to_owned()], SampleLimits::default()).unwrap();
    in_time("a manifest", move || {
        let samples = std::iter::from_fn(|| inputs.next().unwrap());
        let fault = |sample: pairgate::source::Sample| {
            assert_eq!(sample.fault.is_none(), sample.image().is_some());
            sample.fault
        };
        samples.map(fault).collect()
    })
}

const MISSING: Option<Reason> = Some(Reason::ImageMissing);
const OUTSIDE: Option<Reason> = Some(Reason::PathOutside);

#[test]
fn a_manifest_names_files_of_its_own_folder() {
    let folder = tree();
    let at = |name: &str| text(&folder.path().join(name));
    for (image, expected) in [
        ("a.jpg", None),
        ("sub/b.jpg", None),
        ("sub/../a.jpg", None),
        ("inner.jpg", None),
        (at("in/a.jpg").as_str(), None),
        ("../in/a.jpg", None),
        ("gone.jpg", MISSING),
        ("sub/gone/gone.jpg", MISSING),
        (at("in/gone.jpg").as_str(), MISSING),
        ("sub", MISSING),
        ("", MISSING),
        ("pipe.jpg", MISSING),
        ("../out/secret.jpg", OUTSIDE),
        ("link.jpg", OUTSIDE),
        ("away/secret.jpg", OUTSIDE),
        (at("out/secret.jpg").as_str(), OUTSIDE),
        ("/etc/passwd", OUTSIDE),
        ("/dev/zero", OUTSIDE),
        // What is not there is judged by its name.
        ("../out/gone.jpg", OUTSIDE),
        ("sub/../../out/gone.jpg", OUTSIDE),
        ("/no/such/file.jpg", OUTSIDE),
    ] {
        assert_eq!(faults(&manifest(&folder, &[image]), None), [expected], "{image:?}");
    }
}

#[test]
fn an_image_root_takes_the_place_of_the_folder() {
    let folder = tree();
    let at = |name: &str| text(&folder.path().join(name));
    let root = || Some(folder.path().to_owned());
    for (image, expected) in [
        ("in/a.jpg", None),
        ("out/secret.jpg", None),
        ("in/link.jpg", None),
        (at("out/secret.jpg").as_str(), None),
        ("a.jpg", MISSING),
        ("../in/a.jpg", OUTSIDE),
        ("/etc/passwd", OUTSIDE),
    ] {
        assert_eq!(faults(&manifest(&folder, &[image]), root()), [expected], "{image:?}");
    }
    let sub = Some(folder.path().join("in/sub"));
    assert_eq!(faults(&manifest(&folder, &["b.jpg", "../a.jpg"]), sub), [None, OUTSIDE]);
}

#[test]
fn an_image_root_that_is_no_folder_is_refused() {
    let folder = tree();
    let path = manifest(&folder, &["a.jpg"]);
    for (root, expected) in [("nowhere", "No such file"), ("in/a.jpg", "it is no folder")] {
        let image_root = Some(folder.path().join(root));
        let options = InputOptions { image_root, ..InputOptions::default() };
        let opened =
            Inputs::open_with(options, std::slice::from_ref(&path), SampleLimits::default());
        let error = opened.err().expect(root).to_string();
        assert!(error.contains(root) && error.contains(expected), "{error}");
    }
}

#[test]
fn what_lies_outside_is_counted_and_told_once() {
    let folder = tree();
    let path = manifest(&folder, &["a.jpg", "../out/secret.jpg", "link.jpg", "/etc/passwd"]);
    let dry = |more: &[&str]| {
        let manifest = text(&path);
        let mut args = vec!["filter", &manifest, "--threshold=-1", "--dry-run", "--json"];
        args.extend(more);
        pairgate(args)
    };
    let output = run(dry(&[]), 1);
    let told = summary(&output);
    assert_eq!(told["failed_reasons"], json!({ "path_outside": 3 }));
    assert_eq!(told["in"], 4);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(errors.matches("--image-root").count(), 1, "{errors}");
    for expected in ["pairs.jsonl: 3 images", "line 2", "../out/secret.jpg"] {
        assert!(errors.contains(expected), "{expected}: {errors}");
    }
    let root = text(folder.path());
    fs::write(&path, r#"{"image": "out/secret.jpg", "caption": "a meadow in the sun"}"#).unwrap();
    let told = summary(&run(dry(&["--image-root", &root]), 0));
    assert_eq!(told["failed"], 0, "{told}");
}
