//! Rows of text fields → [`PeriodBatch`]: shared by CSV and JSONL, which find the fields.

use crate::base::money::{Amount, AmountError};
use crate::base::time::parse_timestamp;
use crate::model::columns::Column;
use crate::model::period_batch::{Bad, NO_TIMESTAMP, Origin, PeriodBatch};
use crate::model::read_options::PeriodEnds;
use crate::model::reject::Reason;
use arrow::array::StringViewBuilder;
use std::sync::Arc;

/// The fields of a row in the order of [`Column::ALL`]; none where the field is null, empty or absent.
pub(crate) type Fields<'a> = [Option<&'a str>; 6];

/// Collects rows into a batch.
#[derive(Default)]
pub(crate) struct TextRows {
    ids: StringViewBuilder,
    starts: Vec<i64>,
    ends: Vec<i64>,
    orders: Vec<i64>,
    cents: Vec<i64>,
    fractions: Vec<u64>,
    last_transactions: Vec<i64>,
    bad: Vec<Bad>,
    /// The times of the previous row: most files have one period after the other.
    last_start: LastTime,
    last_end: LastTime,
    /// Whether ends are the last moments of periods.
    inclusive: bool,
}

impl TextRows {
    /// Room for a number of rows.
    pub(crate) fn with_capacity(rows: usize) -> Self {
        let column = || Vec::with_capacity(rows);
        TextRows {
            ids: StringViewBuilder::with_capacity(rows),
            starts: column(),
            ends: column(),
            orders: column(),
            cents: column(),
            last_transactions: column(),
            ..TextRows::default()
        }
    }

    /// Reads ends as the last moments of periods, if they are.
    pub(super) fn with_ends(mut self, ends: PeriodEnds) -> Self {
        self.inclusive = ends == PeriodEnds::Inclusive;
        self
    }

    pub(super) fn len(&self) -> usize {
        self.starts.len()
    }

    pub(crate) fn push(&mut self, fields: Fields<'_>) {
        let [id, start, end, orders, spend, last] = fields.map(Option::unwrap_or_default);
        self.push_texts(id, [start, end, orders, spend, last].map(str::as_bytes));
    }

    /// As [`TextRows::push`]: the id and the other fields, which are UTF-8 too. A field that is not there is an empty text.
    #[inline]
    pub(super) fn push_texts(&mut self, id: &str, [start, end, orders, spend, last]: [&[u8]; 5]) {
        if id.is_empty() {
            self.fault(Column::CustomerId, Reason::MissingValue, b"");
        }
        let start = self.last_start.read(start).unwrap_or_else(|| self.bad_time(Column::PeriodStart, start));
        let end = self.last_end.read(end).unwrap_or_else(|| self.bad_time(Column::PeriodEnd, end));
        let last = parse_timestamp(last).unwrap_or_else(|| self.bad_time(Column::LastTransactionTs, last));
        let orders = parse_count_bytes(orders).unwrap_or_else(|| self.bad_count(orders));
        let amount = Amount::parse(spend).unwrap_or_else(|e| self.bad_amount(e, spend));
        self.ids.append_value(id);
        self.starts.push(start);
        self.ends.push(end);
        self.last_transactions.push(last);
        self.orders.push(orders);
        self.cents.push(amount.cents);
        if amount.fraction != 0 {
            self.fractions.resize(self.cents.len() - 1, 0);
            self.fractions.push(amount.fraction);
        }
    }

    #[cold]
    fn fault(&mut self, column: Column, reason: Reason, value: &[u8]) {
        let row = self.len() as u32;
        self.bad.push(Bad { row, column, reason, value: String::from_utf8_lossy(value).into_owned() });
    }

    #[cold]
    fn bad_time(&mut self, column: Column, text: &[u8]) -> i64 {
        if !text.is_empty() {
            self.fault(column, Reason::BadTimestamp, text);
        } else if !column.is_optional() {
            self.fault(column, Reason::MissingValue, b"");
        }
        NO_TIMESTAMP
    }

    #[cold]
    fn bad_count(&mut self, text: &[u8]) -> i64 {
        let reason = if text.is_empty() { Reason::MissingValue } else { Reason::BadNumber };
        self.fault(Column::TotalOrders, reason, text);
        0
    }

    #[cold]
    fn bad_amount(&mut self, e: AmountError, text: &[u8]) -> Amount {
        let reason = match e {
            _ if text.is_empty() => Reason::MissingValue,
            AmountError::OutOfRange => Reason::AmountOutOfRange,
            AmountError::NotANumber => Reason::BadNumber,
        };
        self.fault(Column::TotalSpend, reason, text);
        Amount::default()
    }

    /// Takes the rows so far as a batch.
    pub(crate) fn take(&mut self, origin: &Arc<Origin>, first_row: u64, first_line: Option<u64>) -> PeriodBatch {
        let empty = TextRows { inclusive: self.inclusive, ..TextRows::default() };
        let mut rows = std::mem::replace(self, empty);
        if !rows.fractions.is_empty() {
            rows.fractions.resize(rows.cents.len(), 0);
        }
        rows.bad.sort_unstable();
        let mut batch = PeriodBatch {
            origin: origin.clone(),
            first_row,
            first_line,
            ids: rows.ids.finish(),
            starts: rows.starts.into(),
            ends: rows.ends.into(),
            orders: rows.orders.into(),
            cents: rows.cents.into(),
            fractions: rows.fractions.into(),
            last_transactions: rows.last_transactions.into(),
            bad: rows.bad,
            whence: None,
            of_orders: false,
        };
        if rows.inclusive {
            batch.end_after();
        }
        batch
    }
}

/// The timestamp that was read last: a text of equal bytes need not be read again.
#[derive(Default)]
pub(super) struct LastTime {
    key: TimeKey,
    value: i64,
}

/// The first and the last sixteen bytes of a text and its length: all of it, up to 32 bytes. A text of another length has the key of none.
type TimeKey = (u128, u128, usize);

impl LastTime {
    #[inline]
    pub(super) fn read(&mut self, text: &[u8]) -> Option<i64> {
        let key = match (text.first_chunk(), text.last_chunk()) {
            (Some(first), Some(last)) if text.len() <= 32 => (u128::from_le_bytes(*first), u128::from_le_bytes(*last), text.len()),
            _ => return parse_timestamp(text),
        };
        if key != self.key {
            *self = LastTime { key, value: parse_timestamp(text)? };
        }
        Some(self.value)
    }
}

/// A whole number; `3.0` and `3e0` too, as spreadsheets and data frames write counts in a column with gaps.
pub(super) fn parse_count(text: &str) -> Option<i64> {
    parse_count_bytes(text.as_bytes())
}

#[inline]
fn parse_count_bytes(text: &[u8]) -> Option<i64> {
    // 18 digits cannot overflow.
    if !matches!(text.len(), 1..=18) {
        return parse_any_count(text);
    }
    let mut count = 0;
    for byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return parse_any_count(text);
        }
        count = count * 10 + i64::from(digit);
    }
    Some(count)
}

fn parse_any_count(text: &[u8]) -> Option<i64> {
    let text = text.trim_ascii();
    let whole = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    whole.or_else(|| match Amount::parse(text) {
        Ok(Amount { cents, fraction: 0 }) if cents % 100 == 0 => Some(cents / 100),
        _ => None,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::parse_count;

    #[test]
    fn counts_are_whole() {
        assert_eq!(parse_count("3"), Some(3));
        assert_eq!(parse_count(" 3.0 "), Some(3));
        assert_eq!(parse_count("-2"), Some(-2));
        assert_eq!(parse_count("9223372036854775807"), Some(i64::MAX));
        for text in ["3.5", "", "three", "9223372036854775808", "1e30"] {
            assert_eq!(parse_count(text), None, "{text}");
        }
    }
}
