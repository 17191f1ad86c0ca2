//! The palette of a PNG, looked at before the decoder sees it: the decoder panics on one that is
//! no whole number of colours.

use pairgate_core::decision::Reason;

const SIGNATURE_BYTES: usize = 8;

/// Checks the palettes that precede the pixels.
///
/// # Errors
/// [`Reason::Undecodable`] for a palette that is no whole number of colours.
pub(super) fn check(bytes: &[u8]) -> Result<(), Reason> {
    let mut rest = bytes.get(SIGNATURE_BYTES..).unwrap_or_default();
    // Length, kind, data, checksum; whatever is cut is the decoder's to find.
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        match after.get(..4) {
            None | Some(b"IDAT") => break,
            Some(b"PLTE") if !length.is_multiple_of(3) => return Err(Reason::Undecodable),
            Some(_) => rest = after.get(length.saturating_add(8)..).unwrap_or_default(),
        }
    }
    Ok(())
}
