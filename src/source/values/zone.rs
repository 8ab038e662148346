//! The place of times that say none: the time zone whose calendar orders belong to.
//!
//! A date without a time of day is that day in the zone, whatever is said about times: it begins where the day begins there. A time of day
//! without an offset is UTC, or as [`NaiveTimes`] says one of the zone; then an hour that comes twice in autumn is meant the first time, and
//! a time in an hour that is left out in spring is as much later. All of these are counted.

use crate::base::time::{Clock, MAX_TIMESTAMP, MIN_TIMESTAMP, to_datetime};
use crate::model::note::{Notes, Topic};
use crate::model::read_options::NaiveTimes;
use chrono::{NaiveDateTime, Offset, TimeDelta, TimeZone};
use chrono_tz::Tz;

/// A time zone that is not UTC, and what was counted of times in it.
#[derive(Debug, Clone)]
pub(super) struct Zone {
    zone: Tz,
    naive: NaiveTimes,
    counts: Counts,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    /// Times without an offset that were read as UTC.
    naive: u64,
    /// Times that the zone does not have.
    skipped: u64,
    /// Times that it has twice.
    twice: u64,
}

impl Zone {
    /// None for UTC, where there is nothing to do.
    pub(super) fn new(zone: Tz, naive: NaiveTimes) -> Option<Self> {
        (zone != Tz::UTC).then_some(Zone { zone, naive, counts: Counts::default() })
    }

    /// The moment of a time as it is written; none where it is outside the years 1 to 9999.
    pub(super) fn place(&mut self, timestamp: i64, clock: Clock) -> Option<i64> {
        match clock {
            Clock::Utc => return Some(timestamp),
            Clock::Naive if self.naive == NaiveTimes::Utc => {
                self.counts.naive += 1;
                return Some(timestamp);
            }
            Clock::Naive | Clock::Day => {}
        }
        let (offset, found) = self.offset(to_datetime(timestamp));
        // A day that begins later than at midnight is not worth a word.
        if clock == Clock::Naive {
            self.counts.skipped += u64::from(found == Found::Skipped);
            self.counts.twice += u64::from(found == Found::Twice);
        }
        let utc = timestamp - i64::from(offset) * 1_000_000;
        (MIN_TIMESTAMP..=MAX_TIMESTAMP).contains(&utc).then_some(utc)
    }

    /// Seconds east of UTC of a local time.
    fn offset(&self, local: NaiveDateTime) -> (i32, Found) {
        use chrono::offset::LocalResult::{Ambiguous, None, Single};
        match self.zone.offset_from_local_datetime(&local) {
            Single(offset) => (offset.fix().local_minus_utc(), Found::Once),
            Ambiguous(first, _) => (first.fix().local_minus_utc(), Found::Twice),
            None => {
                // With the offset from before the gap, a time in it is as much later. The longest gap is a whole day.
                let before = (1..=26).find_map(|hours| {
                    let earlier = local.checked_sub_signed(TimeDelta::hours(hours))?;
                    self.zone.offset_from_local_datetime(&earlier).latest()
                });
                (before.map_or(0, |offset| offset.fix().local_minus_utc()), Found::Skipped)
            }
        }
    }

    /// Adds the counts to the notes.
    pub(super) fn note(&mut self, notes: &Notes) {
        let Counts { naive, skipped, twice } = std::mem::take(&mut self.counts);
        let zone = self.zone.name();
        for (topic, count) in [(Topic::NaiveTimes, naive), (Topic::SkippedTimes, skipped), (Topic::TimesTwice, twice)] {
            notes.add(topic, zone, count);
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Once,
    Twice,
    Skipped,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::base::time::{clock_of, format_timestamp, parse_timestamp};

    #[test]
    fn times_without_an_offset_are_of_the_zone() {
        let place = |zone: Tz, naive, text: &str| {
            let mut zone = Zone::new(zone, naive).unwrap();
            let utc = zone.place(parse_timestamp(text.as_bytes()).unwrap(), clock_of(text.as_bytes())).unwrap();
            let Counts { naive, skipped, twice } = zone.counts;
            (format_timestamp(utc), (naive, skipped, twice))
        };
        let utc = NaiveTimes::Utc;
        let local = NaiveTimes::Local;
        for (zone, naive, text, moment, counts) in [
            (Tz::America__New_York, utc, "2023-01-01 00:30:00", "2023-01-01T00:30:00", (1, 0, 0)),
            (Tz::America__New_York, local, "2023-01-01 00:30:00", "2023-01-01T05:30:00", (0, 0, 0)),
            (Tz::America__New_York, local, "2023-01-01 00:30:00Z", "2023-01-01T00:30:00", (0, 0, 0)),
            (Tz::America__New_York, utc, "2023-01-01 00:30:00 -0500", "2023-01-01T05:30:00", (0, 0, 0)),
            // A date is a day of the zone.
            (Tz::America__New_York, utc, "2023-01-01", "2023-01-01T05:00:00", (0, 0, 0)),
            (Tz::Asia__Tokyo, utc, "2023-01-01", "2022-12-31T15:00:00", (0, 0, 0)),
            // The hour that is left out, and the one that comes twice.
            (Tz::Europe__Berlin, local, "2023-03-26 02:30:00", "2023-03-26T01:30:00", (0, 1, 0)),
            (Tz::Europe__Berlin, local, "2023-10-29 02:30:00", "2023-10-29T00:30:00", (0, 0, 1)),
            // A day without its midnight, and a day that a zone never had.
            (Tz::America__Sao_Paulo, utc, "2018-11-04", "2018-11-04T03:00:00", (0, 0, 0)),
            (Tz::Pacific__Apia, local, "2011-12-30 12:00:00", "2011-12-30T22:00:00", (0, 1, 0)),
        ] {
            assert_eq!(place(zone, naive, text), (moment.to_owned(), counts), "{zone} {text}");
        }
        assert!(Zone::new(Tz::UTC, local).is_none());
    }
}
