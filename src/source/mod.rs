//! Where pairs come from: folders, WebDataset shards, manifests, standard input, a capture ring.
//!
//! | source | reads |
//! |---|---|
//! | [`tar::TarSource`] | a WebDataset shard, plain or packed, from a file or any reader |
//! | [`folder::FolderSource`] | a folder of images with `.txt` and `.json` files beside them, and of shards |
//! | [`manifest::ManifestSource`] | a JSON-lines file that names images and their captions |
//! | the `table` rooms | JSON lists, CSV, TSV, COCO's captions, Parquet |
//! | [`frames::FramesSource`] | the frames that a microcontroller sends, from a serial line, a pipe or a file |
//! | [`capture::CaptureSource`] | a [`Ring`](pairgate_core::ring::Ring) that another thread fills |
//! | [`Inputs`] | a list of paths of any of the first four, or all of the fifth, one after the other |

mod archive;
mod braces;
mod builder;
mod captions;
pub mod capture;
mod choice;
pub mod folder;
pub mod frames;
mod header;
mod inputs;
mod json;
#[cfg(feature = "cli")]
mod loose;
pub mod manifest;
mod metadata;
mod pax;
mod resume;
mod scattered;
mod single;
mod table;
pub mod tar;
mod texts;
mod unpack;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pairgate_core::config::SampleLimits;
use pairgate_core::decision::Reason;
use pairgate_core::pair::{Digest, PairRef, Position, Uid};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use builder::SampleBuilder;

use crate::disk::IoError;

pub use braces::expand_paths;
pub use inputs::{Captions, InputFormat, InputOptions, Inputs, Meter};
pub(crate) use json::spliced;
#[cfg(feature = "cli")]
pub(crate) use loose::{LooseKind, ends_as_a_tar, read_loose};
pub use metadata::Metadata;
pub use resume::{Place, pass_over};
pub use single::{SingleInput, single_inputs};

/// Extensions of images, in lower case. What an image really is, its bytes say.
const IMAGE_EXTENSIONS: [&str; 13] = [
    "jpg", "jpeg", "jpe", "jfif", "png", "apng", "webp", "gif", "bmp", "dib", "tif", "tiff", "avif",
];

/// Extensions of pictures of formats that are not decoded: a pair with one of them alone is counted
/// under a reason, not passed over.
const REFUSED_EXTENSIONS: [&str; 16] = [
    "heic", "heif", "hif", "jxl", "jp2", "j2k", "jpx", "jxr", "svg", "svgz", "psd", "ico", "ppm",
    "pgm", "pbm", "pnm",
];

/// Extensions of captions, in the order in which they are preferred.
const CAPTION_EXTENSIONS: [&str; 3] = ["txt", "text", "caption"];

/// One file of a sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// What follows the key's dot, in lower case: `jpg`, `txt`, `seg.png`.
    pub extension: String,
    /// The bytes, as they were read.
    pub data: Vec<u8>,
}

/// One sample as its source delivered it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// The shard, folder or manifest that it came from, as the user named it.
    pub shard: Arc<str>,
    /// The sample's name within its shard.
    pub key: String,
    /// Its files, in the source's order.
    pub members: Vec<Member>,
    /// What the source found wrong with it.
    pub fault: Option<Reason>,
}

impl Sample {
    /// The encoded image: the first member whose extension is an image's, else the first whose
    /// extension ends in one (`seg.png`); without one, the same among formats that are refused.
    pub fn image(&self) -> Option<&[u8]> {
        image_among(&self.members).map(|member| member.data.as_slice())
    }

    /// What the sample's `.json` member says of the pair; empty where it has none.
    pub fn metadata(&self) -> Metadata {
        let metadata = self.member("json").map(Metadata::parse).unwrap_or_default();
        if metadata.invalid || metadata.unread.is_some() {
            self.tell_of(&metadata);
        }
        metadata
    }

    /// Says once what of some `.json` is not used; it would be missed only later.
    fn tell_of(&self, metadata: &Metadata) {
        static IS_TOLD: AtomicBool = AtomicBool::new(false);
        if IS_TOLD.swap(true, Ordering::Relaxed) {
            return;
        }
        let Self { shard, key, .. } = self;
        match metadata.unread {
            Some(field) => log::warn!(
                "{shard}: {field} in the .json of {key:?} is not what it should be, and is not used; \
                 further ones are not told of"
            ),
            None => log::warn!(
                "{shard}: the .json of {key:?} is no object that Python reads: its uid and all else \
                 in it is not used; further ones are not told of"
            ),
        }
    }

    /// The sample's `.json` member as one line of standard JSON, where it is an object of at most
    /// `max_bytes` bytes.
    pub fn json(&self, max_bytes: usize) -> Option<Box<RawValue>> {
        json::object_text(self.member("json").filter(|json| json.len() <= max_bytes)?)
    }

    /// The pair, as the gate sees it. `metadata` are this sample's own.
    ///
    /// The caption is the `txt` member's, else the `text` or `caption` member's, else the
    /// metadata's, else that of a member whose extension ends in one of these (`v2.txt`). Broken
    /// metadata are a fault only where the caption would have been in them.
    pub fn pair<'a>(&'a self, metadata: &'a Metadata) -> PairRef<'a> {
        let caption = caption_among(&self.members, metadata);
        let unread = (metadata.invalid && caption.is_none()).then_some(Reason::MetadataInvalid);
        PairRef {
            image: self.image(),
            caption,
            original_size: metadata.original_size,
            fault: self.fault.or(unread),
        }
    }

    /// The sample's identity: the one that its metadata give, else the first half of
    /// SHA-256(`content` || caption), so that the same pair has the same one wherever it turns up.
    /// `content` is the image's digest, zero where there is none.
    pub fn uid(&self, metadata: &Metadata, content: Digest) -> Uid {
        metadata.uid.unwrap_or_else(|| pair_uid(content, self.pair(metadata).caption))
    }

    /// Bytes of all the members together.
    pub fn bytes(&self) -> u64 {
        self.members.iter().map(|member| member.data.len() as u64).sum()
    }

    /// The bytes of the member with this extension.
    pub fn member(&self, extension: &str) -> Option<&[u8]> {
        let member = self.members.iter().find(|member| member.extension == extension);
        member.map(|member| member.data.as_slice())
    }
}

/// The identity of a pair that has no metadata: the first half of SHA-256(`content` || caption).
/// `content` is the image's digest, zero where there is none.
pub fn pair_uid(content: Digest, caption: Option<&[u8]>) -> Uid {
    let caption = caption.unwrap_or_default();
    let hash = Sha256::new().chain_update(content.0).chain_update(caption).finalize();
    let mut uid = Uid::default();
    uid.0.copy_from_slice(&hash[..16]);
    uid
}

/// The image file at `path`, as a folder's source reads it.
///
/// # Errors
/// [`Reason::ImageMissing`] where it cannot be read, or is no regular file;
/// [`Reason::SampleTooLarge`] above the limit.
pub fn read_image(path: &Path, limits: SampleLimits) -> Result<Vec<u8>, Reason> {
    let mut sample = SampleBuilder::new(&Arc::from(""), String::new(), limits);
    match sample.read_file("", path) {
        Ok(Some(image)) => Ok(image),
        Ok(None) => Err(Reason::SampleTooLarge),
        Err(why) => {
            log::warn!("{}: {why}", path.display());
            Err(Reason::ImageMissing)
        }
    }
}

/// Delivers samples one by one, in an order that is the same in every run.
pub trait Source: Send {
    /// The next sample; `None` at the end. What is wrong with one sample is said in it
    /// ([`Sample::fault`]).
    ///
    /// # Errors
    /// [`IoError::Read`] if the input as a whole cannot be read any further.
    fn next(&mut self) -> Result<Option<Sample>, IoError>;

    /// The place of the sample that was given last, for sources that can be read again.
    fn position(&self) -> Position {
        Position::default()
    }
}

/// A `.json` member's object; `None` where it is none.
pub(crate) fn json_object(json: &[u8]) -> Option<Map<String, Value>> {
    json::object(json)
}

/// The image among these members: see [`Sample::image`].
fn image_among(members: &[Member]) -> Option<&Member> {
    let named = |known: &[&str], exact: bool| {
        members.iter().find(|Member { extension, .. }| {
            known.contains(&if exact { extension.as_str() } else { extension_end(extension) })
        })
    };
    let among = |known| named(known, true).or_else(|| named(known, false));
    among(&IMAGE_EXTENSIONS).or_else(|| among(&REFUSED_EXTENSIONS))
}

/// The caption among these members: see [`Sample::pair`].
fn caption_among<'a>(members: &'a [Member], metadata: &'a Metadata) -> Option<&'a [u8]> {
    let named = |extension: &&str| members.iter().find(|member| member.extension == **extension);
    let beside = || CAPTION_EXTENSIONS.iter().find_map(named);
    let text = |member: &'a Member| without_bom(&member.data);
    let within = || metadata.caption.as_deref().map(str::as_bytes);
    beside().map(text).or_else(within).or_else(|| dotted_caption(members).map(text))
}

/// The caption under an extension with dots, that of the image where there is one.
fn dotted_caption(members: &[Member]) -> Option<&Member> {
    let front = |member: &Member| {
        let extension = member.extension.rsplit_once('.');
        extension.map(|(front, _)| front.to_owned()).unwrap_or_default()
    };
    let captions = || members.iter().filter(|m| is_caption(extension_end(&m.extension)));
    let image = image_among(members).map(front);
    let beside = captions().find(|caption| image.as_ref() == Some(&front(caption)));
    beside.or_else(|| captions().next())
}

/// The caption among these members, as text; what is not UTF-8 in it is replaced.
#[cfg(feature = "parquet")]
pub(crate) fn caption_of(members: &[Member], metadata: &Metadata) -> Option<String> {
    caption_among(members, metadata).map(|text| String::from_utf8_lossy(text).into_owned())
}

/// Whether `extension`, in lower case, is an image's, decoded or refused.
pub(crate) fn is_image(extension: &str) -> bool {
    IMAGE_EXTENSIONS.contains(&extension) || REFUSED_EXTENSIONS.contains(&extension)
}

/// Whether `extension`, in lower case, is a caption's.
fn is_caption(extension: &str) -> bool {
    CAPTION_EXTENSIONS.contains(&extension)
}

/// The last part of an extension.
fn extension_end(extension: &str) -> &str {
    extension.rsplit('.').next().unwrap_or(extension)
}

/// The fault of a sample whose file with this extension is there but cannot be read.
fn unreadable(extension: &str) -> Reason {
    if is_image(extension) { Reason::ImageMissing } else { Reason::MetadataInvalid }
}

/// A name as a WebDataset key, which ends at the first dot of its last part.
fn key_from_stem(stem: &str) -> String {
    let folder = stem.rfind('/').map_or(0, |slash| slash + 1);
    format!("{}{}", &stem[..folder], stem[folder..].replace('.', "_"))
}

/// The text without the byte order mark that some editors put in front.
fn without_bom(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)
}
