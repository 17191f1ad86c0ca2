//! Consistent Overhead Byte Stuffing (Cheshire and Baker, 1997): bytes in which no zero occurs, so
//! that a zero can mark their end.
//!
//! Stuffed bytes are blocks: a code `n`, then `n - 1` bytes that are not zero. Behind a block stands
//! a zero that was left out, unless its code is 255 or it is the last one.

/// Bytes of the longest block, without its code.
const BLOCK: usize = 254;

/// Stuffed bytes that `bytes` come to at most.
pub const fn max_stuffed(bytes: usize) -> usize {
    bytes + bytes / BLOCK + 1
}

/// Writes `bytes` stuffed, in parts, without the zero that marks the end.
pub fn stuff(bytes: &[u8], write: &mut impl FnMut(&[u8])) {
    for mut rest in bytes.split(|&byte| byte == 0) {
        while let Some((block, behind)) = rest.split_first_chunk::<BLOCK>() {
            write(&[255]);
            write(block);
            rest = behind;
        }
        write(&[rest.len() as u8 + 1]);
        write(rest);
    }
}

/// The bytes that `stuffed` stands for, at its front; `None` if it stands for none: a block is
/// incomplete or a zero among them.
pub fn unstuff(stuffed: &mut [u8]) -> Option<&[u8]> {
    let (mut from, mut to) = (0, 0);
    while from < stuffed.len() {
        let code = stuffed[from] as usize;
        let end = from + code;
        if code == 0 || stuffed.get(from..end)?.contains(&0) {
            return None;
        }
        stuffed.copy_within(from + 1..end, to);
        (from, to) = (end, to + code - 1);
        if code <= BLOCK && from < stuffed.len() {
            stuffed[to] = 0;
            to += 1;
        }
    }
    Some(&stuffed[..to])
}
