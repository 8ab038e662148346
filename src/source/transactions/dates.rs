//! Dates that are not ISO 8601: a format says how they are written, and where none is given, a date says which formats it fits.
//!
//! Nothing is guessed about values: `3/4/2010` is March or April, and only the user knows. With a format, ISO dates are still read,
//! unless the format writes dates that look like them.

use crate::base::error::{Error, Result};
use crate::base::time::{MAX_TIMESTAMP, MIN_TIMESTAMP, from_datetime, parse_timestamp, to_datetime};
use crate::source::period_rows::LastTime;
use chrono::format::{Fixed, Item, Parsed, StrftimeItems, parse};
use chrono::{Datelike, NaiveTime};
use std::fmt::Write;
use std::sync::Arc;

/// A format, ready to read.
#[derive(Debug)]
pub(super) struct DateFormat {
    items: Vec<Item<'static>>,
    /// Whether what the format does not fit may be ISO 8601: no text is both.
    iso_too: bool,
}

impl DateFormat {
    /// Prepares a format and tries it.
    ///
    /// # Errors
    /// When it is none, or does not say a day, or an hour without its minutes or half of the day.
    pub(super) fn new(format: &str) -> Result<Self> {
        let wrong = |what: &str| Error::usage(format!("the date format {format:?} {what}")).help(FORMAT_HELP);
        let items = StrftimeItems::new(format).parse_to_owned().map_err(|e| wrong("is none").cause(e))?;
        if items.iter().any(|item| matches!(item, Item::Fixed(Fixed::TimezoneName))) {
            return Err(wrong("has the name of a time zone, which does not tell how far it is from UTC"));
        }
        let mut format = DateFormat { items, iso_too: false };
        // A day that is no month, in the second half of both a day and a century's quarter.
        let sample = parse_timestamp(b"2011-11-22T13:24:00").unwrap_or_default();
        let mut text = String::new();
        let written = write!(text, "{}", to_datetime(sample).and_utc().format_with_items(format.items.iter()));
        let day = |timestamp| to_datetime(timestamp).date();
        if written.is_err() || format.read(&text).map(day) != Some(day(sample)) {
            return Err(wrong("does not say which day it is, or not all of the time"));
        }
        let looks_iso =
            text.trim_ascii().as_bytes().get(..5).is_some_and(|head| head[4] == b'-' && head[..4].iter().all(u8::is_ascii_digit));
        format.iso_too = !looks_iso;
        Ok(format)
    }

    fn read(&self, text: &str) -> Option<i64> {
        read(text.trim_ascii(), &self.items).or_else(|| if self.iso_too { parse_timestamp(text.as_bytes()) } else { None })
    }
}

const FORMAT_HELP: &str = "write it as for strftime: `date_format=%m/%d/%Y %H:%M` reads 12/31/2010 8:26";

/// Reads a text by the parts of a format. What says no time is midnight, what says no offset is UTC.
fn read(text: &str, items: &[Item<'_>]) -> Option<i64> {
    let mut parsed = Parsed::new();
    parse(&mut parsed, text, items.iter()).ok()?;
    let offset = parsed.offset().unwrap_or(0);
    let timeless = parsed.hour_div_12().or(parsed.hour_mod_12()).or(parsed.minute()).or(parsed.second()).is_none();
    let datetime = match parsed.to_naive_datetime_with_offset(offset) {
        Ok(datetime) => datetime,
        Err(_) if timeless => parsed.to_naive_date().ok()?.and_time(NaiveTime::MIN),
        Err(_) => return None,
    };
    // Like everywhere, a minute has 60 seconds.
    if parsed.second() == Some(60) {
        return None;
    }
    let utc = from_datetime(datetime) - i64::from(offset) * 1_000_000;
    (MIN_TIMESTAMP..=MAX_TIMESTAMP).contains(&utc).then_some(utc)
}

/// Formats, in the order in which they are tried.
#[derive(Debug, Clone)]
pub(super) struct DateFormats(Arc<[DateFormat]>);

impl DateFormats {
    /// Prepares formats.
    ///
    /// # Errors
    /// Those of [`DateFormat::new`].
    pub(super) fn new(formats: &[String]) -> Result<Self> {
        formats.iter().map(|format| DateFormat::new(format)).collect::<Result<_>>().map(DateFormats)
    }

    fn read(&self, text: &str) -> Option<i64> {
        self.0.iter().find_map(|format| format.read(text))
    }

    /// Writes the calendar day of a time as it is written, whatever its offset; what is no time as it is.
    pub(super) fn write_day(&self, text: &str, out: &mut String) {
        let text = text.trim_ascii();
        let by_format = |format: &DateFormat| {
            let mut parsed = Parsed::new();
            parse(&mut parsed, text, format.items.iter()).ok()?;
            parsed.to_naive_date().ok().or_else(|| Some(to_datetime(format.read(text)?).date()))
        };
        let by_iso = || parse_timestamp(text.as_bytes()).and_then(|_| text.get(..10));
        match self.0.iter().find_map(by_format) {
            Some(day) => {
                // Writing to a text cannot fail.
                let _ = write!(out, "{}", day.format("%Y-%m-%d"));
            }
            None => out.push_str(by_iso().unwrap_or(text)),
        }
    }
}

/// Reads dates one after the other; one that equals the last need not be read again.
pub(super) struct Dates {
    formats: DateFormats,
    iso: LastTime,
    last: (String, i64),
}

impl Dates {
    pub(super) fn new(formats: DateFormats) -> Self {
        Dates { formats, iso: LastTime::default(), last: (String::new(), 0) }
    }

    /// Reads a text; none when it is no date.
    #[inline]
    pub(super) fn read(&mut self, text: &str) -> Option<i64> {
        if self.formats.0.is_empty() {
            return self.iso.read(text.as_bytes());
        }
        if text != self.last.0 || text.is_empty() {
            let value = self.formats.read(text)?;
            text.clone_into(&mut self.last.0);
            self.last.1 = value;
        }
        Some(self.last.1)
    }
}

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

/// The formats of which a text can be read by, and what it is then.
fn readings(text: &str) -> Vec<(String, i64)> {
    let formats = DAYS.iter().flat_map(|day| TIMES.iter().map(move |time| format!("{day}{time}")));
    let mut readings: Vec<(String, i64)> = Vec::new();
    for format in formats {
        let items = StrftimeItems::new(&format).parse().unwrap_or_default();
        // Of a short year and a long one that both fit, the first is the year 10 or so.
        let Some(time) = read(text, &items).filter(|&time| (1900..2100).contains(&to_datetime(time).year())) else { continue };
        // Of formats that say the same, the first; but which number is the day matters for other dates, also where both are equal.
        let days_first = |format: &str| format.find("%d") < format.find("%m");
        if readings.iter().all(|(other, known)| *known != time || days_first(other) != days_first(&format)) {
            readings.push((format, time));
        }
    }
    readings
}

/// The ways to write dates that are known, as for strftime.
pub(in crate::source) fn date_formats() -> Vec<String> {
    DAYS.iter().flat_map(|day| TIMES.iter().map(move |time| format!("{day}{time}"))).collect()
}

/// A reader of dates in one way, in the years in which shops sell; none where the way is none.
pub(in crate::source) fn dates_of(format: &str) -> Option<impl Fn(&str) -> Option<i64> + use<>> {
    let items = StrftimeItems::new(format).parse_to_owned().ok()?;
    Some(move |text: &str| read(text.trim_ascii(), &items).filter(|&time| (1900..2100).contains(&to_datetime(time).year())))
}

/// Advice about a date that is not read.
pub(super) fn help(text: &str, given: &[String]) -> Option<String> {
    let fits: Vec<_> = readings(text.trim_ascii()).into_iter().filter(|(other, _)| !given.contains(other)).collect();
    let beside = if given.is_empty() { "" } else { " too" };
    match &fits[..] {
        [] if !given.is_empty() => None,
        [] => Some(format!(
            "give `date_format` if dates are written in a way of their own, such as {:?} for 12/31/2010 8:26",
            "%m/%d/%Y %H:%M"
        )),
        [(only, _)] => Some(format!("give `date_format={only}`{beside}")),
        several => {
            let shown: Vec<_> = several.iter().map(|(f, t)| format!("{f:?} if this is {}", to_datetime(*t).format("%-d %B %Y"))).collect();
            Some(format!("give `date_format`{beside}: {}", shown.join(", or ")))
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::base::time::format_timestamp;

    fn shown(format: &str, text: &str) -> Option<String> {
        DateFormat::new(format).unwrap().read(text).map(format_timestamp)
    }

    #[test]
    fn dates_are_read_by_their_format() {
        for (format, text, iso) in [
            ("%m/%d/%Y %H:%M", "12/1/2010 8:26", "2010-12-01T08:26:00"),
            ("%m/%d/%Y %H:%M", " 12/01/2010 08:26 ", "2010-12-01T08:26:00"),
            ("%d/%m/%Y %H:%M", "12/1/2010 8:26", "2010-01-12T08:26:00"),
            ("%d.%m.%Y", "1.12.2010", "2010-12-01T00:00:00"),
            ("%m/%d/%y", "12/1/10", "2010-12-01T00:00:00"),
            ("%m/%d/%Y %I:%M %p", "12/1/2010 8:26 PM", "2010-12-01T20:26:00"),
            ("%Y%m%d", "20101201", "2010-12-01T00:00:00"),
            ("%d %b %Y", "1 Dec 2010", "2010-12-01T00:00:00"),
            ("%s", "1291191960", "2010-12-01T08:26:00"),
            ("%d/%m/%Y %H:%M:%S%.f %z", "01/12/2010 08:26:00.25 +0200", "2010-12-01T06:26:00.250000"),
            // ISO dates are no others.
            ("%m/%d/%Y %H:%M", "2010-12-01T08:26:00+02:00", "2010-12-01T06:26:00"),
            ("%Y-%d-%m", "2010-01-12", "2010-12-01T00:00:00"),
        ] {
            assert_eq!(shown(format, text).as_deref(), Some(iso), "{format} {text}");
        }
        for (format, text) in [
            ("%m/%d/%Y %H:%M", "13/1/2010 8:26"),
            ("%m/%d/%Y %H:%M", "12/1/2010"),
            ("%m/%d/%Y %H:%M", "12/1/2010 8:26 x"),
            ("%m/%d/%Y %H:%M:%S", "12/1/2010 8:26:60"),
            ("%m/%d/%Y", "2/29/2010"),
            ("%Y-%d-%m", "2010-01-13"),
            ("%Y-%d-%m", "2010-01-12T00:00:00"),
        ] {
            assert_eq!(shown(format, text), None, "{format} {text}");
        }
        assert_eq!(shown("%m/%d/%Y", ""), None);
    }

    #[test]
    fn formats_that_say_no_day_are_refused() {
        for format in ["", "%H:%M", "%m/%d", "%Y-%m", "%Q", "%", "%m/%d/%Y %I:%M", "%m/%d/%Y %H", "%m/%d/%Y %H:%M %Z", "day", "%d/%d/%Y"] {
            let error = DateFormat::new(format).map(drop).unwrap_err();
            assert!(error.advice().unwrap().contains("`date_format="), "{format}");
        }
    }

    #[test]
    fn dates_say_how_they_may_be_read() {
        let help = |text| help(text, &[]).unwrap();
        assert_eq!(help("12/31/2010 8:26"), "give `date_format=%m/%d/%Y %H:%M`");
        assert_eq!(help("31.12.10"), "give `date_format=%d.%m.%y`");
        let both = help("3/4/2010");
        assert_eq!(both, "give `date_format`: \"%m/%d/%Y\" if this is 4 March 2010, or \"%d/%m/%Y\" if this is 3 April 2010");
        assert!(help("4/4/2010").starts_with("give `date_format`: \"%m/%d/%Y\" if "), "{}", help("4/4/2010"));
        assert!(help("1/1/2010 8:26").contains("%d/%m/%Y %H:%M"));
        assert!(help("yesterday").contains("`date_format`"));
        assert_eq!(super::help("13/1/2010", &["%m/%d/%Y".to_owned()]).unwrap(), "give `date_format=%d/%m/%Y` too");
        assert_eq!(super::help("yesterday", &["%m/%d/%Y".to_owned()]), None);
    }
}
