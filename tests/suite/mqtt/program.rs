//! `pairgate filter --mqtt`, as people use it.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Output, Stdio};

use serde_json::Value;

use crate::cli::{
    damaged, kept_members, pairgate, pairs, run, shard, skipped_under_emulation, summary, text,
};
use crate::memory;

use super::broker::{LOGIN, Mosquitto, free_port};
use super::listener::{Heard, Listener};
use super::wait_until;

fn url(port: u16) -> String {
    format!("mqtt://127.0.0.1:{port}/site/a")
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A run that reads from a pipe, which stays open.
struct Piped {
    child: Child,
    stdin: ChildStdin,
    /// What was not sent yet.
    rest: Vec<u8>,
}

impl Piped {
    /// All pairs pass that meet the rules; two make a shard.
    fn start(port: u16, out: &Path) -> Self {
        let tar = out.with_extension("tar");
        shard(&tar);
        let out = text(out);
        let mut command = pairgate(["filter", "-", "-o", &out, "--threshold", "-1", "--json"]);
        command.args(["--shard-size", "2", "--mqtt", &url(port), "--mqtt-node", "piped"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdin = child.stdin.take().unwrap();
        Self { child, stdin, rest: fs::read(tar).unwrap() }
    }

    /// Sends all but the last pair's end.
    fn send(&mut self) {
        let end = self.rest.split_off(self.rest.len() - 2048);
        self.stdin.write_all(&self.rest).unwrap();
        self.stdin.flush().unwrap();
        self.rest = end;
    }

    fn finish(mut self) -> Output {
        self.stdin.write_all(&self.rest).unwrap();
        drop(self.stdin);
        self.child.wait_with_output().unwrap()
    }
}

/// Everything in the shards, by shard.
fn shards(out: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(out).unwrap().map(|entry| entry.unwrap().path());
    let tars = files.filter(|file| file.extension().is_some_and(|extension| extension == "tar"));
    tars.map(|tar| (text(tar.file_name().unwrap().as_ref()), fs::read(&tar).unwrap())).collect()
}

fn assert_counters_are_the_summary(counters: &Value, summary: &Value) {
    for (ours, theirs) in [
        ("/read", "/in"),
        ("/kept", "/kept"),
        ("/rejected", "/rejected"),
        ("/failed", "/failed"),
        ("/unstored", "/unstored"),
        ("/reasons/kept", "/kept_reasons"),
        ("/reasons/rejected", "/rejected_reasons"),
        ("/reasons/failed", "/failed_reasons"),
    ] {
        let (ours, theirs) = (counters.pointer(ours), summary.pointer(theirs));
        assert!(ours.is_some() && ours == theirs, "{counters} {summary}");
    }
}

#[test]
fn a_broker_is_told_what_the_summary_and_the_shards_say() {
    let Some(broker) = Mosquitto::start() else { return };
    for (node, choice) in [("one pass", ["--threshold", "0"]), ("two passes", ["--keep", "50%"])] {
        let temp = tempfile::tempdir().unwrap();
        let out = temp.path().join("kept");
        let listener = Listener::at(broker.port);
        let mut command = pairgate(["filter", &pairs(), &damaged(), "-o", &text(&out), "--json"]);
        command.args(choice).args(["--mqtt", &url(broker.port), "--mqtt-node", node]);
        let output = run(command, 1);
        let summary = summary(&output);
        assert_eq!(summary["failed"], 1);
        let ours = |heard: &Heard| heard.topic.contains(node);
        let last = listener.wait_for_counters(|json| json["ended"] == true && json["failed"] == 1);
        assert_counters_are_the_summary(&last, &summary);
        assert_eq!(last["dropped"], 0);

        // One for each kept pair, none for another.
        let count = summary["kept"].as_u64().unwrap() as usize;
        assert!(count > 2 && count < 12);
        let kept = || listener.heard("kept").into_iter().filter(ours).collect::<Vec<_>>();
        wait_until("kept pairs", || kept().len() >= count);
        let members = kept_members(&out);
        let mut stored: Vec<&str> =
            members.keys().filter_map(|name| name.strip_suffix(".txt")).collect();
        stored.sort_unstable();
        let kept = kept();
        let mut told: Vec<String> =
            kept.iter().map(|heard| heard.json()["key"].as_str().unwrap().to_owned()).collect();
        told.sort_unstable();
        assert_eq!(told, stored);
        for heard in &kept {
            let json = heard.json();
            assert!(heard.shard_exists && !heard.retained);
            assert_eq!(json["path"], text(&out.join("00000.tar")));
            let number = |value: &Value| value.as_f64().unwrap() as f32;
            assert_eq!(number(&json["threshold"]), number(&summary["threshold"]));
            assert!(number(&json["score"]) >= number(&summary["threshold"]), "{json}");
            let caption = &members[&format!("{}.txt", json["stored_key"].as_str().unwrap())];
            let told = json["caption"].as_str().unwrap().as_bytes();
            assert_eq!(told, caption.as_slice());
            assert!(heard.payload.len() < 2000, "an image would be longer");
        }
        let topic = format!("site/a/{node}/status");
        wait_until("offline", || {
            let statuses = listener.heard("status").into_iter().filter(|heard| !heard.retained);
            let ours: Vec<_> = statuses.filter(|heard| heard.topic == topic).collect();
            ours.iter().map(|heard| &*heard.payload).eq([b"online".as_slice(), b"offline"])
        });
    }
}

#[test]
fn a_killed_run_is_offline_by_its_last_will() {
    let Some(broker) = Mosquitto::start() else { return };
    let temp = tempfile::tempdir().unwrap();
    let listener = Listener::at(broker.port);
    let mut piped = Piped::start(broker.port, &temp.path().join("kept"));
    listener.wait_for_status("online");
    let late = Listener::at(broker.port);
    late.wait_for_status("online");
    assert!(late.heard("status")[0].retained);
    // Without a chance to say anything: SIGKILL.
    piped.child.kill().unwrap();
    piped.child.wait().unwrap();
    listener.wait_for_status("offline");
    let late = Listener::at(broker.port);
    late.wait_for_status("offline");
    assert!(late.heard("status")[0].retained);
}

#[test]
fn pairs_of_an_open_shard_are_not_told_of() {
    let Some(broker) = Mosquitto::start() else { return };
    let temp = tempfile::tempdir().unwrap();
    let out = temp.path().join("kept");
    let listener = Listener::at(broker.port);
    let mut piped = Piped::start(broker.port, &out);
    piped.send();
    // Eleven of twelve are judged; the counters' second message, or a later one, says so.
    let counters = listener.wait_for_counters(|json| json["read"] == 11);
    let kept = counters["kept"].as_u64().unwrap();
    let published = (kept as usize - 1) / 2 * 2;
    assert!(published > 2);
    wait_until("pairs", || listener.heard("kept").len() >= published);
    assert_eq!(listener.heard("kept").len(), published);
    assert_eq!(shards(&out).len(), published / 2);
    let output = piped.finish();
    assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
    let kept = summary(&output)["kept"].as_u64().unwrap() as usize;
    wait_until("all pairs", || listener.heard("kept").len() >= kept);
    assert_eq!(listener.heard("kept").len(), kept);
    assert!(listener.heard("kept").iter().all(|heard| heard.shard_exists));
}

/// No broker at all, and one that goes away in the middle for good.
#[test]
fn a_broker_that_is_not_there_changes_nothing() {
    let temp = tempfile::tempdir().unwrap();
    let [alone, without, within] =
        ["alone", "without", "within"].map(|name| temp.path().join(name));
    let args = ["filter", &pairs(), "--threshold", "-1", "--shard-size", "2", "--json"];
    let expected = summary(&run(pairgate(args.iter().chain(&["-o", &text(&alone)])), 0));
    let kept = expected["kept"].as_u64().unwrap();

    let mut command = pairgate(args.iter().chain(&["-o", &text(&without)]));
    command.args(["--mqtt", &url(free_port())]);
    let output = run(command, 0);
    let told = errors(&output);
    assert_eq!(told.matches("no connection").count(), 1, "{told}");
    assert!(told.contains(&format!("{kept} kept pairs were not told of")), "{told}");
    assert_eq!(summary(&output)["kept"], kept);
    assert_eq!(shards(&without), shards(&alone));

    let Some(broker) = Mosquitto::start() else { return };
    let listener = Listener::at(broker.port);
    let mut piped = Piped::start(broker.port, &within);
    listener.wait_for_status("online");
    piped.send();
    wait_until("pairs", || listener.heard("kept").len() >= 2);
    drop(broker);
    let output = piped.finish();
    assert_eq!(output.status.code(), Some(0));
    let told = errors(&output);
    assert_eq!(told.matches("no connection").count(), 1, "{told}");
    assert!(told.contains("kept pairs were not told of: 0 dropped"), "{told}");
    assert_eq!(summary(&output)["kept"], kept);
    assert_eq!(shards(&within), shards(&alone));
}

fn dry_run(port: u16, login: &str) -> Command {
    let url = format!("mqtt://{login}127.0.0.1:{port}");
    let mut command = pairgate(["filter", &pairs(), "--dry-run", "--mqtt", &url]);
    command.args(["--mqtt-node", "dry"]).env_remove("PAIRGATE_MQTT_PASSWORD");
    command
}

#[test]
fn a_login_is_in_the_url_or_the_environment_and_a_wrong_one_is_a_warning() {
    let Some(broker) = Mosquitto::with_login() else { return };
    let listener = Listener::at(broker.port);
    let refused = run(dry_run(broker.port, "gate:wr0ng@"), 0);
    let told = errors(&refused);
    assert!(told.contains("refuses the user or the password"), "{told}");
    assert!(!told.contains("wr0ng"), "{told}");
    assert_eq!(listener.statuses(), [""; 0]);

    let greeted = run(dry_run(broker.port, "gate:s3cret%40%2F%3A@"), 0);
    assert!(errors(&greeted).contains("connected to 127.0.0.1"), "{}", errors(&greeted));
    listener.wait_for_status("offline");
    let mut command = dry_run(broker.port, "gate@");
    command.env("PAIRGATE_MQTT_PASSWORD", LOGIN.1);
    run(command, 0);
    wait_until("both runs", || listener.statuses().len() == 4);
    assert_eq!(listener.statuses(), ["online", "offline", "online", "offline"]);
    // A dry run stores nothing, and so there is nothing to tell of.
    assert_eq!(listener.heard("kept").len(), 0);
}

#[test]
fn an_address_that_cannot_be_used_ends_the_run_before_it_begins() {
    let temp = tempfile::tempdir().unwrap();
    let out = temp.path().join("kept");
    for (url, node, wanted) in [
        ("wss://host", "n", "plain TCP"),
        ("mqtt://user:s3cret@host:port", "n", "port"),
        ("mqtt://host", "a/b", "--mqtt-node \"a/b\""),
    ] {
        let command = ["filter", &pairs(), "-o", &text(&out), "--mqtt", url, "--mqtt-node", node]
            .map(str::to_owned);
        let told = errors(&run(pairgate(command), 2));
        assert!(told.contains(wanted), "{told}");
        assert!(!told.contains("s3cret"), "{told}");
        assert!(!out.exists());
    }
}

#[test]
fn the_queue_counts_against_the_memory_ceiling() {
    if skipped_under_emulation("the memory would be the emulator's") {
        return;
    }
    let temp = tempfile::tempdir().unwrap();
    let config = text(&temp.path().join("c.toml"));
    fs::write(&config, memory::CONFIG).unwrap();
    let filter = ["filter", &pairs(), "--dry-run", "--config", &config].map(str::to_owned);
    run(pairgate(filter.clone()), 0);
    let mut told_of = pairgate(filter);
    told_of.args(["--mqtt", &url(free_port()), "--mqtt-node", "a"]);
    let refused = errors(&run(told_of, 2));
    assert!(refused.contains("memory.ceiling_bytes"), "{refused}");
}

/// The counters tell of the board too.
#[test]
fn a_camera_tells_of_its_machine() {
    let Some(broker) = Mosquitto::start() else { return };
    let temp = tempfile::tempdir().unwrap();
    let at = |name: &str| text(&temp.path().join(name));
    fs::create_dir(at("zone")).unwrap();
    fs::write(at("zone/temp"), "58500\n").unwrap();
    fs::write(at("config.toml"), format!("[thermal]\nzone = \"{}\"\n", at("zone"))).unwrap();
    let picture = fs::read(crate::support::data("pairs/sunset.jpg")).unwrap();
    fs::write(at("camera.mjpeg"), picture.repeat(3)).unwrap();
    let listener = Listener::at(broker.port);
    let mut command = pairgate(["capture", &at("camera.mjpeg"), "-o", &at("kept"), "-t=-1"]);
    command.args(["--config", &at("config.toml"), "--caption", "an orange sunset"]);
    command.args(["--mqtt", &url(broker.port), "--mqtt-node", "camera"]);
    run(command, 0);
    let last = listener.wait_for_counters(|json| json["ended"] == true);
    assert_eq!((&last["kept"], &last["shed"]), (&3.into(), &0.into()), "{last}");
    assert_eq!(last["temperature_c"], 58.5);
    assert!(last["pairs_per_second"].is_number(), "{last}");
    assert!(last["disk_used_bytes"].is_number() && last["disk_free_bytes"].is_number(), "{last}");
}

/// Paths are those that shards have when the message comes, not those of attempts.
#[test]
fn one_to_one_outputs_are_told_of_by_their_own_names() {
    let Some(broker) = Mosquitto::start() else { return };
    let temp = tempfile::tempdir().unwrap();
    let (out, inputs) = (temp.path().join("kept"), ["a.tar", "b.tar"]);
    let inputs = inputs.map(|name| temp.path().join(name));
    inputs.iter().for_each(|input| drop(shard(input)));
    let listener = Listener::at(broker.port);
    let [a, b] = inputs.each_ref().map(|input| text(input));
    let out_text = text(&out);
    let args = ["filter", &a, &b, "-o", &out_text, "--one-to-one", "--json", "-t", "-1"];
    let mut command = pairgate(args);
    command.args(["--mqtt", &url(broker.port), "--mqtt-node", "one"]);
    let rows = String::from_utf8(command.output().unwrap().stdout).unwrap();
    let rows: Vec<Value> = rows.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 2);
    let kept: u64 = rows.iter().map(|row| row["kept"].as_u64().unwrap()).sum();
    wait_until("kept pairs", || listener.heard("kept").len() as u64 >= kept);
    let heard = listener.heard("kept");
    assert_eq!(heard.len() as u64, kept);
    assert!(heard.iter().all(|heard| heard.shard_exists));
    let paths: std::collections::BTreeSet<_> =
        heard.iter().map(|heard| heard.json()["path"].as_str().unwrap().to_owned()).collect();
    let wanted = ["a.tar", "b.tar"].map(|name| text(&out.join(name)));
    assert_eq!(paths.into_iter().collect::<Vec<_>>(), wanted);
}
