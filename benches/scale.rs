//! The whole job on a million made-up customers: rows a second and peak memory, for inputs that are easy and inputs that are not.
//!
//! `cargo bench --bench scale [-- CUSTOMERS]`. Every measurement runs in a process of its own, three times; the median counts. The job:
//! two half-year windows, Lens 1 and Lens 2, and all RFM rows written to Parquet.

mod made;

use lensflow::Pipeline;
use lensflow::model::{Granularity, Windows};
use lensflow::pipeline::Order;
use lensflow::report::rows::rfm_schema;
use lensflow::report::table::TableWriter;
use lensflow::synthetic::{IdStyle, Skew, Synthetic};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

const RUNS: usize = 3;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    if let [child, input, output] = args.as_slice()
        && child == "--child"
    {
        return audit(input, output);
    }
    let customers = args.first().map_or(Ok(1_000_000), |text| text.parse())?;
    let folder = tempfile::tempdir()?;
    println!("{:<22} {:>12} {:>9} {:>14} {:>12}", "input", "rows", "seconds", "rows/s", "peak memory");
    for (name, format, input) in inputs(customers) {
        let path = folder.path().join(format!("periods.{format}"));
        made::write(&input, &path)?;
        let mut runs = (0..RUNS).map(|_| measure(&path, &folder.path().join("rfm.parquet"))).collect::<Result<Vec<_>, _>>()?;
        runs.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
        let Run { rows, seconds, peak_mib } = runs[RUNS / 2];
        println!("{name:<22} {rows:>12} {seconds:>9.2} {:>14.0} {peak_mib:>8.0} MiB", rows as f64 / seconds);
    }
    Ok(())
}

fn inputs(customers: u64) -> Vec<(&'static str, &'static str, Synthetic)> {
    let base = Synthetic { customers, ..Synthetic::default() };
    vec![
        ("uniform", "parquet", base.clone()),
        ("uniform, csv", "csv", base.clone()),
        ("zipf", "parquet", Synthetic { skew: Skew::Zipf, ..base.clone() }),
        ("one hot customer", "parquet", Synthetic { skew: Skew::Hot, ..base.clone() }),
        ("all unique", "parquet", Synthetic { to: base.from.clone(), ..base.clone() }),
        ("uuid", "parquet", Synthetic { ids: IdStyle::Uuid, ..base.clone() }),
        ("email", "parquet", Synthetic { ids: IdStyle::Email, ..base.clone() }),
        ("unicode", "parquet", Synthetic { ids: IdStyle::Unicode, ..base.clone() }),
        ("30 % null timestamps", "parquet", Synthetic { null_timestamps: 0.3, ..base }),
    ]
}

#[derive(Clone, Copy)]
struct Run {
    rows: u64,
    seconds: f64,
    peak_mib: f64,
}

fn measure(input: &Path, output: &Path) -> Result<Run, Failure> {
    let child = Command::new(std::env::current_exe()?).arg("--child").args([input, output]).output()?;
    let text = String::from_utf8(child.stdout)?;
    let numbers = text.split_whitespace().map(str::parse).collect::<Result<Vec<f64>, _>>()?;
    match numbers.as_slice() {
        &[rows, seconds, peak_mib] => Ok(Run { rows: rows as u64, seconds, peak_mib }),
        _ => Err(format!("the run failed: {}", String::from_utf8_lossy(&child.stderr)).into()),
    }
}

/// One run; prints rows, seconds and peak MiB for the parent.
fn audit(input: &str, output: &str) -> Result<(), Failure> {
    let began = Instant::now();
    let mut pipeline = Pipeline::builder().windows(Windows::Every(Granularity::Half)).build()?;
    pipeline.run_files(&[input])?;
    let audit = pipeline.finish()?;
    let mut table = TableWriter::create(Path::new(output), None, &rfm_schema())?;
    audit.write_rfm(&mut table, Order::Engine)?;
    table.finish()?.commit()?;
    println!("{} {} {}", audit.report.input.rows_read, began.elapsed().as_secs_f64(), peak_mib());
    Ok(())
}

/// The peak resident memory of this process, where the system tells.
fn peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|l| l.trim().trim_end_matches("kB").trim().parse::<f64>().ok());
    kib.unwrap_or(f64::NAN) / 1024.0
}
