//! Kept shards, read back as WebDataset's readers would.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read};
use std::path::Path;

use pairgate::sink::{Judged, RunEnd, Sink};
use pairgate::store::names::{MAX_KEY, flat_key, safe_extension, safe_key};
use pairgate_core::decision::{Reason, Verdict};
use proptest::prelude::*;
use tempfile::tempdir;

use super::{accept_all, judged, kept, member, rejected, store, to, tree};

type Files = Vec<(String, Vec<u8>)>;

fn write_shards(folder: &Path, samples_per_shard: u64, pairs: &[Judged]) {
    accept_all(&mut store(folder, samples_per_shard), pairs);
}

/// Names in the folder, those of the journal, the lock and tables left out.
fn listing(folder: &Path) -> Vec<String> {
    let names = super::listing(folder).into_iter();
    let is_shard = |name: &String| {
        !name.starts_with("journal/") && name != ".pairgate.lock" && !name.ends_with(".parquet")
    };
    names.filter(is_shard).collect()
}

fn entries(tar: &Path) -> Files {
    let mut archive = tar::Archive::new(fs::File::open(tar).unwrap());
    let read = |entry: io::Result<tar::Entry<'_, fs::File>>| {
        let mut entry = entry.unwrap();
        let name = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
        let mut data = Vec::new();
        entry.read_to_end(&mut data).unwrap();
        (name, data)
    };
    archive.entries().unwrap().map(read).collect()
}

/// Samples as WebDataset's readers form them: neighbours whose names are equal up to the first
/// dot of the base name, names like `__x__` skipped, two members of one name refused.
fn samples(tar: &Path) -> Vec<(String, Files)> {
    let mut samples: Vec<(String, Files)> = Vec::new();
    for (name, data) in entries(tar) {
        let base = name.rfind('/').map_or(0, |slash| slash + 1);
        let dot = base + name[base..].find('.').expect("a name without an extension is skipped");
        let (key, extension) = (name[..dot].to_owned(), name[dot + 1..].to_owned());
        let first = name.split('/').next().unwrap();
        let skipped = first.len() >= 4 && first.starts_with("__") && first.ends_with("__");
        assert!(!skipped, "{name} is skipped");
        match samples.last_mut().filter(|(last, _)| *last == key) {
            Some((_, files)) => {
                assert!(files.iter().all(|(other, _)| *other != extension), "{name} comes twice");
                files.push((extension, data));
            }
            None => samples.push((key, vec![(extension, data)])),
        }
    }
    samples
}

fn stats(folder: &Path, shard: usize) -> serde_json::Value {
    let text = fs::read(folder.join(format!("{shard:05}_stats.json"))).unwrap();
    serde_json::from_slice(&text).unwrap()
}

#[test]
fn shards_hold_what_is_kept_in_groups_of_n() {
    let folder = tempdir().unwrap();
    let mut pairs: Vec<Judged> = (0..7).map(|n| kept(&format!("{n:09}"))).collect();
    pairs.insert(2, rejected("bad"));
    pairs.push(judged("torn", Verdict::Failed, Reason::ArchiveTorn));
    write_shards(folder.path(), 3, &pairs);
    let names = ["00000.tar", "00000_stats.json", "00001.tar", "00001_stats.json", "00002.tar"];
    assert_eq!(listing(folder.path())[..5], names);
    assert_eq!(listing(folder.path())[5..], ["00002_stats.json"]);
    let keys = |shard: &str| -> Vec<String> {
        samples(&folder.path().join(shard)).into_iter().map(|(key, _)| key).collect()
    };
    assert_eq!(keys("00000.tar"), ["000000000", "000000001", "000000002"]);
    assert_eq!(keys("00001.tar"), ["000000003", "000000004", "000000005"]);
    assert_eq!(keys("00002.tar"), ["000000006"]);
}

#[test]
fn nothing_kept_gives_no_shard() {
    let folder = tempdir().unwrap();
    write_shards(folder.path(), 3, &[rejected("a"), rejected("b")]);
    assert_eq!(listing(folder.path()), [""; 0]);
}

#[test]
fn members_are_carried_unchanged_and_in_order() {
    let folder = tempdir().unwrap();
    let big: Vec<u8> = (0..3 << 20).map(|n: u32| (n % 251) as u8).collect();
    let mut pair = kept("000000000");
    let members = [("txt", &b"caption"[..]), ("jpg", &big), ("json", b""), ("seg.png", &[0; 512])];
    pair.sample.members = members.iter().map(|(name, data)| member(name, data)).collect();
    write_shards(folder.path(), 10, &[pair]);
    let read = samples(&folder.path().join("00000.tar"));
    let expected = members.iter().map(|(name, data)| (name.to_string(), data.to_vec())).collect();
    assert_eq!(read, [("000000000".to_owned(), expected)]);
}

#[test]
fn two_runs_give_the_same_bytes() {
    let pairs: Vec<Judged> = (0..20).map(|n| kept(&format!("{}/{n}", "d".repeat(150)))).collect();
    let run = || {
        let folder = tempdir().unwrap();
        write_shards(folder.path(), 8, &pairs);
        ["00000.tar", "00001.tar", "00002.tar"]
            .map(|tar| fs::read(folder.path().join(tar)).unwrap())
    };
    assert_eq!(run(), run());
}

#[test]
fn headers_tell_nothing_of_the_run() {
    let folder = tempdir().unwrap();
    write_shards(folder.path(), 8, &[kept("a")]);
    let mut archive = tar::Archive::new(fs::File::open(folder.path().join("00000.tar")).unwrap());
    for entry in archive.entries().unwrap() {
        let header = entry.unwrap().header().clone();
        assert_eq!(header.mtime().unwrap(), 0);
        assert_eq!(header.mode().unwrap(), 0o644);
        assert_eq!((header.uid().unwrap(), header.gid().unwrap()), (0, 0));
        assert_eq!(header.username_bytes().unwrap_or_default(), b"");
        assert_eq!(header.groupname_bytes().unwrap_or_default(), b"");
    }
}

#[test]
fn hostile_and_equal_keys_stay_apart() {
    let long = "x".repeat(5000);
    let deep = "d/".repeat(2500) + "end";
    let keys = [
        "000000000",
        "000000000",
        "000000000_2",
        "000000000",
        "../../etc/passwd",
        "/etc/passwd",
        "etc/passwd",
        "a.b/c.d",
        "a.b/c_d",
        "__x__",
        "__x__/y",
        "y/__x__",
        "日本語/ключ",
        "",
        "/",
        "..",
        "sample",
        "a\0b\nc\\d",
        "_",
        "____",
        &long,
        &deep,
        "e/",
        "e",
        "c:/windows",
        " ",
        "f_2",
        "f",
        "f",
    ];
    let folder = tempdir().unwrap();
    let pairs: Vec<Judged> = keys.iter().map(|key| kept(key)).collect();
    write_shards(folder.path(), 1000, &pairs);
    let read = samples(&folder.path().join("00000.tar"));
    assert_eq!(read.len(), keys.len());
    let mut seen = BTreeSet::new();
    for (pair, (key, files)) in pairs.iter().zip(&read) {
        assert!(seen.insert(key.clone()), "{key} comes twice");
        assert!(key.len() <= MAX_KEY + 8);
        assert_eq!(files[0], ("jpg".to_owned(), pair.sample.key.as_bytes().to_vec()));
        assert_eq!(files[1], ("txt".to_owned(), b"a caption".to_vec()));
    }
    let names: Vec<&str> = read.iter().map(|(key, _)| key.as_str()).take(12).collect();
    let expected = [
        "000000000",
        "000000000_2",
        "000000000_2_2",
        "000000000_3",
        "etc/passwd",
        "etc/passwd_2",
        "etc/passwd_3",
        "a.b/c_d",
        "a.b/c_d_2",
        "_x",
        "_x/y",
        "y/_x",
    ];
    assert_eq!(names, expected);
    // They can be unpacked by a tool that trusts them, and all files stay below the folder.
    let out = tempdir().unwrap();
    let tar = fs::File::open(folder.path().join("00000.tar")).unwrap();
    tar::Archive::new(tar).unpack(out.path()).unwrap();
    assert_eq!(tree(out.path()).len(), 2 * keys.len());
}

/// The next shard may use the key of this one.
#[test]
fn keys_need_not_differ_between_shards() {
    let folder = tempdir().unwrap();
    write_shards(folder.path(), 1, &[kept("a"), kept("a")]);
    assert_eq!(samples(&folder.path().join("00001.tar"))[0].0, "a");
}

#[test]
fn members_of_one_name_are_numbered() {
    let folder = tempdir().unwrap();
    let mut pair = kept("a");
    let extensions = ["jpg", "JPG", "", "a/b", "x\0", "jpg_2", "y__", &"z".repeat(500)];
    pair.sample.members = extensions.iter().map(|name| member(name, name.as_bytes())).collect();
    pair.sample.key = "__a".into();
    write_shards(folder.path(), 1, &[pair]);
    let (_, files) = &samples(&folder.path().join("00000.tar"))[0];
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names[..7], ["jpg", "jpg_2", "bin", "a_b", "x_", "jpg_2_2", "y__x"]);
    assert!(names[7].len() < 80);
    assert!(files.iter().zip(extensions).all(|((_, data), name)| data == name.as_bytes()));
}

#[test]
fn statistics_are_img2datasets_and_count_every_pair() {
    let folder = tempdir().unwrap();
    let before = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
    let failed = judged("f", Verdict::Failed, Reason::Undecodable);
    let mut empty = judged("e", Verdict::Kept, Reason::ImageMissing);
    empty.sample.members.clear();
    let unsure = judged("u", Verdict::Kept, Reason::Undecodable);
    let pairs =
        [rejected("r"), kept("a"), failed, unsure, rejected("s"), kept("b"), empty, rejected("t")];
    write_shards(folder.path(), 2, &pairs);
    let first = stats(folder.path(), 0);
    let keys: Vec<&str> = first.as_object().unwrap().keys().map(String::as_str).collect();
    let mut expected = [
        "count",
        "successes",
        "failed_to_download",
        "failed_to_resize",
        "duration",
        "start_time",
        "end_time",
        "status_dict",
    ];
    expected.sort_unstable();
    assert_eq!(keys, expected);
    assert_eq!(first["count"], 5);
    assert_eq!(first["successes"], 2);
    assert_eq!(first["failed_to_download"], 1);
    assert_eq!(first["failed_to_resize"], 2);
    let statuses = serde_json::json!({"success": 2, "low_similarity": 2, "undecodable": 1});
    assert_eq!(first["status_dict"], statuses);
    let second = stats(folder.path(), 1);
    let statuses = serde_json::json!({"success": 1, "low_similarity": 1, "no_members": 1});
    assert_eq!(second["status_dict"], statuses);
    assert_eq!(second["count"], 3);
    let [start, end] = ["start_time", "end_time"].map(|key| first[key].as_f64().unwrap());
    assert!(before <= start && start <= end && end < before + 60.0);
    assert!(second["start_time"].as_f64().unwrap() >= end);
}

/// The statistics mark a shard as complete, so they must not come before it.
#[test]
fn statistics_come_after_their_shard() {
    let folder = tempdir().unwrap();
    let mut sink = store(folder.path(), 2);
    fs::create_dir(folder.path().join(".00000_stats.json.partial")).unwrap();
    sink.accept(&kept("a")).unwrap();
    let error = sink.finish(RunEnd::Complete).unwrap_err();
    assert!(to(&error).ends_with(".00000_stats.json.partial"), "{error}");
    assert_eq!(samples(&folder.path().join("00000.tar")).len(), 1);

    let folder = tempdir().unwrap();
    let mut sink = store(folder.path(), 2);
    sink.accept(&kept("a")).unwrap();
    fs::write(folder.path().join("00000.tar"), "somebody else's").unwrap();
    let error = sink.finish(RunEnd::Complete).unwrap_err();
    assert!(to(&error).ends_with("00000.tar"), "{error}");
    assert_eq!(listing(folder.path()), [".00000.tar.partial", "00000.tar"]);
    assert_eq!(fs::read(folder.path().join("00000.tar")).unwrap(), b"somebody else's");
}

/// A shard that is full is not given its name before the next kept pair, but then at once.
#[test]
fn full_shards_are_published_while_the_run_goes_on() {
    let folder = tempdir().unwrap();
    let mut sink = store(folder.path(), 1);
    sink.accept(&kept("a")).unwrap();
    assert_eq!(listing(folder.path()), [".00000.tar.partial"]);
    sink.accept(&kept("b")).unwrap();
    let names = [".00001.tar.partial", "00000.tar", "00000_stats.json"];
    assert_eq!(listing(folder.path()), names);
    drop(sink);
    assert_eq!(listing(folder.path()), names, "dropped without finish");
}

#[test]
fn failed_shard_never_gets_its_name() {
    let folder = tempdir().unwrap();
    let mut sink = store(folder.path(), 2);
    fs::create_dir(folder.path().join(".00000.tar.partial")).unwrap();
    let error = sink.accept(&kept("a")).unwrap_err();
    assert!(to(&error).ends_with(".00000.tar.partial"), "{error}");
    fs::remove_dir(folder.path().join(".00000.tar.partial")).unwrap();
    sink.accept(&kept("a")).unwrap_err();
    sink.finish(RunEnd::Complete).unwrap();
    assert_eq!(listing(folder.path()), [""; 0], "a failed write is final");
}

fn hostile_text() -> impl Strategy<Value = String> {
    let part = proptest::sample::select(
        &["a", "b", ".", "..", "/", "__", "_", "_2", "\\", "\0", "\n", "é", "\u{85}", "X", "-"][..],
    );
    proptest::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_samples_are_read_back_once_each(
        named in proptest::collection::vec(
            (hostile_text(), proptest::collection::vec(hostile_text(), 1..4)), 1..30),
    ) {
        let folder = tempdir().unwrap();
        let mut pairs = Vec::new();
        for (number, (key, extensions)) in named.iter().enumerate() {
            let mut pair = kept(key);
            let data = |place: usize| format!("{number} {place}").into_bytes();
            let members = extensions.iter().enumerate();
            pair.sample.members = members.map(|(place, e)| member(e, &data(place))).collect();
            pairs.push(pair);
        }
        write_shards(folder.path(), 1000, &pairs);
        let read = samples(&folder.path().join("00000.tar"));
        prop_assert_eq!(read.len(), pairs.len());
        let keys: BTreeSet<&String> = read.iter().map(|(key, _)| key).collect();
        prop_assert_eq!(keys.len(), pairs.len());
        for (pair, (key, files)) in pairs.iter().zip(&read) {
            prop_assert!(key.split('/').all(|part| !matches!(part, "" | "." | "..")), "{}", key);
            prop_assert!(!key.contains(|c: char| c.is_control() || c == '\\'), "{}", key);
            let written = pair.sample.members.iter().map(|member| &member.data);
            prop_assert!(written.eq(files.iter().map(|(_, data)| data)));
        }
    }

    #[test]
    fn names_are_safe_and_stay_so(
        text in prop_oneof![".{0,300}", hostile_text()],
        repeat in 1_usize..30,
    ) {
        let text = text.repeat(repeat);
        let key = safe_key(&text);
        prop_assert!(!key.is_empty() && key.len() <= MAX_KEY);
        prop_assert!(key.split('/').all(|part| part.len() <= 176));
        prop_assert_eq!(safe_key(&key), key.as_str(), "a safe key is not changed");
        let flat = flat_key(&text);
        prop_assert!(!flat.contains(['/', '.']) && flat.len() <= 176);
        let extension = safe_extension(&text);
        prop_assert_eq!(safe_extension(&extension), extension.as_str());
        prop_assert!(!extension.is_empty() && !extension.contains('/') && extension.len() <= 64);
    }
}
