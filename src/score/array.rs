//! Arrays of a frozen state, by name.

use std::ops::RangeInclusive;

use super::Rows;

/// The values of an array, row by row.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Codes of embeddings.
    I8(Vec<i8>),
    /// Scales, cuts, weights.
    F32(Vec<f32>),
    /// Sums and moments.
    F64(Vec<f64>),
    /// Counts and places.
    U64(Vec<u64>),
    /// Names, one each.
    Text(Vec<String>),
}

impl Values {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::I8(values) => values.len(),
            Self::F32(values) => values.len(),
            Self::F64(values) => values.len(),
            Self::U64(values) => values.len(),
            Self::Text(values) => values.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What they are, in a word.
    fn told(&self) -> &'static str {
        match self {
            Self::I8(_) => "i8",
            Self::F32(_) => "f32",
            Self::F64(_) => "f64",
            Self::U64(_) => "u64",
            Self::Text(_) => "text",
        }
    }
}

/// A named array.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// Its name within the state.
    pub name: String,
    /// Its sides, the slowest first; their product is the number of values.
    pub shape: Vec<usize>,
    /// Its values.
    pub values: Values,
}

impl Array {
    /// An array of one dimension.
    pub fn list(name: &str, values: Values) -> Self {
        Self { name: name.to_owned(), shape: vec![values.len()], values }
    }

    /// An array of rows of `columns` values.
    pub fn rows(name: &str, columns: usize, values: Values) -> Self {
        let shape = vec![values.len() / columns.max(1), columns];
        Self { name: name.to_owned(), shape, values }
    }

    /// One number.
    pub fn number(name: &str, value: f64) -> Self {
        Self::list(name, Values::F64(vec![value]))
    }

    /// Rows of embeddings, as [`Arrays::rows`] reads them.
    pub fn embeddings(name: &str, rows: &Rows) -> [Self; 2] {
        let codes = Values::I8(rows.codes().to_vec());
        let scales = Values::F32(rows.scales().to_vec());
        [
            Self::rows(&format!("{name}.codes"), rows.dimension(), codes),
            Self::list(&format!("{name}.scales"), scales),
        ]
    }
}

/// Why arrays are no state of a scorer. Every error names the array.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// It is not there.
    #[error("array {name:?}: missing")]
    Missing {
        /// The array.
        name: String,
    },
    /// Its values are of another type.
    #[error("array {name:?}: its values are {found}, not {wanted}")]
    Type {
        /// The array.
        name: String,
        /// What its values are.
        found: &'static str,
        /// What they should be.
        wanted: &'static str,
    },
    /// Its sides are others.
    #[error("array {name:?}: its shape is {found:?}, not {wanted}")]
    Shape {
        /// The array.
        name: String,
        /// Its sides.
        found: Vec<usize>,
        /// What they should be.
        wanted: String,
    },
    /// A value is none that it may hold.
    #[error("array {name:?}: {why}")]
    Value {
        /// The array.
        name: String,
        /// What is wrong.
        why: String,
    },
}

impl StateError {
    pub(crate) fn value(name: &str, why: impl Into<String>) -> Self {
        Self::Value { name: name.to_owned(), why: why.into() }
    }
}

/// The arrays of a state, read by name: nothing about them is believed.
#[derive(Debug, Clone, Copy)]
pub struct Arrays<'a>(pub &'a [Array]);

/// A reader of arrays of one type.
macro_rules! reader {
    ($(#[$doc:meta])* $name:ident, $variant:ident, $type:ty, $told:literal) => {
        $(#[$doc])*
        ///
        /// # Errors
        /// [`StateError`] if it is missing, of another type, or its sides are not `shape`, where 0 stands
        /// for any.
        pub fn $name(&self, name: &str, shape: &[usize]) -> Result<&'a [$type], StateError> {
            match &self.of(name, shape)?.values {
                Values::$variant(values) => Ok(values),
                other => Err(StateError::Type {
                    name: name.to_owned(),
                    found: other.told(),
                    wanted: $told,
                }),
            }
        }
    };
}

impl<'a> Arrays<'a> {
    reader!(
        /// Codes.
        i8s, I8, i8, "i8"
    );
    reader!(
        /// Single floats, whatever they are.
        f32s, F32, f32, "f32"
    );
    reader!(
        /// Double floats, whatever they are.
        f64s, F64, f64, "f64"
    );
    reader!(
        /// Whole numbers.
        u64s, U64, u64, "u64"
    );
    reader!(
        /// Names.
        texts, Text, String, "text"
    );

    /// Single floats that are finite.
    ///
    /// # Errors
    /// As [`Arrays::f32s`], and where one is not finite.
    pub fn finite(&self, name: &str, shape: &[usize]) -> Result<&'a [f32], StateError> {
        let values = self.f32s(name, shape)?;
        match values.iter().position(|value| !value.is_finite()) {
            Some(at) => Err(StateError::value(name, format!("value {at} is {}", values[at]))),
            None => Ok(values),
        }
    }

    /// One finite number, within `range`.
    ///
    /// # Errors
    /// As [`Arrays::f64s`], and where it is outside.
    pub fn number(&self, name: &str, range: RangeInclusive<f64>) -> Result<f64, StateError> {
        let value = self.f64s(name, &[1])?[0];
        if range.contains(&value) && value.is_finite() {
            return Ok(value);
        }
        let (least, most) = range.into_inner();
        Err(StateError::value(name, format!("{value} is not from {least} to {most}")))
    }

    /// Rows of embeddings: `NAME.codes`, `[rows, dimension]`, and `NAME.scales`, `[rows]`; at least one.
    ///
    /// # Errors
    /// As [`Arrays::finite`], and where a code is -128, a scale is negative or there is no row.
    pub fn rows(&self, name: &str, dimension: usize) -> Result<Rows, StateError> {
        let scales_name = format!("{name}.scales");
        let scales = self.finite(&scales_name, &[0])?;
        let codes_name = format!("{name}.codes");
        let codes = self.i8s(&codes_name, &[scales.len(), dimension])?;
        if scales.is_empty() {
            return Err(StateError::value(&scales_name, "it holds no row"));
        }
        if scales.iter().any(|scale| *scale < 0.0) {
            return Err(StateError::value(&scales_name, "a scale is negative"));
        }
        if codes.contains(&i8::MIN) {
            return Err(StateError::value(&codes_name, "a code is -128"));
        }
        Rows::from_parts(dimension, codes.to_vec(), scales.to_vec())
            .ok_or_else(|| StateError::value(&codes_name, "their number is not that of the scales"))
    }

    fn of(&self, name: &str, shape: &[usize]) -> Result<&'a Array, StateError> {
        let missing = || StateError::Missing { name: name.to_owned() };
        let array = self.0.iter().find(|array| array.name == name).ok_or_else(missing)?;
        let fits = |(found, wanted): (&usize, &usize)| *wanted == 0 || found == wanted;
        let product =
            array.shape.iter().try_fold(1usize, |product, side| product.checked_mul(*side));
        let is_right = array.shape.len() == shape.len()
            && array.shape.iter().zip(shape).all(fits)
            && product == Some(array.values.len());
        if is_right {
            return Ok(array);
        }
        let sides = shape.iter().map(|side| match side {
            0 => "any".to_owned(),
            side => side.to_string(),
        });
        let wanted = format!("[{}] with as many values", sides.collect::<Vec<_>>().join(", "));
        Err(StateError::Shape { name: name.to_owned(), found: array.shape.clone(), wanted })
    }
}
