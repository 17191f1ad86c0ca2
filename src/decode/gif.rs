//! The first frame of a GIF, put together anew for its decoder: with a table of all 256 colours, so
//! that what lies outside a short one is black, and without the blocks before it that say nothing
//! of its pixels.

use pairgate_core::decision::Reason;

const HEADER_BYTES: usize = 13;
const IMAGE: u8 = b',';
const EXTENSION: u8 = b'!';
const CONTROL: u8 = 0xf9;
/// A table follows.
const HAS_TABLE: u8 = 0x80;
/// The table has 256 colours.
const WHOLE_TABLE: u8 = 0x87;

/// The first frame's parts.
pub(super) struct Outline<'a> {
    /// All up to the frame's data.
    head: Vec<u8>,
    /// The data, and what follows them.
    data: &'a [u8],
}

/// # Errors
/// [`Reason::ImageTruncated`] where the file ends before the first frame, [`Reason::Undecodable`]
/// where there is none.
pub(super) fn outline(bytes: &[u8]) -> Result<Outline<'_>, Reason> {
    let header = bytes.get(..HEADER_BYTES).ok_or(Reason::ImageTruncated)?;
    let (global, mut rest) = table(header[10], &bytes[HEADER_BYTES..])?;
    let mut head = header.to_vec();
    head[10] |= WHOLE_TABLE;
    add_table(&mut head, global);
    loop {
        match *rest {
            [EXTENSION, label, ..] => {
                let after = after_blocks(&rest[2..])?;
                if label == CONTROL {
                    head.extend_from_slice(&rest[..rest.len() - after.len()]);
                }
                rest = after;
            }
            [IMAGE, ..] => break,
            // The end.
            [b';', ..] => return Err(Reason::Undecodable),
            // What lies between blocks is passed over, as Pillow does.
            [_, ..] => rest = &rest[1..],
            [] => return Err(Reason::ImageTruncated),
        }
    }
    let descriptor = rest.get(..10).ok_or(Reason::ImageTruncated)?;
    let (local, data) = table(descriptor[9], &rest[10..])?;
    enlarge(&mut head, descriptor);
    head.extend_from_slice(descriptor);
    if local.is_some()
        && let Some(flags) = head.last_mut()
    {
        *flags |= WHOLE_TABLE;
        add_table(&mut head, local);
    }
    Ok(Outline { head, data })
}

impl Outline<'_> {
    /// The file in parts.
    pub fn parts(&self) -> Vec<&[u8]> {
        vec![&self.head, self.data]
    }
}

/// Makes the canvas at least as large as the first frame, as Pillow and browsers do.
fn enlarge(head: &mut [u8], descriptor: &[u8]) {
    let number = |bytes: &[u8], at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
    for (side, place) in [(6, 1), (8, 3)] {
        let end = number(descriptor, place).saturating_add(number(descriptor, place + 4));
        let side_now = number(head, side).max(end);
        head[side..side + 2].copy_from_slice(&side_now.to_le_bytes());
    }
}

/// The colours that follow, if the flags say that they do, and what comes after them.
fn table(flags: u8, rest: &[u8]) -> Result<(Option<&[u8]>, &[u8]), Reason> {
    if flags & HAS_TABLE == 0 {
        return Ok((None, rest));
    }
    let bytes = 3 << ((flags & 7) + 1);
    let (table, rest) = rest.split_at_checked(bytes).ok_or(Reason::ImageTruncated)?;
    Ok((Some(table), rest))
}

/// Adds 256 colours: black after the last. Where there is no table, indices are levels of grey.
fn add_table(head: &mut Vec<u8>, table: Option<&[u8]>) {
    let end = head.len() + 3 * 256;
    match table {
        Some(table) => head.extend_from_slice(table),
        None => head.extend((0..=255).flat_map(|level| [level; 3])),
    }
    head.resize(end, 0);
}

/// What follows blocks of data, each of which states its length, and an empty one.
fn after_blocks(mut rest: &[u8]) -> Result<&[u8], Reason> {
    loop {
        let (&length, after) = rest.split_first().ok_or(Reason::ImageTruncated)?;
        rest = after.get(usize::from(length)..).ok_or(Reason::ImageTruncated)?;
        if length == 0 {
            return Ok(rest);
        }
    }
}
