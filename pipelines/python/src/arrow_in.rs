//! Arrow data of any Python object → batches, one at a time, on whichever thread wants the next.
//!
//! In come objects with `__arrow_c_stream__` or `__arrow_c_array__`, and iterables of such. Out go batches of at most [`ROWS`] rows, which
//! several threads decode side by side. Nothing is copied, and what was read is let go of.

use crate::running::Raised;
use arrow::array::{RecordBatch, RecordBatchReader};
use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::writer::FileWriter;
use lensflow::Cancel;
use lensflow::error::{Error, Result};
use pyo3::prelude::*;
use pyo3::types::PyIterator;
use pyo3_arrow::input::AnyRecordBatch;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::sync::{Arc, PoisonError};

/// Rows of a batch, at most.
const ROWS: usize = 1 << 16;
/// Rows that are looked at to tell what they are.
const LOOKED_AT: usize = 1 << 12;

/// Arrow data that is read once.
pub(crate) struct Batches {
    schema: SchemaRef,
    /// Read ahead, to tell what the rows are; the rest of a batch that was cut.
    ahead: Option<RecordBatch>,
    rest: Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>> + Send>,
}

impl Batches {
    /// The data of an object with `__arrow_c_stream__` or `__arrow_c_array__`, or of an iterable of such.
    pub(crate) fn of(object: &Bound<'_, PyAny>, raised: &Raised) -> PyResult<Self> {
        if let Ok(data) = object.extract::<AnyRecordBatch>() {
            let reader = data.into_reader()?;
            return Ok(Batches { schema: reader.schema(), ahead: None, rest: Box::new(reader) });
        }
        let mut pulled = Pulled { iterator: object.try_iter()?.unbind(), current: None, raised: raised.clone() };
        let first = match pulled.pull(object.py())? {
            Some(reader) => reader,
            None => return Ok(Batches { schema: Arc::new(Schema::empty()), ahead: None, rest: Box::new(std::iter::empty()) }),
        };
        let schema = first.schema();
        pulled.current = Some(first);
        Ok(Batches { schema, ahead: None, rest: Box::new(pulled) })
    }

    /// Writes the schema and the first rows to a file, for who tells by them what the rows are. They are read again afterwards.
    pub(crate) fn look(&mut self, file: &Path) -> Result<()> {
        let fail = |e: ArrowError| Error::data("the first rows cannot be read").cause(e);
        if self.ahead.is_none() {
            self.ahead =
                self.rest.by_ref().find(|batch| batch.as_ref().map_or(true, |batch| batch.num_rows() > 0)).transpose().map_err(fail)?;
        }
        let out = File::create(file).map_err(|e| Error::io("cannot write", e))?;
        let mut writer = FileWriter::try_new(out, &self.schema).map_err(fail)?;
        if let Some(first) = &self.ahead {
            writer.write(&first.slice(0, first.num_rows().min(LOOKED_AT))).map_err(fail)?;
        }
        writer.finish().map_err(fail)
    }

    /// Writes it to a file, up to so many rows.
    pub(crate) fn spool(self, file: &Path, most: usize, cancel: &Cancel) -> Result<()> {
        let fail = |e: ArrowError| Error::data("no batch can be read").cause(e);
        let out = BufWriter::new(File::create(file).map_err(|e| Error::io("cannot write", e))?);
        let mut writer = FileWriter::try_new(out, &self.schema.clone()).map_err(fail)?;
        let mut left = most;
        for batch in self {
            cancel.check()?;
            let batch = batch.map_err(fail)?;
            writer.write(&batch.slice(0, batch.num_rows().min(left))).map_err(fail)?;
            left -= batch.num_rows().min(left);
            if left == 0 {
                break;
            }
        }
        writer.finish().map_err(fail)
    }
}

impl Iterator for Batches {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = match self.ahead.take() {
            Some(batch) => batch,
            None => match self.rest.next()? {
                Ok(batch) => batch,
                failed => return Some(failed),
            },
        };
        if batch.num_rows() <= ROWS {
            return Some(Ok(batch));
        }
        self.ahead = Some(batch.slice(ROWS, batch.num_rows() - ROWS));
        Some(Ok(batch.slice(0, ROWS)))
    }
}

type Reader = Box<dyn RecordBatchReader + Send>;

/// Batches of a Python iterator.
struct Pulled {
    iterator: Py<PyIterator>,
    current: Option<Reader>,
    raised: Raised,
}

impl Pulled {
    fn pull(&self, py: Python<'_>) -> PyResult<Option<Reader>> {
        let Some(next) = self.iterator.bind(py).clone().next() else { return Ok(None) };
        next?.extract::<AnyRecordBatch>()?.into_reader().map(Some)
    }
}

impl Iterator for Pulled {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(batch) = self.current.as_mut().and_then(Iterator::next) {
                return Some(batch);
            }
            match Python::attach(|py| self.pull(py)) {
                Ok(Some(reader)) => self.current = Some(reader),
                Ok(None) => return None,
                Err(error) => {
                    let text = error.to_string();
                    self.raised.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                    return Some(Err(ArrowError::ExternalError(text.into())));
                }
            }
        }
    }
}
