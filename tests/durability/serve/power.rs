//! The power is cut after every call of a service, and of the one that goes on behind it.

use std::path::Path;
use std::sync::Arc;

use pairgate::disk::Disk;

use super::{Service, Told, check, complete, disk, small_shards};
use crate::disk::log::Log;
use crate::disk::power_cut::{KINDS, Kind, State, Told as Cut};
use crate::disk::quick::{QuickFiles, scratch};
use crate::disk::random::Random;
use crate::disk::recorder::Recorder;

const PAIRS: usize = 43;

/// Answers that are noted in the log as they are given.
fn noted(recorder: &Recorder) -> Told {
    let recorder = recorder.clone();
    Told { heard: Some(Box::new(move |count| recorder.mark(count as u64))), ..Told::default() }
}

/// A service that answers `PAIRS` pairs in their order, and ends.
fn recorded() -> (Log, Told) {
    let around = scratch();
    let recorder = Recorder::with(around.path(), Arc::new(QuickFiles));
    let mut told = noted(&recorder);
    let out = around.path().join("out");
    let mut service = Service::start(&disk(&recorder), &out, small_shards()).unwrap();
    service.ask(&(0..PAIRS).collect::<Vec<_>>(), &mut told).unwrap();
    service.end().unwrap();
    (recorder.log(), told)
}

/// Puts the state of this kind into a folder, and hands it over.
fn cut_at(log: &Log, point: usize, kind: Kind, random: &mut Random, then: impl FnOnce(&Path, u64)) {
    let state = State::make(log, point, kind, random);
    let around = scratch();
    state.write_to(around.path());
    let cut = Cut(&state);
    then(around.path(), state.mark.unwrap_or(0));
    drop(cut);
}

/// Clients whose answers the cut has taken send again, and are served to the end.
fn go_on(around: &Path, told: &Told, answered: u64) {
    let mut told = told.first(answered as usize);
    let out = around.join("out");
    complete(&out, PAIRS, &mut told);
    check(&out, &told);
}

#[test]
fn what_was_answered_is_there_and_what_is_sent_again_is_there_once() {
    let (log, told) = recorded();
    assert_eq!(told.answers.len(), PAIRS);
    let mut random = Random::seeded(1);
    for (number, point) in log.points().enumerate() {
        let one = (number + number / KINDS.len()) % KINDS.len();
        let all = std::env::var_os("PAIRGATE_LONG_TESTS").is_some();
        for kind in if all { &KINDS[..] } else { &KINDS[one..=one] } {
            cut_at(&log, point, *kind, &mut random, |around, mark| go_on(around, &told, mark));
        }
    }
}

/// The power is cut, and once more while the service goes on and clients send again.
#[test]
fn the_power_may_be_cut_while_clients_send_again() {
    let (log, told) = recorded();
    let mut random = Random::seeded(2);
    let step = if std::env::var_os("PAIRGATE_LONG_TESTS").is_some() { 3 } else { 29 };
    for (number, point) in log.points().enumerate().step_by(step) {
        let kind = KINDS[number % KINDS.len()];
        cut_at(&log, point, kind, &mut random.fork(), |around, mark| {
            let recorder = Recorder::with(around, Arc::new(QuickFiles));
            let mut again = noted(&recorder);
            again.answers = told.first(mark as usize).answers;
            recorder.mark(mark);
            let disk: Disk = disk(&recorder);
            let mut service = Service::start(&disk, &around.join("out"), small_shards()).unwrap();
            // All are behind the ones that were answered: answers come in the pairs' order.
            let behind: Vec<_> = (mark as usize..PAIRS).take(12).collect();
            service.ask(&behind, &mut again).unwrap();
            drop(service);
            let log = recorder.log();
            for (number, point) in log.points().enumerate().step_by(3) {
                let kind = KINDS[(number / 3) % KINDS.len()];
                cut_at(&log, point, kind, &mut random, |around, mark| go_on(around, &again, mark));
            }
        });
    }
}
