//! Several captions of one picture: a pair each.
//!
//! The first pair is the sample itself, with a `txt` member where its caption has no file. The pair of caption `i`, from 1, has the key
//! `KEY-caption<i>`, its caption as `txt` member, and, where the `.json` gives a uid, the first half
//! of SHA-256(uid || `i` as 4 bytes, little endian). The `.json` of each is spliced so that it fits
//! the pair: `uid`, and the fields that captions stand in, which then hold this one alone. So what is
//! stored can be read again in the same way, and is one pair each.

use std::collections::HashSet;
use std::vec::IntoIter;

use pairgate_core::pair::Uid;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::json::{spliced, texts};
use super::{Member, Sample, is_caption};

/// The fields that captions stand in beside one that was named.
const FIELDS: [&str; 3] = ["captions", "caption", "text"];

/// A picture's captions that are still to be given.
#[derive(Debug)]
pub(super) struct Several {
    /// The sample as its source gave it.
    sample: Sample,
    captions: IntoIter<String>,
    /// The fields that captions stand in, and whether each is a list.
    fields: Vec<(String, bool)>,
    uid: Option<Uid>,
    /// The next pair's number.
    number: u32,
}

impl Several {
    /// The captions of a sample; the sample itself where it has no more than one. `keys` are names of
    /// fields that captions may stand in, before the usual ones.
    pub fn of(sample: Sample, keys: &[String]) -> Result<Self, Box<Sample>> {
        let Some(json) = sample.member("json").filter(|_| sample.fault.is_none()) else {
            return Err(Box::new(sample));
        };
        let names = keys.iter().map(String::as_str).chain(FIELDS);
        let found: Vec<_> = names.filter_map(|name| Some((name, texts(json, name)?))).collect();
        let Some((_, list)) = found.iter().find(|(_, texts)| texts.is_list) else {
            return Err(Box::new(sample));
        };
        let metadata = sample.metadata();
        let caption = sample.pair(&metadata).caption.unwrap_or_default();
        let main = String::from_utf8_lossy(caption).into_owned();
        let mut seen = HashSet::new();
        let all = std::iter::once(&main).chain(&list.texts);
        let all = all.filter(|text| !text.trim().is_empty() && seen.insert(text.trim()));
        let captions: Vec<_> = all.cloned().collect();
        if captions.len() < 2 {
            return Err(Box::new(sample));
        }
        let fields = found.iter().map(|(name, texts)| ((*name).to_owned(), texts.is_list));
        let fields = fields.collect();
        let captions = captions.into_iter();
        Ok(Self { uid: metadata.uid, sample, captions, fields, number: 0 })
    }

    /// The next pair.
    pub fn next(&mut self) -> Option<Sample> {
        let caption = self.captions.next()?;
        let is_last = self.captions.as_slice().is_empty();
        let mut sample = if is_last {
            std::mem::replace(&mut self.sample, empty())
        } else {
            self.sample.clone()
        };
        self.tell(&mut sample, &caption);
        if self.number > 0 {
            sample.key = format!("{}-caption{}", sample.key, self.number);
        }
        // All pairs of a picture have their caption in the same place.
        if self.number > 0 || !sample.members.iter().any(|m| is_caption(&m.extension)) {
            set(&mut sample, "txt", caption.into_bytes());
        }
        self.number += 1;
        Some(sample)
    }

    /// Splices the `.json` so that it fits the pair.
    fn tell(&self, sample: &mut Sample, caption: &str) {
        let field = |(name, is_list): &(String, bool)| {
            let value = if *is_list { json!([caption]) } else { json!(caption) };
            format!("{}:{value}", Value::from(name.as_str()))
        };
        let mut told: Vec<String> = self.fields.iter().map(field).collect();
        if let Some(uid) = self.uid.filter(|_| self.number > 0) {
            told.push(format!("\"uid\":\"{}\"", derived(uid, self.number)));
        }
        let json = sample.member("json").and_then(|json| spliced(json, &told.join(",")));
        if let Some(json) = json {
            set(sample, "json", json);
        }
    }
}

/// The uid of caption `number` of the picture of the pair `uid`.
fn derived(uid: Uid, number: u32) -> Uid {
    let hash = Sha256::new().chain_update(uid.0).chain_update(number.to_le_bytes()).finalize();
    let mut derived = Uid::default();
    derived.0.copy_from_slice(&hash[..16]);
    derived
}

fn set(sample: &mut Sample, extension: &str, data: Vec<u8>) {
    match sample.members.iter_mut().find(|member| member.extension == extension) {
        Some(member) => member.data = data,
        None => sample.members.push(Member { extension: extension.into(), data }),
    }
}

fn empty() -> Sample {
    Sample { shard: "".into(), key: String::new(), members: Vec::new(), fault: None }
}
