//! Each stage by itself, on one thread: rows a second from decoding to the lenses.
//!
//! `cargo bench --bench stages`. Inputs are 100,000 made-up customers with some 300,000 rows: uniform, by Zipf's law, with one hot
//! customer, and with long ids.

mod made;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use lensflow::model::PeriodBatch;
use lensflow::model::{Window, Windows};
use lensflow::source::files::Files;
use lensflow::spec::Spec;
use lensflow::synthetic::{IdStyle, Skew, Synthetic};
use lensflow::tasks::stages as tasks;
use std::path::PathBuf;

fn main() {
    divan::main();
}

const INPUTS: [&str; 4] = ["uniform", "zipf", "hot", "uuid"];
const FORMATS: [&str; 4] = ["parquet", "arrow", "csv", "jsonl"];

fn input(name: &str) -> Synthetic {
    let base = Synthetic { customers: 100_000, ..Synthetic::default() };
    match name {
        "zipf" => Synthetic { skew: Skew::Zipf, ..base },
        "hot" => Synthetic { skew: Skew::Hot, ..base },
        "uuid" => Synthetic { ids: IdStyle::Uuid, ..base },
        _ => base,
    }
}

fn spec() -> Spec {
    let windows = ["2023-H1", "2023-H2"].map(|w| w.parse::<Window>().expect("a calendar window"));
    Spec::default().with_windows(Windows::List(windows.to_vec()))
}

fn batches(name: &str) -> Vec<PeriodBatch> {
    let mut source = input(name).generator().expect("a valid generator").source();
    tasks::decode(&mut source).expect("generated rows decode")
}

fn rows(batches: &[PeriodBatch]) -> ItemsCount {
    ItemsCount::new(batches.iter().map(|b| b.starts.len()).sum::<usize>())
}

#[divan::bench(args = INPUTS)]
fn generate(bencher: Bencher<'_, '_>, name: &str) {
    bencher.counter(rows(&batches(name))).bench(|| batches(name));
}

#[divan::bench(args = FORMATS)]
fn source(bencher: Bencher<'_, '_>, format: &str) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path: PathBuf = folder.path().join(format!("periods.{format}"));
    made::write(&input("uniform"), &path).expect("a file");
    let name = path.to_string_lossy().into_owned();
    let open = || Files::find(&[name.as_str()], None, &Spec::default()).expect("the file");
    let count = rows(&tasks::decode(&mut open()).expect("rows"));
    bencher.counter(count).bench(|| tasks::decode(&mut open()).expect("rows"));
}

#[divan::bench(args = INPUTS)]
fn route(bencher: Bencher<'_, '_>, name: &str) {
    let (spec, batches) = (spec(), batches(name));
    bencher.counter(rows(&batches)).bench(|| tasks::route(&spec, black_box(&batches)).expect("good rows"));
}

#[divan::bench(args = INPUTS)]
fn accumulate(bencher: Bencher<'_, '_>, name: &str) {
    let (spec, batches) = (spec(), batches(name));
    bencher
        .counter(rows(&batches))
        .with_inputs(|| tasks::route(&spec, &batches).expect("good rows"))
        .bench_values(|routed| tasks::accumulate(routed).expect("memory"));
}

#[divan::bench(args = INPUTS)]
fn finalize(bencher: Bencher<'_, '_>, name: &str) {
    let (spec, batches) = (spec(), batches(name));
    bencher
        .counter(rows(&batches))
        .with_inputs(|| tasks::accumulate(tasks::route(&spec, &batches).expect("good rows")).expect("memory"))
        .bench_values(|states| tasks::finalize_all(&spec, &states).expect("windows"));
}

#[divan::bench(args = INPUTS)]
fn lens(bencher: Bencher<'_, '_>, name: &str) {
    let (spec, batches) = (spec(), batches(name));
    let states = tasks::accumulate(tasks::route(&spec, &batches).expect("good rows")).expect("memory");
    let (windows, blocks) = tasks::finalize_all(&spec, &states).expect("windows");
    bencher.counter(rows(&batches)).bench(|| tasks::observe(&windows, black_box(&blocks)));
}
