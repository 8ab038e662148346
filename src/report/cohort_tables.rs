//! Tables of cohorts for people: Lens 3 as triangles of cohort and age, Lens 4 of neighbouring cohorts at their first ages, Lens 5 by window.

use super::Report;
use super::text_tables::{Page, Style, signed};
use crate::base::text::{grouped, money};
use crate::lens::cohort_answers::{Cohort, CohortAge, CohortComparison, ComparedAge, FactorChange, WindowHealth};

/// The ages at which neighbouring cohorts are compared here; JSON has them all.
const COMPARED: usize = 2;

/// A cohort's name, where its customers may be older than the data.
fn shown_name(cohort: &Cohort) -> String {
    if cohort.left_censored { format!("{} or earlier", cohort.name) } else { cohort.name.clone() }
}

impl Page {
    /// All of Lenses 3, 4 and 5.
    pub(super) fn cohorts(&mut self, report: &Report) {
        let cohorts = report.cohorts.as_deref().unwrap_or_default();
        if cohorts.is_empty() {
            return;
        }
        let triangle = |of: &dyn Fn(&CohortAge) -> String| {
            let oldest = cohorts.iter().map(|cohort| cohort.ages.len()).max().unwrap_or(0);
            let row = |cohort: &Cohort| {
                let ages = (0..oldest).map(|age| cohort.ages.get(age).map(of).unwrap_or_default());
                (shown_name(cohort), [grouped(cohort.size)].into_iter().chain(ages).collect())
            };
            let names: Vec<String> = ["customers".to_owned()].into_iter().chain((0..oldest).map(|age| age.to_string())).collect();
            (names, cohorts.iter().map(row).collect::<Vec<(String, Vec<String>)>>())
        };
        self.heading("Lens 3: active customers by cohort (down) and age in periods (across), in % of the cohort");
        let (names, rows) = triangle(&|age| age.active_pct.to_string());
        self.side_by_side(&names, &rows);
        self.heading("Lens 3: revenue through each age, per customer of the cohort");
        let (names, rows) = triangle(&|age| money(age.cumulative_revenue_per_member));
        self.side_by_side(&names, &rows);
        self.heading("Lens 3: customers who came again");
        self.again(cohorts);
        self.neighbours(report.cohort_comparisons.as_deref().unwrap_or_default());
        self.health(report.health.as_deref().unwrap_or_default());
    }

    fn again(&mut self, cohorts: &[Cohort]) {
        let names = ["customers", "repeat", "repeat %", "orders each", "next period", "later", "never"].map(str::to_owned);
        let row = |cohort: &Cohort| {
            let second = &cohort.second_window;
            let next = second.after.get(&1).copied().unwrap_or(0);
            let later = second.after.range(2..).map(|(_, customers)| customers).sum::<u64>();
            let cells = vec![
                grouped(cohort.size),
                grouped(cohort.repeat_customers),
                cohort.repeat_pct.to_string(),
                cohort.orders_per_repeat_customer.to_string(),
                grouped(next),
                grouped(later),
                grouped(second.never),
            ];
            (shown_name(cohort), cells)
        };
        self.side_by_side(&names, &cohorts.iter().map(row).collect::<Vec<_>>());
    }

    fn neighbours(&mut self, comparisons: &[CohortComparison]) {
        if comparisons.is_empty() {
            return;
        }
        self.heading("Lens 4: each cohort beside the one before, at one age: change in %");
        let mut rows = vec![
            ("customers, before".to_owned(), comparisons.iter().map(|c| grouped(c.size.from)).collect()),
            ("customers".to_owned(), comparisons.iter().map(|c| grouped(c.size.to)).collect::<Vec<_>>()),
        ];
        let ages = comparisons.iter().map(|c| c.ages.len()).max().unwrap_or(0).min(COMPARED);
        type Factor = fn(&ComparedAge) -> &FactorChange;
        let factors: [(&str, Factor); 4] = [
            ("active share", |age| &age.active_pct),
            ("orders per active", |age| &age.orders_per_active),
            ("revenue per order", |age| &age.average_order_value),
            ("revenue per customer", |age| &age.revenue_per_member),
        ];
        for at in 0..ages {
            for (name, factor) in factors {
                let cell = |c: &CohortComparison| c.ages.get(at).map(|age| signed(factor(age).change_pct.to_string())).unwrap_or_default();
                rows.push((format!("age {at}: {name}"), comparisons.iter().map(cell).collect()));
            }
        }
        let arrow = if self.style == Style::Text { "\n→ " } else { " → " };
        let names: Vec<String> = comparisons.iter().map(|c| format!("{}{arrow}{}", c.from, c.to)).collect();
        self.side_by_side(&names, &rows);
    }

    fn health(&mut self, windows: &[WindowHealth]) {
        self.heading("Lens 5: how much of each period comes from earlier cohorts");
        let names: Vec<String> = windows.iter().map(|w| w.window.clone()).collect();
        let mut rows: Vec<(String, Vec<String>)> = Vec::new();
        let mut row = |label: &str, of: &dyn Fn(&WindowHealth) -> String| rows.push((label.to_owned(), windows.iter().map(of).collect()));
        row("revenue", &|w| money(w.revenue));
        row("from earlier cohorts", &|w| money(w.revenue_earlier));
        row("from earlier cohorts %", &|w| w.revenue_earlier_pct.to_string());
        row("customers", &|w| grouped(w.active));
        row("of earlier cohorts", &|w| grouped(w.active_earlier));
        row("of earlier cohorts %", &|w| w.active_earlier_pct.to_string());
        self.side_by_side(&names, &rows);
    }
}
