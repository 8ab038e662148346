//! Exports of known shops and public data sets. An input's layout is told by the names of its columns; it says which column is what, how dates
//! and ids are written, which amount counts, and which orders the shop counts.
//!
//! | file | owns |
//! |---|---|
//! | here | [`Layout`], and how one is told and applied |
//! | `layout_table` | a row for each kind of export, with its source |
//! | `roles`, `role_names` | guesses at the columns of other inputs, by their names and their content |
//!
//! A layout says options, by their keys, as a spec would: what is said elsewhere counts more, role by role. Case, blanks,
//! underscores and hyphens tell no names apart, so that `customer_id` and `Customer ID` are one.

mod layout_table;
mod role_names;
pub mod roles;

pub use self::layout_table::LAYOUTS;

use crate::base::error::{Error, Result};
use crate::base::text::folded;
use crate::model::line_columns::TransactionColumn;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// A kind of export. Alternatives are parted by `|`, columns that are joined by `+`.
#[derive(Debug)]
#[non_exhaustive]
pub struct Layout {
    /// Its name; several kinds of export of one shop have one name.
    pub name: &'static str,
    /// The columns by which it is told: all of them are there.
    pub signature: &'static [&'static str],
    /// The columns of lines.
    pub columns: &'static [(TransactionColumn, &'static str)],
    /// Other options, by their keys.
    pub options: &'static [(&'static str, &'static [&'static str])],
    /// The columns that say which rows count, and the option that filters by each, with its values.
    pub filters: &'static [(&'static str, &'static str, &'static [&'static str])],
    /// What is to know about its numbers.
    pub remark: &'static str,
}

/// A layout, or what stands for one in options.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
#[serde(into = "&'static str", try_from = "String")]
pub enum LayoutChoice {
    /// The one that the columns tell, if any.
    #[default]
    Auto,
    /// None: columns are called as options say.
    None,
    /// The one of this name.
    Named(&'static str),
}

impl fmt::Display for LayoutChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str((*self).into())
    }
}

impl From<LayoutChoice> for &'static str {
    fn from(choice: LayoutChoice) -> Self {
        match choice {
            LayoutChoice::Auto => "auto",
            LayoutChoice::None => "none",
            LayoutChoice::Named(name) => name,
        }
    }
}

impl TryFrom<String> for LayoutChoice {
    type Error = Error;

    fn try_from(name: String) -> Result<Self> {
        name.parse()
    }
}

impl FromStr for LayoutChoice {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "auto" => Ok(LayoutChoice::Auto),
            "none" => Ok(LayoutChoice::None),
            _ => {
                let known = LAYOUTS.iter().find(|layout| layout.name == name);
                let wrong = || {
                    let mut names: Vec<_> = LAYOUTS.iter().map(|layout| layout.name).collect();
                    names.dedup();
                    Error::usage(format!("{name:?} is not a layout")).help(format!("one of auto, {}, none", names.join(", ")))
                };
                known.map(|layout| LayoutChoice::Named(layout.name)).ok_or_else(wrong)
            }
        }
    }
}

/// Options by their keys: each has one value, or several.
pub type Settings = Vec<(String, Vec<String>)>;

/// A layout that fits an input.
#[derive(Debug, Clone)]
pub struct Fitted {
    /// The layout.
    pub layout: &'static Layout,
    /// The input's names of the columns.
    pub columns: BTreeMap<TransactionColumn, String>,
    /// Other options, by their keys.
    pub settings: Settings,
}

impl Layout {
    /// The layout of an input with these columns, if it is one of those that are chosen: the one that is told by most columns. Of several
    /// inputs, the first one tells, and the others may have other spellings.
    pub fn of(names: &[String], choice: LayoutChoice, several: bool) -> Option<Fitted> {
        let chosen = |layout: &&Layout| match choice {
            LayoutChoice::Auto => true,
            LayoutChoice::None => false,
            LayoutChoice::Named(name) => layout.name == name,
        };
        let fits = |layout: &&'static Layout| layout.signature.iter().all(|column| resolve(column, names).is_some());
        let layout = LAYOUTS.iter().filter(chosen).filter(fits).max_by_key(|layout| layout.signature.len())?;
        Some(layout.fit(names, several))
    }

    fn fit(&'static self, names: &[String], several: bool) -> Fitted {
        let spelled = |name: &str| resolve(name, names).map(|found| if several && name.contains('|') { name.to_owned() } else { found });
        let columns = self.columns.iter().filter_map(|(column, name)| Some((*column, spelled(name)?))).collect();
        let mut settings: Settings = self
            .options
            .iter()
            .map(|(key, values)| ((*key).to_owned(), values.iter().map(|value| (*value).to_owned()).collect()))
            .collect();
        for (column, key, values) in self.filters {
            let Some(column) = resolve(column, names) else { continue };
            let filter = format!("{column}={}", values.join(","));
            match settings.iter_mut().find(|(known, _)| known == key) {
                Some((_, filters)) => filters.push(filter),
                None => settings.push(((*key).to_owned(), vec![filter])),
            }
        }
        Fitted { layout: self, columns, settings }
    }

    /// The columns that a layout of this name has and an input lacks.
    pub fn lacking(name: &str, names: &[String]) -> Vec<&'static str> {
        let layouts = LAYOUTS.iter().filter(|layout| layout.name == name);
        let lacking = layouts.map(|layout| layout.signature.iter().copied().filter(|column| resolve(column, names).is_none()).collect());
        lacking.min_by_key(|lacking: &Vec<_>| lacking.len()).unwrap_or_default()
    }
}

/// The letters and digits of a name, in lower case.
pub(crate) fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The input's name of a column: the first alternative of which it has all parts.
fn resolve(column: &str, names: &[String]) -> Option<String> {
    let named = |wanted: &str| {
        let near = || names.iter().find(|name| folded(name) == folded(wanted));
        names.iter().find(|name| *name == wanted).or_else(near)
    };
    column.split('|').find_map(|alternative| {
        let parts = alternative.split('+').map(|part| if part == DAY { Some(DAY) } else { named(part).map(String::as_str) });
        parts.collect::<Option<Vec<_>>>().map(|parts| parts.join("+"))
    })
}

/// What stands for the calendar day of a line's time where columns are joined.
pub(crate) const DAY: &str = "day";

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn names(header: &str) -> Vec<String> {
        header.split(',').map(str::to_owned).collect()
    }

    #[test]
    fn layouts_are_told_by_their_columns_in_all_spellings() {
        for (header, layout, order) in [
            ("InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country", "uci-online-retail", "InvoiceNo"),
            ("Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country", "uci-online-retail", "Invoice"),
            ("t_dat,customer_id,article_id,price,sales_channel_id", "h-and-m", "customer_id+day"),
            ("order_id,customer_id,order_status,order_purchase_timestamp,product_id,price,freight_value", "olist", "order_id"),
            ("amazon-order-id,purchase-date,order-status,sku,quantity,currency,item-price,buyer-email", "amazon", "amazon-order-id"),
        ] {
            let fitted = Layout::of(&names(header), LayoutChoice::Auto, false).unwrap();
            assert_eq!((fitted.layout.name, fitted.columns[&TransactionColumn::OrderId].as_str()), (layout, order));
            assert!(Layout::of(&names(header), LayoutChoice::None, false).is_none());
        }
        assert!(Layout::of(&names("order_id,customer_id,event_ts,quantity,unit_price"), LayoutChoice::Auto, false).is_none());
        assert_eq!(Layout::lacking("h-and-m", &names("t_dat,customer_id,article_id,price")), ["sales_channel_id"]);
    }

    #[test]
    fn choices_are_read_as_they_are_written() {
        for name in ["auto", "none", "shopify"] {
            assert_eq!(name.parse::<LayoutChoice>().unwrap().to_string(), name);
        }
        assert!("shopfy".parse::<LayoutChoice>().unwrap_err().advice().unwrap().contains("shopify"));
    }
}
