//! lensflow as one stage of a larger program: Arrow batches come in over a channel, RFM rows leave over another.
//!
//! Upstream here makes up a customer base; in your program it may be a query, a message queue or another engine. `push` waits while the
//! pipeline is full, so a fast upstream is slowed down through its own bounded channel and memory stays flat.
//!
//! Run with `cargo run --release --example embed_stage`.

use arrow::array::RecordBatch;
use crossbeam_channel::{Receiver, Sender, bounded};
use lensflow::model::{Granularity, Windows};
use lensflow::pipeline::Order;
use lensflow::report::Report;
use lensflow::synthetic::Synthetic;
use lensflow::{Pipeline, Result};
use std::thread;

/// The stage: takes batches until the channel closes, then hands on the rows and returns the report.
fn audit_stage(input: &Receiver<RecordBatch>, output: &Sender<RecordBatch>) -> Result<Report> {
    let mut pipeline = Pipeline::builder().windows(Windows::Every(Granularity::Quarter)).build()?;
    for batch in input {
        pipeline.push(&batch)?;
    }
    let audit = pipeline.finish()?;
    for rows in audit.rfm(Order::Engine)? {
        // A downstream that has had enough just drops its end.
        if output.send(rows?).is_err() {
            break;
        }
    }
    Ok(audit.report)
}

fn main() -> Result<()> {
    let (to_stage, from_upstream) = bounded(4);
    let (to_downstream, from_stage) = bounded(4);

    let upstream = thread::spawn(move || -> Result<()> {
        let generator = Synthetic { customers: 50_000, ..Synthetic::default() }.generator()?;
        for chunk in 0..generator.chunks() {
            if to_stage.send(generator.record_batch(chunk)?).is_err() {
                break;
            }
        }
        Ok(())
    });
    let downstream = thread::spawn(move || from_stage.iter().map(|rows: RecordBatch| rows.num_rows()).sum::<usize>());

    let report = audit_stage(&from_upstream, &to_downstream)?;
    drop(to_downstream);
    upstream.join().expect("upstream does not panic")?;
    let rows = downstream.join().expect("downstream does not panic");

    for window in &report.windows {
        println!("{}: {} customers, {} revenue", window.name, window.lens1.total_customers, window.lens1.total_revenue);
    }
    for pair in &report.comparisons {
        println!("{} to {}: {} % retained", pair.from, pair.to, pair.lens2.retention_rate);
    }
    println!("{rows} RFM rows went downstream");
    assert_eq!(rows as u64, report.windows.iter().map(|w| w.lens1.total_customers).sum::<u64>());
    Ok(())
}
