//! Runs the pipeline over a case and compares everything it says with the model.

use super::answers::{Answers, Rfm};
use super::rows::{Case, Row};
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{Decimal128Type, Int32Type, Int64Type, TimestampMicrosecondType, UInt8Type};
use lensflow::model::{OnBadRow, Reject};
use lensflow::pipeline::Builder;
use lensflow::pipeline::{Audit, Order};
use lensflow::report::Report;
use lensflow::report::rows::{migration_schema, rfm_schema};
use lensflow::source::Batches;
use lensflow::spec::{Parallel, Spec};
use lensflow::spill::Memory;
use lensflow::{Error, Lens, Pipeline};
use serde_json::{Value, json};
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
const SOURCE: &str = "rows of a test";

impl Run {
    /// The places of the case's rows in the order in which they come.
    fn order(&self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        let Some(mut state) = self.shuffle else { return order };
        for i in (1..n).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            order.swap(i, (state >> 33) as usize % (i + 1));
        }
        order
    }

    /// How many of `n` rows are pushed.
    fn pushed(&self, n: usize) -> usize {
        match self.way {
            Way::Push => n,
            Way::Run => 0,
            Way::Both => n / 2,
        }
    }

    /// The source and row number of the row that comes at a place.
    fn address(&self, at: usize, n: usize) -> (&'static str, u64) {
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
    let spec = Spec {
        windows: case.windows.clone(),
        columns: case.layout.map(),
        percentiles: case.percentiles.clone(),
        bins: case.bins,
        on_bad_row: run.policy,
        workers: Some(run.workers),
        parallel: run.parallel,
        ..Spec::default()
    };
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

/// Everything the engine says under the policy that rejects is what the model says.
pub(crate) fn equals(case: &Case, how: &Run) {
    let model = Answers::of(case);
    let audit = run(case, how).unwrap_or_else(|e| panic!("{how:?}: {e}"));
    report_equals(&audit.report, &model, how, case.rows.len());
    assert_eq!(rfm_rows(&sorted_rfm(&audit)), model.rfm, "{how:?}");
    let mut by_id = rfm_rows(&concat_batches(&rfm_schema(), &collect(audit.rfm(Order::Engine).expect("rows"))).expect("one schema"));
    let place = |window: &str| audit.windows().iter().position(|w| w.name == window);
    by_id.sort_by_key(|row| (place(&row.window), row.id.clone().into_bytes()));
    assert_eq!(by_id, model.rfm, "{how:?}");
    assert_eq!(migration_rows(&audit, Order::Sorted), model.moved, "{how:?}");
    let mut moved = migration_rows(&audit, Order::Engine);
    moved.sort_by_key(|[from, _, id, _]| (place(from), id.clone().into_bytes()));
    assert_eq!(moved, model.moved, "{how:?}");
    rejects_equal(case, how, &audit, &model);
}

fn report_equals(report: &Report, model: &Answers, how: &Run, rows: usize) {
    let text = report.to_json().expect("a report has JSON");
    assert_eq!(&serde_json::from_str::<Report>(&text).expect("a report reads back"), report, "{how:?}");
    let mut json: Value = serde_json::from_str(&text).expect("JSON");
    let fields = json.as_object_mut().expect("an object");
    let warnings = fields.remove("warnings").expect("warnings");
    let mut sources = Vec::new();
    if how.pushed(rows) > 0 {
        sources.push("pushed");
    }
    if how.way != Way::Push {
        sources.push(SOURCE);
    }
    let input = fields["input"].as_object_mut().expect("an object");
    assert_eq!(input.remove("sources"), Some(json!(sources)), "{how:?}");
    assert_eq!(json, model.report, "{how:?}");
    let warnings = warnings.as_array().expect("a list");
    assert_eq!(warnings.len(), model.warnings.len(), "{how:?}: {warnings:?}");
    for (text, parts) in warnings.iter().zip(&model.warnings) {
        let text = text.as_str().expect("a text");
        assert!(parts.iter().all(|part| text.contains(part)), "{text} does not say {parts:?}");
    }
}

fn rejects_equal(case: &Case, how: &Run, audit: &Audit, model: &Answers) {
    let (n, said) = (case.rows.len(), case.said());
    let mut expected: Vec<_> = Vec::new();
    for (at, i) in how.order(n).into_iter().enumerate() {
        let Some(reason) = model.rejected_rows.get(&i) else { continue };
        let (source, row) = how.address(at, n);
        expected.push((source.to_owned(), row, said[i].id.clone().unwrap_or_default(), *reason));
    }
    expected.sort();
    let rejects: Vec<Reject> = audit.rejects().collect::<Result<_, _>>().expect("rejects");
    let (rows, customers): (Vec<_>, Vec<_>) = rejects.iter().partition(|r| r.window.is_none());
    let found: Vec<_> = rows.iter().map(|r| (r.source.clone(), r.row, r.customer_id.clone(), r.reason)).collect();
    assert_eq!(found, expected, "{how:?}");
    assert!(rows.iter().all(|r| r.fields.len() == 6 && r.fields[0] == r.customer_id), "{rows:?}");
    let found: Vec<_> = customers.iter().map(|r| (r.window.clone().unwrap_or_default(), r.customer_id.clone(), r.reason)).collect();
    assert_eq!(found, model.left_out, "{how:?}");
    // Rows come first, as they do in the file.
    assert!(rejects.iter().is_sorted_by_key(|r| r.window.is_some()));
    let batches: Vec<_> = audit.reject_rows().collect::<Result<_, _>>().expect("batches");
    let reasons: Vec<_> = batches.iter().flat_map(|batch| batch["reason"].as_string::<i32>().iter().flatten()).collect();
    assert_eq!(reasons, rejects.iter().map(|r| r.reason.name()).collect::<Vec<_>>());
    let input = &audit.report.input;
    assert_eq!(input.rows_read, input.rows_accepted + input.rows_rejected.values().sum::<u64>());
    assert_eq!(input.rows_rejected.values().sum::<u64>(), rows.len() as u64);
}

/// Under the policy that fails there is an error exactly when the model rejects something, and it says what and where.
pub(crate) fn fails_iff_something_is_bad(case: &Case, how: &Run) {
    let (model, n) = (Answers::of(case), case.rows.len());
    let error = match run(case, how) {
        Ok(audit) => {
            assert!(
                model.rejected_rows.is_empty() && model.left_out.is_empty(),
                "no error about {:?} {:?}",
                model.rejected_rows,
                model.left_out
            );
            report_equals(&audit.report, &model, how, n);
            assert!(audit.rejects().next().is_none());
            return;
        }
        Err(error) => error,
    };
    let text = error.to_string();
    let bad: Vec<(usize, usize)> = how.order(n).into_iter().enumerate().filter(|(_, i)| model.rejected_rows.contains_key(i)).collect();
    if bad.is_empty() {
        let (window, id, reason) = model.left_out.first().unwrap_or_else(|| panic!("{how:?}: nothing is bad, but: {text}"));
        assert!([&format!("{id:?}"), window, reason.name()].iter().all(|part| text.contains(*part)), "{window} {id} {reason}: {text}");
        return;
    }
    let is_here = |(at, _): &&(usize, usize)| {
        let (source, row) = how.address(*at, n);
        error.at_input() == Some(source) && error.at_row() == Some(row)
    };
    let (at, i) = *bad.iter().find(is_here).unwrap_or_else(|| panic!("{how:?}: no such bad row: {text}"));
    // The first, whichever thread is faster.
    assert_eq!(at, bad[0].0, "{how:?}: {text}");
    assert!(text.contains(model.rejected_rows[&i].name()), "{:?}: {text}", model.rejected_rows[&i]);
    let id = case.said()[i].id.clone().unwrap_or_default();
    assert!(id.is_empty() || text.contains(&format!("{id:?}")), "{id:?}: {text}");
}

fn collect<T: Iterator<Item = Result<RecordBatch, Error>>>(rows: T) -> Vec<RecordBatch> {
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

fn migration_rows(audit: &Audit, order: Order) -> Vec<[String; 4]> {
    let batches = collect(audit.migrations(order).expect("rows"));
    let columns = ["from", "to", "customer_id", "status"];
    let rows = |batch: &RecordBatch| (0..batch.num_rows()).map(|i| columns.map(|c| text(batch, c, i).to_owned())).collect::<Vec<_>>();
    batches.iter().flat_map(rows).collect()
}
