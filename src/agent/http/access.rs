//! Who may ask over TCP.
//!
//! A page in a browser on this machine can post to loopback, and by a name that leads there (DNS
//! rebinding) it can read the answer. So the name in `Host` must be an address, `localhost` or one that
//! the operator names, and an `Origin` must be this server's own. Where there is a token it must be
//! right, and then names say nothing more: no page has it. A Unix socket's mode says who may use it.

use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use pairgate_core::pair::Digest;

use super::{Address, refusal};
use crate::digest::sha256;

/// Bytes of a token at least: a shorter one can be guessed.
const MIN_TOKEN: usize = 16;
/// What may be asked without a token: whether the service is alive, and the page, which holds nothing and
/// asks for the token.
const OPEN_PATHS: [&str; 2] = ["/", "/healthz"];

/// Who may ask.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// The token's digest: two of one length take the same time to compare, and tell nothing of it.
    token: Option<Digest>,
    hosts: Vec<String>,
}

impl Access {
    /// Whoever reaches the server by an address, `localhost` or one of `hosts`.
    pub fn of_hosts(hosts: &[String]) -> Self {
        let hosts = hosts.iter().map(|host| host.to_ascii_lowercase()).collect();
        Self { token: None, hosts }
    }

    /// The same, and only with the token in the file at `path`.
    ///
    /// # Errors
    /// The system's; [`io::ErrorKind::InvalidData`] for fewer than 16 bytes, or what no header can
    /// hold.
    pub fn with_token(self, path: &Path) -> io::Result<Self> {
        let text = std::fs::read_to_string(path)?;
        let token = text.trim();
        let is_sound =
            token.len() >= MIN_TOKEN && token.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_sound {
            let why = "a token is a line of 16 or more visible ASCII characters, without spaces";
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        Ok(Self { token: Some(sha256(token.as_bytes())), ..self })
    }

    /// Whether a token is asked for.
    pub fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// What a request is refused for.
    fn refuses(&self, path: &str, headers: &HeaderMap) -> Option<(StatusCode, &'static str)> {
        let Some(host) = host(headers) else {
            return Some((StatusCode::BAD_REQUEST, "one Host header is needed"));
        };
        let foreign = headers.get_all(header::ORIGIN).iter().any(|origin| {
            let origin = origin.as_bytes();
            origin.strip_prefix(b"http://") != Some(host.as_bytes())
                && origin.strip_prefix(b"https://") != Some(host.as_bytes())
        });
        if foreign {
            return Some((StatusCode::FORBIDDEN, "the Origin is another one's"));
        }
        match self.token {
            Some(token) if !OPEN_PATHS.contains(&path) => match bearer(headers) {
                Some(given) if is_same(sha256(given), token) => None,
                _ => Some((StatusCode::UNAUTHORIZED, "a token is needed: Authorization: Bearer")),
            },
            Some(_) => None,
            None if self.knows(host) => None,
            None => Some((StatusCode::FORBIDDEN, "the Host is not one of this server's names")),
        }
    }

    /// Whether a page of another origin could not be called so.
    fn knows(&self, host: &str) -> bool {
        let name = name(host).to_ascii_lowercase();
        let address = name.trim_start_matches('[').trim_end_matches(']');
        address.parse::<IpAddr>().is_ok() || name == "localhost" || self.hosts.contains(&name)
    }
}

/// `app`, for whom `access` lets in.
pub fn guarded(app: Router, access: Access) -> Router {
    app.layer(from_fn_with_state(Arc::new(access), guard))
}

async fn guard(State(access): State<Arc<Access>>, request: Request, next: Next) -> Response {
    let over_tcp = !matches!(request.extensions().get(), Some(Address::Unix(_)));
    if over_tcp && let Some((status, why)) = access.refuses(request.uri().path(), request.headers())
    {
        let mut response = refusal(status, why);
        if status == StatusCode::UNAUTHORIZED {
            let scheme = axum::http::HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        return response;
    }
    next.run(request).await
}

/// The only `Host`.
fn host(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(header::HOST).iter();
    let host = all.next()?.to_str().ok()?;
    all.next().is_none().then_some(host)
}

/// A host without its port.
fn name(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| token.trim_ascii())
}

/// Compares all bytes, wherever they differ.
fn is_same(a: Digest, b: Digest) -> bool {
    let differences = a.0.iter().zip(&b.0).fold(0, |found, (a, b)| found | (a ^ b));
    std::hint::black_box(differences) == 0
}
