//! What is wrong with how a shard was packed, where that costs pairs: told once, when it ends.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use super::{Sample, extension_end, is_caption, is_image};

/// Samples without a picture or without a caption that are remembered at most.
const MOST_HALVES: usize = 1 << 16;

/// Looks at a shard's samples as they are given.
#[derive(Debug, Default)]
pub(super) struct Scattered {
    /// By a hash of its key: whether the half that was seen has the picture.
    halves: HashMap<u64, bool>,
    hasher: RandomState,
    torn_apart: Told,
    dotted: Told,
}

/// How often something was seen, and the first key.
#[derive(Debug, Default)]
struct Told {
    count: u64,
    first: String,
}

impl Told {
    fn add(&mut self, count: u64, key: &str) {
        if self.count == 0 {
            self.first = key.to_owned();
        }
        self.count += count;
    }
}

impl Scattered {
    /// Looks at the next sample.
    pub fn see(&mut self, sample: &Sample) {
        if sample.fault.is_some() {
            return;
        }
        self.dotted.add(lost_to_dots(sample), &sample.key);
        let has_picture = sample.image().is_some();
        let has_caption = sample.members.iter().any(|member| {
            member.extension == "json" || is_caption(extension_end(&member.extension))
        });
        if has_picture == has_caption {
            return;
        }
        let key = self.hasher.hash_one(&sample.key);
        match self.halves.get(&key) {
            Some(&other) if other != has_picture => {
                self.halves.remove(&key);
                self.torn_apart.add(1, &sample.key);
            }
            Some(_) => {}
            None if self.halves.len() < MOST_HALVES => drop(self.halves.insert(key, has_picture)),
            None => {}
        }
    }

    /// Says what was seen.
    pub fn tell(&self, shard: &str) {
        let Told { count, first } = &self.torn_apart;
        if *count > 0 {
            log::warn!(
                "{shard}: the picture and the caption of {count} keys, the first {first:?}, are \
                 not neighbours, so neither is a pair; pack them with tar --sort=name"
            );
        }
        let Told { count, first } = &self.dotted;
        if *count > 0 {
            log::warn!(
                "{shard}: {count} captions are not read, the first under {first:?}: a key ends at \
                 the first dot of a name, so what differs behind it only is one sample; write \
                 other dots as _"
            );
        }
    }
}

/// Pairs of picture and caption in one sample beyond the first: `a.v1.jpg` and `a.v1.txt`, `a.v2.jpg`
/// and `a.v2.txt`.
fn lost_to_dots(sample: &Sample) -> u64 {
    let fronts_of = |is_one: fn(&str) -> bool| {
        let members = sample.members.iter().map(|member| member.extension.as_str());
        members.filter(move |extension| is_one(extension_end(extension))).map(front)
    };
    if fronts_of(is_caption).nth(1).is_none() {
        return 0;
    }
    let mut pairs: Vec<_> = fronts_of(is_image)
        .filter(|front| fronts_of(is_caption).any(|other| other == *front))
        .collect();
    pairs.sort_unstable();
    pairs.dedup();
    pairs.len().saturating_sub(1) as u64
}

/// An extension without its last part.
fn front(extension: &str) -> &str {
    extension.rsplit_once('.').map_or("", |(front, _)| front)
}
