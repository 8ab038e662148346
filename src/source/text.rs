//! Rows of text fields → [`PeriodBatch`]: what CSV and JSONL share once they have found the fields.

use super::{Bad, Column, NO_TIMESTAMP, Origin, PeriodBatch};
use crate::calendar::parse_timestamp;
use crate::money::{Amount, AmountError};
use crate::reject::Reason;
use arrow::array::StringViewBuilder;
use std::sync::Arc;

/// The fields of a row in the order of [`Column::ALL`]; none where the field is null, empty or absent.
pub(super) type Fields<'a> = [Option<&'a str>; 6];

/// Collects rows into a batch.
#[derive(Default)]
pub(super) struct TextRows {
    ids: StringViewBuilder,
    starts: Vec<i64>,
    ends: Vec<i64>,
    orders: Vec<i64>,
    cents: Vec<i64>,
    fractions: Vec<u64>,
    last_transactions: Vec<i64>,
    bad: Vec<Bad>,
}

impl TextRows {
    pub(super) fn len(&self) -> usize {
        self.starts.len()
    }

    pub(super) fn push(&mut self, fields: Fields<'_>) {
        let row = self.len() as u32;
        let bad = &mut self.bad;
        let mut fault = |column, reason, value: &str| bad.push(Bad { row, column, reason, value: value.to_owned() });
        let [id, start, end, orders, spend, last] = fields;
        if id.is_none_or(str::is_empty) {
            fault(Column::CustomerId, Reason::MissingValue, "");
        }
        self.ids.append_value(id.unwrap_or_default());
        let mut time = |column: Column, field: Option<&str>| match field {
            Some(text) => parse_timestamp(text.as_bytes()).unwrap_or_else(|| {
                fault(column, Reason::BadTimestamp, text);
                NO_TIMESTAMP
            }),
            None => {
                if !column.is_optional() {
                    fault(column, Reason::MissingValue, "");
                }
                NO_TIMESTAMP
            }
        };
        self.starts.push(time(Column::PeriodStart, start));
        self.ends.push(time(Column::PeriodEnd, end));
        self.last_transactions.push(time(Column::LastTransactionTs, last));
        self.orders.push(match orders.map(|text| (text, parse_count(text))) {
            Some((_, Some(count))) => count,
            Some((text, None)) => {
                fault(Column::TotalOrders, Reason::BadNumber, text);
                0
            }
            None => {
                fault(Column::TotalOrders, Reason::MissingValue, "");
                0
            }
        });
        let amount = match spend.map(|text| (text, Amount::parse(text.as_bytes()))) {
            Some((_, Ok(amount))) => amount,
            Some((text, Err(e))) => {
                let reason = if e == AmountError::OutOfRange { Reason::AmountOutOfRange } else { Reason::BadNumber };
                fault(Column::TotalSpend, reason, text);
                Amount::default()
            }
            None => {
                fault(Column::TotalSpend, Reason::MissingValue, "");
                Amount::default()
            }
        };
        self.cents.push(amount.cents);
        if amount.fraction != 0 {
            self.fractions.resize(self.cents.len() - 1, 0);
            self.fractions.push(amount.fraction);
        }
    }

    /// Takes the rows so far as a batch.
    pub(super) fn take(&mut self, origin: &Arc<Origin>, first_row: u64, first_line: Option<u64>) -> PeriodBatch {
        let mut rows = std::mem::take(self);
        if !rows.fractions.is_empty() {
            rows.fractions.resize(rows.cents.len(), 0);
        }
        rows.bad.sort_unstable();
        PeriodBatch {
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
        }
    }
}

/// A whole number; `3.0` and `3e0` too, as spreadsheets and data frames write counts in a column with gaps.
pub(super) fn parse_count(text: &str) -> Option<i64> {
    let text = text.trim_ascii();
    text.parse().ok().or_else(|| match Amount::parse(text.as_bytes()) {
        Ok(Amount { cents, fraction: 0 }) if cents % 100 == 0 => Some(cents / 100),
        _ => None,
    })
}

#[cfg(test)]
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
