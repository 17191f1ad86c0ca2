//! A model bundle: a manifest and the files it names, found whole before anything runs.

pub mod calibrate;
pub mod manifest;
pub(super) mod new_bundle;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use pairgate_core::pair::Digest;
use sha2::{Digest as _, Sha256};

use crate::digest::sha256;
use crate::model::ModelError;
use crate::model::file::{self, MAX_TEXT_BYTES, MAX_WEIGHT_BYTES, ModelFile, refuse_size};
use crate::model::onnx::Graph;
use manifest::Manifest;

/// Name of the manifest in a bundle.
pub const MANIFEST: &str = "bundle.toml";
/// Entries that are looked at in a bundle that is one tar.
const MAX_TAR_ENTRIES: usize = 256;

/// A manifest and its files, digests checked.
#[derive(Debug, Clone)]
pub struct Bundle {
    /// The manifest.
    pub manifest: Manifest,
    /// SHA-256 of the manifest's bytes; it holds the files' digests, so it names the whole model.
    pub digest: Digest,
    /// The image tower.
    pub image: TowerFile,
    /// The text tower.
    pub text: TowerFile,
    /// The tokenizer's JSON file.
    pub tokenizer: Vec<u8>,
    /// The golden pairs' JSON file.
    pub golden: Option<Vec<u8>>,
    /// Where golden pictures lie that are files.
    pub folder: PathBuf,
}

/// An ONNX file of a bundle. One in a folder stays there until it is read, because it may be big.
#[derive(Debug, Clone)]
pub struct TowerFile {
    /// What errors call it.
    name: String,
    place: Place,
}

#[derive(Debug, Clone)]
enum Place {
    Memory(Cow<'static, [u8]>),
    /// With the names of the files beside it whose digests were checked.
    Disk(PathBuf, BTreeSet<String>),
}

impl TowerFile {
    /// Reads the graph.
    ///
    /// # Errors
    /// As [`Graph::parse`], and [`ModelError::Manifest`] for weights without a digest.
    pub fn graph(&self) -> Result<Graph, ModelError> {
        match &self.place {
            Place::Memory(bytes) => Graph::parse(&self.name, bytes),
            Place::Disk(path, checked) => {
                let graph = Graph::open(path)?;
                match graph.weight_files().difference(checked).next() {
                    None => Ok(graph),
                    Some(weights) => {
                        let why = format!(
                            "no digest of {weights:?}, which holds weights of {:?}",
                            self.name
                        );
                        Err(ModelError::Manifest { why })
                    }
                }
            }
        }
    }
}

impl Bundle {
    /// The model in the binary.
    ///
    /// # Errors
    /// As [`Bundle::load`]: the embedded bundle goes through the same checks as everyone's.
    pub fn embedded() -> Result<Self, ModelError> {
        const FILES: [(&str, &[u8]); 5] = [
            (MANIFEST, include_bytes!("../../../models/default/bundle.toml")),
            ("image.onnx", include_bytes!("../../../models/default/image.onnx")),
            ("text.onnx", include_bytes!("../../../models/default/text.onnx")),
            ("tokenizer.json", include_bytes!("../../../models/default/tokenizer.json")),
            ("golden.json", include_bytes!("../../../models/default/golden.json")),
        ];
        let find = |name: &str| {
            let found = FILES.iter().find(|(file, _)| *file == name);
            found.map(|(_, bytes)| *bytes).ok_or_else(|| missing(name))
        };
        let toml = find(MANIFEST)?;
        Self::of_bytes(Manifest::parse(toml)?, toml, |name| find(name).map(Cow::Borrowed))
    }

    /// Reads a bundle from a folder or a tar.
    ///
    /// # Errors
    /// [`ModelError`] that names the file, key and value that cannot be used.
    pub fn load(path: &Path) -> Result<Self, ModelError> {
        if path.is_dir() { Self::from_folder(path) } else { Self::from_tar(path) }
    }

    fn from_folder(folder: &Path) -> Result<Self, ModelError> {
        let toml = read_text(&folder.join(MANIFEST))?;
        let manifest = Manifest::parse(&toml)?;
        for (name, expected) in &manifest.digests {
            let path = folder.join(name);
            check_digest(&path.display().to_string(), expected, file_digest(&path)?)?;
        }
        let checked: BTreeSet<String> = manifest.digests.keys().cloned().collect();
        let tower = |name: &str| TowerFile {
            name: name.to_owned(),
            place: Place::Disk(folder.join(name), checked.clone()),
        };
        let golden = manifest.golden.as_ref().map(|golden| read_text(&folder.join(&golden.file)));
        Ok(Self {
            image: tower(&manifest.image.file),
            text: tower(&manifest.text.file),
            tokenizer: read_text(&folder.join(&manifest.text.tokenizer))?,
            golden: golden.transpose()?,
            folder: folder.to_owned(),
            digest: sha256(&toml),
            manifest,
        })
    }

    fn from_tar(path: &Path) -> Result<Self, ModelError> {
        let mut file = ModelFile::open(path, MAX_WEIGHT_BYTES)?;
        refuse_compressed(path, &mut file)?;
        let mut first = read_tar(path, &mut file, |name| name == MANIFEST)?;
        let toml = first.remove(MANIFEST).ok_or_else(|| missing(MANIFEST))?;
        let manifest = Manifest::parse(&toml)?;
        let mut files = read_tar(path, &mut file, |name| manifest.digests.contains_key(name))?;
        Self::of_bytes(manifest, &toml, |name| {
            files.remove(name).map(Cow::Owned).ok_or_else(|| missing(name))
        })
    }

    /// A bundle whose files are in memory; `toml` is what the manifest was read from.
    fn of_bytes(
        manifest: Manifest,
        toml: &[u8],
        mut read: impl FnMut(&str) -> Result<Cow<'static, [u8]>, ModelError>,
    ) -> Result<Self, ModelError> {
        let mut files = BTreeMap::new();
        for (name, expected) in &manifest.digests {
            let bytes = read(name)?;
            check_digest(name, expected, sha256(&bytes))?;
            files.insert(name.as_str(), bytes);
        }
        // `Manifest::check` saw a digest of each.
        let mut take = |name: &str| files.remove(name).ok_or_else(|| missing(name));
        let mut tower = |name: &str| -> Result<TowerFile, ModelError> {
            Ok(TowerFile { name: name.to_owned(), place: Place::Memory(take(name)?) })
        };
        let (image, text) = (tower(&manifest.image.file)?, tower(&manifest.text.file)?);
        let golden = manifest.golden.as_ref().map(|golden| take(&golden.file)).transpose()?;
        Ok(Self {
            image,
            text,
            tokenizer: take(&manifest.text.tokenizer)?.into_owned(),
            golden: golden.map(Cow::into_owned),
            folder: PathBuf::new(),
            digest: sha256(toml),
            manifest,
        })
    }
}

/// SHA-256 of a file, which is not held in memory.
///
/// # Errors
/// [`ModelError::Read`], and [`ModelError::TooBig`] for what no model has.
pub fn file_digest(path: &Path) -> Result<Digest, ModelError> {
    let failed = |why| ModelError::Read { file: path.display().to_string(), why };
    let mut file = ModelFile::open(path, MAX_WEIGHT_BYTES)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer).map_err(failed)? {
            0 => return Ok(Digest(hash.finalize().into())),
            read => hash.update(&buffer[..read]),
        }
    }
}

fn check_digest(file: &str, expected: &str, found: Digest) -> Result<(), ModelError> {
    let found = found.to_string();
    if expected.eq_ignore_ascii_case(&found) {
        return Ok(());
    }
    Err(ModelError::Digest { file: file.to_owned(), expected: expected.to_owned(), found })
}

fn missing(name: &str) -> ModelError {
    let why = io::Error::new(io::ErrorKind::NotFound, "it is not in the bundle");
    ModelError::Read { file: name.to_owned(), why }
}

/// Reads a file that is not weights.
///
/// # Errors
/// [`ModelError::Read`], [`ModelError::TooBig`].
pub fn read_text(path: &Path) -> Result<Vec<u8>, ModelError> {
    file::read(path, MAX_TEXT_BYTES)
}

/// A compressed bundle is never unpacked on the fly: a small file could become a huge one.
fn refuse_compressed(path: &Path, file: &mut ModelFile) -> Result<(), ModelError> {
    const MAGICS: [(&[u8], &str); 5] = [
        (&[0x1f, 0x8b], "gzip"),
        (b"PK\x03\x04", "zip"),
        (&[0x28, 0xb5, 0x2f, 0xfd], "zstd"),
        (&[0xfd, b'7', b'z', b'X', b'Z'], "xz"),
        (b"BZh", "bzip2"),
    ];
    let mut start = Vec::new();
    let failed = |why| ModelError::Read { file: path.display().to_string(), why };
    file.take(8).read_to_end(&mut start).map_err(failed)?;
    match MAGICS.iter().find(|(magic, _)| start.starts_with(magic)) {
        Some((_, format)) => {
            Err(ModelError::Compressed { file: path.display().to_string(), format })
        }
        None => Ok(()),
    }
}

/// The files of a tar that are `wanted`, by base name.
fn read_tar(
    path: &Path,
    file: &mut ModelFile,
    wanted: impl Fn(&str) -> bool,
) -> Result<BTreeMap<String, Vec<u8>>, ModelError> {
    let name = path.display().to_string();
    let failed = |why| ModelError::Read { file: name.clone(), why };
    let mut room = file.size();
    file.go_to(0).map_err(failed)?;
    let mut archive = tar::Archive::new(file);
    let mut files = BTreeMap::new();
    for entry in archive.entries().map_err(failed)?.take(MAX_TAR_ENTRIES) {
        let entry = entry.map_err(failed)?;
        let base =
            entry.path().map_err(failed)?.file_name().map(|n| n.to_string_lossy().into_owned());
        let Some(base) = base.filter(|base| wanted(base)) else { continue };
        // A sparse entry states a size that the archive need not hold.
        refuse_size(&format!("{name}: {base}"), entry.size(), room)?;
        let mut bytes = Vec::new();
        entry.take(room).read_to_end(&mut bytes).map_err(failed)?;
        room = room.saturating_sub(bytes.len() as u64);
        files.insert(base, bytes);
    }
    Ok(files)
}
