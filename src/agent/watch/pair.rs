//! A picture and what lies beside it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pairgate_core::config::SampleLimits;

use super::book::Files;
use super::signature::Signer;
use crate::source::{Sample, read_loose};

/// What captions and metadata end in.
const TEXTS: [&str; 4] = ["txt", "text", "caption", "json"];

/// Finds and reads the files of a picture.
#[derive(Debug)]
pub(super) struct PairReader {
    /// What samples say that they come from.
    pub shard: Arc<str>,
    pub signer: Signer,
    pub limits: SampleLimits,
}

/// What reading a pair came to.
pub(super) enum Read {
    /// The pair, and the files that it was read from.
    Whole(Sample, Files),
    /// There is none yet.
    NoCaption,
    /// A file changed meanwhile, or could not be read.
    Changed,
}

impl PairReader {
    /// The captions and metadata beside a picture: those with its whole name in front, else with its stem.
    pub fn texts_of(&self, image: &Path) -> Vec<PathBuf> {
        let beside = |extension: &str| {
            let mut whole = image.as_os_str().to_owned();
            whole.push(format!(".{extension}"));
            let upper = extension.to_uppercase();
            let names = [
                PathBuf::from(whole),
                image.with_extension(extension),
                image.with_extension(upper),
            ];
            names.into_iter().find(|path| path.is_file())
        };
        TEXTS.iter().filter_map(|extension| beside(extension)).collect()
    }

    /// Reads a pair, and sees that nothing changed meanwhile.
    pub fn read(&self, image: &Path, texts: &[PathBuf], has_waited: bool) -> Read {
        let paths: Vec<PathBuf> =
            std::iter::once(image.to_owned()).chain(texts.iter().cloned()).collect();
        let look = || -> Vec<_> { paths.iter().map(|path| self.signer.at(path).ok()).collect() };
        let before = look();
        let Some(Some(Some(signature))) = before.first().copied() else { return Read::Changed };
        let below = self.signer.below(image);
        let (sample, error) = read_loose(&self.shard, below, &paths, self.limits);
        if let Some(why) = error {
            log::warn!("{}: {why}", image.display());
            if !has_waited {
                return Read::Changed;
            }
        }
        if look() != before {
            return Read::Changed;
        }
        let has_caption = sample.pair(&sample.metadata()).caption.is_some();
        if !has_caption && !has_waited && sample.fault.is_none() {
            return Read::NoCaption;
        }
        Read::Whole(sample, Files { paths, signature })
    }
}
