//! The ways to read an input that an audit needs to be told: how dates and numbers are written, and which columns are meant.
//!
//! Where values could mean two things, there are two ways, and what each makes of the input is said: only the person knows which is right.

use super::PeekJob;
use crate::base::text::money;
use crate::base::time::format_timestamp;
use crate::jobs::recognize::RowsAre;
use crate::model::columns::Column;
use crate::model::line_columns::TransactionColumn::{self, CustomerId, EventTs, LineTotal, OrderId, ProductId, Quantity, UnitPrice};
use crate::model::read_options::{NumberFormat, ReadOptions};
use crate::source::layouts::Settings;
use crate::source::sniff::{ColumnProfile, Sample};
use serde::Serialize;

/// A way to read an input.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PeekedReading {
    /// Options by their keys, which an audit needs beside those that were said.
    pub settings: Settings,
    /// What it makes of the input; empty where this is the only way.
    pub says: String,
    /// Columns that were not found, which are to be named.
    pub lacking: Vec<&'static str>,
}

/// One of several values of an option, and what it makes of the input.
type Choice = (Vec<String>, String);

impl PeekJob {
    /// Guesses at columns that are not there, and that an audit needs, or that tell lines apart; gives the options that name them.
    pub(super) fn complete(&mut self, sample: &Sample) -> Settings {
        let roles = self.roles(&sample.names);
        let has = |column: TransactionColumn| roles.iter().any(|(_, role)| role == column.name());
        let has_worth = has(LineTotal) || has(UnitPrice);
        let Some(lines) = self.lines.as_mut().filter(|_| self.recognized.seen.is_none() && self.recognized.layout.is_none()) else {
            return Vec::new();
        };
        let needs_order = !lines.options.one_row_per_order && !has(OrderId);
        let (guess, doubts) = self.recognition.guess(sample);
        // What is not needed is only taken where nothing else is called so.
        let is_sure = |name: &str| !doubts.iter().any(|doubt| doubt.starts_with(&format!("{name} is perhaps")));
        let mut settings = Vec::new();
        for (key, names) in guess {
            let column = key.strip_prefix("columns.").and_then(TransactionColumn::from_name);
            let Some((column, [name])) = column.zip(names.first_chunk().filter(|_| names.len() == 1)) else { continue };
            let is_lacking = match column {
                OrderId => needs_order,
                LineTotal | UnitPrice => !has_worth,
                CustomerId | EventTs => !has(column),
                Quantity | ProductId => !has(column) && is_sure(name),
                _ => false,
            };
            if is_lacking {
                lines.columns.0.insert(column, name.clone());
                settings.push((key, vec![name.clone()]));
            }
        }
        settings
    }

    /// The ways to read the input, at least one.
    pub(super) fn readings(&self, sample: &Sample, profiles: &[ColumnProfile], named: &Settings) -> (Vec<PeekedReading>, Option<String>) {
        let roles = self.roles(&sample.names);
        let joined: Vec<ColumnProfile> = roles.iter().filter_map(|(name, _)| sample.joined(name)).collect();
        let of = |role: &str| {
            let name = roles.iter().find(|(_, known)| known == role)?.0.as_str();
            profiles.iter().chain(&joined).find(|profile| name.split('|').any(|name| name == profile.name))
        };
        let (numbers, doubt) = self.numbers(&of);
        let mut readings = Vec::new();
        for (format, dates_say) in self.dates(&of) {
            for (number, numbers_say) in &numbers {
                let mut settings = named.clone();
                for (key, values) in [("source.date_format", &format), ("source.number_format", number)] {
                    settings.extend(Some(values).filter(|values| !values.is_empty()).map(|values| (key.to_owned(), values.clone())));
                }
                let says: Vec<&str> = [dates_say.as_str(), numbers_say].into_iter().filter(|says| !says.is_empty()).collect();
                readings.push(PeekedReading { settings, says: says.join(", and "), lacking: self.lacking(&roles) });
            }
        }
        (readings, doubt)
    }

    /// How the dates are written.
    fn dates<'p>(&self, of: &impl Fn(&str) -> Option<&'p ColumnProfile>) -> Vec<Choice> {
        let as_told = || vec![(Vec::new(), String::new())];
        let time = if self.lines.is_some() { EventTs.name() } else { Column::PeriodStart.name() };
        let Some(profile) = of(time).filter(|_| self.recognition.reading.date_formats.is_empty()) else { return as_told() };
        let day = |at: i64| format_timestamp(at).split('T').next().unwrap_or_default().to_owned();
        match &profile.dates[..] {
            [] => as_told(),
            [only] => vec![(only.formats(), String::new())],
            several => {
                let says = |first, last| format!("{} is of {} to {}", profile.name, day(first), day(last));
                several.iter().map(|date| (date.formats(), says(date.first, date.last))).collect()
            }
        }
    }

    /// How the numbers are written: all of them in one way.
    fn numbers<'p>(&self, of: &impl Fn(&str) -> Option<&'p ColumnProfile>) -> (Vec<Choice>, Option<String>) {
        let as_told = (vec![(Vec::new(), String::new())], None);
        let told = self.recognized.layout.is_some() && self.recognized.settings.iter().any(|(key, _)| key == "source.number_format");
        if told || self.recognition.reading.number_format != NumberFormat::Plain {
            return as_told;
        }
        let roles = match self.lines {
            Some(_) => [LineTotal.name(), UnitPrice.name(), Quantity.name()],
            None => [Column::TotalSpend.name(), Column::TotalOrders.name(), ""],
        };
        let columns: Vec<&ColumnProfile> = roles.into_iter().filter_map(of).filter(|profile| !profile.numbers.is_empty()).collect();
        let Some(first) = columns.first() else { return as_told };
        let sums = |format: NumberFormat| {
            let sum = |profile: &&ColumnProfile| profile.numbers.iter().find(|way| way.format == format).map(|way| way.sum);
            columns.iter().map(sum).collect::<Option<Vec<_>>>()
        };
        let mut ways: Vec<(NumberFormat, Vec<_>)> = Vec::new();
        for (format, sums) in first.numbers.iter().filter_map(|way| Some((way.format, sums(way.format)?))) {
            if ways.iter().all(|(_, known)| *known != sums) {
                ways.push((format, sums));
            }
        }
        let name = |format: NumberFormat| Some(format.name().to_owned()).filter(|_| format != NumberFormat::Plain).into_iter().collect();
        match &ways[..] {
            [] => {
                let shown: Vec<_> =
                    columns.iter().map(|column| format!("{} as {}", column.name, column.numbers[0].format.name())).collect();
                (as_told.0, Some(format!("no one number format reads these columns: {}; write them alike", shown.join(", "))))
            }
            [(format, _)] => (vec![(name(*format), String::new())], None),
            several => {
                // Where plain is one of several, it is said too.
                let says = |sums: &[_]| format!("{} adds up to {}", first.name, money(sums[0]));
                (several.iter().map(|(format, sums)| (vec![format.name().to_owned()], says(sums))).collect(), None)
            }
        }
    }

    /// Columns that an audit cannot do without and that are not found.
    fn lacking(&self, roles: &[(String, String)]) -> Vec<&'static str> {
        let has = |name: &str| roles.iter().any(|(_, role)| role == name);
        let (needed, has_worth) = match (&self.lines, self.recognized.rows) {
            (None, RowsAre::Auto) => return Vec::new(),
            (Some(lines), _) => {
                let order = if lines.options.one_row_per_order { None } else { Some(OrderId.name()) };
                let needed: Vec<_> = order.into_iter().chain([CustomerId.name(), EventTs.name()]).collect();
                (needed, has(LineTotal.name()) || has(UnitPrice.name()) || lines.options.amount == crate::model::worth::AmountFrom::None)
            }
            (None, _) => (Column::ALL.into_iter().filter(|column| !column.is_optional()).map(Column::name).collect(), true),
        };
        let worth = if has_worth { None } else { Some(LineTotal.name()) };
        needed.into_iter().filter(|name| !has(name)).chain(worth).collect()
    }
}

impl PeekedReading {
    /// Reads as this way says.
    pub(super) fn apply(&self, reading: &mut ReadOptions, is_only: bool) {
        for (key, values) in &self.settings {
            match key.as_str() {
                "source.date_format" => reading.date_formats.clone_from(values),
                "source.number_format" => {
                    let named = |format: &NumberFormat| values.iter().any(|value| value == format.name());
                    let all = [NumberFormat::Plain].into_iter().chain(NumberFormat::OTHERS);
                    reading.number_format = all.into_iter().find(named).unwrap_or_default();
                }
                _ => {}
            }
        }
        // Several ways say themselves what is not certain.
        reading.dates_told &= is_only;
    }
}
