//! Values with a unit: a number in the key's own unit, or a text that says its unit (`"64 MiB"`).
//!
//! In a packed config, which is not for people, they are plain numbers.

use core::fmt;
use core::marker::PhantomData;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};

/// A unit's name and how many of the key's own unit it is.
type Unit = (&'static str, u64);

/// What values of one kind may be written in.
trait Kind {
    /// What an error asks for.
    const EXPECTED: &'static str;
    /// The units, the key's own one first.
    const UNITS: &'static [Unit];
}

struct Bytes;

impl Kind for Bytes {
    const EXPECTED: &'static str = "bytes, as a whole number or with a unit, such as \"64 MiB\"";
    const UNITS: &'static [Unit] = &[
        ("B", 1),
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("kB", 1_000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
    ];
}

struct Milliseconds;

impl Kind for Milliseconds {
    const EXPECTED: &'static str =
        "milliseconds, as a whole number or with a unit, such as \"2 s\"";
    const UNITS: &'static [Unit] = &[("ms", 1), ("s", 1_000), ("min", 60_000), ("h", 3_600_000)];
}

/// `NUMBER UNIT` in the kind's own unit.
fn parse<K: Kind>(text: &str) -> Option<u64> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = (text[..split].parse::<u64>().ok()?, text[split..].trim_start());
    let (_, factor) = K::UNITS.iter().find(|(name, _)| *name == unit)?;
    number.checked_mul(*factor)
}

struct Quantity<K>(PhantomData<K>);

impl<K: Kind> Visitor<'_> for Quantity<K> {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(K::EXPECTED)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<u64, E> {
        Ok(value)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<u64, E> {
        u64::try_from(value)
            .map_err(|_| E::invalid_value(serde::de::Unexpected::Signed(value), &self))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<u64, E> {
        parse::<K>(text).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
    }
}

fn quantity<'de, K: Kind, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    if deserializer.is_human_readable() {
        deserializer.deserialize_any(Quantity::<K>(PhantomData))
    } else {
        u64::deserialize(deserializer)
    }
}

macro_rules! field {
    ($module:ident, $kind:ident, $doc:literal) => {
        #[doc = $doc]
        pub(super) mod $module {
            use serde::{Deserializer, Serializer};

            pub fn serialize<S: Serializer>(value: &u64, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_u64(*value)
            }

            pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
                super::quantity::<super::$kind, D>(from)
            }
        }
    };
}
field!(bytes, Bytes, "A field in bytes.");
field!(milliseconds, Milliseconds, "A field in milliseconds.");

/// A field in bytes that takes none in a packed config, which has 0.
pub(super) mod bytes_in_files {
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(value: &u64, to: S) -> Result<S::Ok, S::Error> {
        if to.is_human_readable() { to.serialize_u64(*value) } else { to.serialize_unit() }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
        if from.is_human_readable() {
            super::bytes::deserialize(from)
        } else {
            <()>::deserialize(from).map(|()| 0)
        }
    }
}

/// A field that is a share of all pairs: `"15%"`, `"0.15"` or `0.15`; above 0, at most 1.
pub(super) mod share {
    use core::fmt;

    use serde::de::{Error, Unexpected, Visitor};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::policy::parse_fraction;

    struct Share;

    impl Visitor<'_> for Share {
        type Value = Option<f64>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a share above 0 and up to 100%, such as \"15%\" or 0.15")
        }

        fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
            let fits = value > 0.0 && value <= 1.0;
            fits.then_some(Some(value))
                .ok_or_else(|| E::invalid_value(Unexpected::Float(value), &self))
        }

        fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
            self.visit_f64(value as f64)
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
            let share = parse_fraction(text);
            share.map(Some).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
        }
    }

    pub fn serialize<S: Serializer>(value: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
        value.serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<f64>, D::Error> {
        if from.is_human_readable() {
            from.deserialize_any(Share)
        } else {
            Option::deserialize(from)
        }
    }
}
