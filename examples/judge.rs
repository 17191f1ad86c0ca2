//! Asks a running `pairgate serve` about one pair, with the standard library alone:
//!
//! ```sh
//! pairgate serve -o kept &
//! cargo run --release --example judge -- 127.0.0.1:8787 photo.jpg "a dog on a beach"
//! ```

use std::error::Error;
use std::io::{Read, Write};
use std::net::TcpStream;

/// What stands between two fields: anything that is in neither of them.
const BOUNDARY: &str = "5f1d7a84c3b94c0d9f0e6a2b";

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, image, caption] = arguments.as_slice() else {
        return Err("judge ADDRESS IMAGE CAPTION".into());
    };
    let form = form(&[("image", &std::fs::read(image)?), ("caption", caption.as_bytes())]);
    let mut stream = TcpStream::connect(address)?;
    write!(
        stream,
        "POST /v1/judge HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
         content-type: multipart/form-data; boundary={BOUNDARY}\r\ncontent-length: {}\r\n\r\n",
        form.len()
    )?;
    stream.write_all(&form)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("the answer is no HTTP")?;
    let answer: serde_json::Value = serde_json::from_str(body)?;
    if !head.starts_with("HTTP/1.1 200 ") {
        return Err(format!("not judged: {}", answer["error"]).into());
    }
    // When this is printed, a kept pair is on disk.
    println!("{}: {}, score {}", answer["verdict"], answer["reason"], answer["score"]);
    Ok(())
}

/// The fields as `multipart/form-data`.
fn form(fields: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in fields {
        let head = format!("content-disposition: form-data; name=\"{name}\"");
        body.extend_from_slice(format!("--{BOUNDARY}\r\n{head}\r\n\r\n").as_bytes());
        body.extend_from_slice(value);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    body
}
