//! Where rows come from. A [`Source`] hands out [`Chunk`]s of undecoded input, one caller at a time; decoding threads turn each chunk
//! into [`PeriodBatch`]es side by side. The batch is the message from here to [`route`](crate::route). What rows become is a parameter
//! of sources, chunks and sinks, and of the readers of all formats ([`shape`]).
//!
//! Invariant: a batch is aligned with its input. A row that cannot be read keeps its place and is listed in [`PeriodBatch::bad`], so
//! the row number of any row is `first_row` plus its index, and the policy about bad rows is applied in one place, by the router.

pub mod columns;
mod csv;
pub(crate) mod endless;
pub mod files;
mod ipc;
mod jsonl;
mod lines;
mod open;
pub(crate) mod paced;
pub(crate) mod parquet;
mod scenario;
pub(crate) mod shape;
pub mod synthetic;
pub(crate) mod text;
pub mod transactions;

use self::open::{As, Open};
use self::transactions::{TransactionBatch, TransactionColumns, TransactionOptions, Transactions};
use crate::base::error::{Error, Result, Stage};
use crate::reject::Reason;
use arrow::array::{RecordBatch, StringViewArray};
use arrow::buffer::ScalarBuffer;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What stands for "no timestamp" in [`PeriodBatch::last_transactions`].
pub const NO_TIMESTAMP: i64 = i64::MIN;

/// A supplier of input, of period aggregations unless it says otherwise.
pub trait Source<B = PeriodBatch>: Send {
    /// The names of the inputs, for reports.
    fn inputs(&self) -> Vec<String>;

    /// The size of the input in bytes, where it is known.
    fn size_bytes(&self) -> Option<u64> {
        None
    }

    /// The next chunk, or none at the end. Called under a lock: read here, decode in the chunk.
    ///
    /// # Errors
    /// When the input cannot be read, or is not what it claims to be.
    fn next_chunk(&mut self) -> Result<Option<Box<dyn Chunk<B>>>>;
}

/// A piece of input that one thread decodes.
pub trait Chunk<B = PeriodBatch>: Send {
    /// The bytes it takes up in the input, for progress.
    fn bytes(&self) -> u64 {
        0
    }

    /// Decodes it and gives `sink` one batch after the other.
    ///
    /// # Errors
    /// When the bytes cannot be decoded, or whatever the sink returns.
    fn decode(self: Box<Self>, sink: &mut Sink<'_, B>) -> Result<()>;
}

/// What takes decoded batches.
pub type Sink<'a, B = PeriodBatch> = dyn FnMut(B) -> Result<()> + 'a;

/// Where a batch comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Origin {
    /// The path, `stdin`, or what the caller named it.
    pub name: String,
}

/// Decoded rows, column by column; all columns have the same length.
#[derive(Debug, Clone)]
pub struct PeriodBatch {
    /// The input.
    pub origin: Arc<Origin>,
    /// The number of the first row in the input; rows count from 1, without a header.
    pub first_row: u64,
    /// The line of the first row, where the input is text and every row of the batch takes one line.
    pub first_line: Option<u64>,
    /// Customer ids.
    pub ids: StringViewArray,
    /// `period_start`, in microseconds since 1970.
    pub starts: ScalarBuffer<i64>,
    /// `period_end`, likewise.
    pub ends: ScalarBuffer<i64>,
    /// `total_orders`.
    pub orders: ScalarBuffer<i64>,
    /// `total_spend` in whole cents, rounded down.
    pub cents: ScalarBuffer<i64>,
    /// What is left of `total_spend`, in 10⁻¹⁸ of money; empty when that is nothing in every row.
    pub fractions: ScalarBuffer<u64>,
    /// `last_transaction_ts`, or [`NO_TIMESTAMP`]; empty when the input has no such column.
    pub last_transactions: ScalarBuffer<i64>,
    /// Values that could not be read, by row and column. The row's other columns may hold anything where one is listed.
    pub bad: Vec<Bad>,
    /// Where each row came from, where they do not follow each other in one input.
    pub whence: Option<Whence>,
}

/// Says where a row of a batch came from: the input, its row, and its line in a text.
#[derive(Clone)]
pub struct Whence(Arc<dyn Fn(usize) -> (String, u64, Option<u64>) + Send + Sync>);

impl Whence {
    /// By a function of the row's place in the batch.
    pub fn new(find: impl Fn(usize) -> (String, u64, Option<u64>) + Send + Sync + 'static) -> Self {
        Whence(Arc::new(find))
    }
}

impl std::fmt::Debug for Whence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Whence")
    }
}

impl PeriodBatch {
    /// The input, the row and the line that a row of the batch came from.
    pub(crate) fn whence(&self, i: usize) -> (String, u64, Option<u64>) {
        match &self.whence {
            Some(Whence(find)) => find(i),
            None => (self.origin.name.clone(), self.first_row + i as u64, self.first_line.map(|line| line + i as u64)),
        }
    }
}

/// A value that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Bad<C = Column> {
    /// Its row in the batch.
    pub row: u32,
    /// Its column.
    pub column: C,
    /// Why.
    pub reason: Reason,
    /// As it was read.
    pub value: String,
}

/// The columns of period aggregations that the engine reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Column {
    /// Opaque, compared byte for byte; text or integer.
    CustomerId,
    /// Inclusive; timestamp, date or text.
    PeriodStart,
    /// Exclusive; timestamp, date or text.
    PeriodEnd,
    /// Orders in the period: an integer, at least 0.
    TotalOrders,
    /// Money spent in the period; decimal, float, integer or text.
    TotalSpend,
    /// The last transaction in the period; may be null or absent.
    LastTransactionTs,
}

impl Column {
    /// All of them, in the order in which a row's faults are looked for.
    pub const ALL: [Column; 6] =
        [Column::CustomerId, Column::PeriodStart, Column::PeriodEnd, Column::TotalOrders, Column::TotalSpend, Column::LastTransactionTs];

    /// Its name in specs, options, reports and, unless mapped, in the input.
    pub const fn name(self) -> &'static str {
        match self {
            Column::CustomerId => "customer_id",
            Column::PeriodStart => "period_start",
            Column::PeriodEnd => "period_end",
            Column::TotalOrders => "total_orders",
            Column::TotalSpend => "total_spend",
            Column::LastTransactionTs => "last_transaction_ts",
        }
    }

    /// The column of that name.
    pub fn from_name(name: &str) -> Option<Column> {
        Column::ALL.into_iter().find(|c| c.name() == name)
    }

    /// Whether an input may lack it.
    pub const fn is_optional(self) -> bool {
        matches!(self, Column::LastTransactionTs)
    }
}

/// What the input calls the columns, where it differs from [`Column::name`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ColumnMap(pub BTreeMap<Column, String>);

impl ColumnMap {
    /// What the input calls a column.
    pub fn name(&self, column: Column) -> &str {
        self.0.get(&column).map_or(column.name(), String::as_str)
    }

    /// What to look for in an input.
    pub(crate) fn wanted(&self) -> [columns::Wanted<'_>; 6] {
        let required = |column: Column| !column.is_optional() || self.0.contains_key(&column);
        Column::ALL.map(|column| columns::Wanted { column: column.name(), name: self.name(column), required: required(column) })
    }
}

/// Runs a reader that panics on some malformed files: to a user that is a damaged file like any other.
fn guarded<T, E: Into<Box<dyn std::error::Error + Send + Sync>>>(
    origin: &Origin,
    what: &str,
    read: impl FnOnce() -> std::result::Result<T, E>,
) -> Result<T> {
    let fault = || Error::data(what).input(&origin.name).stage(Stage::Source);
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(read)) {
        Ok(read) => read.map_err(|e| fault().cause(e)),
        Err(_) => Err(fault()),
    }
}

/// Arrow batches from a caller's iterator of batches or of results (any Arrow reader is one), with the columns of [`Column`] in any accepted
/// type; or with those of [`TransactionColumn`](transactions::TransactionColumn), by [`Batches::transactions`].
pub struct Batches<I, B = PeriodBatch> {
    origin: Arc<Origin>,
    shape: Box<dyn Open<B>>,
    iter: I,
    next_row: u64,
}

impl<I> Batches<I> {
    /// A source that is called `name` in reports and errors.
    pub fn new(name: impl Into<String>, map: ColumnMap, iter: I) -> Self {
        Self::of(name, As(shape::Periods(map)), iter)
    }
}

impl<I> Batches<I, TransactionBatch> {
    /// As [`Batches::new`], for orders or line items.
    ///
    /// # Errors
    /// When the options are not right.
    pub fn transactions(name: impl Into<String>, columns: TransactionColumns, options: &TransactionOptions, iter: I) -> Result<Self> {
        Ok(Self::of(name, As(Transactions::new(columns, options)?), iter))
    }
}

impl<I, B> Batches<I, B> {
    fn of(name: impl Into<String>, shape: impl Open<B> + 'static, iter: I) -> Self {
        Batches { origin: Arc::new(Origin { name: name.into() }), shape: Box::new(shape), iter, next_row: 1 }
    }
}

/// A batch, or what a reader failed with instead.
pub trait IntoBatch {
    /// The batch, or the failure as an error of this crate.
    ///
    /// # Errors
    /// What the reader failed with.
    fn into_batch(self) -> Result<RecordBatch>;
}

impl IntoBatch for RecordBatch {
    fn into_batch(self) -> Result<RecordBatch> {
        Ok(self)
    }
}

impl<E: Into<Box<dyn std::error::Error + Send + Sync>>> IntoBatch for std::result::Result<RecordBatch, E> {
    fn into_batch(self) -> Result<RecordBatch> {
        self.map_err(|e| Error::data("no batch can be read").cause(e))
    }
}

impl<T: IntoBatch, I: Iterator<Item = T> + Send, B> Source<B> for Batches<I, B> {
    fn inputs(&self) -> Vec<String> {
        vec![self.origin.name.clone()]
    }

    fn next_chunk(&mut self) -> Result<Option<Box<dyn Chunk<B>>>> {
        let Some(batch) = self.iter.next() else { return Ok(None) };
        let batch = batch.into_batch().map_err(|e| e.input(&self.origin.name).stage(Stage::Source))?;
        let first_row = self.next_row;
        self.next_row += batch.num_rows() as u64;
        self.shape.arrow_batch(batch, &self.origin, first_row).map(Some)
    }
}
