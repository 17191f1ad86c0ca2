//! `pairgate config`: check, show and pack configs.

mod args;

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::process::ExitCode;

use serde_json::{Value, json};
use toml::Table;

use crate::cli::session::need_of;
use crate::cli::settings;
use crate::cli::terminal::print;
use crate::config::{GroupsConfig, Layers};

pub use args::{ConfigArgs, ConfigCommand, PackArgs};
use pairgate_core::config::packed::{MAX_BYTES, pack, unpack};
use pairgate_core::config::{Config, Need, TrackerConfig};

/// Runs the command.
pub fn run(command: &ConfigCommand) -> Result<ExitCode, Box<dyn Error>> {
    match command {
        ConfigCommand::Check(args) => check(args)?,
        ConfigCommand::Show(args) => show(args)?,
        ConfigCommand::Pack(args) => write_packed(args)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn check(args: &ConfigArgs) -> Result<(), Box<dyn Error>> {
    let layers = settings::of_layers(&args.layers)?;
    let config = layers.resolve()?;
    settings::check_languages(&layers, &config)?;
    settings::group_rules(&layers)?;
    let need = need_of(&config)?;
    need.check(config.memory.ceiling_bytes).map_err(|error| layers.blame(&error))?;
    if args.json {
        let text = serde_json::to_string_pretty(&json!({ "ok": true, "memory": memory(&need) }))?;
        return Ok(print(&format!("{text}\n"))?);
    }
    Ok(print(&format!("good\n\n{}", memory_table(&config, &need)))?)
}

fn show(args: &ConfigArgs) -> Result<(), Box<dyn Error>> {
    let layers = settings::of_layers(&args.layers)?;
    let config = layers.resolve()?;
    let text = if args.json { shown_json(&layers, &config)? } else { shown(&layers, &config)? };
    Ok(print(&text)?)
}

/// The config as TOML that can be read again, each value with its origin.
fn shown(layers: &Layers, config: &Config) -> Result<String, Box<dyn Error>> {
    let mut text = String::new();
    for (table, keys) in tables(config)? {
        writeln!(text, "{}[{table}]", if text.is_empty() { "" } else { "\n" })?;
        for (key, value) in keys {
            let origin = layers.origin(&format!("{table}.{key}"));
            let origin = origin.map_or("default".to_owned(), ToString::to_string);
            writeln!(text, "{:<40} # {origin}", format!("{key} = {value}"))?;
        }
    }
    let groups = layers.groups()?;
    if groups != GroupsConfig::default() {
        // Firmware has no groups: they are no part of the config that it reads.
        let table = Table::from_iter([("groups".to_owned(), toml::Value::try_from(groups)?)]);
        write!(text, "\n{table}")?;
    }
    Ok(text)
}

fn shown_json(layers: &Layers, config: &Config) -> Result<String, Box<dyn Error>> {
    let mut all = serde_json::Map::new();
    for (table, keys) in tables(config)? {
        for (key, value) in keys {
            let name = format!("{table}.{key}");
            let origin = layers.origin(&name).map(ToString::to_string);
            let origin = origin.map_or(json!("default"), Value::from);
            all.insert(name, json!({ "value": serde_json::to_value(value)?, "origin": origin }));
        }
    }
    let groups = layers.groups()?;
    if groups != GroupsConfig::default() {
        for (key, value) in [("by", json!(groups.by)), ("goals", json!(groups.goals))] {
            let name = format!("groups.{key}");
            let origin = layers.origin(&name).map(ToString::to_string);
            let origin = origin.map_or(json!("default"), Value::from);
            all.insert(name, json!({ "value": value, "origin": origin }));
        }
    }
    Ok(serde_json::to_string_pretty(&all)? + "\n")
}

/// The tables of the config and their keys, in the order of its fields.
fn tables(config: &Config) -> Result<Vec<(String, Table)>, Box<dyn Error>> {
    let all = Table::try_from(config)?.into_iter();
    let table = |(name, value)| match value {
        toml::Value::Table(keys) => Some((name, keys)),
        _ => None,
    };
    Ok(all.filter_map(table).collect())
}

fn write_packed(args: &PackArgs) -> Result<(), Box<dyn Error>> {
    let layers = settings::of_layers(&args.layers)?;
    let config = layers.resolve()?;
    if layers.groups()? != GroupsConfig::default() {
        log::warn!("[groups] is left out: firmware scores nothing");
    }
    if config.tracker != TrackerConfig::default() {
        log::warn!("[follow] is left out: firmware scores nothing");
    }
    let mut buffer = [0; MAX_BYTES];
    let packed = pack(&config, &mut buffer)?;
    // What firmware cannot read back is not written.
    unpack(packed)?;
    let path = &args.output;
    fs::write(path, packed).map_err(|why| format!("writing {}: {why}", path.display()))?;
    log::info!("{}: {} bytes", path.display(), packed.len());
    Ok(())
}

fn parts(need: &Need) -> [(&'static str, u64); 7] {
    [
        ("program and model", need.model),
        ("images being decoded", need.images),
        ("captions being tokenized", need.captions),
        ("kept for each thread", need.threads),
        ("samples in flight", need.samples),
        ("frames in the capture ring", need.frames),
        ("buffers of the sinks", need.sinks),
    ]
}

fn memory(need: &Need) -> Value {
    let parts = parts(need).map(|(name, bytes)| (name.replace(' ', "_"), Value::from(bytes)));
    let mut map = serde_json::Map::from_iter(parts);
    map.insert("worst_case".into(), need.total().into());
    map.into()
}

fn memory_table(config: &Config, need: &Need) -> String {
    let mib = |bytes: u64| bytes.div_ceil(1 << 20);
    let row = |name: &str, bytes| format!("{name:<28}{:>8} MiB\n", mib(bytes));
    let mut text: String = parts(need).iter().map(|(name, bytes)| row(name, *bytes)).collect();
    text += &row("memory at worst", need.total());
    match config.memory.ceiling_bytes {
        0 => text + "no ceiling\n",
        ceiling => text + &row("ceiling", ceiling),
    }
}
