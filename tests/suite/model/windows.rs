//! Calendar windows, and the window that a row falls into.

use super::rows::Good;
use chrono::{Datelike, Days, NaiveDate};
use lensflow::model::Reason;
use lensflow::model::{Granularity, Window, Windows};
use lensflow::time::DAY;

/// The calendar window that holds a moment.
pub(crate) fn calendar_window(granularity: Granularity, moment: i64) -> Window {
    let epoch = NaiveDate::from_ymd_opt(1970, 1, 1).expect("a date");
    let days = moment.div_euclid(DAY);
    let date = if days < 0 { epoch - Days::new(days.unsigned_abs()) } else { epoch + Days::new(days.unsigned_abs()) };
    let (year, month) = (date.year(), date.month());
    let bounded = |name: String, first: NaiveDate, after: NaiveDate| {
        let [start, end] = [first, after].map(|day| (day - epoch).num_days() * DAY);
        Window { name, start, end, observation_end: end }
    };
    let (months, part) = match granularity {
        Granularity::Day => return bounded(date.to_string(), date, date + Days::new(1)),
        Granularity::Week => {
            let monday = date - Days::new(date.weekday().num_days_from_monday().into());
            return bounded(date.format("%G-W%V").to_string(), monday, monday + Days::new(7));
        }
        Granularity::Month => (1, format!("-{month:02}")),
        Granularity::Quarter => (3, format!("-Q{}", month.div_ceil(3))),
        Granularity::Half => (6, format!("-H{}", month.div_ceil(6))),
        Granularity::Year => (12, String::new()),
        _ => unreachable!("a period that the model does not know"),
    };
    let first = (month - 1) / months * months + 1;
    let after = if first + months > 12 { (year + 1, 1) } else { (year, first + months) };
    let moment = |(year, month)| (NaiveDate::from_ymd_opt(year, month, 1).expect("a date") - epoch).num_days() * DAY;
    let (start, end) = (moment((year, first)), moment(after));
    Window { name: format!("{year:04}{part}"), start, end, observation_end: end }
}

/// The window of a good row, or none for history.
pub(super) fn judge(row: &Good, windows: &Windows) -> Result<Option<Window>, Reason> {
    if row.end <= row.start {
        return Err(Reason::PeriodReversed);
    }
    if row.orders < 0 {
        return Err(Reason::NegativeOrders);
    }
    let candidates = match windows {
        Windows::List(list) => list.clone(),
        Windows::Every(granularity) => vec![calendar_window(*granularity, row.start)],
    };
    let inside = |boundary: i64| row.start < boundary && boundary < row.end;
    if candidates.iter().any(|w| inside(w.start) || inside(w.end)) {
        return Err(Reason::StraddlesWindow);
    }
    let window = candidates.into_iter().find(|w| row.start >= w.start && row.end <= w.end);
    match window {
        Some(w) if row.last.is_some_and(|last| last > w.observation_end) => Err(Reason::AfterObservationEnd),
        window => Ok(window),
    }
}
