//! Calendar periods, windows, and which window a row's period belongs to.
//!
//! A timestamp ([`time`](crate::base::time)) is an `i64` of microseconds since 1970-01-01T00:00:00 UTC, between the years 1 and
//! 9999. Naive times are UTC.
//! [`Windows`] is what the spec says (a list, or a calendar granularity); a [`Classifier`] is its compiled form, one per routing
//! thread; [`Windows::resolve`] names the windows once all rows are known.

pub(crate) use crate::base::time::iso;
pub(crate) use crate::base::time::{DAY, MAX_TIMESTAMP, format_timestamp, parse_timestamp, to_datetime};

use crate::base::error::{Error, Result};
use crate::base::time::EPOCH_DAY;
use chrono::{Datelike, NaiveDate};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// More windows than this from `--every` are a mistake in the data, not a wish.
const MAX_CALENDAR_WINDOWS: u32 = 1_200;
/// The most windows of a list: rows that are sorted number them in 16 bits.
const MAX_WINDOWS: usize = 1 << 16;

/// The length of a calendar window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Granularity {
    /// `2023-07`
    Month,
    /// `2023-Q3`
    Quarter,
    /// `2023-H2`
    Half,
    /// `2023`
    Year,
}

impl Granularity {
    pub(crate) const fn months(self) -> u32 {
        match self {
            Granularity::Month => 1,
            Granularity::Quarter => 3,
            Granularity::Half => 6,
            Granularity::Year => 12,
        }
    }

    /// The number of the calendar period that holds a timestamp, counted from the year 0.
    pub(crate) fn index(self, timestamp: i64) -> u32 {
        let date = to_datetime(timestamp).date();
        (date.year() as u32 * 12 + date.month0()) / self.months()
    }

    /// The first microsecond of a calendar period.
    pub(crate) fn start(self, index: u32) -> i64 {
        let month = index * self.months();
        let date = NaiveDate::from_ymd_opt((month / 12) as i32, month % 12 + 1, 1);
        // The year 9999 ends with the last timestamp there is.
        date.map_or(MAX_TIMESTAMP, |d| (i64::from(d.num_days_from_ce() - EPOCH_DAY) * DAY).min(MAX_TIMESTAMP))
    }

    pub(crate) fn name(self, index: u32) -> String {
        let per_year = 12 / self.months();
        let (year, part) = (index / per_year, index % per_year + 1);
        match self {
            Granularity::Month => format!("{year:04}-{part:02}"),
            Granularity::Quarter => format!("{year:04}-Q{part}"),
            Granularity::Half => format!("{year:04}-H{part}"),
            Granularity::Year => format!("{year:04}"),
        }
    }

    fn window(self, index: u32) -> Window {
        let (start, end) = (self.start(index), self.start(index + 1));
        Window { name: self.name(index), start, end, observation_end: end }
    }

    /// Reads a calendar window's name, such as `2023-Q3`.
    fn parse_name(text: &str) -> Option<Window> {
        let (year, part) = text.split_once('-').unwrap_or((text, ""));
        let year = (year.len() == 4 && year.bytes().all(|b| b.is_ascii_digit())).then(|| year.parse::<u32>().ok())?.filter(|&y| y > 0)?;
        let (granularity, digits) = match part.as_bytes() {
            [] => (Granularity::Year, "1"),
            [b'H', _] => (Granularity::Half, &part[1..]),
            [b'Q', _] => (Granularity::Quarter, &part[1..]),
            [_, _] => (Granularity::Month, part),
            _ => return None,
        };
        let per_year = 12 / granularity.months();
        if !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let number = digits.parse::<u32>().ok().filter(|n| (1..=per_year).contains(n))?;
        Some(granularity.window(year * per_year + number - 1))
    }
}

impl fmt::Display for Granularity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Granularity::Month => "month",
            Granularity::Quarter => "quarter",
            Granularity::Half => "half",
            Granularity::Year => "year",
        })
    }
}

impl FromStr for Granularity {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "month" => Ok(Granularity::Month),
            "quarter" => Ok(Granularity::Quarter),
            "half" => Ok(Granularity::Half),
            "year" => Ok(Granularity::Year),
            _ => Err(Error::usage(format!("{text:?} is not a calendar period")).help("one of month, quarter, half, year")),
        }
    }
}

/// One window: `start ≤ t < end`, judged from `observation_end`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Window {
    /// Its name in reports.
    pub name: String,
    /// Inclusive.
    #[serde(with = "iso")]
    pub start: i64,
    /// Exclusive.
    #[serde(with = "iso")]
    pub end: i64,
    /// Recency counts back from here; nothing may have happened after it.
    #[serde(with = "iso")]
    pub observation_end: i64,
}

impl FromStr for Window {
    type Err = Error;

    /// `[NAME=]START..END[@OBSERVATION_END]`, or the name of a calendar period such as `2023-Q3`.
    fn from_str(text: &str) -> Result<Self> {
        let fault = |what: String| {
            let help = "a window is [NAME=]START..END[@OBSERVATION_END], such as q1=2023-01-01..2023-04-01, or a calendar period: 2023, 2023-H1, 2023-Q3, 2023-07";
            Error::usage(format!("{text:?} is not a window: {what}")).help(help)
        };
        let time = |part: &str| parse_timestamp(part.as_bytes()).ok_or_else(|| fault(format!("{part:?} is not a date or a timestamp")));
        let (name, body) = text.split_once('=').map_or((None, text), |(name, body)| (Some(name), body));
        if name.is_some_and(|name| name.trim().is_empty()) {
            return Err(fault("its name is empty".to_owned()));
        }
        let (span, observation_end) = body.split_once('@').map_or((body, None), |(span, end)| (span, Some(end)));
        let mut window = match span.split_once("..") {
            Some((start, end)) => {
                let (from, to) = (time(start)?, time(end)?);
                Window { name: span.to_owned(), start: from, end: to, observation_end: to }
            }
            None => Granularity::parse_name(span).ok_or_else(|| fault("it is neither START..END nor a calendar period".to_owned()))?,
        };
        if let Some(name) = name {
            window.name = name.to_owned();
        }
        if let Some(end) = observation_end {
            window.observation_end = time(end)?;
        }
        Ok(window)
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}, {})", self.name, format_timestamp(self.start), format_timestamp(self.end))
    }
}

/// The windows of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Windows {
    /// These, in time order and disjoint.
    List(Vec<Window>),
    /// The calendar windows that the rows fall in, from the first row's to the last row's, gaps included.
    Every(Granularity),
}

impl Windows {
    /// Checks that a list is not empty, in time order and disjoint, with names that differ.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::base::error::Kind::Usage), naming the windows at fault.
    pub fn validate(&self) -> Result<()> {
        let Windows::List(list) = self else { return Ok(()) };
        if list.is_empty() {
            return Err(Error::usage("no window is given")
                .help("give `windows.list=START..END` at least once, or `windows.every=month|quarter|half|year`"));
        }
        if list.len() > MAX_WINDOWS {
            let what = format!("{} windows are too many", list.len());
            return Err(Error::usage(what).help(format!("give at most {MAX_WINDOWS}")));
        }
        for window in list {
            if window.end <= window.start {
                return Err(Error::usage(format!("window {window} ends before it starts")));
            }
            if window.observation_end <= window.start {
                let end = format_timestamp(window.observation_end);
                return Err(Error::usage(format!("window {window} is observed from {end}, before it starts")));
            }
        }
        for pair in list.windows(2) {
            if pair[1].start < pair[0].end {
                let help = "give windows in time order, each starting no earlier than the one before it ends";
                return Err(Error::usage(format!("window {} overlaps or precedes window {}", pair[1], pair[0])).help(help));
            }
        }
        let mut names: Vec<_> = list.iter().map(|w| &w.name).collect();
        names.sort_unstable();
        match names.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(Error::usage(format!("two windows are named {:?}", pair[0])).help("name them: NAME=START..END")),
            None => Ok(()),
        }
    }

    /// How many windows a list has.
    pub(crate) fn listed(&self) -> usize {
        match self {
            Windows::List(list) => list.len(),
            Windows::Every(_) => 0,
        }
    }

    /// The windows by name, and the key of the first, once `keys` (the least and the greatest key that accepted rows have) is known.
    pub(crate) fn resolve(&self, keys: Option<(u32, u32)>) -> Result<(Vec<Window>, u32)> {
        match (self, keys) {
            (Windows::List(list), _) => Ok((list.clone(), 0)),
            (Windows::Every(_), None) => Ok((Vec::new(), 0)),
            (Windows::Every(granularity), Some((first, last))) => {
                if last - first >= MAX_CALENDAR_WINDOWS {
                    let (a, b) = (granularity.name(first), granularity.name(last));
                    return Err(Error::data(format!("the rows reach from {a} to {b}: more than {MAX_CALENDAR_WINDOWS} windows"))
                        .help("look for a row with a wrong year, choose a longer period, or name the windows in `windows`"));
                }
                Ok(((first..=last).map(|i| granularity.window(i)).collect(), first))
            }
        }
    }
}

/// The place of a row's period among the windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the window with this key: its place in the list, or the number of the calendar period.
    Window {
        /// The window's key.
        key: u32,
        /// The window's observation end.
        observation_end: i64,
    },
    /// In no window.
    History,
    /// Across this start or end of a window.
    Straddles(i64),
}

#[derive(Debug, Clone, Copy)]
struct Region {
    low: i64,
    high: i64,
    place: Place,
}

/// Finds a period's place by binary search over the stretches between window boundaries.
#[derive(Debug, Clone)]
pub(crate) struct Classifier {
    granularity: Option<Granularity>,
    /// Sorted and disjoint. Of a list: all of time. Of a calendar: the periods met so far.
    regions: Vec<Region>,
}

impl Classifier {
    pub(crate) fn new(windows: &Windows) -> Self {
        match windows {
            Windows::Every(granularity) => Classifier { granularity: Some(*granularity), regions: Vec::new() },
            Windows::List(list) => {
                let mut regions = Vec::with_capacity(2 * list.len() + 1);
                let mut low = i64::MIN;
                for (key, w) in (0..).zip(list) {
                    if w.start > low {
                        regions.push(Region { low, high: w.start, place: Place::History });
                    }
                    regions.push(Region { low: w.start, high: w.end, place: Place::Window { key, observation_end: w.observation_end } });
                    low = w.end;
                }
                regions.push(Region { low, high: i64::MAX, place: Place::History });
                Classifier { granularity: None, regions }
            }
        }
    }

    #[inline]
    pub(crate) fn place(&mut self, start: i64, end: i64) -> Place {
        let region = self.region(start);
        if end <= region.high { region.place } else { Place::Straddles(region.high) }
    }

    #[inline]
    fn region(&mut self, start: i64) -> Region {
        let after = self.regions.partition_point(|r| r.low <= start);
        match (after.checked_sub(1).map(|i| self.regions[i]), self.granularity) {
            (Some(region), _) if start < region.high => region,
            (_, Some(granularity)) => {
                let key = granularity.index(start);
                let (low, high) = (granularity.start(key), granularity.start(key + 1));
                let region = Region { low, high, place: Place::Window { key, observation_end: high } };
                self.regions.insert(after, region);
                region
            }
            // A list's regions cover all of time.
            (_, None) => Region { low: i64::MIN, high: i64::MAX, place: Place::History },
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn calendar_windows_have_names_and_bounds() {
        for (text, start, end) in [
            ("2023", "2023-01-01", "2024-01-01"),
            ("2023-H2", "2023-07-01", "2024-01-01"),
            ("2023-Q1", "2023-01-01", "2023-04-01"),
            ("2024-02", "2024-02-01", "2024-03-01"),
            ("2023-12", "2023-12-01", "2024-01-01"),
        ] {
            let window: Window = text.parse().unwrap();
            assert_eq!((window.name.as_str(), window.start), (text, parse_timestamp(start.as_bytes()).unwrap()));
            assert_eq!(window.end, parse_timestamp(end.as_bytes()).unwrap());
        }
        for text in
            ["23", "2023-Q5", "2023-H0", "2023-13", "2023-Q", "2023-01-01", "2023-07-01..", "x..y", "0000", "a=2023-01-01..2023-02-01@z"]
        {
            assert!(text.parse::<Window>().is_err(), "{text}");
        }
        let named: Window = "spring=2023-03-01..2023-06-01@2023-06-30T12:00".parse().unwrap();
        assert_eq!(named.name, "spring");
        assert_eq!(format_timestamp(named.observation_end), "2023-06-30T12:00:00");
    }

    #[test]
    fn windows_must_be_ordered_disjoint_and_distinct() {
        let list = |texts: &[&str]| Windows::List(texts.iter().map(|t| t.parse().unwrap()).collect()).validate();
        assert!(list(&["2023-Q1", "2023-Q2", "2023-Q4"]).is_ok());
        assert!(list(&[]).is_err());
        assert!(list(&["2023-Q2", "2023-Q1"]).is_err());
        assert!(list(&["2023-Q1", "2023-03"]).is_err());
        assert!(list(&["a=2023-Q1", "a=2023-Q2"]).is_err());
        assert!(list(&["2023-02-01..2023-02-01"]).is_err());
        assert!(list(&["2023-02-01..2023-03-01@2023-01-01"]).is_err());
    }

    #[test]
    fn periods_are_placed() {
        let time = |text: &str| parse_timestamp(text.as_bytes()).unwrap();
        let windows = Windows::List(vec!["2023-Q1".parse().unwrap(), "2023-Q2".parse().unwrap(), "2023-Q4".parse().unwrap()]);
        let mut classifier = Classifier::new(&windows);
        let mut key = |start: &str, end: &str| match classifier.place(time(start), time(end)) {
            Place::Window { key, .. } => format!("{key}"),
            Place::History => "history".to_owned(),
            Place::Straddles(at) => format!("straddles {}", &format_timestamp(at)[..10]),
        };
        assert_eq!(key("2023-01-01", "2023-02-01"), "0");
        assert_eq!(key("2023-03-01", "2023-04-01"), "0");
        assert_eq!(key("2023-04-01", "2023-07-01"), "1");
        assert_eq!(key("2023-03-01", "2023-05-01"), "straddles 2023-04-01");
        assert_eq!(key("2022-12-01", "2023-01-01"), "history");
        assert_eq!(key("2022-12-01", "2023-01-02"), "straddles 2023-01-01");
        assert_eq!(key("2023-07-01", "2023-10-01"), "history");
        assert_eq!(key("2023-06-30", "2023-07-01"), "1");
        assert_eq!(key("2024-01-01", "2030-01-01"), "history");
        assert_eq!(key("2020-01-01", "2030-01-01"), "straddles 2023-01-01");

        let mut months = Classifier::new(&Windows::Every(Granularity::Month));
        assert!(matches!(months.place(time("2023-05-31"), time("2023-06-01")), Place::Window { .. }));
        assert!(matches!(months.place(time("2023-01-15"), time("2023-02-15")), Place::Straddles(_)));
        assert!(matches!(months.place(time("2023-05-01"), time("2023-05-02")), Place::Window { .. }));
    }
}
