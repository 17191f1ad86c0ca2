//! Every parser that meets bytes from strangers, as a plain function of bytes that panics where a
//! promise is broken. The driver in `main.rs` feeds them on stable Rust; `cargo fuzz` can do the same:
//! `fuzz_target!(|bytes: &[u8]| (pairgate_fuzz::find("tar").unwrap().run)(bytes))`.

pub mod files;
pub mod mutate;
pub mod seal;
pub mod shrink;
pub mod slow_reader;
pub mod targets;

/// One parser.
pub struct Target {
    /// What it is asked for by.
    pub name: &'static str,
    /// What is held to be true of it beside that it returns.
    pub about: &'static str,
    /// Inputs that are sound, or nearly: what the others are made of.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Reads the bytes; panics where a promise is broken.
    pub run: fn(&[u8]),
}

/// The target of this name.
pub fn find(name: &str) -> Option<&'static Target> {
    targets::ALL.iter().find(|target| target.name == name)
}
