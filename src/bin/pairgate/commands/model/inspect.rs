//! `pairgate model inspect`: what a bundle is made of.

use std::error::Error;
use std::fs;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use pairgate::model::bundle::Bundle;
use pairgate::model::inspect::{Inspection, TowerInspection, inspect};
use pairgate::model::{Model, Scorer};
use serde_json::json;

use crate::args::InspectArgs;

/// Runs the command.
pub fn run(args: &InspectArgs) -> Result<ExitCode, Box<dyn Error>> {
    // First of all: the peak of the process is then the load's own.
    let measured = args.measure.then(|| measure(args)).transpose()?;
    let bundle = args.model.as_deref().map_or_else(Bundle::embedded, Bundle::load)?;
    let inspection = inspect(&bundle)?;
    if args.json {
        let whole = json!({
            "manifest": bundle.manifest,
            "digest": bundle.digest.to_string(),
            "towers": inspection,
            "load_seconds": measured.as_ref().map(|measured| measured.seconds),
            "peak_bytes": measured.as_ref().and_then(|measured| measured.peak_bytes),
        });
        println!("{whole:#}");
    } else {
        print(&bundle, &inspection);
        if let Some(measured) = measured {
            measured.print();
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn print(bundle: &Bundle, inspection: &Inspection) {
    let manifest = &bundle.manifest;
    let row = |name: &str, value: String| println!("{name:<22} {value}");
    row("model", format!("{} {}", manifest.name, manifest.version));
    row("digest", bundle.digest.to_string());
    row("licence", manifest.licence.clone());
    row("embedding size", manifest.embedding_size.to_string());
    let scale = manifest.logit_scale.map_or("unknown".into(), |scale| scale.to_string());
    row("logit scale, bias", format!("{scale}, {}", manifest.logit_bias));
    let threshold = manifest.recommended_threshold.map_or("none".into(), |t| t.to_string());
    row("threshold", threshold);
    let golden = manifest.golden.as_ref();
    let golden =
        golden.map_or("none".into(), |g| format!("{}, cosine at least {}", g.file, g.min_cosine));
    row("self-check", golden);
    let cost = |tower: &TowerInspection| tower.gflops();
    row("GFLOPs a pair", format!("{:.2}", cost(&inspection.image) + cost(&inspection.text)));

    let image = &manifest.image;
    println!("\nimage tower            {}", image.file);
    row(
        "  input",
        format!("{0} x {0}, {1:?}, {2:?}", image.size, image.resize, image.interpolation)
            .to_lowercase(),
    );
    row("  mean, std", format!("{:?}, {:?}", image.mean, image.std));
    print_tower(&inspection.image);

    let text = &manifest.text;
    println!("\ntext tower             {}", text.file);
    let ids = |id: Option<u32>| id.map_or("none".into(), |id| id.to_string());
    row(
        "  tokens",
        format!(
            "at most {}; pad {}, start {}, end {}",
            text.context_length,
            text.pad_id,
            ids(text.sot_id),
            ids(text.eot_id)
        ),
    );
    let pooling = text.pooling.map_or("unknown".into(), |p| format!("{p:?}").to_lowercase());
    row("  attention, pooling", format!("{:?}, {pooling}", text.attention).to_lowercase());
    let cleaning: Vec<_> = text.cleaning.iter().map(|step| format!("{step:?}")).collect();
    row(
        "  cleaning",
        if cleaning.is_empty() { "the tokenizer's own".into() } else { cleaning.join(", ") },
    );
    print_tower(&inspection.text);

    println!("\nSHA-256");
    for (name, digest) in &manifest.digests {
        row(&format!("  {name}"), digest.clone());
    }
}

fn print_tower(tower: &TowerInspection) {
    let row = |name: &str, value: String| println!("{name:<22} {value}");
    let TowerInspection { survey, facts, .. } = tower;
    let activation = facts.activation.map_or("not recognized".into(), |a| a.to_string());
    row("  activation", activation);
    row("  parameters", format!("{:.2} million", facts.parameters as f64 / 1e6));
    row(
        "  stored",
        format!(
            "{:.2} MB, {:.2} MB in f32",
            survey.stored_bytes as f64 / 1e6,
            4e-6 * facts.parameters as f64
        ),
    );
    for (length, count) in &tower.multiply_adds {
        row(&format!("  GFLOPs at {length}"), format!("{:.3}", 2e-9 * *count as f64));
    }
    let forms: Vec<_> =
        survey.quantization.iter().map(|(form, n)| format!("{form} ({n})")).collect();
    row("  quantization", if forms.is_empty() { "none: float32".into() } else { forms.join(", ") });
    row(
        "  integer arithmetic",
        format!("{} of {} products; the others run in f32", tower.integer_products, facts.products),
    );
    let operators: Vec<_> = survey.operators.iter().map(|(op, n)| format!("{op} {n}")).collect();
    // 80 columns, as a terminal has them.
    for (i, line) in wrapped(&operators, 56).iter().enumerate() {
        row(if i == 0 { "  operators" } else { "" }, line.clone());
    }
}

fn wrapped(words: &[String], width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in words {
        let line = lines.last_mut().expect("there is a line");
        if line.is_empty() {
            line.push_str(word);
        } else if line.len() + 2 + word.len() <= width {
            line.push_str(", ");
            line.push_str(word);
        } else {
            line.push(',');
            lines.push(word.clone());
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

impl Measured {
    fn print(&self) {
        let megabytes = |bytes: Option<u64>| {
            bytes.map_or("unknown on this system".into(), |bytes| {
                format!("{:.0} MB", bytes as f64 / 1e6)
            })
        };
        println!("\nload time              {:.2} s", self.seconds);
        println!("peak memory            {}", megabytes(self.peak_bytes));
        println!("memory, one worker     {}", megabytes(self.held_bytes));
    }
}

fn measure(args: &InspectArgs) -> Result<Measured, Box<dyn Error>> {
    let started = Instant::now();
    let bundle = args.model.as_deref().map_or_else(Bundle::embedded, Bundle::load)?;
    let model = Arc::new(Model::load(&bundle)?);
    drop(bundle);
    let scorer = Scorer::new(model)?;
    let seconds = started.elapsed().as_secs_f64();
    let measured = Measured { seconds, peak_bytes: memory("VmHWM:"), held_bytes: memory("VmRSS:") };
    drop(scorer);
    Ok(measured)
}

/// A line of Linux's account of this process's memory, in bytes.
fn memory(line: &str) -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let value = status.lines().find_map(|l| l.strip_prefix(line))?;
    let kilobytes: u64 = value.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(1024 * kilobytes)
}
