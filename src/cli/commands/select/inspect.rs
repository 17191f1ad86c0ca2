//! `pairgate select inspect`.

use std::error::Error;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::args::InspectArgs;
use crate::cli::terminal::print;
use crate::select::State;
use crate::select::expression::spec_of;
use crate::select::parts::{Band, Frozen, Part};

/// Sources that are shown one by one.
const MOST_SHOWN: usize = 20;

/// Runs the command.
pub fn run(args: &InspectArgs) -> Result<ExitCode, Box<dyn Error>> {
    let state = State::load(&args.state)?;
    let text = if args.json { as_json(&state) } else { as_text(&state) };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn as_json(state: &State) -> String {
    let about = state.about();
    let part = |part: &Part| {
        let arrays = part.to_arrays();
        let shapes = arrays.iter().map(|array| (array.name.clone(), json!(array.shape)));
        json!({ "method": part.name, "arrays": shapes.collect::<serde_json::Map<String, Value>>() })
    };
    let json = json!({
        "digest": state.digest().to_string(),
        "expression": about.expression,
        "model": about.model_name,
        "model_digest": about.model.to_string(),
        "dimension": about.dimension,
        "seed": about.seed,
        "calibration": about.calibration.to_string(),
        "pairs": about.pairs,
        "threshold": about.threshold.map(crate::score_text::shortest),
        "moving": state.moving(),
        "memory": state.memory(),
        "growth": state.growth(),
        "parts": state.parts().iter().map(part).collect::<Vec<_>>(),
    });
    format!("{json:#}\n")
}

fn as_text(state: &State) -> String {
    let about = state.about();
    let short = |digest: &pairgate_core::pair::Digest| digest.to_string()[..12].to_owned();
    let threshold = about.threshold.map_or("none".into(), |threshold| format!("{threshold:.4}"));
    let mut text = format!(
        "expression   {}\ndigest       {}\nmodel        {} ({})\nembeddings   {} values\n\
         fitted on    {} pairs ({}), scores from {threshold} on\nseed         {}\n",
        about.expression,
        short(&state.digest()),
        about.model_name,
        short(&about.model),
        about.dimension,
        about.pairs,
        short(&about.calibration),
        about.seed,
    );
    text += &format!(
        "memory       {} KiB, and up to {} KiB that it learns\n",
        state.memory() >> 10,
        state.growth() >> 10
    );
    if let Some(method) = state.moving() {
        text += &format!("             {method} depends on the pairs before\n");
    }
    for (place, part) in state.parts().iter().enumerate() {
        let about = spec_of(&part.name).map_or("the cut of a sum of ranks", |spec| spec.about);
        text += &format!("\n{}. {}: {about}\n{}", place + 1, part.name, of_part(part));
    }
    text
}

fn of_part(part: &Part) -> String {
    match &part.frozen {
        Frozen::Scorer(scorer) if !scorer.quantiles.is_empty() => {
            let at =
                |share: f64| scorer.quantiles[(share * 1024.0) as usize % scorer.quantiles.len()];
            format!("   median {:.4}, from {:.4} to {:.4}\n", at(0.5), at(0.0), at(1.0))
        }
        Frozen::Scorer(scorer) => format!("   keeps {}\n", band(scorer.band)),
        Frozen::Ranks(cut) => format!("   keeps {}\n", band(*cut)),
        Frozen::Clusters(clusters) => {
            let (kept, all) =
                (clusters.quotas.iter().sum::<u64>(), clusters.members.iter().sum::<u64>());
            let empty = clusters.members.iter().filter(|members| **members == 0).count();
            let largest = clusters.members.iter().max().copied().unwrap_or(0);
            format!(
                "   {} clusters, {empty} of them empty, the largest of {largest}; {kept} of {all} kept\n",
                clusters.cuts.len()
            )
        }
        Frozen::Duplicates(of) => format!(
            "   {} clusters, the last {} kept of each; alike from a cosine above {}\n",
            of.centroids.len(),
            of.ring,
            1.0 - of.eps
        ),
        Frozen::Sources(sources) => {
            let mut text = format!(
                "   {} sources by {}{}\n",
                sources.names.len(),
                sources.by,
                if sources.follows { ", whose cuts follow their scores" } else { "" }
            );
            text += &format!("   {:>9}{:>9}{:>9}  source\n", "pairs", "kept", "cut");
            for place in 0..sources.cuts.len().min(MOST_SHOWN) {
                let name = crate::printable::printable_line(sources.name(place as u32));
                text += &format!(
                    "   {:>9}{:>9}{:>9.4}  {name}\n",
                    sources.members[place], sources.quotas[place], sources.cuts[place]
                );
            }
            text
        }
        Frozen::Entries(entries) => {
            let found = entries.counts().iter().filter(|count| **count > 0).count();
            format!(
                "   {} entries, {found} of them found; threshold {}\n",
                entries.names().len(),
                entries.threshold()
            )
        }
    }
}

fn band(band: Band) -> String {
    match (band.low.is_finite(), band.high.is_finite()) {
        (true, true) => format!("{:.4} to {:.4}", band.low, band.high),
        (true, false) => format!("{:.4} and above", band.low),
        (false, true) => format!("{:.4} and below", band.high),
        (false, false) if band.low > band.high => "nothing".to_owned(),
        (false, false) => "all".to_owned(),
    }
}
