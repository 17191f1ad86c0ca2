//! `--keep`: the first pass scores, the second decides by the threshold that the scores gave.
//!
//! The first pass's journal lies in a folder of its own in the output folder until the second one is
//! done, so that a run that was stopped in either goes on there.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use pairgate_core::decision::Verdict;

use super::{Ended, Filtering, Output, remember, tell};
use crate::cli::progress::Pass;
use crate::cli::selection::Selection;
use crate::cli::summary::Summary;
use crate::decide::groups::{Bar, ByGroup, Goal, GroupBar};
use crate::decide::share::fraction_threshold_in_passes;
use crate::decide::{Decider, Fixed, Recorded};
use crate::disk::Disk;
use crate::disk::IoError;
use crate::embeddings::{ByTicket, Covers};
use crate::gate::{DigestOnly, Gate, GateSettings};
use crate::journal::{Reader, Record};
use crate::pipeline::Outcome;
use crate::replay::pooled_score;
use crate::sink::Sink;
use crate::source::{Inputs, pass_over};
use crate::store::{OutputFolder, Resumed, StoreSink};

/// Both passes of a run that keeps a share.
pub struct TwoPasses<'a> {
    pub filtering: &'a Filtering<'a>,
    pub goal: Goal,
    /// The state that selects behind the thresholds, where one does.
    pub selection: Option<Selection>,
}

impl TwoPasses<'_> {
    pub fn run(
        &self,
        inputs: Inputs,
        gates: Vec<Gate>,
        settings: GateSettings,
        output: Output,
        summary: &mut Summary,
    ) -> Result<Ended, Box<dyn Error>> {
        let first = FirstPass::of(output.folder.as_deref());
        let begun = output.folder.as_deref().map(|folder| self.second_begun(folder)).transpose()?;
        let threshold = match begun.flatten() {
            Some(threshold) => threshold,
            None => match self.first(inputs, gates, &settings, &first)? {
                First::Done(threshold) => threshold,
                First::Stopped(outcome) => return Ok(Ended::Ran(outcome)),
            },
        };
        let ended = self.second(threshold, settings, output, &first, summary)?;
        let is_done = match &ended {
            Ended::Ran(outcome) => outcome.error.is_none() && !outcome.interrupted,
            Ended::NothingToDo => true,
        };
        if is_done {
            first.remove();
        }
        Ok(ended)
    }

    /// The threshold of a second pass that was begun in the folder; `None` where none was.
    fn second_begun(&self, folder: &Path) -> Result<Option<Option<f32>>, Box<dyn Error>> {
        if !OutputFolder::is_begun(folder)? {
            return Ok(None);
        }
        let journal = Reader::open(folder)?;
        let terms = journal.terms();
        let Some(own) = self.share() else {
            // Whatever else it was is told where the folder is gone on with.
            return Ok(Some(self.known_threshold()));
        };
        if terms.settings.contains(&own) {
            return Ok(Some(terms.threshold));
        }
        let share = terms.settings.iter().find(|setting| setting.starts_with("policy.keep="));
        let was = share.map_or("a threshold that was given", String::as_str);
        let folder = folder.display();
        Err(format!("{folder}: its run had {was}, this one has {own}: name another folder").into())
    }

    /// The share of all pairs, as a setting in the journal, where there is one.
    fn share(&self) -> Option<String> {
        match self.goal {
            Goal::Share(fraction) => Some(format!("policy.keep={fraction}")),
            Goal::Threshold(_) => None,
        }
    }

    /// The threshold that is known before the first pass.
    fn known_threshold(&self) -> Option<f32> {
        match self.goal {
            Goal::Share(_) => None,
            Goal::Threshold(threshold) => Some(threshold),
        }
    }

    fn first(
        &self,
        mut inputs: Inputs,
        gates: Vec<Gate>,
        settings: &GateSettings,
        first: &FirstPass,
    ) -> Result<First, Box<dyn Error>> {
        let session = self.filtering.session;
        let mut options = self.filtering.options(settings, self.share());
        options.stores = false;
        // The second pass asks no model: it finds embeddings by their tickets.
        let embeddings = &self.filtering.args.embeddings;
        if embeddings.embeddings.is_some() || self.selection.is_some() {
            options = options.recording(embeddings.names.recording(Covers::All, &session.model));
        }
        let (mut journal, resumed) = StoreSink::go_on(&Disk::system(), &first.folder, options)?;
        tell(&first.folder, &resumed);
        if !resumed.is_complete || resumed.is_longer {
            if let Some(place) = &resumed.place {
                pass_over(&mut inputs, place, &session.signals.stop)?;
            }
            let mut decider: Box<dyn Decider> = match self.filtering.groups {
                Some(groups) => {
                    Box::new(ByGroup(GroupBar::scoring(groups.clone(), settings.policy)))
                }
                None => Box::new(Fixed(settings.policy)),
            };
            let ticket = resumed.next_ticket;
            let mut outcome = session.run_through(
                inputs,
                gates,
                &mut *decider,
                &mut journal,
                Pass::Scoring,
                ticket,
            );
            if outcome.error.is_some() || outcome.interrupted {
                // What has passed so far waits for a threshold that will not come.
                outcome.unstored += outcome.counts.remove(Verdict::Kept);
                return Ok(First::Stopped(Box::new(outcome)));
            }
        }
        drop(journal);
        let Goal::Share(fraction) = self.goal else {
            return Ok(First::Done(self.known_threshold()));
        };
        let scores = || -> Result<_, IoError> {
            let records = Reader::open(&first.folder)?;
            let score =
                |record: Result<Record, IoError>| record.map(|r| pooled_score(&r)).transpose();
            Ok(records.filter_map(score))
        };
        Ok(First::Done(fraction_threshold_in_passes(scores, fraction)?))
    }

    fn second(
        &self,
        threshold: Option<f32>,
        mut settings: GateSettings,
        output: Output,
        first: &FirstPass,
        summary: &mut Summary,
    ) -> Result<Ended, Box<dyn Error>> {
        settings.policy.threshold = threshold;
        summary.set_threshold(&settings);
        if let (Some(threshold), Goal::Share(fraction)) = (threshold, self.goal) {
            log::info!("keeping {:.1}%: threshold {threshold:.4}", 100.0 * fraction);
        }
        let (folder, share) = (output.folder.clone(), self.share());
        let recorded = Some(ByTicket::open(&first.folder)?);
        let (mut sinks, resumed) = self.filtering.sinks(output, &settings, share, recorded)?;
        summary.set_before(resumed.before);
        let mut groups =
            self.filtering.groups.map(|groups| GroupBar::new(groups.clone(), settings.policy));
        if let Some(groups) = groups.as_mut().filter(|_| !resumed.is_complete) {
            groups.take_shares(|| Reader::open(&first.folder))?;
        }
        if let (Some(groups), Some(folder)) = (&mut groups, &folder) {
            remember(groups, folder, &resumed)?;
        }
        if resumed.is_longer {
            return Err(
                "a share is of all inputs: there are more of them than this folder's run had; \
                        name another folder"
                    .into(),
            );
        }
        if resumed.is_complete {
            summary.set_groups(groups.as_ref());
            return Ok(Ended::NothingToDo);
        }
        let bar = match groups {
            Some(groups) => Bar::Groups(Box::new(groups)),
            None => Bar::One(settings.policy),
        };
        let mut decider = self.decider(bar, &settings, &resumed, first)?;
        let outcome = self.decide_again(&mut *decider, &resumed, &mut sinks)?;
        summary.set_groups(decider.groups());
        Ok(Ended::Ran(Box::new(outcome)))
    }

    /// What decides on what the first pass recorded.
    fn decider(
        &self,
        bar: Bar,
        settings: &GateSettings,
        resumed: &Resumed,
        first: &FirstPass,
    ) -> Result<Box<dyn Decider>, Box<dyn Error>> {
        let ticket = resumed.next_ticket;
        let is_left = move |record: &Result<Record, IoError>| {
            record.as_ref().map_or(true, |record| record.ticket >= ticket)
        };
        let decider = Recorded::by(Reader::open(&first.folder)?.filter(is_left), bar);
        let Some(selection) = &self.selection else { return Ok(Box::new(decider)) };
        let past = resumed.past(self.filtering.options(settings, self.share()).header.terms)?;
        let runs = std::slice::from_ref(&first.folder);
        Ok(Box::new(selection.decider(runs, decider, &resumed.decider, past)?))
    }

    fn decide_again(
        &self,
        decider: &mut dyn Decider,
        resumed: &Resumed,
        sinks: &mut dyn Sink,
    ) -> Result<Outcome, Box<dyn Error>> {
        let session = self.filtering.session;
        let mut inputs =
            session.open_paths(self.filtering.args.input.options(), self.filtering.paths)?;
        if let Some(place) = &resumed.place {
            pass_over(&mut inputs, place, &session.signals.stop)?;
        }
        let workers = vec![DigestOnly; session.config.pipeline.workers];
        let ticket = resumed.next_ticket;
        Ok(session.run_through(inputs, workers, decider, sinks, Pass::Keeping, ticket))
    }
}

/// How the first pass ended.
enum First {
    Done(Option<f32>),
    Stopped(Box<Outcome>),
}

/// The folder of the first pass's journal.
pub struct FirstPass {
    pub folder: PathBuf,
    /// A dry run leaves nothing, however it ends.
    is_temporary: bool,
}

impl FirstPass {
    /// Within the output, where there is room; a dry run's is in the system's folder for such.
    pub fn of(output: Option<&Path>) -> Self {
        let temporary =
            || std::env::temp_dir().join(format!("pairgate-{}.first_pass", std::process::id()));
        let folder = output.map(|output| output.join(OutputFolder::FIRST_PASS));
        Self { is_temporary: folder.is_none(), folder: folder.unwrap_or_else(temporary) }
    }

    pub fn remove(&self) {
        if let Err(why) = fs::remove_dir_all(&self.folder) {
            log::debug!("removing {}: {why}", self.folder.display());
        }
    }
}

impl Drop for FirstPass {
    fn drop(&mut self) {
        if self.is_temporary {
            self.remove();
        }
    }
}
