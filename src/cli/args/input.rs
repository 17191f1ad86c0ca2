//! Inputs, and how they are read: what `filter`, `score` and `calibrate` share.

use std::num::NonZero;
use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};

use crate::cli::args::headings::{INPUT, SPEED};
use crate::cli::args::{LayerArgs, ModelArgs};
use crate::source::{Captions, InputFormat, InputOptions, expand_paths};

#[derive(Debug, ClapArgs)]
pub struct InputArgs {
    /// Folders, shards (.tar), tables (.jsonl, .csv, .parquet), or -.
    ///
    /// Shards may be packed by gzip, zstd, bzip2 or xz. Many in one: '{00000..00099}.tar'. Standard
    /// input is a tar, JSON lines, a JSON list or CSV, as its first bytes say. With --format frames,
    /// inputs are files, devices or - of frames.
    #[arg(required = true, value_name = "IN")]
    pub inputs: Vec<PathBuf>,
    /// How inputs are read.
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
    #[command(flatten)]
    pub images: ImageArgs,
    /// Part I of N of the inputs, I from 0.
    ///
    /// Of the inputs' paths, sorted, those whose place leaves I when divided by N. For jobs side by
    /// side, each with an output of its own.
    #[arg(long, value_name = "I/N", value_parser = part_number, help_heading = INPUT)]
    pub shard: Option<(usize, usize)>,
    #[command(flatten)]
    pub model: ModelArgs,
    /// Workers side by side.
    ///
    /// Default: the config's, else one for each core, or for each --threads of them.
    #[arg(short, long, value_name = "N", help_heading = SPEED)]
    pub workers: Option<usize>,
    /// Threads for each worker.
    ///
    /// They split the model's work: a pair takes less time, all pairs together take more. Default:
    /// the config's, else 1.
    #[arg(long, value_name = "N", help_heading = SPEED)]
    pub threads: Option<NonZero<u32>>,
    /// Pairs that a worker takes at once.
    ///
    /// Default: the config's, else 8.
    #[arg(short, long, value_name = "N", help_heading = SPEED)]
    pub batch: Option<usize>,
    /// Pairs that wait in front of the workers.
    ///
    /// Default: the config's, else 64.
    #[arg(short, long, value_name = "N", help_heading = SPEED)]
    pub queue: Option<usize>,
    #[command(flatten)]
    pub layers: LayerArgs,
}

impl InputArgs {
    /// The inputs of this part, all of them where no part was asked for.
    ///
    /// # Errors
    /// Standard input has no parts; braces may stand for too many paths.
    pub fn part_of_inputs(&self) -> Result<Vec<PathBuf>, String> {
        let inputs = expand_paths(&self.inputs).map_err(|error| error.to_string())?;
        let Some((number, parts)) = self.shard else { return Ok(inputs) };
        if inputs.iter().any(|path| path.as_os_str() == "-") {
            return Err("--shard takes its part of paths; standard input has none".into());
        }
        let mut sorted = inputs;
        sorted.sort();
        Ok(sorted.into_iter().skip(number).step_by(parts).collect())
    }

    /// How the inputs are read.
    pub fn options(&self) -> InputOptions {
        InputOptions { format: self.format.into(), ..self.images.options() }
    }
}

/// Where manifests may name images.
#[derive(Debug, ClapArgs)]
pub struct ImageArgs {
    /// The folder that image paths in tables start from.
    ///
    /// Images must lie below it, links resolved; absolute paths are taken too. Default: each
    /// table's folder.
    #[arg(long, value_name = "DIR", help_heading = INPUT)]
    pub image_root: Option<PathBuf>,
    /// What the picture is called: extensions or columns.
    ///
    /// The preferred one first, such as png,jpg. Of an extension with dots, the last part counts too.
    #[arg(long, value_name = "NAME", value_delimiter = ',', help_heading = INPUT)]
    pub image_key: Vec<String>,
    /// What the caption is called: also fields of a .json.
    ///
    /// Extensions, columns or fields, the preferred one first, such as txt,title.
    #[arg(long, value_name = "NAME", value_delimiter = ',', help_heading = INPUT)]
    pub caption_key: Vec<String>,
    /// Of several captions.
    ///
    /// Of a picture with a list of captions, one pair, or one each. Default: first.
    #[arg(
        long,
        value_enum,
        value_name = "WHICH",
        default_value_t = CaptionsArg::First,
        hide_default_value = true,
        help_heading = INPUT
    )]
    pub captions: CaptionsArg,
}

impl ImageArgs {
    /// How inputs are read that are told apart by their names.
    pub fn options(&self) -> InputOptions {
        InputOptions {
            image_root: self.image_root.clone(),
            image_keys: self.image_key.clone(),
            caption_keys: self.caption_key.clone(),
            captions: self.captions.into(),
            ..InputOptions::default()
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CaptionsArg {
    /// One pair a picture.
    First,
    /// A pair for each caption.
    All,
}

impl From<CaptionsArg> for Captions {
    fn from(arg: CaptionsArg) -> Self {
        match arg {
            CaptionsArg::First => Self::First,
            CaptionsArg::All => Self::All,
        }
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

fn part_number(text: &str) -> Result<(usize, usize), String> {
    let numbers = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
    let fits = numbers.filter(|(number, parts)| number < parts);
    fits.ok_or_else(|| "not a part such as 0/4: its number from 0, and how many there are".into())
}
