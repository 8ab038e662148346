//! Runs the pipeline over a case in any way that must not change an answer, and reads the rows that it gives.

use crate::make::{Case, Dice, Row};
use crate::model::rfm::Rfm;
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{Decimal128Type, Int32Type, Int64Type, TimestampMicrosecondType, UInt8Type};
use lensflow::model::{MaxRejects, OnBadRow};
use lensflow::pipeline::Builder;
use lensflow::pipeline::{Audit, Order};
use lensflow::report::rows::{migration_schema, rfm_schema};
use lensflow::source::Batches;
use lensflow::spec::{Parallel, Spec};
use lensflow::testing::Memory;
use lensflow::{Error, Lens, Pipeline};
use proptest::prelude::*;
use std::sync::Arc;

/// How rows get into the pipeline.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Way {
    Push,
    Run,
    /// The first half pushed, the second read from a source.
    Both,
}

/// All that must not change an answer, and the policy, which may.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) workers: usize,
    pub(crate) batch: usize,
    /// A seed, or none for the rows as they are.
    pub(crate) shuffle: Option<u64>,
    pub(crate) parallel: Parallel,
    pub(crate) way: Way,
    pub(crate) policy: OnBadRow,
    /// None for as much memory as there is.
    pub(crate) spill: Option<Spill>,
}

/// How little memory customers' states have, and where they go for want of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spill {
    pub(crate) budget: u64,
    /// To files, or into memory that nobody counts.
    pub(crate) disk: bool,
}

impl Spill {
    /// Every row leaves memory as soon as it comes.
    pub(crate) const AT_ONCE: u64 = 1;

    pub(crate) fn set<L: Lens>(self, builder: Builder<L>) -> Builder<L> {
        let builder = builder.state_budget(self.budget);
        if self.disk { builder } else { builder.run_store(Arc::new(Memory::default())) }
    }
}

/// The name of the source that is not pushed.
pub(super) const SOURCE: &str = "rows of a test";

impl Run {
    /// The places of the case's rows in the order in which they come.
    pub(super) fn order(&self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        if let Some(seed) = self.shuffle {
            Dice(seed).shuffle(&mut order);
        }
        order
    }

    /// How many of `n` rows are pushed.
    pub(super) fn pushed(&self, n: usize) -> usize {
        match self.way {
            Way::Push => n,
            Way::Run => 0,
            Way::Both => n / 2,
        }
    }

    /// The source and row number of the row that comes at a place.
    pub(super) fn address(&self, at: usize, n: usize) -> (&'static str, u64) {
        let pushed = self.pushed(n);
        if at < pushed { ("pushed", at as u64 + 1) } else { (SOURCE, (at - pushed) as u64 + 1) }
    }
}

/// Runs the pipeline to its end or its error.
pub(crate) fn run(case: &Case, run: &Run) -> Result<Audit, Error> {
    run_with(case, run, Pipeline::builder())
}

/// The same with a lens of the caller's own.
pub(crate) fn run_with<L: Lens>(case: &Case, run: &Run, builder: Builder<L>) -> Result<Audit<L::Answer>, Error>
where
    L::Answer: Send,
{
    let rows: Vec<Row> = run.order(case.rows.len()).into_iter().map(|i| case.rows[i].clone()).collect();
    let spec = Spec::default()
        .with_windows(case.windows.clone())
        .with_columns(case.layout.map())
        .with_percentiles(case.percentiles.clone())
        .with_bins(case.bins)
        .with_cohorts(true)
        .with_on_bad_row(run.policy)
        .with_max_rejects(MaxRejects::Rows(u64::MAX))
        .with_workers(Some(run.workers))
        .with_parallel(run.parallel);
    let builder = builder.spec(spec);
    let mut pipeline = match run.spill {
        Some(spill) => spill.set(builder),
        None => builder,
    }
    .build()?;
    let stats = pipeline.stats();
    let (pushed, read) = rows.split_at(run.pushed(rows.len()));
    for rows in pushed.chunks(run.batch) {
        pipeline.push(&case.layout.batch(rows))?;
    }
    if run.way != Way::Push {
        let batches: Vec<RecordBatch> = read.chunks(run.batch).map(|rows| case.layout.batch(rows)).collect();
        pipeline.run(Batches::new(SOURCE, case.layout.map(), batches.into_iter()))?;
    }
    let audit = pipeline.finish()?;
    let counts = stats.snapshot();
    match run.spill {
        None => assert_eq!((counts.runs, counts.bytes_spilled), (0, 0)),
        Some(Spill { budget: Spill::AT_ONCE, disk }) => {
            assert!(counts.runs >= counts.customers, "{} runs of {} customers", counts.runs, counts.customers);
            let left_out = !counts.rows_rejected.is_empty();
            assert_eq!(counts.bytes_spilled > 0, disk && (counts.customers > 0 || left_out));
        }
        Some(_) => {}
    }
    Ok(audit)
}

pub(crate) fn runs() -> impl Strategy<Value = Run> {
    let parallel = prop_oneof![
        Just(Parallel::Off),
        Just(Parallel::On),
        Just(Parallel::default()),
        Just(Parallel::Auto { threshold: 0 }),
        Just(Parallel::Auto { threshold: 5 }),
    ];
    let (workers, batch) = (prop::sample::select(vec![1, 2, 3, 7]), prop::sample::select(vec![1, 7, 1_000]));
    let way = prop::sample::select(vec![Way::Push, Way::Run, Way::Both]);
    let budgets = prop::sample::select(vec![Spill::AT_ONCE, 3_000, 30_000]);
    let spill = prop::option::of((budgets, prop::bool::weighted(0.25)).prop_map(|(budget, disk)| Spill { budget, disk }));
    (workers, batch, any::<u64>(), parallel, way, spill).prop_map(|(workers, batch, shuffle, parallel, way, spill)| Run {
        workers,
        batch,
        shuffle: Some(shuffle),
        parallel,
        way,
        policy: OnBadRow::Reject,
        spill,
    })
}

/// One thread, rows in order.
pub(crate) const PLAIN: Run =
    Run { workers: 1, batch: 1_000, shuffle: None, parallel: Parallel::Off, way: Way::Push, policy: OnBadRow::Reject, spill: None };

pub(super) fn collect<T: Iterator<Item = Result<RecordBatch, Error>>>(rows: T) -> Vec<RecordBatch> {
    rows.collect::<Result<_, _>>().expect("batches")
}

/// All RFM and migration rows as they come, each in one batch.
pub(crate) fn rows_in_engine_order(case: &Case, how: &Run) -> [RecordBatch; 2] {
    let audit = run(case, how).unwrap_or_else(|e| panic!("{how:?}: {e}"));
    let rfm = collect(audit.rfm(Order::Engine).expect("rows"));
    let moved = collect(audit.migrations(Order::Engine).expect("rows"));
    [concat_batches(&rfm_schema(), &rfm).expect("one schema"), concat_batches(&migration_schema(), &moved).expect("one schema")]
}

/// The RFM rows in the batches that they come in.
pub(crate) fn batches_in_engine_order(case: &Case, how: &Run) -> Vec<RecordBatch> {
    collect(run(case, how).expect("an audit").rfm(Order::Engine).expect("rows"))
}

pub(crate) fn sorted_rfm<A>(audit: &Audit<A>) -> RecordBatch {
    concat_batches(&rfm_schema(), &collect(audit.rfm(Order::Sorted).expect("rows"))).expect("one schema")
}

fn text<'a>(batch: &'a RecordBatch, column: &str, row: usize) -> &'a str {
    batch[column].as_string_view().value(row)
}

pub(crate) fn rfm_rows(batch: &RecordBatch) -> Vec<Rfm> {
    let row = |i: usize| {
        let (money, score) = (
            |name: &str| batch[name].as_primitive::<Decimal128Type>().value(i),
            |name: &str| batch[name].as_primitive::<UInt8Type>().value(i).into(),
        );
        let time = |name: &str| batch[name].as_primitive::<TimestampMicrosecondType>().value(i);
        let scores: [usize; 3] = [score("r_score"), score("f_score"), score("m_score")];
        assert_eq!(text(batch, "rfm_score", i), scores.map(|s| s.to_string()).concat());
        Rfm {
            window: text(batch, "window", i).to_owned(),
            id: text(batch, "customer_id", i).to_owned(),
            recency_days: batch["recency_days"].as_primitive::<Int32Type>().value(i).into(),
            frequency: batch["frequency"].as_primitive::<Int64Type>().value(i).into(),
            monetary: money("monetary"),
            total_spend: money("total_spend"),
            start: time("observation_start"),
            observation_end: time("observation_end"),
            scores,
        }
    };
    assert!(batch.columns().iter().all(|array| array.null_count() == 0));
    (0..batch.num_rows()).map(row).collect()
}

pub(super) fn migration_rows(audit: &Audit, order: Order) -> Vec<[String; 4]> {
    let batches = collect(audit.migrations(order).expect("rows"));
    let columns = ["from", "to", "customer_id", "status"];
    let rows = |batch: &RecordBatch| (0..batch.num_rows()).map(|i| columns.map(|c| text(batch, c, i).to_owned())).collect::<Vec<_>>();
    batches.iter().flat_map(rows).collect()
}
