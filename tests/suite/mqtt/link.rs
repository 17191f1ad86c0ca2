//! The link between a sink and a broker, through outages and with too little room.

use std::time::Duration;

use pairgate::disk::Disk;
use pairgate::journal::{Header, ModelName, Terms};
use pairgate::notify::mqtt::{Counters, Delivery, Link, MAX_CAPTION, Settings, Topics};
use pairgate::pipeline::Outcome;
use pairgate::sink::{Judged, RunEnd, Sink};
use pairgate::source::{Member, Sample};
use pairgate::store::{StoreOptions, StoreSink};
use pairgate_core::config::StorageConfig;
use pairgate_core::decision::{Decision, Facts, Reason, Verdict};
use pairgate_core::pair::{Size, Uid};
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

use super::broker::{Mosquitto, free_port};
use super::listener::{Heard, Listener};
use super::relay::Relay;
use super::wait_until;

const PIXELS: &[u8] = b"PIXELS, PIXELS AND MORE PIXELS";

fn judged(key: &str, caption: &[u8], metadata: &[u8]) -> Judged {
    let members = [("jpg", PIXELS), ("seg.png", PIXELS), ("txt", caption), ("json", metadata)];
    let member = |(extension, data): (&str, &[u8])| Member {
        extension: extension.to_owned(),
        data: data.to_vec(),
    };
    let members = members.into_iter().map(member).collect();
    let sample = Sample { shard: "in/7.tar".into(), key: key.into(), members, fault: None };
    let facts = Facts {
        score: Some(0.25),
        caption_length: 7,
        size: Size::new(640, 480),
        ..Facts::default()
    };
    let decision = Decision { verdict: Verdict::Kept, reason: Reason::Passed, facts };
    Judged::new(0, sample, Uid([7; 16]), decision)
}

fn pair(number: usize) -> Judged {
    judged(&format!("{number:05}"), b"a beach", br#"{"url": "x", "n": NaN}"#)
}

/// A link, and the sinks that it hears of, in a folder.
struct Bench {
    link: Option<Link>,
    sinks: Vec<Box<dyn Sink>>,
    folder: TempDir,
    outcome: Outcome,
}

impl Bench {
    fn new(port: u16, samples_per_shard: u64, set: impl FnOnce(&mut Settings)) -> Self {
        let broker = format!("mqtt://127.0.0.1:{port}/test").parse().unwrap();
        let topics = Topics::new(&broker, "bench").unwrap();
        let mut settings = Settings::new(broker, topics);
        settings.counters_every = Duration::ZERO;
        set(&mut settings);
        let link = Link::open(settings).unwrap();
        let folder = tempdir().unwrap();
        let config = StorageConfig { shard_pairs: samples_per_shard, ..StorageConfig::default() };
        let model = ModelName { name: String::new(), digest: Default::default() };
        let terms = Terms::new(model, Default::default(), Vec::new(), Some(0.125), None);
        let mut options = StoreOptions::new(config, Header::new(terms, Vec::new()));
        options.observer = Some(link.announcer(Some(0.125)));
        let store = StoreSink::create(&Disk::system(), folder.path(), options).unwrap();
        let sinks: Vec<Box<dyn Sink>> = vec![Box::new(store), link.sink()];
        Self { link: Some(link), sinks, folder, outcome: Outcome::default() }
    }

    fn accept(&mut self, judged: &Judged) {
        self.outcome.counts.add(&judged.decision);
        self.sinks.accept(judged).unwrap();
    }

    fn close(&mut self) -> Delivery {
        self.sinks.finish(RunEnd::Complete).unwrap();
        self.link.take().unwrap().close(Counters::from(&self.outcome))
    }

    fn shard(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }
}

fn keys(kept: &[Value]) -> Vec<&str> {
    kept.iter().map(|key| key.as_str().unwrap()).collect()
}

#[test]
fn a_message_tells_of_the_pair_and_never_shows_it() {
    let Some(broker) = Mosquitto::start() else { return };
    let listener = Listener::at(broker.port);
    let mut bench = Bench::new(broker.port, 10, |_| {});
    bench.accept(&judged("a/b.c", b"\xef\xbb\xbfa beach", br#"{"url": "x", "n": NaN}"#));
    let delivery = bench.close();
    assert_eq!(delivery, Delivery { delivered: 1, dropped: 0, refused: 0, undelivered: 0 });
    wait_until("the message", || listener.heard("kept").len() == 1);
    let heard = &listener.heard("kept")[0];
    assert_eq!(heard.topic, "test/bench/kept");
    let expected = json!({
        "uid": "07".repeat(16), "key": "a/b.c", "source": "in/7.tar",
        "path": bench.shard("00000.tar"), "stored_key": "a/b_c", "reason": "passed",
        "score": 0.25, "threshold": 0.125, "caption": "a beach", "caption_length": 7,
        "width": 640, "height": 480,
        "metadata": {"url": "x", "n": null}, "metadata_bytes": 22,
    });
    assert_eq!(heard.json(), expected);
    assert!(!heard.payload.windows(6).any(|bytes| bytes == b"PIXELS"));
}

#[test]
fn what_is_too_long_for_a_message_is_cut_or_left_out() {
    let Some(broker) = Mosquitto::start() else { return };
    let listener = Listener::at(broker.port);
    let mut bench = Bench::new(broker.port, 10, |_| {});
    // Each of these characters takes six bytes in JSON.
    let endless = vec![1; 1 << 20];
    let list = format!("{{\"list\": [{}0]}}", "0, ".repeat(5000));
    let mut long = judged(&"\u{1}".repeat(5000), &endless, list.as_bytes());
    long.sample.shard = "\u{1}".repeat(5000).into();
    bench.accept(&long);
    bench.accept(&judged("not json", b"\xff not UTF-8", b"[1, 2"));
    assert_eq!(bench.close().delivered, 2);
    wait_until("the messages", || listener.heard("kept").len() == 2);
    let captions = listener.kept("caption");
    assert_eq!(captions[0].as_str().unwrap().len(), MAX_CAPTION);
    assert_eq!(captions[1], "\u{fffd} not UTF-8");
    assert_eq!(listener.kept("metadata"), [Value::Null, Value::Null]);
    assert_eq!(listener.kept("metadata_bytes"), [json!(list.len()), json!(5)]);
    assert_eq!(listener.kept("key")[0].as_str().unwrap().len(), 4096);
}

/// With every step, the counters that come behind it are waited for: a message that was sent too
/// early would be there before them.
#[test]
fn a_pair_is_told_of_after_its_shard() {
    let Some(broker) = Mosquitto::start() else { return };
    let listener = Listener::at(broker.port);
    let mut bench = Bench::new(broker.port, 4, |_| {});
    for number in 0..10 {
        bench.accept(&pair(number));
        listener.wait_for_counters(|counters| counters["read"] == number + 1);
        // A shard is closed when the next one's first pair comes.
        let published = number / 4 * 4;
        wait_until("published pairs", || listener.heard("kept").len() >= published);
        assert_eq!(listener.heard("kept").len(), published);
    }
    assert_eq!(bench.close(), Delivery { delivered: 10, dropped: 0, refused: 0, undelivered: 0 });
    wait_until("all pairs", || listener.heard("kept").len() == 10);
    assert!(listener.heard("kept").iter().all(|heard| heard.shard_exists));
    let paths = listener.kept("path");
    let shards = ["00000.tar", "00001.tar", "00002.tar"].map(|name| bench.shard(name));
    assert!((0..10).all(|number| paths[number] == shards[number / 4]), "{paths:?}");
}

/// The next shard's name does not let the messages of an earlier one go that was given up.
#[test]
fn what_is_abandoned_is_not_told_of() {
    let Some(broker) = Mosquitto::start() else { return };
    let listener = Listener::at(broker.port);
    let mut bench = Bench::new(broker.port, 10, |_| {});
    let shard = bench.folder.path().join("a.tar");
    let mut announcer = bench.link.as_ref().unwrap().announcer(None);
    announcer.stored(&pair(0), &shard, "k0");
    announcer.published(&shard);
    announcer.stored(&pair(1), &shard, "k1");
    announcer.abandoned();
    announcer.stored(&pair(2), &shard, "k2");
    announcer.published(&shard);
    assert_eq!(bench.close().delivered, 2);
    wait_until("the messages", || listener.heard("kept").len() == 2);
    assert_eq!(keys(&listener.kept("stored_key")), ["k0", "k2"]);
}

#[test]
fn a_shard_that_never_got_its_name_is_not_told_of() {
    let Some(broker) = Mosquitto::start() else { return };
    let listener = Listener::at(broker.port);
    let mut bench = Bench::new(broker.port, 2, |_| {});
    (0..3).for_each(|number| bench.accept(&pair(number)));
    // Somebody else takes the second shard's name.
    std::fs::write(bench.folder.path().join("00001.tar"), "theirs").unwrap();
    bench.sinks.finish(RunEnd::Complete).unwrap_err();
    let lost = bench.sinks.lost();
    bench.outcome.counts.subtract(&lost);
    bench.outcome.unstored = lost.decided();
    let delivery = bench.link.take().unwrap().close(Counters::from(&bench.outcome));
    assert_eq!(delivery, Delivery { delivered: 2, dropped: 0, refused: 0, undelivered: 0 });
    let last = listener.wait_for_counters(|counters| counters["ended"] == true);
    assert_eq!(
        (&last["read"], &last["kept"], &last["unstored"]),
        (&3.into(), &3.into(), &0.into()),
        "its pair is on disk and in the journal: the next run gives the shard its name, and tells of it"
    );
    assert_eq!(keys(&listener.kept("key")), ["00000", "00001"]);
}

#[test]
fn an_outage_loses_nothing_that_the_queue_can_hold() {
    let Some(broker) = Mosquitto::start() else { return };
    let listener = Listener::at(broker.port);
    let relay = Relay::to(broker.port);
    // The broker is down when the run begins.
    let mut bench = Bench::new(relay.port, 1, |settings| {
        settings.patience = Duration::from_secs(60);
    });
    (0..40).for_each(|number| bench.accept(&pair(number)));
    relay.open();
    wait_until("the first pairs", || listener.heard("kept").len() >= 39);
    assert_eq!(listener.statuses(), ["online"]);
    relay.cut();
    listener.wait_for_status("offline");
    (40..80).for_each(|number| bench.accept(&pair(number)));
    relay.open();
    assert_eq!(bench.close(), Delivery { delivered: 80, dropped: 0, refused: 0, undelivered: 0 });
    listener.wait_for_counters(|counters| counters["ended"] == true && counters["kept"] == 80);
    listener.wait_for_status("offline");
    assert_eq!(listener.statuses(), ["online", "offline", "online", "offline"]);
    // At least once: what was on its way when the link was cut comes again.
    let kept = listener.kept("key");
    let mut told = keys(&kept);
    told.sort_unstable();
    told.dedup();
    assert_eq!(told.len(), 80);
}

#[test]
fn a_full_queue_drops_the_oldest_and_counts_them() {
    let Some(broker) = Mosquitto::start() else { return };
    let listener = Listener::at(broker.port);
    let relay = Relay::to(broker.port);
    let mut bench = Bench::new(relay.port, 1, |settings| {
        settings.queue_bytes = 4000;
        settings.patience = Duration::from_secs(60);
    });
    (0..50).for_each(|number| bench.accept(&pair(number)));
    relay.open();
    let delivery = bench.close();
    assert_eq!((delivery.delivered + delivery.dropped, delivery.undelivered), (50, 0));
    assert!(delivery.dropped > 30 && delivery.delivered > 3, "{delivery:?}");
    let last = listener.wait_for_counters(|counters| counters["ended"] == true);
    assert_eq!((&last["dropped"], &last["kept"]), (&delivery.dropped.into(), &50.into()));
    let newest: Vec<String> = (delivery.dropped..50).map(|number| format!("{number:05}")).collect();
    wait_until("the newest", || listener.heard("kept").len() == newest.len());
    assert_eq!(keys(&listener.kept("key")), newest);
}

/// Also what waits for its shard is bounded.
#[test]
fn a_shard_that_is_too_big_for_the_queue_is_told_of_in_part() {
    let mut bench = Bench::new(free_port(), 1000, |settings| {
        settings.queue_bytes = 4000;
        settings.patience = Duration::ZERO;
    });
    (0..50).for_each(|number| bench.accept(&pair(number)));
    let delivery = bench.close();
    assert_eq!((delivery.delivered, delivery.dropped + delivery.undelivered), (0, 50));
    assert!((4..20).contains(&delivery.undelivered), "{delivery:?}");
}

#[test]
fn a_run_that_comes_back_takes_its_place_over() {
    let Some(broker) = Mosquitto::start() else { return };
    let listener = Listener::at(broker.port);
    let first = Bench::new(broker.port, 1, |_| {});
    listener.wait_for_status("online");
    // A link that is dropped in a panic or an error says goodbye too.
    drop(first);
    listener.wait_for_status("offline");
    let mut second = Bench::new(broker.port, 1, |_| {});
    listener.wait_for_status("online");
    second.close();
    listener.wait_for_status("offline");
    assert_eq!(listener.statuses(), ["online", "offline", "online", "offline"]);
    let late = Listener::at(broker.port);
    late.wait_for_status("offline");
    let retained = |level: &str| late.heard(level).iter().all(|heard: &Heard| heard.retained);
    late.wait_for_counters(|counters| counters["ended"] == true);
    assert!(retained("status") && retained("counters"));
}

/// A broker that takes no packet of more than 4096 bytes.
fn small_broker() -> Option<Mosquitto> {
    Mosquitto::configured("allow_anonymous true\nmax_packet_size 4096\n", |_| {})
}

/// A pair whose message has about so many bytes.
fn sized(number: usize, bytes: usize) -> Judged {
    let metadata = format!(r#"{{"url": "{}"}}"#, "x".repeat(bytes));
    judged(&format!("{number:05}"), b"a beach", metadata.as_bytes())
}

#[test]
fn what_the_broker_refuses_is_counted_and_the_others_arrive() {
    let Some(broker) = small_broker() else { return };
    let listener = Listener::at(broker.port);
    let mut bench = Bench::new(broker.port, 1, |settings| {
        settings.patience = Duration::from_secs(60);
    });
    // Two of them are refused by trying; what is larger than they are is not tried.
    let large = [(3, 5000), (7, 4500), (8, 6000), (20, 7000), (39, 8000)];
    for number in 0..40 {
        let found = large.iter().find(|(large, _)| *large == number);
        bench.accept(&found.map_or_else(|| pair(number), |(_, bytes)| sized(number, *bytes)));
    }
    let delivery = bench.close();
    let refused = large.len() as u64;
    let delivered = 40 - refused;
    assert_eq!(delivery, Delivery { delivered, dropped: 0, refused, undelivered: 0 });
    let last = listener.wait_for_counters(|counters| counters["ended"] == true);
    assert_eq!((&last["refused"], &last["dropped"]), (&refused.into(), &refused.into()));
    let kept = listener.kept("key");
    let mut told = keys(&kept);
    told.sort_unstable();
    told.dedup();
    let small = (0..40).filter(|number| large.iter().all(|(large, _)| large != number));
    assert_eq!(told, small.map(|number| format!("{number:05}")).collect::<Vec<_>>());
    listener.wait_for_status("offline");
    let connections = listener.statuses().iter().filter(|status| *status == "online").count();
    assert!(connections <= 8, "{connections} connections for two refused messages");
}

/// Pairs that were on their way when a connection was lost are not what it was lost for.
#[test]
fn outages_one_after_the_other_refuse_nothing() {
    let Some(broker) = Mosquitto::start() else { return };
    let listener = Listener::at(broker.port);
    let relay = Relay::to(broker.port);
    let mut bench = Bench::new(relay.port, 1, |settings| {
        settings.patience = Duration::from_secs(60);
    });
    for round in 0..4 {
        relay.open();
        let from = 20 * round;
        (from..from + 20).for_each(|number| bench.accept(&pair(number)));
        wait_until("some of them", || listener.heard("kept").len() > from);
        relay.cut();
    }
    relay.open();
    let delivery = bench.close();
    assert_eq!(delivery, Delivery { delivered: 80, dropped: 0, refused: 0, undelivered: 0 });
}

/// One to which the counters are too large as well: status is all that it is told.
#[test]
fn a_broker_that_refuses_all_but_the_status_is_left_alone() {
    let settings = "allow_anonymous true\nmax_packet_size 120\n";
    let Some(broker) = Mosquitto::configured(settings, |_| {}) else { return };
    let listener = Listener::at(broker.port);
    let mut bench = Bench::new(broker.port, 1, |settings| {
        settings.patience = Duration::from_secs(60);
    });
    (0..20).for_each(|number| bench.accept(&pair(number)));
    let delivery = bench.close();
    assert_eq!(delivery, Delivery { delivered: 0, dropped: 0, refused: 20, undelivered: 0 });
    listener.wait_for_status("offline");
    let connections = listener.statuses().iter().filter(|status| *status == "online").count();
    assert!(connections <= 10, "{connections} connections");
}
