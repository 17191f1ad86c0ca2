//! Work to be counted, not timed: `benches/instructions.sh` runs this program under an emulator that
//! counts instructions.
//!
//! `instructions CASE TIMES [FILE]` runs a case that often; the difference of two counts is what one
//! run takes. `instructions list` names the cases, each with its products of two numbers
//! (multiply-adds of matrix elements), or values, in a run. The case `tract` is the engine by itself on
//! the ONNX graph FILE, as it loads it: of an image tower, or of a text tower at 16 tokens.

use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;

use pairgate::model::bundle::Bundle;
use pairgate::model::{Arithmetic, Model, Scorer};
use pairgate_kernels::attention::{Attention, attention};
use pairgate_kernels::convolve::{self, Geometry, convolve};
use pairgate_kernels::depthwise::depthwise;
use pairgate_kernels::depthwise_int8::{PackedDepthwise, depthwise_int8};
use pairgate_kernels::matmul::{Sizes, View, matmul};
use pairgate_kernels::norm::{Norm, layer_norm};
use pairgate_kernels::product::{Epilogue, Rows, product};
use pairgate_kernels::softmax::softmax;
use pairgate_kernels::{Activation, Isa, PackedWeights, Team, activation, pool};
use tract_onnx::prelude::*;
use tract_onnx::tract_hir::infer::Factoid as _;
use tract_onnx::tract_hir::internal::DimLike as _;

type Run = Box<dyn FnMut()>;

/// Tokens of a caption.
const TOKENS: usize = 16;

/// A name, how many values or multiply-adds a run takes, and what prepares it.
type Case = (&'static str, usize, fn() -> Run);

/// What is counted.
const CASES: [Case; 14] = [
    ("product 50 x 768 x 768", 50 * 768 * 768, || int8_product(50, 768, 768)),
    ("product 16 x 512 x 2048", 16 * 512 * 2048, || int8_product(16, 512, 2048)),
    ("product 1 x 512 x 512", 512 * 512, || int8_product(1, 512, 512)),
    ("convolve 3x3, 28 x 28 x 64 x 64", 28 * 28 * 9 * 64 * 64, || convolution(3, 28, 64)),
    ("convolve 1x1, 14 x 14 x 256 x 256", 14 * 14 * 256 * 256, || convolution(1, 14, 256)),
    ("depthwise int8 3x3, 28 x 28 x 128", 28 * 28 * 9 * 128, || depthwise_in(true, 3)),
    ("depthwise int8 7x7, 28 x 28 x 128", 28 * 28 * 49 * 128, || depthwise_in(true, 7)),
    ("depthwise f32 3x3, 28 x 28 x 128", 28 * 28 * 9 * 128, || depthwise_in(false, 3)),
    ("attention, 50 tokens, 12 heads of 64", 2 * 12 * 50 * 50 * 64, self_attention),
    ("matmul f32 50 x 64 x 50", 50 * 64 * 50, float_product),
    ("layer norm, 50 x 768 values", 50 * 768, norm),
    ("softmax, 600 x 50 values", 600 * 50, rows_of_softmax),
    ("gelu, 50 x 3072 values", 50 * 3072, gelu),
    ("mean, 49 x 512 values", 49 * 512, mean),
];

fn main() -> Result<(), Box<dyn Error>> {
    // cargo bench and cargo test add an argument of their own.
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["list"] => CASES.iter().for_each(|(name, work, _)| println!("{work}\t{name}")),
        [name, times] => repeat(case(name)?, times.parse()?),
        ["tract", times, file] => repeat(tract(file)?, times.parse()?),
        _ => eprintln!("this program is driven by benches/instructions.sh"),
    }
    Ok(())
}

fn repeat(mut run: Run, times: usize) {
    for _ in 0..times {
        run();
    }
}

fn case(name: &str) -> Result<Run, Box<dyn Error>> {
    match name {
        "image int8" => image(Arithmetic::int8()),
        "image float" => image(Arithmetic::Float),
        "text int8" => text(Arithmetic::int8()),
        "text float" => text(Arithmetic::Float),
        _ => {
            let found = CASES.iter().find(|(known, ..)| *known == name);
            Ok(found.ok_or_else(|| format!("no case is called {name}"))?.2())
        }
    }
}

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

fn int8_product(rows: usize, length: usize, columns: usize) -> Run {
    let (isa, mut noise) = (Isa::chosen(), Noise(1));
    let (x, codes, bias) =
        (noise.values(rows * length), noise.codes(length * columns), noise.values(columns));
    let scales = noise.values(columns);
    let weights = PackedWeights::pack(isa.unit(), 1, length, scales, |k, n| codes[k * columns + n]);
    let mut out = vec![0.0; rows * columns];
    Box::new(move || {
        let epilogue = Epilogue::bias(&bias);
        product(isa, &Team::ALONE, Rows::Matrix(&x), None, &weights, epilogue, &mut out);
        black_box(&out);
    })
}

fn geometry(taps: usize, side: usize, channels: usize) -> Geometry {
    Geometry {
        height: side,
        width: side,
        channels,
        kernel: [taps; 2],
        strides: [1; 2],
        dilations: [1; 2],
        pads: [taps / 2; 4],
    }
}

fn convolution(taps: usize, side: usize, channels: usize) -> Run {
    let (isa, mut noise) = (Isa::chosen(), Noise(2));
    let geometry = geometry(taps, side, channels);
    let x: Vec<f32> = noise.values(side * side * channels).iter().map(|x| x.abs()).collect();
    let (codes, scales) = (noise.codes(taps * taps * channels * channels), noise.values(channels));
    let bias = noise.values(channels);
    let weights = convolve::pack(isa.unit(), &geometry, scales, |y, x, c, n| {
        codes[((y * taps + x) * channels + c) * channels + n]
    });
    let mut out = vec![0.0; side * side * channels];
    Box::new(move || {
        let epilogue = Epilogue { activation: Activation::Relu, ..Epilogue::bias(&bias) };
        convolve(isa, &Team::ALONE, &x, &geometry, &weights, epilogue, &mut out);
        black_box(&out);
    })
}

fn depthwise_in(int8: bool, taps: usize) -> Run {
    let (isa, mut noise) = (Isa::chosen(), Noise(3));
    let (side, channels) = (28, 128);
    let geometry = geometry(taps, side, channels);
    let x = noise.values(side * side * channels);
    let (weights, bias) = (noise.values(taps * taps * channels), noise.values(channels));
    let mut out = vec![0.0; side * side * channels];
    let packed = PackedDepthwise::quantized([taps; 2], channels, |y, x, channel| {
        weights[(y * taps + x) * channels + channel]
    });
    Box::new(move || {
        let (alone, epilogue) = (&Team::ALONE, Epilogue::bias(&bias));
        if int8 {
            depthwise_int8(isa, alone, &x, &geometry, 1, &packed, epilogue, &mut out);
        } else {
            depthwise(isa, alone, &x, &geometry, 1, &weights, epilogue, &mut out);
        }
        black_box(&out);
    })
}

fn self_attention() -> Run {
    let (isa, length, heads, size) = (Isa::chosen(), 50, 12, 64);
    let width = heads * size;
    let x = Noise(4).values(length * 3 * width);
    let mut out = vec![0.0; length * width];
    Box::new(move || {
        let part = |part: usize| View {
            data: &x,
            offset: part * width,
            batch: length * 3 * width,
            head: size,
            row: 3 * width,
            column: 1,
        };
        let shape = Attention {
            batches: 1,
            heads,
            queries: length,
            keys: length,
            size,
            value_size: size,
            scale: 0.125,
            causal: false,
        };
        attention(isa, &Team::ALONE, part(0), part(1), part(2), None, shape, &mut out);
        black_box(&out);
    })
}

fn float_product() -> Run {
    let (isa, mut noise) = (Isa::chosen(), Noise(5));
    let sizes = Sizes { batches: 1, heads: 1, rows: 50, inner: 64, columns: 50 };
    let (a, b) = (noise.values(50 * 64), noise.values(64 * 50));
    let mut out = vec![0.0; 50 * 50];
    Box::new(move || {
        let a = View { data: &a, offset: 0, batch: 0, head: 0, row: 64, column: 1 };
        let b = View { data: &b, offset: 0, batch: 0, head: 0, row: 50, column: 1 };
        matmul(isa, &Team::ALONE, a, b, sizes, &mut out);
        black_box(&out);
    })
}

fn norm() -> Run {
    let (isa, mut noise) = (Isa::chosen(), Noise(6));
    let (x, gain, bias) = (noise.values(50 * 768), noise.values(768), noise.values(768));
    let mut out = vec![0.0; x.len()];
    Box::new(move || {
        let norm = Norm { gain: &gain, bias: &bias, epsilon: 1e-5 };
        layer_norm(isa, &Team::ALONE, &x, norm, &mut out);
        black_box(&out);
    })
}

fn rows_of_softmax() -> Run {
    let (isa, x) = (Isa::chosen(), Noise(7).values(600 * 50));
    let mut out = x.clone();
    Box::new(move || {
        out.copy_from_slice(&x);
        softmax(isa, &Team::ALONE, &mut out, 50);
        black_box(&out);
    })
}

fn gelu() -> Run {
    let (isa, x) = (Isa::chosen(), Noise(8).values(50 * 3072));
    let mut out = x.clone();
    Box::new(move || {
        out.copy_from_slice(&x);
        activation::activate(isa, &Team::ALONE, Activation::Gelu, &mut out);
        black_box(&out);
    })
}

fn mean() -> Run {
    let (isa, x) = (Isa::chosen(), Noise(9).values(49 * 512));
    let mut out = vec![0.0; 512];
    Box::new(move || {
        pool::mean(isa, &Team::ALONE, &x, 1, 49, 512, &mut out);
        black_box(&out);
    })
}

fn scorer(arithmetic: Arithmetic) -> Result<Scorer, Box<dyn Error>> {
    Ok(Scorer::new(Arc::new(Model::unchecked(&Bundle::embedded()?, arithmetic)?)))
}

/// The image tower of the model in the binary.
fn image(arithmetic: Arithmetic) -> Result<Run, Box<dyn Error>> {
    let mut scorer = scorer(arithmetic)?;
    let side = scorer.model().manifest().image.preparation().size as usize;
    let pixels = Noise(10).values(3 * side * side);
    Ok(Box::new(move || {
        black_box(scorer.embed_image(&pixels).expect("the embedded model works"));
    }))
}

/// Its text tower.
fn text(arithmetic: Arithmetic) -> Result<Run, Box<dyn Error>> {
    let mut scorer = scorer(arithmetic)?;
    let ids = ids();
    Ok(Box::new(move || {
        black_box(scorer.embed_captions(&[&ids]).expect("the embedded model works"));
    }))
}

/// Token ids between a start and an end.
fn ids() -> Vec<i64> {
    let words = (0..TOKENS as i64 - 2).map(|i| 100 + 37 * i);
    [1].into_iter().chain(words).chain([2]).collect()
}

/// A graph as the engine loads it, one pair at a time.
fn tract(file: &str) -> Result<Run, Box<dyn Error>> {
    let mut onnx = tract_onnx::onnx().with_ignore_value_info(true).model_for_path(file)?;
    let input = onnx.input_fact(0)?.clone();
    let input = match input.datum_type.concretize() {
        Some(DatumType::I64) => Tensor::from_shape(&[1, TOKENS], &ids())?,
        _ => {
            let side = input.shape.dim(2).and_then(|dim| dim.concretize()).ok_or("no side")?;
            let side = side.to_usize()?;
            Tensor::from_shape(&[1, 3, side, side], &Noise(10).values(3 * side * side))?
        }
    };
    onnx.set_input_fact(0, InferenceFact::dt_shape(input.datum_type(), input.shape()))?;
    let plan = onnx.into_optimized()?.into_runnable()?;
    let input: TValue = input.into();
    let mut state = plan.spawn()?;
    Ok(Box::new(move || {
        black_box(state.run(tvec![input.clone()]).expect("a plan that runs"));
    }))
}
