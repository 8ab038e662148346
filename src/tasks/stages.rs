//! The stages one at a time, for benches; [`pipeline`](crate::pipeline) runs them all at once. Not part of the API.

use crate::accumulate::{Drained, Partition, SortScratch, SortedTable};
use crate::base::error::{Error, Result};
use crate::finalize::Block;
use crate::finalize::arithmetic::{BlockTimes, Finalizer};
use crate::lens::Lens;
use crate::lens::lens1::Lens1;
use crate::lens::lens2::Lens2;
use crate::model::hash::PARTITIONS;
use crate::model::period_batch::{Origin, PeriodBatch};
use crate::model::state_batch::StateBatch;
use crate::model::window::{Window, Windows};
use crate::route::lane::Outlet;
use crate::route::row_buffer::Rows;
use crate::route::{Ledger, Router};
use crate::source::Source;
#[cfg(feature = "parquet")]
use crate::source::parquet::Opened;
use crate::source::row_kind::Aggregations;
use crate::spec::Spec;
use crate::spill::FRAME_CUSTOMERS;
use crate::stats::Stats;
use std::fs::File;
use std::sync::Arc;

/// Buffers of routed rows.
pub struct Routed(Vec<(usize, Rows)>);

/// Accumulated partitions.
pub struct Accumulated(Vec<SortedTable>);

/// A Parquet file to decode and do nothing with: what an audit of it takes at the least.
#[cfg(feature = "parquet")]
pub struct BareFile(Opened<Aggregations>);

#[cfg(feature = "parquet")]
impl BareFile {
    /// Opens it with the reader that an audit has: the same columns, batches of the same size, texts as views.
    ///
    /// # Errors
    /// When it cannot be opened, or is no Parquet file of period aggregations.
    pub fn open(path: &str) -> Result<Self> {
        let file = File::open(path).map_err(|e| Error::io("cannot open", e).input(path))?;
        let spec = Spec::default();
        Opened::new(file.into(), Arc::new(Origin { name: path.to_owned() }), &Aggregations::of(&spec)?, spec.batch_rows).map(BareFile)
    }

    /// The number of row groups.
    pub fn groups(&self) -> usize {
        self.0.groups().len()
    }

    /// Decodes a row group, and counts the rows of its batches.
    ///
    /// # Errors
    /// When it is damaged.
    pub fn decode(&self, group: usize) -> Result<usize> {
        let mut rows = 0;
        self.0.decode(group, 0..self.0.rows(group)?, &mut |batch| {
            rows += batch.num_rows();
            Ok(())
        })?;
        Ok(rows)
    }
}

/// Source: decodes everything.
///
/// # Errors
/// The errors of the source.
pub fn decode(source: &mut dyn Source) -> Result<Vec<PeriodBatch>> {
    let mut batches = Vec::new();
    while let Some(chunk) = source.next_chunk()? {
        chunk.decode(&mut |batch| {
            batches.push(batch);
            Ok(())
        })?;
    }
    Ok(batches)
}

/// Route: hashes and scatters.
///
/// # Errors
/// A bad row.
pub fn route(spec: &Spec, batches: &[PeriodBatch]) -> Result<Routed> {
    let mut router = Router::new(spec, 128, Arc::new(Stats::default()), Arc::new(Ledger::default()));
    let mut routed = Routed(Vec::new());
    for batch in batches {
        router.route(batch, &mut routed)?;
    }
    router.flush(&mut routed)?;
    Ok(routed)
}

impl Outlet for Routed {
    fn empty(&mut self) -> Rows {
        Rows::with_capacity(128)
    }

    fn take(&mut self, partition: usize, rows: Rows) -> Result<()> {
        self.0.push((partition, rows));
        Ok(())
    }
}

/// Accumulate: folds rows into states.
///
/// # Errors
/// When the system refuses memory.
pub fn accumulate(Routed(deliveries): Routed) -> Result<Accumulated> {
    let mut partitions: Vec<Partition> = (0..PARTITIONS).map(|number| Partition::new(number, 4_096)).collect();
    let mut scratch = SortScratch::default();
    for (partition, rows) in deliveries {
        partitions[partition].take(rows, &mut scratch, drop)?;
    }
    let resident = |partition: Partition| match partition.drain(FRAME_CUSTOMERS, &mut scratch) {
        Ok(Drained::Resident(table)) => Some(Ok(table)),
        Ok(Drained::Spilled(..)) => None,
        Err(refused) => Some(Err(refused)),
    };
    partitions.into_iter().filter_map(resident).collect::<Result<_>>().map(Accumulated)
}

/// Finalize: states to blocks.
///
/// # Errors
/// Windows that cannot be resolved.
pub fn finalize_all(spec: &Spec, Accumulated(partitions): &Accumulated) -> Result<(Vec<Window>, Vec<Block>)> {
    let windows = match &spec.windows {
        Windows::List(list) => list.clone(),
        Windows::Every(_) => return Err(Error::usage("give a list of windows")),
    };
    let finalizer = Finalizer { windows, first_key: 0, times: BlockTimes::default() };
    let mut states = StateBatch::default();
    let mut blocks = Vec::new();
    for table in partitions {
        for customers in table.ranges(FRAME_CUSTOMERS) {
            table.fill(customers, &mut states);
            blocks.push(Block::default());
            blocks.iter_mut().last().into_iter().for_each(|block| finalizer.fill(&states, block, None));
        }
    }
    Ok((finalizer.windows, blocks))
}

/// Lens and reduce: Lens 1's and Lens 2's counts of all blocks.
pub fn observe(windows: &[Window], blocks: &[Block]) -> u64 {
    let lens = (Lens1::default(), Lens2::new(windows));
    let mut partial = lens.empty(windows);
    blocks.iter().for_each(|block| lens.observe(&mut partial, block));
    lens.finish(windows, partial).1.iter().map(|bridge| bridge.migration().retained).sum()
}
