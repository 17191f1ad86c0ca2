//! A way to the broker that can be cut, while the broker and those who listen there go on.

use std::io;
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// Passes connections on to a broker's port while it is open; else it ends them.
pub struct Relay {
    pub port: u16,
    way: Arc<Mutex<Way>>,
}

#[derive(Default)]
struct Way {
    open: bool,
    streams: Vec<TcpStream>,
}

impl Relay {
    /// A way to `broker`, not open yet.
    pub fn to(broker: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let way = Arc::new(Mutex::new(Way::default()));
        let shared = way.clone();
        // It ends with the program that the tests are.
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let mut way = shared.lock().unwrap();
                if way.open {
                    way.streams.extend(join(stream, broker).unwrap());
                }
            }
        });
        Self { port, way }
    }

    pub fn open(&self) {
        self.way.lock().unwrap().open = true;
    }

    /// Ends all connections, and those to come.
    pub fn cut(&self) {
        let mut way = self.way.lock().unwrap();
        way.open = false;
        for stream in way.streams.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn join(here: TcpStream, broker: u16) -> io::Result<[TcpStream; 2]> {
    let there = TcpStream::connect((Ipv4Addr::LOCALHOST, broker))?;
    for (from, to) in [(&here, &there), (&there, &here)] {
        let (mut from, mut to) = (from.try_clone()?, to.try_clone()?);
        thread::spawn(move || {
            let _ = io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Both);
        });
    }
    Ok([here, there])
}
