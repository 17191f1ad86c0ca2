//! Configs: the commented files, ranges, units, unknown keys, layers, and the packed form.

use pairgate::config::{BOARDS, Layers};
use pairgate_core::config::packed::{MAX_BYTES, pack, unpack};
use pairgate_core::config::{
    AgentConfig, Config, DecodeMode, ImageLimits, OnFull, ServeConfig, StorageConfig,
};
use pairgate_core::policy::OnError;

use crate::cli::{pairgate, run, skipped_under_emulation};

const DEFAULT: &str = include_str!("../../firmware-config/default.toml");

/// The error of a config of this text, which stands in a file called `mine.toml`.
fn fault(text: &str) -> String {
    let mut layers = Layers::default();
    let added = layers.add("mine.toml", text).and_then(|()| layers.resolve());
    added.unwrap_err().to_string()
}

fn board(name: &str) -> Config {
    let mut layers = Layers::default();
    layers.add_board(name).unwrap();
    layers.resolve().unwrap()
}

/// Key, value and comment of each line that has a key, commented-out ones included.
fn lines(text: &str) -> Vec<(String, String, String)> {
    let line = |line: &str| {
        let (key, rest) = line.trim_start_matches("# ").split_once(" = ")?;
        let (value, comment) = rest.split_once("# ")?;
        Some((key.to_owned(), value.trim().to_owned(), comment.to_owned()))
    };
    text.lines().filter_map(line).collect()
}

#[test]
fn the_commented_file_is_the_default() {
    assert_eq!(toml::from_str::<Config>(DEFAULT).unwrap(), Config::default());
    Config::default().check().unwrap();
}

#[test]
fn the_commented_file_has_every_key() {
    let keys = |table: toml::Table| -> Vec<_> {
        let tables = table.into_iter().map(|(name, keys)| (name, keys.as_table().unwrap().clone()));
        tables
            .flat_map(|(name, keys)| keys.into_iter().map(move |key| (name.clone(), key.0)))
            .collect()
    };
    let file: toml::Table = toml::from_str(DEFAULT).unwrap();
    let all = toml::Table::try_from(Config::default()).unwrap();
    assert_eq!(keys(file), keys(all));
    // Unset by default, and then not in TOML.
    assert!(DEFAULT.contains("\n# threshold = ") && DEFAULT.contains("\n# keep = "));
}

#[test]
fn a_part_of_a_config_keeps_the_other_defaults() {
    let config: Config = toml::from_str("[rules]\nmin_side = 64").unwrap();
    assert_eq!(config.rules.min_side, 64);
    assert_eq!(config.rules.min_words, Config::default().rules.min_words);
}

#[test]
fn an_unknown_key_is_named() {
    let error = toml::from_str::<Config>("[image]\nmax_sides = 5").unwrap_err().to_string();
    assert!(error.contains("max_sides") && error.contains("line 2"), "{error}");
}

#[test]
fn every_key_out_of_range_is_an_error_that_names_it() {
    for (key, value) in [
        ("image.max_side", "0"),
        ("image.max_pixels", "0"),
        ("image.max_decode_bytes", "1"),
        ("sample.max_sample_bytes", "1"),
        ("sample.max_caption_bytes", "0"),
        ("rules.min_words", "1000001"),
        ("rules.min_chars", "1000001"),
        ("rules.min_side", "65536"),
        ("rules.max_aspect", "0.5"),
        ("rules.max_aspect", "nan"),
        ("rules.max_words", "1000001"),
        ("rules.max_words", "2"),
        ("pipeline.workers", "1025"),
        ("pipeline.batch", "0"),
        ("pipeline.queue", "0"),
        ("pipeline.max_bytes_in_flight", "1000"),
        ("agent.thumbnails", "257"),
        ("agent.max_stall_ms", "999"),
    ] {
        let config: Config = toml::from_str(&format!("{key} = {value}")).unwrap();
        let error = config.check().unwrap_err().to_string();
        assert!(error.contains(key) && error.contains("must be"), "{error}");
    }
}

#[test]
fn every_board_says_every_key_with_the_same_comment() {
    let comments = |text| -> Vec<_> {
        lines(text).into_iter().map(|(key, _, comment)| (key, comment)).collect()
    };
    let wanted = comments(DEFAULT);
    assert!(wanted.len() > 35);
    for (name, text) in BOARDS {
        assert_eq!(comments(text), wanted, "{name}");
        assert!(wanted.iter().all(|(_, comment)| comment.contains(", default ")), "{name}");
    }
}

#[test]
fn the_defaults_in_the_comments_are_the_defaults() {
    for (key, value, comment) in lines(DEFAULT) {
        let said = comment.split(", default ").nth(1).unwrap().split(':').next().unwrap();
        let plain =
            |text: &str| text.trim_matches('"').trim_end_matches(['B', 's', ' ']).to_owned();
        let same = plain(said) == plain(&value) || said == format!("{value}:");
        let number = said.parse::<f64>().ok().zip(plain(&value).parse::<f64>().ok());
        let unset = said == "unset";
        assert!(same || unset || number.is_some_and(|(a, b)| a == b), "{key}: {said} {value}");
    }
}

/// What a packed config holds: firmware decodes, serves and shows nothing, and has no disk that could be
/// full.
fn for_firmware(config: &Config) -> Config {
    let image = ImageLimits { decode: DecodeMode::Exact, ..config.image };
    let StorageConfig { shard_pairs, shard_age_ms, sync_pairs, sync_ms, max_bytes, .. } =
        config.storage;
    let rest = StorageConfig::default();
    let storage =
        StorageConfig { shard_pairs, shard_age_ms, sync_pairs, sync_ms, max_bytes, ..rest };
    let (serve, agent) = (ServeConfig::default(), AgentConfig::default());
    Config { image, storage, serve, agent, ..config.clone() }
}

#[test]
fn every_board_loads_resolves_and_round_trips() {
    for (name, _) in BOARDS {
        let config = board(name);
        assert!(config.memory.ceiling_bytes > 0, "{name}");
        assert_ne!(config.pipeline.workers, 0, "{name}: the worst case needs the number");
        let mut buffer = [0; MAX_BYTES];
        let packed = unpack(pack(&config, &mut buffer).unwrap()).unwrap();
        assert_eq!(packed, for_firmware(&config), "{name}");
        let shown = toml::to_string(&config).unwrap();
        let mut again = Layers::default();
        again.add("shown", &shown).unwrap();
        assert_eq!(again.resolve().unwrap(), config, "{name}");
    }
}

#[test]
fn every_board_may_start_with_the_default_model() {
    for (name, _) in BOARDS {
        if !skipped_under_emulation("the memory that is measured would be the emulator's too") {
            run(pairgate(["config", "check", "--board", name]), 0);
        }
    }
}

#[test]
fn units_are_read_and_wrong_ones_name_the_line() {
    let text = "[image]\nmax_decode_bytes = \"3 MiB\"\n[capture]\ninterval_ms = \"2 s\"\n\
                [policy]\nkeep = \"15%\"\non_error = \"keep\"";
    let config: Config = toml::from_str(text).unwrap();
    assert_eq!(config.image.max_decode_bytes, 3 << 20);
    assert_eq!(config.capture.interval_ms, 2000);
    assert_eq!((config.policy.keep, config.policy.on_error), (Some(0.15), OnError::Keep));
    for (text, wanted) in [
        ("[image]\n\nmax_decode_bytes = \"3 MiBs\"", ["line 3", "\"64 MiB\""]),
        ("[image]\nmax_decode_bytes = \"3 s\"", ["line 2", "bytes"]),
        ("[image]\nmax_decode_bytes = -5", ["line 2", "bytes"]),
        ("[image]\nmax_decode_bytes = \"99999999999 GiB\"", ["line 2", "bytes"]),
        ("[capture]\ninterval_ms = \"2 MiB\"", ["line 2", "milliseconds"]),
        ("[capture]\ninterval_ms = 1.5", ["line 2", "milliseconds"]),
        ("[policy]\nkeep = \"150%\"", ["line 2", "150%"]),
        ("[policy]\non_error = \"perhaps\"", ["line 2", "perhaps"]),
        ("[thermal]\nzone = 5", ["line 2", "5"]),
        ("[rules]\nlanguages = [\"en\", \"xx\"]", ["line 2", "ar, de, en, es"]),
        ("[rules]\nlanguages = \"en\"", ["line 2", "a list of codes"]),
        ("[image]\nmax_sides = 5", ["line 2", "max_sides"]),
        ("[image\nmax_side = 5", ["line 1", "mine.toml"]),
    ] {
        let error = fault(text);
        assert!(wanted.iter().all(|part| error.contains(part)), "{text}: {error}");
    }
}

#[test]
fn ranges_and_contradictions_name_the_line() {
    for (text, wanted) in [
        ("[rules]\nmin_words = 1\nmax_aspect = 0.5", ["mine.toml, line 3", "max_aspect"]),
        ("[policy]\nthreshold = 0.1\nkeep = 0.2", ["line 3", "policy.threshold"]),
        ("[thermal]\nwarm_c = 80.0\nhot_c = 60.0", ["line 3", "80 to 150"]),
        (
            "[memory]\nceiling_bytes = \"64 MiB\"\n[capture]\nplaces = 1",
            ["line 2", "image.max_decode_bytes"],
        ),
        (
            "[image]\nmax_decode_bytes = 65536\n[pipeline]\nmax_bytes_in_flight = \"70 MiB\"\n\
             [capture]\nplaces = 1\n[memory]\nceiling_bytes = \"100 MiB\"",
            ["line 8", "pipeline.max_bytes_in_flight"],
        ),
    ] {
        let error = fault(text);
        assert!(wanted.iter().all(|part| error.contains(part)), "{text}: {error}");
    }
}

#[test]
fn later_layers_win_and_every_value_has_its_origin() {
    let mut layers = Layers::default();
    layers.add_board("rpi4").unwrap();
    layers.add("mine.toml", "[pipeline]\nworkers = 3\n").unwrap();
    layers.set("pipeline", "batch", 2, "command line");
    let config = layers.resolve().unwrap();
    assert_eq!((config.pipeline.workers, config.pipeline.batch), (3, 2));
    assert_eq!(config.capture.on_full, OnFull::DropNewest);
    let origin = |key: &str| layers.origin(key).unwrap().to_string();
    assert_eq!(origin("pipeline.workers"), "mine.toml, line 2");
    assert_eq!(origin("pipeline.batch"), "command line");
    assert!(origin("pipeline.queue").starts_with("board rpi4, line "));
    assert_eq!(layers.origin("policy.keep"), None);
    layers.unset("pipeline", "workers");
    assert_eq!(layers.resolve().unwrap().pipeline.workers, 0);
    let error = layers.add_board("rpi9").unwrap_err().to_string();
    assert!(error.contains("rpi9") && error.contains("rpi-zero-2w"), "{error}");
}

#[test]
fn a_damaged_packed_config_is_refused() {
    let mut buffer = [0; MAX_BYTES];
    let packed = pack(&board("rpi-zero-2w"), &mut buffer).unwrap().to_vec();
    for cut in 0..packed.len() {
        assert!(unpack(&packed[..cut]).is_err(), "{cut} bytes");
    }
    for at in 0..packed.len() {
        let mut damaged = packed.clone();
        damaged[at] ^= 1;
        assert!(unpack(&damaged).is_err(), "byte {at}");
    }
    assert!(pack(&board("rpi4"), &mut [0; 20]).is_err());
    let mut config = Config::default();
    config.pipeline.batch = 0;
    assert!(unpack(pack(&config, &mut buffer).unwrap()).is_err(), "out of range");
}

/// Firmware would pass what they reject.
#[test]
fn a_packed_config_holds_no_rules_that_its_format_has_not() {
    let mut buffer = [0; MAX_BYTES];
    for text in ["[rules]\nmax_words = 9", "[rules]\nlanguages = [\"de\"]"] {
        let config: Config = toml::from_str(text).unwrap();
        let error = pack(&config, &mut buffer).unwrap_err().to_string();
        assert!(error.contains("rules.max_words") && error.contains("rules.languages"), "{error}");
    }
    let text = "[capture]\nmax_silence_ms = 5\non_full = \"spool\"\n[spool]\nmax_bytes = \"2 GiB\"";
    let config: Config = toml::from_str(text).unwrap();
    let unpacked = unpack(pack(&config, &mut buffer).unwrap()).unwrap();
    assert_eq!(unpacked, Config::default(), "of no use to firmware, and left out");
}

#[test]
fn the_packed_bytes_are_pinned() {
    let mut buffer = [0; MAX_BYTES];
    let packed = pack(&Config::default(), &mut buffer).unwrap();
    let hex: String = packed.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        hex,
        "504743460200540000000080800180b4891380808050808080108080040306c8010000000000000840000840808080200001000000904e000000000008000000000000000000077b6c6162656c7d00000000008c420000a0420000007041a222a38e"
    );
}

#[test]
fn the_command_checks_shows_and_packs() {
    if !skipped_under_emulation("the memory that is measured would be the emulator's too") {
        let out = run(pairgate(["config", "check", "--board", "rpi-zero-2w"]), 0);
        let out = String::from_utf8(out.stdout).unwrap();
        assert!(out.contains("ceiling") && out.contains("256 MiB"), "{out}");
    }
    let folder = tempfile::tempdir().unwrap();
    let mine = folder.path().join("mine.toml");
    std::fs::write(&mine, "[pipeline]\nworkers = 1\n").unwrap();
    let mine = mine.to_str().unwrap();
    let out = run(pairgate(["config", "show", "--board", "rpi4", "--config", mine]), 0);
    let out = String::from_utf8(out.stdout).unwrap();
    let line = |key: &str| out.lines().find(|line| line.starts_with(key)).unwrap();
    assert!(line("workers").ends_with("mine.toml, line 2"), "{out}");
    assert!(line("max_aspect").contains("board rpi4"), "{out}");
    assert!(toml::from_str::<Config>(&out).is_ok(), "{out}");

    let packed = folder.path().join("rpi4.pgcf");
    run(pairgate(["config", "pack", "--board", "rpi4", "-o", packed.to_str().unwrap()]), 0);
    assert_eq!(unpack(&std::fs::read(&packed).unwrap()).unwrap(), for_firmware(&board("rpi4")));

    let following = folder.path().join("following.toml");
    std::fs::write(&following, "[policy]\nkeep = 0.15\n[follow]\nenabled = true\n").unwrap();
    let following = following.to_str().unwrap();
    let out = pairgate(["config", "pack", "-c", following, "-o", packed.to_str().unwrap()]);
    let err = String::from_utf8(run(out, 0).stderr).unwrap();
    assert!(err.contains("[follow] is left out"), "{err}");

    // What waits between camera and gate counts where a config is checked, and where one captures.
    std::fs::write(mine, "[memory]\nceiling_bytes = \"1 GiB\"\n[capture]\nplaces = 255").unwrap();
    let err = run(pairgate(["config", "check", "-c", mine]), 2).stderr;
    let err = String::from_utf8(err).unwrap();
    let wanted = ["mine.toml, line 2", "capture.places x sample.max_sample_bytes"];
    assert!(wanted.iter().all(|part| err.contains(part)), "{err}");
    let filter = ["filter", "tests/data/pairs", "--dry-run", "-w", "1", "-c", mine];
    run(pairgate(filter), 0);

    std::fs::write(mine, "[memory]\nceiling_bytes = \"9 MiB\"\n").unwrap();
    let out = run(pairgate(["config", "check", "--board", "rpi-zero-2w", "-c", mine]), 2);
    let err = String::from_utf8(out.stderr).unwrap();
    assert!(err.contains("mine.toml, line 2"), "{err}");
}
