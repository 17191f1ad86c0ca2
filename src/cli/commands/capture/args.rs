//! What `pairgate capture` is asked.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use clap::builder::{PathBufValueParser, TypedValueParser};
use pairgate_core::pair::Size;

use crate::cli::args::headings::{INPUT, OUTPUT};
use crate::cli::args::{
    EmbeddingArgs, FormatArg, LayerArgs, ListenArgs, ModelArgs, MqttArgs, PolicyArgs, SpoolArgs,
};
use crate::cli::outputs;

/// The group of what captions are made of.
const CAPTION: &str = "Caption";

/// Take a camera's frames, caption them, and keep the good pairs.
///
/// It goes on until the camera ends or Ctrl-C. The camera never waits: a frame that finds no place
/// is left out and counted; a recorded file does wait. A camera without pictures ends the run after
/// the config's capture.max_silence_ms. An output folder is gone on with, also after the power has failed.
#[derive(Debug, Clone, ClapArgs)]
#[command(
    after_help = "\
Example: pairgate capture /dev/video0 --labels now.txt -o kept
         (--help shows more)",
    after_long_help = "\
The caption is the config's [capture] caption, such as \"{label}, {place}\".

Examples:
  pairgate capture /dev/video0 --board rpi4 --labels now.txt -o kept
  libcamera-vid -t 0 --codec mjpeg -o - | pairgate capture - \\
      --caption '{label}' --labels /run/labels --interval 2s -o kept
  pairgate capture recorded.mjpeg --caption 'a street in {place}' \\
      --place Bern -o kept
  pairgate capture --format frames /dev/ttyACM0 --board rpi4 -o kept
                                                   captions come with them
  pairgate capture /dev/video0 --labels now.txt --keep 10% --follow -o kept
  pairgate capture /dev/video0 --labels now.txt -o kept \\
      --listen 127.0.0.1:8787                      with a page to look at"
)]
pub struct CaptureArgs {
    /// A video device, a file or pipe of JPEG pictures, or -.
    ///
    /// Pictures come one after the other; - is standard input.
    #[arg(value_name = "CAMERA")]
    pub camera: PathBuf,
    /// How it is read.
    ///
    /// Default: auto.
    #[arg(
        long,
        value_enum,
        value_name = "KIND",
        default_value_t = FormatArg::Auto,
        hide_default_value = true,
        help_heading = INPUT
    )]
    pub format: FormatArg,
    /// Shortest time between two frames, such as 2s.
    ///
    /// Or 500ms. Default: the config's, else none.
    #[arg(long, value_name = "TIME", help_heading = INPUT)]
    pub interval: Option<String>,
    /// Size to ask a video device for.
    ///
    /// Default: what it is set to.
    #[arg(long, value_name = "WxH", value_parser = size, help_heading = INPUT)]
    pub size: Option<Size>,
    /// The caption, such as '{label}, {place}'.
    ///
    /// {label}, {time}, {place}, {sensor} and {number} are filled in. Default: the config's, else
    /// {label}.
    #[arg(long, value_name = "TEXT", help_heading = CAPTION)]
    pub caption: Option<String>,
    /// Where labels come from: a file or a named pipe.
    ///
    /// A file's text is the label, of a pipe the last line is. One that is missing is waited for.
    #[arg(long, value_name = "PATH", help_heading = CAPTION)]
    pub labels: Option<PathBuf>,
    /// What {place} stands for.
    ///
    /// Default: the config's.
    #[arg(long, value_name = "TEXT", help_heading = CAPTION)]
    pub place: Option<String>,
    /// What {sensor} stands for; keys begin with it.
    ///
    /// Default: the config's.
    #[arg(long, value_name = "TEXT", help_heading = CAPTION)]
    pub sensor: Option<String>,
    /// Folder for the kept shards and the journal.
    ///
    /// One that is there is gone on with.
    #[arg(
        short,
        long,
        value_name = "DIR",
        value_parser = PathBufValueParser::new().try_map(outputs::folder),
        help_heading = OUTPUT
    )]
    pub output: PathBuf,
    /// Go on though model or config changed.
    ///
    /// Go on in a folder although another model, config or version decided there so far.
    #[arg(long, help_heading = OUTPUT)]
    pub accept_new_decisions: bool,
    /// Print the summary as JSON.
    #[arg(long, help_heading = OUTPUT)]
    pub json: bool,
    #[command(flatten)]
    pub embeddings: EmbeddingArgs,
    #[command(flatten)]
    pub spool: SpoolArgs,
    #[command(flatten)]
    pub policy: PolicyArgs,
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub layers: LayerArgs,
    #[command(flatten)]
    pub mqtt: MqttArgs,
    #[command(flatten)]
    pub listen: ListenArgs,
}

fn size(text: &str) -> Result<Size, String> {
    let sides = text.split_once(['x', 'X']);
    let parsed = sides.and_then(|(w, h)| Some(Size::new(w.parse().ok()?, h.parse().ok()?)));
    let fits = parsed.filter(|size| size.width > 0 && size.height > 0);
    fits.ok_or_else(|| "not a size such as 640x480".to_owned())
}
