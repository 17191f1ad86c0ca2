//! Values that are numbers within a range.

use pairgate_core::policy::parse_fraction;

pub fn threshold(text: &str) -> Result<f32, String> {
    let value: f32 = text.parse().map_err(|_| "not a number".to_owned())?;
    let fits = (-1.0..=1.0).contains(&value);
    fits.then_some(value).ok_or_else(|| "out of range: a cosine is -1 to 1".to_owned())
}

pub fn cosine(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    let fits = (0.0..=1.0).contains(&value);
    fits.then_some(value).ok_or_else(|| "out of range: it must be 0 to 1".to_owned())
}

pub fn fraction(text: &str) -> Result<f64, String> {
    parse_fraction(text).ok_or_else(|| "not a share above 0 and up to 100%".to_owned())
}

/// A share that may be nothing at all.
pub fn share(text: &str) -> Result<f64, String> {
    let none = text.parse::<f64>() == Ok(0.0) || text.trim() == "0%";
    let found = if none { Some(0.0) } else { parse_fraction(text) };
    found.ok_or_else(|| "not a share from 0 to 1, or to 100%".to_owned())
}
