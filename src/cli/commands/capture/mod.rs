//! `pairgate capture`: a camera's frames, captioned and judged, until it ends.

mod args;
mod spooled;

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::process::ExitCode;
use std::slice;
use std::sync::Arc;
use std::time::Duration;

use super::filter::tell;
use crossbeam_channel::never;

use crate::agent::status::StatusOptions;
use crate::capture::backoff::Backoff;
use crate::capture::caption::{Labels, Template};
use crate::capture::change::FrameRules;
use crate::capture::intake::{Captured, Start};
use crate::capture::mjpeg::MjpegSource;
use crate::capture::queue::{FrameQueue, Taken};
use crate::capture::silence::Silence;
use crate::capture::taker::{Pace, Taker};
use crate::cli::args::FormatArg;
use crate::cli::mqtt::Plan;
use crate::cli::operations::{Listening, Operations};
use crate::cli::outbox;
use crate::cli::outputs::check_folder;
use crate::cli::progress::{Pass, Progress};
use crate::cli::reload;
use crate::cli::session::{Session, embedding, stream_settings};
use crate::cli::settings::{self, COMMAND_LINE};
use crate::cli::summary::{Output, Summary, after_keeping};
use crate::config::Layers;
use crate::disk::IoError;
use crate::pipeline::{Reloads, Run, Signals};
use crate::sink::Sink;
use crate::source::frames::FramesSource;
use crate::source::{Meter, Source};
use crate::store::{StoreOptions, StoreSink, Watermark};

use spooled::Spooling;

pub use args::CaptureArgs;
use pairgate_core::config::{CaptureConfig, Config, Need, OnFull};
use pairgate_core::pair::Size;

/// Bytes of a pipe that are read at once.
const BUFFER: usize = 256 << 10;

/// Runs the command.
pub fn run(args: &CaptureArgs) -> Result<ExitCode, Box<dyn Error>> {
    check_folder(&args.output)?;
    let plan = Plan::of(&args.mqtt)?;
    let listening = Listening::bind(&args.listen)?;
    let layers = layers(args)?;
    let template = template(&layers.resolve()?, args)?;
    let mut session = Session::with(layers, &args.model)?;
    settings::check_policy(&args.policy, &session.config)?;
    let config = &session.config;
    outbox::check(&args.spool, &args.output, config)?;
    let settings = session.selecting(stream_settings(config, session.model.manifest())?);
    let mut options = StatusOptions::new("capture", args.output.clone(), config);
    options.threshold = settings.policy.threshold;
    let mut operations = Operations::new(listening, &mut session, options, plan.is_asked())?;
    let config = &session.config;
    let telling = operations.memory(&session);
    let spool_bytes = outbox::memory(&args.spool, config);
    let sink_bytes =
        plan.queue_bytes() + StoreSink::memory(&config.storage) + telling + spool_bytes;
    let sink_bytes = sink_bytes + args.embeddings.memory();
    let gates = session.gates(settings, |need| need.with_sink(sink_bytes))?;
    let recording = args.embeddings.without_spool(&args.spool, &session.model)?;
    let gates = embedding(gates, recording.is_some());
    let labels = args.labels.as_deref().map_or(Ok(Labels::None), Labels::open)?;
    let camera = open_camera(args, config)?;
    let listener = plan.open()?;
    let inputs = slice::from_ref(&args.camera);
    let mut options = StoreOptions::of(&session.model, &settings, inputs).recording(recording);
    options.config = config.storage;
    options.again = false;
    options.new_decisions = args.accept_new_decisions;
    // A file can wait, whatever is said of cameras.
    let waits = is_plain_file(&args.camera);
    let is_spooled = spooled::is_wanted(config, waits);
    if is_spooled {
        spooled::set_options(&mut options);
    }
    options.observer = listener.observer(settings.policy.threshold);
    let stop = session.signals.stop.clone();
    let destination = outbox::open(&args.spool, &args.output, config, None, options, stop.clone())?;
    let resumed = &destination.resumed;
    tell(&args.output, resumed);
    let mut decider = session.decider(&settings, resumed)?;
    let mut spooling = match is_spooled {
        true => {
            let folder = args
                .spool
                .spool
                .as_ref()
                .map_or(args.output.join("spool"), |dir| dir.join("frames"));
            let decided = &destination.decided;
            Some(Spooling::open(&config.spool, &folder, decided, resumed, stop.clone())?)
        }
        false => None,
    };
    let (levels, first_ticket) = (destination.levels(), resumed.next_ticket);
    let admission = destination.admission();
    let store = match &spooling {
        Some(spooling) => Box::new(Watermark::new(destination.sink, spooling.listener())),
        None => destination.sink,
    };
    let mut sinks: Vec<Box<dyn Sink>> = vec![store];
    listener.add_to(&mut sinks);
    listener.tell_of(operations.status());

    let backoff = Backoff::new(&config.thermal, session.signals.gentle.clone());
    let pace = Pace::new(Duration::from_millis(config.capture.interval_ms), backoff);
    let on_full = if waits { OnFull::Block } else { config.capture.on_full };
    let pace = if waits { pace.patient() } else { pace };
    let silence = Silence::new(&args.camera.to_string_lossy(), longest_silence(args, config));
    sinks.push(silence.sink());
    operations.surround(&mut sinks);
    let queue = FrameQueue::new(config.capture.places as usize, on_full);
    operations.set_frames(&queue);
    let taker = Taker::start(camera, queue.clone(), pace, silence.clone(), stop.clone())?;
    let rules = FrameRules::new(&config.capture, config.image);
    let start = Start::new();
    let captured = Box::new(Captured {
        queue: queue.clone(),
        taker,
        rules,
        template,
        labels,
        start,
        silence: silence.clone(),
        stop,
    });
    let source: Box<dyn Source> = match &mut spooling {
        Some(spooling) => Box::new(spooling.source(captured, silence.clone())?),
        None => captured,
    };

    let mut summary = Summary::start(&session.model, &settings, "kept");
    summary.output = Output::Folder(args.output.clone());
    summary.asked = settings::stream_share(config);
    summary.next = after_keeping(&args.output, &[], None).into();
    operations.start()?;
    let mut progress = Progress::new(Pass::Capturing, Arc::new(Meter::default()));
    let signals = Signals { ends_by_stop: true, ..session.signals.clone() };
    let (ending, pipeline) = (session.ending(), config.pipeline);
    let reloads = Reloads::new(gates.len());
    let plan = reload_plan(args, config, sink_bytes);
    let reloading = reload::at_hangup(session, &settings, &reloads, plan)?;
    let run = Run {
        source: operations.behind(admission.admit(source)),
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
    summary.taken = Some(Taken { silences: silence.silences(), ..queue.taken() });
    summary.spooled = spooling.map(|spooling| spooling.end()).transpose()?;
    summary.set_last(&reloads, &decider);
    summary.print(&outcome, args.json)?;
    listener.close(&outcome);
    Ok(ending.exit_code(&outcome, true))
}

/// How a run's config is loaded anew. What looks at frames before the gate was started with the rules on
/// images that there were then.
fn reload_plan(args: &CaptureArgs, config: &Config, sink_bytes: u64) -> reload::Plan {
    let CaptureConfig { min_change, min_sharpness, .. } = config.capture;
    let looks = min_change > 0.0 || min_sharpness > 0.0;
    let (CaptureArgs { policy, model, .. }, own) = (args, args.clone());
    let need = move |need: Need| need.with_sink(sink_bytes);
    let plan = reload::Plan::new(move || layers(&own), policy, model, need);
    let plan = plan.embedding(args.embeddings.embeddings.is_some());
    plan.holding(if looks { &["image"] } else { &[] })
}

/// The config, and over it what the options say.
fn layers(args: &CaptureArgs) -> Result<Layers, Box<dyn Error>> {
    let mut layers = settings::of_stream(&args.layers, &args.policy)?;
    let texts = [
        ("caption", &args.caption),
        ("place", &args.place),
        ("sensor", &args.sensor),
        ("interval_ms", &args.interval),
    ];
    for (key, value) in texts {
        if let Some(value) = value {
            layers.set("capture", key, value.as_str(), COMMAND_LINE);
        }
    }
    Ok(layers)
}

/// The caption's template; one that asks for labels where none come would give no caption at all.
fn template(config: &Config, args: &CaptureArgs) -> Result<Template, Box<dyn Error>> {
    let template = Template::of(&config.capture)?;
    // Frames bring labels of their own.
    let labelled = args.labels.is_some() || args.format == FormatArg::Frames;
    if template.has_label() && !labelled {
        return Err("the caption holds {label}: give --labels PATH, or another --caption".into());
    }
    Ok(template)
}

fn open_camera(args: &CaptureArgs, config: &Config) -> Result<Box<dyn Source>, Box<dyn Error>> {
    let path = args.camera.as_path();
    if args.format == FormatArg::Auto && is_device(path) {
        return open_device(path, args.size, config);
    }
    let from = path.display().to_string();
    let opened = open_stream(path);
    let stream = opened.map_err(|why| IoError::Read { from: from.clone(), why })?;
    let reader = BufReader::with_capacity(BUFFER, stream);
    Ok(match args.format {
        FormatArg::Auto => Box::new(MjpegSource::new(reader, &from, config.sample)),
        FormatArg::Frames => Box::new(FramesSource::new(reader, &from, config.sample)),
    })
}

/// How long the camera may give no picture. A file has an end, and a microcontroller's pairs may be
/// rare.
fn longest_silence(args: &CaptureArgs, config: &Config) -> Option<Duration> {
    let limit = Duration::from_millis(config.capture.max_silence_ms);
    let watched = args.format == FormatArg::Auto && !is_plain_file(&args.camera);
    // Frames within the interval are left out unseen.
    let interval = Duration::from_millis(config.capture.interval_ms);
    (watched && !limit.is_zero()).then(|| limit.saturating_add(interval))
}

/// Whether frames are read from a plain file, by its path or as standard input.
fn is_plain_file(path: &Path) -> bool {
    let found = if path == Path::new("-") { stdin_metadata() } else { fs::metadata(path) };
    found.is_ok_and(|found| found.is_file())
}

#[cfg(unix)]
fn stdin_metadata() -> io::Result<fs::Metadata> {
    use std::os::fd::AsFd;
    File::from(io::stdin().as_fd().try_clone_to_owned()?).metadata()
}

#[cfg(not(unix))]
fn stdin_metadata() -> io::Result<fs::Metadata> {
    Err(io::ErrorKind::Unsupported.into())
}

fn open_stream(path: &Path) -> io::Result<Box<dyn Read + Send>> {
    if path == Path::new("-") {
        return Ok(Box::new(io::stdin()));
    }
    let file = File::open(path)?;
    if file.metadata()?.is_dir() {
        let why = "it is a folder: `pairgate filter` reads those";
        return Err(io::Error::new(io::ErrorKind::IsADirectory, why));
    }
    Ok(Box::new(file))
}

#[cfg(target_os = "linux")]
fn open_device(
    path: &Path,
    size: Option<Size>,
    config: &Config,
) -> Result<Box<dyn Source>, Box<dyn Error>> {
    Ok(Box::new(crate::capture::camera::CameraSource::open(path, size, config.sample)?))
}

#[cfg(not(target_os = "linux"))]
fn open_device(
    path: &Path,
    _: Option<Size>,
    _: &Config,
) -> Result<Box<dyn Source>, Box<dyn Error>> {
    Err(format!("{}: video devices are read on Linux only; use a pipe", path.display()).into())
}

/// Whether it is a device that is read frame by frame, and not byte by byte.
#[cfg(unix)]
fn is_device(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;
    fs::metadata(path).is_ok_and(|data| data.file_type().is_char_device())
}

#[cfg(not(unix))]
fn is_device(_: &Path) -> bool {
    false
}
