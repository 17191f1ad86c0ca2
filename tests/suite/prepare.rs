//! The network's input is what torchvision and PIL would have made of the same image.

use pairgate::decode::Rgb8;
use pairgate::pair::Size;
use pairgate::prepare::{Interpolation, Preparation, Preparer, Resize};

const CASES: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/golden/resize.csv"));
const SQUARES: &[u8] =
    include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/golden/resize.bin"));

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
    Preparation { size, resize, interpolation, mean: [0.0; 3], std: [1.0; 3] }
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
