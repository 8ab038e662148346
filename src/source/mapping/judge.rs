//! What is only known when all rows have been read, and must not end in an answer: amounts in several currencies, and files of which two were
//! put one after the other with their columns in another order.

use crate::base::error::{Error, Kind, Result, Stage};
use crate::base::text::counted;
use crate::model::note::{Notes, OF, Topic};
use std::collections::BTreeMap;

/// Signs that several currencies have, and these.
const SHARED_SIGNS: [(&str, &[&str]); 5] = [
    ("$", &["USD", "CAD", "AUD", "NZD", "HKD", "SGD", "TWD", "MXN"]),
    ("£", &["GBP", "EGP"]),
    ("¥", &["JPY", "CNY", "RMB"]),
    ("kr", &["SEK", "NOK", "DKK", "ISK"]),
    ("Rs", &["INR", "PKR", "LKR"]),
];

/// Refuses what cannot be added up.
///
/// # Errors
/// When rows are in several currencies, by a column or by their amounts, with counts; when a header comes again with its columns in another
/// order, with its place.
pub(crate) fn judge(notes: &Notes) -> Result<()> {
    if let Some((input, row)) = notes.first(Topic::OtherHeader) {
        let what = "the header comes again here, with its columns in another order: what follows would be read by the wrong columns";
        let error = Error::data(what).input(&input).row(row).stage(Stage::Source);
        return Err(error.help("two files were put one after the other: cut them apart here, and name both"));
    }
    let currencies = notes.counts(Topic::Currency);
    let mut sums: BTreeMap<&str, (&str, u64)> = BTreeMap::new();
    for (subject, count) in &currencies {
        let (column, name) = subject.split_once(OF).unwrap_or(("currency", subject));
        sums.entry(name).or_insert((column, 0)).1 += count;
    }
    let most = descending(sums.iter().map(|(name, (column, count))| (*count, *name, *column)));
    if let [(_, first, column), _, ..] = most[..] {
        let all = most.iter().map(|(_, name, _)| *name).collect::<Vec<_>>().join(",");
        return Err(several(&most, ("row", "rows")).help(format!(
            "read one of them with `only={column}={first}`, or convert the amounts first; if all amounts are in one currency, whatever that \
             column says, name all its values: `only={column}={all}`"
        )));
    }
    let signs = notes.counts(Topic::CurrencySign);
    let is_shared = |sign: &str| {
        let codes = SHARED_SIGNS.iter().find(|(shared, _)| *shared == sign).map_or(&[][..], |(_, codes)| codes);
        signs.iter().any(|(other, _)| codes.contains(&other.as_str()))
    };
    let most = descending(signs.iter().filter(|(sign, _)| !is_shared(sign)).map(|(sign, count)| (*count, sign.as_str(), "")));
    match most.len() {
        0 | 1 => Ok(()),
        _ => Err(several(&most, ("amount", "amounts")).help(
            "convert the amounts first, or read the rows of one currency with `only=COLUMN=VALUE`, by a column that tells them apart",
        )),
    }
}

/// Currencies with the columns that say them, the most frequent first.
fn descending<'a>(counts: impl Iterator<Item = (u64, &'a str, &'a str)>) -> Vec<(u64, &'a str, &'a str)> {
    let mut most: Vec<_> = counts.collect();
    most.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    most
}

fn several(most: &[(u64, &str, &str)], (one, many): (&str, &str)) -> Error {
    let shown: Vec<_> = most.iter().take(8).map(|(count, name, _)| format!("{name} in {}", counted(*count, one, many))).collect();
    let others = most.len().saturating_sub(8);
    let others = if others > 0 { format!(" and {others} others") } else { String::new() };
    let what = format!("amounts are in several currencies, which cannot be added up: {}{others}", shown.join(", "));
    Error::new(Kind::Data, what).stage(Stage::Source)
}
