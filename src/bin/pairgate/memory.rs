//! What this process takes, and whether a run may start under its ceiling.

use std::error::Error;
use std::fs;
use std::sync::Arc;

use pairgate::config::{Config, Need};
use pairgate::gate::{Gate, GateSettings};
use pairgate::model::Model;

/// Taken for program and model where the system does not tell: Linux alone does.
const UNTOLD_BYTES: u64 = 64 << 20;

/// A line of Linux's account of this process's memory, in bytes: `VmHWM` is the peak, `VmRSS` what
/// is resident now.
pub fn account(line: &str) -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let value = status.lines().find_map(|l| l.strip_prefix(line)?.strip_prefix(':'))?;
    let kilobytes: u64 = value.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(1024 * kilobytes)
}

/// What a run with these gates takes at worst. They are made to touch all of their memory first, and
/// what program and model take is then measured.
pub fn need(model: &Model, config: &Config, gates: &mut [Gate]) -> Result<Need, Box<dyn Error>> {
    gates.iter_mut().try_for_each(|gate| gate.warm(config.pipeline.batch))?;
    let side = u64::from(model.manifest().image.preparation().size);
    // Rows at their final width: what a preparer holds of the tallest image.
    let rows = gates.len() as u64 * 3 * side * u64::from(config.image.max_side);
    Ok(config.need(account("VmRSS").unwrap_or(UNTOLD_BYTES) + rows))
}

/// The same for a config whose model is not loaded yet.
pub fn need_of(model: Model, config: &Config) -> Result<Need, Box<dyn Error>> {
    let model = Arc::new(model);
    let gate = |_| Gate::new(model.clone(), GateSettings::of(config));
    let mut gates: Vec<_> = (0..config.pipeline.workers).map(gate).collect();
    need(&model, config, &mut gates)
}
