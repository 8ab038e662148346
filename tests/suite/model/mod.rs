//! The plain model of all that lensflow says: maps, sorted lists and whole numbers, one customer at a time, written for reading and not for
//! speed. It shares no arithmetic with the engine; the only floats are the edges of scores, as their definition wants it.
//!
//! | file | owns |
//! |---|---|
//! | `orders` | orders and line items → rows of periods, and the values of a line |
//! | `rows` | a row's values, or why they cannot be read |
//! | `windows` | calendar windows, and the window of a row |
//! | `rfm` | a customer in a window, and scores |
//! | `lens1`, `lens2` | the answers of a window, and of two |
//! | `more` | what there is beside them |
//! | `cohort_model` | Lenses 3, 4 and 5 |
//! | `amounts` | decimals as whole numbers |

pub(crate) mod amounts;
mod cohort_model;
pub(crate) mod lens1;
mod lens2;
mod more;
pub(crate) mod orders;
pub(crate) mod rfm;
mod rows;
pub(crate) mod windows;

use crate::make::Case;
use amounts::fixed;
use lens1::lens1;
use lens2::Change;
use lensflow::model::Reason;
use lensflow::model::{Window, Windows};
use lensflow::time::{DAY, format_timestamp};
use rfm::{Rfm, finish, give_scores, spent};
use rows::{Good, read};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use windows::{calendar_window, judge};

/// A window, its valid customers, and by reason how many were left out of it, and their spend.
type WindowAnswers = (Window, Vec<Rfm>, BTreeMap<&'static str, (u64, i128)>);

/// Everything a run says.
#[derive(Debug)]
pub(crate) struct Answers {
    /// By place in the case.
    pub(crate) rejected_rows: BTreeMap<usize, Reason>,
    /// Window, id and reason, in that order.
    pub(crate) left_out: Vec<(String, String, Reason)>,
    /// By window, then by id.
    pub(crate) rfm: Vec<Rfm>,
    /// From, to, id and status, in that order.
    pub(crate) moved: Vec<[String; 4]>,
    /// What changed, by how much, from and to.
    pub(crate) warnings: Vec<[String; 4]>,
    /// The report but for the sources and the warnings.
    pub(crate) report: Value,
}

impl Answers {
    pub(crate) fn of(case: &Case) -> Answers {
        let rows = case.said();
        let mut rejected_rows = BTreeMap::new();
        let mut span: Option<(i64, i64)> = None;
        let mut by_window: BTreeMap<i64, (Window, BTreeMap<String, Vec<Good>>)> = BTreeMap::new();
        let mut first_seen: BTreeMap<String, i64> = BTreeMap::new();
        if let Windows::List(list) = &case.windows {
            by_window.extend(list.iter().map(|w| (w.start, (w.clone(), BTreeMap::new()))));
        }
        for (i, row) in rows.iter().enumerate() {
            match read(row).and_then(|good| Ok((judge(&good, &case.windows)?, good))) {
                Ok((window, good)) => {
                    let last = good.last.unwrap_or(good.end - 1);
                    let (first, last) = (good.start.min(last), good.start.max(last));
                    span = Some(span.map_or((first, last), |(a, b): (i64, i64)| (a.min(first), b.max(last))));
                    let seen = first_seen.entry(good.id.clone()).or_insert(good.start);
                    *seen = good.start.min(*seen);
                    if let Some(window) = window {
                        let (_, customers) = by_window.entry(window.start).or_insert_with(|| (window, BTreeMap::new()));
                        customers.entry(good.id.clone()).or_default().push(good);
                    }
                }
                Err(reason) => {
                    rejected_rows.insert(i, reason);
                }
            }
        }
        if let (Windows::Every(granularity), Some((&first, _)), Some((&last, _))) =
            (&case.windows, by_window.first_key_value(), by_window.last_key_value())
        {
            // Gaps are windows without customers.
            let mut at = first;
            while at <= last {
                let window = calendar_window(*granularity, at);
                at = window.end;
                by_window.entry(window.start).or_insert_with(|| (window, BTreeMap::new()));
            }
        }

        let mut windows: Vec<WindowAnswers> = Vec::new();
        let mut left_out = Vec::new();
        for (window, customers) in by_window.values() {
            let (mut valid, mut counts) = (Vec::new(), BTreeMap::new());
            for (id, rows) in customers {
                match finish(window, id, rows) {
                    Ok(rfm) => valid.push(rfm),
                    Err(reason) => {
                        left_out.push((window.name.clone(), id.clone(), reason));
                        let (count, amount): &mut (u64, i128) = counts.entry(reason.name()).or_default();
                        *count += 1;
                        *amount += spent(rows);
                    }
                }
            }
            give_scores(&mut valid, case.bins as usize);
            windows.push((window.clone(), valid, counts));
        }
        left_out.sort();

        let (mut moved, mut warnings, mut comparisons) = (Vec::new(), Vec::new(), Vec::new());
        for pair in windows.windows(2) {
            let [(w1, one, _), (w2, two, _)] = pair else { continue };
            let change = Change::between((w1, one), (w2, two), &first_seen);
            moved.extend(change.moved);
            warnings.extend(change.warnings);
            let mut comparison = change.report;
            comparison["revenue_bridge"] = more::bridge(one, two, |id| first_seen[id] < w2.start);
            comparison["score_migration"] = more::score_migration(one, two);
            comparisons.push(comparison);
        }

        let mut rejected: BTreeMap<&str, u64> = BTreeMap::new();
        for reason in rejected_rows.values() {
            *rejected.entry(reason.name()).or_default() += 1;
        }
        let window_report = |(window, customers, left_out): &WindowAnswers| {
            let counts: BTreeMap<_, _> = left_out.iter().map(|(reason, (count, _))| (reason, count)).collect();
            let amounts: BTreeMap<_, _> = left_out.iter().map(|(reason, (_, amount))| (reason, fixed(*amount))).collect();
            let mut report = json!({
                "name": window.name,
                "start": format_timestamp(window.start),
                "end": format_timestamp(window.end),
                "observation_end": format_timestamp(window.observation_end),
                "lens1": lens1(customers, &case.percentiles),
                "more": more::of_window(customers),
                "customers_rejected": counts,
                "customers_rejected_amount": amounts,
            });
            if let Some((first, last)) = span {
                covered(window, first, last).into_iter().for_each(|(name, day)| drop(report.as_object_mut().unwrap().insert(name, day)));
            }
            report
        };
        let mut report = json!({
            "lensflow": env!("CARGO_PKG_VERSION"),
            "input": {
                "rows_read": rows.len(),
                "rows_accepted": rows.len() - rejected_rows.len(),
                "rows_rejected": rejected,
                "customers": first_seen.len(),
            },
            "windows": windows.iter().map(window_report).collect::<Vec<_>>(),
            "comparisons": comparisons,
        });
        if let Some((first, last)) = span {
            report["input"]["first_day"] = day(first);
            report["input"]["last_day"] = day(last);
        }
        let of_cohorts: Vec<(&Window, &[Rfm])> = windows.iter().map(|(window, valid, _)| (window, &valid[..])).collect();
        for (name, answer) in cohort_model::of_base(&of_cohorts, &first_seen, matches!(case.windows, Windows::Every(_))) {
            report[name] = answer;
        }
        let rfm = windows.into_iter().flat_map(|(_, customers, _)| customers).collect();
        Answers { rejected_rows, left_out, rfm, moved, warnings, report }
    }
}

/// The day that holds a moment.
fn day(moment: i64) -> Value {
    format_timestamp(moment)[..10].into()
}

/// From and until when the data cover a window, where a tenth of it or more, and a day, is not covered.
fn covered(window: &Window, first: i64, last: i64) -> BTreeMap<String, Value> {
    let (after, before) = ((last.div_euclid(DAY) + 1) * DAY, first.div_euclid(DAY) * DAY);
    let length = window.end - window.start;
    let much = |missing: i64| missing >= DAY && missing >= length / 10 + i64::from(length % 10 > 0);
    let mut covered = BTreeMap::new();
    if much(window.end - after.max(window.start)) {
        covered.insert("covered_until".to_owned(), day(last));
    }
    if much(before.min(window.end) - window.start) {
        covered.insert("covered_from".to_owned(), day(first));
    }
    covered
}
