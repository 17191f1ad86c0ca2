//! A page's header, in Thrift's compact protocol.

use std::io::{self, Read};

use parquet::errors::{ParquetError, Result};

use super::wrong;

/// Depth of structures that is followed, and fields of all of them at most.
const MAX_DEPTH: u32 = 8;
const MAX_FIELDS: u32 = 4096;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Data,
    DataV2,
    Dictionary,
    /// An index, or what is not known.
    Other,
}

/// What a page says of itself. Sizes are in bytes.
#[derive(Debug, Clone)]
pub(super) struct Header {
    pub kind: Kind,
    pub packed: usize,
    pub unpacked: usize,
    pub values: u32,
    pub nulls: u32,
    pub rows: u32,
    pub encoding: i32,
    pub definition_encoding: i32,
    pub repetition_encoding: i32,
    pub definition_bytes: u32,
    pub repetition_bytes: u32,
    pub is_compressed: bool,
    pub is_sorted: bool,
}

/// A structure's whole numbers and truth values by their ids, and the structures in it.
#[derive(Debug, Default)]
struct Fields {
    numbers: Vec<(i64, i64)>,
    structures: Vec<(i64, Fields)>,
}

/// Reads the protocol, and counts bytes and fields.
struct Compact<R> {
    reader: R,
    bytes: u64,
    fields: u32,
}

impl Header {
    /// Reads a header; gives its length in bytes too.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(reader: impl Read) -> Result<(Self, u64)> {
        let mut compact = Compact { reader, bytes: 0, fields: 0 };
        let page = compact.structure(0)?;
        let kind = match page.number(1) {
            Some(0) => Kind::Data,
            Some(2) => Kind::Dictionary,
            Some(3) => Kind::DataV2,
            _ => Kind::Other,
        };
        let nothing = Fields::default();
        let about = match kind {
            Kind::Data => page.structure(5),
            Kind::Dictionary => page.structure(7),
            Kind::DataV2 => page.structure(8),
            Kind::Other => Some(&nothing),
        };
        let about = about.ok_or_else(|| wrong("a page's header is not whole"))?;
        let size = |number: Option<i64>| usize::try_from(number.unwrap_or(-1));
        let count = |id| u32::try_from(about.number(id).unwrap_or(0));
        let code = |id| i32::try_from(about.number(id).unwrap_or(0));
        let is_v2 = kind == Kind::DataV2;
        let header = Self {
            kind,
            unpacked: size(page.number(2))?,
            packed: size(page.number(3))?,
            values: count(1)?,
            nulls: if is_v2 { count(2)? } else { 0 },
            rows: if is_v2 { count(3)? } else { 0 },
            encoding: code(if is_v2 { 4 } else { 2 })?,
            definition_encoding: if kind == Kind::Data { code(3)? } else { 0 },
            repetition_encoding: if kind == Kind::Data { code(4)? } else { 0 },
            definition_bytes: if is_v2 { count(5)? } else { 0 },
            repetition_bytes: if is_v2 { count(6)? } else { 0 },
            is_compressed: !is_v2 || about.number(7) != Some(0),
            is_sorted: kind == Kind::Dictionary && about.number(3) == Some(1),
        };
        Ok((header, compact.bytes))
    }
}

impl Fields {
    fn number(&self, id: i64) -> Option<i64> {
        self.numbers.iter().find(|(known, _)| *known == id).map(|(_, number)| *number)
    }

    fn structure(&self, id: i64) -> Option<&Self> {
        self.structures.iter().find(|(known, _)| *known == id).map(|(_, fields)| fields)
    }
}

impl<R: Read> Compact<R> {
    fn structure(&mut self, depth: u32) -> Result<Fields> {
        let (mut fields, mut id) = (Fields::default(), 0_i64);
        loop {
            let head = self.byte()?;
            if head == 0 {
                return Ok(fields);
            }
            self.count()?;
            id = match i64::from(head >> 4) {
                0 => self.zigzag()?,
                step => id.saturating_add(step),
            };
            match head & 15 {
                // A truth value is its type.
                kind @ (1 | 2) => fields.numbers.push((id, i64::from(kind == 1))),
                3 => drop(self.byte()?),
                4..=6 => {
                    let number = self.zigzag()?;
                    fields.numbers.push((id, number));
                }
                12 if depth < MAX_DEPTH => {
                    let inner = self.structure(depth + 1)?;
                    fields.structures.push((id, inner));
                }
                kind => self.skip(kind, depth)?,
            }
        }
    }

    fn skip(&mut self, kind: u8, depth: u32) -> Result<()> {
        if depth >= MAX_DEPTH {
            return Err(wrong("a page's header is too deep"));
        }
        match kind {
            // In lists truth values take a byte.
            1..=3 => drop(self.byte()?),
            4..=6 => drop(self.zigzag()?),
            7 => self.pass(8)?,
            8 => {
                let length = self.varint()?;
                self.pass(length)?;
            }
            9 | 10 => {
                let head = self.byte()?;
                let length = match u64::from(head >> 4) {
                    15 => self.varint()?,
                    length => length,
                };
                for _ in 0..length {
                    self.count()?;
                    self.skip(head & 15, depth + 1)?;
                }
            }
            12 => drop(self.structure(depth + 1)?),
            _ => return Err(wrong("a page's header has a field of an unknown type")),
        }
        Ok(())
    }

    fn pass(&mut self, length: u64) -> Result<()> {
        let passed = io::copy(&mut (&mut self.reader).take(length), &mut io::sink())?;
        self.bytes = self.bytes.saturating_add(passed);
        if passed < length { Err(wrong("it ends within a page's header")) } else { Ok(()) }
    }

    fn count(&mut self) -> Result<()> {
        self.fields += 1;
        if self.fields > MAX_FIELDS { Err(wrong("a page's header has no end")) } else { Ok(()) }
    }

    fn byte(&mut self) -> Result<u8> {
        let mut byte = [0];
        let read = self.reader.read_exact(&mut byte);
        read.map_err(|_| ParquetError::EOF("it ends within a page's header".into()))?;
        self.bytes += 1;
        Ok(byte[0])
    }

    fn varint(&mut self) -> Result<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 127) << shift;
            if byte < 128 {
                return Ok(number);
            }
        }
        Err(wrong("a page's header has a number without end"))
    }

    fn zigzag(&mut self) -> Result<i64> {
        let number = self.varint()?;
        Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }
}
