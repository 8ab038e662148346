//! Arrow types that say the same in another form → plain ones: dictionaries and runs → their values, bytes → text.
//!
//! Bytes are what writers make of text that their types do not call so. They are text where they are UTF-8, else the run ends. 16 bytes of
//! fixed size are a UUID.

use arrow::array::{Array, ArrayRef, AsArray, FixedSizeBinaryArray, StringViewArray, StringViewBuilder};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use std::fmt::Write;
use std::sync::Arc;

/// Bytes of a UUID, and of a column that holds some.
const UUID: i32 = 16;

/// The plain type that values of a type are read as.
pub(super) fn unpacked(data_type: &DataType) -> &DataType {
    match data_type {
        DataType::Dictionary(_, value) => unpacked(value),
        DataType::RunEndEncoded(_, value) => unpacked(value.data_type()),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(UUID) => &DataType::Utf8View,
        other => other,
    }
}

/// A column in its plain type.
pub(super) fn unpack(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    match array.data_type() {
        DataType::Dictionary(_, value) => unpack(&cast(array, value)?),
        DataType::RunEndEncoded(_, value) => unpack(&cast(array, value.data_type())?),
        DataType::Binary | DataType::LargeBinary => unpack(&cast(array, &DataType::BinaryView)?),
        DataType::BinaryView => Ok(Arc::new(array.as_binary_view().clone().to_string_view()?)),
        DataType::FixedSizeBinary(UUID) => Ok(Arc::new(uuid_texts(array.as_fixed_size_binary()))),
        _ => Ok(array.clone()),
    }
}

/// Whether a plain type is text.
pub(super) fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

/// UUIDs as text: 8, 4, 4, 4 and 12 hexadecimal digits.
fn uuid_texts(array: &FixedSizeBinaryArray) -> StringViewArray {
    let (mut texts, mut text) = (StringViewBuilder::with_capacity(array.len()), String::new());
    for bytes in array.iter() {
        text.clear();
        for (byte, at) in bytes.unwrap_or_default().iter().zip(0..) {
            let hyphen = if matches!(at, 4 | 6 | 8 | 10) { "-" } else { "" };
            // Writing to a text cannot fail.
            let _ = write!(text, "{hyphen}{byte:02x}");
        }
        texts.append_option(bytes.map(|_| &text));
    }
    texts.finish()
}
