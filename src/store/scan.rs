//! What is whole in a shard of ours, finished or not.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use pairgate_core::pair::{Digest, Uid};
use pairgate_core::wire::CRC32C;

use crate::digest::sha256;
use crate::disk::IoError;
use crate::disk::failed;
use crate::journal::Record;
use crate::source::{Member, Sample, is_image};

const BLOCK: u64 = 512;

/// A sample that is whole, and where it ends in the shard.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Found {
    pub sample: Sample,
    pub uid: Uid,
    pub content: Digest,
    pub check: u32,
    pub end: u64,
    /// Whether another sample begins behind it.
    pub is_followed: bool,
}

impl Found {
    fn new(key: String, members: Vec<Member>, shard: &str, end: u64) -> Self {
        let sample = Sample { shard: shard.into(), key, members, fault: None };
        let content = sample.image().map(sha256).unwrap_or_default();
        let uid = sample.uid(&sample.metadata(), content);
        let data = sample.members.iter().map(|member| member.data.as_slice());
        let check = check(data, sample.image());
        Self { sample, uid, content, check, end, is_followed: false }
    }

    /// Whether nothing of it can be missing, as far as can be told without a record: what a power cut
    /// leaves of the last sample ends somewhere, or in zeros.
    pub fn is_surely_whole(&self) -> bool {
        let metadata = self.sample.metadata();
        let pair = self.sample.pair(&metadata);
        let last = self.sample.members.last().and_then(|member| member.data.last());
        let is_pair = pair.image.is_some() && pair.caption.is_some();
        self.is_followed || (is_pair && last.is_some_and(|byte| *byte != 0))
    }

    /// Whether the record tells of this sample.
    pub fn is_of(&self, record: &Record) -> bool {
        // Earlier formats do not tell the key that the sample has in the shard.
        let told = record.stored.as_ref().and_then(|stored| Some((&stored.key, stored.check?)));
        let is_stored = told.is_none_or(|told| told == (&self.sample.key, self.check));
        self.uid == record.uid && self.content == record.facts.content && is_stored
    }
}

/// A checksum of a sample's members but its image, whose digest is recorded by itself.
pub(super) fn check<'a>(members: impl Iterator<Item = &'a [u8]>, image: Option<&[u8]>) -> u32 {
    let mut digest = CRC32C.digest();
    for data in members.filter(|data| !image.is_some_and(|image| std::ptr::eq(image, *data))) {
        digest.update(&(data.len() as u64).to_le_bytes());
        digest.update(data);
    }
    digest.finalize()
}

/// Reads a shard's texts: the members of each sample, images without their bytes.
#[cfg(feature = "parquet")]
pub(super) struct Texts(Samples);

#[cfg(feature = "parquet")]
impl Texts {
    /// Opens the shard at `path`, which is whole.
    pub fn open(path: &Path) -> Result<Self, IoError> {
        let mut samples = Samples::open(path)?;
        samples.entries.skips_images = true;
        Ok(Self(samples))
    }

    /// The next sample's key and members.
    pub fn next(&mut self) -> Option<(String, Vec<Member>)> {
        self.0.next_members().map(|(key, members, _)| (key, members))
    }
}

/// Reads a shard sample by sample, up to where it is not whole any more.
pub(super) struct Samples {
    entries: Entries,
    name: String,
    /// A member of the next sample.
    ahead: Option<Piece>,
    /// Whether reading has ended within the file's structure, not at its end.
    pub is_broken: bool,
}

struct Piece {
    key: String,
    member: Member,
    end: u64,
}

impl Samples {
    /// Opens the shard at `path`.
    pub fn open(path: &Path) -> Result<Self, IoError> {
        let file = File::open(path).map_err(failed(path))?;
        let reader = BufReader::with_capacity(1 << 20, file);
        let entries = Entries { reader, at: 0, skips_images: false };
        let name = path.display().to_string();
        Ok(Self { entries, name, ahead: None, is_broken: false })
    }

    /// The next sample. One whose last member is not followed by anything is whole if that is.
    pub fn next(&mut self) -> Option<Found> {
        let (key, members, end) = self.next_members()?;
        let is_followed = self.ahead.is_some();
        Some(Found { is_followed, ..Found::new(key, members, &self.name, end) })
    }

    fn next_members(&mut self) -> Option<(String, Vec<Member>, u64)> {
        let first = self.ahead.take().or_else(|| self.piece())?;
        let (mut members, mut end) = (vec![first.member], first.end);
        while let Some(piece) = self.piece() {
            if piece.key != first.key {
                self.ahead = Some(piece);
                break;
            }
            members.push(piece.member);
            end = piece.end;
        }
        Some((first.key, members, end))
    }

    fn piece(&mut self) -> Option<Piece> {
        if self.is_broken {
            return None;
        }
        match self.entries.next() {
            Ok(piece) => piece,
            Err(_) => {
                self.is_broken = true;
                None
            }
        }
    }
}

/// The members of a tar of ours: plain files, with GNU's long names.
struct Entries {
    reader: BufReader<File>,
    at: u64,
    skips_images: bool,
}

impl Entries {
    /// The next member; `None` where the file or the archive ends, an error where a header or its
    /// data are not whole.
    fn next(&mut self) -> io::Result<Option<Piece>> {
        let mut long_name = None;
        loop {
            let mut header = tar::Header::new_old();
            match self.read_block(header.as_mut_bytes())? {
                0 => return Ok(None),
                read if (read as u64) < BLOCK => return Err(torn()),
                _ => {}
            }
            if header.as_bytes().iter().all(|byte| *byte == 0) {
                return Ok(None);
            }
            let sum: u32 = header_sum(header.as_bytes());
            if header.cksum()? != sum {
                return Err(torn());
            }
            let bytes = header.entry_size()?;
            if header.entry_type().is_gnu_longname() {
                let data = self.read_data(bytes)?;
                let name = data.split(|byte| *byte == 0).next().unwrap_or_default();
                long_name = Some(name.to_vec());
                continue;
            }
            let name = long_name.unwrap_or_else(|| header.path_bytes().into_owned());
            let name = String::from_utf8(name).map_err(|_| torn())?;
            let base = name.rfind('/').map_or(0, |slash| slash + 1);
            let dot = name[base..].find('.').map(|dot| base + dot).ok_or_else(torn)?;
            let extension = name[dot + 1..].to_owned();
            let is_passed = self.skips_images && is_image(&extension);
            let data = if is_passed { self.pass_data(bytes)? } else { self.read_data(bytes)? };
            let member = Member { extension, data };
            return Ok(Some(Piece { key: name[..dot].to_owned(), member, end: self.at }));
        }
    }

    fn read_block(&mut self, block: &mut [u8]) -> io::Result<usize> {
        let mut read = 0;
        while read < block.len() {
            match self.reader.read(&mut block[read..])? {
                0 => break,
                more => read += more,
            }
        }
        self.at += read as u64;
        Ok(read)
    }

    fn pass_data(&mut self, bytes: u64) -> io::Result<Vec<u8>> {
        let padded = bytes.next_multiple_of(BLOCK);
        self.reader.seek_relative(i64::try_from(padded).map_err(io::Error::other)?)?;
        self.at += padded;
        Ok(Vec::new())
    }

    fn read_data(&mut self, bytes: u64) -> io::Result<Vec<u8>> {
        let padded = bytes.next_multiple_of(BLOCK);
        let mut data = Vec::new();
        (&mut self.reader).take(padded).read_to_end(&mut data)?;
        if (data.len() as u64) < padded {
            return Err(torn());
        }
        self.at += padded;
        data.truncate(bytes as usize);
        Ok(data)
    }
}

/// The sum of a header's bytes, those of the sum itself taken for blanks.
fn header_sum(bytes: &[u8]) -> u32 {
    let blanks = 148..156;
    let byte =
        |(at, byte): (usize, &u8)| u32::from(if blanks.contains(&at) { b' ' } else { *byte });
    bytes.iter().enumerate().map(byte).sum()
}

fn torn() -> io::Error {
    io::ErrorKind::UnexpectedEof.into()
}
