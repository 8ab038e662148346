//! The sheets of a report: periods, changes, deciles, the Lorenz curve, distributions, score cells, moved scores, segments, and the data.

use super::cohort_sheets::cohort_sheets;
use super::{Cell, Picture, Sheet};
use crate::base::time::format_timestamp;
use crate::lens::OrdersDistribution;
use crate::lens::score_migration::MovesByScore;
use crate::report::{Report, WindowReport};
use rust_xlsxwriter::ChartType;

/// All sheets that have something to show.
pub(super) fn all_sheets(report: &Report) -> Vec<Sheet> {
    let mut sheets = vec![
        periods(report),
        changes(report),
        deciles(report),
        lorenz(report),
        orders(report),
        spends(report),
        cells(report),
        scores(report),
        segments(report),
        moves(report),
    ];
    sheets.extend(cohort_sheets(report));
    sheets.push(data(report));
    sheets.into_iter().filter(|sheet| !sheet.rows.is_empty()).collect()
}

fn names(columns: &[&str]) -> Vec<String> {
    columns.iter().map(|&name| name.to_owned()).collect()
}

/// The rows of the newest window that has some, where each row says the place of its window.
fn newest(places: &[usize]) -> Option<(usize, usize)> {
    let last = *places.last()?;
    Some((places.iter().position(|&place| place == last)?, places.len() - 1))
}

/// A sheet whose rows come from windows: some rows each.
fn of_windows<'a>(
    report: &'a Report,
    (name, columns): (&'static str, &[&str]),
    rows_of: impl Fn(&'a WindowReport) -> Vec<Vec<Cell>>,
    picture: Option<(&str, ChartType, usize, Vec<usize>)>,
) -> Sheet {
    let (mut rows, mut places) = (Vec::new(), Vec::new());
    for (place, window) in report.windows.iter().enumerate() {
        for cells in rows_of(window) {
            rows.push([vec![Cell::from(window.name.as_str())], cells].concat());
            places.push(place);
        }
    }
    let columns = names(&[&["Period"], columns].concat());
    let mut sheet = Sheet { name, columns, rows, charts: Vec::new() };
    if let (Some((title, kind, names, values)), Some(rows)) = (picture, newest(&places)) {
        let window = report.windows.get(places[rows.0]).map(|w| w.name.clone()).unwrap_or_default();
        sheet.charts.push(Picture { title: format!("{title}, {window}"), kind, rows, names, values });
    }
    sheet
}

fn periods(report: &Report) -> Sheet {
    let percentiles: Vec<u32> = report.windows.first().map(|w| w.lens1.revenue_concentration.keys().copied().collect()).unwrap_or_default();
    let mut columns = names(&["Period", "From", "To, exclusive", "As of", "Customers", "One-time buyers", "One-time buyers %", "Orders"]);
    columns.extend(names(&["Orders per customer", "Revenue", "Median customer value", "Gini"]));
    columns.extend(percentiles.iter().map(|p| format!("Revenue of top {p} % in %")));
    let row = |w: &WindowReport| {
        let l = &w.lens1;
        let shares = percentiles.iter().map(|p| l.revenue_concentration.get(p).map_or(Cell::Empty, |&share| share.into()));
        let times = [w.start, w.end, w.observation_end].map(|at| Cell::Text(format_timestamp(at)));
        let gini = Cell::Fine(w.more.gini.ten_thousandths() as f64 / 10_000.0);
        let mut row = vec![Cell::from(w.name.as_str())];
        row.extend(times);
        row.extend([l.total_customers.into(), l.one_time_buyers.into(), l.one_time_buyer_pct.into(), l.total_orders.into()]);
        row.extend([l.avg_orders_per_customer.into(), l.total_revenue.into(), l.median_customer_value.into(), gini]);
        row.extend(shares);
        row
    };
    let rows: Vec<Vec<Cell>> = report.windows.iter().map(row).collect();
    let whole = (0, rows.len().saturating_sub(1));
    let chart = |title: &str, kind, value| Picture { title: title.to_owned(), kind, rows: whole, names: 0, values: vec![value] };
    let charts = vec![chart("Revenue", ChartType::Column, 9), chart("Customers", ChartType::Line, 4)];
    Sheet { name: "Periods", columns, rows, charts }
}

fn changes(report: &Report) -> Sheet {
    let columns = [
        "Change",
        "Retained",
        "Churned",
        "New",
        "Reactivated",
        "Retention %",
        "Churn %",
        "Reactivation %",
        "Customers",
        "Revenue %",
        "Order value %",
        "Revenue before",
        "Lost with churned",
        "Lost with shrunk",
        "Won with grown",
        "Won with new",
        "Won with reactivated",
        "Revenue after",
    ];
    let row = |c: &crate::report::ComparisonReport| {
        let (l, b) = (&c.lens2, &c.revenue_bridge);
        let lost = |money: crate::base::money::Money| Cell::from(crate::base::money::Fixed2::from_hundredths(-money.hundredths()));
        vec![
            Cell::Text(format!("{} → {}", c.from, c.to)),
            l.retained.into(),
            l.churned.into(),
            l.new.into(),
            l.reactivated.into(),
            l.retention_rate.into(),
            l.churn_rate.into(),
            l.reactivation_rate.into(),
            i128::from(l.customer_count_change).into(),
            l.revenue_change_pct.into(),
            l.avg_order_value_change_pct.into(),
            b.revenue_before.into(),
            lost(b.churned.revenue),
            lost(b.shrunk.loss),
            b.grown.gain.into(),
            b.new.revenue.into(),
            b.reactivated.revenue.into(),
            b.revenue_after.into(),
        ]
    };
    let rows: Vec<Vec<Cell>> = report.comparisons.iter().map(row).collect();
    let whole = (0, rows.len().saturating_sub(1));
    let chart = |title: &str, kind, values| Picture { title: title.to_owned(), kind, rows: whole, names: 0, values };
    let charts = vec![
        chart("Revenue lost and won", ChartType::ColumnStacked, vec![12, 13, 14, 15, 16]),
        chart("Customers retained, churned and new", ChartType::ColumnStacked, vec![1, 2, 3]),
    ];
    Sheet { name: "Changes", columns: names(&columns), rows, charts }
}

fn deciles(report: &Report) -> Sheet {
    let columns = ["Decile", "Customers", "Revenue", "Share %", "Cumulative %"];
    let rows = |w: &WindowReport| {
        let row = |d: &crate::lens::Decile| {
            vec![u64::from(d.decile).into(), d.customers.into(), d.revenue.into(), d.share_pct.into(), d.cumulative_pct.into()]
        };
        w.more.deciles.iter().map(row).collect()
    };
    of_windows(report, ("Deciles", &columns), rows, Some(("Share of revenue by decile", ChartType::Column, 1, vec![4])))
}

fn lorenz(report: &Report) -> Sheet {
    let columns = ["Customers who spent least %", "Share of revenue %"];
    let rows = |w: &WindowReport| (0u64..).zip(&w.more.lorenz).map(|(k, &share)| vec![k.into(), share.into()]).collect();
    of_windows(report, ("Lorenz curve", &columns), rows, Some(("Lorenz curve", ChartType::Line, 1, vec![2])))
}

fn orders(report: &Report) -> Sheet {
    let rows = |w: &WindowReport| {
        let OrdersDistribution(counts) = w.more.orders_distribution;
        let name = |orders: usize| if orders == 10 { "10+".to_owned() } else { orders.to_string() };
        (1..).zip(counts).map(|(orders, customers)| vec![Cell::Text(name(orders)), customers.into()]).collect()
    };
    of_windows(report, ("Orders", &["Orders", "Customers"]), rows, Some(("Customers by orders", ChartType::Column, 1, vec![2])))
}

fn spends(report: &Report) -> Sheet {
    let rows = |w: &WindowReport| w.more.spend_distribution.iter().map(|(&from, &customers)| vec![from.into(), customers.into()]).collect();
    of_windows(report, ("Spend", &["Spend from", "Customers"]), rows, Some(("Customers by spend", ChartType::Column, 1, vec![2])))
}

fn cells(report: &Report) -> Sheet {
    let columns = ["RFM score", "Customers", "Orders", "Revenue"];
    let rows = |w: &WindowReport| {
        let cells = w.more.rfm_cells.iter();
        cells.map(|(score, c)| vec![score.as_str().into(), c.customers.into(), c.orders.into(), c.revenue.into()]).collect()
    };
    of_windows(report, ("RFM scores", &columns), rows, None)
}

fn scores(report: &Report) -> Sheet {
    let mut rows = Vec::new();
    for c in &report.comparisons {
        let mut put = |measure: &str, moves: &MovesByScore| {
            for (&from, all) in moves {
                for (&to, &customers) in all {
                    let (from, to) = (u64::from(from).into(), u64::from(to).into());
                    rows.push(vec![c.from.as_str().into(), c.to.as_str().into(), measure.into(), from, to, customers.into()]);
                }
            }
        };
        let s = &c.score_migration;
        [("recency", &s.r), ("frequency", &s.f), ("monetary", &s.m)].into_iter().for_each(|(name, moves)| put(name, moves));
    }
    let columns = ["From", "To", "Measure", "Score before, 0 inactive", "Score after, 0 inactive", "Customers"];
    Sheet { name: "Moved scores", columns: names(&columns), rows, charts: Vec::new() }
}

fn segments(report: &Report) -> Sheet {
    let columns = ["Segment", "Customers", "Customers %", "Orders", "Revenue", "Revenue %", "Average order value"];
    let rows = |w: &WindowReport| {
        let row = |s: &crate::lens::SegmentAnswer| {
            vec![
                s.segment.as_str().into(),
                s.customers.into(),
                s.customers_pct.into(),
                s.orders.into(),
                s.revenue.into(),
                s.revenue_pct.into(),
                s.average_order_value.into(),
            ]
        };
        w.segments.iter().map(row).collect()
    };
    of_windows(report, ("Segments", &columns), rows, Some(("Customers by segment", ChartType::Bar, 1, vec![2])))
}

fn moves(report: &Report) -> Sheet {
    let mut rows = Vec::new();
    for c in &report.comparisons {
        for (before, all) in c.segment_migration.iter().flatten() {
            for (after, &customers) in all {
                let row: Vec<Cell> = [&c.from, &c.to, before, after].map(|text| text.as_str().into()).to_vec();
                rows.push([row, vec![customers.into()]].concat());
            }
        }
    }
    let columns = ["From", "To", "Segment before", "Segment after", "Customers"];
    Sheet { name: "Moved segments", columns: names(&columns), rows, charts: Vec::new() }
}

fn data(report: &Report) -> Sheet {
    let input = &report.input;
    let mut rows: Vec<Vec<Cell>> = Vec::new();
    let mut say = |what: &str, value: Cell| rows.push(vec![what.into(), value]);
    say("lensflow", report.lensflow.as_str().into());
    input.sources.iter().for_each(|source| say("input", source.as_str().into()));
    say("rows read", input.rows_read.into());
    say("rows accepted", input.rows_accepted.into());
    input.rows_rejected.iter().for_each(|(reason, &rows)| say(&format!("rows rejected, {reason}"), rows.into()));
    say("customers", input.customers.into());
    let days = [("first day", input.first_day), ("last day", input.last_day)];
    days.into_iter().for_each(|(what, day)| day.into_iter().for_each(|day| say(what, Cell::Text(day.to_string()))));
    for window in &report.windows {
        for (reason, amount) in &window.customers_rejected_amount {
            let customers = window.customers_rejected.get(reason).copied().unwrap_or_default();
            say(&format!("customers left out of {}, {reason}", window.name), customers.into());
            say(&format!("what they spent in {}, {reason}", window.name), (*amount).into());
        }
    }
    if let Some(lines) = &input.transactions {
        lines.lines_rejected.iter().for_each(|(reason, &count)| say(&format!("lines rejected, {reason}"), count.into()));
        crate::orders::special_lines(lines).into_iter().for_each(|said| say("lines", Cell::Text(said)));
    }
    if let Some(cuts) = &report.cut_points {
        for (measure, given) in cuts.given() {
            say(&format!("given cut points of {measure}"), Cell::Text(given.to_string()));
        }
        cuts.from.iter().for_each(|from| say("cut points from", from.as_str().into()));
    }
    report.warnings.iter().for_each(|warning| say("warning", warning.as_str().into()));
    Sheet { name: "Data", columns: names(&["What", "Value"]), rows, charts: Vec::new() }
}
