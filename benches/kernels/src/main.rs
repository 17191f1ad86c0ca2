//! Integer kernels on the shapes of real towers, one thread: each instruction set, beside the int8
//! product of `rten-gemm` and the most that the core can do.
//!
//! `cargo run --release -p kernel-bench [-- WORD...]` runs the cases whose name has one of the words. Ours
//! includes quantization, bias, activation and residual; rten-gemm's is the product alone.

use std::hint::black_box;
use std::time::{Duration, Instant};

use cpu_time::ThreadTime;
use pairgate_kernels::convolve::{self, Geometry, convolve};
use pairgate_kernels::norm::Norm;
use pairgate_kernels::product::{Epilogue, Rows, product};
use pairgate_kernels::{Activation, Isa, PackedWeights, Team, peak};
use rten_gemm::{GemmExecutor, GemmInputA, GemmInputB, GemmOptions};
use rten_tensor::prelude::*;
use rten_tensor::{NdTensor, NdTensorView};

/// Time for each case.
const BUDGET: Duration = Duration::from_millis(1200);
/// A sample is at least so long.
const SAMPLE: Duration = Duration::from_micros(500);

/// Towers, their widths and rows.
const IMAGE_AND_TEXT: [(&str, usize, &[usize]); 2] =
    [("image", 768, &[50, 400, 1600]), ("text", 512, &[1, 16, 77, 128, 616])];
/// Sides, channels and columns of convolutions with 3 x 3 taps.
const SQUARES: [(usize, usize, usize); 5] =
    [(56, 32, 64), (28, 64, 128), (14, 128, 256), (7, 256, 512), (14, 256, 256)];
/// Likewise, with one tap.
const POINTS: [(usize, usize, usize); 7] = [
    (56, 64, 64),
    (56, 64, 256),
    (28, 128, 512),
    (14, 256, 1024),
    (14, 512, 512),
    (7, 512, 512),
    (7, 512, 2048),
];

/// Numbers that look random, the same ones in every run.
struct Noise(u64);

impl Noise {
    fn bits(&mut self) -> u32 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 32) as u32
    }

    fn values(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.bits() as f32 / u32::MAX as f32 * 2.0 - 1.0).collect()
    }

    fn codes(&mut self, count: usize) -> Vec<i8> {
        (0..count).map(|_| self.bits() as i8).collect()
    }
}

/// A product of a transformer.
struct Shape {
    rows: usize,
    length: usize,
    columns: usize,
}

impl Shape {
    /// By what follows in a transformer: the projections have a residual, the first half of an MLP
    /// GELU, and both first ones a norm before them.
    fn activation(&self) -> Activation {
        if self.columns == 4 * self.length { Activation::Gelu } else { Activation::None }
    }

    fn has_norm(&self) -> bool {
        self.columns >= 3 * self.length
    }
}

/// Something to time, and its name.
type Contender<'a> = (String, Box<dyn FnMut() + 'a>);

fn main() {
    // rten-gemm would use all cores.
    let alone = rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread();
    alone.build_global().expect("the first pool");
    print_host();
    println!("{:34} {:11} {:>8} {:>8} {:>8}", "case", "set", "GOP/s", "of peak", "of rten");
    let words: Vec<_> = std::env::args().skip(1).filter(|x| !x.starts_with('-')).collect();
    let wanted = |name: &str| words.is_empty() || words.iter().any(|word| name.contains(word));
    time_towers(&wanted);
    time_images(&wanted);
}

/// The processor, for whoever reads the figures.
fn print_host() {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = info.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
    println!("cpu {}, one thread, medians of its own time", cpu.unwrap_or("unknown"));
}

/// The products of ViT-B/32 and of its text tower, for some batches and lengths of captions.
fn time_towers(wanted: &dyn Fn(&str) -> bool) {
    for (name, width, rows) in IMAGE_AND_TEXT {
        for rows in rows.iter().copied() {
            for (length, columns) in layer(width) {
                let name = format!("{name} {rows} x {length} x {columns}");
                if wanted(&name) {
                    time_product(&name, &Shape { rows, length, columns });
                }
            }
        }
    }
    for (rows, width) in [(50, 768), (16, 512), (1, 512)] {
        let name = format!("layers {rows} x {width}");
        if wanted(&name) {
            time_layers(&name, rows, width);
        }
    }
}

/// Depth and width of the products of a layer.
fn layer(width: usize) -> [(usize, usize); 4] {
    [(width, 3 * width), (width, width), (width, 4 * width), (4 * width, width)]
}

/// Convolutions of residual networks, and a stem.
fn time_images(wanted: &dyn Fn(&str) -> bool) {
    let common = Geometry {
        height: 224,
        width: 224,
        channels: 3,
        kernel: [7; 2],
        strides: [2; 2],
        dilations: [1; 2],
        pads: [3; 4],
    };
    let squares = SQUARES.iter().map(|shape| (3, shape));
    for (taps, (side, channels, columns)) in squares.chain(POINTS.iter().map(|shape| (1, shape))) {
        let (height, width, channels) = (*side, *side, *channels);
        let (kernel, strides, pads) = ([taps; 2], [1; 2], [taps / 2; 4]);
        let geometry = Geometry { height, width, channels, kernel, strides, pads, ..common };
        let name = format!("conv {taps}x{taps} {side} x {side} x {channels} x {columns}");
        if wanted(&name) {
            time_convolution(&name, &geometry, *columns);
        }
    }
    if wanted("conv 7x7 stem") {
        time_convolution("conv 7x7 stem", &common, 64);
    }
}

/// The sets that are timed: all but the scalar one, which the others are checked with.
fn sets() -> Vec<Isa> {
    Isa::available().into_iter().filter(|isa| *isa != Isa::SCALAR).collect()
}

fn time_product(name: &str, shape: &Shape) {
    let noise = &mut Noise(1);
    let Shape { rows, length, columns } = *shape;
    let (x, codes, scales) =
        (noise.values(rows * length), noise.codes(length * columns), noise.values(columns));
    let (bias, residual) = (noise.values(columns), noise.values(rows * columns));
    let (gain, shift) = (noise.values(length), noise.values(length));
    let norm = shape.has_norm().then_some(Norm { gain: &gain, bias: &shift, epsilon: 1e-5 });
    let run = |isa: Isa, x: &[f32], packed: &PackedWeights, out: &mut [f32]| {
        let residual = (!shape.has_norm()).then(|| &residual[..out.len()]);
        let epilogue = Epilogue {
            bias: &bias,
            activation: shape.activation(),
            residual,
            residual_first: false,
        };
        product(isa, &Team::ALONE, Rows::Matrix(x), norm, packed, epilogue, out);
    };
    let pack = |isa: Isa| {
        PackedWeights::pack(isa.unit(), 1, length, scales.clone(), |k, n| codes[k * columns + n])
    };

    let some = rows.min(7);
    let mut expected = vec![0.0; some * columns];
    run(Isa::SCALAR, &x[..some * length], &pack(Isa::SCALAR), &mut expected);
    let mut contenders: Vec<Contender<'_>> = Vec::new();
    for isa in sets() {
        let (packed, run, x) = (pack(isa), &run, &x);
        let mut out = vec![0.0; rows * columns];
        run(isa, x, &packed, &mut out);
        assert!(out[..some * columns] == expected, "{isa} is wrong on {name}");
        contenders.push((isa.name().into(), Box::new(move || run(isa, x, &packed, &mut out))));
    }
    let rten = rten_product(shape, &codes, noise);
    contenders.push(("rten-gemm".into(), rten));
    report(name, 2 * rows * length * columns, contenders);
}

/// The products of twelve layers one after the other: weights that no cache holds.
fn time_layers(name: &str, rows: usize, width: usize) {
    let noise = &mut Noise(3);
    let shapes = layer(width);
    let codes = noise.codes(4 * width * width);
    let x = noise.values(rows * 4 * width);
    let mut contenders: Vec<Contender<'_>> = Vec::new();
    for isa in sets() {
        let layers: Vec<_> = (0..12)
            .flat_map(|_| shapes)
            .map(|(length, columns)| {
                PackedWeights::pack(isa.unit(), 1, length, vec![1.0; columns], |k, n| {
                    codes[k * columns + n]
                })
            })
            .collect();
        let (mut out, x) = (vec![0.0; rows * 4 * width], &x);
        contenders.push((
            isa.name().into(),
            Box::new(move || {
                for packed in &layers {
                    let rows_of = Rows::Matrix(&x[..rows * packed.rows()]);
                    product(
                        isa,
                        &Team::ALONE,
                        rows_of,
                        None,
                        packed,
                        Epilogue::bias(&[]),
                        &mut out[..rows * packed.columns()],
                    );
                }
            }),
        ));
    }
    let mut layers: Vec<_> = (0..12)
        .flat_map(|_| shapes)
        .map(|(length, columns)| {
            rten_product(&Shape { rows, length, columns }, &codes[..length * columns], noise)
        })
        .collect();
    contenders
        .push(("rten-gemm".into(), Box::new(move || layers.iter_mut().for_each(|run| run()))));
    report(name, 12 * 2 * rows * 12 * width * width, contenders);
}

/// The product of rten-gemm, of u8 and i8 codes with its weights packed before.
fn rten_product(shape: &Shape, codes: &[i8], noise: &mut Noise) -> Box<dyn FnMut()> {
    let Shape { rows, length, columns } = *shape;
    let gemm = GemmExecutor::<u8, i8, i32>::new();
    let left: Vec<u8> = (0..rows * length).map(|_| noise.bits() as u8).collect();
    let left = NdTensor::from_data([rows, length], left);
    let right = gemm.prepack_b(NdTensorView::from_data([length, columns], codes).view());
    let mut out = vec![0i32; rows * columns];
    Box::new(move || {
        let (left, right) = (GemmInputA::Unpacked(left.view()), GemmInputB::Packed(&right));
        gemm.gemm(&mut out, left, right, GemmOptions::default()).expect("shapes that fit");
    })
}

fn time_convolution(name: &str, geometry: &Geometry, columns: usize) {
    let noise = &mut Noise(2);
    let Geometry { height, width, channels, kernel, .. } = *geometry;
    let length = kernel[0] * kernel[1] * channels;
    let x: Vec<_> = noise.values(height * width * channels).iter().map(|x| x.abs()).collect();
    let (codes, scales, bias) =
        (noise.codes(length * columns), noise.values(columns), noise.values(columns));
    let pixels = geometry.out_height() * geometry.out_width();
    let run = |isa: Isa, packed: &PackedWeights, out: &mut [f32]| {
        let epilogue = Epilogue { activation: Activation::Relu, ..Epilogue::bias(&bias) };
        convolve(isa, &Team::ALONE, &x, geometry, packed, epilogue, out);
    };
    let code = |y: usize, x: usize, c: usize, n: usize| {
        codes[((y * kernel[1] + x) * channels + c) * columns + n]
    };
    let pack = |isa: Isa| convolve::pack(isa.unit(), geometry, scales.clone(), code);

    let mut expected = vec![0.0; pixels * columns];
    run(Isa::SCALAR, &pack(Isa::SCALAR), &mut expected);
    let mut contenders: Vec<Contender<'_>> = Vec::new();
    for isa in sets() {
        let (packed, run) = (pack(isa), &run);
        let mut out = vec![0.0; pixels * columns];
        run(isa, &packed, &mut out);
        assert!(out == expected, "{isa} is wrong on {name}");
        contenders.push((isa.name().into(), Box::new(move || run(isa, &packed, &mut out))));
    }
    // The product of the same size, without gathering its rows.
    let rten = rten_product(&Shape { rows: pixels, length, columns }, &codes, noise);
    contenders.push(("rten-gemm".into(), rten));
    report(name, 2 * pixels * length * columns, contenders);
}

/// Times contenders and peaks in turn, and prints a row for each contender.
fn report(name: &str, operations: usize, mut contenders: Vec<Contender<'_>>) {
    let peaks = sets().into_iter().map(|isa| -> Contender<'_> {
        let run = move || {
            black_box(peak::integer_products(isa, 1000));
        };
        (isa.name().into(), Box::new(run))
    });
    let count = contenders.len();
    contenders.extend(peaks);
    let times = alternate(&mut contenders);
    let speed = |i: usize| operations as f64 / times[i] / 1e9;
    for (i, (set, _)) in contenders.iter().enumerate().take(count) {
        let set = set.as_str();
        let of_peak = (count..contenders.len()).find(|j| contenders[*j].0 == set).and_then(|j| {
            let isa = sets().into_iter().find(|isa| isa.name() == set)?;
            let most = peak::integer_products(isa, 1000)? as f64 / times[j] / 1e9;
            Some(format!("{:.0} %", 100.0 * speed(i) / most))
        });
        let of_rten = speed(i) / speed(count - 1);
        println!(
            "{name:34} {set:11} {:8.1} {:>8} {of_rten:8.2}",
            speed(i),
            of_peak.unwrap_or_default()
        );
    }
}

/// The median time of each, in seconds of this thread, which other programs on the machine do not
/// lengthen: all in turn, as often as the budget allows.
fn alternate(contenders: &mut [Contender<'_>]) -> Vec<f64> {
    let repeats: Vec<_> = contenders
        .iter_mut()
        .map(|(_, run)| {
            run();
            let start = Instant::now();
            run();
            SAMPLE.as_nanos() / start.elapsed().as_nanos().max(1) + 1
        })
        .collect();
    let mut times = vec![Vec::new(); contenders.len()];
    let start = Instant::now();
    while start.elapsed() < BUDGET || times[0].len() < 5 {
        for (((_, run), repeats), times) in contenders.iter_mut().zip(&repeats).zip(&mut times) {
            let start = ThreadTime::now();
            for _ in 0..*repeats {
                run();
            }
            times.push(start.elapsed().as_secs_f64() / *repeats as f64);
        }
    }
    times.into_iter().map(median).collect()
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
