//! Configs, packed and as TOML, and the broker's address.

use pairgate::config::Layers;
use pairgate::notify::mqtt::{Broker, Topics};
use pairgate_core::config::packed::{MAX_BYTES, pack, unpack};
use pairgate_core::config::{CaptureConfig, Config, ImageLimits, OnFull, StorageConfig};

use crate::{Target, files, seal};

pub const PACKED: Target = Target {
    name: "packed_config",
    about: "what is unpacked packs to a config that is the same",
    seeds: packed_seeds,
    run: |bytes| {
        packed(bytes);
        let mut sealed = bytes.to_vec();
        seal::seal_config(&mut sealed);
        packed(&sealed);
    },
};

pub const TOML: Target = Target {
    name: "config",
    about: "a config that is taken can be packed for a board",
    seeds: || {
        let mut seeds = files::all_in("firmware-config", &["toml"]);
        seeds.push(b"[image]\nmax_decode_bytes = \"160 MiB\"\n[follow]\ndrift_alarm = 0.25".into());
        seeds
    },
    run: toml,
};

pub const BROKER: Target = Target {
    name: "broker",
    about: "an address is read, or refused without a word of it",
    seeds: || {
        ["mqtt://user:pass%20word@host.example:1884/farm/north", "mqtt://[::1]:1883", "mqtt://h"]
            .map(|url| url.as_bytes().to_vec())
            .into()
    },
    run: broker,
};

fn packed(bytes: &[u8]) {
    let Ok(config) = unpack(bytes) else { return };
    same_when_packed(&config);
}

fn same_when_packed(config: &Config) {
    let mut buffer = [0; MAX_BYTES];
    // Names in a config may be as long as the file is.
    let Ok(again) = pack(config, &mut buffer) else { return };
    assert_eq!(unpack(again).as_ref(), Ok(&for_firmware(config)));
}

/// A config without what firmware has no use for, which takes no bytes in a packed one.
fn for_firmware(config: &Config) -> Config {
    let usual = Config::default();
    let image = ImageLimits { decode: usual.image.decode, ..config.image };
    let on_full = match config.capture.on_full {
        OnFull::Spool => OnFull::DropNewest,
        other => other,
    };
    let max_silence_ms = usual.capture.max_silence_ms;
    let capture = CaptureConfig { on_full, max_silence_ms, ..config.capture.clone() };
    let StorageConfig { on_full, min_free, keep_days, drop_journal, .. } = usual.storage;
    let storage = StorageConfig { on_full, min_free, keep_days, drop_journal, ..config.storage };
    let Config { tracker, serve, spool, agent, .. } = usual;
    Config { image, capture, storage, tracker, serve, spool, agent, ..config.clone() }
}

fn packed_seeds() -> Vec<Vec<u8>> {
    let mut buffer = [0; MAX_BYTES];
    let mut seeds = Vec::new();
    for board in ["rpi-zero-2w", "x86-crawler"] {
        let mut layers = Layers::default();
        layers.add_board(board).expect("the board is known");
        let config = layers.resolve().expect("the board's config is sound");
        seeds.push(pack(&config, &mut buffer).expect("it fits").to_vec());
    }
    seeds
}

fn toml(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let mut layers = Layers::default();
    if layers.add("fuzz", text).is_err() {
        return;
    }
    let Ok(config) = layers.resolve() else { return };
    config.check().expect("what is resolved was checked");
    // What follows the scores is not packed.
    same_when_packed(&Config { tracker: Default::default(), ..config });
}

fn broker(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(broker) = text.parse::<Broker>() {
        // Elsewhere the same words are no password.
        let is_secret =
            text.starts_with("mqtt://user:pass%20word@") && text.matches("pass").count() == 1;
        let shown = format!("{broker} {broker:?}");
        assert!(!is_secret || !shown.contains("pass"), "the password is shown: {shown}");
        let _ = Topics::new(&broker, &text);
        let _ = Topics::new(&broker, "node");
    }
}
