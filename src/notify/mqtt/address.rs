//! Where the broker is, and what a node's topics are called.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

/// The port where the URL names none: over plain TCP, and over TLS.
const DEFAULT_PORTS: (u16, u16) = (1883, 8883);
/// The prefix of topics where the URL names none.
const DEFAULT_PREFIX: &str = "pairgate";
/// Longest URL in bytes: what is in it must fit the protocol's 16-bit lengths, and more than this
/// is no address.
const MAX_URL: usize = 4096;
/// Longest prefix and longest node name, in bytes.
const MAX_NAME: usize = 256;

/// What is wrong with a broker's URL or a node's name. The texts repeat nothing of the URL, in
/// which a password may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// The URL does not start with `mqtt://` or `mqtts://`.
    #[error(
        "not an MQTT URL: it must be mqtt://[user[:password]@]host[:port][/prefix], or mqtts:// for TLS"
    )]
    Scheme,
    /// The URL asks for a websocket.
    #[error("only mqtt://, plain TCP, and mqtts://, TLS, can be spoken")]
    Transport,
    /// The URL asks for TLS, which this build does not speak.
    #[error(
        "this pairgate is built without the feature `mqtts`: it speaks mqtt://, plain TCP; for a broker elsewhere, bridge it to one on this host or network"
    )]
    Plain,
    /// The URL asks for TLS at an IPv6 address, which the client takes for no name of a certificate.
    #[error("over TLS the MQTT URL's host must be a name or an IPv4 address")]
    SecureHost,
    /// The URL is too long.
    #[error("the MQTT URL has more than {MAX_URL} bytes")]
    TooLong,
    /// The URL has a character that must be written as `%` and two hex digits.
    #[error("the MQTT URL has a {0:?}: write it as %{code:02X}", code = u32::from(*.0))]
    Character(char),
    /// A `%` is not followed by two hex digits, or together they are not UTF-8 or hold a NUL.
    #[error("the MQTT URL has a % that does not stand for a character")]
    Escape,
    /// The user is missing before a password.
    #[error("the MQTT URL has a password but no user")]
    User,
    /// The host is missing or is not a name or an address.
    #[error("the MQTT URL's host must be a name, an IPv4 address or an IPv6 address in brackets")]
    Host,
    /// The port is not a number from 1 to 65535.
    #[error("the MQTT URL's port must be 1 to 65535")]
    Port,
    /// The prefix cannot be the start of a topic.
    #[error(
        "the MQTT URL's prefix must be 1 to {MAX_NAME} bytes, without +, #, empty levels and control characters, and not start with $"
    )]
    Prefix,
    /// The node's name cannot be a level of a topic.
    #[error(
        "the MQTT node's name must be 1 to {MAX_NAME} bytes, without /, +, # and control characters"
    )]
    Node,
}

/// A broker, and the prefix of the topics there: `mqtt://[user[:password]@]host[:port][/prefix]`, or
/// `mqtts://` for TLS.
///
/// The port is 1883, over TLS 8883, and the prefix `pairgate` where they are not said. In user, password and
/// prefix `%` and two hex digits stand for a byte.
#[derive(Clone, PartialEq, Eq)]
pub struct Broker {
    /// As a resolver takes it: an IPv6 address has its brackets.
    pub(super) host: String,
    pub(super) port: u16,
    is_secure: bool,
    pub(super) credentials: Option<Credentials>,
    prefix: String,
}

/// What the broker is to know its client by.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Credentials {
    pub(super) user: String,
    /// Empty where none was said.
    pub(super) password: String,
}

impl Broker {
    /// The prefix of topics.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Whether it is spoken to over TLS.
    pub fn is_secure(&self) -> bool {
        self.is_secure
    }

    /// Takes `password` where the URL has a user and no password: one in a URL can be seen by all
    /// who may list processes.
    pub fn or_password(mut self, password: &str) -> Self {
        if let Some(credentials) = self.credentials.as_mut().filter(|c| c.password.is_empty()) {
            credentials.password = password.to_owned();
        }
        self
    }
}

impl FromStr for Broker {
    type Err = AddressError;

    fn from_str(url: &str) -> Result<Self, AddressError> {
        if url.len() > MAX_URL {
            return Err(AddressError::TooLong);
        }
        let (scheme, rest) = url.split_once("://").ok_or(AddressError::Scheme)?;
        let is_secure = match scheme.to_ascii_lowercase().as_str() {
            "mqtt" => false,
            "mqtts" if cfg!(feature = "mqtts") => true,
            "mqtts" => return Err(AddressError::Plain),
            "ssl" | "tls" | "ws" | "wss" => return Err(AddressError::Transport),
            _ => return Err(AddressError::Scheme),
        };
        let unwritten = |c: char| c.is_control() || c.is_whitespace() || matches!(c, '?' | '#');
        if let Some(c) = rest.chars().find(|&c| unwritten(c)) {
            return Err(AddressError::Character(c));
        }
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, address) = match authority.rsplit_once('@') {
            Some((login, address)) => (Some(login), address),
            None => (None, authority),
        };
        let default_port = if is_secure { DEFAULT_PORTS.1 } else { DEFAULT_PORTS.0 };
        let (host, port) = host_and_port(address, default_port)?;
        if is_secure && host.starts_with('[') {
            return Err(AddressError::SecureHost);
        }
        let credentials = login.map(credentials).transpose()?;
        Ok(Self { host, port, is_secure, credentials, prefix: prefix(path)? })
    }
}

impl fmt::Display for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Without the credentials.
impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Broker({self}/{})", self.prefix)
    }
}

fn host_and_port(address: &str, default_port: u16) -> Result<(String, u16), AddressError> {
    let end = if address.starts_with('[') {
        address.find(']').map(|end| end + 1).ok_or(AddressError::Host)?
    } else {
        address.find(':').unwrap_or(address.len())
    };
    let (host, port) = address.split_at(end);
    if !is_host(host) {
        return Err(AddressError::Host);
    }
    let port = match port.strip_prefix(':') {
        Some(digits) => port_number(digits)?,
        None if port.is_empty() => default_port,
        None => return Err(AddressError::Host),
    };
    Ok((host.to_owned(), port))
}

fn is_host(host: &str) -> bool {
    let inside = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    if let Some(address) = inside {
        return address.parse::<Ipv6Addr>().is_ok();
    }
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
    !host.is_empty() && host.chars().all(fits)
}

fn port_number(digits: &str) -> Result<u16, AddressError> {
    // A sign would be parsed.
    let digits = digits.bytes().all(|byte| byte.is_ascii_digit()).then_some(digits);
    let port = digits.and_then(|digits| digits.parse().ok());
    port.filter(|&port| port > 0).ok_or(AddressError::Port)
}

fn credentials(login: &str) -> Result<Credentials, AddressError> {
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    let credentials = Credentials { user: unescape(user)?, password: unescape(password)? };
    // The protocol has no password without a user.
    if credentials.user.is_empty() { Err(AddressError::User) } else { Ok(credentials) }
}

fn prefix(path: &str) -> Result<String, AddressError> {
    if path.is_empty() {
        return Ok(DEFAULT_PREFIX.to_owned());
    }
    let prefix = unescape(path.strip_suffix('/').unwrap_or(path))?;
    // What starts with a dollar sign is the broker's own.
    let fits = prefix.len() <= MAX_NAME && !prefix.starts_with('$');
    let fits = fits && prefix.split('/').all(is_level);
    fits.then_some(prefix).ok_or(AddressError::Prefix)
}

/// Whether the text can be one level of a topic.
fn is_level(level: &str) -> bool {
    !level.is_empty() && !level.contains(|c: char| matches!(c, '/' | '+' | '#') || c.is_control())
}

/// The text with the bytes that `%` and two hex digits stand for.
fn unescape(text: &str) -> Result<String, AddressError> {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let digits = part.get(..2).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.ok_or(AddressError::Escape)?);
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    let text = String::from_utf8(bytes).map_err(|_| AddressError::Escape)?;
    if text.contains('\0') { Err(AddressError::Escape) } else { Ok(text) }
}

/// The topics of one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topics {
    /// `PREFIX/NODE`.
    pub(super) node: String,
    /// `PREFIX/NODE/status`.
    pub status: String,
    /// `PREFIX/NODE/counters`.
    pub counters: String,
    /// `PREFIX/NODE/kept`.
    pub kept: String,
}

impl Topics {
    /// The topics of `node` below `broker`'s prefix.
    ///
    /// # Errors
    /// [`AddressError::Node`] if the name cannot be a level of a topic.
    pub fn new(broker: &Broker, node: &str) -> Result<Self, AddressError> {
        if node.len() > MAX_NAME || !is_level(node) {
            return Err(AddressError::Node);
        }
        let node = format!("{}/{node}", broker.prefix);
        let topic = |name| format!("{node}/{name}");
        let (status, counters, kept) = (topic("status"), topic("counters"), topic("kept"));
        Ok(Self { node, status, counters, kept })
    }
}
