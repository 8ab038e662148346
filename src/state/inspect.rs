//! A manifest for people.

use super::Manifest;
use crate::report::text::grouped;
use std::fmt::{self, Display, Formatter};

impl Display for Manifest {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Manifest { format, lensflow, generation, every, .. } = self;
        write!(f, "generation {generation}, kept by {every}")?;
        if let Some((first, last)) = self.windows {
            write!(f, ", {} to {}", every.name(first), every.name(last))?;
        }
        writeln!(f, ", made with --on-bad-row {}", self.on_bad_row.name())?;
        writeln!(f, "written by lensflow {lensflow}, format {format}")?;
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
