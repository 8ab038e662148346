//! Revenue as a product: customers × orders each × value of an order, and which of them changed it.
//!
//! A change of a product is split by logarithms, because these add up: ln(r₂/r₁) = ln(c₂/c₁) + ln(o₂/o₁) + ln(v₂/v₁). The share of a
//! factor is its logarithm in percent of revenue's; a factor that went against the change has a share below zero. From zero or to zero
//! there are no logarithms, and nothing is split.

use super::super::audited::{Audited, change, order_value, ratio_change, whole};
use super::super::figure::{DataTable, Figure};
use super::super::report_json::{ReportJson, label};
use super::super::svg::{Area, Canvas, LinearScale, rounded};
use crate::base::money::Fixed2;

/// A factor: its name, its numbers as they are written, its change in percent, and the logarithm of its ratio.
struct Factor {
    name: &'static str,
    numbers: [String; 2],
    change: Option<Fixed2>,
    log: f64,
}

/// The figure of a pair.
pub(super) fn factors(audited: &Audited<'_>) -> Option<Figure> {
    let (from, to) = audited.before().zip(audited.window())?;
    let style = audited.style;
    let both = [&from["lens1"], &to["lens1"]];
    let customers = both.map(|lens1| lens1["total_customers"].count());
    let orders = both.map(|lens1| lens1["total_orders"].count());
    let revenue = both.map(|lens1| lens1["total_revenue"].fixed());
    let values = [order_value(from), order_value(to)];
    let log = |now: f64, before: f64| (now / before).ln();
    let of = |numbers: [i128; 2], at: usize| numbers[at] as f64;
    let (log_customers, log_orders) = (log(of(customers, 1), of(customers, 0)), log(of(orders, 1), of(orders, 0)));
    let log_revenue = log(revenue[1].to_f64(), revenue[0].to_f64());
    let factors = [
        Factor {
            name: "Customers",
            numbers: customers.map(|n| style.number(&n.to_string())),
            change: change(whole(customers[0]), whole(customers[1])),
            log: log_customers,
        },
        Factor {
            name: "× orders each",
            numbers: both.map(|lens1| style.number(&lens1["avg_orders_per_customer"].said())),
            // Of the exact ratios, and not of the rounded ones.
            change: ratio_change(from, to, "total_orders", "total_customers"),
            log: log_orders - log_customers,
        },
        Factor {
            name: "× value of an order",
            numbers: values.map(|value| style.amount(&value.to_string())),
            change: ratio_change(from, to, "total_revenue", "total_orders"),
            log: log_revenue - log_orders,
        },
    ];
    let can_split = factors.iter().all(|factor| factor.log.is_finite()) && revenue.iter().all(|r| r.hundredths() > 0);
    let names = [from["name"].name(), to["name"].name()];
    let mut figure = Figure {
        name: "factors",
        title: "Revenue = customers × orders each × value of an order".into(),
        claim: "There is no revenue or no order on one side, so the change cannot be split".into(),
        ..Figure::default()
    };
    let shares = if can_split { shares(factors.each_ref().map(|factor| factor.log), log_revenue) } else { None };
    if can_split {
        let signed =
            |change: Option<Fixed2>| change.map(|change| style.percent(change.to_string().trim_start_matches('-'))).unwrap_or_default();
        let largest = (0..3).max_by(|&a, &b| (factors[a].log * log_revenue.signum()).total_cmp(&(factors[b].log * log_revenue.signum())));
        let largest = largest.unwrap_or_default();
        let how = match (largest, factors[largest].log > 0.0) {
            (0, true) => "there are more customers",
            (0, false) => "there are fewer customers",
            (1, true) => "customers ordered more often",
            (1, false) => "customers ordered less often",
            (_, true) => "an order was worth more",
            (_, false) => "an order was worth less",
        };
        let direction = if log_revenue > 0.0 { "rose" } else { "fell" };
        figure.claim = match shares {
            Some(_) => format!("Revenue {direction} by {}, mostly because {how}", signed(change(revenue[0], revenue[1]))),
            None => "Revenue stayed nearly as it was".to_owned(),
        };
        figure.note = "Each bar begins where the one above it ends, and together they make the change of revenue. Shares are those of \
            logarithms, ln(after ÷ before), because the logarithms of factors add up; a share below zero went against the change."
            .into();
        let total = Factor { name: "= revenue", numbers: Default::default(), change: change(revenue[0], revenue[1]), log: log_revenue };
        figure.pictures.push(picture(audited, &names, &factors, &total, shares));
    }
    let mut table = DataTable::new("Factors of revenue", 1, ["Factor".to_owned(), names[0].clone(), names[1].clone()]);
    table.columns.extend(["Change, %".to_owned(), "Share of the change, %".to_owned()]);
    let written = |number: Option<Fixed2>| number.map_or("–".to_owned(), |number| style.number(&number.to_string()));
    for (at, factor) in factors.iter().enumerate() {
        let share = shares.map(|shares| style.number(&shares[at].to_string()));
        let [before, after] = factor.numbers.clone();
        table.row([factor.name.to_owned(), before, after, written(factor.change), share.unwrap_or("–".into())]);
    }
    let [before, after] = revenue.map(|revenue| style.amount(&revenue.to_string()));
    let all = if shares.is_some() { style.number("100.00") } else { "–".to_owned() };
    table.row(["= revenue".to_owned(), before, after, written(change(revenue[0], revenue[1])), all]);
    figure.tables.push(table);
    Some(figure)
}

/// Shares in percent that add up to 100.00: what rounding leaves goes to the largest. None where revenue hardly changed.
fn shares(logs: [f64; 3], whole: f64) -> Option<[Fixed2; 3]> {
    if whole.abs() < 0.002 {
        return None;
    }
    let mut shares = logs.map(|log| (log / whole * 10_000.0).round() as i128);
    let largest = (0..3).max_by_key(|&at| shares[at].abs())?;
    shares[largest] += 10_000 - shares.iter().sum::<i128>();
    Some(shares.map(Fixed2::from_hundredths))
}

fn picture(audited: &Audited<'_>, names: &[String; 2], factors: &[Factor; 3], total: &Factor, shares: Option<[Fixed2; 3]>) -> String {
    let (style, mut canvas) = (audited.style, Canvas::new(420.0, 206.0));
    let plot = Area::new(132.0, 24.0, 184.0, 170.0);
    let (mut ends, mut sum) = (vec![0.0], 0.0);
    for factor in factors {
        sum += factor.log;
        ends.push(sum);
    }
    let (low, high) = ends.iter().fold((0.0_f64, 0.0_f64), |(low, high), &end| (low.min(end), high.max(end)));
    let scale = LinearScale::new((low, high), (plot.x + 6.0, plot.right() - 6.0));
    let zero = scale.at(0.0);
    canvas.line((zero, plot.y), (zero, plot.bottom()), "axis");
    canvas.text((zero, 14.0), if zero > 250.0 { "small end" } else { "small middle" }, &format!("as in {}", label(&names[0], 20)));
    let mut begin = 0.0;
    for (at, factor) in factors.iter().chain([total]).enumerate() {
        let is_total = at == 3;
        let y = plot.y + 10.0 + at as f64 * 42.0;
        let end = if is_total { factor.log } else { begin + factor.log };
        let (from, to) = (scale.at(if is_total { 0.0 } else { begin }), scale.at(end));
        let bar = Area::new(from.min(to), y, (to - from).abs().max(1.0), 24.0);
        let class = match (is_total, factor.log < 0.0) {
            (true, _) => "total",
            (_, true) => "loss",
            _ => "gain",
        };
        let changed = factor.change.map(|change| style.signed(style.percent(&change.to_string()))).unwrap_or_default();
        canvas.path(&rounded(bar, false), class, &format!("{}: {changed}", factor.name));
        if !is_total {
            canvas.line((to, y + 24.0), (to, y + 42.0), "link");
        }
        let share = shares.filter(|_| !is_total).map(|shares| format!("{} of it", style.percent(&tenths(shares[at]))));
        canvas.text((124.0, y + 16.0), if is_total { "end strong" } else { "end" }, factor.name);
        canvas.text((328.0, y + if share.is_some() { 10.0 } else { 16.0 }), "strong", &changed);
        share.iter().for_each(|share| canvas.text((328.0, y + 24.0), "small", share));
        begin = end;
    }
    let parts = factors.iter().map(|factor| {
        let change = factor.change.map(|change| style.signed(style.percent(&change.to_string()))).unwrap_or_default();
        format!("{} {change}", factor.name.trim_start_matches("× "))
    });
    let description = format!("From {} to {}: {}", names[0], names[1], parts.collect::<Vec<_>>().join(", "));
    canvas.finish("factors", "What changed revenue, factor by factor", &description)
}

/// A percentage with one decimal, for a label.
fn tenths(percent: Fixed2) -> String {
    let (sign, size) = (if percent.hundredths() < 0 { "-" } else { "" }, percent.hundredths().unsigned_abs());
    let tenths = (size + 5) / 10;
    format!("{}{}.{}", if tenths == 0 { "" } else { sign }, tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up() {
        for logs in [[0.1, 0.2, 0.3], [-1.0, 0.4, 0.1], [1e-9, 0.0, 0.5], [0.333, 0.333, 0.333]] {
            let shares = shares(logs, logs.iter().sum()).map(|shares| shares.iter().map(|share| share.hundredths()).sum());
            assert_eq!(shares, Some(10_000));
        }
        assert_eq!(shares([0.5, -0.5, 0.0], 0.0), None);
        assert_eq!([12_345, -4, -5, 0].map(|n| tenths(Fixed2::from_hundredths(n))), ["123.5", "0.0", "-0.1", "0.0"]);
    }
}
