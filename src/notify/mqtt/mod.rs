//! Status, counters and kept pairs, told to an MQTT broker (3.1.1, over plain TCP or TLS).
//!
//! The broker is a listener, never a part of the run: nothing waits for it, and nothing fails with
//! it. What it must know goes through one queue of bounded bytes, and what does not fit there is
//! counted as dropped.
//!
//! # Topics
//! All are below `PREFIX/NODE`, and all messages have QoS 1, so that a message may come twice.
//!
//! | topic | retained | payload |
//! |---|---|---|
//! | `PREFIX/NODE/status` | yes | `online` or `offline`; `offline` is also the last will, so that the broker says it of a node that was killed or cut off |
//! | `PREFIX/NODE/counters` | yes | JSON: the run so far, at most every 5 seconds, and at the end |
//! | `PREFIX/NODE/kept` | no | JSON: one kept pair, once the shard that holds it is on disk under its name |
//!
//! # Counters
//! ```json
//! {"read":13,"kept":6,"rejected":6,"failed":1,"unstored":0,
//!  "reasons":{"kept":{"passed":6},"rejected":{"low_similarity":6},"failed":{"undecodable":1}},
//!  "dropped":0,"refused":0,"shed":0,"pairs_per_second":0.8,"temperature_c":58.5,
//!  "disk_used_bytes":18874368,"disk_free_bytes":9663676416,"ended":true}
//! ```
//! `read` is the sum of the four behind it. `unstored` are pairs that a failing disk has lost,
//! `dropped` are messages of kept pairs that were dropped: the queue had no room for them, or the broker
//! would not have them; the latter are `refused`. `shed` are pairs or frames that found no place and
//! were never judged. It and the four behind it are `null` where they are not known. `ended` is true in the run's last one.
//!
//! # Kept pairs
//! ```json
//! {"uid":"3f…","key":"000000003","source":"00000.tar","path":"kept/00000.tar",
//!  "stored_key":"000000003","reason":"passed","score":0.2734,"threshold":0.25,
//!  "caption":"a dog on a beach","caption_length":16,"width":640,"height":480,
//!  "metadata":{"url":"https://…"},"metadata_bytes":812}
//! ```
//! - `key` is the sample's name in its `source`, `stored_key` its name in the shard at `path`; they
//!   differ where the name was not safe or was taken.
//! - `score` is `null` where the network was not asked.
//! - `caption` is `null` where there is none, and is cut after [`MAX_CAPTION`] bytes;
//!   `caption_length` counts the code points of all of it.
//! - `metadata` is the sample's own `.json` member: `null` where it has none, or where that is no
//!   object or has more than [`MAX_METADATA`] bytes. `metadata_bytes` is its size.
//! - No other member is ever sent: pixels stay in the shard.
//!
//! A shard's pairs are told of when it is closed, all at once. A broker that queues little for its
//! subscribers (mosquitto: 1000 messages) asks for shards of no more pairs than that.
//!
//! A broker to which a message is too large ends the connection. That message is sent twice more, alone;
//! where the connection ends each time it is counted as `refused`, and the others go on.
//!
//! # One run a node
//! The client's id follows from prefix and node: a run that comes back after a power cut takes its
//! place over, and the broker tells of the old one's end first. Two runs at the same time need two
//! names.

mod address;
mod in_flight;
mod link;
mod network;
mod payload;
mod queue;
mod refusal;
#[cfg_attr(not(feature = "mqtts"), path = "no_tls.rs")]
mod tls;

use std::path::Path;
use std::sync::Arc;

use pairgate_core::stats::Counts;

use crate::disk::IoError;
use crate::journal::Terms;
use crate::sink::{Judged, RunEnd, Sink};
use crate::store::ShardObserver;

pub use address::{AddressError, Broker, Topics};
pub use link::{Delivery, Link, Settings};
pub use payload::{Counters, MAX_CAPTION, MAX_METADATA, Machine};
pub use tls::Tls;

use queue::Queue;

/// Counts the decided pairs for the broker.
#[derive(Debug)]
pub struct MqttSink {
    queue: Arc<Queue>,
    counts: Counts,
}

impl MqttSink {
    fn new(queue: Arc<Queue>) -> Self {
        Self { queue, counts: Counts::default() }
    }
}

impl Sink for MqttSink {
    fn accept(&mut self, judged: &Judged) -> Result<(), IoError> {
        self.counts.add(&judged.decision);
        self.queue.tell(Counters { counts: self.counts, ..Counters::default() });
        Ok(())
    }

    /// Does not wait for the broker; [`Link::close`] does, for a while.
    fn finish(&mut self, _: RunEnd) -> Result<(), IoError> {
        Ok(())
    }
}

/// Tells the broker of kept pairs, each after its shard.
#[derive(Debug)]
struct Announcer {
    queue: Arc<Queue>,
    threshold: Option<f32>,
}

impl ShardObserver for Announcer {
    fn stored(&mut self, judged: &Judged, shard: &Path, key: &str) {
        self.queue.hold(payload::kept(judged, shard, key, judged.threshold.or(self.threshold)));
    }

    fn published(&mut self, _shard: &Path) {
        self.queue.release();
    }

    fn abandoned(&mut self) {
        self.queue.withdraw();
    }

    fn epoch(&mut self, terms: &Terms) {
        self.threshold = terms.threshold;
    }
}
