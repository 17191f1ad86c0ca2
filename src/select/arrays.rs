//! Arrays of a state, read back: each shape and value is looked at, for a file may hold anything.

use crate::score::{Array, Rows, Values};

/// What is wrong with the arrays of a state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArrayError {
    /// It is not there, or of another type.
    #[error("array {name}: missing, or of another type")]
    Missing {
        /// Its name.
        name: String,
    },
    /// It has another shape.
    #[error("array {name}: {found} values where {wanted} are wanted")]
    Shape {
        /// Its name.
        name: String,
        /// How many there are.
        found: usize,
        /// How many there should be.
        wanted: usize,
    },
    /// A value is out of its range.
    #[error("array {name}: a value is out of its range")]
    Value {
        /// Its name.
        name: String,
    },
}

impl ArrayError {
    /// A value out of its range.
    pub fn value(name: &str) -> Self {
        Self::Value { name: name.to_owned() }
    }

    fn missing(name: &str) -> Self {
        Self::Missing { name: name.to_owned() }
    }
}

fn values<'a>(arrays: &'a [Array], name: &str) -> Result<&'a Values, ArrayError> {
    let found = arrays.iter().find(|array| array.name == name);
    found.map(|array| &array.values).ok_or_else(|| ArrayError::missing(name))
}

fn checked<T: Clone>(name: &str, found: &[T], wanted: Option<usize>) -> Result<Vec<T>, ArrayError> {
    match wanted {
        Some(wanted) if wanted != found.len() => {
            Err(ArrayError::Shape { name: name.to_owned(), found: found.len(), wanted })
        }
        _ => Ok(found.to_vec()),
    }
}

/// The floats under a name, `wanted` of them where that is known.
pub fn f32s(arrays: &[Array], name: &str, wanted: Option<usize>) -> Result<Vec<f32>, ArrayError> {
    match values(arrays, name)? {
        Values::F32(found) => checked(name, found, wanted),
        _ => Err(ArrayError::missing(name)),
    }
}

/// The doubles under a name.
pub fn f64s(arrays: &[Array], name: &str, wanted: Option<usize>) -> Result<Vec<f64>, ArrayError> {
    match values(arrays, name)? {
        Values::F64(found) => checked(name, found, wanted),
        _ => Err(ArrayError::missing(name)),
    }
}

/// The whole numbers under a name.
pub fn u64s(arrays: &[Array], name: &str, wanted: Option<usize>) -> Result<Vec<u64>, ArrayError> {
    match values(arrays, name)? {
        Values::U64(found) => checked(name, found, wanted),
        _ => Err(ArrayError::missing(name)),
    }
}

/// The names under a name.
pub fn texts(arrays: &[Array], name: &str) -> Result<Vec<String>, ArrayError> {
    match values(arrays, name)? {
        Values::Text(found) => Ok(found.clone()),
        _ => Err(ArrayError::missing(name)),
    }
}

/// Rows of `dimension` codes under a name, and their scales under `{name}.scales`; at least one.
pub fn rows(arrays: &[Array], name: &str, dimension: usize) -> Result<Rows, ArrayError> {
    let Values::I8(codes) = values(arrays, name)? else { return Err(ArrayError::missing(name)) };
    let scales_name = format!("{name}.scales");
    let scales = f32s(arrays, &scales_name, None)?;
    let wanted = scales.len().saturating_mul(dimension);
    if codes.len() != wanted || wanted == 0 {
        return Err(ArrayError::Shape { name: name.to_owned(), found: codes.len(), wanted });
    }
    // -128 is no code, and would make sums other than the kernels' bounds allow.
    if codes.contains(&i8::MIN) {
        return Err(ArrayError::value(name));
    }
    if scales.iter().any(|scale| !scale.is_finite() || *scale < 0.0) {
        return Err(ArrayError::value(&scales_name));
    }
    Rows::from_parts(dimension, codes.clone(), scales).ok_or_else(|| ArrayError::value(name))
}

/// The arrays that [`rows`] reads.
pub fn of_rows(name: &str, rows: &Rows) -> Vec<Array> {
    let codes = Values::I8(rows.codes().to_vec());
    let scales = Values::F32(rows.scales().to_vec());
    vec![Array::rows(name, rows.dimension(), codes), Array::list(&format!("{name}.scales"), scales)]
}
