//! The outcome of a run: the report, the rows behind it as a stream of Arrow batches, and what was left out.

use crate::calendar::Window;
use crate::error::{Error, Result, Stage};
use crate::pieces::{Pieces, Span, Workspace, share_out};
use crate::reject::Reject;
use crate::report::Report;
use crate::report::rows::{Migrations, Rfm, Rows, reject_rows};
use crate::report::stream::{Batches, Ordered, Sorted, Stream};
use crate::report::table::TableWriter;
use crate::rfm::with_pool;
use crate::spill::Records;
use arrow::array::RecordBatch;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The order of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// By the hash of the id, then id, then window: fixed by the rows alone, and free.
    #[default]
    Engine,
    /// By window, then by `customer_id` as bytes.
    Sorted,
}

/// What a run found out. `A` is the answer of the caller's own lens.
#[derive(Debug)]
pub struct Audit<A = ()> {
    /// Lens 1 of each window, Lens 2 of each pair, what was read and what was left out.
    pub report: Report,
    /// The answer of the caller's own lens.
    pub custom: A,
    pieces: Pieces,
    /// Sorted, where they were kept.
    rejects: Option<Arc<Records>>,
    threads: usize,
}

/// Where the id is among the columns of RFM rows, and of migration rows.
const RFM_ID: usize = 1;
const MIGRATION_ID: usize = 2;
/// Rows that an iterator builds at a time.
const ROWS_AT_ONCE: usize = 1 << 16;

impl<A> Audit<A> {
    pub(crate) fn new(report: Report, pieces: Pieces, rejects: Option<Arc<Records>>, custom: A, threads: usize) -> Self {
        Audit { report, custom, pieces, rejects, threads }
    }

    /// The windows of the run.
    pub fn windows(&self) -> &[Window] {
        &self.pieces.finalizer().windows
    }

    /// Rows and customers left out, rows first, sorted; nothing of them where they were only counted. After an error there are no more.
    pub fn rejects(&self) -> impl Iterator<Item = Result<Reject>> {
        let mut rejects = self.rejects.as_ref().map(Records::read);
        std::iter::from_fn(move || {
            let read = |record| Reject::read(record).ok_or_else(|| Error::internal("a reject cannot be read back"));
            let next = rejects.as_mut()?.next();
            next.and_then(|record| record.map(read).transpose()).map_err(|e| e.stage(Stage::Report)).transpose()
        })
    }

    /// A row per customer and window, with [`rfm_schema`](crate::report::rows::rfm_schema).
    ///
    /// # Errors
    /// When the rows cannot be read or sorted.
    pub fn rfm(&self, order: Order) -> Result<impl Iterator<Item = Result<RecordBatch>>> {
        let (pieces, rows) = (&self.pieces, Rfm::new(self.windows()));
        let declared = rows.schema();
        let stream = with_pool(self.threads, || ordered(pieces, rows, &pieces.rows(), ROWS_AT_ONCE, order, RFM_ID))?;
        Ok(Batches::new(stream, declared))
    }

    /// A row per pair of adjacent windows and customer active in either, with
    /// [`migration_schema`](crate::report::rows::migration_schema).
    ///
    /// # Errors
    /// When the rows cannot be read or sorted.
    pub fn migrations(&self, order: Order) -> Result<impl Iterator<Item = Result<RecordBatch>>> {
        let (pieces, rows) = (&self.pieces, Migrations::new(self.windows()));
        let declared = rows.schema();
        let stream = with_pool(self.threads, || {
            let counts = count(pieces, &rows)?;
            ordered(pieces, rows, &counts, ROWS_AT_ONCE, order, MIGRATION_ID)
        })?;
        Ok(Batches::new(stream, declared))
    }

    /// Writes [`rfm`](Audit::rfm) to a table, with as many threads as the run had.
    ///
    /// # Errors
    /// When the rows cannot be written.
    pub fn write_rfm(&self, table: &mut TableWriter, order: Order) -> Result<()> {
        let (pieces, rows) = (&self.pieces, Rfm::new(self.windows()));
        with_pool(self.threads, || table.write_stream(&mut ordered(pieces, rows, &pieces.rows(), table.rows_per_part(), order, RFM_ID)?))
    }

    /// Writes [`migrations`](Audit::migrations) to a table, likewise.
    ///
    /// # Errors
    /// When the rows cannot be written.
    pub fn write_migrations(&self, table: &mut TableWriter, order: Order) -> Result<()> {
        let (pieces, rows) = (&self.pieces, Migrations::new(self.windows()));
        with_pool(self.threads, || {
            let counts = count(pieces, &rows)?;
            table.write_stream(&mut ordered(pieces, rows, &counts, table.rows_per_part(), order, MIGRATION_ID)?)
        })
    }

    /// The rows and customers left out, with [`reject_schema`](crate::report::rows::reject_schema).
    pub fn reject_rows(&self) -> impl Iterator<Item = Result<RecordBatch>> {
        reject_rows(self.rejects())
    }
}

/// A stream of rows, given how many each piece has. Sorting takes the column number `id` for the id.
fn ordered<'a, R: Rows>(pieces: &'a Pieces, rows: R, counts: &[usize], per_part: usize, order: Order, id: usize) -> Result<Ordered<'a, R>> {
    let stream = Stream::new(pieces, rows, (), Span::cut(counts, per_part));
    match order {
        Order::Engine => Ok(Ordered::Engine(stream)),
        Order::Sorted => Sorted::new(stream, id).map(Ordered::Sorted),
    }
}

/// How many rows of a kind each piece has: a pass of its own.
fn count(pieces: &Pieces, rows: &impl Rows) -> Result<Vec<usize>> {
    let counts: Vec<AtomicUsize> = (0..pieces.len()).map(|_| AtomicUsize::new(0)).collect();
    share_out(counts.len(), Workspace::default, |workspace, at| {
        counts[at].store(rows.count(pieces.block(at, workspace)?), Ordering::Relaxed);
        Ok(())
    })?;
    Ok(counts.into_iter().map(AtomicUsize::into_inner).collect())
}
