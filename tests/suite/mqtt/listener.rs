//! Somebody who listens to all that a broker is told.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

use rumqttc::{Client, Event, MqttOptions, Packet, QoS};
use serde_json::Value;

use super::broker::LOGIN;
use super::wait_until;

/// One message, as it came.
#[derive(Debug, Clone)]
pub struct Heard {
    pub topic: String,
    pub payload: Vec<u8>,
    /// Whether the broker had it before the listener came.
    pub retained: bool,
    /// Whether the shard that the message names was there when the message was.
    pub shard_exists: bool,
}

impl Heard {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.payload).unwrap()
    }
}

/// Hears every message from when it is made.
#[derive(Clone)]
pub struct Listener {
    heard: Arc<Mutex<Vec<Heard>>>,
}

impl Listener {
    pub fn at(port: u16) -> Self {
        // The broker gives a name to each that has none.
        let mut options = MqttOptions::new("", "127.0.0.1", port);
        options.set_credentials(LOGIN.0, LOGIN.1).set_max_packet_size(1 << 20, 1 << 20);
        let (client, mut connection) = Client::new(options, 10);
        client.subscribe("#", QoS::AtLeastOnce).unwrap();
        let listener = Self { heard: Arc::default() };
        let heard = listener.heard.clone();
        let (ready, is_ready) = crossbeam_channel::bounded(1);
        thread::spawn(move || {
            // So that the connection stays.
            let _client = client;
            for event in connection.iter().map_while(Result::ok) {
                match event {
                    Event::Incoming(Packet::SubAck(_)) => ready.send(()).unwrap(),
                    Event::Incoming(Packet::Publish(message)) => {
                        heard.lock().unwrap().push(note(message));
                    }
                    _ => {}
                }
            }
        });
        is_ready.recv().expect("the broker lets the listener in");
        listener
    }

    /// All messages so far whose topic has this last level.
    pub fn heard(&self, level: &str) -> Vec<Heard> {
        let heard = self.heard.lock().unwrap();
        let wanted = heard.iter().filter(|heard| heard.topic.rsplit('/').next() == Some(level));
        wanted.cloned().collect()
    }

    /// What was said of the node's status, in order.
    pub fn statuses(&self) -> Vec<String> {
        let text = |heard: Heard| String::from_utf8(heard.payload).unwrap();
        self.heard("status").into_iter().map(text).collect()
    }

    /// Waits until that is the latest status.
    #[track_caller]
    pub fn wait_for_status(&self, status: &str) {
        wait_until(status, || self.statuses().last().is_some_and(|last| last == status));
    }

    /// Waits for a message of counters that are so, and gives it.
    #[track_caller]
    pub fn wait_for_counters(&self, is_so: impl Fn(&Value) -> bool) -> Value {
        let mut found = None;
        wait_until("counters", || {
            found = self.heard("counters").iter().map(Heard::json).find(|json| is_so(json));
            found.is_some()
        });
        found.unwrap()
    }

    /// The field of each kept pair, in order.
    pub fn kept(&self, field: &str) -> Vec<Value> {
        self.heard("kept").iter().map(|heard| heard.json()[field].clone()).collect()
    }
}

fn note(message: rumqttc::Publish) -> Heard {
    let payload = message.payload.to_vec();
    let json: Value = serde_json::from_slice(&payload).unwrap_or_default();
    let shard_exists = json["path"].as_str().is_some_and(|path| Path::new(path).is_file());
    Heard { topic: message.topic, payload, retained: message.retain, shard_exists }
}
