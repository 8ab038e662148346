//! A header among the rows: where two files were put one after the other. One of the same order is a bad row like any other; one of another
//! order is worse, since what follows it would be read by the wrong columns.

use super::line_rows::TransactionRows;
use crate::model::line_columns::{TransactionColumn, TransactionColumns};
use crate::model::reject::Reason;
use crate::source::layouts::plain;
use arrow::array::{Array, StringViewArray};

/// Whether a text is the name of a column, in any of the spellings that are looked for.
fn is_name_of(columns: &TransactionColumns, column: TransactionColumn, text: &str) -> bool {
    columns.name(column).split('|').any(|name| plain(name) == plain(text))
}

/// The rows of a batch, among those whose time is bad, that are a header with its columns in another order.
pub(super) fn rows(
    rows: &TransactionRows,
    columns: &TransactionColumns,
    orders: &StringViewArray,
    customers: &StringViewArray,
) -> Vec<u32> {
    let id = |ids: &StringViewArray, row: u32| (row as usize) < ids.len() && ids.is_valid(row as usize);
    let of_bad = rows.bad().iter().filter(|bad| bad.reason == Reason::BadTimestamp && bad.column == TransactionColumn::EventTs);
    let is_header = |row: u32| {
        let ids = [(TransactionColumn::OrderId, orders), (TransactionColumn::CustomerId, customers)];
        let ids = ids.into_iter().filter(|(_, ids)| id(ids, row)).map(|(column, ids)| (column, ids.value(row as usize)));
        let others = rows.bad().iter().filter(|bad| bad.row == row).map(|bad| (bad.column, bad.value.as_str()));
        let said: Vec<(TransactionColumn, &str)> = ids.chain(others).filter(|(_, text)| !text.is_empty()).collect();
        let is_name = |text: &str| TransactionColumn::ALL.into_iter().any(|column| is_name_of(columns, column, text));
        let names = said.iter().filter(|(_, text)| is_name(text)).count();
        // What is made of several columns is no name.
        let is_made = |column: TransactionColumn| columns.name(column).contains('+');
        names > 1 && said.iter().any(|(column, text)| !is_name_of(columns, *column, text) && !is_made(*column))
    };
    of_bad.map(|bad| bad.row).filter(|&row| is_header(row)).collect()
}
