//! `pairgate filter`: the main job.

mod args;
mod output;
mod two_passes;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use two_passes::TwoPasses;

use crate::cli::args::FormatArg;
use crate::cli::mqtt::{Listener, Plan};
use crate::cli::one_to_one::{self, OneToOne};
use crate::cli::progress::Pass;
use crate::cli::selection::Selection;
use crate::cli::session::{Session, embedding};
use crate::cli::settings;
use crate::cli::summary::{self, Summary, after_keeping, can_be_named};
use crate::config::Layers;
use crate::decide::groups::{ByGroup, Goal, GroupBar, GroupRules};
use crate::decide::share;
use crate::disk::Disk;
use crate::disk::IoError;
use crate::embeddings::ByTicket;
use crate::gate::{Gate, GateSettings};
use crate::journal::Reader;
use crate::model::bundle::manifest::Manifest;
use crate::pipeline::Outcome;
use crate::sink::Sink;
use crate::sink::rejected::RejectedSink;
use crate::source::{Inputs, expand_paths, pass_over};
use crate::store::one_to_one::Kind;
use crate::store::{Resumed, StoreOptions, StoreSink};

pub use args::FilterArgs;
pub use output::{Output, Places, refuse_overlap};
use pairgate_core::config::Config;
pub use two_passes::FirstPass;

/// What the summary says of a run that was stopped.
const GOES_ON: &str =
    "interrupted: the same command goes on; the last kept pairs wait in a .partial\n";

/// How the run finds its threshold.
enum Cut {
    /// It is known before the run.
    At(f32),
    /// It is the one that keeps this share of the scored pairs.
    Fraction(f64),
}

/// What the run ends with.
enum Ended {
    Ran(Box<Outcome>),
    /// An earlier run of the same command has done all of it.
    NothingToDo,
}

/// Runs the command.
pub fn run(args: &FilterArgs) -> Result<ExitCode, Box<dyn Error>> {
    let plan = Plan::of(&args.mqtt)?;
    let session = Session::with(layers(args)?, &args.input.model)?;
    settings::check_policy(&args.policy, &session.config)?;
    if args.one_to_one {
        return one_to_one(args, &session, plan);
    }
    let paths = args.input.part_of_inputs()?;
    if paths.is_empty() {
        log::info!("this part of the inputs is empty: nothing to do");
        return Ok(ExitCode::SUCCESS);
    }
    let inputs = session.open_paths(args.input.options(), &paths)?;
    let config = &session.config;
    let cut = resolve_cut(config, session.model.manifest(), inputs.is_repeatable())?;
    let goal = match cut {
        Cut::At(threshold) => Goal::Threshold(threshold),
        Cut::Fraction(fraction) => Goal::Share(fraction),
    };
    let groups = settings::group_rules(&session.layers)?.map(|groups| groups.with_goal(goal));
    if let Some(groups) = &groups {
        refuse_shares_of_streams(groups, config, inputs.is_repeatable())?;
    }
    let has_shares = groups.as_ref().is_some_and(GroupRules::has_shares);
    let is_in_passes = has_shares || matches!(cut, Cut::Fraction(_));
    if is_in_passes && args.input.shard.is_some() {
        return Err("a share's threshold rests on all inputs, of which --shard leaves some out: \
                    find it first (pairgate calibrate --keep), then give --threshold"
            .into());
    }
    // The second pass asks no model: a state then selects on embeddings that the first one records.
    let selection = session.selection.clone().filter(|_| is_in_passes);
    let growth = selection.as_ref().map_or(0, |state| state.growth());
    let selection = selection
        .map(|state| Selection::with(state, config, args.input.model.model.as_deref()))
        .transpose()?;
    let mut settings = session.selecting(GateSettings::of(config));
    if let Cut::At(threshold) = cut {
        settings.policy.threshold = Some(threshold);
        settings.tracker = settings::tracker_rule(config);
    }
    // Before an earlier run's files are removed: this run may be refused for its memory.
    let passes = if is_in_passes { share::MEMORY } else { 0 };
    let passes = passes + groups.as_ref().map_or(0, |_| GroupRules::MEMORY);
    let records = args.embeddings.embeddings.is_some() && !args.output.dry_run;
    let records = records || selection.is_some();
    let sink_bytes = plan.queue_bytes() + StoreSink::memory(&config.storage) + passes;
    let recorder = if records { StoreSink::EMBEDDINGS_MEMORY } else { 0 };
    let sink_bytes = sink_bytes + recorder + growth;
    let examining =
        GateSettings { selection: settings.selection.filter(|_| !is_in_passes), ..settings };
    let gates = session.gates(examining, |need| need.without_capture().with_sink(sink_bytes))?;
    let gates = embedding(gates, records);
    let output = Output::prepare(&args.places()?)?;
    let listener = plan.open()?;
    let mut summary = Summary::start(&session.model, &settings, "kept");
    if let Some(folder) = &output.folder {
        summary.when_interrupted = GOES_ON;
        summary.output = summary::Output::Folder(folder.clone());
        summary.next = next(args, folder, &paths);
    }
    let groups = groups.as_ref();
    let filtering =
        Filtering { args, session: &session, paths: &paths, listener: &listener, groups };
    let ended = if is_in_passes {
        settings.policy.threshold = None;
        let passes = TwoPasses { filtering: &filtering, goal, selection };
        passes.run(inputs, gates, settings, output, &mut summary)?
    } else {
        summary.asked = settings::stream_share(config);
        filtering.run(inputs, gates, settings, output, &mut summary)?
    };
    let Ended::Ran(outcome) = ended else {
        log::info!("nothing to do: an earlier run has filtered these inputs into this folder");
        summary.print(&Outcome::default(), args.output.json)?;
        listener.close(&Outcome::default());
        return Ok(ExitCode::SUCCESS);
    };
    summary.print(&outcome, args.output.json)?;
    let code = summary.exit_code(&outcome);
    listener.close(&outcome);
    Ok(code)
}

/// Filters each input into an output of its own.
fn one_to_one(
    args: &FilterArgs,
    session: &Session,
    plan: Plan,
) -> Result<ExitCode, Box<dyn Error>> {
    let folder = args.output.output.as_ref().ok_or("name the output folder: --output DIR")?;
    one_to_one::check_filter(&session.config, &args.input)?;
    if settings::group_rules(&session.layers)?.is_some() {
        return Err("--one-to-one decides each input by itself: groups (--by) are of all inputs; \
                    score first (score --one-to-one), then `pairgate cut --by`"
            .into());
    }
    let inputs = one_to_one::inputs(&args.input)?;
    one_to_one::check_selection(session, args.scores.is_some())?;
    let mut settings = session.selecting(GateSettings::of(&session.config));
    let threshold = settings::stream_threshold(&session.config, session.model.manifest())?;
    settings.policy.threshold = Some(threshold);
    let run = OneToOne {
        session,
        input: &args.input,
        kind: Kind::Filter,
        settings,
        folder,
        scores: args.scores.as_deref(),
        overwrite: args.output.overwrite,
        accept: args.output.accept_new_decisions,
        annotate: args.output.annotate,
        json: args.output.json,
        queue_bytes: plan.queue_bytes(),
        recording: args.embeddings.recording(&session.model),
    };
    run.run(&inputs, plan.open()?)
}

/// What to do with what was kept.
fn next(args: &FilterArgs, folder: &Path, inputs: &[PathBuf]) -> Vec<summary::Command> {
    let has_pictures = args.input.format == FormatArg::Auto && can_be_named(inputs);
    let pictures = if has_pictures { inputs } else { &[] };
    after_keeping(folder, pictures, args.input.images.image_root.as_deref()).into()
}

/// The config, and over it what the options say.
fn layers(args: &FilterArgs) -> Result<Layers, Box<dyn Error>> {
    let mut layers = settings::of_input(&args.input)?;
    settings::set_policy(&mut layers, &args.policy);
    settings::set_groups(&mut layers, &args.groups);
    settings::set_output(&mut layers, &args.output)?;
    Ok(layers)
}

fn resolve_cut(
    config: &Config,
    manifest: &Manifest,
    repeatable: bool,
) -> Result<Cut, Box<dyn Error>> {
    match config.policy.keep {
        Some(fraction) if repeatable && !config.tracker.enabled => Ok(Cut::Fraction(fraction)),
        _ => settings::stream_threshold(config, manifest).map(Cut::At),
    }
}

/// Refuses groups that keep shares where they cannot be known beforehand.
fn refuse_shares_of_streams(
    groups: &GroupRules,
    config: &Config,
    is_repeatable: bool,
) -> Result<(), String> {
    if config.tracker.enabled {
        return Err(
            "--follow has one threshold that follows all scores: groups (--by) have their \
                    own; give --threshold and --group NAME=X, or write the pairs to files and \
                    leave --follow out"
                .into(),
        );
    }
    let keeps = config.policy.keep.is_some() || groups.has_shares();
    if keeps && !is_repeatable {
        return Err("a share of each group needs its input twice, which a stream does not allow: \
                    write the pairs to files, or give --threshold and --group NAME=X, thresholds \
                    both"
            .into());
    }
    Ok(())
}

impl FilterArgs {
    fn places(&self) -> Result<Places<'_>, Box<dyn Error>> {
        Ok(Places {
            folder: self.output.folder(),
            rejected: self.output.rejected.as_deref(),
            overwrite: self.output.overwrite,
            inputs: expand_paths(&self.input.inputs)?,
        })
    }
}

/// What all passes of a run have in common.
struct Filtering<'a> {
    args: &'a FilterArgs,
    session: &'a Session,
    /// The inputs, those of other shares left out.
    paths: &'a [PathBuf],
    listener: &'a Listener,
    /// Groups with thresholds of their own.
    groups: Option<&'a GroupRules>,
}

impl Filtering<'_> {
    /// One pass, under a threshold that is known or tracked.
    fn run(
        &self,
        mut inputs: Inputs,
        gates: Vec<Gate>,
        settings: GateSettings,
        output: Output,
        summary: &mut Summary,
    ) -> Result<Ended, Box<dyn Error>> {
        summary.set_threshold(&settings);
        let (is_begun, folder) = (output.is_begun, output.folder.clone());
        let (mut sinks, resumed) = self.sinks(output, &settings, None, None)?;
        summary.set_before(resumed.before);
        let mut groups = self.groups.map(|groups| GroupBar::new(groups.clone(), settings.policy));
        if let (Some(groups), Some(folder)) = (&mut groups, &folder) {
            remember(groups, folder, &resumed)?;
        }
        if is_begun && resumed.is_complete && !resumed.is_longer {
            summary.set_groups(groups.as_ref());
            return Ok(Ended::NothingToDo);
        }
        if let Some(place) = &resumed.place {
            pass_over(&mut inputs, place, &self.session.signals.stop)?;
        }
        if let Some(groups) = groups {
            let terms = self.options(&settings, None).header.terms;
            let mut decider = self.session.selected(Box::new(ByGroup(groups)), terms, &resumed)?;
            let (pass, ticket) = (Pass::Filtering, resumed.next_ticket);
            let outcome =
                self.session.run_through(inputs, gates, &mut *decider, &mut sinks, pass, ticket);
            summary.set_groups(decider.groups());
            return Ok(Ended::Ran(Box::new(outcome)));
        }
        let mut decider = self.session.decider(&settings, &resumed)?;
        let outcome = self.session.run_through(
            inputs,
            gates,
            decider.as_decider(),
            &mut sinks,
            Pass::Filtering,
            resumed.next_ticket,
        );
        summary.set_tracked(decider.tracker());
        Ok(Ended::Ran(Box::new(outcome)))
    }

    fn sinks(
        &self,
        output: Output,
        settings: &GateSettings,
        share: Option<String>,
        recorded: Option<ByTicket>,
    ) -> Result<(Vec<Box<dyn Sink>>, Resumed), IoError> {
        let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
        let mut resumed = Resumed::default();
        let is_begun = output.is_begun;
        if let Some(folder) = &output.folder {
            let mut options = self.options(settings, share);
            options = options.recording(self.args.embeddings.recording(&self.session.model));
            options.recorded = recorded;
            options.observer = self.listener.observer(settings.policy.threshold);
            options.annotate = self.args.output.annotate;
            options.lock = output.lock;
            let (store, found) = StoreSink::go_on(&Disk::system(), folder, options)?;
            tell(folder, &found);
            (resumed, _) = (found, sinks.push(Box::new(store)));
        }
        if let Some(rejected) = &self.args.output.rejected {
            let per_reason = self.args.output.rejected_per_reason;
            let sink = if is_begun {
                RejectedSink::go_on(rejected, per_reason)?
            } else {
                RejectedSink::create(rejected, per_reason)?
            };
            sinks.push(Box::new(sink));
        }
        self.listener.add_to(&mut sinks);
        Ok((sinks, resumed))
    }

    /// `share` is the setting that gave the threshold, where one did.
    fn options(&self, settings: &GateSettings, share: Option<String>) -> StoreOptions {
        let mut options = StoreOptions::of(&self.session.model, settings, self.paths);
        options.config = self.session.config.storage;
        options.header.terms.settings.extend(share);
        options.header.terms.read_as(self.args.input.options().named());
        options.header.terms.decided_by(self.groups.map(GroupRules::named).into_iter().flatten());
        options.new_decisions = self.args.output.accept_new_decisions;
        options
    }
}

/// Counts what an earlier part of a run has decided in each group.
pub fn remember(groups: &mut GroupBar, folder: &Path, resumed: &Resumed) -> Result<(), IoError> {
    if resumed.before.decided() == 0 {
        return Ok(());
    }
    for record in Reader::open(folder)? {
        let record = record?;
        if record.ticket < resumed.next_ticket && !record.recovered {
            groups.remember(&record);
        }
    }
    Ok(())
}

/// Tells what was found in a folder that is gone on with.
pub fn tell(folder: &Path, resumed: &Resumed) {
    let folder = folder.display();
    let Resumed { kept, undone, recovered, damaged, before, .. } = resumed;
    if before.decided() > 0 {
        log::info!("{folder}: going on after {} pairs, {kept} of them kept", before.decided());
    }
    if *undone > 0 {
        log::warn!(
            "{folder}: the last run was cut off; {undone} decisions had not reached the disk"
        );
    }
    for path in damaged {
        log::warn!(
            "{folder}: damaged; what is whole stands, and all as it was is in {}",
            path.display()
        );
    }
    if *recovered > 0 {
        log::warn!("{folder}: {recovered} stored pairs had no record; they have one now");
    }
}
