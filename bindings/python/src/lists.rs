//! Lists of Python's, taken bit by bit: what has to be copied of them is bounded.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use pairgate::GateSettings;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyIterator, PyString};

use crate::caption::Caption;
use crate::image::Image;
use crate::metadata::Json;
use crate::pairs::Pair;

/// Bytes that are copied from Python at once, at most, as long as a pair has no more.
const COPIED_AT_ONCE: usize = 256 << 20;

/// Images, captions and, where there are some, metadata.
pub struct Pairs<'py> {
    images: Bound<'py, PyIterator>,
    captions: Bound<'py, PyIterator>,
    metadata: Option<Bound<'py, PyIterator>>,
    shards: Shards<'py>,
    taken: usize,
}

/// Where pairs come from.
enum Shards<'py> {
    /// All from this one, or nobody told it.
    All(Option<Arc<str>>),
    Each(Bound<'py, PyIterator>),
}

impl<'py> Pairs<'py> {
    /// # Errors
    /// `TypeError` where one is no list or the like, `ValueError` where their lengths differ.
    pub fn of(
        images: &Bound<'py, PyAny>,
        captions: &Bound<'py, PyAny>,
        metadata: Option<&Bound<'py, PyAny>>,
        shard: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Self> {
        let pairs = Self {
            shards: Shards::of(shard)?,
            images: items(images, "images")?,
            captions: items(captions, "captions")?,
            metadata: metadata.map(|list| items(list, "metadata")).transpose()?,
            taken: 0,
        };
        let shards = shard.filter(|_| matches!(pairs.shards, Shards::Each(_)));
        let lengths = [Some(images), Some(captions), metadata, shards].map(|list| list?.len().ok());
        let mut known = lengths.iter().flatten();
        if let Some(first) = known.next()
            && known.any(|length| length != first)
        {
            return Err(unequal(&Lengths(lengths).to_string()));
        }
        Ok(pairs)
    }

    /// As many of the next ones as fit; none at the end.
    pub fn next(&mut self, settings: &GateSettings) -> PyResult<Vec<Pair>> {
        let (mut pairs, mut copied) = (Vec::new(), 0);
        while copied < COPIED_AT_ONCE
            && let Some(pair) = self.next_pair(settings)?
        {
            copied += pair.image.copied();
            pairs.push(pair);
        }
        Ok(pairs)
    }

    fn next_pair(&mut self, settings: &GateSettings) -> PyResult<Option<Pair>> {
        let place = self.taken;
        let image = self.images.next().transpose()?;
        let caption = self.captions.next().transpose()?;
        let metadata = self.metadata.as_mut().map(|list| list.next().transpose()).transpose()?;
        let (image, caption, metadata) = match (image, caption, metadata) {
            (None, None, None | Some(None)) => return Ok(None),
            (Some(image), Some(caption), None) => (image, caption, None),
            (Some(image), Some(caption), Some(Some(metadata))) => (image, caption, Some(metadata)),
            _ => return Err(unequal(&format!("one of the lists ends after {place}"))),
        };
        let shard = self.shards.next(place)?;
        self.taken += 1;
        Ok(Some(Pair {
            shard,
            image: Image::of(&image, &settings.image, || format!("images[{place}]"))?,
            caption: Caption::of(&caption, || format!("captions[{place}]"))?,
            metadata: match metadata {
                Some(given) => Json::of(&given, || format!("metadata[{place}]"))?,
                None => Json::Missing,
            },
        }))
    }
}

/// What tells where a pair comes from: a name, or a path; [`None`] of Python is the empty name.
///
/// # Errors
/// `TypeError` for anything else, which `place` names.
pub fn shard_of(given: &Bound<'_, PyAny>, place: impl Fn() -> String) -> PyResult<Arc<str>> {
    if given.is_none() {
        return Ok(Arc::from(""));
    }
    let path: PathBuf = given.extract().map_err(|_| {
        PyTypeError::new_err(format!("{}: give the name of a shard, a str or a path", place()))
    })?;
    Ok(path.to_string_lossy().into())
}

impl<'py> Shards<'py> {
    fn of(given: Option<&Bound<'py, PyAny>>) -> PyResult<Self> {
        let Some(given) = given else { return Ok(Self::All(None)) };
        match given.extract::<PathBuf>() {
            Ok(_) => shard_of(given, || "shard".into()).map(|shard| Self::All(Some(shard))),
            Err(_) => items(given, "shard").map(Self::Each),
        }
    }

    fn next(&mut self, place: usize) -> PyResult<Option<Arc<str>>> {
        match self {
            Self::All(shard) => Ok(shard.clone()),
            Self::Each(shards) => {
                let next = shards.next().transpose()?;
                let next =
                    next.ok_or_else(|| unequal(&format!("one of the lists ends after {place}")))?;
                shard_of(&next, || format!("shard[{place}]")).map(Some)
            }
        }
    }
}

/// The items of a list or the like; a single text is none.
fn items<'py>(given: &Bound<'py, PyAny>, name: &str) -> PyResult<Bound<'py, PyIterator>> {
    let is_text = given.is_instance_of::<PyString>() || given.is_instance_of::<PyBytes>();
    let items = given.try_iter().ok().filter(|_| !is_text);
    items.ok_or_else(|| PyTypeError::new_err(format!("{name}: give a list, one for each pair")))
}

/// The lengths of lists, where they are known.
struct Lengths([Option<usize>; 4]);

impl fmt::Display for Lengths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = ["images", "captions", "metadata", "shards"];
        let known = names.iter().zip(self.0).filter_map(|(name, length)| Some((name, length?)));
        let told: Vec<_> = known.map(|(name, length)| format!("{length} {name}")).collect();
        f.write_str(&told.join(", "))
    }
}

fn unequal(what: &str) -> PyErr {
    PyValueError::new_err(format!("{what}: give one for each pair"))
}
