//! What a command that runs on and on tells of itself: over HTTP, to a service manager, to a broker.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::Ordering;

#[cfg(feature = "serve")]
use crate::agent::http::access::{Access, guarded};
#[cfg(feature = "serve")]
use crate::agent::http::{Address, Limits, Listener, Server, is_local};
#[cfg(feature = "serve")]
use crate::agent::status::routes;
use crate::agent::status::{Status, StatusOptions};
#[cfg(target_os = "linux")]
use crate::agent::systemd::ServiceManager;
use crate::capture::queue::FrameQueue;
use crate::cli::args::ListenArgs;
use crate::cli::outbox::Levels;
use crate::cli::session::Session;
use crate::pipeline::Outcome;
use crate::sink::Sink;
use crate::source::Source;

/// An address that is listened at already, so that one that is taken is told before the model is
/// loaded.
pub struct Listening {
    #[cfg(feature = "serve")]
    listener: Option<Listener>,
    /// Whether it is told over HTTP, by this listener or by the command's own server.
    is_asked: bool,
}

impl Listening {
    /// Listens where `args` say.
    #[cfg(feature = "serve")]
    pub fn bind(args: &ListenArgs) -> Result<Self, Box<dyn Error>> {
        let Some(address) = args.listen else {
            return Ok(Self { listener: None, is_asked: false });
        };
        if !address.ip().is_loopback() && !args.open {
            return Err(format!(
                "--listen {address}: others could reach it: give --open to let them, or listen at \
                 127.0.0.1:{}",
                address.port()
            )
            .into());
        }
        let bound = Listener::tcp(&address.to_string());
        let listener = bound.map_err(|why| format!("--listen {address}: {why}"))?;
        Ok(Self { listener: Some(listener), is_asked: true })
    }

    /// The command's own server tells of it too: see [`Operations::routes`].
    #[cfg(feature = "serve")]
    pub fn of_service() -> Self {
        Self { listener: None, is_asked: true }
    }

    #[cfg(not(feature = "serve"))]
    pub fn bind(_: &ListenArgs) -> Result<Self, Box<dyn Error>> {
        Ok(Self { is_asked: false })
    }
}

/// Whether a service manager wants to be told.
fn is_managed() -> bool {
    cfg!(target_os = "linux") && std::env::var_os("NOTIFY_SOCKET").is_some()
}

/// A run's status, where anybody hears of it; else nothing is counted and nothing costs anything.
pub struct Operations {
    status: Option<Arc<Status>>,
    listening: Listening,
    #[cfg(feature = "serve")]
    server: Option<Server>,
    #[cfg(target_os = "linux")]
    manager: Option<ServiceManager>,
}

impl Operations {
    /// For a run with these options, of which the session's part is filled in; its gates, which are
    /// made after this, count their stages. `is_told` says that somebody else hears of it, a broker
    /// for instance.
    pub fn new(
        listening: Listening,
        session: &mut Session,
        mut options: StatusOptions,
        is_told: bool,
    ) -> Result<Self, Box<dyn Error>> {
        let mut status = None;
        if listening.is_asked || is_managed() || is_told {
            if !listening.is_asked {
                // Nobody could look at them.
                options.thumbnails = 0;
            }
            let manifest = session.model.manifest();
            options.model = session.model.digest().to_string();
            options.calibration.clone_from(&manifest.score_quantiles);
            options.stop = session.signals.stop.clone();
            options.levels = session.signals.levels.clone();
            let made = Status::new(options)?;
            session.stages = Some(made.stages().clone());
            status = Some(made);
        }
        Ok(Self {
            status,
            listening,
            #[cfg(feature = "serve")]
            server: None,
            #[cfg(target_os = "linux")]
            manager: None,
        })
    }

    /// Bytes of memory that telling takes at worst.
    pub fn memory(&self, session: &Session) -> u64 {
        self.status.as_ref().map_or(0, |_| {
            let mut config = session.config.clone();
            if !self.listening.is_asked {
                config.agent.thumbnails = 0;
            }
            Status::memory(&config)
        })
    }

    /// The status, where anybody hears of it.
    pub fn status(&self) -> Option<&Arc<Status>> {
        self.status.as_ref()
    }

    /// What is told over HTTP, for a command that has a server of its own.
    #[cfg(feature = "serve")]
    pub fn routes(&self) -> axum::Router {
        self.status.as_ref().map_or_else(axum::Router::new, |status| routes(status.clone()))
    }

    /// Counts what `app` refuses.
    #[cfg(feature = "serve")]
    pub fn counting_refusals(&self, app: axum::Router) -> axum::Router {
        match &self.status {
            Some(status) => counting_refusals(status.clone(), app),
            None => app,
        }
    }

    /// A camera's frames wait in `queue`.
    pub fn set_frames(&self, queue: &Arc<FrameQueue>) {
        if let Some(status) = &self.status {
            status.set_frames(queue.clone());
        }
    }

    /// Puts what counts around the sinks, of which the first one stores: no sink is to be added after
    /// this.
    pub fn surround(&self, sinks: &mut Vec<Box<dyn Sink>>) {
        if let Some(status) = &self.status {
            sinks.insert(0, status.storing());
            sinks.push(status.observer());
        }
    }

    /// Puts what counts behind a source.
    pub fn behind(&self, source: Box<dyn Source>) -> Box<dyn Source> {
        match &self.status {
            Some(status) => status.arrivals(source),
            None => source,
        }
    }

    /// Starts to tell: the run is about to begin.
    pub fn start(&mut self) -> Result<(), Box<dyn Error>> {
        let Some(status) = &self.status else { return Ok(()) };
        #[cfg(feature = "serve")]
        if let Some(listener) = self.listening.listener.take() {
            let address = listener.address()?;
            let app = match &address {
                Address::Tcp(bound) if is_local(bound) => {
                    guarded(routes(status.clone()), Access::default())
                }
                _ => routes(status.clone()),
            };
            let app = counting_refusals(status.clone(), app);
            self.server = Some(Server::start(vec![listener], app, Limits::default())?);
            log::info!("{address}: a page, metrics and health");
        }
        #[cfg(target_os = "linux")]
        {
            self.manager = ServiceManager::tell(status)?;
        }
        Ok(())
    }

    /// The run's loop has come round, and its spool, if it has one, is so full.
    pub fn beat_with(&self, spool: &Levels) {
        if let (Some(status), Some(level)) = (&self.status, spool.now()) {
            let told = status.spool();
            told.pairs.store(level.pairs, Ordering::Relaxed);
            told.bytes.store(level.bytes, Ordering::Relaxed);
            told.max_bytes.store(level.max_bytes, Ordering::Relaxed);
            told.is_full.store(level.is_full, Ordering::Relaxed);
        }
        self.beat();
    }

    /// The run's loop has come round.
    pub fn beat(&self) {
        if let Some(status) = &self.status {
            status.beat();
        }
    }

    /// The run is over.
    pub fn close(self, outcome: &Outcome) {
        if let Some(status) = &self.status {
            status.ended(outcome);
        }
        #[cfg(target_os = "linux")]
        if let Some(manager) = self.manager {
            manager.close();
        }
    }
}

#[cfg(feature = "serve")]
fn counting_refusals(status: Arc<Status>, app: axum::Router) -> axum::Router {
    let count = move |response: axum::response::Response| {
        let code = response.status();
        if code.is_client_error() || code.is_server_error() {
            status.count_refused(code.as_u16());
        }
        std::future::ready(response)
    };
    app.layer(axum::middleware::map_response(count))
}
