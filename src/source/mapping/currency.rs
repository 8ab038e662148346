//! A column of currencies that nothing reads: amounts in several cannot be added. It is looked at as rows go by, and judged at the end.

use super::header::{Header, plain};
use crate::base::error::{Error, Kind, Result, Stage};
use crate::base::text::counted;
use crate::model::note::{Notes, Topic};
use std::collections::BTreeMap;

/// Names of such columns, without case, blanks, underscores and hyphens.
const NAMES: [&str; 9] = ["currency", "currencycode", "currencyiso", "ccy", "waehrung", "währung", "devise", "moneda", "valuta"];
/// The most currencies that are told apart; there are fewer.
const MOST: usize = 200;
/// Between the column and a currency, in the subject of a note.
const OF: char = '\u{1f}';

/// The column of currencies, if there is one.
pub(super) fn column(header: &Header<'_>) -> Option<usize> {
    header.names.iter().position(|name| NAMES.contains(&plain(name).as_str()))
}

/// The currencies of some rows.
#[derive(Debug, Default)]
pub(crate) struct Currencies {
    /// The one of the rows before, as it was written, and how many there were.
    last: (String, u64),
    counts: BTreeMap<String, u64>,
}

impl Currencies {
    /// Takes that of a row; an empty one says nothing.
    #[inline]
    pub(crate) fn see(&mut self, text: &str) {
        if self.last.0 != text {
            self.change(text);
        }
        self.last.1 += 1;
    }

    #[cold]
    fn change(&mut self, text: &str) {
        let (last, count) = std::mem::take(&mut self.last);
        self.put(&last, count);
        text.clone_into(&mut self.last.0);
    }

    fn put(&mut self, text: &str, count: u64) {
        let name = text.trim().to_uppercase();
        if !name.is_empty() && count > 0 && (self.counts.len() < MOST || self.counts.contains_key(&name)) {
            *self.counts.entry(name).or_default() += count;
        }
    }

    /// Adds the counts to the notes.
    pub(crate) fn tell(&mut self, column: &str, notes: &Notes) {
        self.change("");
        for (name, count) in std::mem::take(&mut self.counts) {
            notes.tally(Topic::Currency, &format!("{column}{OF}{name}"), count);
        }
    }
}

/// Refuses rows in several currencies, when all have been read.
///
/// # Errors
/// When there are several, with their counts.
pub(crate) fn judge(notes: &Notes) -> Result<()> {
    let counts = notes.counts(Topic::Currency);
    let mut sums: BTreeMap<&str, (&str, u64)> = BTreeMap::new();
    for (subject, count) in &counts {
        let (column, name) = subject.split_once(OF).unwrap_or(("currency", subject));
        sums.entry(name).or_insert((column, 0)).1 += count;
    }
    let mut most: Vec<_> = sums.iter().map(|(name, (column, count))| (*count, *name, *column)).collect();
    most.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    let [(_, first, column), _, ..] = most[..] else { return Ok(()) };
    let shown: Vec<_> = most.iter().take(8).map(|(count, name, _)| format!("{name} in {}", counted(*count, "row", "rows"))).collect();
    let others = most.len().saturating_sub(8);
    let others = if others > 0 { format!(" and {others} others") } else { String::new() };
    let what = format!("amounts are in several currencies, which cannot be added up: {}{others}", shown.join(", "));
    let all = most.iter().map(|(_, name, _)| *name).collect::<Vec<_>>().join(",");
    Err(Error::new(Kind::Data, what).stage(Stage::Source).help(format!(
        "read one of them with `only={column}={first}`, or convert the amounts first; if all amounts are in one currency, whatever that \
         column says, name all its values: `only={column}={all}`"
    )))
}
