//! Weights that lie in a file beside the graph's.

use std::io::{self, Read as _, Write};
use std::path::Path;

use tract_onnx::pb::{GraphProto, StringStringEntryProto, TensorProto};

use crate::model::ModelError;
use crate::model::file::{MAX_WEIGHT_BYTES, ModelFile};

/// ONNX's `TensorProto.DataLocation.EXTERNAL`.
pub(super) const EXTERNAL: i32 = 1;
/// Smallest tensor in bytes that is worth a place in another file; shapes and scalars stay.
const LEAST_BYTES: usize = 1024;
/// Tensors start at multiples of this, so that a mapped file can be read in place.
const ALIGNMENT: usize = 64;

/// The bytes of a tensor that lie in another file of `folder`.
///
/// # Errors
/// A text that says what is wrong with its place.
pub(super) fn read(tensor: &TensorProto, folder: &Path) -> Result<Vec<u8>, String> {
    let location = entry(tensor, "location").ok_or("no file is named")?;
    if location.is_empty() || location.contains(['/', '\\']) || location == ".." {
        return Err(format!("{location:?} is not a file name"));
    }
    let number = |key| entry(tensor, key).map(str::parse::<u64>).transpose();
    let place = |why| format!("{location}: its place is not a number: {why}");
    let offset = number("offset").map_err(place)?.unwrap_or(0);
    let length = number("length").map_err(place)?;
    let file = ModelFile::open(&folder.join(location), MAX_WEIGHT_BYTES);
    let file = file.map_err(|error| match error {
        ModelError::Read { why, .. } => format!("{location}: {why}"),
        error => error.to_string(),
    })?;
    range(file, offset, length).map_err(|why| format!("{location}: {why}"))
}

/// `length` bytes from `offset` on; without a length, all of them.
fn range(mut file: ModelFile, offset: u64, length: Option<u64>) -> io::Result<Vec<u8>> {
    file.go_to(offset)?;
    let length = length.unwrap_or(file.size() - offset);
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == length {
        return Ok(bytes);
    }
    let why = format!("{length} bytes from byte {offset} on are more than it has");
    Err(io::Error::new(io::ErrorKind::UnexpectedEof, why))
}

/// A value of a tensor's place in another file.
pub(super) fn entry<'a>(tensor: &'a TensorProto, key: &str) -> Option<&'a str> {
    tensor.external_data.iter().find(|entry| entry.key == key).map(|entry| entry.value.as_str())
}

/// Moves the bytes of the bigger tensors to `file`, which is called `location`.
///
/// # Errors
/// The file's.
pub(super) fn move_out(
    graph: &mut GraphProto,
    location: &str,
    mut file: impl Write,
) -> io::Result<()> {
    let mut offset = 0;
    for tensor in graph.initializer.iter_mut().filter(|t| t.raw_data.len() >= LEAST_BYTES) {
        let bytes = std::mem::take(&mut tensor.raw_data);
        let padding = offset % ALIGNMENT;
        if padding != 0 {
            file.write_all(&vec![0; ALIGNMENT - padding])?;
            offset += ALIGNMENT - padding;
        }
        file.write_all(&bytes)?;
        let values = [
            ("location", location.to_owned()),
            ("offset", offset.to_string()),
            ("length", bytes.len().to_string()),
        ];
        let entry =
            |(key, value): (&str, String)| StringStringEntryProto { key: key.to_owned(), value };
        tensor.external_data = values.map(entry).to_vec();
        tensor.data_location = Some(EXTERNAL);
        offset += bytes.len();
    }
    file.flush()
}
