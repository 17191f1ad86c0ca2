//! The MQTT broker that is told of a run.

use std::error::Error;
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::agent::status::Status;
use crate::cli::args::MqttArgs;
use crate::notify::mqtt::{Broker, Counters, Delivery, Link, Machine, Settings, Tls, Topics};
use crate::pipeline::Outcome;
use crate::sink::Sink;
use crate::store::ShardObserver;

/// The variable that holds the broker's password, where the URL does not.
const PASSWORD: &str = "PAIRGATE_MQTT_PASSWORD";

/// What the options ask for, checked.
pub struct Plan(Option<Settings>);

impl Plan {
    /// Checks the URL and the node's name; connects to nothing.
    pub fn of(args: &MqttArgs) -> Result<Self, Box<dyn Error>> {
        let Some(url) = &args.mqtt else { return Ok(Self(None)) };
        let mut broker: Broker = url.parse().map_err(|why| format!("--mqtt: {why}"))?;
        if let Ok(password) = std::env::var(PASSWORD) {
            broker = broker.or_password(&password);
        }
        let node = match &args.mqtt_node {
            Some(node) => node.clone(),
            None => {
                hostname::get().ok().and_then(|name| name.into_string().ok()).unwrap_or_default()
            }
        };
        let named = Topics::new(&broker, &node);
        let topics = named.map_err(|why| format!("--mqtt-node {node:?}: {why}"))?;
        let mut settings = Settings::new(broker, topics);
        settings.tls = tls(&settings.broker, args)?;
        Ok(Self(Some(settings)))
    }

    /// Nobody is told.
    pub fn none() -> Self {
        Self(None)
    }

    /// Whether there is a broker to tell.
    pub fn is_asked(&self) -> bool {
        self.0.is_some()
    }

    /// Bytes of messages that may wait for the broker.
    pub fn queue_bytes(&self) -> u64 {
        self.0.as_ref().map_or(0, |settings| settings.queue_bytes as u64)
    }

    /// Starts to connect, where a broker was asked for.
    pub fn open(self) -> io::Result<Listener> {
        self.0.map(Link::open).transpose().map(Listener)
    }
}

/// What a broker over TLS is checked by.
fn tls(broker: &Broker, args: &MqttArgs) -> Result<Option<Tls>, String> {
    let ca = certificates(args);
    match (broker.is_secure(), ca) {
        (true, ca) => Tls::load(ca).map(Some).map_err(|why| format!("--mqtt: {why}")),
        (false, Some(_)) => Err("--mqtt-ca is for a broker over TLS: --mqtt mqtts://...".into()),
        (false, None) => Ok(None),
    }
}

#[cfg(feature = "mqtts")]
fn certificates(args: &MqttArgs) -> Option<&Path> {
    args.mqtt_ca.as_deref()
}

#[cfg(not(feature = "mqtts"))]
fn certificates(_: &MqttArgs) -> Option<&Path> {
    None
}

/// The broker, if there is one.
pub struct Listener(Option<Link>);

impl Listener {
    /// Adds the broker's sink.
    pub fn add_to(&self, sinks: &mut Vec<Box<dyn Sink>>) {
        sinks.extend(self.0.iter().map(Link::sink));
    }

    /// Tells the broker of the machine and of what found no place too, with the counters.
    pub fn tell_of(&self, status: Option<&Arc<Status>>) {
        let (Some(link), Some(status)) = (&self.0, status) else { return };
        let status = status.clone();
        link.tell_of(Box::new(move || machine(&status)));
    }

    /// Tells the broker of each stored pair that has passed `threshold`.
    pub fn observer(&self, threshold: Option<f32>) -> Option<Box<dyn ShardObserver>> {
        self.0.as_ref().map(|link| link.announcer(threshold))
    }

    /// Tells the broker how the run ended, and the user what the broker did not get.
    pub fn close(self, outcome: &Outcome) {
        let Some(link) = self.0 else { return };
        let delivery = link.close(Counters::from(outcome));
        let Delivery { dropped, refused, undelivered, .. } = delivery;
        let total = dropped + refused + undelivered;
        if total > 0 {
            log::warn!(
                "mqtt: {total} kept pairs were not told of: {dropped} dropped from the full queue, \
                 {refused} refused by the broker, {undelivered} undelivered at the end"
            );
        }
    }
}

/// What the counters say of the machine.
fn machine(status: &Status) -> Machine {
    let found = status.machine();
    Machine {
        shed: Some(status.dropped()),
        pairs_per_second: Some(status.pairs_per_second()),
        temperature_c: found.celsius,
        disk_used_bytes: found.used_bytes,
        disk_free_bytes: found.free_bytes,
    }
}
