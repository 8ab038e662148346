//! The tasks of an update over Arrow data, for engines that run Python functions on many machines: Spark, Sail, Dask, Ray. Rows of a key and
//! bytes go from task to task; the engine brings those of one key together.

use crate::arrow_in::Batches;
use crate::errors::raised;
use crate::running::{Raised, run_raising};
use arrow::array::{Array, ArrayRef, BinaryBuilder, Int32Array, Int32Builder, LargeBinaryArray, RecordBatch, StructArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use lensflow::error::{Error, Result};
use lensflow::jobs::Update;
use lensflow::model::Granularity;
use lensflow::tasks::{EngineJob, Limits, accumulate_batches, merge_frames};
use lensflow::{Cancel, Spec};
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use pyo3_arrow::ffi::{ArrayIterator, to_stream_pycapsule};
use std::path::Path;
use std::sync::{Arc, LazyLock};

/// Bytes of a batch, about.
const ENOUGH: usize = 1 << 20;

/// What goes between tasks. Spark's names for them are in `lensflow.engines`.
static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let fields = vec![Field::new("partition", DataType::Int32, true), Field::new("frame", DataType::Binary, true)];
    Arc::new(Schema::new(fields))
});

/// Rows of a task, as an Arrow stream that is read once or again.
#[pyclass(frozen, module = "lensflow._lensflow")]
pub(crate) struct Frames(Vec<RecordBatch>);

#[pymethods]
impl Frames {
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(&self, py: Python<'py>, requested_schema: Option<Bound<'py, PyCapsule>>) -> PyResult<Bound<'py, PyCapsule>> {
        let arrays: Vec<_> = self.0.iter().map(|batch| Ok(Arc::new(StructArray::from(batch.clone())) as ArrayRef)).collect();
        let field = Field::new("", DataType::Struct(SCHEMA.fields().clone()), false);
        Ok(to_stream_pycapsule(py, Box::new(ArrayIterator::new(arrays.into_iter(), Arc::new(field))), requested_schema)?)
    }
}

/// Rows on their way into batches.
#[derive(Default)]
struct Packer {
    keys: Int32Builder,
    frames: BinaryBuilder,
    size: usize,
    done: Vec<RecordBatch>,
}

impl Packer {
    fn push(&mut self, key: u32, frame: &[u8]) -> Result<()> {
        self.keys.append_value(i32::try_from(key).map_err(|e| Error::internal("too many parts").cause(e))?);
        self.frames.append_value(frame);
        self.size += frame.len();
        if self.size < ENOUGH { Ok(()) } else { self.cut() }
    }

    fn cut(&mut self) -> Result<()> {
        self.size = 0;
        let columns: Vec<ArrayRef> = vec![Arc::new(self.keys.finish()), Arc::new(self.frames.finish())];
        let batch = RecordBatch::try_new(SCHEMA.clone(), columns).map_err(|e| Error::internal("rows cannot be packed").cause(e))?;
        self.done.extend((batch.num_rows() > 0).then_some(batch));
        Ok(())
    }

    fn finish(mut self) -> Result<Frames> {
        self.cut()?;
        Ok(Frames(self.done))
    }
}

/// The rows of batches that came from other tasks.
fn rows(batches: Batches) -> impl Iterator<Item = Result<(u32, Vec<u8>)>> {
    let unfit = || Error::data("the rows of tasks have a column of whole numbers and one of bytes");
    let of = move |batch: RecordBatch| -> Result<Vec<(u32, Vec<u8>)>> {
        let [keys, frames] = batch.columns() else { return Err(unfit()) };
        let keys = cast(keys, &DataType::Int32).map_err(|e| unfit().cause(e))?;
        let frames = cast(frames, &DataType::LargeBinary).map_err(|e| unfit().cause(e))?;
        let keys = keys.as_any().downcast_ref::<Int32Array>().ok_or_else(unfit)?;
        let frames = frames.as_any().downcast_ref::<LargeBinaryArray>().ok_or_else(unfit)?;
        Ok((0..batch.num_rows()).map(|row| (keys.value(row) as u32, frames.value(row).to_vec())).collect())
    };
    let each = batches.map(move |batch| of(batch.map_err(|e| Error::data("no batch can be read").cause(e))?));
    each.flat_map(|rows| match rows {
        Ok(rows) => rows.into_iter().map(Ok).collect::<Vec<_>>(),
        Err(error) => vec![Err(error)],
    })
}

fn limits(memory: Option<u64>) -> Limits {
    Limits { memory, workers: Some(1), spill_dir: None }
}

fn read<T: serde::de::DeserializeOwned>(text: &str, what: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|e| Error::usage(format!("{what}: {e}")))
}

/// The job of all tasks, as text: options of reading, as JSON of a `Spec`, and the windows that customers are kept by.
#[pyfunction]
pub(crate) fn engine_job(py: Python<'_>, spec: &str, every: &str) -> PyResult<String> {
    let job = || -> Result<String> {
        let spec: Spec = read(spec, "the options")?;
        let every: Granularity = every.parse()?;
        if !every.is_calendar() {
            return Err(Error::usage(format!("customers are kept by calendar windows, and `every={every}` is none")));
        }
        serde_json::to_string(&EngineJob::new(spec, every)).map_err(|e| Error::internal("a job cannot be written").cause(e))
    };
    job().map_err(|error| raised(py, &error))
}

/// Batches of period aggregations → rows of customers by partition. `number` is the task's.
#[pyfunction]
#[pyo3(signature = (job, number, data, memory=None))]
pub(crate) fn engine_accumulate(py: Python<'_>, job: &str, number: u64, data: &Bound<'_, PyAny>, memory: Option<u64>) -> PyResult<Frames> {
    let objects = Raised::default();
    let (batches, job) = (Batches::of(data, &objects)?, job.to_owned());
    run_raising(py, None, &objects, move |signals, _| {
        let mut packer = Packer::default();
        let job: EngineJob = read(&job, "the job")?;
        accumulate_batches(&job, number, batches, &limits(memory), &signals.cancel, &mut |key, frame| packer.push(key, frame))?;
        packer.finish()
    })
}

/// Rows of some partitions → fewer of them.
#[pyfunction]
#[pyo3(signature = (job, data, memory=None))]
pub(crate) fn engine_merge(py: Python<'_>, job: &str, data: &Bound<'_, PyAny>, memory: Option<u64>) -> PyResult<Frames> {
    let objects = Raised::default();
    let (batches, job) = (Batches::of(data, &objects)?, job.to_owned());
    run_raising(py, None, &objects, move |signals, _| {
        let mut packer = Packer::default();
        let job: EngineJob = read(&job, "the job")?;
        merge_frames(&job, rows(batches), &limits(memory), &signals.cancel, &mut |key, frame| packer.push(key, frame))?;
        packer.finish()
    })
}

/// Takes the rows of all partitions into a state, as one input. The job comes with its options and its windows. Gives the rows that were read,
/// and whether the state had them before.
#[pyfunction]
pub(crate) fn engine_take_in(
    py: Python<'_>,
    job: (String, String, String),
    state: String,
    name: String,
    data: &Bound<'_, PyAny>,
) -> PyResult<(u64, bool)> {
    let objects = Raised::default();
    let (batches, (job, spec, every)) = (Batches::of(data, &objects)?, job);
    run_raising(py, None, &objects, move |signals, _| {
        let (spec, every) = (read(&spec, "the options")?, Some(every.parse()?));
        let update = Update { spec, every, cancel: Cancel::clone(&signals.cancel), ..Update::default() };
        let updated = update.run_frames(Path::new(&state), &name, &read(&job, "the job")?, rows(batches))?;
        Ok((updated.rows, !updated.known.is_empty()))
    })
}
