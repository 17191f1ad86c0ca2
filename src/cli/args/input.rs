//! Inputs, and how they are read: what `filter`, `score` and `calibrate` share.

use std::num::NonZero;
use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};

use crate::cli::args::{ArithmeticArg, LayerArgs};
use crate::source::{InputFormat, InputOptions};

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

pub fn share_number(text: &str) -> Result<(usize, usize), String> {
    let parts = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
    let fits = parts.filter(|(number, shares)| number < shares);
    fits.ok_or_else(|| "not a share such as 0/4: its number from 0, and how many there are".into())
}
