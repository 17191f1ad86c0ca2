use std::sync::atomic::AtomicBool;

use pairgate::select::fit::Work;
use pairgate::select::pool::InMemory;
use pairgate::select::scorers::Resources;
use pairgate::select::{State, StateError, fit};
use pairgate::{Digest, Disk};
use pairgate_kernels::Team;

use super::{about, pairs};

pub const ALL_METHODS: &str = "all(score >= 0.05, ranks(2 * score) keep 90%, sources by site.url:host keep 80%, \
     clusters k 6 keep 70%, duplicates k 5 eps 0.01 ring 8, entries tail 0.3)";

pub fn entries() -> Resources {
    Resources {
        entries: ["dog", "cat", "a dog and a", "beach"].map(str::to_owned).to_vec(),
        ..Resources::default()
    }
}

pub fn fitted(expression: &str, pool: &mut InMemory, dimension: u32) -> State {
    let stop = AtomicBool::new(false);
    let work = Work { team: &Team::ALONE, stop: &stop, tell: &mut |_| {} };
    fit(pool, about(expression, dimension), &entries(), work).unwrap().state
}

fn some() -> State {
    fitted(ALL_METHODS, &mut InMemory(pairs(400, 24, 1)), 24)
}

#[test]
fn a_state_is_read_as_it_was_written() {
    let state = some();
    let bytes = state.to_bytes();
    let read = State::from_bytes(&bytes).unwrap();
    assert_eq!(read.to_bytes(), bytes);
    assert_eq!(read.digest(), state.digest());
    assert_eq!(read.digest().0, bytes[bytes.len() - 32..]);
    assert_eq!(read.about(), state.about());
    assert_eq!(read.about().pairs, 400);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pgsel");
    state.save(&Disk::system(), &path).unwrap();
    assert_eq!(State::load(&path).unwrap().digest(), state.digest());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn the_same_fit_gives_the_same_bytes_on_any_number_of_threads() {
    let one = some().to_bytes();
    let team = Team::new(3).unwrap();
    let stop = AtomicBool::new(false);
    let work = Work { team: &team, stop: &stop, tell: &mut |_| {} };
    let mut pool = InMemory(pairs(400, 24, 1));
    let again = fit(&mut pool, about(ALL_METHODS, 24), &entries(), work).unwrap();
    assert_eq!(again.state.to_bytes(), one);
}

#[test]
fn what_is_damaged_is_refused() {
    let bytes = fitted("clusters k 3 keep 50%", &mut InMemory(pairs(60, 8, 1)), 8).to_bytes();
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x40;
        assert!(State::from_bytes(&damaged).is_err(), "byte {at}");
        assert!(State::from_bytes(&bytes[..at]).is_err(), "cut at {at}");
    }
    let mut longer = bytes.clone();
    longer.push(0);
    assert!(State::from_bytes(&longer).is_err());
    assert!(matches!(State::from_bytes(b"PK\x03\x04"), Err(StateError::NotAState)));
    assert!(matches!(State::from_bytes(b""), Err(StateError::NotAState)));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pgsel");
    std::fs::write(&path, &bytes[..50]).unwrap();
    let error = State::load(&path).unwrap_err().to_string();
    assert!(error.contains("a.pgsel") && error.contains("damaged"), "{error}");
}

#[test]
fn another_model_is_refused_by_name() {
    let state = some();
    assert!(state.check_model("test 1", Digest([7; 32]), 24).is_ok());
    let error = state.check_model("other 2", Digest([8; 32]), 24).unwrap_err().to_string();
    assert!(
        error.contains("test 1 (070707070707)") && error.contains("other 2 (080808080808)"),
        "{error}"
    );
    let error = state.check_model("test 1", Digest([7; 32]), 25).unwrap_err().to_string();
    assert!(error.contains("24") && error.contains("25"), "{error}");
}

#[test]
fn states_differ_by_what_they_were_fitted_on() {
    let one = fitted("score keep 50%", &mut InMemory(pairs(50, 8, 1)), 8);
    let other = fitted("score keep 50%", &mut InMemory(pairs(50, 8, 2)), 8);
    assert_ne!(one.about().calibration, other.about().calibration);
    assert_ne!(one.digest(), other.digest());
}

#[test]
fn what_moves_is_told() {
    let moving = |expression: &str| {
        let state = fitted(expression, &mut InMemory(pairs(60, 8, 1)), 8);
        (state.moving(), state.growth() > 0, state.needs_embeddings())
    };
    assert_eq!(moving("score keep 50%"), (None, false, false));
    assert_eq!(moving("clusters k 3 keep 50%"), (None, false, false));
    assert_eq!(moving("duplicates k 3"), (Some("duplicates"), true, true));
    assert_eq!(moving("sources follow 1 keep 50%"), (Some("sources"), true, false));
}
