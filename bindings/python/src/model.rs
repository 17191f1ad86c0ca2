//! The network by itself: embeddings.

use std::path::PathBuf;
use std::sync::Arc;

use numpy::{PyArray1, PyArray2, PyArrayMethods};
use pairgate::{EmbedError, Embedder, ImageLimits, Model as Loaded, Picture, Reason, SampleLimits};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::caption::Caption;
use crate::image::Image;
use crate::loaded::load;
use crate::parameters::{absolute, checked_threads};
use crate::pool::Pool;
use crate::spread::{cores, spread};

#[doc = stub!("Model")]
#[pyclass(frozen, weakref, module = "pairgate_dfn")]
pub struct Model {
    path: Option<PathBuf>,
    threads: Option<i64>,
    loaded: Arc<Loaded>,
    pool: Pool<Embedder>,
}

/// What is given where a model is asked for.
pub enum ModelArgument {
    /// A bundle; `None` is the one in the package.
    Path(Option<PathBuf>),
    /// One that is loaded.
    Loaded(Arc<Loaded>, Option<PathBuf>),
}

impl ModelArgument {
    /// Takes a path, a [`Model`] or nothing.
    pub fn of(given: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let Some(given) = given else { return Ok(Self::Path(None)) };
        if let Ok(model) = given.cast::<Model>() {
            let model = model.get();
            return Ok(Self::Loaded(model.loaded.clone(), model.path.clone()));
        }
        let path: PathBuf = given.extract()?;
        Ok(Self::Path(Some(path)))
    }

    /// The bundle that a config names, where nothing else was given.
    pub fn or_configured(self, bundle: &str) -> PyResult<Self> {
        match self {
            Self::Path(None) if !bundle.is_empty() => Ok(Self::Path(Some(bundle.into()))),
            other => Ok(other),
        }
    }

    /// Where its files lie, and the digest that they must have where it is loaded.
    pub fn named(&self) -> (Option<PathBuf>, Option<String>) {
        match self {
            Self::Path(path) => (path.clone(), None),
            Self::Loaded(model, path) => (path.clone(), Some(model.digest().to_string())),
        }
    }

    /// The model, and where it lies; with a `digest` it must have that one.
    pub fn load(
        self,
        py: Python<'_>,
        digest: Option<&str>,
    ) -> PyResult<(Arc<Loaded>, Option<PathBuf>)> {
        match self {
            Self::Loaded(model, path) => Ok((model, path)),
            Self::Path(path) => {
                let path = path.map(|path| absolute(&path)).transpose()?;
                Ok((load(py, path.as_deref(), digest)?, path))
            }
        }
    }
}

#[pymethods]
impl Model {
    #[new]
    #[pyo3(signature = (path=None, *, threads=None))]
    fn new(py: Python<'_>, path: Option<PathBuf>, threads: Option<i64>) -> PyResult<Self> {
        Self::of(py, path, threads, None)
    }

    #[doc = stub!("Model.name")]
    #[getter]
    fn name(&self) -> String {
        let manifest = self.loaded.manifest();
        format!("{} {}", manifest.name, manifest.version)
    }

    #[doc = stub!("Model.licence")]
    #[getter]
    fn licence(&self) -> &str {
        &self.loaded.manifest().licence
    }

    #[doc = stub!("Model.digest")]
    #[getter]
    fn digest(&self) -> String {
        self.loaded.digest().to_string()
    }

    #[doc = stub!("Model.dimension")]
    #[getter]
    fn dimension(&self) -> usize {
        self.loaded.manifest().embedding_size
    }

    #[doc = stub!("Model.context_length")]
    #[getter]
    fn context_length(&self) -> usize {
        self.loaded.manifest().text.context_length
    }

    #[doc = stub!("Model.image_size")]
    #[getter]
    fn image_size(&self) -> u32 {
        self.loaded.manifest().image.size
    }

    #[doc = stub!("Model.recommended_threshold")]
    #[getter]
    fn recommended_threshold(&self) -> Option<f32> {
        self.loaded.manifest().recommended_threshold
    }

    #[doc = stub!("Model.embed_images")]
    #[pyo3(signature = (images, *, threads=None))]
    fn embed_images<'py>(
        &self,
        py: Python<'py>,
        images: &Bound<'py, PyAny>,
        threads: Option<i64>,
    ) -> PyResult<Bound<'py, PyArray2<f32>>> {
        let threads = self.threads_or(threads)?;
        let limits = ImageLimits::default();
        let image = |(place, image): (usize, PyResult<Bound<'py, PyAny>>)| {
            Image::of(&image?, &limits, || format!("images[{place}]"))
        };
        let images = images.try_iter()?.enumerate().map(image).collect::<PyResult<Vec<_>>>()?;
        let made = py.detach(|| {
            spread(images.len(), threads, |part| {
                self.with_embedder(|embedder| {
                    let mut made = Vec::with_capacity(part.len() * self.dimension());
                    for place in part {
                        let embedding = embed_image(embedder, &images[place]);
                        made.extend(embedding.map_err(|why| Failed::of("images", place, why))?);
                    }
                    Ok::<_, Failed>(made)
                })
            })
        })?;
        self.rows(py, made, images.len())
    }

    #[doc = stub!("Model.embed_captions")]
    #[pyo3(signature = (captions, *, threads=None))]
    fn embed_captions<'py>(
        &self,
        py: Python<'py>,
        captions: &Bound<'py, PyAny>,
        threads: Option<i64>,
    ) -> PyResult<Bound<'py, PyArray2<f32>>> {
        let threads = self.threads_or(threads)?;
        let caption = |(place, caption): (usize, PyResult<Bound<'py, PyAny>>)| {
            Caption::of(&caption?, || format!("captions[{place}]"))
        };
        let captions =
            captions.try_iter()?.enumerate().map(caption).collect::<PyResult<Vec<_>>>()?;
        let made = py.detach(|| {
            spread(captions.len(), threads, |part| {
                let missing = |place| Failed::of("captions", place, Reason::CaptionMissing.into());
                let bytes =
                    part.clone().map(|place| captions[place].bytes().ok_or_else(|| missing(place)));
                let bytes = bytes.collect::<Result<Vec<_>, _>>()?;
                self.with_embedder(|embedder| match embedder.embed_captions(&bytes) {
                    Ok(made) => Ok(made.to_vec()),
                    Err((place, why)) => Err(Failed::of("captions", part.start + place, why)),
                })
            })
        })?;
        self.rows(py, made, captions.len())
    }

    fn __repr__(&self) -> String {
        format!("<Model {} dimension={}>", self.name(), self.dimension())
    }

    fn __reduce__<'py>(
        slf: &Bound<'py, Self>,
    ) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        let (py, this) = (slf.py(), slf.get());
        let restore = py.import("pairgate_dfn._native")?.getattr("model_of")?;
        let path = this.path.as_ref().map(|path| path.to_string_lossy());
        Ok((restore, (path, this.threads, this.digest()).into_pyobject(py)?))
    }
}

impl Model {
    fn of(
        py: Python<'_>,
        path: Option<PathBuf>,
        threads: Option<i64>,
        digest: Option<&str>,
    ) -> PyResult<Self> {
        threads.map(checked_threads).transpose()?;
        let (loaded, path) = ModelArgument::Path(path).load(py, digest)?;
        Ok(Self::holding(loaded, path, threads))
    }

    /// One that is loaded already.
    pub fn holding(loaded: Arc<Loaded>, path: Option<PathBuf>, threads: Option<i64>) -> Self {
        Self { path, threads, loaded, pool: Pool::default() }
    }

    fn threads_or(&self, given: Option<i64>) -> PyResult<usize> {
        given.or(self.threads).map(checked_threads).transpose().map(|n| n.unwrap_or_else(cores))
    }

    fn with_embedder<T>(
        &self,
        work: impl FnOnce(&mut Embedder) -> Result<T, Failed>,
    ) -> Result<T, Failed> {
        let mut embedder = self.pool.take(|| {
            Embedder::new(self.loaded.clone(), ImageLimits::default(), SampleLimits::default())
        });
        let made = work(&mut embedder);
        self.pool.give(embedder);
        made
    }

    /// Parts of rows as one array, `[rows, dimension]`.
    fn rows<'py>(
        &self,
        py: Python<'py>,
        parts: Vec<Vec<f32>>,
        rows: usize,
    ) -> PyResult<Bound<'py, PyArray2<f32>>> {
        PyArray1::from_vec(py, parts.concat()).reshape([rows, self.dimension()])
    }
}

#[doc = stub!("model_of")]
#[pyfunction]
pub fn model_of(
    py: Python<'_>,
    path: Option<PathBuf>,
    threads: Option<i64>,
    digest: &str,
) -> PyResult<Model> {
    Model::of(py, path, threads, Some(digest))
}

fn embed_image<'a>(embedder: &'a mut Embedder, image: &Image) -> Result<&'a [f32], EmbedError> {
    let file;
    let picture = match image {
        Image::Missing => return Err(Reason::ImageMissing.into()),
        Image::Bytes(bytes) => Picture::File(bytes),
        Image::Copied(bytes) => Picture::File(bytes),
        Image::Shared(bytes) => Picture::File(bytes),
        Image::Pixels(pixels) => Picture::Pixels(pixels),
        Image::Unreadable(reason) => Picture::Unreadable(*reason),
        Image::Path(_) => {
            let read = image.read(SampleLimits::default()).unwrap_or(Err(Reason::ImageMissing));
            file = read?;
            Picture::File(&file)
        }
    };
    embedder.embed_image(picture)
}

/// An item that has no embedding.
struct Failed {
    list: &'static str,
    place: usize,
    why: EmbedError,
}

impl Failed {
    fn of(list: &'static str, place: usize, why: EmbedError) -> Self {
        Self { list, place, why }
    }
}

impl From<Failed> for PyErr {
    fn from(Failed { list, place, why }: Failed) -> Self {
        match why {
            EmbedError::Unreadable(reason) => {
                PyValueError::new_err(format!("{list}[{place}]: {reason}"))
            }
            EmbedError::Model(error) => PyRuntimeError::new_err(error.to_string()),
        }
    }
}
