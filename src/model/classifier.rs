//! Which window a row's period belongs to.

use super::window::{Granularity, Windows};
use crate::base::time::MIN_TIMESTAMP;

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

/// Times that have one place.
#[derive(Debug, Clone, Copy)]
struct Region {
    low: i64,
    high: i64,
    place: Place,
}

impl Region {
    /// No time is in it.
    const NONE: Region = Region { low: i64::MAX, high: i64::MIN, place: Place::History };
}

/// Finds a period's place by binary search over the stretches between window boundaries.
#[derive(Debug, Clone)]
pub(crate) struct Classifier {
    granularity: Option<Granularity>,
    as_of: i64,
    /// Sorted and disjoint. Of a list: all of time. Of a calendar: the periods met so far.
    regions: Vec<Region>,
    /// The one met last: rows of a batch tend to have one period.
    last: Region,
}

impl Classifier {
    /// The windows, as they are seen as of a moment.
    pub(crate) fn new(windows: &Windows, as_of: Option<i64>) -> Self {
        let as_of = as_of.unwrap_or(i64::MAX);
        match windows {
            Windows::Every(granularity) => Classifier { granularity: Some(*granularity), as_of, regions: Vec::new(), last: Region::NONE },
            Windows::List(list) => {
                let mut regions = Vec::with_capacity(2 * list.len() + 1);
                let mut low = i64::MIN;
                for (key, w) in (0..).zip(list) {
                    if w.start > low {
                        regions.push(Region { low, high: w.start, place: Place::History });
                    }
                    let (high, observation_end) = (w.end.min(as_of), w.observation_end.min(as_of));
                    regions.push(Region { low: w.start, high, place: Place::Window { key, observation_end } });
                    low = high;
                }
                regions.push(Region { low, high: i64::MAX, place: Place::History });
                Classifier { granularity: None, as_of, regions, last: Region::NONE }
            }
        }
    }

    /// The end of a row's period, for placing it: where all of it had happened by then, the moment that windows are seen as of.
    #[inline]
    pub(crate) fn end(&self, start: i64, end: i64, last: i64) -> i64 {
        let happened = start < self.as_of && self.as_of < end && (MIN_TIMESTAMP..=self.as_of).contains(&last);
        if happened { self.as_of } else { end }
    }

    #[inline]
    pub(crate) fn place(&mut self, start: i64, end: i64) -> Place {
        let region = self.region(start);
        if end <= region.high { region.place } else { Place::Straddles(region.high) }
    }

    /// The last moment of the window that a time lies in; a time in no window itself.
    pub(crate) fn last_moment(&mut self, time: i64) -> i64 {
        match self.region(time) {
            Region { high, place: Place::Window { .. }, .. } => high - 1,
            _ => time,
        }
    }

    #[inline]
    fn region(&mut self, start: i64) -> Region {
        if start < self.last.low || start >= self.last.high {
            self.last = self.find(start);
        }
        self.last
    }

    fn find(&mut self, start: i64) -> Region {
        let after = self.regions.partition_point(|r| r.low <= start);
        match (after.checked_sub(1).map(|i| self.regions[i]), self.granularity) {
            (Some(region), _) if start < region.high => region,
            (_, Some(granularity)) => {
                let key = granularity.index(start);
                let (low, high) = (granularity.start(key), granularity.start(key + 1));
                let region = match self.as_of {
                    as_of if start >= as_of => Region { low: low.max(as_of), high, place: Place::History },
                    as_of => Region { low, high: high.min(as_of), place: Place::Window { key, observation_end: high.min(as_of) } },
                };
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
    use crate::base::time::{format_timestamp, parse_timestamp};

    #[test]
    fn periods_are_placed() {
        let time = |text: &str| parse_timestamp(text.as_bytes()).unwrap();
        let windows = Windows::List(vec!["2023-Q1".parse().unwrap(), "2023-Q2".parse().unwrap(), "2023-Q4".parse().unwrap()]);
        let mut classifier = Classifier::new(&windows, None);
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

        let mut months = Classifier::new(&Windows::Every(Granularity::Month), None);
        assert!(matches!(months.place(time("2023-05-31"), time("2023-06-01")), Place::Window { .. }));
        assert!(matches!(months.place(time("2023-01-15"), time("2023-02-15")), Place::Straddles(_)));
        assert!(matches!(months.place(time("2023-05-01"), time("2023-05-02")), Place::Window { .. }));
    }
}
