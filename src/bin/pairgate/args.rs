//! The command line, as it is said.

mod subset;

use std::num::NonZero;
use std::path::PathBuf;

use clap::{ArgAction, Args as ClapArgs, Parser, Subcommand, ValueEnum};
use pairgate::model::Arithmetic;
use pairgate::pair::Size;
use pairgate::policy::parse_fraction;
use pairgate::source::{InputFormat, InputOptions};

pub use subset::SubsetArgs;
#[cfg(feature = "parquet")]
pub use subset::{ArchArg, FilterArg};

/// A gate for image-text pairs: scores each pair with a small data filtering network and lets
/// only good pairs reach storage.
#[derive(Debug, Parser)]
#[command(
    version,
    max_term_width = 100,
    after_help = "\
Exit codes: 0 done; 1 done, but some pairs could not be judged; 2 could not run to the end;
130 interrupted."
)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
    /// More log lines; twice for all of them. RUST_LOG is read too.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Keep the good pairs: kept shards, a decision journal and a summary.
    Filter(FilterArgs),
    /// Score every pair and copy nothing: JSON lines, Parquet or CSV.
    Score(ScoreArgs),
    /// Take a camera's frames, caption them, and keep the good pairs.
    Capture(CaptureArgs),
    /// Find the threshold that keeps a share of the pairs, and how sure it is.
    Calibrate(CalibrateArgs),
    /// Decide again from a journal: another threshold, or the same one to see that it repeats.
    Replay(ReplayArgs),
    /// A page to look at: histogram, reasons, sources, contact sheets, a slider at the threshold.
    Report(ReportArgs),
    /// Apply DataComp's filters to its metadata, or take a gate's decisions: a subset file.
    Subset(SubsetArgs),
    /// Decision journals: list, print, check, repair.
    #[command(subcommand)]
    Journal(JournalCommand),
    /// Model bundles: make one of your own DFN, look into one, check one.
    #[command(subcommand)]
    Model(ModelCommand),
    /// Configs: check one, show it resolved, pack it for firmware.
    #[command(subcommand)]
    Config(ConfigCommand),
}

/// Find the threshold that keeps a share of the pairs, with an interval, the quantiles of the scores,
/// and how many pairs a wanted precision takes. The scores are held as a sketch of less than 1 MB,
/// whatever their number, which can be saved and merged with those of other machines.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  pairgate calibrate shards/ --keep 15% -o policy.toml     then: filter --config policy.toml
  pairgate calibrate kept/ --keep 20%                      from the scores in a journal
  pairgate calibrate shards/ --sketch node1.sketch         on each node, and then:
  pairgate calibrate --merge node*.sketch --keep 15% --into bundle")]
pub struct CalibrateArgs {
    #[command(flatten)]
    pub input: InputArgs,
    /// Share to keep.
    #[arg(short, long, value_name = "F", default_value = "15%", value_parser = fraction)]
    pub keep: f64,
    /// Wanted precision of the kept share, both ways.
    #[arg(long, value_name = "P", default_value = "0.5%", value_parser = fraction)]
    pub precision: f64,
    /// Probability that the interval holds.
    #[arg(long, value_name = "P", default_value = "95%", value_parser = fraction)]
    pub confidence: f64,
    /// The inputs are sketches, written by --sketch: their scores together.
    #[arg(long)]
    pub merge: bool,
    /// Write the sketch of all scores.
    #[arg(long, value_name = "FILE")]
    pub sketch: Option<PathBuf>,
    /// Write the threshold as a config with a [policy].
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Write quantiles and threshold into a bundle, a folder.
    #[arg(long, value_name = "BUNDLE")]
    pub into: Option<PathBuf>,
    /// The rules of the pairs that count [default: the config's, else basic].
    #[arg(long, value_enum)]
    pub rules: Option<RulesArg>,
    /// Print as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Make one self-contained HTML page of journals: score histogram, share kept by threshold, counts by
/// reason and source, contact sheets of borderline, best and worst pairs and of each reason, and a
/// slider that moves the threshold.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  pairgate report kept/ --source shards/ -o report.html
  pairgate report kept/ -o report.html                  with the pictures of the kept pairs alone")]
pub struct ReportArgs {
    /// Journals, or folders that hold one.
    #[arg(required = true, value_name = "JOURNAL")]
    pub journals: Vec<PathBuf>,
    /// The page to write.
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Where the pictures are: folders, shards or manifests that were judged [default: the kept
    /// shards beside the journals].
    #[arg(long, value_name = "IN", num_args = 1..)]
    pub source: Vec<PathBuf>,
    #[command(flatten)]
    pub images: ImageArgs,
}

#[derive(Debug, Subcommand)]
pub enum JournalCommand {
    /// One line a journal: records, verdicts, threshold, model.
    Ls(JournalArgs),
    /// Print the records as JSON lines.
    Cat(CatArgs),
    /// Find what is damaged, and whether the shards beside a journal hold what it kept.
    Check(JournalArgs),
    /// All that is known of one pair: its decision, why, and where it is stored.
    Why(WhyArgs),
    /// Leave out what is damaged; all records that are whole stay, also those behind the damage.
    Repair(RepairArgs),
}

/// Journals, or folders that hold one.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Exit code 1 if `check` finds damage.

Examples:
  pairgate journal ls kept/ boards/*.pairgate
  pairgate journal check kept/")]
pub struct JournalArgs {
    /// Journals, or folders that hold one.
    #[arg(required = true, value_name = "JOURNAL")]
    pub journals: Vec<PathBuf>,
    /// Print as JSON, one line a journal.
    #[arg(long)]
    pub json: bool,
}

/// Tell all that is known of a pair: the decision, every rule that it breaks, its scores, where it
/// came from and where it is stored.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Exit code 1 if no pair has that name.

Examples:
  pairgate journal why 000000003 kept/
  pairgate journal why 3f0c52a1b9d84e6fa0c15d3e77b2a901 kept/ --json")]
pub struct WhyArgs {
    /// The pair's uid, its key in its source, or its key in a kept shard.
    #[arg(value_name = "KEY|UID")]
    pub name: String,
    /// Journals, or folders that hold one.
    #[arg(required = true, value_name = "JOURNAL")]
    pub journals: Vec<PathBuf>,
    /// Print as JSON, one line a pair.
    #[arg(long)]
    pub json: bool,
}

/// Print the records of journals as JSON lines.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  pairgate journal cat kept/ | jq 'select(.score > 0.3) | .key'
  pairgate journal cat kept/ --reason image_truncated")]
pub struct CatArgs {
    /// Journals, or folders that hold one.
    #[arg(required = true, value_name = "JOURNAL")]
    pub journals: Vec<PathBuf>,
    /// Records with this reason alone.
    #[arg(long, value_name = "REASON")]
    pub reason: Option<String>,
}

/// Leave out what is damaged. The journal as it was stays beside it, as NAME.damaged.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Example:
  pairgate journal repair kept/")]
pub struct RepairArgs {
    /// The journal, or the folder that holds it.
    #[arg(value_name = "JOURNAL")]
    pub journal: PathBuf,
}

/// Decide again on the pairs of journals, from the scores in them; no image is read. Prints how many
/// verdicts change, and some of the pairs. A journal of `score` (-o NAME.pairgate) serves too.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Exit code 1 if --verify finds a decision that differs.

Examples:
  pairgate replay kept/ --threshold 0.3       what another threshold would change
  pairgate replay scores.pairgate --keep 15%  the threshold of the best 15 %, and what it keeps
  pairgate replay kept/ --verify              the journal agrees with itself
  pairgate replay kept/ --verify --source shards/
                                              the images still give the same decisions")]
pub struct ReplayArgs {
    /// Journals, or folders that hold one.
    #[arg(required = true, value_name = "JOURNAL")]
    pub journals: Vec<PathBuf>,
    /// Lowest score that passes, -1 to 1.
    #[arg(short, long, value_name = "X", allow_negative_numbers = true, value_parser = threshold)]
    pub threshold: Option<f32>,
    /// Share of the scored pairs to keep, such as 15%, by DataComp's rule.
    #[arg(short, long, value_name = "F", conflicts_with = "threshold", value_parser = fraction)]
    pub keep: Option<f64>,
    /// A config whose [policy] decides.
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["threshold", "keep"])]
    pub policy: Option<PathBuf>,
    /// Fail where a decision differs from the recorded one.
    #[arg(long, conflicts_with_all = ["threshold", "keep", "policy"])]
    pub verify: bool,
    /// With --verify: the pairs that were judged, judged again; folders, shards or manifests.
    #[arg(long, value_name = "IN", requires = "verify", num_args = 1..)]
    pub source: Vec<PathBuf>,
    #[command(flatten)]
    pub images: ImageArgs,
    /// With --source: the model of the journal [default: the model in the binary].
    #[arg(short, long, value_name = "BUNDLE", requires = "source")]
    pub model: Option<PathBuf>,
    /// With --source: the config of the journal.
    #[arg(long, value_name = "FILE", requires = "source")]
    pub config: Option<PathBuf>,
    /// Write the keys that would be kept, one a line with uid, shard and score, as JSON lines.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Pairs to name for each change.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub examples: usize,
    /// Print as JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Check a config: its keys, units and ranges, and its worst case against its memory ceiling.
    Check(ConfigArgs),
    /// Print a config resolved: every key with its value, and where the value comes from.
    Show(ConfigArgs),
    /// Write a config as the bytes that firmware reads (versioned, with a checksum).
    Pack(PackArgs),
}

/// Examples are for all three: a board's config, a file, or a file laid over a board's.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  pairgate config check --board rpi4
  pairgate config show --board rpi4 --config mine.toml     mine.toml laid over the board's")]
pub struct ConfigArgs {
    #[command(flatten)]
    pub layers: LayerArgs,
    /// Print as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Write a config as the bytes that firmware reads.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Example:
  pairgate config pack --config camera.toml -o camera.pgcf")]
pub struct PackArgs {
    #[command(flatten)]
    pub layers: LayerArgs,
    /// The file to write.
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
}

/// The layers of a config, each laid over the one before it, key by key.
#[derive(Debug, ClapArgs)]
pub struct LayerArgs {
    /// Start from the config of a board: rpi-zero-2w, rpi4, rpi5, imx8mp, jetson-orin-cpu,
    /// graviton-crawler, x86-crawler.
    #[arg(long, value_name = "NAME")]
    pub board: Option<String>,
    /// Limits, rules, sizes, model and policy as a TOML file.
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum ModelCommand {
    /// Make a bundle from an ONNX folder of transformers or optimum, or of open_clip_export.py.
    Import(ImportArgs),
    /// Tell what a bundle is made of: towers, operators, size, cost, quantization, licence.
    Inspect(InspectArgs),
    /// Compare a bundle with what its model says in Python, or in floats.
    Verify(VerifyArgs),
    /// Round a bundle's weights to int8: a quarter of the size, quicker to load.
    Quantize(QuantizeArgs),
}

/// Make a bundle from a folder that people have: a hub repository with ONNX files (config.json,
/// preprocessor_config.json, tokenizer.json, onnx/vision_model.onnx and onnx/text_model.onnx, or
/// one model.onnx), or what models/export/open_clip_export.py writes. All of the manifest is read
/// from the folder, and what cannot be is asked for by name. The bundle is checked against the
/// folder's golden.json, if there is one.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  pairgate model import exported/dfn-public -o dfn-public
  pairgate model import Xenova/clip-vit-base-patch32 --variant quantized \\
      --set licence=MIT --set logit_scale=100 -o clip-int8
  pairgate filter shards/ --model dfn-public --keep 15% -o kept")]
pub struct ImportArgs {
    /// The folder.
    #[arg(value_name = "PATH")]
    pub folder: PathBuf,
    /// The bundle to make: a new folder.
    #[arg(short, long, value_name = "BUNDLE")]
    pub output: PathBuf,
    /// The form of the towers to take where there are several: VARIANT of
    /// vision_model_VARIANT.onnx [default: the plain one].
    #[arg(long, value_name = "VARIANT")]
    pub variant: Option<String>,
    /// Say a value of the manifest, such as licence=MIT; once for each.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub settings: Vec<String>,
    /// Check against this golden file [default: golden.json, or golden_VARIANT.json, in the folder].
    #[arg(long, value_name = "FILE")]
    pub golden: Option<PathBuf>,
    /// Print the manifest's values and where each comes from as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Tell what a bundle is made of: towers, operators, parameters, cost of a pair, memory,
/// quantization, what runs in integer arithmetic, licence, digests.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  pairgate model inspect                       the model in the binary
  pairgate model inspect dfn-public --measure  and how long it loads, in how much memory")]
pub struct InspectArgs {
    /// The bundle, a folder or a tar [default: the model in the binary].
    #[arg(value_name = "BUNDLE")]
    pub model: Option<PathBuf>,
    /// Load the model, and report the time and the peak memory of it.
    #[arg(long)]
    pub measure: bool,
    /// How the model's products are computed.
    #[arg(long, value_enum, default_value_t = ArithmeticArg::Int8)]
    pub arithmetic: ArithmeticArg,
    /// Print as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Compare a bundle with what its model says elsewhere: in Python, by a golden file, or in floats,
/// with itself. Tells, for each tower, the largest difference and the cosine; for the scores of all
/// pictures with all captions, how far they differ, the rank correlation and the verdicts that flip
/// at the top 15 %.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Exit code 1 if a cosine is below --min-cosine or token ids differ.

Examples:
  pairgate model verify dfn-public --golden exported/dfn-public/golden.json
  pairgate model verify dfn-int8 --against float shards/     what int8 costs, on your pairs")]
pub struct VerifyArgs {
    /// The bundle, a folder or a tar.
    #[arg(value_name = "BUNDLE")]
    pub model: PathBuf,
    /// With --against: pairs to compare on, as `filter` takes them.
    #[arg(value_name = "IN", requires = "against")]
    pub inputs: Vec<PathBuf>,
    #[command(flatten)]
    pub images: ImageArgs,
    /// The golden file, as the scripts in models/export write it.
    #[arg(long, value_name = "FILE", required_unless_present = "against")]
    pub golden: Option<PathBuf>,
    /// Compare with the same bundle in this arithmetic.
    #[arg(long, value_enum, conflicts_with = "golden", requires = "inputs")]
    pub against: Option<ArithmeticArg>,
    /// With --against: how many pairs to compare on, the first that can be decoded.
    #[arg(long, value_name = "N", default_value_t = 256)]
    pub pairs: usize,
    /// How the products are computed [default: float with --golden, int8 with --against].
    #[arg(long, value_enum)]
    pub arithmetic: Option<ArithmeticArg>,
    /// Smallest cosine that passes, 0 to 1 [default: 0.9999 in floats, 0.995 in int8].
    #[arg(long, value_name = "X", value_parser = cosine)]
    pub min_cosine: Option<f64>,
    /// Print as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Make a bundle small: round its weights to int8, each output channel by its own scale. What is
/// quantized already stays as it is.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  pairgate model quantize dfn-public -o dfn-int8
  pairgate model verify dfn-int8 --against float shards/     then see what it costs")]
pub struct QuantizeArgs {
    /// The bundle, a folder or a tar.
    #[arg(value_name = "BUNDLE")]
    pub model: PathBuf,
    /// The bundle to make: a new folder.
    #[arg(short, long, value_name = "BUNDLE")]
    pub output: PathBuf,
    /// Print as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Keep the good pairs: WebDataset shards of those that pass, a table beside each, a journal of every
/// decision, and a summary in which pairs in = kept + rejected + failed. The same command goes on where
/// it was stopped, killed or cut off.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  pairgate filter shards/ -o kept                      the model's recommended threshold
  pairgate filter 0000*.tar --keep 15% -o kept         the best 15 % (reads the input twice)
  curl -s URL | pairgate filter - --threshold 0.28 -o kept
  crawl | pairgate filter - --keep 15% --follow -o kept    the threshold follows the scores
  pairgate filter photos/ -o kept --rejected why       20 rejected pairs a reason, to look at
  pairgate filter --format frames /dev/ttyACM0 -o kept  what a microcontroller sends, after
                                                       stty -F /dev/ttyACM0 raw 115200")]
pub struct FilterArgs {
    #[command(flatten)]
    pub input: InputArgs,
    /// Folder for the kept shards and the journal; made if it is missing.
    #[arg(short, long, value_name = "DIR", required_unless_present = "dry_run")]
    pub output: Option<PathBuf>,
    /// Replace the shards and journal of an earlier run in the output folder, which is gone on with
    /// else.
    #[arg(long)]
    pub overwrite: bool,
    /// Go on in a folder although another model, config or version decided there so far.
    #[arg(long)]
    pub accept_new_decisions: bool,
    /// Add the decision to each kept sample's .json, as a member `pairgate`; the rest stays as it is.
    #[arg(long)]
    pub annotate: bool,
    /// Lowest score that passes, -1 to 1 [default: the config's, else the model's recommended
    /// one].
    #[arg(short, long, value_name = "X", allow_negative_numbers = true, value_parser = threshold)]
    pub threshold: Option<f32>,
    /// Share of the scored pairs to keep, such as 15% or 0.15, by DataComp's rule. Files are read
    /// twice; on standard input the model's calibration gives the threshold.
    #[arg(short, long, value_name = "F", conflicts_with = "threshold", value_parser = fraction)]
    pub keep: Option<f64>,
    #[command(flatten)]
    pub follow: FollowArgs,
    /// What becomes of pairs that cannot be judged [default: the config's, else drop].
    #[arg(long, value_enum)]
    pub on_error: Option<OnErrorArg>,
    /// The cheap rules in front of the model [default: the config's, else basic].
    #[arg(long, value_enum)]
    pub rules: Option<RulesArg>,
    /// Kept pairs a shard [default: the config's, else 10000].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=9_999_999))]
    pub shard_size: Option<u64>,
    /// Folder for a look at what was not kept: some pairs for each reason.
    #[arg(long, value_name = "DIR")]
    pub rejected: Option<PathBuf>,
    /// Pairs for each reason in the folder of --rejected.
    #[arg(long, value_name = "K", default_value_t = 20, requires = "rejected")]
    pub rejected_per_reason: usize,
    /// Decide and count, but write no shards and no journal.
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub mqtt: MqttArgs,
    /// Print the summary as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Take a camera's frames, give each a caption, and keep the good pairs, until the camera ends or
/// Ctrl-C. The camera never waits: a frame that finds no place is left out and counted. An output
/// folder is gone on with, also after the power has failed.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
The caption is the config's [capture] caption, such as \"{label}, {place}\".

Examples:
  pairgate capture /dev/video0 --board rpi4 --labels now.txt -o kept
  libcamera-vid -t 0 --codec mjpeg -o - | pairgate capture - --caption '{label}' \\
      --labels /run/labels --interval 2s -o kept
  pairgate capture recorded.mjpeg --caption 'a street in {place}' --place Bern -o kept
  pairgate capture --format frames /dev/ttyACM0 --board rpi4 -o kept     captions come with them
  pairgate capture /dev/video0 --labels now.txt --keep 10% --follow -o kept")]
pub struct CaptureArgs {
    /// A video device, a file or pipe of JPEG pictures one after the other, or - for standard input.
    #[arg(value_name = "CAMERA")]
    pub camera: PathBuf,
    /// What the camera is taken for.
    #[arg(long, value_enum, default_value_t = FormatArg::Auto)]
    pub format: FormatArg,
    /// Folder for the kept shards and the journal; one that is there is gone on with.
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
    /// Go on in a folder although another model, config or version decided there so far.
    #[arg(long)]
    pub accept_new_decisions: bool,
    /// Where labels come from: a file, whose text is the label, or a named pipe, whose last line is.
    #[arg(long, value_name = "PATH")]
    pub labels: Option<PathBuf>,
    /// The caption, with {label}, {time}, {place}, {sensor}, {number} filled in [default: the
    /// config's, else {label}].
    #[arg(long, value_name = "TEXT")]
    pub caption: Option<String>,
    /// What {place} stands for [default: the config's].
    #[arg(long, value_name = "TEXT")]
    pub place: Option<String>,
    /// What {sensor} stands for; keys begin with it [default: the config's].
    #[arg(long, value_name = "TEXT")]
    pub sensor: Option<String>,
    /// Shortest time between two frames, such as 500ms or 2s [default: the config's, else none].
    #[arg(long, value_name = "TIME")]
    pub interval: Option<String>,
    /// Size to ask a video device for [default: what it is set to].
    #[arg(long, value_name = "WxH", value_parser = size)]
    pub size: Option<Size>,
    /// Lowest score that passes, -1 to 1 [default: the config's, else the model's recommended one].
    #[arg(short, long, value_name = "X", allow_negative_numbers = true, value_parser = threshold)]
    pub threshold: Option<f32>,
    /// Share to keep, by the model's calibration, such as 15%.
    #[arg(short, long, value_name = "F", conflicts_with = "threshold", value_parser = fraction)]
    pub keep: Option<f64>,
    #[command(flatten)]
    pub follow: FollowArgs,
    /// The cheap rules in front of the model [default: the config's, else basic].
    #[arg(long, value_enum)]
    pub rules: Option<RulesArg>,
    /// Model bundle, a folder or a tar [default: the config's, else the model in the binary].
    #[arg(short, long, value_name = "BUNDLE")]
    pub model: Option<PathBuf>,
    #[command(flatten)]
    pub layers: LayerArgs,
    /// How the model's products are computed.
    #[arg(long, value_enum, default_value_t = ArithmeticArg::Int8)]
    pub arithmetic: ArithmeticArg,
    /// Print the summary as JSON.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub mqtt: MqttArgs,
}

/// A threshold that follows the scores.
#[derive(Debug, ClapArgs)]
pub struct FollowArgs {
    /// Let the threshold follow the scores of an input that is read once, so that what is kept stays
    /// the share of --keep; and warn where the scores drift. Windows are the config's [follow].
    #[arg(long, conflicts_with = "threshold")]
    pub follow: bool,
    /// With --follow: the threshold to begin with, -1 to 1 [default: the config's, else by the model's
    /// calibration].
    #[arg(long, value_name = "X", allow_negative_numbers = true, value_parser = threshold)]
    pub first_threshold: Option<f32>,
}

/// An MQTT broker that is told of a run; nothing of it in a binary without the feature `mqtt`.
#[derive(Debug, ClapArgs)]
pub struct MqttArgs {
    /// Tell an MQTT broker of the run: status, counters, and each kept pair once its shard is on
    /// disk, without its image. mqtt://[user[:password]@]host[:port][/prefix]; the port is 1883 and
    /// the prefix of topics pairgate where they are not said, and PAIRGATE_MQTT_PASSWORD may hold
    /// the password. Such as:
    /// pairgate filter shards/ -o kept --mqtt mqtt://user@broker/farm --mqtt-node barn.
    #[cfg(feature = "mqtt")]
    #[arg(long, value_name = "URL")]
    pub mqtt: Option<String>,
    /// The node's name in the topics PREFIX/NODE/status, counters and kept; one run at a time may
    /// have it [default: the host's name].
    #[cfg(feature = "mqtt")]
    #[arg(long, value_name = "NAME", requires = "mqtt")]
    pub mqtt_node: Option<String>,
}

/// Score every pair and copy nothing: one line or row a pair, with its key, its score or null, the
/// reason that speaks against it or null, and the sample's metadata. Pairs that break a rule are
/// scored too.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  pairgate score shards/ -o scores.jsonl
  pairgate score shards/ -o scores.parquet             for pandas, polars, DuckDB; or scores.csv
  pairgate score shards/ -o scores.pairgate && pairgate replay scores.pairgate --keep 15%
  pairgate score pairs.jsonl -o - | jq .score
  pairgate score --format frames camera.bin -o scores.jsonl")]
pub struct ScoreArgs {
    #[command(flatten)]
    pub input: InputArgs,
    /// File for the scores, written whole or not at all; - is standard output. NAME.parquet and
    /// NAME.csv are tables, metadata as typed columns; NAME.pairgate is a decision journal, for
    /// `replay`; all else is JSON lines.
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// The rules that are noted as a reason [default: the config's, else basic].
    #[arg(long, value_enum)]
    pub rules: Option<RulesArg>,
    /// Print the summary as JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, ClapArgs)]
pub struct InputArgs {
    /// Folders, WebDataset shards (.tar, .tar.gz), manifests (.jsonl), or - for a tar on standard
    /// input; with --format frames, files, devices or - of frames.
    #[arg(required = true, value_name = "IN")]
    pub inputs: Vec<PathBuf>,
    /// What the inputs are taken for.
    #[arg(long, value_enum, default_value_t = FormatArg::Auto)]
    pub format: FormatArg,
    #[command(flatten)]
    pub images: ImageArgs,
    /// Model bundle, a folder or a tar [default: the config's, else the model in the binary].
    #[arg(short, long, value_name = "BUNDLE")]
    pub model: Option<PathBuf>,
    #[command(flatten)]
    pub layers: LayerArgs,
    /// Workers [default: the config's, else one for each core or --threads of them].
    #[arg(short, long, value_name = "N")]
    pub workers: Option<usize>,
    /// Threads that each worker splits the model's work over: a pair takes less time, all pairs
    /// together take more [default: the config's, else 1].
    #[arg(long, value_name = "N")]
    pub threads: Option<NonZero<u32>>,
    /// Pairs that a worker takes at once [default: the config's, else 8].
    #[arg(short, long, value_name = "N")]
    pub batch: Option<usize>,
    /// Pairs that wait in front of the workers [default: the config's, else 64].
    #[arg(short, long, value_name = "N")]
    pub queue: Option<usize>,
    /// How the model's products are computed.
    #[arg(long, value_enum, default_value_t = ArithmeticArg::Int8)]
    pub arithmetic: ArithmeticArg,
    /// One of N shares of the inputs, I from 0: of their paths, sorted, those whose place leaves I
    /// when divided by N. For jobs side by side, each with an output of its own.
    #[arg(long, value_name = "I/N", value_parser = share_number)]
    pub shard: Option<(usize, usize)>,
}

impl InputArgs {
    /// The inputs of this share, of all where none was asked for.
    ///
    /// # Errors
    /// Standard input is nobody's share.
    pub fn share_of_inputs(&self) -> Result<Vec<PathBuf>, String> {
        let Some((number, shares)) = self.shard else { return Ok(self.inputs.clone()) };
        if self.inputs.iter().any(|path| path.as_os_str() == "-") {
            return Err("--shard takes its share of paths; standard input has none".into());
        }
        let mut sorted = self.inputs.clone();
        sorted.sort();
        Ok(sorted.into_iter().skip(number).step_by(shares).collect())
    }
}

impl InputArgs {
    /// How the inputs are read.
    pub fn options(&self) -> InputOptions {
        InputOptions { format: self.format.into(), ..self.images.options() }
    }
}

/// Where manifests may name images.
#[derive(Debug, ClapArgs)]
pub struct ImageArgs {
    /// The folder that manifests' image paths are relative to. Images must lie below it, links
    /// resolved; absolute paths are taken too [default: each manifest's folder].
    #[arg(long, value_name = "DIR")]
    pub image_root: Option<PathBuf>,
}

impl ImageArgs {
    /// How inputs are read that are told apart by their names.
    pub fn options(&self) -> InputOptions {
        InputOptions { image_root: self.image_root.clone(), ..InputOptions::default() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FormatArg {
    /// What names and first bytes say.
    Auto,
    /// Frames that a microcontroller sends.
    Frames,
}

impl From<FormatArg> for InputFormat {
    fn from(arg: FormatArg) -> Self {
        match arg {
            FormatArg::Auto => Self::Auto,
            FormatArg::Frames => Self::Frames,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ArithmeticArg {
    /// In 8-bit integers, on our own kernels: fast.
    Int8,
    /// In 32-bit floats, as the graphs say: the reference.
    Float,
}

impl From<ArithmeticArg> for Arithmetic {
    fn from(arg: ArithmeticArg) -> Self {
        match arg {
            ArithmeticArg::Int8 => Self::int8(),
            ArithmeticArg::Float => Self::Float,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OnErrorArg {
    /// Leave them out, counted as failed.
    Drop,
    /// Store them with the kept ones.
    Keep,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RulesArg {
    /// DataComp's basic filter without language: 3 words, 6 characters, 200 px, aspect 3.
    Basic,
    /// No rule: every pair goes to the model.
    None,
}

fn size(text: &str) -> Result<Size, String> {
    let sides = text.split_once(['x', 'X']);
    let parsed = sides.and_then(|(w, h)| Some(Size::new(w.parse().ok()?, h.parse().ok()?)));
    let fits = parsed.filter(|size| size.width > 0 && size.height > 0);
    fits.ok_or_else(|| "not a size such as 640x480".to_owned())
}

fn share_number(text: &str) -> Result<(usize, usize), String> {
    let parts = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
    let fits = parts.filter(|(number, shares)| number < shares);
    fits.ok_or_else(|| "not a share such as 0/4: its number from 0, and how many there are".into())
}

fn threshold(text: &str) -> Result<f32, String> {
    let value: f32 = text.parse().map_err(|_| "not a number".to_owned())?;
    let fits = (-1.0..=1.0).contains(&value);
    fits.then_some(value).ok_or_else(|| "out of range: a cosine is -1 to 1".to_owned())
}

fn cosine(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    let fits = (0.0..=1.0).contains(&value);
    fits.then_some(value).ok_or_else(|| "out of range: it must be 0 to 1".to_owned())
}

fn fraction(text: &str) -> Result<f64, String> {
    parse_fraction(text).ok_or_else(|| "not a share above 0 and up to 100%".to_owned())
}
