//! Recorded embeddings, as people ask for them: what lies beside tables, shards and journals, and what
//! reads it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use pairgate::embeddings::arrays::{Pairs, Plain, array_names};
use pairgate::embeddings::{Covers, Names};
use pairgate::recorded::{ReadAs, RecordedRow, RecordedRun};
use pairgate::score::{PairEmbeddings, Row};
use pairgate_core::decision::{Reason, Verdict};
use serde_json::Value;
use tempfile::{TempDir, tempdir};

use crate::cli::{pairgate, run, text};
use crate::support::data;

/// What a command prints.
#[track_caller]
fn pairgate_in(folder: &Path, args: &[&str], code: i32) -> String {
    let mut command = pairgate(args);
    command.current_dir(folder);
    String::from_utf8(run(command, code).stdout).unwrap()
}

#[track_caller]
fn refused(folder: &Path, args: &[&str]) -> String {
    let mut command = pairgate(args);
    command.current_dir(folder);
    String::from_utf8(run(command, 2).stderr).unwrap()
}

/// A folder with the pairs of tests/data/pairs as `in`, one of them without a picture that can be read.
fn pairs() -> TempDir {
    let folder = tempdir().unwrap();
    fs::create_dir(folder.path().join("in")).unwrap();
    for entry in fs::read_dir(data("pairs")).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, folder.path().join("in").join(path.file_name().unwrap())).unwrap();
    }
    fs::write(folder.path().join("in/damaged.jpg"), b"no picture").unwrap();
    fs::write(folder.path().join("in/damaged.txt"), b"a picture of nothing").unwrap();
    folder
}

fn rows(path: &Path) -> (RecordedRun, Vec<RecordedRow>) {
    rows_as(path, &ReadAs::default())
}

#[track_caller]
fn rows_as(path: &Path, read: &ReadAs) -> (RecordedRun, Vec<RecordedRow>) {
    let mut found = RecordedRun::open(&[path.to_owned()], read).unwrap();
    let mut rows = Vec::new();
    while let Some(row) = found.next().unwrap() {
        rows.push(row);
    }
    (found, rows)
}

/// What a recorded row says of its pair, captions and shards left out, which not every form tells.
fn told(row: &RecordedRow) -> (String, Option<f32>, Option<Reason>, Option<PairEmbeddings>) {
    (row.uid.to_string(), row.score, row.reason, row.embeddings.clone())
}

/// The cosine of recorded embeddings.
fn cosine(pair: &PairEmbeddings) -> f64 {
    let values =
        |values: &[half::f16]| -> Vec<f64> { values.iter().map(|value| value.to_f64()).collect() };
    let (image, text) = (values(&pair.image), values(&pair.text));
    image.iter().zip(&text).map(|(a, b)| a * b).sum()
}

#[test]
fn every_form_of_scores_has_the_same_embeddings_beside_it() {
    let folder = pairs();
    let at = |name: &str| folder.path().join(name);
    let mut first: Option<(Vec<u8>, Vec<_>)> = None;
    for name in ["s.jsonl", "s.csv", "s.parquet", "s.pairgate"] {
        pairgate_in(folder.path(), &["score", "in", "-o", name, "--embeddings"], 1);
        let npz = fs::read(at("s.npz")).unwrap();
        let (found, rows) = rows(&at(name));
        assert_eq!((found.rows(), found.embeddings()), (Covers::All, Some(Covers::All)), "{name}");
        assert_eq!(found.dimension(), Some(256));
        assert!(found.model().is_some());
        let rows: Vec<_> = rows.iter().map(told).collect();
        assert!(rows.len() > 8, "{}", rows.len());
        for (uid, score, reason, embeddings) in &rows {
            assert_eq!(score.is_some(), embeddings.is_some(), "{uid} {reason:?}");
            if let (Some(score), Some(pair)) = (score, embeddings) {
                assert!((f64::from(*score) - cosine(pair)).abs() < 2e-3, "{uid}");
            }
        }
        assert!(rows.iter().any(|(_, score, reason, _)| score.is_none() && reason.is_some()));
        match &first {
            None => first = Some((npz, rows)),
            Some((bytes, told)) => {
                assert!(*bytes == npz, "{name}: other bytes");
                assert_eq!(*told, rows, "{name}");
            }
        }
        fs::remove_file(at("s.npz")).unwrap();
    }
    // Nothing is left of what they were made of.
    let left = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
    assert!(left.into_iter().all(|path| !text(&path).ends_with(".partial")));
}

#[test]
fn workers_and_threads_change_no_bit() {
    let folder = pairs();
    let mut first: Option<Vec<u8>> = None;
    for (workers, threads) in [("1", "1"), ("4", "1"), ("2", "3")] {
        let config = format!("[pipeline]\nworkers = {workers}\n[model]\nthreads = {threads}\n");
        fs::write(folder.path().join("c.toml"), config).unwrap();
        let args = ["score", "in", "-o", "s.jsonl", "--embeddings", "--config", "c.toml"];
        pairgate_in(folder.path(), &args, 1);
        let npz = fs::read(folder.path().join("s.npz")).unwrap();
        assert!(first.get_or_insert_with(|| npz.clone()) == &npz, "{workers} {threads}");
    }
}

/// The arrays are NumPy's, under the names that were asked for, each at a multiple of 64 bytes.
#[test]
fn arrays_have_the_layout_of_datacomp() {
    let folder = pairs();
    let names = ["--embeddings", "--embedding-names", "l14_img,l14_txt"];
    let args = [&["score", "in", "-o", "s.csv"], &names[..]].concat();
    pairgate_in(folder.path(), &args, 1);
    let npz = folder.path().join("s.npz");
    assert_eq!(array_names(&npz).unwrap(), ["l14_img", "l14_txt", "uid", "model", "covers"]);
    let bytes = fs::read(&npz).unwrap();
    let headers: Vec<usize> =
        bytes.windows(6).enumerate().filter(|(_, w)| w == b"\x93NUMPY").map(|(at, _)| at).collect();
    assert_eq!(headers.len(), 5);
    for at in headers {
        assert_eq!(at % 64, 0, "{at}");
        let length = usize::from(u16::from_le_bytes([bytes[at + 8], bytes[at + 9]]));
        assert_eq!((10 + length) % 64, 0);
    }
    // Found whatever they are called, and by the names that DataComp's tools look for.
    let asked = ReadAs { names: Some("l14_img,l14_txt".parse().unwrap()), ..ReadAs::default() };
    let (_, by_name) = rows_as(&folder.path().join("s.csv"), &asked);
    assert_eq!(by_name, rows(&folder.path().join("s.csv")).1);
    let wrong = ReadAs { names: Some("b32_img,b32_txt".parse().unwrap()), ..ReadAs::default() };
    let error = RecordedRun::open(&[folder.path().join("s.csv")], &wrong).unwrap_err().to_string();
    assert!(error.contains("b32_img") && error.contains("l14_img"), "{error}");
}

#[test]
fn names_that_are_none_are_refused() {
    for (names, why) in [
        ("image", "two names"),
        ("image,", "no array's name"),
        ("a,a", "both"),
        ("uid,text", "another array's"),
        ("../a,b", "no array's name"),
        ("a,b,c", "no array's name"),
    ] {
        let error = names.parse::<Names>().unwrap_err();
        assert!(error.contains(why), "{names}: {error}");
        let args = ["score", "in", "-o", "s.csv", "--embeddings", "--embedding-names", names];
        assert!(refused(&data(""), &args).contains(why), "{names}");
    }
    let folder = pairs();
    let args = ["score", "in", "-o", "-", "--embeddings"];
    assert!(refused(folder.path(), &args).contains("beside a file"));
    let args = ["score", "in", "-o", "s.csv", "--embedding-names", "a,b"];
    assert!(refused(folder.path(), &args).contains("--embeddings"));
}

#[test]
fn kept_shards_have_those_of_their_samples() {
    let folder = pairs();
    let args = ["filter", "in", "--threshold", "-0.1", "-o", "kept", "--embeddings", "kept"];
    pairgate_in(folder.path(), &[&args[..], &["--shard-size", "4"]].concat(), 1);
    pairgate_in(folder.path(), &["score", "in", "-o", "s.pairgate", "--embeddings"], 1);
    let (_, all) = rows(&folder.path().join("s.pairgate"));
    let kept = folder.path().join("kept");
    let (run, of_journal) = rows(&kept);
    assert_eq!((run.rows(), run.embeddings()), (Covers::All, Some(Covers::Kept)));
    assert_eq!(of_journal.len(), all.len());
    let (mut stored, mut shards) = (0, 0);
    for (row, scored) in of_journal.iter().zip(&all) {
        let wanted = scored.embeddings.as_ref().filter(|_| row.verdict == Some(Verdict::Kept));
        assert_eq!(row.embeddings.as_ref(), wanted, "{}", row.key);
        stored += usize::from(wanted.is_some());
    }
    assert!(stored > 4);
    for shard in 0..10 {
        let path = kept.join(format!("{shard:05}.tar"));
        if !path.exists() {
            break;
        }
        // By themselves, in another folder, they say that they are no pool.
        let (run, rows) = rows(&path);
        assert_eq!((run.rows(), run.embeddings()), (Covers::Kept, Some(Covers::Kept)));
        shards += rows.len();
        for row in rows {
            let scored = all.iter().find(|scored| scored.uid == row.uid).unwrap();
            assert_eq!(row.embeddings, scored.embeddings, "{}", row.key);
            assert_eq!((row.score, row.verdict), (scored.score, Some(Verdict::Kept)));
        }
    }
    assert_eq!(shards, stored);
}

/// `--keep` asks the model in its first pass alone: the second finds what that has recorded.
#[test]
fn a_share_records_the_same_in_its_second_pass() {
    let folder = pairs();
    pairgate_in(folder.path(), &["score", "in", "-o", "s.pairgate", "--embeddings"], 1);
    let (_, all) = rows(&folder.path().join("s.pairgate"));
    for covers in ["kept", "all"] {
        let args = ["filter", "in", "--keep", "50%", "-o", covers, "--embeddings", covers];
        let summary: Value = serde_json::from_str(&pairgate_in(
            folder.path(),
            &[&args[..], &["--json"]].concat(),
            1,
        ))
        .unwrap();
        let (run, found) = rows(&folder.path().join(covers));
        assert_eq!(run.embeddings().unwrap().name(), covers);
        let there = found.iter().filter(|row| row.embeddings.is_some()).count() as u64;
        // The rules spare the model some pairs that `score` asks it about.
        let scored = found.iter().filter(|row| row.score.is_some()).count() as u64;
        let wanted = if covers == "all" { scored } else { summary["kept"].as_u64().unwrap() };
        assert_eq!(there, wanted, "{covers}");
        for (row, scored) in found.iter().zip(&all) {
            if row.embeddings.is_some() {
                assert_eq!(row.embeddings, scored.embeddings, "{}", row.key);
            }
        }
        assert!(!folder.path().join(covers).join(".first_pass").exists());
        // All of it is an earlier run's, which goes where one is begun anew.
        pairgate_in(
            folder.path(),
            &["filter", "in", "--threshold", "0.9", "-o", covers, "--overwrite"],
            1,
        );
        assert_eq!(rows(&folder.path().join(covers)).0.embeddings(), None);
    }
}

#[test]
fn a_folder_with_other_embeddings_is_refused() {
    let folder = pairs();
    let args = ["filter", "in", "--threshold", "0", "-o", "kept"];
    pairgate_in(folder.path(), &args, 1);
    let error = refused(folder.path(), &[&args[..], &["--embeddings", "all"]].concat());
    assert!(error.contains("other embeddings (none; now all image,text 256)"), "{error}");
    let error = refused(folder.path(), &[&args[..], &["--embeddings", "some"]].concat());
    assert!(error.contains("neither kept nor all"), "{error}");
}

#[test]
fn each_input_has_its_own() {
    let folder = pairs();
    let at = |name: &str| folder.path().join(name);
    pairgate_in(folder.path(), &["score", "in", "--one-to-one", "-o", "s", "--embeddings"], 1);
    pairgate_in(
        folder.path(),
        &["filter", "in", "--threshold", "0", "--one-to-one", "-o", "k", "--embeddings", "kept"],
        1,
    );
    // Of recorded scores, without the model.
    pairgate_in(
        folder.path(),
        &[
            "filter",
            "in",
            "--threshold",
            "0",
            "--one-to-one",
            "-o",
            "r",
            "--embeddings",
            "kept",
            "--scores",
            "s",
        ],
        1,
    );
    assert!(fs::read(at("k/in.npz")).unwrap() == fs::read(at("r/in.npz")).unwrap());
    let marker: Value = serde_json::from_slice(&fs::read(at("k/in_stats.json")).unwrap()).unwrap();
    assert_eq!(marker["files"]["in.npz"]["bytes"], fs::metadata(at("k/in.npz")).unwrap().len());
    let (scores, all) = rows(&at("s"));
    assert_eq!((scores.rows(), scores.embeddings()), (Covers::All, Some(Covers::All)));
    let (kept, rows) = rows(&at("k"));
    assert_eq!((kept.rows(), kept.embeddings()), (Covers::All, Some(Covers::Kept)));
    for (row, scored) in rows.iter().zip(&all) {
        let wanted = scored.embeddings.as_ref().filter(|_| row.verdict == Some(Verdict::Kept));
        assert_eq!(row.embeddings.as_ref(), wanted, "{}", row.key);
    }
    // What was done without them is not taken for done.
    pairgate_in(folder.path(), &["score", "in", "--one-to-one", "-o", "t"], 1);
    let args = ["score", "in", "--one-to-one", "-o", "t", "--embeddings"];
    assert!(refused(folder.path(), &args).contains("done without --embeddings"));
    let args = ["filter", "in", "--threshold", "0", "--one-to-one", "-o", "u", "--scores", "t"];
    let error = refused(folder.path(), &[&args[..], &["--embeddings", "kept"]].concat());
    assert!(error.contains("in.npz: not there"), "{error}");
    pairgate_in(folder.path(), &args, 1);
}

/// DataComp's cluster filter over our own scores and embeddings: the centroids are two of the embeddings,
/// so that each of those two pairs is nearest to its own.
#[test]
fn the_cluster_filter_of_datacomp_reads_them() {
    let folder = pairs();
    let at = |name: &str| folder.path().join(name);
    let mut lines = String::new();
    for key in ["beach", "city", "meadow", "mountain", "sunset", "ball"] {
        // English enough for its filter.
        let caption = "a photograph of the place where we were in the summer";
        lines += &format!("{{\"image\":\"in/{key}.jpg\",\"text\":\"{caption}\"}}\n");
    }
    fs::write(at("pairs.jsonl"), lines).unwrap();
    let args = ["score", "pairs.jsonl", "-o", "s.parquet", "--embeddings"];
    pairgate_in(folder.path(), &args, 0);
    let (_, found) = rows(&at("s.parquet"));
    assert!(found.iter().all(|row| row.caption.as_deref().unwrap().contains("photograph")));
    let image = |row: &RecordedRow| row.embeddings.clone().unwrap().image;
    let values: Vec<u8> = [image(&found[1]), image(&found[4])]
        .iter()
        .flat_map(|row| {
            row.iter().flat_map(|value| value.to_f32().to_le_bytes()).collect::<Vec<_>>()
        })
        .collect();
    write_npy(&at("centroids.npy"), "<f4", "(2, 256)", &values);
    write_npy(&at("targets.npy"), "<i8", "(1,)", &1_i64.to_le_bytes());
    let args = [
        "subset",
        "s.parquet",
        "--filter",
        "image_based",
        "--centroids",
        "centroids.npy",
        "--targets",
        "targets.npy",
        "--embeddings",
        "image",
        "-o",
        "subset.npy",
        "--json",
    ];
    pairgate_in(folder.path(), &args, 0);
    let nearest = |row: &RecordedRow| {
        let dot = |other: &RecordedRow| -> f64 {
            let pair = PairEmbeddings { image: image(row), text: image(other) };
            cosine(&pair)
        };
        dot(&found[4]) > dot(&found[1])
    };
    let mut wanted: Vec<String> =
        found.iter().filter(|row| nearest(row)).map(|row| row.uid.to_string()).collect();
    wanted.sort();
    assert!(wanted.contains(&found[4].uid.to_string()) && wanted.len() < found.len());
    let bytes = fs::read(at("subset.npy")).unwrap();
    let start = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let half = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().unwrap());
    let subset: Vec<String> = bytes[start..]
        .chunks_exact(16)
        .map(|row| format!("{:016x}{:016x}", half(&row[..8]), half(&row[8..])))
        .collect();
    assert_eq!(subset, wanted);
}

fn write_npy(path: &Path, kind: &str, shape: &str, values: &[u8]) {
    let text = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n");
    let mut file = fs::File::create(path).unwrap();
    file.write_all(b"\x93NUMPY\x01\x00").unwrap();
    file.write_all(&(text.len() as u16).to_le_bytes()).unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file.write_all(values).unwrap();
}

/// DataComp's own metadata, whose arrays and columns are asked for by name.
#[test]
fn metadata_of_datacomp_is_a_recorded_run() {
    let pool = data("golden/datacomp/metadata");
    let read = ReadAs {
        names: Some("l14_img,l14_img2".parse().unwrap()),
        score: Some("clip_l14_similarity_score".into()),
        ..ReadAs::default()
    };
    let found = array_names(&pool.join("00000000.npz")).unwrap();
    let error = RecordedRun::open(std::slice::from_ref(&pool), &read).unwrap_err().to_string();
    assert!(error.contains("l14_img2") && error.contains(&found[0]), "{error}");
    let error =
        RecordedRun::open(std::slice::from_ref(&pool), &ReadAs::default()).unwrap_err().to_string();
    assert!(error.contains("\"image\"") && error.contains("l14_img"), "{error}");

    // Its tables alone, and one that has both arrays.
    let folder = tempdir().unwrap();
    let table = folder.path().join("00000000.parquet");
    fs::copy(pool.join("00000000.parquet"), &table).unwrap();
    let read = ReadAs { names: None, ..read };
    let (alone, rows) = rows_as(&table, &read);
    assert_eq!((alone.rows(), alone.embeddings(), alone.model()), (Covers::All, None, None));
    assert!(rows.iter().any(|row| row.score.is_some() && row.caption.is_some()));
    let count = rows.len() as u64 + alone.malformed();
    let error = ReadAs { score: Some("no_such".into()), ..read };
    let error = RecordedRun::open(std::slice::from_ref(&table), &error).unwrap_err().to_string();
    assert!(error.contains("no_such"), "{error}");

    let mut zip =
        zip::ZipWriter::new(fs::File::create(folder.path().join("00000000.npz")).unwrap());
    for (name, value) in [("b32_img", 0.25_f32), ("b32_txt", -0.5)] {
        let options = zip::write::SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Deflated);
        zip.start_file(format!("{name}.npy"), options).unwrap();
        let shape = [count, 2];
        let header =
            pairgate::embeddings::numpy::Header { kind: "<f4".into(), shape: shape.into() };
        zip.write_all(&header.to_bytes()).unwrap();
        for row in 0..count {
            zip.write_all(&(value * row as f32).to_le_bytes()).unwrap();
            zip.write_all(&value.to_le_bytes()).unwrap();
        }
    }
    zip.finish().unwrap();
    let read = ReadAs { names: Some("b32_img,b32_txt".parse().unwrap()), ..ReadAs::default() };
    let (run, rows) = rows_as(folder.path(), &read);
    assert_eq!((run.embeddings(), run.dimension()), (Some(Covers::All), Some(2)));
    assert!(rows.iter().all(|row| row.embeddings.as_ref().unwrap().text[1].to_f32() == -0.5));
}

/// What is cut, is of other pairs, or lies about its length is named.
#[test]
fn damaged_files_are_named() {
    let folder = pairs();
    let at = |name: &str| folder.path().join(name);
    let args = ["score", "in", "-o", "s.csv", "--embeddings"];
    pairgate_in(folder.path(), &args, 1);
    let (npz, table) = (fs::read(at("s.npz")).unwrap(), fs::read_to_string(at("s.csv")).unwrap());
    let read_all = || -> Result<usize, String> {
        let told = |why: pairgate::IoError| why.to_string();
        let mut run = RecordedRun::open(&[at("s.csv")], &ReadAs::default()).map_err(told)?;
        let mut count = 0;
        while run.next().map_err(told)?.is_some() {
            count += 1;
        }
        Ok(count)
    };
    assert_eq!(read_all().unwrap(), table.lines().count() - 1);
    for keep in [0, 10, npz.len() / 2, npz.len() - 1] {
        fs::write(at("s.npz"), &npz[..keep]).unwrap();
        assert!(read_all().unwrap_err().contains("s.npz"), "{keep}");
    }
    fs::write(at("s.npz"), &npz).unwrap();
    // A row of the table is gone: from there on the rows are of other pairs.
    let lines: Vec<&str> = table.lines().collect();
    fs::write(at("s.csv"), [&lines[..3], &lines[4..]].concat().join("\n")).unwrap();
    let error = read_all().unwrap_err();
    assert!(error.contains("s.npz") && error.contains("and not of"), "{error}");
    fs::write(at("s.csv"), lines[..4].join("\n")).unwrap();
    assert!(read_all().unwrap_err().contains("more than there are pairs"));
    let more = [&lines[..], &lines[1..2]].concat().join("\n");
    fs::write(at("s.csv"), more).unwrap();
    assert!(read_all().unwrap_err().contains("fewer than there are pairs"));
}

/// Two runs of one model are one pool; what was kept alone makes it one of kept pairs, and another model's
/// is refused.
#[test]
fn several_runs_are_one() {
    let folder = pairs();
    let at = |name: &str| folder.path().join(name);
    pairgate_in(folder.path(), &["score", "in", "-o", "s.csv", "--embeddings"], 1);
    pairgate_in(folder.path(), &["score", "in", "-o", "t.jsonl", "--embeddings"], 1);
    pairgate_in(folder.path(), &["score", "in", "-o", "plain.jsonl"], 1);
    let args = ["filter", "in", "--threshold", "0", "-o", "kept", "--embeddings", "kept"];
    pairgate_in(folder.path(), &args, 1);
    let open = |paths: &[&str]| {
        let paths: Vec<PathBuf> = paths.iter().map(|name| at(name)).collect();
        RecordedRun::open(&paths, &ReadAs::default())
    };
    assert_eq!(open(&["s.csv", "t.jsonl"]).unwrap().embeddings(), Some(Covers::All));
    assert_eq!(open(&["s.csv", "kept"]).unwrap().embeddings(), Some(Covers::Kept));
    assert_eq!(open(&["s.csv", "kept/00000.tar"]).unwrap().rows(), Covers::Kept);
    assert_eq!(open(&["plain.jsonl", "s.csv"]).unwrap().embeddings(), Some(Covers::Kept));
    let mut run = open(&["s.csv", "t.jsonl"]).unwrap();
    let mut count = 0;
    while run.next().unwrap().is_some() {
        count += 1;
    }
    assert_eq!(count, 2 * rows(&at("s.csv")).1.len());
    // Another digest in the same place.
    let model = run.model().unwrap().to_string();
    let mut bytes = fs::read(at("t.npz")).unwrap();
    let place = bytes.windows(64).position(|window| window == model.as_bytes()).unwrap();
    bytes[place..place + 64].fill(b'0');
    fs::write(at("t.npz"), bytes).unwrap();
    let error = open(&["s.csv", "t.jsonl"]).unwrap_err().to_string();
    assert!(error.contains("its model is 000"), "{error}");
}

/// Embeddings by themselves are a run of uids.
#[test]
fn an_archive_by_itself_is_read() {
    let folder = pairs();
    pairgate_in(folder.path(), &["score", "in", "-o", "s.jsonl", "--embeddings"], 1);
    let npz = folder.path().join("s.npz");
    let (run, alone) = rows(&npz);
    assert_eq!(run.embeddings(), Some(Covers::All));
    let (_, whole) = rows(&folder.path().join("s.jsonl"));
    assert_eq!(alone.len(), whole.len());
    for (alone, whole) in alone.iter().zip(&whole) {
        assert_eq!((alone.uid, &alone.embeddings), (whole.uid, &whole.embeddings));
    }
    assert_eq!(Pairs::open_any(&npz).unwrap().len(), whole.len() as u64);
    assert!(Plain::open(&npz, "ticket", "<u8").unwrap().is_none());
    // What scorers take of it is finite.
    let pair = whole.iter().find_map(|row| row.embeddings.as_ref()).unwrap();
    assert!((Row::of(&pair.image).dot(&Row::of(&pair.text)) as f64 - cosine(pair)).abs() < 0.02);
}
