//! Parquet files: what [`table`](super::table) writes all of them with. Row groups are encoded apart from being written, each column
//! straight into pages.
//!
//! A column begins with a dictionary, and leaves it for good once it has too many values: integers go on as differences, texts as
//! what they do not share with the text before. Values of a dictionary are numbered as they come, and pages end after so many rows or
//! bytes, so a column's bytes depend on its values alone: not on the batches they came in, nor on whether these were dictionaries
//! themselves. Nothing is compressed on top: these encodings leave little to gain,
//! and compressing costs more time than it saves.
//!
//! ```text
//!  Groups ──arrays──▶ ColumnEncoder ──rows──▶ Pages ──values──▶ Integers, Texts ──bytes──▶ Pages ──Chunk──▶ file
//! ```
//!
//! | file | owns | hands on |
//! |---|---|---|
//! | [`groups`] | the file, its row groups, and what they are encoded with | a column's arrays |
//! | here | [`ColumnEncoder`]: Arrow arrays of all types as integers, texts and nulls | how to find and to add rows |
//! | [`pages`] | where pages end, and when the dictionary is left | a [`Chunk`] |
//! | [`integers`], [`texts`] | a [`Store`] each: the dictionary's values, and those of the page after it | the bytes of a page |
//! | [`bits`] | integers in few bits | bytes |
//! | [`chunk`] | an encoded column, and how it gets into a file | its buffer, to be used again |

mod bits;
mod chunk;
mod groups;
mod integers;
mod pages;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod parquet_tests;
mod texts;

pub(super) use groups::{Group, Groups, ParquetTable};

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType, UInt8Type, UInt16Type, UInt64Type,
};
use chunk::Chunk;
use integers::Integers;
use pages::{Pages, Store};
use parquet::basic::Type;
use parquet::errors::{ParquetError, Result};
use parquet::schema::types::ColumnDescPtr;
use std::ops::Range;
use texts::Texts;

/// Runs an expression with the values of an array of integers and what makes each 64 bits wide.
macro_rules! with_integers {
    ($array:expr, $data_type:expr, |$values:ident, $wide:ident| $run:expr) => {
        match $data_type {
            DataType::Int32 => {
                let ($values, $wide) = (&**$array.as_primitive::<Int32Type>().values(), |value: i32| i64::from(value));
                $run
            }
            DataType::Date32 => {
                let ($values, $wide) = (&**$array.as_primitive::<Date32Type>().values(), |value: i32| i64::from(value));
                $run
            }
            DataType::Int64 => {
                let ($values, $wide) = (&**$array.as_primitive::<Int64Type>().values(), |value: i64| value);
                $run
            }
            DataType::UInt8 => {
                let ($values, $wide) = (&**$array.as_primitive::<UInt8Type>().values(), |value: u8| i64::from(value));
                $run
            }
            DataType::UInt64 => {
                let ($values, $wide) = (&**$array.as_primitive::<UInt64Type>().values(), |value: u64| value as i64);
                $run
            }
            DataType::Timestamp(..) => {
                let ($values, $wide) = (&**$array.as_primitive::<TimestampMicrosecondType>().values(), |value: i64| value);
                $run
            }
            _ => {
                let ($values, $wide) = (narrowed($array.as_primitive::<Decimal128Type>().values())?, |value: i128| value as i64);
                $run
            }
        }
    };
}

/// Decimals that 64 bits hold.
fn narrowed(values: &[i128]) -> Result<&[i128]> {
    match values.iter().fold(0, |lost, value| lost | (value ^ i128::from(*value as i64))) {
        0 => Ok(values),
        _ => Err(ParquetError::General("a decimal of more digits than its type has".to_owned())),
    }
}

/// Encodes a column of a row group: the one way from an Arrow array into a Parquet file.
pub(super) struct ColumnEncoder {
    /// The type that arrays are cast to first, unless they have it or are dictionaries of it.
    data_type: DataType,
    is_optional: bool,
    values: Values,
}

enum Values {
    Integers(Pages<Integers>),
    Texts(Pages<Texts>),
    /// Decimals of more than 64 bits.
    Wide(Pages<Texts>),
}

impl ColumnEncoder {
    /// An empty column, unless it is of a type that no table of this program has.
    pub(super) fn new(column: &ColumnDescPtr, data_type: &DataType) -> Option<Self> {
        use DataType::{Date32, Decimal128, Int32, Int64, LargeUtf8, Timestamp, UInt8, UInt64, Utf8, Utf8View};
        let data_type = match data_type {
            Utf8 | LargeUtf8 | Utf8View => Utf8View,
            // Decimals of fewer digits are 32 bits wide, and of those between as many bytes as it takes.
            Date32 | Int32 | Int64 | UInt8 | UInt64 | Timestamp(TimeUnit::Microsecond, _) | Decimal128(10..=18 | 37..=38, _) => {
                data_type.clone()
            }
            _ => return None,
        };
        let values = match column.physical_type() {
            Type::BYTE_ARRAY => Values::Texts(Pages::new(column, Texts::default())),
            Type::FIXED_LEN_BYTE_ARRAY => Values::Wide(Pages::new(column, Texts::fixed())),
            physical => Values::Integers(Pages::new(column, Integers::new(physical == Type::INT32, data_type == UInt64))),
        };
        Some(ColumnEncoder { data_type, is_optional: column.max_def_level() > 0, values })
    }

    /// Appends values of the column's type, or a dictionary of them.
    pub(super) fn push(&mut self, array: &ArrayRef) -> Result<()> {
        let Some(nulls) = array.logical_nulls().filter(|nulls| nulls.null_count() > 0) else {
            return self.push_values(array);
        };
        if !self.is_optional {
            return Err(ParquetError::General("a null in a column without nulls".to_owned()));
        }
        let (array, mut row) = (cast(array, &self.data_type)?, 0);
        for (from, to) in nulls.valid_slices() {
            self.push_nulls(from - row)?;
            self.push_values(&array.slice(from, to - from))?;
            row = to;
        }
        self.push_nulls(array.len() - row)
    }

    fn push_nulls(&mut self, rows: usize) -> Result<()> {
        match &mut self.values {
            Values::Integers(pages) => pages.push_nulls(rows),
            Values::Texts(pages) | Values::Wide(pages) => pages.push_nulls(rows),
        }
    }

    fn push_values(&mut self, array: &ArrayRef) -> Result<()> {
        let known = array.as_dictionary_opt::<UInt16Type>().filter(|known| *known.values().data_type() == self.data_type);
        if known.is_none() && *array.data_type() != self.data_type {
            return self.push_values(&cast(array, &self.data_type)?);
        }
        match (&mut self.values, known) {
            (Values::Wide(_), Some(_)) => self.push_values(&cast(array, &self.data_type)?),
            (Values::Wide(pages), None) => {
                let values = array.as_primitive::<Decimal128Type>().values();
                let add = |own: &mut Texts, mut rows: Range<usize>| {
                    while !rows.is_empty() && !own.is_full() {
                        own.add(&values[rows.start].to_be_bytes());
                        rows.start += 1;
                    }
                    rows.start
                };
                pages.push(values.len(), |_, _, _| 0, |own, row| own.index(&values[row].to_be_bytes()), add)
            }
            (Values::Texts(pages), Some(known)) => {
                let texts = known.values().as_string_view();
                pages.push_known(
                    known.keys().values(),
                    texts.len(),
                    |own, at| own.index(texts.value(at).as_bytes()),
                    |own, at| own.add(texts.value(at).as_bytes()),
                )
            }
            (Values::Texts(pages), None) => {
                let texts = array.as_string_view();
                let views = texts.views();
                let mut last = None;
                let index = |own: &mut Texts, row: usize| match last {
                    Some((view, index)) if view == views[row] => Some(index),
                    _ => {
                        let index = own.index(texts.value(row).as_bytes())?;
                        last = Some((views[row], index));
                        Some(index)
                    }
                };
                pages.push(texts.len(), |_, _, _| 0, index, |own, rows| own.add_rows(texts, rows))
            }
            (Values::Integers(pages), Some(known)) => {
                let values: Vec<i64> =
                    with_integers!(known.values(), &self.data_type, |values, wide| values.iter().map(|value| wide(*value)).collect());
                pages.push_known(known.keys().values(), values.len(), |own, at| own.index(values[at]), |own, at| own.add(values[at]))
            }
            (Values::Integers(pages), None) => with_integers!(array, &self.data_type, |values, wide| {
                let indices = |own: &Integers, row: usize, indices: &mut [u16]| own.indices(&values[row..], wide, indices);
                let add = |own: &mut Integers, rows: Range<usize>| rows.start + own.add_all(&values[rows], wide);
                pages.push(values.len(), indices, |own, row| own.index(wide(values[row])), add)
            }),
        }
    }

    /// Ends the column, which is empty then.
    pub(super) fn close(&mut self) -> Result<Chunk> {
        match &mut self.values {
            Values::Integers(pages) => pages.close(),
            Values::Texts(pages) | Values::Wide(pages) => pages.close(),
        }
    }

    /// Sets the buffer that an empty column is encoded into from now on: the memory that another one left.
    pub(super) fn reuse(&mut self, spare: Vec<u8>) {
        match &mut self.values {
            Values::Integers(pages) => pages.reuse(spare),
            Values::Texts(pages) | Values::Wide(pages) => pages.reuse(spare),
        }
    }
}
