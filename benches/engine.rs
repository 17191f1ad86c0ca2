//! The towers alone, beside other engines: `benches/peers/engine.py` drives this program.
//!
//! `engine --serve BUNDLE [--threads T]` reads requests from standard input, a JSON object a line,
//! and answers each with a line: `{"tower": "image", "batch": N, "input": FILE}` with raw f32
//! `[N, 3, S, S]` in FILE, or `{"tower": "text", "batch": N, "length": L, "input": FILE}` with raw
//! i64 `[N, L]`. With `"output": FILE` the unit-length embeddings are written there, raw f32
//! `[N, embedding size]`. The answer is `{"ms": the call's time}`.

use std::error::Error;
use std::fs;
use std::io::{BufRead as _, Write as _, stdin, stdout};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use pairgate::model::bundle::Bundle;
use pairgate::model::{Arithmetic, Model, Scorer};
use pairgate_kernels::{Isa, Team};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(tag = "tower", rename_all = "lowercase")]
enum Request {
    Image { batch: usize, input: PathBuf, output: Option<PathBuf> },
    Text { batch: usize, input: PathBuf, output: Option<PathBuf> },
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let value = |name: &str| {
        let place = arguments.iter().position(|argument| argument == name)?;
        arguments.get(place + 1)
    };
    let Some(bundle) = value("--serve") else {
        eprintln!("this program is driven by benches/peers/engine.py");
        return Ok(());
    };
    let threads = value("--threads").map_or(Ok(1), |threads| threads.parse())?;
    let bundle = match bundle.as_str() {
        "default" => Bundle::embedded()?,
        path => Bundle::load(Path::new(path))?,
    };
    let model = Arc::new(Model::load(&bundle, Arithmetic::int8())?);
    drop(bundle);
    eprintln!("{} threads, {}", threads, Isa::chosen());
    let mut scorer = Scorer::on_team(model, Team::new(threads)?);
    for line in stdin().lock().lines() {
        let ms = answer(&mut scorer, serde_json::from_str(&line?)?)?;
        println!("{}", serde_json::json!({ "ms": ms }));
        stdout().flush()?;
    }
    Ok(())
}

/// Runs a request; the time of the run in milliseconds.
fn answer(scorer: &mut Scorer, request: Request) -> Result<f64, Box<dyn Error>> {
    let (ms, embeddings, output) = match &request {
        Request::Image { batch, input, output } => {
            let pixels: Vec<f32> = read(input, f32::from_le_bytes)?;
            let started = Instant::now();
            let embeddings = scorer.embed_images(&pixels, *batch)?;
            (started.elapsed(), embeddings, output)
        }
        Request::Text { batch, input, output } => {
            let ids: Vec<i64> = read(input, i64::from_le_bytes)?;
            let captions: Vec<&[i64]> = ids.chunks_exact(ids.len() / batch).collect();
            let started = Instant::now();
            let embeddings = scorer.embed_captions(&captions)?;
            (started.elapsed(), embeddings, output)
        }
    };
    if let Some(output) = output {
        let bytes: Vec<u8> = embeddings.iter().flat_map(|value| value.to_le_bytes()).collect();
        fs::write(output, bytes)?;
    }
    Ok(ms.as_secs_f64() * 1e3)
}

fn read<T, const N: usize>(path: &Path, number: impl Fn([u8; N]) -> T) -> std::io::Result<Vec<T>> {
    let bytes = fs::read(path)?;
    Ok(bytes.as_chunks::<N>().0.iter().map(|chunk| number(*chunk)).collect())
}
