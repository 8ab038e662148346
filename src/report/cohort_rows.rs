//! Rows of cohorts: one for each cohort with customers and window, from the cohort's own on. As Arrow they are what any other program makes
//! its own tables and curves of.

use super::rows::{as_batch, schema, texts};
use crate::base::error::{Error, Result};
use crate::lens::cohort_answers::EARLIER;
use crate::lens::cohorts::CohortSums;
use crate::model::window::Window;
use arrow::array::{Decimal128Array, Int32Array, Int64Array, RecordBatch, UInt64Array};
use arrow::datatypes::{DataType, SchemaRef};
use std::sync::Arc;

/// Sums of many customers may need more digits than those of one.
const SUM_OF_MONEY: DataType = DataType::Decimal128(38, 2);

/// The columns of rows of cohorts: `cohort` (the name of its window, or `earlier`), `window`, `age` (in windows; null for `earlier`), `active`
/// (customers), `orders`, `revenue`.
pub fn cohort_schema() -> SchemaRef {
    schema(&[
        ("cohort", DataType::Utf8View, false),
        ("window", DataType::Utf8View, false),
        ("age", DataType::Int32, true),
        ("active", DataType::UInt64, false),
        ("orders", DataType::Int64, false),
        ("revenue", SUM_OF_MONEY, false),
    ])
}

/// The rows of all cohorts with customers, by cohort, then by window.
pub(crate) fn cohort_rows(sums: &CohortSums, windows: &[Window]) -> Result<RecordBatch> {
    let cells: Vec<_> = sums.cells().collect();
    let name = |at: Option<usize>| at.and_then(|at| windows.get(at)).map_or(EARLIER, |window| window.name.as_str()).to_owned();
    let age = |cohort: Option<usize>, window: usize| cohort.map(|cohort| (window - cohort) as i32);
    let too_many = || Error::data("the orders of a cohort are more than 64 bits hold");
    let orders = cells.iter().map(|(.., cell)| i64::try_from(cell.orders).map_err(|_| too_many())).collect::<Result<Vec<_>>>()?;
    let revenue = Decimal128Array::from_iter_values(cells.iter().map(|(.., cell)| cell.revenue.hundredths())).with_data_type(SUM_OF_MONEY);
    let columns = vec![
        texts(cells.iter().map(|(cohort, ..)| name(*cohort))),
        texts(cells.iter().map(|(_, window, _)| name(Some(*window)))),
        Arc::new(Int32Array::from_iter(cells.iter().map(|(cohort, window, _)| age(*cohort, *window)))),
        Arc::new(UInt64Array::from_iter_values(cells.iter().map(|(.., cell)| cell.customers))),
        Arc::new(Int64Array::from(orders)),
        Arc::new(revenue),
    ];
    as_batch(cohort_schema(), columns)
}
