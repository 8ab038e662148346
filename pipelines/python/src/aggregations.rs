//! Python objects that have the attributes of a period aggregation → rows, and as an Arrow stream some at a time.
//!
//! Amounts go as texts, so that a float is its shortest decimal and a `Decimal` is exact. Times without an offset are UTC.

use arrow::array::{ArrayRef, Int64Builder, StringBuilder, StructArray, TimestampMicrosecondBuilder};
use arrow::datatypes::{DataType, Field, Fields, TimeUnit};
use arrow::error::ArrowError;
use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyFloat, PyIterator, PyString};
use pyo3_arrow::ffi::{ArrayIterator, to_stream_pycapsule};
use std::sync::Arc;

/// Objects of a batch.
const ROWS: usize = 1 << 16;
/// The ordinal of the first of January 1970, as Python counts days.
const EPOCH_DAY: i64 = 719_163;
const DAY: i64 = 86_400_000_000;

/// Reads times of objects: microseconds since 1970 in UTC. Objects that come one after another are often the same.
#[derive(Default)]
pub(crate) struct Times {
    last: Option<(Py<PyAny>, i64)>,
    counted: Option<Counted>,
    /// The zone of the first time that has one.
    pub(crate) zone: Option<Py<PyAny>>,
    /// Whether a time had none.
    pub(crate) naive: bool,
}

/// What times are counted from, and in.
struct Counted {
    naive: Py<PyAny>,
    aware: Py<PyAny>,
}

impl Counted {
    fn new(py: Python<'_>) -> PyResult<Self> {
        let datetime = py.import("datetime")?;
        let utc = datetime.getattr("timezone")?.getattr("utc")?;
        let moment = datetime.getattr("datetime")?;
        Ok(Counted { naive: moment.call1((1970, 1, 1))?.unbind(), aware: moment.call1((1970, 1, 1, 0, 0, 0, 0, utc))?.unbind() })
    }
}

impl Times {
    /// A `datetime` or a `date`; none where it is `None` or not a time.
    pub(crate) fn read(&mut self, time: &Bound<'_, PyAny>) -> PyResult<Option<i64>> {
        if let Some((last, micros)) = &self.last
            && last.is(time)
        {
            return Ok(Some(*micros));
        }
        if time.is_none() {
            return Ok(None);
        }
        let micros = self.micros(time)?;
        if let Some(micros) = micros {
            self.last = Some((time.clone().unbind(), micros));
        }
        Ok(micros)
    }

    /// A difference a time, which is what reading objects takes most of its time for: from the epoch, in microseconds.
    fn micros(&mut self, time: &Bound<'_, PyAny>) -> PyResult<Option<i64>> {
        let py = time.py();
        let counted = match self.counted.take() {
            Some(counted) => counted,
            None => Counted::new(py)?,
        };
        let since = match time.sub(counted.naive.bind(py)) {
            Ok(since) => {
                self.naive = true;
                Some(since)
            }
            Err(_) => match time.sub(counted.aware.bind(py)) {
                Ok(since) => {
                    self.zone.get_or_insert(time.getattr(intern!(py, "tzinfo"))?.unbind());
                    Some(since)
                }
                Err(_) => None,
            },
        };
        let found = match since {
            Some(since) => {
                // pandas' NaT is as far from the epoch as from anything: its days are no number.
                Ok(parts(&since).ok())
            }
            None => self.day(time),
        };
        self.counted = Some(counted);
        found
    }

    /// A `date`, as its first moment.
    fn day(&mut self, time: &Bound<'_, PyAny>) -> PyResult<Option<i64>> {
        let Ok(ordinal) = time.call_method0(intern!(time.py(), "toordinal")) else {
            return Err(PyTypeError::new_err(format!("a datetime is expected, not {}", time.get_type().name()?)));
        };
        self.naive = true;
        Ok(Some((ordinal.extract::<i64>()? - EPOCH_DAY) * DAY))
    }
}

/// A difference of times, in microseconds.
fn parts(since: &Bound<'_, PyAny>) -> PyResult<i64> {
    let py = since.py();
    let days: i64 = since.getattr(intern!(py, "days"))?.extract()?;
    let seconds: i64 = since.getattr(intern!(py, "seconds"))?.extract()?;
    let micros: i64 = since.getattr(intern!(py, "microseconds"))?.extract()?;
    Ok(days * DAY + seconds * 1_000_000 + micros)
}

/// An amount as text: of a float its shortest decimal, of anything else what it says of itself.
pub(crate) fn amount(value: &Bound<'_, PyAny>) -> PyResult<Option<String>> {
    if value.is_none() {
        return Ok(None);
    }
    if value.is_instance_of::<PyFloat>() {
        return Ok(Some(value.extract::<f64>()?.to_string()));
    }
    Ok(Some(value.str()?.to_cow()?.into_owned()))
}

/// The attributes of an object that rows are made of.
pub(crate) struct Row<'py> {
    pub(crate) customer_id: Bound<'py, PyAny>,
    pub(crate) period_start: Option<i64>,
    pub(crate) period_end: Option<i64>,
    pub(crate) total_orders: Bound<'py, PyAny>,
    pub(crate) total_spend: Bound<'py, PyAny>,
    pub(crate) last_transaction_ts: Option<i64>,
}

/// One reader of times for each column.
#[derive(Default)]
pub(crate) struct RowReader {
    pub(crate) starts: Times,
    pub(crate) ends: Times,
    pub(crate) lasts: Times,
}

impl RowReader {
    pub(crate) fn read<'py>(&mut self, item: &Bound<'py, PyAny>) -> PyResult<Row<'py>> {
        let py = item.py();
        let last = item.getattr_opt(intern!(py, "last_transaction_ts"))?;
        Ok(Row {
            customer_id: item.getattr(intern!(py, "customer_id"))?,
            period_start: self.starts.read(&item.getattr(intern!(py, "period_start"))?)?,
            period_end: self.ends.read(&item.getattr(intern!(py, "period_end"))?)?,
            total_orders: item.getattr(intern!(py, "total_orders"))?,
            total_spend: item.getattr(intern!(py, "total_spend"))?,
            last_transaction_ts: last.map_or(Ok(None), |last| self.lasts.read(&last))?,
        })
    }
}

/// Objects as an Arrow stream.
#[pyclass(frozen, module = "lensflow._lensflow")]
pub(crate) struct Aggregations {
    items: Py<PyAny>,
}

#[pymethods]
impl Aggregations {
    #[new]
    fn new(items: Py<PyAny>) -> Self {
        Aggregations { items }
    }

    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(&self, py: Python<'py>, requested_schema: Option<Bound<'py, PyCapsule>>) -> PyResult<Bound<'py, PyCapsule>> {
        let mut items = Items { iterator: self.items.bind(py).try_iter()?.unbind(), reader: RowReader::default(), raised: None };
        let field = Arc::new(Field::new("", DataType::Struct(fields()), false));
        let arrays = std::iter::from_fn(move || items.next_array().transpose());
        Ok(to_stream_pycapsule(py, Box::new(ArrayIterator::new(arrays, field)), requested_schema)?)
    }
}

/// No rows of columns that have names, as an Arrow stream.
#[pyclass(frozen, module = "lensflow._lensflow")]
pub(crate) struct NoRows {
    names: Vec<String>,
}

#[pymethods]
impl NoRows {
    #[new]
    fn new(names: Vec<String>) -> Self {
        NoRows { names }
    }

    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(&self, py: Python<'py>, requested_schema: Option<Bound<'py, PyCapsule>>) -> PyResult<Bound<'py, PyCapsule>> {
        let columns: Fields = self.names.iter().map(|name| Field::new(name, DataType::Utf8, true)).collect();
        let field = Arc::new(Field::new("", DataType::Struct(columns), false));
        Ok(to_stream_pycapsule(py, Box::new(ArrayIterator::new(std::iter::empty(), field)), requested_schema)?)
    }
}

fn fields() -> Fields {
    let time = || DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let field = |name: &str, data_type| Field::new(name, data_type, true);
    Fields::from(vec![
        field("customer_id", DataType::Utf8),
        field("period_start", time()),
        field("period_end", time()),
        field("total_orders", DataType::Int64),
        field("total_spend", DataType::Utf8),
        field("last_transaction_ts", time()),
    ])
}

struct Items {
    iterator: Py<PyIterator>,
    reader: RowReader,
    raised: Option<String>,
}

impl Items {
    fn next_array(&mut self) -> Result<Option<ArrayRef>, ArrowError> {
        if self.raised.is_some() {
            return Ok(None);
        }
        let built = Python::attach(|py| self.build(py));
        built.map_err(|error| {
            self.raised = Some(error.to_string());
            ArrowError::ExternalError(error.to_string().into())
        })
    }

    fn build(&mut self, py: Python<'_>) -> PyResult<Option<ArrayRef>> {
        let time = || TimestampMicrosecondBuilder::with_capacity(ROWS).with_timezone("UTC");
        let (mut ids, mut spends) = (StringBuilder::new(), StringBuilder::new());
        let (mut starts, mut ends, mut lasts) = (time(), time(), time());
        let mut orders = Int64Builder::with_capacity(ROWS);
        let mut iterator = self.iterator.bind(py).clone();
        let mut rows = 0;
        while rows < ROWS {
            let Some(item) = iterator.next() else { break };
            let row = self.reader.read(&item?)?;
            match row.customer_id.cast::<PyString>() {
                Ok(id) => ids.append_value(id.to_cow()?),
                Err(_) if row.customer_id.is_none() => ids.append_null(),
                Err(_) => ids.append_value(row.customer_id.str()?.to_cow()?),
            }
            starts.append_option(row.period_start);
            ends.append_option(row.period_end);
            orders.append_option(row.total_orders.extract::<Option<i64>>()?);
            spends.append_option(amount(&row.total_spend)?);
            lasts.append_option(row.last_transaction_ts);
            rows += 1;
        }
        if rows == 0 {
            return Ok(None);
        }
        let columns: Vec<ArrayRef> = vec![
            Arc::new(ids.finish()),
            Arc::new(starts.finish()),
            Arc::new(ends.finish()),
            Arc::new(orders.finish()),
            Arc::new(spends.finish()),
            Arc::new(lasts.finish()),
        ];
        Ok(Some(Arc::new(StructArray::new(fields(), columns, None))))
    }
}
