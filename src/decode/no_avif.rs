//! In place of AVIF, where it is not built in or its decoder does not build.

use pairgate_core::config::ImageLimits;
use pairgate_core::decision::Reason;

use super::{Header, Rgb8};

/// No file is taken for one: it is refused by its name.
pub(super) fn is_avif(_: &[u8]) -> bool {
    false
}

pub(super) fn probe(_: &[u8], _: &ImageLimits) -> Result<Header, Reason> {
    Err(Reason::UnsupportedFormat)
}

pub(super) fn decode(_: &[u8], _: &Header, _: &ImageLimits, _: &mut Rgb8) -> Result<(), Reason> {
    Err(Reason::UnsupportedFormat)
}
