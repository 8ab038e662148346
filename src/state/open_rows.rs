//! Open rows on their way into an audit. A state keeps them as they were read, because only an audit's windows can judge them. Here they are a source like any file, whose rows say which file and row they were.

use super::{RunFile, Section};
use crate::base::cancel::Cancel;
use crate::base::error::{Error, Result};
use crate::model::period_batch::Origin;
use crate::model::reject::Reject;
use crate::source::period_rows::TextRows;
use crate::source::{Chunk, Sink, Source};
use crate::spill::Merged;
use std::sync::Arc;

/// Rows that are read at a time.
const ROWS: usize = 4_096;

/// The open rows of some run files.
pub(crate) struct OpenRows {
    files: std::vec::IntoIter<Arc<RunFile>>,
    current: Option<(Arc<RunFile>, Merged)>,
    cancel: Cancel,
}

impl OpenRows {
    pub(crate) fn new(files: Vec<Arc<RunFile>>, cancel: Cancel) -> Self {
        OpenRows { files: files.into_iter(), current: None, cancel }
    }

    fn next_row(&mut self) -> Result<Option<Reject>> {
        loop {
            if let Some((file, rows)) = &mut self.current {
                if let Some(record) = rows.next().map_err(|e| e.input(file.name()))? {
                    let damaged = || Error::data("an open row cannot be read back").input(file.name()).help(super::DAMAGED_HELP);
                    let row = Reject::read(record).filter(|row| row.fields.len() == 6);
                    return row.map(Some).ok_or_else(damaged);
                }
                self.current = None;
            }
            let Some(file) = self.files.next() else { return Ok(None) };
            let records = file.records(Section::Open, self.cancel.clone());
            self.current = Some((file, records.read()));
        }
    }
}

impl Source for OpenRows {
    /// None: the state has named its inputs already.
    fn inputs(&self) -> Vec<String> {
        Vec::new()
    }

    fn next_chunk(&mut self) -> Result<Option<Box<dyn Chunk>>> {
        let mut rows = Vec::new();
        while rows.len() < ROWS
            && let Some(row) = self.next_row()?
        {
            rows.push(row);
        }
        Ok(if rows.is_empty() { None } else { Some(Box::new(OpenChunk(rows))) })
    }
}

struct OpenChunk(Vec<Reject>);

impl Chunk for OpenChunk {
    fn decode(self: Box<Self>, sink: &mut Sink<'_>) -> Result<()> {
        // Rows that followed each other in their file are a batch.
        let follows = |a: &Reject, b: &Reject| {
            a.source == b.source && b.row == a.row.wrapping_add(1) && b.line == a.line.map(|line| line.wrapping_add(1))
        };
        for same in self.0.chunk_by(follows) {
            let mut rows = TextRows::with_capacity(same.len());
            for row in same {
                let mut fields = [None; 6];
                fields.iter_mut().zip(&row.fields).for_each(|(field, text)| *field = Some(text.as_str()).filter(|text| !text.is_empty()));
                rows.push(fields);
            }
            let origin = Arc::new(Origin { name: same[0].source.clone() });
            sink(rows.take(&origin, same[0].row, same[0].line))?;
        }
        Ok(())
    }
}
