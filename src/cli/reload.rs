//! Config and model of a command that runs on and on, loaded anew at SIGHUP.

use std::error::Error;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use pairgate_core::config::{Config, Need};

use crate::agent::keys::{Changed, held};
use crate::agent::reload::{Load, Reloading};
use crate::cli::args::{ModelArgs, PolicyArgs};
use crate::cli::session::{self, Session};
use crate::cli::{memory, settings};
use crate::config::Layers;
use crate::gate::{Gate, GateSettings};
use crate::journal::Terms;
use crate::model::Model;
use crate::pipeline::{Generation, Reloads};
use crate::select::State;

/// What a command says of how it is reloaded.
pub struct Plan {
    /// Lays the config together, as at the start.
    layers: Box<dyn Fn() -> Result<Layers, Box<dyn Error>> + Send>,
    /// The options of the model, as at the start.
    model: ModelArgs,
    /// Tables and keys that this command cannot change, beside those that none can.
    held: &'static [&'static str],
    /// What this command takes of the memory that a config needs.
    need: Box<dyn Fn(Need) -> Need + Send>,
    /// Whether embeddings are recorded.
    embeds: bool,
}

impl Plan {
    /// For a command with these options, whose config `layers` lays together; it can change all that any
    /// can, and takes what `need` makes of what a config needs.
    pub fn new(
        layers: impl Fn() -> Result<Layers, Box<dyn Error>> + Send + 'static,
        policy: &PolicyArgs,
        model: &ModelArgs,
        need: impl Fn(Need) -> Need + Send + 'static,
    ) -> Self {
        let policy = policy.clone();
        let checked = move || {
            let layers = layers()?;
            settings::check_policy(&policy, &layers.resolve()?)?;
            Ok(layers)
        };
        let (layers, need) = (Box::new(checked), Box::new(need));
        Self { layers, model: model.clone(), held: &[], need, embeds: false }
    }

    /// The same where embeddings are recorded, if they are: then the model stays.
    pub fn embedding(self, embeds: bool) -> Self {
        Self { embeds, ..self }
    }

    /// The same where these cannot be changed either.
    pub fn holding(self, held: &'static [&'static str]) -> Self {
        Self { held, ..self }
    }
}

/// Loads config and model of `session` anew at each SIGHUP, which from now on does not end the program, and
/// hands them over to the run of `reloads`. The session is taken whole, so that its model is gone once
/// another one is asked.
///
/// # Errors
/// The system's, which gives no thread.
pub fn at_hangup(
    session: Session,
    settings: &GateSettings,
    reloads: &Reloads<Gate>,
    plan: Plan,
) -> io::Result<Reloading> {
    let hangups = session.hangups();
    let terms = Terms::of(&session.model, settings);
    let taken = memory::taken_now();
    let loader = Loader { session, terms, taken, plan, next: None };
    Reloading::start(hangups, reloads.clone(), loader)
}

struct Loader {
    /// What works.
    session: Session,
    terms: Terms,
    /// Bytes that program and model took at the start.
    taken: u64,
    plan: Plan,
    /// What was loaded last.
    next: Option<Next>,
}

struct Next {
    model: Arc<Model>,
    selection: Option<Arc<State>>,
    config: Config,
    layers: Layers,
    terms: Terms,
}

impl Load<Gate> for Loader {
    fn load(&mut self) -> Result<Option<Generation<Gate>>, Box<dyn Error>> {
        let (layers, mut config) = session::settle((self.plan.layers)()?, &self.plan.model)?;
        self.refuse_held(&layers, &config)?;
        config.pipeline.workers = self.session.config.pipeline.workers;
        let before = memory::own_bytes();
        let model = self.load_model(&config)?;
        let selection = session::selection_of(&config, &model)?;
        let mut settings = session::stream_settings(&config, model.manifest())?;
        settings.selection = selection.as_ref().map(|state| state.digest());
        let terms = Terms::of(&model, &settings);
        if terms == self.terms {
            return Ok(None);
        }
        if self.plan.embeds && terms.model() != self.terms.model() {
            return Err("embeddings are recorded, and a folder has those of one model alone".into());
        }
        let stages = self.session.stages.as_ref();
        let examiners = session::gates_of(&model, &config, settings, stages, selection.as_ref())?;
        let mut examiners = session::embedding(examiners, self.plan.embeds);
        self.check_memory(&layers, &config, &model, &mut examiners, before)?;
        let decider = session::decider_of(&config, model.manifest(), &settings, selection.as_ref());
        let decider = decider.into_boxed();
        let learns_on = self.terms.learns_on(&terms);
        self.next = Some(Next { model, selection, config, layers, terms: terms.clone() });
        Ok(Some(Generation { examiners, decider, terms, learns_on }))
    }

    fn took_over(&mut self, first_ticket: u64) {
        let Some(Next { model, selection, config, layers, terms }) = self.next.take() else {
            return;
        };
        let what = self.terms.differences(&terms).join("; ");
        log::info!("reload: from pair {first_ticket} on: {what}");
        (self.session.model, self.session.config) = (model, config);
        (self.session.layers, self.terms) = (layers, terms);
        self.session.selection = selection;
    }
}

impl Loader {
    /// Refuses a config in which another key differs than those that may.
    fn refuse_held(&self, layers: &Layers, now: &Config) -> Result<(), Box<dyn Error>> {
        let was = self.session.layers.resolve()?;
        let held = held(&was, now, self.plan.held);
        let told = |Changed { key, was, is }: &Changed| {
            let place = layers.origin(key).map_or("default".to_owned(), ToString::to_string);
            format!("config {place}: {key} = {is} cannot be taken over while it runs (it is {was})")
        };
        match held.is_empty() {
            true => Ok(()),
            false => {
                let told: Vec<_> = held.iter().map(told).collect();
                Err(format!("{}: stop and start it for that", told.join("; ")).into())
            }
        }
    }

    /// The bundle's model; the one that works where it is the same.
    fn load_model(&self, config: &Config) -> Result<Arc<Model>, Box<dyn Error>> {
        let ModelArgs { ref model, arithmetic, .. } = self.plan.model;
        let bundle = session::load_bundle(config, model.as_deref(), arithmetic)?;
        if bundle.digest == self.session.model.digest() {
            return Ok(self.session.model.clone());
        }
        Ok(Arc::new(session::load_model(&bundle, arithmetic)?))
    }

    /// Refuses what does not fit under the ceiling beside what works: both are in memory until all
    /// workers have changed over. `before` are the bytes that the process had before the model was loaded.
    fn check_memory(
        &self,
        layers: &Layers,
        config: &Config,
        model: &Arc<Model>,
        gates: &mut [Gate],
        before: u64,
    ) -> Result<(), Box<dyn Error>> {
        let ceiling = config.memory.ceiling_bytes;
        if ceiling == 0 {
            return Ok(());
        }
        let mut taken = self.taken;
        if !Arc::ptr_eq(model, &self.session.model) {
            memory::warm(gates, config.pipeline.batch)?;
            let grown = memory::own_bytes().saturating_sub(before);
            // What the run gave back in the meantime is no room.
            taken += grown.max(self.bundle_bytes(config));
        }
        let need = (self.plan.need)(memory::need_beside(taken, model, config));
        need.check(ceiling).map_err(|error| {
            let error = layers.blame(&error);
            format!(
                "{error}, with the model that works beside the new one: stop and start it for that"
            )
        })?;
        Ok(())
    }

    /// Bytes of the bundle's files; none of the model in the binary.
    fn bundle_bytes(&self, config: &Config) -> u64 {
        let path = self.plan.model.model.as_deref().or_else(|| session::configured_model(config));
        path.map_or(0, bytes_at)
    }
}

fn bytes_at(path: &Path) -> u64 {
    let bytes = |path: &Path| fs::metadata(path).map_or(0, |data| data.len());
    match fs::read_dir(path) {
        Ok(files) => files.filter_map(|file| Some(bytes(&file.ok()?.path()))).sum(),
        Err(_) => bytes(path),
    }
}
