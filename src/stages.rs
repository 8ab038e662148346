//! The stages one at a time, for benches and profilers: what [`pipeline`](crate::pipeline) runs all at once. Not part of the API.

use crate::accumulate::Partition;
use crate::calendar::{Window, Windows};
use crate::error::Result;
use crate::finalize::{Block, finalize};
use crate::lens::Lens;
use crate::lens::comparison::Comparison;
use crate::lens::single_period::SinglePeriod;
use crate::route::lane::{Delivery, lanes};
use crate::route::{Ledger, PARTITIONS, Router};
use crate::source::{PeriodBatch, Source};
use crate::spec::Spec;
use crate::stats::Stats;
use std::sync::Arc;

/// Buffers of routed rows.
pub struct Routed(Vec<Delivery>);

/// Accumulated partitions.
pub struct Accumulated(Vec<Partition>);

/// Source: decodes everything.
///
/// # Errors
/// What the source fails with.
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

/// Route: hashes and scatters, over a lane to one receiver.
///
/// # Errors
/// A bad row.
pub fn route(spec: &Spec, batches: &[PeriodBatch]) -> Result<Routed> {
    let (lanes, mut ends) = lanes(1);
    let mut router = Router::new(spec, lanes, Arc::new(Stats::default()), Arc::new(Ledger::default()));
    std::thread::scope(|scope| {
        let end = ends.remove(0);
        let taken = scope.spawn(move || end.receiver.iter().collect());
        for batch in batches {
            router.route(batch)?;
        }
        router.flush()?;
        drop(router);
        let taken = taken.join();
        Ok(Routed(taken.map_err(|panic| crate::Error::panicked(crate::error::Stage::Route, panic))?))
    })
}

/// Accumulate: folds rows into states.
pub fn accumulate(Routed(deliveries): Routed) -> Accumulated {
    let mut partitions: Vec<Partition> = std::iter::repeat_with(Partition::default).take(PARTITIONS).collect();
    for Delivery { partition, rows } in deliveries {
        partitions[partition].take(rows, drop);
    }
    partitions.iter_mut().for_each(|partition| partition.fold(drop));
    Accumulated(partitions)
}

/// Finalize: states to blocks.
///
/// # Errors
/// Windows that cannot be resolved.
pub fn finalize_all(spec: &Spec, Accumulated(partitions): Accumulated) -> Result<(Vec<Window>, Vec<Block>)> {
    let windows = match &spec.windows {
        Windows::List(list) => list.clone(),
        Windows::Every(_) => return Err(crate::Error::usage("give a list of windows")),
    };
    let blocks = partitions.into_iter().map(|partition| finalize(partition, &windows, 0).0).collect();
    Ok((windows, blocks))
}

/// Lens and reduce: Lens 1's and Lens 2's counts of all blocks.
pub fn observe(windows: &[Window], blocks: &[Block]) -> u64 {
    let lens = (SinglePeriod::default(), Comparison::new(windows));
    let mut partial = lens.empty(windows);
    blocks.iter().for_each(|block| lens.observe(&mut partial, block));
    lens.finish(windows, partial).1.iter().map(|m| m.retained).sum()
}
