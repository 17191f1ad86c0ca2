//! The latest pairs, with small pictures while somebody looks.

use std::fs;
use std::time::Duration;

use pairgate_core::decision::{Reason, Verdict};
use serde_json::Value;

use super::client::{json, serve};
use super::{Played, sample, wait_until};
use crate::support::data;

const KEPT: (Verdict, Reason) = (Verdict::Kept, Reason::Passed);
const REJECTED: (Verdict, Reason) = (Verdict::Rejected, Reason::LowSimilarity);

fn picture() -> Vec<u8> {
    fs::read(data("pairs/sunset.jpg")).unwrap()
}

/// A pair is decided, so much later that it may be shown.
fn decide(played: &mut Played, (verdict, reason): (Verdict, Reason), caption: &str, image: &[u8]) {
    played.arrive();
    played.clock.pass(Duration::from_secs(1));
    played.decide_sample(sample(caption, image), verdict, reason, Some(0.5));
}

fn latest(played: &Played, after: u64) -> Vec<Value> {
    let snapshot = played.status.snapshot_with_latest(after);
    serde_json::to_value(snapshot.latest).unwrap().as_array().unwrap().clone()
}

#[test]
fn pictures_are_made_once_somebody_looks() {
    let mut played = Played::new(|_| {});
    let server = serve(&played.status);
    for number in 0..20 {
        decide(&mut played, KEPT, &format!("kept {number}"), &picture());
        decide(&mut played, REJECTED, "rejected", &picture());
        if number == 0 {
            // A picture that is made though nobody looks would be there by then.
            std::thread::sleep(Duration::from_millis(300));
        }
    }
    // Metrics and numbers are no look.
    assert_eq!(json(server.address(), "/status.json")["latest"], serde_json::json!([]));
    // The newest of each is there at once; of the others, which nobody looked at, nothing was made.
    wait_until("pictures", || latest(&played, 0).len() == 2);
    let shown = latest(&played, 0);
    assert_eq!(shown[0]["caption"], "kept 19");
    for pair in &shown {
        let url = pair["thumbnail"].as_str().unwrap();
        assert!(url.starts_with("data:image/jpeg;base64,"), "{url}");
    }
    decide(&mut played, KEPT, "one more", &picture());
    let newest = shown[1]["id"].as_u64().unwrap();
    wait_until("the next", || latest(&played, newest).len() == 1);
    assert_eq!(latest(&played, newest)[0]["caption"], "one more");
    // A minute later nobody looks.
    played.clock.pass(Duration::from_secs(61));
    let before = played.status.snapshot_with_latest(0).latest.len();
    played.clock.pass(Duration::from_secs(61));
    decide(&mut played, KEPT, "unseen", &picture());
    decide(&mut played, KEPT, "the last", &picture());
    wait_until("the last", || latest(&played, 0).len() > before);
    let captions: Vec<_> = latest(&played, 0).iter().map(|pair| pair["caption"].clone()).collect();
    assert!(captions.contains(&"the last".into()) && !captions.contains(&"unseen".into()));
}

#[test]
fn as_many_are_held_as_the_config_says() {
    let mut played = Played::new(|options| options.thumbnails = 3);
    latest(&played, 0);
    for caption in ["0", "1", "2", "3", "4", "5", "6", "7"] {
        decide(&mut played, KEPT, caption, b"no picture");
        wait_until("it", || {
            latest(&played, 0).last().is_some_and(|pair| pair["caption"] == caption)
        });
    }
    let shown = latest(&played, 0);
    let captions: Vec<_> = shown.iter().map(|pair| pair["caption"].as_str().unwrap()).collect();
    assert_eq!(captions, ["5", "6", "7"]);
    assert!(shown.iter().all(|pair| pair["thumbnail"].is_null()));
    let mut played = Played::new(|options| options.thumbnails = 0);
    latest(&played, 0);
    decide(&mut played, KEPT, "a caption", &picture());
    assert!(latest(&played, 0).is_empty());
}

#[test]
fn what_is_huge_or_odd_is_cut() {
    let mut played = Played::new(|_| {});
    latest(&played, 0);
    let long = "\u{1F600}".repeat(1 << 20);
    decide(&mut played, KEPT, &long, &vec![0xFF; 5 << 20]);
    wait_until("it", || latest(&played, 0).len() == 1);
    let shown = &latest(&played, 0)[0];
    assert_eq!(shown["caption"].as_str().unwrap().chars().count(), 400);
    assert!(shown["thumbnail"].is_null());
}
