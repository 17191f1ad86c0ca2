//! Weights that a folder holds beside its graphs: the projections of towers that were exported
//! without them, and the logit scale.

use std::io::Read as _;
use std::path::Path;

use safetensors::Dtype;
use safetensors::tensor::Metadata;
use tract_onnx::pb::TensorProto;

use crate::model::ModelError;
use crate::model::file::{MAX_WEIGHT_BYTES, ModelFile};
use crate::model::onnx::constants::{Kind, Values};

/// The weights' file.
pub(super) const WEIGHTS: &str = "model.safetensors";
/// Longest header of such a file, in bytes: the format's own limit.
const MAX_HEADER_BYTES: u64 = 100_000_000;

/// One tensor of the folder's weights; `None` if there is no such file or tensor. Nothing else of
/// the file is read.
///
/// # Errors
/// A text that names file and tensor.
pub(super) fn tensor(folder: &Path, name: &str) -> Result<Option<Values>, String> {
    let path = folder.join(WEIGHTS);
    if !path.exists() {
        return Ok(None);
    }
    read(&path, name).map_err(|why| format!("{WEIGHTS} {name}: {why}"))
}

fn read(path: &Path, name: &str) -> Result<Option<Values>, String> {
    let text = |why: std::io::Error| why.to_string();
    let mut file = ModelFile::open(path, MAX_WEIGHT_BYTES).map_err(|error| match error {
        ModelError::Read { why, .. } => why.to_string(),
        error => error.to_string(),
    })?;
    let mut length = [0; 8];
    file.read_exact(&mut length).map_err(text)?;
    let header = u64::from_le_bytes(length);
    if header > MAX_HEADER_BYTES {
        return Err(format!("its header states {header} bytes"));
    }
    let mut bytes = Vec::new();
    (&mut file).take(header).read_to_end(&mut bytes).map_err(text)?;
    let metadata: Metadata = serde_json::from_slice(&bytes).map_err(|why| why.to_string())?;
    let Some(info) = metadata.info(name) else { return Ok(None) };
    let kind = match info.dtype {
        Dtype::F32 => Kind::F32,
        Dtype::F16 => Kind::F16,
        Dtype::BF16 => Kind::Bf16,
        Dtype::F64 => Kind::F64,
        other => return Err(format!("is of type {other:?}")),
    };
    let (start, end) = info.data_offsets;
    file.go_to((8 + header).saturating_add(start as u64)).map_err(text)?;
    let mut data = Vec::new();
    file.take(end.saturating_sub(start) as u64).read_to_end(&mut data).map_err(text)?;
    let tensor = TensorProto {
        dims: info.shape.iter().map(|dim| *dim as i64).collect(),
        data_type: kind as i32,
        raw_data: data,
        ..TensorProto::default()
    };
    Values::read(&tensor).map(Some)
}
