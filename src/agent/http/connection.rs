//! One connection: requests one after the other, under the watch of its limits.
//!
//! Everything that a client may fail to do is told by three things: when a byte came last, since when
//! none can be written, and whether a request is being answered. A connection that does not move in
//! time is dropped, and with it all that it holds.

use std::convert::Infallible;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::{Request, Response};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::Watcher;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, sleep_until};
use tower_service::Service;

use super::body::Timed;
use super::listener::{Address, Socket, Stream};
use super::{BodyTimeout, Limits};

/// Bytes of a connection that are held at most, unread or unwritten; a longer head is refused.
const BUFFER: usize = 64 << 10;

/// A connection that is to be served.
pub(super) struct Connection {
    stream: Stream,
    app: Router,
    limits: Limits,
}

impl Connection {
    pub fn new(stream: Stream, app: Router, limits: Limits) -> Self {
        Self { stream, app, limits }
    }

    /// Serves until the client ends it, it does not move, or the server ends.
    pub async fn serve(self, watcher: Watcher) {
        let Self { stream: Stream { socket, address }, app, limits } = self;
        let motion = Motion::new();
        let io = TokioIo::new(Watched { socket, motion: motion.clone() });
        let answering = motion.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let answering = Answering::begin(answering.clone());
            answer(app.clone(), request, address.clone(), limits, answering)
        });
        let mut http = http1::Builder::new();
        // Times are kept by the watch, which sees more than heads.
        http.max_buf_size(BUFFER).header_read_timeout(None);
        let mut connection = pin!(watcher.watch(http.serve_connection(io, service)));
        loop {
            let look = motion.next_look(&limits);
            tokio::select! {
                ended = &mut connection => {
                    if let Err(why) = ended {
                        log::debug!("a connection ended: {why}");
                    }
                    return;
                }
                () = sleep_until(look) => {
                    if let Some(why) = motion.stalls(&limits) {
                        log::debug!("a connection is cut off: {why}");
                        return;
                    }
                }
            }
        }
    }
}

/// Hands a request to the routes, which learn which way it came.
async fn answer(
    mut app: Router,
    request: Request<Incoming>,
    address: Address,
    limits: Limits,
    answering: Answering,
) -> Result<Response<Counted>, Infallible> {
    let mut request = request.map(|body| Body::new(Timed::new(body, limits.body)));
    request.extensions_mut().insert(address);
    // A router is always ready, and never fails.
    let response = app.call(request).await?;
    Ok(response.map(|body| Counted { body, _answering: answering }))
}

/// What a connection does, as its watch sees it.
#[derive(Clone)]
struct Motion(Arc<Mutex<State>>);

struct State {
    /// When a byte was read last, or an answer was written; at first, when it began.
    moved: Instant,
    /// When the first byte came of a head that is not whole yet.
    head: Option<Instant>,
    /// Whether a byte ever came.
    is_open: bool,
    /// Since when the client takes no more bytes.
    blocked: Option<Instant>,
    /// Requests that are being answered: one or none.
    answering: usize,
}

impl Motion {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(State {
            moved: Instant::now(),
            head: None,
            is_open: false,
            blocked: None,
            answering: 0,
        })))
    }

    fn with<T>(&self, what: impl FnOnce(&mut State) -> T) -> T {
        what(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What the connection must do by when.
    fn due(&self, limits: &Limits) -> Option<(Instant, &'static str)> {
        self.with(|state| {
            if let Some(since) = state.blocked {
                return Some((since + limits.body, "its client does not read"));
            }
            if state.answering > 0 {
                // Its body has a watch of its own, and what takes long is ours.
                return None;
            }
            Some(match (state.head, state.is_open) {
                (Some(since), _) => (since + limits.header, "a head that does not end"),
                (None, false) => (state.moved + limits.header, "nothing was asked"),
                (None, true) => (state.moved + limits.idle, "nothing more was asked"),
            })
        })
    }

    /// When to look again.
    fn next_look(&self, limits: &Limits) -> Instant {
        // While a request is answered, whatever comes after it takes longer than this.
        let least = limits.header.min(limits.idle).min(limits.body);
        self.due(limits).map_or_else(|| Instant::now() + least, |(due, _)| due)
    }

    /// Why the connection does not move; `None` where it does.
    fn stalls(&self, limits: &Limits) -> Option<&'static str> {
        self.due(limits).filter(|(due, _)| *due <= Instant::now()).map(|(_, why)| why)
    }
}

/// A request that is being answered, up to the last byte of its answer.
struct Answering(Motion);

impl Answering {
    fn begin(motion: Motion) -> Self {
        motion.with(|state| {
            state.answering += 1;
            state.head = None;
        });
        Self(motion)
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.with(|state| {
            state.answering -= 1;
            state.moved = Instant::now();
        });
    }
}

/// An answer's body, with which the answer ends.
struct Counted {
    body: Body,
    _answering: Answering,
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A socket that tells the watch of its bytes.
struct Watched {
    socket: Socket,
    motion: Motion,
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.socket).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.motion.with(|state| {
                state.moved = Instant::now();
                state.is_open = true;
                if state.answering == 0 {
                    state.head.get_or_insert(state.moved);
                }
            });
        }
        read
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write(context, bytes);
        self.motion.with(|state| match &written {
            Poll::Pending => {
                state.blocked.get_or_insert_with(Instant::now);
            }
            Poll::Ready(_) => state.blocked = None,
        });
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

/// Whether an error is, or comes of, a body that did not go on.
pub fn is_body_timeout(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| error.source())
        .any(|error| error.is::<BodyTimeout>())
}
