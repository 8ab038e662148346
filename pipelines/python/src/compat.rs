//! RFM of objects in, objects out, for the drop-in: what takes the time is reading and making Python objects, so that is done here.
//!
//! It is that library's algorithm: one pass over the objects with a sum for each customer, then an object for each sum. Times stay the
//! objects that they are, compared by their own rules, and an id is the object that came first; only orders and amounts become numbers,
//! with the library's exact arithmetic. A row costs six attributes and, where its customer has rows before, three comparisons.
//!
//! What is not as it should be is an error here, of whatever kind: the drop-in's Python then says or does it in its own, slow way.

use crate::aggregations::amount;
use crate::blank::{Blank, set};
use hashbrown::HashTable;
use lensflow::money::{Amount, Fixed2, Total};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyFloat, PyInt, PyList, PyString, PyType};
use std::fmt::Write;

/// The metrics of every customer, sorted by id, as objects of `class`.
#[pyfunction]
pub(crate) fn compat_rfm<'py>(
    py: Python<'py>,
    periods: &Bound<'py, PyAny>,
    observation_end: &Bound<'py, PyAny>,
    class: &Bound<'py, PyType>,
    decimal: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyList>> {
    without_collection(py, || {
        let mut sums = Sums { customers: Vec::new(), places: HashTable::new() };
        let mut items = periods.try_iter()?;
        loop {
            let rows = items.by_ref().take(BLOCK).map(|item| Row::read(&item?, observation_end)).collect::<PyResult<Vec<_>>>()?;
            if rows.is_empty() {
                break;
            }
            py.check_signals()?;
            sums.fetch(&rows);
            rows.into_iter().try_for_each(|row| sums.add(row))?;
        }
        let sums = sums.customers;
        let order = in_order(&sums)?;
        let decimals = Decimals { class: decimal, known: vec![None; KNOWN.min(8 * sums.len())], text: String::new() };
        let mut objects = Objects { blank: Blank::of(class)?, end: observation_end, decimals };
        // One after another as they lie in memory, and then in order.
        let made = sums.iter().map(|sum| objects.of(sum)).collect::<PyResult<Vec<_>>>()?;
        PyList::new(py, order.iter().map(|&at| &made[at as usize]))
    })
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

/// Rows whose customers are fetched together.
const BLOCK: usize = 256;

/// What an object says.
struct Row<'py> {
    id: Bound<'py, PyString>,
    hash: u64,
    last: Option<Bound<'py, PyAny>>,
    start: Bound<'py, PyAny>,
    end: Bound<'py, PyAny>,
    orders: i64,
    spend: Amount,
}

impl<'py> Row<'py> {
    fn read(item: &Bound<'py, PyAny>, observation_end: &Bound<'py, PyAny>) -> PyResult<Self> {
        let py = item.py();
        let id = item.getattr(intern!(py, "customer_id"))?.cast_into::<PyString>()?;
        let last = Some(item.getattr(intern!(py, "last_transaction_ts"))?).filter(|last| !last.is_none());
        if let Some(last) = &last
            && last.gt(observation_end)?
        {
            return Err(PyValueError::new_err("a transaction is after the end"));
        }
        Ok(Row {
            hash: id.hash()? as u64,
            id,
            last,
            start: item.getattr(intern!(py, "period_start"))?,
            end: item.getattr(intern!(py, "period_end"))?,
            orders: item.getattr(intern!(py, "total_orders"))?.extract()?,
            spend: exact(&item.getattr(intern!(py, "total_spend"))?)?,
        })
    }
}

/// What is known of a customer.
struct Sum<'py> {
    id: Bound<'py, PyString>,
    last: Option<Bound<'py, PyAny>>,
    start: Bound<'py, PyAny>,
    end: Bound<'py, PyAny>,
    orders: i64,
    spend: Total,
}

struct Sums<'py> {
    customers: Vec<Sum<'py>>,
    /// Hashes of ids, and places of customers.
    places: HashTable<(u64, u32)>,
}

impl<'py> Sums<'py> {
    /// Looks at what is known of customers, of one independently of the other, so that memory is waited for once and not for each: that is
    /// most of what a row takes when customers are many.
    fn fetch(&self, rows: &[Row<'py>]) {
        let known = rows.iter().filter_map(|row| self.places.find(row.hash, |(hash, _)| *hash == row.hash));
        let seen = known.map(|&(_, at)| {
            let Some(sum) = self.customers.get(at as usize) else { return 0 };
            sum.id.get_type_ptr() as usize
                ^ sum.start.get_type_ptr() as usize
                ^ sum.last.as_ref().map_or(0, |last| last.get_type_ptr() as usize)
        });
        std::hint::black_box(seen.fold(0, |all, one| all ^ one));
    }

    fn add(&mut self, row: Row<'py>) -> PyResult<()> {
        let Row { id, hash, last, start, end, orders, spend } = row;
        let (text, customers) = (text(&id)?, &mut self.customers);
        let same = |&(other, at): &(u64, u32)| other == hash && customers[at as usize].id.to_str().is_ok_and(|other| other == text);
        let Some(&(_, at)) = self.places.find(hash, same) else {
            let at = u32::try_from(customers.len()).map_err(|_| PyTypeError::new_err("too many customers"))?;
            customers.push(Sum { id, last, start, end, orders, spend: spend.into() });
            self.places.insert_unique(hash, (hash, at), |&(hash, _)| hash);
            return Ok(());
        };
        let known = &mut customers[at as usize];
        match (&known.last, last) {
            (Some(before), Some(last)) if last.gt(before)? => known.last = Some(last),
            (None, Some(last)) => known.last = Some(last),
            _ => {}
        }
        // An end stands for the last transaction where none is known.
        if known.last.is_none() && !end.is(&known.end) && end.gt(&known.end)? {
            known.end = end;
        }
        if !start.is(&known.start) && start.lt(&known.start)? {
            known.start = start;
        }
        known.orders = known.orders.checked_add(orders).ok_or_else(|| PyTypeError::new_err("too many orders"))?;
        known.spend.add(spend);
        Ok(())
    }
}

fn text<'a>(id: &'a Bound<'_, PyString>) -> PyResult<&'a str> {
    id.to_str().map_err(|_| PyTypeError::new_err("an id is no Unicode"))
}

/// An amount: of a float its shortest decimal, of anything else what it says of itself.
fn exact(value: &Bound<'_, PyAny>) -> PyResult<Amount> {
    let exact = match value.cast::<PyFloat>() {
        Ok(value) => Amount::from_f64(value.value()),
        Err(_) => amount(value)?.unwrap_or_default().parse(),
    };
    exact.map_err(|_| PyTypeError::new_err("no amount of money"))
}

/// The places of customers in the order of their ids, which is the order of their UTF-8.
fn in_order(sums: &[Sum<'_>]) -> PyResult<Vec<u32>> {
    let ids = sums.iter().map(|sum| text(&sum.id)).collect::<PyResult<Vec<_>>>()?;
    let first = ids.first().map_or(&[][..], |id| id.as_bytes());
    let shared = ids.iter().fold(first.len(), |most, id| first[..most].iter().zip(id.as_bytes()).take_while(|(a, b)| a == b).count());
    // Most are told apart by eight bytes after what all begin with.
    let key = |id: &str| id.as_bytes()[shared..].iter().chain(&[0; 8]).take(8).fold(0, |key, &byte| key << 8 | u64::from(byte));
    let mut order: Vec<(u64, u32)> = ids.iter().zip(0..).map(|(id, at)| (key(id), at)).collect();
    order.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| ids[a.1 as usize].cmp(ids[b.1 as usize])));
    Ok(order.into_iter().map(|(_, at)| at).collect())
}

/// Makes objects of sums.
struct Objects<'a, 'py> {
    blank: Blank<'py>,
    end: &'a Bound<'py, PyAny>,
    decimals: Decimals<'a, 'py>,
}

impl<'py> Objects<'_, 'py> {
    fn of(&mut self, sum: &Sum<'py>) -> PyResult<Bound<'py, PyAny>> {
        let py = self.end.py();
        let since = self.end.sub(sum.last.as_ref().unwrap_or(&sum.end))?;
        let days = since.getattr(intern!(py, "days"))?.cast_into::<PyInt>()?;
        let spend = sum.spend.rounded();
        if sum.orders <= 0 || spend < Fixed2::ZERO || days.extract::<i64>()? < 0 {
            return Err(PyValueError::new_err("the customer is not valid"));
        }
        let each = match sum.orders {
            1 => spend,
            orders => Fixed2::quotient(spend.hundredths(), i128::from(orders) * 100),
        };
        // It is valid: the class need not check it again.
        let object = self.blank.make()?;
        set(&object, intern!(py, "customer_id"), &sum.id)?;
        set(&object, intern!(py, "recency_days"), &days)?;
        set(&object, intern!(py, "frequency"), sum.orders.into_pyobject(py)?.as_any())?;
        set(&object, intern!(py, "monetary"), &self.decimals.of(each)?)?;
        set(&object, intern!(py, "observation_start"), &sum.start)?;
        set(&object, intern!(py, "observation_end"), self.end)?;
        set(&object, intern!(py, "total_spend"), &self.decimals.of(spend)?)?;
        Ok(object)
    }
}

/// Amounts up to this many cents are often met again.
const KNOWN: usize = 1 << 18;

/// Makes `Decimal`s, which are larger than what else there is of a customer, and take longest: one for all equal ones that are small.
struct Decimals<'a, 'py> {
    class: &'a Bound<'py, PyAny>,
    known: Vec<Option<Bound<'py, PyAny>>>,
    text: String,
}

impl<'py> Decimals<'_, 'py> {
    fn of(&mut self, money: Fixed2) -> PyResult<Bound<'py, PyAny>> {
        let at = usize::try_from(money.hundredths()).unwrap_or(usize::MAX);
        if let Some(Some(known)) = self.known.get(at) {
            return Ok(known.clone());
        }
        self.text.clear();
        // A text takes whatever is written to it.
        let _ = write!(self.text, "{money}");
        let made = self.class.call1((&self.text,))?;
        if let Some(place) = self.known.get_mut(at) {
            *place = Some(made.clone());
        }
        Ok(made)
    }
}
