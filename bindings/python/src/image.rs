//! An image as Python gives it.

use std::path::PathBuf;

use arrow_buffer::Buffer;
use pairgate::{ImageLimits, Reason, Rgb8, SampleLimits, Samples, Size, admit_size, read_image};
use pyo3::buffer::PyUntypedBuffer;
use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyByteArray, PyBytes, PyDict, PyFloat, PyString, PyTuple};

/// What is taken for an image, in messages.
const WANTED: &str = "give bytes, bytearray, memoryview, a path (str or os.PathLike), a NumPy array of \
                      uint8 [H, W], [H, W, 3] or [H, W, 4], a PIL image, or None";

/// What was given in an image's place.
pub enum Image {
    /// `None`, or what tables have in its place.
    Missing,
    /// The bytes of a file, not copied.
    Bytes(PyBackedBytes),
    /// The bytes of a file that had to be copied.
    Copied(Vec<u8>),
    /// The bytes of a file in a table, not copied.
    Shared(Buffer),
    /// A file that is yet to be read.
    Path(PathBuf),
    /// Pixels.
    Pixels(Rgb8),
    /// Pixels that cannot be used.
    Unreadable(Reason),
}

impl Image {
    /// Takes what Python gave; `place` names it in messages.
    ///
    /// # Errors
    /// `TypeError` for what is no image by its type, or an array of another type or shape.
    pub fn of(
        given: &Bound<'_, PyAny>,
        limits: &ImageLimits,
        place: impl Fn() -> String,
    ) -> PyResult<Self> {
        if let Ok(bytes) = given.cast::<PyBytes>() {
            return Ok(Self::Bytes(bytes.clone().into()));
        }
        if let Ok(bytes) = given.cast::<PyByteArray>() {
            return Ok(Self::Copied(bytes.to_vec()));
        }
        if let Ok(path) = given.cast::<PyString>() {
            return path.extract().map(Self::Path);
        }
        if let Ok(buffer) = PyUntypedBuffer::get(given) {
            return Self::of_buffer(given.py(), &buffer, limits, place);
        }
        if let Some(image) = Self::of_pil(given, limits)? {
            return Ok(image);
        }
        if given.hasattr(intern!(given.py(), "__fspath__"))? {
            return given.extract().map(Self::Path);
        }
        if is_missing(given)? {
            return Ok(Self::Missing);
        }
        let kind = given.get_type().fully_qualified_name()?;
        Err(PyTypeError::new_err(format!("{}: {kind} is no image: {WANTED}", place())))
    }

    /// A file's bytes in one dimension, pixels in two or three.
    fn of_buffer(
        py: Python<'_>,
        buffer: &PyUntypedBuffer,
        limits: &ImageLimits,
        place: impl Fn() -> String,
    ) -> PyResult<Self> {
        let (shape, format) = (buffer.shape().to_vec(), buffer.format());
        let wrong = || {
            let format = format.to_string_lossy();
            PyTypeError::new_err(format!(
                "{}: an array of type {format:?} and shape {shape:?} is no image: {WANTED}",
                place()
            ))
        };
        let bytes = buffer.as_typed::<u8>().map_err(|_| wrong())?;
        let (height, width, samples) = match *shape.as_slice() {
            [_] => return bytes.to_vec(py).map(Self::Copied),
            [height, width] | [height, width, 1] => (height, width, Samples::Grey),
            [height, width, 3] => (height, width, Samples::Rgb),
            [height, width, 4] => (height, width, Samples::Rgba),
            _ => return Err(wrong()),
        };
        let Ok(size) = size_of(width, height, limits) else {
            return Ok(Self::Unreadable(Reason::ImageTooLarge));
        };
        Ok(Self::of_samples(size, samples, bytes.to_vec(py)?))
    }

    fn of_samples(size: Size, samples: Samples, bytes: Vec<u8>) -> Self {
        Rgb8::of_samples(size, samples, bytes).map_or_else(Self::Unreadable, Self::Pixels)
    }

    /// `None` where it is no PIL image.
    fn of_pil(given: &Bound<'_, PyAny>, limits: &ImageLimits) -> PyResult<Option<Self>> {
        static PIXELS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let py = given.py();
        // Where nobody has imported it, nothing is of it.
        let modules = py.import(intern!(py, "sys"))?.getattr(intern!(py, "modules"))?;
        let Some(pil) = modules.cast::<PyDict>()?.get_item(intern!(py, "PIL.Image"))? else {
            return Ok(None);
        };
        if !given.is_instance(&pil.getattr(intern!(py, "Image"))?)? {
            return Ok(None);
        }
        let (width, height): (usize, usize) = given.getattr(intern!(py, "size"))?.extract()?;
        if size_of(width, height, limits).is_err() {
            return Ok(Some(Self::Unreadable(Reason::ImageTooLarge)));
        }
        let pixels = PIXELS.import(py, "pairgate_dfn._pil", "pixels")?.call1((given,))?;
        if let Ok(reason) = pixels.cast::<PyString>() {
            return Ok(Some(Self::Unreadable(reason_of(reason.to_str()?))));
        }
        let (width, height, samples, bytes): (usize, usize, usize, Bound<'_, PyBytes>) =
            pixels.cast::<PyTuple>()?.extract()?;
        let samples = match samples {
            1 => Samples::Grey,
            2 => Samples::GreyAlpha,
            3 => Samples::Rgb,
            _ => Samples::Rgba,
        };
        let bytes = bytes.as_bytes().to_vec();
        Ok(Some(match size_of(width, height, limits) {
            Ok(size) => Self::of_samples(size, samples, bytes),
            Err(reason) => Self::Unreadable(reason),
        }))
    }

    /// Bytes that were copied from Python for it.
    pub fn copied(&self) -> usize {
        match self {
            Self::Missing | Self::Bytes(_) | Self::Shared(_) | Self::Path(_) => 0,
            Self::Unreadable(_) => 0,
            Self::Copied(bytes) => bytes.len(),
            Self::Pixels(image) => image.pixels.len(),
        }
    }

    /// The file's bytes, where it is one that is yet to be read.
    pub fn read(&self, limits: SampleLimits) -> Option<Result<Vec<u8>, Reason>> {
        match self {
            Self::Path(path) => Some(read_image(path, limits)),
            _ => None,
        }
    }
}

fn size_of(width: usize, height: usize, limits: &ImageLimits) -> Result<Size, Reason> {
    let side = |side| u32::try_from(side).map_err(|_| Reason::ImageTooLarge);
    let size = Size::new(side(width)?, side(height)?);
    admit_size(size, limits)?;
    Ok(size)
}

/// A reason by its name.
fn reason_of(name: &str) -> Reason {
    Reason::ALL.iter().copied().find(|reason| reason.name() == name).unwrap_or(Reason::Undecodable)
}

/// Whether it is `None`, or what tables have in its place: a float that is no number, pandas' `NA`.
pub fn is_missing(given: &Bound<'_, PyAny>) -> PyResult<bool> {
    if given.is_none() {
        return Ok(true);
    }
    if let Ok(number) = given.cast::<PyFloat>() {
        return Ok(number.value().is_nan());
    }
    let kind = given.get_type();
    Ok(kind.name()? == "NAType" && kind.module()?.to_cow()?.starts_with("pandas."))
}
