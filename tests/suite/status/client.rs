//! A client that asks one thing and reads the answer.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use pairgate::agent::http::access::{Access, guarded};
use pairgate::agent::http::{Address, Limits, Listener, Server};
use pairgate::agent::status::{Status, routes};
use serde_json::Value;

pub struct Answer {
    pub status: u16,
    /// In lower case.
    pub head: String,
    pub body: String,
}

/// The routes of a status, on a port of their own.
pub fn serve(status: &Arc<Status>) -> Serving {
    let listener = Listener::tcp("127.0.0.1:0").unwrap();
    let Address::Tcp(address) = listener.address().unwrap() else { panic!("no TCP") };
    let app = guarded(routes(status.clone()), Access::default());
    Serving { _server: Server::start(vec![listener], app, Limits::default()).unwrap(), address }
}

/// A server, which ends when it is dropped.
pub struct Serving {
    _server: Server,
    address: SocketAddr,
}

impl Serving {
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

pub fn get(address: SocketAddr, path: &str) -> Answer {
    get_as(address, path, &address.to_string())
}

/// Asks under a host's name.
pub fn get_as(address: SocketAddr, path: &str, host: &str) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let lines = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(lines.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let (head, body) = (head.to_ascii_lowercase(), body.to_owned());
    // A body in chunks would need more than this.
    assert!(head.contains("content-length: "), "{head}");
    Answer { status, head, body }
}

pub fn json(address: SocketAddr, path: &str) -> Value {
    let answer = get(address, path);
    assert_eq!(answer.status, 200, "{}", answer.body);
    serde_json::from_str(&answer.body).unwrap()
}
