//! Offline over a pool, and frozen pair by pair.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use pairgate::Reason;
use pairgate::score::{Row, Scored};
use pairgate::select::chooser::{Chooser, Seen};
use pairgate::select::fit::{SelectError, Work, frozen};
use pairgate::select::pool::InMemory;
use pairgate::select::{PoolPair, State, apply, fit};
use pairgate_kernels::Team;

use super::state::{ALL_METHODS, entries, fitted};
use super::{about, pairs};

fn kept_offline(pool: &mut InMemory, state: &State) -> Vec<u32> {
    let stop = AtomicBool::new(false);
    let work = Work { team: &Team::ALONE, stop: &stop, tell: &mut |_| {} };
    apply(pool, state, work).unwrap().kept
}

fn kept_frozen(pool: &mut InMemory, state: &Arc<State>, threads: usize) -> (Vec<u32>, Vec<Reason>) {
    let (stop, team) = (AtomicBool::new(false), Team::new(threads).unwrap());
    let work = Work { team: &team, stop: &stop, tell: &mut |_| {} };
    let reasons = frozen(pool, state, work).unwrap();
    let kept = (0..).zip(&reasons).filter(|(_, reason)| **reason == Reason::Passed);
    (kept.map(|(place, _)| place).collect(), reasons)
}

/// The share of the pool that is decided otherwise.
fn differ(one: &[u32], other: &[u32], pairs: usize) -> f64 {
    let only =
        |a: &[u32], b: &[u32]| a.iter().filter(|place| b.binary_search(place).is_err()).count();
    (only(one, other) + only(other, one)) as f64 / pairs as f64
}

/// On the pool that a state was fitted on, methods whose cuts are frozen values decide alike; ranks by 1025
/// quantiles and duplicates, which a stream holds against kept ones in the order of arrival, do so nearly.
#[test]
fn a_pool_and_a_stream_decide_alike_as_far_as_methods_can() {
    for (expression, most) in [
        ("score keep 20%", 0.0),
        ("score within 10% 80%", 0.0),
        ("clusters k 6 keep 20%", 0.0),
        ("sources by shard keep 30%", 0.0),
        ("sources by shard power 0 keep 30%", 0.0),
        ("entries tail 0.3", 0.0),
        ("all(score keep 50%, clusters k 6 keep 40%)", 0.0),
        ("any(score keep 10%, clusters k 6 keep 10%)", 0.0),
        ("ranks(2 * score) keep 20%", 0.004),
        ("duplicates k 6 eps 0.01", 0.2),
        ("sources follow 1 keep 30%", 0.15),
    ] {
        let mut pool = InMemory(pairs(3000, 32, 5));
        let state = Arc::new(fitted(expression, &mut pool, 32));
        let offline = kept_offline(&mut pool, &state);
        let (stream, _) = kept_frozen(&mut pool, &state, 1);
        let found = differ(&offline, &stream, 3000);
        assert!(
            found <= most,
            "{expression}: {found} differ, {} and {} kept",
            offline.len(),
            stream.len()
        );
        assert!(!offline.is_empty() && offline.len() < 3000, "{expression}");
    }
}

#[test]
fn shares_are_exact_over_a_pool() {
    let mut pool = InMemory(pairs(1000, 16, 6));
    for (expression, kept) in [
        ("score keep 20%", 200),
        ("clusters k 7 keep 33%", 330),
        ("sources by site.url:host keep 25%", 250),
        ("ranks(score) keep 10%", 100),
        ("all(score keep 50%, clusters k 5 keep 50%, sources keep 50%)", 125),
    ] {
        let state = fitted(expression, &mut pool, 16);
        assert_eq!(kept_offline(&mut pool, &state).len(), kept, "{expression}");
        // Of another pool too, by what is frozen of the methods.
        assert_eq!(
            kept_offline(&mut InMemory(pairs(1000, 16, 7)), &state).len(),
            kept,
            "{expression}"
        );
    }
}

#[test]
fn any_number_of_threads_decides_alike() {
    let mut pool = InMemory(pairs(1500, 24, 9));
    let state = Arc::new(fitted(ALL_METHODS, &mut pool, 24));
    let one = kept_frozen(&mut pool, &state, 1);
    assert_eq!(kept_frozen(&mut pool, &state, 4), one);
    let reasons: std::collections::BTreeSet<_> = one.1.iter().collect();
    for reason in [
        Reason::Passed,
        Reason::NotSelected,
        Reason::OverQuota,
        Reason::NearDuplicate,
        Reason::NotDrawn,
    ] {
        assert!(reasons.contains(&reason), "{reason} is among {reasons:?}");
    }
}

pub fn measures(state: &State, pair: &PoolPair) -> (Vec<f32>, Row) {
    let (image, text) = (Row::of(&pair.embeddings.image), Row::of(&pair.embeddings.text));
    let scored = Scored {
        similarity: pair.score,
        image: &image,
        text: &text,
        caption: pair.caption.as_deref().unwrap(),
        tokens: &[],
    };
    let mut values = Vec::new();
    state.measures().iter().for_each(|measure| measure.measure_into(&scored, &mut values));
    (values, image)
}

/// A stream that is stopped anywhere and goes on from a checkpoint and the choices behind it decides as one
/// that nothing stopped.
#[test]
fn what_was_learnt_is_learnt_again() {
    let pool = pairs(900, 24, 11);
    let expression = "all(sources follow 1 keep 70%, duplicates k 5 eps 0.02 ring 4)";
    let state = Arc::new(fitted(expression, &mut InMemory(pool.clone()), 24));
    let seen: Vec<_> = pool.iter().map(|pair| measures(&state, pair)).collect();
    let choose = |chooser: &mut Chooser, place: usize| {
        let (pair, (measures, image)) = (&pool[place], &seen[place]);
        let seen = Seen {
            ticket: place as u64,
            uid: pair.uid,
            score: pair.score,
            measures,
            image: Some(image),
            shard: &pair.shard,
            metadata: pair.metadata.as_ref(),
        };
        chooser.choose(&seen).unwrap()
    };
    // Saving sorts sketches: a run that checkpoints at the same places is what must come out.
    let (checkpoint_at, stops) = (300, [300, 301, 555, 899]);
    let mut whole = Chooser::new(state.clone());
    let (mut choices, mut checkpoint) = (Vec::new(), Vec::new());
    for place in 0..900 {
        if place == checkpoint_at {
            checkpoint = whole.saved();
        }
        choices.push(choose(&mut whole, place));
    }
    for stop in stops {
        let mut again = Chooser::new(state.clone());
        assert!(again.restore(&checkpoint));
        for (place, (_, choice)) in choices.iter().enumerate().take(stop).skip(checkpoint_at) {
            again.learn_again(place as u64, choice);
        }
        for (place, wanted) in choices.iter().enumerate().skip(stop) {
            assert_eq!(choose(&mut again, place), *wanted, "stopped at {stop}, pair {place}");
        }
    }
    let like = choices.iter().filter(|(reason, _)| *reason == Reason::NearDuplicate);
    assert!(like.clone().count() > 0);
    assert!(like.clone().all(|(_, choice)| choice.like.is_some()));
    assert!(!Chooser::new(state).restore(b"nothing"));
}

#[test]
fn a_flag_drops_nothing() {
    let mut pool = InMemory(pairs(300, 8, 4));
    let state = Arc::new(fitted("score keep 20% flag", &mut pool, 8));
    assert_eq!(kept_offline(&mut pool, &state).len(), 300);
    let mut chooser = Chooser::new(state.clone());
    let worst = pool.0.iter().min_by(|a, b| a.score.total_cmp(&b.score)).unwrap();
    let seen = Seen {
        ticket: 0,
        uid: worst.uid,
        score: worst.score,
        measures: &[],
        image: None,
        shard: "",
        metadata: None,
    };
    let (reason, choice) = chooser.choose(&seen).unwrap();
    assert_eq!((reason, choice.flags), (Reason::Passed, vec![Reason::NotSelected as u8]));
    let lacking = Arc::new(fitted("clusters k 3 keep 20%", &mut pool, 8));
    assert!(Chooser::new(lacking).choose(&seen).is_none(), "what was not measured is not chosen");
}

#[test]
fn what_a_method_lacks_is_named() {
    let stop = AtomicBool::new(false);
    let fitted = |pool: &mut InMemory, expression: &str| {
        let work = Work { team: &Team::ALONE, stop: &stop, tell: &mut |_| {} };
        fit(pool, about(expression, 8), &entries(), work).map(drop).map_err(|why| why.to_string())
    };
    let mut pool = InMemory(pairs(40, 8, 4));
    assert!(fitted(&mut InMemory::default(), "score keep 5%").unwrap_err().contains("no pair"));
    assert!(fitted(&mut pool, "clusters k 41 keep 5%").unwrap_err().contains("smaller k"));
    assert!(fitted(&mut pool, "sources least 30 keep 5%").unwrap_err().contains("at least"));
    let many = "duplicates k 1000000 ring 1000";
    assert!(fitted(&mut pool, many).unwrap_err().contains("MiB"));
    pool.0[3].caption = None;
    assert!(fitted(&mut pool, "entries").unwrap_err().contains("--source"));
    stop.store(true, std::sync::atomic::Ordering::SeqCst);
    let work = Work { team: &Team::ALONE, stop: &stop, tell: &mut |_| {} };
    let stopped = fit(&mut pool, about("clusters k 3 keep 5%", 8), &entries(), work);
    assert!(matches!(stopped, Err(SelectError::Stopped)));
}
