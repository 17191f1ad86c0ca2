//! The bytes of a column's rows, shared with the table that they are in.

use arrow_array::cast::AsArray;
use arrow_array::types::ByteArrayType;
use arrow_array::{
    Array, ArrayRef, BinaryArray, BinaryViewArray, FixedSizeBinaryArray, GenericByteArray,
    LargeBinaryArray,
};
use arrow_buffer::{ArrowNativeType, Buffer, NullBuffer};
use arrow_data::ByteView;
use arrow_schema::{ArrowError, DataType};

/// Bytes of a view that lie in the view itself, at most.
const MOST_INLINE: u32 = 12;

/// A column of bytes or text.
pub struct Cells {
    values: Values,
    /// Where the rows' values are, if not in the rows' order, and which of the rows have none.
    keys: Option<(Vec<usize>, Option<NullBuffer>)>,
}

enum Values {
    Missing,
    Small(BinaryArray),
    Large(LargeBinaryArray),
    View(BinaryViewArray),
    Fixed(FixedSizeBinaryArray),
}

/// Whether a column of this type holds text; `None` where it holds no bytes either.
pub fn is_text(kind: &DataType) -> Option<bool> {
    match kind {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Some(true),
        DataType::Null
        | DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => Some(false),
        DataType::Dictionary(_, values) => is_text(values),
        _ => None,
    }
}

impl Cells {
    /// The cells of a column.
    ///
    /// # Errors
    /// [`ArrowError`] for a type that [`is_text`] does not know, and for bytes that lie outside of the
    /// table.
    pub fn of(column: &ArrayRef) -> Result<Self, ArrowError> {
        let Some(dictionary) = column.as_any_dictionary_opt() else {
            return Ok(Self { values: Values::of(column)?, keys: None });
        };
        if dictionary.values().is_empty() {
            return Ok(Self { values: Values::Missing, keys: None });
        }
        let keys = (dictionary.normalized_keys(), dictionary.keys().nulls().cloned());
        Ok(Self { values: Values::of(dictionary.values())?, keys: Some(keys) })
    }

    /// The bytes of a row; `None` where it is null.
    pub fn at(&self, row: usize) -> Option<Buffer> {
        match &self.keys {
            None => self.values.at(row),
            Some((_, Some(nulls))) if nulls.is_null(row) => None,
            Some((keys, _)) => self.values.at(keys[row]),
        }
    }
}

impl Values {
    /// Text is taken as the bytes that it is: whether they are UTF-8 is for the gate to say.
    fn of(column: &ArrayRef) -> Result<Self, ArrowError> {
        let values = match column.data_type() {
            DataType::Null => Self::Missing,
            DataType::Utf8 => Self::Small(column.as_string::<i32>().clone().into()),
            DataType::LargeUtf8 => Self::Large(column.as_string::<i64>().clone().into()),
            DataType::Utf8View => Self::View(column.as_string_view().clone().to_binary_view()),
            DataType::Binary => Self::Small(column.as_binary::<i32>().clone()),
            DataType::LargeBinary => Self::Large(column.as_binary::<i64>().clone()),
            DataType::BinaryView => Self::View(column.as_binary_view().clone()),
            DataType::FixedSizeBinary(_) => Self::Fixed(column.as_fixed_size_binary().clone()),
            other => return Err(ArrowError::InvalidArgumentError(format!("{other} is no bytes"))),
        };
        values.check()?;
        Ok(values)
    }

    /// Whether all bytes are where the table has some: a table may come from a file that somebody made.
    fn check(&self) -> Result<(), ArrowError> {
        match self {
            Self::Missing => Ok(()),
            Self::Small(array) => array.to_data().validate_full(),
            Self::Large(array) => array.to_data().validate_full(),
            Self::View(array) => array.to_data().validate_full(),
            Self::Fixed(array) => array.to_data().validate_full(),
        }
    }

    fn at(&self, row: usize) -> Option<Buffer> {
        match self {
            Self::Missing => None,
            Self::Small(array) => between_offsets(array, row),
            Self::Large(array) => between_offsets(array, row),
            Self::View(array) => viewed(array, row),
            Self::Fixed(array) => array.is_valid(row).then(|| Buffer::from(array.value(row))),
        }
    }
}

fn between_offsets<T: ByteArrayType>(array: &GenericByteArray<T>, row: usize) -> Option<Buffer> {
    array.is_valid(row).then(|| {
        let bytes: &[u8] = array.value(row).as_ref();
        let start = array.value_offsets()[row].as_usize();
        array.values().slice_with_length(start, bytes.len())
    })
}

fn viewed(array: &BinaryViewArray, row: usize) -> Option<Buffer> {
    array.is_valid(row).then(|| {
        let view = ByteView::from(array.views()[row]);
        if view.length <= MOST_INLINE {
            return Buffer::from(array.value(row));
        }
        let buffer = &array.data_buffers()[view.buffer_index as usize];
        buffer.slice_with_length(view.offset as usize, view.length as usize)
    })
}
