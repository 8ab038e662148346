//! Times: ISO 8601, or as formats say how they are written.
//!
//! Nothing is guessed about values: `3/4/2010` is March or April, and only the user knows. Formats are tried in the order in which they
//! were given; ISO dates are still read after them, unless a format writes dates that look like them. A value that two of the formats read
//! differently is no time, nor is a number that one format of numbers reads as a year of no shop and another as one of now. What a time says
//! of its place ([`Clock`]) goes with it to [`zone`](super::zone), where times have one. Values are read one by one by `date_reader`.

use super::date_order::order_of;
use crate::base::error::{Error, Result};
use crate::base::time::{Clock, DAY, MAX_TIMESTAMP, MIN_TIMESTAMP, clock_of, from_datetime, parse_timestamp, to_datetime};
use chrono::format::{Fixed, Item, Parsed, StrftimeItems, parse};
use chrono::{NaiveDate, NaiveTime};
use std::fmt::Write;
use std::sync::Arc;

/// Formats of numbers, and how many microseconds one is.
const EPOCHS: [(&str, i128, i128); 4] = [("epoch", 1_000_000, 1), ("epoch-ms", 1_000, 1), ("epoch-us", 1, 1), ("epoch-ns", 1, 1_000)];
const EXCEL: &str = "excel";

/// The days of spreadsheets: day 61 is 1900-03-01, and the days before are not the same in all of them.
const EXCEL_DAY_0: i64 = -25_569;
const EXCEL_FIRST: i128 = 61;

/// A time as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) timestamp: i64,
    pub(super) clock: Clock,
    /// Whether it said an offset that is not UTC's.
    pub(super) is_away: bool,
}

/// From 1980 to 2099, when there were shops whose orders are in files.
pub(super) const PLAUSIBLE: std::ops::Range<i64> = 315_532_800_000_000..4_102_444_800_000_000;

/// A format, ready to read.
#[derive(Debug)]
pub(super) enum DateFormat {
    /// As for `strftime`, and whether dates that it writes look like ISO 8601.
    Items { items: Vec<Item<'static>>, looks_iso: bool },
    /// A number since 1970: multiplied, then divided, it is microseconds.
    Epoch(i128, i128),
    /// Days, and parts of them.
    Excel,
}

impl DateFormat {
    /// Prepares a format and tries it.
    ///
    /// # Errors
    /// When it is none, or does not say a day, or an hour without its minutes or half of the day.
    pub(super) fn new(format: &str) -> Result<Self> {
        if let Some((_, times, parts)) = EPOCHS.into_iter().find(|(name, ..)| *name == format) {
            return Ok(DateFormat::Epoch(times, parts));
        }
        if format == EXCEL {
            return Ok(DateFormat::Excel);
        }
        let wrong = |what: &str| Error::usage(format!("the date format {format:?} {what}")).help(FORMAT_HELP);
        let items = StrftimeItems::new(format).parse_to_owned().map_err(|e| wrong("is none").cause(e))?;
        if items.iter().any(|item| matches!(item, Item::Fixed(Fixed::TimezoneName))) {
            return Err(wrong("has the name of a time zone, which does not tell how far it is from UTC"));
        }
        // A day that is no month, in the second half of both a day and a century's quarter.
        let sample = parse_timestamp(b"2011-11-22T13:24:00").unwrap_or_default();
        let mut text = String::new();
        let written = write!(text, "{}", to_datetime(sample).and_utc().format_with_items(items.iter()));
        let day = |timestamp| to_datetime(timestamp).date();
        if written.is_err() || read_items(text.trim(), &items).map(|moment| day(moment.timestamp)) != Some(day(sample)) {
            return Err(wrong("does not say which day it is, or not all of the time"));
        }
        let looks_iso =
            text.trim_ascii().as_bytes().get(..5).is_some_and(|head| head[4] == b'-' && head[..4].iter().all(u8::is_ascii_digit));
        Ok(DateFormat::Items { items, looks_iso })
    }

    /// Reads a text that has no blanks around it.
    pub(super) fn read(&self, text: &str) -> Option<Moment> {
        let moment = self.read_any_year(text)?;
        let is_plain = !self.is_of_numbers() || PLAUSIBLE.contains(&moment.timestamp);
        // Seconds as milliseconds are January 1970, and days written as one number are that summer.
        (is_plain || number_format(text).is_none()).then_some(moment)
    }

    fn read_any_year(&self, text: &str) -> Option<Moment> {
        let inside = |micros: i128| i64::try_from(micros).ok().filter(|time| (MIN_TIMESTAMP..=MAX_TIMESTAMP).contains(time));
        match self {
            DateFormat::Items { items, .. } => read_items(text, items),
            DateFormat::Epoch(times, parts) => {
                let (nanos, billion) = (billionths(text)?, 1_000_000_000);
                // Digits beyond microseconds are cut off, as everywhere.
                let timestamp = inside((nanos * times).div_euclid(billion * parts))?;
                Some(Moment { timestamp, clock: Clock::Utc, is_away: false })
            }
            DateFormat::Excel => {
                let (nanos, billion) = (billionths(text)?, 1_000_000_000);
                let (day, part) = (nanos.div_euclid(billion), nanos.rem_euclid(billion));
                if day < EXCEL_FIRST {
                    return None;
                }
                // Of a day's billionths, which are 86 microseconds, milliseconds are sure.
                let millis = (part * 86_400_000 + billion / 2) / billion;
                let timestamp = inside((day + i128::from(EXCEL_DAY_0)) * i128::from(DAY) + millis * 1_000)?;
                Some(Moment { timestamp, clock: if part == 0 { Clock::Day } else { Clock::Naive }, is_away: false })
            }
        }
    }

    /// Whether it reads numbers.
    fn is_of_numbers(&self) -> bool {
        !matches!(self, DateFormat::Items { .. })
    }
}

/// The format by which a number is a time from 1980 to 2099.
pub(super) fn number_format(text: &str) -> Option<&'static str> {
    let whole = text.split('.').next().filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()))?;
    let (name, format) = match whole.len() {
        5 => (EXCEL, DateFormat::Excel),
        9..=10 => ("epoch", DateFormat::Epoch(1_000_000, 1)),
        12..=13 => ("epoch-ms", DateFormat::Epoch(1_000, 1)),
        15..=16 => ("epoch-us", DateFormat::Epoch(1, 1)),
        18..=19 => ("epoch-ns", DateFormat::Epoch(1, 1_000)),
        _ => ("", DateFormat::Excel),
    };
    let fits = |moment: Option<Moment>| moment.is_some_and(|moment| PLAUSIBLE.contains(&moment.timestamp));
    if !name.is_empty() && fits(format.read_any_year(text)) {
        return Some(name);
    }
    // Digits alone that are a day, and perhaps its time.
    let name = [(8, "%Y%m%d"), (12, "%Y%m%d%H%M"), (14, "%Y%m%d%H%M%S")].into_iter().find(|(digits, _)| *digits == text.len())?.1;
    fits(read_items(text, &StrftimeItems::new(name).parse().ok()?)).then_some(name)
}

const FORMAT_HELP: &str = "write it as for strftime: `date_format=%m/%d/%Y %H:%M` reads 12/31/2010 8:26; or say `epoch`, `epoch-ms`, `epoch-us`, \
                           `epoch-ns` or `excel`";

/// A decimal number in billionths, cut off there; with an exponent, as floating-point numbers are written, its nearest one.
fn billionths(text: &str) -> Option<i128> {
    if text.contains(['e', 'E']) {
        let number: f64 = text.parse().ok().filter(|number: &f64| number.abs() < 1e21)?;
        return Some((number * 1e9).round() as i128);
    }
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    let (whole, decimals) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() || whole.len() > 20 || !whole.bytes().chain(decimals.bytes()).all(|b| b.is_ascii_digit()) {
        return None;
    }
    let padded = decimals.bytes().chain(std::iter::repeat(b'0')).take(9);
    let number = whole.bytes().chain(padded).fold(0i128, |n, digit| n * 10 + i128::from(digit - b'0'));
    Some(if negative { -number } else { number })
}

/// Reads a text by the parts of a format. What says no time is midnight.
pub(super) fn read_items(text: &str, items: &[Item<'_>]) -> Option<Moment> {
    let mut parsed = Parsed::new();
    parse(&mut parsed, text, items.iter()).ok()?;
    // A year of four digits is not written with two.
    if parsed.year().is_some_and(|year| year < 1000) {
        return None;
    }
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
    let timestamp = from_datetime(datetime) - i64::from(offset) * 1_000_000;
    let clock = match parsed.offset().is_some() || parsed.timestamp().is_some() {
        true => Clock::Utc,
        false if timeless => Clock::Day,
        false => Clock::Naive,
    };
    (MIN_TIMESTAMP..=MAX_TIMESTAMP).contains(&timestamp).then_some(Moment { timestamp, clock, is_away: offset != 0 })
}

/// Formats, in the order in which they are tried.
#[derive(Debug, Clone)]
pub(crate) struct DateFormats {
    formats: Arc<[DateFormat]>,
    /// As they were given.
    names: Arc<[String]>,
    /// Whether day and month are numbers in an order of theirs.
    ordered: Arc<[bool]>,
    /// Whether what no format fits may be ISO 8601.
    iso_too: bool,
    /// Whether there are values that two of them read differently.
    at_odds: bool,
    /// Whether they were told by an input's columns, and not said.
    told: bool,
}

impl Default for DateFormats {
    fn default() -> Self {
        DateFormats { formats: Arc::default(), names: Arc::default(), ordered: Arc::default(), iso_too: true, at_odds: false, told: false }
    }
}

impl DateFormats {
    /// Prepares formats.
    ///
    /// # Errors
    /// Those of [`DateFormat::new`].
    pub(super) fn new(names: &[String], told: bool) -> Result<Self> {
        let formats: Arc<[DateFormat]> = names.iter().map(|format| DateFormat::new(format)).collect::<Result<_>>()?;
        let iso_too = !formats.iter().any(|format| matches!(format, DateFormat::Items { looks_iso: true, .. }));
        let ordered = names.iter().map(|name| order_of(name).is_some()).collect();
        Ok(DateFormats { ordered, at_odds: are_at_odds(names, &formats), formats, names: names.into(), iso_too, told })
    }

    /// Whether there are none.
    #[inline]
    pub(super) fn are_none(&self) -> bool {
        self.formats.is_empty()
    }

    /// The formats as they were given.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether day and month are numbers in an order of its own in the format at a place.
    pub(super) fn is_ordered(&self, at: usize) -> bool {
        self.ordered.get(at).is_some_and(|ordered| *ordered)
    }

    /// Whether they were told by an input's columns, and not said.
    pub(super) fn are_told(&self) -> bool {
        self.told
    }

    /// Whether numbers are times.
    pub(crate) fn read_numbers(&self) -> bool {
        self.formats.iter().any(DateFormat::is_of_numbers)
    }

    /// Writes the calendar day of a time as it is written, whatever its offset; what is no time as it is.
    pub(crate) fn write_day(&self, text: &str, out: &mut String) {
        let text = text.trim_ascii();
        let by_iso = || parse_timestamp(text.as_bytes()).and_then(|_| text.get(..10));
        match self.formats.iter().find_map(|format| written_day(format, text)) {
            Some(day) => {
                // Writing to a text cannot fail.
                let _ = write!(out, "{}", day.format("%Y-%m-%d"));
            }
            None => out.push_str(by_iso().unwrap_or(text)),
        }
    }

    /// Reads a text, and gives the place of the format that does; none when it is no time.
    pub(super) fn read_by(&self, text: &str) -> Option<(Moment, usize)> {
        let text = text.trim_ascii();
        let read = |(at, format): (usize, &DateFormat)| Some((format.read(text)?, at));
        let Some((moment, at)) = self.formats.iter().enumerate().find_map(read) else {
            let timestamp = if self.iso_too { parse_timestamp(text.as_bytes())? } else { return None };
            let is_away = says_offset(text.as_bytes());
            return Some((Moment { timestamp, clock: clock_of(text.as_bytes()), is_away }, usize::MAX));
        };
        let other = |format: &DateFormat| format.read(text).is_some_and(|other| other.timestamp != moment.timestamp);
        (!self.at_odds || !self.formats[at + 1..].iter().any(other)).then_some((moment, at))
    }

    /// Reads a text; none when it is no time.
    #[cfg(test)]
    pub(super) fn read(&self, text: &str) -> Option<Moment> {
        self.read_by(text).map(|(moment, _)| moment)
    }
}

/// Whether there is a time that one format writes and another reads as a different one.
fn are_at_odds(names: &[String], formats: &[DateFormat]) -> bool {
    let samples =
        ["2011-02-03T04:05:06", "2010-11-12T10:09:08"].map(|text| to_datetime(parse_timestamp(text.as_bytes()).unwrap_or_default()));
    samples.into_iter().any(|sample| {
        names.iter().zip(formats).filter(|(_, format)| !format.is_of_numbers()).any(|(name, format)| {
            let mut text = String::new();
            // Formats were tried: writing by them does not fail.
            let _ = write!(text, "{}", sample.and_utc().format(name));
            let meant = format.read(&text).map(|moment| moment.timestamp);
            formats.iter().filter_map(|other| other.read(&text)).any(|other| Some(other.timestamp) != meant)
        })
    })
}

/// Whether an ISO time ends with an offset that is not UTC's.
pub(super) fn says_offset(text: &[u8]) -> bool {
    clock_of(text) == Clock::Utc
        && text
            .iter()
            .skip(11)
            .position(|b| matches!(b, b'+' | b'-'))
            .is_some_and(|at| text[11 + at..].iter().any(|b| (b'1'..=b'9').contains(b)))
}

/// The day that a text says, whatever its offset.
fn written_day(format: &DateFormat, text: &str) -> Option<NaiveDate> {
    if let DateFormat::Items { items, .. } = format {
        let mut parsed = Parsed::new();
        parse(&mut parsed, text, items.iter()).ok()?;
        if let Ok(day) = parsed.to_naive_date() {
            return Some(day);
        }
    }
    format.read(text).map(|moment| to_datetime(moment.timestamp).date())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::base::time::format_timestamp;

    fn shown(format: &str, text: &str) -> Option<String> {
        let formats: Vec<_> = format.split('|').map(str::to_owned).collect();
        DateFormats::new(&formats, false).unwrap().read(text).map(|moment| format_timestamp(moment.timestamp))
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
            ("epoch", "1672913472", "2023-01-05T10:11:12"),
            ("epoch", "1672913472.25", "2023-01-05T10:11:12.250000"),
            ("epoch", "-1", "1969-12-31T23:59:59"),
            ("epoch-ms", "1672913472000", "2023-01-05T10:11:12"),
            ("epoch-ms", "1.672913472e12", "2023-01-05T10:11:12"),
            ("epoch-us", "1672913472000001", "2023-01-05T10:11:12.000001"),
            ("epoch-ns", "1672913472000001999", "2023-01-05T10:11:12.000001"),
            ("excel", "44931", "2023-01-05T00:00:00"),
            ("excel", "44931.4244444444", "2023-01-05T10:11:12"),
            ("excel", "61", "1900-03-01T00:00:00"),
            // The one that fits, or the first of those that read alike.
            ("%m/%d/%Y|%d/%m/%Y", "4/4/2010", "2010-04-04T00:00:00"),
            ("%m/%d/%Y|%m/%d/%y", "3/4/10", "2010-03-04T00:00:00"),
            ("epoch|epoch-ms", "1672913472000", "2023-01-05T10:11:12"),
            ("epoch-ms|epoch", "1672913472", "2023-01-05T10:11:12"),
            ("epoch", "883612800", "1998-01-01T00:00:00"),
            ("%m/%d/%Y|%d/%m/%Y", "13/4/2010", "2010-04-13T00:00:00"),
            ("%m/%d/%Y|%Y-%d-%m", "2010-01-12", "2010-12-01T00:00:00"),
            ("epoch|%m/%d/%Y", "2010-12-01", "2010-12-01T00:00:00"),
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
            // Day and month in either place.
            ("%m/%d/%Y|%d/%m/%Y", "3/4/2010"),
            // A year of two digits is not the year 23.
            ("%m/%d/%Y", "12/1/23"),
            ("%Y-%m-%d", "23-01-05"),
            // Other formats of numbers read them as times of now.
            ("epoch-ms", "1672913472"),
            ("epoch-us", "1672913472000"),
            ("epoch", "20230105"),
            ("epoch", "44931"),
            ("epoch-ms", "20230105101112"),
            ("epoch-ns", "1672913472000000000000"),
            ("epoch", "16729134720000"),
            ("epoch", "1,672,913,472"),
            ("epoch", ""),
            ("excel", "60"),
            ("excel", "44931,5"),
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
}
