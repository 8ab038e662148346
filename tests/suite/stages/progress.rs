//! The counter of finished partitions at the end of a pass.

use lensflow::finalize::Block;
use lensflow::model::PARTITIONS;
use lensflow::model::{Window, Windows};
use lensflow::report::rows::rfm_schema;
use lensflow::report::table::TableWriter;
use lensflow::stats::Stats;
use lensflow::synthetic::Synthetic;
use lensflow::{Lens, Pipeline};
use std::sync::{Arc, OnceLock};

/// Counts blocks; its answer has the partitions that the run had finished after the last one, too.
#[derive(Clone, Default)]
struct Watcher(Arc<OnceLock<Arc<Stats>>>);

impl Lens for Watcher {
    type Partial = u64;
    type Answer = (u64, u64);

    fn empty(&self, _: &[Window]) -> u64 {
        0
    }

    fn observe(&self, blocks: &mut u64, _: &Block) {
        *blocks += 1;
    }

    fn finish(&self, _: &[Window], blocks: u64) -> (u64, u64) {
        (blocks, self.0.get().expect("set before the run").snapshot().partitions_finished)
    }
}

/// A window of all rows, and so many after it that a block has room for few customers.
fn windows() -> Windows {
    const ALL: i64 = 1 << 52;
    let window = |start, end| Window { name: format!("from {start}"), start, end, observation_end: end };
    let later = (0..(1 << 15) - 1).map(|at| window(ALL + at, ALL + at + 1));
    Windows::List([window(0, ALL)].into_iter().chain(later).collect())
}

#[test]
fn every_partition_is_finished_once() {
    let folder = tempfile::tempdir().expect("a folder");
    for (customers, workers, written) in [(10, 1, false), (10, 1, true), (10_000, 2, false), (10_000, 2, true)] {
        let watcher = Watcher::default();
        let builder = Pipeline::builder().windows(windows()).workers(workers).parallel(lensflow::spec::Parallel::On);
        let mut pipeline = builder.lens(watcher.clone()).build().expect("valid options");
        watcher.0.set(pipeline.stats()).expect("set once");
        pipeline.run(Synthetic { customers, ..Synthetic::default() }.generator().expect("valid").source()).expect("good rows");
        let mut table = TableWriter::create(&folder.path().join("rfm.csv"), None, &rfm_schema()).expect("a table");
        let ((), (blocks, finished)) = pipeline.finish_into(written.then_some(&mut table)).expect("good rows").custom;
        assert_eq!(finished, PARTITIONS as u64, "{customers} customers, rows written: {written}");
        assert_eq!(blocks > PARTITIONS as u64, customers > 10, "{blocks} blocks test too little");
    }
}
