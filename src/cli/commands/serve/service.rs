//! The service: from arguments to listeners and a run, and to its end.

use std::error::Error;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pairgate_core::config::{Config, ServeConfig, StorageConfig};

use super::ServeArgs;
use crate::agent::http::access::{Access, guarded};
use crate::agent::http::{Address, Limits, Listener, Server, is_local};
use crate::agent::serve::{
    self, Acknowledging, ChannelSource, Desk, Names, Present, Queues, StoredNow, Window,
};
use crate::agent::status::StatusOptions;
use crate::cli::commands::filter::tell;
use crate::cli::operations::{Listening, Operations};
use crate::cli::outbox;
use crate::cli::outputs::check_folder;
use crate::cli::progress::{Pass, Progress};
use crate::cli::reload;
use crate::cli::session::{Session, embedding, stream_settings};
use crate::cli::settings;
use crate::cli::summary::{Output, Summary, after_keeping};
use crate::disk::Disk;
use crate::pipeline::{Reloads, Run, Signals};
use crate::sink::Sink;
use crate::source::Meter;
use crate::store::{StoreOptions, StoreSink};

/// Where it listens unless something else is said.
const ADDRESS: &str = "127.0.0.1:8787";
/// Time for the last answers to be written, whatever was used up before.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

/// Runs the command.
pub fn run(args: &ServeArgs) -> Result<ExitCode, Box<dyn Error>> {
    check_folder(&args.output)?;
    let access = access(args)?;
    let mut session = Session::with(settings::of_stream(&args.layers, &args.policy)?, &args.model)?;
    settings::check_policy(&args.policy, &session.config)?;
    outbox::check(&args.spool, &args.output, &session.config)?;
    let settings = stream_settings(&session.config, session.model.manifest())?;
    let settings = session.selecting(settings);
    let mut options = StatusOptions::new("serve", args.output.clone(), &session.config);
    options.threshold = settings.policy.threshold;
    let mut operations = Operations::new(Listening::of_service(), &mut session, options, false)?;
    let config = &session.config;
    let service_bytes =
        serve::memory(&config.sample, &config.serve).saturating_add(operations.memory(&session));
    let sink_bytes = StoreSink::memory(&config.storage)
        .saturating_add(service_bytes)
        .saturating_add(outbox::memory(&args.spool, config))
        .saturating_add(args.embeddings.memory());
    let gates = session.gates(settings, |need| need.without_capture().with_sink(sink_bytes))?;
    let recording = args.embeddings.without_spool(&args.spool, &session.model)?;
    let gates = embedding(gates, recording.is_some());
    // Before the folder is touched: a port that is taken costs nothing.
    let listeners = listeners(args, &access)?;

    let disk = Disk::system();
    let mut options = StoreOptions::of(&session.model, &settings, &[serve::SHARD.into()]);
    options = options.recording(recording);
    let stored = StoredNow::default();
    options.config = storage(config);
    options = serve::gone_on_with(options, &stored);
    if args.spool.spool.is_some() {
        // What is stored then is told by the spool.
        options.observer = None;
    }
    let names = Arc::new(Names::of(&options.header.terms));
    let asked = session.signals.stop.clone();
    let mut end = End::new(&disk, asked.clone(), Duration::from_millis(config.serve.drain_ms));
    let most_ms = Some(config.serve.sync_ms).filter(|ms| *ms > 0);
    let destination =
        outbox::open(&args.spool, &args.output, config, most_ms, options, end.now.clone())?;
    let resumed = &destination.resumed;
    tell(&args.output, resumed);
    let mut decider = session.decider(&settings, resumed)?;
    let mut policy = settings.policy;
    policy.threshold = decider.as_decider().moving_threshold().or(policy.threshold);

    let is_spooled = destination.is_spooled();
    let (decided, uids) = (&destination.decided, config.serve.uid_window);
    let window = Window::of_journal(decided, uids, resumed.next_ticket, is_spooled);
    let (desk, queues) = Desk::new(config.serve.queue, window, Present { policy, names });
    let routes =
        serve::routes(desk.clone(), config.sample, &config.serve).merge(operations.routes());
    let app = operations.counting_refusals(guarded(routes, access));
    let server = Server::start(listeners, app, limits(&config.serve))?;
    for address in server.addresses() {
        eprintln!("listening on {address}");
    }

    let mut summary = Summary::start(&session.model, &settings, "kept");
    summary.output = Output::Folder(args.output.clone());
    summary.asked = settings::stream_share(config);
    summary.next = after_keeping(&args.output, &[], None).into();
    let first_ticket = resumed.next_ticket;
    let source = ChannelSource::new(desk.clone(), &queues, asked.clone(), first_ticket);
    let (levels, admission) = (destination.levels(), destination.admission());
    let acknowledging = Acknowledging::new(&disk, destination.sink, desk.clone(), stored);
    let mut sinks: Vec<Box<dyn Sink>> = vec![Box::new(acknowledging.from_spool(is_spooled))];
    operations.surround(&mut sinks);
    operations.start()?;
    let (ending, pipeline) = (session.ending(), config.pipeline);
    let signals = Signals { stop: end.now.clone(), ends_by_stop: true, ..session.signals.clone() };
    let reloads = Reloads::new(gates.len());
    let reloading = reload::at_hangup(session, &settings, &reloads, reload_plan(args, sink_bytes))?;
    let run = Run {
        source: operations.behind(admission.admit(Box::new(source))),
        decider: decider.as_decider(),
        sink: &mut sinks,
        config: &pipeline,
        signals: &signals,
        first_ticket,
    };
    let mut progress = Progress::new(Pass::Serving, Arc::new(Meter::default()));
    let Queues { asides, .. } = queues;
    let mut outcome = run.through_generations(gates, &reloads, asides, |counts| {
        end.look();
        progress.show(counts);
        operations.beat_with(&levels);
    });
    operations.close(&outcome);
    drop((progress, reloading));
    // Who waits still learns why nothing comes; then the others get what was written for them.
    desk.end();
    server.stop(end.left().max(LAST_ANSWERS));
    summary.set_last(&reloads, &decider);
    summary.print(&outcome, args.json)?;
    // A service that was asked to end has ended well.
    outcome.interrupted = asked.load(Ordering::SeqCst);
    Ok(ending.exit_code(&outcome, true))
}

/// How config and model are loaded anew while it goes on.
fn reload_plan(args: &ServeArgs, sink_bytes: u64) -> reload::Plan {
    let (ServeArgs { policy, model, .. }, own) = (args, args.clone());
    let plan = reload::Plan::new(
        move || settings::of_stream(&own.layers, &own.policy),
        policy,
        model,
        move |need| need.without_capture().with_sink(sink_bytes),
    );
    let plan = plan.embedding(args.embeddings.embeddings.is_some());
    // Pairs that are judged only are decided beside the run, by the policy of its start.
    plan.holding(&["policy.on_error"])
}

/// The end of a service: asked for, it has a time.
struct End<'a> {
    disk: &'a Disk,
    asked: Arc<AtomicBool>,
    /// Ends the run, whatever is in flight.
    now: Arc<AtomicBool>,
    limit: Duration,
    /// When it was seen that it was asked for.
    since: Option<Duration>,
}

impl<'a> End<'a> {
    fn new(disk: &'a Disk, asked: Arc<AtomicBool>, limit: Duration) -> Self {
        Self { disk, asked, now: Arc::default(), limit, since: None }
    }

    fn look(&mut self) {
        if self.asked.load(Ordering::SeqCst) {
            self.since.get_or_insert_with(|| self.disk.elapsed());
        }
        if self.since.is_some() && self.left().is_zero() {
            self.now.store(true, Ordering::SeqCst);
        }
    }

    /// Time that is left of the limit.
    fn left(&self) -> Duration {
        let since = self.since.map_or(Duration::ZERO, |since| self.disk.elapsed() - since);
        self.limit.saturating_sub(since)
    }
}

fn access(args: &ServeArgs) -> Result<Access, String> {
    let access = Access::of_hosts(&args.host);
    let Some(path) = &args.token_file else { return Ok(access) };
    access.with_token(path).map_err(|why| format!("reading {}: {why}", path.display()))
}

/// Where it listens; beyond this machine only with a token, or where it is said that none is needed.
fn listeners(args: &ServeArgs, access: &Access) -> Result<Vec<Listener>, String> {
    let default = ADDRESS.to_owned();
    let addresses = match args.listen.is_empty() && args.socket.is_none() {
        true => std::slice::from_ref(&default),
        false => &args.listen,
    };
    let mut listeners = Vec::new();
    for address in addresses {
        let failed = |why: io::Error| format!("listening on {address}: {why}");
        let listener = Listener::tcp(address).map_err(failed)?;
        if let Address::Tcp(bound) = listener.address().map_err(failed)?
            && !is_local(&bound)
            && !access.has_token()
            && !args.open
        {
            return Err(format!(
                "listening on {address}: other machines reach it: give --token-file FILE, or --open"
            ));
        }
        listeners.push(listener);
    }
    if let Some(path) = &args.socket {
        let failed = |why| format!("listening on {}: {why}", path.display());
        listeners.push(Listener::unix(path).map_err(failed)?);
    }
    Ok(listeners)
}

fn limits(config: &ServeConfig) -> Limits {
    let ServeConfig { max_connections, header_ms, body_ms, idle_ms, .. } = *config;
    Limits {
        connections: max_connections,
        header: Duration::from_millis(header_ms),
        body: Duration::from_millis(body_ms),
        idle: Duration::from_millis(idle_ms),
    }
}

/// How pairs reach the disk: whoever asked waits for it, so it is soon.
fn storage(config: &Config) -> StorageConfig {
    let times = [config.storage.sync_ms, config.serve.sync_ms];
    let sync_ms = times.into_iter().filter(|ms| *ms > 0).min().unwrap_or(0);
    StorageConfig { sync_ms, ..config.storage }
}
