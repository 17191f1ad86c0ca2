//! The network's end of the link to a broker: one connection after the other.

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use rumqttc::{
    AsyncClient, ConnectReturnCode, ConnectionError, Event, EventLoop, LastWill, MqttOptions,
    Outgoing, Packet, QoS, StateError,
};
use sha2::{Digest, Sha256};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::in_flight::{InFlight, Message, Payload};
use super::queue::Queue;
use super::refusal::Refusals;
use super::{Broker, Delivery, Settings, Tls, Topics};

const ONLINE: &[u8] = b"online";
const OFFLINE: &[u8] = b"offline";

/// The broker takes a silent client for gone after one and a half times this.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Waits between two tries to connect: the first, which doubles, and the longest.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// A connection that lasts as long as this ends a series of failed ones.
const STEADY: Duration = Duration::from_secs(10);
/// Messages that wait for the broker's acknowledgement at most.
const MAX_IN_FLIGHT: usize = 32;
/// Largest packets in bytes. All that comes are acknowledgements. What goes out is at most names,
/// caption and metadata at their limits, six bytes for each character that JSON must escape.
const MAX_PACKET: (usize, usize) = (1 << 10, 1 << 20);

/// Brings what is in the queue to the broker.
pub(super) struct Network {
    broker: Broker,
    tls: Option<Tls>,
    topics: Topics,
    counters_every: Duration,
    patience: Duration,
    queue: Arc<Queue>,
    closing: watch::Receiver<bool>,
    in_flight: RefCell<InFlight>,
    delivered: Cell<u64>,
    refusals: RefCell<Refusals>,
    /// Whether the connection has brought something that counts to the broker.
    useful: Cell<bool>,
    /// Whether a warning was logged for the outage that lasts.
    warned: Cell<bool>,
}

/// What the connection is to do next.
enum Step {
    Pair(Message),
    Counters,
    /// Nothing, until there is news or, where a time is given, until then.
    Wait(Option<Instant>),
    /// Part: the run is over and all is delivered.
    Part,
}

impl Network {
    pub(super) fn new(
        settings: Settings,
        queue: Arc<Queue>,
        closing: watch::Receiver<bool>,
    ) -> Self {
        let Settings { broker, tls, topics, queue_bytes: _, counters_every, patience } = settings;
        let (in_flight, refusals) = (RefCell::default(), RefCell::default());
        let (delivered, useful, warned) = (Cell::new(0), Cell::new(false), Cell::new(false));
        Self {
            broker,
            tls,
            topics,
            counters_every,
            patience,
            queue,
            closing,
            in_flight,
            delivered,
            refusals,
            useful,
            warned,
        }
    }

    /// Runs until the link is closed and all is delivered, or patience is at its end.
    pub(super) async fn run(self) -> Delivery {
        tokio::select! {
            () = self.stay_connected() => {}
            () = self.deadline() => log::debug!("mqtt: no more patience"),
        }
        let on_their_way = self.in_flight.take().take();
        let kept = on_their_way.iter().filter(|payload| matches!(payload, Payload::Kept(_)));
        Delivery {
            delivered: self.delivered.get(),
            dropped: self.queue.dropped(),
            refused: self.refusals.borrow().kept(),
            undelivered: self.queue.ready() + kept.count() as u64,
        }
    }

    async fn deadline(&self) {
        self.closed().await;
        sleep(self.patience).await;
    }

    async fn closed(&self) {
        // An error is a link that is gone without a word.
        let _ = self.closing.clone().wait_for(|closing| *closing).await;
    }

    fn is_closing(&self) -> bool {
        *self.closing.borrow()
    }

    async fn stay_connected(&self) {
        let mut wait = FIRST_WAIT;
        loop {
            let began = Instant::now();
            self.useful.set(false);
            let Err(error) = self.connection().await else { return };
            if began.elapsed() >= STEADY {
                // The outage before is over.
                self.warned.set(false);
                wait = FIRST_WAIT;
            }
            self.warn(&error);
            let refused = self.sort_out(&error);
            if refused || self.useful.get() {
                wait = FIRST_WAIT;
            }
            if self.is_closing() {
                sleep(FIRST_WAIT).await;
            } else {
                // There is little time left once the link is being closed.
                let _ = timeout(wait, self.closed()).await;
            }
            wait = (2 * wait).min(LONGEST_WAIT);
        }
    }

    /// Takes back what was on its way when a connection ended, but for a message that the broker ends
    /// connections for; gives whether there was one.
    fn sort_out(&self, error: &ConnectionError) -> bool {
        let lost = self.in_flight.borrow_mut().take();
        let sorted = self.refusals.borrow_mut().sort(lost, is_by_broker(error));
        self.queue.put_back(sorted.again);
        if let Some(bytes) = sorted.refused {
            self.tell_refused(bytes);
        }
        sorted.refused.is_some()
    }

    /// One warning for all of them: the end of the run tells how many there were.
    fn tell_refused(&self, bytes: usize) {
        let broker = &self.broker;
        if self.refusals.borrow().kept() == 1 {
            log::warn!(
                "mqtt: {broker} ends the connection at a message of {bytes} bytes: it is left out and \
                 counted, as all that the broker refuses; the others go on"
            );
        } else {
            log::debug!("mqtt: {broker} refuses a message of {bytes} bytes");
        }
    }

    /// One connection, from its start to its planned end. Each has a client of its own: after a
    /// lost one nothing of its state is left, and what is unacknowledged is ours to send again.
    async fn connection(&self) -> Result<(), ConnectionError> {
        let (client, mut events) = AsyncClient::new(self.options(), 1);
        // The first event is the broker's consent.
        events.poll().await?;
        self.greet();
        // Neither is cancelled while the connection lasts: a packet could be cut in half.
        tokio::select! {
            ended = self.listen(&mut events) => ended,
            Err(_) = self.feed(&client) => Err(ConnectionError::RequestsDone),
        }
    }

    fn options(&self) -> MqttOptions {
        let id = client_id(&self.topics.node);
        let mut options = MqttOptions::new(id, &self.broker.host, self.broker.port);
        let will = LastWill::new(&self.topics.status, OFFLINE, QoS::AtLeastOnce, true);
        options.set_last_will(will).set_keep_alive(KEEP_ALIVE);
        options.set_max_packet_size(MAX_PACKET.0, MAX_PACKET.1);
        if let Some(tls) = &self.tls {
            options.set_transport(tls.transport());
        }
        if let Some(credentials) = &self.broker.credentials {
            options.set_credentials(&credentials.user, &credentials.password);
        }
        options
    }

    fn greet(&self) {
        let again = if self.warned.get() { " again" } else { "" };
        log::info!("mqtt: connected{again} to {}, below {}", self.broker, self.topics.node);
        // The broker may have lost what it retained.
        self.queue.count_again();
    }

    /// One warning an outage.
    fn warn(&self, error: &ConnectionError) {
        let why = match error {
            ConnectionError::ConnectionRefused(
                ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized,
            ) => "it refuses the user or the password".to_owned(),
            other => other.to_string(),
        };
        if self.warned.replace(true) {
            log::debug!("mqtt: {}: {why}", self.broker);
        } else {
            let broker = &self.broker;
            log::warn!(
                "mqtt: no connection to {broker} ({why}); the run goes on, more tries follow"
            );
        }
    }

    /// Follows the connection's events to its planned end.
    async fn listen(&self, events: &mut EventLoop) -> Result<(), ConnectionError> {
        loop {
            match events.poll().await? {
                Event::Outgoing(Outgoing::Publish(packet)) => {
                    self.in_flight.borrow_mut().sent(packet);
                }
                Event::Incoming(Packet::PubAck(ack)) => {
                    let payload = self.in_flight.borrow_mut().acknowledged(ack.pkid);
                    self.count_taken(payload.as_ref());
                    self.queue.wake();
                }
                Event::Outgoing(Outgoing::Disconnect) => return Ok(()),
                _ => {}
            }
        }
    }

    /// The broker has taken a message.
    fn count_taken(&self, payload: Option<&Payload>) {
        let Some(payload) = payload else { return };
        self.refusals.borrow_mut().taken(payload);
        let is_kept = matches!(payload, Payload::Kept(_));
        self.delivered.set(self.delivered.get() + u64::from(is_kept));
        self.useful.set(self.useful.get() || !matches!(payload, Payload::Status));
    }

    /// Hands over what there is to say, and at the end the farewell; then waits for
    /// [`listen`](Self::listen) to see it out.
    async fn feed(&self, client: &AsyncClient) -> Result<(), rumqttc::ClientError> {
        self.publish_status(client, ONLINE).await?;
        let mut counters_at = Instant::now();
        loop {
            match self.next_step(counters_at) {
                Step::Pair(message) => {
                    let (topic, bytes) = (&self.topics.kept, message.bytes.clone());
                    self.in_flight.borrow_mut().hand_over(Payload::Kept(message));
                    client.publish(topic, QoS::AtLeastOnce, false, bytes).await?;
                }
                Step::Counters => {
                    counters_at = Instant::now() + self.counters_every;
                    self.in_flight.borrow_mut().hand_over(Payload::Counters);
                    let refused = self.refusals.borrow().kept();
                    let (topic, message) = (&self.topics.counters, self.queue.counters(refused));
                    client.publish(topic, QoS::AtLeastOnce, true, message).await?;
                }
                Step::Wait(until) => self.wait(until).await,
                Step::Part => break,
            }
        }
        self.publish_status(client, OFFLINE).await?;
        while self.in_flight.borrow().len() > 0 {
            self.queue.news().await;
        }
        client.disconnect().await?;
        pending().await
    }

    fn next_step(&self, counters_at: Instant) -> Step {
        let in_flight = self.in_flight.borrow().len();
        let refusals = self.refusals.borrow();
        let counted = self.queue.has_counters() && !refusals.no_counters();
        // What may end the connection goes alone, so that it is known by it.
        let suspect = self.queue.is_suspect()
            || (counted && refusals.suspects_counters())
            || self.in_flight.borrow().any(|payload| refusals.suspects(payload));
        drop(refusals);
        if in_flight >= if suspect { 1 } else { MAX_IN_FLIGHT } {
            return Step::Wait(None);
        }
        // The last ones go last: they say how many messages were dropped.
        let due = counted && !self.is_closing() && Instant::now() >= counters_at;
        if due {
            return Step::Counters;
        }
        match self.pop() {
            Some(message) => Step::Pair(message),
            None if counted && self.is_closing() => Step::Counters,
            None if self.is_closing() && in_flight == 0 => Step::Part,
            None => Step::Wait(counted.then_some(counters_at)),
        }
    }

    /// The oldest message that the broker may take.
    fn pop(&self) -> Option<Message> {
        loop {
            let message = self.queue.pop()?;
            let bytes = message.bytes.len();
            if !self.refusals.borrow_mut().is_hopeless(bytes) {
                return Some(message);
            }
            self.tell_refused(bytes);
        }
    }

    async fn wait(&self, until: Option<Instant>) {
        match until {
            Some(time) => {
                tokio::select! { () = self.queue.news() => {}, () = sleep_until(time) => {} }
            }
            None => self.queue.news().await,
        }
    }

    async fn publish_status(
        &self,
        client: &AsyncClient,
        status: &[u8],
    ) -> Result<(), rumqttc::ClientError> {
        self.in_flight.borrow_mut().hand_over(Payload::Status);
        client.publish(&self.topics.status, QoS::AtLeastOnce, true, status).await
    }
}

/// Whether the broker, and not silence on the way to it, has ended a connection.
fn is_by_broker(error: &ConnectionError) -> bool {
    match error {
        ConnectionError::Io(_) => true,
        ConnectionError::MqttState(state) => !matches!(state, StateError::AwaitPingResp),
        _ => false,
    }
}

/// An id that every broker must take: up to 23 letters and digits.
fn client_id(node: &str) -> String {
    let digest = Sha256::digest(node.as_bytes());
    digest[..7].iter().fold("pairgate".to_owned(), |id, byte| id + &format!("{byte:02x}"))
}
