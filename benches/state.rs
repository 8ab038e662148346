//! What a saved state saves: the full audit of the files, an update with one in a hundred rows more, and the audit of the state.
//!
//! `cargo bench --bench state [-- CUSTOMERS]`, a million by default. The three take turns, three times; medians count. The audits write all
//! RFM rows to Parquet, by half-years; the state is kept by month.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

const TURNS: usize = 3;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let customers: u64 = arguments.first().map_or(Ok(1_000_000), |text| text.parse())?;
    let folder = tempfile::tempdir()?;
    let run = |arguments: &[&str]| -> Result<f64, Failure> {
        let began = Instant::now();
        let status = Command::new(env!("CARGO_BIN_EXE_lensflow")).args(arguments).arg("-q").current_dir(folder.path()).status()?;
        if status.success() { Ok(began.elapsed().as_secs_f64()) } else { Err("lensflow failed".into()) }
    };
    let generate =
        |customers: u64, seed: &str, file: &str| run(&["generate", "--customers", &customers.to_string(), "--seed", seed, "-o", file]);
    generate(customers, "42", "all.parquet")?;
    for turn in 0..TURNS {
        generate(customers / 100, &turn.to_string(), &format!("more-{turn}.parquet"))?;
    }
    let first = run(&["update", "state", "all.parquet"])?;
    let rows = ["--every", "half", "--report", "report.json", "--rfm-out", "rfm.parquet"];
    let mut seconds: [Vec<f64>; 3] = Default::default();
    for turn in 0..TURNS {
        let more = format!("more-{turn}.parquet");
        seconds[0].push(run(&[&["audit", "all.parquet"], &rows[..]].concat())?);
        seconds[1].push(run(&["update", "state", &more])?);
        seconds[2].push(run(&[&["audit", "state"], &rows[..]].concat())?);
    }
    let [files, update, state] = seconds.map(|mut seconds| {
        seconds.sort_by(f64::total_cmp);
        seconds[TURNS / 2]
    });
    println!("{customers} customers, {} MiB of state", size(&folder.path().join("state"))? >> 20);
    println!("making the state       {first:>7.2} s  {:>5.1} % of the audit of the files", 100.0 * first / files);
    for (what, seconds) in [("audit of the files", files), ("update with 1 % more", update), ("audit of the state", state)] {
        println!("{what:<22} {seconds:>7.2} s  {:>5.1} %", 100.0 * seconds / files);
    }
    Ok(())
}

fn size(folder: &Path) -> std::io::Result<u64> {
    std::fs::read_dir(folder)?.map(|entry| Ok(entry?.metadata()?.len())).sum()
}
