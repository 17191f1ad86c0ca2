//! `pairgate model inspect`: what a bundle is made of.

mod args;

use std::error::Error;
use std::fmt::Display;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use serde_json::{Value, json};

use crate::cli::memory::account;
use crate::cli::terminal::print;
use crate::model::bundle::Bundle;
use crate::model::bundle::manifest::{ImageManifest, TextManifest};
use crate::model::check::inspect::{Inspection, Kernels, TowerInspection, inspect};
use crate::model::{Model, Scorer};
use crate::printable::printable_line;

pub use args::InspectArgs;

/// Runs the command.
pub fn run(args: &InspectArgs) -> Result<ExitCode, Box<dyn Error>> {
    // First of all: the peak of the process is then the load's own.
    let measured = args.measure.then(|| measure(args)).transpose()?;
    let bundle = args.model.as_deref().map_or_else(Bundle::embedded, Bundle::load)?;
    let inspection = inspect(&bundle)?;
    let text = match args.json {
        true => format!("{:#}\n", as_json(&bundle, &inspection, measured.as_ref())),
        false => {
            let mut table = Table::default();
            table.bundle(&bundle, &inspection);
            measured.iter().for_each(|measured| table.measured(measured));
            table.text
        }
    };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn as_json(bundle: &Bundle, inspection: &Inspection, measured: Option<&Measured>) -> Value {
    json!({
        "manifest": bundle.manifest,
        "digest": bundle.digest.to_string(),
        "towers": inspection,
        "load_seconds": measured.map(|measured| measured.seconds),
        "peak_bytes": measured.and_then(|measured| measured.peak_bytes),
        "held_bytes": measured.and_then(|measured| measured.held_bytes),
    })
}

/// Rows of a name and a value.
#[derive(Default)]
struct Table {
    text: String,
}

impl Table {
    fn row(&mut self, name: &str, value: impl Display) {
        self.text += &format!("{name:<22} {}\n", printable_line(&value.to_string()));
    }

    fn bundle(&mut self, bundle: &Bundle, inspection: &Inspection) {
        let manifest = &bundle.manifest;
        self.row("model", format!("{} {}", manifest.name, manifest.version));
        // In halves, so that it fits a terminal.
        let digest = bundle.digest.to_string();
        self.row("digest", &digest[..32]);
        self.row("", &digest[32..]);
        let licence = manifest.licence.split(' ').map(str::to_owned).collect::<Vec<_>>();
        self.lines("licence", &wrapped(&licence, " ", WIDTH));
        for (place, part) in manifest.blended_from.iter().enumerate() {
            let digest = part.digest.get(..12).unwrap_or(&part.digest);
            let told = format!("{} x {} {} ({digest})", part.weight, part.name, part.version);
            self.row(if place == 0 { "blended from" } else { "" }, told);
        }
        self.row("embedding size", manifest.embedding_size);
        let scale = or(manifest.logit_scale, "unknown");
        self.row("logit scale, bias", format!("{scale}, {}", manifest.logit_bias));
        self.row("threshold", or(manifest.recommended_threshold, "none"));
        let golden = manifest.golden.as_ref();
        let golden = golden.map(|g| format!("{}, cosine at least {}", g.file, g.min_cosine));
        self.row("self-check", or(golden, "none"));
        let cost = inspection.image.gflops() + inspection.text.gflops();
        self.row("GFLOPs a pair", format!("{cost:.2}"));
        self.image(&manifest.image, &inspection.image);
        self.text_tower(&manifest.text, &inspection.text);
        self.text += "\nSHA-256\n";
        for (name, digest) in &manifest.digests {
            self.row(&format!("  {name}"), &digest[..32]);
            self.row("", &digest[32..]);
        }
    }

    fn image(&mut self, image: &ImageManifest, tower: &TowerInspection) {
        self.text += "\n";
        self.row("image tower", &image.file);
        let (size, resize, kernel) = (image.size, image.resize, image.interpolation);
        self.row("  input", format!("{size} x {size}, {resize:?}, {kernel:?}").to_lowercase());
        self.row("  mean", format!("{:?}", image.mean));
        self.row("  std", format!("{:?}", image.std));
        self.tower(tower);
    }

    fn text_tower(&mut self, text: &TextManifest, tower: &TowerInspection) {
        self.text += "\n";
        self.row("text tower", &text.file);
        let (start, end) = (or(text.sot_id, "none"), or(text.eot_id, "none"));
        let pad = text.pad_id;
        self.row(
            "  tokens",
            format!("at most {}; pad {pad}, start {start}, end {end}", text.context_length),
        );
        let pooling = or(text.pooling.map(|pooling| format!("{pooling:?}")), "unknown");
        self.row("  attention, pooling", format!("{:?}, {pooling}", text.attention).to_lowercase());
        let steps = text.cleaning.iter().map(|step| format!("{step:?}")).collect();
        self.list("  cleaning", steps, "the tokenizer's own");
        self.tower(tower);
    }

    fn tower(&mut self, tower: &TowerInspection) {
        let TowerInspection { survey, facts, .. } = tower;
        self.row("  activation", or(facts.activation, "not recognized"));
        self.row("  parameters", format!("{:.2} million", facts.parameters as f64 / 1e6));
        let (stored, float) = (survey.stored_bytes as f64 / 1e6, 4e-6 * facts.parameters as f64);
        self.row("  weights", format!("{stored:.2} MB stored, {float:.2} MB in f32"));
        for (length, count) in &tower.multiply_adds {
            self.row(&format!("  GFLOPs at {length}"), format!("{:.3}", 2e-9 * *count as f64));
        }
        let forms = survey.quantization.iter().map(|(form, n)| format!("{form} ({n})")).collect();
        self.list("  quantization", forms, "none: float32");
        let Kernels { integer_products, attentions, engine_operators } = &tower.kernels;
        let integer = format!("{integer_products} of {} products", facts.products);
        self.row("  in integers", format!("{integer}, and {attentions} attentions in f32"));
        let engine = engine_operators.iter().map(|(op, n)| format!("{op} {n}")).collect();
        self.list("  machine-dependent", engine, "nothing: the same bits everywhere");
        let operators = survey.operators.iter().map(|(op, n)| format!("{op} {n}")).collect();
        self.list("  operators", operators, "none");
    }

    /// Words in lines that fit a terminal.
    fn list(&mut self, name: &str, words: Vec<String>, none: &str) {
        if words.is_empty() {
            return self.row(name, none);
        }
        self.lines(name, &wrapped(&words, ", ", WIDTH));
    }

    fn lines(&mut self, name: &str, lines: &[String]) {
        for (i, line) in lines.iter().enumerate() {
            self.row(if i == 0 { name } else { "" }, line);
        }
    }

    fn measured(&mut self, measured: &Measured) {
        let megabytes = |bytes: Option<u64>| {
            let bytes = bytes.map(|bytes| format!("{:.0} MB", bytes as f64 / 1e6));
            or(bytes, "unknown on this system")
        };
        self.text += "\n";
        self.row("load time", format!("{:.2} s", measured.seconds));
        self.row("peak memory", megabytes(measured.peak_bytes));
        self.row("memory, one worker", megabytes(measured.held_bytes));
    }
}

/// A value, or what stands for none.
fn or<T: Display>(value: Option<T>, none: &str) -> String {
    value.map_or_else(|| none.to_owned(), |value| value.to_string())
}

/// Columns that are left for values on a terminal of 80.
const WIDTH: usize = 56;

/// `words` with `between` them, in lines of at most `width` where words allow it.
fn wrapped(words: &[String], between: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in words {
        match lines.last_mut() {
            Some(line) if line.len() + between.len() + word.len() <= width => {
                line.push_str(between);
                line.push_str(word);
            }
            Some(line) => {
                line.push_str(between.trim_end());
                lines.push(word.clone());
            }
            None => lines.push(word.clone()),
        }
    }
    lines
}

struct Measured {
    seconds: f64,
    peak_bytes: Option<u64>,
    /// Memory that a loaded model with one worker holds.
    held_bytes: Option<u64>,
}

fn measure(args: &InspectArgs) -> Result<Measured, Box<dyn Error>> {
    let started = Instant::now();
    let bundle = args.model.as_deref().map_or_else(Bundle::embedded, Bundle::load)?;
    let model = Arc::new(Model::load(&bundle, args.arithmetic.into())?);
    drop(bundle);
    let scorer = Scorer::new(model);
    let seconds = started.elapsed().as_secs_f64();
    let measured = Measured { seconds, peak_bytes: account("VmHWM"), held_bytes: account("VmRSS") };
    drop(scorer);
    Ok(measured)
}
