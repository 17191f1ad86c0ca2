//! Packed pages, of which never more is unpacked than their header says.

use std::io::Read;

use parquet::basic::Compression;
use parquet::errors::Result;

use super::wrong;

/// Bytes that brotli reads at once.
const BUFFER: usize = 4096;

/// Unpacks `packed`, which has `size` bytes then, behind what `out` holds.
///
/// # Errors
/// What is wrong with the data, and a codec that is not known.
pub(super) fn unpack(
    codec: Compression,
    packed: &[u8],
    size: usize,
    out: &mut Vec<u8>,
) -> Result<()> {
    if size == 0 {
        return Ok(());
    }
    let before = out.len();
    match codec {
        Compression::SNAPPY => {
            if snap::raw::decompress_len(packed).ok() != Some(size) {
                return Err(wrong("a page has another size than its header says"));
            }
            out.resize(before + size, 0);
            let unpacked = snap::raw::Decoder::new().decompress(packed, &mut out[before..]);
            unpacked.map_err(|why| wrong(why.to_string()))?;
        }
        Compression::GZIP(_) => stream(flate2::read::MultiGzDecoder::new(packed), size, out)?,
        Compression::ZSTD(_) => stream(zstd::stream::read::Decoder::new(packed)?, size, out)?,
        Compression::BROTLI(_) => {
            stream(brotli_decompressor::Decompressor::new(packed, BUFFER), size, out)?;
        }
        Compression::LZ4_RAW => lz4(packed, size, out)?,
        Compression::LZ4 => {
            if hadoop(packed, size, out).is_none() {
                out.truncate(before);
                lz4(packed, size, out)?;
            }
        }
        Compression::UNCOMPRESSED => out.extend_from_slice(packed),
        other => return Err(wrong(format!("pages packed with {other} are not read"))),
    }
    if out.len() != before + size {
        return Err(wrong("a page has another size than its header says"));
    }
    Ok(())
}

/// One byte more is asked for than there should be, so that it shows.
fn stream(reader: impl Read, size: usize, out: &mut Vec<u8>) -> Result<()> {
    reader.take(size as u64 + 1).read_to_end(out)?;
    Ok(())
}

fn lz4(packed: &[u8], size: usize, out: &mut Vec<u8>) -> Result<()> {
    let before = out.len();
    out.resize(before + size, 0);
    let read = lz4_flex::block::decompress_into(packed, &mut out[before..]);
    out.truncate(before + read.map_err(|why| wrong(why.to_string()))?);
    Ok(())
}

/// Blocks with their sizes in front, as Hadoop writes them; `None` where it is something else.
fn hadoop(mut packed: &[u8], size: usize, out: &mut Vec<u8>) -> Option<()> {
    let mut left = size;
    while !packed.is_empty() {
        let (unpacked, rest) = number(packed)?;
        let (length, rest) = number(rest)?;
        let block = rest.get(..length)?;
        left = left.checked_sub(unpacked)?;
        let before = out.len();
        lz4(block, unpacked, out).ok()?;
        if out.len() != before + unpacked {
            return None;
        }
        packed = rest.get(length..)?;
    }
    (left == 0).then_some(())
}

fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u32::from_be_bytes(*number) as usize, rest))
}
