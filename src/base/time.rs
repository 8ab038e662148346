//! Timestamps and their text: the layouts that nearly every file has in a few instructions, all others by the general way.

use chrono::{DateTime, NaiveDateTime};

/// Microseconds in a day.
pub const DAY: i64 = 86_400_000_000;
/// 0001-01-01T00:00:00.
pub const MIN_TIMESTAMP: i64 = -62_135_596_800_000_000;
/// 9999-12-31T23:59:59.999999.
pub const MAX_TIMESTAMP: i64 = 253_402_300_799_999_999;
/// The day number of 1970-01-01 in chrono's count from the first day of the year 1.
pub(crate) const EPOCH_DAY: i32 = 719_163;

/// What a text says of the place of its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Clock {
    /// How far it is from UTC; the timestamp is UTC.
    Utc,
    /// Nothing; the timestamp is as it is written.
    Naive,
    /// Not even a time of day: it is a date, and the timestamp its midnight.
    Day,
}

/// What a text that [`parse_timestamp`] reads says of the place of its time.
pub(crate) fn clock_of(text: &[u8]) -> Clock {
    match text.trim_ascii() {
        text if text.len() <= 10 => Clock::Day,
        [.., b'a' | b'A' | b'p' | b'P', b'm' | b'M'] => Clock::Naive,
        [.., last] if last.is_ascii_alphabetic() => Clock::Utc,
        [_, _, _, _, _, _, _, _, _, _, rest @ ..] if rest.iter().any(|b| matches!(b, b'+' | b'-')) => Clock::Utc,
        _ => Clock::Naive,
    }
}

/// Reads `YYYY-MM-DD`, or that with `T` or a space and `HH:MM`, `HH:MM:SS` or `HH:MM:SS.fraction`, and optionally `AM` or `PM`, and `Z`,
/// `UTC`, `GMT` or `±HH:MM`, with or without a blank before. Digits beyond microseconds are cut off, as a coarser unit would.
#[inline]
pub fn parse_timestamp(text: &[u8]) -> Option<i64> {
    parse_plain(text).or_else(|| parse_general(text))
}

/// The layouts nearly every file has: `YYYY-MM-DD` and `YYYY-MM-DD[T ]HH:MM:SS[.f…][Z]`, up to six decimals. None for anything else, valid
/// or not: the general parser decides about it.
#[inline]
pub(crate) fn parse_plain(text: &[u8]) -> Option<i64> {
    let Some((whole, fraction)) = text.split_first_chunk::<19>() else {
        let date = text.first_chunk::<10>().filter(|_| text.len() == 10)?;
        return Some(plain_day(date)? * DAY);
    };
    let (date, rest) = whole.split_first_chunk::<10>()?;
    let (separator, clock) = rest.split_first()?;
    if !matches!(separator, b'T' | b' ') {
        return None;
    }
    let [hour, _, _, minute, _, _, second, _] = Layout::CLOCK.pairs(clock.first_chunk()?)?;
    let micros = match fraction {
        [] | [b'Z'] => 0,
        [b'.', digits @ .., b'Z'] | [b'.', digits @ ..] if matches!(digits.len(), 1..=6) && digits.iter().all(u8::is_ascii_digit) => {
            digits.iter().fold(0, |n, d| n * 10 + i64::from(d - b'0')) * [0, 100_000, 10_000, 1_000, 100, 10, 1][digits.len()]
        }
        _ => return None,
    };
    let day = plain_day(date)?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    Some(day * DAY + ((i64::from(hour) * 60 + i64::from(minute)) * 60 + i64::from(second)) * 1_000_000 + micros)
}

#[inline]
fn plain_day(date: &[u8; 10]) -> Option<i64> {
    let [century, _, of_century, _, _, month, ..] = Layout::DATE.pairs(date.first_chunk()?)?;
    day_number(i64::from(century) * 100 + i64::from(of_century), usize::from(month), two_digits(&date[8..])?)
}

/// Eight bytes, digits where the layout has a `0` and its own byte elsewhere.
struct Layout {
    bytes: u64,
    /// Ones where a digit stands.
    digits: u64,
}

impl Layout {
    const DATE: Layout = Layout::of(*b"0000-00-");
    const CLOCK: Layout = Layout::of(*b"00:00:00");

    const fn of(bytes: [u8; 8]) -> Self {
        let (mut digits, mut at) = (0, 0);
        while at < 8 {
            digits |= if bytes[at] == b'0' { 0xff << (8 * at) } else { 0 };
            at += 1;
        }
        Layout { bytes: u64::from_le_bytes(bytes), digits }
    }

    /// Reads each byte and its right neighbour as a number of two digits, eight at once; a neighbour that is no digit counts as 0.
    /// None for another layout.
    #[inline(always)]
    fn pairs(&self, text: &[u8; 8]) -> Option<[u8; 8]> {
        // Digits are now 0 to 9, other bytes of the layout 0; 6 more carries what is above 9 into the upper half of its byte.
        let values = u64::from_le_bytes(*text) ^ self.bytes;
        let sixes = 0x0606_0606_0606_0606 & self.digits;
        let misfits = (values | values.wrapping_add(sixes)) & !(0x0f0f_0f0f_0f0f_0f0f & self.digits);
        // No byte of the sum is above 99, so none carries.
        (misfits == 0).then(|| (values * 10 + (values >> 8)).to_le_bytes())
    }
}

fn parse_general(text: &[u8]) -> Option<i64> {
    let text = text.trim_ascii();
    let day = parse_day(text.get(..10)?)?;
    let Some((separator, clock)) = text[10..].split_first() else { return Some(day * DAY) };
    if !matches!(separator, b'T' | b't' | b' ') || clock.len() < 5 || clock[2] != b':' {
        return None;
    }
    let (mut hour, minute) = (two_digits(&clock[..2])?, two_digits(&clock[3..5])?);
    let mut rest = &clock[5..];
    let (mut second, mut micros) = (0, 0);
    if let [b':', tail @ ..] = rest {
        second = two_digits(tail.get(..2)?)?;
        rest = &tail[2..];
        if let [b'.' | b',', tail @ ..] = rest {
            let digits = tail.iter().take_while(|b| b.is_ascii_digit()).count();
            if digits == 0 {
                return None;
            }
            micros = (0..6).fold(0, |n, i| n * 10 + if i < digits { i64::from(tail[i] - b'0') } else { 0 });
            rest = &tail[digits..];
        }
    }
    if let [b' ', half @ (b'a' | b'A' | b'p' | b'P'), b'm' | b'M', tail @ ..] = rest {
        if !(1..=12).contains(&hour) {
            return None;
        }
        hour = hour % 12 + if half.eq_ignore_ascii_case(&b'p') { 12 } else { 0 };
        rest = tail;
    }
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let utc = day * DAY + ((hour * 60 + minute) * 60 + second) * 1_000_000 + micros - parse_offset(rest)?;
    (MIN_TIMESTAMP..=MAX_TIMESTAMP).contains(&utc).then_some(utc)
}

fn parse_day(text: &[u8]) -> Option<i64> {
    if text[4] != b'-' || text[7] != b'-' {
        return None;
    }
    let year = two_digits(&text[..2])? * 100 + two_digits(&text[2..4])?;
    day_number(year, two_digits(&text[5..7])? as usize, two_digits(&text[8..])?)
}

/// Days of a common year and of a leap year before each month, and in all of it.
const DAYS_BEFORE: [[i64; 13]; 2] =
    [[0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365], [0, 31, 60, 91, 121, 152, 182, 213, 244, 274, 305, 335, 366]];

/// Days from 1970-01-01 to a date; none when the years 1 to 9999 have no such date.
#[inline]
fn day_number(year: i64, month: usize, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let before = &DAYS_BEFORE[usize::from(leap)];
    let month = month.checked_sub(1).filter(|m| *m < 12)?;
    if !(1..=9999).contains(&year) || day < 1 || day > before[month + 1] - before[month] {
        return None;
    }
    let years = year - 1;
    Some(years * 365 + years / 4 - years / 100 + years / 400 + before[month] + day - i64::from(EPOCH_DAY))
}

/// Microseconds east of UTC: nothing, `Z`, `UTC`, `GMT`, `+HH`, `+HHMM`, `+HH:MM`; a blank may come before.
fn parse_offset(text: &[u8]) -> Option<i64> {
    let text = text.strip_prefix(b" ").unwrap_or(text);
    if text.eq_ignore_ascii_case(b"UTC") || text.eq_ignore_ascii_case(b"GMT") {
        return Some(0);
    }
    let (sign, digits) = match text {
        [] | [b'Z' | b'z'] => return Some(0),
        [b'+', digits @ ..] => (1, digits),
        [b'-', digits @ ..] => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = match digits {
        [_, _] => (two_digits(digits)?, 0),
        [_, _, _, _] => (two_digits(&digits[..2])?, two_digits(&digits[2..])?),
        [_, _, b':', _, _] => (two_digits(&digits[..2])?, two_digits(&digits[3..])?),
        _ => return None,
    };
    (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes) * 60_000_000)
}

#[inline]
fn two_digits(text: &[u8]) -> Option<i64> {
    match text {
        [a @ b'0'..=b'9', b @ b'0'..=b'9'] => Some(i64::from(a - b'0') * 10 + i64::from(b - b'0')),
        _ => None,
    }
}

/// A timestamp as a calendar date and clock time.
pub fn to_datetime(timestamp: i64) -> NaiveDateTime {
    DateTime::from_timestamp_micros(timestamp).unwrap_or_default().naive_utc()
}

/// A calendar date and clock time as a timestamp.
pub fn from_datetime(datetime: NaiveDateTime) -> i64 {
    datetime.and_utc().timestamp_micros()
}

/// ISO 8601 without an offset: `2023-07-01T00:00:00`, with six decimals where the seconds are not whole.
pub fn format_timestamp(timestamp: i64) -> String {
    let whole = timestamp.rem_euclid(1_000_000) == 0;
    to_datetime(timestamp).format(if whole { "%Y-%m-%dT%H:%M:%S" } else { "%Y-%m-%dT%H:%M:%S%.6f" }).to_string()
}

/// Serde as ISO 8601 text.
pub(crate) mod iso {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(timestamp: &i64, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&super::format_timestamp(*timestamp))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<i64, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(d)?;
        super::parse_timestamp(text.as_bytes()).ok_or_else(|| D::Error::custom(format!("{text:?} is not a date or a timestamp")))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use chrono::{Datelike, NaiveDate};

    #[test]
    fn timestamps_are_read_and_written() {
        let shown = |text: &str| parse_timestamp(text.as_bytes()).map(format_timestamp);
        for (text, iso) in [
            ("2023-07-01", "2023-07-01T00:00:00"),
            ("2023-07-01 09:30", "2023-07-01T09:30:00"),
            ("2023-07-01T09:30:05.1234569", "2023-07-01T09:30:05.123456"),
            ("2023-07-01T09:30:05Z", "2023-07-01T09:30:05"),
            ("2023-07-01T01:30:00+02:00", "2023-06-30T23:30:00"),
            ("2023-07-01T01:30:00-0530", "2023-07-01T07:00:00"),
            ("2023-07-01 22:15:00 UTC", "2023-07-01T22:15:00"),
            ("2023-07-01 22:15:00.5 GMT", "2023-07-01T22:15:00.500000"),
            ("2023-07-01 22:15 -0500", "2023-07-02T03:15:00"),
            ("2023-07-01T22:15:00 +02:00", "2023-07-01T20:15:00"),
            ("2023-07-01 10:15 PM", "2023-07-01T22:15:00"),
            ("2023-07-01 12:00:01 am UTC", "2023-07-01T00:00:01"),
            ("2024-02-29", "2024-02-29T00:00:00"),
            ("1969-12-31T23:59:59.999999", "1969-12-31T23:59:59.999999"),
            ("0001-01-01", "0001-01-01T00:00:00"),
            ("9999-12-31T23:59:59.999999", "9999-12-31T23:59:59.999999"),
        ] {
            assert_eq!(shown(text).as_deref(), Some(iso), "{text}");
        }
        for text in ["", "2023", "2023-13-01", "2023-02-29", "2023-07-01T24:00", "2023-07-01T09:30:60", "01/07/2023", "0000-01-01"] {
            assert_eq!(shown(text), None, "{text}");
        }
        for text in [
            "2023-07-01 UTC",
            "2023-07-01 13:00 PM",
            "2023-07-01 00:00 AM",
            "2023-07-01T10:00 EST",
            "2023-07-01T10:00  UTC",
            "2023-07-01T",
            "2023-07-01T9:30",
            "2023-07-01X09:30",
            "2023-07-01T09:30:",
            "2023-07-01T09:30:05.",
            "2023-07-01T09:30+25",
        ] {
            assert_eq!(shown(text), None, "{text}");
        }
        assert_eq!(shown("0001-01-01T00:00:00+01:00"), None);
    }

    #[test]
    fn days_are_numbered_as_by_chrono() {
        for year in 0..=9999 {
            for month in 0..=13 {
                for day in [0, 1, 28, 29, 30, 31, 32] {
                    let date = NaiveDate::from_ymd_opt(year, month, day).filter(|_| year > 0);
                    let expected = date.map(|d| i64::from(d.num_days_from_ce() - EPOCH_DAY));
                    assert_eq!(day_number(i64::from(year), month as usize, i64::from(day)), expected, "{year}-{month}-{day}");
                }
            }
        }
    }

    #[test]
    fn plain_timestamps_are_read_as_others_are() {
        let plain = [
            "2023-07-01",
            "2024-02-29T23:59:59",
            "1969-12-31 09:30:05.1",
            "2023-07-01T09:30:05Z",
            "2023-07-01T09:30:05.12Z",
            "0001-01-01T00:00:00.000001",
            "9999-12-31T23:59:59.999999",
        ];
        for text in plain.map(str::as_bytes) {
            assert!(parse_plain(text).is_some());
            // Every layout that differs from a plain one in one byte, or ends earlier.
            for at in 0..text.len() {
                for byte in 0..=u8::MAX {
                    let mut near = text.to_vec();
                    near[at] = byte;
                    for near in [&near[..], &near[..at]] {
                        let plain = parse_plain(near);
                        assert!(plain.is_none() || plain == parse_general(near), "{:?}", near.escape_ascii().to_string());
                    }
                }
            }
        }
        for (hour, minute, second) in (0..100).flat_map(|h| [(h, 0, 0), (0, h, 0), (0, 0, h), (h, h, h)]) {
            let text = format!("2023-07-01 {hour:02}:{minute:02}:{second:02}");
            assert_eq!(parse_plain(text.as_bytes()), parse_general(text.as_bytes()), "{text}");
        }
    }
}
