//! A manifest for people, and a run file that is looked at by itself.

use super::run_file::{MAGIC, RunFile, Section, Written};
use super::{Input, Io, Manifest};
use crate::base::bytes::positional::begins_with;
use crate::base::cancel::Cancel;
use crate::base::error::{Error, Result};
use crate::base::text::grouped;
use crate::base::time::format_timestamp;
use crate::model::hash::PARTITIONS;
use crate::model::state_batch::StateBatch;
use crate::orders::{OrderOptions, special_lines};
use serde::Serialize;
use std::fmt::{self, Display, Formatter};
use std::path::Path;

/// Whether a file begins as a run file does.
pub fn is_run_file(path: &Path) -> bool {
    begins_with(path, MAGIC)
}

/// The contents of a run file, every byte of which was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RunSummary {
    /// Its length.
    pub bytes: u64,
    /// Customers in it.
    pub customers: u64,
    /// Customers times the windows they bought in.
    pub entries: u64,
    /// Partitions with customers.
    pub partitions: usize,
    /// Frames of customers.
    pub frames: usize,
    /// Rows left out, with their reasons.
    pub rejects: u64,
    /// Rows for each audit to judge.
    pub open_rows: u64,
    /// Ids of orders.
    pub order_ids: u64,
}

impl RunSummary {
    /// Reads a run file and checks the checksum of its index and of each frame.
    ///
    /// # Errors
    /// When it cannot be read, or is not what was written.
    pub fn read(path: &Path, cancel: &Cancel) -> Result<Self> {
        let file = RunFile::open(path, &Io::default())?;
        let (mut scratch, mut states) = (Vec::new(), StateBatch::default());
        let (mut partitions, mut frames) = (0, 0);
        for partition in 0..PARTITIONS {
            let count = file.frames_of(partition);
            partitions += usize::from(count > 0);
            frames += count;
            for frame in 0..count {
                cancel.check()?;
                file.read(partition, frame, &mut scratch, &mut states)?;
            }
        }
        let records = |section| {
            let (mut records, mut count) = (file.records(section, cancel.clone()).read(), 0);
            while records.next().map_err(|e| e.input(file.name()))?.is_some() {
                count += 1;
            }
            Ok(count)
        };
        let Written { bytes, customers, entries, .. } = file.written();
        let (rejects, open_rows) = (records(Section::Rejects)?, records(Section::Open)?);
        let order_ids = records(Section::Orders)?;
        Ok(RunSummary { bytes, customers, entries, partitions, frames, rejects, open_rows, order_ids })
    }
}

impl RunSummary {
    /// As JSON.
    ///
    /// # Errors
    /// None that can come.
    pub fn to_json(&self) -> Result<String> {
        json(self)
    }
}

/// What a history says of an input.
#[derive(Serialize)]
struct Came<'a> {
    name: &'a str,
    generation: u64,
    taken: Option<String>,
    bytes: u64,
    rows: Option<u64>,
    rows_rejected: Option<u64>,
    can_be_removed: bool,
}

impl<'a> Came<'a> {
    fn of(input: &'a Input) -> Self {
        Came {
            name: &input.name,
            generation: input.generation,
            taken: input.taken_at(),
            bytes: input.bytes,
            rows: input.rows,
            rows_rejected: input.rows_rejected,
            can_be_removed: input.lies_apart(),
        }
    }
}

impl Input {
    /// Whether it can be taken out again.
    pub fn lies_apart(&self) -> bool {
        self.run.is_some()
    }

    /// When it was taken in, in UTC, `2024-01-05T00:30:00`; none where a version took it in that did not say.
    pub fn taken_at(&self) -> Option<String> {
        self.taken.map(|seconds| format_timestamp(i64::try_from(seconds).unwrap_or(0).saturating_mul(1_000_000)))
    }
}

impl Manifest {
    /// All of it, as JSON.
    ///
    /// # Errors
    /// None that can come.
    pub fn to_json(&self) -> Result<String> {
        json(self)
    }

    /// What came in, the oldest first, as JSON.
    ///
    /// # Errors
    /// None that can come.
    pub fn history_json(&self) -> Result<String> {
        json(&self.inputs.iter().map(Came::of).collect::<Vec<_>>())
    }
}

fn json(value: &impl Serialize) -> Result<String> {
    let text = serde_json::to_string_pretty(value).map_err(|e| Error::internal("there is no JSON form").cause(e))?;
    Ok(text + "\n")
}

impl Display for RunSummary {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let RunSummary { bytes, customers, entries, partitions, frames, rejects, open_rows, order_ids } = self;
        writeln!(f, "a run file of a state, {} bytes; every checksum is right", grouped(bytes))?;
        writeln!(f, "{} customers, {} entries, in {} frames", grouped(customers), grouped(entries), grouped(frames))?;
        writeln!(f, "{} of {} partitions", grouped(partitions), grouped(PARTITIONS))?;
        writeln!(f, "{} rows left out, {} for each audit to judge", grouped(rejects), grouped(open_rows))?;
        if *order_ids > 0 { writeln!(f, "the ids of {} orders", grouped(order_ids)) } else { Ok(()) }
    }
}

impl Display for Manifest {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Manifest { format, lensflow, generation, every, .. } = self;
        write!(f, "generation {generation}, kept by {every}")?;
        if let Some((first, last)) = self.windows {
            write!(f, ", {} to {}", every.name(first), every.name(last))?;
        }
        writeln!(f, ", made with `on_bad_row={}`", self.on_bad_row.name())?;
        writeln!(f, "written by lensflow {lensflow}, format {format}")?;
        if !self.settings.is_empty() {
            let settings = self.settings.iter().map(|(key, values)| format!("{key}={}", values.join(",")));
            writeln!(f, "inputs are read with {}", settings.collect::<Vec<_>>().join(" "))?;
        }
        let rejected: u64 = self.rows_rejected.values().sum();
        let (read, accepted) = (grouped(self.rows_read), grouped(self.rows_accepted));
        write!(f, "{read} rows read, {accepted} accepted, {} rejected", grouped(rejected))?;
        match self.rows_open() {
            0 => writeln!(f)?,
            open => writeln!(f, ", {} for each audit to judge", grouped(open))?,
        }
        for (reason, count) in &self.rows_rejected {
            writeln!(f, "  rows rejected, {reason}: {}", grouped(*count))?;
        }

        if let Some((options, lines)) = &self.transactions {
            let OrderOptions { refunds, anonymous, duplicates, timezone } = options;
            let name = |value: &dyn std::fmt::Debug| format!("{value:?}").to_lowercase();
            writeln!(
                f,
                "of {} lines of {} orders, grouped in {timezone} with `refunds={}` `anonymous={}` `duplicates={}`",
                grouped(lines.lines),
                grouped(lines.orders),
                name(refunds),
                name(anonymous),
                name(duplicates)
            )?;
            special_lines(lines).iter().try_for_each(|said| writeln!(f, "  {said}"))?;
        }
        if let Some(dropped) = self.dropped_before {
            writeln!(f, "what lies before {dropped} was dropped: of customers who bought then it is known that they existed")?;
        }
        if self.order_ids {
            writeln!(f, "the ids of orders are kept: orders that come again are left out")?;
        }
        let inputs = self.inputs.iter().map(|i| [grouped(i.generation), grouped(i.bytes), i.fingerprint.clone(), i.name.clone()]);
        table(f, &format!("{} inputs", grouped(self.inputs.len())), ["generation", "bytes", "fingerprint", "name"], inputs)?;
        let runs = self.runs.iter().map(|r| [grouped(r.customers), grouped(r.entries), grouped(r.bytes), r.file.clone()]);
        table(f, &format!("{} run files", grouped(self.runs.len())), ["customers", "entries", "bytes", "file"], runs)
    }
}

/// Three columns to the right, the last to the left.
fn table(f: &mut Formatter<'_>, title: &str, head: [&str; 4], rows: impl Iterator<Item = [String; 4]>) -> fmt::Result {
    let rows: Vec<[String; 4]> = [head.map(str::to_owned)].into_iter().chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let (a, b, c) = (width(0), width(1), width(2));
    writeln!(f, "\n{title}")?;
    rows.iter().try_for_each(|[first, second, third, last]| writeln!(f, "  {first:>a$}  {second:>b$}  {third:>c$}  {last}"))
}
