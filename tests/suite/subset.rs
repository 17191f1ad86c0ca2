//! DataComp's filters and subset files. Golden values are fastText's, pandas' and NumPy's own, made by
//! tests/golden/datacomp.py.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pairgate::datacomp::centroids::Centroids;
use pairgate::datacomp::language::Identifier;
use pairgate::datacomp::language::fasttext::{FastText, Scratch};
use pairgate::datacomp::scores::UidScores;
use pairgate::datacomp::subset_file::{self, Form};
use pairgate::datacomp::threshold::Pool;
use pairgate_core::pair::Uid;
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, FloatType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use serde_json::Value;
use tempfile::{TempDir, tempdir};

use crate::cli::{pairgate, run, text};
use crate::support::data;

const MODELS: [&str; 6] =
    ["softmax.bin", "tree.bin", "words.bin", "pruned.ftz", "codes.ftz", "labels.ftz"];

fn golden(name: &str) -> PathBuf {
    data("golden/datacomp").join(name)
}

fn json_of(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn summary(args: &[&str], code: i32) -> Value {
    let args = ["subset"].iter().chain(args).chain(&["--json"]);
    serde_json::from_slice(&run(pairgate(args), code).stdout).unwrap()
}

fn complaint(args: &[&str]) -> String {
    let args = ["subset"].iter().chain(args);
    String::from_utf8(run(pairgate(args), 2).stderr).unwrap()
}

/// The uids in a `.npy`, in hex.
fn uids_in(path: &str) -> Vec<String> {
    let bytes = fs::read(path).unwrap();
    let start = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let half = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().unwrap());
    let uid = |row: &[u8]| format!("{:016x}{:016x}", half(&row[..8]), half(&row[8..]));
    bytes[start..].chunks_exact(16).map(uid).collect()
}

// ------------------------------------------------------------------------------- parity

#[test]
fn subsets_are_those_of_pandas_byte_by_byte() {
    let temp = tempdir().unwrap();
    let pool = text(&golden("metadata"));
    let model = text(&golden("softmax.bin"));
    let cases = json_of(&golden("cases.json"));
    assert!(cases.as_object().unwrap().len() > 15);
    for (name, given) in cases.as_object().unwrap() {
        let found = text(&temp.path().join(format!("{name}.npy")));
        let given = given.as_array().unwrap().iter().map(|word| word.as_str().unwrap());
        let given: Vec<String> = given.map(|word| word.replace("{pool}", &pool)).collect();
        let mut args = vec![&*pool, "-o", &found, "--repeats", "--language-model", &model];
        args.extend(given.iter().map(String::as_str));
        let told = summary(&args, 0);
        let expected = fs::read(golden(&format!("subsets/{name}.npy"))).unwrap();
        assert!(fs::read(&found).unwrap() == expected, "{name}: {told}");
        let count = |key: &str| told[key].as_u64().unwrap();
        assert_eq!(count("in"), count("kept") + count("rejected") + count("failed"), "{name}");
        assert_eq!(count("in"), 1500);
        assert_eq!(count("written"), count("kept"), "{name}");
    }
}

#[test]
fn fasttext_models_say_what_fasttext_says() {
    let golden_values = json_of(&golden("predictions.json"));
    let texts = golden_values["texts"].as_array().unwrap();
    let mut scratch = Scratch::default();
    for name in MODELS {
        let model = FastText::load(&golden(name)).unwrap();
        let best = golden_values["best"][name].as_array().unwrap();
        assert_eq!(texts.len(), best.len());
        let mut furthest = 0.0_f64;
        for (text, best) in texts.iter().zip(best) {
            let text = text.as_str().unwrap();
            let found = model.predict(text, &mut scratch);
            let label = found.map(|found| String::from_utf8(found.label.to_vec()).unwrap());
            assert_eq!(label.as_deref(), best[0].as_str(), "{name}: {text:?}");
            let probability = found.map_or(0.0, |found| f64::from(found.probability));
            furthest = furthest.max((probability - best[1].as_f64().unwrap()).abs());
        }
        assert!(furthest < 1e-5, "{name}: probabilities differ by {furthest}");
    }
}

// ------------------------------------------------------------------------------- fastText models

#[test]
fn a_model_that_is_cut_or_damaged_is_an_error() {
    let temp = tempdir().unwrap();
    let path = temp.path().join("model.bin");
    let load = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        FastText::load(&path).map_err(|error| error.to_string())
    };
    for name in MODELS {
        let whole = fs::read(golden(name)).unwrap();
        assert!(load(&whole).is_ok());
        for at in (0..120).chain((120..whole.len()).step_by(whole.len() / 60)) {
            let error = load(&whole[..at]).expect_err("a model that is cut was read");
            assert!(error.contains("model.bin"), "{error}");
        }
        // Sizes and counts that lie, at every place of the head and at some behind it.
        for at in (0..100).step_by(4).chain((100..whole.len() - 4).step_by(whole.len() / 40)) {
            for lie in [i32::MIN, -1, 0, 1 << 20, i32::MAX, f32::NAN.to_bits().cast_signed()] {
                let mut bytes = whole.clone();
                bytes[at..at + 4].copy_from_slice(&lie.to_le_bytes());
                // It may be read where what was hit is a weight or is not used, but never panics.
                if let Ok(model) = load(&bytes) {
                    model.predict("a brown dog on the beach", &mut Scratch::default());
                }
            }
        }
    }
}

#[test]
fn a_weight_that_is_no_number_is_an_error() {
    let temp = tempdir().unwrap();
    let path = temp.path().join("model.bin");
    let mut bytes = fs::read(golden("softmax.bin")).unwrap();
    let end = bytes.len();
    bytes[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    fs::write(&path, bytes).unwrap();
    let error = FastText::load(&path).expect_err("NaN was read").to_string();
    assert!(error.contains("finite"), "{error}");
}

#[test]
fn what_is_no_model_is_named() {
    let temp = tempdir().unwrap();
    let at = |name: &str| text(&temp.path().join(name));
    fs::write(at("model.bin"), b"not a model at all, but some text").unwrap();
    let pool = text(&golden("metadata"));
    let args = [&*pool, "--filter", "basic", "-o", &at("s.npy"), "--language-model"];
    let error = complaint(&[&args[..], &[&at("model.bin")]].concat());
    assert!(error.contains("model.bin") && error.contains("not a model of fastText"), "{error}");
    assert!(complaint(&[&args[..], &[&at("none.bin")]].concat()).contains("none.bin"));
    assert!(!Path::new(&at("s.npy")).exists());
}

#[test]
fn the_identifier_that_is_built_in_knows_english() {
    let mut scratch = Scratch::default();
    let mut is_english = |text: &str| Identifier::BuiltIn.is_english(text, &mut scratch);
    for caption in ["a brown dog runs on the beach", "Two children are\nplaying with a ball"] {
        assert!(is_english(caption), "{caption:?}");
    }
    for caption in [
        "",
        "12345 67890",
        "🐕 🐕 🐕",
        "ein brauner Hund läuft am Strand",
        "un chien court sur la plage",
        "собака бежит по пляжу",
        "黑猫坐在椅子上",
        "ένας σκύλος στην παραλία",
        "שלום עולם טוב",
        "สวัสดี ชาว โลก",
    ] {
        assert!(!is_english(caption), "{caption:?}");
    }
}

// ------------------------------------------------------------------------------- pieces

#[test]
fn a_fraction_counts_rows_without_a_number_and_puts_them_last() {
    let nan = f32::NAN;
    let threshold = |scores: &[f32], f| Pool::Single(scores.to_vec()).threshold(f);
    assert_eq!(threshold(&[0.1, nan, 0.3, 0.2], 0.25), f64::from(0.2_f32));
    assert_eq!(threshold(&[0.1, nan, 0.3, 0.2], 0.5), f64::from(0.1_f32));
    assert!(threshold(&[0.1, nan, 0.3, 0.2], 0.75).is_nan(), "the place of the NaN");
    assert_eq!(threshold(&[0.1, nan, 0.3, 0.2], 1.0), f64::from(0.1_f32));
    assert_eq!(threshold(&[-0.0, f32::INFINITY, f32::NEG_INFINITY], 0.34), 0.0);
    assert!(threshold(&[], 0.5).is_nan());
    assert!(threshold(&[nan, nan], 1.0).is_nan());
    assert_eq!(Pool::Double(vec![0.5, 0.5, 0.1]).threshold(0.5), 0.5);
}

#[test]
fn the_first_of_equal_centroids_is_the_nearest_and_nan_is_above_all() {
    // More than a block of centroids, so that the first of equal ones is in another block.
    let count = 1300;
    let mut values: Vec<f32> = (0..count).flat_map(|i| [i as f32 % 7.0, 1.0]).collect();
    values[2 * 600] = 9.0;
    values[2 * 1200] = 9.0;
    let centroids = Centroids::new(2, values, &[600]).unwrap();
    assert_eq!(centroids.nearest(&[1.0, 0.0, 0.0, 1.0, -1.0, 0.0]), [600, 0, 0]);
    assert_eq!(centroids.nearest(&[f32::NAN, 0.0]), [0]);
    assert_eq!(centroids.near_target(&[1.0, 0.0, 0.0, 1.0]), [true, false]);
    assert!(Centroids::new(2, vec![1.0, 0.0], &[1]).unwrap_err().contains("target 1"));
    assert!(Centroids::new(2, vec![1.0, 0.0], &[-1]).is_err());
    assert!(Centroids::new(2, vec![], &[]).is_err());
}

#[test]
fn subset_files_have_numpys_bytes() {
    let temp = tempdir().unwrap();
    let uid = |text: &str| text.parse::<Uid>().unwrap();
    let uids = [uid("0123456789abcdef0011223344556677"), uid(&"f".repeat(32))];
    let npy = temp.path().join("s.npy");
    subset_file::write(&npy, Form::of(&npy).unwrap(), &uids).unwrap();
    let bytes = fs::read(&npy).unwrap();
    assert_eq!(bytes.len(), 128 + 32);
    assert!(
        bytes.starts_with(b"\x93NUMPY\x01\x00\x76\x00{'descr': [('f0', '<u8'), ('f1', '<u8')]")
    );
    assert_eq!(bytes[127], b'\n');
    let raw = temp.path().join("s.bin");
    subset_file::write(&raw, Form::of(&raw).unwrap(), &uids).unwrap();
    assert_eq!(fs::read(&raw).unwrap(), bytes[128..]);
    assert_eq!(bytes[128..136], 0x0123_4567_89ab_cdef_u64.to_le_bytes());
    assert_eq!(uids_in(&text(&npy)), uids.map(|uid| uid.to_string()));
    assert_eq!(Form::of(Path::new("subset.txt")), None);
    let empty = temp.path().join("e.npy");
    subset_file::write(&empty, Form::Npy, &[]).unwrap();
    assert_eq!(fs::read(&empty).unwrap().len(), 128);
}

#[test]
fn of_scores_of_one_uid_the_first_counts() {
    let (a, b) = (Uid([1; 16]), Uid([2; 16]));
    let scores = UidScores::new(vec![(b, 0.3), (a, 0.1), (b, 0.9)], 0);
    assert_eq!(
        (scores.find(&a), scores.find(&b), scores.find(&Uid([3; 16]))),
        (Some(0.1), Some(0.3), None)
    );
    assert_eq!((scores.len(), scores.repeated), (2, 1));
}

// ------------------------------------------------------------------------------- tables of our own

/// A table of uids, captions and sides of 300, with scores.
struct Rows<'a> {
    uids: Vec<Option<&'a str>>,
    texts: Vec<Option<&'a [u8]>>,
    scores: Vec<f32>,
}

const GOOD: &[u8] = b"a brown dog runs on the beach";

fn uid_of(k: usize) -> String {
    format!("{k:032x}")
}

fn write_table(path: &Path, rows: &Rows) {
    let schema = "message rows { optional binary uid (UTF8); optional binary text (UTF8);
        required int64 original_width; required double original_height;
        required float clip_l14_similarity_score; repeated int64 boxes; }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let properties = Arc::new(WriterProperties::builder().build());
    let mut writer =
        SerializedFileWriter::new(File::create(path).unwrap(), schema, properties).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let count = rows.uids.len();
    for column in 0..6 {
        let mut writer = group.next_column().unwrap().unwrap();
        let texts = |values: Vec<Option<&[u8]>>| -> (Vec<ByteArray>, Vec<i16>) {
            let levels = values.iter().map(|value| i16::from(value.is_some())).collect();
            (values.into_iter().flatten().map(|v| ByteArray::from(v.to_vec())).collect(), levels)
        };
        match column {
            0 | 1 => {
                let uids = || rows.uids.iter().map(|uid| uid.map(str::as_bytes)).collect();
                let (values, levels) = texts(if column == 0 { uids() } else { rows.texts.clone() });
                writer.typed::<ByteArrayType>().write_batch(&values, Some(&levels), None).unwrap()
            }
            2 => writer.typed::<Int64Type>().write_batch(&vec![300; count], None, None).unwrap(),
            3 => writer.typed::<DoubleType>().write_batch(&vec![300.5; count], None, None).unwrap(),
            4 => writer.typed::<FloatType>().write_batch(&rows.scores, None, None).unwrap(),
            _ => {
                let (definition, repetition) = (vec![0; count], vec![0; count]);
                let writer = writer.typed::<Int64Type>();
                writer.write_batch(&[], Some(&definition), Some(&repetition)).unwrap()
            }
        };
        writer.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
}

/// A folder with `metadata.parquet`, and a name in it for other files.
fn folder_of(rows: &Rows) -> (TempDir, impl Fn(&str) -> String + use<>) {
    let temp = tempdir().unwrap();
    write_table(&temp.path().join("metadata.parquet"), rows);
    let folder = temp.path().to_owned();
    (temp, move |name: &str| text(&folder.join(name)))
}

#[test]
fn bad_uids_and_captions_are_counted_and_named() {
    let uids = [uid_of(1), uid_of(2).to_uppercase(), "12ab".into(), uid_of(3), "g".repeat(32)];
    let mut given: Vec<_> = uids.iter().map(|uid| Some(uid.as_str())).collect();
    given.extend([None, Some(uids[0].as_str()), Some(uids[3].as_str())]);
    let texts = vec![
        Some(GOOD),
        Some(GOOD),
        Some(GOOD),
        None,
        Some(GOOD),
        Some(GOOD),
        Some(GOOD),
        Some(&b"\xff\xfe bad bytes here"[..]),
    ];
    let (_temp, at) = folder_of(&Rows { uids: given, texts, scores: vec![0.5; 8] });
    let (table, out) = (at("metadata.parquet"), at("s.npy"));
    let args = ["subset", &*table, "--filter", "basic", "-o", &out, "--json"];
    let output = run(pairgate(args), 1);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["failed_reasons"]["uid_malformed"], 2);
    assert_eq!(told["failed_reasons"]["uid_missing"], 1);
    assert_eq!(told["rejected_reasons"]["caption_missing"], 1);
    assert_eq!(told["rejected_reasons"]["caption_not_text"], 1);
    assert_eq!(
        (&told["kept"], &told["written"], &told["repeated"]),
        (&3.into(), &2.into(), &1.into())
    );
    assert_eq!(uids_in(&out), [uid_of(1), uid_of(2)]);
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(log.contains("row 2") && log.contains("\"12ab\""), "{log}");
}

#[test]
fn scores_of_a_run_are_found_by_uid() {
    let uids: Vec<String> = (0..6).map(uid_of).collect();
    let (_temp, at) = folder_of(&Rows {
        uids: uids.iter().map(|uid| Some(uid.as_str())).collect(),
        texts: vec![Some(GOOD); 6],
        scores: vec![0.0; 6],
    });
    let lines = [
        format!(r#"{{"key":"a","uid":"{}","score":0.1}}"#, uid_of(0)),
        format!(r#"{{"uid":"{}","score":0.4}}"#, uid_of(5)),
        format!(r#"{{"uid":"{}","score":null}}"#, uid_of(2)),
        format!(r#"{{"uid":"{}","score":0.3}}"#, uid_of(3)),
        r#"{"uid":"short","score":0.9}"#.into(),
        format!(r#"{{"uid":"{}","score":0.9}}"#, uid_of(77)),
    ];
    fs::write(at("scores.jsonl"), lines.join("\n") + "\n\n").unwrap();
    let (table, out, scores) = (at("metadata.parquet"), at("s.npy"), at("scores.jsonl"));
    let args = [&*table, "--scores", &scores, "--filter", "basic,clip_score", "-o", &out];
    // Six rows: at 20 % the threshold is the second score in descending order.
    let told = summary(&[&args[..], &["--fraction", "20%"]].concat(), 0);
    assert_eq!(uids_in(&out), [uid_of(3), uid_of(5)]);
    assert_eq!(told["rejected_reasons"]["score_missing"], 2);
    assert_eq!(told["rejected_reasons"]["score_not_a_number"], 1);
    assert_eq!(told["rejected_reasons"]["low_score"], 1);
    assert_eq!(told["scores_with_a_malformed_uid"], 1);
    assert_eq!(told["thresholds"][&scores], f64::from(0.3_f32));
    summary(&[&args[..], &["--threshold", "0.1"]].concat(), 0);
    assert_eq!(uids_in(&out), [uid_of(0), uid_of(3), uid_of(5)]);
    fs::write(at("scores.jsonl"), "{\"uid\":\"x\",\"score\":1}\nnonsense\n").unwrap();
    let error = complaint(&[&args[..], &["--threshold", "0"]].concat());
    assert!(error.contains("scores.jsonl") && error.contains("line 2"), "{error}");
}

#[test]
fn scores_may_be_in_a_table_too() {
    let uids: Vec<String> = (0..3).map(uid_of).collect();
    let rows = Rows {
        uids: uids.iter().map(|uid| Some(uid.as_str())).collect(),
        texts: vec![Some(GOOD); 3],
        scores: vec![0.0; 3],
    };
    let (_temp, at) = folder_of(&rows);
    let schema = "message scores { required binary uid (UTF8); optional float score; }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let file = File::create(at("scores.parquet")).unwrap();
    let mut writer = SerializedFileWriter::new(file, schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let values: Vec<ByteArray> = uids.iter().map(|uid| uid.as_str().into()).collect();
    column.typed::<ByteArrayType>().write_batch(&values, None, None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<FloatType>().write_batch(&[0.2, 0.4], Some(&[1, 0, 1]), None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
    let (table, out, scores) = (at("metadata.parquet"), at("s.npy"), at("scores.parquet"));
    let told = summary(
        &[&table, "--scores", &scores, "--filter", "clip_score", "--threshold", "0.2", "-o", &out],
        0,
    );
    assert_eq!(uids_in(&out), [uid_of(0), uid_of(2)]);
    assert_eq!(told["rejected_reasons"]["score_not_a_number"], 1);
}

#[test]
fn what_a_gate_kept_and_scored_becomes_a_subset() {
    let temp = tempdir().unwrap();
    let at = |name: &str| text(&temp.path().join(name));
    let (pairs, kept, scores, out) =
        (text(&data("pairs")), at("kept"), at("s.pairgate"), at("s.npy"));
    let filtered: Value =
        serde_json::from_slice(&run(pairgate(["filter", &pairs, "-o", &kept, "--json"]), 0).stdout)
            .unwrap();
    let told = summary(&[&kept, "-o", &out], 0);
    assert_eq!((&told["in"], &told["kept"]), (&filtered["in"], &filtered["kept"]));
    let lines = String::from_utf8(run(pairgate(["journal", "cat", &kept]), 0).stdout).unwrap();
    let records = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let of: BTreeMap<String, String> = records
        .map(|r| (r["uid"].as_str().unwrap().into(), r["verdict"].as_str().unwrap().into()))
        .collect();
    let expected: Vec<_> =
        of.iter().filter(|(_, v)| *v == "kept").map(|(uid, _)| uid.clone()).collect();
    assert!(!expected.is_empty());
    assert_eq!(uids_in(&out), expected);
    assert!(complaint(&[&kept, "--filter", "basic", "-o", &out]).contains("metadata"));

    // A journal's scores on the metadata of the same pairs.
    run(pairgate(["score", &pairs, "-o", &scores]), 0);
    let uids: Vec<&String> = of.keys().collect();
    let rows = Rows {
        uids: uids.iter().map(|uid| Some(uid.as_str())).collect(),
        texts: vec![Some(GOOD); uids.len()],
        scores: vec![0.0; uids.len()],
    };
    write_table(&temp.path().join("metadata.parquet"), &rows);
    let table = at("metadata.parquet");
    let args = ["--filter", "clip_score", "--fraction", "30%", "-o", &out];
    let told = summary(&[&[&*table, "--scores", &scores], &args[..]].concat(), 0);
    assert_eq!(told["in"], uids.len());
    assert!(uids_in(&out).len() > uids.len() * 3 / 10);
    assert!(complaint(&[&table, &kept, "-o", &out]).contains("not both"));
}

#[test]
fn errors_name_file_and_column() {
    let rows = Rows { uids: vec![None; 3], texts: vec![None; 3], scores: vec![0.1, 0.2, 0.3] };
    let (temp, at) = folder_of(&rows);
    let (table, out) = (at("metadata.parquet"), at("s.npy"));
    let clip = |column: &str| {
        complaint(&[
            &table,
            "--filter",
            "clip_score",
            "--score-column",
            column,
            "--threshold",
            "0",
            "-o",
            &out,
        ])
    };
    for (column, why) in
        [("none", "the table has uid, text"), ("text", "not numbers"), ("boxes", "lists")]
    {
        let error = clip(column);
        assert!(error.contains("metadata.parquet") && error.contains(why), "{error}");
        assert!(error.contains(&format!("{column:?}")), "{error}");
    }
    let laion = complaint(&[&table, "--filter", "laion2b", "-o", &out]);
    assert!(laion.contains("clip_b32_similarity_score"), "{laion}");
    assert!(complaint(&[&table, "--filter", "clip_score", "-o", &out]).contains("--fraction"));
    assert!(complaint(&[&table, "-o", &out]).contains("--filter"));
    assert!(complaint(&[&table, "--filter", "basic", "-o", &at("s.txt")]).contains(".npy"));
    assert!(
        complaint(&[&table, "--filter", "basic", "--fraction", "1%", "-o", &out])
            .contains("clip_score")
    );
    assert!(complaint(&[&table, "--filter", "image_based", "-o", &out]).contains("--centroids"));
    let empty = temp.path().join("empty");
    fs::create_dir(&empty).unwrap();
    assert!(complaint(&[&text(&empty), "--filter", "basic", "-o", &out]).contains("no .parquet"));
    assert!(!Path::new(&out).exists());
}

#[test]
fn embeddings_must_fit_their_table() {
    let rows = Rows { uids: vec![None; 3], texts: vec![None; 3], scores: vec![0.1; 3] };
    let (_temp, at) = folder_of(&rows);
    let (table, out) = (at("metadata.parquet"), at("s.npy"));
    let (centroids, targets) =
        (text(&golden("metadata/centroids.npy")), text(&golden("metadata/targets.npy")));
    let image = |centroids: &str, more: &[&str]| {
        let args = [
            &*table,
            "--filter",
            "image_based",
            "--centroids",
            centroids,
            "--targets",
            &targets,
            "-o",
            &out,
        ];
        complaint(&[&args[..], more].concat())
    };
    assert!(image(&centroids, &[]).contains("metadata.npz"));
    fs::copy(golden("metadata/00000000.npz"), at("metadata.npz")).unwrap();
    let error = image(&centroids, &[]);
    assert!(error.contains("metadata.npz") && error.contains("shape"), "{error}");
    let error = image(&centroids, &["--embeddings", "b32_txt"]);
    assert!(error.contains("b32_txt") && error.contains("l14_img"), "{error}");
    let error = image(&targets, &[]);
    assert!(error.contains("targets.npy") && error.contains("<i8"), "{error}");
    // Headers that lie, or that nest.
    let mut hostile = b"\x93NUMPY\x02\x00\xff\xff\xff\x7f".to_vec();
    fs::write(at("c.npy"), &hostile).unwrap();
    assert!(image(&at("c.npy"), &[]).contains("c.npy"));
    hostile = b"\x93NUMPY\x01\x00\xff\xff".to_vec();
    hostile.resize(70_000, b'[');
    fs::write(at("c.npy"), &hostile).unwrap();
    assert!(image(&at("c.npy"), &[]).contains("cannot be read at \"[[["));
}

#[test]
fn damaged_tables_are_errors() {
    let uids: Vec<String> = (0..500).map(uid_of).collect();
    let (_temp, at) = folder_of(&Rows {
        uids: uids.iter().map(|uid| Some(uid.as_str())).collect(),
        texts: vec![Some(GOOD); 500],
        scores: (0..500).map(|k| k as f32).collect(),
    });
    let whole = fs::read(at("metadata.parquet")).unwrap();
    let (damaged, out) = (at("damaged.parquet"), at("s.npy"));
    let args =
        ["subset", &*damaged, "--filter", "basic,clip_score", "--fraction", "50%", "-o", &out];
    let mut failed = 0;
    for at in (0..whole.len()).step_by(whole.len() / 24) {
        for damage in 0..2 {
            let mut bytes = whole.clone();
            match damage {
                0 => bytes.truncate(at),
                _ => bytes.iter_mut().skip(at).take(5).for_each(|byte| *byte ^= 0xa5),
            }
            fs::write(&damaged, bytes).unwrap();
            let output = pairgate(args).output().unwrap();
            let code = output.status.code().expect("it ended by a signal");
            let told = String::from_utf8_lossy(&output.stderr);
            // Damage may hit what is not read, or a text.
            assert!([0, 1, 2].contains(&code), "{told}");
            assert!(code != 2 || told.contains("damaged.parquet"), "{told}");
            failed += usize::from(code == 2);
        }
    }
    assert!(failed > 24, "{failed}");
}
