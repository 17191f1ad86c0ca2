//! The pairs that are shown, with their pictures.

use std::collections::HashMap;

use pairgate_core::pair::Digest;
use serde::Serialize;

use crate::compare::{Picked, Side};
use crate::journal::Record;

/// A pair as it is shown.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Card {
    pub uid: String,
    pub key: String,
    pub shard: String,
    /// The number of its cluster, where it is in one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<u32>,
    pub score: Option<f32>,
    pub verdict: &'static str,
    pub reason: &'static str,
    pub width: u32,
    pub height: u32,
    /// Characters of the whole caption.
    pub length: u32,
    /// The caption, or the begin of a long one.
    pub caption: Option<String>,
    /// A JPEG, as a data URL.
    pub thumbnail: Option<String>,
    /// Whether it is of those that stand for all scored pairs, at equal ranks.
    pub even: bool,
    /// How it changed, where two runs are compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
}

/// What two runs say of a pair.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Change {
    pub name: String,
    pub old: Told,
    pub new: Told,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct Told {
    pub verdict: &'static str,
    pub reason: &'static str,
    pub score: Option<f32>,
    /// The share of the run's scores below it, 0 to 1.
    pub rank: Option<f64>,
}

impl Card {
    pub fn of(record: &Record) -> Self {
        let facts = &record.facts;
        Self {
            uid: record.uid.to_string(),
            key: record.key.clone(),
            shard: record.shard.clone(),
            cluster: None,
            score: facts.score,
            verdict: record.verdict.name(),
            reason: record.reason.name(),
            width: facts.size.width,
            height: facts.size.height,
            length: facts.caption_length,
            caption: None,
            thumbnail: None,
            even: false,
            change: None,
        }
    }

    fn of_changed(picked: &Picked) -> Self {
        let told = |side: &Side, rank: Option<f64>| Told {
            verdict: side.verdict.name(),
            reason: side.reason.name(),
            score: side.score,
            rank: rank.map(|rank| (rank * 1e5).round() / 1e5),
        };
        let pair = &picked.pair;
        let [old, new] = &pair.sides;
        Self {
            uid: pair.uid.to_string(),
            key: pair.key.clone(),
            shard: pair.shard.clone(),
            cluster: None,
            score: new.score,
            verdict: new.verdict.name(),
            reason: new.reason.name(),
            width: pair.size.width,
            height: pair.size.height,
            length: pair.caption_length,
            caption: None,
            thumbnail: None,
            even: false,
            change: Some(Change {
                name: picked.change.name(),
                old: told(old, picked.ranks[0]),
                new: told(new, picked.ranks[1]),
            }),
        }
    }
}

/// Pairs that are shown together.
#[derive(Debug, Default)]
pub(super) struct Gallery {
    cards: Vec<Card>,
    by_picture: HashMap<Digest, Vec<usize>>,
}

impl Gallery {
    /// Pairs that changed between two runs.
    pub fn of_changed(picks: &[Picked]) -> Self {
        let mut gallery = Self::default();
        picks.iter().for_each(|pick| gallery.add(Card::of_changed(pick), pick.pair.content));
        gallery
    }

    /// Adds a card, whose picture's file has this digest: zeros where it is not known.
    pub fn add(&mut self, card: Card, content: Digest) {
        if content != Digest::default() {
            self.by_picture.entry(content).or_default().push(self.cards.len());
        }
        self.cards.push(card);
    }

    /// Whether a picture with this digest is shown.
    pub fn has(&self, content: Digest) -> bool {
        self.by_picture.contains_key(&content)
    }

    /// Gives the cards with this picture what they show. The same picture may come with several
    /// captions: the key tells them apart, where it can.
    pub fn show(
        &mut self,
        content: Digest,
        key: &str,
        caption: Option<&str>,
        picture: Option<&str>,
    ) {
        let Some(places) = self.by_picture.get(&content) else { return };
        let several = places.len() > 1;
        for place in places {
            let Some(card) = self.cards.get_mut(*place) else { continue };
            if !several || card.key == key {
                card.caption = caption.map(str::to_owned);
            }
            card.thumbnail = picture.map(str::to_owned);
        }
    }

    pub fn into_cards(self) -> Vec<Card> {
        self.cards
    }
}
