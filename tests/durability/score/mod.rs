//! What pure scorers promise: the formulas' worked examples, golden values of programs of other making, and
//! states that nobody can harm them with. No model is needed.

mod arpa;
mod contrast;
mod embedding;
mod golden;
mod language;
mod linear;
mod prototypes;
mod states;
mod subspace;
mod targets;

use pairgate::score::{Measure, Row, Scored};

/// Whether two numbers differ by at most half of the last digit that `digits` behind the point have.
fn rounds_to(found: f64, wanted: f64, digits: i32) -> bool {
    (found - wanted).abs() <= 0.5 * 10f64.powi(-digits) + 1e-12
}

/// Asserts it.
#[track_caller]
fn assert_rounds_to(found: f64, wanted: f64, digits: i32) {
    assert!(rounds_to(found, wanted, digits), "{found} is not {wanted} to {digits} digits");
}

/// The unit vector at an angle in degrees.
fn at_degrees(degrees: f64) -> [f64; 2] {
    let (sin, cos) = degrees.to_radians().sin_cos();
    [cos, sin]
}

fn row(values: &[f64]) -> Row {
    Row::of_f32(&values.iter().map(|value| *value as f32).collect::<Vec<_>>())
}

/// What a scorer gives of a pair of which nothing but the embeddings matters.
fn measured(measure: &dyn Measure, image: &Row, text: &Row, similarity: f32) -> f32 {
    measure.measure(&Scored { similarity, image, text, caption: "", tokens: &[] })
}

/// Numbers that look random, the same ones in every run, -1 to 1.
struct Noise(u64);

impl Noise {
    fn bits(&mut self) -> u32 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 32) as u32
    }

    fn value(&mut self) -> f64 {
        f64::from(self.bits()) / f64::from(u32::MAX) * 2.0 - 1.0
    }

    /// A row of unit length.
    fn row(&mut self, dimension: usize) -> Row {
        let values: Vec<f64> = (0..dimension).map(|_| self.value()).collect();
        row(&pairgate::score::numeric::unit(&values))
    }
}
