//! Configs: the commented default file, ranges, unknown keys.

use pairgate::config::Config;

const DEFAULT: &str = include_str!("../../firmware-config/default.toml");

#[test]
fn the_commented_file_is_the_default() {
    assert_eq!(toml::from_str::<Config>(DEFAULT).unwrap(), Config::default());
    Config::default().check().unwrap();
}

#[test]
fn the_commented_file_has_every_key() {
    let file: toml::Table = toml::from_str(DEFAULT).unwrap();
    let all = toml::Table::try_from(Config::default()).unwrap();
    assert_eq!(file, all);
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
        ("pipeline.workers", "1025"),
        ("pipeline.batch", "0"),
        ("pipeline.queue", "0"),
        ("pipeline.max_bytes_in_flight", "1000"),
    ] {
        let config: Config = toml::from_str(&format!("{key} = {value}")).unwrap();
        let error = config.check().unwrap_err().to_string();
        assert!(error.contains(key) && error.contains("must be"), "{error}");
    }
}
