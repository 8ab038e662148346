//! Windows: what is looked at.
//!
//! A timestamp ([`time`](crate::base::time)) is an `i64` of microseconds since 1970-01-01T00:00:00 UTC, between the years 1 and
//! 9999. Naive times are UTC.
//! [`Windows`] is what the spec says (a list, or a calendar granularity); a [`Classifier`](super::classifier::Classifier) is its compiled form,
//! one per routing thread; [`Windows::resolve`] names the windows once all rows are known.
//!
//! Seen as of a moment, windows end there, and what lies after it is history: it belongs to no window.

pub(crate) use crate::base::time::iso;
pub(crate) use crate::base::time::{DAY, MAX_TIMESTAMP, format_timestamp, parse_timestamp};

use crate::base::error::{Error, Result};
use crate::base::merge::Merge;
use crate::base::time::MIN_TIMESTAMP;
pub use crate::model::calendar::{Granularity, RollingDays, YearStart};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// More windows than this are a mistake in the data, not a wish: a century of months, or eleven years of days.
const fn most_windows(every: Granularity) -> u32 {
    if matches!(every, Granularity::Day | Granularity::Rolling(_)) { 4_000 } else { 1_200 }
}

/// The most windows of a list: rows that are sorted number them in 16 bits.
const MAX_WINDOWS: usize = 1 << 16;

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

impl Window {
    /// The calendar period of a number.
    pub(crate) fn calendar(every: Granularity, index: u32) -> Self {
        let (start, end) = (every.start(index), every.start(index + 1));
        Window { name: every.name(index), start, end, observation_end: end }
    }

    /// The window between the days of the data, where an end is open, as it is seen as of a moment.
    fn closed(&self, span: Option<Span>, as_of: Option<i64>) -> Self {
        let mut window = self.clone();
        let (first, after) = span.map_or((MIN_TIMESTAMP, MAX_TIMESTAMP), |span| (span.first_day(), span.day_after()));
        if window.start == MIN_TIMESTAMP {
            window.start = first.min(window.end - 1);
        }
        if window.end == MAX_TIMESTAMP {
            window.end = after.max(window.start + 1);
            // Everything is seen from the moment that is asked for, also where the data end before it.
            window.observation_end =
                if window.observation_end == MAX_TIMESTAMP { as_of.unwrap_or(window.end) } else { window.observation_end };
        }
        if let Some(as_of) = as_of.filter(|as_of| (window.start..window.end).contains(as_of)) {
            window.observation_end = window.observation_end.min(as_of);
        }
        window
    }
}

/// From the first to the last moment of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Span {
    pub(crate) first: i64,
    pub(crate) last: i64,
}

impl Span {
    /// The span of no data.
    pub(crate) const EMPTY: Span = Span { first: i64::MAX, last: i64::MIN };

    /// Takes a moment in, and another.
    #[inline]
    pub(crate) fn cover(&mut self, first: i64, last: i64) {
        self.first = self.first.min(first);
        self.last = self.last.max(last);
    }

    /// None where it has no moment.
    pub(crate) fn known(self) -> Option<Span> {
        (self.first <= self.last).then_some(self)
    }

    /// The beginning of the first day.
    pub(crate) fn first_day(self) -> i64 {
        self.first.div_euclid(DAY) * DAY
    }

    /// The end of the last day.
    pub(crate) fn day_after(self) -> i64 {
        ((self.last.div_euclid(DAY) + 1) * DAY).min(MAX_TIMESTAMP)
    }
}

impl Merge for Span {
    fn merge(&mut self, other: Span) {
        self.cover(other.first, other.last);
    }
}

/// Reads the moment that windows are seen as of: the end of a day, or a moment of it.
///
/// # Errors
/// A text that is no date.
pub fn as_of(text: &str) -> Result<i64> {
    let at = date(text, "the end")?;
    Ok(if text.trim().len() == 10 { at + DAY } else { at })
}

/// Reads a moment: the beginning of a day, or a moment of it.
///
/// # Errors
/// A text that is no date.
pub fn beginning(text: &str) -> Result<i64> {
    date(text, "the beginning")
}

fn date(text: &str, which: &str) -> Result<i64> {
    let help = || format!("write it as 2023-06-30, which is {which} of that day, or with a time");
    parse_timestamp(text.as_bytes()).ok_or_else(|| Error::usage(format!("{text:?} is not a date")).help(help()))
}

impl FromStr for Window {
    type Err = Error;

    /// `[NAME=]START..END[@OBSERVATION_END]`, or the name of a calendar period such as `2023-Q3`.
    fn from_str(text: &str) -> Result<Self> {
        let fault = |what: String| {
            let help = "a window is [NAME=]START..END[@OBSERVATION_END], such as q1=2023-01-01..2023-04-01, where START or END may be left out, or a calendar period: 2023, 2023-H1, 2023-Q3, 2023-07, 2023-W28, 2023-07-14";
            Error::usage(format!("{text:?} is not a window: {what}")).help(help)
        };
        let time = |part: &str| parse_timestamp(part.as_bytes()).ok_or_else(|| fault(format!("{part:?} is not a date or a timestamp")));
        let (name, body) = text.split_once('=').map_or((None, text), |(name, body)| (Some(name), body));
        if name.is_some_and(|name| name.trim().is_empty()) {
            return Err(fault("its name is empty".to_owned()));
        }
        let (span, observation_end) = body.split_once('@').map_or((body, None), |(span, end)| (span, Some(end)));
        let mut window = match span.split_once("..") {
            Some(("", "")) => return Err(fault("it has neither a start nor an end; `windows.every=all` is everything".to_owned())),
            Some((start, end)) => {
                let from = if start.is_empty() { MIN_TIMESTAMP } else { time(start)? };
                let to = if end.is_empty() { MAX_TIMESTAMP } else { time(end)? };
                Window { name: span.to_owned(), start: from, end: to, observation_end: to }
            }
            None => {
                let (every, index) =
                    Granularity::parse_name(span).ok_or_else(|| fault("it is neither START..END nor a calendar period".to_owned()))?;
                Window::calendar(every, index)
            }
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
                .help("give `windows.list=START..END` at least once, or `windows.every=day|week|month|quarter|half|year|all`"));
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

    /// The same, where rolling windows end at a moment, one of them, if they do not end anywhere yet.
    ///
    /// # Errors
    /// When that is within a day.
    pub fn ending(self, moment: i64) -> Result<Self> {
        match self {
            Windows::Every(every) if !every.has_ends() => every.ending(moment).map(Windows::Every),
            other => Ok(other),
        }
    }

    /// Whether it is known where windows end.
    pub(crate) fn have_ends(&self) -> bool {
        !matches!(self, Windows::Every(every) if !every.has_ends())
    }

    /// How many windows a list has.
    pub(crate) fn listed(&self) -> usize {
        match self {
            Windows::List(list) => list.len(),
            Windows::Every(_) => 0,
        }
    }

    /// The windows by name, and the key of the first, once it is known which keys accepted rows have (the least and the greatest) and
    /// from when to when there are data.
    pub(crate) fn resolve(&self, keys: Option<(u32, u32)>, span: Option<Span>, as_of: Option<i64>) -> Result<(Vec<Window>, u32)> {
        match (self, keys) {
            (Windows::List(list), _) => Ok((list.iter().map(|window| window.closed(span, as_of)).collect(), 0)),
            (Windows::Every(_), None) => Ok((Vec::new(), 0)),
            (Windows::Every(every), Some((first, last))) => {
                if last - first >= most_windows(*every) {
                    let (a, b) = (every.name(first), every.name(last));
                    return Err(Error::data(format!("the rows reach from {a} to {b}: more than {} windows", most_windows(*every)))
                        .help("look for a row with a wrong year, choose a longer period, or name the windows in `windows`"));
                }
                Ok(((first..=last).map(|i| Window::calendar(*every, i).closed(span, as_of)).collect(), first))
            }
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
        for text in ["23", "2023-Q5", "2023-H0", "2023-13", "2023-Q", "2023-1", "..", "x..y", "0000", "a=2023-01-01..2023-02-01@z"] {
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
}
