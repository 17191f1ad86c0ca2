//! `pairgate plan`: the share of a pool to keep for a compute budget.

mod args;
mod fit;

use std::error::Error;
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::cli::outputs::check_file;
use crate::cli::terminal::print;
use crate::disk::{Disk, write_whole};
use crate::plan::fits::Fits;
use crate::plan::law::{Floor, Plan};
use crate::plan::plot::{Picture, count, html, percent, svg};
use crate::printable::printable_line;

pub use args::{PlanArgs, PlanCommand};

/// What stands above and below everything that invented constants say.
const INVENTED: &str = "ILLUSTRATIVE: the constants are declared to be invented.";

/// Runs the command.
pub fn run(args: &PlanArgs) -> Result<ExitCode, Box<dyn Error>> {
    if let Some(PlanCommand::Fit(args)) = &args.command {
        return fit::run(args);
    }
    let path =
        args.fits.as_deref().ok_or("which constants? name the file that `plan fit` wrote")?;
    if let Some(output) = &args.output {
        check_file(output)?;
    }
    let fits = Fits::open(path, args.illustrative)?;
    let answers = Answers::of(args, &fits)?;
    if let Some(output) = &args.output {
        let picture = Picture {
            plans: &answers.plans,
            pool_samples: fits.pool_samples,
            source: &source(&fits, args),
            illustrative: args.illustrative,
        };
        let is_page = output.extension().is_some_and(|extension| extension == "html");
        let text = if is_page { html(&picture) } else { svg(&picture) };
        write_whole(&Disk::system(), output, text.as_bytes())?;
    }
    print(&if args.json { answers.json(args, &fits) } else { answers.table(args, &fits) })?;
    Ok(ExitCode::SUCCESS)
}

/// Plans for each budget, in the wanted form and in the other one.
struct Answers {
    plans: Vec<Plan>,
    others: Vec<Plan>,
    /// Root mean square of the residuals of the runs.
    rms: f64,
}

impl Answers {
    fn of(args: &PlanArgs, fits: &Fits) -> Result<Self, Box<dyn Error>> {
        let floor = Floor::from(args.floor);
        let law = |floor| fits.law(floor).ok_or("the file holds no constants");
        let ((law, rms), (other, _)) = (law(floor)?, law(floor.other())?);
        let budgets = match args.epochs {
            Some(epochs) => vec![epochs * fits.pool_samples],
            None => args.samples.clone(),
        };
        let plans = budgets.iter().map(|samples| Plan::of(&law, *samples));
        let others = budgets.iter().map(|samples| Plan::of(&other, *samples));
        Ok(Self {
            plans: plans.collect::<Result<_, _>>()?,
            others: others.collect::<Result<_, _>>()?,
            rms,
        })
    }

    fn table(&self, args: &PlanArgs, fits: &Fits) -> String {
        let mut text = String::new();
        if args.illustrative {
            text += &format!("{INVENTED}\n");
        }
        text += &format!("{}\n", printable_line(&source(fits, args)).replacen("; ", "\n", 1));
        for (plan, other) in self.plans.iter().zip(&self.others) {
            text += &self.one(plan, other, fits);
        }
        if args.illustrative {
            text += &format!("\n{INVENTED}\n");
        }
        text
    }

    fn one(&self, plan: &Plan, other: &Plan, fits: &Fits) -> String {
        let share = |kept: f64| percent(kept / fits.pool_samples);
        let name = plan.floor.name();
        let mut text =
            format!("\n{} samples seen, the floor added {name}\n\n", count(plan.samples));
        text += &format!("{:>10} {:>10} {:>9} {:>9}\n", "keep", "samples", "repeats", "error");
        let most = fits.provenance.as_ref().map(|provenance| provenance.most_epochs);
        let beyond = |repeats: f64| most.is_some_and(|most| repeats > most * 1.001);
        for (place, choice) in plan.choices.iter().enumerate() {
            let mark = if place == plan.best { "  <- least" } else { "" };
            let far = if beyond(choice.repeats) { " *" } else { "" };
            text += &format!(
                "{:>10} {:>10} {:>9.1} {:>9.4}{mark}{far}\n",
                share(choice.kept_samples),
                count(choice.kept_samples),
                choice.repeats,
                choice.error
            );
        }
        if let Some(most) =
            most.filter(|_| plan.choices.iter().any(|choice| beyond(choice.repeats)))
        {
            text += &format!(
                "* more repeats than the {most:.1} of any run: the law is stretched there\n"
            );
        }
        let good: Vec<String> =
            plan.as_good(self.rms).map(|choice| share(choice.kept_samples)).collect();
        if good.len() > 1 {
            text += &format!(
                "as good, within the {:.4} that the runs differ from the law: keep {}\n",
                self.rms,
                good.join(", ")
            );
        }
        if plan.best != other.best {
            text += &format!(
                "with the floor added {}: keep {} (error {:.4})\n",
                other.floor.name(),
                share(other.chosen().kept_samples),
                other.chosen().error
            );
        }
        if self.plans.len() == 1 {
            let keep = 100.0 * plan.chosen().kept_samples / fits.pool_samples;
            text += &format!("next: pairgate filter SHARDS --keep {}% -o kept\n", shortened(keep));
        }
        text
    }

    fn json(&self, args: &PlanArgs, fits: &Fits) -> String {
        let one = |plan: &Plan| -> Value {
            let choices = plan.choices.iter().map(|choice| {
                json!({
                    "share": choice.kept_samples / fits.pool_samples,
                    "buckets": choice.buckets,
                    "kept_samples": choice.kept_samples,
                    "repeats": choice.repeats,
                    "error": choice.error,
                })
            });
            json!({
                "samples": plan.samples,
                "floor": plan.floor.name(),
                "keep": plan.chosen().kept_samples / fits.pool_samples,
                "error": plan.chosen().error,
                "choices": choices.collect::<Vec<_>>(),
            })
        };
        let budget = |(plan, other): (&Plan, &Plan)| {
            let good = plan.as_good(self.rms).map(|choice| choice.kept_samples / fits.pool_samples);
            let mut value = one(plan);
            value["as_good"] = good.collect::<Vec<_>>().into();
            value["other_floor"] = one(other);
            value
        };
        let budgets: Vec<Value> = self.plans.iter().zip(&self.others).map(budget).collect();
        let value = json!({
            "illustrative": args.illustrative,
            "pool_samples": fits.pool_samples,
            "bucket_samples": fits.bucket_samples,
            "rms": self.rms,
            "provenance": fits.provenance,
            "budgets": budgets,
        });
        format!("{value:#}\n")
    }
}

/// A line on where the constants come from.
fn source(fits: &Fits, args: &PlanArgs) -> String {
    let buckets = fits.law(args.floor.into()).map_or(0, |(law, _)| law.buckets.len());
    let pool = format!(
        "{buckets} buckets of {}, a pool of {}",
        count(fits.bucket_samples),
        count(fits.pool_samples)
    );
    match &fits.provenance {
        Some(of) if !args.illustrative => format!(
            "{pool}; {} runs of {} (SHA-256 {})",
            of.runs,
            of.runs_file,
            of.runs_sha256.get(..12).unwrap_or(&of.runs_sha256)
        ),
        _ => pool,
    }
}

/// A percentage as `--keep` takes it.
fn shortened(percent: f64) -> String {
    let text = format!("{percent:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
