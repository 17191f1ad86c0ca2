//! A journal as one page that people look at, and two runs side by side.
//!
//! The page holds everything: no network, no file beside it, and a policy that lets nothing else in.
//! What a slider at the threshold needs is in it as numbers (`sums`), and some of the pairs with small
//! pictures (`gallery`). Keys, captions and names come from strangers: they are text wherever they go.

#[cfg(feature = "parquet")]
mod assign;
mod clusters;
mod comparison;
mod gallery;
mod head;
mod page;
mod select;
mod sums;
mod thumbnails;

use std::path::{Path, PathBuf};

use crate::compare::Comparison;
use crate::disk::IoError;
use crate::source::Source;

use gallery::Gallery;
use head::Head;
use sums::Sums;

pub use clusters::Clusters;
pub use head::Calibration;
pub use page::Page;
pub use thumbnails::thumbnail;

/// What a report is made of.
#[derive(Debug)]
pub struct Report<'a> {
    /// Journals, or folders that hold one.
    pub journals: &'a [PathBuf],
    /// An earlier run of the same pairs, and how it compares.
    pub compared: Option<([&'a Path; 2], &'a Comparison)>,
    /// Pairs that are shown from all over the scores; some more are, for each reason and source.
    pub pairs: usize,
    /// What a model was calibrated with: told where it is the journal's model.
    pub calibration: Option<Calibration>,
    /// The clusters that pairs are in, where a state was named; else the journals tell them, if at all.
    pub clusters: Option<Clusters>,
    /// The state's file, for commands.
    pub state: Option<PathBuf>,
}

impl Report<'_> {
    /// Reads journals three times, and pictures once, and makes the page. Memory: 28 bytes a scored
    /// pair, and 4 a pair where pairs are in clusters.
    ///
    /// # Errors
    /// [`IoError`] if a journal or the source cannot be read.
    pub fn page(self, pictures: &mut dyn Source) -> Result<Page, IoError> {
        let sums = Sums::read(self.journals, self.clusters)?;
        let mut shown = select::choose(self.journals, &sums, self.pairs)?;
        let mut changed = self.compared.map(|(_, compared)| Gallery::of_changed(&compared.picks));
        let galleries = std::iter::once(&mut shown).chain(changed.as_mut());
        thumbnails::fill(&mut galleries.collect::<Vec<_>>(), pictures)?;
        let head = Head::of(self.journals, &sums, self.calibration, self.state.as_deref());
        let comparison = self.compared.zip(changed).map(|((paths, compared), changed)| {
            comparison::Comparison::of(paths, compared, changed.into_cards())
        });
        Ok(Page::of(
            Some(&page::Data { head, sums: sums.shown(), cards: shown.into_cards() }),
            comparison.as_ref(),
        ))
    }
}

/// Makes the page of two runs. Pictures are read once.
///
/// # Errors
/// [`IoError`] if the source cannot be read.
pub fn comparison_page(
    paths: [&Path; 2],
    compared: &Comparison,
    pictures: &mut dyn Source,
) -> Result<Page, IoError> {
    let mut changed = Gallery::of_changed(&compared.picks);
    thumbnails::fill(&mut [&mut changed], pictures)?;
    let comparison = comparison::Comparison::of(paths, compared, changed.into_cards());
    Ok(Page::of(None, Some(&comparison)))
}
