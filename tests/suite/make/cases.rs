//! Random inputs: rows of few customers, in and around random windows.
//!
//! A row is drafted by its place relative to the windows, so that shrinking keeps it meaningful. About half of the cases are tame:
//! nothing in them is meant to be bad. In the others any value may be.

use super::columns::layouts;
use super::{Case, Row, time};
use crate::model::windows::calendar_window;
use lensflow::model::{Granularity, Window, Windows};
use lensflow::time::DAY;
use proptest::prelude::*;

/// Where a drafted row lies.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// In a window.
    Inside(u8),
    /// In a stretch between windows, before or after them.
    Outside(u8),
    /// From a microsecond before, at or after a stretch's start to as much about its end.
    About(u8),
    /// Anywhere, in any order.
    Anywhere,
}

#[derive(Debug, Clone, Copy)]
enum Last {
    Null,
    Within(u16),
    AtObservationEnd,
    After(u16),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    None,
    NoId,
    BlankId,
    NoStart,
    NoEnd,
    FarStart,
    FarLast,
    NoOrders,
    NegativeOrders,
    NoSpend,
    NoNumber,
    NaN,
    Huge,
}

#[derive(Debug, Clone)]
struct Draft {
    id: usize,
    place: Place,
    from: u16,
    to: u16,
    orders: i64,
    spend: String,
    last: Last,
    fault: Fault,
}

/// Short ids, ids of 12 and 13 bytes, long ones that differ late, and pairs that only a careless reader takes for one.
const IDS: [&str; 14] = [
    "7",
    "007",
    "7 ",
    "a",
    "A",
    "é客",
    "abcdefghijkl",
    "abcdefghijklm",
    "abcdefghijkln",
    "67b4ec1f-cb69-4545-ad7f-049a5e3defad",
    "67b4ec1f-cb69-4545-ad7f-049a5e3defae",
    "客户-185-é客户-185-é客户-185-é",
    "user42@example2.com",
    "-13",
];

fn shares() -> impl Strategy<Value = u16> {
    prop_oneof![2 => Just(0), 2 => Just(u16::MAX), 3 => any::<u16>()]
}

fn spends() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => prop::sample::select(vec!["0", "0.00", "-0.00", "1", "19.99", "5.005", "2.675", "0.005", "1e3", ".5", "7.", "+3"]).prop_map(str::to_owned),
        4 => (0..100_000i64).prop_map(|c| format!("{}.{:02}", c / 100, c % 100)),
        2 => (-9_999..100_000i64).prop_map(|m| format!("{}{}.{:03}", if m < 0 { "-" } else { "" }, m.abs() / 1_000, m.abs() % 1_000)),
        1 => (0..50i64).prop_map(|h| format!("{h}.005")),
        1 => (-20..1_000i64, 0..1_000_000_000_000_000_000u64).prop_map(|(w, f)| format!("{w}.{f:018}")),
        1 => (-3_000..0i64).prop_map(|c| format!("-{}.{:02}", -c / 100, -c % 100)),
        1 => any::<f64>().prop_map(|x| format!("{:e}", x.rem_euclid(1e6))),
        1 => prop::sample::select(vec!["999999999999999.99", "-999999999999999.99", "999999999999999.999999999999999999", "0.0000000000000000005", "0.0000000000000000015"]).prop_map(str::to_owned),
    ]
}

fn drafts() -> impl Strategy<Value = Draft> {
    let place = prop_oneof![
        8 => any::<u8>().prop_map(Place::Inside),
        2 => any::<u8>().prop_map(Place::Outside),
        1 => any::<u8>().prop_map(Place::About),
        1 => Just(Place::Anywhere),
    ];
    let orders = prop_oneof![6 => 0..4i64, 1 => 4..1_000i64];
    let last = prop_oneof![3 => Just(Last::Null), 6 => shares().prop_map(Last::Within), 1 => Just(Last::AtObservationEnd), 1 => any::<u16>().prop_map(Last::After)];
    use Fault::*;
    let fault = prop_oneof![
        16 => Just(Fault::None),
        1 => prop::sample::select(vec![NoId, BlankId, NoStart, NoEnd, FarStart, FarLast, NoOrders, NegativeOrders, NoSpend, NoNumber, NaN, Huge]),
    ];
    (0..IDS.len(), place, shares(), shares(), orders, spends(), last, fault)
        .prop_map(|(id, place, from, to, orders, spend, last, fault)| Draft { id, place, from, to, orders, spend, last, fault })
}

/// A stretch of time between boundaries of windows.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    low: i64,
    high: i64,
    /// Of a window.
    observation_end: Option<i64>,
}

fn stretches(windows: &Windows, base: i64) -> Vec<Stretch> {
    match windows {
        Windows::List(list) => {
            let mut low = list[0].start - 90 * DAY;
            let mut all = Vec::new();
            for w in list {
                if low < w.start {
                    all.push(Stretch { low, high: w.start, observation_end: None });
                }
                all.push(Stretch { low: w.start, high: w.end, observation_end: Some(w.observation_end) });
                low = w.end;
            }
            all.push(Stretch { low, high: low + 90 * DAY, observation_end: None });
            all
        }
        Windows::Every(granularity) => {
            let mut at = base;
            std::iter::repeat_with(|| {
                let window = calendar_window(*granularity, at);
                at = window.end;
                Stretch { low: window.start, high: window.end, observation_end: Some(window.end) }
            })
            .take(5)
            .collect()
        }
    }
}

/// The moment that is such a share of the way from `low` to `high`.
fn between(low: i64, high: i64, share: u16) -> i64 {
    low + ((i128::from(high) - i128::from(low)) * i128::from(share) / i128::from(u16::MAX)) as i64
}

impl Draft {
    fn row(mut self, stretches: &[Stretch], tame: bool) -> Row {
        if tame {
            self.fault = Fault::None;
            self.orders = self.orders.max(1);
            self.spend =
                if self.spend.contains("9999999999999") { "1.23".to_owned() } else { self.spend.trim_start_matches('-').to_owned() };
            self.place = match self.place {
                Place::About(w) => Place::Inside(w),
                Place::Anywhere => Place::Outside(0),
                place => place,
            };
        }
        let pick = |n: u8, inside: bool| {
            let fit: Vec<&Stretch> = stretches.iter().filter(|s| s.observation_end.is_some() == inside).collect();
            *if fit.is_empty() { &stretches[usize::from(n) % stretches.len()] } else { fit[usize::from(n) % fit.len()] }
        };
        let all = (stretches[0].low, stretches[stretches.len() - 1].high);
        let (stretch, start, end) = match self.place {
            Place::Inside(n) | Place::Outside(n) => {
                let s = pick(n, matches!(self.place, Place::Inside(_)));
                let start = between(s.low, s.high - 1, self.from);
                (s, start, between(start + 1, s.high, self.to))
            }
            Place::About(n) => {
                let s = stretches[usize::from(n) % stretches.len()];
                (s, s.low + i64::from(self.from % 3) - 1, s.high + i64::from(self.to % 3) - 1)
            }
            Place::Anywhere => (stretches[0], between(all.0, all.1, self.from), between(all.0, all.1, self.to)),
        };
        let observation_end = stretch.observation_end.unwrap_or(end);
        let mut row = Row {
            id: Some(IDS[self.id].to_owned()),
            start: Some(start),
            end: Some(end),
            orders: Some(self.orders),
            spend: Some(self.spend),
            last: match self.last {
                Last::Null => None,
                Last::Within(share) => Some(between(start, end, share)),
                Last::AtObservationEnd => Some(observation_end),
                Last::After(_) if tame => Some(observation_end),
                Last::After(by) => Some(observation_end + 1 + i64::from(by) * DAY / 100),
            },
        };
        match self.fault {
            Fault::None => {}
            Fault::NoId => row.id = None,
            Fault::BlankId => row.id = Some(String::new()),
            Fault::NoStart => row.start = None,
            Fault::NoEnd => row.end = None,
            Fault::FarStart => row.start = Some(-400_000_000_000_000_000),
            Fault::FarLast => row.last = Some(400_000_000_000_000_000),
            Fault::NoOrders => row.orders = None,
            Fault::NegativeOrders => row.orders = Some(-1 - self.orders),
            Fault::NoSpend => row.spend = None,
            Fault::NoNumber => row.spend = Some("12,50".to_owned()),
            Fault::NaN => row.spend = Some("NaN".to_owned()),
            Fault::Huge => row.spend = Some("-1e15".to_owned()),
        }
        row
    }
}

/// One to four windows from a day on, adjacent or with gaps, by default observed at their ends.
fn window_lists() -> impl Strategy<Value = Vec<(i64, i64, Option<i64>)>> {
    let gap = prop_oneof![3 => Just(0), 1 => 1..20 * DAY];
    let length = prop_oneof![4 => (1..40i64).prop_map(|d| d * DAY), 1 => DAY / 2..40 * DAY];
    let observed = prop_oneof![4 => Just(None), 2 => (0..100 * DAY).prop_map(Some), 1 => (-DAY / 3..0).prop_map(Some)];
    prop::collection::vec((gap, length, observed), 1..=4)
}

fn list(base: i64, parts: Vec<(i64, i64, Option<i64>)>, tame: bool) -> Windows {
    let mut at = base;
    let window = |(i, (gap, length, observed)): (usize, (i64, i64, Option<i64>))| {
        let (start, end) = (at + gap, at + gap + length);
        at = end;
        let later = observed.filter(|by| !tame || *by >= 0).unwrap_or(0);
        Window { name: format!("window {i}"), start, end, observation_end: end + later }
    };
    Windows::List(parts.into_iter().enumerate().map(window).collect())
}

pub(crate) fn cases() -> impl Strategy<Value = Case> {
    // Before 1970, a leap day, and the far ends of what timestamps can be.
    let bases =
        prop::sample::select(vec!["2023-01-01", "2024-02-10", "1969-12-10", "2023-03-31T22:30:00.000001", "0002-01-01", "9990-06-01"]);
    let granularities =
        prop::sample::select(vec![Granularity::Month, Granularity::Quarter, Granularity::Half, Granularity::Year, Granularity::Week]);
    let shape = prop_oneof![
        3 => window_lists().prop_map(|parts| (Some(parts), None)),
        1 => granularities.prop_map(|granularity| (None, Some(granularity))),
    ];
    let percentiles = prop_oneof![2 => Just(vec![10, 20]), 1 => prop::collection::vec(1..=100u32, 0..5)];
    let bins = prop_oneof![3 => Just(5), 1 => 1..=9u32];
    let rows = prop_oneof![1 => prop::collection::vec(drafts(), 0..8), 3 => prop::collection::vec(drafts(), 0..60)];
    (bases, shape, any::<bool>(), rows, percentiles, bins, layouts()).prop_map(
        |(base, (parts, granularity), tame, drafts, percentiles, bins, layout)| {
            let base = time(base);
            let windows = match (parts, granularity) {
                (Some(parts), _) => list(base, parts, tame),
                (None, granularity) => Windows::Every(granularity.unwrap_or(Granularity::Month)),
            };
            let stretches = stretches(&windows, base);
            let rows = drafts.into_iter().map(|draft| draft.row(&stretches, tame)).collect();
            Case { windows, percentiles, bins, rows, layout }
        },
    )
}

/// Rows in and around five months in a row.
pub(crate) fn monthly_rows() -> impl Strategy<Value = Vec<Row>> {
    let bases = prop::sample::select(vec!["2023-01-01", "2022-11-10", "1969-12-10", "0002-01-01"]);
    (bases, any::<bool>(), prop::collection::vec(drafts(), 0..50)).prop_map(|(base, tame, drafts)| {
        let stretches = stretches(&Windows::Every(Granularity::Month), time(base));
        drafts.into_iter().map(|draft| draft.row(&stretches, tame)).collect()
    })
}
