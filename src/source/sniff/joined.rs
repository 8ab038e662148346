//! A date and a time of day that lie in two columns, looked at as one.

use super::Sample;
use super::profile::{self, ColumnProfile, ValueKind};
use crate::base::text::folded;
use arrow::array::{Array, ArrayRef, RecordBatch, StringArray};
use std::sync::Arc;

/// Names of columns of times of day, without case, blanks, underscores and hyphens.
const TIMES: [&str; 9] = ["time", "timeofday", "ordertime", "saletime", "uhrzeit", "zeit", "heure", "hora", "ora"];

impl Sample {
    /// What several columns hold together, as a mapping joins them: `Date+Time`. None where one is not there.
    pub(crate) fn joined(&self, mapping: &str) -> Option<ColumnProfile> {
        let place = |part: &str| {
            let part = part.trim();
            let near = || self.names.iter().position(|name| folded(name) == folded(part));
            self.names.iter().position(|name| name == part).or_else(near)
        };
        let parts: Vec<usize> = mapping.split('+').map(place).collect::<Option<_>>().filter(|parts: &Vec<_>| parts.len() > 1)?;
        let batches: Vec<RecordBatch> = self.rows.iter().map(|batch| joined_texts(batch, &parts)).collect::<Option<_>>()?;
        Some(profile::of(mapping, None, 0, &batches))
    }

    /// The times that a column of dates and one of times of day make together, if there are such.
    pub(crate) fn date_and_time(&self, profiles: &[ColumnProfile]) -> Option<ColumnProfile> {
        let of_day = |profile: &&ColumnProfile| TIMES.contains(&folded(&profile.name).as_str()) && profile.kind != ValueKind::Date;
        let time = profiles.iter().find(of_day)?;
        let belongs = |name: &str| {
            let (date, time) = (folded(name), folded(&time.name));
            let rest = |name: &str, word: &str| name.replace(word, "");
            rest(&date, "date") == rest(&time, "time") || rest(&date, "datum") == rest(&rest(&time, "uhrzeit"), "zeit") || date == "date"
        };
        let dates = profiles.iter().filter(|profile| profile.kind == ValueKind::Date && belongs(&profile.name));
        let mut made = dates.filter_map(|date| self.joined(&format!("{}+{}", date.name, time.name)));
        made.find(|joined| joined.kind == ValueKind::Date)
    }
}

/// The texts of some columns of a batch, with blanks between them; null where one is empty.
fn joined_texts(batch: &RecordBatch, parts: &[usize]) -> Option<RecordBatch> {
    let columns: Vec<&StringArray> =
        parts.iter().map(|&at| batch.columns().get(at).and_then(|column| column.as_any().downcast_ref())).collect::<Option<_>>()?;
    let text = |column: &StringArray, row: usize| {
        Some(column.value(row).trim().to_owned()).filter(|text| column.is_valid(row) && !text.is_empty())
    };
    let texts = (0..batch.num_rows()).map(|row| {
        let parts: Option<Vec<String>> = columns.iter().map(|column| text(column, row)).collect();
        parts.map(|parts| parts.join(" "))
    });
    let joined: ArrayRef = Arc::new(texts.collect::<StringArray>());
    RecordBatch::try_from_iter_with_nullable([("joined", joined, true)]).ok()
}
