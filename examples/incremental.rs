//! A state that takes in a quarter at a time, and is audited by year after each.
//!
//! `cargo run --example incremental`

use lensflow::jobs::Update;
use lensflow::model::{Granularity, Windows};
use lensflow::spec::Spec;
use lensflow::state::State;
use lensflow::{Pipeline, Result};
use std::collections::BTreeMap;
use std::fmt::Write;

fn main() -> Result<()> {
    let folder = tempfile::tempdir().map_err(|e| lensflow::Error::io("no temporary folder", e))?;
    let state = folder.path().join("state");
    for (quarter, rows) in quarters()? {
        let file = folder.path().join(format!("{quarter}.csv"));
        std::fs::write(&file, rows).map_err(|e| lensflow::Error::io("cannot write", e))?;
        let update = Update { every: Some(Granularity::Quarter), ..Update::default() };
        let updated = update.run(&state, &[file.to_string_lossy()], |_| ())?;
        // The same bytes again change nothing.
        let again = update.run(&state, &[file.to_string_lossy()], |_| ())?;
        assert_eq!((again.manifest, again.known.len()), (updated.manifest, 1));

        let spec = Spec::default().with_windows(Windows::Every(Granularity::Year));
        let mut pipeline = Pipeline::builder().spec(spec).build()?;
        pipeline.run_state(&State::open(&state)?)?;
        let report = pipeline.finish()?.report;
        let last = &report.windows[report.windows.len() - 1];
        println!("with {quarter}: {} customers, revenue of {} so far: {}", report.input.customers, last.name, last.lens1.total_revenue);
    }
    Ok(())
}

/// CDNOW's rows by quarter, as if each came in a file of its own.
fn quarters() -> Result<BTreeMap<String, String>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/cdnow_periods.csv");
    let text = std::fs::read_to_string(path).map_err(|e| lensflow::Error::io("cannot read", e).input(path))?;
    let (header, rows) = text.split_once('\n').unwrap_or_default();
    let mut quarters: BTreeMap<String, String> = BTreeMap::new();
    for row in rows.lines() {
        let begin = row.split(',').nth(1).and_then(|start| start.get(..10)).unwrap_or_default();
        let file = quarters.entry(begin.to_owned()).or_insert_with(|| format!("{header}\n"));
        let _ = writeln!(file, "{row}");
    }
    Ok(quarters)
}
