//! Where pairs come from: folders, WebDataset shards, manifests, standard input, a capture ring.
//!
//! | source | reads |
//! |---|---|
//! | [`tar::TarSource`] | a WebDataset shard, plain or gzipped, from a file or any reader |
//! | [`folder::FolderSource`] | a folder of images with `.txt` and `.json` files beside them, and of shards |
//! | [`manifest::ManifestSource`] | a JSON-lines file that names images and their captions |
//! | the `table` rooms | JSON lists, CSV, TSV, COCO's captions, Parquet |
//! | [`frames::FramesSource`] | the frames that a microcontroller sends, from a serial line, a pipe or a file |
//! | [`capture::CaptureSource`] | a [`Ring`](pairgate_core::ring::Ring) that another thread fills |
//! | [`Inputs`] | a list of paths of any of the first four, or all of the fifth, one after the other |

mod archive;
mod builder;
pub mod capture;
pub mod folder;
pub mod frames;
mod gzip;
mod inputs;
pub mod manifest;
mod metadata;
mod resume;
mod table;
pub mod tar;

use std::sync::Arc;

use pairgate_core::decision::Reason;
use pairgate_core::pair::{Digest, PairRef, Position, Uid};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::disk::IoError;

pub use inputs::{Captions, InputFormat, InputOptions, Inputs, Meter};
pub use metadata::Metadata;
pub use resume::{Place, pass_over};

/// Extensions of images, in lower case. What an image really is, its bytes say.
const IMAGE_EXTENSIONS: [&str; 10] =
    ["jpg", "jpeg", "jpe", "jfif", "png", "webp", "gif", "bmp", "tif", "tiff"];

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
    /// extension ends in one (`seg.png`).
    pub fn image(&self) -> Option<&[u8]> {
        let named = |exact: bool| {
            self.members.iter().find(|member| {
                let extension = member.extension.as_str();
                let last = extension.rsplit('.').next().unwrap_or(extension);
                is_image(if exact { extension } else { last })
            })
        };
        named(true).or_else(|| named(false)).map(|member| member.data.as_slice())
    }

    /// What the sample's `.json` member says of the pair; empty where it has none.
    pub fn metadata(&self) -> Metadata {
        self.member("json").map(Metadata::parse).unwrap_or_default()
    }

    /// The sample's `.json` member, where it is an object of at most `max_bytes` bytes.
    pub fn json(&self, max_bytes: usize) -> Option<Map<String, Value>> {
        json_object(self.member("json").filter(|json| json.len() <= max_bytes)?)
    }

    /// The pair, as the gate sees it. `metadata` are this sample's own.
    ///
    /// The caption is the `txt` member's, else the `text` or `caption` member's, else the
    /// metadata's. Broken metadata are a fault only where the caption would have been in them.
    pub fn pair<'a>(&'a self, metadata: &'a Metadata) -> PairRef<'a> {
        let beside = CAPTION_EXTENSIONS.iter().find_map(|extension| self.member(extension));
        let within = || metadata.caption.as_deref().map(str::as_bytes);
        let unread = (metadata.invalid && beside.is_none()).then_some(Reason::MetadataInvalid);
        PairRef {
            image: self.image(),
            caption: beside.map(without_bom).or_else(within),
            original_size: metadata.original_size,
            fault: self.fault.or(unread),
        }
    }

    /// The sample's identity: the one that its metadata give, else the first half of
    /// SHA-256(`content` || caption), so that the same pair has the same one wherever it turns up.
    /// `content` is the image's digest, zero where there is none.
    pub fn uid(&self, metadata: &Metadata, content: Digest) -> Uid {
        metadata.uid.unwrap_or_else(|| {
            let caption = self.pair(metadata).caption.unwrap_or_default();
            let hash = Sha256::new().chain_update(content.0).chain_update(caption).finalize();
            let mut uid = Uid::default();
            uid.0.copy_from_slice(&hash[..16]);
            uid
        })
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
    metadata::from_python_json(json)
}

/// The caption among these members, as text; what is not UTF-8 in it is replaced.
#[cfg(feature = "parquet")]
pub(crate) fn caption_of(members: &[Member], metadata: &Metadata) -> Option<String> {
    let named = |extension: &&str| members.iter().find(|member| member.extension == **extension);
    let beside = CAPTION_EXTENSIONS.iter().find_map(named);
    let text = |member: &Member| String::from_utf8_lossy(without_bom(&member.data)).into_owned();
    beside.map(text).or_else(|| metadata.caption.clone())
}

/// Whether a `.json` member is an object.
pub(crate) fn is_json_object(json: &[u8]) -> bool {
    !Metadata::parse(json).invalid
}

/// Whether `extension`, in lower case, is an image's.
pub(crate) fn is_image(extension: &str) -> bool {
    IMAGE_EXTENSIONS.contains(&extension)
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
