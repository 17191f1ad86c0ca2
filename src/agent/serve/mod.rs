//! Pairs by HTTP: one at a time, or as a tar.
//!
//! | route | takes | answers |
//! |---|---|---|
//! | `POST /v1/judge` | a form: `image`, `caption`, and `key`, `uid`, `metadata`, `headers`, `store` | JSON |
//! | `POST /v1/pairs` | a tar (WebDataset); `?store=0` judges only | a line of JSON a pair, as each is durable |
//!
//! Nothing is answered before it is on disk, but what is judged only. [`Desk`] is where requests and
//! the run meet, [`ChannelSource`] and [`Acknowledging`] are the run's two ends.

mod acknowledge;
mod answer;
mod budget;
mod channel;
mod desk;
mod form;
mod judge;
mod pace;
mod pairs;
mod window;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::post;
use pairgate_core::config::{SampleLimits, ServeConfig};
use tokio::sync::Semaphore;

pub use acknowledge::{Acknowledging, StoredNow, gone_on_with};
pub use answer::{Answer, Names, Place};
pub use channel::ChannelSource;
pub use desk::{Desk, Given, Present, Queues, Refused, Slot};
pub use window::Window;

use super::http::refusal;
use budget::Budget;

/// What journals call the input.
pub const SHARD: &str = "serve";

/// Bytes that the allocator keeps for a thread: as a config's need has it.
const THREAD_BYTES: u64 = 2 << 20;

/// What the routes share.
#[derive(Clone)]
struct Service {
    desk: Arc<Desk>,
    limits: SampleLimits,
    budget: Budget,
    streams: Arc<Semaphore>,
}

/// The routes below `/v1`, which hand pairs to `desk`.
pub fn routes(desk: Arc<Desk>, limits: SampleLimits, config: &ServeConfig) -> Router {
    let largest = limits.max_sample_bytes.saturating_add(form::FORM_BYTES);
    let service = Service {
        desk,
        limits,
        budget: Budget::new(config.max_bytes.max(largest)),
        streams: Arc::new(Semaphore::new(config.max_streams)),
    };
    // Bodies have limits of their own, which know of samples.
    Router::new()
        .route("/v1/judge", post(judge::judge))
        .route("/v1/pairs", post(pairs::pairs))
        .layer(DefaultBodyLimit::disable())
        .with_state(service)
}

/// Bytes that the service takes at worst beside the pipeline.
pub fn memory(limits: &SampleLimits, config: &ServeConfig) -> u64 {
    // A stream holds a sample, has a thread, and its unpacker a window.
    let stream = limits.max_sample_bytes.saturating_add(pairs::STREAM_BYTES + THREAD_BYTES);
    let streams = (config.max_streams as u64).saturating_mul(stream);
    // A connection's buffers, both ways.
    let connections = (config.max_connections as u64).saturating_mul(128 << 10);
    let bodies = config.max_bytes.max(limits.max_sample_bytes.saturating_add(form::FORM_BYTES));
    [THREAD_BYTES, streams, connections, bodies, Window::memory(config.uid_window)]
        .into_iter()
        .fold(0, u64::saturating_add)
}

/// The answer to whoever is not taken.
fn refused(refused: &Refused) -> Response {
    let status = match refused {
        Refused::Full => StatusCode::TOO_MANY_REQUESTS,
        Refused::Ending(_) => StatusCode::SERVICE_UNAVAILABLE,
    };
    refusal(status, &refused.to_string())
}
