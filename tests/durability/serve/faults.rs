//! One call of the service's disk fails, every call in turn: whoever waits gets an error, and nobody who
//! was told "kept" was told wrong.

use std::path::Path;
use std::sync::Arc;

use super::{Service, Told, check, complete, disk, small_shards};
use crate::disk::injector::{Injector, Plan, Step};
use crate::disk::quick::{QuickFiles, scratch};

const PAIRS: usize = 23;

/// Serves `PAIRS` pairs in `out`; whether all went well.
fn serve(files: &Injector, out: &Path, told: &mut Told) -> bool {
    let Ok(mut service) = Service::start(&disk(files), out, small_shards()) else { return false };
    // `ask` holds that everyone who waits behind a failure is told of it.
    service.ask(&(0..PAIRS).collect::<Vec<_>>(), told).is_ok() && service.end().is_ok()
}

fn steps() -> Vec<Step> {
    let around = scratch();
    let clean = Injector::idle(Arc::new(QuickFiles));
    assert!(serve(&clean, &around.path().join("out"), &mut Told::default()));
    clean.steps()
}

#[test]
fn who_waits_behind_a_failed_call_is_told_so_and_nothing_is_lost_or_twice() {
    let every = if std::env::var_os("PAIRGATE_LONG_TESTS").is_some() { 1 } else { 3 };
    let (mut failed, mut answered) = (0, 0);
    for plan in Plan::all(&steps()).into_iter().step_by(every) {
        let around = scratch();
        let out = around.path().join("out");
        let (files, mut told) = (Injector::new(Arc::new(QuickFiles), plan), Told::default());
        failed += usize::from(!serve(&files, &out, &mut told));
        answered += told.answers.len();
        let context = format!("{plan:?} {}", files.failed().unwrap());
        let told_of = Named(&context);
        complete(&out, PAIRS, &mut told);
        check(&out, &told);
        drop(told_of);
    }
    // The faults meet services that have answered, and end them.
    assert!(failed > 100 && answered > 10 * failed, "{failed} failed, {answered} answers");
}

/// Names a fault if the test fails while it is there.
struct Named<'a>(&'a str);

impl Drop for Named<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the fault: {}", self.0);
        }
    }
}
