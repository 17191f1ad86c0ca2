//! Where a list of lengths ends that is packed as differences (DELTA_BINARY_PACKED).

/// What follows the list; `None` where it is damaged or has more than `most` values.
pub(super) fn behind(bytes: &[u8], most: u64) -> Option<&[u8]> {
    let (block, rest) = varint(bytes)?;
    let (parts, rest) = varint(rest)?;
    let (values, rest) = varint(rest)?;
    let (_first, mut rest) = varint(rest)?;
    let part = block.checked_div(parts).filter(|part| *part > 0 && *part <= 1 << 20)?;
    if values > most {
        return None;
    }
    let mut left = values.saturating_sub(1);
    while left > 0 {
        let (_least, after) = varint(rest)?;
        let widths = after.get(..usize::try_from(parts).ok()?)?;
        rest = after.get(widths.len()..)?;
        for width in widths {
            if left == 0 {
                break;
            }
            left = left.saturating_sub(part);
            let bytes = u64::from(*width).checked_mul(part)?.div_ceil(8);
            rest = rest.get(usize::try_from(bytes).ok()?..)?;
        }
    }
    Some(rest)
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0_u64;
    for (i, byte) in bytes.iter().enumerate().take(10) {
        number |= u64::from(byte & 127).checked_shl(7 * i as u32)?;
        if *byte < 128 {
            return Some((number, bytes.get(i + 1..)?));
        }
    }
    None
}
