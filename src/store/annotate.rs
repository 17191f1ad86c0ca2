//! The decision told in a kept sample's own `.json` member.

use serde_json::json;

use super::Judged;
use crate::score_text::shortest;
use crate::source::spliced;

/// The name of the member that is spliced in.
const MEMBER: &str = "pairgate";

/// The sample's `.json` text with a member `pairgate` at its end, the rest as it was, to the byte; of
/// a sample without one, a text of that member alone. `threshold` is told where none moves. `None` where the text is no JSON object.
pub(super) fn annotated(judged: &Judged, threshold: Option<f32>) -> Option<Vec<u8>> {
    let told = told(judged, judged.threshold.or(threshold));
    let Some(json) = judged.sample.member("json") else {
        return Some(format!("{{\"{MEMBER}\":{told}}}").into_bytes());
    };
    spliced(json, &format!("\"{MEMBER}\":{told}"))
}

fn told(judged: &Judged, threshold: Option<f32>) -> String {
    let Judged { uid, decision, sample, .. } = judged;
    let mut told = json!({
        "uid": uid.to_string(),
        "score": decision.facts.score.map(shortest),
        "reason": decision.reason.name(),
        "key": sample.key,
        "shard": &*sample.shard,
    });
    if let Some(threshold) = threshold {
        told["threshold"] = shortest(threshold);
    }
    told.to_string()
}
