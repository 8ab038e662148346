//! The outcome of a run: the report, the rows behind it as a stream of Arrow batches, and what was left out.

use crate::calendar::Window;
use crate::error::Result;
use crate::finalize::Block;
use crate::reject::Reject;
use crate::report::Report;
use crate::report::rows::{MigrationRows, RfmRows, reject_rows};
use crate::report::table::TableWriter;
use crate::rfm::{with_pool, with_threads};
use arrow::array::RecordBatch;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// The order of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// By partition, window, hash and id: fixed by the rows alone, and free.
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
    windows: Vec<Window>,
    blocks: Vec<Block>,
    rejects: Vec<Reject>,
    threads: usize,
}

/// Where a row of the outcome lies.
#[derive(Debug, Clone, Copy)]
pub(crate) struct At {
    pub(crate) block: u32,
    pub(crate) window: u32,
    /// Its place among the customers of the window, or of the block for migrations.
    pub(crate) place: u32,
}

impl<A> Audit<A> {
    pub(crate) fn new(report: Report, windows: Vec<Window>, blocks: Vec<Block>, rejects: Vec<Reject>, custom: A, threads: usize) -> Self {
        Audit { report, custom, windows, blocks, rejects, threads }
    }

    /// The windows of the run.
    pub fn windows(&self) -> &[Window] {
        &self.windows
    }

    /// Rows and customers left out, rows first, sorted.
    pub fn rejects(&self) -> &[Reject] {
        &self.rejects
    }

    /// A row per customer and window, with [`rfm_schema`](crate::report::rows::rfm_schema).
    ///
    /// # Errors
    /// When no threads are to be had for sorting.
    pub fn rfm(&self, order: Order) -> Result<RfmRows<'_>> {
        let places = match order {
            Order::Engine => None,
            Order::Sorted => {
                let mut all = Vec::new();
                for window in 0..self.windows.len() {
                    let places = |(b, block): (usize, &Block)| {
                        let at = move |place| At { block: b as u32, window: window as u32, place: place as u32 };
                        (0..block.windows[window].len()).map(at).collect::<Vec<_>>()
                    };
                    let mut rows: Vec<At> = self.blocks.iter().enumerate().flat_map(places).collect();
                    self.sort(&mut rows, |block, at| block.windows[window].customer[at.place as usize])?;
                    all.extend(rows);
                }
                Some(all)
            }
        };
        Ok(RfmRows::new(&self.blocks, &self.windows, places))
    }

    /// A row per pair of adjacent windows and customer active in either, with
    /// [`migration_schema`](crate::report::rows::migration_schema).
    ///
    /// # Errors
    /// When no threads are to be had for sorting.
    pub fn migrations(&self, order: Order) -> Result<MigrationRows<'_>> {
        let mut rows = MigrationRows::new(&self.blocks, &self.windows);
        if order == Order::Sorted {
            let mut all = Vec::new();
            for mut pair in rows.pairs() {
                self.sort(&mut pair, |_, (at, _)| at.place)?;
                all.extend(pair);
            }
            rows.set_order(all);
        }
        Ok(rows)
    }

    /// Writes [`rfm`](Audit::rfm) to a table, with as many threads as the run had.
    ///
    /// # Errors
    /// When the rows cannot be written.
    pub fn write_rfm(&self, table: &mut TableWriter, order: Order) -> Result<()> {
        let mut rows = self.rfm(order)?;
        with_pool(self.threads, || table.write_stream(&mut rows))
    }

    /// Writes [`migrations`](Audit::migrations) to a table, likewise.
    ///
    /// # Errors
    /// When the rows cannot be written.
    pub fn write_migrations(&self, table: &mut TableWriter, order: Order) -> Result<()> {
        let mut rows = self.migrations(order)?;
        with_pool(self.threads, || table.write_stream(&mut rows))
    }

    /// The rows and customers left out, with [`reject_schema`](crate::report::rows::reject_schema).
    pub fn reject_rows(&self) -> impl Iterator<Item = Result<RecordBatch>> {
        reject_rows(&self.rejects)
    }

    /// Sorts rows by id; `customer` tells a row's customer in its block.
    fn sort<T: Copy + Send + Sync + HasBlock>(&self, rows: &mut Vec<T>, customer: impl Fn(&Block, T) -> u32 + Sync) -> Result<()> {
        let blocks = self.blocks.as_slice();
        // The first eight bytes decide most comparisons.
        let keyed = |row: T| {
            let block = &blocks[row.block()];
            let mut room = [0; 16];
            let id = block.id_bytes(customer(block, row), &mut room);
            let mut prefix = [0; 8];
            let n = id.len().min(8);
            prefix[..n].copy_from_slice(&id[..n]);
            (u64::from_be_bytes(prefix), row)
        };
        let compare = |a: &(u64, T), b: &(u64, T)| {
            a.0.cmp(&b.0).then_with(|| {
                let (x, y) = (&blocks[a.1.block()], &blocks[b.1.block()]);
                x.id_bytes(customer(x, a.1), &mut [0; 16]).cmp(y.id_bytes(customer(y, b.1), &mut [0; 16]))
            })
        };
        *rows = with_threads(self.threads, |parallel| {
            let mut keys: Vec<(u64, T)> =
                if parallel { rows.par_iter().map(|&r| keyed(r)).collect() } else { rows.iter().map(|&r| keyed(r)).collect() };
            if parallel {
                keys.par_sort_unstable_by(compare)
            } else {
                keys.sort_unstable_by(compare)
            }
            Ok(keys.into_iter().map(|(_, row)| row).collect())
        })?;
        Ok(())
    }
}

/// Rows that know their block.
trait HasBlock {
    fn block(self) -> usize;
}

impl HasBlock for At {
    fn block(self) -> usize {
        self.block as usize
    }
}

impl<T> HasBlock for (At, T) {
    fn block(self) -> usize {
        self.0.block as usize
    }
}
