//! What `pairgate serve` costs beside `pairgate score`, on the same pairs, in one run:
//! `cargo bench --bench serve [-- [--clients=16] [--rounds=3] SHARDS...]`.
//!
//! Clients keep their connections and send one pair after the other; each pair is kept, so it is written,
//! and a sync comes every 50 ms. Every score is held against that of `score` first. CPU seconds are those
//! of the processes, as Linux tells them; what starting `score` takes is measured on one pair, and taken
//! off. The generator's own work is in none of them, but the two share the machine's cores.

mod common;

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use common::{inputs, median, model, print_host, samples, seconds};
use pairgate::source::Sample;
use serde_json::Value;

/// Ticks of a second in Linux's accounts.
const TICKS: f64 = 100.0;
const PROGRAM: &str = env!("CARGO_BIN_EXE_pairgate");
const BOUNDARY: &str = "5f1d7a84c3b94c0d9f0e6a2b";

fn main() {
    print_host(&model());
    let clients = option("--clients=").unwrap_or(16);
    let rounds = option("--rounds=").unwrap_or(3);
    let samples = samples(usize::MAX);
    let folder = tempfile::tempdir().expect("a folder");
    let (mut of_score, mut of_serve, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let start = start_of_score(folder.path());
    for round in 0..rounds {
        let out = folder.path().join(format!("{round}"));
        let (scores, whole) = score(&inputs(), folder.path());
        let score_cpu = (whole - start).max(0.0) / samples.len() as f64;
        let (serve_cpu, latencies) = serve(&samples, &scores, clients, &out);
        report(round, score_cpu, serve_cpu, latencies);
        ratios.push(serve_cpu / score_cpu);
        of_score.push(score_cpu);
        of_serve.push(serve_cpu);
    }
    let ms = |values| 1e3 * median(values);
    println!("{} pairs, {clients} clients, median of {rounds} rounds", samples.len());
    println!("score  {:>8.3} ms of CPU a pair (beside {start:.2} s to start)", ms(of_score));
    println!("serve  {:>8.3} ms of CPU a pair", ms(of_serve));
    println!("serve / score {:.3}", median(ratios));
}

fn option(name: &str) -> Option<usize> {
    std::env::args().find_map(|arg| arg.strip_prefix(name)?.parse().ok())
}

fn report(round: usize, score_cpu: f64, serve_cpu: f64, mut latencies: Vec<f64>) {
    latencies.sort_by(f64::total_cmp);
    let at = |share: f64| 1e3 * latencies[(share * (latencies.len() - 1) as f64) as usize];
    println!(
        "round {round}: score {:.3} ms, serve {:.3} ms of CPU a pair; answers p50 {:.1} ms, p99 {:.1} ms",
        1e3 * score_cpu,
        1e3 * serve_cpu,
        at(0.5),
        at(0.99)
    );
}

/// CPU seconds that `score` takes for one pair: nearly all of it is its start.
fn start_of_score(folder: &Path) -> f64 {
    let one = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/pairs/beach.jpg");
    let before = children();
    let mut command = Command::new(PROGRAM);
    command.args(["score", one, "--caption", "a beach"]).current_dir(folder);
    assert!(command.output().expect("score runs").status.success());
    children() - before
}

/// Scores by key, and the CPU seconds that they took.
fn score(inputs: &[PathBuf], folder: &Path) -> (HashMap<String, Value>, f64) {
    let (path, before) = (folder.join("scores.jsonl"), children());
    let mut command = Command::new(PROGRAM);
    command.arg("score").args(inputs).arg("-o").arg(&path);
    let output = command.output().expect("score runs");
    assert!(matches!(output.status.code(), Some(0 | 1)), "{output:?}");
    let cpu = children() - before;
    let lines = fs::read_to_string(&path).expect("the scores can be read");
    let line = |line: &str| -> Value { serde_json::from_str(line).expect("a line of JSON") };
    let named = |value: Value| (name(&value["shard"], &value["key"]), value["score"].clone());
    (lines.lines().map(line).map(named).collect(), cpu)
}

fn name(shard: &Value, key: &Value) -> String {
    format!("{} {}", shard.as_str().unwrap_or_default(), key.as_str().unwrap_or_default())
}

/// CPU seconds a pair of a service that judges and stores all samples, and each answer's seconds.
fn serve(
    samples: &[Sample],
    scores: &HashMap<String, Value>,
    clients: usize,
    out: &Path,
) -> (f64, Vec<f64>) {
    let mut command = Command::new(PROGRAM);
    command.args(["serve", "-t=-1", "--rules", "none", "--listen", "127.0.0.1:0", "-o"]).arg(out);
    let mut child =
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut said = BufReader::new(child.stderr.take().expect("it is piped"));
    let mut line = String::new();
    said.read_line(&mut line).expect("it says where it listens");
    let address = line.trim().strip_prefix("listening on http://").expect("an address").to_owned();
    thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));

    let next = AtomicUsize::new(0);
    let before = cpu_of(&child);
    let latencies = thread::scope(|scope| {
        let client = |_| scope.spawn(|| send(samples, scores, &next, &address));
        let clients: Vec<_> = (0..clients).map(client).collect();
        clients.into_iter().flat_map(|client| client.join().expect("it is answered")).collect()
    });
    let cpu = cpu_of(&child) - before;
    let mut kill = Command::new("kill");
    kill.args(["-TERM", &child.id().to_string()]);
    assert!(
        kill.status().expect("kill runs").success() && child.wait().expect("it ends").success()
    );
    (cpu / samples.len() as f64, latencies)
}

/// One client: sends what is left, one by one, and gives each answer's seconds.
fn send(
    samples: &[Sample],
    scores: &HashMap<String, Value>,
    next: &AtomicUsize,
    address: &str,
) -> Vec<f64> {
    let mut stream = BufReader::new(TcpStream::connect(address).expect("it listens"));
    stream.get_ref().set_nodelay(true).expect("a socket");
    let mut latencies = Vec::new();
    while let Some(sample) = samples.get(next.fetch_add(1, Ordering::Relaxed)) {
        let request = request(sample, address);
        let mut answered = Value::Null;
        latencies.push(seconds(|| answered = judge(&mut stream, &request)));
        let shard = Value::from(&*sample.shard);
        let score = scores.get(&name(&shard, &answered["key"]));
        assert_eq!(score, Some(&answered["score"]), "{answered}");
    }
    latencies
}

/// The answer to a request, which is sent until there is a place.
fn judge(stream: &mut BufReader<TcpStream>, request: &[u8]) -> Value {
    loop {
        stream.get_mut().write_all(request).expect("it is there");
        match answer(stream) {
            (200, answer) => return answer,
            (429, _) => thread::sleep(Duration::from_millis(20)),
            (status, answer) => panic!("{status} {answer}"),
        }
    }
}

fn request(sample: &Sample, address: &str) -> Vec<u8> {
    let metadata = sample.metadata();
    let pair = sample.pair(&metadata);
    let (image, caption) = (pair.image.unwrap_or_default(), pair.caption.unwrap_or_default());
    let mut body = Vec::new();
    for (name, value) in [("image", image), ("caption", caption), ("key", sample.key.as_bytes())] {
        let head = format!("content-disposition: form-data; name=\"{name}\"");
        body.extend_from_slice(format!("--{BOUNDARY}\r\n{head}\r\n\r\n").as_bytes());
        body.extend_from_slice(value);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    let head = format!(
        "POST /v1/judge HTTP/1.1\r\nhost: {address}\r\ncontent-length: {}\r\n\
         content-type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), &body].concat()
}

fn answer(stream: &mut impl BufRead) -> (u16, Value) {
    let (mut status, mut length) = (0, 0);
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).expect("an answer");
        let line = line.trim().to_lowercase();
        if let Some(rest) = line.strip_prefix("http/1.1 ") {
            status = rest[..3].parse().expect("a status");
        } else if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.parse().expect("a length");
        } else if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).expect("a body");
    (status, serde_json::from_slice(&body).expect("JSON"))
}

/// CPU seconds of a process so far, all of its threads.
fn cpu_of(child: &Child) -> f64 {
    let fields = stat(&format!("/proc/{}/stat", child.id()));
    (fields[11] + fields[12]) / TICKS
}

/// CPU seconds of all children that have ended.
fn children() -> f64 {
    let fields = stat("/proc/self/stat");
    (fields[13] + fields[14]) / TICKS
}

/// The numbers behind a process's name; the state, which is none, is zero.
fn stat(path: &str) -> Vec<f64> {
    let text = fs::read_to_string(path).expect("Linux tells of processes");
    let (_, rest) = text.rsplit_once(')').expect("a name in brackets");
    rest.split_whitespace().map(|field| field.parse().unwrap_or_default()).collect()
}
