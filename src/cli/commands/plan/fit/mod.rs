//! `pairgate plan fit`: the planner's constants from people's runs.

mod args;

use std::error::Error;
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::cli::outputs::check_file;
use crate::cli::terminal::print;
use crate::disk::{Disk, write_whole};
use crate::plan::fits::Fits;
use crate::plan::law::Floor;
use crate::plan::plot::count;
use crate::plan::runs::Runs;
use crate::plan::search::{Fitted, fit, root_mean_square};

pub use args::FitArgs;

/// Runs the command.
pub fn run(args: &FitArgs) -> Result<ExitCode, Box<dyn Error>> {
    check_file(&args.output)?;
    let runs = Runs::read(&args.runs, args.bucket)?;
    let all = runs.buckets as f64 * args.bucket;
    let pool = args.pool.unwrap_or(all);
    if pool < all {
        let (pool, all) = (count(pool), count(all));
        return Err(
            format!("--pool {pool} is less than the {all} of {} buckets", runs.buckets).into()
        );
    }
    let fitted = Floor::ALL.map(|floor| fit(&runs, args.bucket, floor));
    let fitted = fitted.into_iter().collect::<Result<Vec<_>, _>>()?;
    let name = args.runs.file_name().unwrap_or_default().to_string_lossy();
    let fits = Fits::new(&fitted, &runs, &name, pool);
    write_whole(&Disk::system(), &args.output, fits.to_toml()?.as_bytes())?;
    print(&if args.json { as_json(&fits, &fitted, &runs) } else { table(&fitted, &runs, args) })?;
    Ok(ExitCode::SUCCESS)
}

/// The residuals of one bucket's runs.
fn residuals<'a>(of: &'a Fitted, runs: &'a Runs, bucket: usize) -> impl Iterator<Item = f64> + 'a {
    let of_bucket = move |(run, _): &(&crate::plan::runs::Run, &f64)| run.bucket == bucket;
    runs.runs.iter().zip(&of.residuals).filter(of_bucket).map(|(_, residual)| *residual)
}

fn table(fitted: &[Fitted], runs: &Runs, args: &FitArgs) -> String {
    let mut text = format!(
        "{} runs over {} buckets of {}\n",
        runs.runs.len(),
        runs.buckets,
        count(args.bucket)
    );
    for of in fitted {
        let law = &of.law;
        text += &format!(
            "\nthe floor added {}: a {:.5}, d {:.4}, residuals {:.4} (root mean square)\n\n",
            law.floor.name(),
            law.a,
            law.d,
            of.rms()
        );
        text += &format!(
            "{:>8} {:>10} {:>9} {:>6} {:>10} {:>10}\n",
            "bucket", "b", "tau", "runs", "residual", "largest"
        );
        for (place, bucket) in law.buckets.iter().enumerate() {
            let own: Vec<f64> = residuals(of, runs, place).collect();
            let largest =
                own.iter().copied().max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap_or(0.0);
            text += &format!(
                "{:>8} {:>10.5} {:>9.3} {:>6} {:>10.4} {largest:>+10.4}\n",
                place + 1,
                bucket.b,
                bucket.tau,
                own.len(),
                root_mean_square(&own)
            );
        }
        if !of.at_edge.is_empty() {
            text += &format!("at the edge of what is searched: {}\n", of.at_edge.join(", "));
        }
    }
    let output = args.output.display();
    text + &format!("\nnext: pairgate plan {output} --samples 128M\n")
}

fn as_json(fits: &Fits, fitted: &[Fitted], runs: &Runs) -> String {
    let one = |of: &Fitted| {
        let line = |(run, residual): (&crate::plan::runs::Run, &f64)| json!({ "bucket": run.bucket + 1, "samples": run.samples, "error": run.error, "residual": residual });
        json!({
            "floor": of.law.floor.name(),
            "a": of.law.a,
            "d": of.law.d,
            "rms": of.rms(),
            "buckets": of.law.buckets,
            "at_edge": of.at_edge,
            "runs": runs.runs.iter().zip(&of.residuals).map(line).collect::<Vec<Value>>(),
        })
    };
    let value = json!({
        "provenance": fits.provenance,
        "bucket_samples": fits.bucket_samples,
        "pool_samples": fits.pool_samples,
        "fits": fitted.iter().map(one).collect::<Vec<Value>>(),
    });
    format!("{value:#}\n")
}
