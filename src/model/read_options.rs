//! The options of reading rows, of period aggregations and of orders and line items alike: what bytes mean, how values are written. Plain data.

use super::row_filter::RowFilter;
use serde::{Deserialize, Serialize};

/// How ids are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum IdFormat {
    /// Text byte for byte, integers as their digits.
    #[default]
    AsIs,
    /// Customer ids are whole numbers, however they are written: `12923.0` is `12923`, and what is none is a bad value. Ids of orders and
    /// products lose such a `.0` too, but may hold anything: a cancelled invoice has a letter.
    Integer,
    /// Text without the blanks around it, and without signs that cannot be seen there.
    Trim,
    /// As [`IdFormat::Trim`], and ids of customers in lower case, as Unicode has it: for e-mail addresses as people type them.
    Fold,
}

/// How amounts and counts are written where they are text. In all formats a currency's sign or code may stand before or after the number, and
/// `-5`, `5-` and `(5)` are negative; in all but the plain one, the separator of thousands may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum NumberFormat {
    /// A point before decimals; no separators of thousands but blanks and apostrophes, which can mean nothing else.
    #[default]
    #[serde(rename = "plain")]
    Plain,
    /// Points or blanks between thousands, a comma before decimals.
    #[serde(rename = "1.234,56")]
    PointComma,
    /// Commas between thousands, a point before decimals; in groups of two before the last as in India, too.
    #[serde(rename = "1,234.56")]
    CommaPoint,
    /// Apostrophes between thousands, a point before decimals.
    #[serde(rename = "1'234.56")]
    ApostrophePoint,
    /// Blanks of any width between thousands, a comma before decimals.
    #[serde(rename = "1 234,56")]
    BlankComma,
}

impl NumberFormat {
    /// Those that are to be asked for.
    pub(crate) const OTHERS: [NumberFormat; 4] =
        [NumberFormat::CommaPoint, NumberFormat::PointComma, NumberFormat::ApostrophePoint, NumberFormat::BlankComma];

    /// Its name in options and specs: how it writes a number.
    pub const fn name(self) -> &'static str {
        match self {
            NumberFormat::Plain => "plain",
            NumberFormat::PointComma => "1.234,56",
            NumberFormat::CommaPoint => "1,234.56",
            NumberFormat::ApostrophePoint => "1'234.56",
            NumberFormat::BlankComma => "1 234,56",
        }
    }
}

/// The unit of amounts of money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum AmountUnit {
    /// The currency's unit: 12.5 is 12.50.
    #[default]
    Units,
    /// Hundredths, in whole numbers: 1250 is 12.50.
    Cents,
    /// Millionths, in whole numbers: 12500000 is 12.50.
    Millionths,
}

/// The clock of times that say no offset from UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum NaiveTimes {
    /// UTC.
    #[default]
    Utc,
    /// That of the time zone whose calendar orders belong to. Of an hour that comes twice in autumn, the first is meant; a time in an hour
    /// that is left out in spring is as much later.
    Local,
}

/// The encoding of a text input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Encoding {
    /// UTF-8.
    #[default]
    Utf8,
    /// ISO 8859-1 with the letters and signs that Windows-1252 has where the standard has none, as spreadsheets write it.
    Latin1,
}

/// What `period_end` means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PeriodEnds {
    /// The first moment after the period.
    #[default]
    Exclusive,
    /// The last day of the period, or its last second: a month ends with `2023-01-31`, or `2023-01-31T23:59:59`.
    Inclusive,
}

/// What a quote means in a CSV.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Quote {
    /// A field may stand in double quotes, and a quote in it is written twice (RFC 4180).
    Double,
    /// Quotes are text like any other: each line is a record.
    None,
}

/// How rows are read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ReadOptions {
    /// How ids are read.
    pub id_format: IdFormat,
    /// How dates are written where they are not ISO 8601, as for `strftime`: `%m/%d/%Y %H:%M` for `12/1/2010 8:26`; or, of numbers, `epoch`,
    /// `epoch-ms`, `epoch-us`, `epoch-ns` (seconds and parts of them since 1970) or `excel` (days since 1899-12-30). The first that fits a
    /// value reads it.
    pub date_formats: Vec<String>,
    /// Whether these formats were told by an input's columns, and not said: then dates that could be read otherwise are noted.
    #[serde(skip)]
    pub dates_told: bool,
    /// The encoding of CSV and JSONL. What begins with the byte order mark of UTF-8 or UTF-16 is read as that, whatever is said here.
    pub encoding: Encoding,
    /// What `period_end` means, of period aggregations.
    pub period_ends: PeriodEnds,
    /// How amounts and counts are written where they are text.
    pub number_format: NumberFormat,
    /// The unit of amounts of money; quantities and counts have none.
    pub amount_unit: AmountUnit,
    /// The clock of times that say no offset; of orders and line items alone.
    pub naive_times: NaiveTimes,
    /// Texts that stand for no value, such as `NULL`: compared exactly, without blanks around them.
    pub nulls: Vec<String>,
    /// What a quote means in a CSV. Where nothing is said, a quote is [`Quote::Double`], and a field over several lines that might as well
    /// be several records is refused.
    pub quote: Option<Quote>,
    /// The character that makes the next one plain text in a quoted field of a CSV, `\\` as MySQL and Hive write it; ASCII.
    pub escape: Option<char>,
    /// The line of the header in a CSV, from 1; what comes before it is left out. Where nothing is said, titles before it are found.
    pub header_line: Option<u64>,
    /// The sheet to read of workbooks; the first one where nothing is said.
    pub sheet: Option<String>,
    /// The longest id that is read, in bytes; 1 MiB where nothing is said. What an input may unpack to grows with it: 64 times as much, and
    /// 1,024 times the input's size.
    pub max_field: Option<u64>,
    /// Only rows with these values are read; of several filters of a column, with a value of one of them.
    pub only: Vec<RowFilter>,
    /// Rows with these values are not read.
    pub except: Vec<RowFilter>,
    /// How the meaning of columns was told; none where it was said.
    #[serde(skip)]
    pub told: Option<Told>,
}

/// What the columns of an input told about its rows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Told {
    /// A sentence about it, for the notes.
    pub sentence: String,
    /// The filters that follow from it. That no row has one of their values is no slip.
    pub filters: Vec<RowFilter>,
}

impl Told {
    /// What was told.
    pub fn new(sentence: impl Into<String>, filters: Vec<RowFilter>) -> Self {
        Told { sentence: sentence.into(), filters }
    }
}

impl ReadOptions {
    /// Sets [`id_format`](ReadOptions::id_format).
    #[must_use]
    pub fn with_id_format(mut self, id_format: IdFormat) -> Self {
        self.id_format = id_format;
        self
    }

    /// Sets [`date_formats`](ReadOptions::date_formats).
    #[must_use]
    pub fn with_date_formats(mut self, date_formats: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.date_formats = date_formats.into_iter().map(Into::into).collect();
        self
    }

    /// Sets [`dates_told`](ReadOptions::dates_told).
    #[must_use]
    pub fn with_dates_told(mut self, dates_told: bool) -> Self {
        self.dates_told = dates_told;
        self
    }

    /// Sets [`only`](ReadOptions::only).
    #[must_use]
    pub fn with_only(mut self, only: impl IntoIterator<Item = RowFilter>) -> Self {
        self.only = only.into_iter().collect();
        self
    }

    /// Sets [`except`](ReadOptions::except).
    #[must_use]
    pub fn with_except(mut self, except: impl IntoIterator<Item = RowFilter>) -> Self {
        self.except = except.into_iter().collect();
        self
    }

    /// Sets [`encoding`](ReadOptions::encoding).
    #[must_use]
    pub fn with_encoding(mut self, encoding: Encoding) -> Self {
        self.encoding = encoding;
        self
    }

    /// Sets [`period_ends`](ReadOptions::period_ends).
    #[must_use]
    pub fn with_period_ends(mut self, period_ends: PeriodEnds) -> Self {
        self.period_ends = period_ends;
        self
    }

    /// Sets [`number_format`](ReadOptions::number_format).
    #[must_use]
    pub fn with_number_format(mut self, number_format: NumberFormat) -> Self {
        self.number_format = number_format;
        self
    }

    /// Sets [`amount_unit`](ReadOptions::amount_unit).
    #[must_use]
    pub fn with_amount_unit(mut self, amount_unit: AmountUnit) -> Self {
        self.amount_unit = amount_unit;
        self
    }

    /// Sets [`naive_times`](ReadOptions::naive_times).
    #[must_use]
    pub fn with_naive_times(mut self, naive_times: NaiveTimes) -> Self {
        self.naive_times = naive_times;
        self
    }

    /// Sets [`nulls`](ReadOptions::nulls).
    #[must_use]
    pub fn with_nulls(mut self, nulls: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.nulls = nulls.into_iter().map(Into::into).collect();
        self
    }

    /// Sets [`quote`](ReadOptions::quote).
    #[must_use]
    pub fn with_quote(mut self, quote: impl Into<Option<Quote>>) -> Self {
        self.quote = quote.into();
        self
    }

    /// Sets [`escape`](ReadOptions::escape).
    #[must_use]
    pub fn with_escape(mut self, escape: impl Into<Option<char>>) -> Self {
        self.escape = escape.into();
        self
    }

    /// Sets [`header_line`](ReadOptions::header_line).
    #[must_use]
    pub fn with_header_line(mut self, header_line: impl Into<Option<u64>>) -> Self {
        self.header_line = header_line.into();
        self
    }

    /// Sets [`sheet`](ReadOptions::sheet).
    #[must_use]
    pub fn with_sheet(mut self, sheet: impl Into<Option<String>>) -> Self {
        self.sheet = sheet.into();
        self
    }

    /// Sets [`max_field`](ReadOptions::max_field).
    #[must_use]
    pub fn with_max_field(mut self, max_field: impl Into<Option<u64>>) -> Self {
        self.max_field = max_field.into();
        self
    }

    /// Sets [`told`](ReadOptions::told).
    #[must_use]
    pub fn with_told(mut self, told: impl Into<Option<Told>>) -> Self {
        self.told = told.into();
        self
    }
}
