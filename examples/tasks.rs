//! An update of a state and its audit in four processes, as an engine would spread them over machines: two read, one merges, and this one
//! divides the work, takes it in and answers.
//!
//! `cargo run --example tasks`
//!
//! The tasks know nothing of each other: each is this same program, with files of JSON and of rows in between. An engine brings those rows to
//! the tasks by their keys, runs a task again where a machine was lost, and does nothing else.

use lensflow::jobs::Update;
use lensflow::model::{Granularity, Windows};
use lensflow::spec::Spec;
use lensflow::state::State;
use lensflow::tasks::{EngineJob, Limits, WorkUnit, accumulate, merge};
use lensflow::{Cancel, Error, Pipeline, Result};
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::Path;
use std::process::Command;

/// Bytes of an input that one work unit is to have.
const UNIT: u64 = 1 << 20;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["accumulate", folder, task] => read(Path::new(folder), task),
        ["merge", folder, state] => add_up(Path::new(folder), Path::new(state)),
        _ => drive(),
    }
}

/// The driver: an ordinary update, but that its rows are read elsewhere.
fn drive() -> Result<()> {
    let folder = tempfile::tempdir().map_err(|e| Error::io("no temporary folder", e))?;
    let (shared, state) = (folder.path(), folder.path().join("state"));
    let input = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/cdnow_periods.csv");
    let update = Update { every: Some(Granularity::Quarter), ..Update::default() };
    let updated = update.run_on(&state, &[input], UNIT, |job, units| {
        println!("{} work units", units.len());
        put(&shared.join("job"), job)?;
        let (some, others): (Vec<&WorkUnit>, Vec<&WorkUnit>) = units.iter().partition(|unit| unit.number % 2 == 0);
        put(&shared.join("units-0"), &some)?;
        put(&shared.join("units-1"), &others)?;
        let shared = shared.to_string_lossy().into_owned();
        run(&[&["accumulate", &shared, "0"], &["accumulate", &shared, "1"]])?;
        run(&[&["merge", &shared, &state.to_string_lossy()]])?;
        get(&folder.path().join("messages"))
    })?;
    println!("{} customers in {}", updated.customers, updated.manifest.runs[0].file);

    let spec = || Spec::default().with_windows(Windows::Every(Granularity::Quarter));
    let mut pipeline = Pipeline::builder().spec(spec()).build()?;
    pipeline.run_state(&State::open(&state)?)?;
    let divided = pipeline.finish()?.report;
    let mut pipeline = Pipeline::builder().spec(spec()).build()?;
    pipeline.run_files(&[input])?;
    assert_eq!(divided.to_json()?, pipeline.finish()?.report.to_json()?);
    println!("the report is that of one process: {} customers", divided.input.customers);
    Ok(())
}

/// A task: reads its work units, and writes rows of a key, a length and bytes.
fn read(folder: &Path, task: &str) -> Result<()> {
    let (job, units): (EngineJob, Vec<WorkUnit>) = (get(&folder.join("job"))?, get(&folder.join(format!("units-{task}")))?);
    let failed = |e| Error::io("cannot write", e);
    let mut rows = BufWriter::new(File::create(folder.join(format!("rows-{task}"))).map_err(failed)?);
    let limits = Limits { memory: Some(256 << 20), workers: Some(1), ..Limits::default() };
    accumulate(&job, units, &limits, &Cancel::default(), &mut |key, bytes| {
        let head = [key.to_le_bytes(), (bytes.len() as u32).to_le_bytes()].concat();
        rows.write_all(&head).and_then(|()| rows.write_all(bytes)).map_err(failed)
    })?;
    rows.flush().map_err(failed)
}

/// A task: merges all rows, because here is one that merges; several would have the rows of some keys each.
fn add_up(folder: &Path, state: &Path) -> Result<()> {
    let job: EngineJob = get(&folder.join("job"))?;
    let failed = |e| Error::io("cannot read", e);
    let open = |task: &str| Ok(BufReader::new(File::open(folder.join(format!("rows-{task}"))).map_err(failed)?));
    let mut files = [open("0")?, open("1")?].into_iter();
    let mut file = files.next();
    let rows = std::iter::from_fn(move || {
        loop {
            let reader = file.as_mut()?;
            let mut head = [0; 8];
            if reader.read_exact(&mut head).is_err() {
                file = files.next();
                continue;
            }
            let [key, length] = [0, 4].map(|at| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]));
            let mut bytes = vec![0; length as usize];
            return Some(reader.read_exact(&mut bytes).map(|()| (key, bytes)).map_err(failed));
        }
    });
    let messages = merge(&job, rows, state, &Limits::default(), &Cancel::default())?;
    put(&folder.join("messages"), &messages)
}

/// Runs this program in several processes at a time.
fn run(all: &[&[&str]]) -> Result<()> {
    let failed = |e| Error::io("cannot run a task", e);
    let own = std::env::current_exe().map_err(failed)?;
    let tasks = all.iter().map(|arguments| Command::new(&own).args(*arguments).spawn().map_err(failed)).collect::<Result<Vec<_>>>()?;
    for mut task in tasks {
        if !task.wait().map_err(failed)?.success() {
            return Err(Error::internal("a task failed"));
        }
    }
    Ok(())
}

fn put<T: serde::Serialize>(path: &Path, value: &T) -> Result<()> {
    let text = serde_json::to_vec(value).map_err(|e| Error::internal("no JSON").cause(e))?;
    std::fs::write(path, text).map_err(|e| Error::io("cannot write", e))
}

fn get<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    let text = std::fs::read(path).map_err(|e| Error::io("cannot read", e))?;
    serde_json::from_slice(&text).map_err(|e| Error::internal("no JSON").cause(e))
}
