//! A config as bytes, for firmware that has no file system and no TOML.
//!
//! ```text
//! packed  = magic, version: u16 LE, length: u32 LE, payload, crc: u32 LE
//! magic   = "PGCF"
//! crc     = CRC-32C (Castagnoli) of all bytes before it
//! payload = the postcard encoding of Config
//! ```
//! postcard is positional: every change of a config's keys is another [`VERSION`], and a firmware
//! reads the one that it was built with.

use super::{Config, OnFull};
use crate::error::ConfigError;
use crate::wire::CRC32C;

/// First bytes of a packed config.
pub const MAGIC: &[u8; 4] = b"PGCF";
/// The layout of the payload.
pub const VERSION: u16 = 2;
/// Bytes that a packed config never passes.
pub const MAX_BYTES: usize = 2048;

const HEADER: usize = 10;

/// Writes `config` to the front of `buffer`, of [`MAX_BYTES`] at most, and gives the part used.
///
/// # Errors
/// [`ConfigError::Packed`] if the buffer is too small, or the config has rules that a packed one does
/// not hold: firmware would pass what they reject.
pub fn pack<'b>(config: &Config, buffer: &'b mut [u8]) -> Result<&'b [u8], ConfigError> {
    let small = ConfigError::Packed { why: "the buffer is too small" };
    if config.rules.max_words != 0 || !config.rules.languages.is_any() {
        let why = "it holds no rules.max_words and no rules.languages: leave them at 0 and []";
        return Err(ConfigError::Packed { why });
    }
    let body = buffer.get_mut(HEADER..).ok_or(small)?;
    let length = match config.capture.on_full {
        // A microcontroller has no disk.
        OnFull::Spool => {
            let mut config = config.clone();
            config.capture.on_full = OnFull::DropNewest;
            postcard::to_slice(&config, body)
        }
        _ => postcard::to_slice(config, body),
    };
    let length = length.map_err(|_| small)?.len();
    buffer[..4].copy_from_slice(MAGIC);
    buffer[4..6].copy_from_slice(&VERSION.to_le_bytes());
    buffer[6..HEADER].copy_from_slice(&(length as u32).to_le_bytes());
    let (written, rest) = buffer.split_at_mut(HEADER + length);
    let crc = CRC32C.checksum(written).to_le_bytes();
    rest.get_mut(..4).ok_or(small)?.copy_from_slice(&crc);
    Ok(&buffer[..HEADER + length + 4])
}

/// Reads a packed config, checks it, and leaves what follows it.
///
/// # Errors
/// [`ConfigError::Packed`] where the bytes are no packed config, of another version, cut or
/// damaged; any other [`ConfigError`] where a value is out of range.
pub fn unpack(bytes: &[u8]) -> Result<Config, ConfigError> {
    let wrong = |why| ConfigError::Packed { why };
    let (header, rest) = bytes.split_first_chunk::<HEADER>().ok_or(wrong("it is cut"))?;
    if !header.starts_with(MAGIC) {
        return Err(wrong("it does not start with PGCF"));
    }
    if header[4..6] != VERSION.to_le_bytes() {
        return Err(wrong("it was packed by another version"));
    }
    let length = u32::from_le_bytes([header[6], header[7], header[8], header[9]]) as usize;
    let payload = rest.get(..length).ok_or(wrong("it is cut"))?;
    let crc = rest.get(length..).and_then(|rest| rest.first_chunk()).ok_or(wrong("it is cut"))?;
    if CRC32C.checksum(&bytes[..HEADER + length]) != u32::from_le_bytes(*crc) {
        return Err(wrong("its checksum differs"));
    }
    let config: Config =
        postcard::from_bytes(payload).map_err(|_| wrong("its payload is no config"))?;
    config.check()?;
    Ok(config)
}
