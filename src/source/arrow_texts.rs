//! An Arrow column as texts, row by row, as they would stand in a CSV: times in ISO 8601, decimals exactly, floats by their shortest digits.

use super::arrow_columns::timestamps;
use super::arrow_types::{is_text, unpack};
use crate::base::time::{DAY, format_timestamp};
use crate::model::period_batch::NO_TIMESTAMP;
use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray};
use arrow::buffer::ScalarBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use arrow::error::ArrowError;
use arrow::util::display::array_value_to_string;
use std::fmt::Write;

/// A column that is read as texts.
pub(super) struct Texts {
    array: ArrayRef,
    values: Values,
    /// Whether a float that is no number is a null: so data frames write a missing id.
    are_ids: bool,
    /// Whether numbers have a comma before decimals.
    has_comma: bool,
    row: usize,
    /// The text of the row, where it does not lie in the array.
    text: String,
}

enum Values {
    /// In the array.
    Views,
    /// Microseconds since 1970; with what follows a time that is in UTC.
    Times(ScalarBuffer<i64>, &'static str),
    Days(ScalarBuffer<i64>),
    Floats(PrimitiveArray<Float64Type>),
    Others,
}

impl Texts {
    pub(super) fn new(array: &ArrayRef, are_ids: bool, has_comma: bool) -> Result<Self, ArrowError> {
        let array = unpack(array)?;
        let mut as_written = super::values::Values::default().dates();
        let mut micros = |array: &ArrayRef| timestamps(array, (), &mut as_written, &mut Vec::new());
        let values = match array.data_type() {
            data_type if is_text(data_type) => Values::Views,
            DataType::Timestamp(_, zone) => Values::Times(micros(&array)?, if zone.is_some() { "Z" } else { "" }),
            DataType::Date32 | DataType::Date64 => Values::Days(micros(&array)?),
            DataType::Float64 => Values::Floats(array.as_primitive().clone()),
            _ => Values::Others,
        };
        let array = if matches!(values, Values::Views) { cast(&array, &DataType::Utf8View)? } else { array };
        Ok(Texts { array, values, are_ids, has_comma, row: 0, text: String::new() })
    }

    /// Goes to a row.
    pub(super) fn read(&mut self, row: usize) -> Result<(), ArrowError> {
        let Texts { array, values, text, .. } = self;
        self.row = row;
        text.clear();
        if array.data_type() == &DataType::Null || array.is_null(row) {
            return Ok(());
        }
        // Writing to a text cannot fail.
        let _ = match values {
            Values::Views => Ok(()),
            Values::Times(times, zone) if times[row] != NO_TIMESTAMP => write!(text, "{}{zone}", format_timestamp(times[row])),
            Values::Days(days) if days[row] != NO_TIMESTAMP => {
                let shown = format_timestamp(days[row]);
                text.push_str(if days[row] % DAY == 0 { shown.split_once('T').map_or(&shown, |(day, _)| day) } else { &shown });
                Ok(())
            }
            Values::Floats(floats) => write!(text, "{}", floats.value(row)),
            _ => {
                text.push_str(&array_value_to_string(array, row)?);
                Ok(())
            }
        };
        if self.are_ids && array.data_type().is_floating() && text == "NaN" {
            text.clear();
        }
        if self.has_comma && text.contains('.') {
            *text = text.replace('.', ",");
        }
        Ok(())
    }

    /// The text of the row; none where it is null or empty.
    pub(super) fn text(&self) -> Option<&str> {
        let text = match self.values {
            Values::Views if self.array.is_valid(self.row) => self.array.as_string_view().value(self.row),
            Values::Views => "",
            _ => &self.text,
        };
        (!text.is_empty()).then_some(text)
    }
}
