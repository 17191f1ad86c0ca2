//! Selection from end to end: scored once, fitted, applied over a pool, and deciding in a stream.

#[cfg(feature = "parquet")]
mod tables;

use std::fs;
use std::path::{Path, PathBuf};

use pairgate::journal::{Choice, Reader, Record};
use pairgate::select::State;
use pairgate::{Digest, Disk, Reason, Verdict};
use tempfile::{TempDir, tempdir};

use crate::cli::{pairgate, run};
use crate::support::data;

/// A folder with `in` and `more`, parts of each picture of tests/data/pairs under several captions, and the embeddings
/// of all as `s.parquet`.
fn pool() -> TempDir {
    let folder = tempdir().unwrap();
    let captions =
        ["a ball on the grass", "a city at night", "the beach", "a meadow", "a mountain, snow"];
    let mut pictures: Vec<PathBuf> = fs::read_dir(data("pairs"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "jpg"))
        // The others are copies of these under another caption.
        .filter(|path| {
            let path = path.to_string_lossy();
            !path.contains("wrong-") && !path.contains("boilerplate")
        })
        .collect();
    pictures.sort();
    for (inputs, first, captions) in [("in", 0, &captions[..3]), ("more", 3, &captions[3..])] {
        let inputs = folder.path().join(inputs);
        fs::create_dir(&inputs).unwrap();
        for path in &pictures {
            let picture = image::open(path).unwrap();
            let name = path.file_stem().unwrap().to_str().unwrap();
            for (place, caption) in captions.iter().enumerate() {
                // Another part each time, so that no two pictures are the same.
                let place = (first + place) as u32;
                let (width, height) = (picture.width() - 40, picture.height() - 40);
                let part = picture.crop_imm(7 * place, 5 * place, width, height);
                part.save(inputs.join(format!("{name}-{place}.png"))).unwrap();
                fs::write(inputs.join(format!("{name}-{place}.txt")), caption).unwrap();
            }
        }
    }
    of(
        folder.path(),
        &["score", "in", "more", "--rules", "none", "--embeddings", "-o", "s.parquet"],
    );
    folder
}

#[track_caller]
fn of(folder: &Path, args: &[&str]) -> String {
    let mut command = pairgate(args);
    command.current_dir(folder);
    String::from_utf8(run(command, 0).stdout).unwrap()
}

#[track_caller]
fn refused(folder: &Path, args: &[&str]) -> String {
    let mut command = pairgate(args);
    command.current_dir(folder);
    String::from_utf8(run(command, 2).stderr).unwrap()
}

#[track_caller]
fn fit(folder: &Path, method: &str) {
    let args = ["select", "fit", "s.parquet", "-m", method, "-t", "-0.4", "-o", "a.pgsel"];
    of(folder, &[&args[..], &["--source", "in", "more"]].concat());
}

const FILTER: [&str; 8] =
    ["filter", "in", "more", "--rules", "none", "--threshold", "-0.4", "--select"];

#[track_caller]
fn filter(folder: &Path, output: &str, more: &[&str]) {
    of(folder, &[&FILTER[..], &["a.pgsel", "-o", output], more].concat());
}

fn records(folder: &Path) -> Vec<Record> {
    Reader::open(folder).unwrap().map(Result::unwrap).collect()
}

fn kept(folder: &Path) -> Vec<String> {
    let kept = records(folder).into_iter().filter(|record| record.verdict == Verdict::Kept);
    let mut keys: Vec<String> = kept.map(|record| record.key).collect();
    keys.sort();
    keys
}

fn lines(path: &Path) -> Vec<String> {
    let mut lines: Vec<String> =
        fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

/// What is applied to a pool and what a stream keeps of the same pairs.
#[test]
fn a_stream_keeps_what_the_pool_keeps() {
    let folder = pool();
    let folder = folder.path();
    for (place, (method, offline)) in [
        ("clusters k 4 keep 50%", true),
        ("contrast bank 20 keep 30%", true),
        ("all(contrast bank 30 keep 80%, clusters k 3 keep 60%)", true),
        ("ranks(2*contrast + score) keep 40%", false),
        ("duplicates k 3 eps 0.02", false),
        ("sources by shard keep 40%", true),
        ("perplexity order 2 within 10% 90%", true),
    ]
    .into_iter()
    .enumerate()
    {
        fit(folder, method);
        let apply = ["select", "apply", "s.parquet", "--state", "a.pgsel", "-o"];
        of(folder, &[&apply[..], &["frozen.txt", "--frozen", "--source", "in", "more"]].concat());
        let output = format!("kept{place}");
        filter(folder, &output, &[]);
        let stream = kept(&folder.join(&output));
        assert_eq!(stream, lines(&folder.join("frozen.txt")), "{method}");
        assert!(
            !stream.is_empty() && stream.len() < records(&folder.join(&output)).len(),
            "{method}"
        );
        if offline {
            of(folder, &[&apply[..], &["pool.txt", "--source", "in", "more"]].concat());
            assert_eq!(stream, lines(&folder.join("pool.txt")), "{method}");
        }
    }
}

#[test]
fn any_number_of_workers_writes_the_same_journal() {
    let folder = pool();
    let folder = folder.path();
    fit(
        folder,
        "all(contrast bank 30 keep 90%, duplicates k 3 eps 0.02 ring 3, clusters k 3 keep 70%)",
    );
    filter(folder, "one", &["--workers", "1"]);
    filter(folder, "three", &["--workers", "3", "--batch", "2"]);
    for name in ["journal/00000000.pairgate", "00000.tar"] {
        let (one, three) = (folder.join("one").join(name), folder.join("three").join(name));
        assert!(fs::read(one).unwrap() == fs::read(three).unwrap(), "{name}");
    }
    let records = records(&folder.join("one"));
    let selected: Vec<&Choice> =
        records.iter().filter_map(|record| record.choice.as_deref()).collect();
    assert!(!selected.is_empty());
    // Contrast, three of duplicates, two of clusters.
    assert!(selected.iter().all(|choice| choice.measures.len() == 6));
    let like = records.iter().filter(|record| record.reason == Reason::NearDuplicate);
    for record in like.clone() {
        let earlier = record.choice.as_ref().unwrap().like.unwrap();
        assert_eq!(records[earlier as usize].verdict, Verdict::Kept);
        assert!(earlier < record.ticket);
    }
    assert!(like.count() > 0);
}

#[test]
fn what_selected_is_verified_and_another_state_is_refused() {
    let folder = pool();
    let folder = folder.path();
    fit(folder, "all(duplicates k 3 eps 0.02 ring 3, clusters k 3 keep 70%)");
    filter(folder, "kept", &[]);
    assert!(of(folder, &["replay", "kept", "--verify"]).contains(" 0 differ"));
    let judge = ["replay", "kept", "--verify", "--source", "in", "more"];
    let config = folder.join("c.toml");
    fs::write(&config, "[rules]\nmin_words = 0\nmin_chars = 0\nmin_side = 0\nmax_aspect = 1e9\n")
        .unwrap();
    let judge = [&judge[..], &["--config", "c.toml"]].concat();
    assert!(of(folder, &[&judge[..], &["--select", "a.pgsel"]].concat()).contains(" 0 differ"));
    assert!(refused(folder, &judge).contains("give --select"));
    fs::rename(folder.join("a.pgsel"), folder.join("b.pgsel")).unwrap();
    fit(folder, "clusters k 2 keep 50%");
    let other = refused(folder, &[&FILTER[..], &["a.pgsel", "-o", "kept"]].concat());
    assert!(other.contains("select.state="), "{other}");
    let none = refused(folder, &[&FILTER[..7], &["-o", "kept"]].concat());
    assert!(none.contains("select.state="), "{none}");
}

/// Rings and sketches are part of the run: it goes on as one that nothing stopped.
#[test]
fn a_run_that_goes_on_selects_as_one_that_nothing_stopped() {
    let folder = pool();
    let folder = folder.path();
    fit(folder, "all(sources follow 1 keep 90%, duplicates k 3 eps 0.02 ring 3)");
    filter(folder, "whole", &[]);
    of(
        folder,
        &[
            "filter",
            "in",
            "--rules",
            "none",
            "--threshold",
            "-0.4",
            "--select",
            "a.pgsel",
            "-o",
            "parts",
        ],
    );
    filter(folder, "parts", &[]);
    let told = |folder: &Path| -> Vec<_> {
        let told = |record: Record| (record.key, record.reason, record.choice);
        records(folder).into_iter().map(told).collect()
    };
    assert_eq!(told(&folder.join("parts")), told(&folder.join("whole")));
    let kept = |name: &str| kept(&folder.join(name));
    assert_eq!(kept("parts"), kept("whole"));
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    let folder = pool();
    let folder = folder.path();
    fit(folder, "duplicates k 3");
    let filter = |more: &[&str]| {
        refused(folder, &[&["filter", "in", "--select", "a.pgsel", "-o", "kept"], more].concat())
    };
    assert!(filter(&["--one-to-one", "--threshold", "0.1"]).contains("duplicates"));
    assert!(filter(&["--select", "a.pgsel"]).contains("--select"));
    let state = State::load(&folder.join("a.pgsel")).unwrap();
    let mut about = state.about().clone();
    (about.model, about.model_name) = (Digest([1; 32]), "another 9".into());
    let other = State::new(about, state.parts().to_vec()).unwrap();
    other.save(&Disk::system(), &folder.join("other.pgsel")).unwrap();
    let error = refused(folder, &["filter", "in", "--select", "other.pgsel", "-o", "kept"]);
    assert!(error.contains("other.pgsel") && error.contains("another 9 (010101010101)"), "{error}");
    fs::write(folder.join("torn.pgsel"), &fs::read(folder.join("a.pgsel")).unwrap()[..99]).unwrap();
    let error = refused(folder, &["filter", "in", "--select", "torn.pgsel", "-o", "kept"]);
    assert!(error.contains("torn.pgsel") && error.contains("damaged"), "{error}");
    let fit = |runs: &str, more: &[&str]| {
        refused(folder, &[&["select", "fit", runs, "-o", "b.pgsel"], more].concat())
    };
    assert!(fit("s.parquet", &["-m", "clusters keep 20%", "-t=-1"]).contains("--threshold"));
    assert!(fit("s.parquet", &["-m", "cluster keep 20%"]).contains("no method"));
    assert!(fit("s.parquet", &[]).contains("--method"));
    of(folder, &["score", "in", "-o", "bare.parquet", "--rules", "none"]);
    assert!(fit("bare.parquet", &["-m", "score keep 5%"]).contains("--embeddings"));
    of(
        folder,
        &["filter", "in", "--rules", "none", "-t", "-0.4", "--embeddings", "kept", "-o", "k"],
    );
    assert!(fit("k", &["-m", "score keep 5%"]).contains("kept pairs alone"));
}

#[test]
fn a_state_is_told_in_words() {
    let folder = pool();
    let folder = folder.path();
    fit(folder, "all(clusters k 4 keep 50%, sources by folder keep 90% flag)");
    let told = of(folder, &["select", "inspect", "a.pgsel"]);
    assert!(told.contains("4 clusters") && told.contains("sources by folder"), "{told}");
    assert!(
        told.lines().all(|line| line.chars().count() <= 80 || line.starts_with("expression")),
        "{told}"
    );
    let json: serde_json::Value =
        serde_json::from_str(&of(folder, &["select", "inspect", "a.pgsel", "--json"])).unwrap();
    assert_eq!(json["parts"][0]["method"], "clusters");
    assert_eq!(json["digest"], State::load(&folder.join("a.pgsel")).unwrap().digest().to_string());
}

/// Marks, phrases and a config: what each method is fitted with.
#[test]
fn methods_are_fitted_with_what_they_need() {
    let folder = pool();
    let folder = folder.path();
    let uids: Vec<String> = {
        of(folder, &["score", "in", "more", "--rules", "none", "-o", "s.jsonl"]);
        let lines = fs::read_to_string(folder.join("s.jsonl")).unwrap();
        let uid = |line: &str| {
            let row: serde_json::Value = serde_json::from_str(line).unwrap();
            row["uid"].as_str().unwrap().to_owned()
        };
        lines.lines().map(uid).collect()
    };
    let mark = |(place, uid): (usize, &String)| {
        let mark = if place % 3 == 0 { "bad" } else { "good" };
        format!("{{\"uid\":\"{uid}\",\"mark\":\"{mark}\"}}\n")
    };
    let marks: String = uids.iter().enumerate().map(mark).collect();
    fs::write(folder.join("marks.jsonl"), marks).unwrap();
    fs::write(folder.join("phrases.txt"), "a weapon\na fight\nblood on the floor\n").unwrap();
    fs::write(folder.join("entries.txt"), "beach\ncity\nball\n").unwrap();
    let fit = |method: &str, more: &[&str]| {
        let args = ["select", "fit", "s.parquet", "-t", "-0.4", "-o", "a.pgsel", "-m", method];
        of(folder, &[&args[..], more].concat());
        filter(folder, "kept", &["--overwrite"]);
        kept(&folder.join("kept")).len()
    };
    let all = fit("score >= -1", &[]);
    for (method, more) in [
        ("linear <= 0.5", &["--labels", "marks.jsonl"][..]),
        ("prototypes keep 50%", &["--labels", "marks.jsonl"]),
        ("targets keep 50%", &["--targets", "s.parquet"]),
        ("targets p 2 keep 50%", &["--targets", "s.parquet"]),
        ("vas keep 50%", &["--targets", "s.parquet"]),
        ("targets k 5 keep 50%", &["--targets", "s.parquet"]),
        ("unsafe keep 50%", &["--phrases", "phrases.txt"]),
        ("color order 2 keep 50%", &["--labels", "marks.jsonl", "--source", "in", "more"]),
        ("entries threshold 1", &["--entries", "entries.txt", "--source", "in", "more"]),
    ] {
        let kept = fit(method, more);
        assert!(0 < kept && kept < all, "{method}: {kept} of {all}");
    }
    assert_eq!(fit("unsafe <= -1 flag", &["--phrases", "phrases.txt"]), all);
    let flags = records(&folder.join("kept")).into_iter().filter_map(|record| record.choice);
    assert!(flags.clone().count() > 0);
    assert!(flags.into_iter().all(|choice| choice.flags == [Reason::UnsafeConcept as u8]));
    fs::write(
        folder.join("c.toml"),
        "[select]\nmethod = \"score keep 10%\"\nstate = \"a.pgsel\"\n",
    )
    .unwrap();
    of(
        folder,
        &["select", "fit", "s.parquet", "--config", "c.toml", "-t", "-0.4", "-o", "a.pgsel"],
    );
    let args = [
        "filter",
        "in",
        "more",
        "--rules",
        "none",
        "-t",
        "-0.4",
        "--config",
        "c.toml",
        "--overwrite",
    ];
    of(folder, &[&args[..], &["-o", "kept"]].concat());
    assert_eq!(kept(&folder.join("kept")).len(), all / 10);
}

/// Scored once: a cut by a state keeps what `filter` keeps by it, for the same reasons.
#[test]
fn a_cut_selects_as_filter_does() {
    let folder = pool();
    let folder = folder.path();
    let methods = [
        "all(contrast bank 30 keep 80%, clusters k 3 keep 60%)",
        "duplicates k 3 eps 0.02",
        "perplexity order 2 within 10% 90%",
    ];
    for (place, method) in methods.into_iter().enumerate() {
        fit(folder, method);
        let (filtered, cut) = (format!("f{place}"), format!("c{place}"));
        filter(folder, &filtered, &[]);
        let args =
            ["cut", "s.parquet", "--source", "in", "more", "--select", "a.pgsel", "-o", &cut];
        of(folder, &args);
        let (filtered, cut) = (folder.join(filtered), folder.join(cut));
        let (one, other) = (records(&filtered), records(&cut));
        assert_eq!(one, other, "{method}");
        assert!(!kept(&cut).is_empty());
        let shard = |of: &Path| fs::read(of.join("00000.tar")).unwrap();
        assert_eq!(shard(&filtered), shard(&cut), "{method}");
    }
}

#[test]
fn a_cut_that_cannot_select_says_why() {
    let folder = pool();
    let folder = folder.path();
    fit(folder, "clusters k 4 keep 50%");
    let cut = |scores: &str, more: &[&str]| {
        let args = ["cut", scores, "--select", "a.pgsel", "-o", "k", "--source"];
        refused(folder, &[&args[..], more].concat())
    };
    of(folder, &["score", "in", "more", "--rules", "none", "-o", "bare.parquet"]);
    assert!(cut("bare.parquet", &["in", "more"]).contains("--embeddings"));
    assert!(cut("s.parquet", &["more", "in"]).contains("order of the scores"));
}
