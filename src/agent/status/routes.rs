//! What is answered of a run over HTTP.
//!
//! | path | answer |
//! |---|---|
//! | `/` | the page |
//! | `/status.json` | a [`Snapshot`](super::Snapshot); with `?latest=ID` the latest pairs after it too |
//! | `/metrics` | OpenMetrics' text |
//! | `/healthz` | 200 while the run makes progress, else 503 and what stands still |
//! | `/readyz` | 200 while it takes more work, else 503 and why not |

use std::sync::Arc;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;

use super::{Snapshot, Status, metrics, page};

/// The routes of the module's page.
pub fn routes(status: Arc<Status>) -> Router {
    Router::new()
        .route("/", get(show))
        .route("/status.json", get(json))
        .route("/metrics", get(measured))
        .route("/healthz", get(health))
        .route("/readyz", get(readiness))
        .with_state(status)
}

#[derive(Deserialize)]
struct Asked {
    /// The newest pair that the page has; 0 for none.
    latest: Option<u64>,
}

async fn show() -> Response {
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, page::policy()),
        (REFERRER_POLICY, "no-referrer"),
    ];
    (headers, plain(), page::html()).into_response()
}

async fn json(State(status): State<Arc<Status>>, Query(asked): Query<Asked>) -> Response {
    let taken = snapshot(status, asked.latest).await;
    let body = taken.and_then(|taken| serde_json::to_vec(&taken).ok());
    let headers = [(CONTENT_TYPE, "application/json")];
    body.map_or_else(failed, |body| (headers, plain(), body).into_response())
}

async fn measured(State(status): State<Arc<Status>>) -> Response {
    let headers = [(CONTENT_TYPE, metrics::CONTENT_TYPE)];
    let text = snapshot(status, None).await.map(metrics::text);
    text.map_or_else(failed, |text| (headers, plain(), text).into_response())
}

async fn health(State(status): State<Arc<Status>>) -> Response {
    match status.health() {
        Ok(()) => (plain(), "ok\n").into_response(),
        Err(stall) => refused(&stall.to_string()),
    }
}

async fn readiness(State(status): State<Arc<Status>>) -> Response {
    match status.readiness() {
        Ok(()) => (plain(), "ready\n").into_response(),
        Err(why) => refused(&why),
    }
}

/// A look at the disk may take a while: not on the thread that serves all others.
async fn snapshot(status: Arc<Status>, latest: Option<u64>) -> Option<Snapshot> {
    let take = move || match latest {
        Some(after) => status.snapshot_with_latest(after),
        None => status.snapshot(),
    };
    tokio::task::spawn_blocking(take).await.ok()
}

/// Headers of every answer: none is kept, and none is taken for what it is not.
fn plain() -> [(HeaderName, &'static str); 2] {
    [(CACHE_CONTROL, "no-store"), (X_CONTENT_TYPE_OPTIONS, "nosniff")]
}

fn refused(why: &str) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, plain(), format!("{why}\n")).into_response()
}

fn failed() -> Response {
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}
