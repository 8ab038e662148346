//! Lenses 3, 4 and 5 as answers: what becomes of each cohort, how it compares with the one before, and how much of each window comes from
//! which cohort. All of them follow from [`CohortSums`]; every quotient is exact until it is rounded, once.

use super::cohorts::{CohortSum, CohortSums, begins};
use super::distribution::ScoreCell;
use crate::base::merge::Merge;
use crate::base::money::{Fixed2, Money, Percent};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The name of the cohort of those who came before the first window.
pub(crate) const EARLIER: &str = "earlier";

/// Lenses 3, 4 and 5.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Cohorts {
    /// Lens 3: the cohorts with customers, those who came before the first window first, then by window.
    pub cohorts: Vec<Cohort>,
    /// Lens 4: each cohort of a window with the next one.
    #[serde(rename = "cohort_comparisons")]
    pub comparisons: Vec<CohortComparison>,
    /// Lens 5: each window by cohort.
    pub health: Vec<WindowHealth>,
}

/// Lens 3: a cohort, and what its customers do in each window from their own on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Cohort {
    /// The name of its window, or `earlier`.
    pub name: String,
    /// Its customers: those who are valid in any window.
    pub size: u64,
    /// Whether its customers may be older than the data: those of the first calendar window.
    pub left_censored: bool,
    /// By age, counted in windows from its own; those who came earlier have no age.
    pub ages: Vec<CohortAge>,
    /// Customers by the distance from the first to the second window that they are valid in.
    pub second_window: SecondWindow,
    /// Customers with two orders or more, in all windows that they are valid in.
    pub repeat_customers: u64,
    /// In percent of all.
    pub repeat_pct: Percent,
    /// The orders of these, per customer.
    pub orders_per_repeat_customer: Fixed2,
}

/// A cohort at an age.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CohortAge {
    /// In windows; 0 in its own.
    pub age: u32,
    /// The window's name.
    pub window: String,
    /// Customers who are valid there.
    pub active: u64,
    /// In percent of the cohort.
    pub active_pct: Percent,
    /// Their orders there.
    pub orders: i128,
    /// What they spent there.
    pub revenue: Money,
    /// Orders per active customer.
    pub orders_per_active: Fixed2,
    /// Revenue per active customer.
    pub revenue_per_active: Money,
    /// Revenue per customer of the cohort.
    pub revenue_per_member: Money,
    /// Revenue through this age.
    pub cumulative_revenue: Money,
    /// Revenue through this age, per customer of the cohort.
    pub cumulative_revenue_per_member: Money,
}

/// Customers by the distance, in windows, from the first to the second window that they are valid in. In JSON a map, `{"1": 5, "never": 7}`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct SecondWindow {
    /// By distance, 1 and up; only what occurs.
    pub after: BTreeMap<u32, u64>,
    /// Customers of one window only.
    pub never: u64,
}

const NEVER: &str = "never";

impl Serialize for SecondWindow {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let after = self.after.iter().map(|(distance, customers)| (distance.to_string(), customers));
        s.collect_map(after.chain([(NEVER.to_owned(), &self.never)]))
    }
}

impl<'de> Deserialize<'de> for SecondWindow {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let mut said = BTreeMap::<String, u64>::deserialize(d)?;
        let never = said.remove(NEVER).unwrap_or(0);
        let read = |(distance, customers): (String, u64)| Ok((distance.parse().map_err(serde::de::Error::custom)?, customers));
        Ok(SecondWindow { after: said.into_iter().map(read).collect::<Result<_, D::Error>>()?, never })
    }
}

/// Lens 4: a cohort beside the next one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CohortComparison {
    /// The name of the first.
    pub from: String,
    /// The name of the second.
    pub to: String,
    /// Their customers.
    pub size: CohortSizes,
    /// At every age that both have.
    pub ages: Vec<ComparedAge>,
}

/// The customers of two cohorts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CohortSizes {
    /// Of the first.
    pub from: u64,
    /// Of the second.
    pub to: u64,
}

/// Two cohorts at one age. The revenue per member is the share of active customers, times orders per active customer, times revenue per order,
/// before any is rounded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ComparedAge {
    /// In windows.
    pub age: u32,
    /// Active customers, in percent of the cohort.
    pub active_pct: FactorChange,
    /// Orders per active customer.
    pub orders_per_active: FactorChange,
    /// Revenue per order.
    pub average_order_value: FactorChange,
    /// Revenue per customer of the cohort.
    pub revenue_per_member: FactorChange,
}

/// A factor of two cohorts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FactorChange {
    /// Of the first.
    pub from: Fixed2,
    /// Of the second.
    pub to: Fixed2,
    /// The change of the exact quotients; 100.00 from nothing to something.
    pub change_pct: Percent,
}

/// Lens 5: a window by cohort.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WindowHealth {
    /// Its name.
    pub window: String,
    /// All revenue.
    pub revenue: Money,
    /// All customers.
    pub active: u64,
    /// The revenue from cohorts before the window.
    pub revenue_earlier: Money,
    /// In percent of all.
    pub revenue_earlier_pct: Percent,
    /// Customers of cohorts before the window.
    pub active_earlier: u64,
    /// In percent of all.
    pub active_earlier_pct: Percent,
    /// The cohorts with customers there.
    pub by_cohort: Vec<CohortShare>,
}

/// The part that a cohort has in a window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CohortShare {
    /// Its name.
    pub cohort: String,
    /// Customers.
    pub active: u64,
    /// Their orders.
    pub orders: i128,
    /// What they spent.
    pub revenue: Money,
    /// In percent of the window's revenue.
    pub revenue_pct: Percent,
}

/// Cents per so many, as money.
fn per(cents: i128, of: i128) -> Money {
    // In hundredths: a quotient of cents scaled down by the 100 that quotients scale up by.
    Fixed2::quotient(cents, of.saturating_mul(100))
}

/// A quotient that is not rounded yet; nothing, where it is one of nothing.
fn exact(part: i128, whole: i128) -> (i128, i128) {
    if whole == 0 { (0, 1) } else { (part, whole) }
}

impl Cohorts {
    /// The answers, given the names of the windows.
    pub(crate) fn new<'a>(windows: impl Iterator<Item = &'a str>, sums: &CohortSums) -> Self {
        let windows: Vec<&str> = windows.collect();
        let name = |place: usize| place.checked_sub(1).and_then(|at| windows.get(at)).map_or(EARLIER, |name| *name).to_owned();
        let listed: Vec<(usize, &CohortSum)> = sums.cohorts.iter().enumerate().filter(|(_, sum)| sum.size > 0).collect();
        let cohort = |&(place, sum): &(usize, &CohortSum)| Cohort {
            name: name(place),
            size: sum.size,
            left_censored: sums.is_left_censored && place == 1,
            ages: if place == 0 { Vec::new() } else { ages(&windows[begins(place)..], sum) },
            second_window: second_window(sum),
            repeat_customers: sum.repeat_customers,
            repeat_pct: Fixed2::percent(sum.repeat_customers.into(), sum.size.into()),
            orders_per_repeat_customer: Fixed2::quotient(sum.repeat_orders, sum.repeat_customers.into()),
        };
        let aged = &listed[usize::from(listed.first().is_some_and(|(place, _)| *place == 0))..];
        let compared = |pair: &[(usize, &CohortSum)]| {
            let ((a, from), (b, to)) = (pair[0], pair[1]);
            let cells = from.cells.iter().zip(&to.cells);
            let ages = (0..).zip(cells).map(|(age, (first, second))| compared_age(age, (from.size, first), (to.size, second)));
            CohortComparison { from: name(a), to: name(b), size: CohortSizes { from: from.size, to: to.size }, ages: ages.collect() }
        };
        let health = |(at, window): (usize, &&str)| {
            // The cohort of a window has the place after it.
            let here = listed.iter().filter_map(|&(place, sum)| {
                let cell = sum.cells.get(at.checked_sub(begins(place))?)?;
                (cell.customers > 0).then_some((place, *cell))
            });
            window_health(window, at + 1, here.collect(), &name)
        };
        Cohorts {
            cohorts: listed.iter().map(cohort).collect(),
            comparisons: aged.windows(2).map(compared).collect(),
            health: windows.iter().enumerate().map(health).collect(),
        }
    }
}

fn ages(windows: &[&str], sum: &CohortSum) -> Vec<CohortAge> {
    let (size, mut cumulative) = (i128::from(sum.size), 0i128);
    let age = |((age, cell), window): ((u32, &ScoreCell), &&str)| {
        let (active, revenue) = (i128::from(cell.customers), cell.revenue.hundredths());
        cumulative = cumulative.saturating_add(revenue);
        CohortAge {
            age,
            window: (*window).to_owned(),
            active: cell.customers,
            active_pct: Fixed2::percent(active, size),
            orders: cell.orders,
            revenue: cell.revenue,
            orders_per_active: Fixed2::quotient(cell.orders, active),
            revenue_per_active: per(revenue, active),
            revenue_per_member: per(revenue, size),
            cumulative_revenue: Fixed2::from_hundredths(cumulative),
            cumulative_revenue_per_member: per(cumulative, size),
        }
    };
    (0..).zip(&sum.cells).zip(windows).map(age).collect()
}

fn second_window(sum: &CohortSum) -> SecondWindow {
    let after = (0..).zip(sum.second.iter().copied()).skip(1).filter(|(_, customers)| *customers > 0);
    SecondWindow { after: after.collect(), never: sum.second.first().copied().unwrap_or(0) }
}

fn compared_age(age: u32, from: (u64, &ScoreCell), to: (u64, &ScoreCell)) -> ComparedAge {
    type Of<'a> = &'a dyn Fn((u64, &ScoreCell)) -> (i128, i128);
    let change = |of: Of<'_>, shown: &dyn Fn((i128, i128)) -> Fixed2| {
        let (from, to) = (of(from), of(to));
        FactorChange { from: shown(from), to: shown(to), change_pct: Fixed2::change_of_ratios(from, to) }
    };
    let money = |(cents, of): (i128, i128)| per(cents, of);
    ComparedAge {
        age,
        active_pct: change(&|(size, cell)| exact(cell.customers.into(), size.into()), &|(part, whole)| Fixed2::percent(part, whole)),
        orders_per_active: change(&|(_, cell)| exact(cell.orders, cell.customers.into()), &|(part, whole)| Fixed2::quotient(part, whole)),
        average_order_value: change(&|(_, cell)| exact(cell.revenue.hundredths(), cell.orders), &money),
        revenue_per_member: change(&|(size, cell)| exact(cell.revenue.hundredths(), size.into()), &money),
    }
}

fn window_health(window: &str, own: usize, here: Vec<(usize, ScoreCell)>, name: &dyn Fn(usize) -> String) -> WindowHealth {
    let sum = |cells: &mut dyn Iterator<Item = &(usize, ScoreCell)>| {
        cells.fold(ScoreCell::default(), |mut sum, (_, cell)| {
            sum.merge(*cell);
            sum
        })
    };
    let (all, earlier) = (sum(&mut here.iter()), sum(&mut here.iter().filter(|(place, _)| *place < own)));
    let pct = |revenue: Money| Fixed2::percent(revenue.hundredths(), all.revenue.hundredths());
    let share = |(place, cell): (usize, ScoreCell)| CohortShare {
        cohort: name(place),
        active: cell.customers,
        orders: cell.orders,
        revenue: cell.revenue,
        revenue_pct: pct(cell.revenue),
    };
    WindowHealth {
        window: window.to_owned(),
        revenue: all.revenue,
        active: all.customers,
        revenue_earlier: earlier.revenue,
        revenue_earlier_pct: pct(earlier.revenue),
        active_earlier: earlier.customers,
        active_earlier_pct: Fixed2::percent(earlier.customers.into(), all.customers.into()),
        by_cohort: here.into_iter().map(share).collect(),
    }
}
