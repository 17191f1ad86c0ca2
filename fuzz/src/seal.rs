//! Checksums made right again: damage that no checksum stops is what a parser must stand by itself.

/// CRC-32C (Castagnoli), bit by bit: what is sealed is short.
pub fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0x82f6_3b78 & 0_u32.wrapping_sub(crc & 1))
        })
    })
}

/// The frame `length: u32 LE, payload, crc: u32 LE` of a payload.
pub fn frame(payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_le_bytes();
    [&length, payload, &crc32c(payload).to_le_bytes()].concat()
}

/// Makes the checksums right of the frames that follow each other from `at` on.
pub fn seal_frames(bytes: &mut [u8], mut at: usize) {
    while let Some((length, rest)) = bytes.get_mut(at..).and_then(|b| b.split_first_chunk_mut()) {
        let length = u32::from_le_bytes(*length) as usize;
        let Some((payload, rest)) = rest.split_at_mut_checked(length) else { return };
        let Some(crc) = rest.first_chunk_mut::<4>() else { return };
        *crc = crc32c(payload).to_le_bytes();
        at += length + 8;
    }
}

/// Makes length and checksum right of a packed config: they stand at bytes 6 and at the end.
pub fn seal_config(bytes: &mut [u8]) {
    let Some(end) = bytes.len().checked_sub(4).filter(|end| *end >= 10) else { return };
    bytes[6..10].copy_from_slice(&(end as u32 - 10).to_le_bytes());
    let crc = crc32c(&bytes[..end]).to_le_bytes();
    bytes[end..].copy_from_slice(&crc);
}

/// Makes the checksums right of all frames between zeros, each stuffed by COBS.
pub fn seal_wire(bytes: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::with_capacity(bytes.len() + 64);
    for part in bytes.split(|byte| *byte == 0) {
        match unstuffed(part) {
            Some(mut frame) if frame.len() > 4 => {
                let end = frame.len() - 4;
                let crc = crc32c(&frame[..end]).to_le_bytes();
                frame[end..].copy_from_slice(&crc);
                stuff(&frame, &mut sealed);
            }
            _ => sealed.extend_from_slice(part),
        }
        sealed.push(0);
    }
    sealed
}

fn unstuffed(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut frame = Vec::new();
    while let Some((&code, behind)) = rest.split_first() {
        let (block, behind) = behind.split_at_checked(usize::from(code).checked_sub(1)?)?;
        frame.extend_from_slice(block);
        rest = behind;
        if code < 255 && !rest.is_empty() {
            frame.push(0);
        }
    }
    Some(frame)
}

fn stuff(frame: &[u8], into: &mut Vec<u8>) {
    for mut rest in frame.split(|byte| *byte == 0) {
        while rest.len() >= 254 {
            into.push(255);
            into.extend_from_slice(&rest[..254]);
            rest = &rest[254..];
        }
        into.push(rest.len() as u8 + 1);
        into.extend_from_slice(rest);
    }
}
