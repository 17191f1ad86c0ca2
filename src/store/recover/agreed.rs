//! Whether a run may go on in a folder: by the same terms, over the same inputs.

use std::io;
use std::path::Path;

use super::super::StoreOptions;
use super::super::options::recording_of;
use super::survey::Survey;
use crate::disk::IoError;
use crate::disk::failed;
use crate::journal::{FORMAT_VERSION, Header, Terms};

/// What the run that goes on has in common with the one before.
pub(super) struct Agreed {
    /// The segment's header, under which it is gone on with.
    pub header: Header,
    pub is_longer: bool,
}

/// What differs between who decided and who decides now, in words: `None` for a version where it is none.
struct Differences {
    terms: Vec<String>,
    version: Option<String>,
}

impl Differences {
    fn of(was: &Terms, now: &Terms) -> Self {
        // Of a header that is lost nothing is known.
        let is_known = !was.models.is_empty();
        let terms = if is_known { was.differences(now) } else { Vec::new() };
        Self { terms, version: was.version_difference(now) }
    }
}

/// Whether decisions under `now` begin an epoch behind those under `was`.
pub(super) fn begins_epoch(was: &Terms, now: &Terms) -> bool {
    let differences = Differences::of(was, now);
    !differences.terms.is_empty() || differences.version.is_some()
}

impl Agreed {
    /// # Errors
    /// [`IoError::Write`] that names what differs.
    pub fn of(folder: &Path, survey: &Survey, options: &StoreOptions) -> Result<Self, IoError> {
        let refuse =
            |why: String| failed(folder)(io::Error::new(io::ErrorKind::AlreadyExists, why));
        let now = &options.header;
        let mut was = survey.terms.clone();
        let is_earlier = survey.header.format < FORMAT_VERSION;
        if is_earlier && options.earlier_config == Some(was.config) {
            was.config = now.terms.config;
        }
        let is_known = !was.models.is_empty();
        let is_endless = options.endless || !options.again;
        let Differences { terms, version } = Differences::of(&was, &now.terms);
        // What runs unattended goes on under another version by itself.
        let refused = terms.into_iter().chain(version.filter(|_| !is_endless));
        let refused: Vec<String> = refused.collect();
        if !refused.is_empty() && !options.new_decisions {
            let what = refused.join("; ");
            return Err(refuse(format!(
                "its run decided otherwise ({what}): name another folder, or give --accept-new-decisions"
            )));
        }
        let told = |terms: &Terms| recording_of(&terms.settings).map(str::to_owned);
        let (old, new) = (told(&survey.header.terms), told(&now.terms));
        if is_known && old != new {
            let word = |found: Option<String>| found.unwrap_or_else(|| "none".into());
            let (old, new) = (word(old), word(new));
            return Err(refuse(format!(
                "its run recorded other embeddings ({old}; now {new}): give the same --embeddings, or \
                 name another folder"
            )));
        }
        if is_known && new.is_some() && was.model() != now.terms.model() {
            return Err(refuse(
                "its embeddings are those of another model: name another folder".into(),
            ));
        }
        let (old, new) = (&survey.header.inputs, &now.inputs);
        let known = !is_endless && !is_earlier && is_known;
        if known && !new.starts_with(old) {
            let at = old.iter().zip(new).position(|(old, new)| old != new).unwrap_or(new.len());
            let told =
                |list: &[String]| list.get(at).map_or("none".into(), |name| format!("{name:?}"));
            let (old, new) = (told(old), told(new));
            return Err(refuse(format!(
                "its run had other inputs: number {at} was {old} and is {new}; give the same ones, \
                 or those and more behind them, or name another folder"
            )));
        }
        let is_longer = known && new.len() > old.len();
        Ok(Self { header: survey.header.clone(), is_longer })
    }
}
