//! The lanes and the integer tile of every instruction set that this machine has, against plain
//! Rust and a naive sum.

use pairgate_kernels::arch::checked::CheckedTile;
use pairgate_kernels::arch::{Arch, LANES, Lanes, TILE_COLUMNS};
use pairgate_kernels::{Isa, Task};

/// xorshift64*, upper half.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) as u32
    }

    fn below(&mut self, n: usize) -> usize {
        ((u64::from(self.next()) * n as u64) >> 32) as usize
    }
}

/// The sets under test; those of this build that the machine has not are named on stderr.
fn sets() -> Vec<Isa> {
    let available = Isa::available();
    for name in Isa::known() {
        if !available.iter().any(|isa| isa.name() == name) {
            eprintln!("skipped, this machine has not got it: {name}");
        }
    }
    available
}

/// Bits to compare: NaN has many, and which of them comes out is not promised.
fn bits(x: f32) -> u32 {
    if x.is_nan() { f32::NAN.to_bits() } else { x.to_bits() }
}

/// Values where lanes could differ: zeros, halves, denormals, the ends of ranges, NaN.
fn values() -> Vec<f32> {
    let mut values = vec![0.0, 0.5, 1.0, 1.5, 2.5, 3.4999998, 0.49999997, 8388607.5, 8388608.0];
    values.extend([16777217.0, 2147483648.0, 4294967296.0, f32::MAX, f32::INFINITY, f32::NAN]);
    values.extend([f32::MIN_POSITIVE, f32::from_bits(1), f32::from_bits(0x007f_ffff), 1e-30, 1e30]);
    values.extend(values.clone().iter().map(|x| -x));
    let mut random = Random(0x9e37_79b9);
    // Any bits, and numbers of everyday size.
    values.extend((0..400).map(|_| f32::from_bits(random.next())));
    values.extend((0..400).map(|_| (random.next() as i32) as f32 / (1 << 26) as f32));
    values
}

/// What every operation of [`Lanes`] gives for three vectors.
struct Operations<'a>(&'a [[f32; LANES]; 3]);

impl Task for Operations<'_> {
    type Output = Vec<(&'static str, [u32; LANES])>;

    #[inline(always)]
    fn run<A: Arch>(self, arch: A) -> Self::Output {
        let [a, b, c] = self.0.map(|x| arch.load(&x));
        let lanes = [
            ("load, store", a),
            ("splat", arch.splat(self.0[0][3])),
            ("add", a.add(b)),
            ("sub", a.sub(b)),
            ("mul", a.mul(b)),
            ("div", a.div(b)),
            ("mul_add", a.mul_add(b, c)),
            ("max", a.max(b)),
            ("min", a.min(b)),
            ("abs", a.abs()),
            ("sqrt", a.sqrt()),
            ("sqrt of abs", b.abs().sqrt()),
            ("round", a.round()),
        ];
        let folds = [("sum", a.sum()), ("max_lane", a.max_lane()), ("min_lane", a.min_lane())];
        let all = lanes.map(|(name, x)| (name, stored(x)));
        all.into_iter().chain(folds.map(|(name, x)| (name, [bits(x); LANES]))).collect()
    }
}

#[inline(always)]
fn stored<F: Lanes>(x: F) -> [u32; LANES] {
    let mut out = [0.0; LANES];
    x.store(&mut out);
    out.map(bits)
}

#[test]
fn lanes_give_the_bits_of_plain_rust() {
    let values = values();
    let mut random = Random(7);
    for isa in sets() {
        for turn in 0..3000 {
            // Special values among themselves, all, and numbers of everyday size alone.
            let range =
                [0..40, 0..values.len(), values.len() - 400..values.len()][turn % 3].clone();
            let values = &values[range];
            let mut vector = || std::array::from_fn(|_| values[random.below(values.len())]);
            let inputs = [vector(), vector(), vector()];
            let expected = Isa::SCALAR.run(Operations(&inputs));
            for (got, expected) in isa.run(Operations(&inputs)).iter().zip(&expected) {
                assert_eq!(got, expected, "{isa}, inputs {inputs:?}");
            }
        }
    }
}

#[test]
fn plain_lanes_are_what_the_trait_says() {
    let values = values();
    let mut random = Random(8);
    for _ in 0..2000 {
        let mut vector =
            || std::array::from_fn::<f32, LANES, _>(|_| values[random.below(values.len())]);
        let inputs @ [a, b, c] = [vector(), vector(), vector()];
        let results = Isa::SCALAR.run(Operations(&inputs));
        let result = |name| results.iter().find(|(n, _)| *n == name).expect("a name").1;
        let each = |f: &dyn Fn(usize) -> f32| std::array::from_fn(|i| bits(f(i)));
        assert_eq!(result("mul_add"), each(&|i| a[i].mul_add(b[i], c[i])));
        assert_eq!(result("max"), each(&|i| if a[i] > b[i] { a[i] } else { b[i] }));
        assert_eq!(result("min"), each(&|i| if a[i] < b[i] { a[i] } else { b[i] }));
        assert_eq!(result("round"), each(&|i| a[i].round_ties_even()));
        let eight: [f32; 8] = std::array::from_fn(|i| a[i] + a[i + 8]);
        let four: [f32; 4] = std::array::from_fn(|i| eight[i] + eight[i + 4]);
        let sum = (four[0] + four[2]) + (four[1] + four[3]);
        assert_eq!(result("sum"), [bits(sum); LANES]);
    }
}

/// [`Lanes::max_lane`] and [`Lanes::min_lane`] of each vector, as bits.
struct Ends<'a>(&'a [[f32; LANES]]);

impl Task for Ends<'_> {
    type Output = Vec<[u32; 2]>;

    #[inline(always)]
    fn run<A: Arch>(self, arch: A) -> Self::Output {
        let ends = |x: &[f32; LANES]| {
            let x = arch.load(x);
            [bits(x.max_lane()), bits(x.min_lane())]
        };
        self.0.iter().map(ends).collect()
    }
}

#[test]
fn the_order_of_folds_shows_in_zeros_and_nan() {
    let kinds = [0.0, -0.0, f32::NAN, -1.0];
    let mut random = Random(9);
    let vectors: Vec<[f32; LANES]> =
        (0..5000).map(|_| std::array::from_fn(|_| kinds[random.below(4)])).collect();
    let expected = Isa::SCALAR.run(Ends(&vectors));
    for isa in sets() {
        assert_eq!(isa.run(Ends(&vectors)), expected, "{isa}");
    }
}

/// Bytes and whole numbers in and out, and powers of two.
struct Conversions<'a> {
    bytes: &'a [u8; LANES],
    numbers: &'a [i32; LANES],
    exponents: &'a [f32; LANES],
}

impl Task for Conversions<'_> {
    type Output = ([u32; LANES], [u8; LANES], [u32; LANES], [u32; LANES]);

    #[inline(always)]
    fn run<A: Arch>(self, arch: A) -> Self::Output {
        let bytes = arch.load_u8(self.bytes);
        let mut back = [0; LANES];
        bytes.to_u8(&mut back);
        let numbers = arch.load_i32(self.numbers);
        (stored(bytes), back, stored(numbers), stored(arch.load(self.exponents).pow2()))
    }
}

#[test]
fn conversions_are_exact() {
    let mut random = Random(10);
    for isa in sets() {
        for turn in 0..254 {
            let bytes: [u8; LANES] = std::array::from_fn(|i| (16 * turn + i) as u8);
            let numbers = std::array::from_fn(|i| match i {
                0 => [i32::MIN, i32::MAX, 16_777_217, 16_777_219, -16_777_217, 0][turn % 6],
                _ => random.next() as i32 >> random.below(32),
            });
            // From -127, whose power is 0 here, to 128.
            let exponents: [f32; LANES] =
                std::array::from_fn(|i| ((turn + i).min(255) as i32 - 127) as f32);
            let task = Conversions { bytes: &bytes, numbers: &numbers, exponents: &exponents };
            let (floats, back, converted, powers) = isa.run(task);
            assert_eq!(floats, bytes.map(|x| f32::from(x).to_bits()), "{isa}");
            assert_eq!(back, bytes, "{isa}");
            assert_eq!(converted, numbers.map(|x| (x as f32).to_bits()), "{isa}");
            let power = |x: f32| if x == -127.0 { 0.0 } else { x.exp2() };
            assert_eq!(powers, exponents.map(|x| power(x).to_bits()), "{isa}");
        }
    }
}

/// How codes or weights are drawn.
#[derive(Debug, Clone, Copy)]
enum Draw {
    Least,
    Greatest,
    Ends,
    Any,
}

const DRAWS: [Draw; 4] = [Draw::Least, Draw::Greatest, Draw::Ends, Draw::Any];

impl Draw {
    fn byte(self, random: &mut Random) -> u8 {
        match self {
            Self::Least => 0,
            Self::Greatest => 255,
            Self::Ends => [0, 255][random.below(2)],
            Self::Any => random.next() as u8,
        }
    }
}

/// A tile's measures.
#[derive(Debug, Clone, Copy)]
struct Shape {
    rows: usize,
    blocks: usize,
    segments: usize,
    units: usize,
}

/// Multiplies a tile drawn at random and compares all its sums with naive ones.
fn check_tile(isa: Isa, shape: Shape, codes: Draw, weights: Draw, random: &mut Random) {
    let Shape { rows, blocks, segments, units } = shape;
    let (unit, columns) = (isa.unit(), LANES * blocks);
    let depth = units * unit;
    // Segments lie apart, in an order of their own, and rows at an odd distance.
    let starts: Vec<usize> = (0..segments).rev().map(|s| s * (depth + 3) + 1).collect();
    let stride = segments * (depth + 3) + 5;
    let end = (rows - 1) * stride + starts[0] + depth;
    let code: Vec<u8> = (0..end).map(|_| codes.byte(random)).collect();
    let count = segments * depth * columns;
    // Shifted so that the least byte is -128.
    let bytes: Vec<i8> =
        (0..count + 64).map(|_| (weights.byte(random) ^ 0x80).cast_signed()).collect();
    let weight = &bytes[bytes.as_ptr().align_offset(64)..][..count];
    let weight_at = |segment: usize, i: usize, column: usize| {
        let unit_at = segment * units + i / unit;
        i32::from(weight[(unit_at * columns + column) * unit + i % unit])
    };
    let places = || (0..segments).flat_map(|s| (0..depth).map(move |i| (s, i)));
    let column_sums: Vec<i32> =
        (0..columns).map(|column| places().map(|(s, i)| weight_at(s, i, column)).sum()).collect();
    let tile = CheckedTile {
        codes: &code,
        stride,
        segments: &starts,
        units,
        weights: weight,
        column_sums: &column_sums,
        rows,
        blocks,
    };
    let sums = tile.sums(isa);
    for row in 0..rows {
        for column in 0..columns {
            let product =
                |(s, i)| i32::from(code[row * stride + starts[s] + i]) * weight_at(s, i, column);
            let expected: i32 = places().map(product).sum();
            let got = sums[row * TILE_COLUMNS + column];
            assert_eq!(
                got, expected,
                "{isa}, {shape:?}, codes {codes:?}, weights {weights:?}, row {row}, column {column}"
            );
        }
    }
}

struct TileRows(usize);

impl Task for TileRows {
    type Output = usize;

    #[inline(always)]
    fn run<A: Arch>(self, _: A) -> usize {
        A::tile_rows(self.0)
    }
}

#[test]
fn tiles_are_exact() {
    let mut random = Random(11);
    for isa in sets() {
        for blocks in 1..=4 {
            for rows in 1..=isa.run(TileRows(blocks)) {
                for segments in 1..=3 {
                    for units in [1, 2, 3, 4, 5, 17] {
                        let shape = Shape { rows, blocks, segments, units };
                        for codes in DRAWS {
                            let weights = DRAWS[random.below(4)];
                            check_tile(isa, shape, codes, weights, &mut random);
                        }
                        check_tile(isa, shape, Draw::Least, Draw::Least, &mut random);
                        check_tile(isa, shape, Draw::Any, Draw::Any, &mut random);
                    }
                }
            }
        }
    }
}

#[test]
fn long_tiles_are_exact() {
    let mut random = Random(12);
    for isa in sets() {
        for (codes, weights) in DRAWS.into_iter().flat_map(|c| DRAWS.map(|w| (c, w))) {
            let rows = isa.run(TileRows(1));
            let shape = Shape { rows, blocks: 1, segments: 1, units: 4096 / isa.unit() };
            check_tile(isa, shape, codes, weights, &mut random);
        }
    }
}
