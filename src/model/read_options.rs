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
    /// The encoding of CSV and JSONL.
    pub encoding: Encoding,
    /// A sentence about how the meaning of columns was told, for the notes; none where it was said.
    #[serde(skip)]
    pub told: Option<String>,
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

    /// Sets [`told`](ReadOptions::told).
    #[must_use]
    pub fn with_told(mut self, told: impl Into<Option<String>>) -> Self {
        self.told = told.into();
        self
    }
}
