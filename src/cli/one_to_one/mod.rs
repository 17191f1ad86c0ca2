//! Input by input, each to an output of its own: what `filter` and `score` do with `--one-to-one`. The
//! contract is in [`store::one_to_one`](crate::store::one_to_one).

mod announce;
mod refuse;
mod row;
mod scores;
mod shard;
mod total;

use std::collections::HashSet;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::Ordering;

use crate::cli::args::InputArgs;
use crate::cli::commands::filter::refuse_overlap;
use crate::cli::mqtt::Listener;
use crate::cli::outputs::check_folder;
use crate::cli::session::Session;
use crate::cli::terminal::{print, tell_error};
use crate::disk::IoError;
use crate::embeddings::Recording;
use crate::gate::GateSettings;
use crate::journal;
use crate::pipeline::{Outcome, RunError};
use crate::source::{SingleInput, single_inputs};
use crate::store::one_to_one::{Kind, tidy};

pub use refuse::{check_filter, check_input, check_selection};
use shard::Ended;
use total::Total;

/// A run over inputs, each of which has an output of its own.
pub struct OneToOne<'a> {
    pub session: &'a Session,
    pub input: &'a InputArgs,
    pub kind: Kind,
    /// Whose threshold decides, where one does.
    pub settings: GateSettings,
    /// The output folder.
    pub folder: &'a Path,
    /// The folder of recorded scores that decide, so that the model is not asked.
    pub scores: Option<&'a Path>,
    /// Whether what is there is done again.
    pub overwrite: bool,
    /// Whether what was decided otherwise may stay.
    pub accept: bool,
    pub annotate: bool,
    pub json: bool,
    /// Bytes of messages that may wait for a broker.
    pub queue_bytes: u64,
    /// Which embeddings are recorded, if any.
    pub recording: Option<Recording>,
}

/// The inputs of this part of a run, by their names.
///
/// # Errors
/// [`IoError::Read`] for inputs that have no outputs of their own.
pub fn inputs(args: &InputArgs) -> Result<Vec<SingleInput>, IoError> {
    let mut inputs = single_inputs(&args.inputs)?;
    let Some((number, parts)) = args.shard else { return Ok(inputs) };
    inputs.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(inputs.into_iter().skip(number).step_by(parts).collect())
}

/// Whether two paths lead to one folder.
fn is_same(one: &Path, other: &Path) -> bool {
    let canonical = |path| fs::canonicalize(path).ok();
    one == other || canonical(one).is_some_and(|one| Some(one) == canonical(other))
}

/// What keeps an input from its output.
enum Failure {
    /// It cannot be read; the others may.
    Input(Box<dyn Error>),
    /// Nothing goes on.
    Fatal(Box<dyn Error>),
}

impl From<IoError> for Failure {
    fn from(error: IoError) -> Self {
        match error {
            IoError::Read { .. } => Self::Input(error.into()),
            _ => Self::Fatal(error.into()),
        }
    }
}

impl From<Box<dyn Error>> for Failure {
    fn from(error: Box<dyn Error>) -> Self {
        // What a session could not open, by what it says of it.
        match error.downcast::<IoError>() {
            Ok(error) => Self::from(*error),
            Err(error) => Self::Fatal(error),
        }
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Io(error) => Self::from(error),
            error => Self::Fatal(error.into()),
        }
    }
}

impl OneToOne<'_> {
    /// Does all of `inputs`, one after the other, and tells of each.
    ///
    /// # Errors
    /// What would end every input alike. An input that cannot be read is told of, and the next one begun.
    pub fn run(
        &self,
        inputs: &[SingleInput],
        listener: Listener,
    ) -> Result<ExitCode, Box<dyn Error>> {
        if self.scores.is_some_and(|scores| is_same(scores, self.folder)) {
            return Err("--scores and --output are one folder: name another for the output".into());
        }
        let paths: Vec<PathBuf> = inputs.iter().map(|input| input.path.clone()).collect();
        refuse_overlap(self.folder, &paths)?;
        self.prepare()?;
        let names: HashSet<&str> = inputs.iter().map(|input| &*input.name).collect();
        tidy(self.folder, |name| names.contains(name));
        let mut total = Total::start(self);
        for input in inputs {
            if self.session.signals.stop.load(Ordering::SeqCst) {
                total.interrupted = true;
            }
            if total.interrupted {
                break;
            }
            match self.shard(input, &listener) {
                Ok(Ended::Done(row)) => {
                    total.add(&row);
                    total.tell(&row, inputs.len());
                    if self.json {
                        print(&row.line())?;
                    }
                }
                Ok(Ended::Interrupted) => total.interrupted = true,
                Err(Failure::Input(error)) => {
                    total.unread += 1;
                    tell_error(&*error);
                }
                Err(Failure::Fatal(error)) => {
                    listener.close(&Outcome::default());
                    return Err(error);
                }
            }
        }
        let outcome = total.outcome();
        if !self.json {
            total.print()?;
        }
        listener.close(&outcome);
        Ok(total.exit_code())
    }

    /// Makes the output folder, unless it is one of another kind.
    fn prepare(&self) -> Result<(), Box<dyn Error>> {
        check_folder(self.folder)?;
        let folder = self.folder.display();
        fs::create_dir_all(self.folder).map_err(|why| format!("writing {folder}: {why}"))?;
        if self.folder.join(journal::FOLDER).exists() {
            let why = "a run without --one-to-one is in it; name another folder";
            return Err(format!("writing {folder}: {why}").into());
        }
        Ok(())
    }
}
