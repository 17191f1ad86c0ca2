//! What `pairgate model import` is asked.

use std::path::PathBuf;

use clap::Args as ClapArgs;

/// Make a bundle from a folder of ONNX files.
///
/// The folder is one that people have: a hub repository with ONNX files (config.json,
/// preprocessor_config.json, tokenizer.json, onnx/vision_model.onnx and onnx/text_model.onnx, or
/// one model.onnx), or what models/export/open_clip_export.py writes. All of the manifest is read
/// from the folder, and what cannot be is asked for by name. The bundle is checked against the
/// folder's golden.json, if there is one.
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "\
Example: pairgate model import exported/dfn-public -o dfn-public
         (--help shows more)",
    after_long_help = "\
Examples:
  pairgate model import exported/dfn-public -o dfn-public
  pairgate model import Xenova/clip-vit-base-patch32 --variant quantized \\
      --set licence=MIT --set logit_scale=100 -o clip-int8
  pairgate filter shards/ --model dfn-public --keep 15% -o kept"
)]
pub struct ImportArgs {
    /// The folder.
    #[arg(value_name = "PATH")]
    pub folder: PathBuf,
    /// The bundle to make: a new folder.
    #[arg(short, long, value_name = "BUNDLE")]
    pub output: PathBuf,
    /// The form of the towers, where there are several.
    ///
    /// It is VARIANT of vision_model_VARIANT.onnx. Default: the plain one.
    #[arg(long, value_name = "VARIANT")]
    pub variant: Option<String>,
    /// Say a value of the manifest, such as licence=MIT.
    ///
    /// Once for each value.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub settings: Vec<String>,
    /// Check against this golden file.
    ///
    /// Default: golden.json, or golden_VARIANT.json, in the folder.
    #[arg(long, value_name = "FILE")]
    pub golden: Option<PathBuf>,
    /// Print the manifest's values as JSON.
    ///
    /// Each comes with where it is from.
    #[arg(long)]
    pub json: bool,
}
