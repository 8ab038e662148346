//! The content of a column, told from a sample of it: numbers and how they are written, dates and by which formats they can be read, ids,
//! texts. Up to [`DISTINCT`] different values are looked at, those that come first.

use crate::base::merge::Merge;
use crate::base::money::{Fixed2, Total};
use crate::base::text::money;
use crate::base::time::parse_timestamp;
use crate::model::read_options::NumberFormat;
use crate::source::values::number_forms::written;
use crate::source::values::{date_formats, dates_of, order_of};
use arrow::array::{AsArray, RecordBatch};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};

/// Different values of a column that are told apart.
const DISTINCT: usize = 10_000;
/// Values that are shown.
const EXAMPLES: usize = 3;
/// Values whose shapes tell how dates may be written.
const SHAPES: usize = 20;
/// A kind is that of all but one in so many different values.
const ODD: usize = 50;

/// The kind of a column's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ValueKind {
    /// There are none.
    Empty,
    /// Dates or times.
    Date,
    /// Whole numbers.
    WholeNumber,
    /// Numbers, not all of them whole.
    Amount,
    /// Codes of currencies.
    Currency,
    /// A few words that come again and again, such as a status.
    Word,
    /// Values that name something: many different ones, without blanks.
    Id,
    /// Anything else.
    Text,
}

/// A way to read a column's dates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DateReading {
    /// As for strftime; none is ISO 8601.
    pub format: Option<String>,
    /// Further formats, where not all dates are written alike: some have a time of day.
    pub more: Vec<String>,
    /// The first of them, in microseconds since 1970, UTC.
    pub first: i64,
    /// The last.
    pub last: i64,
}

/// A way to read a column's numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NumberReading {
    /// How they are written.
    pub(crate) format: NumberFormat,
    /// What those that were looked at come to.
    pub(crate) sum: Fixed2,
}

/// The content of a column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ColumnProfile {
    /// Its name in the input.
    pub name: String,
    /// Its type, where the format has types.
    pub data_type: Option<String>,
    /// The kind of its values.
    pub kind: ValueKind,
    /// Rows that were looked at.
    pub rows: u64,
    /// How many of them hold nothing.
    pub empty: u64,
    /// Different values, of which no more than 10,000 are told apart.
    pub distinct: u64,
    /// The first of them.
    pub examples: Vec<String>,
    /// The ways to read its dates; several where it is not certain which number is the day.
    pub dates: Vec<DateReading>,
    /// How its numbers are written, if not plainly: `1.234,56`.
    pub number_format: Option<&'static str>,
    /// All ways to read its numbers: they differ where a mark is one of thousands in one and one of decimals in another.
    #[serde(skip)]
    pub(crate) numbers: Vec<NumberReading>,
    /// Values below zero.
    pub negative: u64,
    /// Whole numbers that are written with a point: `17850.0`.
    pub pointed: bool,
    /// The values with their counts, where there are few.
    pub counts: BTreeMap<String, u64>,
}

impl DateReading {
    /// All formats; none of ISO 8601 alone.
    pub(crate) fn formats(&self) -> Vec<String> {
        self.format.iter().chain(&self.more).cloned().collect()
    }
}

impl ColumnProfile {
    /// What is said of numbers whose mark may be one of thousands or of decimals.
    pub(crate) fn doubt_of_numbers(&self) -> Option<String> {
        let first = self.numbers.first()?;
        let other = self.numbers.iter().find(|way| way.sum != first.sum)?;
        Some(format!(
            "{}: it is not certain which mark is of thousands: read as {} it adds up to {}, as {} to {}",
            self.name,
            first.format.name(),
            money(first.sum),
            other.format.name(),
            money(other.sum)
        ))
    }
}

/// The content of the column at a place.
pub(crate) fn of(name: &str, data_type: Option<String>, at: usize, batches: &[RecordBatch]) -> ColumnProfile {
    let mut counts: HashMap<&str, u64> = HashMap::new();
    let mut examples: Vec<&str> = Vec::new();
    let (mut rows, mut empty, mut negative) = (0, 0, 0);
    for batch in batches {
        rows += batch.num_rows() as u64;
        let column = batch.columns().get(at).and_then(|column| column.as_string_opt::<i32>());
        let Some(column) = column else {
            empty += batch.num_rows() as u64;
            continue;
        };
        for text in column {
            let Some(text) = text.filter(|text| !text.trim().is_empty()) else {
                empty += 1;
                continue;
            };
            negative += u64::from(is_negative(text));
            if let Some(count) = counts.get_mut(text) {
                *count += 1;
            } else if counts.len() < DISTINCT {
                counts.insert(text, 1);
                if examples.len() < EXAMPLES {
                    examples.push(text);
                }
            }
        }
    }
    let mut counted: Vec<(&str, u64)> = counts.iter().map(|(text, count)| (text.trim(), *count)).collect();
    counted.sort_unstable();
    let values: Vec<&str> = counted.iter().map(|(text, _)| *text).collect();
    let typed = data_type.as_deref().unwrap_or("");
    let is_number = ["Int", "UInt", "Float", "Decimal"].iter().any(|number| typed.starts_with(number));
    let dates = if is_number { vec![] } else { dates(&values) };
    // Numbers of a type are no texts, and are written in one way.
    let ways = if is_number { &FORMATS[..1] } else { &FORMATS };
    let numbers = numbers(&counted, ways);
    let number_format = numbers.first().map(|reading| reading.format.name());
    let whole = || all(&values, |text| whole_digits(text).is_some()) && !values.iter().any(|text| text.ends_with(".00"));
    let kind = match () {
        () if values.is_empty() => ValueKind::Empty,
        () if !dates.is_empty() => ValueKind::Date,
        () if number_format == Some(PLAIN) && whole() => ValueKind::WholeNumber,
        () if number_format.is_some() => ValueKind::Amount,
        () if all(&values, is_currency) => ValueKind::Currency,
        () if values.len() <= 12 && rows - empty >= 4 * values.len() as u64 && values.iter().all(|text| text.len() <= 40) => {
            ValueKind::Word
        }
        () if all(&values, |text| !text.contains(char::is_whitespace)) && values.len() > 1 => ValueKind::Id,
        () => ValueKind::Text,
    };
    let pointed = kind == ValueKind::WholeNumber && values.iter().any(|text| text.contains('.'));
    ColumnProfile {
        name: name.to_owned(),
        kind,
        rows,
        empty,
        distinct: values.len() as u64,
        examples: examples.into_iter().map(str::to_owned).collect(),
        dates,
        number_format: number_format.filter(|format| *format != PLAIN && kind == ValueKind::Amount),
        numbers,
        negative: if matches!(kind, ValueKind::WholeNumber | ValueKind::Amount) { negative } else { 0 },
        pointed,
        counts: if counts.len() <= 20 { counts.into_iter().map(|(text, n)| (text.to_owned(), n)).collect() } else { BTreeMap::new() },
        data_type,
    }
}

/// Whether all but a few values are so.
fn all(values: &[&str], is: impl Fn(&str) -> bool) -> bool {
    let odd = values.iter().filter(|text| !is(text)).take(values.len() / ODD + 1).count();
    odd <= values.len() / ODD
}

fn is_negative(text: &str) -> bool {
    let text = text.trim();
    text.starts_with(['-', '\u{2212}', '(']) || text.ends_with('-') && text.starts_with(|c: char| c.is_ascii_digit())
}

/// The digits of a whole number, also where it is written with a point.
fn whole_digits(text: &str) -> Option<&str> {
    let (whole, zeros) = text.split_once('.').unwrap_or((text, ""));
    let digits = whole.strip_prefix('-').unwrap_or(whole);
    let is_whole = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) && zeros.bytes().all(|b| b == b'0');
    is_whole.then_some(digits)
}

/// How plain numbers are written.
const PLAIN: &str = NumberFormat::Plain.name();
/// All ways, those first that say most.
const FORMATS: [NumberFormat; 5] =
    [NumberFormat::Plain, NumberFormat::CommaPoint, NumberFormat::PointComma, NumberFormat::ApostrophePoint, NumberFormat::BlankComma];

/// The ways to read values as numbers: those that leave the fewest unread. None where the values are no numbers.
fn numbers(values: &[(&str, u64)], ways: &[NumberFormat]) -> Vec<NumberReading> {
    let read = |text: &str, format| written(text.as_bytes(), format).ok().map(|(number, _)| number);
    // Most columns are no numbers by their first few values.
    let first: Vec<&str> = values.iter().take(ODD - 1).map(|(text, _)| *text).collect();
    let mut readings: Vec<(usize, NumberReading)> = Vec::new();
    for format in ways.iter().copied().filter(|_| !values.is_empty()).filter(|format| all(&first, |text| read(text, *format).is_some())) {
        let (mut odd, mut sum) = (0, Total::default());
        for (text, count) in values {
            match read(text, format) {
                // A sample has no more rows than that takes no time.
                Some(number) => (0..*count).for_each(|_| sum.merge(number.into())),
                None => odd += 1,
            }
        }
        if odd <= values.len() / ODD {
            readings.push((odd, NumberReading { format, sum: sum.rounded() }));
        }
    }
    // A blank between digits says that blanks part thousands.
    if values.iter().any(|(text, _)| text.trim_matches(|c: char| !c.is_ascii_digit()).contains(char::is_whitespace)) {
        readings.sort_by_key(|(_, reading)| reading.format == NumberFormat::PointComma);
    }
    let least = readings.iter().map(|(odd, _)| *odd).min();
    readings.into_iter().filter(|(odd, _)| Some(*odd) == least).map(|(_, reading)| reading).collect()
}

fn is_currency(text: &str) -> bool {
    const CODES: &[&str] = &[
        "AED", "ARS", "AUD", "BGN", "BRL", "CAD", "CHF", "CLP", "CNY", "COP", "CZK", "DKK", "EGP", "EUR", "GBP", "HKD", "HUF", "IDR",
        "ILS", "INR", "JPY", "KRW", "MXN", "MYR", "NOK", "NZD", "PEN", "PHP", "PLN", "RON", "RUB", "SAR", "SEK", "SGD", "THB", "TRY",
        "TWD", "UAH", "USD", "VND", "ZAR", "$", "€", "£", "¥",
    ];
    CODES.contains(&text.to_ascii_uppercase().as_str())
}

/// The ways to read values as dates, without those that say the same of all of them.
fn dates(values: &[&str]) -> Vec<DateReading> {
    let mut readings: Vec<(Vec<i64>, DateReading)> = Vec::new();
    if values.is_empty() || !all(values, |text| text.len() >= 6 && text.contains(|c: char| c.is_ascii_digit())) {
        return Vec::new();
    }
    if let Some((_, iso)) = reading(values, None, |text| parse_timestamp(text.as_bytes())) {
        return vec![iso];
    }
    // Any value may be the one that shows how its column is written.
    let formats = date_formats(&values.iter().step_by(values.len() / SHAPES + 1).copied().collect::<Vec<_>>());
    for format in &formats {
        let Some(read) = dates_of(format) else { continue };
        let Some((times, found)) = reading(values, Some(format), read) else { continue };
        let order = |format: &Option<String>| format.as_ref().map(|format| format.find("%d") < format.find("%m"));
        let same = |(known, other): &(Vec<i64>, DateReading)| *known == times && order(&other.format) == order(&found.format);
        // A value such as 4/4/2010 says the same either way, but others of its column need not.
        if !readings.iter().any(same) {
            readings.push((times, found));
        }
    }
    if readings.is_empty() { mixed(values, &formats) } else { readings.into_iter().map(|(_, reading)| reading).collect() }
}

/// The ways to read values by several formats, which have one order of day and month.
fn mixed(values: &[&str], formats: &[String]) -> Vec<DateReading> {
    let mut orders: Vec<Option<u8>> = formats.iter().map(|format| order_of(format)).collect();
    orders.sort_unstable();
    orders.dedup();
    if orders.len() > 1 {
        orders.retain(Option::is_some);
    }
    let mut readings = Vec::new();
    for order in orders {
        let of_order = formats.iter().filter(|format| order_of(format).is_none_or(|other| Some(other) == order));
        let readers: Vec<_> = of_order.filter_map(|format| Some((format, dates_of(format)?))).collect();
        let read = |text: &str| readers.iter().find_map(|(format, read)| Some((*format, read(text)?)));
        if readers.len() < 2 || !all(values, |text| read(text).is_some()) {
            continue;
        }
        let mut used: Vec<String> = Vec::new();
        for (format, _) in values.iter().filter_map(|text| read(text)) {
            if !used.contains(format) {
                used.push(format.clone());
            }
        }
        let Some((_, mut found)) = reading(values, None, |text| read(text).map(|(_, time)| time)) else { continue };
        found.more = used.split_off(1);
        found.format = used.pop();
        readings.push(found);
    }
    readings
}

fn reading(values: &[&str], format: Option<&str>, read: impl Fn(&str) -> Option<i64>) -> Option<(Vec<i64>, DateReading)> {
    // Most formats fit none of the first few.
    all(&values[..values.len().min(ODD - 1)], |text| read(text).is_some()).then_some(())?;
    let times: Vec<i64> = values.iter().filter_map(|text| read(text)).collect();
    if values.len() - times.len() > values.len() / ODD {
        return None;
    }
    let (first, last) = (*times.iter().min()?, *times.iter().max()?);
    Some((times, DateReading { format: format.map(str::to_owned), more: Vec::new(), first, last }))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, StringArray};
    use std::sync::Arc;

    fn profile(values: &[&str]) -> ColumnProfile {
        let array = Arc::new(values.iter().map(|text| Some(*text).filter(|t| !t.is_empty())).collect::<StringArray>()) as ArrayRef;
        of("x", None, 0, &[RecordBatch::try_from_iter([("x", array)]).unwrap()])
    }

    #[test]
    fn kinds_are_told_by_values() {
        let kind = |values: &[&str]| profile(values).kind;
        assert_eq!(kind(&["12", "-3", ""]), ValueKind::WholeNumber);
        assert_eq!(kind(&["17850.0", "3.0"]), ValueKind::WholeNumber);
        assert_eq!(kind(&["1.50", "3"]), ValueKind::Amount);
        assert_eq!(kind(&["EUR", "usd"]), ValueKind::Currency);
        assert_eq!(kind(&["paid", "paid", "paid", "void", "paid", "void", "void", "void"]), ValueKind::Word);
        assert_eq!(kind(&["a@b.de", "c@d.de"]), ValueKind::Id);
        assert_eq!(kind(&["green mug", "tin"]), ValueKind::Text);
        assert_eq!(kind(&["", " "]), ValueKind::Empty);
        assert_eq!(kind(&["2010-12-01 08:26", "2010-12-01"]), ValueKind::Date);
        assert_eq!(profile(&["-1", "2", "-3"]).negative, 2);
        assert!(profile(&["17850.0"]).pointed && !profile(&["17850"]).pointed);
    }

    #[test]
    fn the_day_is_certain_or_said_to_be_either() {
        let formats = |values: &[&str]| profile(values).dates.into_iter().map(|date| date.format).collect::<Vec<_>>();
        assert_eq!(formats(&["12/1/2010 8:26", "12/13/2010 9:01"]), [Some("%m/%d/%Y %H:%M".to_owned())]);
        assert_eq!(formats(&["13.12.2010", "1.12.2010"]), [Some("%d.%m.%Y".to_owned())]);
        assert_eq!(formats(&["3/4/2010", "4/4/2010"]), [Some("%m/%d/%Y".to_owned()), Some("%d/%m/%Y".to_owned())]);
        assert_eq!(formats(&["2010-12-01"]), [None]);
        assert_eq!(formats(&["20101201", "20110131"]), [Some("%Y%m%d".to_owned())]);
        assert!(formats(&["1", "536365"]).is_empty());
        // A spreadsheet leaves out midnight.
        let all = |values: &[&str]| profile(values).dates.into_iter().map(|date| date.formats().join(" ")).collect::<Vec<_>>();
        assert_eq!(all(&["13/4/2010", "5/6/2010 10:00"]), ["%d/%m/%Y %d/%m/%Y %H:%M"]);
        assert_eq!(all(&["3/4/2010", "5/6/2010 10:00"]).len(), 2);
        assert!(all(&["13/4/2010", "5/16/2010"]).is_empty());
    }

    #[test]
    fn numbers_say_how_they_are_written() {
        let format = |values: &[&str]| profile(values).number_format;
        assert_eq!(format(&["1.234,50", "3,00"]), Some("1.234,56"));
        assert_eq!(format(&["$1,234.50", "($3.00)"]), Some("1,234.56"));
        assert_eq!(format(&["1 234,50", "7,00 €"]), Some("1 234,56"));
        assert_eq!(format(&["1'234.50", "7.00"]), None, "apostrophes are plain");
        assert_eq!(format(&["1234.50", "7"]), None);
        assert_eq!(format(&["$4.50", "-$7.00"]), None);
        let ways =
            |values: &[&str]| profile(values).numbers.into_iter().map(|way| (way.format.name(), way.sum.to_string())).collect::<Vec<_>>();
        // A mark before three digits may be one of thousands, unless another value says no.
        let said = ways(&["1,234", "950", "12,000"]);
        assert_eq!(said[..2], [("1,234.56", "14184.00".to_owned()), ("1.234,56", "963.23".to_owned())]);
        assert_eq!(ways(&["1,234", "950", "12,000.50"]), [("1,234.56", "14184.50".to_owned())]);
        assert_eq!(ways(&["1.234", "0.500"]).iter().filter(|(_, sum)| sum != "1.73").count(), 0);
        assert!(ways(&["1.234", "950"]).iter().any(|(_, sum)| sum == "2184.00"));
    }
}
