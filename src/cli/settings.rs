//! From what the command line says to the layers of a config.

use std::error::Error;
use std::path::Path;

use pairgate_core::config::{Config, DecodeMode, TrackerConfig};
use pairgate_core::policy::TrackerRule;
use pairgate_core::rules::Rules;

use crate::cli::args::{
    DecodeArg, GroupArgs, InputArgs, LayerArgs, OutputArgs, PolicyArgs, RuleArgs, RulesArg,
    ThresholdArgs,
};
use crate::config::Layers;
use crate::decide::groups::GroupRules;
use crate::language::IS_BUILT_IN;
use crate::model::bundle::manifest::Manifest;

/// What messages call values that options say.
pub const COMMAND_LINE: &str = "command line";

/// The config of `--board`, and over it that of `--config`.
pub fn of_layers(args: &LayerArgs) -> Result<Layers, Box<dyn Error>> {
    let mut layers = Layers::default();
    if let Some(board) = &args.board {
        layers.add_board(board)?;
    }
    if let Some(path) = &args.config {
        layers.add_file(path)?;
    }
    Ok(layers)
}

/// The same for a command that takes a stream, and over it the options that say what passes.
pub fn of_stream(layers: &LayerArgs, policy: &PolicyArgs) -> Result<Layers, Box<dyn Error>> {
    let mut layers = of_layers(layers)?;
    set_policy(&mut layers, policy);
    if layers.groups()?.by.is_some() {
        let place = layers.origin("groups.by").map_or("default".into(), ToString::to_string);
        return Err(format!(
            "config {place}: groups.by: groups with thresholds of their own are for filter and cut"
        )
        .into());
    }
    Ok(layers)
}

/// What the options say of groups. Groups that were said outweigh those of a file.
pub fn set_groups(layers: &mut Layers, args: &GroupArgs) {
    if let Some(by) = &args.by {
        layers.unset("groups", "by");
        layers.unset("groups", "goals");
        layers.set("groups", "by", by.to_string(), COMMAND_LINE);
    }
    for (name, goal) in &args.groups {
        let goal = [(name.clone(), toml::Value::String(goal.to_string()))];
        layers.set("groups", "goals", toml::Table::from_iter(goal), COMMAND_LINE);
    }
}

/// How pairs are grouped, where they are.
///
/// # Errors
/// What is wrong with it.
pub fn group_rules(layers: &Layers) -> Result<Option<GroupRules>, Box<dyn Error>> {
    let groups = layers.groups()?;
    let wrong = |key: &str, why: String| {
        let origin = layers.origin(key).or_else(|| layers.origin("groups.by"));
        let place = origin.map_or("default".into(), ToString::to_string);
        format!("config {place}: {key}: {why}")
    };
    let Some(by) = &groups.by else {
        return match groups.goals.is_empty() {
            true => Ok(None),
            false => {
                Err("a group's own goal (--group) needs --by, or groups.by of a config".into())
            }
        };
    };
    let by = by.parse().map_err(|why| wrong("groups.by", why))?;
    let goal = |(name, goal): (&String, &String)| {
        let goal = goal.parse().map_err(|why| wrong(&format!("groups.goals.{name}"), why))?;
        Ok((name.clone(), goal))
    };
    let goals = groups.goals.iter().map(goal).collect::<Result<Vec<_>, String>>()?;
    Ok(Some(GroupRules::new(by, goals).map_err(|why| wrong("groups.goals", why))?))
}

/// The share that a stream was asked to keep by one threshold, where it was.
pub fn stream_share(config: &Config) -> Option<f64> {
    config.policy.keep.filter(|_| !config.tracker.enabled && config.policy.threshold.is_none())
}

/// The same for one that reads inputs, and over it what the options say.
pub fn of_input(input: &InputArgs) -> Result<Layers, Box<dyn Error>> {
    let mut layers = of_layers(&input.layers)?;
    let mut number = |table, key, value: Option<usize>| -> Result<(), Box<dyn Error>> {
        if let Some(value) = value {
            layers.set(table, key, i64::try_from(value)?, COMMAND_LINE);
        }
        Ok(())
    };
    number("pipeline", "workers", input.workers)?;
    number("pipeline", "batch", input.batch)?;
    number("pipeline", "queue", input.queue)?;
    number("model", "threads", input.threads.map(|threads| threads.get() as usize))?;
    Ok(layers)
}

/// What the options say of what passes. A threshold or a share that was said outweighs either of a file; a
/// threshold stands, whatever a file says of following the scores.
pub fn set_policy(layers: &mut Layers, args: &PolicyArgs) {
    let PolicyArgs { cut, follow, first_threshold, ref select, ref rules } = *args;
    set_selection(layers, select.as_deref());
    set_threshold(layers, cut);
    if cut.threshold.is_some() {
        layers.set("follow", "enabled", false, COMMAND_LINE);
    }
    if follow {
        layers.set("follow", "enabled", true, COMMAND_LINE);
    }
    if let Some(first) = first_threshold {
        layers.set("follow", "first_threshold", f64::from(first), COMMAND_LINE);
    }
    set_rules(layers, rules);
}

/// The threshold or the share that options say.
pub fn set_threshold(layers: &mut Layers, args: ThresholdArgs) {
    if args.threshold.is_some() || args.keep.is_some() {
        layers.unset("policy", "threshold");
        layers.unset("policy", "keep");
    }
    if let Some(threshold) = args.threshold {
        layers.set("policy", "threshold", f64::from(threshold), COMMAND_LINE);
    }
    if let Some(keep) = args.keep {
        layers.set("policy", "keep", keep, COMMAND_LINE);
    }
}

/// What the options say of the output and of what goes into it.
pub fn set_output(layers: &mut Layers, args: &OutputArgs) -> Result<(), Box<dyn Error>> {
    if let Some(on_error) = args.on_error {
        layers.set("policy", "on_error", on_error.name(), COMMAND_LINE);
    }
    if let Some(pairs) = args.shard_size {
        layers.set("storage", "shard_pairs", i64::try_from(pairs)?, COMMAND_LINE);
    }
    Ok(())
}

/// The state that an option says selects.
pub fn set_selection(layers: &mut Layers, state: Option<&Path>) {
    if let Some(path) = state {
        layers.set("select", "state", path.to_string_lossy().into_owned(), COMMAND_LINE);
    }
}

/// Refuses a first threshold where none follows the scores.
pub fn check_policy(args: &PolicyArgs, config: &Config) -> Result<(), String> {
    match args.first_threshold {
        Some(_) if !config.tracker.enabled => Err("--first-threshold needs --follow".into()),
        _ => Ok(()),
    }
}

/// How the threshold of a checked config follows the scores, where it does.
pub fn tracker_rule(config: &Config) -> Option<TrackerRule> {
    let TrackerConfig { enabled, warm_up, window, every, .. } = config.tracker;
    let keep = config.policy.keep.filter(|_| enabled)?;
    Some(TrackerRule { keep, warm_up, window, every })
}

/// The threshold for an input that is read once: the policy's, the first one of those that follow the
/// scores, what the model's calibration gives for the policy's share, or what the model recommends.
pub fn stream_threshold(config: &Config, manifest: &Manifest) -> Result<f32, Box<dyn Error>> {
    let first = config.tracker.first_threshold.filter(|_| config.tracker.enabled);
    match (config.policy.threshold.or(first), config.policy.keep) {
        (Some(threshold), _) => Ok(threshold),
        (None, Some(fraction)) => {
            let threshold = manifest.calibrated_threshold(fraction).ok_or(
                "a share needs its input twice, which a stream does not allow, and the model is \
                 not calibrated: give --threshold, or --first-threshold with --follow, or a bundle with \
                 score_quantiles (pairgate calibrate --into)",
            )?;
            log::info!("a share of a stream: the model's calibration gives {threshold:.4}");
            Ok(threshold)
        }
        (None, None) => manifest
            .recommended_threshold
            .ok_or_else(|| "the model recommends no threshold: give --threshold or --keep".into()),
    }
}

/// The rules that the options say: those under a name, and over them single ones.
pub fn set_rules(layers: &mut Layers, args: &RuleArgs) {
    let languages = args.languages();
    let RuleArgs { rules, min_side, min_words, max_words, language: _ } = *args;
    if let Some(rules) = rules {
        set_named_rules(layers, rules);
    }
    let numbers = [("min_side", min_side), ("min_words", min_words), ("max_words", max_words)];
    for (key, value) in numbers {
        if let Some(value) = value {
            layers.set("rules", key, i64::from(value), COMMAND_LINE);
        }
    }
    if let Some(languages) = languages {
        layers.set("rules", "languages", languages.codes().collect::<Vec<_>>(), COMMAND_LINE);
    }
}

fn set_named_rules(layers: &mut Layers, rules: RulesArg) {
    let rules = match rules {
        RulesArg::Basic => Rules::BASIC,
        RulesArg::None => Rules::NONE,
    };
    layers.set_rules(rules, COMMAND_LINE);
}

/// Refuses languages in a build that tells none apart: every caption would be rejected.
pub fn check_languages(layers: &Layers, config: &Config) -> Result<(), String> {
    if config.rules.languages.is_any() || IS_BUILT_IN {
        return Ok(());
    }
    let place = layers.origin("rules.languages").map_or("default".into(), ToString::to_string);
    Err(format!(
        "config {place}: rules.languages = {:?}: this pairgate is built without the feature \
         `language`, and tells no languages apart: leave it at []",
        config.rules.languages
    ))
}

/// The resolution that an option asks for.
pub fn set_decode(layers: &mut Layers, decode: DecodeArg) {
    layers.set("image", "decode", DecodeMode::from(decode).name(), COMMAND_LINE);
}
