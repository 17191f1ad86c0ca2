//! Pairs whose images are decoded already, and embeddings by themselves.

use std::fs;

use pairgate::decode::{decode, probe};
use pairgate::digest::sha256;
use pairgate::{
    EmbedError, Embedder, Examine, Gate, GateSettings, ImageLimits, PairRef, Picture, PicturePair,
    Reason, Rgb8, SampleLimits, Samples, Size, admit_size, pair_uid,
};

use crate::support::{data, default_model};

fn pair() -> (Vec<u8>, Vec<u8>) {
    let read = |name| fs::read(data("pairs").join(name)).unwrap();
    (read("meadow.jpg"), read("meadow.txt"))
}

fn decoded(file: &[u8]) -> Rgb8 {
    let (limits, mut image) = (ImageLimits::default(), Rgb8::default());
    decode(file, &probe(file, &limits).unwrap(), &limits, &mut image).unwrap();
    image
}

fn found(settings: GateSettings, picture: Picture<'_>, caption: &[u8]) -> (Reason, Option<f32>) {
    let mut gate = Gate::new(default_model(), settings);
    let pair =
        PicturePair { picture: Some(picture), caption: Some(caption), ..PicturePair::default() };
    let evidence = gate.examine_pictures(&[pair]).unwrap().remove(0);
    (evidence.found, evidence.facts.score)
}

#[test]
fn pixels_score_as_their_file() {
    let (file, caption) = pair();
    let image = decoded(&file);
    let mut gate = Gate::new(default_model(), GateSettings::default());
    let encoded = PairRef { image: Some(&file), caption: Some(&caption), ..PairRef::default() };
    let encoded = gate.examine(&[encoded]).unwrap().remove(0);
    let caption = Some(caption.as_slice());
    let pairs = [Picture::File(&file), Picture::Pixels(&image)].map(|picture| PicturePair {
        picture: Some(picture),
        caption,
        ..PicturePair::default()
    });
    let [as_file, as_pixels] = &gate.examine_pictures(&pairs).unwrap()[..] else { panic!() };
    assert_eq!(*as_file, encoded);
    assert_eq!(as_pixels.facts.score, encoded.facts.score);
    assert_eq!(as_pixels.facts.size, encoded.facts.size);
    let Size { width, height } = image.size;
    let hashed = [&width.to_le_bytes()[..], &height.to_le_bytes(), &image.pixels].concat();
    assert_eq!(as_pixels.facts.content, sha256(&hashed));
    assert_ne!(
        pair_uid(as_pixels.facts.content, caption),
        pair_uid(as_file.facts.content, caption)
    );
}

#[test]
fn samples_become_rgb_as_where_they_are_decoded() {
    let image = |samples, bytes: &[u8]| Rgb8::of_samples(Size::new(2, 1), samples, bytes.to_vec());
    let pixels = |samples, bytes| image(samples, bytes).unwrap().pixels;
    assert_eq!(pixels(Samples::Grey, &[1, 2]), [1, 1, 1, 2, 2, 2]);
    assert_eq!(pixels(Samples::GreyAlpha, &[1, 255, 2, 0]), [1, 1, 1, 255, 255, 255]);
    assert_eq!(pixels(Samples::Rgb, &[1, 2, 3, 4, 5, 6]), [1, 2, 3, 4, 5, 6]);
    assert_eq!(pixels(Samples::Rgba, &[1, 2, 3, 255, 4, 5, 6, 0]), [1, 2, 3, 255, 255, 255]);
    assert_eq!(image(Samples::Rgb, &[0; 5]), Err(Reason::Undecodable));
    let empty = Rgb8::of_samples(Size::new(0, 1), Samples::Rgb, Vec::new());
    assert_eq!(empty, Err(Reason::Undecodable));
    let huge = Rgb8::of_samples(Size::new(u32::MAX, u32::MAX), Samples::Rgba, Vec::new());
    assert_eq!(huge, Err(Reason::Undecodable));
}

#[test]
fn pixels_are_held_against_the_limits() {
    let (file, caption) = pair();
    let image = decoded(&file);
    let side = image.size.width.max(image.size.height);
    let usual = ImageLimits::default();
    for limits in [
        ImageLimits { max_side: side - 1, ..usual },
        ImageLimits { max_pixels: image.size.pixels() - 1, ..usual },
        ImageLimits { max_decode_bytes: 3 * image.size.pixels() - 1, ..usual },
    ] {
        let settings = GateSettings { image: limits, ..GateSettings::default() };
        let answer = found(settings, Picture::Pixels(&image), &caption);
        assert_eq!(answer, (Reason::ImageTooLarge, None));
        assert_eq!(admit_size(image.size, &limits), Err(Reason::ImageTooLarge));
    }
    let settings = GateSettings::default();
    let wrong = Rgb8 { size: image.size, pixels: vec![0; 7] };
    assert_eq!(found(settings, Picture::Pixels(&wrong), &caption).0, Reason::Undecodable);
    // A caption's rule answers before an image that cannot be read.
    let unreadable = Picture::Unreadable(Reason::ImageTruncated);
    assert_eq!(found(settings, unreadable, &caption).0, Reason::ImageTruncated);
    assert_eq!(found(settings, unreadable, b"two words").0, Reason::CaptionTooFewWords);
}

#[test]
fn embeddings_are_those_of_the_score() {
    let (file, caption) = pair();
    let image = decoded(&file);
    let limits = (ImageLimits::default(), SampleLimits::default());
    let mut embedder = Embedder::new(default_model(), limits.0, limits.1);
    let of_file = embedder.embed_image(Picture::File(&file)).unwrap().to_vec();
    let of_pixels = embedder.embed_image(Picture::Pixels(&image)).unwrap().to_vec();
    assert_eq!(of_file, of_pixels);
    let captions = [caption.as_slice(), b"something else", &caption];
    let texts = embedder.embed_captions(&captions).unwrap().to_vec();
    let text = &texts[..of_file.len()];
    assert_eq!(text, &texts[2 * of_file.len()..]);
    let score: f32 = of_file.iter().zip(text).map(|(image, text)| image * text).sum();
    let settings = GateSettings::default();
    assert_eq!(found(settings, Picture::File(&file), &caption).1, Some(score));
}

#[test]
fn what_has_no_embedding_says_why() {
    let limits = SampleLimits { max_caption_bytes: 20, ..SampleLimits::default() };
    let mut embedder = Embedder::new(default_model(), ImageLimits::default(), limits);
    let unreadable = |error| match error {
        EmbedError::Unreadable(reason) => Some(reason),
        EmbedError::Model(_) => None,
    };
    let failed = embedder.embed_image(Picture::File(b"no picture")).unwrap_err();
    assert_eq!(unreadable(failed), Some(Reason::UnknownFormat));
    for (wrong, reason) in
        [(&b"a \xff"[..], Reason::CaptionNotUtf8), (&[b'a'; 21], Reason::CaptionTooLong)]
    {
        let (place, failed) = embedder.embed_captions(&[b"good", wrong]).unwrap_err();
        assert_eq!((place, unreadable(failed)), (1, Some(reason)));
    }
    assert!(embedder.embed_captions(&[]).unwrap().is_empty());
}
