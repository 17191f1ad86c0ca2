//! The digest of settings: what changes a decision changes it, and nothing else does.

use std::collections::BTreeSet;

use pairgate::config::Layers;
use pairgate::gate::{GateSettings, Screening};
use pairgate::model::Arithmetic;
use pairgate_core::config::{Config, TrackerConfig};
use pairgate_core::policy::TrackerRule;

/// Every key of a config, another value than its default, and whether it can change a decision.
const KEYS: &[(&str, &str, bool)] = &[
    ("agent.max_stall_ms", "'2 min'", false),
    ("agent.thumbnails", "3", false),
    ("select.method", "'score keep 5%'", false),
    // The digest of what is in the file can: whoever loads it puts it into the settings.
    ("select.state", "'a.pgsel'", false),
    ("capture.caption", "'a door'", false),
    ("capture.interval_ms", "7", false),
    ("capture.max_silence_ms", "7", false),
    ("capture.min_change", "2.5", true),
    ("capture.min_sharpness", "9.0", true),
    ("capture.on_full", "'block'", false),
    ("capture.place", "'Bern'", false),
    ("capture.places", "9", false),
    ("capture.sensor", "'door'", false),
    ("follow.drift_alarm", "0.3", false),
    ("follow.enabled", "true", true),
    ("follow.every", "50", true),
    ("follow.first_threshold", "0.25", true),
    ("follow.warm_up", "500", true),
    ("follow.window", "5000", true),
    ("image.decode", "\"scaled\"", true),
    ("image.max_decode_bytes", "1000000", true),
    ("image.max_pixels", "1000000", true),
    ("image.max_side", "1000", true),
    ("memory.ceiling_bytes", "'1 GiB'", false),
    ("model.bundle", "'elsewhere'", false),
    ("model.threads", "2", false),
    ("pipeline.batch", "3", false),
    ("pipeline.max_bytes_in_flight", "'128 MiB'", false),
    ("pipeline.queue", "3", false),
    ("pipeline.workers", "3", false),
    ("policy.keep", "0.2", true),
    ("policy.on_error", "'keep'", true),
    ("policy.threshold", "0.3", true),
    ("rules.languages", r#"["de", "en"]"#, true),
    ("rules.max_aspect", "2.5", true),
    ("rules.max_words", "9", true),
    ("rules.min_chars", "7", true),
    ("rules.min_side", "100", true),
    ("rules.min_words", "4", true),
    ("sample.max_caption_bytes", "100", true),
    ("sample.max_sample_bytes", "1000000", true),
    ("serve.body_ms", "7", false),
    ("serve.drain_ms", "7", false),
    ("serve.header_ms", "7", false),
    ("serve.idle_ms", "7", false),
    ("serve.max_bytes", "'512 MiB'", false),
    ("serve.max_connections", "7", false),
    ("serve.max_streams", "7", false),
    ("serve.queue", "7", false),
    ("serve.sync_ms", "7", false),
    ("serve.uid_window", "7", false),
    ("spool.dir", "'/var/spool/pairgate'", false),
    ("spool.max_bytes", "'4 GiB'", false),
    ("spool.sync", "'always'", false),
    ("spool.sync_ms", "7", false),
    ("storage.drop_journal", "true", false),
    ("storage.keep_days", "7", false),
    ("storage.max_bytes", "1000000", false),
    ("storage.min_free", "1000000", false),
    ("storage.on_full", "'drop_oldest'", false),
    ("storage.shard_age_ms", "1000", false),
    ("storage.shard_pairs", "7", false),
    ("storage.sync_pairs", "7", false),
    ("storage.sync_ms", "7", false),
    ("thermal.battery", "'/sys/battery'", false),
    ("thermal.hot_c", "90.0", false),
    ("thermal.low_percent", "20.0", false),
    ("thermal.warm_c", "60.0", false),
    ("thermal.zone", "'/sys/zone'", false),
];

/// Which instruction set it is changes nothing.
fn int8() -> Arithmetic {
    Arithmetic::int8()
}

/// The config with lines of a file.
fn config(lines: &[String]) -> Config {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    std::fs::write(&path, lines.join("\n")).unwrap();
    let mut layers = Layers::default();
    layers.add_file(&path).unwrap();
    layers.resolve().unwrap()
}

/// The settings of a config, resolved as for a stream.
fn settings(config: &Config) -> GateSettings {
    let TrackerConfig { enabled, first_threshold, warm_up, window, every, .. } = config.tracker;
    let mut settings = GateSettings::of(config);
    settings.policy.threshold = config.policy.threshold.or(first_threshold.filter(|_| enabled));
    let keep = config.policy.keep.filter(|_| enabled);
    settings.tracker = keep.map(|keep| TrackerRule { keep, warm_up, window, every });
    settings
}

/// What a key needs beside it: a share is decided by where the threshold follows it.
fn base_of(key: &str) -> Vec<String> {
    let followed = key == "policy.keep" || (key.starts_with("follow.") && key != "follow.enabled");
    match (key, followed) {
        (_, true) => vec!["policy.keep = 0.1".into(), "follow.enabled = true".into()],
        ("follow.enabled", _) => vec!["policy.keep = 0.1".into()],
        _ => Vec::new(),
    }
}

#[test]
fn the_table_has_every_key_of_a_config() {
    let mut all = Config::default();
    all.policy.threshold = Some(0.1);
    all.policy.keep = Some(0.1);
    all.tracker.first_threshold = Some(0.1);
    let mut keys = BTreeSet::new();
    for (table, value) in toml::Table::try_from(&all).unwrap() {
        let keys_of = value.as_table().expect("a config is made of tables");
        keys.extend(keys_of.keys().map(|key| format!("{table}.{key}")));
    }
    let listed: BTreeSet<String> = KEYS.iter().map(|(key, ..)| (*key).to_owned()).collect();
    assert_eq!(keys, listed, "say of each key whether it can change a decision");
}

#[test]
fn each_key_that_can_change_a_decision_changes_the_digest_and_no_other() {
    let mut digests = BTreeSet::from([settings(&Config::default()).digest(int8())]);
    for &(key, value, decides) in KEYS {
        let mut lines = base_of(key);
        let before = settings(&config(&lines)).digest(int8());
        lines.retain(|line| !line.starts_with(key));
        lines.push(format!("{key} = {value}"));
        let changed = settings(&config(&lines));
        assert_eq!(changed.digest(int8()) != before, decides, "{key}");
        if decides {
            assert!(digests.insert(changed.digest(int8())), "{key}: the digest of another key");
            let name = if key == "follow.first_threshold" { "policy.threshold" } else { key };
            let value = value.trim_matches('\'').to_owned();
            let named = changed.named(int8());
            assert!(named.contains(&(name.to_owned(), value)), "{key}: {named:?}");
        }
    }
}

#[test]
fn settings_have_the_names_and_values_of_a_config_file() {
    assert_eq!(GateSettings::default().named(int8()), []);
    let lines = ["rules.max_aspect = 4", "image.max_side = 9", "policy.threshold = 0.2734"];
    let mut changed = settings(&config(&lines.map(str::to_owned)));
    changed.screening = Screening::Note;
    let named = changed.named(Arithmetic::Float);
    let text: Vec<String> = named.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    let expected = [
        "arithmetic=float\n",
        "image.max_side=9\n",
        "policy.threshold=0.2734\n",
        "rules.max_aspect=4.0\n",
        "screening=note\n",
    ];
    assert_eq!(text, expected);
    let bytes = expected.concat();
    assert_eq!(changed.digest(Arithmetic::Float), pairgate::digest::sha256(bytes.as_bytes()));
}

/// Folders of earlier versions are told by it.
#[test]
fn the_earlier_digest_is_what_it_was() {
    let mut changed = GateSettings::default();
    let first = changed.earlier_digest(Arithmetic::Float);
    assert_eq!(first.to_string(), FIRST);
    changed.policy.threshold = Some(0.25);
    changed.tracker = Some(TrackerRule { keep: 0.15, warm_up: 10, window: 200, every: 3 });
    assert_eq!(changed.earlier_digest(int8()).to_string(), FOLLOWED);
    // It knows nothing of what came later.
    changed.frames.min_change = 3.0;
    assert_eq!(changed.earlier_digest(int8()).to_string(), FOLLOWED);
}

const FIRST: &str = "77df117beb1bccf1f4fb7dbaa5a9f0e6344d9076a80d8ae66bd5012edd0da1cc";
const FOLLOWED: &str = "0cc08b9179926d7690ecb8690467aff31ad47cd4d83abb2c5eaa6781b1745289";
