//! The whole job on a million made-up customers: rows a second and peak memory, for inputs that are easy and inputs that are not.
//!
//! `cargo bench --bench scale [-- CUSTOMERS]`. Every measurement runs in a process of its own, three times; the median counts. The job:
//! two half-year windows, Lens 1 and Lens 2, and all RFM rows written to Parquet.
//!
//! The second table is the first input with other numbers of workers, whatever the machine has: what more of them cost, and what they could
//! gain. Serial is the processor time of the thread that starts all others and merges what they bring; all other work is divided among them.
//! By Amdahl's law that bounds how many times as fast as one processor any number of them can be. Not in that: the last chunks, which are
//! a quarter of a worker's share or smaller; memory that is farther from some processors than from others; a disk that is slower than they are.

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
    if let [child, input, output, workers] = args.as_slice()
        && child == "--child"
    {
        return audit(input, output, workers.parse()?);
    }
    let customers = args.first().map_or(Ok(1_000_000), |text| text.parse())?;
    let folder = tempfile::tempdir()?;
    println!("{:<22} {:>12} {:>9} {:>14} {:>12}", "input", "rows", "seconds", "rows/s", "peak memory");
    for (name, format, input) in inputs(customers) {
        let path = folder.path().join(format!("periods.{format}"));
        made::write(&input, &path)?;
        let Run { rows, seconds, peak_mib, .. } = median(&path, &folder.path().join("rfm.parquet"), 0)?;
        println!("{name:<22} {rows:>12} {seconds:>9.2} {:>14.0} {peak_mib:>8.0} MiB", rows as f64 / seconds);
    }
    let path = folder.path().join("periods.parquet");
    made::write(&Synthetic { customers, ..Synthetic::default() }, &path)?;
    println!("\n{:>7} {:>9} {:>7} {:>9} {:>8} {:>8} {:>8}", "workers", "seconds", "CPU s", "serial s", "2 cores", "8 cores", "32 cores");
    for workers in [1, 2, 8, 16] {
        let Run { seconds, cpu, serial, .. } = median(&path, &folder.path().join("rfm.parquet"), workers)?;
        let bound = |cores: f64| cpu / (serial + (cpu - serial) / cores);
        let [two, eight, many] = [2.0, 8.0, 32.0].map(bound);
        println!("{workers:>7} {seconds:>9.2} {cpu:>7.2} {serial:>9.3} {two:>7.2}x {eight:>7.2}x {many:>7.2}x");
    }
    Ok(())
}

/// The run that took the median of the times.
fn median(input: &Path, output: &Path, workers: usize) -> Result<Run, Failure> {
    let mut runs = (0..RUNS).map(|_| measure(input, output, workers)).collect::<Result<Vec<_>, _>>()?;
    runs.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    Ok(runs[RUNS / 2])
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
    /// Seconds of all threads on a processor.
    cpu: f64,
    /// Those of the thread that the others wait for.
    serial: f64,
}

fn measure(input: &Path, output: &Path, workers: usize) -> Result<Run, Failure> {
    let child = Command::new(std::env::current_exe()?).arg("--child").args([input, output]).arg(workers.to_string()).output()?;
    let text = String::from_utf8(child.stdout)?;
    let numbers = text.split_whitespace().map(str::parse).collect::<Result<Vec<f64>, _>>()?;
    match numbers.as_slice() {
        &[rows, seconds, peak_mib, cpu, serial] => Ok(Run { rows: rows as u64, seconds, peak_mib, cpu, serial }),
        _ => Err(format!("the run failed: {}", String::from_utf8_lossy(&child.stderr)).into()),
    }
}

/// One run with so many workers, or with as many as there are processors; prints what [`measure`] reads.
fn audit(input: &str, output: &str, workers: usize) -> Result<(), Failure> {
    let began = Instant::now();
    let mut builder = Pipeline::builder().windows(Windows::Every(Granularity::Half));
    if workers > 0 {
        builder = builder.workers(workers);
    }
    let mut pipeline = builder.build()?;
    pipeline.run_files(&[input])?;
    let audit = pipeline.finish()?;
    let mut table = TableWriter::create(Path::new(output), None, &rfm_schema())?;
    audit.write_rfm(&mut table, Order::Engine)?;
    table.finish()?.commit()?;
    let (seconds, peak) = (began.elapsed().as_secs_f64(), peak_mib());
    println!("{} {seconds} {peak} {} {}", audit.report.input.rows_read, cpu_of_all(), cpu_of_this());
    Ok(())
}

/// The peak resident memory of this process, where the system tells.
fn peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|l| l.trim().trim_end_matches("kB").trim().parse::<f64>().ok());
    kib.unwrap_or(f64::NAN) / 1024.0
}

/// Seconds that all threads of this process were on a processor, where the system tells: user and system time in ticks of 10 ms.
fn cpu_of_all() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = after_name.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse().unwrap_or(f64::NAN));
    ticks.sum::<f64>() / 100.0
}

/// Those of this thread.
fn cpu_of_this() -> f64 {
    let schedule = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    schedule.split_whitespace().next().and_then(|nanoseconds| nanoseconds.parse().ok()).unwrap_or(f64::NAN) / 1e9
}
