//! A row of a file of scores, as it is written there.

use std::borrow::Cow;

use pairgate_core::decision::{Facts, Reason, Verdict};
use pairgate_core::pair::Size;
use pairgate_core::policy::Policy;
use serde::Deserialize;

use crate::compare::row::Row;

/// The fields of a row; what is not there is null.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Fields<'a> {
    #[serde(borrow, default)]
    pub uid: Cow<'a, str>,
    #[serde(borrow, default)]
    pub key: Cow<'a, str>,
    #[serde(borrow, default)]
    pub shard: Cow<'a, str>,
    // What was not scored is null; a line without the key is no score's.
    #[serde(deserialize_with = "Option::deserialize")]
    pub score: Option<f32>,
    #[serde(borrow, default)]
    pub reason: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub verdict: Option<Cow<'a, str>>,
    #[serde(default)]
    pub caption_length: u32,
    #[serde(default)]
    pub width: u32,
    #[serde(default)]
    pub height: u32,
    #[serde(borrow, default)]
    pub sha256: Option<Cow<'a, str>>,
}

impl Fields<'_> {
    /// The row; `None` where its uid is none.
    ///
    /// # Errors
    /// What the reason or the verdict is, if it is no known one.
    pub fn row(self) -> Result<Option<Row>, String> {
        let Ok(uid) = self.uid.parse() else { return Ok(None) };
        let facts = Facts {
            score: self.score,
            caption_length: self.caption_length,
            size: Size::new(self.width, self.height),
            content: self.sha256.and_then(|digits| digits.parse().ok()).unwrap_or_default(),
        };
        let found = match self.reason.as_deref().filter(|name| !name.is_empty()) {
            None => Reason::Passed,
            Some(name) => reason(name)?,
        };
        let decided = Policy::default().decide(found, facts);
        let (key, shard) = (self.key.into_owned(), self.shard.into_owned());
        let (mut verdict, reason) = (decided.verdict, decided.reason);
        if let Some(name) = self.verdict.as_deref().filter(|name| !name.is_empty()) {
            let known = Verdict::ALL.into_iter().find(|verdict| verdict.name() == name);
            verdict = known.ok_or_else(|| format!("the verdict {name:?} is none"))?;
        }
        Ok(Some(Row { uid, key, shard, verdict, reason, facts }))
    }
}

fn reason(name: &str) -> Result<Reason, String> {
    let known = Reason::ALL.iter().find(|reason| reason.name() == name);
    known.copied().ok_or_else(|| format!("the reason {name:?} is not known"))
}
