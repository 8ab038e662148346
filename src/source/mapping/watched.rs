//! Columns that nothing reads, and that are looked at as rows go by. Of currencies: amounts in several cannot be added, which is [judged](super::judge)
//! at the end. Of what became of an order or a payment: that cancelled ones count is noted. They are told by their names and their words, in the
//! languages that shops write exports in.

use super::header::Header;
use crate::base::text::{folded, words};
use crate::model::note::{Notes, OF, Topic};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Names of columns of currencies, those first that say most, without case, blanks, underscores and hyphens.
const CURRENCIES: [&str; 19] = [
    "currency",
    "currencycode",
    "currencyiso",
    "isocurrency",
    "ordercurrency",
    "ordercurrencycode",
    "transactioncurrency",
    "shopcurrency",
    "ccy",
    "cur",
    "curr",
    "waehrung",
    "währung",
    "devise",
    "moneda",
    "moeda",
    "valuta",
    "waers",
    "waerk",
];
/// Words of such names, and words of names that are of something else.
const WORDS_OF_CURRENCIES: [&str; 9] = ["currency", "currencycode", "waehrung", "währung", "devise", "moneda", "moeda", "valuta", "divisa"];
const NOT_CURRENCIES: [&str; 9] = ["rate", "exchange", "symbol", "name", "factor", "kurs", "conversion", "format", "precision"];
/// The most currencies that are told apart; there are fewer.
const MOST: usize = 200;

/// Words of columns that say what became of an order or a payment, and names of columns that may.
const STATUS: [&str; 6] = ["status", "statut", "estado", "stato", "zustand", "situacao"];
const PERHAPS_STATUS: [&str; 6] = ["payment", "kind", "event", "eventname", "action", "vorgang"];
/// What such names may end with.
const ENDS_STATUS: [&str; 2] = ["state", "type"];
/// What says that it is a refund, in two words.
const CREDITS: [&str; 3] = ["creditnote", "creditmemo", "onhold"];
/// The beginnings of words that say that an order or a payment mostly does not count, and the words that turn them around.
const DOUBTFUL: [&str; 29] = [
    "gutschrift",
    "cancel",
    "refund",
    "fail",
    "void",
    "declin",
    "denied",
    "reject",
    "pending",
    "expir",
    "return",
    "chargeback",
    "unpaid",
    "unavailable",
    "draft",
    "abandon",
    "disput",
    "fraud",
    "revers",
    "trash",
    "storn",
    "annul",
    "erstatt",
    "reembol",
    "rembours",
    "devol",
    "abgebrochen",
    "rückgabe",
    "retoure",
];
const TEST: [&str; 2] = ["test", "delete"];
const NOT: [&str; 7] = ["not", "no", "non", "never", "nicht", "keine", "without"];
/// What a column says that is true or false.
const TRUE: [&str; 9] = ["true", "t", "yes", "y", "1", "ja", "j", "wahr", "x"];
/// The most such columns that are looked at.
const MOST_COLUMNS: usize = 8;

/// What is looked for in a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    Currency,
    /// Words of doubt.
    Status,
    /// Whether it is true: `is_cancelled`.
    Flag,
    /// Whether it is filled: `cancelled_at`.
    Filled,
}

/// A column that nothing reads, but whose values are counted.
#[derive(Debug, Clone)]
pub(crate) struct WatchedColumn {
    /// Where it lies.
    pub(crate) at: usize,
    name: Arc<str>,
    look: Look,
}

/// Such columns.
pub(crate) type Watched = Vec<WatchedColumn>;

/// No such column.
pub(crate) const NOTHING: Watched = Vec::new();

/// Such columns where they lie otherwise.
pub(crate) fn placed(watched: Watched, place: impl Fn(usize) -> usize) -> Watched {
    watched.into_iter().map(|column| WatchedColumn { at: place(column.at), ..column }).collect()
}

/// How much a name says that a column is one of currencies: less is more.
fn rank_of_currency(name: &str) -> Option<usize> {
    let exact = CURRENCIES.iter().position(|known| *known == folded(name));
    let words = words(name);
    let has = |known: &[&str]| words.iter().any(|word| known.contains(&word.as_str()));
    exact.or_else(|| (has(&WORDS_OF_CURRENCIES) && !has(&NOT_CURRENCIES)).then_some(CURRENCIES.len()))
}

/// Whether a name says that a column is one of currencies.
pub(crate) fn is_like_currency(name: &str) -> bool {
    rank_of_currency(name).is_some()
}

/// What a name says that is to be looked for, beside currencies.
fn look(name: &str) -> Option<Look> {
    let words: Vec<String> = words(name).into_iter().filter(|word| !word.is_empty()).collect();
    if words.iter().any(|word| STATUS.iter().any(|known| word.ends_with(known)))
        || PERHAPS_STATUS.contains(&folded(name).as_str())
        || words.last().is_some_and(|word| ENDS_STATUS.iter().any(|end| word == end))
    {
        return Some(Look::Status);
    }
    let doubtful = words.iter().position(|word| is_doubtful_word(word))?;
    let (before, after) = (&words[..doubtful], &words[doubtful + 1..]);
    if words[doubtful].ends_with("datum") || words[doubtful].ends_with("date") {
        return Some(Look::Filled);
    }
    let are = |words: &[String], known: &[&str]| words.iter().all(|word| known.contains(&word.as_str()));
    if after.is_empty() && are(before, &["is", "was", "has", "been", "order", "ist", "flag"]) || are(after, &["flag"]) && !after.is_empty()
    {
        return Some(Look::Flag);
    }
    let says_when = after.first().is_some_and(|word| ["at", "on", "date", "time", "reason", "am", "datum", "ts"].contains(&word.as_str()));
    (before.is_empty() && says_when).then_some(Look::Filled)
}

fn is_doubtful_word(word: &str) -> bool {
    DOUBTFUL.iter().any(|known| word.starts_with(known)) || TEST.iter().any(|known| word.trim_end_matches('d') == *known)
}

/// Whether a status says that an order mostly does not count.
fn is_doubtful(status: &str) -> bool {
    let words = words(status);
    let negated = || words.iter().any(|word| NOT.contains(&word.as_str()));
    (words.iter().any(|word| is_doubtful_word(word)) || CREDITS.contains(&folded(status).as_str())) && !negated()
}

/// Whether a status says that an order never became a sale, whatever a shop calls it.
pub(crate) fn is_void(status: &str) -> bool {
    let voids = ["cancel", "void", "fail", "declin", "denied", "expir", "abandon", "storn", "annul", "abgebrochen"];
    is_doubtful(status) && words(status).iter().any(|word| voids.iter().any(|void| word.starts_with(void)))
}

/// The columns to watch: those that no role has, and of which no filter names the values to read, which is told by `is_chosen`.
pub(super) fn columns(header: &Header<'_>, has_role: impl Fn(usize) -> bool, is_chosen: impl Fn(usize) -> bool) -> Watched {
    let free = || (0..header.names.len()).filter(|&at| !has_role(at) && !is_chosen(at));
    let column = |at: usize, look: Look| WatchedColumn { at, name: header.names[at].into(), look };
    let currency = free().filter_map(|at| Some((rank_of_currency(header.names[at])?, at))).min();
    let others = free().filter_map(|at| Some(column(at, look(header.names[at])?)));
    currency.map(|(_, at)| column(at, Look::Currency)).into_iter().chain(others).take(MOST_COLUMNS).collect()
}

/// Names under which a later row may have what the first ones leave out.
pub(crate) const LATER: [&str; 7] =
    ["currency", "currency_code", "status", "order_status", "financial_status", "cancelled_at", "is_cancelled"];

/// A column that a later row may have, where nothing of its kind is watched.
pub(crate) fn later(name: &str, at: usize, watched: &Watched) -> Option<WatchedColumn> {
    let look = if is_like_currency(name) { Look::Currency } else { look(name)? };
    let is_there = |known: &WatchedColumn| *known.name == *name || known.look == look && look == Look::Currency;
    (!watched.iter().any(is_there)).then(|| WatchedColumn { at, name: name.into(), look })
}

/// The values of watched columns in some rows.
#[derive(Debug, Default)]
pub(crate) struct Watch(Vec<Counts>);

impl Watch {
    /// Takes those of a row; an empty one says nothing.
    #[inline]
    pub(crate) fn see<'a>(&mut self, watched: &Watched, text: impl Fn(usize) -> Option<&'a str>) {
        if watched.is_empty() {
            return;
        }
        self.0.resize_with(watched.len(), Counts::default);
        for (counts, column) in self.0.iter_mut().zip(watched) {
            counts.see(text(column.at).unwrap_or_default(), column.look == Look::Filled);
        }
    }

    /// Adds the counts to the notes.
    pub(crate) fn tell(&mut self, watched: &Watched, notes: &Notes) {
        for (counts, WatchedColumn { name: column, look, .. }) in self.0.iter_mut().zip(watched) {
            counts.tell(|value, count| {
                let value = if *look == Look::Currency { value.to_uppercase() } else { value.to_lowercase() };
                let subject = format!("{column}{OF}{value}");
                match look {
                    Look::Currency => notes.tally(Topic::Currency, &subject, count),
                    Look::Status if is_doubtful(&value) => notes.add(Topic::UnreadStatus, &subject, count),
                    Look::Flag if TRUE.contains(&value.as_str()) => notes.add(Topic::UnreadStatus, &subject, count),
                    Look::Filled => notes.add(Topic::UnreadFilled, column, count),
                    Look::Status | Look::Flag => {}
                }
            });
        }
    }
}

/// What stands for any value of a column of which only that is of interest.
const FILLED: &str = "filled";

/// The values of a column in some rows, in capitals.
#[derive(Debug, Default)]
struct Counts {
    /// That of the rows before, as it was written, and how many there were.
    last: (String, u64),
    counts: BTreeMap<String, u64>,
}

impl Counts {
    /// Takes that of a row; an empty one says nothing. `filled` says whether it only counts that there is one.
    #[inline]
    fn see(&mut self, text: &str, filled: bool) {
        let text = if filled && !text.is_empty() { FILLED } else { text };
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
