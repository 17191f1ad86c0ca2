//! `pairgate health`: whether a running pairgate makes progress.

mod args;

use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::process::ExitCode;
use std::time::Duration;

use crate::cli::terminal::print;
use crate::printable::printable;

pub use args::HealthArgs;

/// Bytes of an answer that are read at most.
const MAX_ANSWER: u64 = 64 << 10;
/// The port where the URL says none.
const PORT: u16 = 80;

/// Runs the command.
pub fn run(args: &HealthArgs) -> Result<ExitCode, Box<dyn Error>> {
    let asked = Asked::of(&args.url)?;
    let answer = ask(&asked, Duration::from_secs(args.timeout.get()));
    let (is_well, why) = match answer {
        Ok((status, body)) => (status == 200, format!("{status} {}", first_line(&body))),
        Err(why) => (false, why.to_string()),
    };
    print(&format!("{}: {}\n", printable(&args.url), printable(why.trim_end())))?;
    Ok(ExitCode::from(u8::from(!is_well)))
}

/// A URL, taken apart.
#[derive(Debug, PartialEq, Eq)]
struct Asked<'a> {
    /// Host and port as the URL has them.
    authority: &'a str,
    path: &'a str,
}

impl<'a> Asked<'a> {
    fn of(url: &'a str) -> Result<Self, String> {
        let wrong = |why| format!("{url:?}: {why}, such as http://127.0.0.1:8787");
        let rest = url.strip_prefix("http://").ok_or(wrong("it is asked by plain HTTP"))?;
        let (authority, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
        // Neither may end a line of the request.
        let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        if authority.is_empty() || authority.contains('@') || !is_plain(rest) {
            return Err(wrong("not a URL with a host"));
        }
        Ok(Self { authority, path: if path.len() > 1 { path } else { "/healthz" } })
    }

    /// With the port, which a URL may leave out.
    fn address(&self) -> String {
        let has_port = self.authority.rsplit_once(':').is_some_and(|(_, port)| {
            !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())
        });
        let authority = self.authority.trim_end_matches(':');
        if has_port { authority.to_owned() } else { format!("{authority}:{PORT}") }
    }
}

/// The answer's status and body.
fn ask(asked: &Asked<'_>, patience: Duration) -> io::Result<(u16, String)> {
    let mut stream = connect(&asked.address(), patience)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    let Asked { authority, path } = asked;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER).read_to_end(&mut answer)?;
    parse(&String::from_utf8_lossy(&answer))
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the answer is not HTTP"))
}

fn connect(address: &str, patience: Duration) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, patience) {
            Ok(stream) => return Ok(stream),
            Err(why) => last = why,
        }
    }
    Err(last)
}

fn parse(answer: &str) -> Option<(u16, String)> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.")?.split(' ').nth(1)?;
    Some((status.parse().ok()?, body.to_owned()))
}

fn first_line(body: &str) -> &str {
    body.lines().next().unwrap_or_default()
}
