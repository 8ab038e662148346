//! The makers of input: every row, batch and text of rows that the suites read comes from here.
//!
//! | file | makes |
//! |---|---|
//! | `cases` | random rows in and around random windows |
//! | `columns` | the Arrow columns of rows, in any types |
//! | `lines` | random orders and line items |
//! | `texts` | CSV texts of rows, by number |
//! | `many` | batches of many customers, with everything that rows can have |
//! | `table`, `encoding` | rows of text as CSV, JSON lines and Arrow, in every format |
//! | `dice` | numbers that look random |

mod cases;
mod columns;
mod dice;
mod encoding;
mod lines;
mod many;
mod table;
mod texts;

pub(crate) use cases::{cases, monthly_rows};
pub(crate) use columns::{Ids, Layout, Spend, Times};
pub(crate) use dice::Dice;
pub(crate) use encoding::{Encoding, gzip};
use lensflow::model::Windows;
use lensflow::time::parse_timestamp;
pub(crate) use lines::{Item, amounts, items, items_begin, items_csv, line_batch, line_tables, order_options};
pub(crate) use many::batches;
pub(crate) use table::{Table, Types};
pub(crate) use texts::*;

/// An input row; nothing where the value is null.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) id: Option<String>,
    pub(crate) start: Option<i64>,
    pub(crate) end: Option<i64>,
    pub(crate) orders: Option<i64>,
    /// Decimal text, or what is none.
    pub(crate) spend: Option<String>,
    pub(crate) last: Option<i64>,
}

/// A run's options and rows.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) windows: Windows,
    pub(crate) percentiles: Vec<u32>,
    pub(crate) bins: u32,
    pub(crate) rows: Vec<Row>,
    pub(crate) layout: Layout,
}

impl Case {
    /// The rows as the columns say them.
    pub(crate) fn said(&self) -> Vec<Row> {
        self.rows.iter().map(|row| self.layout.say(row)).collect()
    }
}

pub(crate) fn time(text: &str) -> i64 {
    parse_timestamp(text.as_bytes()).expect(text)
}

/// A row of a period.
pub(crate) fn period(id: &str, start: &str, end: &str, orders: i64, spend: &str, last: Option<&str>) -> Row {
    Row {
        id: Some(id.to_owned()),
        start: Some(time(start)),
        end: Some(time(end)),
        orders: Some(orders),
        spend: Some(spend.to_owned()),
        last: last.map(time),
    }
}
