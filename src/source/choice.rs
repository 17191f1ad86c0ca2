//! Which of a sample's files is the picture and which is the caption, where that was asked for.
//!
//! What was chosen is given the place that a sample's picture and caption have anyway, so that
//! whatever comes later, the stored shard too, finds them there: the picture stands first, under
//! an image's extension, and the caption is the `txt` member. A file whose name that takes is kept
//! as `other.txt`, `other2.txt` and so on.

use pairgate_core::decision::Reason;

use super::inputs::InputOptions;
use super::table::member_extension;
use super::{Member, Sample, extension_end, image_among, json, without_bom};

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Choice {
    images: Vec<String>,
    captions: Vec<String>,
}

impl Choice {
    /// What `options` ask for; `None` for what the field uses.
    pub fn of(options: &InputOptions) -> Option<Self> {
        let InputOptions { image_keys, caption_keys, .. } = options;
        let choice = Self { images: plain_keys(image_keys), captions: plain_keys(caption_keys) };
        (!choice.images.is_empty() || !choice.captions.is_empty()).then_some(choice)
    }

    /// The sample with what was asked for in its place; a fault where it has none of it.
    pub fn apply(&self, mut sample: Sample) -> Sample {
        if !self.images.is_empty() && !self.choose_image(&mut sample) {
            sample.fault.get_or_insert(Reason::ImageMissing);
        }
        if !self.captions.is_empty() && !self.choose_caption(&mut sample) {
            sample.fault.get_or_insert(Reason::CaptionMissing);
        }
        sample
    }

    fn choose_image(&self, sample: &mut Sample) -> bool {
        let members = &sample.members;
        let Some(place) = self.images.iter().find_map(|key| place_of(members, key)) else {
            return false;
        };
        let is_usual = image_among(members).is_some_and(|m| std::ptr::eq(m, &members[place]));
        if !is_usual {
            let Member { extension, data } = sample.members.remove(place);
            let extension = member_extension(&format!("_.{extension}"), &data);
            give_way(&mut sample.members, &extension);
            sample.members.insert(0, Member { extension, data });
        }
        true
    }

    fn choose_caption(&self, sample: &mut Sample) -> bool {
        let found = self.captions.iter().find_map(|key| {
            let beside = place_of(&sample.members, key).map(Found::Member);
            beside.or_else(|| field(sample, key).map(Found::Field))
        });
        match found {
            None => return false,
            Some(Found::Member(place)) => {
                if sample.members[place].extension != "txt" {
                    let member = sample.members.remove(place);
                    give_way(&mut sample.members, "txt");
                    sample.members.insert(place, Member { extension: "txt".into(), ..member });
                }
            }
            Some(Found::Field(text)) => set_caption(sample, text),
        }
        true
    }
}

/// Keys as they are meant: also webdataset's `jpg;png`, and extensions with their dot.
pub(super) fn plain_keys(keys: &[String]) -> Vec<String> {
    let keys = keys.iter().flat_map(|key| key.split(';'));
    let keys = keys.map(|key| key.trim().trim_start_matches('.'));
    keys.filter(|key| !key.is_empty()).map(str::to_owned).collect()
}

enum Found {
    Member(usize),
    Field(String),
}

/// Makes `text` the caption; what was the `txt` member is kept under another name.
fn set_caption(sample: &mut Sample, text: String) {
    if sample.member("txt").map(without_bom) == Some(text.as_bytes()) {
        return;
    }
    give_way(&mut sample.members, "txt");
    sample.members.push(Member { extension: "txt".into(), data: text.into_bytes() });
}

/// The caption that a field of the `.json` member is, or begins with.
fn field(sample: &Sample, name: &str) -> Option<String> {
    let texts = json::texts(sample.member("json")?, name)?;
    texts.first().cloned()
}

/// The place of the member whose extension is `key`, or else ends in it.
fn place_of(members: &[Member], key: &str) -> Option<usize> {
    let key = key.to_lowercase();
    let exact = members.iter().position(|member| member.extension == key);
    let ends = |member: &Member| {
        let front = member.extension.strip_suffix(&*key);
        extension_end(&member.extension) == key || front.is_some_and(|front| front.ends_with('.'))
    };
    exact.or_else(|| members.iter().position(ends))
}

/// Gives the member of this extension another one.
fn give_way(members: &mut [Member], extension: &str) {
    let Some(place) = members.iter().position(|member| member.extension == extension) else {
        return;
    };
    let names = (1..).map(|n: u32| match n {
        1 => format!("other.{extension}"),
        n => format!("other{n}.{extension}"),
    });
    let is_free = |name: &String| members.iter().all(|member| member.extension != *name);
    let free = names.into_iter().find(is_free);
    members[place].extension = free.unwrap_or_default();
}
