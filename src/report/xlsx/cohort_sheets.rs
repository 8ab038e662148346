//! The sheets of Lenses 3, 4 and 5, where cohorts were asked for.

use super::{Cell, Picture, Sheet};
use crate::lens::cohort_answers::{Cohort, CohortAge, FactorChange};
use crate::report::Report;
use rust_xlsxwriter::ChartType;

/// All of them; those without rows show nothing.
pub(super) fn cohort_sheets(report: &Report) -> [Sheet; 6] {
    [cohorts(report), ages(report), second_windows(report), factors(report), health(report), shares(report)]
}

fn sheet(name: &'static str, columns: &[&str], rows: Vec<Vec<Cell>>) -> Sheet {
    Sheet { name, columns: columns.iter().map(|&name| name.to_owned()).collect(), rows, charts: Vec::new() }
}

fn of(report: &Report) -> &[Cohort] {
    report.cohorts.as_deref().unwrap_or_default()
}

fn cohorts(report: &Report) -> Sheet {
    let columns =
        ["Cohort", "Customers", "May be older", "Repeat customers", "Repeat %", "Orders per repeat customer", "Of one period only"];
    let row = |c: &Cohort| {
        let older = if c.left_censored { "yes" } else { "no" };
        let repeat: [Cell; 3] = [c.repeat_customers.into(), c.repeat_pct.into(), c.orders_per_repeat_customer.into()];
        [vec![c.name.as_str().into(), c.size.into(), older.into()], repeat.to_vec(), vec![c.second_window.never.into()]].concat()
    };
    let rows: Vec<Vec<Cell>> = of(report).iter().map(row).collect();
    let mut sheet = sheet("Cohorts", &columns, rows);
    if !sheet.rows.is_empty() {
        let (title, rows) = ("Customers by cohort".to_owned(), (0, sheet.rows.len() - 1));
        sheet.charts.push(Picture { title, kind: ChartType::Column, rows, names: 0, values: vec![1] });
    }
    sheet
}

fn ages(report: &Report) -> Sheet {
    let columns = [
        "Cohort",
        "Age",
        "Period",
        "Active",
        "Active %",
        "Orders",
        "Revenue",
        "Orders per active",
        "Revenue per active",
        "Revenue per customer",
        "Revenue through this age",
        "Revenue through this age per customer",
    ];
    let row = |cohort: &Cohort, age: &CohortAge| {
        vec![
            cohort.name.as_str().into(),
            u64::from(age.age).into(),
            age.window.as_str().into(),
            age.active.into(),
            age.active_pct.into(),
            age.orders.into(),
            age.revenue.into(),
            age.orders_per_active.into(),
            age.revenue_per_active.into(),
            age.revenue_per_member.into(),
            age.cumulative_revenue.into(),
            age.cumulative_revenue_per_member.into(),
        ]
    };
    sheet("Cohort ages", &columns, of(report).iter().flat_map(|cohort| cohort.ages.iter().map(|age| row(cohort, age))).collect())
}

fn second_windows(report: &Report) -> Sheet {
    let rows = of(report).iter().flat_map(|cohort| {
        let row = |(&distance, &customers): (&u32, &u64)| vec![cohort.name.as_str().into(), u64::from(distance).into(), customers.into()];
        cohort.second_window.after.iter().map(row).collect::<Vec<Vec<Cell>>>()
    });
    sheet("Second periods", &["Cohort", "Periods after the first", "Customers"], rows.collect())
}

fn factors(report: &Report) -> Sheet {
    let factors = ["Active %", "Orders per active", "Order value", "Revenue per customer"];
    let named = factors.iter().flat_map(|factor| [format!("{factor}, from"), format!("{factor}, to"), format!("{factor}, change %")]);
    let columns: Vec<String> = ["From", "To", "Age"].map(str::to_owned).into_iter().chain(named).collect();
    let comparisons = report.cohort_comparisons.iter().flatten();
    let rows = comparisons.flat_map(|c| {
        let row = |age: &crate::lens::ComparedAge| {
            let factors = [age.active_pct, age.orders_per_active, age.average_order_value, age.revenue_per_member];
            let cells = factors.into_iter().flat_map(|FactorChange { from, to, change_pct }| [from, to, change_pct]).map(Cell::from);
            [c.from.as_str().into(), c.to.as_str().into(), u64::from(age.age).into()].into_iter().chain(cells).collect()
        };
        c.ages.iter().map(row).collect::<Vec<Vec<Cell>>>()
    });
    Sheet { name: "Cohort factors", columns, rows: rows.collect(), charts: Vec::new() }
}

fn health(report: &Report) -> Sheet {
    let columns = ["Period", "Revenue", "From earlier cohorts", "From earlier %", "Customers", "Of earlier cohorts", "Of earlier %"];
    let row = |w: &crate::lens::WindowHealth| {
        let revenue: [Cell; 3] = [w.revenue.into(), w.revenue_earlier.into(), w.revenue_earlier_pct.into()];
        [vec![w.window.as_str().into()], revenue.to_vec(), vec![w.active.into(), w.active_earlier.into(), w.active_earlier_pct.into()]]
            .concat()
    };
    // Without cohorts every window has none.
    let rows = report.health.iter().flatten().filter(|_| !of(report).is_empty()).map(row).collect();
    sheet("Earlier cohorts", &columns, rows)
}

fn shares(report: &Report) -> Sheet {
    let rows = report.health.iter().flatten().flat_map(|w| {
        let row = |share: &crate::lens::CohortShare| {
            let names: [Cell; 2] = [w.window.as_str().into(), share.cohort.as_str().into()];
            [names.to_vec(), vec![share.active.into(), share.orders.into(), share.revenue.into(), share.revenue_pct.into()]].concat()
        };
        w.by_cohort.iter().map(row).collect::<Vec<Vec<Cell>>>()
    });
    sheet("Cohort shares", &["Period", "Cohort", "Customers", "Orders", "Revenue", "Revenue %"], rows.collect())
}
