//! Orders → a table of period aggregations: [`PeriodRows`](crate::orders::PeriodRows) connected with a [`TableWriter`].

use crate::base::error::Result;
use crate::model::window::Granularity;
use crate::orders::{LineSummary, Orders};
use crate::report::table::TableWriter;
use arrow::datatypes::SchemaRef;

/// Writes a row for each customer and calendar period to a table, which `make` opens when its columns are known: those of
/// [`orders::schema`](crate::orders::schema). Gives the table, the number of rows, and the counts of lines and orders.
///
/// # Errors
/// An order or a customer's total that no row can hold; what grouping, sorting or the table fails with.
pub fn write_periods(
    orders: Orders,
    every: Granularity,
    make: impl FnOnce(SchemaRef) -> Result<TableWriter>,
) -> Result<(TableWriter, u64, LineSummary)> {
    let rows = orders.into_period_rows(every)?;
    let summary = rows.summary().clone();
    let mut table = make(rows.schema().clone())?;
    let count = rows.write(|batch| table.write(batch))?;
    Ok((table, count, summary))
}
