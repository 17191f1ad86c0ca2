//! The run's end of the link to a broker.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::sync::watch;

use super::network::Network;
use super::queue::{Look, Queue};
use super::{Announcer, Broker, Counters, Machine, MqttSink, Tls, Topics};
use crate::sink::Sink;
use crate::store::ShardObserver;

/// The thread's name.
const THREAD: &str = "mqtt";

/// How a run tells a broker of itself.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The broker.
    pub broker: Broker,
    /// What its certificate is checked by; there where it is spoken to over TLS.
    pub tls: Option<Tls>,
    /// The node's topics there.
    pub topics: Topics,
    /// Bytes of messages that wait, for their shard or for the network. Beyond them the oldest
    /// are dropped. A shard of 10000 pairs takes 5 to 10 MB.
    pub queue_bytes: usize,
    /// Shortest time between two messages of counters, but for the last ones.
    pub counters_every: Duration,
    /// How long [`Link::close`] waits at most for what is queued.
    pub patience: Duration,
}

impl Settings {
    /// 16 MiB, and twice 5 seconds; what a broker over TLS is checked by is to be added.
    pub fn new(broker: Broker, topics: Topics) -> Self {
        let seconds = Duration::from_secs(5);
        let (counters_every, patience) = (seconds, seconds);
        Self { broker, tls: None, topics, queue_bytes: 16 << 20, counters_every, patience }
    }
}

/// How many messages of kept pairs arrived. Those of pairs whose shard never got its name are in
/// none of these: they were never due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Delivery {
    /// The broker acknowledged them.
    pub delivered: u64,
    /// The queue had no room for them.
    pub dropped: u64,
    /// The broker would not have them.
    pub refused: u64,
    /// They were still waiting when the link was closed.
    pub undelivered: u64,
}

/// A broker that is told of a run, on a thread of its own. The thread connects, connects again
/// after an outage, and logs one warning for each; it never ends a run. Dropped before
/// [`close`](Self::close), the link is closed without last counters.
#[derive(Debug)]
pub struct Link {
    queue: Arc<Queue>,
    closing: watch::Sender<bool>,
    thread: Option<JoinHandle<Delivery>>,
}

impl Link {
    /// Starts to connect, and does not wait for it.
    ///
    /// # Errors
    /// The system gives no thread, or the broker wants TLS and the settings have none.
    pub fn open(settings: Settings) -> io::Result<Self> {
        let failed = |why: io::Error| {
            io::Error::new(why.kind(), format!("starting the thread {THREAD:?}: {why}"))
        };
        if settings.broker.is_secure() != settings.tls.is_some() {
            let why = "a broker over TLS needs certificates that are trusted, and no other does";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        let queue = Arc::new(Queue::new(settings.queue_bytes));
        let (closing, closed) = watch::channel(false);
        let runtime = Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let network = Network::new(settings, queue.clone(), closed);
        let run = move || {
            let delivery = runtime.block_on(network.run());
            // A name that is being looked up would hold the thread.
            runtime.shutdown_background();
            delivery
        };
        let thread = thread::Builder::new().name(THREAD.into()).spawn(run).map_err(failed)?;
        Ok(Self { queue, closing, thread: Some(thread) })
    }

    /// A sink that keeps the broker's counters up to date.
    pub fn sink(&self) -> Box<dyn Sink> {
        Box::new(MqttSink::new(self.queue.clone()))
    }

    /// The counters tell of the machine too, by `look`, which is asked on the link's own thread.
    pub fn tell_of(&self, look: Box<dyn Fn() -> Machine + Send + Sync>) {
        self.queue.tell_of(Look(look));
    }

    /// Tells the broker of kept pairs; for [`StoreSink`](crate::store::StoreSink).
    /// `threshold` is the one that they passed.
    pub fn announcer(&self, threshold: Option<f32>) -> Box<dyn ShardObserver> {
        Box::new(Announcer { queue: self.queue.clone(), threshold })
    }

    /// Gives the broker the last counters, says `offline` and parts from it, after
    /// [`Settings::patience`] at the latest.
    pub fn close(mut self, last: Counters) -> Delivery {
        self.queue.tell(last);
        self.end()
    }

    fn end(&mut self) -> Delivery {
        let Some(thread) = self.thread.take() else { return Delivery::default() };
        // An error would mean that the thread has ended, which the join tells.
        let _ = self.closing.send(true);
        self.queue.wake();
        thread.join().unwrap_or_else(|_| {
            let (dropped, undelivered) = (self.queue.dropped(), self.queue.ready());
            Delivery { delivered: 0, dropped, refused: 0, undelivered }
        })
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.end();
    }
}
