//! HTTP for commands that run on and on: an accept loop with limits, over TCP and Unix sockets.
//!
//! ```text
//! listener -> accept loop -> connection, under its watch -> Router
//!                            (silent, slow head, slow body, unread answer, idle: closed)
//! ```
//! The loop is our own because a stalled client must cost nobody anything: `axum::serve` sets no
//! timer. All of it runs on one thread of its own; what takes long is done elsewhere.

pub mod access;
mod body;
mod client;
mod connection;
mod listener;
mod refusal;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use axum::Router;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::runtime;
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

pub use body::{BodyTimeout, Writer, next_piece, piped};
pub use client::Target;
pub use connection::is_body_timeout;
pub use listener::{Address, Listener};
pub use refusal::refusal;

use connection::Connection;
use listener::{Accepting, Stream};

/// Time before a listener that failed (no free file descriptor) is asked again.
const PAUSE: Duration = Duration::from_millis(100);

/// What one server takes, and how long it waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once; one more is answered 503 and closed.
    pub connections: usize,
    /// Time for a request's head, and for the first byte of a connection.
    pub header: Duration,
    /// Time from one piece of a body to the next, and for a client that does not read its answer.
    pub body: Duration,
    /// Time that a connection may stay without a request.
    pub idle: Duration,
}

impl Default for Limits {
    /// 256 connections, 10 s for a head, 30 s for a piece of a body, 60 s without a request.
    fn default() -> Self {
        Self {
            connections: 256,
            header: Duration::from_secs(10),
            body: Duration::from_secs(30),
            idle: Duration::from_secs(60),
        }
    }
}

/// A server on a thread of its own.
#[derive(Debug)]
pub struct Server {
    addresses: Vec<Address>,
    stop: watch::Sender<Option<Duration>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts to serve `app` on `listeners`.
    ///
    /// # Errors
    /// The system's, where it gives no thread or takes no listener.
    pub fn start(listeners: Vec<Listener>, app: Router, limits: Limits) -> io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let addresses = listeners.iter().map(Listener::address).collect::<io::Result<_>>()?;
        let (stop, stopped) = watch::channel(None);
        let accepting = {
            let _inside = runtime.enter();
            listeners.into_iter().map(Accepting::new).collect::<io::Result<Vec<_>>>()?
        };
        let thread = thread::Builder::new().name("http".into()).spawn(move || {
            runtime.block_on(serve(accepting, app, limits, stopped));
            // A thread that reads a body that never ends must not hold up the end.
            runtime.shutdown_background();
        })?;
        Ok(Self { addresses, stop, thread: Some(thread) })
    }

    /// Where it listens.
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// Takes no further connection and no further request, waits until all answers are written, or
    /// for `deadline`, and ends.
    pub fn stop(mut self, deadline: Duration) {
        self.end(deadline);
    }

    fn end(&mut self, deadline: Duration) {
        let _ = self.stop.send(Some(deadline));
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            log::error!("the thread of HTTP panicked: see the log above");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.end(Duration::ZERO);
        }
    }
}

/// Serves until it is told to stop, and then for as long as that says.
async fn serve(
    listeners: Vec<Accepting>,
    app: Router,
    limits: Limits,
    mut stopped: watch::Receiver<Option<Duration>>,
) {
    let open = Arc::new(GracefulShutdown::new());
    let places = Arc::new(Semaphore::new(limits.connections));
    let loops: Vec<_> = listeners
        .into_iter()
        .map(|listener| {
            let each =
                Loop { app: app.clone(), limits, places: places.clone(), open: open.clone() };
            tokio::spawn(each.run(listener))
        })
        .collect();
    // An error is a server that is gone: no deadline then.
    let asked = stopped.wait_for(Option::is_some).await.ok().and_then(|asked| *asked);
    for each in loops {
        each.abort();
        let _ = each.await;
    }
    if let Some(open) = Arc::into_inner(open)
        && timeout(asked.unwrap_or_default(), open.shutdown()).await.is_err()
    {
        log::warn!("clients that had not got all of their answers were cut off");
    }
}

/// The accept loop of one listener.
struct Loop {
    app: Router,
    limits: Limits,
    places: Arc<Semaphore>,
    open: Arc<GracefulShutdown>,
}

impl Loop {
    async fn run(self, listener: Accepting) {
        loop {
            match listener.accept().await {
                Ok(stream) => self.take(stream),
                // A client that is gone already.
                Err(why) if why.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(why) => {
                    log::warn!("taking a connection: {why}");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    fn take(&self, stream: Stream) {
        let Ok(place) = self.places.clone().try_acquire_owned() else {
            stream.turn_away();
            return;
        };
        let connection = Connection::new(stream, self.app.clone(), self.limits);
        let watcher = self.open.watcher();
        tokio::spawn(async move {
            connection.serve(watcher).await;
            drop(place);
        });
    }
}

/// Whether only programs of this machine reach an address.
pub fn is_local(address: &SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}
