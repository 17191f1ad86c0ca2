//! A watched folder: what is read when, what becomes of files, and what a restart does.
#![cfg(unix)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use pairgate::agent::watch::{After, Book, Done, WatchOptions, WatchSource, network_type};
use pairgate::disk::Disk;
use pairgate::source::{Sample, Source};
use pairgate::store::WhenDurable;
use pairgate_core::config::SampleLimits;
use pairgate_core::decision::{Decision, Facts, Reason, Verdict};
use pairgate_core::pair::Position;

use crate::cli::{pairgate, run, shard, summary, text};
use crate::support::data;

/// What nothing here takes as long as.
const LONGEST: Duration = Duration::from_secs(60);

/// A source on a thread of its own, as a pipeline has it.
struct Watched {
    given: Receiver<(Sample, Position)>,
    stop: Arc<AtomicBool>,
    done: Done,
}

impl Watched {
    fn new(folder: &Path, after: After, change: impl Fn(&mut WatchOptions)) -> Self {
        let mut options = WatchOptions {
            folder: folder.to_owned(),
            limits: SampleLimits::default(),
            scan: Duration::from_millis(100),
            events: true,
            settle: Duration::from_millis(50),
            caption_wait: LONGEST,
        };
        change(&mut options);
        let (book, stop) = (Book::default(), Arc::new(AtomicBool::new(false)));
        let done = Done::new(&Disk::system(), after, book.clone(), folder).unwrap();
        let mut source = WatchSource::open(options, book, done.clone(), stop.clone()).unwrap();
        let (give, given) = channel();
        std::thread::spawn(move || {
            while let Some(sample) = source.next().unwrap() {
                if give.send((sample, source.position())).is_err() {
                    return;
                }
            }
        });
        Self { given, stop, done }
    }

    fn next(&self) -> (Sample, Position) {
        self.given.recv_timeout(LONGEST).expect("nothing was given")
    }

    /// The keys of the next so many samples, sorted.
    fn keys(&self, count: usize) -> Vec<String> {
        let mut keys: Vec<_> = (0..count).map(|_| self.next().0.key).collect();
        keys.sort();
        keys
    }

    fn decide(&mut self, position: Position, verdict: Verdict) {
        let decision = Decision { verdict, reason: Reason::Passed, facts: Facts::default() };
        self.done.is_durable(position, &decision);
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
    }
}

fn picture() -> Vec<u8> {
    fs::read(data("pairs/beach.jpg")).unwrap()
}

/// Renames a picture with its caption into the folder, the caption first.
fn put(folder: &Path, name: &str) {
    let outside = tempfile::tempdir_in(folder.parent().unwrap()).unwrap();
    for (extension, bytes) in [("txt", format!("a beach, {name}").into_bytes()), ("jpg", picture())]
    {
        let path = outside.path().join(extension);
        fs::write(&path, bytes).unwrap();
        fs::rename(&path, folder.join(format!("{name}.{extension}"))).unwrap();
    }
}

/// A folder to be watched, in one that goes with what this gives.
fn folder() -> (tempfile::TempDir, PathBuf) {
    let around = tempfile::tempdir().unwrap();
    let folder = around.path().join("in");
    fs::create_dir(&folder).unwrap();
    (around, folder)
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < LONGEST, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn pairs_that_appear_are_given_once_with_events_and_without() {
    for events in [true, false] {
        let (_around, folder) = folder();
        put(&folder, "before");
        let watched = Watched::new(&folder, After::Keep, |options| options.events = events);
        let (sample, _) = watched.next();
        assert_eq!((&*sample.key, sample.members.len()), ("before", 2));
        assert_eq!(sample.member("txt").unwrap(), b"a beach, before");
        fs::create_dir_all(folder.join("a/b")).unwrap();
        for name in ["later", "a/nested", "a/b/deeper"] {
            put(&folder, name);
        }
        assert_eq!(watched.keys(3), ["a/b/deeper", "a/nested", "later"], "{events}");
        // Several scans have gone by when these have come.
        put(&folder, "last");
        assert_eq!(watched.keys(1), ["last"]);
        // Another file of that name is another one.
        put(&folder, "last");
        assert_eq!(watched.keys(1), ["last"]);
        assert!(watched.given.try_recv().is_err());
    }
}

#[test]
fn a_pair_waits_for_its_caption_and_not_for_ever() {
    let (_around, folder) = folder();
    let watched = Watched::new(&folder, After::Keep, |_| ());
    fs::write(folder.join("slow.jpg"), picture()).unwrap();
    put(&folder, "quick");
    assert_eq!(watched.keys(1), ["quick"]);
    fs::write(folder.join("slow.json"), b"{\"caption\": \"it is in here\"}").unwrap();
    let (sample, _) = watched.next();
    assert_eq!((&*sample.key, sample.members.len()), ("slow", 2));
    drop(watched);
    fs::write(folder.join("never.jpg"), picture()).unwrap();
    let watched = Watched::new(&folder, After::Keep, |options| {
        options.caption_wait = Duration::from_millis(300);
    });
    let mut samples: Vec<_> = (0..3).map(|_| watched.next().0).collect();
    samples.sort_by_key(|sample| sample.key.clone());
    assert_eq!(samples[0].key, "never");
    assert_eq!(samples[0].members.len(), 1, "it counts as without a caption");
}

#[test]
fn what_is_half_written_is_not_read() {
    let (_around, folder) = folder();
    let whole = folder.parent().unwrap().join("whole.tar");
    shard(&whole);
    let whole = fs::read(whole).unwrap();
    let watched = Watched::new(&folder, After::Keep, |_| ());
    fs::write(folder.join("pairs.tar"), &whole[..whole.len() / 2]).unwrap();
    for name in [".hidden.jpg", "picture.jpg.part", "picture.jpg.tmp"] {
        fs::write(folder.join(name), picture()).unwrap();
    }
    fs::write(folder.join("picture.txt"), b"a caption alone").unwrap();
    for number in 0..5 {
        put(&folder, &format!("pair{number}"));
        assert_eq!(watched.keys(1), [format!("pair{number}")]);
    }
    fs::write(folder.join("pairs.tar"), &whole).unwrap();
    let first = watched.next();
    assert_eq!(first.0.shard.rsplit('/').next(), Some("pairs.tar"));
    let pictures = fs::read_dir(data("pairs")).unwrap();
    let is_picture = |path: &Path| path.extension().is_some_and(|e| e != "txt" && e != "json");
    let count = pictures.filter(|entry| is_picture(&entry.as_ref().unwrap().path())).count();
    let mut items = vec![first.1.item];
    items.extend((1..count).map(|_| watched.next().1.item));
    items.sort_unstable();
    items.dedup();
    assert_eq!(items.len(), count, "each has a number of its own");
    assert!(watched.given.try_recv().is_err());
}

#[test]
fn decided_files_are_removed_or_moved_and_no_others() {
    let (around, folder) = folder();
    let aside = around.path().join("done");
    for after in [After::Keep, After::Delete, After::Move(aside.clone())] {
        for name in ["kept", "failed", "replaced"] {
            put(&folder, name);
        }
        let mut watched = Watched::new(&folder, after.clone(), |options| options.events = false);
        let mut given: Vec<_> = (0..3).map(|_| watched.next()).collect();
        given.sort_by_key(|(sample, _)| sample.key.clone());
        put(&folder, "replaced");
        watched.decide(given[0].1, Verdict::Failed);
        watched.decide(given[1].1, Verdict::Rejected);
        watched.decide(given[2].1, Verdict::Kept);
        let there =
            |name: &str| ["jpg", "txt"].map(|end| folder.join(name).with_extension(end).is_file());
        assert_eq!(there("replaced"), [true; 2], "it was not decided");
        assert_eq!(there("kept"), [after == After::Keep; 2], "{after:?}");
        assert_eq!(there("failed"), [!matches!(after, After::Move(_)); 2], "{after:?}");
    }
    let mut moved: Vec<_> = fs::read_dir(&aside)
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    moved.sort();
    assert_eq!(moved, ["failed.jpg", "failed.txt", "kept.jpg", "kept.txt"]);
}

/// Each once, however often the folder is gone through.
#[test]
fn thousands_of_files_are_given_once_each() {
    let (_around, folder) = folder();
    for number in 0..3000 {
        fs::write(folder.join(format!("{number}.txt")), b"a caption").unwrap();
        fs::write(folder.join(format!("{number}.jpg")), b"not looked at here").unwrap();
    }
    let watched = Watched::new(&folder, After::Keep, |_| ());
    let mut keys = watched.keys(3000);
    keys.dedup();
    assert_eq!(keys.len(), 3000);
    put(&folder, "one more");
    assert_eq!(watched.keys(1), ["one more"]);
    assert!(watched.given.try_recv().is_err());
}

#[test]
fn network_file_systems_are_known_by_the_innermost_mount() {
    let mounts = "22 1 0:20 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n\
                  40 22 0:44 / /mnt/a\\040share rw shared:9 - nfs4 host:/x rw,vers=4.2\n\
                  41 40 8:2 / /mnt/a\\040share/local rw - xfs /dev/sdb1 rw\n\
                  42 22 0:45 / /data rw - fuse.sshfs user@host: rw\n\
                  43 22 0:46 / /win rw - cifs //host/share rw\n";
    for (path, kind) in [
        ("/home", None),
        ("/mnt/a share/in", Some("nfs4")),
        ("/mnt/a share/local/in", None),
        ("/mnt/a sharex", None),
        ("/data/in", Some("fuse.sshfs")),
        ("/win", Some("cifs")),
    ] {
        assert_eq!(network_type(mounts, Path::new(path)), kind, "{path}");
    }
}

// The whole program.

fn watch(folder: &Path, out: &Path, more: &[&str]) -> Child {
    let (folder, out) = (text(folder), text(out));
    let mut command =
        pairgate(["watch", &folder, "-o", &out, "-t=-1", "--rules", "none", "--json"]);
    command.args(["--settle", "100ms", "--scan", "200ms"]).args(more);
    command.stdout(Stdio::piped()).spawn().unwrap()
}

/// Ends it as a service is ended; gives its summary.
fn end(child: Child) -> serde_json::Value {
    let mut kill = std::process::Command::new("kill");
    kill.args(["-TERM", &child.id().to_string()]);
    run(kill, 0);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    summary(&output)
}

/// Records in the journal.
fn records(out: &Path) -> usize {
    pairgate::journal::Reader::open(out).map_or(0, |reader| reader.flatten().count())
}

#[test]
fn a_watched_folder_is_gone_on_with_and_nothing_is_judged_twice() {
    let (around, folder) = folder();
    let out = around.path().join("kept");
    put(&folder, "a");
    shard(&folder.join("pairs.tar"));
    let in_shard = 12;
    let child = watch(&folder, &out, &[]);
    wait_until("all are decided", || records(&out) == 1 + in_shard);
    put(&folder, "b");
    wait_until("one more is", || records(&out) == 2 + in_shard);
    let first = end(child);
    assert_eq!(first["in"], 2 + in_shard);
    // Nothing new, one new, and then all of it is to go.
    let child = watch(&folder, &out, &[]);
    put(&folder, "c");
    wait_until("the new one is decided", || records(&out) == 3 + in_shard);
    assert_eq!(end(child)["in"], 1);
    let child = watch(&folder, &out, &["--after", "delete"]);
    wait_until("what was decided is gone", || fs::read_dir(&folder).unwrap().count() == 0);
    assert_eq!(end(child)["in"], 0);
}

#[test]
fn watched_folders_and_outputs_do_not_lie_in_each_other() {
    let (around, folder) = folder();
    for (args, said) in [
        (vec![text(&folder), "-o".into(), text(&folder.join("kept"))], "lie in each other"),
        (vec![text(&around.path().join("gone")), "-o".into(), "kept".into()], "no such folder"),
        (
            vec![
                text(&folder),
                "-o".into(),
                text(&around.path().join("kept")),
                "--after".into(),
                format!("move={}", text(&folder.join("done"))),
            ],
            "lie in each other",
        ),
    ] {
        let output = run(pairgate(std::iter::once("watch".to_owned()).chain(args)), 2);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(told.contains(said), "{told}");
    }
}

/// Frames that wait on disk are all judged, and those that a stopped run left are at the next start.
#[test]
fn a_cameras_frames_go_through_a_spool() {
    use std::io::Write as _;
    let around = tempfile::tempdir().unwrap();
    let (out, config) = (around.path().join("kept"), around.path().join("c.toml"));
    fs::write(&config, "[capture]\nplaces = 200\non_full = \"spool\"\n").unwrap();
    for round in 1..3 {
        let mut command = pairgate(["capture", "-", "-o", &text(&out), "--json", "-t=-1"]);
        command.args(["--config", &text(&config), "--caption", "a beach", "--rules", "none"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut camera = child.stdin.take().unwrap();
        for _ in 0..20 {
            camera.write_all(&picture()).unwrap();
        }
        drop(camera);
        let output = child.wait_with_output().unwrap();
        let summary = summary(&output);
        assert_eq!(output.status.code(), Some(0), "{summary}");
        assert_eq!((&summary["kept"], &summary["spool"]["in"]), (&20.into(), &20.into()));
        assert_eq!(
            (&summary["spool"]["left"], &summary["spool"]["before"]),
            (&0.into(), &0.into())
        );
        assert_eq!(records(&out), 20 * round);
    }
}

/// Files go when their decisions are in the spool, and the output gets each pair when it is there.
#[test]
fn an_output_that_is_away_is_waited_for() {
    let (around, folder) = folder();
    let (disk, spool) = (around.path().join("disk"), text(&around.path().join("spool")));
    let out = disk.join("kept");
    let more = ["--after", "delete", "--spool", &spool];
    let is_empty = || fs::read_dir(&folder).unwrap().next().is_none();
    (0..5).for_each(|number| put(&folder, &format!("first-{number}")));
    let child = watch(&folder, &out, &more);
    wait_until("the files are not done with", is_empty);
    assert_eq!(end(child)["kept"], 5);
    assert!(!disk.exists());

    (0..3).for_each(|number| put(&folder, &format!("second-{number}")));
    let child = watch(&folder, &out, &more);
    wait_until("the files are not done with", is_empty);
    fs::create_dir(&disk).unwrap();
    wait_until("nothing comes to the output", || records(&out) == 8);
    assert_eq!(end(child)["kept"], 3);
    assert_eq!(records(&out), 8);
    run(pairgate(["journal", "check", &text(&out)]), 0);

    // A folder of runs without this spool is none that it can go on in.
    let other = text(&around.path().join("other"));
    let mut command = pairgate(["watch", &text(&folder), "-o", &text(&out), "--spool", &other]);
    command.stdout(Stdio::null());
    let told = run(command, 2).stderr;
    let told = String::from_utf8_lossy(&told).into_owned();
    assert!(told.contains("without the spool"), "{told}");
}
