//! The outcome of a run: the report, the rows behind it as a stream of Arrow batches, and what was left out.

use crate::base::error::{Error, Result, Stage};
use crate::base::threads::with_pool;
use crate::finalize::blocks::{Blocks, Span};
use crate::finalize::finish::Resources;
use crate::lens::cohorts::CohortSums;
use crate::model::reject::Reject;
use crate::model::segments::Segments;
use crate::model::window::Window;
use crate::report::Report;
use crate::report::cohort_rows::cohort_rows;
use crate::report::rfm_columns::{RfmColumn, schema_of};
use crate::report::rfm_rows::Rfm;
use crate::report::rows::{Migrations, Rows, line_reject_schema, migration_schema_with, reject_rows, reject_schema};
use crate::report::stream::{Batches, Ordered, Sorted, Stream};
use crate::report::table::TableWriter;
use crate::spill::{Records, Sorting};
use crate::stats::Stats;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use serde::{Deserialize, Serialize};
use std::ops::Deref;
use std::sync::Arc;

/// The order of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Order {
    /// By the hash of the id, then id, then window: fixed by the rows alone, and free.
    #[default]
    Engine,
    /// By window, then by `customer_id` as bytes. All rows are sorted before the first comes, in the memory of the run; those that do
    /// not fit go to its spill folder.
    Sorted,
}

/// The answers of a run, and the rows behind them. `A` is the answer of the caller's own lens.
#[derive(Debug)]
pub struct Audit<A = ()> {
    /// Lens 1 of each window, Lens 2 of each pair, what was read and what was left out.
    pub report: Report,
    /// The answer of the caller's own lens.
    pub custom: A,
    cohort_sums: Option<CohortSums>,
    making: Making,
    /// Sorted, where they were kept.
    rejects: Option<Arc<Records>>,
}

/// Rows that an iterator builds at a time.
const ROWS_AT_ONCE: usize = 1 << 16;

impl<A> Audit<A> {
    /// The audit of blocks, whose RFM rows have these columns.
    pub(crate) fn new(
        (report, cohort_sums): (Report, Option<CohortSums>),
        (blocks, rfm, segments): (Blocks, Vec<RfmColumn>, Option<Segments>),
        rejects: Option<Arc<Records>>,
        custom: A,
        memory: Resources,
        threads: usize,
        stats: Arc<Stats>,
    ) -> Self {
        let (sorting, plan) = (memory.sorting(threads), memory.plan);
        let (groups, sorted_groups) = (plan.groups.min(threads), plan.sorted_groups.min(threads));
        let making =
            Making { blocks: Arc::new(blocks), sorting, threads, groups, sorted_groups, stats, rfm, segments: segments.map(Arc::new) };
        Audit { report, custom, cohort_sums, making, rejects }
    }

    /// The windows of the run.
    pub fn windows(&self) -> &[Window] {
        &self.making.blocks.finalizer().windows
    }

    /// The sums that Lenses 3, 4 and 5 follow from, where they were asked for: to be merged with those of other customers.
    pub fn cohort_sums(&self) -> Option<&CohortSums> {
        self.cohort_sums.as_ref()
    }

    /// A row per cohort and window, with [`cohort_schema`](crate::report::cohort_schema), where cohorts were asked for.
    ///
    /// # Errors
    /// When a sum of orders does not fit 64 bits.
    pub fn cohort_rows(&self) -> Result<Option<RecordBatch>> {
        self.cohort_sums.as_ref().map(|sums| cohort_rows(sums, self.windows())).transpose()
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

    /// The columns of [`rfm`](Audit::rfm): [`rfm_schema`](crate::report::rows::rfm_schema), or those that
    /// [`Builder::rfm_columns`](super::Builder::rfm_columns) asked for.
    pub fn rfm_schema(&self) -> SchemaRef {
        schema_of(&self.making.rfm)
    }

    /// The columns of [`migrations`](Audit::migrations): [`migration_schema`](crate::report::rows::migration_schema), and where segments are
    /// asked for `from_segment` and `to_segment`.
    pub fn migration_schema(&self) -> SchemaRef {
        migration_schema_with(self.making.segments.is_some())
    }

    /// The cut points that a window was scored by, recency, frequency and monetary: its own edges, all of them; nothing where all customers
    /// have one score.
    pub fn score_edges(&self, window: usize) -> Option<[Option<Vec<f64>>; 3]> {
        let scorer = self.making.blocks.scorers().get(window)?;
        Some(scorer.edges().map(|edges| edges.map(<[f64]>::to_vec)))
    }

    /// A row per customer and window, with [`rfm_schema`](Audit::rfm_schema).
    ///
    /// # Errors
    /// When the rows cannot be read or sorted.
    pub fn rfm(&self, order: Order) -> Result<impl Iterator<Item = Result<RecordBatch>>> {
        self.making.read(self.making.rfm(), order)
    }

    /// A row per pair of adjacent windows and customer active in either, with
    /// [`migration_schema`](Audit::migration_schema).
    ///
    /// # Errors
    /// When the rows cannot be read or sorted.
    pub fn migrations(&self, order: Order) -> Result<impl Iterator<Item = Result<RecordBatch>>> {
        self.making.read(self.making.migrations(), order)
    }

    /// The rows of [`rfm`](Audit::rfm), as an iterator that owns what it reads: it can leave the function that ran the audit.
    ///
    /// # Errors
    /// When the rows cannot be read or sorted.
    pub fn into_rfm(self, order: Order) -> Result<impl Iterator<Item = Result<RecordBatch>> + use<A>> {
        let rows = self.making.rfm();
        let Making { blocks, sorting, threads, .. } = self.making;
        read(blocks, sorting, threads, rows, order)
    }

    /// The rows of [`rfm`](Audit::rfm), as an iterator of its own: it keeps what it reads, and the audit can go before it.
    ///
    /// # Errors
    /// When the rows cannot be read or sorted.
    pub fn own_rfm(&self, order: Order) -> Result<impl Iterator<Item = Result<RecordBatch>> + Send + use<A>> {
        read(self.making.blocks.clone(), self.making.sorting.clone(), self.making.threads, self.making.rfm(), order)
    }

    /// The rows of [`migrations`](Audit::migrations), likewise.
    ///
    /// # Errors
    /// When the rows cannot be read or sorted.
    pub fn own_migrations(&self, order: Order) -> Result<impl Iterator<Item = Result<RecordBatch>> + Send + use<A>> {
        read(self.making.blocks.clone(), self.making.sorting.clone(), self.making.threads, self.making.migrations(), order)
    }

    /// Writes [`rfm`](Audit::rfm) to a table, with as many threads as the run had.
    ///
    /// # Errors
    /// When the rows cannot be written.
    pub fn write_rfm(&self, table: &mut TableWriter, order: Order) -> Result<()> {
        self.making.write(self.making.rfm(), table, order)
    }

    /// Writes [`migrations`](Audit::migrations) to a table, likewise.
    ///
    /// # Errors
    /// When the rows cannot be written.
    pub fn write_migrations(&self, table: &mut TableWriter, order: Order) -> Result<()> {
        self.making.write(self.making.migrations(), table, order)
    }

    /// The rows and customers left out, with [`reject_schema`].
    pub fn reject_rows(&self) -> impl Iterator<Item = Result<RecordBatch>> {
        reject_rows(self.rejects(), reject_schema())
    }

    /// The lines of orders and customers left out, with [`line_reject_schema`].
    pub fn line_reject_rows(&self) -> impl Iterator<Item = Result<RecordBatch>> {
        reject_rows(self.rejects(), line_reject_schema())
    }
}

/// The blocks that rows are made of, and the memory and threads to make them with.
#[derive(Debug)]
struct Making {
    blocks: Arc<Blocks>,
    sorting: Sorting,
    threads: usize,
    /// Row groups that are encoded at the same time, in either order.
    groups: usize,
    sorted_groups: usize,
    stats: Arc<Stats>,
    /// The columns of RFM rows.
    rfm: Vec<RfmColumn>,
    segments: Option<Arc<Segments>>,
}

impl Making {
    fn rfm(&self) -> Rfm {
        Rfm::new(&self.blocks.finalizer().windows, &self.rfm, self.segments.as_deref())
    }

    fn migrations(&self) -> Migrations {
        Migrations::new(&self.blocks.finalizer().windows, self.segments.clone())
    }

    fn read<R: Rows + Send>(&self, rows: R, order: Order) -> Result<impl Iterator<Item = Result<RecordBatch>>> {
        read(&*self.blocks, self.sorting.clone(), self.threads, rows, order)
    }

    fn write<R: Rows + Send>(&self, rows: R, table: &mut TableWriter, order: Order) -> Result<()> {
        table.takes(&rows.schema())?;
        let ids = self.blocks.ids();
        table.fit_groups(if order == Order::Sorted { ids.together() } else { ids.mean() });
        let written = with_pool(self.threads, || {
            let counts = if R::COUNTS_ARE_KNOWN || order == Order::Engine { rows.counts(&self.blocks)? } else { Vec::new() };
            table.watched_by(&self.stats, counts.iter().sum::<usize>() as u64);
            let stream = stream(&*self.blocks, self.sorting.clone(), rows, &counts, table.rows_per_part(), order)?;
            let groups = if order == Order::Sorted { self.sorted_groups } else { self.groups };
            table.write_stream_with(&stream, groups)
        });
        written.map_err(|e| e.stage(Stage::Report))
    }
}

/// The rows of borrowed or owned blocks, as plain batches.
fn read<P: Deref<Target = Blocks> + Send + Sync, R: Rows + Send>(
    blocks: P,
    sorting: Sorting,
    threads: usize,
    rows: R,
    order: Order,
) -> Result<impl Iterator<Item = Result<RecordBatch>>> {
    let (declared, at_stage) = (rows.schema(), |e: Error| e.stage(Stage::Report));
    let stream = with_pool(threads, || {
        let counts = if order == Order::Engine { rows.counts(&blocks)? } else { Vec::new() };
        stream(blocks, sorting, rows, &counts, ROWS_AT_ONCE, order)
    });
    let stream = stream.map_err(at_stage)?;
    Ok(Batches::new(stream, declared).map(move |batch| batch.map_err(at_stage)))
}

/// The rows in an order; `counts` says how many each block has, for the engine's order.
fn stream<P: Deref<Target = Blocks>, R: Rows>(
    blocks: P,
    sorting: Sorting,
    rows: R,
    counts: &[usize],
    per_part: usize,
    order: Order,
) -> Result<Ordered<P, R>> {
    Ok(match order {
        Order::Engine => {
            let spans = Span::cut(counts, per_part);
            Ordered::Engine(Stream::new(blocks, rows, (), |_| (), spans))
        }
        Order::Sorted => Ordered::Sorted(Box::new(Sorted::new(&blocks, rows, sorting)?)),
    })
}
