//! Advice about a time that is not read: which formats read it, of those that people use.
//!
//! Every format is tried with the value before it is proposed.

use super::dates::{DateFormat, read_items};
use crate::base::time::to_datetime;
use crate::model::reject::REJECT_HELP;
use chrono::Datelike;
use chrono::format::StrftimeItems;

/// Days as people write them, and what may follow.
const DAYS: [&str; 14] = [
    "%m/%d/%Y",
    "%d/%m/%Y",
    "%m/%d/%y",
    "%d/%m/%y",
    "%d.%m.%Y",
    "%d.%m.%y",
    "%m-%d-%Y",
    "%d-%m-%Y",
    "%m-%d-%y",
    "%d-%m-%y",
    "%Y/%m/%d",
    "%Y%m%d",
    "%d %b %Y",
    "%b %d, %Y",
];
const TIMES: [&str; 7] = ["", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p", "T%H:%M:%S", " %H:%M:%S%.f"];

/// The ways to write dates that are known, as for strftime.
pub(crate) fn date_formats() -> Vec<String> {
    DAYS.iter().flat_map(|day| TIMES.iter().map(move |time| format!("{day}{time}"))).collect()
}

/// A reader of dates in one way, in the years in which shops sell; none where the way is none.
pub(crate) fn dates_of(format: &str) -> Option<impl Fn(&str) -> Option<i64> + use<>> {
    let format = DateFormat::new(format).ok()?;
    let is_sold = |time: &i64| (1900..2100).contains(&to_datetime(*time).year());
    Some(move |text: &str| format.read(text.trim_ascii()).map(|moment| moment.timestamp).filter(is_sold))
}

/// The formats of which a text can be read by, and what it is then.
fn readings(text: &str) -> Vec<(String, i64)> {
    let formats = DAYS.iter().flat_map(|day| TIMES.iter().map(move |time| format!("{day}{time}")));
    let mut readings: Vec<(String, i64)> = Vec::new();
    for format in formats {
        let items = StrftimeItems::new(&format).parse().unwrap_or_default();
        // Of a short year and a long one that both fit, the first is the year 10 or so.
        let read = read_items(text, &items).map(|moment| moment.timestamp);
        let Some(time) = read.filter(|&time| (1900..2100).contains(&to_datetime(time).year())) else { continue };
        // Of formats that say the same, the first; but which number is the day matters for other dates, also where both are equal.
        let days_first = |format: &str| format.find("%d") < format.find("%m");
        if readings.iter().all(|(other, known)| *known != time || days_first(other) != days_first(&format)) {
            readings.push((format, time));
        }
    }
    readings
}

/// The format of numbers that reads a text of so many digits as a time of this century or the last.
fn reading_of_number(text: &str) -> Option<(String, i64)> {
    let digits = text.split('.').next().filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()))?;
    let format = match digits.len() {
        5 => "excel",
        9 | 10 => "epoch",
        12 | 13 => "epoch-ms",
        15 | 16 => "epoch-us",
        18 | 19 => "epoch-ns",
        _ => return None,
    };
    let moment = DateFormat::new(format).ok()?.read(text)?;
    (1970..2100).contains(&to_datetime(moment.timestamp).year()).then(|| (format.to_owned(), moment.timestamp))
}

/// Advice about a time that is not read.
pub(super) fn help(text: &str, given: &[String]) -> Option<String> {
    let text = text.trim_ascii();
    let all = readings(text).into_iter().chain(reading_of_number(text));
    let fits: Vec<_> = all.filter(|(other, _)| !given.contains(other)).collect();
    let (give, too) = if given.is_empty() { ("give", "") } else { ("add", " too") };
    // Where a format was given that has one order of day and month, another of that order is meant.
    let months_first = |format: &str| Some(format.find("%m")? < format.find("%d")?);
    let orders: Vec<bool> = given.iter().filter_map(|format| months_first(format)).collect();
    let like_given = |format: &str| months_first(format).is_none_or(|order| orders.contains(&order));
    let alike: Vec<_> = fits.iter().filter(|(format, _)| like_given(format)).cloned().collect();
    let fits = if orders.is_empty() || alike.is_empty() { fits } else { alike };
    match &fits[..] {
        [] if !given.is_empty() => None,
        [] => Some(format!(
            "give `date_format` if dates are written in a way of their own, such as {:?} for 12/31/2010 8:26; else {REJECT_HELP}",
            "%m/%d/%Y %H:%M"
        )),
        [(only, _)] => Some(format!("{give} `date_format={only}`{too}")),
        several => {
            let shown: Vec<_> = several.iter().map(|(f, t)| format!("{f:?} if this is {}", to_datetime(*t).format("%-d %B %Y"))).collect();
            Some(format!("{give} `date_format`{too}: {}", shown.join(", or ")))
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    #[test]
    fn dates_say_how_they_may_be_read() {
        let help = |text| super::help(text, &[]).unwrap();
        assert_eq!(help("12/31/2010 8:26"), "give `date_format=%m/%d/%Y %H:%M`");
        assert_eq!(help("31.12.10"), "give `date_format=%d.%m.%y`");
        let both = help("3/4/2010");
        assert_eq!(both, "give `date_format`: \"%m/%d/%Y\" if this is 4 March 2010, or \"%d/%m/%Y\" if this is 3 April 2010");
        assert!(help("4/4/2010").starts_with("give `date_format`: \"%m/%d/%Y\" if "), "{}", help("4/4/2010"));
        assert!(help("1/1/2010 8:26").contains("%d/%m/%Y %H:%M"));
        assert!(help("yesterday").contains("`date_format`"));
        assert_eq!(super::help("13/1/2010", &["%m/%d/%Y".to_owned()]).unwrap(), "add `date_format=%d/%m/%Y` too");
        assert_eq!(super::help("yesterday", &["%m/%d/%Y".to_owned()]), None);
        // Of two orders of day and month, the one that was given.
        assert_eq!(super::help("1/6/2023", &["%m/%d/%Y %H:%M".to_owned()]).unwrap(), "add `date_format=%m/%d/%Y` too");
        assert_eq!(super::help("1/6/2023", &["%d/%m/%Y %H:%M".to_owned()]).unwrap(), "add `date_format=%d/%m/%Y` too");
        for (text, format) in
            [("1672913472", "epoch"), ("1672913472000", "epoch-ms"), ("1672913472000000", "epoch-us"), ("1672913472000000000", "epoch-ns")]
        {
            assert_eq!(help(text), format!("give `date_format={format}`"));
        }
        assert_eq!(help("44931.5"), "give `date_format=excel`");
        assert_eq!(help("20230105"), "give `date_format=%Y%m%d`");
    }
}
