//! The network's input is what torchvision and PIL would have made of the same image.

use std::collections::BTreeMap;

use pairgate::decode::Rgb8;
use pairgate::prepare::{Crop, Interpolation, Preparation, Preparer, Resize};
use pairgate_core::pair::Size;
use proptest::prelude::*;
use proptest::{option, sample::select};

const CASES: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/golden/resize.csv"));
const SQUARES: &[u8] =
    include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/golden/resize.bin"));

/// What the processors of tests/golden/processors.py are told, and what they made.
const PROCESSORS: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/golden/processors.csv"));
const PROCESSED: &[u8] =
    include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/golden/processors.bin"));
const LEVELS: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/golden/processors_levels.csv"));

/// The pictures of tests/golden/pil.py, by the same formulas.
fn picture(name: &str, width: u32, height: u32) -> Rgb8 {
    let sample = |x: u32, y: u32, c: u32| match name {
        "noise" => noise(x, y, c),
        "grey" => noise(x, y, 0),
        "gradient" => {
            [x * 255 / (width - 1).max(1), y * 255 / (height - 1).max(1), x + y][c as usize]
        }
        "checks" => 255 * ((x / (3 + c) + y / (5 - c)) & 1),
        "rings" => {
            let (dx, dy) = ((2 * x).abs_diff(width), (2 * y).abs_diff(height));
            (dx * dx + dy * dy) / (width + height) * (c + 1) / 2
        }
        _ => panic!("no picture is called {name}"),
    };
    let mut image = Rgb8 { size: Size::new(width, height), pixels: Vec::new() };
    for y in 0..height {
        for x in 0..width {
            image.pixels.extend((0..3).map(|c| sample(x, y, c) as u8));
        }
    }
    image
}

fn noise(x: u32, y: u32, c: u32) -> u32 {
    let v = x.wrapping_mul(374_761_393).wrapping_add(y.wrapping_mul(668_265_263));
    let v = v.wrapping_add(c.wrapping_mul(2_246_822_519));
    let v = (v ^ (v >> 13)).wrapping_mul(1_274_126_177);
    v ^ (v >> 16)
}

/// A scale that leaves the levels as they are, but for the division by 255.
fn plain(size: u32, resize: Resize, interpolation: Interpolation) -> Preparation {
    Preparation::new(size, resize, interpolation, [0.0; 3], [1.0; 3])
}

fn case(line: &str) -> (Rgb8, Preparation) {
    let fields: Vec<&str> = line.split(',').collect();
    let [name, width, height, size, resize, interpolation] = fields[..] else {
        panic!("6 fields: {line}")
    };
    let number = |text: &str| text.parse::<u32>().unwrap();
    let resize = match resize {
        "shortest" => Resize::Shortest,
        "squash" => Resize::Squash,
        other => panic!("no mode is called {other}"),
    };
    let interpolation = match interpolation {
        "bicubic" => Interpolation::Bicubic,
        "bilinear" => Interpolation::Bilinear,
        other => panic!("no kernel is called {other}"),
    };
    let image = picture(name, number(width), number(height));
    (image, plain(number(size), resize, interpolation))
}

#[test]
fn resized_squares_are_those_of_pil() {
    let mut expected = SQUARES;
    let (mut values, mut exact, mut near) = (0, 0, 0);
    for line in CASES.lines() {
        let (image, preparation) = case(line);
        let length = 3 * (preparation.size * preparation.size) as usize;
        let (square, rest) = expected.split_at(length);
        expected = rest;
        let mut preparer = Preparer::new(preparation);
        let got = preparer.square(&image);
        let differences = || got.iter().zip(square).map(|(a, b)| a.abs_diff(*b));
        let largest = differences().max().unwrap();
        let in_case = differences().filter(|&d| d == 0).count();
        println!("{line}: largest {largest}, exact {:.4}", in_case as f64 / length as f64);
        values += length;
        exact += in_case;
        near += differences().filter(|&d| d <= 1).count();
    }
    assert!(expected.is_empty(), "the squares end with the cases");
    println!("{values} values, {exact} exact, {near} within 1");
    assert!(near == values, "{} of {values} values differ by more than 1", values - near);
    assert!(exact as f64 >= 0.97 * values as f64, "{exact} of {values} values are exact");
}

#[test]
fn levels_become_the_range_of_the_model_plane_by_plane() {
    let image = Rgb8 { size: Size::new(2, 2), pixels: [0, 51, 255].repeat(4) };
    let (mean, std) = ([0.5, 0.2, 0.0], [0.25, 0.5, 1.0]);
    let mut preparer = Preparer::new(Preparation {
        mean,
        std,
        ..plain(2, Resize::Squash, Interpolation::Bicubic)
    });
    let mut out = [f32::NAN; 12];
    preparer.prepare(&image, &mut out);
    assert_eq!(out, [-2.0, -2.0, -2.0, -2.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0]);
}

/// Resized whole, this image would be 16384 * 224 pixels wide.
#[test]
fn the_most_extreme_aspects_take_no_more_than_the_crop() {
    for (width, height) in [(16_384, 1), (1, 16_384)] {
        let mut image = picture("gradient", width, height);
        // Blue alone marks the centre.
        for (i, pixel) in image.pixels.chunks_exact_mut(3).enumerate() {
            pixel[2] = if (8190..8194).contains(&i) { 200 } else { 0 };
        }
        let mut preparer = Preparer::new(plain(224, Resize::Shortest, Interpolation::Bicubic));
        let square = preparer.square(&image);
        assert!(square.chunks_exact(3).all(|pixel| pixel[2] > 190), "the crop shows the centre");
    }
}

#[test]
fn images_leave_no_trace_in_the_next() {
    let images = [picture("noise", 50, 40), picture("rings", 7, 300), picture("checks", 24, 24)];
    let preparation = plain(24, Resize::Shortest, Interpolation::Bicubic);
    let mut used = Preparer::new(preparation.clone());
    for image in images.iter().chain(images.iter().rev()) {
        let mut fresh = Preparer::new(preparation.clone());
        assert_eq!(used.square(image), fresh.square(image));
    }
}

#[test]
#[should_panic = "the input is [3, S, S]"]
fn an_input_of_another_size_is_a_bug() {
    let mut preparer = Preparer::new(plain(24, Resize::Squash, Interpolation::Bilinear));
    preparer.prepare(&picture("grey", 5, 5), &mut [0.0; 3]);
}

/// The pictures of tests/golden/processors.py, by the same formula.
fn waves(width: u32, height: u32, seed: u32) -> Rgb8 {
    let mut image = Rgb8 { size: Size::new(width, height), pixels: Vec::new() };
    for y in 0..height {
        for x in 0..width {
            let level = |c: u32| {
                let wave = (x * (3 + seed % 5) + y * (5 + seed % 3) + c * 85 + seed * 29) & 255;
                let level = if wave < 128 { 2 * wave } else { 511 - 2 * wave };
                let inverted = (x / 32 + y / 24 + seed).is_multiple_of(3);
                (if inverted { 255 - level } else { level }) as u8
            };
            image.pixels.extend((0..3).map(level));
        }
    }
    image
}

/// A value by the name that it has in a manifest.
fn named<T: serde::de::DeserializeOwned>(name: &str) -> T {
    toml::Value::String(name.into()).try_into().unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// A line of processors.csv: the processor, the picture, and the preparation that says the same.
/// PIL's box kernel counts as one more processor: ties make it less exact.
fn processed(line: &str) -> (&str, Rgb8, Preparation) {
    let fields: Vec<&str> = line.split(',').collect();
    let [processor, width, height, seed, size, resize, to, interpolation, crop, fill] = fields[..]
    else {
        panic!("10 fields: {line}")
    };
    let number = |text: &str| text.parse::<u32>().unwrap();
    let preparation = Preparation {
        resize_to: (!to.is_empty()).then(|| number(to)),
        crop: named(crop),
        fill: [number(fill) as u8; 3],
        ..plain(number(size), named(resize), named(interpolation))
    };
    let processor = if interpolation == "box" { "box" } else { processor };
    (processor, waves(number(width), number(height), number(seed)), preparation)
}

/// Values of one processor: all, exact, within 1 level.
#[derive(Default)]
struct Parity {
    values: usize,
    exact: usize,
    near: usize,
}

#[test]
fn squares_are_those_of_the_processors_of_published_models() {
    let mut expected = PROCESSED;
    let mut all: BTreeMap<&str, Parity> = BTreeMap::new();
    for line in PROCESSORS.lines() {
        let (processor, image, preparation) = processed(line);
        let length = 3 * (preparation.size * preparation.size) as usize;
        let (square, rest) = expected.split_at(length);
        expected = rest;
        let mut preparer = Preparer::new(preparation);
        let got = preparer.square(&image);
        let within = |most| got.iter().zip(square).filter(|(a, b)| a.abs_diff(**b) <= most).count();
        println!("{line}: exact {} within 1 {} of {length}", within(0), within(1));
        let parity = all.entry(processor).or_default();
        parity.values += length;
        parity.exact += within(0);
        parity.near += within(1);
    }
    assert!(expected.is_empty(), "the squares end with the cases");
    for (processor, Parity { values, exact, near }) in all {
        println!("{processor}: {exact} exact, {near} within 1 of {values}");
        let (least_exact, least_near) = match processor {
            "box" => (0.98, 0.98),
            "transformers" => (0.999, 1.0),
            _ => (0.99, 0.999),
        };
        let share = |part: usize| part as f64 / values as f64;
        assert!(share(exact) >= least_exact, "{processor}: {exact} of {values} are exact");
        assert!(share(near) >= least_near, "{processor}: {near} of {values} are within 1");
    }
}

#[test]
fn levels_are_scaled_as_by_the_processors() {
    for line in LEVELS.lines() {
        let (processor, numbers) = line.split_once(',').unwrap();
        let numbers: Vec<f64> = numbers.split(',').map(|n| n.parse().unwrap()).collect();
        let three = |from: usize| std::array::from_fn(|i| numbers[from + i] as f32);
        let mut preparer = Preparer::new(Preparation {
            rescale: numbers[0],
            mean: three(1),
            std: three(4),
            ..plain(1, Resize::Keep, Interpolation::Nearest)
        });
        let mut out = [f32::NAN; 3];
        preparer.prepare(&Rgb8 { size: Size::new(1, 1), pixels: vec![255, 128, 3] }, &mut out);
        for (got, wanted) in out.iter().zip(three(7)) {
            assert!((got - wanted).abs() <= 1e-6, "{processor}: {got} for {wanted}");
        }
    }
}

#[test]
fn manifests_need_not_name_what_has_a_default() {
    let short = "size = 224\nresize = \"shortest\"\ninterpolation = \"bicubic\"\n\
        mean = [0.5, 0.5, 0.5]\nstd = [0.5, 0.5, 0.5]\n";
    let read: Preparation = toml::from_str(short).unwrap();
    let half = [0.5; 3];
    assert_eq!(read, Preparation::new(224, Resize::Shortest, Interpolation::Bicubic, half, half));
    let long = Preparation {
        resize_to: Some(256),
        crop: Crop::Floor,
        fill: [1, 2, 3],
        rescale: 1.0,
        ..read
    };
    assert_eq!(toml::from_str::<Preparation>(&toml::to_string(&long).unwrap()).unwrap(), long);
}

#[test]
fn kernels_have_the_numbers_of_pil_and_the_names_of_open_clip() {
    let numbered = ["nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"];
    for (number, name) in (0..).zip(numbered) {
        assert_eq!(Interpolation::from_pil(number), Some(named(name)));
    }
    assert_eq!(Interpolation::from_pil(6), None);
    assert_eq!(Interpolation::from_open_clip("bilinear"), Some(Interpolation::Bilinear));
    assert_eq!(Interpolation::from_open_clip("random"), Some(Interpolation::Bicubic));
    assert_eq!(Interpolation::from_open_clip("lanczos"), None);
}

#[test]
fn what_the_image_does_not_cover_is_filled() {
    let mut preparer = Preparer::new(Preparation {
        fill: [7, 8, 9],
        ..plain(5, Resize::Keep, Interpolation::Bicubic)
    });
    let square = preparer.square(&Rgb8 { size: Size::new(2, 9), pixels: vec![200; 54] });
    for row in square.chunks_exact(15) {
        assert_eq!(row, [7, 8, 9, 200, 200, 200, 200, 200, 200, 7, 8, 9, 7, 8, 9]);
    }
}

/// Halves to even leave 2 of a margin of 3, halves down leave 1; both leave half of an even one.
#[test]
fn an_odd_margin_is_rounded_as_told() {
    let image = Rgb8 { size: Size::new(7, 6), pixels: (0..126).collect() };
    for (crop, left) in [(Crop::Even, 2), (Crop::Floor, 1)] {
        let mut preparer =
            Preparer::new(Preparation { crop, ..plain(4, Resize::Keep, Interpolation::Nearest) });
        assert_eq!(preparer.square(&image)[0], 3 * (7 + left));
    }
}

fn any_preparation() -> impl Strategy<Value = Preparation> {
    let resize = select(vec![Resize::Shortest, Resize::Squash, Resize::Longest, Resize::Keep]);
    let kernel = (0..6u8).prop_map(|number| Interpolation::from_pil(number).unwrap());
    let to = option::of(prop_oneof![1..80u32, Just(u32::MAX)]);
    (1..40u32, resize, to, kernel, select(vec![Crop::Even, Crop::Floor])).prop_map(
        |(size, resize, resize_to, kernel, crop)| Preparation {
            resize_to,
            crop,
            ..plain(size, resize, kernel)
        },
    )
}

proptest! {
    #[test]
    fn any_image_becomes_a_square_that_stays_within_its_levels(
        preparation in any_preparation(),
        (width, height) in prop_oneof![
            (1..60u32, 1..60u32), (1..4u32, 1..5000u32), (1..5000u32, 1..4u32),
        ],
        level: u8,
    ) {
        let fill = [level; 3];
        let length = 3 * (preparation.size * preparation.size) as usize;
        let mut preparer = Preparer::new(Preparation { fill, ..preparation });
        let pixels = vec![level; 3 * (width * height) as usize];
        let square = preparer.square(&Rgb8 { size: Size::new(width, height), pixels });
        prop_assert_eq!(square.len(), length);
        prop_assert!(square.iter().all(|&value| value == level), "a flat image stays flat");
    }
}
