//! Tells by the columns of inputs what their rows are: an export of a known shop, period aggregations, or orders and line items.
//!
//! The first input's beginning is looked at, no more. What options say counts more than what columns tell; where neither tells, it is said
//! what was seen, with a guess. Standard input and named pipes can be read from their beginning afterwards.

use crate::base::error::{Error, Result};
use crate::base::text::folded;
use crate::model::columns::Column;
use crate::model::line_columns::{ORDER_TS, TransactionColumn};
use crate::model::read_options::{ReadOptions, Told};
use crate::model::row_filter::RowFilter;
use crate::source::files::{Files, Format};
use crate::source::layouts::roles::{RoleGuess, guess};
use crate::source::layouts::{Fitted, Layout, LayoutChoice, Settings};
use crate::source::sniff::{Sample, SampleSize};
use crate::spec::Spec;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The options that filter rows.
const FILTERS: [&str; 2] = ["source.only", "source.except"];

/// The meaning of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RowsAre {
    /// Told by the columns.
    #[default]
    Auto,
    /// What a customer did in a period.
    Periods,
    /// An order, or a line of one.
    Transactions,
}

/// What is known of inputs before they are looked at.
#[derive(Debug, Clone, Default)]
pub struct Recognition {
    /// Files, folders, globs, `-` for standard input; no states.
    pub inputs: Vec<String>,
    /// The format, where names and first bytes do not tell.
    pub format: Option<Format>,
    /// How values are read.
    pub reading: ReadOptions,
    /// The meaning of a row, if it is said.
    pub rows: RowsAre,
    /// The layout.
    pub layout: LayoutChoice,
    /// The input's names of columns, by ours, where they are said.
    pub columns: BTreeMap<String, String>,
    /// Whether each row is an order, so that there need be no order ids.
    pub one_row_per_order: bool,
}

/// What was told of inputs.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Recognized {
    /// The meaning of a row; [`RowsAre::Auto`] where nothing tells.
    pub rows: RowsAre,
    /// The layout.
    pub layout: Option<&'static str>,
    /// Options that follow, by their keys, `columns.order_id`; what is said counts more.
    pub settings: Settings,
    /// What is to be said of it; none where the columns are ours.
    pub told: Option<Told>,
    /// What was seen, where nothing tells.
    pub seen: Option<String>,
    /// What is not certain.
    pub doubts: Vec<String>,
}

impl Recognized {
    /// Rows of a known meaning.
    pub fn of(rows: RowsAre) -> Self {
        Recognized { rows, ..Recognized::default() }
    }
}

impl Recognition {
    /// A look at the first of the inputs that is not empty, and how many inputs there are.
    ///
    /// # Errors
    /// When none can be opened.
    pub fn look(&self, size: SampleSize) -> Result<(Sample, usize)> {
        let names = Files::find(&self.inputs, self.format, &Spec::default())?.paths();
        let mut first = None;
        for name in &names {
            match Sample::of(name, self.format, &self.reading, size) {
                Ok(sample) => return Ok((sample, names.len())),
                Err(error) => first = first.or(Some(error)),
            }
        }
        Err(first.unwrap_or_else(|| Error::data("no input is named")))
    }

    /// Tells what the rows of a sample are, of one of so many inputs.
    ///
    /// # Errors
    /// [`Kind::Data`](crate::base::error::Kind::Data) when the layout that is asked for has other columns.
    pub fn tell(&self, sample: &Sample, inputs: usize) -> Result<Recognized> {
        let names = &sample.names;
        if self.rows != RowsAre::Periods {
            if let Some(fitted) = Layout::of(names, self.layout, inputs > 1) {
                return Ok(self.by_layout(&fitted, sample));
            }
            if let LayoutChoice::Named(layout) = self.layout {
                let lacking = quoted(Layout::lacking(layout, names).into_iter());
                let what =
                    format!("the layout {layout} has columns that are not there: {lacking}; the columns are: {}", quoted(names.iter()));
                return Err(Error::data(what)
                    .input(&sample.input)
                    .help("leave `layout` out, or name columns with `columns.order_id=NAME`"));
            }
        }
        let (periods, lines) = (self.has_periods(names), self.has_lines(names));
        let rows = match (self.rows, periods, lines) {
            (RowsAre::Auto, true, false) => RowsAre::Periods,
            (RowsAre::Auto, false, true) => RowsAre::Transactions,
            // Most of them are there: what is missing is said when they are looked for.
            (RowsAre::Auto, false, false) if self.count_periods(names) >= 3 => RowsAre::Periods,
            // An input without a column has no rows either.
            (RowsAre::Auto, ..) if names.is_empty() => RowsAre::Periods,
            (RowsAre::Auto, ..) => {
                let seen = match periods {
                    true => "the columns are those of period aggregations and of orders and line items, too",
                    false => "the columns are neither those of period aggregations nor those of orders and line items",
                };
                let guess = self.guess(sample);
                let seen = Some(format!("{seen}: {}", quoted(names.iter())));
                return Ok(Recognized { settings: guess.0, doubts: guess.1, seen, ..Recognized::default() });
            }
            (said, ..) => said,
        };
        Ok(Recognized::of(rows))
    }

    /// Looks, and tells.
    ///
    /// # Errors
    /// Those of [`look`](Recognition::look) and [`tell`](Recognition::tell).
    pub fn run(&self) -> Result<Recognized> {
        let (sample, inputs) = self.look(SampleSize { rows: 4_096, bytes: 1 << 20 })?;
        self.tell(&sample, inputs)
    }

    fn by_layout(&self, fitted: &Fitted, sample: &Sample) -> Recognized {
        let Fitted { layout, columns, settings } = fitted;
        let taken = |name: &str| self.columns.values().any(|said| said == name);
        let own = columns.iter().filter(|(column, name)| !self.columns.contains_key(column.name()) && !taken(name));
        let own: Vec<(&TransactionColumn, &String)> = own.collect();
        let mut shown: Vec<String> = own.iter().map(|(column, name)| format!("{}={name}", column.name())).collect();
        let mut all: Settings = own.iter().map(|(column, name)| (format!("columns.{}", column.name()), vec![(*name).clone()])).collect();
        all.push(("source.from".to_owned(), vec!["transactions".to_owned()]));
        for (key, values) in settings {
            let mut values = values.clone();
            if FILTERS.contains(&key.as_str()) {
                let is_replaced = |text: &String| text.parse().is_ok_and(|filter: RowFilter| filter.is_replaced_by(&self.reading.only));
                values.retain(|text| !is_replaced(text));
                if values.is_empty() {
                    continue;
                }
            }
            // Fields of text between tabs are written as they are; what is saved again by another program is quoted.
            let has_quotes = sample.quoted || sample.header.is_none_or(|(delimiter, _)| delimiter != '\t');
            if key == "source.quote" && has_quotes {
                continue;
            }
            if key == "source.date_format"
                && let Some(formats) = self.dates_of(sample, columns)
            {
                values = formats;
            }
            shown.push(format!("{}={}", key.rsplit('.').next().unwrap_or(key), values.join(" or ")));
            all.push((key.clone(), values));
        }
        let mut filters: Vec<RowFilter> = Vec::new();
        for (_, values) in all.iter().filter(|(key, _)| FILTERS.contains(&key.as_str())) {
            filters.extend(values.iter().filter_map(|text| text.parse().ok()));
        }
        let mut told = format!("read as {}: {}", layout.name, shown.join(", "));
        if !layout.remark.is_empty() {
            told = format!("{told}; {}", layout.remark);
        }
        Recognized {
            rows: RowsAre::Transactions,
            layout: Some(layout.name),
            settings: all,
            told: Some(Told::new(told, filters)),
            ..Recognized::default()
        }
    }

    /// How the dates of a layout's time are written, if only one way reads them, and it is not ISO 8601.
    fn dates_of(&self, sample: &Sample, columns: &BTreeMap<TransactionColumn, String>) -> Option<Vec<String>> {
        let time = columns.get(&TransactionColumn::EventTs)?;
        let named = || sample.profiles().into_iter().find(|profile| time.split('|').any(|name| profile.name == name));
        let profile = named().or_else(|| time.split('|').find_map(|name| sample.joined(name)))?;
        match &profile.dates[..] {
            [only] => Some(only.formats()).filter(|formats| !formats.is_empty()),
            _ => None,
        }
    }

    /// The guess at the columns of an input that has none of ours, as options, and its doubts.
    pub fn guess(&self, sample: &Sample) -> (Settings, Vec<String>) {
        let said = |column: TransactionColumn| Some((column, self.columns.get(column.name())?.clone()));
        let said: BTreeMap<_, _> = TransactionColumn::ALL.into_iter().filter_map(said).collect();
        let profiles = sample.profiles();
        let joined = match said.get(&TransactionColumn::EventTs) {
            Some(name) => sample.joined(name),
            None => sample.date_and_time(&profiles),
        };
        let RoleGuess { columns, settings, doubts } = guess(&profiles, joined.as_ref(), &said);
        let own = columns.into_iter().filter(|(column, _)| !said.contains_key(column));
        let mut all: Settings = own.map(|(column, name)| (format!("columns.{}", column.name()), vec![name])).collect();
        all.push(("source.from".to_owned(), vec!["transactions".to_owned()]));
        all.extend(settings);
        (all, doubts)
    }

    /// Whether a column is there, or is said to have another name.
    fn has(&self, names: &[String], column: &str) -> bool {
        self.columns.contains_key(column) || names.iter().any(|name| folded(name) == folded(column))
    }

    fn has_periods(&self, names: &[String]) -> bool {
        self.count_periods(names) == Column::ALL.into_iter().filter(|column| !column.is_optional()).count()
    }

    /// How many of the required columns of period aggregations are there.
    fn count_periods(&self, names: &[String]) -> usize {
        Column::ALL.into_iter().filter(|column| !column.is_optional() && self.has(names, column.name())).count()
    }

    fn has_lines(&self, names: &[String]) -> bool {
        let any = |columns: &[&str]| columns.iter().any(|column| self.has(names, column));
        any(&["order_id", "event_ts", ORDER_TS]) && any(&["line_total", "unit_price"])
    }
}

fn quoted(names: impl Iterator<Item = impl AsRef<str>>) -> String {
    names.map(|name| format!("{:?}", name.as_ref())).collect::<Vec<_>>().join(", ")
}
