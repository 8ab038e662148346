//! RFM of objects in, objects out, for the drop-in: what takes the time is making Python objects, so they are made here.
//!
//! The arithmetic is the library's [`calculate_rfm`]. What it does not take is an error here, and the drop-in's Python says or does it in
//! its own way.

use crate::aggregations::{RowReader, Times, amount};
use crate::errors::raised;
use lensflow::error::Error;
use lensflow::money::Amount;
use lensflow::spec::{Parallel, Parallelism};
use lensflow::{PeriodAggregation, RfmMetrics, calculate_rfm};
use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFloat, PyList, PyString};
use std::collections::HashMap;

/// The metrics of every customer, sorted by id, as objects of `class`. `threads` 0 is one less than there are cores.
#[pyfunction]
pub(crate) fn compat_rfm<'py>(
    py: Python<'py>,
    periods: &Bound<'py, PyAny>,
    observation_end: &Bound<'py, PyAny>,
    class: &Bound<'py, PyAny>,
    decimal: &Bound<'py, PyAny>,
    threads: usize,
    threshold: u64,
) -> PyResult<Bound<'py, PyList>> {
    let fail = |error: Error| raised(py, &error);
    let (mut reader, mut ends) = (RowReader::default(), Times::default());
    let end = ends.read(observation_end)?.ok_or_else(|| PyTypeError::new_err("observation_end must be a datetime"))?;
    let mut rows = Vec::with_capacity(periods.len().unwrap_or(0));
    for item in periods.try_iter()? {
        let row = reader.read(&item?)?;
        let id = row.customer_id.cast::<PyString>()?.to_cow()?.into_owned();
        let missing = || PyTypeError::new_err("a time is missing");
        let (start, until) = (moment(row.period_start.ok_or_else(missing)?)?, moment(row.period_end.ok_or_else(missing)?)?);
        let spend = match row.total_spend.cast::<PyFloat>() {
            Ok(spend) => Amount::from_f64(spend.value()),
            Err(_) => amount(&row.total_spend)?.unwrap_or_default().parse(),
        };
        let spend = spend.map_err(|_| PyTypeError::new_err("no amount of money"))?;
        let period = PeriodAggregation::new(id, start, until, row.total_orders.extract()?, spend).map_err(fail)?;
        rows.push(match row.last_transaction_ts {
            Some(last) => period.with_last_transaction(moment(last)?).map_err(fail)?,
            None => period,
        });
    }
    let zone = one_clock(py, &reader, &ends)?;
    let parallel = if threads == 1 { Parallel::Off } else { Parallel::Auto { threshold } };
    let parallelism = Parallelism { parallel, n_workers: (threads > 0).then_some(threads) };
    let until = moment(end)?;
    let metrics = py.detach(|| {
        let metrics = calculate_rfm(&rows, until, &parallelism);
        drop(rows);
        metrics
    });
    let objects = Objects { class, decimal, observation_end, zone, starts: HashMap::new() };
    let metrics = metrics.map_err(fail)?;
    without_collection(py, || objects.of(py, &metrics))
}

/// Makes many objects, none of which can be garbage, without the collector's looking through all of them again and again.
fn without_collection<T>(py: Python<'_>, make: impl FnOnce() -> PyResult<T>) -> PyResult<T> {
    let collector = py.import("gc")?;
    let is_on: bool = collector.call_method0("isenabled")?.extract()?;
    if is_on {
        collector.call_method0("disable")?;
    }
    let made = make();
    if is_on {
        collector.call_method0("enable")?;
    }
    made
}

fn moment(micros: i64) -> PyResult<chrono::NaiveDateTime> {
    let moment = chrono::DateTime::from_timestamp_micros(micros).map(|moment| moment.naive_utc());
    moment.ok_or_else(|| PyTypeError::new_err("a time is out of range"))
}

/// The zone of all times, if they have one. Times with a zone and times without one cannot be compared.
fn one_clock<'py>(py: Python<'py>, reader: &RowReader, ends: &Times) -> PyResult<Option<Bound<'py, PyAny>>> {
    let all = [&reader.starts, &reader.ends, &reader.lasts, ends];
    let zones: Vec<_> = all.iter().filter_map(|times| times.zone.as_ref()).collect();
    if !zones.is_empty() && all.iter().any(|times| times.naive) {
        return Err(PyTypeError::new_err("can't compare offset-naive and offset-aware datetimes"));
    }
    Ok(reader.starts.zone.as_ref().map(|zone| zone.bind(py).clone()))
}

/// Makes objects of metrics. Objects of times are made once for each.
struct Objects<'a, 'py> {
    class: &'a Bound<'py, PyAny>,
    decimal: &'a Bound<'py, PyAny>,
    observation_end: &'a Bound<'py, PyAny>,
    zone: Option<Bound<'py, PyAny>>,
    starts: HashMap<i64, Bound<'py, PyAny>>,
}

impl<'py> Objects<'_, 'py> {
    fn of(mut self, py: Python<'py>, metrics: &[RfmMetrics]) -> PyResult<Bound<'py, PyList>> {
        let new = self.class.getattr(intern!(py, "__new__"))?;
        let list = PyList::empty(py);
        for one in metrics {
            // Metrics of the engine are valid: the class need not check them again.
            let object = new.call1((self.class,))?;
            let values = object.getattr(intern!(py, "__dict__"))?.cast_into::<PyDict>()?;
            values.set_item(intern!(py, "customer_id"), one.customer_id())?;
            values.set_item(intern!(py, "recency_days"), one.recency_days())?;
            values.set_item(intern!(py, "frequency"), one.frequency())?;
            let spend = self.decimal.call1((one.total_spend().to_string(),))?;
            let each = if one.frequency() == 1 { spend.clone() } else { self.decimal.call1((one.monetary().to_string(),))? };
            values.set_item(intern!(py, "monetary"), each)?;
            values.set_item(intern!(py, "observation_start"), self.start(py, one.observation_start())?)?;
            values.set_item(intern!(py, "observation_end"), self.observation_end)?;
            values.set_item(intern!(py, "total_spend"), spend)?;
            list.append(object)?;
        }
        Ok(list)
    }

    fn start(&mut self, py: Python<'py>, start: chrono::NaiveDateTime) -> PyResult<Bound<'py, PyAny>> {
        let micros = start.and_utc().timestamp_micros();
        if let Some(known) = self.starts.get(&micros) {
            return Ok(known.clone());
        }
        let datetime = py.import("datetime")?;
        let (epoch, delta) = (datetime.getattr("datetime")?.call1((1970, 1, 1))?, datetime.getattr("timedelta")?);
        let mut time = epoch.add(delta.call1((0, 0, micros))?)?;
        if let Some(zone) = &self.zone {
            let replace = PyDict::new(py);
            replace.set_item("tzinfo", datetime.getattr("timezone")?.getattr("utc")?)?;
            time = time.call_method("replace", (), Some(&replace))?.call_method1("astimezone", (zone,))?;
        }
        self.starts.insert(micros, time.clone());
        Ok(time)
    }
}
