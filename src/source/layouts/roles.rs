//! Guesses at the columns of lines in an input of no known layout: by their names, in English and German, and by what they hold.
//!
//! A column has one role. One that is called as a role is calls for no other, however alike the names are: `CustomerID` is no order. What
//! is not certain is said as a doubt.

use super::role_names::{NAMES, OF_ORDERS};
use super::{DAY, Settings, plain};
use crate::base::text::words;
use crate::base::time::format_timestamp;
use crate::model::line_columns::TransactionColumn::{self, CustomerId, EventTs, LineTotal, OrderId, Quantity, UnitPrice};
use crate::source::column_words::{is_in_cents, is_of_something_else};
use crate::source::sniff::{ColumnProfile, DateReading, ValueKind};
use std::collections::BTreeMap;

/// A guess at the columns of an input.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RoleGuess {
    /// The input's names of the columns.
    pub columns: BTreeMap<TransactionColumn, String>,
    /// Other options that its content asks for, by their keys.
    pub settings: Settings,
    /// What is not certain, in sentences.
    pub doubts: Vec<String>,
}

/// Guesses at the columns of an input, of which two may make times, `joined`. What is said already, by its names of columns, is left as it is.
pub fn guess(profiles: &[ColumnProfile], joined: Option<&ColumnProfile>, said: &BTreeMap<TransactionColumn, String>) -> RoleGuess {
    let mut guess = RoleGuess { columns: said.clone(), ..RoleGuess::default() };
    for (role, names) in NAMES {
        if guess.columns.contains_key(role) {
            continue;
        }
        let free = |profile: &&ColumnProfile| fits(*role, profile) && !guess.columns.values().any(|name| name == &profile.name);
        let rank = |profile: &ColumnProfile| names.iter().position(|name| *name == numbered(&profile.name));
        let exact = profiles.iter().filter(free).filter(|profile| rank(profile).is_some()).min_by_key(|profile| rank(profile));
        let part_rank = |profile: &ColumnProfile| part_rank(*role, names, &profile.name).filter(|_| !has_role(profile));
        let part = || profiles.iter().filter(free).filter(|profile| part_rank(profile).is_some()).min_by_key(|profile| part_rank(profile));
        let found = exact.cloned().or_else(|| {
            let found = part()?.clone();
            guess.doubts.push(format!("{} is perhaps {}: a part of its name says so", found.name, role.name()));
            Some(found)
        });
        if let Some(profile) = found {
            guess.columns.insert(*role, profile.name);
        }
    }
    guess.amounts(said);
    guess.times(profiles, joined, said.contains_key(&EventTs));
    if !guess.columns.contains_key(&OrderId)
        && let (Some(customer), Some(_)) = (guess.columns.get(&CustomerId), guess.columns.get(&EventTs))
    {
        guess.doubts.push("no column is an order's: what a customer buys on one day is read as one order".to_owned());
        guess.columns.insert(OrderId, format!("{customer}+{DAY}"));
    }
    guess.values(profiles);
    guess
}

impl RoleGuess {
    /// An amount of the whole order is not that of each line.
    fn amounts(&mut self, said: &BTreeMap<TransactionColumn, String>) {
        let both = self.columns.contains_key(&UnitPrice) && self.columns.contains_key(&Quantity);
        let Some(total) = self.columns.get(&LineTotal).filter(|_| !said.contains_key(&LineTotal)).cloned() else { return };
        let name = plain(&total);
        if !(OF_ORDERS.contains(&name.as_str()) || name.contains("order") && name.contains("total")) {
            return;
        }
        if both {
            self.columns.remove(&LineTotal);
            self.doubts.push(format!("{total} is rather that of a whole order: lines are worth their quantity and price"));
        } else {
            self.doubts.push(format!(
                "{total} is read as that of the whole order, which counts once however many rows have it; if each row says its own worth, run \
                 with `amount=total`"
            ));
            self.settings.push(("transactions.amount".to_owned(), vec!["order".to_owned()]));
        }
    }

    /// How dates are written; and where no name says which column is the time, the only one that holds dates.
    fn times(&mut self, profiles: &[ColumnProfile], joined: Option<&ColumnProfile>, is_said: bool) {
        if !self.columns.contains_key(&EventTs) {
            let is_time =
                |profile: &&ColumnProfile| profile.kind == ValueKind::Date && !is_of_something_else(EventTs.name(), &profile.name);
            let mut dates = profiles.iter().filter(is_time);
            if let (Some(only), None) = (dates.next(), dates.next()) {
                self.doubts.push(format!("{} is perhaps event_ts: it is the only column of dates", only.name));
                self.columns.insert(EventTs, only.name.clone());
            }
        }
        if let (Some(both), Some(date), false) = (joined, self.columns.get_mut(&EventTs), is_said)
            && both.name.split('+').any(|part| part == date.as_str())
        {
            self.doubts.push(format!("{} are read as one time", both.name.replace('+', " and ")));
            date.clone_from(&both.name);
        }
        let named = |name: &String| profiles.iter().chain(joined).find(|profile| &profile.name == name);
        let Some(time) = self.columns.get(&EventTs).and_then(named) else { return };
        let formats = time.dates.iter().map(DateReading::formats).find(|formats| !formats.is_empty());
        self.settings.extend(formats.map(|formats| ("source.date_format".to_owned(), formats)));
        if let [one, other, ..] = &time.dates[..] {
            let day = |at: i64| format_timestamp(at).split('T').next().unwrap_or_default().to_owned();
            let text = time.examples.first().map(String::as_str).unwrap_or_default();
            self.doubts.push(format!(
                "{}: it is not certain which number is the day: {} gives {} to {}, {} gives {} to {} (the first is {text})",
                time.name,
                one.format.as_deref().unwrap_or("ISO 8601"),
                day(one.first),
                day(one.last),
                other.format.as_deref().unwrap_or("ISO 8601"),
                day(other.first),
                day(other.last),
            ));
        }
    }

    /// How numbers and ids are written.
    fn values(&mut self, profiles: &[ColumnProfile]) {
        let of = |role: TransactionColumn| self.columns.get(&role).and_then(|name| profiles.iter().find(|profile| &profile.name == name));
        let format = [LineTotal, UnitPrice, Quantity].into_iter().filter_map(of).find_map(|profile| profile.number_format);
        let doubt = [LineTotal, UnitPrice].into_iter().filter_map(of).find_map(ColumnProfile::doubt_of_numbers);
        let pointed = of(CustomerId).is_some_and(|profile| profile.pointed);
        if let Some(format) = format {
            self.settings.push(("source.number_format".to_owned(), vec![format.to_owned()]));
        }
        self.doubts.extend(doubt);
        let in_cents = |role| self.columns.get(&role).map(|name| is_in_cents(name));
        let in_cents: Vec<bool> = [LineTotal, UnitPrice].into_iter().filter_map(in_cents).collect();
        if in_cents.contains(&true) {
            match in_cents.contains(&false) {
                false => self.settings.push(("source.amount_unit".to_owned(), vec!["cents".to_owned()])),
                true => self.doubts.push("one column of amounts says that it counts cents, and another does not".to_owned()),
            }
        }
        if pointed {
            self.settings.push(("source.id_format".to_owned(), vec!["integer".to_owned()]));
        }
    }
}

/// Whether a column can be of a role by what it holds.
fn fits(role: TransactionColumn, profile: &ColumnProfile) -> bool {
    let number = matches!(profile.kind, ValueKind::WholeNumber | ValueKind::Amount);
    match role {
        EventTs => profile.kind == ValueKind::Date || words(&profile.name).iter().any(|word| word == "ts" || word == "timestamp") && number,
        LineTotal | UnitPrice | Quantity => number,
        OrderId | CustomerId => !matches!(profile.kind, ValueKind::Empty | ValueKind::Date | ValueKind::Amount | ValueKind::Currency),
        _ => !matches!(profile.kind, ValueKind::Empty | ValueKind::Currency),
    }
}

/// A name in letters and digits alone; a `#` says that it is of numbers: `Sale #`.
fn numbered(name: &str) -> String {
    plain(name) + if name.contains('#') && !plain(name).ends_with("no") { "no" } else { "" }
}

/// Whether a column is called as some role is.
fn has_role(profile: &ColumnProfile) -> bool {
    let name = plain(&profile.name);
    NAMES.iter().any(|(_, names)| names.contains(&name.as_str()))
}

/// The first of a role's names, of five letters or more, that is a part of another name, which does not speak of something else.
fn part_rank(role: TransactionColumn, names: &[&str], name: &str) -> Option<usize> {
    let whole = plain(name);
    let is_part = |part: &str| part.chars().count() >= 5 && (whole.starts_with(part) || whole.ends_with(part));
    names.iter().position(|part| is_part(part)).filter(|_| !is_of_something_else(role.name(), name))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::source::sniff::profile;
    use arrow::array::{ArrayRef, RecordBatch, StringArray};
    use std::sync::Arc;

    fn profiles(columns: &[(&str, [&str; 3])]) -> Vec<ColumnProfile> {
        let array = |values: &[&str; 3]| Arc::new(StringArray::from(values.to_vec())) as ArrayRef;
        let batch = RecordBatch::try_from_iter(columns.iter().map(|(name, values)| (*name, array(values)))).unwrap();
        columns.iter().enumerate().map(|(at, (name, _))| profile::of(name, None, at, std::slice::from_ref(&batch))).collect()
    }

    fn roles(columns: &[(&str, [&str; 3])]) -> Vec<(&'static str, String)> {
        let guess = guess(&profiles(columns), None, &BTreeMap::new());
        guess.columns.into_iter().map(|(role, name)| (role.name(), name)).collect()
    }

    #[test]
    fn columns_are_guessed_by_their_names_and_content() {
        let german = roles(&[
            ("Bestellnr", ["7", "7", "8"]),
            ("Kundennummer", ["K1", "K1", "K2"]),
            ("Datum", ["31.12.2023", "31.12.2023", "1.1.2024"]),
            ("Menge", ["1", "2", "1"]),
            ("Einzelpreis", ["1.234,50", "3,00", "7,10"]),
            ("Gesamt", ["1.237,50", "1.237,50", "7,10"]),
        ]);
        let expected = [
            ("order_id", "Bestellnr"),
            ("customer_id", "Kundennummer"),
            ("event_ts", "Datum"),
            ("quantity", "Menge"),
            ("unit_price", "Einzelpreis"),
        ];
        assert_eq!(german, expected.map(|(role, name)| (role, name.to_owned())));
    }

    #[test]
    fn a_role_is_not_guessed_from_the_column_of_another() {
        let found =
            roles(&[("CustomerID", ["1", "2", "3"]), ("Date", ["2024-01-01", "2024-01-02", "2024-01-02"]), ("Amount", ["1", "2", "3.5"])]);
        assert!(found.contains(&("order_id", "CustomerID+day".to_owned())), "{found:?}");
        assert!(!roles(&[("Customer", ["a b", "c d", "e f"]), ("Amount", ["1", "2", "3.5"])]).iter().any(|(role, _)| *role == "order_id"));
    }

    #[test]
    fn what_is_not_certain_is_said() {
        let guess = guess(&profiles(&[("order", ["1", "2", "3"]), ("when", ["3/4/2024", "5/4/2024", "6/4/2024"])]), None, &BTreeMap::new());
        assert_eq!(guess.columns[&EventTs], "when");
        assert!(guess.doubts.iter().any(|doubt| doubt.contains("2024-03-04") && doubt.contains("2024-04-03")), "{:?}", guess.doubts);
    }
}
