//! `pairgate capture --listen`, as people use it.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use image::RgbImage;
use image::codecs::jpeg::JpegEncoder;
use serde_json::Value;

use super::client::{get, json};
use super::metrics::Metrics;
use super::wait_until;
use crate::cli::{pairgate, run, text};
use crate::support::data;

/// A run whose camera is a pipe that stays open.
pub struct Camera {
    child: Child,
    stdin: Option<ChildStdin>,
    sent: u64,
    pub address: SocketAddr,
}

impl Camera {
    pub fn start(out: &Path, more: &[&str]) -> Self {
        Self::start_with(out, more, |_| {})
    }

    /// All frames pass that meet the rules, unless `more` says otherwise. Frames that find no place
    /// wait.
    pub fn start_with(out: &Path, more: &[&str], change: impl FnOnce(&mut Command)) -> Self {
        let config = out.with_extension("toml");
        fs::write(&config, "[capture]\non_full = \"block\"\n").unwrap();
        let mut command = pairgate(["capture", "-", "-o", &text(out), "--json", "-t=-1"]);
        command.args(["--config", &text(&config), "--listen", "127.0.0.1:0"]);
        if !more.contains(&"--caption") {
            command.args(["--caption", "an orange sunset"]);
        }
        command.args(more).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        change(&mut command);
        let mut child = command.spawn().unwrap();
        let stdin = child.stdin.take();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let found = lines.by_ref().find_map(|line| {
            let line = line.unwrap();
            let line = line.strip_suffix(": a page, metrics and health")?;
            Some(line.rsplit_once("http://")?.1.to_owned())
        });
        // What is not read any further must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        let address = found.expect("it says where it listens").parse().unwrap();
        Self { child, stdin, sent: 0, address }
    }

    /// A picture, so often.
    pub fn send_picture(&mut self, picture: &[u8], count: u64) {
        let stdin = self.stdin.as_mut().unwrap();
        stdin.write_all(&picture.repeat(count as usize)).unwrap();
        stdin.flush().unwrap();
        self.sent += count;
    }

    pub fn send(&mut self, count: u64) {
        self.send_picture(&fs::read(data("pairs/sunset.jpg")).unwrap(), count);
    }

    pub fn status(&self) -> Value {
        json(self.address, "/status.json")
    }

    /// Waits until every picture is decided.
    pub fn wait(&self) {
        let decided = |status: &Value| -> u64 {
            let count = |key| status["pairs"][key].as_u64().unwrap();
            count("kept") + count("rejected") + count("failed")
        };
        wait_until("decisions", || decided(&self.status()) >= self.sent);
        wait_until("nothing in flight", || self.status()["pairs"]["in_flight"] == 0);
    }

    pub fn terminate(&self) {
        let mut command = Command::new("kill");
        command.args(["-TERM", &self.child.id().to_string()]);
        run(command, 0);
    }

    /// The summary, once it has ended.
    pub fn finish(mut self) -> Value {
        let output = self.child.wait_with_output().unwrap();
        drop(self.stdin.take());
        assert_eq!(output.status.code(), Some(0));
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

/// Pictures that pass, and some that are too small.
pub fn mixed(camera: &mut Camera) {
    camera.send(6);
    let mut small = Vec::new();
    let picture = RgbImage::from_fn(48, 32, |x, y| image::Rgb([5 * x as u8, 7 * y as u8, 128]));
    picture.write_with_encoder(JpegEncoder::new(&mut small)).unwrap();
    camera.send_picture(&small, 3);
    camera.send(2);
}

#[test]
fn metrics_are_what_the_summary_says() {
    let temp = tempfile::tempdir().unwrap();
    let mut camera = Camera::start(&temp.path().join("kept"), &[]);
    assert_eq!(get(camera.address, "/healthz").status, 200);
    mixed(&mut camera);
    camera.wait();
    let metrics = Metrics::parse(&get(camera.address, "/metrics").body);
    metrics.assert_they_add_up();
    assert_eq!(get(camera.address, "/readyz").body, "ready\n");
    let status = camera.status();
    assert_eq!(status["command"], "capture");
    // Every pair went through the rules, those that passed them through the network.
    let stage = |name: &str| {
        metrics.get(&format!("pairgate_stage_duration_seconds_count{{stage=\"{name}\"}}"))
    };
    let (kept, rejected) =
        (metrics.get("pairgate_pairs_kept_total"), metrics.sum("pairgate_pairs_rejected_total"));
    assert_eq!((kept, rejected), (8.0, 3.0));
    assert_eq!([stage("screen"), stage("store")], [kept + rejected; 2]);
    assert_eq!([stage("decode"), stage("prepare"), stage("score")], [kept; 3]);
    camera.terminate();
    let summary = camera.finish();
    for (key, name) in [
        ("kept", "pairgate_pairs_kept_total"),
        ("rejected", "pairgate_pairs_rejected_total"),
        ("failed", "pairgate_pairs_failed_total"),
    ] {
        assert_eq!(summary[key].as_f64(), Some(metrics.sum(name)), "{name} {summary}");
    }
    for (reason, count) in summary["rejected_reasons"].as_object().unwrap() {
        let name = format!("pairgate_pairs_rejected_total{{reason=\"{reason}\"}}");
        assert_eq!(count.as_f64(), Some(metrics.get(&name)));
    }
    let frames = metrics.get("pairgate_frames_read_total");
    assert_eq!(summary["frames"]["read"].as_f64(), Some(frames));
}

#[test]
fn an_address_that_others_reach_is_asked_for_by_name() {
    let temp = tempfile::tempdir().unwrap();
    let out = text(&temp.path().join("kept"));
    let told = |more: &[&str]| {
        let args = ["capture", "-", "-o", &out, "--caption", "a door"];
        let output = run(pairgate(args.iter().chain(more)), 2);
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(told(&["--listen", "0.0.0.0:0"]).contains("give --open"));
    assert!(told(&["--listen", "[::]:0"]).contains("give --open"));
    assert!(told(&["--open"]).contains("--listen"));
    assert!(told(&["--listen", "localhost"]).contains("invalid"));
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let error = told(&["--listen", &address]);
    assert!(error.contains(&address) && error.to_lowercase().contains("in use"), "{error}");
    assert!(!Path::new(&out).exists(), "nothing was begun");
}
