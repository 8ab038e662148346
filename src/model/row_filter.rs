//! Filters: which rows of an input are read, by the text of any of its columns.

use crate::base::error::{Error, Result};
use crate::base::text::folded;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A column of an input and some of its values, written `COLUMN=V,V`. A value that holds a comma or a quote is written in double quotes, a
/// quote in it twice. Values are equal but for blanks around them and the case of the letters A to Z; the empty one is that of rows
/// without a value.
///
/// ```
/// use lensflow::model::RowFilter;
/// let filter: RowFilter = "status=paid,\"sent, late\"".parse()?;
/// assert_eq!((filter.column.as_str(), filter.values), ("status", vec!["paid".to_owned(), "sent, late".to_owned()]));
/// # Ok::<(), lensflow::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RowFilter {
    /// The column, as the input calls it.
    pub column: String,
    /// The values.
    pub values: Vec<String>,
}

impl RowFilter {
    /// Whether a filter that a layout brings, or a state remembers, is replaced by one of those that are said: one that names the values to
    /// read in the same column. Others are asked beside it.
    pub fn is_replaced_by(&self, only: &[RowFilter]) -> bool {
        only.iter().any(|said| folded(&said.column) == folded(&self.column))
    }
}

impl FromStr for RowFilter {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = |what: &str| Error::usage(format!("{text:?} {what}")).help("write COLUMN=VALUE,VALUE, such as status=paid,shipped");
        let (column, list) = text.split_once('=').ok_or_else(|| wrong("names no values"))?;
        if column.trim().is_empty() {
            return Err(wrong("names no column"));
        }
        let (mut values, mut rest) = (Vec::new(), Some(list));
        while let Some(list) = rest {
            let (value, after) = match list.trim_start().strip_prefix('"') {
                Some(quoted) => {
                    let (value, after) = unquoted(quoted).ok_or_else(|| wrong("has a quote that is not closed"))?;
                    let after = after.trim_start();
                    if !after.is_empty() && !after.starts_with(',') {
                        return Err(wrong("has text after a closing quote"));
                    }
                    (value, after.strip_prefix(','))
                }
                None => match list.split_once(',') {
                    Some((value, after)) => (value.to_owned(), Some(after)),
                    None => (list.to_owned(), None),
                },
            };
            values.push(value.trim().to_owned());
            rest = after;
        }
        Ok(RowFilter { column: column.trim().to_owned(), values })
    }
}

/// A text up to its closing quote, and what comes after that.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let (mut value, mut rest) = (String::new(), text);
    loop {
        let (before, after) = rest.split_once('"')?;
        value += before;
        match after.strip_prefix('"') {
            Some(more) => (value, rest) = (value + "\"", more),
            None => return Some((value, after)),
        }
    }
}

impl fmt::Display for RowFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}=", self.column)?;
        for (at, value) in self.values.iter().enumerate() {
            let comma = if at > 0 { "," } else { "" };
            match value.contains([',', '"']) {
                true => write!(f, "{comma}\"{}\"", value.replace('"', "\"\""))?,
                false => write!(f, "{comma}{value}")?,
            }
        }
        Ok(())
    }
}

impl TryFrom<String> for RowFilter {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<RowFilter> for String {
    fn from(filter: RowFilter) -> String {
        filter.to_string()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_written_as_they_are_read() {
        for text in ["status=paid", "status=paid,shipped", "s=", "s=,a", "s=\"a, b\",\"say \"\"x\"\"\"", "Order Status=a=b"] {
            assert_eq!(text.parse::<RowFilter>().unwrap().to_string(), text);
        }
        assert_eq!(" s = a , b ".parse::<RowFilter>().unwrap().to_string(), "s=a,b");
        for text in ["status", "=paid", "s=\"a", "s=\"a\"b"] {
            assert!(text.parse::<RowFilter>().is_err(), "{text}");
        }
    }
}
