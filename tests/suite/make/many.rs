//! Batches of many customers.

use super::{Dice, time};
use arrow::array::{Decimal128Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use lensflow::model::Column;
use lensflow::time::DAY;
use std::sync::Arc;

fn name(column: Column) -> &'static str {
    column.name()
}

/// Batches of rows of so many customers that nothing is missing: twelve windows and history before them, ids of all lengths, refunds,
/// sums beyond 64 bits of cents, customers without orders or with less than nothing spent, bad rows, and the rows of each far apart.
pub(crate) fn batches(customers: usize, rows: usize) -> Vec<RecordBatch> {
    let mut dice = Dice(11);
    let begin = time("2022-12-01");
    let id = |customer: usize| match customer % 4 {
        0 => format!("{customer}"),
        1 => format!("{customer:012}"),
        2 => format!("客户 number {customer:07}"),
        _ => format!("{customer}-{}", "x".repeat(customer % 300)),
    };
    let mut drawn: Vec<(String, i64, i64, i128, i64)> = (0..rows)
        .map(|row| {
            // Two are in many more rows than the others.
            let customer = if row % 4 == 0 { [5, 21][row / 4 % 2] % customers } else { row % customers };
            let month = dice.below(13) as i64;
            let spend = match customer % 16 {
                5 => 999_999_999_999_999_999 * if customer != 5 && dice.below(2) == 0 { -1 } else { 1 },
                6 => -1_000,
                _ => dice.below(100_000) as i128 - 20_000,
            };
            let orders = if customer % 16 == 7 { 0 } else { 1 + dice.below(3) as i64 };
            // Some end before they start.
            (id(customer), begin + month * 31 * DAY, orders, spend, if row % 5 == 3 { -DAY } else { DAY })
        })
        .collect();
    dice.shuffle(&mut drawn);
    let batch = |rows: &[(String, i64, i64, i128, i64)]| {
        let times = |times: Vec<i64>| Arc::new(TimestampMicrosecondArray::from(times)) as _;
        let spend = Decimal128Array::from_iter_values(rows.iter().map(|r| r.3)).with_precision_and_scale(20, 3).unwrap();
        RecordBatch::try_from_iter([
            (name(Column::CustomerId), Arc::new(StringArray::from_iter_values(rows.iter().map(|r| &r.0))) as _),
            (name(Column::PeriodStart), times(rows.iter().map(|r| r.1).collect())),
            (name(Column::PeriodEnd), times(rows.iter().map(|r| r.1 + r.4).collect())),
            (name(Column::TotalOrders), Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| r.2))) as _),
            (name(Column::TotalSpend), Arc::new(spend) as _),
        ])
        .unwrap()
    };
    drawn.chunks(1_000).map(batch).collect()
}
