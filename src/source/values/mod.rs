//! Values: what the texts and numbers of an input mean, by the options of reading. Both kinds of rows and all formats read by this.
//!
//! | file | owns |
//! |---|---|
//! | here | [`Values`]: the options, ready to read by; advice about a value that cannot be read |
//! | `dates`, `date_reader` | formats of times; reading one by one, and what is noticed |
//! | `date_shapes`, `date_order`, `date_advice` | which formats a text may have, what dates prove of day and month, which format to advise |
//! | `zone` | times without an offset, and dates, in a time zone |
//! | `numbers`, `number_forms`, `currencies` | amounts, quantities and counts as people write them |
//! | `id_forms` | ids, as they are or in one form |
//!
//! Invariant: a value means the same in every format of files. What is noticed is counted by the collector of a batch, and added to
//! the notes once a batch.

mod currencies;
mod date_advice;
mod date_order;
pub(crate) mod date_reader;
mod date_shapes;
pub(crate) mod dates;
pub(crate) mod id_forms;
pub(crate) mod number_forms;
pub(crate) mod numbers;
mod zone;

pub(crate) use self::date_advice::{date_formats, dates_of};
pub(crate) use self::date_order::order_of;
use self::date_reader::Dates;
use self::dates::DateFormats;
use self::number_forms::{FORMATS, only, written};
use self::numbers::Numbers;
use self::zone::Zone;
use crate::base::error::Result;
use crate::model::cause::NO_ONE;
use crate::model::note::Notes;
use crate::model::read_options::{AmountUnit, IdFormat, NumberFormat, PeriodEnds, ReadOptions};
use crate::model::reject::{Reason, Reject};
use chrono_tz::Tz;
use std::borrow::Cow;
use std::sync::Arc;

/// Whether a text begins with three numbers that can be a day.
#[cfg(feature = "workbook")]
pub(crate) fn looks_like_day(text: &str) -> bool {
    date_order::Proof::of(text) != date_order::Proof::default()
}

/// Words that databases, data frames and spreadsheets write for no value.
pub(crate) const NULL_WORDS: [&str; 16] =
    ["NULL", "null", "Null", "\\N", "(null)", "(NULL)", "None", "nan", "NaN", "NAN", "<NA>", "N/A", "NA", "undefined", "-", "#N/A"];

/// The options of reading values, ready to read by.
#[derive(Debug, Clone)]
pub(crate) struct Values(Arc<Prepared>);

#[derive(Debug)]
struct Prepared {
    options: ReadOptions,
    dates: DateFormats,
    zone: Option<Zone>,
    /// Ids that are no customers'.
    anonymous: Vec<String>,
}

impl Default for Values {
    fn default() -> Self {
        let dates = DateFormats::default();
        Values(Arc::new(Prepared { options: ReadOptions::default(), dates, zone: None, anonymous: Vec::new() }))
    }
}

impl Values {
    /// Prepares options; times have the calendar of a zone, and some ids are no customers'.
    ///
    /// # Errors
    /// A date format that is none, or that does not say a day.
    pub(crate) fn new(options: &ReadOptions, zone: Tz, anonymous: &[String]) -> Result<Self> {
        let (dates, zone) = (DateFormats::new(&options.date_formats, options.dates_told)?, Zone::new(zone, options.naive_times));
        Ok(Values(Arc::new(Prepared { options: options.clone(), dates, zone, anonymous: anonymous.to_vec() })))
    }

    /// The options of reading.
    pub(crate) fn options(&self) -> &ReadOptions {
        &self.0.options
    }

    /// Whether periods end with what is said, and not before it.
    pub(crate) fn ends_are_inclusive(&self) -> bool {
        self.0.options.period_ends == PeriodEnds::Inclusive
    }

    /// Reads times one after the other.
    pub(crate) fn dates(&self) -> Dates {
        Dates::new(self.0.dates.clone(), self.0.zone.clone())
    }

    /// The formats of times.
    pub(crate) fn date_formats(&self) -> &DateFormats {
        &self.0.dates
    }

    /// Reads numbers one after the other.
    pub(crate) fn numbers(&self) -> Numbers {
        Numbers::new(self.0.options.number_format, self.0.options.amount_unit)
    }

    /// Whether numbers that are text have a comma before decimals.
    pub(crate) fn have_decimal_comma(&self) -> bool {
        matches!(self.0.options.number_format, NumberFormat::PointComma | NumberFormat::BlankComma)
    }

    /// Whether some texts stand for no value.
    #[inline]
    pub(crate) fn has_nulls(&self) -> bool {
        !self.0.options.nulls.is_empty()
    }

    /// Texts that stand for no value.
    pub(crate) fn nulls(&self) -> &[String] {
        &self.0.options.nulls
    }

    /// A text; empty if it stands for no value.
    pub(crate) fn or_empty<'a>(&self, text: &'a str) -> &'a str {
        if self.nulls().iter().any(|null| null == text.trim()) { "" } else { text }
    }

    /// The format of ids.
    pub(crate) fn id_format(&self) -> IdFormat {
        self.0.options.id_format
    }

    /// Whether ids and texts are what they are in the input.
    pub(crate) fn keep_texts(&self) -> bool {
        self.keeps_ids() && !self.has_nulls()
    }

    /// Whether the ids of customers are what they are in the input.
    #[inline]
    pub(crate) fn keeps_ids(&self) -> bool {
        self.id_format() == IdFormat::AsIs && self.0.anonymous.is_empty()
    }

    /// The id of an order or a product.
    #[inline]
    pub(crate) fn any_id<'a>(&self, id: &'a str) -> &'a str {
        id_forms::any_id(id, self.id_format())
    }

    /// The id of a customer, empty if it is none's; none where it is a bad value.
    pub(crate) fn customer_id<'a>(&self, id: &'a str) -> Option<Cow<'a, str>> {
        let id = id_forms::customer_id(id, self.id_format())?;
        Some(if self.0.anonymous.iter().any(|none| *none == id) { Cow::Borrowed("") } else { id })
    }
}

/// The sort of a value, for advice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    Time,
    /// Money, which has a unit.
    Amount,
    /// A quantity or a count.
    Number,
    /// A number that cannot be left out.
    Needed,
    CustomerId,
}

impl Sort {
    /// Of a column's values.
    fn of(column: &str) -> Sort {
        match column {
            "event_ts" | "period_start" | "period_end" | "last_transaction_ts" => Sort::Time,
            "quantity" => Sort::Number,
            "customer_id" | "order_id" | "product_id" => Sort::CustomerId,
            "total_orders" | "total_spend" => Sort::Needed,
            _ => Sort::Amount,
        }
    }
}

/// Advice about a value that could not be read, besides correcting it; the notes say what was noticed of other values.
pub(crate) fn advice(reject: &Reject, options: &ReadOptions, notes: &Notes) -> Option<String> {
    advice_about(&reject.column, reject.reason, &reject.value, options, notes)
}

/// Advice about a value of a column, whose name is ours.
pub(crate) fn advice_about(column: &str, reason: Reason, value: &str, options: &ReadOptions, notes: &Notes) -> Option<String> {
    // Orders have no unit.
    let unit = if column == "total_orders" { AmountUnit::Units } else { options.amount_unit };
    of_value(Sort::of(column), reason, value, &options.clone().with_amount_unit(unit), notes)
}

fn of_value(sort: Sort, reason: Reason, value: &str, options: &ReadOptions, notes: &Notes) -> Option<String> {
    if sort != Sort::Needed && NULL_WORDS.contains(&value.trim()) {
        return Some(format!("if {:?} means no value, run with `null={}`", value.trim(), value.trim()));
    }
    if value.starts_with('=') {
        return Some("this is a formula: save the sheet with its results".to_owned());
    }
    match (sort, reason) {
        (Sort::Time, Reason::BadTimestamp) => date_advice::help(value, &options.date_formats, date_order::excluded(notes)),
        (Sort::Amount | Sort::Number | Sort::Needed, Reason::BadNumber) => number_advice(sort, value, options, notes),
        (Sort::CustomerId, Reason::BadNumber) if id_forms::is_scientific(value) => Some(
            "a spreadsheet has lost digits of it: export the column of ids as text, or keep such ids apart with `id_format=as-is`"
                .to_owned(),
        ),
        (Sort::CustomerId, Reason::BadNumber) => Some("ids that are not all whole numbers are read with `id_format=as-is`".to_owned()),
        _ => None,
    }
}

/// The formats that explain a number and do not make others unreadable, or the unit that it does not have.
fn number_advice(sort: Sort, value: &str, options: &ReadOptions, notes: &Notes) -> Option<String> {
    let read = |format| written(value.as_bytes(), format).ok().map(|(number, _)| number);
    if let Some(number) = read(options.number_format).filter(|_| sort != Sort::Number && options.amount_unit != AmountUnit::Units) {
        let unit = if options.amount_unit == AmountUnit::Cents { "cents" } else { "millionths" };
        return Some(format!(
            "{number} has a fraction, and {unit} are whole numbers: if amounts are not in {unit}, leave `amount_unit` out"
        ));
    }
    // What the given format reads as a number is no count, and is none in another.
    if read(options.number_format).is_some() {
        return None;
    }
    let kinds = numbers::unread(notes, options.number_format);
    let readings = |unread: u8| {
        let mut readings: Vec<(NumberFormat, String)> = Vec::new();
        for format in [NumberFormat::Plain].into_iter().chain(NumberFormat::OTHERS).filter(|format| unread & only(*format) == 0) {
            if let Some(number) = read(format).map(|number| number.to_string())
                && readings.iter().all(|(_, known)| *known != number)
            {
                readings.push((format, number));
            }
        }
        readings
    };
    let shown = |of: Vec<(NumberFormat, String)>, is_advised: bool| {
        let option =
            |format: NumberFormat| if is_advised { format!("`number_format={}`", format.name()) } else { format.name().to_owned() };
        of.iter().map(|(format, number)| format!("{} reads it as {number}", option(*format))).collect::<Vec<_>>().join(", or ")
    };
    let fits = readings(kinds[0] | kinds[1]);
    if !fits.is_empty() {
        return Some(shown(fits, true));
    }
    let any = shown(readings(0), false);
    // Of one kind of numbers, all may still be written alike.
    let is_of_a_kind = |unread: u8| FORMATS.iter().any(|format| unread & only(*format) == 0);
    match kinds.into_iter().all(is_of_a_kind) {
        _ if any.is_empty() => None,
        true => Some(format!(
            "{NO_ONE}format reads both amounts and quantities: {any}, but then the others are not read; write both columns alike"
        )),
        false => {
            Some(format!("{NO_ONE}format of numbers reads all of them: {any}, but not others; correct those that are written otherwise"))
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn bad_values_name_what_explains_them() {
        let plain = ReadOptions::default();
        let none = Notes::default();
        let amount = |value: &str| of_value(Sort::Amount, Reason::BadNumber, value, &plain, &none);
        assert_eq!(amount("25,00").unwrap(), "`number_format=1.234,56` reads it as 25.00");
        assert_eq!(amount("$1,234.50").unwrap(), "`number_format=1,234.56` reads it as 1234.50");
        assert_eq!(amount("1,234").unwrap(), "`number_format=1,234.56` reads it as 1234.00, or `number_format=1.234,56` reads it as 1.234");
        assert_eq!(amount("1.234,50").unwrap(), "`number_format=1.234,56` reads it as 1234.50");
        assert_eq!(amount("apples"), None);
        assert!(amount("NULL").unwrap().contains("`null=NULL`"));
        let cents = ReadOptions::default().with_amount_unit(AmountUnit::Cents);
        assert!(of_value(Sort::Amount, Reason::BadNumber, "12.50", &cents, &none).unwrap().contains("leave `amount_unit` out"));
        let comma = ReadOptions::default().with_number_format(NumberFormat::PointComma);
        assert_eq!(of_value(Sort::Number, Reason::BadNumber, "1.5", &comma, &none).unwrap(), "`number_format=plain` reads it as 1.50");
        assert!(of_value(Sort::Number, Reason::BadNumber, "0.500", &comma, &none).unwrap().starts_with("`number_format=plain`"));
    }

    /// What another value cannot be is not advised, and where nothing is left, that is said.
    #[test]
    fn advice_fits_the_other_values_too() {
        let plain = ReadOptions::default();
        let after = |format: NumberFormat, amounts: &[&str], quantities: &[&str], bad: &str| {
            let (mut numbers, notes) = (Numbers::new(format, AmountUnit::Units), Notes::default());
            amounts.iter().chain([&bad]).for_each(|text| _ = numbers.amount(text.as_bytes()));
            quantities.iter().for_each(|text| _ = numbers.quantity(text.as_bytes()));
            numbers.note(&notes);
            of_value(Sort::Amount, Reason::BadNumber, bad, &plain.clone().with_number_format(format), &notes).unwrap()
        };
        let (plain, comma, point) = (NumberFormat::Plain, NumberFormat::PointComma, NumberFormat::CommaPoint);
        assert_eq!(after(plain, &["950"], &["2"], "1,234").matches("reads it").count(), 2);
        assert_eq!(after(plain, &["950.50"], &["2"], "1,234"), "`number_format=1,234.56` reads it as 1234.00");
        assert_eq!(after(plain, &["9,5"], &["2"], "1,234"), "`number_format=1.234,56` reads it as 1.234");
        for (format, amounts, bad) in [
            (plain, ["12,50", "3.00"], "1,234.5"),
            (point, ["1,234.5", "3"], "12,50"),
            (comma, ["12,50", "3"], "1,234.5"),
            (comma, ["12,50", "3"], "3.00"),
        ] {
            let said = after(format, &amounts, &["1"], bad);
            assert!(said.starts_with("no one format of numbers reads all"), "{bad}: {said}");
        }
        let both = after(plain, &[], &["0.5", "1.25"], "1.234,56");
        assert!(both.starts_with("no one format reads both amounts and quantities"), "{both}");
    }
}
