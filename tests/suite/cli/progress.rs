//! The progress line: whole on terminals of any width, and right about its share.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use flate2::Compression;
use flate2::write::GzEncoder;
use pairgate::source::{Inputs, Source};
use pairgate_core::config::SampleLimits;

use super::{shard, skipped_under_emulation, text};
use crate::support::data;

/// The binary on a terminal of so many columns, which util-linux's `script` stands for; `None`,
/// aloud, where there is none.
pub fn on_a_terminal(columns: u32, arguments: &str) -> Option<Command> {
    if skipped_under_emulation("a terminal stands between") {
        return None;
    }
    let has_script = Command::new("script").arg("--version").stdout(Stdio::null()).status();
    if !has_script.is_ok_and(|status| status.success()) {
        println!("SKIPPED: there is no script (util-linux)");
        return None;
    }
    let program = env!("CARGO_BIN_EXE_pairgate");
    let line = format!("stty rows 24 cols {columns} && exec '{program}' {arguments}");
    let mut command = Command::new("script");
    command.args(["-qec", &line, "/dev/null"]).stdin(Stdio::null());
    Some(command)
}

/// Many pairs as one shard.
fn large_shard(path: &Path) {
    let members = shard(path);
    let mut archive = tar::Builder::new(fs::File::create(path).unwrap());
    for round in 0..25 {
        for (name, bytes) in &members {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            archive.append_data(&mut header, format!("{round}_{name}"), &bytes[..]).unwrap();
        }
    }
    archive.finish().unwrap();
}

/// What the terminal's line was, time after time.
fn lines_shown(output: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(output);
    let mut plain = String::new();
    let mut parts = text.split('\u{1b}');
    plain += parts.next().unwrap_or_default();
    for part in parts {
        // Moving about and erasing begins the line anew.
        let end = part.find(|c: char| c.is_ascii_alphabetic()).map_or(0, |end| end + 1);
        plain.push('\n');
        plain += &part[end..];
    }
    plain.split(['\r', '\n']).map(str::to_owned).collect()
}

#[test]
fn the_time_left_is_whole_at_any_width() {
    let temp = tempfile::tempdir().unwrap();
    let tar = temp.path().join("pairs.tar");
    large_shard(&tar);
    for columns in [60, 80, 120] {
        let arguments = format!("filter '{}' --dry-run -w 1 --arithmetic float", text(&tar));
        let Some(mut command) = on_a_terminal(columns, &arguments) else { return };
        let output = command.output().unwrap();
        let lines = lines_shown(&output.stdout);
        let bars: Vec<_> = lines.iter().filter(|line| line.starts_with("filtering [")).collect();
        assert!(!bars.is_empty(), "{columns}: {lines:?}");
        for bar in bars {
            let bar = bar.trim_end();
            assert!(bar.len() < columns as usize, "{columns}: {bar:?}");
            let (share, rest) = bar.split_once("] ").unwrap().1.split_once("%, ").unwrap();
            assert!(share.trim().parse::<u32>().is_ok(), "{columns}: {bar:?}");
            let (time, counts) = rest.split_once(" left,").expect(bar);
            let counts = counts.trim();
            let is_time = time.trim_end_matches(['s', 'm', 'h', 'd']).parse::<u32>().is_ok();
            assert!(is_time || time == "?", "{bar:?}");
            // A part is shown whole or not at all.
            let whole = ["pairs", "/s", "kept"];
            let parts = counts.split(", ").filter(|part| !part.is_empty());
            parts.for_each(|part| assert!(whole.iter().any(|end| part.ends_with(end)), "{bar:?}"));
            assert!(columns < 80 || counts.is_empty() || counts.contains("% kept"), "{bar:?}");
        }
    }
}

/// Reads inputs to the end: their bytes, and those that were counted as read.
fn measured(path: &Path) -> (u64, u64) {
    let mut inputs = Inputs::open(&[path.to_owned()], SampleLimits::default()).unwrap();
    let meter = inputs.meter();
    let total = meter.total_bytes().unwrap();
    let mut most = 0;
    while inputs.next().unwrap().is_some() {
        assert!(meter.bytes_read() >= most, "it goes forward alone");
        most = meter.bytes_read();
    }
    assert_eq!(meter.bytes_read(), total, "all is read at the end: {}", path.display());
    (total, most)
}

#[cfg(unix)]
#[test]
fn links_count_as_what_they_point_to() {
    use std::os::unix::fs::symlink;
    let temp = tempfile::tempdir().unwrap();
    let at = |name: &str| temp.path().join(name);
    let (tar, gzipped) = (at("a.tar"), at("a.tar.gz"));
    shard(&tar);
    let mut packed = GzEncoder::new(fs::File::create(&gzipped).unwrap(), Compression::fast());
    packed.write_all(&fs::read(&tar).unwrap()).unwrap();
    packed.finish().unwrap();
    let files: Vec<PathBuf> =
        fs::read_dir(data("pairs")).unwrap().map(|entry| entry.unwrap().path()).collect();
    let link_all = |folder: PathBuf, files: &[PathBuf]| {
        fs::create_dir(&folder).unwrap();
        files
            .iter()
            .for_each(|file| symlink(file, folder.join(file.file_name().unwrap())).unwrap());
        folder
    };
    let bytes: u64 = files.iter().map(|file| fs::metadata(file).unwrap().len()).sum();
    let (folder, most) = measured(&data("pairs"));
    assert_eq!(folder, bytes);
    assert!(most > bytes / 2, "{most} of {bytes}");
    // Links to the files of pairs, a link to their folder.
    assert_eq!(measured(&link_all(at("links"), &files)), (folder, most));
    symlink(data("pairs"), at("folder")).unwrap();
    assert_eq!(measured(&at("folder")), (folder, most));
    // Shards, packed or not, and links to them, alone and in a folder.
    for file in [&tar, &gzipped] {
        let bytes = fs::metadata(file).unwrap().len();
        let link = at(&format!("link-{}", file.file_name().unwrap().to_str().unwrap()));
        symlink(file, &link).unwrap();
        assert_eq!(measured(file).0, bytes);
        assert_eq!(measured(&link).0, bytes);
    }
    let both = fs::metadata(&tar).unwrap().len() + fs::metadata(&gzipped).unwrap().len();
    assert_eq!(measured(&link_all(at("shards"), &[tar, gzipped])).0, both);
    // What points to nothing counts as nothing.
    symlink(at("gone"), at("links/gone.txt")).unwrap();
    assert_eq!(measured(&at("links")), (folder, most));
}
