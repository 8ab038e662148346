//! Times, read one after the other, and what is noticed of them.
//!
//! Noticed are offsets where no time zone is said, days that could be months, and what dates prove of that. ISO 8601, which nearly every file
//! has, is read without a look at the options.

use super::date_order::{self, Proof};
use super::dates::{DateFormats, Moment, PLAUSIBLE, says_offset};
use super::zone::Zone;
use crate::base::time::{Clock, MAX_TIMESTAMP, MIN_TIMESTAMP, parse_plain, parse_timestamp};
use crate::model::note::{Notes, Topic};

/// Reads times one after the other; one that equals the last need not be read again.
pub(crate) struct Dates {
    formats: DateFormats,
    iso: LastTime,
    last: Last,
    zone: Option<Zone>,
    seen: Seen,
}

/// What was read last by formats.
#[derive(Default)]
struct Last {
    text: String,
    timestamp: i64,
    is_away: bool,
    either: Option<usize>,
}

/// What was noticed.
#[derive(Default)]
struct Seen {
    /// Times with an offset.
    away: u64,
    /// Dates with two numbers that could be the day, and the first of the formats that read them.
    either: u64,
    by: Option<usize>,
    /// Orders of day, month and year that some date cannot have.
    not: u8,
}

impl Dates {
    pub(super) fn new(formats: DateFormats, zone: Option<Zone>) -> Self {
        Dates { formats, iso: LastTime::default(), last: Last::default(), zone, seen: Seen::default() }
    }

    /// Reads a text; none when it is no time.
    #[inline]
    pub(crate) fn read(&mut self, text: &[u8]) -> Option<i64> {
        if self.zone.is_none() && self.formats.are_none() {
            let read = self.iso.read(text);
            return if read.is_some() { read } else { self.weigh(text) };
        }
        self.read_any(text)
    }

    fn read_any(&mut self, text: &[u8]) -> Option<i64> {
        let text = std::str::from_utf8(text).ok()?;
        if self.zone.is_none() && text == self.last.text && !text.is_empty() {
            self.seen.away += u64::from(self.last.is_away);
            self.seen.either += u64::from(self.last.either.is_some());
            return Some(self.last.timestamp);
        }
        let Some((Moment { timestamp, clock, is_away }, at)) = self.formats.read_by(text) else { return self.weigh(text.as_bytes()) };
        let either = self.either(text, at);
        let Some(zone) = &mut self.zone else {
            self.seen.away += u64::from(is_away);
            text.clone_into(&mut self.last.text);
            (self.last.timestamp, self.last.is_away, self.last.either) = (timestamp, is_away, either);
            return Some(timestamp);
        };
        zone.place(timestamp, clock)
    }

    /// The format that read a date of which two numbers could be the day.
    fn either(&mut self, text: &str, at: usize) -> Option<usize> {
        let Proof { not, either } = if self.formats.is_ordered(at) { Proof::of(text) } else { return None };
        self.seen.not |= not;
        let by = Some(at).filter(|_| either)?;
        self.seen.either += 1;
        self.seen.by = Some(self.seen.by.map_or(by, |known| known.min(by)));
        Some(by)
    }

    /// What a text that is no time proves of others.
    #[cold]
    fn weigh(&mut self, text: &[u8]) -> Option<i64> {
        self.seen.not |= Proof::of(std::str::from_utf8(text).ok()?).not;
        None
    }

    /// A time that was none of a text.
    pub(crate) fn place(&mut self, timestamp: i64, clock: Clock) -> Option<i64> {
        self.zone.as_mut().map_or(Some(timestamp), |zone| zone.place(timestamp, clock))
    }

    /// Whether times without an offset are not simply UTC.
    pub(crate) fn has_zone(&self) -> bool {
        self.zone.is_some()
    }

    /// Counts times of a column whose type says an offset or a time zone.
    pub(crate) fn count_away(&mut self, times: usize) {
        self.seen.away += times as u64;
    }

    /// Adds what was noticed of these times, those of orders, to the notes.
    pub(crate) fn note(&mut self, times: &[i64], notes: &Notes) {
        self.zone.iter_mut().for_each(|zone| zone.note(notes));
        let away = std::mem::take(&mut self.iso.away) + self.seen.away;
        notes.add(Topic::Offsets, "", if self.zone.is_none() { away } else { 0 });
        self.note_dates(times, notes);
    }

    /// As above, without what is about the place of times.
    pub(crate) fn note_dates(&mut self, times: &[i64], notes: &Notes) {
        let Seen { either, by, not, .. } = std::mem::take(&mut self.seen);
        if let Some(name) = by.filter(|_| self.formats.are_told()).and_then(|at| self.formats.names().get(at)) {
            notes.add(Topic::EitherDay, name, either);
        }
        date_order::note(not, notes);
        let odd = |&&time: &&i64| !PLAUSIBLE.contains(&time) && (MIN_TIMESTAMP..=MAX_TIMESTAMP).contains(&time);
        notes.add(Topic::OddYears, "", times.iter().filter(odd).count() as u64);
    }
}

/// The timestamp that was read last: a text of equal bytes need not be read again.
#[derive(Default)]
struct LastTime {
    key: TimeKey,
    value: i64,
    /// One if the text says an offset, and how many did.
    is_away: u64,
    away: u64,
}

/// The first and the last sixteen bytes of a text and its length: all of it, up to 32 bytes. A text of another length has the key of none.
type TimeKey = (u128, u128, usize);

impl LastTime {
    #[inline]
    fn read(&mut self, text: &[u8]) -> Option<i64> {
        let key = match (text.first_chunk(), text.last_chunk()) {
            (Some(first), Some(last)) if text.len() <= 32 => (u128::from_le_bytes(*first), u128::from_le_bytes(*last), text.len()),
            _ => return self.read_general(text),
        };
        if key != self.key {
            // Nearly all texts say no offset.
            *self = match parse_plain(text) {
                Some(value) => LastTime { key, value, is_away: 0, away: self.away },
                None => LastTime { key, value: parse_timestamp(text)?, is_away: says_offset(text).into(), away: self.away },
            };
        }
        self.away += self.is_away;
        Some(self.value)
    }

    fn read_general(&mut self, text: &[u8]) -> Option<i64> {
        let value = parse_timestamp(text)?;
        // Days have no offset.
        self.away += u64::from(text.len() > 16 && says_offset(text));
        Some(value)
    }
}
