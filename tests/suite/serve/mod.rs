//! `pairgate serve`, spoken to byte by byte: what is answered, what is stored, and who is refused.

mod access;
mod acknowledge;
mod answers;
mod beside;
mod ending;
mod limits;
mod spooled;
mod streams;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::cli::{pairgate, run, text};
use crate::support::data;

/// How long a condition is waited for: the machine may be busy with something else.
const PATIENCE: Duration = Duration::from_secs(60);

/// A service that was started, and its folder.
struct Service {
    child: Child,
    folder: TempDir,
    /// What it has written to standard error.
    said: Arc<Mutex<String>>,
}

impl Service {
    /// Starts it on a port that is free, where every score passes and no rule holds.
    fn start(more: &[&str]) -> Self {
        Self::over(tempfile::tempdir().unwrap(), more)
    }

    /// The same with a config of these lines.
    fn configured(lines: &str, more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("serve.toml");
        fs::write(&path, lines).unwrap();
        let config = text(&path);
        Self::over(folder, &[&["--config", &config], more].concat())
    }

    /// The same in a folder that is there.
    fn over(folder: TempDir, more: &[&str]) -> Self {
        let out = folder.path().join("kept");
        Self::into(folder, &out, more)
    }

    /// The same with another output folder.
    fn into(folder: TempDir, out: &Path, more: &[&str]) -> Self {
        let out = text(out);
        let mut args = vec!["serve", "-o", &out, "-t=-1"];
        if !more.contains(&"--rules") {
            args.extend(["--rules", "none"]);
        }
        if !more.contains(&"--listen") {
            args.extend(["--listen", "127.0.0.1:0"]);
        }
        args.extend(more);
        let mut command = pairgate(args);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (said, errors) = (Arc::<Mutex<String>>::default(), child.stderr.take().unwrap());
        let told = said.clone();
        thread::spawn(move || {
            for line in BufReader::new(errors).lines().map_while(Result::ok) {
                *told.lock().unwrap() += &format!("{line}\n");
            }
        });
        let mut service = Self { child, folder, said };
        let wanted = if more.contains(&"--socket") { "/serve.sock" } else { "http://" };
        wait_until("it listens", || {
            assert!(service.child.try_wait().unwrap().is_none(), "{}", service.said());
            service.said().contains(wanted)
        });
        service
    }

    fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// `127.0.0.1:PORT`.
    fn address(&self) -> String {
        let said = self.said();
        let (_, rest) = said.split_once("listening on http://").unwrap();
        rest.lines().next().unwrap().to_owned()
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Asks about one pair on a connection of its own.
    fn judge(&self, fields: &[(&str, &[u8])]) -> Reply {
        ask(&mut self.connect(), &form_request(&self.address(), fields, ""))
    }

    fn out(&self) -> PathBuf {
        self.folder.path().join("kept")
    }

    fn signal(&self, name: &str) {
        let mut kill = std::process::Command::new("kill");
        kill.args([name, &self.child.id().to_string()]);
        run(kill, 0);
    }

    /// Its exit code, and its folder; the summary is checked to add up.
    fn wait(mut self) -> (i32, TempDir, String) {
        wait_until("it ends", || self.child.try_wait().unwrap().is_some());
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        let said = self.said();
        // What is left of it is dropped: the process is gone.
        let folder = std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap());
        (code, folder, said)
    }

    /// Ends it by SIGTERM, after which it must be well.
    fn end(self) -> TempDir {
        self.signal("-TERM");
        let (code, folder, said) = self.wait();
        assert_eq!(code, 0, "{said}");
        folder
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An answer of HTTP.
#[derive(Debug)]
struct Reply {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("{} {}", self.head, String::from_utf8_lossy(&self.body)))
    }

    #[track_caller]
    fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{}", String::from_utf8_lossy(&self.body));
        self.json()
    }
}

/// Sends a request, and reads its answer.
fn ask(stream: &mut (impl Read + Write), request: &[u8]) -> Reply {
    stream.write_all(request).unwrap();
    answer(stream)
}

fn answer(stream: &mut impl Read) -> Reply {
    try_answer(stream).expect("an answer")
}

/// The next answer; `None` where the connection ends before one.
fn try_answer(stream: &mut impl Read) -> Option<Reply> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let body = match length {
        Some(length) => {
            let mut body = vec![0; length.trim().parse().unwrap()];
            stream.read_exact(&mut body).ok()?;
            body
        }
        None => chunks(stream)?,
    };
    Some(Reply { status, head, body })
}

/// A chunked body; `None` where it is cut off.
fn chunks(stream: &mut impl Read) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).ok()?;
            line.push(byte[0]);
        }
        let length = std::str::from_utf8(&line).unwrap().trim();
        let length = usize::from_str_radix(length, 16).unwrap();
        let mut chunk = vec![0; length + 2];
        stream.read_exact(&mut chunk).ok()?;
        if length == 0 {
            return Some(body);
        }
        body.extend_from_slice(&chunk[..length]);
    }
}

/// A form as it goes over the wire; `more` are lines of its head.
fn form_request(host: &str, fields: &[(&str, &[u8])], more: &str) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in fields {
        let head = "--pairgate-test\r\ncontent-disposition: form-data; name=";
        body.extend_from_slice(format!("{head}\"{name}\"\r\n\r\n").as_bytes());
        body.extend_from_slice(value);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--pairgate-test--\r\n");
    let kind = "content-type: multipart/form-data; boundary=pairgate-test";
    request(host, "/v1/judge", &format!("{kind}\r\n{more}"), &body)
}

fn request(host: &str, path: &str, lines: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {}\r\n{lines}\r\n",
        body.len()
    );
    let head = head.replace("\r\n\r\n", "\r\n").trim_end().to_owned() + "\r\n\r\n";
    [head.as_bytes(), body].concat()
}

fn beach() -> Vec<u8> {
    fs::read(data("pairs/beach.jpg")).unwrap()
}

/// A uid that is this number.
fn uid(number: u32) -> String {
    format!("{number:032x}")
}

/// A field of each name, the picture among them.
fn pair<'a>(image: &'a [u8], more: &[(&'a str, &'a [u8])]) -> Vec<(&'a str, &'a [u8])> {
    [&[("image", image), ("caption", b"waves roll onto a sandy beach".as_slice())], more].concat()
}

/// All records of an output folder.
fn records(out: &Path) -> Vec<Value> {
    let output = pairgate(["journal", "cat", &text(out)]).output().unwrap();
    assert!(matches!(output.status.code(), Some(0 | 1)), "{output:?}");
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[track_caller]
fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let since = Instant::now();
    while !holds() {
        assert!(since.elapsed() < PATIENCE, "not within a minute: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Whether the other side ends the connection, without a further byte.
fn is_closed(stream: &mut impl Read) -> bool {
    matches!(stream.read(&mut [0]), Ok(0)) || {
        // Reset, where bytes were left unread.
        stream.read(&mut [0]).is_err_and(|why| why.kind() == std::io::ErrorKind::ConnectionReset)
    }
}
