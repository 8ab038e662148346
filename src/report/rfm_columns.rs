//! The columns of RFM rows: their names and types, what is asked for by name or as a preset, and which of them a run can give.
//!
//! A choice is read from text ([`RfmColumns`]) before rows are read, and so is refused what the rows cannot tell. Its columns depend on the
//! options alone, never on the data: a file's header is known before the first row. [`rfm_rows`](super::rfm_rows) fills them.
//!
//! Presets name and define columns as other packages do:
//!
//! | preset | columns | as |
//! |---|---|---|
//! | `autoclv` | `customer_id`, `recency_days`, `frequency`, `monetary`, `observation_start`, `observation_end`, `total_spend`, `r_score`, `f_score`, `m_score`, `rfm_score` | the fields of its `RFMMetrics` and `RFMScore` |
//! | `r` | `customer_id`, `date_most_recent`, `recency_days`, `transaction_count`, `amount` | `rfm_table_order` of the R package rfm, before its scores |
//! | `lifetimes` | `customer_id`, `frequency`, `recency`, `T` | lifetimes and pymc-marketing: repeat days, days from the first to the last day with an order, days from the first day to the last day observed |
//!
//! `r` has no scores: that package scores the whole amount, and equal values otherwise, so that ours would be other numbers under its names.
//! `lifetimes` has no `monetary_value`: it is the mean of the days after the first, and the sums of a customer do not tell them apart.

use super::rows::{MONEY, TIME};
use crate::base::error::{Error, Result};
use crate::model::line_columns::TransactionColumn;
use crate::model::read_options::{IdFormat, NaiveTimes};
use crate::model::window::{Granularity, Windows};
use crate::orders::Lines;
use crate::source::layouts::DAY;
use crate::spec::Spec;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use chrono_tz::Tz;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// What a column of RFM rows holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RfmValue {
    Window,
    CustomerId,
    RecencyDays,
    Frequency,
    Monetary,
    TotalSpend,
    ObservationStart,
    ObservationEnd,
    /// Of recency, frequency or monetary value, by its place.
    Score(usize),
    RfmScore,
    Segment,
    /// The latest `last_transaction_ts`; null where there is none.
    LastOrder,
    FirstOrder,
    /// The day of the last order.
    LastOrderDay,
    /// Orders after the first.
    Repeats,
    /// Days from the day of the first order to that of the last.
    DaysActive,
    /// Days from the day of the first order to the last day observed.
    Age,
}

impl RfmValue {
    fn data_type(self) -> DataType {
        match self {
            RfmValue::Window | RfmValue::CustomerId | RfmValue::RfmScore | RfmValue::Segment => DataType::Utf8View,
            RfmValue::RecencyDays | RfmValue::DaysActive | RfmValue::Age => DataType::Int32,
            RfmValue::Frequency | RfmValue::Repeats => DataType::Int64,
            RfmValue::Monetary | RfmValue::TotalSpend => MONEY,
            RfmValue::ObservationStart | RfmValue::ObservationEnd | RfmValue::LastOrder | RfmValue::FirstOrder => TIME,
            RfmValue::Score(_) => DataType::UInt8,
            RfmValue::LastOrderDay => DataType::Date32,
        }
    }

    fn is_nullable(self) -> bool {
        matches!(self, RfmValue::LastOrder | RfmValue::LastOrderDay)
    }

    /// Whether it is made of the time of the last order.
    pub(super) fn needs_last(self) -> bool {
        matches!(self, RfmValue::LastOrder | RfmValue::LastOrderDay | RfmValue::DaysActive | RfmValue::Age)
    }

    /// Whether it is made of the time of the first order.
    pub(super) fn needs_first(self) -> bool {
        matches!(self, RfmValue::FirstOrder | RfmValue::DaysActive | RfmValue::Age)
    }
}

/// A column, and its name in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RfmColumn {
    name: &'static str,
    pub(super) value: RfmValue,
}

const fn column(name: &'static str, value: RfmValue) -> RfmColumn {
    RfmColumn { name, value }
}

const WINDOW: RfmColumn = column("window", RfmValue::Window);
const CUSTOMER: RfmColumn = column("customer_id", RfmValue::CustomerId);

const SEGMENT: RfmColumn = column("segment", RfmValue::Segment);

/// All columns that can be asked for by name: first those that rows have where nothing is said, then the others.
const NAMED: [RfmColumn; 15] = [
    WINDOW,
    CUSTOMER,
    column("recency_days", RfmValue::RecencyDays),
    column("frequency", RfmValue::Frequency),
    column("monetary", RfmValue::Monetary),
    column("total_spend", RfmValue::TotalSpend),
    column("observation_start", RfmValue::ObservationStart),
    column("observation_end", RfmValue::ObservationEnd),
    column("r_score", RfmValue::Score(0)),
    column("f_score", RfmValue::Score(1)),
    column("m_score", RfmValue::Score(2)),
    column("rfm_score", RfmValue::RfmScore),
    column("last_order_ts", RfmValue::LastOrder),
    column("first_order_ts", RfmValue::FirstOrder),
    SEGMENT,
];

/// How many of [`NAMED`] rows have where nothing is said.
const USUAL: usize = 12;

/// The columns of each preset, without the window.
const PRESETS: [(&str, &[RfmColumn]); 3] = [
    (
        "autoclv",
        &[
            CUSTOMER,
            column("recency_days", RfmValue::RecencyDays),
            column("frequency", RfmValue::Frequency),
            column("monetary", RfmValue::Monetary),
            column("observation_start", RfmValue::ObservationStart),
            column("observation_end", RfmValue::ObservationEnd),
            column("total_spend", RfmValue::TotalSpend),
            column("r_score", RfmValue::Score(0)),
            column("f_score", RfmValue::Score(1)),
            column("m_score", RfmValue::Score(2)),
            column("rfm_score", RfmValue::RfmScore),
        ],
    ),
    (
        "r",
        &[
            CUSTOMER,
            column("date_most_recent", RfmValue::LastOrderDay),
            column("recency_days", RfmValue::RecencyDays),
            column("transaction_count", RfmValue::Frequency),
            column("amount", RfmValue::TotalSpend),
        ],
    ),
    (LIFETIMES, &[CUSTOMER, column("frequency", RfmValue::Repeats), column("recency", RfmValue::DaysActive), column("T", RfmValue::Age)]),
];

const LIFETIMES: &str = "lifetimes";

/// The columns of RFM rows that are asked for: the twelve of [`rfm_schema`](super::rows::rfm_schema) where nothing is said.
///
/// As text: `+last_order_ts,first_order_ts` adds columns to the twelve, `customer_id,rfm_score` has these alone, in this order, and
/// `autoclv`, `r` or `lifetimes` has the columns of another package. A preset has `window` behind its own columns, unless the options
/// say that there is one window: a list of one, or all of time.
///
/// ```
/// use lensflow::Pipeline;
/// use lensflow::model::{Granularity, Windows};
/// use lensflow::pipeline::Order;
///
/// let builder = Pipeline::builder().windows(Windows::Every(Granularity::All)).rfm_columns("customer_id,last_order_ts".parse()?);
/// let mut pipeline = builder.build()?;
/// pipeline.run_files(&["examples/data/cdnow_periods.csv"])?;
/// let batch = pipeline.finish()?.into_rfm(Order::Sorted)?.next().expect("a batch")?;
/// assert_eq!(batch.schema().field(1).name(), "last_order_ts");
/// # Ok::<(), lensflow::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RfmColumns {
    columns: Vec<RfmColumn>,
    preset: Option<&'static str>,
}

impl Default for RfmColumns {
    fn default() -> Self {
        RfmColumns { columns: NAMED[..USUAL].to_vec(), preset: None }
    }
}

impl RfmColumns {
    /// The columns in a run with these options.
    pub(crate) fn of(&self, spec: &Spec) -> Vec<RfmColumn> {
        let is_one = matches!(spec.windows, Windows::Every(Granularity::All)) || spec.windows.listed() == 1;
        let window = (self.preset.is_some() && !is_one).then_some(WINDOW);
        // Those who ask for segments want to see them, unless they say which columns alone they want.
        let are_more = self.preset.is_none() && self.columns.starts_with(&NAMED[..USUAL]);
        let segment = (spec.segments.is_some() && are_more && !self.columns.contains(&SEGMENT)).then_some(SEGMENT);
        self.columns.iter().copied().chain(window).chain(segment).collect()
    }

    /// The schema of rows in a run with these options.
    pub fn schema(&self, spec: &Spec) -> SchemaRef {
        schema_of(&self.of(spec))
    }

    /// Checks that the options tell what the columns hold.
    ///
    /// # Errors
    /// The segment of customers where no segments are asked for.
    pub fn check_options(&self, spec: &Spec) -> Result<()> {
        if spec.segments.is_none() && self.columns.contains(&SEGMENT) {
            let error = Error::usage("there is no column segment where no segments are asked for");
            return Err(error.help("add `segments=standard`, or a file of your own"));
        }
        Ok(())
    }

    /// Whether a column is made of the time of a customer's last order.
    pub(crate) fn needs_last(&self) -> bool {
        self.columns.iter().any(|column| column.value.needs_last())
    }

    /// Whether a column is made of the time of a customer's first order, which the run then has to keep.
    pub(crate) fn needs_first(&self) -> bool {
        self.columns.iter().any(|column| column.value.needs_first())
    }

    /// Checks that rows tell what the columns hold: orders and line items that are read so, or period aggregations, of which saved states
    /// are made, too.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::base::error::Kind::Usage): the time of a first order is not in period aggregations, and
    /// `lifetimes` counts days with an order, so that an order must be what a customer buys on a day.
    pub fn check(&self, lines: Option<&Lines>) -> Result<()> {
        if !self.needs_first() {
            return Ok(());
        }
        let what = self.preset.unwrap_or("first_order_ts");
        let Some(lines) = lines else {
            let what = format!("{what} is made of the moment of a first order, which neither period aggregations nor saved states hold");
            return Err(Error::usage(what).help("audit the orders and line items alone, with `source.from=transactions`"));
        };
        if self.preset == Some(LIFETIMES) { is_by_day(lines) } else { Ok(()) }
    }
}

/// Checks that an order is what a customer buys on a day of the calendar that times are in.
fn is_by_day(lines: &Lines) -> Result<()> {
    let (order, customer) = (lines.columns.name(TransactionColumn::OrderId), lines.columns.name(TransactionColumn::CustomerId));
    let is_customer = |part: &str| part == customer || part == TransactionColumn::CustomerId.name();
    let is_by_day = match order.split_once('+').map(|(one, other)| (one.trim(), other.trim())) {
        Some((one, other)) => is_customer(one) && other == DAY || one == DAY && is_customer(other),
        None => false,
    };
    if lines.options.one_row_per_order || !is_by_day {
        let what = "lifetimes counts the days with an order, and an order has an id of its own here";
        let help = "make an order of what a customer buys on one day: `columns.order_id=customer_id+day`, without `one_row_per_order`";
        return Err(Error::usage(what).help(help));
    }
    let reading = &lines.options.reading;
    if reading.id_format != IdFormat::AsIs {
        let what = "lifetimes counts the days with an order, and customers whose ids are written in several ways have several orders a day";
        return Err(Error::usage(what).help("leave `id_format` out, and write ids in one way before"));
    }
    if lines.orders.timezone != Tz::UTC && reading.naive_times != NaiveTimes::Local {
        let what = "lifetimes counts the days with an order as the input writes them, and `timezone` has other days";
        return Err(Error::usage(what).help("leave `timezone` out, or add `naive_times=local` if times are written in it"));
    }
    Ok(())
}

/// The schema of some columns.
pub(crate) fn schema_of(columns: &[RfmColumn]) -> SchemaRef {
    let field = |column: &RfmColumn| Field::new(column.name, column.value.data_type(), column.value.is_nullable());
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}

impl FromStr for RfmColumns {
    type Err = Error;

    /// A preset's name; or names with commas, after a plus to be added to the usual ones.
    fn from_str(text: &str) -> Result<Self> {
        let text = text.trim();
        if let Some((name, columns)) = PRESETS.iter().find(|(name, _)| *name == text) {
            return Ok(RfmColumns { columns: columns.to_vec(), preset: Some(name) });
        }
        let adds = text.starts_with('+');
        let mut columns = if adds { NAMED[..USUAL].to_vec() } else { Vec::new() };
        for word in text.split(',').map(str::trim) {
            let name = word.strip_prefix('+').map_or(word, str::trim_start);
            if name != word && !adds {
                let what = format!("{word:?} is to be added, and the names before it are to be all");
                return Err(Error::usage(what).help("begin with a plus to add columns to the usual ones, or leave it out"));
            }
            let Some(found) = NAMED.iter().find(|column| column.name == name) else { return Err(unknown(name)) };
            if columns.contains(found) {
                let why = if adds && NAMED[..USUAL].contains(found) { "there without being added" } else { "named twice" };
                return Err(Error::usage(format!("the column {name} is {why}")).help("name it once"));
            }
            columns.push(*found);
        }
        Ok(RfmColumns { columns, preset: None })
    }
}

fn unknown(name: &str) -> Error {
    if name.contains('=') {
        let help = "the input's names of columns are said with `columns`";
        return Error::usage(format!("{name:?} is no column of RFM rows")).help(help);
    }
    let names = NAMED.map(|column| column.name).join(", ");
    let presets = PRESETS.map(|(name, _)| name).join(", ");
    let what = if name.is_empty() { "a column's name is missing".to_owned() } else { format!("{name:?} is no column of RFM rows") };
    Error::usage(what).help(format!("the columns are {names}; or name one of {presets} alone"))
}

impl fmt::Display for RfmColumns {
    /// As it is read.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |columns: &[RfmColumn]| columns.iter().map(|column| column.name).collect::<Vec<_>>().join(",");
        match (self.preset, self.columns.strip_prefix(&NAMED[..USUAL])) {
            (Some(preset), _) => f.write_str(preset),
            (None, Some(added @ [_, ..])) => write!(f, "+{}", names(added)),
            _ => f.write_str(&names(&self.columns)),
        }
    }
}
