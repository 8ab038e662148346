//! Calendar periods: days, ISO weeks, months, quarters, halves and years, also of fiscal years, rolling windows, and all of time as one
//! period. Their numbers, bounds and names.
//!
//! The number of a period counts from one that no timestamp precedes, so that it is never negative: keys of windows, in states, too.

use crate::base::error::{Error, Result};
use crate::base::time::{DAY, EPOCH_DAY, MAX_TIMESTAMP, MIN_TIMESTAMP, to_datetime};
pub use crate::model::rolling::RollingDays;
use chrono::{Datelike, NaiveDate};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The name of the one window of [`Granularity::All`].
pub(crate) const ALL: &str = "all";

/// The length of a calendar window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
#[non_exhaustive]
pub enum Granularity {
    /// `2023-07-14`
    Day,
    /// An ISO week, Monday to Sunday: `2023-W28`. Its year is that of its Thursday.
    Week,
    /// `2023-07`
    Month,
    /// `2023-Q3`
    Quarter,
    /// `2023-H2`
    Half,
    /// `2023`
    Year,
    /// A quarter of a year that starts on another day: `FY2023/24-Q1`.
    FiscalQuarter(YearStart),
    /// A half of a year that starts on another day: `FY2023/24-H1`.
    FiscalHalf(YearStart),
    /// A year that starts on another day: `FY2023/24`.
    FiscalYear(YearStart),
    /// So many days, counted back from a day that [`Granularity::ending`] says: `2023-01-01..2023-04-01`.
    Rolling(RollingDays),
    /// Everything: one window, from the first to the last day of the data.
    All,
}

/// The day on which a fiscal year starts, other than 1 January; the 29th to 31st, which not all months have, are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct YearStart {
    month: u8,
    day: u8,
}

impl YearStart {
    /// Months after January, and days after the first.
    fn offsets(self) -> (u32, i64) {
        (u32::from(self.month) - 1, i64::from(self.day) - 1)
    }
}

impl FromStr for YearStart {
    type Err = Error;

    /// `MM-DD`, such as `04-01`.
    fn from_str(text: &str) -> Result<Self> {
        let fault = |what: &str| Error::usage(format!("{text:?} {what}")).help("a fiscal year's start is MM-DD, such as 04-01 or 10-01");
        let (month, day) = text.split_once('-').ok_or_else(|| fault("is not the day a year starts on"))?;
        let number = |text: &str| text.parse::<u8>().ok().filter(|_| text.len() == 2);
        let (month, day) = number(month).zip(number(day)).ok_or_else(|| fault("is not the day a year starts on"))?;
        if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
            return Err(fault("is no day of a year"));
        }
        if day > 28 {
            return Err(fault("is a day that not all months have"));
        }
        Ok(YearStart { month, day })
    }
}

impl fmt::Display for YearStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}-{:02}", self.month, self.day)
    }
}

impl Granularity {
    /// The same period of a year that starts on another day.
    ///
    /// # Errors
    /// Days, weeks, months and all of time belong to no year of one's own.
    pub fn of_year_from(self, start: YearStart) -> Result<Self> {
        let calendar = start == YearStart { month: 1, day: 1 };
        match self {
            Granularity::Quarter | Granularity::Half | Granularity::Year if calendar => Ok(self),
            Granularity::Quarter => Ok(Granularity::FiscalQuarter(start)),
            Granularity::Half => Ok(Granularity::FiscalHalf(start)),
            Granularity::Year => Ok(Granularity::FiscalYear(start)),
            _ => {
                Err(Error::usage(format!("a {self} is the same wherever the year starts"))
                    .help("say quarter, half or year, or leave it out"))
            }
        }
    }

    /// The same, where rolling windows end at a moment, one of them; other periods have their ends.
    ///
    /// # Errors
    /// When that is within a day.
    pub fn ending(self, moment: i64) -> Result<Self> {
        match self {
            Granularity::Rolling(rolling) => rolling.ending(moment).map(Granularity::Rolling),
            other => Ok(other),
        }
    }

    /// Whether it is known where its periods end.
    pub(crate) fn has_ends(self) -> bool {
        !matches!(self, Granularity::Rolling(rolling) if !rolling.has_end())
    }

    /// Whether it is a period of a calendar, by which rows can be kept: neither all of time nor windows that move.
    pub fn is_calendar(self) -> bool {
        !matches!(self, Granularity::All | Granularity::Rolling(_))
    }

    /// Months, and where the first of them starts: months after January and days after the first. None where it is not made of months.
    const fn months(self) -> Option<u32> {
        match self {
            Granularity::Month => Some(1),
            Granularity::Quarter | Granularity::FiscalQuarter(_) => Some(3),
            Granularity::Half | Granularity::FiscalHalf(_) => Some(6),
            Granularity::Year | Granularity::FiscalYear(_) => Some(12),
            Granularity::Day | Granularity::Week | Granularity::Rolling(_) | Granularity::All => None,
        }
    }

    fn year_offsets(self) -> (u32, i64) {
        match self {
            Granularity::FiscalQuarter(start) | Granularity::FiscalHalf(start) | Granularity::FiscalYear(start) => start.offsets(),
            _ => (0, 0),
        }
    }

    /// The number of the period that holds a timestamp.
    pub(crate) fn index(self, timestamp: i64) -> u32 {
        let day = timestamp.div_euclid(DAY) as i32 + EPOCH_DAY;
        match (self, self.months()) {
            (Granularity::Day, _) => day.max(0) as u32,
            // The first day of the year 1 is a Monday.
            (Granularity::Week, _) => (day - 1).max(0) as u32 / 7,
            (Granularity::Rolling(rolling), _) => rolling.index(day),
            (_, None) => 0,
            (_, Some(months)) => {
                let (after_january, after_first) = self.year_offsets();
                let date = to_datetime(timestamp).date();
                let date = if after_first == 0 { date } else { date - chrono::TimeDelta::days(after_first) };
                // A year before the first one would be as negative as its months after January at most.
                (((date.year() * 12 + date.month0() as i32) - after_january as i32).max(0) as u32) / months
            }
        }
    }

    /// The first microsecond of a period.
    pub(crate) fn start(self, index: u32) -> i64 {
        let of_day = |day: i64| ((day - i64::from(EPOCH_DAY)) * DAY).clamp(MIN_TIMESTAMP, MAX_TIMESTAMP);
        match (self, self.months()) {
            (Granularity::Day, _) => of_day(index.into()),
            (Granularity::Week, _) => of_day(i64::from(index) * 7 + 1),
            (Granularity::Rolling(rolling), _) => of_day(rolling.first_day(index)),
            (_, None) => {
                if index == 0 {
                    MIN_TIMESTAMP
                } else {
                    MAX_TIMESTAMP
                }
            }
            (_, Some(months)) => {
                let (after_january, after_first) = self.year_offsets();
                let month = index * months + after_january;
                let date = NaiveDate::from_ymd_opt((month / 12) as i32, month % 12 + 1, 1);
                // The year 9999 ends with the last timestamp there is.
                date.map_or(MAX_TIMESTAMP, |d| of_day(i64::from(d.num_days_from_ce()) + after_first))
            }
        }
    }

    pub(crate) fn name(self, index: u32) -> String {
        let date = to_datetime(self.start(index)).date();
        let (year, month) = (date.year(), date.month0());
        let fiscal = |part: Option<char>| {
            let months = self.months().unwrap_or(12);
            let per_year = 12 / months;
            // The year of the first period of the fiscal year that this one is in.
            let first = to_datetime(self.start(index - index % per_year)).date().year();
            let year = format!("FY{first:04}/{:02}", (first + 1) % 100);
            part.map_or(year.clone(), |part| format!("{year}-{part}{}", index % per_year + 1))
        };
        match self {
            Granularity::Day => date.format("%Y-%m-%d").to_string(),
            Granularity::Week => format!("{:04}-W{:02}", date.iso_week().year(), date.iso_week().week()),
            Granularity::Month => format!("{year:04}-{:02}", month + 1),
            Granularity::Quarter => format!("{year:04}-Q{}", month / 3 + 1),
            Granularity::Half => format!("{year:04}-H{}", month / 6 + 1),
            Granularity::Year => format!("{year:04}"),
            Granularity::FiscalQuarter(_) => fiscal(Some('Q')),
            Granularity::FiscalHalf(_) => fiscal(Some('H')),
            Granularity::FiscalYear(_) => fiscal(None),
            Granularity::Rolling(_) => RollingDays::name(self.start(index), self.start(index + 1)),
            Granularity::All => ALL.to_owned(),
        }
    }

    /// Whether each of these periods is made of whole periods of another granularity.
    pub(crate) fn is_made_of(self, parts: Granularity) -> bool {
        if self == parts || self == Granularity::All {
            return true;
        }
        if let Granularity::Rolling(rolling) = self
            && !rolling.has_end()
        {
            return parts == Granularity::Day || parts == Granularity::Week && rolling.are_weeks();
        }
        // Boundaries repeat after a year, or after 13 of a kind at the latest; weeks that fit months for that long would fit always.
        let first = self.index(1_672_531_200_000_000);
        parts != Granularity::All
            && (first..first + 13).all(|index| {
                let start = self.start(index);
                parts.start(parts.index(start)) == start
            })
    }

    /// Reads a calendar period's name, such as `2023-Q3`: its granularity and its number.
    pub(crate) fn parse_name(text: &str) -> Option<(Granularity, u32)> {
        let digits = |text: &str, length: usize| {
            let plain = text.len() == length && text.bytes().all(|b| b.is_ascii_digit());
            plain.then(|| text.parse::<u32>().ok()).flatten()
        };
        let (year, part) = text.split_once('-').unwrap_or((text, ""));
        let year = digits(year, 4).filter(|&year| year > 0)?;
        let date = |month, day| NaiveDate::from_ymd_opt(year as i32, month, day);
        let (granularity, date) = match part.as_bytes() {
            [] => (Granularity::Year, date(1, 1)),
            [b'H', _] => (Granularity::Half, date(digits(&part[1..], 1)?.checked_mul(6)?.checked_sub(5)?, 1)),
            [b'Q', _] => (Granularity::Quarter, date(digits(&part[1..], 1)?.checked_mul(3)?.checked_sub(2)?, 1)),
            [b'W', _, _] => (Granularity::Week, NaiveDate::from_isoywd_opt(year as i32, digits(&part[1..], 2)?, chrono::Weekday::Mon)),
            [_, _] => (Granularity::Month, date(digits(part, 2)?, 1)),
            [_, _, b'-', _, _] => (Granularity::Day, date(digits(&part[..2], 2)?, digits(&part[3..], 2)?)),
            _ => return None,
        };
        let start = i64::from(date?.num_days_from_ce() - EPOCH_DAY) * DAY;
        Some((granularity, granularity.index(start)))
    }
}

impl fmt::Display for Granularity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Granularity::Day => f.write_str("day"),
            Granularity::Week => f.write_str("week"),
            Granularity::Month => f.write_str("month"),
            Granularity::Quarter => f.write_str("quarter"),
            Granularity::Half => f.write_str("half"),
            Granularity::Year => f.write_str("year"),
            Granularity::FiscalQuarter(start) => write!(f, "quarter from {start}"),
            Granularity::FiscalHalf(start) => write!(f, "half from {start}"),
            Granularity::FiscalYear(start) => write!(f, "year from {start}"),
            Granularity::Rolling(rolling) => rolling.fmt(f),
            Granularity::All => f.write_str(ALL),
        }
    }
}

impl FromStr for Granularity {
    type Err = Error;

    /// `day`, `week`, `month`, `quarter`, `half`, `year` or `all`; or, for fiscal years, `quarter from 04-01`; or `rolling-90d`.
    fn from_str(text: &str) -> Result<Self> {
        if let Some(length) = text.strip_prefix("rolling-").or_else(|| text.strip_prefix("rolling ")) {
            return RollingDays::parse(length).map(Granularity::Rolling);
        }
        if let Some((period, start)) = text.split_once(" from ") {
            return period.parse::<Granularity>()?.of_year_from(start.parse()?);
        }
        match text {
            "day" => Ok(Granularity::Day),
            "week" => Ok(Granularity::Week),
            "month" => Ok(Granularity::Month),
            "quarter" => Ok(Granularity::Quarter),
            "half" => Ok(Granularity::Half),
            "year" => Ok(Granularity::Year),
            ALL => Ok(Granularity::All),
            _ => Err(Error::usage(format!("{text:?} is not a calendar period"))
                .help("one of day, week, month, quarter, half, year, all, or rolling-90d; other lengths are `windows.list`")),
        }
    }
}

impl From<Granularity> for String {
    fn from(granularity: Granularity) -> String {
        match granularity {
            Granularity::Rolling(rolling) => rolling.whole_name(),
            other => other.to_string(),
        }
    }
}

impl TryFrom<String> for Granularity {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::base::time::{format_timestamp, parse_timestamp};

    fn every(text: &str) -> Granularity {
        text.parse().unwrap()
    }

    #[test]
    fn every_day_has_its_period() {
        for (period, day, name, start, end) in [
            ("day", "2024-02-29", "2024-02-29", "2024-02-29", "2024-03-01"),
            ("week", "2023-01-01", "2022-W52", "2022-12-26", "2023-01-02"),
            ("week", "2023-01-02", "2023-W01", "2023-01-02", "2023-01-09"),
            ("week", "2020-12-31", "2020-W53", "2020-12-28", "2021-01-04"),
            ("month", "2023-12-31", "2023-12", "2023-12-01", "2024-01-01"),
            ("half", "2023-12-31", "2023-H2", "2023-07-01", "2024-01-01"),
            ("year from 04-01", "2023-03-31", "FY2022/23", "2022-04-01", "2023-04-01"),
            ("year from 04-01", "2023-04-01", "FY2023/24", "2023-04-01", "2024-04-01"),
            ("quarter from 04-06", "2024-04-05", "FY2023/24-Q4", "2024-01-06", "2024-04-06"),
            ("quarter from 04-06", "2024-01-05", "FY2023/24-Q3", "2023-10-06", "2024-01-06"),
            ("half from 10-01", "2023-10-01", "FY2023/24-H1", "2023-10-01", "2024-04-01"),
            ("half from 10-01", "1999-04-01", "FY1998/99-H2", "1999-04-01", "1999-10-01"),
            ("year from 02-01", "1999-12-01", "FY1999/00", "1999-02-01", "2000-02-01"),
        ] {
            let (every, at) = (every(period), parse_timestamp(day.as_bytes()).unwrap());
            let index = every.index(at);
            let shown = |timestamp| format_timestamp(timestamp)[..10].to_owned();
            assert_eq!(
                (every.name(index).as_str(), shown(every.start(index)).as_str(), shown(every.start(index + 1)).as_str()),
                (name, start, end)
            );
            assert_eq!((every.index(every.start(index)), every.index(every.start(index + 1) - 1)), (index, index), "{period} {day}");
        }
    }

    #[test]
    fn the_ends_of_time_have_periods() {
        for period in
            ["day", "week", "month", "quarter", "half", "year", "all", "year from 12-28", "quarter from 02-15", "rolling-90d at 89"]
        {
            let every = every(period);
            for at in [MIN_TIMESTAMP, MAX_TIMESTAMP] {
                let index = every.index(at);
                assert!(every.start(index) <= at.max(every.start(0)) && at <= every.start(index + 1), "{period}");
            }
            assert_eq!(Granularity::try_from(String::from(every)).unwrap(), every);
        }
    }

    #[test]
    fn rolling_windows_end_where_they_are_said_to() {
        for (text, end) in
            [("rolling-90d", "2023-07-06"), ("rolling 1d", "2024-02-29"), ("rolling-3660d", "0001-01-02"), ("rolling-7d", "9999-12-31")]
        {
            let end = parse_timestamp(end.as_bytes()).unwrap();
            let rolling = every(text).ending(end).unwrap();
            assert_eq!((rolling.start(rolling.index(end)), rolling.start(rolling.index(end - 1) + 1)), (end, end), "{text}");
            assert_eq!(Granularity::try_from(String::from(rolling)).unwrap(), rolling);
            assert!(rolling.is_made_of(Granularity::Day) && !rolling.is_made_of(Granularity::Month));
            for at in [MIN_TIMESTAMP, 0, end, MAX_TIMESTAMP] {
                let index = rolling.index(at);
                assert!(rolling.start(index) <= at && at <= rolling.start(index + 1), "{text}");
            }
        }
        assert!(every("rolling-90d").ending(1).is_err());
        let monday = parse_timestamp(b"2023-07-10").unwrap();
        assert!(every("rolling-28d").ending(monday).unwrap().is_made_of(Granularity::Week));
        assert!(!every("rolling-28d").ending(monday + DAY).unwrap().is_made_of(Granularity::Week));
        for text in ["rolling-0d", "rolling-d", "rolling-3661d", "rolling-7d at 7", "rolling-7d at", "rolling-7w", "rolling-"] {
            assert!(text.parse::<Granularity>().is_err(), "{text}");
        }
    }

    #[test]
    fn names_are_read_back() {
        for name in ["2023", "2023-H1", "2023-Q3", "2023-07", "2023-W01", "2020-W53", "2024-02-29"] {
            let (every, index) = Granularity::parse_name(name).unwrap();
            assert_eq!(every.name(index), name);
        }
        for name in
            ["23", "2023-Q5", "2023-Q0", "2023-H0", "2023-H9", "2023-13", "2023-Q", "2023-W54", "2023-W00", "2023-02-29", "0000", "2023-1"]
        {
            assert_eq!(Granularity::parse_name(name), None, "{name}");
        }
    }

    #[test]
    fn periods_are_made_of_others() {
        let made = |whole: &str, part: &str| every(whole).is_made_of(every(part));
        for (whole, part) in [
            ("week", "day"),
            ("year", "day"),
            ("quarter from 04-06", "day"),
            ("quarter", "month"),
            ("year from 04-01", "month"),
            ("year from 04-01", "quarter"),
            ("quarter from 04-01", "quarter"),
            ("all", "week"),
            ("half", "half"),
        ] {
            assert!(made(whole, part), "{whole} of {part}");
        }
        for (whole, part) in [
            ("month", "week"),
            ("year", "week"),
            ("week", "month"),
            ("day", "month"),
            ("year from 04-06", "month"),
            ("year from 02-01", "quarter"),
            ("month", "quarter"),
            ("day", "all"),
        ] {
            assert!(!made(whole, part), "{whole} of {part}");
        }
    }

    #[test]
    fn starts_of_years_are_checked() {
        for text in ["4-1", "04", "13-01", "00-10", "02-30", "04-31", "apr-01", "04-00"] {
            assert!(text.parse::<YearStart>().is_err(), "{text}");
        }
        assert_eq!(Granularity::Year.of_year_from("01-01".parse().unwrap()).unwrap(), Granularity::Year);
        assert!(Granularity::Month.of_year_from("04-01".parse().unwrap()).is_err());
    }
}
