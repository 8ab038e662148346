//! A row's values, or the reason why they cannot be read.

use super::amounts::units;
use crate::make::Row;
use lensflow::model::Reason;
use lensflow::money::AmountError;
use lensflow::time::{MAX_TIMESTAMP, MIN_TIMESTAMP};

/// A row whose values can be read.
pub(super) struct Good {
    pub(super) id: String,
    pub(super) start: i64,
    pub(super) end: i64,
    pub(super) orders: i64,
    pub(super) units: i128,
    pub(super) last: Option<i64>,
}

pub(super) fn read(row: &Row) -> Result<Good, Reason> {
    let missing = Reason::MissingValue;
    let in_range = |t: i64| if (MIN_TIMESTAMP..=MAX_TIMESTAMP).contains(&t) { Ok(t) } else { Err(Reason::BadTimestamp) };
    let id = row.id.clone().filter(|id| !id.is_empty()).ok_or(missing)?;
    let start = row.start.ok_or(missing).and_then(in_range)?;
    let end = row.end.ok_or(missing).and_then(in_range)?;
    let orders = row.orders.ok_or(missing)?;
    let units = units(row.spend.as_ref().ok_or(missing)?).map_err(|e| match e {
        AmountError::NotANumber => Reason::BadNumber,
        AmountError::OutOfRange => Reason::AmountOutOfRange,
    })?;
    let last = row.last.map(in_range).transpose()?;
    Ok(Good { id, start, end, orders, units, last })
}
