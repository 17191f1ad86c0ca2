//! A stream of pairs as a tar, and a line of JSON for each.
//!
//! The tar is read on a thread of its own, which waits wherever the stream does: for the body's next
//! piece, for a place in the queue, and for a client that does not read its answers. So a stream never
//! holds more than a sample, and a few answers.

use std::io::{self, Read};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::desk::{Given, Refused, Slot};
use super::{SHARD, Service};
use crate::agent::http::{Writer, is_body_timeout, next_piece, piped, refusal};
use crate::source::tar::TarSource;
use crate::source::{Sample, Source};

/// Pieces of a body that wait for the tar's reader.
const PIECES: usize = 4;
/// Pairs of a stream whose answers are not written yet.
const ANSWERS: usize = 256;
/// Time for a client to read its answers, while more of them cannot be held.
const UNREAD: Duration = Duration::from_secs(60);
/// Bytes that a stream holds beside a sample: pieces of its body, what gzip and bzip2 refer back to,
/// answers.
pub const STREAM_BYTES: u64 = 5 << 20;

/// Judges the pairs of a tar.
pub async fn pairs(
    State(service): State<Service>,
    RawQuery(query): RawQuery,
    mut body: Body,
) -> Response {
    let stores = match query.as_deref() {
        None | Some("" | "store=1") => true,
        Some("store=0") => false,
        Some(_) => return refusal(StatusCode::BAD_REQUEST, "the query is store=1 or store=0"),
    };
    if let Some(why) = service.desk.ending() {
        return super::refused(&Refused::Ending(why));
    }
    let Ok(place) = service.streams.clone().try_acquire_owned() else {
        let why = "no further stream is taken now (serve.max_streams)";
        return refusal(StatusCode::TOO_MANY_REQUESTS, why);
    };
    let first = match next_piece(&mut body).await {
        Ok(first) => first.unwrap_or_default(),
        Err(why) if is_body_timeout(&*why) => {
            return refusal(StatusCode::REQUEST_TIMEOUT, &why.to_string());
        }
        Err(why) => return refusal(StatusCode::BAD_REQUEST, &why.to_string()),
    };
    if holds_large_windows(&first) {
        let why = "a tar is taken plain, or packed with gzip or bzip2";
        return refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, why);
    }
    let (pieces, reader) = mpsc::channel(PIECES);
    let (slots, waiting) = mpsc::channel(ANSWERS);
    let (lines, answer) = piped(1);
    let reader = Pieces { pieces: reader, current: first, broken: None };
    tokio::spawn(feed(body, pieces));
    tokio::spawn(write(service.clone(), waiting, lines));
    let handle = Handle::current();
    tokio::task::spawn_blocking(move || {
        let _place = place;
        read(&service, reader, stores, &slots, &handle);
    });
    ([(header::CONTENT_TYPE, "application/x-ndjson")], answer).into_response()
}

/// Whether it is packed so that its reader must hold up to 128 MiB of it: zstd and xz.
fn holds_large_windows(first: &[u8]) -> bool {
    matches!(first, [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
        || first.starts_with(b"\xfd7zXZ\0")
}

/// Hands the body's pieces to the tar's reader, as fast as that takes them.
async fn feed(mut body: Body, pieces: mpsc::Sender<Result<Bytes, io::Error>>) {
    loop {
        let piece = match next_piece(&mut body).await {
            Ok(Some(piece)) => Ok(piece),
            Ok(None) => return,
            Err(why) => Err(io::Error::other(why)),
        };
        let ends = piece.is_err();
        if pieces.send(piece).await.is_err() || ends {
            return;
        }
    }
}

/// What the tar's reader says of each pair, in their order.
enum Next {
    Pair(Slot),
    /// The stream ends here, and not as it should.
    Broken(String),
}

/// Reads the tar, and hands its pairs over one by one.
fn read(
    service: &Service,
    mut body: Pieces,
    stores: bool,
    slots: &mpsc::Sender<Next>,
    handle: &Handle,
) {
    // A body that broke off is no torn tar: what came of its last pair is of no pair at all.
    let mut tar = TarSource::new(&mut body, SHARD, service.limits);
    let broken = loop {
        let sample = match tar.next() {
            Ok(Some(sample)) => sample,
            Ok(None) => break None,
            Err(error) => break Some(error.to_string()),
        };
        let next = match hand_over(service, sample, stores) {
            Ok(slot) => Next::Pair(slot),
            Err(why) => break Some(why.to_string()),
        };
        let sent = handle.block_on(async { timeout(UNREAD, slots.send(next)).await });
        if !matches!(sent, Ok(Ok(()))) {
            log::debug!("a stream's client does not read its answers");
            return;
        }
    };
    drop(tar);
    if let Some(why) = body.broken.take().or(broken) {
        let last = slots.send(Next::Broken(why));
        let _ = handle.block_on(async { timeout(UNREAD, last).await });
    }
}

fn hand_over(service: &Service, sample: Sample, stores: bool) -> Result<Slot, Refused> {
    if stores {
        return service.desk.offer_in_turn(sample);
    }
    loop {
        service.desk.wait_to_judge()?;
        match service.desk.judge_only(sample.clone(), None) {
            Err(Refused::Full) => {}
            done => return done,
        }
    }
}

/// Writes each answer as it comes. A stream that does not end well ends with a line that says why, and
/// its answer is cut off, so that nobody takes it for whole.
async fn write(service: Service, mut waiting: mpsc::Receiver<Next>, lines: Writer) {
    while let Some(next) = waiting.recv().await {
        let given = match next {
            Next::Pair(slot) => service.desk.answer(slot).await.map_err(|why| why.to_string()),
            Next::Broken(why) => Err(why),
        };
        let line = match &given {
            Ok(Given { answer, repeated }) => answer.json(*repeated),
            Err(why) => json!({ "error": why }),
        };
        if lines.send(Ok(format!("{line}\n").into())).await.is_err() {
            return;
        }
        if let Err(why) = given {
            let _ = lines.send(Err(why.into())).await;
            return;
        }
    }
}

/// A body as something to read, on a thread that may wait.
struct Pieces {
    pieces: mpsc::Receiver<Result<Bytes, io::Error>>,
    current: Bytes,
    /// Why the body broke off.
    broken: Option<String>,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.pieces.blocking_recv() {
                Some(Ok(piece)) => self.current = piece,
                Some(Err(why)) => {
                    self.broken = Some(format!("the body broke off: {why}"));
                    return Err(self.gone());
                }
                None if self.broken.is_some() => return Err(self.gone()),
                None => return Ok(0),
            }
        }
        let count = buffer.len().min(self.current.len());
        buffer[..count].copy_from_slice(&self.current.split_to(count));
        Ok(count)
    }
}

impl Pieces {
    /// An error of the system's: a tar's reader takes others for damage of the tar.
    fn gone(&self) -> io::Error {
        /// `ECONNRESET` of Linux; which number it is says nothing to anybody.
        const RESET: i32 = 104;
        io::Error::from_raw_os_error(RESET)
    }
}
