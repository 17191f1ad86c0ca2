//! The question, and the answer as people read it.

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use serde_json::Value;

use super::JudgeArgs;
use crate::agent::http::Target;
use crate::cli::session::SOME_FAILED;
use crate::cli::terminal::{BAD, GOOD, POOR, Styled};
use crate::digest::sha256;

/// Time for an answer: the service's own limits are shorter.
const LIMIT: Duration = Duration::from_secs(120);
/// Bytes of a picture that are sent at most: no service takes more.
const MOST: u64 = 4 << 30;

/// Runs the command.
pub fn run(args: &JudgeArgs) -> Result<ExitCode, Box<dyn Error>> {
    let target: Target = args.to.parse().map_err(|why| format!("--to {}: {why}", args.to))?;
    let image = read(&args.image)?;
    let mut fields = vec![("image", image), ("caption", args.caption.clone().into_bytes())];
    let texts = [("uid", &args.uid), ("key", &args.key)];
    for (name, value) in texts {
        fields.extend(value.clone().map(|value| (name, value.into_bytes())));
    }
    if args.only {
        fields.push(("store", b"0".to_vec()));
    }
    let failed = |why: io::Error| format!("asking {target}: {why}");
    let (status, body) = target.ask(request(&fields, args)?, LIMIT).map_err(failed)?;
    let answer: Value = serde_json::from_slice(&body)
        .map_err(|_| format!("asking {target}: {status}, and no JSON: is it pairgate serve?"))?;
    if status != StatusCode::OK {
        let why = answer["error"].as_str().unwrap_or_default();
        return Err(format!("asking {target}: {status}: {why}").into());
    }
    tell(&answer, args.json).print()?;
    Ok(ExitCode::from(if answer["verdict"] == "kept" { 0 } else { SOME_FAILED }))
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let is_stdin = path == Path::new("-");
    let name = if is_stdin { "standard input".into() } else { path.to_string_lossy() };
    let failed = |why: io::Error| format!("reading {name}: {why}");
    let reader: Box<dyn Read> =
        if is_stdin { Box::new(io::stdin()) } else { Box::new(File::open(path).map_err(failed)?) };
    let mut bytes = Vec::new();
    reader.take(MOST).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// The fields as a form.
fn request(fields: &[(&str, Vec<u8>)], args: &JudgeArgs) -> Result<Request<Body>, Box<dyn Error>> {
    // What a digest of the fields is, is in none of them.
    let all: Vec<u8> = fields.iter().flat_map(|(_, value)| value.iter().copied()).collect();
    let boundary = sha256(&all).to_string();
    let mut body = Vec::with_capacity(all.len() + 1024);
    for (name, value) in fields {
        let head =
            format!("--{boundary}\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n");
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(value);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    let kind = format!("multipart/form-data; boundary={boundary}");
    let mut request = Request::post("/v1/judge").header(header::CONTENT_TYPE, kind);
    if let Some(path) = &args.token_file {
        let token = fs::read_to_string(path);
        let token = token.map_err(|why| format!("reading {}: {why}", path.display()))?;
        request = request.header(header::AUTHORIZATION, format!("Bearer {}", token.trim()));
    }
    Ok(request.body(Body::from(body))?)
}

fn tell(answer: &Value, as_json: bool) -> Styled {
    let mut text = Styled::default();
    if as_json {
        text.plain(&format!("{answer:#}\n"));
        return text;
    }
    let verdict = answer["verdict"].as_str().unwrap_or_default();
    let style = match verdict {
        "kept" => GOOD,
        "rejected" => POOR,
        _ => BAD,
    };
    if !answer["score"].is_null() {
        text.plain(&format!("score       {}\n", answer["score"]));
    }
    text.plain("verdict     ").styled(style, verdict);
    text.plain(&format!("; the threshold is {}\n", answer["threshold"]));
    let reason = answer["reason"].as_str().unwrap_or_default();
    if reason != "passed" {
        text.plain(&format!("reason      {reason}\n"));
    }
    if let (Some(shard), Some(key)) =
        (answer["stored"]["shard"].as_str(), answer["stored"]["key"].as_str())
    {
        text.plain(&format!("stored      {key} in {shard}\n"));
    }
    text
}
