//! Rows of numbers: plain, or by codes of a product quantizer.

use std::io;

use super::MAX_SIZE;
use super::reader::Reader;
use crate::datacomp::wrong;

/// Centroids of each part of a quantized row.
const CENTROIDS: usize = 256;

/// A matrix as a model holds it.
#[derive(Debug)]
pub(super) struct Matrix {
    rows: u64,
    columns: usize,
    values: Values,
}

#[derive(Debug)]
enum Values {
    Plain(Vec<f32>),
    Quantized { codes: Vec<u8>, parts: Quantizer, norms: Option<(Vec<u8>, Quantizer)> },
}

/// Cuts a row into parts, each of which is one of 256.
#[derive(Debug)]
struct Quantizer {
    /// Values of a row.
    columns: usize,
    /// Parts of a row.
    parts: usize,
    /// Values of each part but the last, which may have fewer.
    part: usize,
    centroids: Vec<f32>,
}

impl Matrix {
    pub fn read(reader: &mut Reader<impl io::Read>, is_quantized: bool) -> io::Result<Self> {
        let has_norms = is_quantized && reader.flag()?;
        let (rows, columns) = (reader.i64()?, reader.i64()?);
        if rows < 0 || !(1..=i64::from(MAX_SIZE)).contains(&columns) {
            return Err(wrong(format!("a matrix of {rows} x {columns} values")));
        }
        let (rows, columns) = (rows as u64, columns as usize);
        let values = if is_quantized {
            Self::read_codes(reader, rows, columns, has_norms)?
        } else {
            reader.room_for(rows, 4 * columns as u64)?;
            Values::Plain(reader.floats(rows * columns as u64)?)
        };
        Ok(Self { rows, columns, values })
    }

    fn read_codes(
        reader: &mut Reader<impl io::Read>,
        rows: u64,
        columns: usize,
        has_norms: bool,
    ) -> io::Result<Values> {
        let count = u64::try_from(reader.i32()?).map_err(|_| wrong("fewer codes than none"))?;
        let codes = reader.bytes(count)?;
        let parts = Quantizer::read(reader, columns)?;
        if rows.checked_mul(parts.parts as u64) != Some(count) {
            return Err(wrong(format!("{count} codes for {rows} rows of {} parts", parts.parts)));
        }
        let norms = if has_norms {
            let codes = reader.bytes(rows)?;
            Some((codes, Quantizer::read(reader, 1)?))
        } else {
            None
        };
        Ok(Values::Quantized { codes, parts, norms })
    }

    pub fn rows(&self) -> usize {
        self.rows as usize
    }

    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Refuses a matrix that is not of this many rows and columns.
    pub fn check(&self, name: &str, rows: u64, columns: usize) -> io::Result<()> {
        if (self.rows, self.columns) == (rows, columns) {
            return Ok(());
        }
        let (found, wide) = (self.rows, self.columns);
        Err(wrong(format!("the {name} matrix is {found} x {wide}, not {rows} x {columns}")))
    }

    /// Adds a row to `sum`.
    pub fn add_row(&self, row: usize, sum: &mut [f32]) {
        match &self.values {
            Values::Plain(values) => {
                let values = &values[row * self.columns..][..self.columns];
                sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
            }
            Values::Quantized { codes, parts, norms } => {
                let norm = norm_of(norms.as_ref(), row);
                let codes = &codes[row * parts.parts..][..parts.parts];
                for (part, sum) in sum.chunks_mut(parts.part).enumerate() {
                    let values = parts.centroid(part, codes[part], sum.len());
                    sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += norm * value);
                }
            }
        }
    }

    /// The product of a row and a vector.
    pub fn product(&self, row: usize, vector: &[f32]) -> f32 {
        match &self.values {
            Values::Plain(values) => {
                let values = &values[row * self.columns..][..self.columns];
                vector.iter().zip(values).map(|(a, b)| a * b).sum()
            }
            Values::Quantized { codes, parts, norms } => {
                let codes = &codes[row * parts.parts..][..parts.parts];
                let mut sum = 0.0;
                for (part, vector) in vector.chunks(parts.part).enumerate() {
                    let values = parts.centroid(part, codes[part], vector.len());
                    sum = vector.iter().zip(values).fold(sum, |sum, (a, b)| sum + a * b);
                }
                sum * norm_of(norms.as_ref(), row)
            }
        }
    }
}

fn norm_of(norms: Option<&(Vec<u8>, Quantizer)>, row: usize) -> f32 {
    norms.map_or(1.0, |(codes, norms)| norms.centroid(0, codes[row], 1)[0])
}

impl Quantizer {
    fn read(reader: &mut Reader<impl io::Read>, columns: usize) -> io::Result<Self> {
        let mut numbers = [0; 4];
        for number in &mut numbers {
            *number = reader.i32()?;
        }
        let [found, parts, part, last] = numbers.map(|number| usize::try_from(number).unwrap_or(0));
        let fits = found == columns
            && part > 0
            && parts == columns.div_ceil(part)
            && last == columns - (parts - 1) * part;
        if !fits {
            return Err(wrong(format!("a quantizer of {numbers:?} for rows of {columns} values")));
        }
        let centroids = reader.floats((columns * CENTROIDS) as u64)?;
        Ok(Self { columns, parts, part, centroids })
    }

    /// The centroid of a code, of `length` values: those of one part lie together.
    fn centroid(&self, part: usize, code: u8, length: usize) -> &[f32] {
        debug_assert!(self.columns >= part * self.part + length);
        let start = part * CENTROIDS * self.part + usize::from(code) * length;
        &self.centroids[start..][..length]
    }
}
