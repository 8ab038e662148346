//! How revenue and orders are spread over the customers of the window in focus: Lorenz curve, tenths, orders and spend per customer.

use super::super::audited::{Audited, per, whole};
use super::super::figure::{DataTable, Figure};
use super::super::report_json::{ReportJson, shortened};
use super::super::svg::{Area, Canvas, LinearScale, area, polyline, rounded};
use crate::base::money::Fixed2;
use serde_json::Value;

/// The most steps that a picture of spends has.
const STEPS: usize = 60;

/// What the shares of top customers are, by percent of customers.
fn top(window: &Value, percent: &str) -> Option<String> {
    let share = &window["lens1"]["revenue_concentration"][percent];
    share.is_there().then(|| share.said())
}

/// The curve of how much of the revenue the customers who spent least bring.
pub(super) fn lorenz(audited: &Audited<'_>) -> Option<Figure> {
    let window = audited.window()?;
    let more = &window["more"];
    let curve = more["lorenz"].items();
    let style = audited.style;
    let mut table = DataTable::new("Concentration of revenue", 1, ["Customers", "Share of revenue, %"]);
    for (percent, share) in window["lens1"]["revenue_concentration"].entries() {
        table.row([format!("top {}", style.percent(percent)), style.number(&share.said())]);
    }
    let title = format!("Who brings the revenue of {}", window["name"].name());
    if curve.len() < 2 {
        let figure = Figure { name: "lorenz", title, claim: "Revenue of the customers who spent most".into(), ..Figure::default() };
        return (!table.rows.is_empty()).then(|| Figure { tables: vec![table], ..figure });
    }
    let last = curve.len() - 1;
    let mut points = DataTable::new("The curve", 1, ["Customers who spent least, %", "Share of revenue, %"]);
    curve.iter().enumerate().for_each(|(k, share)| points.row([k.to_string(), style.number(&share.said())]));
    let gini = style.number(&more["gini"].said());
    let is_something = window["lens1"]["total_revenue"].fixed() > Fixed2::ZERO;
    let claim = match top(window, "20") {
        _ if !is_something => "There is no revenue to share out".to_owned(),
        // Of fewer than ten customers, a fifth may be a half of them.
        Some(share) if window["lens1"]["total_customers"].count() < 10 => {
            format!("Who spent most brings {} of the revenue", style.percent(&top(window, "10").unwrap_or(share)))
        }
        Some(share) => format!("One fifth of the customers brings {} of the revenue", style.percent(&share)),
        None => format!("The Gini coefficient of revenue is {gini}"),
    };
    let mut canvas = Canvas::new(420.0, 330.0);
    let plot = Area::new(46.0, 10.0, 360.0, 272.0);
    let x = LinearScale::new((0.0, last as f64), (plot.x, plot.right()));
    let y = LinearScale::new((0.0, 100.0), (plot.bottom(), plot.y));
    for tick in [0.0, 25.0, 50.0, 75.0, 100.0] {
        canvas.line((plot.x, y.at(tick)), (plot.right(), y.at(tick)), "grid");
        canvas.text((plot.x - 7.0, y.at(tick) + 4.0), "small end", &style.percent(&format!("{tick:.0}")));
        canvas.text((x.at(tick / 100.0 * last as f64), plot.bottom() + 16.0), "small middle", &format!("{tick:.0}"));
    }
    let line: Vec<(f64, f64)> = curve.iter().enumerate().map(|(k, share)| (x.at(k as f64), y.at(share.float()))).collect();
    canvas.path(&area(&line, plot.bottom()), "wash", "");
    canvas.line((plot.x, plot.bottom()), (plot.right(), plot.y), "dashed");
    canvas.path(&polyline(&line), "stroke", "");
    canvas.text((plot.x + 14.0, plot.y + 22.0), "big", &format!("Gini {gini}"));
    canvas.text((plot.x + 14.0, plot.y + 40.0), "small", "0: all spend alike, 1: one spends all");
    let middle = (x.at(last as f64 * 0.42), y.at(42.0));
    canvas.text((middle.0 - 8.0, middle.1 - 8.0), "small end", "if all spent alike");
    let mut said = Vec::new();
    for percent in ["20", "10"] {
        let Some(share) = top(window, percent).filter(|_| is_something && last == 100) else { continue };
        let at: usize = 100 - percent.parse::<usize>().unwrap_or_default();
        let (mark_x, mark_y) = line[at];
        canvas.line((mark_x, mark_y), (mark_x, plot.y), "link");
        canvas.dot((mark_x, mark_y), 4.0, "mark", "");
        let text = format!("top {}: {}", style.percent(percent), style.percent(&share));
        let is_high = mark_y < plot.y + 96.0;
        let text_y = if is_high { mark_y + if percent == "20" { 26.0 } else { 10.0 } } else { mark_y };
        canvas.text((mark_x - 9.0, text_y), "strong end halo", &text);
        said.push(text);
    }
    canvas.text((plot.x + plot.width / 2.0, plot.bottom() + 34.0), "small middle", "% of the customers, those who spent least first");
    let description = format!("Gini coefficient {gini}; {}.", said.join(", "));
    Some(Figure {
        name: "lorenz",
        title,
        claim,
        note: "The further the curve hangs below the dashed line, the fewer customers bring most of the revenue.".into(),
        pictures: if is_something { vec![canvas.finish("lorenz", "Lorenz curve of revenue", &description)] } else { Vec::new() },
        tables: vec![table, points],
        ..Figure::default()
    })
}

/// Tenths of the customers, those who spent most first.
pub(super) fn deciles(audited: &Audited<'_>) -> Option<Figure> {
    let window = audited.window()?;
    let deciles = window["more"]["deciles"].items();
    let (first, last) = (deciles.first()?, deciles.last()?);
    let style = audited.style;
    let columns = ["Tenth".to_owned(), "Customers".to_owned(), style.column("Revenue"), "Share, %".to_owned(), "Sum, %".to_owned()];
    let mut table = DataTable::new("Tenths of the customers, those who spent most first", 1, columns);
    table.columns.push(String::new());
    let most = deciles.iter().map(|decile| decile["share_pct"].float()).fold(0.0, f64::max);
    for decile in deciles {
        let keys = ["customers", "revenue", "share_pct", "cumulative_pct"];
        table.row([decile["decile"].name()].into_iter().chain(keys.map(|key| style.number(&decile[key].said()))));
        let share = decile["share_pct"].float();
        table.bars.push(format!("{:.1}", if most > 0.0 { (share / most * 100.0).clamp(0.0, 100.0) } else { 0.0 }));
    }
    let claim = match first["customers"].count() {
        _ if window["lens1"]["total_revenue"].fixed() == Fixed2::ZERO => "There is no revenue to share out".to_owned(),
        0 => "There are fewer than ten customers, so some tenths are empty".to_owned(),
        _ => format!(
            "The best tenth brings {}, the last tenth {}",
            style.percent(&first["share_pct"].said()),
            style.percent(&last["share_pct"].said())
        ),
    };
    Some(Figure {
        name: "deciles",
        title: format!("Tenths of the customers of {} by spend", window["name"].name()),
        claim,
        note: "Customers are ranked by what they spent, and cut into ten groups of the same size.".into(),
        tables: vec![table],
        is_table: true,
        ..Figure::default()
    })
}

/// Customers by their number of orders.
pub(super) fn orders(audited: &Audited<'_>) -> Option<Figure> {
    let window = audited.window()?;
    let counts: Vec<(String, i128)> =
        window["more"]["orders_distribution"].entries().iter().map(|(orders, n)| (shortened(orders), n.count())).collect();
    let style = audited.style;
    let all: i128 = counts.iter().map(|count| count.1).sum();
    if counts.is_empty() {
        return None;
    }
    let labels: Vec<String> = counts.iter().map(|count| count.0.clone()).collect();
    let mut canvas = Canvas::new(420.0, 236.0);
    let heights: Vec<i128> = counts.iter().map(|count| count.1).collect();
    columns(&mut canvas, audited, &labels, &heights, false, |_, _| {});
    let mut table = DataTable::new("Customers by orders", 1, ["Orders", "Customers", "Customers, %"]);
    for (orders, customers) in &counts {
        let share = Fixed2::percent(*customers, all).to_string();
        table.row([orders.clone(), style.number(&customers.to_string()), style.number(&share)]);
    }
    let lens1 = &window["lens1"];
    let mut sums = DataTable::new("Orders and customers", 1, ["", "Number"]);
    for (name, key) in [
        ("Customers", "total_customers"),
        ("Orders", "total_orders"),
        ("Orders per customer", "avg_orders_per_customer"),
        ("Customers with one order", "one_time_buyers"),
        ("Customers with one order, %", "one_time_buyer_pct"),
    ] {
        sums.row([name.to_owned(), style.number(&lens1[key].said())]);
    }
    let many = counts.iter().find(|count| count.0.ends_with('+')).map_or(0, |count| count.1);
    let once = style.percent(&lens1["one_time_buyer_pct"].said());
    let claim = match all {
        0 => "There are no customers".to_owned(),
        _ => format!("{once} of the customers ordered once; {} ordered ten times or more", style.number(&many.to_string())),
    };
    Some(Figure {
        name: "orders",
        title: format!("Customers of {} by number of orders", window["name"].name()),
        claim,
        note: "Above each bar: customers. Below it: their orders in the period.".into(),
        pictures: vec![canvas.finish("orders", "Customers by number of orders", &format!("{once} of the customers ordered once."))],
        tables: vec![table, sums],
        ..Figure::default()
    })
}

/// Customers by what they spent.
pub(super) fn spend(audited: &Audited<'_>) -> Option<Figure> {
    let window = audited.window()?;
    let style = audited.style;
    let steps = steps(&window["more"]["spend_distribution"]);
    if steps.is_empty() {
        return None;
    }
    let lens1 = &window["lens1"];
    let median = lens1["median_customer_value"].fixed();
    let mean = per(lens1["total_revenue"].fixed(), lens1["total_customers"].count());
    let labels: Vec<String> = steps.iter().map(|&(from, _)| style.short(whole(from))).collect();
    let mut canvas = Canvas::new(420.0, 262.0);
    let heights: Vec<i128> = steps.iter().map(|step| step.1).collect();
    let place = |amount: Fixed2, plot: Area| {
        let amount = amount.to_f64();
        let at = steps.iter().rposition(|&(from, _)| from as f64 <= amount).unwrap_or_default();
        let (from, to) = (steps[at].0 as f64, upper(steps[at].0) as f64);
        plot.x + (at as f64 + ((amount - from) / (to - from)).clamp(0.0, 1.0)) * plot.width / steps.len() as f64
    };
    let is_first = median <= mean;
    columns(&mut canvas, audited, &labels, &heights, true, |canvas, plot| {
        for (name, amount, y, is_left) in [("median", median, 12.0, is_first), ("mean", mean, 27.0, !is_first)] {
            let x = place(amount, plot);
            for side in ["rule-edge", if name == "mean" { "rule-mean" } else { "rule-median" }] {
                canvas.line((x, y - 8.0), (x, plot.bottom()), side);
            }
            // A label stands where there is room for it.
            let is_left = if x < 150.0 { false } else { is_left || x > 300.0 };
            let (x, class) = if is_left { (x - 5.0, "strong end halo") } else { (x + 5.0, "strong halo") };
            canvas.text((x, y), class, &format!("{name} {}", style.amount(&amount.to_string())));
        }
    });
    let mut table = DataTable::new("Customers by spend", 1, [style.column("From"), style.column("to below"), "Customers".into()]);
    table.texts = 0;
    for &(from, customers) in &steps {
        table.row([from, upper(from), customers].map(|number| style.number(&number.to_string())));
    }
    let mut sums = DataTable::new("Spend of the customers", 1, ["".to_owned(), style.column("Amount")]);
    for (name, amount) in [
        ("Revenue", lens1["total_revenue"].said()),
        ("Median customer", lens1["median_customer_value"].said()),
        ("Mean customer", mean.to_string()),
    ] {
        sums.row([name.to_owned(), style.number(&amount)]);
    }
    let [median, mean] = [median, mean].map(|amount| style.amount(&amount.to_string()));
    Some(Figure {
        name: "spend",
        title: format!("Customers of {} by spend", window["name"].name()),
        claim: format!("Half of the customers spent {median} or less; the mean is {mean}"),
        note: "Steps go 1, 2, 5, 10, 20, 50 and so on: each bar holds who spent from its number to below the next one.".into(),
        pictures: vec![canvas.finish("spend", "Customers by spend", &format!("Median {median}, mean {mean}."))],
        tables: vec![table, sums],
        ..Figure::default()
    })
}

/// Where a step of 1, 2 and 5 times a power of ten ends.
fn upper(from: i128) -> i128 {
    let leading = from.to_string().bytes().next().unwrap_or_default();
    match leading {
        b'0' => 1,
        b'2' => from.saturating_mul(5) / 2,
        _ => from.saturating_mul(2),
    }
}

/// The steps from the lowest to the highest that occurs, and their customers: none is left out between them.
fn steps(distribution: &Value) -> Vec<(i128, i128)> {
    let said: Vec<(i128, i128)> =
        distribution.entries().iter().filter_map(|(from, n)| Some((from.parse().ok()?, n.count()))).filter(|step| step.0 >= 0).collect();
    let (Some(&(first, _)), Some(&(last, _))) = (said.first(), said.last()) else { return Vec::new() };
    let mut steps = vec![];
    let mut from = first;
    while from <= last && steps.len() < STEPS {
        steps.push((from, said.iter().find(|step| step.0 == from).map_or(0, |step| step.1)));
        from = upper(from);
    }
    steps
}

/// Upright bars with their customers above them and labels below; between the two, what else is drawn. Bars of spends begin where their
/// labels are.
fn columns(
    canvas: &mut Canvas,
    audited: &Audited<'_>,
    labels: &[String],
    counts: &[i128],
    is_spend: bool,
    between: impl FnOnce(&mut Canvas, Area),
) {
    let (top, height) = if is_spend { (50.0, 172.0) } else { (22.0, 172.0) };
    let plot = Area::new(8.0, top, 404.0, height);
    let width = plot.width / counts.len().max(1) as f64;
    let most = counts.iter().copied().max().unwrap_or_default().max(1) as f64;
    let scale = LinearScale::new((0.0, most), (plot.bottom(), plot.y));
    canvas.line((plot.x, plot.bottom()), (plot.right(), plot.bottom()), "axis");
    // Narrow bars have a label for every second or third of them.
    let widest = labels.iter().map(|label| label.chars().count()).max().unwrap_or(1) as f64 * 6.4 + 4.0;
    let stride = (widest / width).ceil().max(1.0) as usize;
    let gap = (width * 0.14).min(5.0);
    for (i, (label, &count)) in labels.iter().zip(counts).enumerate() {
        let x = plot.x + i as f64 * width;
        let bar = Area::new(x + gap, scale.at(count as f64), width - 2.0 * gap, plot.bottom() - scale.at(count as f64));
        let customers = audited.style.number(&count.to_string());
        if count > 0 {
            let bar = Area { y: bar.y.min(plot.bottom() - 1.0), height: bar.height.max(1.0), ..bar };
            canvas.path(&rounded(bar, true), "bar", &format!("{label}: {customers} customers"));
        }
    }
    between(canvas, plot);
    for (i, (label, &count)) in labels.iter().zip(counts).enumerate() {
        let x = plot.x + i as f64 * width;
        let written = audited.style.short(whole(count));
        if count > 0 && written.chars().count() as f64 * 6.2 <= width + 6.0 {
            canvas.text((x + width / 2.0, scale.at(count as f64) - 5.0), "small middle halo", &written);
        }
        let (place, class) = if is_spend { (x + gap, "small middle") } else { (x + width / 2.0, "middle") };
        if i % stride == 0 {
            canvas.text((place.max(plot.x + 3.0), plot.bottom() + 16.0), class, label);
        }
    }
    let axis = if is_spend { audited.style.column("spent from … on") } else { "orders".to_owned() };
    canvas.text((plot.x + plot.width / 2.0, plot.bottom() + 34.0), "small middle", &axis);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn steps_have_no_gaps() {
        let spends = json!({"0": 1, "20": 3, "5": 2});
        assert_eq!(steps(&spends), [(0, 1), (1, 0), (2, 0), (5, 2), (10, 0), (20, 3)]);
        assert_eq!(steps(&json!({})), []);
        assert_eq!([0, 1, 2, 5, 10, 20, 50, 1_000_000].map(upper), [1, 2, 5, 10, 20, 50, 100, 2_000_000]);
        assert!(steps(&json!({"0": 1, "99999999999999999999999999999999": 3, "-5": 1, "x": 1})).len() <= STEPS);
    }
}
