//! The Arrow columns that rows come in, of any types that can hold them.

use super::Row;
use crate::model::amounts::units;
use arrow::array::{
    ArrayRef, Decimal128Array, DictionaryArray, Float64Array, Int32Array, Int64Array, LargeStringArray, RecordBatch, StringArray,
    StringViewArray, TimestampMicrosecondArray, TimestampNanosecondArray,
};
use arrow::datatypes::Int32Type;
use lensflow::model::{Column, ColumnMap};
use lensflow::time::format_timestamp;
use proptest::prelude::*;
use std::sync::Arc;

#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) enum Ids {
    #[default]
    Utf8,
    LargeUtf8,
    View,
    Dictionary,
    Integer,
}

#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) enum Times {
    #[default]
    Micros,
    /// Micros with a time zone.
    Zoned,
    Nanos,
    Text,
}

#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) enum Orders {
    #[default]
    Int64,
    Int32,
    Float,
    Text,
}

#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) enum Spend {
    #[default]
    Text,
    View,
    Decimal,
    Float,
    Whole,
}

/// The types of the columns.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Layout {
    pub(crate) ids: Ids,
    pub(crate) times: Times,
    pub(crate) orders: Orders,
    pub(crate) spend: Spend,
    /// Without the column `last_transaction_ts`.
    pub(crate) no_last: bool,
    /// With names of the input's own.
    pub(crate) renamed: bool,
}

/// The greatest whole number that doubles count up to.
const EXACT: i64 = 1 << 53;

impl Layout {
    /// What is left of a row in these types.
    pub(super) fn say(self, row: &Row) -> Row {
        let mut row = row.clone();
        if self.ids == Ids::Integer {
            let number = |id: String| id.bytes().fold(0i64, |n, b| (n * 31 + i64::from(b)) % 1_009) - 500;
            row.id = row.id.filter(|id| !id.is_empty()).map(|id| number(id).to_string());
        }
        row.spend = row.spend.and_then(|text| match self.spend {
            Spend::Text | Spend::View => Some(text),
            Spend::Float => text.parse::<f64>().ok().map(|x| x.to_string()),
            Spend::Decimal | Spend::Whole => match units(&text) {
                Ok(_) if self.spend == Spend::Decimal => Some(text),
                Ok(units) => Some((units / 1_000_000_000_000_000_000).to_string()),
                Err(lensflow::money::AmountError::OutOfRange) => Some("1000000000000000".to_owned()),
                Err(_) => None,
            },
        });
        row.last = row.last.filter(|_| !self.no_last);
        row
    }

    pub(crate) fn map(self) -> ColumnMap {
        let renamed = Column::ALL.into_iter().filter(|c| self.renamed && !(c.is_optional() && self.no_last));
        ColumnMap(renamed.map(|c| (c, format!("My {}", c.name()))).collect())
    }

    /// The rows as a batch.
    pub(crate) fn batch(self, rows: &[Row]) -> RecordBatch {
        let rows: Vec<Row> = rows.iter().map(|row| self.say(row)).collect();
        let ids = rows.iter().map(|r| r.id.as_deref());
        let ids: ArrayRef = match self.ids {
            Ids::Utf8 => Arc::new(StringArray::from_iter(ids)),
            Ids::LargeUtf8 => Arc::new(LargeStringArray::from_iter(ids)),
            Ids::View => Arc::new(StringViewArray::from_iter(ids)),
            Ids::Dictionary => Arc::new(DictionaryArray::<Int32Type>::from_iter(ids)),
            Ids::Integer => Arc::new(Int64Array::from_iter(ids.map(|id| id.map(|id| id.parse::<i64>().expect("a number"))))),
        };
        let orders: Vec<Option<i64>> = rows.iter().map(|r| r.orders).collect();
        let narrow = |limit: i64| orders.iter().flatten().all(|n| (-limit..limit).contains(n));
        let orders: ArrayRef = match self.orders {
            Orders::Int32 if narrow(1 << 31) => Arc::new(Int32Array::from_iter(orders.iter().map(|n| n.map(|n| n as i32)))),
            Orders::Float if narrow(EXACT) => Arc::new(Float64Array::from_iter(orders.iter().map(|n| n.map(|n| n as f64)))),
            Orders::Text if narrow(EXACT) => Arc::new(StringArray::from_iter(orders.iter().map(|n| n.map(|n| n.to_string())))),
            _ => Arc::new(Int64Array::from(orders)),
        };
        let spend = rows.iter().map(|r| r.spend.as_deref());
        let spend: ArrayRef = match self.spend {
            Spend::Text => Arc::new(StringArray::from_iter(spend)),
            Spend::View => Arc::new(StringViewArray::from_iter(spend)),
            Spend::Float => Arc::new(Float64Array::from_iter(spend.map(|s| s.map(|s| s.parse::<f64>().expect("a double"))))),
            Spend::Whole => Arc::new(Int64Array::from_iter(spend.map(|s| s.map(|s| s.parse::<i64>().expect("a whole number"))))),
            Spend::Decimal => {
                // 10¹⁵ is as good as any amount that is too large.
                let unscaled = |s: &str| units(s).unwrap_or(10i128.pow(33));
                let array = Decimal128Array::from_iter(spend.map(|s| s.map(unscaled)));
                Arc::new(array.with_precision_and_scale(38, 18).expect("it fits"))
            }
        };
        let times = |of: fn(&Row) -> Option<i64>| self.time_array(rows.iter().map(of).collect());
        let mut columns = vec![ids, times(|r| r.start), times(|r| r.end), orders, spend];
        if !self.no_last {
            columns.push(times(|r| r.last));
        }
        let map = self.map();
        RecordBatch::try_from_iter_with_nullable(
            Column::ALL.into_iter().zip(columns).map(|(c, array)| (map.name(c).to_owned(), array, true)),
        )
        .expect("columns of one length")
    }

    fn time_array(self, times: Vec<Option<i64>>) -> ArrayRef {
        let nanos: Option<Vec<Option<i64>>> = times.iter().map(|t| t.map_or(Some(None), |t| t.checked_mul(1_000).map(Some))).collect();
        match (self.times, nanos) {
            // Whatever lies below a microsecond is cut off.
            (Times::Nanos, Some(nanos)) => {
                Arc::new(TimestampNanosecondArray::from_iter(nanos.into_iter().map(|t| t.map(|t| t.saturating_add(999)))))
            }
            (Times::Text, _) => Arc::new(StringArray::from_iter(times.into_iter().map(|t| t.map(format_timestamp)))),
            (Times::Zoned, _) => Arc::new(TimestampMicrosecondArray::from(times).with_timezone("+02:00")),
            _ => Arc::new(TimestampMicrosecondArray::from(times)),
        }
    }
}

pub(crate) fn layouts() -> impl Strategy<Value = Layout> {
    let ids = prop::sample::select(vec![Ids::Utf8, Ids::Utf8, Ids::LargeUtf8, Ids::View, Ids::View, Ids::Dictionary, Ids::Integer]);
    let times = prop::sample::select(vec![Times::Micros, Times::Micros, Times::Zoned, Times::Nanos, Times::Text]);
    let orders = prop::sample::select(vec![Orders::Int64, Orders::Int64, Orders::Int32, Orders::Float, Orders::Text]);
    let spend =
        prop::sample::select(vec![Spend::Text, Spend::Text, Spend::View, Spend::Decimal, Spend::Decimal, Spend::Float, Spend::Whole]);
    let seldom = || prop::bool::weighted(0.15);
    (ids, times, orders, spend, seldom(), seldom()).prop_map(|(ids, times, orders, spend, no_last, renamed)| Layout {
        ids,
        times,
        orders,
        spend,
        no_last,
        renamed,
    })
}
