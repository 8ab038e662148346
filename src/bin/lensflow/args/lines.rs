//! What can be said of orders and line items, and the arguments of `lensflow periods`.

use super::{Machine, Reading};
use crate::inputs::named;
use crate::periods::PeriodsJob;
use chrono_tz::Tz;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use lensflow::error::{Error, Result};
use lensflow::model::{TransactionColumn, TransactionColumns};
use lensflow::orders::{Anonymous, Duplicates, Lines, OrderOptions, Refunds};
use lensflow::source::files::Format;
use lensflow::source::transactions::{Encoding, IdFormat, TransactionOptions};
use lensflow::spec::Spec;
use serde::de::{DeserializeOwned, IntoDeserializer};
use std::path::PathBuf;

/// The words of each choice: those by which the library's own types go in states.
pub(crate) const REFUNDS: &[&str] = &["fail", "net", "drop"];
pub(crate) const ANONYMOUS: &[&str] = &["fail", "drop", "report"];
pub(crate) const DUPLICATES: &[&str] = &["fail", "drop", "keep"];
pub(crate) const ID_FORMATS: &[&str] = &["as-is", "integer"];
pub(crate) const ENCODINGS: &[&str] = &["utf8", "latin1"];

/// What rows are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum From {
    /// What one customer did in one period
    Periods,
    /// Orders, or lines of orders
    Transactions,
}

/// How orders and line items are read and grouped.
#[derive(Debug, Args)]
#[command(next_help_heading = "Transactions")]
pub(crate) struct LineArgs {
    /// Each row is a whole order: there are no order ids, nothing is grouped, and no duplicates are looked for
    #[arg(long)]
    one_row_per_order: bool,

    /// Lines with a negative quantity or worth: end the run, take them off what the customer spent, or leave them out
    #[arg(long, value_parser = one_of::<Refunds>(REFUNDS), default_value = "fail")]
    refunds: Refunds,

    /// Lines without a customer: end the run, leave them out, or report their orders and revenue apart
    #[arg(long, value_parser = one_of::<Anonymous>(ANONYMOUS), default_value = "fail")]
    anonymous: Anonymous,

    /// Lines of an order that are the same in customer, time, product, quantity, worth and margin: end the run, count one of them, or count
    /// them all
    #[arg(long, value_parser = one_of::<Duplicates>(DUPLICATES), default_value = "fail")]
    duplicates: Duplicates,

    /// The time zone whose calendar orders belong to, such as Europe/Berlin
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    timezone: String,

    /// Read ids as whole numbers: 12923.0 is 12923
    #[arg(long, value_parser = one_of::<IdFormat>(ID_FORMATS), default_value = "as-is")]
    id_format: IdFormat,

    /// How dates are written that are not ISO 8601, as for strftime: "%m/%d/%Y %H:%M" for 12/1/2010 8:26
    #[arg(long, value_name = "FORMAT")]
    date_format: Option<String>,

    /// What the bytes of CSV and JSONL mean
    #[arg(long, value_parser = one_of::<Encoding>(ENCODINGS), default_value = "utf8")]
    encoding: Encoding,
}

fn one_of<T: DeserializeOwned + Clone + Send + Sync + 'static>(words: &'static [&'static str]) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(words).try_map(|word| of_word(&word))
}

/// What a word of a choice means.
pub(crate) fn of_word<T: DeserializeOwned>(word: &str) -> Result<T, serde::de::value::Error> {
    T::deserialize(word.into_deserializer())
}

/// The time zone of that name.
pub(crate) fn timezone(name: &str) -> Result<Tz> {
    let unknown = |_| Error::usage(format!("{name:?} is not a time zone")).help("name one as IANA does, such as Europe/Berlin");
    name.parse().map_err(unknown)
}

impl LineArgs {
    /// How lines are read, if rows are lines; else nothing may be said of them.
    pub(crate) fn of(&self, from: From, reading: &Reading) -> Result<Option<Lines>> {
        if from == From::Transactions {
            return self.lines(reading).map(Some);
        }
        let said = [
            (self.one_row_per_order, "--one-row-per-order"),
            (self.refunds != Refunds::Fail, "--refunds"),
            (self.anonymous != Anonymous::Fail, "--anonymous"),
            (self.duplicates != Duplicates::Fail, "--duplicates"),
            (self.timezone != "UTC", "--timezone"),
            (self.id_format != IdFormat::AsIs, "--id-format"),
            (self.date_format.is_some(), "--date-format"),
            (self.encoding != Encoding::Utf8, "--encoding"),
        ];
        match said.iter().find(|(said, _)| *said) {
            Some((_, flag)) => {
                Err(Error::usage(format!("{flag} is for orders and line items")).help("say --from transactions, or leave it out"))
            }
            None => Ok(None),
        }
    }

    /// With the columns that `--column` names.
    pub(crate) fn lines(&self, reading: &Reading) -> Result<Lines> {
        let known = || TransactionColumn::ALL.map(TransactionColumn::name).join(", ");
        let columns = TransactionColumns(reading.named_columns(TransactionColumn::from_name, TransactionColumn::name, known)?);
        if self.one_row_per_order && columns.0.contains_key(&TransactionColumn::OrderId) {
            let what = "--column order_id: with --one-row-per-order, each row is an order, and order ids are not looked for";
            return Err(Error::usage(what).help("leave one of the two out"));
        }
        let options = TransactionOptions {
            one_row_per_order: self.one_row_per_order,
            id_format: self.id_format,
            date_format: self.date_format.clone(),
            encoding: self.encoding,
        };
        let orders = OrderOptions {
            refunds: self.refunds,
            anonymous: self.anonymous,
            duplicates: self.duplicates,
            timezone: timezone(&self.timezone)?,
        };
        options.check()?;
        if options.one_row_per_order && orders.duplicates != Duplicates::Fail {
            let error = Error::usage("--duplicates does nothing with --one-row-per-order: rows are not compared with each other");
            return Err(error.help("leave one of them out"));
        }
        if self.encoding != Encoding::Utf8 && matches!(reading.format()?, Some(Format::Parquet | Format::Arrow)) {
            return Err(Error::usage("--encoding does nothing with this --format: text in Parquet and Arrow is UTF-8").help("leave it out"));
        }
        Ok(Lines { columns, options, orders })
    }
}

const EXAMPLES: &str = "\
Examples:
  lensflow periods orders.csv --every month -o periods.parquet
  lensflow periods 'invoices/*.csv' --every quarter --column order_id=InvoiceNo --column customer_id=CustomerID \\
      --refunds net --anonymous drop -o periods.csv

The input has a row per line of an order, with the columns order_id, customer_id, event_ts (or order_ts), and line_total,
or quantity (1 if nothing is said) and unit_price; margins are line_margin, or quantity times unit_margin, or quantity
times unit_price less unit_cost. product_id is optional. Lines of an order may be anywhere.";

/// The arguments of `lensflow periods`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES, after_help = "More with --help.")]
pub(crate) struct Periods {
    /// Files, folders, globs, or - for stdin, as for audit
    input: Vec<String>,

    /// The calendar period of a row: month, quarter, half or year
    #[arg(long, value_name = "PERIOD")]
    every: String,

    /// The file to write, .parquet, .csv, .jsonl or .arrow; - is CSV on stdout
    #[arg(long, short, value_name = "PATH")]
    output: PathBuf,

    #[command(flatten)]
    lines: LineArgs,

    #[command(flatten)]
    reading: Reading,

    #[command(flatten)]
    machine: Machine,
}

impl Periods {
    pub(crate) fn job(&self) -> Result<PeriodsJob> {
        let spec = Spec { on_bad_row: self.reading.on_bad_row().unwrap_or_default(), ..self.machine.spec()? };
        spec.validate()?;
        Ok(PeriodsJob {
            inputs: named(&self.input, "periods")?,
            format: self.reading.format()?,
            every: self.every.parse()?,
            lines: self.lines.lines(&self.reading)?,
            spec,
            output: self.output.clone(),
        })
    }
}
