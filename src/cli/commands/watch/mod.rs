//! `pairgate watch`: what appears in a folder, until it is stopped.

mod args;

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::slice;
use std::sync::Arc;
use std::time::Duration;

use super::filter::{refuse_overlap, tell};
use crate::agent::watch::{After, Book, Done, WatchOptions, WatchSource, network_file_system};
use crate::cli::mqtt::Plan;
use crate::cli::outputs::check_folder;
use crate::cli::progress::{Pass, Progress};
use crate::cli::session::Session;
use crate::cli::settings;
use crate::cli::summary::{Output, Summary, after_keeping};
use crate::disk::Disk;
use crate::gate::GateSettings;
use crate::pipeline::{Run, Signals};
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
    let mut layers = settings::of_layers(&args.layers)?;
    settings::set_policy(&mut layers, &args.policy);
    let session = Session::with(layers, &args.model)?;
    settings::check_policy(&args.policy, &session.config)?;
    let config = &session.config;
    let mut settings = GateSettings::of(config);
    settings.policy.threshold = Some(settings::stream_threshold(config, session.model.manifest())?);
    settings.tracker = settings::tracker_rule(config);
    let sink_bytes = plan.queue_bytes() + StoreSink::memory(&config.storage);
    let gates = session.gates(settings, |need| need.without_capture().with_sink(sink_bytes))?;
    let listener = plan.open()?;
    let mut options = StoreOptions::of(&session.model, &settings, slice::from_ref(&args.folder));
    options.config = config.storage;
    if options.config.sync_ms == 0 {
        options.config.sync_ms = SYNC_MS;
    }
    // What has not reached the disk is still in the folder.
    (options.again, options.endless) = (true, true);
    options.new_decisions = args.accept_new_decisions;
    options.observer = listener.observer(settings.policy.threshold);
    let disk = Disk::system();
    let (store, resumed) = StoreSink::go_on(&disk, &args.output, options)?;
    tell(&args.output, &resumed);
    // Behind the store: what it has cut away counts as not decided.
    let book = Book::open(&args.output)?;
    let done = Done::new(&disk, args.after.clone(), book.clone(), &args.folder)?;
    let mut decider = session.decider(&settings, &resumed)?;
    let store = Watermark::new(store, done.clone());
    let mut sinks: Vec<Box<dyn Sink>> = vec![Box::new(store)];
    listener.add_to(&mut sinks);
    let stop = session.signals.stop.clone();
    let source = WatchSource::open(watch_options(args, config), book, done, stop)?;

    let mut summary = Summary::start(&session.model, &settings, "kept");
    summary.output = Output::Folder(args.output.clone());
    summary.next = after_keeping(&args.output, &[], None).into();
    summary.when_interrupted = "stopped: the same command goes on\n";
    let mut progress = Progress::new(Pass::Watching, Arc::new(Meter::default()));
    let signals = Signals { ends_by_stop: true, ..session.signals.clone() };
    let run = Run {
        source: Box::new(source),
        decider: decider.as_decider(),
        sink: &mut sinks,
        config: &config.pipeline,
        signals: &signals,
        first_ticket: resumed.next_ticket,
    };
    let outcome = run.through(gates, |counts| progress.show(counts));
    drop(progress);
    summary.set_tracked(decider.tracker());
    summary.print(&outcome, args.json)?;
    listener.close(&outcome);
    Ok(session.exit_code(&outcome, true))
}

/// Refuses folders that lie in each other: what is written would be watched.
fn check_folders(args: &WatchArgs) -> Result<(), Box<dyn Error>> {
    check_folder(&args.output)?;
    if !args.folder.is_dir() {
        return Err(format!("{}: there is no such folder", args.folder.display()).into());
    }
    let watched = slice::from_ref(&args.folder);
    refuse_overlap(&args.output, watched)?;
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
