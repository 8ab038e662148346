//! Rows behind the answers, as an Arrow stream that can be asked for as often as it is wanted.

use crate::errors::raised;
use crate::running::run;
use arrow::array::{ArrayRef, RecordBatch, StructArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use lensflow::Audit;
use lensflow::error::Result;
use lensflow::pipeline::Order;
use lensflow::report::table::TableWriter;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use pyo3_arrow::ffi::{ArrayIterator, to_schema_pycapsule, to_stream_pycapsule};
use std::path::PathBuf;
use std::sync::Arc;

/// Which rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    Rfm,
    Migration,
    Cohorts,
    Rejects,
}

/// Rows of an audit.
#[pyclass(frozen, module = "lensflow._lensflow")]
pub(crate) struct RowStream {
    pub(crate) audit: Arc<Audit>,
    pub(crate) which: Which,
    pub(crate) order: Order,
    pub(crate) of_lines: bool,
}

type Rows = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

impl RowStream {
    fn schema(&self) -> Result<SchemaRef> {
        Ok(match self.which {
            Which::Rfm => self.audit.rfm_schema(),
            Which::Migration => self.audit.migration_schema(),
            Which::Cohorts => lensflow::report::cohort_schema(),
            Which::Rejects if self.of_lines => lensflow::report::rows::line_reject_schema(),
            Which::Rejects => lensflow::report::rows::reject_schema(),
        })
    }

    fn rows(&self) -> Result<Rows> {
        Ok(match self.which {
            Which::Rfm => Box::new(self.audit.own_rfm(self.order)?),
            Which::Migration => Box::new(self.audit.own_migrations(self.order)?),
            Which::Cohorts => Box::new(self.audit.cohort_rows()?.into_iter().map(Ok)),
            // They are few by rule: more than one row in a hundred ends a run, unless it is told otherwise.
            Which::Rejects => Box::new(self.rejects()?.into_iter().map(Ok)),
        })
    }

    fn rejects(&self) -> Result<Vec<RecordBatch>> {
        match self.of_lines {
            true => self.audit.line_reject_rows().collect(),
            false => self.audit.reject_rows().collect(),
        }
    }
}

#[pymethods]
impl RowStream {
    /// A fresh stream of all rows.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(&self, py: Python<'py>, requested_schema: Option<Bound<'py, PyCapsule>>) -> PyResult<Bound<'py, PyCapsule>> {
        let made = py.detach(|| self.schema().and_then(|schema| Ok((schema, self.rows()?))));
        let (schema, rows) = made.map_err(|error| raised(py, &error))?;
        let arrays = rows.map(|batch| match batch {
            Ok(batch) => Ok(Arc::new(StructArray::from(batch)) as ArrayRef),
            Err(error) => Err(ArrowError::ExternalError(Box::new(error))),
        });
        let field = Field::new("", DataType::Struct(schema.fields().clone()), false).with_metadata(schema.metadata().clone());
        Ok(to_stream_pycapsule(py, Box::new(ArrayIterator::new(arrays, Arc::new(field))), requested_schema)?)
    }

    /// The columns and their types.
    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        let schema: Schema = self.schema().map_err(|error| raised(py, &error))?.as_ref().clone();
        Ok(to_schema_pycapsule(py, schema)?)
    }

    /// The names of the columns.
    fn columns(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        let schema = self.schema().map_err(|error| raised(py, &error))?;
        Ok(schema.fields().iter().map(|field| field.name().clone()).collect())
    }

    /// Writes a table, whole or not at all; gives the number of its rows.
    fn write(&self, py: Python<'_>, path: PathBuf, csv_safe: bool) -> PyResult<u64> {
        let (audit, which, order, of_lines) = (self.audit.clone(), self.which, self.order, self.of_lines);
        let schema = self.schema().map_err(|error| raised(py, &error))?;
        run(py, None, move |signals, _| {
            let mut table = TableWriter::create_with(&path, None, &schema, &signals.cancel)?.csv_safe(csv_safe);
            match which {
                Which::Rfm => audit.write_rfm(&mut table, order)?,
                Which::Migration => audit.write_migrations(&mut table, order)?,
                Which::Cohorts => audit.cohort_rows()?.map_or(Ok(()), |rows| table.write(&rows))?,
                Which::Rejects if of_lines => audit.line_reject_rows().try_for_each(|batch| table.write(&batch?))?,
                Which::Rejects => audit.reject_rows().try_for_each(|batch| table.write(&batch?))?,
            }
            let rows = table.rows();
            let mut output = table.finish()?;
            output.complete()?;
            output.commit()?;
            Ok(rows)
        })
    }
}
