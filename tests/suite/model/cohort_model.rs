//! Lenses 3, 4 and 5 from the definitions: a list of customers with their cohort and windows, asked over and over.

use super::amounts::{change, divide, fixed, share};
use super::more::whole;
use super::rfm::Rfm;
use lensflow::model::Window;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A customer who is valid somewhere.
struct Member<'a> {
    /// The place of their window, or -1.
    cohort: i64,
    /// By the window's place, where they are valid.
    windows: BTreeMap<i64, &'a Rfm>,
}

struct Base<'a> {
    names: Vec<&'a str>,
    members: Vec<Member<'a>>,
}

fn per(part: i128, whole: i128) -> i128 {
    if whole == 0 { 0 } else { divide(part * 100, whole) }
}

fn each(cents: i128, of: i128) -> i128 {
    if of == 0 { 0 } else { divide(cents, of) }
}

impl Base<'_> {
    fn name(&self, cohort: i64) -> &str {
        usize::try_from(cohort).map_or("earlier", |at| self.names[at])
    }

    fn of(&self, cohort: i64) -> impl Iterator<Item = &Member<'_>> {
        self.members.iter().filter(move |member| member.cohort == cohort)
    }

    /// Customers, orders and cents of a cohort in a window.
    fn at(&self, cohort: i64, window: i64) -> (i128, i128, i128) {
        let here: Vec<&&Rfm> = self.of(cohort).filter_map(|member| member.windows.get(&window)).collect();
        (here.len() as i128, here.iter().map(|rfm| rfm.frequency).sum(), here.iter().map(|rfm| rfm.total_spend).sum())
    }

    fn cohort(&self, cohort: i64, is_censored: bool) -> Value {
        let (size, last) = (self.of(cohort).count() as i128, self.names.len() as i64);
        let (mut ages, mut cumulative) = (Vec::new(), 0);
        for window in cohort.max(0)..last {
            let (active, orders, spend) = self.at(cohort, window);
            cumulative += spend;
            ages.push(json!({
                "age": window - cohort,
                "window": self.names[window as usize],
                "active": active as u64,
                "active_pct": fixed(share(active, size)),
                "orders": whole(orders),
                "revenue": fixed(spend),
                "orders_per_active": fixed(per(orders, active)),
                "revenue_per_active": fixed(each(spend, active)),
                "revenue_per_member": fixed(each(spend, size)),
                "cumulative_revenue": fixed(cumulative),
                "cumulative_revenue_per_member": fixed(each(cumulative, size)),
            }));
        }
        let mut second: BTreeMap<String, u64> = BTreeMap::from([("never".to_owned(), 0)]);
        for member in self.of(cohort) {
            let mut windows = member.windows.keys();
            let (first, next) = (windows.next().expect("a window"), windows.next());
            *second.entry(next.map_or("never".to_owned(), |next| (next - first).to_string())).or_default() += 1;
        }
        let orders = self.of(cohort).map(|member| member.windows.values().map(|rfm| rfm.frequency).sum::<i128>());
        let repeat: Vec<i128> = orders.filter(|orders| *orders > 1).collect();
        json!({
            "name": self.name(cohort),
            "size": size as u64,
            "left_censored": is_censored && cohort == 0,
            "ages": if cohort < 0 { Vec::new() } else { ages },
            "second_window": second,
            "repeat_customers": repeat.len(),
            "repeat_pct": fixed(share(repeat.len() as i128, size)),
            "orders_per_repeat_customer": fixed(per(repeat.iter().sum(), repeat.len() as i128)),
        })
    }

    fn comparison(&self, one: i64, two: i64) -> Value {
        let size = |cohort: i64| self.of(cohort).count() as i128;
        let shared = (0..self.names.len() as i64 - two).map(|age| {
            // Of each: active, orders, cents, and all customers.
            let [a, b] = [one, two].map(|cohort| (self.at(cohort, cohort + age), size(cohort)));
            type Factor = fn(((i128, i128, i128), i128)) -> (i128, i128);
            let compare = |factor: Factor, shown: fn(i128, i128) -> i128| {
                let [a, b] = [factor(a), factor(b)].map(|(part, whole)| if whole == 0 { (0, 1) } else { (part, whole) });
                json!({"from": fixed(shown(a.0, a.1)), "to": fixed(shown(b.0, b.1)), "change_pct": fixed(change(a, b))})
            };
            json!({
                "age": age,
                "active_pct": compare(|((active, _, _), size)| (active, size), share),
                "orders_per_active": compare(|((active, orders, _), _)| (orders, active), per),
                "average_order_value": compare(|((_, orders, spend), _)| (spend, orders), each),
                "revenue_per_member": compare(|((_, _, spend), size)| (spend, size), each),
            })
        });
        let sizes = json!({"from": size(one) as u64, "to": size(two) as u64});
        json!({"from": self.name(one), "to": self.name(two), "size": sizes, "ages": shared.collect::<Vec<_>>()})
    }

    fn health(&self, window: i64, cohorts: &[i64]) -> Value {
        type Part = fn((i128, i128, i128)) -> i128;
        let parts: Vec<(i64, (i128, i128, i128))> = cohorts.iter().map(|cohort| (*cohort, self.at(*cohort, window))).collect();
        let sum = |of: Part, to: i64| parts.iter().filter(|p| p.0 < to).map(|p| of(p.1)).sum::<i128>();
        let (active, revenue): (Part, Part) = (|sums| sums.0, |sums| sums.2);
        let share_of = |(cohort, (active, orders, spend)): &(i64, (i128, i128, i128))| {
            json!({
                "cohort": self.name(*cohort),
                "active": *active as u64,
                "orders": whole(*orders),
                "revenue": fixed(*spend),
                "revenue_pct": fixed(share(*spend, sum(revenue, i64::MAX))),
            })
        };
        json!({
            "window": self.names[window as usize],
            "revenue": fixed(sum(revenue, i64::MAX)),
            "active": sum(active, i64::MAX) as u64,
            "revenue_earlier": fixed(sum(revenue, window)),
            "revenue_earlier_pct": fixed(share(sum(revenue, window), sum(revenue, i64::MAX))),
            "active_earlier": sum(active, window) as u64,
            "active_earlier_pct": fixed(share(sum(active, window), sum(active, i64::MAX))),
            "by_cohort": parts.iter().filter(|part| part.1.0 > 0).map(share_of).collect::<Vec<_>>(),
        })
    }
}

/// Lenses 3, 4 and 5 of windows with their valid customers, given when customers were first seen.
pub(super) fn of_base(windows: &[(&Window, &[Rfm])], first_seen: &BTreeMap<String, i64>, is_censored: bool) -> [(&'static str, Value); 3] {
    let mut valid: BTreeMap<&str, BTreeMap<i64, &Rfm>> = BTreeMap::new();
    for (at, (_, customers)) in (0..).zip(windows) {
        for rfm in *customers {
            valid.entry(&rfm.id).or_default().insert(at, rfm);
        }
    }
    let cohort = |id: &str| {
        let seen = first_seen[id];
        if seen < windows[0].0.start { -1 } else { windows.iter().take_while(|(window, _)| window.end <= seen).count() as i64 }
    };
    let members = valid.into_iter().map(|(id, windows)| Member { cohort: cohort(id), windows }).collect();
    let base = Base { names: windows.iter().map(|(window, _)| window.name.as_str()).collect(), members };
    let mut cohorts: Vec<i64> = base.members.iter().map(|member| member.cohort).collect();
    cohorts.sort_unstable();
    cohorts.dedup();
    let aged: Vec<i64> = cohorts.iter().copied().filter(|cohort| *cohort >= 0).collect();
    [
        ("cohorts", cohorts.iter().map(|cohort| base.cohort(*cohort, is_censored)).collect()),
        ("cohort_comparisons", aged.windows(2).map(|pair| base.comparison(pair[0], pair[1])).collect()),
        ("health", (0..base.names.len() as i64).map(|window| base.health(window, &cohorts)).collect()),
    ]
}
