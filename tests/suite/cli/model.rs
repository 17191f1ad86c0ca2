//! Bundles on the command line.

use std::fs;
use std::process::Command;

use super::{pairgate, pairs, run, summary, text};
use crate::support::data;

fn model(words: &[&str]) -> Command {
    pairgate(["model"].iter().chain(words))
}

fn fixture(name: &str) -> String {
    text(&data("models").join(name))
}

/// From a folder that people have to kept shards: what the README promises.
#[test]
fn a_model_of_ones_own_is_imported_checked_and_used() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = text(&folder.path().join("bundle"));
    let output = run(model(&["import", &fixture("transformers-clip"), "-o", &bundle]), 0);
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.contains("agrees with"), "{told}");
    assert!(told.lines().all(|line| line.chars().count() <= 80 || line.contains('/')), "{told}");

    let golden = text(&data("models/transformers-clip/golden.json"));
    let output = run(model(&["verify", &bundle, "--golden", &golden, "--json"]), 0);
    let agreement = summary(&output);
    assert_eq!((&agreement["pairs"], &agreement["scores"]), (&8.into(), &64.into()));
    assert!(agreement["image"]["min_cosine"].as_f64().unwrap() > 0.9999);

    let kept = text(&folder.path().join("kept"));
    let mut command =
        pairgate(["filter", &pairs(), "--model", &bundle, "--keep", "50%", "-o", &kept]);
    command.arg("--json");
    let summary = summary(&run(command, 0));
    assert!(summary["model"].as_str().unwrap().starts_with("transformers-clip "));
    assert!(folder.path().join("kept/00000.tar").exists());
}

#[test]
fn a_model_without_a_threshold_asks_for_one() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = text(&folder.path().join("bundle"));
    run(model(&["import", &fixture("open_clip-vit"), "-o", &bundle]), 0);
    let kept = text(&folder.path().join("kept"));
    let output = run(pairgate(["filter", &pairs(), "--model", &bundle, "-o", &kept]), 2);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("--threshold") && error.contains("--keep"), "{error}");
    // One pair is scored all the same, and nothing is said that is not known.
    let picture = text(&data("pairs/sunset.jpg"));
    let one = ["score", &picture, "--caption", "the sun sets", "--model", &bundle];
    let told = String::from_utf8(run(pairgate(one), 0).stdout).unwrap();
    assert!(told.contains("score ") && told.contains("verdict     none"), "{told}");
    assert!(!told.contains("percentile"), "{told}");
    let json = summary(&run(pairgate(one.iter().chain(&["--json"])), 0));
    for field in ["percentile", "verdict", "threshold", "threshold_by"] {
        assert!(json[field].is_null(), "{field}: {json}");
    }
}

#[test]
fn verify_fails_where_the_model_is_another() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = text(&folder.path().join("bundle"));
    run(model(&["import", &fixture("optimum-clip"), "-o", &bundle, "--set", "licence=none"]), 0);
    let golden = text(&data("models/transformers-clip/golden.json"));
    let output = run(model(&["verify", &bundle, "--golden", &golden]), 1);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("does not agree"), "{error}");
    run(model(&["verify", &bundle, "--golden", "no/such/file"]), 2);
}

#[test]
fn inspect_tells_what_a_bundle_is_made_of() {
    let output = run(model(&["inspect", "--measure"]), 0);
    let told = String::from_utf8(output.stdout).unwrap();
    for wanted in ["pairgate-default", "GFLOPs a pair", "quantized weights (16)", "peak memory"] {
        assert!(told.contains(wanted), "{wanted}: {told}");
    }
    assert!(told.lines().all(|line| line.chars().count() <= 80), "{told}");

    let folder = tempfile::tempdir().unwrap();
    let bundle = text(&folder.path().join("bundle"));
    let quantized =
        ["import", &fixture("transformers-clip"), "--variant", "qoperator", "-o", &bundle];
    run(model(&quantized), 0);
    let told = summary(&run(model(&["inspect", &bundle, "--json"]), 0));
    let image = &told["towers"]["image"];
    assert!(image["quantization"]["QOperator"].as_u64().unwrap() > 10);
    assert!(image["operators"]["QLinearMatMul"].as_u64().unwrap() > 0);
    assert!(image["integer_products"].as_u64().unwrap() > 0);
    assert_eq!(told["manifest"]["licence"], "CC0-1.0");
}

#[test]
fn quantize_makes_a_small_bundle_that_verify_compares() {
    let folder = tempfile::tempdir().unwrap();
    let [bundle, small] = ["bundle", "small"].map(|name| text(&folder.path().join(name)));
    let wanted = ["import", &fixture("open_clip-vit"), "-o", &bundle];
    run(model(&wanted), 0);
    let told = run(model(&["quantize", &bundle, "-o", &small]), 0);
    let told = String::from_utf8(told.stdout).unwrap();
    assert!(told.contains("weights rounded") && told.contains("--against float"), "{told}");
    let inspected = summary(&run(model(&["inspect", &small, "--json"]), 0));
    assert!(
        inspected["towers"]["image"]["quantization"]["quantized weights"].as_u64().unwrap() > 5
    );

    let pairs = pairs();
    let compare = ["verify", &small, "--against", "float", &pairs, "--min-cosine", "0.99"];
    let told = String::from_utf8(run(model(&compare), 0).stdout).unwrap();
    assert!(told.contains("in float, 12 pairs") && told.contains("rank correlation"), "{told}");
    assert!(told.lines().all(|line| line.chars().count() <= 80), "{told}");
    let strict = ["verify", &small, "--against", "float", &pairs, "--min-cosine", "1"];
    run(model(&strict), 1);
    run(model(&["verify", &small]), 2);
}

#[test]
fn import_says_what_it_lacks() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = text(&folder.path().join("bundle"));
    let output = run(model(&["import", &fixture("optimum-clip"), "-o", &bundle]), 2);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("--set licence=VALUE"), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    run(model(&["import", &fixture("optimum-clip"), "-o", &bundle, "--set", "licence"]), 2);
}
