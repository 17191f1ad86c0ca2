//! Heat and battery, as Linux tells of them in `/sys`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pairgate_core::config::ThermalConfig;

/// How often the files are read.
const EVERY: Duration = Duration::from_secs(1);

/// A thermal zone's file.
const TEMPERATURE: &str = "temp";

/// The temperature of a thermal zone, in degrees Celsius; `None` where no zone is named, or it cannot
/// be read.
pub fn temperature(zone: &str) -> Option<f32> {
    let path = Path::new(zone).join(TEMPERATURE);
    (!zone.is_empty()).then(|| read_number(&path).ok()).flatten().map(degrees)
}

/// The kernel's unit is a thousandth of a degree.
fn degrees(millidegrees: i64) -> f32 {
    millidegrees as f32 / 1000.0
}

fn read_number(path: &Path) -> Result<i64, String> {
    let read = fs::read_to_string(path).map_err(|why| why.to_string())?;
    read.trim().parse().map_err(|_| "not a number".to_owned())
}

/// How the board is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum State {
    /// Nothing speaks against work.
    #[default]
    Normal,
    /// Every second frame is left out, and pairs are judged one at a time.
    Warm,
    /// No frame is taken until it is no longer warm.
    Hot,
    /// The battery is low and not being charged: no frame is taken.
    Low,
}

/// Watches a thermal zone and a battery.
#[derive(Debug)]
pub struct Backoff {
    config: ThermalConfig,
    state: State,
    looked: Option<Instant>,
    gentle: Arc<AtomicBool>,
    /// Files that could not be read, so that each is told of once.
    unread: Vec<PathBuf>,
}

impl Backoff {
    /// Watches what `config` names; `gentle` is set while pairs should be judged one at a time.
    pub fn new(config: &ThermalConfig, gentle: Arc<AtomicBool>) -> Self {
        let config = config.clone();
        Self { config, state: State::Normal, looked: None, gentle, unread: Vec::new() }
    }

    /// How the board is `now`; the files are read about once a second. A change is logged.
    pub fn look(&mut self, now: Instant) -> State {
        if self.looked.is_some_and(|looked| now.duration_since(looked) < EVERY) {
            return self.state;
        }
        self.looked = Some(now);
        let state = if self.is_low() { State::Low } else { self.heat() };
        if state != self.state {
            log::warn!("back-off: {}", self.told(state));
        }
        self.state = state;
        self.gentle.store(state != State::Normal, Ordering::Relaxed);
        state
    }

    fn told(&self, state: State) -> String {
        let ThermalConfig { warm_c, hot_c, low_percent, .. } = self.config;
        match state {
            State::Normal => "over".into(),
            State::Warm => format!("warm ({warm_c} degrees or more): half the frames"),
            State::Hot => format!("hot ({hot_c} degrees or more): no frames until below {warm_c}"),
            State::Low => format!("battery below {low_percent} %: no frames"),
        }
    }

    fn heat(&mut self) -> State {
        let Some(found) = self.number(self.config.zone.clone().as_str(), TEMPERATURE) else {
            return State::Normal;
        };
        let degrees = degrees(found);
        let was_hot = self.state == State::Hot;
        if degrees >= self.config.hot_c || (was_hot && degrees >= self.config.warm_c) {
            State::Hot
        } else if degrees >= self.config.warm_c {
            State::Warm
        } else {
            State::Normal
        }
    }

    fn is_low(&mut self) -> bool {
        let battery = self.config.battery.clone();
        let charge = self.number(battery.as_str(), "capacity");
        let below = charge.is_some_and(|percent| (percent as f32) < self.config.low_percent);
        below
            && fs::read_to_string(Path::new(battery.as_str()).join("status"))
                .is_ok_and(|status| status.trim() == "Discharging")
    }

    /// The number in a file of `folder`; `None` where no folder is named. One that cannot be read
    /// says nothing, and is told of once.
    fn number(&mut self, folder: &str, name: &str) -> Option<i64> {
        if folder.is_empty() {
            return None;
        }
        let path = Path::new(folder).join(name);
        match read_number(&path) {
            Ok(number) => Some(number),
            Err(why) => {
                if !self.unread.contains(&path) {
                    log::warn!("back-off: reading {}: {why}", path.display());
                    self.unread.push(path);
                }
                None
            }
        }
    }
}
