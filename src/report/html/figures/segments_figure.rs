//! Segments: the share of customers and the share of revenue of each, one bar under the other.

use super::super::audited::Audited;
use super::super::figure::{DataTable, Figure};
use super::super::report_json::{ReportJson, label};
use super::super::svg::{Area, Canvas, LinearScale, rounded};

/// The most segments of a picture, and of the table.
const DRAWN: usize = 24;
const LISTED: usize = 101;

/// The figure of the window in focus.
pub(super) fn segments(audited: &Audited<'_>) -> Option<Figure> {
    let window = audited.window()?;
    let segments = window["segments"].items();
    let style = audited.style;
    let name = window["name"].name();
    let share = |at: usize, key: &str| segments[at][key].fixed();
    let greatest = (0..segments.len()).max_by_key(|&at| (share(at, "revenue_pct"), segments.len() - at))?;
    let claim = format!(
        "“{}” brings most: {} of the customers, {} of the revenue",
        segments[greatest]["segment"].name(),
        style.percent(&segments[greatest]["customers_pct"].said()),
        style.percent(&segments[greatest]["revenue_pct"].said())
    );
    let drawn = &segments[..segments.len().min(DRAWN)];
    let row = 38.0;
    let mut canvas = Canvas::new(420.0, 26.0 + row * drawn.len() as f64);
    let most = drawn.iter().map(|segment| segment["customers_pct"].float().max(segment["revenue_pct"].float())).fold(1.0, f64::max);
    let scale = LinearScale::new((0.0, most), (0.0, 214.0));
    let x = 136.0;
    canvas.cell(Area::new(x, 3.0, 10.0, 10.0), "soft", "");
    canvas.text((x + 15.0, 12.0), "small", "of the customers");
    canvas.cell(Area::new(x + 120.0, 3.0, 10.0, 10.0), "total", "");
    canvas.text((x + 135.0, 12.0), "small", "of the revenue");
    canvas.line((x, 20.0), (x, 22.0 + row * drawn.len() as f64), "axis");
    for (at, segment) in drawn.iter().enumerate() {
        let y = 24.0 + at as f64 * row;
        canvas.text((x - 8.0, y + 19.0), "end", &label(&segment["segment"].name(), 20));
        for (offset, key, class) in [(0.0, "customers_pct", "soft"), (15.0, "revenue_pct", "total")] {
            let length = scale.at(segment[key].float()).max(1.0);
            canvas.path(&rounded(Area::new(x, y + offset, length, 13.0), false), class, "");
            canvas.text((x + length + 6.0, y + offset + 10.5), "small", &style.percent(&segment[key].said()));
        }
    }
    let columns = ["Segment".to_owned(), "Customers".to_owned(), "Customers, %".to_owned(), "Orders".to_owned(), style.column("Revenue")];
    let columns = columns.into_iter().chain(["Revenue, %".to_owned(), style.column("Value of an order")]);
    let mut table = DataTable::new(format!("Segments of {name}"), 1, columns);
    for segment in segments {
        let keys = ["customers", "customers_pct", "orders", "revenue", "revenue_pct", "average_order_value"];
        table.row([segment["segment"].name()].into_iter().chain(keys.map(|key| style.number(&segment[key].said()))));
    }
    table.keep_first(LISTED, "segments");
    let sum: i128 = segments.iter().map(|segment| segment["customers"].count()).sum();
    let all = window["lens1"]["total_customers"].count();
    let is_all = if sum == all { "Each customer is in one segment. " } else { "" };
    let description = drawn.iter().map(|segment| {
        let [customers, revenue] = ["customers_pct", "revenue_pct"].map(|key| style.percent(&segment[key].said()));
        format!("{}: {customers} of the customers, {revenue} of the revenue", segment["segment"].name())
    });
    let description = description.collect::<Vec<_>>().join("; ");
    let more = if segments.len() > DRAWN { format!("The first {DRAWN} are drawn; the table has more. ") } else { String::new() };
    Some(Figure {
        name: "segments",
        title: format!("Segments in {name}"),
        claim,
        note: format!("{is_all}{more}A second bar that is longer than the first is a segment that spends more than its size."),
        pictures: vec![canvas.finish("segments", "Share of customers and of revenue by segment", &description)],
        tables: vec![table],
        layout: "split",
        ..Figure::default()
    })
}
