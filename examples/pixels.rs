//! Prints what pictures decode to: `cargo run --release --example pixels -- SHARD|PICTURE...`.
//!
//! One line a picture: its name, width, height, and SHA-256 of its RGB bytes, or the reason why it is
//! not decoded. `tests/golden/pixels.py` prints the same of Pillow, for `diff`.

use std::path::PathBuf;

use pairgate::decode::{Rgb8, decode, probe};
use pairgate::source::Source;
use pairgate::source::tar::TarSource;
use pairgate::{ImageLimits, SampleLimits};
use sha2::{Digest, Sha256};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for path in std::env::args().skip(1).map(PathBuf::from) {
        if path.extension().is_some_and(|extension| extension == "tar") {
            let mut shard = TarSource::open(&path, SampleLimits::default())?;
            while let Some(sample) = shard.next()? {
                println!("{} {}", sample.key, line(sample.image().unwrap_or_default()));
            }
        } else {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            println!("{name} {}", line(&std::fs::read(&path)?));
        }
    }
    Ok(())
}

fn line(bytes: &[u8]) -> String {
    let limits = ImageLimits::default();
    let mut image = Rgb8::default();
    let decoded =
        probe(bytes, &limits).and_then(|header| decode(bytes, &header, &limits, &mut image));
    match decoded {
        Ok(()) => {
            let hash = Sha256::digest(&image.pixels);
            let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{} {} {hash}", image.size.width, image.size.height)
        }
        Err(reason) => reason.to_string(),
    }
}
