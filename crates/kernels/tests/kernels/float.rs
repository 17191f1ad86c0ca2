//! f32 kernels: each against the same sum in plain f64 or f32, every instruction set against the
//! scalar one bit for bit, and one thread against several.

use std::sync::Once;

use pairgate_kernels::activation::activate;
use pairgate_kernels::attention::{Attention, attention};
use pairgate_kernels::convolve::Geometry;
use pairgate_kernels::depthwise::depthwise;
use pairgate_kernels::depthwise_int8::{PackedDepthwise, depthwise_int8};
use pairgate_kernels::matmul::{Sizes, View, matmul};
use pairgate_kernels::norm::{Norm, dot, layer_norm, rms_norm, unit_length};
use pairgate_kernels::pool::{average_pool, max_pool, mean, sum};
use pairgate_kernels::product::Epilogue;
use pairgate_kernels::softmax::softmax;
use pairgate_kernels::{Activation, Isa, Team};
use proptest::prelude::*;

/// Around one vector, and around a block of four.
const LENGTHS: [usize; 14] = [0, 1, 2, 15, 16, 17, 31, 32, 33, 63, 64, 65, 129, 200];

/// The bits of a result; one pattern for all that is not a number.
fn bits(x: &[f32]) -> Vec<u32> {
    x.iter().map(|x| if x.is_nan() { f32::NAN.to_bits() } else { x.to_bits() }).collect()
}

/// The result of a kernel, which must have the same bits on every instruction set that is here and
/// with one, two and three threads.
fn alike(run: impl Fn(Isa, &Team) -> Vec<f32>) -> Vec<f32> {
    static SKIPPED: Once = Once::new();
    SKIPPED.call_once(|| {
        let here: Vec<_> = Isa::available().iter().map(|isa| isa.name()).collect();
        for name in Isa::known().iter().filter(|name| !here.contains(name)) {
            eprintln!("skipped: this machine has no {name}");
        }
    });
    let expected = run(Isa::SCALAR, &Team::ALONE);
    for isa in Isa::available() {
        for threads in 1..=3 {
            let team = Team::new(threads).unwrap();
            let got = run(isa, &team);
            assert_eq!(bits(&got), bits(&expected), "{isa}, {threads} threads");
        }
    }
    expected
}

/// A sequence of numbers that a seed gives.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as u32 ^ (self.0 >> 17) as u32
    }

    /// -1 to 1
    fn unit(&mut self) -> f32 {
        (self.next() >> 8) as f32 / 8_388_608.0 - 1.0
    }

    /// Mostly about 1; some zeros of both signs, denormals, large and tiny values.
    fn value(&mut self) -> f32 {
        match self.next() % 32 {
            0 => 0.0,
            1 => -0.0,
            2 => f32::from_bits(self.next() & 0x807f_ffff),
            3 => self.unit() * 1e30,
            4 => self.unit() * 1e-30,
            _ => self.unit() * 4.0,
        }
    }

    fn values(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.value()).collect()
    }

    fn units(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.unit()).collect()
    }

    /// Any bits: not a number and infinite too.
    fn any(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| f32::from_bits(self.next())).collect()
    }
}

mod activations {
    use super::*;

    /// The error function: its series, or the continued fraction of its complement.
    fn erf(x: f64) -> f64 {
        if x.abs() > 3.0 { x.signum() - complement(x.abs()) * x.signum() } else { series(x) }
    }

    fn series(x: f64) -> f64 {
        let (mut term, mut sum) = (x, x);
        for n in 1..100 {
            let n = f64::from(n);
            term *= -x * x / n;
            sum += term / (2.0 * n + 1.0);
        }
        sum * std::f64::consts::FRAC_2_SQRT_PI
    }

    /// `1 - erf(x)` for `x` above 2.
    fn complement(x: f64) -> f64 {
        let fraction = (1..200).rev().fold(0.0, |below, k| f64::from(k) / 2.0 / (x + below));
        (-x * x).exp() / std::f64::consts::PI.sqrt() / (x + fraction)
    }

    fn gelu(x: f64) -> f64 {
        let t = x / std::f64::consts::SQRT_2;
        if t < -3.0 { x * 0.5 * complement(-t) } else { x * 0.5 * (1.0 + erf(t)) }
    }

    fn gelu_tanh(x: f64) -> f64 {
        let t = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x * x * x);
        x / (1.0 + (-2.0 * t).exp())
    }

    fn sigmoid(x: f64) -> f64 {
        1.0 / (1.0 + (-x).exp())
    }

    /// Every magnitude, and -16 to 16 closely.
    fn samples() -> Vec<f32> {
        let all = (0..=u32::MAX).step_by(40_009).map(f32::from_bits).filter(|x| x.is_finite());
        all.chain((-160_000..=160_000).map(|i| i as f32 * 1e-4)).collect()
    }

    fn fastest() -> Isa {
        Isa::available().pop().unwrap()
    }

    fn of(activation: Activation, mut x: Vec<f32>) -> Vec<f32> {
        activate(fastest(), &Team::ALONE, activation, &mut x);
        x
    }

    /// Checks `|result - exact| <= absolute + relative * |exact|`.
    fn assert_within(
        activation: Activation,
        exact: impl Fn(f64) -> f64,
        absolute: f64,
        relative: f64,
    ) {
        let x = samples();
        for (x, y) in x.iter().zip(of(activation, x.clone())) {
            let exact = exact(f64::from(*x));
            let error = (f64::from(y) - exact).abs();
            assert!(error <= absolute + relative * exact.abs(), "{activation:?}({x}) = {y}");
        }
    }

    #[test]
    fn errors_are_below_their_bounds() {
        assert_within(Activation::Gelu, gelu, 5e-5, 0.0);
        assert_within(Activation::GeluTanh, gelu_tanh, 4e-5, 0.0);
        assert_within(Activation::QuickGelu, |x| x * sigmoid(1.702 * x), 2e-6, 3e-7);
        assert_within(Activation::Silu, |x| x * sigmoid(x), 2e-6, 3e-7);
        assert_within(Activation::Sigmoid, sigmoid, 3e-7, 0.0);
        assert_within(Activation::Tanh, f64::tanh, 5e-7, 0.0);
        assert_within(Activation::Erf, erf, 3e-5, 0.0);
    }

    #[test]
    fn gelu_keeps_its_digits_near_zero() {
        for (activation, exact) in
            [(Activation::Gelu, gelu as fn(f64) -> f64), (Activation::GeluTanh, gelu_tanh)]
        {
            let x: Vec<f32> = samples().into_iter().filter(|x| x.abs() < 1.0).collect();
            for (x, y) in x.iter().zip(of(activation, x.clone())) {
                let exact = exact(f64::from(*x));
                let error = (f64::from(y) - exact).abs();
                // Halves of denormals have few digits.
                assert!(error <= 2e-4 * exact.abs() + 1e-44, "{activation:?}({x}) = {y}");
            }
        }
    }

    #[test]
    fn exponential() {
        let x: Vec<f32> = samples().into_iter().filter(|x| (-87.0..88.3).contains(x)).collect();
        for (x, y) in x.iter().zip(of(Activation::Exp, x.clone())) {
            let exact = f64::from(*x).exp();
            assert!((f64::from(y) - exact).abs() <= 5e-7 * exact, "exp({x}) = {y}");
        }
        let infinity = f32::INFINITY;
        let y = of(Activation::Exp, vec![0.0, -0.0, -infinity, -1e30, -87.7, 88.4, infinity]);
        assert_eq!(y, [1.0, 1.0, 0.0, 0.0, 0.0, infinity, infinity]);
    }

    #[test]
    fn straight_lines_are_exact() {
        for x in samples() {
            let hard = 0.2f32.mul_add(x, 0.5).clamp(0.0, 1.0);
            let swish = x * (1.0f32 / 6.0).mul_add(x, 0.5).clamp(0.0, 1.0);
            for (activation, exact) in [
                (Activation::None, x),
                (Activation::Relu, x.max(0.0)),
                (Activation::Clip { low: -1.5, high: 6.0 }, x.clamp(-1.5, 6.0)),
                (Activation::HardSigmoid { alpha: 0.2, beta: 0.5 }, hard),
                (Activation::HardSwish, swish),
            ] {
                // One by one on the reference: cheap enough, and `of` is compared with it elsewhere.
                let mut y = [x];
                activate(Isa::SCALAR, &Team::ALONE, activation, &mut y);
                assert_eq!(y, [exact], "{activation:?}({x})");
            }
        }
    }

    const ALL: [Activation; 13] = [
        Activation::None,
        Activation::Relu,
        Activation::Clip { low: -0.5, high: 0.75 },
        Activation::Gelu,
        Activation::GeluTanh,
        Activation::QuickGelu,
        Activation::Silu,
        Activation::Sigmoid,
        Activation::Tanh,
        Activation::HardSigmoid { alpha: 0.2, beta: 0.5 },
        Activation::HardSwish,
        Activation::Erf,
        Activation::Exp,
    ];

    #[test]
    fn not_a_number_stays_so() {
        for activation in ALL {
            let y = of(activation, vec![f32::NAN, 1.0, -f32::NAN]);
            assert_eq!([true, false, true], [y[0].is_nan(), y[1].is_nan(), y[2].is_nan()]);
        }
    }

    #[test]
    fn infinities() {
        let infinity = f32::INFINITY;
        for (activation, low, high) in [
            (Activation::Relu, 0.0, infinity),
            (Activation::Sigmoid, 0.0, 1.0),
            (Activation::Tanh, -1.0, 1.0),
            (Activation::HardSigmoid { alpha: 0.2, beta: 0.5 }, 0.0, 1.0),
        ] {
            assert_eq!(of(activation, vec![-infinity, infinity]), [low, high], "{activation:?}");
        }
        for activation in [Activation::Gelu, Activation::GeluTanh] {
            let y = of(activation, vec![-infinity, infinity]);
            assert!(y[0].abs() < 5e-5 && y[1] == infinity, "{activation:?}: {y:?}");
        }
    }

    #[test]
    fn same_bits_everywhere() {
        for (i, length) in LENGTHS.into_iter().chain([9000]).enumerate() {
            let mut random = Random(i as u64);
            for x in [random.any(length), random.values(length)] {
                for activation in ALL {
                    alike(|isa, team| {
                        let mut x = x.clone();
                        activate(isa, team, activation, &mut x);
                        x
                    });
                }
            }
        }
    }
}

mod norms {
    use super::*;

    fn layer_norm_alike(x: &[f32], gain: &[f32], bias: &[f32]) -> Vec<f32> {
        alike(|isa, team| {
            let mut out = vec![0.0; x.len()];
            layer_norm(isa, team, x, Norm { gain, bias, epsilon: 1e-5 }, &mut out);
            out
        })
    }

    /// Largest error over the rows' largest values: mean, variance and division each round a few
    /// times.
    #[test]
    fn layer_norm_is_right_to_3e6() {
        for size in LENGTHS.into_iter().skip(1).chain([768]) {
            let mut random = Random(size as u64);
            let (gain, bias) = (random.units(size), random.units(size));
            // Rows about 8, so that sums of squares would lose digits.
            let x: Vec<f32> = random.units(3 * size).iter().map(|x| x + 8.0).collect();
            let out = layer_norm_alike(&x, &gain, &bias);
            for (x, out) in x.chunks(size).zip(out.chunks(size)) {
                let x: Vec<f64> = x.iter().map(|x| f64::from(*x)).collect();
                let mean = x.iter().sum::<f64>() / size as f64;
                let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / size as f64;
                for i in 0..size {
                    let y = (x[i] - mean) / (variance + 1e-5).sqrt();
                    let y = y * f64::from(gain[i]) + f64::from(bias[i]);
                    assert!(
                        (f64::from(out[i]) - y).abs() < 3e-6 * 4.0,
                        "size {size}: {} {y}",
                        out[i]
                    );
                }
            }
        }
    }

    #[test]
    fn layer_norm_takes_each_row_by_itself() {
        let mut random = Random(1);
        for size in [5, 16, 77] {
            let (gain, bias) = (random.units(size), random.units(size));
            let x = random.values(7 * size);
            let all = layer_norm_alike(&x, &gain, &bias);
            let alone: Vec<f32> =
                x.chunks(size).flat_map(|row| layer_norm_alike(row, &gain, &bias)).collect();
            assert_eq!(bits(&all), bits(&alone));
        }
    }

    #[test]
    fn layer_norm_of_odd_values_has_the_same_bits() {
        for size in LENGTHS {
            let mut random = Random(size as u64);
            for rows in [1, 3, 1 + 9000 / size.max(1)] {
                let (gain, bias) = (random.values(size), random.values(size));
                layer_norm_alike(&random.values(rows * size), &gain, &bias);
                layer_norm_alike(&random.any(rows * size), &gain, &bias);
            }
        }
    }

    #[test]
    fn rms_norm_is_right_to_1e6() {
        for size in LENGTHS.into_iter().skip(1) {
            let x = Random(size as u64).units(3 * size);
            let out = alike(|isa, team| {
                let mut out = vec![0.0; x.len()];
                rms_norm(isa, team, &x, size, 1e-6, &mut out);
                out
            });
            for (x, out) in x.chunks(size).zip(out.chunks(size)) {
                let squares: f64 = x.iter().map(|x| f64::from(*x).powi(2)).sum();
                let length = (squares / size as f64 + 1e-6).sqrt();
                for (x, y) in x.iter().zip(out) {
                    let exact = f64::from(*x) / length;
                    assert!((f64::from(*y) - exact).abs() <= 1e-6 * exact.abs(), "size {size}");
                }
            }
        }
    }

    #[test]
    fn dot_products_err_less_than_1e6_of_their_terms() {
        for size in LENGTHS {
            let mut random = Random(size as u64);
            let (a, b) = (random.units(size), random.units(size));
            let out = alike(|isa, _| vec![dot(isa, &a, &b)])[0];
            let terms: Vec<f64> =
                a.iter().zip(&b).map(|(a, b)| f64::from(*a) * f64::from(*b)).collect();
            let bound = 1e-6 * terms.iter().map(|t| t.abs()).sum::<f64>();
            assert!((f64::from(out) - terms.iter().sum::<f64>()).abs() <= bound, "size {size}");
            let (a, b) = (random.any(size), random.values(size));
            alike(|isa, _| vec![dot(isa, &a, &b)]);
        }
    }

    #[test]
    fn unit_length_is_1_or_not_a_number() {
        for size in LENGTHS.into_iter().skip(1) {
            let of = |x: &[f32]| {
                alike(|isa, _| {
                    let mut x = x.to_vec();
                    unit_length(isa, &mut x);
                    x
                })
            };
            let x = of(&Random(size as u64).units(size));
            let squares: f64 = x.iter().map(|x| f64::from(*x).powi(2)).sum();
            assert!((squares - 1.0).abs() < 1e-6, "size {size}: {squares}");
            assert!(of(&vec![0.0; size]).iter().all(|x| x.is_nan()));
            assert!(of(&vec![f32::INFINITY; size]).iter().all(|x| x.is_nan()));
        }
    }
}

mod softmaxes {
    use super::*;

    fn of(x: &[f32], columns: usize) -> Vec<f32> {
        alike(|isa, team| {
            let mut x = x.to_vec();
            softmax(isa, team, &mut x, columns);
            x
        })
    }

    #[test]
    fn is_right_to_2e6() {
        for columns in LENGTHS.into_iter().skip(1) {
            let x: Vec<f32> =
                Random(columns as u64).units(3 * columns).iter().map(|x| x * 20.0).collect();
            for (x, y) in x.chunks(columns).zip(of(&x, columns).chunks(columns)) {
                let x: Vec<f64> = x.iter().map(|x| f64::from(*x)).collect();
                let max = x.iter().copied().fold(f64::MIN, f64::max);
                let sum: f64 = x.iter().map(|x| (x - max).exp()).sum();
                for (x, y) in x.iter().zip(y) {
                    let exact = (x - max).exp() / sum;
                    assert!((f64::from(*y) - exact).abs() <= 3e-6 * exact, "{columns} columns");
                }
            }
        }
    }

    #[test]
    fn odd_rows() {
        let low = f32::NEG_INFINITY;
        for columns in [3, 16, 19, 40] {
            let mut x = vec![low; 5 * columns];
            // One value; all but one; none; a NaN; an infinity.
            x[columns - 1] = -3e38;
            x[columns..2 * columns].fill(1.0);
            x[columns] = low;
            x[3 * columns..].fill(0.0);
            x[3 * columns + 1] = f32::NAN;
            x[5 * columns - 1] = f32::INFINITY;
            let y = of(&x, columns);
            assert_eq!(y[columns - 1], 1.0);
            assert!(y[..columns - 1].iter().all(|y| *y == 0.0));
            assert_eq!(y[columns], 0.0);
            let share = 1.0 / (columns - 1) as f32;
            assert!(y[columns + 1..2 * columns].iter().all(|y| (y - share).abs() < 1e-6));
            assert!(y[2 * columns..].iter().all(|y| y.is_nan()));
        }
    }

    #[test]
    fn same_bits_for_any_values() {
        for columns in LENGTHS {
            let mut random = Random(columns as u64);
            of(&random.any(5 * columns), columns);
            of(&random.values(700 * columns), columns);
        }
    }
}

/// A view of random values with gaps between its elements, and its layout.
#[derive(Debug, Clone, Copy)]
enum Layout {
    Rows,
    Columns,
    Gaps,
    /// Every batch and head is the same matrix.
    Shared,
}

/// The data's length, offset and strides of a `[batches, heads, rows, columns]` view.
fn layout(sizes: [usize; 4], layout: Layout) -> (usize, [usize; 5]) {
    let [batches, heads, rows, columns] = sizes;
    let strides = match layout {
        // As in the result of one product for queries, keys and values.
        Layout::Rows => [rows * heads * columns, columns, heads * columns, 1],
        Layout::Columns => [heads * rows * columns, rows * columns, 1, rows],
        Layout::Gaps => [heads * rows * columns * 3 + 5, rows * columns * 3 + 1, columns * 3, 3],
        Layout::Shared => [0, 0, columns + 3, 1],
    };
    let offset = 7;
    let last: usize =
        sizes.iter().zip(strides).map(|(size, stride)| size.max(&1).wrapping_sub(1) * stride).sum();
    let _ = batches;
    (offset + last + 1, [offset, strides[0], strides[1], strides[2], strides[3]])
}

fn view(data: &[f32], [offset, batch, head, row, column]: [usize; 5]) -> View<'_> {
    View { data, offset, batch, head, row, column }
}

fn element(v: &View<'_>, [b, h, i, j]: [usize; 4]) -> f32 {
    v.data[v.offset + b * v.batch + h * v.head + i * v.row + j * v.column]
}

fn any_layout() -> impl Strategy<Value = Layout> {
    prop_oneof![Just(Layout::Rows), Just(Layout::Columns), Just(Layout::Gaps), Just(Layout::Shared)]
}

mod products {
    use super::*;

    /// The chain that the kernel promises.
    fn naive(a: &View<'_>, b: &View<'_>, sizes: Sizes) -> Vec<f32> {
        let Sizes { batches, heads, rows, inner, columns } = sizes;
        let mut out = Vec::new();
        for i in 0..batches * heads * rows * columns {
            let (column, row) = (i % columns, i / columns % rows);
            let (batch, head) = (i / columns / rows / heads, i / columns / rows % heads);
            out.push((0..inner).fold(0.0, |sum: f32, k| {
                let a = element(a, [batch, head, row, k]);
                a.mul_add(element(b, [batch, head, k, column]), sum)
            }));
        }
        out
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]

        #[test]
        fn is_the_chain_of_multiply_adds(
            (batches, heads) in (1usize..3, 1usize..4),
            (rows, inner, columns) in (0usize..60, 0usize..40, 0usize..150),
            (a_layout, b_layout) in (any_layout(), any_layout()),
            seed: u64,
        ) {
            let mut random = Random(seed);
            let (a_length, a_strides) = layout([batches, heads, rows, inner], a_layout);
            let (b_length, b_strides) = layout([batches, heads, inner, columns], b_layout);
            let (a_data, b_data) = (random.values(a_length), random.values(b_length));
            let (a, b) = (view(&a_data, a_strides), view(&b_data, b_strides));
            let sizes = Sizes { batches, heads, rows, inner, columns };
            let out = alike(|isa, team| {
                let mut out = vec![0.0; batches * heads * rows * columns];
                matmul(isa, team, a, b, sizes, &mut out);
                out
            });
            prop_assert_eq!(bits(&out), bits(&naive(&a, &b, sizes)));
        }
    }

    #[test]
    #[should_panic = "beyond its data"]
    fn views_are_checked() {
        let (a, b) = ([0.0; 11], [0.0; 12]);
        let view = |data| View { data, offset: 0, batch: 0, head: 0, row: 4, column: 1 };
        let sizes = Sizes { batches: 1, heads: 1, rows: 3, inner: 4, columns: 3 };
        matmul(Isa::chosen(), &Team::ALONE, view(&a), view(&b), sizes, &mut [0.0; 9]);
    }

    #[test]
    #[should_panic = "beyond its data"]
    fn strides_that_overflow_are_checked() {
        let data = [0.0; 16];
        let wide = View { data: &data, offset: 0, batch: 0, head: 0, row: usize::MAX, column: 1 };
        let sizes = Sizes { batches: 1, heads: 1, rows: 4, inner: 4, columns: 1 };
        matmul(Isa::chosen(), &Team::ALONE, wide, wide, sizes, &mut [0.0; 4]);
    }
}

mod attentions {
    use super::*;

    #[derive(Debug, Clone)]
    struct Case {
        shape: Attention,
        q: (Vec<f32>, [usize; 5]),
        k: (Vec<f32>, [usize; 5]),
        v: (Vec<f32>, [usize; 5]),
        mask: Option<(Vec<f32>, [usize; 5])>,
    }

    impl Case {
        fn new(shape: Attention, layouts: [Layout; 3], seed: u64) -> Self {
            let mut random = Random(seed);
            let mut side = |rows, size, kind| {
                let (length, strides) = layout([shape.batches, shape.heads, rows, size], kind);
                let values = random.units(length).iter().map(|x| x * 3.0).collect();
                (values, strides)
            };
            let q = side(shape.queries, shape.size, layouts[0]);
            let k = side(shape.keys, shape.size, layouts[1]);
            let v = side(shape.keys, shape.value_size, layouts[2]);
            Self { shape, q, k, v, mask: None }
        }

        fn run(&self, isa: Isa, team: &Team) -> Vec<f32> {
            let Attention { batches, heads, queries, value_size, .. } = self.shape;
            let mut out = vec![0.0; batches * queries * heads * value_size];
            let [q, k, v] = [&self.q, &self.k, &self.v].map(|(data, strides)| view(data, *strides));
            let mask = self.mask.as_ref().map(|(data, strides)| view(data, *strides));
            attention(isa, team, q, k, v, mask, self.shape, &mut out);
            out
        }

        fn alike(&self) -> Vec<f32> {
            alike(|isa, team| self.run(isa, team))
        }

        /// In f64.
        fn exact(&self) -> Vec<f64> {
            let Attention { batches, heads, queries, value_size, .. } = self.shape;
            let mut out = Vec::new();
            for i in 0..batches * queries * heads {
                let (batch, query, head) = (i / heads / queries, i / heads % queries, i % heads);
                let weights = self.exact_weights(batch, head, query);
                let v = view(&self.v.0, self.v.1);
                out.extend((0..value_size).map(|c| {
                    let terms = weights.iter().enumerate();
                    terms.map(|(j, w)| w * f64::from(element(&v, [batch, head, j, c]))).sum::<f64>()
                }));
            }
            out
        }

        fn exact_weights(&self, batch: usize, head: usize, query: usize) -> Vec<f64> {
            let Attention { keys, size, scale, causal, .. } = self.shape;
            let (q, k) = (view(&self.q.0, self.q.1), view(&self.k.0, self.k.1));
            let seen = if causal { keys.min(query + 1) } else { keys };
            let scores = (0..seen).map(|j| {
                let terms = (0..size).map(|c| {
                    let q = f64::from(element(&q, [batch, head, query, c]));
                    q * f64::from(element(&k, [batch, head, j, c]))
                });
                let mask = self.mask.as_ref().map_or(0.0, |(data, strides)| {
                    f64::from(element(&view(data, *strides), [batch, head, query, j]))
                });
                terms.sum::<f64>() * f64::from(scale) + mask
            });
            let scores: Vec<f64> = scores.collect();
            let max = scores.iter().copied().fold(f64::MIN, f64::max);
            let sum: f64 = scores.iter().map(|s| (s - max).exp()).sum();
            scores.iter().map(|s| (s - max).exp() / sum).collect()
        }
    }

    fn square(batches: usize, heads: usize, tokens: usize, size: usize, causal: bool) -> Attention {
        Attention {
            batches,
            heads,
            queries: tokens,
            keys: tokens,
            size,
            value_size: size,
            scale: 0.25,
            causal,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Scores of up to 100 err by 1e-5 or so, and weights as much in proportion.
        #[test]
        fn errs_less_than_1e4(
            (batches, heads) in (1usize..3, 1usize..4),
            (queries, keys) in (1usize..60, 1usize..90),
            (size, value_size) in (1usize..40, 1usize..70),
            layouts in [any_layout(), any_layout(), any_layout()],
            causal: bool,
            mask in proptest::option::of(any_layout()),
            seed: u64,
        ) {
            let shape = Attention { batches, heads, queries, keys, size, value_size, scale: 0.3, causal };
            let mut case = Case::new(shape, layouts, seed);
            case.mask = mask.map(|kind| {
                let (length, strides) = layout([batches, heads, queries, keys], kind);
                (Random(!seed).units(length), strides)
            });
            for (got, exact) in case.alike().iter().zip(case.exact()) {
                prop_assert!((f64::from(*got) - exact).abs() < 1e-4, "{} {}", got, exact);
            }
        }
    }

    #[test]
    fn causal_is_a_mask_of_minus_infinity() {
        for tokens in [1, 5, 16, 17, 33, 77] {
            for low in [f32::NEG_INFINITY, -3e38] {
                let causal = Case::new(square(2, 2, tokens, 8, true), [Layout::Rows; 3], 3);
                let mut masked = causal.clone();
                masked.shape.causal = false;
                let above = |i: usize| if i % tokens > i / tokens { low } else { 0.0 };
                let mask = (0..tokens * tokens).map(above).collect();
                masked.mask = Some((mask, [0, 0, 0, tokens, 1]));
                assert_eq!(bits(&causal.alike()), bits(&masked.alike()), "{tokens} tokens");
            }
        }
    }

    /// A caption run at its own length gives what it gives with padding that nobody sees.
    #[test]
    fn keys_that_are_not_seen_do_not_matter() {
        let long = Case::new(square(1, 2, 77, 8, true), [Layout::Rows; 3], 4);
        let all = long.alike();
        for tokens in [1, 6, 16, 40] {
            let mut short = long.clone();
            (short.shape.queries, short.shape.keys) = (tokens, tokens);
            assert_eq!(bits(&short.alike()), bits(&all[..tokens * 2 * 8]), "{tokens} tokens");
        }
    }

    #[test]
    fn batches_do_not_matter_to_each_other() {
        let many = Case::new(square(3, 2, 29, 12, false), [Layout::Rows; 3], 5);
        let all = many.alike();
        for batch in 0..3 {
            let mut one = many.clone();
            one.shape.batches = 1;
            for (_, strides) in [&mut one.q, &mut one.k, &mut one.v] {
                strides[0] += batch * strides[1];
            }
            let part = &all[batch * 29 * 24..][..29 * 24];
            assert_eq!(bits(&one.alike()), bits(part), "batch {batch}");
        }
    }

    /// Nor to rows of the same head: a query gets the same bits in a tile of any height.
    #[test]
    fn queries_do_not_matter_to_each_other() {
        let many = Case::new(square(1, 1, 31, 12, false), [Layout::Rows; 3], 6);
        let all = many.alike();
        for (query, expected) in all.chunks(12).enumerate() {
            let mut one = many.clone();
            one.shape.queries = 1;
            one.q.1[0] += query * one.q.1[3];
            assert_eq!(bits(&one.alike()), bits(expected), "query {query}");
        }
    }

    #[test]
    fn fully_masked_queries_are_not_numbers() {
        let mut case = Case::new(square(1, 2, 20, 8, false), [Layout::Rows; 3], 7);
        let mut mask = vec![0.0; 400];
        mask[60..80].fill(f32::NEG_INFINITY);
        case.mask = Some((mask, [0, 0, 0, 20, 1]));
        for (query, out) in case.alike().chunks(16).enumerate() {
            assert!(out.iter().all(|x| x.is_nan() == (query == 3)), "query {query}");
        }
    }

    #[test]
    fn nothing_is_attended_without_a_crash() {
        for (queries, keys, value_size) in [(0, 5, 4), (3, 0, 4), (3, 5, 0), (0, 0, 0)] {
            let shape = Attention { queries, keys, value_size, ..square(1, 2, 0, 4, false) };
            let out = Case::new(shape, [Layout::Rows; 3], 8).alike();
            assert!(out.iter().all(|x| x.is_nan()), "{shape:?}");
        }
    }
}

fn geometry() -> impl Strategy<Value = Geometry> {
    let axis = || (1usize..20, 1usize..6, 1usize..4, 1usize..3, 0usize..4, 0usize..4);
    (axis(), axis(), 1usize..40).prop_filter_map("the kernel fits", |(down, across, channels)| {
        let g = Geometry {
            height: down.0,
            width: across.0,
            channels,
            kernel: [down.1, across.1],
            strides: [down.2, across.2],
            dilations: [down.3, across.3],
            pads: [down.4, across.4, down.5, across.5],
        };
        let fits = |size: usize, kernel: usize, dilation: usize| (kernel - 1) * dilation < size;
        let height = g.height + g.pads[0] + g.pads[2];
        let width = g.width + g.pads[1] + g.pads[3];
        let [down, across] = g.dilations;
        (fits(height, g.kernel[0], down) && fits(width, g.kernel[1], across)).then_some(g)
    })
}

/// The pixels of the image that a window takes in, in raster order; none for one of the pads.
fn window(g: &Geometry, [row, column]: [usize; 2]) -> Vec<Option<[usize; 2]>> {
    let pixel = |tap: usize| {
        let y = row * g.strides[0] + tap / g.kernel[1] * g.dilations[0];
        let x = column * g.strides[1] + tap % g.kernel[1] * g.dilations[1];
        let (y, x) = (y.checked_sub(g.pads[0])?, x.checked_sub(g.pads[1])?);
        (y < g.height && x < g.width).then_some([y, x])
    };
    (0..g.kernel[0] * g.kernel[1]).map(pixel).collect()
}

/// Calls `of` for each pixel and channel of the result.
fn each_place(
    g: &Geometry,
    channels: usize,
    mut of: impl FnMut([usize; 2], usize) -> f32,
) -> Vec<f32> {
    let mut out = Vec::new();
    for row in 0..g.out_height() {
        for column in 0..g.out_width() {
            out.extend((0..channels).map(|channel| of([row, column], channel)));
        }
    }
    out
}

mod depthwises {
    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn is_the_chain_of_multiply_adds(
            g in geometry(),
            multiplier in 1usize..4,
            [with_bias, with_residual, residual_first] in any::<[bool; 3]>(),
            seed: u64,
        ) {
            let mut random = Random(seed);
            let channels = g.channels * multiplier;
            let x = random.values(g.height * g.width * g.channels);
            let weights = random.values(g.kernel[0] * g.kernel[1] * channels);
            let bias = random.values(if with_bias { channels } else { 0 });
            let residual = random.values(g.out_height() * g.out_width() * channels);
            let activation = Activation::Clip { low: -2.0, high: 3.0 };
            let residual_values = with_residual.then_some(&residual[..]);
            let epilogue = Epilogue { bias: &bias, activation, residual: residual_values, residual_first };
            let out = alike(|isa, team| {
                let mut out = vec![0.0; residual.len()];
                depthwise(isa, team, &x, &g, multiplier, &weights, epilogue, &mut out);
                out
            });
            let mut place = 0;
            let expected = each_place(&g, channels, |at, channel| {
                let start = bias.get(channel).copied().unwrap_or(0.0);
                let sum = window(&g, at).iter().enumerate().fold(start, |sum, (tap, pixel)| {
                    let value = pixel.map_or(0.0, |[y, at]| {
                        x[(y * g.width + at) * g.channels + channel / multiplier]
                    });
                    value.mul_add(weights[tap * channels + channel], sum)
                });
                let residual = residual_values.map_or(0.0, |r| r[place]);
                place += 1;
                let clip = |x: f32| if x.is_nan() { x } else { x.clamp(-2.0, 3.0) };
                match (with_residual, residual_first) {
                    (true, true) => clip(sum + residual),
                    (true, false) => clip(sum) + residual,
                    (false, _) => clip(sum),
                }
            });
            prop_assert_eq!(bits(&out), bits(&expected));
        }
    }

    /// Codes of the image as `quantize` makes them, exact sums, one multiply-add.
    fn naive_int8(
        x: &[f32],
        g: &Geometry,
        multiplier: usize,
        code: impl Fn(usize, usize, usize) -> i8,
        scales: &[f32],
        bias: &[f32],
    ) -> Vec<f32> {
        let low = x.iter().copied().fold(0.0, f32::min);
        let high = x.iter().copied().fold(0.0, f32::max);
        let scale = (high / 255.0 - low / 255.0).max(f32::MIN_POSITIVE);
        let zero = (-low / scale).round_ties_even();
        let inverse = 1.0 / scale;
        each_place(g, scales.len(), |at, channel| {
            let sum: i32 = window(g, at)
                .iter()
                .enumerate()
                .map(|(tap, pixel)| {
                    let value = pixel.map_or(0.0, |[y, at]| {
                        x[(y * g.width + at) * g.channels + channel / multiplier]
                    });
                    let level = (value * inverse).round_ties_even() + zero;
                    let level = level.clamp(0.0, 255.0) as i32 - zero as i32;
                    level * i32::from(code(tap / g.kernel[1], tap % g.kernel[1], channel))
                })
                .sum();
            (sum as f32).mul_add(scales[channel] * scale, bias[channel])
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn integer_sums_are_exact(
            g in geometry(),
            multiplier in 1usize..4,
            extreme: bool,
            residual_first: bool,
            seed: u64,
        ) {
            let mut random = Random(seed);
            let channels = g.channels * multiplier;
            let x = random.units(g.height * g.width * g.channels);
            let codes: Vec<i8> = (0..g.kernel[0] * g.kernel[1] * channels)
                .map(|_| if extreme { i8::MIN } else { random.next() as i8 })
                .collect();
            let code = |y: usize, x: usize, channel: usize| codes[(y * g.kernel[1] + x) * channels + channel];
            let (scales, bias) = (random.units(channels), random.units(channels));
            let weights = PackedDepthwise::pack(g.kernel, &scales, code);
            let residual = random.units(g.out_height() * g.out_width() * channels);
            let activation = Activation::Clip { low: -2.0, high: 3.0 };
            let epilogue = Epilogue { bias: &bias, activation, residual: Some(&residual), residual_first };
            let out = alike(|isa, team| {
                let mut out = vec![0.0; residual.len()];
                depthwise_int8(isa, team, &x, &g, multiplier, &weights, epilogue, &mut out);
                out
            });
            let sums = naive_int8(&x, &g, multiplier, code, &scales, &bias);
            let expected: Vec<f32> = sums.iter().zip(&residual).map(|(sum, residual)| {
                if residual_first { (sum + residual).clamp(-2.0, 3.0) } else { sum.clamp(-2.0, 3.0) + residual }
            }).collect();
            prop_assert_eq!(bits(&out), bits(&expected));
        }
    }

    /// Half a step of the image's grid for each weight, half a step of each weight for its pixel.
    #[test]
    fn quantized_weights_err_by_half_steps() {
        let g = Geometry {
            height: 9,
            width: 11,
            channels: 20,
            kernel: [5, 7],
            strides: [2, 1],
            dilations: [1, 1],
            pads: [2, 3, 2, 3],
        };
        let mut random = Random(11);
        let (x, weights) = (random.units(9 * 11 * 20), random.units(35 * 20));
        let weight = |y: usize, x: usize, channel: usize| weights[(y * 7 + x) * 20 + channel];
        let packed = PackedDepthwise::quantized([5, 7], 20, weight);
        let size = g.out_height() * g.out_width() * 20;
        let (mut exact, mut got) = (vec![0.0; size], vec![0.0; size]);
        let (isa, team) = (Isa::chosen(), Team::ALONE);
        depthwise(isa, &team, &x, &g, 1, &weights, Epilogue::bias(&[]), &mut exact);
        depthwise_int8(isa, &team, &x, &g, 1, &packed, Epilogue::bias(&[]), &mut got);
        let bound = 35.0 * (0.5 * 2.0 / 255.0 + 0.5 / 127.0) * 1.01;
        assert!(exact.iter().zip(&got).all(|(a, b)| (a - b).abs() < bound));
    }

    #[test]
    fn one_value_that_is_not_finite_makes_all_nan() {
        let g = Geometry {
            height: 4,
            width: 4,
            channels: 3,
            kernel: [3, 3],
            strides: [1, 1],
            dilations: [1, 1],
            pads: [1; 4],
        };
        let packed = PackedDepthwise::quantized([3, 3], 3, |_, _, _| 1.0);
        for value in [f32::NAN, f32::INFINITY] {
            let mut x = [1.0; 48];
            x[17] = value;
            let out = alike(|isa, team| {
                let mut out = vec![0.0; 48];
                depthwise_int8(isa, team, &x, &g, 1, &packed, Epilogue::bias(&[]), &mut out);
                out
            });
            assert!(out.iter().all(|x| x.is_nan()));
        }
    }

    #[test]
    fn tiles_of_all_widths() {
        for size in 1..=36 {
            let g = Geometry {
                height: 3,
                width: size,
                channels: 37,
                kernel: [3, 3],
                strides: [1, 1],
                dilations: [1, 1],
                pads: [1; 4],
            };
            let mut random = Random(size as u64);
            let (x, weights) = (random.units(3 * size * 37), random.units(9 * 37));
            let out = alike(|isa, team| {
                let mut out = vec![0.0; x.len()];
                depthwise(isa, team, &x, &g, 1, &weights, Epilogue::bias(&[]), &mut out);
                out
            });
            let expected = each_place(&g, 37, |at, channel| {
                window(&g, at).iter().enumerate().fold(0.0, |sum, (tap, pixel)| {
                    let value = pixel.map_or(0.0, |[y, at]| x[(y * size + at) * 37 + channel]);
                    value.mul_add(weights[tap * 37 + channel], sum)
                })
            });
            assert_eq!(bits(&out), bits(&expected), "width {size}");
        }
    }
}

mod pools {
    use super::*;

    type OverAxis = fn(Isa, &Team, &[f32], usize, usize, usize, &mut [f32]);

    #[test]
    fn sums_and_means_err_less_than_1e6_of_their_terms() {
        for (outer, count) in [(1, 0), (2, 1), (3, 7), (1, 196), (5, 49)] {
            for inner in LENGTHS {
                let x = Random((outer * count + inner) as u64).units(outer * count * inner);
                let out = |run: OverAxis| {
                    alike(|isa, team| {
                        let mut out = vec![0.0; outer * inner];
                        run(isa, team, &x, outer, count, inner, &mut out);
                        out
                    })
                };
                let (sums, means) = (out(sum), out(mean));
                for i in 0..outer * inner {
                    let terms: Vec<f64> = (0..count)
                        .map(|k| f64::from(x[(i / inner * count + k) * inner + i % inner]))
                        .collect();
                    let exact: f64 = terms.iter().sum();
                    let bound = 2e-6 * terms.iter().map(|x| x.abs()).sum::<f64>();
                    assert!((f64::from(sums[i]) - exact).abs() <= bound);
                    let (mean, count) = (f64::from(means[i]), count as f64);
                    assert!(
                        (mean * count - exact).abs() <= 2.0 * bound
                            || count == 0.0 && mean.is_nan()
                    );
                }
            }
        }
    }

    #[test]
    fn sums_of_odd_values_have_the_same_bits() {
        for inner in [1, 5, 16, 40] {
            let x = Random(inner as u64).any(3 * 11 * inner);
            alike(|isa, team| {
                let mut out = vec![0.0; 3 * inner];
                sum(isa, team, &x, 3, 11, inner, &mut out);
                out
            });
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn windows_are_the_plain_ones(g in geometry(), count_include_pad: bool, seed: u64) {
            let x = Random(seed).values(g.height * g.width * g.channels);
            let size = g.out_height() * g.out_width() * g.channels;
            let greatest = alike(|isa, team| {
                let mut out = vec![0.0; size];
                max_pool(isa, team, &x, &g, &mut out);
                out
            });
            let means = alike(|isa, team| {
                let mut out = vec![0.0; size];
                average_pool(isa, team, &x, &g, count_include_pad, &mut out);
                out
            });
            let value = |[y, at]: [usize; 2], channel| x[(y * g.width + at) * g.channels + channel];
            let expected = each_place(&g, g.channels, |at, channel| {
                let pixels = window(&g, at).into_iter().flatten();
                pixels.map(|at| value(at, channel)).fold(f32::NEG_INFINITY, f32::max)
            });
            // Zeros of both signs are one value.
            prop_assert!(greatest.iter().zip(&expected).all(|(a, b)| a == b));
            let expected = each_place(&g, g.channels, |at, channel| {
                let all = window(&g, at);
                let pixels: Vec<_> = all.iter().flatten().collect();
                let sum = pixels.iter().fold(0.0, |sum, at| sum + value(**at, channel));
                let count = if count_include_pad { all.len() } else { pixels.len() };
                sum * (count as f32).recip()
            });
            prop_assert_eq!(bits(&means), bits(&expected));
        }
    }
}
