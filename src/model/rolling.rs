//! Windows of so many days that follow each other, of which one ends with a day that is named: as of then, or the last day of a state.

use crate::base::error::{Error, Result};
use crate::base::time::{DAY, EPOCH_DAY, format_timestamp, to_datetime};
use std::fmt;
use std::str::FromStr;

/// More days than these are no window to compare with another.
const MOST: u16 = 3_660;

/// The length of rolling windows, and once it is known, where one of them ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RollingDays {
    days: u16,
    /// The day on which windows begin, counted from the first of all, less whole windows.
    phase: Option<u16>,
}

impl RollingDays {
    /// Of these windows, one ends at a moment.
    ///
    /// # Errors
    /// When that is not the end of a day.
    pub(crate) fn ending(self, moment: i64) -> Result<Self> {
        if moment.rem_euclid(DAY) != 0 {
            let what = format!("rolling windows end with a day, and {} is within one", format_timestamp(moment));
            return Err(Error::usage(what).help("write `windows.as_of` as a date, 2023-06-30, which is the end of that day"));
        }
        let day = moment.div_euclid(DAY) + i64::from(EPOCH_DAY);
        Ok(RollingDays { phase: Some(day.rem_euclid(self.days.into()) as u16), ..self })
    }

    /// Whether it is known where one ends.
    pub(crate) fn has_end(self) -> bool {
        self.phase.is_some()
    }

    /// Whether they may be whole weeks.
    pub(crate) fn are_weeks(self) -> bool {
        self.days.is_multiple_of(7)
    }

    /// The number of the window that holds a day, counted from the first of all.
    pub(crate) fn index(self, day: i32) -> u32 {
        let days = i32::from(self.days);
        (day.max(0) + days - i32::from(self.phase.unwrap_or(0))) as u32 / u32::from(self.days)
    }

    /// The first day of a window.
    pub(crate) fn first_day(self, index: u32) -> i64 {
        (i64::from(index) - 1) * i64::from(self.days) + i64::from(self.phase.unwrap_or(0))
    }

    /// What a window of these bounds is called.
    pub(crate) fn name(start: i64, end: i64) -> String {
        format!("{}..{}", to_datetime(start).date(), to_datetime(end).date())
    }

    /// Its name with the day that windows begin on, if that is known.
    pub(crate) fn whole_name(self) -> String {
        self.phase.map_or_else(|| self.to_string(), |phase| format!("{self} at {phase}"))
    }

    /// Reads `90d` or, where it is known where one ends, `90d at 17`.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let (length, phase) = text.split_once(" at ").map_or((text, None), |(length, phase)| (length, Some(phase)));
        let number = |text: &str| u16::from_str(text).ok();
        let days = length.strip_suffix('d').and_then(number).filter(|days| (1..=MOST).contains(days));
        let phase = phase.map(|phase| number(phase).filter(|phase| days.is_some_and(|days| *phase < days)));
        match (days, phase) {
            (Some(days), None) => Ok(RollingDays { days, phase: None }),
            (Some(days), Some(Some(phase))) => Ok(RollingDays { days, phase: Some(phase) }),
            _ => Err(Error::usage(format!("{text:?} is no number of days for rolling windows"))
                .help(format!("write rolling-90d; 1 to {MOST} days"))),
        }
    }
}

impl fmt::Display for RollingDays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rolling-{}d", self.days)
    }
}
