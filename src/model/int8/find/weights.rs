//! Constants as weights: in int8 with a scale for each channel, taken as they are from a quantized
//! graph or rounded from f32.

use tract_onnx::pb::TensorProto;

use super::Search;
use crate::model::onnx::constants::{Kind, Values, dims, kind};
use crate::model::onnx::lower::{input, int};
use crate::model::onnx::quantize::fold;
use crate::model::onnx::rounded::{channels, rounded};

/// A constant that may become weights.
pub(super) struct Weight {
    pub(super) dims: Vec<usize>,
    data: Data,
}

enum Data {
    Float(Vec<f32>),
    /// Codes without zero point, and one scale for all or for each place along an axis.
    Codes {
        codes: Vec<i8>,
        scales: Vec<f32>,
        axis: usize,
    },
}

/// Weights in int8: codes at the places of the constant, and a scale for each channel.
pub(super) struct Codes {
    codes: Vec<i8>,
    pub(super) scales: Vec<f32>,
}

impl Codes {
    fn rounded(values: &[f32], dims: &[usize], axis: usize) -> Self {
        let (codes, scales) = rounded(values, dims, axis);
        Self { codes, scales }
    }

    pub(super) fn at(&self, place: usize) -> i8 {
        self.codes[place]
    }

    pub(super) fn into_codes(self) -> Vec<i8> {
        self.codes
    }
}

impl Search {
    /// The constant behind `name`, taken out of the graph if `name` has one reader; `None` if it
    /// is no constant.
    pub(super) fn weight(&mut self, name: &str) -> Option<Weight> {
        if let Some((_, node)) = self.maker_of(name, "DequantizeLinear") {
            let parts = [input(node, 0)?.to_owned(), input(node, 1)?.to_owned()];
            let zero = input(node, 2).map(str::to_owned);
            let (axis, block) = (int(node, "axis", 1), int(node, "block_size", 0));
            return self.quantized(&parts, zero.as_deref(), axis, block);
        }
        let is_float = self.constants.get(name).is_some_and(|tensor| kind(tensor) == Ok(Kind::F32));
        let tensor = is_float.then(|| self.take(name)).flatten()?;
        let values = Values::read(&tensor).ok()?;
        Some(Weight { dims: values.dims, data: Data::Float(values.data) })
    }

    /// Axes of the constant behind `name`.
    pub(super) fn weight_dims(&self, name: &str) -> Option<Vec<usize>> {
        let name = match self.maker_of(name, "DequantizeLinear") {
            Some((_, node)) => input(node, 0)?,
            None => name,
        };
        dims(self.constants.get(name)?).ok()
    }

    fn quantized(
        &mut self,
        [codes, scale]: &[String; 2],
        zero: Option<&str>,
        axis: i64,
        block: i64,
    ) -> Option<Weight> {
        let scale = self.values(scale)?;
        let zero = zero.map(|zero| self.values(zero).ok_or(())).transpose().ok()?;
        let tensor = self.take(codes)?;
        let dims = dims(&tensor).ok()?;
        let place = if axis < 0 { axis + dims.len() as i64 } else { axis };
        let place = usize::try_from(place).ok()?;
        let whole =
            block == 0 && (scale.data.len() == 1 || dims.get(place) == Some(&scale.data.len()));
        if let Some(codes) = whole.then(|| centred(&tensor, zero.as_ref())).flatten() {
            return Some(Weight {
                dims,
                data: Data::Codes { codes, scales: scale.data, axis: place },
            });
        }
        let values = Values::read(&tensor).ok()?;
        let values = fold(values, &scale, zero.as_ref(), axis, block).ok()?;
        Some(Weight { dims, data: Data::Float(values.data) })
    }

    /// A constant; without a copy if this is its only use.
    fn take(&mut self, name: &str) -> Option<TensorProto> {
        let single = self.readers.get(name).is_none_or(|readers| readers.len() <= 1);
        if single { self.constants.remove(name) } else { self.constants.get(name).cloned() }
    }
}

/// Codes of a tensor less its one zero point, where they fit a signed byte.
fn centred(tensor: &TensorProto, zero: Option<&Values>) -> Option<Vec<i8>> {
    let zeros = zero.map_or(&[][..], |zero| &zero.data);
    let all = |wanted: f32| zeros.iter().all(|zero| *zero == wanted);
    let raw = &tensor.raw_data;
    match kind(tensor).ok()? {
        Kind::I8 if all(0.0) && !raw.is_empty() => {
            Some(raw.iter().map(|byte| *byte as i8).collect())
        }
        Kind::U8 if !zeros.is_empty() && all(128.0) && !raw.is_empty() => {
            Some(raw.iter().map(|byte| (byte ^ 0x80) as i8).collect())
        }
        _ => None,
    }
}

impl Weight {
    /// In f32.
    pub(super) fn into_floats(self) -> Vec<f32> {
        match self.data {
            Data::Float(values) => values,
            Data::Codes { codes, scales, axis } => {
                let channel = channels(&self.dims, axis);
                let scale =
                    |place: usize| scales[if scales.len() == 1 { 0 } else { channel(place) }];
                codes.iter().enumerate().map(|(i, code)| f32::from(*code) * scale(i)).collect()
            }
        }
    }

    /// In int8 with a scale for each place along `axis`.
    pub(super) fn into_codes(self, axis: usize) -> Codes {
        let length = self.dims[axis];
        match self.data {
            Data::Codes { codes, scales, .. } if scales.len() == 1 => {
                Codes { codes, scales: vec![scales[0]; length] }
            }
            Data::Codes { codes, scales, axis: along } if along == axis => Codes { codes, scales },
            Data::Float(values) => Codes::rounded(&values, &self.dims, axis),
            data @ Data::Codes { .. } => {
                let dims = self.dims.clone();
                Codes::rounded(&Weight { dims: self.dims, data }.into_floats(), &dims, axis)
            }
        }
    }
}
