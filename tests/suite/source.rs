//! Sources: what becomes a sample, and what happens where the input is not what it should be.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use pairgate::disk::IoError;
use pairgate::source::capture::CaptureSource;
use pairgate::source::folder::FolderSource;
use pairgate::source::manifest::ManifestSource;
use pairgate::source::tar::TarSource;
use pairgate::source::{Inputs, Member, Metadata, Sample, Source};
use pairgate_core::config::SampleLimits;
use pairgate_core::decision::Reason;
use pairgate_core::pair::{Digest, Size, Uid};
use pairgate_core::ring::Ring;
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};
use tar::{Builder, EntryType, Header};
use tempfile::TempDir;

const LIMITS: SampleLimits = SampleLimits { max_sample_bytes: 4096, max_caption_bytes: 1024 };

/// A tar with end blocks.
fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (path, data) in files {
        append(&mut builder, EntryType::Regular, path, data);
    }
    builder.into_inner().unwrap()
}

fn append(builder: &mut Builder<Vec<u8>>, kind: EntryType, path: &str, data: &[u8]) {
    let mut header = Header::new_ustar();
    header.set_size(data.len() as u64);
    header.set_entry_type(kind);
    header.set_mode(0o644);
    // Past the crate's own checks, which refuse absolute paths and `..`.
    header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
    header.set_cksum();
    builder.append(&header, data).unwrap();
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn read_all(source: &mut dyn Source) -> Vec<Sample> {
    std::iter::from_fn(|| source.next().unwrap()).collect()
}

fn read_tar(bytes: &[u8]) -> Vec<Sample> {
    read_all(&mut TarSource::new(bytes, "s.tar", LIMITS))
}

fn read_folder(folder: &Path) -> Vec<Sample> {
    read_all(&mut FolderSource::new(folder, LIMITS))
}

fn read_manifest(folder: &Path, text: &[u8]) -> Vec<Sample> {
    read_all(&mut ManifestSource::new(text, "m.jsonl", folder, LIMITS))
}

/// Key, members and fault in one line, such as `a: jpg=4 txt=3 !archive_torn`.
fn line(sample: &Sample) -> String {
    let mut line = format!("{}:", sample.key);
    for member in &sample.members {
        line += &format!(" {}={}", member.extension, member.data.len());
    }
    if let Some(fault) = sample.fault {
        line += &format!(" !{fault}");
    }
    line
}

fn lines(samples: &[Sample]) -> Vec<String> {
    samples.iter().map(line).collect()
}

fn sample(members: &[(&str, &str)]) -> Sample {
    let member = |&(extension, data): &(&str, &str)| Member {
        extension: extension.into(),
        data: data.into(),
    };
    let members = members.iter().map(member).collect();
    Sample { shard: "s".into(), key: "k".into(), members, fault: None }
}

fn caption(sample: &Sample) -> Option<String> {
    let metadata = sample.metadata();
    let caption = sample.pair(&metadata).caption?;
    Some(String::from_utf8(caption.to_vec()).unwrap())
}

fn fault(sample: &Sample) -> Option<Reason> {
    sample.pair(&sample.metadata()).fault
}

/// A folder with these files; a name that ends in `/` is a folder.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, data) in files {
        let path = folder.path().join(name);
        if name.ends_with('/') {
            fs::create_dir_all(path).unwrap();
        } else {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, data).unwrap();
        }
    }
    folder
}

// The sample: caption, metadata, image.

#[test]
fn the_caption_is_the_text_member_before_the_metadata() {
    let json = ("json", r#"{"caption": "from json", "text": "second"}"#);
    assert_eq!(caption(&sample(&[json, ("txt", "from txt\n")])).unwrap(), "from txt\n");
    assert_eq!(caption(&sample(&[json, ("caption", "c"), ("text", "t")])).unwrap(), "t");
    assert_eq!(caption(&sample(&[json, ("caption", "c")])).unwrap(), "c");
    assert_eq!(caption(&sample(&[json])).unwrap(), "from json");
    assert_eq!(caption(&sample(&[("json", r#"{"text": "t", "caption": null}"#)])).unwrap(), "t");
    assert_eq!(caption(&sample(&[("json", r#"{"caption": 5}"#)])), None);
    assert_eq!(caption(&sample(&[("txt", ""), json])).unwrap(), "");
    assert_eq!(caption(&sample(&[("jpg", "x")])), None);
}

#[test]
fn a_byte_order_mark_is_not_part_of_the_caption_and_stays_in_the_member() {
    let marked = sample(&[("txt", "\u{feff}a dog"), ("json", "\u{feff}{\"text\": \"b\"}")]);
    assert_eq!(caption(&marked).unwrap(), "a dog");
    assert_eq!(marked.metadata().caption.unwrap(), "b");
    assert_eq!(marked.members[0].data, "\u{feff}a dog".as_bytes());
}

#[test]
fn metadata_give_uid_and_original_size() {
    let uid = "00112233445566778899aabbccddeeff";
    let parse = |json: &str| Metadata::parse(json.as_bytes());
    let full = parse(&format!(
        r#"{{"x": [1, {{}}], "uid": "{uid}", "original_width": 640, "original_height": 480.0}}"#
    ));
    assert_eq!(full.uid.unwrap().to_string(), uid);
    assert_eq!(full.original_size, Some(Size::new(640, 480)));
    for (width, height) in
        [("0", "5"), ("-1", "5"), ("5", "null"), ("1.5", "5"), ("\"5\"", "5"), ("4294967296", "5")]
    {
        let json = format!(r#"{{"original_width": {width}, "original_height": {height}}}"#);
        assert_eq!(parse(&json).original_size, None, "{json}");
    }
    let unread = Some("uid");
    assert_eq!(parse(r#"{"uid": "123"}"#), Metadata { unread, ..Metadata::default() });
    assert_eq!(parse(r#"{"original_width": "5"}"#).unread, Some("original_width"));
    let twice = parse(r#"{"caption": "a", "caption": "b"}"#);
    assert_eq!(twice.caption.as_deref(), Some("b"), "the last one counts, as in Python");
}

/// pandas columns with gaps reach the `.json` members of img2dataset as `NaN`.
#[test]
fn pythons_non_numbers_do_not_break_metadata() {
    let json =
        br#"{"similarity": NaN, "a": [-Infinity, Infinity], "caption": "\"NaN\\", "n": NaN}"#;
    let metadata = Metadata::parse(json);
    assert!(!metadata.invalid);
    assert_eq!(metadata.caption.unwrap(), "\"NaN\\");
}

#[test]
fn broken_metadata_are_a_fault_only_without_a_caption_beside_them() {
    let deep = "[".repeat(200_000);
    let deep_caption = format!(r#"{{"caption": {deep}"#);
    let deep_other = format!(r#"{{"other": {deep}"#);
    for json in ["", "{", "[]", "3", "{} {}", "NaN", &deep, &deep_caption, &deep_other] {
        assert_eq!(fault(&sample(&[("json", json)])), Some(Reason::MetadataInvalid), "{json:.20}");
        assert_eq!(fault(&sample(&[("json", json), ("txt", "t")])), None);
    }
    let mut latin1 = sample(&[("json", "")]);
    latin1.members[0].data = b"{\"x\": \"\xe9\"}".to_vec();
    assert_eq!(fault(&latin1), Some(Reason::MetadataInvalid));
    latin1.fault = Some(Reason::ArchiveTorn);
    assert_eq!(fault(&latin1), Some(Reason::ArchiveTorn), "the source's fault goes first");
}

#[test]
fn the_image_is_the_first_one_with_a_plain_extension() {
    let image = |members| sample(members).image().map(<[u8]>::to_vec);
    assert_eq!(image(&[("seg.png", "s"), ("webp", "w"), ("jpg", "j")]).unwrap(), b"w");
    assert_eq!(image(&[("txt", "t"), ("seg.png", "s")]).unwrap(), b"s");
    assert_eq!(image(&[("png.txt", "t"), ("npy", "n")]), None);
    // Those that are read go before those that are not.
    assert_eq!(image(&[("heic", "h"), ("seg.png", "s")]).unwrap(), b"s");
    assert_eq!(image(&[("svg", "v"), ("txt", "t")]).unwrap(), b"v");
}

#[test]
fn the_uid_is_the_metadatas_or_made_from_image_and_caption() {
    let content = Digest([7; 32]);
    let plain = sample(&[("jpg", "x"), ("txt", "\u{feff}a dog")]);
    let hash = Sha256::digest([&[7; 32], &b"a dog"[..]].concat());
    assert_eq!(plain.uid(&plain.metadata(), content).0, hash[..16]);
    let known = sample(&[("json", r#"{"uid": "000102030405060708090a0b0c0d0e0f", "text": "t"}"#)]);
    assert_eq!(known.uid(&known.metadata(), content), Uid(std::array::from_fn(|i| i as u8)));
    assert_eq!(plain.bytes(), 9);
}

// Shards.

#[test]
fn members_with_a_common_key_are_a_sample() {
    let samples = read_tar(&tar(&[
        ("d.x/a.jpg", b"1234"),
        ("d.x/a.TXT", b"abc"),
        ("d.x/a.seg.PNG", b"1"),
        ("b.jpg", b"12"),
        ("d.x/a.cls", b"1"),
        ("/abs/../c.jpg", b""),
        ("./d.jpg", b""),
        ("e.", b"1"),
    ]));
    let expected = [
        "d.x/a: jpg=4 txt=3 seg.png=1",
        "b: jpg=2",
        "d.x/a: cls=1",
        "/abs/../c: jpg=0",
        "./d: jpg=0",
        "e: =1",
    ];
    assert_eq!(lines(&samples), expected);
    assert_eq!(&*samples[0].shard, "s.tar");
    assert_eq!(samples[0].members[0].data, b"1234");
}

#[test]
fn entries_that_are_no_members_are_passed_over() {
    let mut builder = Builder::new(Vec::new());
    append(&mut builder, EntryType::Regular, "a.jpg", b"1");
    for name in ["README", "d.x/file", ".jpg", "x/.hidden.jpg", "__meta.json__", "d/__x.y__"] {
        append(&mut builder, EntryType::Regular, name, b"1");
    }
    append(&mut builder, EntryType::Directory, "dir.jpg/", b"");
    append(&mut builder, EntryType::Symlink, "link.jpg", b"");
    append(&mut builder, EntryType::Fifo, "fifo.jpg", b"");
    append(&mut builder, EntryType::new(b'V'), "label.jpg", b"data to skip");
    append(&mut builder, EntryType::Continuous, "a.txt", b"22");
    assert_eq!(lines(&read_tar(&builder.into_inner().unwrap())), ["a: jpg=1 txt=2"]);
}

#[test]
fn long_names_are_read_in_both_ways_of_writing_them() {
    let long = format!("{}/{}", "d".repeat(150), "n".repeat(120));
    let mut builder = Builder::new(Vec::new());
    let mut header = Header::new_gnu();
    header.set_size(1);
    builder.append_data(&mut header, format!("{long}.jpg"), &b"1"[..]).unwrap();
    // PAX: a value with a newline in it, then a path, and a size that goes before the header's.
    let path = format!("{long}.txt");
    let records = [("comment", b"a\nb".as_slice()), ("path", path.as_bytes()), ("size", b"2")];
    builder.append_pax_extensions(records).unwrap();
    let mut header = Header::new_ustar();
    header.set_size(0);
    header.set_cksum();
    builder.append(&header, &b"22"[..]).unwrap();
    append(&mut builder, EntryType::Regular, "b.jpg", b"1");
    let samples = read_tar(&builder.into_inner().unwrap());
    assert_eq!(lines(&samples), [format!("{long}: jpg=1 txt=2"), "b: jpg=1".into()]);
}

#[test]
fn names_that_are_not_utf8_are_read_with_a_stand_in() {
    let mut builder = Builder::new(Vec::new());
    let mut header = Header::new_ustar();
    header.as_mut_bytes()[..6].copy_from_slice(b"\xff\xfe.jpg");
    header.set_size(1);
    header.set_cksum();
    builder.append(&header, &b"1"[..]).unwrap();
    let samples = read_tar(&builder.into_inner().unwrap());
    assert_eq!(lines(&samples), ["\u{fffd}\u{fffd}: jpg=1"]);
}

/// GNU tar's `--sparse` writes a map of the file's holes in front of its data, or in its header.
#[test]
fn a_sparse_file_is_a_fault_and_not_lost_unseen() {
    let mut builder = Builder::new(Vec::new());
    let records = [("GNU.sparse.major", b"1".as_slice()), ("GNU.sparse.name", b"a.jpg")];
    builder.append_pax_extensions(records).unwrap();
    append(&mut builder, EntryType::Regular, "GNUSparseFile.0/a.jpg", &[b'0'; 700]);
    append(&mut builder, EntryType::Regular, "a.txt", b"1");
    // The older way, with a map that goes on in a block of its own.
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::GNUSparse);
    header.set_path("b.jpg").unwrap();
    header.as_mut_bytes()[482] = 1;
    header.set_size(700);
    header.set_cksum();
    builder.append(&header, &[1; 512 + 700][..]).unwrap();
    append(&mut builder, EntryType::Regular, "b.txt", b"1");
    let mut bytes = builder.into_inner().unwrap();
    // The last byte of the map's block says that it is the last.
    let map = bytes.windows(5).position(|name| name == b"b.jpg").unwrap() + 512;
    bytes[map..map + 512].fill(0);
    let expected = ["a: txt=1 !image_missing", "b: txt=1 !image_missing"];
    assert_eq!(lines(&read_tar(&bytes)), expected);
}

#[test]
fn gzip_is_told_by_its_bytes_and_may_have_several_members() {
    let files: Vec<_> = (0..20).map(|i| format!("{i:03}.jpg")).collect();
    let files: Vec<_> = files.iter().map(|name| (name.as_str(), &[5; 700][..])).collect();
    let plain = tar(&files);
    let (front, back) = plain.split_at(3000);
    let several = [gzip(front), gzip(back)].concat();
    let padded = [gzip(&plain), vec![0; 512]].concat();
    for packed in [gzip(&plain), several, padded] {
        assert_eq!(read_tar(&packed), read_tar(&plain));
    }
}

#[test]
fn a_changed_byte_in_a_gzipped_shard_is_noticed() {
    let noise: Vec<_> =
        (0..3000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut packed = gzip(&tar(&[("a.jpg", &noise)]));
    // In the checksum at the end, as the data's own damage may unpack without an error.
    let end = packed.len() - 6;
    packed[end] ^= 1;
    assert_eq!(lines(&read_tar(&packed)), ["a: jpg=3000", ": !archive_torn"]);
}

#[test]
fn an_archive_may_end_without_its_end_blocks() {
    let bytes = tar(&[("a.jpg", b"1"), ("b.jpg", b"2")]);
    assert_eq!(lines(&read_tar(&bytes[..2048])), ["a: jpg=1", "b: jpg=1"]);
    assert_eq!(lines(&read_tar(&bytes[..2048 + 512])), ["a: jpg=1", "b: jpg=1"]);
}

#[test]
fn a_torn_archive_gives_what_is_before_the_damage() {
    let bytes = tar(&[("a.jpg", b"1"), ("b.jpg", b"2"), ("b.txt", &[3; 600])]);
    let cut = |at| lines(&read_tar(&bytes[..at]));
    let torn = |last: &str| vec!["a: jpg=1".to_owned(), format!("{last} !archive_torn")];
    assert_eq!(cut(0), [": !archive_torn"]);
    assert_eq!(cut(100), [": !archive_torn"]);
    assert_eq!(cut(1024 + 100), ["a: jpg=1 !archive_torn"]);
    assert_eq!(cut(1536), torn("b:"));
    assert_eq!(cut(2048 + 100), torn("b: jpg=1"), "within a header");
    assert_eq!(cut(2048 + 512 + 599), torn("b: jpg=1"), "a partial member is not kept");
    assert_eq!(cut(2048 + 512 + 600), torn("b: jpg=1 txt=600"), "within the padding");
    let mut garbage = bytes.clone();
    garbage[2048..2148].fill(0xa5);
    assert_eq!(lines(&read_tar(&garbage)), torn("b: jpg=1"));
}

#[test]
fn sizes_that_headers_claim_are_not_believed() {
    let mut bytes = tar(&[("a.jpg", b"1")]);
    let header = Header::from_byte_slice(&bytes[..512]).clone();
    for size in [3000, 1 << 40, u64::MAX, u64::MAX - 512] {
        let mut header = header.clone();
        header.set_size(size);
        header.set_cksum();
        bytes.splice(..512, header.as_bytes().iter().copied());
        let samples = read_tar(&bytes);
        assert_eq!(samples.last().unwrap().fault, Some(Reason::ArchiveTorn), "{size}");
        assert_eq!(samples.len(), 1);
    }
}

#[test]
fn a_sample_above_the_limit_is_not_kept_in_memory() {
    let samples = read_tar(&tar(&[
        ("a.jpg", &[1; 4000]),
        ("a.txt", &[1; 96]),
        ("b.jpg", &[1; 4000]),
        ("b.txt", &[1; 97]),
        ("b.cls", b"1"),
        ("c.jpg", b"1"),
    ]));
    let expected = ["a: jpg=4000 txt=96", "b: jpg=4000 !sample_too_large", "c: jpg=1"];
    assert_eq!(lines(&samples), expected);
}

#[test]
fn a_sample_has_a_bounded_number_of_members() {
    let names: Vec<_> = (0..1030).map(|i| format!("a.{i}")).collect();
    let files: Vec<_> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
    let samples = read_tar(&tar(&files));
    assert_eq!((samples.len(), samples[0].members.len()), (1, 1024));
    assert_eq!(samples[0].fault, Some(Reason::SampleTooLarge));
}

#[test]
fn a_member_that_comes_twice_is_a_fault() {
    let samples = read_tar(&tar(&[("a.jpg", b"1"), ("a.JPG", b"22"), ("a.txt", b"333")]));
    assert_eq!(lines(&samples), ["a: jpg=1 txt=3 !duplicate_member"]);
    assert_eq!(samples[0].members[0].data, b"1");
}

/// Gives its bytes a few at a time.
struct Slow<'a>(&'a [u8]);

impl Read for Slow<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = buffer.len().min(5);
        self.0.read(&mut buffer[..n])
    }
}

/// Gives its bytes a few at a time, and then an error of the system's.
struct Failing<'a>(&'a [u8]);

impl Read for Failing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = buffer.len().min(7);
        match self.0.read(&mut buffer[..n])? {
            0 => Err(io::Error::from_raw_os_error(5)),
            n => Ok(n),
        }
    }
}

#[test]
fn a_failing_disk_is_an_error_and_not_a_torn_archive() {
    let bytes = tar(&[("a.jpg", b"1"), ("b.jpg", b"2")]);
    let mut source = TarSource::new(Failing(&bytes[..1600]), "s.tar", LIMITS);
    assert_eq!(line(&source.next().unwrap().unwrap()), "a: jpg=1");
    let Err(IoError::Read { from, why }) = source.next() else { panic!("no error") };
    assert_eq!((from.as_str(), why.raw_os_error()), ("s.tar", Some(5)));
    assert_eq!(source.next().unwrap(), None);
}

fn shard() -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for i in 0..4 {
        builder.append_pax_extensions([("path", format!("p/{i}.jpg").as_bytes())]).unwrap();
        append(&mut builder, EntryType::Regular, "x", &[i; 300]);
        append(&mut builder, EntryType::Regular, &format!("p/{i}.txt"), b"a caption");
    }
    builder.into_inner().unwrap()
}

/// Bytes of one sample of [`shard`]: three headers and three blocks of data.
const SAMPLE: usize = 6 * 512;

proptest! {
    #[test]
    fn damage_spoils_only_what_follows_it(
        at in 0..4 * SAMPLE,
        patch in prop::collection::vec(any::<u8>(), 1..600),
        cut in any::<bool>(),
    ) {
        let sound = shard();
        let mut bytes = sound.clone();
        if cut {
            bytes.truncate(at);
        } else {
            let end = bytes.len().min(at + patch.len());
            bytes[at..end].copy_from_slice(&patch[..end - at]);
        }
        let (sound, damaged) = (read_tar(&sound), read_tar(&bytes));
        // The last sample that ends before the damage is the pending one when it is met.
        let intact = (at / SAMPLE).saturating_sub(1);
        prop_assert_eq!(&damaged[..intact], &sound[..intact]);
        prop_assert!(damaged.len() <= bytes.len() / 512 + 1);
        for sample in &damaged[..damaged.len().saturating_sub(1)] {
            prop_assert_ne!(sample.fault, Some(Reason::ArchiveTorn));
        }
    }

    #[test]
    fn damaged_gzip_never_panics(at in 0_usize..10_000, byte in any::<u8>(), cut in any::<bool>()) {
        let mut packed = gzip(&shard());
        let at = at % packed.len();
        packed[at] = byte;
        packed.truncate(if cut { at } else { packed.len() });
        let samples = read_tar(&packed);
        prop_assert!(samples.len() < 100);
        // What comes in small pieces is cut off at the same place.
        prop_assert_eq!(read_all(&mut TarSource::new(Slow(&packed), "s.tar", LIMITS)), samples);
    }

    #[test]
    fn any_bytes_end(bytes in prop::collection::vec(any::<u8>(), 0..3000)) {
        prop_assert!(read_tar(&bytes).len() < 10);
        let folder = Path::new("nowhere");
        prop_assert!(read_manifest(folder, &bytes).len() <= bytes.len());
        Metadata::parse(&bytes);
    }

    #[test]
    fn captions_survive_pythons_way_of_writing(caption in ".*") {
        let json = serde_json::json!({ "caption": caption }).to_string();
        let spoilt = json.replacen('{', "{\"x\": NaN, ", 1);
        prop_assert_eq!(Metadata::parse(spoilt.as_bytes()).caption, Some(caption));
    }
}

// Folders.

#[test]
fn files_of_one_name_are_a_sample() {
    let folder = folder(&[
        ("a.jpg", "1234"),
        ("a.txt", "abc"),
        ("a.json", "{}"),
        ("a.npy", "1"),
        ("a b.jpg", "1"),
        ("a b.txt", "2"),
        ("a-b.JPG", "1"),
        ("a-b.TXT", "2"),
        ("a.b.jpg", "1"),
        ("a.b.txt", "2"),
        ("a", "no extension"),
        ("README.txt", "belongs to nothing"),
        (".hidden.jpg", "1"),
        (".hidden/c.jpg", "1"),
        ("sub.d/c.png", "1"),
        ("Zsub/c.png", "1"),
    ]);
    let samples = read_folder(folder.path());
    let expected = [
        "a: jpg=4 json=2 npy=1 txt=3",
        "a b: jpg=1 txt=1",
        "a-b: jpg=1 txt=1",
        "a_b: jpg=1 txt=1",
        "Zsub/c: png=1",
        "sub.d/c: png=1",
    ];
    assert_eq!(lines(&samples), expected);
    assert_eq!(*samples[0].shard, *folder.path().to_string_lossy());
}

#[test]
fn no_two_samples_of_a_folder_have_the_same_key() {
    let folder = folder(&[
        ("a.jpg", "1"),
        ("a.png", "22"),
        ("a.txt", "333"),
        ("a.b.jpg", "1"),
        ("a_b.jpg", "22"),
        ("a_png.jpg", "333"),
    ]);
    let expected =
        ["a: jpg=1 txt=3", "a_png: png=2 txt=3", "a_b: jpg=1", "a_b_2: jpg=2", "a_png_2: jpg=3"];
    assert_eq!(lines(&read_folder(folder.path())), expected);
}

#[test]
fn shards_in_a_folder_are_read_in_their_place() {
    let folder = folder(&[("a.jpg", "1"), ("c.jpg", "1"), ("d.tar.gz/e.jpg", "1")]);
    let path = folder.path().join("b.tar");
    fs::write(&path, tar(&[("x.jpg", b"1"), ("y.jpg", b"1")])).unwrap();
    fs::write(folder.path().join("b.tar.gz"), gzip(&tar(&[("z.jpg", b"1")]))).unwrap();
    fs::write(folder.path().join("bad.tgz"), "").unwrap();
    let samples = read_folder(folder.path());
    let expected = [
        "a: jpg=1",
        "x: jpg=1",
        "y: jpg=1",
        "z: jpg=1",
        ": !archive_torn",
        "c: jpg=1",
        "d.tar.gz/e: jpg=1",
    ];
    assert_eq!(lines(&samples), expected);
    assert_eq!(*samples[1].shard, *path.to_string_lossy());
}

#[test]
fn what_cannot_be_read_in_a_folder_is_a_fault() {
    let big = "x".repeat(4097);
    let folder = folder(&[("big.jpg", &big), ("dir.jpg/in.png", "1"), ("grown.jpg", "1")]);
    fs::write(folder.path().join("grown.txt"), &big[..4096]).unwrap();
    let expected = [
        "big: !sample_too_large",
        "dir: !image_missing",
        "grown: jpg=1 !sample_too_large",
        "dir.jpg/in: png=1",
    ];
    assert_eq!(lines(&read_folder(folder.path())), expected);
}

#[cfg(unix)]
#[test]
fn links_to_files_are_read_and_links_to_folders_are_not_followed() {
    use std::os::unix::fs::symlink;
    let folder = folder(&[("a/a.jpg", "1234")]);
    let at = |name: &str| folder.path().join(name);
    symlink("nowhere.jpg", at("dangling.jpg")).unwrap();
    symlink("a/a.jpg", at("good.jpg")).unwrap();
    symlink("nowhere", at("good.txt")).unwrap();
    symlink(".", at("loop")).unwrap();
    symlink("nowhere.tar", at("t.tar")).unwrap();
    let expected = [
        "dangling: !image_missing",
        "good: jpg=4 !metadata_invalid",
        ": !archive_torn",
        "a/a: jpg=4",
    ];
    let mut inputs = open(&[folder.path().into()]).unwrap();
    assert_eq!(lines(&read_all(&mut inputs)), expected);
    let meter = inputs.meter();
    assert_eq!(Some(meter.bytes_read()), meter.total_bytes(), "never above the total");
}

#[test]
fn a_missing_folder_ends_the_run() {
    let mut source = FolderSource::new(Path::new("no/such/folder"), LIMITS);
    assert!(matches!(source.next(), Err(IoError::Read { .. })));
}

// Manifests.

#[test]
fn a_line_of_a_manifest_is_a_sample() {
    let folder = folder(&[("i/a.JPG", "1234"), ("blob", "GIF89a"), ("b.bin", "\u{fffd}")]);
    let first = r#"{"image": "i/a.JPG", "caption": "a dog", "key": "k.1", "uid": 5, "x": NaN}"#;
    let text = format!(
        "\u{feff}{first}\r\n\n  \n{}\n{}\n{}",
        r#"{"image": "blob", "text": "t"}"#,
        r#"{"image": "b.bin", "caption": null}"#,
        r#"{"image": "i/a.JPG", "caption": "no end of line", "key": ""}"#,
    );
    let samples = read_manifest(folder.path(), text.as_bytes());
    let expected = [
        format!("k.1: json={} txt=5 jpg=4", first.len()),
        "000000003: json=30 txt=1 gif=6".into(),
        "000000004: json=35 jpg=3".into(),
        "000000005: json=60 txt=14 jpg=4".into(),
    ];
    assert_eq!(lines(&samples), expected);
    assert_eq!(samples[0].members[0].data, first.as_bytes());
    assert_eq!(samples[0].image().unwrap(), b"1234");
    assert_eq!(caption(&samples[2]), None);
}

#[test]
fn a_bad_line_is_one_bad_sample() {
    let folder = folder(&[("a.jpg", "1"), ("big.jpg", &"x".repeat(4097))]);
    let long = format!(r#"{{"image": "a.jpg", "caption": "{}"}}"#, "x".repeat(5000));
    let text = [
        "nonsense",
        r#"{"caption": "no image"}"#,
        r#"{"image": "a.jpg", "caption": 3}"#,
        r#"{"image": "gone.jpg", "caption": "c"}"#,
        r#"{"image": ".", "caption": "c"}"#,
        &long,
        r#"{"image": "big.jpg", "caption": "c"}"#,
        r#"{"image": "a.jpg", "caption": "c"}"#,
    ]
    .join("\n");
    let faults: Vec<_> =
        read_manifest(folder.path(), text.as_bytes()).iter().map(|sample| sample.fault).collect();
    let (bad, missing) = (Some(Reason::MetadataInvalid), Some(Reason::ImageMissing));
    let large = Some(Reason::SampleTooLarge);
    assert_eq!(faults, [bad, bad, bad, missing, missing, large, large, None]);
}

#[test]
fn a_line_without_end_is_not_kept_in_memory() {
    let endless = io::repeat(b'x').take(1 << 28);
    let mut source = ManifestSource::new(endless, "m", Path::new(""), LIMITS);
    assert_eq!(lines(&read_all(&mut source)), ["000000000: !sample_too_large"]);
}

#[test]
fn a_line_of_just_the_limit_is_read() {
    let fill = "x".repeat(4096 - r#"{"image": ""}"#.len());
    let text = format!("{{\"image\": \"{fill}\"}}\n{{\"image\": \"{fill}y\"}}\n");
    let samples = read_manifest(Path::new(""), text.as_bytes());
    let expected = ["000000000: json=4096 !image_missing", "000000001: !sample_too_large"];
    assert_eq!(lines(&samples), expected);
}

// Capture.

#[test]
fn captured_samples_arrive_until_the_producer_is_done() {
    for says_so in [true, false] {
        let ring = Box::leak(Box::new(Ring::<Sample, 4>::new()));
        let (mut capture, intake) = ring.split();
        let done = Arc::new(AtomicBool::new(false));
        let mut source = CaptureSource::new(intake, done.clone());
        let producer = std::thread::spawn(move || {
            for i in 0..50 {
                let mut item = Sample { key: i.to_string(), ..sample(&[]) };
                while let Err(back) = capture.push(item) {
                    item = back;
                    std::thread::sleep(Duration::from_micros(100));
                }
            }
            // Without a word, dropping `done` is the end too.
            done.store(says_so, Ordering::Release);
        });
        let keys: Vec<_> = read_all(&mut source).into_iter().map(|sample| sample.key).collect();
        assert_eq!(keys, (0..50).map(|i| i.to_string()).collect::<Vec<_>>());
        producer.join().unwrap();
    }
}

// Inputs.

fn open(paths: &[PathBuf]) -> Result<Inputs, IoError> {
    Inputs::open(paths, LIMITS)
}

#[test]
fn inputs_are_told_apart_and_read_in_turn() {
    let folder = folder(&[
        ("photos/a.jpg", "1"),
        ("photos/README.md", "left over"),
        ("m.jsonl", "{\"image\": \"photos/a.jpg\"}\n"),
    ]);
    let at = |name: &str| folder.path().join(name);
    fs::write(at("s.tar"), tar(&[("b.jpg", b"1")])).unwrap();
    fs::write(at("torn.TAR"), "").unwrap();
    fs::write(at("unnamed"), gzip(&tar(&[("c.jpg", b"1")]))).unwrap();
    let paths = ["torn.TAR", "unnamed", "photos", "m.jsonl", "s.tar"].map(at);
    let mut inputs = open(&paths).unwrap();
    assert!(inputs.is_repeatable());
    let meter = inputs.meter();
    let size = |name: &str| fs::metadata(at(name)).unwrap().len();
    let total = size("unnamed") + 10 + size("m.jsonl") + size("s.tar");
    assert_eq!((meter.bytes_read(), meter.total_bytes()), (0, Some(total)));
    let samples = read_all(&mut inputs);
    let expected =
        [": !archive_torn", "c: jpg=1", "a: jpg=1", "000000000: json=25 jpg=1", "b: jpg=1"];
    assert_eq!(lines(&samples), expected);
    let shards: Vec<_> = samples.iter().map(|sample| sample.shard.to_string()).collect();
    assert_eq!(shards, paths.each_ref().map(|path| path.to_string_lossy()));
    assert_eq!(meter.bytes_read(), total);
}

#[test]
fn inputs_that_cannot_be_used_are_refused_by_name() {
    let folder = folder(&[("notes.pdf", "not a tar at all"), ("data.gz", "")]);
    let refusal = |path: &str| open(&[path.into()]).err().unwrap().to_string();
    let pdf = folder.path().join("notes.pdf").to_string_lossy().into_owned();
    for path in [pdf.as_str(), "no/such.tar"] {
        let text = refusal(path);
        assert!(text.contains(path) && text.contains(".jsonl"), "{text}");
    }
    assert!(refusal("pipe:cat x.tar").contains("commands are not run"));
    assert!(refusal("https://example.org/x.tar").contains("nothing is downloaded"));
    assert!(open(&["-".into(), "-".into()]).err().unwrap().to_string().contains("only once"));
}

#[test]
fn standard_input_cannot_be_repeated() {
    let inputs = open(&["-".into()]).unwrap();
    assert!(!inputs.is_repeatable());
    assert_eq!(inputs.meter().total_bytes(), None);
}

#[cfg(unix)]
#[test]
fn a_device_is_read_as_a_shard_once() {
    let mut inputs = open(&["/dev/null".into()]).unwrap();
    assert!(!inputs.is_repeatable());
    assert_eq!(lines(&read_all(&mut inputs)), [": !archive_torn"]);
}
