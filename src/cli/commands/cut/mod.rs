//! `pairgate cut`: keeps by scores that were made beforehand.

mod args;
mod terms;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use pairgate_core::config::Config;
use pairgate_core::policy::Policy;

use crate::cli::commands::filter::{FirstPass, Output, Places, remember, tell};
use crate::cli::progress::{Pass, Progress};
use crate::cli::selection::Selection;
use crate::cli::session::workers;
use crate::cli::settings::{self, COMMAND_LINE};
use crate::cli::signals::Stop;
use crate::cli::summary::{self, Summary, after_keeping, can_be_named};
use crate::config::Layers;
use crate::decide::groups::{Bar, By, Goal, GroupBar, GroupRules};
use crate::decide::matched::{Matched, Matching, Scores};
use crate::decide::share::fraction_threshold_in_passes;
use crate::decide::{Decider, Recorded};
use crate::disk::{Disk, IoError};
use crate::gate::DigestOnly;
use crate::journal::{Reader, Record};
use crate::pipeline::{Outcome, Run, Signals};
use crate::replay::pooled_score;
use crate::replay::scores::ScoreFiles;
use crate::sink::Sink;
use crate::sink::rejected::RejectedSink;
use crate::source::{Inputs, expand_paths, pass_over};
use crate::store::{Resumed, StoreOptions, StoreSink};

pub use args::CutArgs;
use terms::Cut;

/// What the summary says of a run that was stopped.
const GOES_ON: &str =
    "interrupted: the same command goes on; the last kept pairs wait in a .partial\n";

/// Runs the command.
pub fn run(args: &CutArgs) -> Result<ExitCode, Box<dyn Error>> {
    let layers = layers(args)?;
    let config = layers.resolve()?;
    let selection = Selection::of(&config, args.model.as_deref())?;
    let goal = goal(&config, selection.as_ref())?;
    let groups = settings::group_rules(&layers)?.map(|groups| groups.with_goal(goal));
    let paths = expand_paths(&args.source)?;
    let stop = Stop::on_signal()?;
    let scores = ScoreFiles::at(&args.scores)?;
    let surveyed = scores.survey()?;
    if surveyed.count == 0 {
        return Err("there is no score in what was given".into());
    }
    if let Some(selection) = &selection {
        selection.check(&args.scores, &surveyed)?;
    }
    let policy = policy(&config, goal, &scores)?;
    let reading = args.images.options().named();
    let cut = Cut {
        surveyed: &surveyed,
        policy,
        goal,
        groups: groups.as_ref(),
        selection: selection.as_ref().map(Selection::digest),
        reading,
    };
    let signals = Signals { stop: stop.asked.clone(), ..Signals::default() };
    let cutting = Cutting { args, config: &config, paths: &paths, scores, cut, selection, signals };
    cutting.run()
}

/// The config, and over it what the options say.
fn layers(args: &CutArgs) -> Result<Layers, Box<dyn Error>> {
    let mut layers = settings::of_layers(&args.layers)?;
    settings::set_threshold(&mut layers, args.passes);
    // All scores are known: nothing follows them.
    layers.unset("follow", "enabled");
    settings::set_output(&mut layers, &args.output)?;
    if let Some(workers) = args.workers {
        layers.set("pipeline", "workers", i64::try_from(workers)?, COMMAND_LINE);
    }
    settings::set_selection(&mut layers, args.select.as_deref());
    settings::set_groups(&mut layers, &args.groups);
    Ok(layers)
}

fn goal(config: &Config, selection: Option<&Selection>) -> Result<Goal, &'static str> {
    let own = selection.and_then(Selection::threshold).filter(|_| config.policy.keep.is_none());
    match (config.policy.threshold.or(own), config.policy.keep) {
        (Some(threshold), _) => Ok(Goal::Threshold(threshold)),
        (None, Some(share)) => Ok(Goal::Share(share)),
        (None, None) => Err("what is to be kept? give --keep 15% or --threshold X"),
    }
}

/// The policy of all pairs, or of groups that have no threshold of their own.
fn policy(config: &Config, goal: Goal, scores: &ScoreFiles) -> Result<Policy, Box<dyn Error>> {
    let on_error = config.policy.on_error;
    let threshold = match goal {
        Goal::Threshold(threshold) => threshold,
        Goal::Share(share) => {
            let pooled =
                |record: Result<Record, IoError>| record.map(|r| pooled_score(&r)).transpose();
            let pass = || Ok::<_, IoError>(scores.open()?.filter_map(pooled));
            let found = fraction_threshold_in_passes(pass, share)?;
            found.ok_or("a share is of scored pairs, and no pair was scored")?
        }
    };
    Ok(Policy { threshold: Some(threshold), on_error })
}

/// A cut that is ready to run.
struct Cutting<'a> {
    args: &'a CutArgs,
    config: &'a Config,
    paths: &'a [PathBuf],
    scores: ScoreFiles,
    cut: Cut<'a>,
    selection: Option<Selection>,
    signals: Signals,
}

impl Cutting<'_> {
    fn run(&self) -> Result<ExitCode, Box<dyn Error>> {
        let args = self.args;
        self.inputs()?;
        let output = Output::prepare(&Places {
            folder: args.output.folder(),
            rejected: args.output.rejected.as_deref(),
            overwrite: args.output.overwrite,
            inputs: self.paths.to_vec(),
        })?;
        let mut summary = Summary::of_scores(&self.cut.terms(), "kept");
        if let Some(folder) = &output.folder {
            summary.when_interrupted = GOES_ON;
            summary.output = summary::Output::Folder(folder.clone());
            let pictures = if can_be_named(self.paths) { self.paths } else { &[] };
            let root = args.images.image_root.as_deref();
            summary.next = after_keeping(folder, pictures, root).into();
        }
        if let (Goal::Share(share), Some(threshold)) = (self.cut.goal, self.cut.policy.threshold) {
            log::info!("keeping {:.1}%: threshold {threshold:.4}", 100.0 * share);
        }
        let outcome = match self.fields_with_shares()? {
            true => self.in_passes(output, &mut summary)?,
            false => self.in_one_pass(output, &mut summary)?,
        };
        let Some(outcome) = outcome else {
            log::info!("nothing to do: an earlier run has cut these inputs into this folder");
            summary.print(&Outcome::default(), args.output.json)?;
            return Ok(ExitCode::SUCCESS);
        };
        summary.print(&outcome, args.output.json)?;
        Ok(summary.exit_code(&outcome))
    }

    fn inputs(&self) -> Result<Inputs, IoError> {
        Inputs::open_with(self.args.images.options(), self.paths, self.config.sample)
    }

    /// Whether groups keep shares that the scores do not name: their pairs are then read twice.
    fn fields_with_shares(&self) -> Result<bool, Box<dyn Error>> {
        let Some(groups) = self.cut.groups.filter(|groups| groups.has_shares()) else {
            return Ok(false);
        };
        if groups.by == By::Shard {
            return Ok(false);
        }
        if self.args.part {
            return Err(
                "a share of a field's group is of all its pairs, of which --part leaves some \
                        out: give thresholds (--threshold, --group NAME=X), or --by shard"
                    .into(),
            );
        }
        if !self.inputs()?.is_repeatable() {
            return Err(
                "a share of a field's group needs the pairs twice, which a stream does not \
                        allow: write them to files"
                    .into(),
            );
        }
        Ok(true)
    }

    fn matched(
        &self,
        bar: Bar,
        resumed: &Resumed,
        folder: &Path,
    ) -> Result<Matched<ScoreFiles>, IoError> {
        let decided = (resumed.next_ticket > 0).then(|| (resumed.next_ticket, folder.to_owned()));
        let most_bytes = self.config.memory.ceiling_bytes;
        let matching = Matching { is_part: self.args.part, decided, most_bytes };
        Matched::new(self.scores.clone(), matching, bar)
    }

    /// Decides on each pair as it is found among the scores.
    fn in_one_pass(
        &self,
        output: Output,
        summary: &mut Summary,
    ) -> Result<Option<Outcome>, Box<dyn Error>> {
        let folder = output.folder.clone().unwrap_or_default();
        let (mut sinks, resumed) = self.sinks(output)?;
        summary.set_before(resumed.before);
        let mut groups = self.groups();
        if let Some(groups) = groups.as_mut() {
            groups.take_shares(|| self.scores.open())?;
            remember(groups, &folder, &resumed)?;
        }
        if self.is_done(&resumed)? {
            summary.set_groups(groups.as_ref());
            return Ok(None);
        }
        let bar = match groups {
            Some(groups) => Bar::Groups(Box::new(groups)),
            None => Bar::One(self.cut.policy),
        };
        let mut decider = self.selected(self.matched(bar, &resumed, &folder)?, &resumed)?;
        let outcome = self.pass(&mut *decider, &mut sinks, &resumed, Pass::Keeping)?;
        summary.set_groups(decider.groups());
        Ok(Some(outcome))
    }

    /// What decides, and behind it the state, where one selects.
    fn selected(
        &self,
        first: impl Decider + 'static,
        resumed: &Resumed,
    ) -> Result<Box<dyn Decider>, Box<dyn Error>> {
        let Some(selection) = &self.selection else { return Ok(Box::new(first)) };
        let past = resumed.past(self.cut.terms())?;
        Ok(Box::new(selection.decider(&self.args.scores, first, &resumed.decider, past)?))
    }

    /// Finds each pair's group first; then decides by the shares of groups.
    fn in_passes(
        &self,
        output: Output,
        summary: &mut Summary,
    ) -> Result<Option<Outcome>, Box<dyn Error>> {
        let first = FirstPass::of(output.folder.as_deref());
        let folder = output.folder.clone().unwrap_or_default();
        let (mut sinks, resumed) = self.sinks(output)?;
        summary.set_before(resumed.before);
        let mut groups = self.groups().ok_or("there are no groups")?;
        if self.is_done(&resumed)? {
            remember(&mut groups, &folder, &resumed)?;
            summary.set_groups(Some(&groups));
            first.remove();
            return Ok(None);
        }
        if let Some(stopped) = self.find_groups(&first)? {
            return Ok(Some(stopped));
        }
        groups.take_shares(|| Reader::open(&first.folder))?;
        remember(&mut groups, &folder, &resumed)?;
        let ticket = resumed.next_ticket;
        let is_left = move |record: &Result<Record, IoError>| {
            record.as_ref().map_or(true, |record| record.ticket >= ticket)
        };
        let records = Reader::open(&first.folder)?.filter(is_left);
        let decider = Recorded::by(records, Bar::Groups(Box::new(groups)));
        let mut decider = self.selected(decider, &resumed)?;
        let outcome = self.pass(&mut *decider, &mut sinks, &resumed, Pass::Keeping)?;
        summary.set_groups(decider.groups());
        if outcome.error.is_none() && !outcome.interrupted {
            first.remove();
        }
        Ok(Some(outcome))
    }

    /// The pass that notes each pair's group; the outcome where it was stopped.
    fn find_groups(&self, first: &FirstPass) -> Result<Option<Outcome>, Box<dyn Error>> {
        let mut options = self.options();
        options.stores = false;
        let (mut journal, resumed) = StoreSink::go_on(&Disk::system(), &first.folder, options)?;
        if resumed.is_complete {
            return Ok(None);
        }
        let rules = self.cut.groups.ok_or("there are no groups")?;
        let bar = Bar::Groups(Box::new(GroupBar::scoring(rules.clone(), self.cut.policy)));
        let mut decider = self.matched(bar, &resumed, &first.folder)?;
        let mut outcome = self.pass(&mut decider, &mut journal, &resumed, Pass::Grouping)?;
        if outcome.error.is_none() && !outcome.interrupted {
            return Ok(None);
        }
        // What has passed so far waits for a threshold that will not come.
        outcome.unstored += outcome.counts.remove(pairgate_core::decision::Verdict::Kept);
        Ok(Some(outcome))
    }

    fn groups(&self) -> Option<GroupBar> {
        self.cut.groups.map(|rules: &GroupRules| GroupBar::new(rules.clone(), self.cut.policy))
    }

    /// Whether an earlier run has done it all.
    fn is_done(&self, resumed: &Resumed) -> Result<bool, &'static str> {
        if resumed.is_longer && matches!(self.cut.goal, Goal::Share(_)) {
            return Err(
                "a share is of all inputs: there are more of them than this folder's run had; \
                        name another folder",
            );
        }
        Ok(resumed.is_complete && !resumed.is_longer)
    }

    fn sinks(&self, output: Output) -> Result<(Vec<Box<dyn Sink>>, Resumed), IoError> {
        let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
        let mut resumed = Resumed::default();
        let is_begun = output.is_begun;
        if let Some(folder) = &output.folder {
            let options = StoreOptions { lock: output.lock, ..self.options() };
            let (store, found) = StoreSink::go_on(&Disk::system(), folder, options)?;
            tell(folder, &found);
            (resumed, _) = (found, sinks.push(Box::new(store)));
        }
        if let Some(rejected) = &self.args.output.rejected {
            let per_reason = self.args.output.rejected_per_reason;
            sinks.push(Box::new(match is_begun {
                true => RejectedSink::go_on(rejected, per_reason)?,
                false => RejectedSink::create(rejected, per_reason)?,
            }));
        }
        Ok((sinks, resumed))
    }

    fn options(&self) -> StoreOptions {
        StoreOptions {
            annotate: self.args.output.annotate,
            new_decisions: self.args.output.accept_new_decisions,
            ..StoreOptions::new(self.config.storage, self.cut.header(self.paths))
        }
    }

    /// Reads the pairs, from where an earlier run has stopped.
    fn pass(
        &self,
        decider: &mut dyn Decider,
        sink: &mut dyn Sink,
        resumed: &Resumed,
        pass: Pass,
    ) -> Result<Outcome, IoError> {
        let mut inputs = self.inputs()?;
        if let Some(place) = &resumed.place {
            pass_over(&mut inputs, place, &self.signals.stop)?;
        }
        let examiners = vec![DigestOnly; workers(self.config)];
        let mut progress = Progress::new(pass, inputs.meter());
        let (config, signals) = (&self.config.pipeline, &self.signals);
        let first_ticket = resumed.next_ticket;
        let run = Run { source: Box::new(inputs), decider, sink, config, signals, first_ticket };
        Ok(run.through(examiners, |counts| progress.show(counts)))
    }
}
