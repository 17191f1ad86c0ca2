//! The bytes of a state.
//!
//! ```text
//! state  = "PAIRSLCT" frame(Header) frame(Part)* digest
//! Header = format: u16, about, parts: list of list of (name: string, kind: u8, shape: list of u64)
//! frame  = length: u32 LE, payload, crc: u32 LE      length and crc (CRC-32C) are the payload's
//! digest = SHA-256 of all bytes before it
//! ```
//! Header by postcard. The values of all arrays follow in their order, in frames of at most 1 MiB, one array
//! never sharing a frame with another: numbers little-endian, a text as its length (u32 LE) and its bytes.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use pairgate_core::pair::Digest;
use pairgate_core::wire;
use serde::{Deserialize, Serialize};

use super::{About, State};
use crate::digest::sha256;
use crate::disk::IoError;
use crate::score::{Array, Values};
use crate::select::expression::Expression;
use crate::select::parts::{Part, lay_out};
use crate::select::scorers::ScorerError;

/// First bytes of every state.
pub const MAGIC: &[u8; 8] = b"PAIRSLCT";
/// The format written.
pub const FORMAT_VERSION: u16 = 1;
/// Most bytes of values in a frame.
const PIECE: usize = (1 << 20) - 64;
/// Longest header.
const MAX_HEADER: usize = 16 << 20;
/// Longest file.
const MAX_BYTES: u64 = 8 << 30;
/// Most arrays of a part.
const MOST_ARRAYS: usize = 256;
/// Longest embedding.
const MAX_DIMENSION: u32 = 1 << 16;

/// Why bytes are no state, or not one for this model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// They begin in another way.
    #[error("not a state of `pairgate select fit`")]
    NotAState,
    /// They end too early, or a checksum does not hold.
    #[error("the state is damaged")]
    Damaged,
    /// Another version of the format.
    #[error("a state of format {0}, not {FORMAT_VERSION}")]
    Format(u16),
    /// Its expression is none.
    #[error("the state's expression cannot be read: {0}")]
    Expression(String),
    /// Its parts are not those of its expression.
    #[error("the state's parts are not those of its expression")]
    Parts,
    /// A part is not what it should be.
    #[error("the state's part {place}: {why}")]
    Part {
        /// Its place, from 1.
        place: usize,
        /// What is wrong.
        why: ScorerError,
    },
    /// It was fitted on another model.
    #[error("the state was fitted on the model {was}; this one is {is}: fit it again")]
    Model {
        /// Its model.
        was: String,
        /// The model that is asked.
        is: String,
    },
    /// Embeddings of another length.
    #[error("the state was fitted on embeddings of {was} values; the model's have {is}")]
    Dimension {
        /// Its own.
        was: u32,
        /// The model's.
        is: usize,
    },
}

#[derive(Serialize, Deserialize)]
struct Header {
    format: u16,
    about: About,
    parts: Vec<Vec<Entry>>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    name: String,
    kind: u8,
    shape: Vec<u64>,
    /// Of its values in the file.
    bytes: u64,
}

pub(super) fn bytes(state: &State) -> Vec<u8> {
    let parts: Vec<Vec<Array>> = state.parts.iter().map(Part::to_arrays).collect();
    let values: Vec<Vec<Vec<u8>>> = parts
        .iter()
        .map(|arrays| arrays.iter().map(|array| encoded(&array.values)).collect())
        .collect();
    let entry = |(array, bytes): (&Array, &Vec<u8>)| Entry {
        name: array.name.clone(),
        kind: kind(&array.values),
        shape: array.shape.iter().map(|side| *side as u64).collect(),
        bytes: bytes.len() as u64,
    };
    let entries = parts.iter().zip(&values);
    let header = Header {
        format: FORMAT_VERSION,
        about: state.about.clone(),
        parts: entries
            .map(|(arrays, bytes)| arrays.iter().zip(bytes).map(entry).collect())
            .collect(),
    };
    let mut file = MAGIC.to_vec();
    // Into memory nothing fails.
    push_frame(&mut file, &postcard::to_allocvec(&header).unwrap_or_default());
    for bytes in values.iter().flatten() {
        bytes.chunks(PIECE).for_each(|piece| push_frame(&mut file, piece));
    }
    let digest = sha256(&file);
    file.extend(digest.0);
    file
}

fn push_frame(file: &mut Vec<u8>, payload: &[u8]) {
    file.extend((payload.len() as u32).to_le_bytes());
    file.extend(payload);
    file.extend(crc32c(payload).to_le_bytes());
}

fn crc32c(bytes: &[u8]) -> u32 {
    const CRC: crc::Crc<u32> = crc::Crc::<u32>::new(&crc::CRC_32_ISCSI);
    CRC.checksum(bytes)
}

fn kind(values: &Values) -> u8 {
    match values {
        Values::I8(_) => 0,
        Values::F32(_) => 1,
        Values::F64(_) => 2,
        Values::U64(_) => 3,
        Values::Text(_) => 4,
    }
}

fn encoded(values: &Values) -> Vec<u8> {
    match values {
        Values::I8(values) => values.iter().map(|value| *value as u8).collect(),
        Values::F32(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        Values::F64(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        Values::U64(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        Values::Text(values) => {
            let text =
                |text: &String| [&(text.len() as u32).to_le_bytes(), text.as_bytes()].concat();
            values.iter().flat_map(text).collect()
        }
    }
}

/// Values of `count` that these bytes hold.
fn decoded(kind: u8, count: usize, bytes: &[u8]) -> Option<Values> {
    let holds = |width: usize| count.checked_mul(width) == Some(bytes.len());
    match kind {
        0 if holds(1) => Some(Values::I8(bytes.iter().map(|byte| *byte as i8).collect())),
        1 if holds(4) => {
            Some(Values::F32(bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect()))
        }
        2 if holds(8) => {
            Some(Values::F64(bytes.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b)).collect()))
        }
        3 if holds(8) => {
            Some(Values::U64(bytes.as_chunks().0.iter().map(|b| u64::from_le_bytes(*b)).collect()))
        }
        4 => texts(count, bytes).map(Values::Text),
        _ => None,
    }
}

fn texts(count: usize, mut bytes: &[u8]) -> Option<Vec<String>> {
    // Each has a length at least.
    if count > bytes.len() / 4 {
        return None;
    }
    let mut texts = Vec::with_capacity(count);
    for _ in 0..count {
        let (length, rest) = bytes.split_first_chunk()?;
        let (text, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        texts.push(String::from_utf8(text.to_vec()).ok()?);
        bytes = rest;
    }
    bytes.is_empty().then_some(texts)
}

pub(super) fn load(path: &Path) -> Result<State, IoError> {
    let unread = |why: io::Error| IoError::Read { from: path.display().to_string(), why };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unread)?;
    // What is no state is not read to its end.
    let mut start = file.take(MAX_BYTES);
    let mut magic = Vec::new();
    start.by_ref().take(MAGIC.len() as u64).read_to_end(&mut magic).map_err(unread)?;
    let parsed = match magic == MAGIC {
        false => Err(StateError::NotAState),
        true => {
            bytes.extend(magic);
            start.read_to_end(&mut bytes).map_err(unread)?;
            parse(&bytes)
        }
    };
    parsed.map_err(|why| unread(io::Error::new(io::ErrorKind::InvalidData, why)))
}

pub(super) fn parse(bytes: &[u8]) -> Result<State, StateError> {
    let body = bytes.strip_prefix(MAGIC).ok_or(StateError::NotAState)?;
    let (payload, _) = wire::unframe_within(body, MAX_HEADER).ok_or(StateError::Damaged)?;
    // The format is first, so that it can be told whatever follows it.
    let (format, _) = postcard::take_from_bytes(payload).map_err(|_| StateError::Damaged)?;
    if format != FORMAT_VERSION {
        return Err(StateError::Format(format));
    }
    let (whole, digest) = bytes.split_last_chunk::<32>().ok_or(StateError::Damaged)?;
    if sha256(whole).0 != *digest {
        return Err(StateError::Damaged);
    }
    let body = whole.strip_prefix(MAGIC).ok_or(StateError::Damaged)?;
    let (payload, mut rest) = wire::unframe_within(body, MAX_HEADER).ok_or(StateError::Damaged)?;
    let header: Header = postcard::from_bytes(payload).map_err(|_| StateError::Damaged)?;
    let about = header.about;
    let expression = Expression::parse(&about.expression);
    let expression = expression.map_err(|why| StateError::Expression(why.to_string()))?;
    let (_, slots) = lay_out(&expression);
    let is_usual = (1..=MAX_DIMENSION).contains(&about.dimension);
    if header.parts.len() != slots.len() || !is_usual {
        return Err(StateError::Parts);
    }
    let mut parts = Vec::with_capacity(slots.len());
    for (place, (slot, entries)) in slots.iter().zip(&header.parts).enumerate() {
        if entries.len() > MOST_ARRAYS {
            return Err(StateError::Parts);
        }
        let arrays = entries.iter().map(|entry| array(entry, &mut rest));
        let arrays = arrays.collect::<Option<Vec<_>>>().ok_or(StateError::Damaged)?;
        let part = Part::from_arrays(slot, &arrays, about.dimension as usize);
        parts.push(part.map_err(|why| StateError::Part { place: place + 1, why })?);
    }
    if !rest.is_empty() {
        return Err(StateError::Damaged);
    }
    let mut state = State::assemble(about, parts)?;
    state.digest = Digest(*digest);
    Ok(state)
}

/// Takes an array's frames off the front of `rest`.
fn array(entry: &Entry, rest: &mut &[u8]) -> Option<Array> {
    let length = usize::try_from(entry.bytes).ok().filter(|length| *length <= rest.len())?;
    let mut bytes = Vec::with_capacity(length);
    while bytes.len() < length {
        let (payload, after) = wire::unframe_within(rest, PIECE)?;
        if payload.is_empty() || payload.len() > length - bytes.len() {
            return None;
        }
        bytes.extend_from_slice(payload);
        *rest = after;
    }
    let sides = entry.shape.iter().map(|side| usize::try_from(*side).ok());
    let shape = sides.collect::<Option<Vec<_>>>()?;
    let count = shape.iter().try_fold(1usize, |count, side| count.checked_mul(*side))?;
    let values = decoded(entry.kind, count, &bytes)?;
    Some(Array { name: entry.name.clone(), shape, values })
}
