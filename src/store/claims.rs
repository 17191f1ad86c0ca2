//! Samples that are stored and whose records are lost.
//!
//! The source may give such a pair again: it is then recorded as if it were stored now, and not
//! stored twice. What nobody claims until the source ends is recorded as it was found. The list is
//! on disk, so that a run that is killed meanwhile forgets none.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use pairgate_core::decision::{Facts, Reason, ReasonSet, Verdict};
use pairgate_core::pair::{Digest, Position, Size, Uid};
use serde::{Deserialize, Serialize};

use super::scan::Found;
use crate::disk::IoError;
use crate::disk::{Disk, failed, write_whole};
use crate::journal::{FOLDER, Record, Stored};

/// A stored sample without a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claim {
    uid: Uid,
    shard: u32,
    key: String,
    check: u32,
    content: Digest,
    caption_length: u32,
    image_bytes: u64,
}

impl Claim {
    pub fn new(found: &Found, shard: u32) -> Self {
        let metadata = found.sample.metadata();
        let caption =
            found.sample.pair(&metadata).caption.and_then(|c| std::str::from_utf8(c).ok());
        let length = caption.map_or(0, |caption| caption.chars().count());
        Self {
            uid: found.uid,
            shard,
            key: found.sample.key.clone(),
            check: found.check,
            content: found.content,
            caption_length: u32::try_from(length).unwrap_or(u32::MAX),
            image_bytes: found.sample.image().map_or(0, |image| image.len() as u64),
        }
    }

    /// Whether the record tells where this sample is stored.
    pub fn is_of(&self, record: &Record) -> bool {
        record.stored.as_ref().is_some_and(|s| s.shard == self.shard && s.key == self.key)
    }

    /// The pair's identity.
    pub fn uid(&self) -> &Uid {
        &self.uid
    }

    /// The shard that it is in.
    pub fn shard(&self) -> u32 {
        self.shard
    }

    /// Its key there.
    pub fn key(&self) -> &str {
        &self.key
    }

    fn stored(&self) -> Stored {
        Stored { shard: self.shard, key: self.key.clone(), check: Some(self.check) }
    }

    /// The record of a sample that tells what the sample says of itself.
    pub fn record(&self, ticket: u64) -> Record {
        let facts = Facts {
            score: None,
            caption_length: self.caption_length,
            size: Size::default(),
            content: self.content,
        };
        Record {
            ticket,
            uid: self.uid,
            key: self.key.clone(),
            shard: String::new(),
            position: Position::default(),
            verdict: Verdict::Kept,
            reason: Reason::Passed,
            facts,
            image_bytes: self.image_bytes,
            broken: ReasonSet::default(),
            stored: Some(self.stored()),
            threshold: None,
            recovered: true,
            spooled: None,
            choice: None,
            group: None,
        }
    }
}

/// The list.
#[derive(Debug)]
pub(super) struct Claims {
    path: PathBuf,
    open: HashMap<Uid, Vec<Claim>>,
    is_written: bool,
}

impl Claims {
    /// An empty list.
    pub fn none(folder: &Path) -> Self {
        let path = folder.join(FOLDER).join("00000000.claims");
        Self { path, open: HashMap::new(), is_written: false }
    }

    /// The claims that a killed run has left, without those that have a record since.
    pub fn left(folder: &Path) -> Vec<Claim> {
        let bytes = fs::read(Self::none(folder).path).unwrap_or_default();
        postcard::from_bytes(&bytes).unwrap_or_default()
    }

    /// A list of these, on disk; that of a killed run stays where there are none.
    pub fn write(disk: &Disk, folder: &Path, claims: Vec<Claim>) -> Result<Self, IoError> {
        let mut list = Self::none(folder);
        if claims.is_empty() {
            list.is_written = list.path.is_file();
            return Ok(list);
        }
        let bytes = postcard::to_stdvec(&claims).map_err(std::io::Error::other);
        write_whole(disk, &list.path, &bytes.map_err(failed(&list.path))?)?;
        list.is_written = true;
        for claim in claims {
            list.open.entry(claim.uid).or_default().push(claim);
        }
        Ok(list)
    }

    /// Whether a list is on disk, though all in it may have records by now.
    pub fn is_written(&self) -> bool {
        self.is_written
    }

    /// Whether none is left.
    pub fn is_settled(&self) -> bool {
        self.open.is_empty()
    }

    /// Those in this shard, which are no longer open then.
    pub fn take_shard(&mut self, shard: u32) -> Vec<Claim> {
        let mut taken = Vec::new();
        self.open.retain(|_, claims| {
            taken.extend(claims.extract_if(.., |claim| claim.shard == shard));
            !claims.is_empty()
        });
        taken.sort_by(|a, b| a.key.cmp(&b.key));
        taken
    }

    /// Where a pair is stored already; it is claimed then.
    pub fn take(&mut self, uid: &Uid) -> Option<Stored> {
        let claims = self.open.get_mut(uid)?;
        let claim = claims.pop();
        if claims.is_empty() {
            self.open.remove(uid);
        }
        claim.map(|claim| claim.stored())
    }

    /// Those that nobody has claimed, in the order of their places.
    pub fn drain(&mut self) -> Vec<Claim> {
        let mut left: Vec<Claim> = self.open.drain().flat_map(|(_, claims)| claims).collect();
        left.sort_by(|a, b| (a.shard, &a.key).cmp(&(b.shard, &b.key)));
        left
    }

    /// Takes the list from the disk, where the records are that make it needless. Should its name
    /// come back when the power fails, the records are still there.
    pub fn forget(&mut self, disk: &Disk) -> Result<(), IoError> {
        if std::mem::take(&mut self.is_written) {
            disk.remove_file(&self.path)?;
        }
        Ok(())
    }
}
