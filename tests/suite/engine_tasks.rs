//! The tasks of an update, as an engine runs them: states, reports and rows equal those of one process to the byte, whatever the number of
//! tasks, the size of work units and the order of what is shuffled; and so do the words for what is wrong.

use crate::make::Encoding;
use crate::support::*;
use lensflow::jobs::{Update, Updated};
use lensflow::model::{Granularity, OnBadRow, Windows};
use lensflow::pipeline::Order;
use lensflow::spec::Spec;
use lensflow::state::State;
use lensflow::tasks::{EngineJob, Limits, TaskMessage, WorkUnit, accumulate, accumulate_batches, merge, merge_frames};
use lensflow::{Cancel, Error, Pipeline, Result};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

/// How an engine divides the work.
#[derive(Debug, Clone, Copy)]
struct Cluster {
    bytes: u64,
    tasks: usize,
    merges: usize,
    /// Merged on the way, without a folder that all see.
    twice: bool,
}

const CLUSTERS: [Cluster; 3] = [
    Cluster { bytes: 1, tasks: 3, merges: 2, twice: false },
    Cluster { bytes: 1 << 40, tasks: 1, merges: 7, twice: true },
    Cluster { bytes: 100_000, tasks: 9, merges: 1, twice: false },
];

type Rows = Vec<(u32, Vec<u8>)>;

fn again<T: serde::Serialize + serde::de::DeserializeOwned>(value: &T) -> T {
    serde_json::from_str(&serde_json::to_string(value).unwrap()).unwrap()
}

impl Cluster {
    /// Runs the tasks of a job one after the other, each with nothing but what came to it as bytes.
    fn run(self, job: &EngineJob, units: Vec<WorkUnit>, folder: &Path) -> Result<Vec<TaskMessage>> {
        let limits = Limits { memory: Some(64 << 20), workers: Some(1), spill_dir: None };
        let cancel = Cancel::default();
        let mut shuffled: Vec<Rows> = vec![Rows::new(); self.merges];
        for task in 0..self.tasks {
            let own: Vec<WorkUnit> = units.iter().filter(|unit| unit.number as usize % self.tasks == task).map(again).collect();
            // A task whose machine was lost when some had its rows already.
            let tries = if task.is_multiple_of(2) { vec![again(&own), own] } else { vec![own] };
            for (at, units) in tries.into_iter().rev().enumerate() {
                accumulate(&again(job), units, &limits, &cancel, &mut |key, bytes| {
                    let to = key as usize % self.merges;
                    if at == 0 || to.is_multiple_of(2) {
                        shuffled[to].push((key, bytes.to_vec()));
                    }
                    Ok(())
                })?;
            }
        }
        if self.twice {
            let mut fewer = Rows::new();
            for rows in std::mem::take(&mut shuffled) {
                for rows in [rows.clone(), rows] {
                    merge_frames(job, rows.into_iter().map(Ok), &limits, &cancel, &mut |key, bytes| {
                        fewer.push((key, bytes.to_vec()));
                        Ok(())
                    })?;
                }
            }
            shuffled.push(fewer);
        }
        let mut messages = Vec::new();
        for mut rows in shuffled {
            rows.reverse();
            // Some come twice.
            rows.extend_from_within(..rows.len() / 3);
            // And so does a merge.
            messages.extend(merge(job, rows.clone().into_iter().map(Ok), folder, &limits, &cancel)?);
            messages.extend(merge(job, rows.into_iter().map(Ok), folder, &limits, &cancel)?);
        }
        Ok(messages)
    }

    fn update(self, update: &Update, state: &Path, inputs: &[String]) -> Result<Updated> {
        update.run_on(state, inputs, self.bytes, |job, units| self.run(job, units, state))
    }
}

fn update(policy: OnBadRow) -> Update {
    let now = Some(UNIX_EPOCH + Duration::from_secs(1_700_000_000));
    Update { spec: Spec::default().with_on_bad_row(policy).with_workers(1), now, ..Update::default() }
}

/// The files of a state.
fn files_of(state: &Path) -> BTreeMap<String, Vec<u8>> {
    let names = listing(state).into_iter().filter(|name| name != "LOCK");
    names.map(|name| (name.clone(), fs::read(state.join(name)).unwrap())).collect()
}

/// An update by one process and by some engines, again and again; all states are equal at any time, and so is what is said.
#[track_caller]
fn same(name: &str, update: &Update, rounds: &[Vec<String>], clusters: &[Cluster]) -> Vec<Result<Updated, String>> {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().join("here");
    let mut said = Vec::new();
    for inputs in rounds {
        let told = |updated: Result<Updated>| updated.map_err(|e| format!("{e:?}"));
        let whole = told(update.run(&here, inputs, |_| ()));
        let clean = |updated: &Result<Updated, String>| updated.as_ref().map(|updated| format!("{updated:?}")).map_err(Clone::clone);
        for (at, cluster) in clusters.iter().enumerate() {
            let there = folder.path().join(at.to_string());
            let updated = told(cluster.update(update, &there, inputs));
            assert_eq!(clean(&updated), clean(&whole), "{name} by {cluster:?}");
            assert!(files_of(&there) == files_of(&here), "{name}: the state of {cluster:?} is another: {:?}", listing(&there));
        }
        said.push(whole);
    }
    said
}

#[test]
fn golden_cases_make_the_same_states() {
    let folder = tempfile::tempdir().unwrap();
    let mut customers = 0;
    for case in Golden::all().iter().filter(|case| case.name != "50_cdnow_quarters") {
        let mut inputs = Vec::new();
        for encoding in [Encoding::Parquet, Encoding::CsvGzip, Encoding::ArrowFile] {
            let path = folder.path().join(format!("{}-{}", case.name, encoding.file_name()));
            fs::write(&path, encoding.encode(&case.table)).unwrap();
            inputs.push(path.to_string_lossy().into_owned());
        }
        let mut by_month = update(OnBadRow::Fail);
        (by_month.every, by_month.allow_duplicate) = (Some(Granularity::Month), true);
        let (first, others) = inputs.split_at(1);
        let said = same(&case.name, &by_month, &[first.to_vec(), others.to_vec()], &CLUSTERS[..1]);
        customers += said.iter().flatten().flat_map(|updated| &updated.manifest.runs).map(|run| run.customers).sum::<u64>();
        // All inputs together as one part.
        by_month.undo = Some(Duration::ZERO);
        same(&case.name, &by_month, &[inputs], &CLUSTERS[1..2]);
    }
    assert!(customers > 1_000, "the states have {customers} customers only");
}

#[test]
fn cdnow_is_divided_and_audited_alike() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/cdnow_periods.csv").to_owned();
    let mut by_quarter = update(OnBadRow::Fail);
    by_quarter.every = Some(Granularity::Quarter);
    same("CDNOW", &by_quarter, &[vec![path.clone()]], &CLUSTERS);

    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let mut read = 0;
    let cluster = CLUSTERS[0];
    let divided = |job: &EngineJob, units: Vec<WorkUnit>| {
        read = units.len();
        cluster.run(job, units, &state)
    };
    by_quarter.run_on(&state, std::slice::from_ref(&path), 1_000_000, divided).unwrap();
    assert!(read > 1, "the CSV was read as {read} work units");

    let spec = Spec::default().with_windows(Windows::Every(Granularity::Quarter));
    let whole = audit(&spec, &[path]).unwrap();
    let mut pipeline = Pipeline::builder().spec(spec).build().unwrap();
    pipeline.run_state(&State::open(&state).unwrap()).unwrap();
    let divided = pipeline.finish().unwrap();
    assert_eq!(divided.report.to_json().unwrap(), whole.report.to_json().unwrap());
    let rows = |audit: &lensflow::Audit| written(folder.path(), "rfm.csv", Order::Sorted, audit);
    assert!(rows(&divided) == rows(&whole));
}

#[test]
fn batches_are_taken_in_once_however_they_are_divided() {
    let case = Golden::load("50_cdnow_quarters");
    let folder = tempfile::tempdir().unwrap();
    let (limits, cancel) = (Limits::default(), Cancel::default());
    let rows = |parts: usize, every: Granularity| {
        let (job, batch) = (EngineJob::new(Spec::default(), every), case.table.text_batch(false));
        let mut rows = Rows::new();
        let size = batch.num_rows().div_ceil(parts);
        for part in 0..parts {
            let from = (part * size).min(batch.num_rows());
            let own = vec![batch.slice(from, size.min(batch.num_rows() - from))];
            accumulate_batches(&job, part as u64, own.into_iter(), &limits, &cancel, &mut |key, bytes| {
                rows.push((key, bytes.to_vec()));
                Ok(())
            })
            .unwrap();
        }
        (job, rows)
    };
    // By month, all rows are open: they are of quarters.
    for every in [Granularity::Quarter, Granularity::Month] {
        let state = folder.path().join(every.to_string());
        let update = Update { every: Some(every), ..update(OnBadRow::Fail) };
        let take = |parts| {
            let (job, rows) = rows(parts, every);
            update.run_frames(&state, "some rows", &job, rows.into_iter().map(Ok)).unwrap()
        };
        let first = take(3);
        assert_eq!((first.rows, first.taken.len(), first.known.len()), (44_564, 1, 0));
        let again = take(5);
        assert_eq!((again.known.len(), again.manifest), (1, first.manifest));
        let spec = Spec::default().with_windows(Windows::Every(Granularity::Quarter));
        let mut pipeline = Pipeline::builder().spec(spec.clone()).build().unwrap();
        pipeline.run_state(&State::open(&state).unwrap()).unwrap();
        let whole = audit(&spec, &[concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/cdnow_periods.csv")]).unwrap();
        assert_eq!(without_sources(&pipeline.finish().unwrap().report), without_sources(&whole.report));
    }
}

/// Rows of customers in months, of which some are bad.
fn rows(count: usize, bad: &[usize]) -> String {
    let mut text = "customer_id,period_start,period_end,total_orders,total_spend\n".to_owned();
    for row in 0..count {
        let (month, spend) = (1 + row % 11, if bad.contains(&row) { "much".to_owned() } else { format!("{}.25", row % 90) });
        text += &format!("\"customer,\n {}\",2024-{month:02}-01,2024-{:02}-01,1,{spend}\n", row % 5_003, month + 1);
    }
    text
}

#[test]
fn bad_rows_are_told_and_left_out_alike() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, text: String| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_string_lossy().into_owned()
    };
    let good = put("a.csv", rows(100, &[]));
    let some = put("b.csv", rows(60_000, &[40_000, 7_000, 59_999]));
    let most = put("c.csv", rows(100, &(0..70).collect::<Vec<_>>()));
    let cut = put("d.csv", rows(30_000, &[29_000]) + "\"never closed");
    let fails = same(
        "fail",
        &update(OnBadRow::Fail),
        &[vec![good.clone()], vec![good.clone(), some.clone(), most.clone()], vec![cut.clone()]],
        &CLUSTERS,
    );
    assert!(fails[0].is_ok());
    assert!(fails[1].as_ref().unwrap_err().contains("row 7001"), "{fails:?}");
    let reject = update(OnBadRow::Reject);
    let said = same("reject", &reject, &[vec![some.clone()], vec![good, most], vec![cut]], &CLUSTERS);
    assert_eq!(said[0].as_ref().unwrap().rows_rejected.values().sum::<u64>(), 3);
    assert!(said[1].as_ref().unwrap_err().contains("70 of 100 rows are bad"), "{said:?}");
    let mut together = reject;
    together.undo = Some(Duration::ZERO);
    together.spec = together.spec.with_max_rejects("100%".parse().unwrap());
    same(
        "together",
        &together,
        &[vec![some.clone(), put("e.csv", rows(50, &(0..50).collect::<Vec<_>>())), put("f.csv", String::new())]],
        &CLUSTERS[..1],
    );
}

#[test]
fn rows_that_are_lost_or_come_twice_on_the_way_are_noticed() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/cdnow_periods.csv").to_owned();
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let spoilt = |spoil: &dyn Fn(&mut Vec<WorkUnit>, &mut Rows)| -> Error {
        let engine = |job: &EngineJob, mut units: Vec<WorkUnit>| {
            let (limits, cancel, mut rows) = (Limits::default(), Cancel::default(), Rows::new());
            spoil(&mut units, &mut rows);
            accumulate(job, units, &limits, &cancel, &mut |key, bytes| {
                rows.push((key, bytes.to_vec()));
                Ok(())
            })?;
            spoil(&mut Vec::new(), &mut rows);
            merge(job, rows.into_iter().map(Ok), &state, &limits, &cancel)
        };
        update(OnBadRow::Fail).run_on(&state, std::slice::from_ref(&path), 1_000_000, engine).unwrap_err()
    };
    let lost = spoilt(&|units, _| drop(units.pop()));
    assert!(lost.to_string().contains("has not read work unit"), "{lost}");
    let lost = spoilt(&|_, rows| drop((rows.len() > 2).then(|| rows.remove(1))));
    assert!(lost.to_string().contains("lost on their way"), "{lost}");
    let twice = spoilt(&|units, _| units.extend(units.first().cloned()));
    assert!(twice.to_string().contains("twice"), "{twice}");
    assert_eq!(files_of(&state).keys().collect::<Vec<_>>(), ["NEW"; 0]);
}
