//! States of scorers that somebody made by hand, or damaged: a scorer or a named error, never a panic.

use pairgate::score::language::{TrainOptions, Trainer};
use pairgate::score::{
    Array, Band, Contrast, ContrastOptions, Features, Labelled, Linear, LinearOptions,
    LossReduction, Measure, Perplexity, Prototypes, Row, Scored, Side, StateError, Subspace,
    TargetNorm, Targets, Values,
};

use super::Noise;
use super::language::LETTERS;

const DIMENSION: usize = 8;

/// A scorer of arrays.
type Reader = fn(&[Array], usize) -> Result<Box<dyn Measure>, StateError>;

fn boxed<M: Measure + 'static>(measure: M) -> Box<dyn Measure> {
    Box::new(measure)
}

fn states() -> Vec<(&'static str, Vec<Array>, Reader)> {
    let noise = &mut Noise(6);
    let rows: Vec<Row> = (0..12).map(|_| noise.row(DIMENSION)).collect();
    let pairs = (0..6).map(|n| (n as u64, rows[n].clone(), rows[n + 6].clone()));
    let contrast = Contrast::fit(pairs, ContrastOptions::of(None)).unwrap();
    let two = Targets::fit(rows.clone(), TargetNorm::Two).unwrap();
    let infinity = Targets::fit(rows.clone(), TargetNorm::Infinity).unwrap();
    let classes = rows.iter().enumerate().map(|(n, row)| ((n % 3).to_string(), row.clone()));
    let prototypes = Prototypes::fit(classes, Side::Text).unwrap();
    let labelled = (0..6).map(|n| Labelled {
        image: rows[n].clone(),
        text: rows[n + 6].clone(),
        is_out: n % 2 == 0,
    });
    let options = LinearOptions { features: Features::Joint, ..LinearOptions::default() };
    let linear = Linear::fit(labelled, options).unwrap();
    let mean = [0.01; DIMENSION];
    let subspace = Subspace::fit(rows[..3].to_vec(), &mean, &mean).unwrap();
    let mut trainer =
        Trainer::new(LETTERS, TrainOptions { order: 3, ..TrainOptions::default() }).unwrap();
    (0..6).for_each(|n| trainer.add(&[n, n + 1, 3, 4, n % 2]).unwrap());
    let model = trainer.finish().unwrap();
    let band = Band { low: 1.0, high: 9.0 };
    vec![
        ("contrast", contrast.to_arrays(), |a, d| Contrast::from_arrays(a, d).map(boxed)),
        ("two", two.to_arrays(), |a, d| Targets::from_arrays(a, d).map(boxed)),
        ("infinity", infinity.to_arrays(), |a, d| Targets::from_arrays(a, d).map(boxed)),
        ("prototypes", prototypes.to_arrays(), |a, d| Prototypes::from_arrays(a, d).map(boxed)),
        ("linear", linear.to_arrays(), |a, d| Linear::from_arrays(a, d).map(boxed)),
        ("subspace", subspace.to_arrays(), |a, d| Subspace::from_arrays(a, d).map(boxed)),
        ("perplexity", Perplexity::new(model.clone(), band).to_arrays(), |a, d| {
            Perplexity::from_arrays(a, d).map(boxed)
        }),
        ("reduction", LossReduction::new(model.clone(), model).to_arrays(), |a, d| {
            LossReduction::from_arrays(a, d).map(boxed)
        }),
    ]
}

/// What a scorer gives of a pair.
fn ask(measure: &dyn Measure) -> f32 {
    let noise = &mut Noise(7);
    let (image, text) = (&noise.row(DIMENSION), &noise.row(DIMENSION));
    let tokens = [0, 3, 25, 99, -1];
    measure.measure(&Scored { similarity: 0.3, image, text, caption: "a", tokens: &tokens })
}

#[test]
fn a_state_is_read_again() {
    for (name, arrays, read) in states() {
        let measure = read(&arrays, DIMENSION).unwrap();
        assert!(ask(measure.as_ref()).is_finite(), "{name}");
        let mut turned = arrays;
        turned.reverse();
        assert_eq!(
            ask(read(&turned, DIMENSION).unwrap().as_ref()),
            ask(measure.as_ref()),
            "{name}"
        );
    }
}

#[test]
fn what_is_missing_or_of_another_shape_is_named() {
    for (state, arrays, read) in states() {
        for place in 0..arrays.len() {
            let name = &arrays[place].name;
            let mut changed = arrays.clone();
            changed.remove(place);
            let missing = read(&changed, DIMENSION).unwrap_err();
            assert_eq!(missing, StateError::Missing { name: name.clone() }, "{state}");

            for (turn, change) in [shorten, reshape, retype, add_side].into_iter().enumerate() {
                let mut changed = arrays.clone();
                change(&mut changed[place]);
                let Err(error) = read(&changed, DIMENSION) else {
                    panic!("{state}: {name} changed ({turn}) was taken");
                };
                // A row less of codes is told by the codes, and one less of scales too.
                let stem = name.split('.').next().unwrap();
                assert!(error.to_string().contains(stem), "{state}: {name}: {error}");
            }
        }
        if !["perplexity", "reduction"].contains(&state) {
            assert!(
                read(&arrays, DIMENSION + 1).is_err(),
                "{state} was taken for another dimension"
            );
        }
    }
}

fn shorten(array: &mut Array) {
    match &mut array.values {
        Values::I8(values) => drop(values.pop()),
        Values::F32(values) => drop(values.pop()),
        Values::F64(values) => drop(values.pop()),
        Values::U64(values) => drop(values.pop()),
        Values::Text(values) => drop(values.pop()),
    }
    // An empty list has nothing to lose.
    if array.shape == [0] {
        array.shape = vec![1];
    }
}

fn reshape(array: &mut Array) {
    array.shape = vec![usize::MAX; array.shape.len()];
}

fn retype(array: &mut Array) {
    array.values = match &array.values {
        Values::Text(values) => Values::I8(vec![0; values.len()]),
        other => Values::Text(vec![String::new(); other.len()]),
    };
}

fn add_side(array: &mut Array) {
    array.shape.push(1);
}

/// Every value of every array, one after the other, becomes what it must not be, or may be: whatever is taken
/// can be asked.
#[test]
fn values_that_harm_are_refused() {
    for (state, arrays, read) in states() {
        for place in 0..arrays.len() {
            for at in 0..arrays[place].values.len() {
                for turn in 0..6 {
                    let mut changed = arrays.clone();
                    spoil(&mut changed[place].values, at, turn);
                    if let Ok(measure) = read(&changed, DIMENSION) {
                        let value = ask(measure.as_ref());
                        let of = &changed[place].name;
                        assert!(!value.is_nan(), "{state}: {of} {at} {turn} gives no number");
                    }
                }
            }
        }
    }
}

/// What a scorer could be asked with, and would answer wrongly.
#[test]
fn values_that_mislead_are_refused_by_name() {
    let cases = [
        ("contrast", "images.scales", Values::F32(vec![-0.1])),
        ("contrast", "texts.codes", Values::I8(vec![i8::MIN])),
        ("contrast", "temperature", Values::F64(vec![0.0])),
        ("two", "norm", Values::Text(vec!["three".into()])),
        ("linear", "bias", Values::F64(vec![f64::NAN])),
        ("subspace", "basis", Values::F32(vec![f32::NAN])),
        ("perplexity", "model.1.probabilities", Values::F32(vec![0.5])),
        ("perplexity", "model.2.keys", Values::U64(vec![u64::MAX - 1])),
        ("perplexity", "model.2.backoffs", Values::F32(vec![1e30])),
    ];
    for (state, name, first) in cases {
        let (_, mut arrays, read) =
            states().into_iter().find(|(known, ..)| *known == state).unwrap();
        let array = arrays.iter_mut().find(|array| array.name == name).unwrap();
        set(&mut array.values, first);
        let Err(StateError::Value { name: told, .. }) = read(&arrays, DIMENSION) else {
            panic!("{state}: {name} was taken");
        };
        assert_eq!(told, name);
    }
}

/// Puts other values in the place of the first ones.
fn set(values: &mut Values, first: Values) {
    match (values, first) {
        (Values::I8(values), Values::I8(first)) => values[..first.len()].copy_from_slice(&first),
        (Values::F32(values), Values::F32(first)) => values[..first.len()].copy_from_slice(&first),
        (Values::F64(values), Values::F64(first)) => values[..first.len()].copy_from_slice(&first),
        (Values::U64(values), Values::U64(first)) => values[..first.len()].copy_from_slice(&first),
        (Values::Text(values), Values::Text(first)) => {
            values[..first.len()].clone_from_slice(&first)
        }
        _ => panic!("values of another type"),
    }
}

fn spoil(values: &mut Values, at: usize, turn: usize) {
    match values {
        Values::I8(values) => values[at] = [i8::MIN, -127, 127, 0, 1, -1][turn],
        Values::F32(values) => {
            let odd = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -1.0, 1e30, 0.0];
            values[at] = odd[turn];
        }
        Values::F64(values) => {
            values[at] = [f64::NAN, f64::INFINITY, f64::MIN, -1.0, 1e300, 0.0][turn];
        }
        Values::U64(values) => {
            values[at] =
                [0, u64::MAX, u64::from(u32::MAX), 1 << 32, 1 << 40, values[at].wrapping_add(1)]
                    [turn];
        }
        Values::Text(values) => {
            values[at] = ["", "image", "two", "nobody", "text", "joint"][turn].into()
        }
    }
}
