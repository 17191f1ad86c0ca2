//! The least of a client: one request, one answer, over TCP or a Unix socket.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, Request, StatusCode, header};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime;
use tokio::time::timeout;

use super::next_piece;

/// Bytes of an answer at most.
const MAX_ANSWER: usize = 16 << 20;

/// Whom a client asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// `host:port`.
    Tcp(String),
    /// A Unix socket.
    Unix(PathBuf),
}

impl FromStr for Target {
    type Err = String;

    /// `http://HOST:PORT`, or the path of a Unix socket; a port that is not said is 8787.
    fn from_str(text: &str) -> Result<Self, String> {
        let Some(rest) = text.strip_prefix("http://") else {
            if text.is_empty() || text.contains("://") {
                return Err("not http://HOST:PORT, and no path of a socket".to_owned());
            }
            return Ok(Self::Unix(text.into()));
        };
        let host = rest.trim_end_matches('/');
        if host.is_empty() || host.contains('/') {
            return Err("not http://HOST:PORT".to_owned());
        }
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        Ok(Self::Tcp(if has_port { host.to_owned() } else { format!("{host}:8787") }))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(host) => write!(f, "http://{host}"),
            Self::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

impl Target {
    /// Sends a request, and gives the answer's status and body, within `limit`.
    ///
    /// # Errors
    /// The system's; [`io::ErrorKind::TimedOut`]; one for what is no HTTP.
    pub fn ask(&self, request: Request<Body>, limit: Duration) -> io::Result<(StatusCode, Bytes)> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        // Within the runtime, whose clock it runs by.
        let answer = runtime.block_on(async { timeout(limit, self.answer(request)).await });
        answer.unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "no answer in time")))
    }

    async fn answer(&self, mut request: Request<Body>) -> io::Result<(StatusCode, Bytes)> {
        let host = match self {
            Self::Tcp(host) => host,
            Self::Unix(_) => "localhost",
        };
        let host = HeaderValue::from_str(host).map_err(io::Error::other)?;
        request.headers_mut().insert(header::HOST, host);
        match self {
            Self::Tcp(host) => exchange(TcpStream::connect(host).await?, request).await,
            #[cfg(unix)]
            Self::Unix(path) => {
                exchange(tokio::net::UnixStream::connect(path).await?, request).await
            }
            #[cfg(not(unix))]
            Self::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Body>,
) -> io::Result<(StatusCode, Bytes)> {
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    tokio::spawn(async move {
        // What it failed by, the answer fails by.
        let _ = connection.await;
    });
    let response = sender.send_request(request).await.map_err(io::Error::other)?;
    let status = response.status();
    let mut body = Body::new(response.into_body());
    let mut whole = Vec::new();
    while let Some(piece) = next_piece(&mut body).await.map_err(io::Error::other)? {
        whole.extend_from_slice(&piece);
        if whole.len() > MAX_ANSWER {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the answer is too long"));
        }
    }
    Ok((status, whole.into()))
}
