//! What is chosen and measured as tables; prototypes by base classes; a state under a new model.

use std::collections::BTreeMap;

use pairgate::datacomp::metadata::Table;
use serde_json::Value;

use super::*;

fn texts(path: &Path, name: &str) -> Vec<Option<String>> {
    let table = Table::open(path).unwrap();
    let mut all = Vec::new();
    for (group, rows) in table.groups().unwrap().into_iter().enumerate() {
        let mut cells = Vec::new();
        table.texts(group, name).unwrap().read(rows as usize, &mut cells).unwrap();
        let text = |cell: Option<parquet::data_type::ByteArray>| {
            cell.map(|cell| String::from_utf8(cell.data().to_vec()).unwrap())
        };
        all.extend(cells.into_iter().map(text));
    }
    all
}

fn numbers(path: &Path, name: &str) -> Vec<Option<f32>> {
    let table = Table::open(path).unwrap();
    let mut all = Vec::new();
    for (group, rows) in table.groups().unwrap().into_iter().enumerate() {
        let mut cells = Vec::new();
        table.numbers(group, name).unwrap().read(rows as usize, &mut cells).unwrap();
        all.extend(cells.into_iter().map(|cell| cell.map(|cell| cell as f32)));
    }
    all
}

fn keys(path: &Path) -> Vec<String> {
    texts(path, "key").into_iter().map(Option::unwrap).collect()
}

/// What a run's journal says that scorers gave, by key.
fn measured(run: &Path) -> BTreeMap<String, Vec<f32>> {
    let of = |record: Record| Some((record.key, record.choice?.measures));
    records(run).into_iter().filter_map(of).collect()
}

#[test]
fn a_choice_is_told_as_a_table() {
    let folder = pool();
    let folder = folder.path();
    fit(folder, "all(contrast bank 30 keep 80%, duplicates k 3 eps 0.02, clusters k 3 keep 60%)");
    filter(folder, "run", &[]);
    let journal = measured(&folder.join("run"));
    for more in [&[][..], &["--frozen"]] {
        let apply = |output: &str| {
            let args = ["select", "apply", "s.parquet", "--state", "a.pgsel", "-o", output];
            of(folder, &[&args[..], more].concat());
            folder.join(output)
        };
        let expected = lines(&apply("kept.txt"));
        // What is there is replaced.
        fs::write(folder.join("all.parquet"), "an older file").unwrap();
        let table = apply("all.parquet");
        let all = keys(&table);
        let reasons = texts(&table, "reason");
        assert_eq!(all.len(), journal.len());
        let passed = all.iter().zip(&reasons).filter(|(_, reason)| reason.is_none());
        let mut passed: Vec<String> = passed.map(|(key, _)| key.clone()).collect();
        passed.sort();
        assert_eq!(passed, expected);
        let known = ["not_selected", "near_duplicate", "over_quota"];
        assert!(reasons.iter().flatten().all(|reason| known.contains(&reason.as_str())));
        assert!(reasons.iter().flatten().any(|reason| reason == "not_selected"));
        let of_pair = numbers(&table, "contrast");
        let distance = numbers(&table, "clusters_distance");
        for (place, key) in all.iter().enumerate() {
            assert_eq!(of_pair[place].unwrap(), journal[key][0], "{key}");
            assert_eq!(distance[place].unwrap(), journal[key][5], "{key}");
        }
        let opened = Table::open(&table).unwrap();
        assert!(opened.has("kept") && opened.has("like") != more.is_empty());
    }
}

#[test]
fn scores_tell_what_scorers_gave() {
    let folder = pool();
    let folder = folder.path();
    fit(folder, "ranks(contrast bank 30 + score) keep 50%");
    filter(folder, "run", &[]);
    let journal = measured(&folder.join("run"));
    let score =
        ["score", "in", "more", "--rules", "none", "--select", "a.pgsel", "-t", "-0.4", "-o"];
    for output in ["m.parquet", "m.csv", "m.jsonl"] {
        of(folder, &[&score[..], &[output]].concat());
    }
    let table = folder.join("m.parquet");
    // What the threshold rejects comes to no scorer.
    for (key, value) in keys(&table).iter().zip(numbers(&table, "contrast")) {
        assert_eq!(value, journal.get(key).map(|measures| measures[0]), "{key}");
    }
    let text = fs::read_to_string(folder.join("m.jsonl")).unwrap();
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let value = line["contrast"].as_f64().map(|value| value as f32);
        let key = line["key"].as_str().unwrap();
        assert_eq!(value, journal.get(key).map(|measures| measures[0]), "{key}");
    }
    let text = fs::read_to_string(folder.join("m.csv")).unwrap();
    assert!(text.lines().next().unwrap().contains("sha256,contrast,"), "{text}");
    // Readers of scores pass over them.
    for output in ["m.parquet", "m.csv", "m.jsonl"] {
        of(folder, &["compare", "s.parquet", output]);
        of(folder, &["cut", output, "--source", "in", "more", "--keep", "50%", "--dry-run"]);
    }
}

/// At alpha 1 a prototype is its base class's, where there is one.
#[test]
fn prototypes_are_calibrated_by_base_classes() {
    let folder = pool();
    let folder = folder.path();
    let uids: Vec<String> = texts(&folder.join("s.parquet"), "uid").into_iter().flatten().collect();
    let marks = |uids: &[String], class: &str| -> String {
        let line = |uid: &String| {
            format!("{{\"uid\":\"{uid}\",\"mark\":\"good\",\"class\":\"{class}\"}}\n")
        };
        uids.iter().map(line).collect()
    };
    fs::write(folder.join("few.jsonl"), marks(&uids[..2], "new")).unwrap();
    fs::write(folder.join("base.jsonl"), marks(&uids[5..12], "base")).unwrap();
    let values = |method: &str, more: &[&str]| {
        let args = ["select", "fit", "s.parquet", "-t", "-0.4", "-o", "a.pgsel", "-m", method];
        of(folder, &[&args[..], more].concat());
        of(folder, &["select", "apply", "s.parquet", "--state", "a.pgsel", "-o", "p.parquet"]);
        numbers(&folder.join("p.parquet"), "prototypes")
    };
    let differ = |one: &[Option<f32>], other: &[Option<f32>]| {
        let pairs = one.iter().zip(other).map(|(one, other)| (one.unwrap() - other.unwrap()).abs());
        pairs.fold(0.0, f32::max)
    };
    let few = values("prototypes keep 50%", &["--labels", "few.jsonl"]);
    let base = values("prototypes keep 50%", &["--labels", "base.jsonl"]);
    let both = ["--labels", "few.jsonl", "--base-labels", "base.jsonl"];
    let half = values("prototypes keep 50%", &both);
    let all = values("prototypes alpha 1 keep 50%", &both);
    let none = values("prototypes alpha 0 keep 50%", &both);
    assert!(differ(&all, &base) < 0.02 && differ(&none, &few) < 0.02);
    assert!(differ(&half, &base) > 0.02 && differ(&half, &few) > 0.02);
    let args =
        ["select", "fit", "s.parquet", "-t", "-0.4", "-o", "a.pgsel", "--labels", "few.jsonl"];
    let why = refused(folder, &[&args[..], &["-m", "prototypes alpha 0.2 keep 50%"]].concat());
    assert!(why.contains("--base-labels"), "{why}");
}

#[test]
fn a_state_is_fitted_again_under_a_new_model() {
    let folder = pool();
    let folder = folder.path();
    crate::blend::another_default(folder);
    let score =
        ["score", "in", "more", "--rules", "none", "--embeddings", "--model", "another", "-o"];
    of(folder, &[&score[..], &["new.parquet"]].concat());
    let refresh = ["select", "refresh", "new.parquet", "--state", "a.pgsel", "--model", "another"];
    let method = "all(contrast bank 30 keep 80%, clusters k 3 keep 60%)";
    // The lowest scores of both models are above it, so that the pools are the same.
    let fit_all = ["select", "fit", "s.parquet", "-m", method, "-t", "-0.9", "-o", "a.pgsel"];
    of(folder, &fit_all);
    let old = State::load(&folder.join("a.pgsel")).unwrap();
    let again = ["--from", "s.parquet", "-t", "-0.9", "-o", "b.pgsel"];
    of(folder, &[&refresh[..], &again].concat());
    let new = State::load(&folder.join("b.pgsel")).unwrap();
    let (was, is) = (old.about(), new.about());
    assert_eq!((&was.expression, was.seed, was.pairs), (&is.expression, is.seed, is.pairs));
    assert!(was.model != is.model && was.calibration != is.calibration);
    // As a fit on the new model's records of the same pairs.
    let args = ["select", "fit", "new.parquet", "--model", "another", "-m", method, "-t", "-0.9"];
    of(folder, &[&args[..], &["-o", "c.pgsel"]].concat());
    assert_eq!(State::load(&folder.join("c.pgsel")).unwrap().digest(), new.digest());
    // Other pairs, the same model, and numbers on the old scale are refused.
    let args = ["score", "in", "--rules", "none", "--embeddings", "--model", "another"];
    of(folder, &[&args[..], &["-o", "less.parquet"]].concat());
    let less = ["select", "refresh", "less.parquet", "--state", "a.pgsel", "--model", "another"];
    let why = refused(folder, &[&less[..], &again].concat());
    assert!(why.contains("not in the new runs"), "{why}");
    let same = ["select", "refresh", "s.parquet", "--state", "a.pgsel"];
    let why = refused(folder, &[&same[..], &again].concat());
    assert!(why.contains("already"), "{why}");
    let why =
        refused(folder, &[&refresh[..], &["--from", "new.parquet", "-o", "b.pgsel"]].concat());
    assert!(why.contains("that of --from"), "{why}");
    fit(folder, "score >= 0.1");
    let why = refused(folder, &[&refresh[..], &again].concat());
    assert!(why.contains("old model's scale"), "{why}");
}
