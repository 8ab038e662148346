//! Columns that nothing reads, and that are looked at as rows go by. Of currencies: amounts in several cannot be added, which is judged at the
//! end. Of a status: that cancelled orders count is noted.

use super::header::{Header, plain};
use crate::base::error::{Error, Kind, Result, Stage};
use crate::base::text::counted;
use crate::model::note::{Notes, Topic};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Names of such columns, without case, blanks, underscores and hyphens.
const NAMES: [&str; 9] = ["currency", "currencycode", "currencyiso", "ccy", "waehrung", "währung", "devise", "moneda", "valuta"];
/// The most currencies that are told apart; there are fewer.
const MOST: usize = 200;
/// Between the column and a currency, in the subject of a note.
const OF: char = '\u{1f}';

/// Names of columns that say what became of an order or a payment.
const STATUS: [&str; 13] = [
    "status",
    "orderstatus",
    "paymentstatus",
    "financialstatus",
    "transactionstatus",
    "invoicestatus",
    "salestatus",
    "state",
    "orderstate",
    "bestellstatus",
    "auftragsstatus",
    "statut",
    "estado",
];
/// What such a column says of orders that mostly do not count.
const DOUBTFUL: [&str; 34] = [
    "cancelled",
    "canceled",
    "cancel",
    "wc-cancelled",
    "refunded",
    "refund",
    "wc-refunded",
    "partially_refunded",
    "failed",
    "failure",
    "wc-failed",
    "void",
    "voided",
    "declined",
    "denied",
    "rejected",
    "pending",
    "wc-pending",
    "expired",
    "returned",
    "chargeback",
    "unpaid",
    "unavailable",
    "draft",
    "test",
    "abandoned",
    "storniert",
    "storno",
    "annulé",
    "annulée",
    "annulee",
    "cancelado",
    "cancelada",
    "reversed",
];

/// Columns that nothing reads, but whose values are counted: of currencies, and of a status; each with its place and its name.
pub(crate) type Watched = [Option<(usize, Arc<str>)>; 2];

/// No such column.
pub(crate) const NOTHING: Watched = [const { None }; 2];

/// The columns to watch, but for those that are used.
pub(super) fn columns(header: &Header<'_>, is_used: impl Fn(usize) -> bool) -> Watched {
    let named = |names: &[&str]| (0..header.names.len()).find(|&at| names.contains(&plain(header.names[at]).as_str()) && !is_used(at));
    [named(&NAMES), named(&STATUS)].map(|at| at.map(|at| (at, header.names[at].into())))
}

/// The values of watched columns in some rows.
#[derive(Debug, Default)]
pub(crate) struct Watch([Counts; 2]);

impl Watch {
    /// Takes those of a row; an empty one says nothing.
    #[inline]
    pub(crate) fn see<'a>(&mut self, watched: &Watched, text: impl Fn(usize) -> Option<&'a str>) {
        for (counts, watched) in self.0.iter_mut().zip(watched) {
            if let Some((at, _)) = watched {
                counts.see(text(*at).unwrap_or_default());
            }
        }
    }

    /// Adds the counts to the notes.
    pub(crate) fn tell(&mut self, watched: &Watched, notes: &Notes) {
        let [currencies, statuses] = &mut self.0;
        if let Some((_, column)) = &watched[0] {
            currencies.tell(|name, count| notes.tally(Topic::Currency, &format!("{column}{OF}{name}"), count));
        }
        if let Some((_, column)) = &watched[1] {
            statuses.tell(|name, count| {
                let name = name.to_lowercase();
                if DOUBTFUL.contains(&name.as_str()) {
                    notes.add(Topic::UnreadStatus, &format!("{column}{OF}{name}"), count);
                }
            });
        }
    }
}

/// The values of a column in some rows, in capitals.
#[derive(Debug, Default)]
struct Counts {
    /// That of the rows before, as it was written, and how many there were.
    last: (String, u64),
    counts: BTreeMap<String, u64>,
}

impl Counts {
    /// Takes that of a row; an empty one says nothing.
    #[inline]
    fn see(&mut self, text: &str) {
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

    /// Gives all counts, and forgets them.
    fn tell(&mut self, mut tell: impl FnMut(&str, u64)) {
        self.change("");
        std::mem::take(&mut self.counts).into_iter().for_each(|(name, count)| tell(&name, count));
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
