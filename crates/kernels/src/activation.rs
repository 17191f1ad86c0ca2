//! Activation functions and the exponential, from polynomials on lanes: no math library is called,
//! so every machine gives the same bits.
//!
//! Errors below are absolute, against the exact function, for every f32 that is a number.

use super::arch::{Arch, LANES, Lanes};
use super::disjoint::split_rows;
use super::{Isa, Task, Team};

/// A function of each value alone. NaN gives NaN.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Activation {
    /// The value itself.
    None,
    /// `max(x, 0)`, exact.
    Relu,
    /// `min(max(x, low), high)`, exact.
    Clip {
        /// The least result.
        low: f32,
        /// The greatest result.
        high: f32,
    },
    /// `x * Phi(x)` with the normal distribution's Phi; error below 5e-5, and below 2e-4 of the
    /// result for |x| < 1. Below -4.42 it is a constant within that error of 0.
    Gelu,
    /// The `tanh` form of [`Activation::Gelu`]; error below 4e-5, else likewise (below -4.34).
    GeluTanh,
    /// `x * sigmoid(1.702 x)`; error below 2e-6. Minus infinity gives NaN.
    QuickGelu,
    /// `x * sigmoid(x)`; error below 2e-6 or 3e-7 of the result. Minus infinity gives NaN.
    Silu,
    /// `1 / (1 + exp(-x))`; error below 3e-7.
    Sigmoid,
    /// The hyperbolic tangent; error below 5e-7.
    Tanh,
    /// `min(max(alpha * x + beta, 0), 1)`, the sum rounded once.
    HardSigmoid {
        /// The slope.
        alpha: f32,
        /// The value at 0.
        beta: f32,
    },
    /// `x * min(max(x / 6 + 0.5, 0), 1)`; minus infinity gives NaN.
    HardSwish,
    /// The error function; error below 3e-5.
    Erf,
    /// [`exp`].
    Exp,
}

impl Activation {
    /// Its values at `x`.
    #[inline(always)]
    pub fn apply<A: Arch>(self, arch: A, x: A::F) -> A::F {
        let mut x = [x];
        self.apply_all(arch, &mut x);
        x[0]
    }

    /// Replaces each value by the function's: one branch for all, where [`Activation::apply`] has
    /// one for each.
    #[inline(always)]
    pub fn apply_all<A: Arch>(self, arch: A, x: &mut [A::F]) {
        /// A loop; a closure would not be compiled for the instruction set.
        macro_rules! each {
            ($x:ident => $value:expr) => {
                for value in x {
                    let $x = *value;
                    *value = $value;
                }
            };
        }
        let (one, two) = (arch.splat(1.0), arch.splat(2.0));
        match self {
            Self::None => {}
            Self::Relu => each!(x => relu(arch, x)),
            Self::Clip { low, high } => each!(x => clip(arch, x, low, high)),
            Self::Gelu => each!(x => gate(arch, x, GELU_END, &GELU)),
            Self::GeluTanh => each!(x => gate(arch, x, GELU_TANH_END, &GELU_TANH)),
            Self::QuickGelu => each!(x => x.div(one_plus_exp(arch, x, -1.702))),
            Self::Silu => each!(x => x.div(one_plus_exp(arch, x, -1.0))),
            Self::Sigmoid => each!(x => one.div(one_plus_exp(arch, x, -1.0))),
            Self::Tanh => each!(x => two.div(one_plus_exp(arch, x, -2.0)).sub(one)),
            Self::HardSigmoid { alpha, beta } => each!(x => hard_sigmoid(arch, x, alpha, beta)),
            Self::HardSwish => each!(x => x.mul(hard_sigmoid(arch, x, 1.0 / 6.0, 0.5))),
            Self::Erf => each!(x => erf(arch, x)),
            Self::Exp => each!(x => exp(arch, x)),
        }
    }
}

/// Coefficients of `gate` for `x * Phi(x)`, fitted for the least greatest error, constant first.
const GELU: [f32; 10] = [
    -0.5,
    0.399_699_15,
    -0.006_847_620_5,
    -0.044_737_164,
    -0.034_446_54,
    0.040_758_69,
    -0.015_932_82,
    0.003_174_749_2,
    -0.000_327_284_9,
    0.000_013_923_704,
];
/// From here on the tail of GELU counts as constant.
const GELU_END: f32 = 4.42;

/// Likewise for the `tanh` form.
const GELU_TANH: [f32; 10] = [
    -0.5,
    0.399_320_33,
    -0.004_522_594_6,
    -0.050_324_384,
    -0.028_666_832,
    0.037_704_16,
    -0.015_040_657,
    0.003_030_459_4,
    -0.000_315_442_5,
    0.000_013_556_666,
];
const GELU_TANH_END: f32 = 4.34;

/// Coefficients of `erf(t) / t` in `t * t`, constant first.
const ERF: [f32; 9] = [
    1.128_268_5,
    -0.375_314_86,
    0.111_079_33,
    -0.025_102_858,
    0.004_235_425_5,
    -0.000_511_036_4,
    0.000_041_060_47,
    -0.000_001_944_819,
    0.000_000_040_742,
];
/// From here on the error function counts as constant.
const ERF_END: f32 = 3.0;

/// Coefficients of `e^r` for |r| <= ln 2 / 2, constant first; relative error 1.1e-7.
const EXP: [f32; 6] = [1.0, 1.0, 0.499_992_3, 0.166_671_14, 0.041_890_122, 0.008_312_524];

/// `coefficients[0] + x * (coefficients[1] + x * ...)`
#[inline(always)]
fn polynomial<A: Arch>(arch: A, x: A::F, coefficients: &[f32]) -> A::F {
    let mut terms = coefficients.iter().rev();
    let mut sum = arch.splat(terms.next().copied().unwrap_or(0.0));
    for term in terms {
        sum = sum.mul_add(x, arch.splat(*term));
    }
    sum
}

// In all of these the value is the second operand of `max` and `min`: those give it back where it
// is NaN.

#[inline(always)]
fn relu<A: Arch>(arch: A, x: A::F) -> A::F {
    arch.splat(0.0).max(x)
}

#[inline(always)]
fn clip<A: Arch>(arch: A, x: A::F, low: f32, high: f32) -> A::F {
    arch.splat(high).min(arch.splat(low).max(x))
}

#[inline(always)]
fn hard_sigmoid<A: Arch>(arch: A, x: A::F, alpha: f32, beta: f32) -> A::F {
    clip(arch, arch.splat(alpha).mul_add(x, arch.splat(beta)), 0.0, 1.0)
}

/// `x * S(x)` for a sigmoid-like S with `S(x) + S(-x) = 1`: that is `max(x, 0) - a * S(-a)` with
/// `a = |x|`, and the second part is a bump that a short polynomial follows up to `end`. Large
/// values keep all their digits.
#[inline(always)]
fn gate<A: Arch>(arch: A, x: A::F, end: f32, coefficients: &[f32; 10]) -> A::F {
    let a = arch.splat(end).min(x.abs());
    polynomial(arch, a, coefficients).mul_add(a, relu(arch, x))
}

#[inline(always)]
fn erf<A: Arch>(arch: A, x: A::F) -> A::F {
    let t = clip(arch, x, -ERF_END, ERF_END);
    polynomial(arch, t.mul(t), &ERF).mul(t)
}

/// `1 + exp(factor * x)`
#[inline(always)]
fn one_plus_exp<A: Arch>(arch: A, x: A::F, factor: f32) -> A::F {
    exp(arch, x.mul(arch.splat(factor))).add(arch.splat(1.0))
}

/// The exponential: relative error below 5e-7 where the result is a normal number. 0 below -87.7,
/// infinity above 88.3; NaN gives NaN; `exp(0)` is 1.
#[inline(always)]
pub fn exp<A: Arch>(arch: A, x: A::F) -> A::F {
    exp_below(arch, arch.splat(89.0).min(x))
}

/// [`exp`] for values up to 89, or NaN.
#[inline(always)]
pub(super) fn exp_below<A: Arch>(arch: A, x: A::F) -> A::F {
    // x = n * ln 2 + r with whole n: a sum near 1.5 * 2^23 has no room for a fraction.
    let whole = arch.splat(12_582_912.0);
    let x = arch.splat(-88.0).max(x);
    let n = x.mul_add(arch.splat(std::f32::consts::LOG2_E), whole).sub(whole);
    let r = n.mul_add(arch.splat(-std::f32::consts::LN_2), x);
    polynomial(arch, r, &EXP).mul(n.pow2())
}

/// Replaces each value by the activation's.
pub fn activate(isa: Isa, team: &Team, activation: Activation, x: &mut [f32]) {
    if activation != Activation::None {
        split_rows(team, x, 1, 4096, |_, x| isa.run(Activate { activation, x }));
    }
}

struct Activate<'a> {
    activation: Activation,
    x: &'a mut [f32],
}

impl Task for Activate<'_> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arch>(self, arch: A) {
        const BLOCK: usize = 4 * LANES;
        let (blocks, rest) = self.x.as_chunks_mut::<BLOCK>();
        for block in blocks {
            activate_block(arch, self.activation, block);
        }
        let mut padded = [0.0; BLOCK];
        padded[..rest.len()].copy_from_slice(rest);
        activate_block(arch, self.activation, &mut padded);
        rest.copy_from_slice(&padded[..rest.len()]);
    }
}

/// Four vectors at once, so that one's chain of operations fills the gaps of another's.
#[inline(always)]
fn activate_block<A: Arch, const N: usize>(arch: A, activation: Activation, x: &mut [f32; N]) {
    let mut lanes = [arch.splat(0.0); 4];
    let (chunks, _) = x.as_chunks_mut::<LANES>();
    for (lanes, x) in lanes.iter_mut().zip(chunks.iter()) {
        *lanes = arch.load(x);
    }
    activation.apply_all(arch, &mut lanes);
    for (lanes, x) in lanes.iter().zip(chunks) {
        lanes.store(x);
    }
}
