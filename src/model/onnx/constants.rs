//! Constant tensors of an ONNX graph as numbers, whatever type they are stored in.

use tract_onnx::pb::TensorProto;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::prelude::f16;

/// A constant's values in row-major order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Values {
    /// Length of each axis; none for a scalar.
    pub(crate) dims: Vec<usize>,
    /// As many values as the product of `dims`.
    pub(crate) data: Vec<f32>,
}

impl Values {
    /// A scalar.
    pub(crate) fn scalar(value: f32) -> Self {
        Self { dims: Vec::new(), data: vec![value] }
    }

    /// Reads a tensor of any numeric type; integers up to 2^24 stay exact.
    ///
    /// # Errors
    /// A text that says what is wrong with the tensor.
    pub(crate) fn read(tensor: &TensorProto) -> Result<Self, String> {
        let kind = kind(tensor)?;
        let dims = dims(tensor)?;
        let count = volume(&dims)?;
        let data = match stored(tensor, kind) {
            Stored::Raw(bytes) => from_bytes(bytes, kind, count)?,
            Stored::Fields(fields) => fields,
        };
        if data.len() < count {
            return Err(format!("states {count} values and holds {}", data.len()));
        }
        // Two 4-bit values share a byte: an odd count leaves one to spare.
        Ok(Self { dims, data: data.into_iter().take(count).collect() })
    }

    /// As an f32 tensor called `name`.
    pub(crate) fn into_tensor(self, name: &str) -> TensorProto {
        TensorProto {
            name: name.to_owned(),
            dims: self.dims.iter().map(|dim| *dim as i64).collect(),
            data_type: DataType::Float as i32,
            raw_data: self.data.iter().flat_map(|value| value.to_le_bytes()).collect(),
            ..TensorProto::default()
        }
    }
}

/// Element type of a tensor.
pub(in crate::model) fn kind(tensor: &TensorProto) -> Result<Kind, String> {
    Ok(match tensor.data_type {
        1 => Kind::F32,
        2 => Kind::U8,
        3 => Kind::I8,
        4 => Kind::U16,
        5 => Kind::I16,
        6 => Kind::I32,
        7 => Kind::I64,
        9 => Kind::Bool,
        10 => Kind::F16,
        11 => Kind::F64,
        16 => Kind::Bf16,
        21 => Kind::U4,
        22 => Kind::I4,
        other => return Err(format!("is of ONNX element type {other}, which is not supported")),
    })
}

/// Element types that the graphs of dual encoders hold; the numbers are ONNX's
/// `TensorProto.DataType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    F32 = 1,
    U8 = 2,
    I8 = 3,
    U16 = 4,
    I16 = 5,
    I32 = 6,
    I64 = 7,
    Bool = 9,
    F16 = 10,
    F64 = 11,
    Bf16 = 16,
    U4 = 21,
    I4 = 22,
}

impl Kind {
    /// Least and greatest value of a quantized type; `None` for the others.
    pub(super) fn range(self) -> Option<(f32, f32)> {
        Some(match self {
            Self::U8 => (0.0, 255.0),
            Self::I8 => (-128.0, 127.0),
            Self::U16 => (0.0, 65_535.0),
            Self::I16 => (-32_768.0, 32_767.0),
            Self::U4 => (0.0, 15.0),
            Self::I4 => (-8.0, 7.0),
            _ => return None,
        })
    }

    fn bits(self) -> usize {
        match self {
            Self::U4 | Self::I4 => 4,
            Self::U8 | Self::I8 | Self::Bool => 8,
            Self::U16 | Self::I16 | Self::F16 | Self::Bf16 => 16,
            Self::F32 | Self::I32 => 32,
            Self::I64 | Self::F64 => 64,
        }
    }
}

/// The axes of a tensor.
pub(in crate::model) fn dims(tensor: &TensorProto) -> Result<Vec<usize>, String> {
    let length = |dim: &i64| usize::try_from(*dim).map_err(|_| format!("has an axis of {dim}"));
    tensor.dims.iter().map(length).collect()
}

/// How many values axes of these lengths hold.
pub(in crate::model) fn volume(dims: &[usize]) -> Result<usize, String> {
    let product = dims.iter().try_fold(1usize, |product, dim| product.checked_mul(*dim));
    product.ok_or_else(|| format!("has axes {dims:?}, more than can be counted"))
}

/// Bytes that `tensor` should hold, and those that it does.
pub(in crate::model) fn bytes(tensor: &TensorProto) -> Result<(usize, usize), String> {
    let kind = kind(tensor)?;
    let wanted = volume(&dims(tensor)?)?.checked_mul(kind.bits()).ok_or("is too big to count")?;
    let fields = tensor.float_data.len().max(tensor.int32_data.len());
    let fields = fields.max(tensor.int64_data.len()).max(tensor.double_data.len());
    // A field holds one value, and two of four bits.
    let held = match tensor.raw_data.len() {
        0 => fields * kind.bits().max(8) / 8,
        raw => raw,
    };
    Ok((wanted.div_ceil(8), held))
}

enum Stored<'a> {
    Raw(&'a [u8]),
    Fields(Vec<f32>),
}

fn stored(tensor: &TensorProto, kind: Kind) -> Stored<'_> {
    if !tensor.raw_data.is_empty() {
        return Stored::Raw(&tensor.raw_data);
    }
    Stored::Fields(match kind {
        Kind::F32 => tensor.float_data.clone(),
        Kind::F64 => tensor.double_data.iter().map(|x| *x as f32).collect(),
        Kind::I64 => tensor.int64_data.iter().map(|x| *x as f32).collect(),
        Kind::F16 => tensor.int32_data.iter().map(|x| half(*x as u16)).collect(),
        Kind::Bf16 => tensor.int32_data.iter().map(|x| brain(*x as u16)).collect(),
        Kind::U4 | Kind::I4 => nibbles(tensor.int32_data.iter().map(|x| *x as u8), kind),
        _ => tensor.int32_data.iter().map(|x| *x as f32).collect(),
    })
}

fn from_bytes(bytes: &[u8], kind: Kind, count: usize) -> Result<Vec<f32>, String> {
    let wanted = (count * kind.bits()).div_ceil(8);
    if bytes.len() != wanted {
        return Err(format!("states {wanted} bytes and holds {}", bytes.len()));
    }
    Ok(match kind {
        Kind::F32 => numbers(bytes, f32::from_le_bytes),
        Kind::F64 => numbers(bytes, |b| f64::from_le_bytes(b) as f32),
        Kind::F16 => numbers(bytes, |b| half(u16::from_le_bytes(b))),
        Kind::Bf16 => numbers(bytes, |b| brain(u16::from_le_bytes(b))),
        Kind::U8 | Kind::Bool => bytes.iter().map(|b| f32::from(*b)).collect(),
        Kind::I8 => bytes.iter().map(|b| f32::from(*b as i8)).collect(),
        Kind::U16 => numbers(bytes, |b| f32::from(u16::from_le_bytes(b))),
        Kind::I16 => numbers(bytes, |b| f32::from(i16::from_le_bytes(b))),
        Kind::I32 => numbers(bytes, |b| i32::from_le_bytes(b) as f32),
        Kind::I64 => numbers(bytes, |b| i64::from_le_bytes(b) as f32),
        Kind::U4 | Kind::I4 => nibbles(bytes.iter().copied(), kind),
    })
}

fn numbers<const N: usize>(bytes: &[u8], read: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    bytes.as_chunks::<N>().0.iter().map(|chunk| read(*chunk)).collect()
}

/// Two values a byte, the lower half first.
fn nibbles(bytes: impl Iterator<Item = u8>, kind: Kind) -> Vec<f32> {
    let signed = |half: u8| if kind == Kind::I4 && half > 7 { half as i8 - 16 } else { half as i8 };
    bytes.flat_map(|byte| [byte & 15, byte >> 4]).map(|half| f32::from(signed(half))).collect()
}

fn half(bits: u16) -> f32 {
    f16::from_bits(bits).to_f32()
}

/// bfloat16 is the upper half of an f32.
fn brain(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}
