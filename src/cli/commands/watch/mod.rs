//! `pairgate watch`: what appears in a folder, until it is stopped.

mod args;

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::slice;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::never;

use super::filter::{refuse_overlap, tell};
use crate::agent::status::StatusOptions;
use crate::agent::watch::{After, Book, Done, WatchOptions, WatchSource, network_file_system};
use crate::cli::mqtt::Plan;
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
use crate::store::{StoreOptions, StoreSink, Watermark};

pub use args::WatchArgs;
use pairgate_core::config::Config;

/// Longest time that a decision waits for the disk where the config gives none: files are done with only
/// then.
const SYNC_MS: u64 = 1000;

/// Runs the command.
pub fn run(args: &WatchArgs) -> Result<ExitCode, Box<dyn Error>> {
    check_folders(args)?;
    let plan = Plan::of(&args.mqtt)?;
    let listening = Listening::bind(&args.listen)?;
    let mut session = Session::with(settings::of_stream(&args.layers, &args.policy)?, &args.model)?;
    settings::check_policy(&args.policy, &session.config)?;
    outbox::check(&args.spool, &args.output, &session.config)?;
    outbox::refuse_unknown(&args.spool, &args.output)?;
    let settings = stream_settings(&session.config, session.model.manifest())?;
    let settings = session.selecting(settings);
    let mut options = StatusOptions::new("watch", args.output.clone(), &session.config);
    options.threshold = settings.policy.threshold;
    let mut operations = Operations::new(listening, &mut session, options, plan.is_asked())?;
    let config = &session.config;
    let telling = operations.memory(&session);
    let spool_bytes = outbox::memory(&args.spool, config);
    let sink_bytes =
        plan.queue_bytes() + StoreSink::memory(&config.storage) + telling + spool_bytes;
    let sink_bytes = sink_bytes + args.embeddings.memory();
    let gates = session.gates(settings, |need| need.without_capture().with_sink(sink_bytes))?;
    let recording = args.embeddings.without_spool(&args.spool, &session.model)?;
    let gates = embedding(gates, recording.is_some());
    let listener = plan.open()?;
    let mut options = StoreOptions::of(&session.model, &settings, slice::from_ref(&args.folder));
    options = options.recording(recording);
    options.config = config.storage;
    if options.config.sync_ms == 0 {
        options.config.sync_ms = SYNC_MS;
    }
    // What has not reached the disk is still in the folder.
    (options.again, options.endless) = (true, true);
    options.new_decisions = args.accept_new_decisions;
    options.observer = listener.observer(settings.policy.threshold);
    let stop = session.signals.stop.clone();
    let destination = outbox::open(&args.spool, &args.output, config, None, options, stop.clone())?;
    let resumed = &destination.resumed;
    tell(&args.output, resumed);
    // Behind the store: what it has cut away counts as not decided.
    let book = Book::open(&destination.decided)?;
    let done = Done::new(&Disk::system(), args.after.clone(), book.clone(), &args.folder)?;
    let mut decider = session.decider(&settings, resumed)?;
    let first_ticket = resumed.next_ticket;
    let (levels, admission) = (destination.levels(), destination.admission());
    let store = Watermark::new(destination.sink, done.clone());
    let mut sinks: Vec<Box<dyn Sink>> = vec![Box::new(store)];
    listener.add_to(&mut sinks);
    listener.tell_of(operations.status());
    operations.surround(&mut sinks);
    let source = WatchSource::open(watch_options(args, config), book, done, stop)?;

    let mut summary = Summary::start(&session.model, &settings, "kept");
    summary.output = Output::Folder(args.output.clone());
    summary.asked = settings::stream_share(config);
    summary.next = after_keeping(&args.output, &[], None).into();
    summary.when_interrupted = "stopped: the same command goes on\n";
    operations.start()?;
    let mut progress = Progress::new(Pass::Watching, Arc::new(Meter::default()));
    let signals = Signals { ends_by_stop: true, ..session.signals.clone() };
    let (ending, pipeline) = (session.ending(), config.pipeline);
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
    let outcome = run.through_generations(gates, &reloads, never(), |counts| {
        progress.show(counts);
        operations.beat_with(&levels);
    });
    operations.close(&outcome);
    drop((progress, reloading));
    summary.set_last(&reloads, &decider);
    summary.print(&outcome, args.json)?;
    listener.close(&outcome);
    Ok(ending.exit_code(&outcome, true))
}

/// How config and model are loaded anew while it goes on.
fn reload_plan(args: &WatchArgs, sink_bytes: u64) -> reload::Plan {
    let (WatchArgs { policy, model, .. }, own) = (args, args.clone());
    reload::Plan::new(
        move || settings::of_stream(&own.layers, &own.policy),
        policy,
        model,
        move |need| need.without_capture().with_sink(sink_bytes),
    )
    .embedding(args.embeddings.embeddings.is_some())
}

/// Refuses folders that lie in each other: what is written would be watched.
fn check_folders(args: &WatchArgs) -> Result<(), Box<dyn Error>> {
    check_folder(&args.output)?;
    if !args.folder.is_dir() {
        return Err(format!("{}: there is no such folder", args.folder.display()).into());
    }
    let watched = slice::from_ref(&args.folder);
    refuse_overlap(&args.output, watched)?;
    if let Some(spool) = &args.spool.spool {
        refuse_overlap(spool, watched)?;
    }
    if let After::Move(folder) = &args.after {
        check_folder(folder)?;
        refuse_overlap(folder, watched)?;
    }
    Ok(())
}

fn watch_options(args: &WatchArgs, config: &Config) -> WatchOptions {
    let events = has_events(args, &args.folder);
    let of = |given: Option<Duration>, with: u64, without: u64| {
        given.unwrap_or(Duration::from_secs(if events { with } else { without }))
    };
    WatchOptions {
        folder: args.folder.clone(),
        limits: config.sample,
        scan: of(args.scan, 60, 5),
        events,
        settle: of(args.settle, 2, 10),
        caption_wait: args.caption_wait,
    }
}

/// Whether the system can be asked for events.
fn has_events(args: &WatchArgs, folder: &Path) -> bool {
    if args.no_inotify || !cfg!(target_os = "linux") {
        return false;
    }
    match network_file_system(folder) {
        Some(kind) => {
            log::info!(
                "{}: on a network ({kind}), where no events come; it is scanned",
                folder.display()
            );
            false
        }
        None => true,
    }
}
