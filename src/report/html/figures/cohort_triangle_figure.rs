//! Lens 3 as a triangle: cohorts down, age across, the share of active customers in each cell, the size of each cohort beside its row. Cells
//! of ages that are not observed yet are hatched.

use super::super::audited::Audited;
use super::super::figure::{DataTable, Figure};
use super::super::report_json::{ReportJson, label};
use super::super::svg::{Area, Canvas, hatching};
use super::heat;
use crate::base::money::Fixed2;
use serde_json::Value;

/// The most cohorts of the picture.
const DRAWN: usize = 24;

/// A cohort's name; of one that may be older than the data, it says so.
pub(super) fn cohort_name(cohort: &Value) -> String {
    let name = cohort["name"].name();
    if cohort["left_censored"] == Value::Bool(true) { format!("{name} or earlier") } else { name }
}

/// The cohorts of windows: those who came before the first have no age.
pub(super) fn aged<'a>(audited: &Audited<'a>) -> Vec<&'a Value> {
    audited.report["cohorts"].items().iter().filter(|cohort| !cohort["ages"].items().is_empty()).collect()
}

/// The newest of some rows, with a note of how many there are.
pub(super) fn newest<T>(rows: &[T], most: usize) -> &[T] {
    &rows[rows.len().saturating_sub(most)..]
}

/// The figure of all cohorts.
pub(super) fn triangle(audited: &Audited<'_>) -> Option<Figure> {
    let (style, all) = (audited.style, audited.report["cohorts"].items());
    let cohorts = aged(audited);
    let drawn = newest(&cohorts, DRAWN.min(audited.listed));
    let last = all.last()?;
    let members: i128 = all.iter().map(|cohort| cohort["size"].count()).sum();
    let repeat: i128 = all.iter().map(|cohort| cohort["repeat_customers"].count()).sum();
    let again = style.percent(&Fixed2::percent(repeat, members).to_string());
    let cohort = if all.len() == 1 { "cohort" } else { "cohorts" };
    let mut note =
        "Each row is a cohort: the customers who came in one period, and the share of them who bought at each age, counted in periods. \
        Hatched cells are not observed yet."
            .to_owned();
    if all.iter().any(|cohort| cohort["left_censored"] == Value::Bool(true)) {
        note += " The customers of the first period may be older than the data.";
    }
    if all.len() > cohorts.len() {
        note += " Who came before the first period has no age, and is in the tables only.";
    }
    if cohorts.len() > drawn.len() {
        note += &format!(" The newest {} of {} cohorts are drawn.", drawn.len(), cohorts.len());
    }
    let claim = match (drawn.is_empty(), all.len()) {
        (true, _) => format!("All {} customers came before the first period", style.number(&members.to_string())),
        (_, 1) => format!("{again} of the customers of {} ordered again", cohort_name(last)),
        (_, many) => format!("{many} {cohort} of {} customers, of whom {again} ordered again", style.number(&members.to_string())),
    };
    Some(Figure {
        name: "cohort_triangle",
        title: "Active customers by cohort and age".into(),
        claim,
        note,
        pictures: if drawn.is_empty() { Vec::new() } else { vec![picture(audited, drawn)] },
        tables: vec![shares(audited, all), again_table(audited, all), values(audited, all)],
        layout: "charts wide narrow",
        ..Figure::default()
    })
}

fn picture(audited: &Audited<'_>, cohorts: &[&Value]) -> String {
    let style = audited.style;
    let ages = cohorts.iter().map(|cohort| cohort["ages"].items().len()).max().unwrap_or(1).min(DRAWN);
    let (left, top, right) = (150.0, 24.0, 476.0);
    let width = ((right - left) / ages as f64).min(64.0);
    let height = if cohorts.len() > 13 { 20.0 } else { 26.0 };
    let mut canvas = Canvas::new(right + 4.0, top + height * cohorts.len() as f64 + 22.0);
    canvas.text((left - 8.0, 15.0), "small end", "customers");
    for age in 0..ages {
        if width >= 22.0 || age % 2 == 0 {
            canvas.text((left + (age as f64 + 0.5) * width, 15.0), "small middle", &age.to_string());
        }
    }
    // Age 0 is full by its nature: shades tell the later ages apart.
    let later = cohorts.iter().flat_map(|cohort| cohort["ages"].items().iter().skip(1));
    let most = later.map(|age| age["active_pct"].float()).fold(1.0, f64::max);
    for (at, cohort) in cohorts.iter().enumerate() {
        let y = top + at as f64 * height;
        let name = cohort_name(cohort);
        canvas.text((left - 46.0, y + height / 2.0 + 4.0), "end", &label(&name, 19));
        canvas.text((left - 8.0, y + height / 2.0 + 4.0), "small end", &style.short(super::super::audited::whole(cohort["size"].count())));
        let seen = &cohort["ages"].items()[..cohort["ages"].items().len().min(ages)];
        for (age, cell) in seen.iter().enumerate() {
            let area = Area::new(left + age as f64 * width + 1.0, y + 1.0, width - 2.0, height - 2.0);
            let share = cell["active_pct"].float();
            let level = heat(if age == 0 { share / 100.0 } else { (share / most).min(1.0) });
            let written = style.percent(&cell["active_pct"].said());
            canvas.cell(area, &format!("h{level}"), &format!("{name}, age {age}: {written} active in {}", cell["window"].name()));
            if width >= 15.0 {
                let text = if width >= 40.0 { tenths(cell["active_pct"].fixed()) } else { format!("{share:.0}") };
                let middle = (area.x + area.width / 2.0, y + height / 2.0 + 3.5);
                canvas.text(middle, &format!("t{level} middle tiny"), &style.number(&text));
            }
        }
        if seen.len() < ages {
            let x = left + seen.len() as f64 * width;
            canvas.path(&hatching(Area::new(x + 1.0, y + 1.0, (ages - seen.len()) as f64 * width - 2.0, height - 2.0)), "grid", "");
        }
    }
    let bottom = top + height * cohorts.len() as f64;
    canvas.text((left, bottom + 16.0), "small", "age in periods →");
    canvas.text((left - 8.0, bottom + 16.0), "small end", "↑ came earlier");
    let described = cohorts.iter().map(|cohort| {
        let newest = cohort["ages"].items().last().map(|age| style.percent(&age["active_pct"].said())).unwrap_or_default();
        format!("{}: {} customers, {newest} active at the newest age", cohort_name(cohort), style.number(&cohort["size"].said()))
    });
    canvas.finish("cohort-triangle", "Share of active customers by cohort and age", &described.collect::<Vec<_>>().join("; "))
}

/// A percentage with one decimal.
fn tenths(percent: Fixed2) -> String {
    let tenths = (percent.hundredths() + 5).div_euclid(10);
    format!("{}.{}", tenths.div_euclid(10), tenths.rem_euclid(10))
}

/// Cohorts in a table, the newest of them, with a number for each age.
fn by_age(audited: &Audited<'_>, all: &[Value], title: &str, cell: impl Fn(&Value) -> String) -> DataTable {
    let ages = all.iter().map(|cohort| cohort["ages"].items().len()).max().unwrap_or(0).min(DRAWN.min(audited.listed));
    let columns = ["Cohort".to_owned(), "Customers".to_owned()].into_iter().chain((0..ages).map(|age| age.to_string()));
    let mut table = DataTable::new(title, 1, columns);
    for cohort in newest(all, DRAWN.min(audited.listed)) {
        let cells = (0..ages).map(|age| cohort["ages"].items().get(age).map(&cell).unwrap_or_default());
        table.row([cohort_name(cohort), audited.style.number(&cohort["size"].said())].into_iter().chain(cells));
    }
    if all.len() > table.rows.len() {
        table.note = format!("The newest {} of {} cohorts; the JSON report has all of them.", table.rows.len(), all.len());
    }
    table
}

fn shares(audited: &Audited<'_>, all: &[Value]) -> DataTable {
    by_age(audited, all, "Lens 3: active customers by age, in % of the cohort", |age| audited.style.number(&age["active_pct"].said()))
}

fn values(audited: &Audited<'_>, all: &[Value]) -> DataTable {
    let title = audited.style.column("Lens 3: revenue through each age per customer of the cohort");
    by_age(audited, all, &title, |age| audited.style.number(&age["cumulative_revenue_per_member"].said()))
}

fn again_table(audited: &Audited<'_>, all: &[Value]) -> DataTable {
    let style = audited.style;
    let columns = ["Cohort", "Customers", "Ordered again", "Ordered again, %", "Orders of each of them"];
    let columns = columns.into_iter().chain(["Next period, too", "Later only", "Never in another"]);
    let mut table = DataTable::new("Lens 3: customers who came again", 1, columns);
    for cohort in newest(all, audited.listed) {
        let second = &cohort["second_window"];
        let later: i128 = second.entries().iter().filter(|(key, _)| !["1", "never"].contains(key)).map(|(_, n)| n.count()).sum();
        let numbers = ["size", "repeat_customers", "repeat_pct", "orders_per_repeat_customer"].map(|key| style.number(&cohort[key].said()));
        let next = [second["1"].count(), later, second["never"].count()].map(|customers| style.number(&customers.to_string()));
        table.row([cohort_name(cohort)].into_iter().chain(numbers).chain(next));
    }
    if all.len() > table.rows.len() {
        table.note = format!("The newest {} of {} cohorts; the JSON report has all of them.", table.rows.len(), all.len());
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_are_written_short() {
        assert_eq!(
            [0, 4, 5, 1_994, 1_995, 10_000].map(|n| tenths(Fixed2::from_hundredths(n))),
            ["0.0", "0.0", "0.1", "19.9", "20.0", "100.0"]
        );
    }
}
