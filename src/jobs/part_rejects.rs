//! What an update left out of its inputs, as a table: the rejects of the run files that it made.

use crate::base::cancel::Cancel;
use crate::base::error::{Error, Result};
use crate::model::reject::Reject;
use crate::report::output::Output;
use crate::report::rows::{line_reject_schema, reject_rows, reject_schema};
use crate::report::table::TableWriter;
use crate::spill::Merged;
use crate::state::{Io, RunFile, Section};
use arrow::datatypes::SchemaRef;
use std::path::Path;

/// A table of rejects on its way into a file.
pub(super) struct PartRejects {
    table: TableWriter,
    schema: SchemaRef,
    cancel: Cancel,
}

impl PartRejects {
    /// A table of rejected lines, or of rejected rows of period aggregations.
    pub(super) fn create(path: &Path, of_lines: bool, csv_safe: bool, cancel: &Cancel, io: &Io) -> Result<Self> {
        let schema = if of_lines { line_reject_schema() } else { reject_schema() };
        let table = TableWriter::create_on(path, None, &schema, cancel, io)?.csv_safe(csv_safe);
        Ok(PartRejects { table, schema, cancel: cancel.clone() })
    }

    /// Appends those of a run file.
    pub(super) fn add(&mut self, run: &Path, io: &Io) -> Result<()> {
        let file = RunFile::open(run, io)?;
        let records = Records { records: file.records(Section::Rejects, self.cancel.clone()).read(), name: file.name().to_owned() };
        reject_rows(records, self.schema.clone()).try_for_each(|batch| self.table.write(&batch?))
    }

    /// Ends the table; it appears when it is committed. Gives the number of its rows, too.
    pub(super) fn finish(self) -> Result<(Output, u64)> {
        let rows = self.table.rows();
        let mut output = self.table.finish()?;
        output.complete()?;
        Ok((output, rows))
    }
}

/// The rejects among records.
struct Records {
    records: Merged,
    name: String,
}

impl Iterator for Records {
    type Item = Result<Reject>;

    fn next(&mut self) -> Option<Result<Reject>> {
        let broken = || Error::data("a rejected row cannot be read back").input(&self.name);
        match self.records.next() {
            Ok(record) => record.map(|record| Reject::read(record).ok_or_else(broken)),
            Err(error) => Some(Err(error)),
        }
    }
}
