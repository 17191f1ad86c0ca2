//! The promise of the kernels, pinned: the same input gives these bits on every instruction set of
//! every architecture. A change of a kernel's arithmetic changes its digest here; results that a
//! user has stored change with it.

use pairgate_kernels::attention::{Attention, attention};
use pairgate_kernels::convolve::{self, Geometry, convolve};
use pairgate_kernels::depthwise::depthwise;
use pairgate_kernels::depthwise_int8::{PackedDepthwise, depthwise_int8};
use pairgate_kernels::matmul::{Sizes, View, matmul};
use pairgate_kernels::norm::{Norm, dot, layer_norm, rms_norm, unit_length};
use pairgate_kernels::product::{Epilogue, Rows, product};
use pairgate_kernels::softmax::softmax;
use pairgate_kernels::{Activation, Isa, PackedWeights, Team, activation, pool};

/// Digests of the results, see [`digest`].
const PINS: [(&str, u64); 14] = [
    ("product", 0x277de71493770939),
    ("product after norm", 0x6870c332c2701fd2),
    ("product of patches", 0xab865a3359e75e00),
    ("convolve", 0x9e6dd760538d3545),
    ("depthwise", 0xdd9f84c9bf96979f),
    ("depthwise int8", 0x14d697b08ee70fcc),
    ("matmul", 0xf1f15674a3097866),
    ("attention", 0xb4def99eaf9e2418),
    ("causal attention", 0x97c9a9dd32cfee18),
    ("layer norm", 0x72786527799012c0),
    ("other norms", 0xb78926f3ede39b24),
    ("softmax", 0x74af2f197b0b8745),
    ("activations", 0x900fde70b33d3709),
    ("pool", 0x5e98c15b6e41c06b),
];

/// FNV-1a, 64 bits, over the bytes of all values, least significant first.
fn digest(values: &[f32]) -> u64 {
    assert!(values.iter().all(|x| !x.is_nan()), "NaN has no bits of its own");
    values
        .iter()
        .flat_map(|x| x.to_bits().to_le_bytes())
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
}

/// As a line of [`PINS`].
fn line((name, digest): (&str, u64)) -> String {
    format!("({name:?}, {digest:#018x})")
}

/// A linear congruential generator.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(0x9e37_79b9);
        (self.0 >> 32) as u32
    }

    /// A value from -`reach` to `reach`, mostly small, as activations are.
    fn value(&mut self, reach: f32) -> f32 {
        let unit = |bits: u32| bits as f32 / u32::MAX as f32 * 2.0 - 1.0;
        unit(self.next()) * unit(self.next()) * reach
    }

    fn values(&mut self, count: usize, reach: f32) -> Vec<f32> {
        (0..count).map(|_| self.value(reach)).collect()
    }

    fn codes(&mut self, count: usize) -> Vec<i8> {
        (0..count).map(|_| (self.next() >> 24) as i8).collect()
    }
}

const ALL_ACTIVATIONS: [Activation; 13] = [
    Activation::None,
    Activation::Relu,
    Activation::Clip { low: -0.5, high: 1.25 },
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

fn packed(isa: Isa, rows: usize, columns: usize, noise: &mut Noise) -> PackedWeights {
    let codes = noise.codes(rows * columns);
    let scales = noise.values(columns, 0.01);
    PackedWeights::pack(isa.unit(), 1, rows, scales, |k, n| codes[k * columns + n])
}

/// Shapes that leave rests everywhere.
fn products(isa: Isa, team: &Team) -> Vec<f32> {
    let mut noise = Noise(1);
    let mut all = Vec::new();
    for (turn, [rows, inner, columns]) in
        [[1, 5, 3], [7, 64, 16], [13, 99, 70], [50, 192, 131]].into_iter().enumerate()
    {
        for activation in ALL_ACTIVATIONS {
            let x = noise.values(rows * inner, 4.0);
            let weights = packed(isa, inner, columns, &mut noise);
            let bias = noise.values(columns, 1.0);
            let residual = noise.values(rows * columns, 2.0);
            let epilogue = Epilogue {
                bias: &bias,
                activation,
                residual: Some(&residual),
                residual_first: turn % 2 == 0,
            };
            let mut out = vec![0.0; rows * columns];
            product(isa, team, Rows::Matrix(&x), None, &weights, epilogue, &mut out);
            all.extend(out);
        }
    }
    all
}

fn normalized_products(isa: Isa, team: &Team) -> Vec<f32> {
    let mut noise = Noise(2);
    let (rows, inner, columns) = (33, 100, 48);
    let (gain, bias) = (noise.values(inner, 2.0), noise.values(inner, 0.5));
    let norm = Norm { gain: &gain, bias: &bias, epsilon: 1e-5 };
    let x = noise.values(rows * inner, 30.0);
    let weights = packed(isa, inner, columns, &mut noise);
    let mut out = vec![0.0; rows * columns];
    let none = Epilogue::bias(&[]);
    product(isa, team, Rows::Matrix(&x), Some(norm), &weights, none, &mut out);
    out
}

fn patch_products(isa: Isa, team: &Team) -> Vec<f32> {
    let mut noise = Noise(3);
    let image = noise.values(3 * 21 * 33, 3.0);
    let patch = [5, 4];
    let rows = Rows::Patches { image: &image, channels: 3, height: 21, width: 33, patch };
    let weights = packed(isa, 60, 40, &mut noise);
    let mut out = vec![0.0; 4 * 8 * 40];
    product(isa, team, rows, None, &weights, Epilogue::bias(&[]), &mut out);
    out
}

fn geometry(kernel: [usize; 2], strides: [usize; 2], dilations: [usize; 2]) -> Geometry {
    let channels = 5;
    Geometry { height: 14, width: 17, channels, kernel, strides, dilations, pads: [1, 2, 2, 1] }
}

const GEOMETRIES: [[[usize; 2]; 3]; 4] = [
    [[3, 3], [1, 1], [1, 1]],
    [[3, 3], [2, 2], [1, 1]],
    [[2, 3], [1, 1], [2, 2]],
    [[1, 1], [2, 1], [1, 1]],
];

fn convolutions(isa: Isa, team: &Team) -> Vec<f32> {
    let mut noise = Noise(4);
    let mut all = Vec::new();
    for [kernel, strides, dilations] in GEOMETRIES {
        let geometry = geometry(kernel, strides, dilations);
        let columns = 70;
        let codes = noise.codes(kernel[0] * kernel[1] * geometry.channels * columns);
        let scales = noise.values(columns, 0.02);
        let weights = convolve::pack(isa.unit(), &geometry, scales, |y, x, channel, n| {
            codes[((y * kernel[1] + x) * geometry.channels + channel) * columns + n]
        });
        let input = noise.values(geometry.height * geometry.width * geometry.channels, 2.0);
        let bias = noise.values(columns, 1.0);
        let epilogue = Epilogue { activation: Activation::Silu, ..Epilogue::bias(&bias) };
        let mut out = vec![0.0; geometry.out_height() * geometry.out_width() * columns];
        convolve(isa, team, &input, &geometry, &weights, epilogue, &mut out);
        all.extend(out);
    }
    all
}

fn depthwise_convolutions(isa: Isa, team: &Team) -> Vec<f32> {
    let mut noise = Noise(5);
    let mut all = Vec::new();
    for ([kernel, strides, dilations], multiplier) in GEOMETRIES.into_iter().zip([1, 4, 3, 7]) {
        let geometry = geometry(kernel, strides, dilations);
        let columns = geometry.channels * multiplier;
        let weights = noise.values(kernel[0] * kernel[1] * columns, 1.0);
        let input = noise.values(geometry.height * geometry.width * geometry.channels, 2.0);
        let bias = noise.values(columns, 1.0);
        let epilogue = Epilogue { activation: Activation::Gelu, ..Epilogue::bias(&bias) };
        let mut out = vec![0.0; geometry.out_height() * geometry.out_width() * columns];
        depthwise(isa, team, &input, &geometry, multiplier, &weights, epilogue, &mut out);
        all.extend(out);
    }
    all
}

fn integer_depthwise_convolutions(isa: Isa, team: &Team) -> Vec<f32> {
    let mut noise = Noise(13);
    let mut all = Vec::new();
    for ([kernel, strides, dilations], multiplier) in GEOMETRIES.into_iter().zip([1, 4, 3, 7]) {
        let geometry = geometry(kernel, strides, dilations);
        let columns = geometry.channels * multiplier;
        let codes = noise.codes(kernel[0] * kernel[1] * columns);
        let scales = noise.values(columns, 0.02);
        let weights = PackedDepthwise::pack(kernel, &scales, |y, x, channel| {
            codes[(y * kernel[1] + x) * columns + channel]
        });
        let input = noise.values(geometry.height * geometry.width * geometry.channels, 2.0);
        let bias = noise.values(columns, 1.0);
        let epilogue = Epilogue { activation: Activation::Gelu, ..Epilogue::bias(&bias) };
        let mut out = vec![0.0; geometry.out_height() * geometry.out_width() * columns];
        depthwise_int8(isa, team, &input, &geometry, multiplier, &weights, epilogue, &mut out);
        all.extend(out);
    }
    all
}

fn matrix_products(isa: Isa, team: &Team) -> Vec<f32> {
    let mut noise = Noise(6);
    let sizes = Sizes { batches: 2, heads: 3, rows: 29, inner: 37, columns: 41 };
    let a = noise.values(2 * 3 * 29 * 37, 1.0);
    let b = noise.values(3 * 41 * 37, 1.0);
    let a = View { data: &a, offset: 0, batch: 3 * 29 * 37, head: 29 * 37, row: 37, column: 1 };
    // Transposed, and the same for all batches.
    let b = View { data: &b, offset: 0, batch: 0, head: 41 * 37, row: 1, column: 37 };
    let mut out = vec![0.0; 2 * 3 * 29 * 41];
    matmul(isa, team, a, b, sizes, &mut out);
    out
}

fn attentions(isa: Isa, team: &Team, causal: bool) -> Vec<f32> {
    let mut noise = Noise(7);
    let (batches, heads, length, size) = (2, 3, 51, 24);
    let width = heads * size;
    let x = noise.values(batches * length * 3 * width, 3.0);
    let part = |part: usize| View {
        data: &x,
        offset: part * width,
        batch: length * 3 * width,
        head: size,
        row: 3 * width,
        column: 1,
    };
    let mask = noise.values(length * length, 1.0);
    let mask = View { data: &mask, offset: 0, batch: 0, head: 0, row: length, column: 1 };
    let mask = (!causal).then_some(mask);
    let (queries, keys, value_size, scale) = (length, length, size, 0.2041);
    let shape = Attention { batches, heads, queries, keys, size, value_size, scale, causal };
    let mut out = vec![0.0; batches * length * width];
    attention(isa, team, part(0), part(1), part(2), mask, shape, &mut out);
    out
}

fn layer_norms(isa: Isa, team: &Team) -> Vec<f32> {
    let mut noise = Noise(8);
    let mut all = Vec::new();
    for size in [1, 15, 16, 33, 768] {
        let (gain, bias) = (noise.values(size, 2.0), noise.values(size, 0.5));
        let norm = Norm { gain: &gain, bias: &bias, epsilon: 1e-6 };
        let x = noise.values(9 * size, 50.0);
        let mut out = vec![0.0; 9 * size];
        layer_norm(isa, team, &x, norm, &mut out);
        all.extend(out);
    }
    all
}

fn other_norms(isa: Isa, team: &Team) -> Vec<f32> {
    let mut noise = Noise(9);
    let mut all = Vec::new();
    for size in [1, 15, 16, 33, 512] {
        let mut x = noise.values(4 * size, 5.0);
        let mut out = vec![0.0; 4 * size];
        rms_norm(isa, team, &x, size, 1e-6, &mut out);
        all.extend(&out);
        all.push(dot(isa, &x, &out));
        unit_length(isa, &mut x);
        all.extend(x);
    }
    all
}

fn softmaxes(isa: Isa, team: &Team) -> Vec<f32> {
    let mut noise = Noise(10);
    let mut all = Vec::new();
    for columns in [1, 7, 16, 50, 77, 1000] {
        let mut x = noise.values(5 * columns, 20.0);
        x[columns / 2] = 5.0;
        x[0] = if columns > 1 { f32::NEG_INFINITY } else { 0.0 };
        softmax(isa, team, &mut x, columns);
        all.extend(x);
    }
    all
}

fn activations(isa: Isa, team: &Team) -> Vec<f32> {
    let mut noise = Noise(11);
    let mut all = Vec::new();
    for kind in ALL_ACTIVATIONS {
        let mut x = noise.values(4001, 12.0);
        x.extend([0.0, -0.0, 1e-40, -1e-40, 1e30, -1e30, 88.0, -88.0, f32::MIN_POSITIVE]);
        activation::activate(isa, team, kind, &mut x);
        all.extend(x);
    }
    all
}

fn pools(isa: Isa, team: &Team) -> Vec<f32> {
    let mut noise = Noise(12);
    let mut all = Vec::new();
    for [outer, count, inner] in [[3, 49, 1], [2, 50, 70], [1, 7, 16], [5, 1, 3]] {
        let x = noise.values(outer * count * inner, 3.0);
        let mut out = vec![0.0; outer * inner];
        pool::sum(isa, team, &x, outer, count, inner, &mut out);
        all.extend(&out);
        pool::mean(isa, team, &x, outer, count, inner, &mut out);
        all.extend(&out);
    }
    all
}

fn digests(isa: Isa, team: &Team) -> [(&'static str, u64); 14] {
    [
        ("product", products(isa, team)),
        ("product after norm", normalized_products(isa, team)),
        ("product of patches", patch_products(isa, team)),
        ("convolve", convolutions(isa, team)),
        ("depthwise", depthwise_convolutions(isa, team)),
        ("depthwise int8", integer_depthwise_convolutions(isa, team)),
        ("matmul", matrix_products(isa, team)),
        ("attention", attentions(isa, team, false)),
        ("causal attention", attentions(isa, team, true)),
        ("layer norm", layer_norms(isa, team)),
        ("other norms", other_norms(isa, team)),
        ("softmax", softmaxes(isa, team)),
        ("activations", activations(isa, team)),
        ("pool", pools(isa, team)),
    ]
    .map(|(name, values)| (name, digest(&values)))
}

#[test]
fn every_set_gives_the_pinned_bits() {
    let three = Team::new(3).expect("three threads");
    for isa in Isa::available() {
        for (team, threads) in [(&Team::ALONE, 1), (&three, 3)] {
            let found = digests(isa, team).map(line);
            assert_eq!(found, PINS.map(line), "{isa}, {threads} threads");
        }
    }
}
