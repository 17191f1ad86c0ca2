//! Integer kernels: every instruction set against plain loops, bit for bit.

use std::io::Write;
use std::sync::LazyLock;
#[cfg(target_arch = "x86_64")]
use std::sync::Once;

use pairgate_kernels::arch::{Arch, LANES, Lanes};
use pairgate_kernels::convolve::{Geometry, convolve};
use pairgate_kernels::dots::dots;
use pairgate_kernels::norm::Norm;
use pairgate_kernels::product::{Epilogue, Rows, Sums, product};
use pairgate_kernels::quantize::{Grid, Span};
use pairgate_kernels::{Activation, Isa, PackedWeights, Task, Team, norm};
use proptest::prelude::*;

/// The sets that are tested. Those that are not there are printed.
static SETS: LazyLock<Vec<Isa>> = LazyLock::new(|| {
    let here = Isa::available();
    for name in Isa::known() {
        if here.iter().all(|isa| isa.name() != name) {
            show(&format!("SKIPPED: this machine has no {name}"));
        }
    }
    here
});

/// Writes a line past the capture of passed tests.
fn show(line: &str) {
    writeln!(std::io::stderr(), "{line}").expect("standard error takes a line");
}

/// Numbers that look random, the same ones in every run.
struct Noise(u64);

impl Noise {
    fn bits(&mut self) -> u32 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 32) as u32
    }

    fn below(&mut self, end: usize) -> usize {
        self.bits() as usize % end
    }

    /// -1 to 1.
    fn value(&mut self) -> f32 {
        self.bits() as f32 / u32::MAX as f32 * 2.0 - 1.0
    }

    fn values(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.value()).collect()
    }

    fn codes(&mut self, count: usize) -> Vec<i8> {
        (0..count).map(|_| self.bits() as i8).collect()
    }
}

/// `[rows, columns]` weights: codes and the scale of each column.
struct Weights {
    columns: usize,
    codes: Vec<i8>,
    scales: Vec<f32>,
}

impl Weights {
    fn new(rows: usize, columns: usize, noise: &mut Noise) -> Self {
        let scales = noise.values(columns).iter().map(|x| x / 64.0).collect();
        Self { columns, codes: noise.codes(rows * columns), scales }
    }

    fn code(&self, k: usize, n: usize) -> i8 {
        self.codes[k * self.columns + n]
    }

    fn packed(&self, unit: usize, segments: usize, length: usize) -> PackedWeights {
        PackedWeights::pack(unit, segments, length, self.scales.clone(), |k, n| self.code(k, n))
    }
}

/// The grid of some values and their codes, step by step.
fn quantized(x: &[f32]) -> (f32, i32, Vec<i32>) {
    let low = x.iter().fold(0f32, |a, b| a.min(*b));
    let high = x.iter().fold(0f32, |a, b| a.max(*b));
    let scale = (high / 255.0 - low / 255.0).max(f32::MIN_POSITIVE);
    let zero = (-low / scale).round_ties_even();
    let inverse = 1.0 / scale;
    let code = |x: &f32| ((x * inverse).round_ties_even() + zero).clamp(0.0, 255.0) as i32;
    (scale, zero as i32, x.iter().map(code).collect())
}

/// One element of a result, from the codes that meet there.
fn element(
    pairs: impl Iterator<Item = (i32, i8)>,
    (scale, zero): (f32, i32),
    column_scale: f32,
    bias: f32,
) -> f32 {
    let sum: i64 = pairs.map(|(x, w)| i64::from(x - zero) * i64::from(w)).sum();
    (sum as f32).mul_add(column_scale * scale, bias)
}

/// A plain product of quantized rows.
fn plain_product(x: &[f32], weights: &Weights, bias: &[f32]) -> Vec<f32> {
    let length = weights.codes.len() / weights.columns;
    let mut out = Vec::new();
    for row in x.chunks_exact(length) {
        let (scale, zero, codes) = quantized(row);
        for n in 0..weights.columns {
            let pairs = codes.iter().enumerate().map(|(k, x)| (*x, weights.code(k, n)));
            let bias = bias.get(n).copied().unwrap_or(0.0);
            out.push(element(pairs, (scale, zero), weights.scales[n], bias));
        }
    }
    out
}

fn assert_same(found: &[f32], expected: &[f32], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (place, (a, b)) in found.iter().zip(expected).enumerate() {
        let same = a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan();
        assert!(same, "{what}: element {place} is {a}, not {b}");
    }
}

/// Sums on every set and on the twin of AVX-VNNI, against a plain loop.
fn check_sums(
    rows: usize,
    columns: usize,
    [segments, length]: [usize; 2],
    codes: &[u8],
    weights: &[i8],
) {
    let depth = segments * length;
    let expected: Vec<i32> = (0..rows * columns)
        .map(|i| {
            let (m, n) = (i / columns, i % columns);
            let term = |k| i64::from(codes[m * depth + k]) * i64::from(weights[k * columns + n]);
            (0..depth).map(term).sum::<i64>() as i32
        })
        .collect();
    let what = format!("{rows} x {segments} * {length} x {columns}");
    let pack = |unit| {
        PackedWeights::pack(unit, segments, length, vec![1.0; columns], |k, n| {
            weights[k * columns + n]
        })
    };
    // What fills a segment up is multiplied by zero, whatever it is.
    let filled = |unit: usize| -> Vec<u8> {
        let fill = length.next_multiple_of(unit) - length;
        let segment = |x: &[u8]| [x, &vec![199; fill]].concat();
        codes.chunks_exact(length).flat_map(segment).collect()
    };
    for isa in SETS.iter() {
        let (weights, codes) = (pack(isa.unit()), filled(isa.unit()));
        let found = isa.run(Sums { codes: &codes, rows, weights: &weights });
        assert!(found == expected, "{isa}: {what}");
    }
    #[cfg(target_arch = "x86_64")]
    {
        use pairgate_kernels::arch::vnni256::Avx512Vnni256;
        static TWIN: Once = Once::new();
        let (weights, codes) = (pack(4), filled(4));
        let sums = Sums { codes: &codes, rows, weights: &weights };
        match Avx512Vnni256::detect().map(|set| set.run(sums)) {
            Some(found) => assert!(found == expected, "twin of avxvnni: {what}"),
            None => TWIN.call_once(|| show("SKIPPED: this machine has no twin of avxvnni")),
        }
    }
}

/// Round a block, a tile and a panel.
const ROWS: [usize; 16] = [1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 13, 17, 23, 24, 25, 50];
const LENGTHS: [usize; 14] = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 33, 64, 67];
const COLUMNS: [usize; 14] = [1, 2, 15, 16, 17, 31, 32, 33, 47, 49, 63, 64, 65, 130];

#[test]
fn sums_are_exact() {
    let noise = &mut Noise(1);
    for rows in ROWS {
        for length in LENGTHS {
            let columns = COLUMNS[noise.below(COLUMNS.len())];
            for segments in [1, 3] {
                let codes: Vec<u8> =
                    (0..rows * segments * length).map(|_| noise.bits() as u8).collect();
                let weights = noise.codes(segments * length * columns);
                check_sums(rows, columns, [segments, length], &codes, &weights);
            }
        }
    }
    for columns in COLUMNS {
        let codes: Vec<u8> = (0..13 * 19).map(|_| noise.bits() as u8).collect();
        check_sums(13, columns, [1, 19], &codes, &noise.codes(19 * columns));
    }
}

#[test]
fn extreme_codes_do_not_saturate() {
    for (code, weight) in [(255, -128), (255, 127), (128, -128), (127, -127), (1, -128), (0, 127)] {
        for length in [1, 4, 37, 300] {
            check_sums(7, 70, [1, length], &vec![code; 7 * length], &vec![weight; 70 * length]);
        }
    }
    // Extremes of both signs beside each other.
    let weights: Vec<i8> = (0..64 * 65).map(|i| if i % 3 == 0 { -128 } else { 127 }).collect();
    check_sums(6, 65, [2, 32], &[255; 6 * 64], &weights);
}

#[test]
fn products_equal_plain_loops() {
    let noise = &mut Noise(2);
    for rows in [0, 1, 2, 5, 6, 7, 12, 13, 25, 60] {
        for length in [1, 3, 4, 15, 16, 17, 31, 33, 64, 130] {
            for columns in
                [COLUMNS[noise.below(COLUMNS.len())], COLUMNS[noise.below(COLUMNS.len())]]
            {
                check_product(rows, length, columns, noise);
            }
        }
    }
    // Several blocks of rows.
    check_product(301, 1500, 20, noise);
}

fn check_product(rows: usize, length: usize, columns: usize, noise: &mut Noise) {
    let weights = Weights::new(length, columns, noise);
    let x = noise.values(rows * length);
    let bias = if noise.below(4) == 0 { vec![] } else { noise.values(columns) };
    let expected = plain_product(&x, &weights, &bias);
    for isa in SETS.iter() {
        let packed = weights.packed(isa.unit(), 1, length);
        let mut out = vec![f32::NAN; rows * columns];
        let epilogue = Epilogue::bias(&bias);
        product(*isa, &Team::ALONE, Rows::Matrix(&x), None, &packed, epilogue, &mut out);
        assert_same(&out, &expected, &format!("{isa}: {rows} x {length} x {columns}"));
    }
}

/// A result is as near to the real product as the steps of the codes allow.
#[test]
fn products_are_near_the_real_ones() {
    let noise = &mut Noise(3);
    let (rows, length, columns) = (9, 200, 70);
    let (x, w) = (noise.values(rows * length), noise.values(length * columns));
    let weight = |k: usize, n: usize| w[k * columns + n];
    let packed = PackedWeights::quantized(Isa::SCALAR.unit(), 1, length, columns, weight);
    let mut out = vec![0.0; rows * columns];
    product(
        Isa::SCALAR,
        &Team::ALONE,
        Rows::Matrix(&x),
        None,
        &packed,
        Epilogue::bias(&[]),
        &mut out,
    );
    for (i, found) in out.iter().enumerate() {
        let (m, n) = (i / columns, i % columns);
        let term = |k| f64::from(x[m * length + k]) * f64::from(weight(k, n));
        let real: f64 = (0..length).map(term).sum();
        // Half a step of x (2 / 255) and of w (1 / 127), each times at most 1; errors are
        // independent, so that their sum grows with the root of the length.
        let step = 0.5 * (2.0 / 255.0) + 0.5 / 127.0;
        let bound = 3.0 * step * (length as f64).sqrt();
        assert!((f64::from(*found) - real).abs() < bound, "{found} for {real}, within {bound}");
    }
}

#[test]
fn epilogues_equal_plain_steps() {
    let noise = &mut Noise(4);
    let (rows, length, columns) = (14, 20, 75);
    let weights = Weights::new(length, columns, noise);
    let (x, bias) = (noise.values(rows * length), noise.values(columns));
    let residual = noise.values(rows * columns);
    let plain = plain_product(&x, &weights, &bias);
    let relu = |x: f32| if 0.0 > x { 0.0 } else { x };
    let both = plain.iter().zip(&residual);
    let cases = [
        (None, false, plain.iter().map(|x| relu(*x)).collect::<Vec<_>>()),
        (Some(&residual), false, both.clone().map(|(x, r)| relu(*x) + r).collect()),
        (Some(&residual), true, both.map(|(x, r)| relu(x + r)).collect()),
    ];
    for isa in SETS.iter() {
        let packed = weights.packed(isa.unit(), 1, length);
        for (residual, residual_first, expected) in &cases {
            let residual = residual.map(Vec::as_slice);
            let epilogue = Epilogue {
                bias: &bias,
                activation: Activation::Relu,
                residual,
                residual_first: *residual_first,
            };
            let mut out = vec![f32::NAN; rows * columns];
            product(*isa, &Team::ALONE, Rows::Matrix(&x), None, &packed, epilogue, &mut out);
            assert_same(&out, expected, &format!("{isa}: residual first: {residual_first}"));
        }
    }
}

#[test]
fn a_norm_comes_first() {
    let noise = &mut Noise(5);
    for (length, columns) in [(5, 3), (64, 64), (70, 33), (768, 20)] {
        let weights = Weights::new(length, columns, noise);
        let x = noise.values(8 * length);
        let (gain, bias) = (noise.values(length), noise.values(length));
        let norm = Norm { gain: &gain, bias: &bias, epsilon: 1e-5 };
        let mut normal = vec![0.0; x.len()];
        norm::layer_norm(Isa::SCALAR, &Team::ALONE, &x, norm, &mut normal);
        let expected = plain_product(&normal, &weights, &[]);
        for isa in SETS.iter() {
            let packed = weights.packed(isa.unit(), 1, length);
            let mut out = vec![f32::NAN; 8 * columns];
            product(
                *isa,
                &Team::ALONE,
                Rows::Matrix(&x),
                Some(norm),
                &packed,
                Epilogue::bias(&[]),
                &mut out,
            );
            assert_same(&out, &expected, &format!("{isa}: {length}"));
        }
    }
}

#[test]
fn patches_are_rows() {
    let noise = &mut Noise(6);
    for (channels, height, width, patch) in
        [(3, 64, 96, [32, 32]), (3, 17, 23, [5, 4]), (1, 3, 3, [3, 3]), (2, 8, 6, [1, 2])]
    {
        let image = noise.values(channels * height * width);
        let [down, across] = [height / patch[0], width / patch[1]];
        let length = channels * patch[0] * patch[1];
        let mut x = Vec::new();
        for (y, left) in (0..down).flat_map(|y| (0..across).map(move |x| (y, x))) {
            for c in 0..channels {
                for i in 0..patch[0] {
                    let start = (c * height + y * patch[0] + i) * width + left * patch[1];
                    x.extend_from_slice(&image[start..][..patch[1]]);
                }
            }
        }
        let weights = Weights::new(length, 66, noise);
        let expected = plain_product(&x, &weights, &[]);
        for isa in SETS.iter() {
            let packed = weights.packed(isa.unit(), 1, length);
            let rows = Rows::Patches { image: &image, channels, height, width, patch };
            let mut out = vec![f32::NAN; down * across * 66];
            product(*isa, &Team::ALONE, rows, None, &packed, Epilogue::bias(&[]), &mut out);
            assert_same(
                &out,
                &expected,
                &format!("{isa}: {patch:?} of {channels} x {height} x {width}"),
            );
        }
    }
}

#[test]
fn a_row_depends_on_no_other() {
    let noise = &mut Noise(7);
    let (rows, length, columns) = (31, 77, 129);
    let weights = Weights::new(length, columns, noise);
    let mut x = noise.values(rows * length);
    // Rows of all sizes, and some that are not finite.
    for (m, row) in x.chunks_exact_mut(length).enumerate() {
        row.iter_mut().for_each(|x| *x *= 10f32.powi(m as i32 - 15));
    }
    x[4 * length + 3] = f32::NAN;
    x[9 * length + 70] = f32::INFINITY;
    x[12 * length..][..length].fill(0.0);
    for isa in SETS.iter() {
        let packed = weights.packed(isa.unit(), 1, length);
        let run = |x: &[f32]| {
            let mut out = vec![0.5; x.len() / length * columns];
            product(
                *isa,
                &Team::ALONE,
                Rows::Matrix(x),
                None,
                &packed,
                Epilogue::bias(&[]),
                &mut out,
            );
            out
        };
        let all = run(&x);
        for (m, (row, found)) in x.chunks_exact(length).zip(all.chunks_exact(columns)).enumerate() {
            assert_same(found, &run(row), &format!("{isa}: row {m}"));
            let finite = found.iter().filter(|x| x.is_finite()).count();
            assert_eq!(finite, if m == 4 || m == 9 { 0 } else { columns }, "{isa}: row {m}");
        }
        assert!(
            all[12 * columns..][..columns].iter().all(|x| *x == 0.0),
            "{isa}: zeros give zeros"
        );
    }
}

#[test]
fn teams_give_the_same_bits() {
    let noise = &mut Noise(8);
    let geometry = Geometry {
        height: 9,
        width: 11,
        channels: 5,
        kernel: [3, 3],
        strides: [1, 1],
        dilations: [1, 1],
        pads: [1; 4],
    };
    let flat = Geometry { kernel: [1, 1], pads: [0; 4], ..geometry };
    for threads in [1, 2, 3] {
        let team = Team::new(threads).expect("threads");
        for isa in SETS.iter() {
            for (rows, columns) in [(1, 200), (20, 130), (47, 64), (48, 200), (72, 70), (145, 16)] {
                let weights = Weights::new(50, columns, noise);
                let (x, packed) = (noise.values(rows * 50), weights.packed(isa.unit(), 1, 50));
                let mut out = vec![f32::NAN; rows * columns];
                product(
                    *isa,
                    &team,
                    Rows::Matrix(&x),
                    None,
                    &packed,
                    Epilogue::bias(&[]),
                    &mut out,
                );
                let what = format!("{isa}: {threads} threads, {rows} rows, {columns} columns");
                assert_same(&out, &plain_product(&x, &weights, &[]), &what);
            }
            for columns in [10, 140] {
                for geometry in [geometry, flat] {
                    let small = Geometry { height: 3, width: 4, ..geometry };
                    check_convolution(*isa, &team, &geometry, columns, noise);
                    check_convolution(*isa, &team, &small, columns, noise);
                }
            }
        }
    }
}

/// A plain convolution of a quantized image.
fn plain_convolution(x: &[f32], geometry: &Geometry, weights: &Weights) -> Vec<f32> {
    let (scale, zero, codes) = quantized(x);
    let Geometry { height, width, channels, kernel, strides, dilations, pads } = *geometry;
    let mut out = Vec::new();
    for place in 0..geometry.out_height() * geometry.out_width() {
        let (top, left) =
            (place / geometry.out_width() * strides[0], place % geometry.out_width() * strides[1]);
        for n in 0..weights.columns {
            let pairs = (0..kernel[0] * kernel[1] * channels).filter_map(|k| {
                let (tap, channel) = (k / channels, k % channels);
                let y = (top + tap / kernel[1] * dilations[0]).checked_sub(pads[0])?;
                let x = (left + tap % kernel[1] * dilations[1]).checked_sub(pads[1])?;
                let inside = y < height && x < width;
                inside.then(|| (codes[(y * width + x) * channels + channel], weights.code(k, n)))
            });
            out.push(element(pairs, (scale, zero), weights.scales[n], 0.0));
        }
    }
    out
}

fn check_convolution(
    isa: Isa,
    team: &Team,
    geometry: &Geometry,
    columns: usize,
    noise: &mut Noise,
) {
    let taps = geometry.kernel[0] * geometry.kernel[1];
    let weights = Weights::new(taps * geometry.channels, columns, noise);
    let mut x = noise.values(geometry.height * geometry.width * geometry.channels);
    if noise.below(2) == 0 {
        x.iter_mut().for_each(|x| *x = x.abs());
    }
    let expected = plain_convolution(&x, geometry, &weights);
    let packed = pairgate_kernels::convolve::pack(
        isa.unit(),
        geometry,
        weights.scales.clone(),
        |y, x, c, n| weights.code((y * geometry.kernel[1] + x) * geometry.channels + c, n),
    );
    let mut out = vec![f32::NAN; expected.len()];
    convolve(isa, team, &x, geometry, &packed, Epilogue::bias(&[]), &mut out);
    assert_same(&out, &expected, &format!("{isa}: {geometry:?}, {columns} columns"));
}

prop_compose! {
    fn geometries()(
        kernel in [1..5usize, 1..5usize],
        strides in [1..4usize, 1..4usize],
        dilations in [1..4usize, 1..4usize],
        pads in [0..3usize, 0..3usize, 0..3usize, 0..3usize],
        more in [0..14usize, 0..14usize],
        channels in prop_oneof![1..10usize, Just(16), Just(20)],
    ) -> Geometry {
        let least = |i: usize| ((kernel[i] - 1) * dilations[i] + 1).saturating_sub(pads[i] + pads[i + 2]).max(1);
        let (height, width) = (least(0) + more[0], least(1) + more[1]);
        Geometry { height, width, channels, kernel, strides, dilations, pads }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn convolutions_equal_plain_loops(geometry in geometries(), columns in 1..90usize, seed: u64) {
        for isa in SETS.iter() {
            check_convolution(*isa, &Team::ALONE, &geometry, columns, &mut Noise(seed));
        }
    }

    #[test]
    fn products_of_any_shape_equal_plain_loops(rows in 0..40usize, length in 1..150usize, columns in 1..150usize, seed: u64) {
        check_product(rows, length, columns, &mut Noise(seed));
    }
}

#[test]
fn convolutions_in_blocks_equal_plain_loops() {
    let noise = &mut Noise(9);
    let geometry = Geometry {
        height: 70,
        width: 130,
        channels: 64,
        kernel: [3, 3],
        strides: [2, 2],
        dilations: [1, 1],
        pads: [1; 4],
    };
    for isa in SETS.iter() {
        check_convolution(*isa, &Team::ALONE, &geometry, 3, noise);
    }
}

#[test]
fn packed_weights_give_back_what_they_got() {
    let noise = &mut Noise(10);
    for unit in [4, 8] {
        for (segments, length, columns) in
            [(1, 1, 1), (1, 9, 17), (3, 9, 70), (2, 16, 128), (5, 7, 66), (1, 64, 192)]
        {
            let weights = Weights::new(segments * length, columns, noise);
            let packed = weights.packed(unit, segments, length);
            let rows = segments * length;
            assert_eq!(
                (packed.rows(), packed.columns(), packed.scales()),
                (rows, columns, &weights.scales[..])
            );
            for n in 0..columns {
                let sum: i32 = (0..rows).map(|k| i32::from(weights.code(k, n))).sum();
                assert_eq!(packed.column_sums()[n], sum);
                for k in 0..rows {
                    assert_eq!(
                        packed.code(k, n),
                        weights.code(k, n),
                        "unit {unit}, row {k}, column {n}"
                    );
                }
            }
        }
    }
}

#[test]
fn weights_are_quantized_to_nearest_even() {
    let columns = [[0.0, 0.0, 0.0], [127.0, 2.5, -3.5], [-0.5, 0.25, 0.1]];
    let packed = PackedWeights::quantized(4, 1, 3, 3, |k, n| columns[n][k]);
    assert_eq!(packed.scales(), [1.0, 1.0, 0.5 / 127.0]);
    let codes: Vec<_> = (0..9).map(|i| packed.code(i % 3, i / 3)).collect();
    assert_eq!(codes, [0, 0, 0, 127, 2, -4, -127, 64, 25]);
}

/// The grid and the codes of some values.
struct Quantize<'a>(&'a [f32]);

impl Task for Quantize<'_> {
    type Output = (Grid, Vec<u8>);

    #[inline(always)]
    fn run<A: Arch>(self, arch: A) -> Self::Output {
        let grid = Span::of(arch, self.0).grid();
        let mut codes = vec![0; self.0.len()];
        grid.encode(arch, self.0, &mut codes);
        (grid, codes)
    }
}

#[test]
fn rows_are_quantized_alike() {
    let noise = &mut Noise(11);
    for length in [0, 1, 15, 16, 17, 31, 32, 33, 47, 48, 49, 100] {
        for scale in [1e-42, 1e-38, 1e-20, 1.0, 1e20, 3.3e38] {
            for shift in [0.0, 1.0, -1.0] {
                let x: Vec<f32> =
                    noise.values(length).iter().map(|x| (x + shift) * 0.5 * scale).collect();
                let (step, zero, codes) = quantized(&x);
                for isa in SETS.iter() {
                    let (grid, found) = isa.run(Quantize(&x));
                    assert_eq!(
                        (grid.scale, grid.zero),
                        (step, zero),
                        "{isa}: {length} values, {scale}"
                    );
                    let found: Vec<i32> = found.into_iter().map(i32::from).collect();
                    assert_eq!(found, codes, "{isa}: {length} values, {scale}");
                    for (x, code) in x.iter().zip(found) {
                        let value = (code - grid.zero) as f32 * grid.scale;
                        assert!((value - x).abs() <= grid.scale * 1.01, "{isa}: {value} for {x}");
                    }
                }
            }
        }
    }
}

#[test]
fn values_that_are_not_finite_show() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for place in [0, 15, 16, 31, 32, 40] {
            let mut x = vec![1.0; 41];
            x[place] = bad;
            for isa in SETS.iter() {
                assert!(isa.run(Quantize(&x)).0.scale.is_nan(), "{isa}: {bad} at {place}");
            }
        }
    }
}

/// Every operation on lanes, as bits; a NaN as one of them.
struct Operations([[f32; LANES]; 3]);

impl Task for Operations {
    type Output = Vec<u32>;

    #[inline(always)]
    fn run<A: Arch>(self, arch: A) -> Vec<u32> {
        let [a, b, c] = self.0.map(|x| arch.load(&x));
        let power = arch.splat(127.0).min(arch.splat(-126.0).max(a)).round().pow2();
        let byte = arch.splat(255.0).min(a.abs()).round();
        let mut bytes = [0; LANES];
        byte.to_u8(&mut bytes);
        let whole = self.0[1].map(|x| x.to_bits() as i32);
        let results = [
            arch.splat(self.0[0][3]),
            a.add(b),
            a.sub(b),
            a.mul(b),
            a.div(b),
            a.mul_add(b, c),
            a.max(b),
            b.max(a),
            a.min(b),
            b.min(a),
            a.abs(),
            a.abs().sqrt(),
            a.round(),
            power,
            arch.load_u8(&bytes),
            arch.load_i32(&whole),
        ];
        let mut bits = Vec::new();
        for x in results {
            let mut values = [0.0; LANES];
            x.store(&mut values);
            bits.extend(values);
        }
        bits.extend([a.sum(), a.max_lane(), a.min_lane()]);
        bits.iter().map(|x| if x.is_nan() { f32::NAN.to_bits() } else { x.to_bits() }).collect()
    }
}

#[test]
fn lanes_agree() {
    let special = [
        0.0,
        -0.0,
        1.0,
        -1.5,
        2.5,
        0.5,
        -0.5,
        f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        1e-40,
        3e38,
        127.4,
        254.5,
        -126.0,
        16_777_217.0,
    ];
    let noise = &mut Noise(12);
    for _ in 0..5000 {
        let mut number = || match noise.below(4) {
            0 => special[noise.below(special.len())],
            1 => f32::from_bits(noise.bits()),
            _ => noise.value() * 300.0,
        };
        let operands: [[f32; LANES]; 3] =
            std::array::from_fn(|_| std::array::from_fn(|_| number()));
        let expected = Isa::SCALAR.run(Operations(operands));
        for isa in SETS.iter() {
            let found = isa.run(Operations(operands));
            let different = expected.iter().zip(&found).position(|(a, b)| a != b);
            assert_eq!(different, None, "{isa}: operation times 16 + lane, of {operands:?}");
        }
    }
}

#[test]
fn dots_agree() {
    let noise = &mut Noise(13);
    for length in [0, 1, 2, 7, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 512, 513, 768] {
        for count in [0, 1, 2, 3, 4, 5, 8, 9] {
            for extremes in [false, true] {
                let codes = |noise: &mut Noise, count| match extremes {
                    true => vec![i8::MIN; count],
                    false => noise.codes(count),
                };
                // Rows that begin at odd places.
                let (row, rows) = (codes(noise, length + 1), codes(noise, length * count + 3));
                let (row, rows) = (&row[1..], &rows[3..]);
                let dot = |n: usize| -> i64 {
                    let other = &rows[n * length..][..length];
                    row.iter().zip(other).map(|(a, b)| i64::from(*a) * i64::from(*b)).sum()
                };
                let wanted: Vec<i64> = (0..count).map(dot).collect();
                for isa in SETS.iter() {
                    let mut out = vec![1; count];
                    dots(*isa, row, rows, &mut out);
                    let out: Vec<i64> = out.into_iter().map(i64::from).collect();
                    assert_eq!(out, wanted, "{isa}: {count} rows of {length}");
                }
            }
        }
    }
}
