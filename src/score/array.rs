//! Arrays of a frozen state, by name.

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
}
