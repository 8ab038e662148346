//! Advice about rows whose periods do not fit the windows: mostly, an end was meant to be inclusive.

use crate::base::time::{DAY, format_timestamp};
use crate::model::reject::{REJECT_HELP, Reason};
use serde::{Deserialize, Serialize};

/// The times of a row at fault, and the time that it is at odds with.
pub(super) struct Times {
    pub(super) start: i64,
    pub(super) end: i64,
    pub(super) at: Option<i64>,
}

/// Advice about a row that is bad for its times, or for another reason.
pub(super) fn advice(reason: Reason, times: Times) -> String {
    let Times { start, end, at } = times;
    let day = |at: i64| format_timestamp(at).trim_end_matches("T00:00:00").to_owned();
    match reason {
        // The window's last day was written as its end.
        Reason::StraddlesWindow if at.is_some_and(|at| at % DAY == 0 && (1..=DAY).contains(&(end - at))) => {
            let (last, end) = (day(at.unwrap_or(end)), day(end));
            format!(
                "ends are exclusive, so the window ends before {last}: to have that day in it and look back from it, end it with `windows.list=..{end}@{last}`"
            )
        }
        Reason::PeriodReversed if start == end => {
            let next = day(start.saturating_add(DAY));
            format!(
                "ends are exclusive: one day is a period from {} to {next}; where the input's ends are the last days, say `period_ends=inclusive`",
                day(start)
            )
        }
        _ => REJECT_HELP.to_owned(),
    }
}

/// Whether the ends of all periods so far look as if they were inclusive: the last day of a month, or the last second of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) enum Ends {
    /// There were none.
    #[default]
    None,
    /// All of so many, and the latest such end.
    LookInclusive(i64, u64),
    /// At least one does not.
    Exclusive,
}

impl Ends {
    /// Looks at the end of one more period.
    #[inline]
    pub(super) fn look(&mut self, end: i64) {
        match *self {
            Ends::Exclusive => {}
            Ends::LookInclusive(known, rows) if known == end => *self = Ends::LookInclusive(known, rows + 1),
            _ => *self = self.and(if looks_inclusive(end) { Ends::LookInclusive(end, 1) } else { Ends::Exclusive }),
        }
    }

    /// Of these and other periods.
    pub(crate) fn and(self, other: Ends) -> Ends {
        match (self, other) {
            (Ends::None, other) | (other, Ends::None) => other,
            (Ends::LookInclusive(a, rows), Ends::LookInclusive(b, more)) => Ends::LookInclusive(a.max(b), rows + more),
            _ => Ends::Exclusive,
        }
    }
}

#[cold]
fn looks_inclusive(end: i64) -> bool {
    use crate::base::time::to_datetime;
    use chrono::Datelike;
    let ends_month = || to_datetime(end.saturating_add(DAY)).date().day() == 1;
    end % DAY == 0 && ends_month() || (end.rem_euclid(DAY)) >= DAY - 1_000_000
}
