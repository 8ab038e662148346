//! Python objects that have the attributes of a period aggregation → rows, and as an Arrow stream some at a time.
//!
//! Amounts go as texts, so that a float is its shortest decimal and a `Decimal` is exact. Times without an offset are UTC.

use arrow::array::{ArrayRef, Int64Builder, StringBuilder, StructArray, TimestampMicrosecondBuilder};
use arrow::datatypes::{DataType, Field, Fields, TimeUnit};
use arrow::error::ArrowError;
use chrono::{Datelike, NaiveDate};
use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyCapsule, PyFloat, PyIterator, PyString, PyTuple};
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
    /// `datetime.datetime`.
    class: Option<Py<PyAny>>,
    /// The zone of the first time that has one.
    pub(crate) zone: Option<Py<PyAny>>,
    /// Whether a time had none.
    pub(crate) naive: bool,
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

    /// A `datetime` of the standard library without a zone, by what it is pickled as: its ten bytes in one call, where its parts are seven.
    fn plain(&mut self, time: &Bound<'_, PyAny>) -> PyResult<Option<i64>> {
        let py = time.py();
        let class = match &self.class {
            Some(class) => class.bind(py).clone(),
            None => {
                let class = py.import("datetime")?.getattr("datetime")?;
                self.class = Some(class.clone().unbind());
                class
            }
        };
        if !time.get_type().is(&class) {
            return Ok(None);
        }
        let pickled = time.call_method0(intern!(py, "__reduce__"))?;
        let Ok(parts) = pickled.get_item(1)?.cast_into::<PyTuple>() else { return Ok(None) };
        if parts.len() != 1 {
            return Ok(None);
        }
        let Ok(bytes) = parts.get_item(0)?.cast_into::<PyBytes>() else { return Ok(None) };
        let &[year, of_year, month, day, hour, minute, second, a, b, c] = bytes.as_bytes() else { return Ok(None) };
        let year = i32::from(year) * 256 + i32::from(of_year);
        let day = NaiveDate::from_ymd_opt(year, u32::from(month), u32::from(day)).map(|day| i64::from(day.num_days_from_ce()) - EPOCH_DAY);
        let seconds = (i64::from(hour) * 60 + i64::from(minute)) * 60 + i64::from(second);
        let micros = seconds * 1_000_000 + (i64::from(a) << 16) + (i64::from(b) << 8) + i64::from(c);
        Ok(day.map(|day| day * DAY + micros))
    }

    fn micros(&mut self, time: &Bound<'_, PyAny>) -> PyResult<Option<i64>> {
        let py = time.py();
        if let Some(micros) = self.plain(time)? {
            self.naive = true;
            return Ok(Some(micros));
        }
        let ordinal = match time.call_method0(intern!(py, "toordinal")) {
            Ok(ordinal) => ordinal.extract::<i64>(),
            Err(error) if error.is_instance_of::<pyo3::exceptions::PyAttributeError>(py) => {
                return Err(PyTypeError::new_err(format!("a datetime is expected, not {}", time.get_type().name()?)));
            }
            // pandas' NaT has the attribute, and raises.
            Err(_) => return Ok(None),
        };
        let Ok(ordinal) = ordinal else { return Ok(None) };
        let day = (ordinal - EPOCH_DAY) * DAY;
        let Ok(hour) = time.getattr(intern!(py, "hour")) else {
            self.naive = true;
            return Ok(Some(day));
        };
        let part = |name| -> PyResult<i64> { time.getattr(name)?.extract() };
        let minutes = hour.extract::<i64>()? * 60 + part(intern!(py, "minute"))?;
        let micros = (minutes * 60 + part(intern!(py, "second"))?) * 1_000_000 + part(intern!(py, "microsecond"))?;
        let zone = time.getattr(intern!(py, "tzinfo"))?;
        if zone.is_none() {
            self.naive = true;
            return Ok(Some(day + micros));
        }
        if self.zone.is_none() {
            self.zone = Some(zone.unbind());
        }
        let offset = time.call_method0(intern!(py, "utcoffset"))?;
        if offset.is_none() {
            return Ok(Some(day + micros));
        }
        let part = |name| -> PyResult<i64> { offset.getattr(name)?.extract() };
        let seconds = part(intern!(py, "days"))? * 86_400 + part(intern!(py, "seconds"))?;
        Ok(Some(day + micros - seconds * 1_000_000 - part(intern!(py, "microseconds"))?))
    }
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
