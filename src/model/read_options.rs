//! The options of reading rows, of period aggregations and of orders and line items alike: what bytes mean, how values are written. Plain data.

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
    /// How dates are written where they are text and not ISO 8601, as for `strftime`: `%m/%d/%Y %H:%M` for `12/1/2010 8:26`. The first that
    /// fits a value reads it.
    pub date_formats: Vec<String>,
    /// The encoding of CSV and JSONL. What begins with the byte order mark of UTF-8 or UTF-16 is read as that, whatever is said here.
    pub encoding: Encoding,
    /// What a quote means in a CSV. Where nothing is said, a quote is [`Quote::Double`], and a field over several lines that might as well
    /// be several records is refused.
    pub quote: Option<Quote>,
    /// The character that makes the next one plain text in a quoted field of a CSV, `\\` as MySQL and Hive write it; ASCII.
    pub escape: Option<char>,
    /// The line of the header in a CSV, from 1; what comes before it is left out. Where nothing is said, titles before it are found.
    pub header_line: Option<u64>,
    /// The sheet to read of workbooks; the first one where nothing is said.
    pub sheet: Option<String>,
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

    /// Sets [`encoding`](ReadOptions::encoding).
    #[must_use]
    pub fn with_encoding(mut self, encoding: Encoding) -> Self {
        self.encoding = encoding;
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
}
