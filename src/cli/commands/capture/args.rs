//! What `pairgate capture` is asked.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use pairgate_core::pair::Size;

use crate::cli::args::{
    ArithmeticArg, FollowArgs, FormatArg, LayerArgs, MqttArgs, RulesArg, fraction, threshold,
};

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

fn size(text: &str) -> Result<Size, String> {
    let sides = text.split_once(['x', 'X']);
    let parsed = sides.and_then(|(w, h)| Some(Size::new(w.parse().ok()?, h.parse().ok()?)));
    let fits = parsed.filter(|size| size.width > 0 && size.height > 0);
    fits.ok_or_else(|| "not a size such as 640x480".to_owned())
}
