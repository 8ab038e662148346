//! Advice about a time that is not read: which formats read it, of those that its shape allows.
//!
//! Every format is tried with the value before it is proposed, and none is proposed that another date of the column cannot have, or that
//! reads days as months beside a given one that does not. Where no format is left, that is what is said.

use super::date_order::order_of;
use super::date_shapes::candidates;
use super::dates::{DateFormat, number_format};
use crate::base::time::to_datetime;
use crate::model::cause::NO_ONE;
use crate::model::reject::REJECT_HELP;
use chrono::Datelike;

/// The formats that texts such as these may have, each once.
pub(crate) fn date_formats(texts: &[&str]) -> Vec<String> {
    let mut formats: Vec<String> = Vec::new();
    for format in texts.iter().flat_map(|text| candidates(text)) {
        if !formats.contains(&format) {
            formats.push(format);
        }
    }
    formats
}

/// A reader of dates in one way, in the years in which shops sell; none where the way is none.
pub(crate) fn dates_of(format: &str) -> Option<impl Fn(&str) -> Option<i64> + use<>> {
    let format = DateFormat::new(format).ok()?;
    let is_sold = |time: &i64| (1900..2100).contains(&to_datetime(*time).year());
    Some(move |text: &str| format.read(text.trim_ascii()).map(|moment| moment.timestamp).filter(is_sold))
}

/// The formats of which a text can be read by, and what it is then.
fn readings(text: &str) -> Vec<(String, i64)> {
    let read = |format: String| {
        let time = dates_of(&format)?(text)?;
        Some((format, time))
    };
    let mut found: Vec<_> = candidates(text).into_iter().filter_map(read).collect();
    // After the year comes the month, unless that is none.
    let is_month_last =
        |format: &str| format.find("%Y").zip(format.find("%d")).zip(format.find("%m")).is_some_and(|((y, d), m)| y < d && d < m);
    if found.iter().any(|(format, _)| !is_month_last(format)) {
        found.retain(|(format, _)| !is_month_last(format));
    }
    // Digits alone begin with the year, unless that is none.
    if found.first().is_some_and(|(format, _)| format.starts_with("%Y%m")) {
        found.truncate(1);
    }
    found
}

/// Advice about a time that is not read; some orders of day, month and year other dates cannot have.
pub(super) fn help(text: &str, given: &[String], excluded: u8) -> Option<String> {
    let text = text.trim_ascii();
    if let Some(said) = at_odds(text, given) {
        return Some(said);
    }
    let by_number = number_format(text).and_then(|format| Some((format.to_owned(), dates_of(format)?(text)?)));
    let by_number = by_number.into_iter().filter(|(format, _)| !format.starts_with('%'));
    let all: Vec<_> = readings(text).into_iter().chain(by_number).filter(|(format, _)| !given.contains(format)).collect();
    let is_possible = |format: &str| order_of(format).is_none_or(|order| excluded & order == 0);
    let fits: Vec<_> = all.iter().filter(|(format, _)| is_possible(format)).collect();
    let orders: Vec<u8> = given.iter().filter_map(|format| order_of(format)).collect();
    let is_like_given = |format: &str| order_of(format).is_none_or(|order| orders.contains(&order));
    let alike: Vec<_> = fits.iter().copied().filter(|(format, _)| orders.is_empty() || is_like_given(format)).collect();
    match (&alike[..], &fits[..]) {
        (_, []) if !all.is_empty() => Some(format!(
            "{NO_ONE}order of day and month reads all dates: of some, the first number is no month, and of others, the second; find out which \
             rows are written otherwise, and correct them"
        )),
        (_, []) if !given.is_empty() => None,
        (_, []) => Some(format!(
            "give `date_format` if dates are written in a way of their own, such as {:?} for 12/31/2010 8:26; else {REJECT_HELP}",
            "%m/%d/%Y %H:%M"
        )),
        // Both orders would read days as months. None of the dates so far needs the given one.
        ([], [(other, _), ..]) => {
            let wrong = given.iter().filter(|format| order_of(format).is_some()).map(|format| format!("`date_format={format}`"));
            Some(format!("give `date_format={other}` instead of {}", wrong.collect::<Vec<_>>().join(" ")))
        }
        ([(only, _)], _) if given.is_empty() => Some(format!("give `date_format={only}`")),
        ([(only, _)], _) => Some(format!("add `date_format={only}` too")),
        (several, _) => {
            let shown = several.iter().map(|(format, time)| format!("`date_format={format}` if this is {}", day(*time)));
            let (give, too) = if given.is_empty() { ("give", "") } else { ("add", ", beside what is given") };
            Some(format!("{give} {}{too}", shown.collect::<Vec<_>>().join(", or ")))
        }
    }
}

/// What is said of a text that the given formats read differently.
fn at_odds(text: &str, given: &[String]) -> Option<String> {
    let mut read: Vec<(&String, i64)> = Vec::new();
    for format in given {
        let time = DateFormat::new(format).ok().and_then(|format| format.read(text)).map(|moment| moment.timestamp);
        if let Some(time) = time.filter(|time| read.iter().all(|(_, known)| known != time)) {
            read.push((format, time));
        }
    }
    let shown: Vec<_> = read.iter().map(|(format, time)| format!("{} by {format:?}", day(*time))).collect();
    (shown.len() > 1)
        .then(|| format!("{NO_ONE}day is meant by two formats: this is {}; give the one that is right, alone", shown.join(", and ")))
}

fn day(time: i64) -> String {
    to_datetime(time).format("%-d %B %Y").to_string()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::source::values::date_order::Proof;

    fn help(text: &str) -> String {
        super::help(text, &[], 0).unwrap()
    }

    #[test]
    fn dates_say_how_they_may_be_read() {
        assert_eq!(help("12/31/2010 8:26"), "give `date_format=%m/%d/%Y %H:%M`");
        assert_eq!(help("31.12.10"), "give `date_format=%d.%m.%y`");
        let both = help("3/4/2010");
        assert_eq!(both, "give `date_format=%m/%d/%Y` if this is 4 March 2010, or `date_format=%d/%m/%Y` if this is 3 April 2010");
        assert!(help("4/4/2010").starts_with("give `date_format=%m/%d/%Y` if "), "{}", help("4/4/2010"));
        assert_eq!(help("23-01-05").matches("if this is").count(), 2, "{}", help("23-01-05"));
        assert_eq!(help("05-06-07").matches("if this is").count(), 3);
        assert!(help("1/1/2010 8:26").contains("%d/%m/%Y %H:%M"));
        assert!(help("yesterday").contains("`date_format`"));
        for (text, format) in
            [("1672913472", "epoch"), ("1672913472000", "epoch-ms"), ("1672913472000000", "epoch-us"), ("1672913472000000000", "epoch-ns")]
        {
            assert_eq!(help(text), format!("give `date_format={format}`"));
        }
        assert_eq!(help("44931.5"), "give `date_format=excel`");
    }

    #[test]
    fn given_formats_and_other_dates_count() {
        let given = |text: &str, given: &[&str], others: &[&str]| {
            let excluded = others.iter().chain([&text]).fold(0, |not, text| not | Proof::of(text).not);
            super::help(text, &given.iter().map(|format| (*format).to_owned()).collect::<Vec<_>>(), excluded)
        };
        assert_eq!(given("yesterday", &["%m/%d/%Y"], &[]), None);
        // Of two orders of day and month, the one that was given, or the one that another date proves.
        assert_eq!(given("1/6/2023", &["%m/%d/%Y %H:%M"], &[]).unwrap(), "add `date_format=%m/%d/%Y` too");
        assert_eq!(given("1/6/2023", &["%d/%m/%Y %H:%M"], &[]).unwrap(), "add `date_format=%d/%m/%Y` too");
        assert_eq!(given("1/6/2023", &[], &["31/6/2023", "13/6/2023"]).unwrap(), "give `date_format=%d/%m/%Y`");
        // Two orders are never put together.
        assert_eq!(
            given("13/1/2010", &["%m/%d/%Y"], &["3/4/2010"]).unwrap(),
            "give `date_format=%d/%m/%Y` instead of `date_format=%m/%d/%Y`"
        );
        let mixed = given("13/1/2010", &["%m/%d/%Y"], &["1/13/2010"]).unwrap();
        assert!(mixed.starts_with("no one order of day and month"), "{mixed}");
        assert!(given("13/1/2010", &[], &["1/13/2010"]).unwrap().starts_with("no one order"));
        let odds = given("3/4/2010", &["%m/%d/%Y", "%d/%m/%Y"], &[]).unwrap();
        assert_eq!(
            odds,
            "no one day is meant by two formats: this is 4 March 2010 by \"%m/%d/%Y\", and 3 April 2010 by \"%d/%m/%Y\"; give the one that is \
             right, alone"
        );
        assert_eq!(given("1672913472", &["epoch-ms"], &[]).unwrap(), "add `date_format=epoch` too");
    }

    /// The shapes of public exports: what is advised reads the value.
    #[test]
    fn shapes_of_exports_have_a_format_that_reads_them() {
        for (text, format) in [
            ("1/5/2023", "%m/%d/%Y"),
            ("01/25/2023", "%m/%d/%Y"),
            ("25/01/2023", "%d/%m/%Y"),
            ("1/25/23", "%m/%d/%y"),
            ("25/1/23", "%d/%m/%y"),
            ("01/25/2023 15:04", "%m/%d/%Y %H:%M"),
            ("01/25/2023 15:04:05", "%m/%d/%Y %H:%M:%S"),
            ("01/25/2023 3:04 PM", "%m/%d/%Y %I:%M %p"),
            ("01/25/2023 3:04PM", "%m/%d/%Y %I:%M%p"),
            ("1/25/2023 3:04:05 PM", "%m/%d/%Y %I:%M:%S %p"),
            ("1/25/2023, 3:04:05 PM", "%m/%d/%Y, %I:%M:%S %p"),
            ("25/01/2023, 15:04", "%d/%m/%Y, %H:%M"),
            ("25/01/2023 15:04:05.123", "%d/%m/%Y %H:%M:%S%.f"),
            ("25.01.2023", "%d.%m.%Y"),
            ("25.1.23", "%d.%m.%y"),
            ("25.01.2023 15:04", "%d.%m.%Y %H:%M"),
            ("25.01.2023, 15:04:05", "%d.%m.%Y, %H:%M:%S"),
            ("25. 1. 2023", "%d. %m. %Y"),
            ("25-01-2023", "%d-%m-%Y"),
            ("25-01-2023 15:04", "%d-%m-%Y %H:%M"),
            ("25 01 2023", "%d %m %Y"),
            ("2023.01.31", "%Y.%m.%d"),
            ("2023. 1. 31.", ""),
            ("2023/01/31", "%Y/%m/%d"),
            ("2023/1/5", "%Y/%m/%d"),
            ("2023/01/31 15:04:05", "%Y/%m/%d %H:%M:%S"),
            ("2023-1-5", "%Y-%m-%d"),
            ("2023-1-5 9:05", "%Y-%m-%d %H:%M"),
            ("2023-31-01", ""),
            ("2023/31/01", "%Y/%d/%m"),
            ("2023-01-31 15.04.05", "%Y-%m-%d %H.%M.%S"),
            ("2023-01-31 15:04:05,123", "%Y-%m-%d %H:%M:%S,%3f"),
            ("2023-01-31 15:04:05:123", "%Y-%m-%d %H:%M:%S:%3f"),
            ("2023-01-31 at 15:04", "%Y-%m-%d at %H:%M"),
            ("20230131", "%Y%m%d"),
            ("20230131 15:04:05", "%Y%m%d %H:%M:%S"),
            ("20230131T150405", "%Y%m%dT%H%M%S"),
            ("20230131150405", "%Y%m%d%H%M%S"),
            ("202301311504", "%Y%m%d%H%M"),
            ("31012023", "%d%m%Y"),
            ("Jan-05-23", "%b-%d-%y"),
            ("Jan-05-2023", "%b-%d-%Y"),
            ("31-Jan-23", "%d-%b-%y"),
            ("31-Jan-2023", "%d-%b-%Y"),
            ("31-JAN-2023 15:04:05", "%d-%b-%Y %H:%M:%S"),
            ("31JAN2023", "%d%b%Y"),
            ("31JAN2023:15:04:05", "%d%b%Y:%H:%M:%S"),
            ("2023-Jan-31", "%Y-%b-%d"),
            ("5 Jan 2023", "%d %b %Y"),
            ("5 Jan 2023 15:04", "%d %b %Y %H:%M"),
            ("5 January 2023", "%d %B %Y"),
            ("5 May 2023", "%d %B %Y"),
            ("Jan 5, 2023", "%b %d, %Y"),
            ("Jan. 5, 2023", "%b. %d, %Y"),
            ("Jan 5 2023", "%b %d %Y"),
            ("January 5, 2023", "%B %d, %Y"),
            ("January 5, 2023 3:04 PM", "%B %d, %Y %I:%M %p"),
            ("January 5, 2023 at 3:04 PM", "%B %d, %Y at %I:%M %p"),
            ("Jan 5, 2023, 3:04:05 PM", "%b %d, %Y, %I:%M:%S %p"),
            ("Jan 5, 2023 3:04:05\u{202f}PM", "%b %d, %Y %I:%M:%S\u{202f}%p"),
            ("Jan  5 2023 10:04AM", "%b %d %Y %I:%M%p"),
            ("Thu, 05 Jan 2023 15:04:05 +0000", "%a, %d %b %Y %H:%M:%S %z"),
            ("Thu, 05 Jan 2023 15:04:05 GMT", "%a, %d %b %Y %H:%M:%S GMT"),
            ("Thursday, January 5, 2023", "%A, %B %d, %Y"),
            ("Thu Jan 05 2023 15:04:05 GMT+0100 (CET)", "%a %b %d %Y %H:%M:%S GMT%z (CET)"),
            ("Thu Jan  5 15:04:05 2023", "%a %b %d %H:%M:%S %Y"),
            ("Thu Jan 05 15:04:05 UTC 2023", "%a %b %d %H:%M:%S UTC %Y"),
            ("Thu Jan 05 15:04:05 +0000 2023", "%a %b %d %H:%M:%S %z %Y"),
            ("05/Jan/2023:15:04:05 +0000", "%d/%b/%Y:%H:%M:%S %z"),
            ("25/01/2023 15:04:05 +02:00", "%d/%m/%Y %H:%M:%S %:z"),
            ("01/25/2023 15:04 UTC", "%m/%d/%Y %H:%M UTC"),
            ("2023/01/31 15:04:05Z", "%Y/%m/%d %H:%M:%SZ"),
            ("25/01/2023 15h04", "%d/%m/%Y %Hh%M"),
            ("1672913472.5", "epoch"),
            ("44931", "excel"),
        ] {
            let advice = help(text);
            let first = advice.split('`').find_map(|option| option.strip_prefix("date_format=")).unwrap_or("");
            assert_eq!(first, format, "{text}: {advice}");
            assert!(first.is_empty() || dates_of(first).unwrap()(text).is_some(), "{text}");
        }
    }
}
