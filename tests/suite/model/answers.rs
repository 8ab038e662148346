//! The model: every answer of a run from maps, sorted lists and whole numbers, one customer at a time, written for reading and not for
//! speed. It shares no arithmetic with the engine; the only floats are the edges of scores, as their definition wants it.

use super::rows::{Case, Row};
use chrono::{Datelike, Days, NaiveDate};
use lensflow::model::Reason;
use lensflow::model::{Granularity, Window, Windows};
use lensflow::money::AmountError;
use lensflow::time::{DAY, MAX_TIMESTAMP, MIN_TIMESTAMP, format_timestamp};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Units of 10⁻¹⁸ in one cent.
const CENT: i128 = 10_000_000_000_000_000;

/// A customer in a window.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rfm {
    pub(crate) window: String,
    pub(crate) id: String,
    pub(crate) recency_days: i64,
    pub(crate) frequency: i128,
    /// In cents.
    pub(crate) monetary: i128,
    /// In cents.
    pub(crate) total_spend: i128,
    pub(crate) start: i64,
    pub(crate) observation_end: i64,
    pub(crate) scores: [usize; 3],
}

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

/// A decimal text in units of 10⁻¹⁸; digits beyond are rounded half to even.
pub(crate) fn units(text: &str) -> Result<i128, AmountError> {
    let text = text.trim();
    let (negative, body) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = match body.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().map_err(|_| AmountError::NotANumber)?),
        None => (body, 0),
    };
    let (whole, decimals) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits = format!("{whole}{decimals}");
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(AmountError::NotANumber);
    }
    // The number is the digits · 10^(exponent − decimals).
    let mut shift = 18 + exponent - decimals.len() as i64;
    let mut dropped = String::new();
    while shift > 0 && digits.trim_start_matches('0').len() < 40 {
        digits.push('0');
        shift -= 1;
    }
    while shift < 0 {
        dropped.insert(0, digits.pop().unwrap_or('0'));
        shift += 1;
    }
    let digits = digits.trim_start_matches('0');
    if digits.len() > 34 {
        return Err(AmountError::OutOfRange);
    }
    let floor: i128 = if digits.is_empty() { 0 } else { digits.parse().expect("digits") };
    let half = format!("5{}", "0".repeat(dropped.len().saturating_sub(1)));
    let up = !dropped.is_empty() && (dropped > half || dropped == half && floor % 2 == 1);
    let units = floor + i128::from(up);
    if units >= 10i128.pow(33) {
        return Err(AmountError::OutOfRange);
    }
    Ok(if negative { -units } else { units })
}

/// The quotient, rounded half away from zero.
fn divide(n: i128, d: i128) -> i128 {
    let sign = if (n < 0) == (d < 0) { 1 } else { -1 };
    let (n, d) = (n.abs(), d.abs());
    sign * ((2 * n + d) / (2 * d))
}

/// Two decimals.
fn fixed(hundredths: i128) -> String {
    let sign = if hundredths < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", hundredths.abs() / 100, hundredths.abs() % 100)
}

fn share(part: i128, whole: i128) -> i128 {
    if whole == 0 { 0 } else { divide(part * 10_000, whole) }
}

/// The change from one non-negative ratio to another, in hundredths of a percent.
fn change((a, b): (i128, i128), (c, d): (i128, i128)) -> i128 {
    let (old, new) = (a * d, c * b);
    match (old, new) {
        (0, 0) => 0,
        (0, _) => 10_000,
        _ => divide((new - old) * 10_000, old),
    }
}

/// The calendar window that holds a moment.
pub(crate) fn calendar_window(granularity: Granularity, moment: i64) -> Window {
    let epoch = NaiveDate::from_ymd_opt(1970, 1, 1).expect("a date");
    let days = moment.div_euclid(DAY);
    let date = if days < 0 { epoch - Days::new(days.unsigned_abs()) } else { epoch + Days::new(days.unsigned_abs()) };
    let (year, month) = (date.year(), date.month());
    let (months, part) = match granularity {
        Granularity::Month => (1, format!("-{month:02}")),
        Granularity::Quarter => (3, format!("-Q{}", month.div_ceil(3))),
        Granularity::Half => (6, format!("-H{}", month.div_ceil(6))),
        Granularity::Year => (12, String::new()),
    };
    let first = (month - 1) / months * months + 1;
    let after = if first + months > 12 { (year + 1, 1) } else { (year, first + months) };
    let moment = |(year, month)| (NaiveDate::from_ymd_opt(year, month, 1).expect("a date") - epoch).num_days() * DAY;
    let (start, end) = (moment((year, first)), moment(after));
    Window { name: format!("{year:04}{part}"), start, end, observation_end: end }
}

/// A row whose values can be read.
struct Good {
    id: String,
    start: i64,
    end: i64,
    orders: i64,
    units: i128,
    last: Option<i64>,
}

fn read(row: &Row) -> Result<Good, Reason> {
    let missing = Reason::MissingValue;
    let in_range = |t: i64| if (MIN_TIMESTAMP..=MAX_TIMESTAMP).contains(&t) { Ok(t) } else { Err(Reason::BadTimestamp) };
    let id = row.id.clone().filter(|id| !id.is_empty()).ok_or(missing)?;
    let start = row.start.ok_or(missing).and_then(in_range)?;
    let end = row.end.ok_or(missing).and_then(in_range)?;
    let orders = row.orders.ok_or(missing)?;
    let units = units(row.spend.as_ref().ok_or(missing)?).map_err(|e| match e {
        AmountError::NotANumber => Reason::BadNumber,
        AmountError::OutOfRange => Reason::AmountOutOfRange,
    })?;
    let last = row.last.map(in_range).transpose()?;
    Ok(Good { id, start, end, orders, units, last })
}

/// The window of a good row, or none for history.
fn judge(row: &Good, windows: &Windows) -> Result<Option<Window>, Reason> {
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

/// A customer and window's rows, or why they do not make a customer.
fn finish(window: &Window, id: &str, rows: &[Good]) -> Result<Rfm, Reason> {
    let frequency: i128 = rows.iter().map(|r| i128::from(r.orders)).sum();
    let units: i128 = rows.iter().map(|r| r.units).sum();
    let total_spend = divide(units, CENT);
    let end = rows.iter().map(|r| r.end).max().expect("a row");
    let reference = rows.iter().filter_map(|r| r.last).max().unwrap_or(end);
    let recency_days = (window.observation_end - reference).div_euclid(DAY);
    if frequency == 0 {
        return Err(Reason::NoOrders);
    }
    if total_spend < 0 {
        return Err(Reason::NegativeSpend);
    }
    if recency_days < 0 {
        return Err(Reason::AfterObservationEnd);
    }
    if total_spend >= 10i128.pow(18) || frequency >= i128::from(i64::MAX) {
        return Err(Reason::AmountOutOfRange);
    }
    Ok(Rfm {
        window: window.name.clone(),
        id: id.to_owned(),
        recency_days,
        frequency,
        monetary: divide(total_spend, frequency),
        total_spend,
        start: rows.iter().map(|r| r.start).min().expect("a row"),
        observation_end: window.observation_end,
        scores: [0; 3],
    })
}

/// The scores of a dimension, customer by customer.
pub(crate) fn scores(values: &[f64], bins: usize, reversed: bool) -> Vec<usize> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let mut distinct = sorted.clone();
    distinct.dedup();
    if distinct.len() <= 1 {
        return vec![3; values.len()];
    }
    let (n, q) = (sorted.len(), bins.min(distinct.len()));
    let step = 1.0 / q as f64;
    let mut edges = Vec::new();
    for k in 0..=q {
        let p = if k == q { 1.0 } else { k as f64 * step };
        let p = (p * 100.0) / 100.0;
        let v = (n - 1) as f64 * p;
        let i = v.floor();
        let g = v - i;
        let (a, b) = (sorted[i as usize], sorted[(i as usize + 1).min(n - 1)]);
        edges.push(if g < 0.5 { a + (b - a) * g } else { b - (b - a) * (1.0 - g) });
    }
    edges.dedup();
    let bin = |value: &f64| edges.iter().filter(|edge| *edge < value).count().max(1) - 1;
    let bins: Vec<usize> = values.iter().map(bin).collect();
    let largest = bins.iter().copied().max().expect("a value");
    bins.into_iter().map(|bin| if reversed { largest - bin + 1 } else { bin + 1 }).collect()
}

/// Lens 1 of a window's customers.
fn lens1(customers: &[Rfm], percentiles: &[u32]) -> Value {
    let n = customers.len();
    let mut spends: Vec<i128> = customers.iter().map(|c| c.total_spend).collect();
    spends.sort_unstable();
    let revenue: i128 = spends.iter().sum();
    let orders: i128 = customers.iter().map(|c| c.frequency).sum();
    let one_time = customers.iter().filter(|c| c.frequency == 1).count();
    let top = |p: u32| spends.iter().rev().take((n * p as usize / 100).max(1)).sum::<i128>();
    let concentration: BTreeMap<String, String> = percentiles.iter().map(|&p| (p.to_string(), fixed(share(top(p), revenue)))).collect();
    let median = match n {
        0 => 0,
        _ if n % 2 == 1 => spends[n / 2],
        _ => divide(spends[n / 2 - 1] + spends[n / 2], 2),
    };
    let mut distribution: BTreeMap<String, u64> = BTreeMap::new();
    for customer in customers {
        *distribution.entry(customer.scores.iter().map(usize::to_string).collect()).or_default() += 1;
    }
    json!({
        "total_customers": n,
        "one_time_buyers": one_time,
        "one_time_buyer_pct": fixed(share(one_time as i128, n as i128)),
        "total_revenue": fixed(revenue),
        // Beyond 64 bits a JSON value holds the nearest double, as it does when the report is read back.
        "total_orders": serde_json::from_str::<Value>(&orders.to_string()).expect("a number"),
        "revenue_concentration": concentration,
        "avg_orders_per_customer": fixed(if n == 0 { 0 } else { divide(orders * 100, n as i128) }),
        "median_customer_value": fixed(median),
        "rfm_distribution": distribution,
    })
}

impl Answers {
    pub(crate) fn of(case: &Case) -> Answers {
        let rows = case.said();
        let mut rejected_rows = BTreeMap::new();
        let mut by_window: BTreeMap<i64, (Window, BTreeMap<String, Vec<Good>>)> = BTreeMap::new();
        let mut first_seen: BTreeMap<String, i64> = BTreeMap::new();
        if let Windows::List(list) = &case.windows {
            by_window.extend(list.iter().map(|w| (w.start, (w.clone(), BTreeMap::new()))));
        }
        for (i, row) in rows.iter().enumerate() {
            match read(row).and_then(|good| Ok((judge(&good, &case.windows)?, good))) {
                Ok((window, good)) => {
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

        let mut windows: Vec<(Window, Vec<Rfm>, BTreeMap<&str, u64>)> = Vec::new();
        let mut left_out = Vec::new();
        for (window, customers) in by_window.values() {
            let (mut valid, mut counts) = (Vec::new(), BTreeMap::new());
            for (id, rows) in customers {
                match finish(window, id, rows) {
                    Ok(rfm) => valid.push(rfm),
                    Err(reason) => {
                        left_out.push((window.name.clone(), id.clone(), reason));
                        *counts.entry(reason.name()).or_default() += 1;
                    }
                }
            }
            type Dimension = (fn(&Rfm) -> f64, bool);
            let dimensions: [Dimension; 3] = [
                (|c| c.recency_days as f64, true),
                (|c| c.frequency as f64, false),
                (|c| fixed(c.monetary).parse().expect("a decimal"), false),
            ];
            for (at, (value, reversed)) in dimensions.into_iter().enumerate() {
                let values: Vec<f64> = valid.iter().map(value).collect();
                for (customer, score) in valid.iter_mut().zip(scores(&values, case.bins as usize, reversed)) {
                    customer.scores[at] = score;
                }
            }
            windows.push((window.clone(), valid, counts));
        }
        left_out.sort();

        let (mut moved, mut warnings, mut comparisons) = (Vec::new(), Vec::new(), Vec::new());
        for pair in windows.windows(2) {
            let [(w1, one, _), (w2, two, _)] = pair else { continue };
            let ids = |customers: &[Rfm]| customers.iter().map(|c| c.id.clone()).collect::<BTreeSet<String>>();
            let (ids1, ids2) = (ids(one), ids(two));
            let new: BTreeSet<&String> = ids2.difference(&ids1).collect();
            let reactivated: BTreeSet<&String> = new.iter().copied().filter(|id| first_seen[*id] < w2.start).collect();
            let retained = ids1.intersection(&ids2).count() as i128;
            let churned = ids1.len() as i128 - retained;
            for id in ids1.union(&ids2) {
                let status = match (ids1.contains(id), ids2.contains(id)) {
                    (true, true) => "retained",
                    (true, false) => "churned",
                    _ if reactivated.contains(id) => "reactivated",
                    _ => "new",
                };
                moved.push([w1.name.clone(), w2.name.clone(), id.clone(), status.to_owned()]);
            }
            let sales = |customers: &[Rfm]| {
                (customers.iter().map(|c| c.total_spend).sum::<i128>(), customers.iter().map(|c| c.frequency).sum::<i128>())
            };
            let (first, second) = (sales(one), sales(two));
            let revenue_change = change((first.0, 1), (second.0, 1));
            let value_change = if first.1 == 0 || second.1 == 0 { 0 } else { change(first, second) };
            for (what, by) in [("revenue", revenue_change), ("average order value", value_change)] {
                if first.0 > 0 && by.abs() > 50_000 {
                    warnings.push([what.to_owned(), fixed(by), w1.name.clone(), w2.name.clone()]);
                }
            }
            comparisons.push(json!({
                "from": w1.name,
                "to": w2.name,
                "lens2": {
                    "retained": retained as u64,
                    "churned": churned as u64,
                    "new": new.len(),
                    "reactivated": reactivated.len(),
                    "retention_rate": fixed(share(retained, ids1.len() as i128)),
                    "churn_rate": fixed(share(churned, ids1.len() as i128)),
                    "reactivation_rate": fixed(share(reactivated.len() as i128, ids2.len() as i128)),
                    "customer_count_change": ids2.len() as i64 - ids1.len() as i64,
                    "revenue_change_pct": fixed(revenue_change),
                    "avg_order_value_change_pct": fixed(value_change),
                },
            }));
        }

        let mut rejected: BTreeMap<&str, u64> = BTreeMap::new();
        for reason in rejected_rows.values() {
            *rejected.entry(reason.name()).or_default() += 1;
        }
        let window_report = |(window, customers, counts): &(Window, Vec<Rfm>, BTreeMap<&str, u64>)| {
            json!({
                "name": window.name,
                "start": format_timestamp(window.start),
                "end": format_timestamp(window.end),
                "observation_end": format_timestamp(window.observation_end),
                "lens1": lens1(customers, &case.percentiles),
                "customers_rejected": counts,
            })
        };
        let report = json!({
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
        let rfm = windows.into_iter().flat_map(|(_, customers, _)| customers).collect();
        Answers { rejected_rows, left_out, rfm, moved, warnings, report }
    }
}
