//! Frozen selections, and the language in which they are asked for.

use std::sync::atomic::AtomicBool;

use pairgate::Digest;
use pairgate::digest::sha256;
use pairgate::score::PairEmbeddings;
use pairgate::select::fit::Work;
use pairgate::select::pool::InMemory;
use pairgate::select::scorers::Resources;
use pairgate::select::state::MAGIC;
use pairgate::select::{About, Expression, PoolPair, State, fit};
use pairgate_kernels::Team;

use crate::{Target, seal};

pub const STATE: Target = Target {
    name: "state",
    about: "a state that is read is written as it was",
    seeds: states,
    run: |bytes| {
        state(bytes);
        let mut sealed = bytes.to_vec();
        seal::seal_frames(&mut sealed, MAGIC.len());
        if let Some(end) = sealed.len().checked_sub(32) {
            let digest = sha256(&sealed[..end]);
            sealed[end..].copy_from_slice(&digest.0);
        }
        state(&sealed);
    },
};

pub const METHOD: Target = Target {
    name: "method",
    about: "an expression is read again from what it is written as",
    seeds: || {
        let texts = [
            "clusters k 500 keep 20%",
            "all(duplicates eps 0.05, any(score keep 5%, sources by a.b:host follow 1 keep 30%))",
            "ranks(2*contrast tau .07 + -1 * linear) >= 0.5 flag",
        ];
        texts.map(|text| text.as_bytes().to_vec()).to_vec()
    },
    run: |bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else { return };
        match Expression::parse(text) {
            Ok(found) => assert_eq!(Expression::parse(&found.to_string()), Ok(found)),
            Err(why) => drop(why.to_string()),
        }
    },
};

fn state(bytes: &[u8]) {
    if let Ok(state) = State::from_bytes(bytes) {
        let again = state.to_bytes();
        let read = State::from_bytes(&again).expect("what was written is read");
        assert_eq!(read.to_bytes(), again);
        let _ = (state.measures(), state.memory(), state.growth(), state.moving());
    }
}

fn states() -> Vec<Vec<u8>> {
    let value = |n: usize| half::f16::from_f32(((n * 37 % 101) as f32 - 50.0) / 100.0);
    let pair = |n: usize| PoolPair {
        uid: pairgate::Uid([n as u8; 16]),
        key: n.to_string(),
        shard: format!("{}.tar", n % 3),
        score: n as f32 / 50.0,
        embeddings: PairEmbeddings {
            image: (0..8).map(|at| value(8 * n + at)).collect(),
            text: (0..8).map(|at| value(8 * n + at + 3)).collect(),
        },
        caption: Some(format!("a dog and {n} cats")),
        tokens: Vec::new(),
        metadata: None,
    };
    let fitted = |expression: &str| {
        let about = About {
            program: "0".into(),
            model_name: "m".into(),
            model: Digest([1; 32]),
            dimension: 8,
            seed: 1,
            calibration: Digest::default(),
            pairs: 0,
            threshold: None,
            expression: expression.into(),
        };
        let resources =
            Resources { entries: vec!["dog".into(), "cats".into()], ..Resources::default() };
        let stop = AtomicBool::new(false);
        let work = Work { team: &Team::ALONE, stop: &stop, tell: &mut |_| {} };
        let mut pool = InMemory((0..40).map(pair).collect());
        fit(&mut pool, about, &resources, work).expect("it is fitted").state.to_bytes()
    };
    [
        "clusters k 3 keep 50%",
        "all(duplicates k 2 ring 2, sources by shard keep 50%, entries)",
        "ranks(contrast bank 5 + score) keep 20%",
    ]
    .map(fitted)
    .to_vec()
}
