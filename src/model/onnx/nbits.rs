//! `com.microsoft` `MatMulNBits`: weights of 2, 4 or 8 bits, with a scale for each block of rows.
//!
//! Layout, from onnxruntime's specification of its contributed operators: B is
//! `[N, blocks, bytes]`, the lowest bits of a byte first; `zero_points` is packed likewise for each
//! column, or holds floats; without it the zero point is the middle of the range.

use tract_onnx::pb::NodeProto;

use super::constants::{Kind, Values};
use super::integer::product_and_bias;
use super::lower::{Lowering, input, int};
use crate::model::ModelError;

/// The sizes of a blockwise quantized matrix.
struct Blocks {
    rows: usize,
    columns: usize,
    bits: usize,
    size: usize,
    /// Blocks in a column.
    count: usize,
}

impl Blocks {
    fn read(g: &Lowering<'_>, node: &NodeProto) -> Result<Self, ModelError> {
        let size = |name: &str, default| {
            let value = usize::try_from(int(node, name, default)).unwrap_or(0);
            let fits = (1..=1 << 20).contains(&value);
            fits.then_some(value).ok_or_else(|| g.refuse(node, format!("{name} = {value}")))
        };
        let (rows, columns) = (size("K", 0)?, size("N", 0)?);
        let (bits, block) = (size("bits", 4)?, size("block_size", 32)?);
        if ![2, 4, 8].contains(&bits) {
            return Err(g.refuse(node, format!("bits = {bits}; 2, 4 and 8 are supported")));
        }
        Ok(Self { rows, columns, bits, size: block, count: rows.div_ceil(block) })
    }

    /// Value `i` of a packed run of bytes.
    fn unpack(&self, bytes: &[f32], i: usize) -> f32 {
        let bit = i * self.bits;
        let byte = bytes.get(bit / 8).map_or(0, |byte| *byte as u8);
        f32::from(byte >> (bit % 8) & (0xff >> (8 - self.bits)))
    }

    /// Bytes that hold `values` values.
    fn bytes(&self, values: usize) -> usize {
        (values * self.bits).div_ceil(8)
    }

    /// Zero point of each block of each column.
    fn zeros(&self, packed: Option<(Values, Option<Kind>)>) -> Vec<f32> {
        let middle = f32::from(1u8 << (self.bits - 1));
        let places = (0..self.columns).flat_map(|n| (0..self.count).map(move |b| (n, b)));
        match packed {
            None => vec![middle; self.columns * self.count],
            Some((zeros, Some(Kind::U8))) => {
                let row = self.bytes(self.count);
                let at = |(n, b)| self.unpack(zeros.data.get(n * row..).unwrap_or(&[]), b);
                places.map(at).collect()
            }
            Some((zeros, _)) => zeros.data,
        }
    }
}

pub(super) fn matmul_nbits(g: &mut Lowering<'_>, node: &NodeProto) -> Result<(), ModelError> {
    let blocks = Blocks::read(g, node)?;
    let at = |place| input(node, place);
    let (Some(a), Some(b), Some(scales)) = (at(0), at(1), at(2)) else {
        return Err(g.refuse(node, "one of its first three inputs is missing"));
    };
    let packed = g.needed_values(node, b)?;
    let scales = g.needed_values(node, scales)?.data;
    let zeros = at(3).map(|zero| g.needed_values(node, zero).map(|of| (of, g.constant_kind(zero))));
    let zeros = blocks.zeros(zeros.transpose()?);
    let order = at(4).map(|order| g.needed_values(node, order)).transpose()?;
    let block_of = |k: usize| match &order {
        Some(order) => order.data.get(k).map_or(0, |block| *block as usize),
        None => k / blocks.size,
    };
    let column = blocks.count * blocks.bytes(blocks.size);
    let places = blocks.columns * blocks.count;
    if packed.data.len() < blocks.columns * column || scales.len() < places || zeros.len() < places
    {
        return Err(g.refuse(node, "its weights, scales or zero points are too few"));
    }
    let mut weights = vec![0.0; blocks.rows * blocks.columns];
    for n in 0..blocks.columns {
        let bytes = &packed.data[n * column..][..column];
        for k in 0..blocks.rows {
            let block = (n * blocks.count + block_of(k).min(blocks.count - 1)).min(places - 1);
            let value = blocks.unpack(
                bytes,
                k / blocks.size * blocks.bytes(blocks.size) * 8 / blocks.bits + k % blocks.size,
            );
            weights[k * blocks.columns + n] = (value - zeros[block]) * scales[block];
        }
    }
    let weights = Values { dims: vec![blocks.rows, blocks.columns], data: weights };
    let weights = g.add_constant(b, weights);
    product_and_bias(g, node, a, &weights, at(5));
    Ok(())
}
