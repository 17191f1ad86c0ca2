//! Bodies: one that must keep coming, and one that another task writes.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::BoxError;
use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, Incoming, SizeHint};
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep, sleep};

/// A request's body of which no further piece came in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no further piece of the body came in {} ms", .0.as_millis())]
pub struct BodyTimeout(pub Duration);

/// A request's body, whose pieces follow one another within a time.
pub(super) struct Timed {
    body: Incoming,
    limit: Duration,
    /// Runs while a piece is waited for.
    until: Option<Pin<Box<Sleep>>>,
    is_waiting: bool,
}

impl Timed {
    pub fn new(body: Incoming, limit: Duration) -> Self {
        Self { body, limit, until: None, is_waiting: false }
    }

    fn poll_late(&mut self, context: &mut Context<'_>) -> Poll<BodyTimeout> {
        let limit = self.limit;
        let until = self.until.get_or_insert_with(|| Box::pin(sleep(limit)));
        if !std::mem::replace(&mut self.is_waiting, true) {
            until.as_mut().reset(Instant::now() + limit);
        }
        until.as_mut().poll(context).map(|()| BodyTimeout(limit))
    }
}

impl HttpBody for Timed {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(frame) => {
                self.is_waiting = false;
                Poll::Ready(frame.map(|frame| frame.map_err(BoxError::from)))
            }
            Poll::Pending => self.poll_late(context).map(|late| Some(Err(late.into()))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The next bytes of a body; `None` at its end.
///
/// # Errors
/// What the connection failed by, or a [`BodyTimeout`].
pub async fn next_piece(body: &mut Body) -> Result<Option<Bytes>, BoxError> {
    loop {
        match poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await {
            None => return Ok(None),
            Some(Err(error)) => return Err(error.into()),
            Some(Ok(frame)) => {
                // Trailers say nothing.
                if let Ok(bytes) = frame.into_data() {
                    return Ok(Some(bytes));
                }
            }
        }
    }
}

/// What an answer's body is written by.
pub type Writer = mpsc::Sender<Result<Bytes, BoxError>>;

/// An answer's body that another task writes piece by piece, at most `pieces` of which wait. An error
/// cuts the connection off, so that a client does not take the part for the whole.
pub fn piped(pieces: usize) -> (Writer, Body) {
    let (writer, reader) = mpsc::channel(pieces);
    (writer, Body::new(Piped(reader)))
}

struct Piped(mpsc::Receiver<Result<Bytes, BoxError>>);

impl HttpBody for Piped {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.0.poll_recv(context).map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}
