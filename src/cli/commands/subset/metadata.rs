//! Metadata through the filters.

use std::error::Error;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;

use super::Found;
use super::args::{ArchArg, FilterArg, SubsetArgs};
use crate::cli::progress::Steps;
use crate::datacomp::centroids::Centroids;
use crate::datacomp::embeddings::{read_matrix, read_places};
use crate::datacomp::filter::{
    B32_SCORES, Ending, Filter, ImageBased, L14_SCORES, Limit, ScoreSource, ScoreTest,
};
use crate::datacomp::language::Identifier;
use crate::datacomp::language::fasttext::FastText;
use crate::datacomp::metadata::tables_in;
use crate::datacomp::scores::UidScores;
use crate::datacomp::select::{Selection, Tables};
use crate::recorded::scores::scores_by_uid;

/// Runs all rows through the filters that are asked for.
pub fn select(args: &SubsetArgs) -> Result<Found, Box<dyn Error>> {
    let filter = filter(args)?;
    let paths = tables_in(&args.inputs)?;
    let tables = Tables::open(&paths, &filter)?;
    let reread = filter.scores.iter().filter(|test| matches!(test.limit, Limit::Fraction(_)));
    let steps = Steps::new("rows", tables.rows() * (1 + reread.count() as u64));
    let done = AtomicU64::new(0);
    let watch = |rows| steps.show(done.fetch_add(rows, Ordering::Relaxed) + rows);
    let selection = tables.select(&filter, &watch)?;
    drop(steps);
    selection.malformed.iter().for_each(|row| log::warn!("uid of {row} is not 32 hex digits"));
    Ok(found(args, &filter, &tables, selection))
}

fn found(args: &SubsetArgs, filter: &Filter, tables: &Tables, selection: Selection) -> Found {
    let counted =
        Ending::ALL.into_iter().map(|ending| (ending, selection.endings[ending as usize]));
    let counted = counted.filter(|&(ending, count)| ending != Ending::Kept && count > 0);
    let (failed, rejected): (Vec<_>, Vec<_>) = counted.partition(|(ending, _)| ending.is_fault());
    let named = |rows: Vec<(Ending, u64)>| {
        rows.into_iter().map(|(ending, count)| (ending.name(), count)).collect()
    };
    let name = |test: &ScoreTest| match &test.source {
        ScoreSource::Column(name) => name.clone(),
        ScoreSource::Run(_) => name_of(args.scores.as_deref()),
    };
    let thresholds = filter.scores.iter().map(name).zip(selection.thresholds).collect();
    let mut notes: Vec<(&'static str, Value)> = Vec::new();
    for test in &filter.scores {
        if let ScoreSource::Run(scores) = &test.source {
            notes.push(("uids_with_scores", scores.len().into()));
            notes.push(("scores_of_a_uid_again", scores.repeated.into()));
            notes.push(("scores_with_a_malformed_uid", scores.malformed.into()));
        }
    }
    notes.retain(|(name, value)| *name == "uids_with_scores" || value != &Value::from(0));
    if filter.reads_captions() {
        let model = args.language_model.as_deref();
        let language = model.map_or("whichlang".into(), |path| name_of(Some(path)));
        notes.push(("language_by", language.into()));
    }
    Found {
        noun: "rows",
        rows: tables.rows(),
        uids: selection.uids,
        rejected: named(rejected),
        failed: named(failed),
        thresholds,
        notes,
    }
}

fn name_of(path: Option<&Path>) -> String {
    path.map(|path| path.display().to_string()).unwrap_or_default()
}

fn filter(args: &SubsetArgs) -> Result<Filter, Box<dyn Error>> {
    let has = |name| args.filter.contains(&name);
    if args.filter.is_empty() {
        return Err("which filter? give --filter NAME (no_filter for all rows)".into());
    }
    let mut filter = Filter::none();
    filter.basic = has(FilterArg::Basic);
    filter.laion2b = has(FilterArg::Laion2b);
    if has(FilterArg::ClipScore) {
        filter.scores.push(clip_score(args)?);
    } else if args.threshold.is_some() || args.fraction.is_some() || args.scores.is_some() {
        return Err("--threshold, --fraction and --scores belong to --filter clip_score".into());
    }
    if filter.laion2b {
        filter.scores.push(ScoreTest::laion2b());
    }
    if has(FilterArg::ImageBased) {
        filter.image_based = Some(image_based(args)?);
    }
    if let Some(path) = &args.language_model {
        filter.language = Identifier::FastText(Box::new(FastText::load(path)?));
    }
    Ok(filter)
}

fn clip_score(args: &SubsetArgs) -> Result<ScoreTest, Box<dyn Error>> {
    let limit = match (args.threshold, args.fraction) {
        (Some(threshold), _) => Limit::AtLeast(threshold),
        (None, Some(fraction)) => Limit::Fraction(fraction),
        (None, None) => return Err("clip_score needs --threshold X or --fraction F".into()),
    };
    let source = match (&args.scores, &args.score_column, args.arch) {
        (Some(path), ..) => ScoreSource::Run(scores_of(path)?),
        (None, Some(name), _) => ScoreSource::Column(name.clone()),
        (None, None, ArchArg::B32) => ScoreSource::Column(B32_SCORES.into()),
        (None, None, ArchArg::L14) => ScoreSource::Column(L14_SCORES.into()),
    };
    Ok(ScoreTest { source, limit })
}

/// The scores of a run, by what the file is.
fn scores_of(path: &Path) -> Result<UidScores, Box<dyn Error>> {
    let scores = scores_by_uid(path)?;
    if scores.is_empty() {
        return Err(format!("{}: there is no score in it", path.display()).into());
    }
    Ok(scores)
}

fn image_based(args: &SubsetArgs) -> Result<ImageBased, Box<dyn Error>> {
    let (Some(path), Some(targets)) = (&args.centroids, &args.targets) else {
        return Err("image_based needs --centroids FILE and --targets FILE".into());
    };
    let (values, columns) = read_matrix(path)?;
    let places = read_places(targets)?;
    let centroids = Centroids::new(columns, values, &places);
    let centroids =
        centroids.map_err(|why| format!("{} and {}: {why}", path.display(), targets.display()))?;
    Ok(ImageBased { centroids, array: args.embeddings.clone() })
}
