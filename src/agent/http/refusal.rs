//! Answers that say no.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// An answer that says in JSON why it is none: `{"error": "..."}`. Where asking again may help, it
/// says after how long.
pub fn refusal(status: StatusCode, why: &str) -> Response {
    let text = format!("{}\n", json!({ "error": why }));
    let kind = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let mut response = (status, [kind], text).into_response();
    let again = [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE];
    if again.contains(&status) {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}
