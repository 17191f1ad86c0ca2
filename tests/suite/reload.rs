//! SIGHUP loads config and model anew, all or nothing, while a camera's frames come.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use pairgate::agent::keys::{changed, held};
use pairgate::config::Layers;
use pairgate::journal::Reader;
use pairgate_core::config::Config;
use pairgate_core::decision::Verdict;
use serde_json::Value;

use crate::cli::{pairgate, run, skipped_under_emulation, summary, text};
use crate::support::data;

/// Everything in these tests that is waited for comes long before.
const LONG: Duration = Duration::from_secs(90);

/// A camera that is fed by hand.
struct Camera {
    child: Child,
    frames: Option<ChildStdin>,
    picture: Vec<u8>,
    log: Receiver<String>,
    out: PathBuf,
    config: PathBuf,
}

impl Camera {
    /// Starts one in `folder`, whose config says `config`.
    fn start(folder: &Path, config: &str) -> Self {
        let (out, path) = (folder.join("kept"), folder.join("camera.toml"));
        fs::write(&path, format!("{STORAGE}{config}")).unwrap();
        let args = ["capture", "-", "-o", &text(&out), "--config", &text(&path), "--json"];
        let mut command = pairgate(args.iter().chain(&["--caption", "an orange sunset"]));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (send, log) = channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let _ = send.send(line);
            }
        });
        let picture = fs::read(data("pairs/sunset.jpg")).unwrap();
        let frames = child.stdin.take();
        Self { child, frames, picture, log, out, config: path }
    }

    /// Gives frames, and waits until the journal has a record of each.
    fn give(&mut self, frames: usize) {
        let wanted = self.records() + frames;
        for _ in 0..frames {
            self.frames.as_mut().unwrap().write_all(&self.picture).unwrap();
        }
        // The last frame is whole when the next one begins, or these bytes between two frames.
        self.frames.as_mut().unwrap().write_all(&[0; 16]).unwrap();
        self.frames.as_mut().unwrap().flush().unwrap();
        let began = Instant::now();
        while self.records() < wanted {
            assert!(began.elapsed() < LONG, "{} of {wanted}", self.records());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn records(&self) -> usize {
        Reader::open(&self.out).map_or(0, |journal| journal.map_while(Result::ok).count())
    }

    fn set(&self, config: &str) {
        fs::write(&self.config, format!("{STORAGE}{config}")).unwrap();
    }

    /// Sends SIGHUP, and gives the line of the log that says what came of it.
    fn reload(&self) -> String {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-HUP", &id]).status().unwrap().success());
        loop {
            let line = self.log.recv_timeout(LONG).expect("nothing is said of it");
            if line.contains("reload: ") && !line.contains("loading config") {
                return line;
            }
        }
    }

    /// No frame comes any more.
    fn end(mut self, code: i32) -> Value {
        drop(self.frames.take());
        let output = self.child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(code));
        summary(&output)
    }
}

const STORAGE: &str = "[storage]\nsync_pairs = 1\nsync_ms = \"20 ms\"\nshard_pairs = 7\n\
     [capture]\non_full = \"block\"\n[pipeline]\nworkers = 2\nbatch = 4\n\
     [rules]\nmin_side = 0\nmin_words = 0\n";

/// Verdicts of all records, by the threshold that their terms have.
fn by_threshold(folder: &Path) -> Vec<(Option<f32>, usize, usize)> {
    let mut journal = Reader::open(folder).unwrap();
    let mut found: Vec<(Option<f32>, usize, usize)> = Vec::new();
    while let Some(record) = journal.next() {
        let kept = record.unwrap().verdict == Verdict::Kept;
        let threshold = journal.terms().threshold;
        if found.last().is_none_or(|last| last.0 != threshold) {
            found.push((threshold, 0, 0));
        }
        let last = found.last_mut().unwrap();
        (last.1, last.2) = (last.1 + usize::from(kept), last.2 + usize::from(!kept));
    }
    found
}

fn check(folder: &Path) {
    let folder = text(folder);
    run(pairgate(["journal", "check", &folder]), 0);
    let verified = run(pairgate(["replay", &folder, "--verify"]), 0);
    let told = String::from_utf8(verified.stdout).unwrap();
    assert!(told.contains(", 0 differ"), "{told}");
}

#[test]
fn another_threshold_decides_from_a_pair_on_and_nothing_is_lost() {
    if skipped_under_emulation("frames are waited for") {
        return;
    }
    let temp = tempfile::tempdir().unwrap();
    let mut camera = Camera::start(temp.path(), "[policy]\nthreshold = -1.0\n");
    camera.give(5);
    assert!(camera.reload().contains("reload: nothing has changed"));
    camera.set("[policy]\nthreshold = 1.0\n");
    let told = camera.reload();
    assert!(told.contains("from pair 5 on: the threshold was -1, it is 1"), "{told}");
    camera.give(3);
    camera.set("[policy]\nthreshold = -0.5\n");
    assert!(camera.reload().contains("from pair 8 on"));
    camera.give(4);
    let out = camera.out.clone();
    let ended = camera.end(0);
    let wanted = [(Some(-1.0), 5, 0), (Some(1.0), 0, 3), (Some(-0.5), 4, 0)];
    assert_eq!(by_threshold(&out), wanted);
    assert_eq!((&ended["kept"], &ended["rejected"]), (&9.into(), &3.into()));
    assert_eq!(ended["threshold"], -0.5);
    check(&out);

    let ls = run(pairgate(["journal", "ls", "--json", &text(&out)]), 0);
    assert_eq!(summary(&ls)["threshold"], -0.5);

    // The folder is gone on with under the config that there is, without a word.
    let mut camera = Camera::start(temp.path(), "[policy]\nthreshold = -0.5\n");
    camera.give(2);
    camera.end(0);
    assert_eq!(by_threshold(&out).last(), Some(&(Some(-0.5), 6, 0)));
}

/// Killed at once behind a reload, it comes up again under the new config without a hand: the epoch is on
/// disk before the reload is told.
#[test]
fn a_kill_behind_a_reload_needs_no_hand() {
    if skipped_under_emulation("frames are waited for") {
        return;
    }
    let temp = tempfile::tempdir().unwrap();
    let (old, new) = ("[policy]\nthreshold = -1.0\n", "[policy]\nthreshold = -0.5\n");
    let mut camera = Camera::start(temp.path(), old);
    camera.give(3);
    camera.set(new);
    assert!(camera.reload().contains("from pair 3 on"));
    camera.child.kill().unwrap();
    camera.child.wait().unwrap();
    let mut camera = Camera::start(temp.path(), new);
    camera.give(2);
    let out = camera.out.clone();
    camera.end(0);
    assert_eq!(by_threshold(&out), [(Some(-1.0), 3, 0), (Some(-0.5), 2, 0)]);
    check(&out);
}

#[test]
fn a_config_that_is_wrong_is_named_and_the_old_one_goes_on() {
    if skipped_under_emulation("frames are waited for") {
        return;
    }
    let temp = tempfile::tempdir().unwrap();
    let good = "[policy]\nthreshold = -1.0\n";
    let mut camera = Camera::start(temp.path(), good);
    camera.give(2);
    let path = text(&camera.config);
    for (config, wanted) in [
        (
            "[policy]\nthreshold = 3.0\n",
            "line 14: policy.threshold = 3 is out of range: it must be -1 to 1",
        ),
        ("[policy]\ntreshold = 0.3\n", "line 14: unknown field `treshold`"),
        ("[policy]\nthreshold = -1.0\nkeep = \"10%\"\n", "exclude each other"),
        ("[policy]\nthreshold = ", "line 14"),
        (
            "[thermal]\nwarm_c = 50.0\n[policy]\nthreshold = 0.0\n",
            "line 14: thermal.warm_c = 50.0 cannot be taken over while it runs (it is 70.0)",
        ),
        ("[model]\nbundle = \"/no/such/bundle\"\n", "/no/such/bundle"),
        ("[follow]\nenabled = true\n", "follow.enabled needs policy.keep"),
    ] {
        camera.set(config);
        let told = camera.reload();
        assert!(told.contains(wanted) && told.contains("the old ones go on"), "{told}");
        assert!(told.contains("ERROR"), "{told}");
        assert!(
            told.contains(&path) || config.contains("bundle") || config.contains("keep"),
            "{told}"
        );
        camera.give(1);
    }
    fs::remove_file(&camera.config).unwrap();
    assert!(camera.reload().contains("No such file"));
    camera.give(1);
    camera.set(good);
    assert!(camera.reload().contains("nothing has changed"));
    let out = camera.out.clone();
    camera.end(0);
    assert_eq!(by_threshold(&out), [(Some(-1.0), 10, 0)]);
    check(&out);
}

/// A copy of the model in the binary, of another version, whose digests are right.
fn bundle(folder: &Path, version: &str) {
    fs::create_dir_all(folder).unwrap();
    for entry in fs::read_dir("models/default").unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, folder.join(path.file_name().unwrap())).unwrap();
    }
    let text = fs::read_to_string(folder.join("bundle.toml")).unwrap();
    let with = |line: &str| match line.starts_with("version = ") {
        true => format!("version = {version:?}"),
        false => line.to_owned(),
    };
    let lines: Vec<_> = text.lines().map(with).collect();
    fs::write(folder.join("bundle.toml"), lines.join("\n") + "\n").unwrap();
}

#[test]
fn a_model_that_is_garbage_is_named_and_another_one_takes_over() {
    if skipped_under_emulation("frames are waited for") {
        return;
    }
    let temp = tempfile::tempdir().unwrap();
    let model = temp.path().join("model");
    bundle(&model, "100");
    let config = format!("[policy]\nthreshold = -1.0\n[model]\nbundle = {:?}\n", text(&model));
    let mut camera = Camera::start(temp.path(), &config);
    camera.give(2);
    let whole = fs::read(model.join("image.onnx")).unwrap();
    for garbage in [&b"garbage"[..], &[], &whole[..whole.len() / 2]] {
        fs::write(model.join("image.onnx"), garbage).unwrap();
        let told = camera.reload();
        assert!(told.contains("image.onnx") && told.contains("the old ones go on"), "{told}");
        camera.give(1);
    }
    fs::write(model.join("bundle.toml"), "garbage").unwrap();
    assert!(camera.reload().contains("the old ones go on"));
    camera.give(1);
    bundle(&model, "100");
    assert!(camera.reload().contains("nothing has changed"));
    bundle(&model, "101");
    let told = camera.reload();
    assert!(told.contains("from pair 6 on: the model was") && told.contains(" 101 ("), "{told}");
    camera.give(3);
    let out = camera.out.clone();
    let summary = camera.end(0);
    assert!(summary["model"].as_str().unwrap().ends_with(" 101"), "{summary}");
    let mut journal = Reader::open(&out).unwrap();
    let mut models = Vec::new();
    while journal.next().is_some() {
        models.push(journal.terms().models[0].name.clone());
    }
    assert_eq!(models.len(), 9);
    assert!(models[..6].iter().all(|name| name.ends_with(" 100")), "{models:?}");
    assert!(models[6..].iter().all(|name| name.ends_with(" 101")), "{models:?}");
    check(&out);
}

/// Both models are in memory while it changes: under a ceiling that has no room for that it is refused; the
/// same model with another threshold takes no room.
#[test]
fn a_second_model_must_fit_under_the_ceiling() {
    if !cfg!(target_os = "linux") || skipped_under_emulation("frames are waited for") {
        return;
    }
    let temp = tempfile::tempdir().unwrap();
    let (config, model) = (temp.path().join("need.toml"), temp.path().join("model"));
    bundle(&model, "101");
    fs::write(&config, STORAGE).unwrap();
    let checked = run(pairgate(["config", "check", "--json", "--config", &text(&config)]), 0);
    let needed = summary(&checked)["memory"]["worst_case"].as_u64().unwrap();
    let ceiling = format!("[memory]\nceiling_bytes = {}\n", needed + (12 << 20));
    let mut camera = Camera::start(temp.path(), &format!("{ceiling}[policy]\nthreshold = -1.0\n"));
    camera.give(2);
    let bundle = format!("[model]\nbundle = {:?}\n", text(&model));
    camera.set(&format!("{ceiling}[policy]\nthreshold = -1.0\n{bundle}"));
    let told = camera.reload();
    assert!(told.contains("memory.ceiling_bytes") && told.contains("the old ones go on"), "{told}");
    camera.give(1);
    camera.set(&format!("{ceiling}[policy]\nthreshold = 1.0\n"));
    let told = camera.reload();
    assert!(told.contains("from pair 3 on"), "{told}");
    camera.give(1);
    let out = camera.out.clone();
    camera.end(0);
    assert_eq!(by_threshold(&out), [(Some(-1.0), 3, 0), (Some(1.0), 0, 1)]);
}

/// SIGHUP ends what does not run on and on, as ever.
#[cfg(unix)]
#[test]
fn a_one_shot_command_ends_at_sighup() {
    let temp = tempfile::tempdir().unwrap();
    let (tar, out) = (temp.path().join("pairs.tar"), temp.path().join("kept"));
    crate::cli::shard(&tar);
    let whole = fs::read(&tar).unwrap();
    let args = ["filter", "-", "-o", &text(&out), "-t=-1"];
    let mut child = pairgate(args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&whole[..whole.len() - 2048]).unwrap();
    let began = Instant::now();
    while !out.join(".00000.tar.partial").exists() {
        assert!(began.elapsed() < LONG);
        std::thread::sleep(Duration::from_millis(20));
    }
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-HUP", &id]).status().unwrap().success());
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(130));
    drop(stdin);
}

#[test]
fn keys_that_cannot_be_taken_over_are_named() {
    let of = |text: &str| -> Config {
        let mut layers = Layers::default();
        layers.add("a file", text).unwrap();
        layers.resolve().unwrap()
    };
    let usual = Config::default();
    let may = of("[image]\ndecode = \"scaled\"\nmax_side = 100\n[rules]\nmin_words = 4\n\
         languages = [\"en\"]\n[policy]\nkeep = \"10%\"\non_error = \"keep\"\n[model]\nbundle = \"x\"\n\
         [follow]\nenabled = true\nwindow = 5000\n[sample]\nmax_caption_bytes = 100\n");
    assert_eq!(held(&usual, &may, &[]), []);
    assert_eq!(changed(&usual, &may).len(), 10, "{:?}", changed(&usual, &may));
    let names = |now: &Config, more: &[&str]| -> Vec<String> {
        held(&usual, now, more).into_iter().map(|changed| changed.key).collect()
    };
    assert_eq!(names(&may, &["image"]), ["image.decode", "image.max_side"]);
    let not = of(
        "[storage]\nshard_pairs = 5\n[pipeline]\nqueue = 3\n[capture]\nmin_change = 2.0\n\
         [model]\nthreads = 2\n[memory]\nceiling_bytes = \"8 GiB\"\n[sample]\nmax_sample_bytes = \"8 MiB\"\n",
    );
    let wanted = [
        "capture.min_change",
        "memory.ceiling_bytes",
        "model.threads",
        "pipeline.queue",
        "sample.max_sample_bytes",
        "storage.shard_pairs",
    ];
    assert_eq!(names(&not, &[]), wanted);
}
