//! Which of three numbers is the day: what the dates of a column prove of it, whether they are read or not.
//!
//! A number above 12 is no month, and one above 31 no day. What is proved goes into the notes of a run, where advice finds it: no format is
//! proposed that another date of the column cannot have.

use crate::model::note::{Notes, Topic};
use crate::model::value_notes::DAY_ORDERS;

/// Sets of [`DAY_ORDERS`]: month, day, year; day, month, year; year, month, day.
const MDY: u8 = 1;
const DMY: u8 = 2;
const YMD: u8 = 4;

/// What one date proves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Proof {
    /// The orders that it cannot have.
    pub(super) not: u8,
    /// Whether either of its first two numbers can be the day, and they are not the same.
    pub(super) either: bool,
}

impl Proof {
    /// Of a text that begins with three numbers, or a word before them; else nothing.
    pub(super) fn of(text: &str) -> Proof {
        let Some([(a, _), (b, _), (c, digits)]) = numbers(text.as_bytes()) else { return Proof::default() };
        let (month, day) = (|n: u32| (1..=12).contains(&n), |n: u32| (1..=31).contains(&n));
        let is = |order: u8, fits: bool| if fits { 0 } else { order };
        let not = is(MDY, month(a) && day(b)) | is(DMY, day(a) && month(b)) | is(YMD, digits <= 2 && month(b) && day(c));
        // What fits none is no date.
        if not == MDY | DMY | YMD { Proof::default() } else { Proof { not, either: not & (MDY | DMY) == 0 && a != b } }
    }
}

/// The three numbers of a date, and how many digits they have: one or two, but the last, which may be a long year.
fn numbers(text: &[u8]) -> Option<[(u32, usize); 3]> {
    let begin = text.iter().position(u8::is_ascii_digit)?;
    let (mut rest, mut found, mut mark) = (&text[begin..], [(0, 0); 3], None);
    for (at, number) in found.iter_mut().enumerate() {
        let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        let fits = if at < 2 { matches!(digits, 1 | 2) } else { matches!(digits, 1 | 2 | 4) };
        if !fits {
            return None;
        }
        *number = (rest[..digits].iter().fold(0, |n, b| n * 10 + u32::from(b - b'0')), digits);
        rest = &rest[digits..];
        if at < 2 {
            let (first, after) = rest.split_first().filter(|(b, _)| matches!(b, b'/' | b'-' | b'.' | b' '))?;
            if mark.is_some_and(|mark| mark != *first) {
                return None;
            }
            (mark, rest) = (Some(*first), after);
        }
    }
    Some(found)
}

/// The order of a format whose day, month and year are numbers, the year last or short.
pub(crate) fn order_of(format: &str) -> Option<u8> {
    let (day, month) = (format.find("%d")?, format.find("%m")?);
    let year = format.find("%Y").or_else(|| format.find("%y"))?;
    match () {
        () if month < day && day < year => Some(MDY),
        () if day < month && month < year => Some(DMY),
        () if format.contains("%y") && year < month && month < day => Some(YMD),
        () => None,
    }
}

/// Adds orders that dates cannot have to the notes.
pub(super) fn note(not: u8, notes: &Notes) {
    let orders = DAY_ORDERS.iter().enumerate().filter(|(at, _)| not & 1 << at != 0);
    orders.for_each(|(_, order)| notes.say(Topic::DayOrder, *order));
}

/// The orders that dates cannot have, by the notes.
pub(super) fn excluded(notes: &Notes) -> u8 {
    let found = notes.counts(Topic::DayOrder);
    let is_there = |order: &str| found.iter().any(|(subject, _)| subject == order);
    DAY_ORDERS.iter().enumerate().filter(|(_, order)| is_there(order)).fold(0, |not, (at, _)| not | 1 << at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_prove_what_is_no_month() {
        for (text, not, either) in [
            ("3/4/2010", YMD, true),
            ("4/4/2010", YMD, false),
            ("13/4/2010 8:26", MDY | YMD, false),
            ("Thu, 12/31/2010", DMY | YMD, false),
            ("31.12.10", MDY, false),
            ("23-01-05", MDY, false),
            ("99-01-05", MDY | DMY, false),
            ("05-06-07", 0, true),
            ("2010-12-01", 0, false),
            ("99/99/2010", 0, false),
            ("5 Jan 2023", 0, false),
            ("5", 0, false),
        ] {
            assert_eq!(Proof::of(text), Proof { not, either }, "{text}");
        }
        assert_eq!(
            ["%m/%d/%Y %H:%M", "%d.%m.%y", "%y-%m-%d", "%Y-%m-%d", "%d %b %Y"].map(order_of),
            [Some(MDY), Some(DMY), Some(YMD), None, None]
        );
    }
}
