//! What this process takes, and whether a run may start under its ceiling.

use std::error::Error;
use std::fs;
use std::sync::Arc;
use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded};
use pairgate_core::config::{Config, Need};
use pairgate_kernels::Team;

use crate::gate::{Gate, GateSettings};
use crate::model::Model;
use crate::model::ModelError;

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
    let taken = warmed(gates, config.pipeline.batch)?.unwrap_or(UNTOLD_BYTES);
    Ok(need_beside(taken, model, config))
}

/// The same where program and models take `taken` bytes.
pub fn need_beside(taken: u64, model: &Model, config: &Config) -> Need {
    let side = u64::from(model.manifest().image.preparation().size);
    // Rows at their final width: what a preparer holds of the tallest image.
    let rows = config.pipeline.workers as u64 * 3 * side * u64::from(config.image.max_side);
    config.need(taken + rows).with_growing_captions(model.caption_growth())
}

/// Makes gates touch all of their memory.
pub fn warm(gates: &mut [Gate], batch: usize) -> Result<(), Box<dyn Error>> {
    warmed(gates, batch).map(drop)
}

/// What program and model take, whose gates have touched all of their memory.
pub fn taken_now() -> u64 {
    taken().unwrap_or(UNTOLD_BYTES)
}

/// The process's own memory, without files; 0 where the system does not tell.
pub fn own_bytes() -> u64 {
    account("RssAnon").unwrap_or(0)
}

/// The same for a config whose model is not loaded yet.
pub fn need_of(model: Model, config: &Config) -> Result<Need, Box<dyn Error>> {
    let model = Arc::new(model);
    let gate = |_| {
        let team = Team::new(config.model.threads as usize)?;
        Ok(Gate::on_team(model.clone(), GateSettings::of(config), team))
    };
    let gates = (0..config.pipeline.workers).map(gate);
    let mut gates = gates.collect::<Result<Vec<_>, Box<dyn Error>>>()?;
    need(&model, config, &mut gates)
}

/// What the process takes once each gate has touched all of its memory on a thread of its own, as in
/// a run: some of it belongs to the threads, and is measured while they all are there.
fn warmed(gates: &mut [Gate], batch: usize) -> Result<Option<u64>, Box<dyn Error>> {
    let (warm, all_warm) = bounded(0);
    let (release, released) = bounded(0);
    thread::scope(|scope| {
        let mut threads = Vec::new();
        for gate in gates {
            let (warm, released) = (warm.clone(), released.clone());
            let work = move || warm_until(gate, batch, warm, &released);
            threads.push(thread::Builder::new().spawn_scoped(scope, work)?);
        }
        drop(warm);
        let _: Result<(), _> = all_warm.recv();
        let taken = taken();
        drop(release);
        let join = |thread: thread::ScopedJoinHandle<'_, _>| {
            thread.join().expect("engine panics are errors")
        };
        threads.into_iter().try_for_each(join)?;
        Ok(taken)
    })
}

/// Warms a gate, gives `warm` back and waits for the end of `released`. Nothing is ever sent.
fn warm_until(
    gate: &mut Gate,
    batch: usize,
    warm: Sender<()>,
    released: &Receiver<()>,
) -> Result<(), ModelError> {
    let result = gate.warm(batch);
    drop(warm);
    let _ = released.recv();
    result
}

/// What the process takes: its own memory, all of the program's files, of which a run may read parts
/// that were not needed yet, and never less than it took at some time.
fn taken() -> Option<u64> {
    let now = account("RssAnon").zip(mapped_files()).map(|(own, files)| own + files);
    now.or_else(|| account("VmRSS")).max(account("VmHWM"))
}

/// Bytes of all files that are mapped into the process: the program and its libraries.
fn mapped_files() -> Option<u64> {
    let maps = fs::read_to_string("/proc/self/maps").ok()?;
    Some(maps.lines().filter_map(mapped_file).sum())
}

/// Bytes of a mapping, `from-to permissions offset device inode path`, if a file is behind it.
fn mapped_file(line: &str) -> Option<u64> {
    let mut fields = line.split_ascii_whitespace();
    let (from, to) = fields.next()?.split_once('-')?;
    let is_file = fields.nth(3)? != "0";
    let address = |text| u64::from_str_radix(text, 16).ok();
    address(to)?.checked_sub(address(from)?).filter(|_| is_file)
}
