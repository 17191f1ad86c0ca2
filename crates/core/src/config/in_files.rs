//! A field that is in files for people, and takes no bytes in a packed config: firmware has no use for
//! it, or none yet, and packed configs keep their format.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Writes it for people.
///
/// # Errors
/// The serializer's.
pub fn serialize<T: Serialize, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
    if to.is_human_readable() { value.serialize(to) } else { to.serialize_unit() }
}

/// Reads it for people; a packed config has the default.
///
/// # Errors
/// The deserializer's.
pub fn deserialize<'de, T: Deserialize<'de> + Default, D: Deserializer<'de>>(
    from: D,
) -> Result<T, D::Error> {
    if from.is_human_readable() {
        T::deserialize(from)
    } else {
        <()>::deserialize(from).map(|()| T::default())
    }
}
