//! The numbers in a page's tables are those of the JSON: each, in its row.

use super::*;

/// The rows of all tables of a page, their cells as the JSON writes numbers.
fn rows(html: &str) -> Vec<Vec<String>> {
    let text = |cell: &str| {
        let plain: String = cell.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text)).collect();
        let plain = plain
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&quot;", "\"")
            .replace("&#x27;", "'")
            .replace("&#x2f;", "/")
            .replace("&amp;", "&");
        let number = plain.replace(',', "").replace('−', "-");
        if number.parse::<f64>().is_ok() { number } else { plain }
    };
    let cells = |row: &str| {
        let row = row.split("</tr>").next().unwrap().replace("<th", "<td").replace("</th>", "</td>");
        row.split("<td").skip(1).map(|cell| text(cell.split_once('>').unwrap().1.split("</td>").next().unwrap())).collect()
    };
    html.split("<tr>").skip(1).map(cells).collect()
}

fn said(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// All numbers below a value, with their paths.
fn leaves(value: &Value, path: &str, found: &mut Vec<(String, String)>) {
    match value {
        Value::Object(entries) => entries.iter().for_each(|(key, value)| leaves(value, &format!("{path}.{key}"), found)),
        Value::Array(items) => items.iter().enumerate().for_each(|(at, value)| leaves(value, &format!("{path}[{at}]"), found)),
        Value::Null => {}
        _ => found.push((path.to_owned(), said(value))),
    }
}

#[test]
fn every_number_of_the_newest_window_and_pair_is_in_a_table() {
    for name in REPORTS {
        let report = report(name);
        let html = rendered(&report, &PageOptions::default());
        let rows = rows(&html);
        let (window, pair) =
            (report["windows"].as_array().unwrap().last().unwrap(), report["comparisons"].as_array().unwrap().last().unwrap());
        let mut numbers = Vec::new();
        for (path, value) in [
            ("lens1", &window["lens1"]),
            ("more", &window["more"]),
            ("segments", &window["segments"]),
            ("rejected", &window["customers_rejected_amount"]),
            ("lens2", &pair["lens2"]),
            ("bridge", &pair["revenue_bridge"]),
            ("migration", &pair["score_migration"]),
            ("input", &report["input"]),
        ] {
            leaves(value, path, &mut numbers);
        }
        assert!(numbers.len() > 300, "{}", numbers.len());
        for (path, number) in numbers {
            // Losses are written below zero.
            let is_there = |cell: &String| *cell == number || cell.strip_prefix('-') == Some(&number);
            assert!(rows.iter().flatten().any(is_there), "{name}: {path} = {number} is in no table");
        }

        let has = |row: &[&Value]| {
            let row: Vec<String> = row.iter().map(|cell| said(cell)).collect();
            assert!(rows.iter().any(|cells| cells.starts_with(&row)), "{name}: no row {row:?}");
        };
        let text = |text: &str| Value::from(text);
        let more = &window["more"];
        for (score, cell) in more["rfm_cells"].as_object().unwrap() {
            has(&[&text(score), &cell["customers"], &cell["orders"], &cell["revenue"]]);
        }
        for decile in more["deciles"].as_array().unwrap() {
            has(&["decile", "customers", "revenue", "share_pct", "cumulative_pct"].map(|key| &decile[key]));
        }
        for (k, share) in more["lorenz"].as_array().unwrap().iter().enumerate() {
            has(&[&text(&k.to_string()), share]);
        }
        for (orders, customers) in more["orders_distribution"].as_object().unwrap() {
            has(&[&text(orders), customers]);
        }
        for (from, customers) in more["spend_distribution"].as_object().unwrap() {
            let to = |row: &&Vec<String>| row.len() == 3 && row[0] == *from && row[2] == said(customers);
            assert!(rows.iter().any(|row| to(&row)), "{name}: spend from {from}");
        }
        for segment in window["segments"].as_array().into_iter().flatten() {
            let keys = ["segment", "customers", "customers_pct", "orders", "revenue", "revenue_pct", "average_order_value"];
            has(&keys.map(|key| &segment[key]));
        }
        for (window, at) in report["windows"].as_array().unwrap().iter().zip(0..) {
            let lens1 = &window["lens1"];
            let row = rows.iter().find(|row| row.first().map(String::as_str) == window["name"].as_str() && row.len() > 12).unwrap();
            for key in ["total_customers", "total_orders", "total_revenue", "median_customer_value", "one_time_buyer_pct"] {
                assert!(row.contains(&said(&lens1[key])), "{name}: window {at}: {key}");
            }
            assert!(row.contains(&said(&window["more"]["gini"])));
        }
        for cohort in report["cohorts"].as_array().into_iter().flatten() {
            let older = if cohort["left_censored"] == true { " or earlier" } else { "" };
            let name = text(&format!("{}{older}", said(&cohort["name"])));
            for key in ["active_pct", "cumulative_revenue_per_member"] {
                let ages = cohort["ages"].as_array().unwrap().iter().map(|age| &age[key]);
                has(&[&name, &cohort["size"]].into_iter().chain(ages).collect::<Vec<_>>());
            }
            let keys = ["size", "repeat_customers", "repeat_pct", "orders_per_repeat_customer"];
            has(&[&name].into_iter().chain(keys.iter().map(|key| &cohort[key])).collect::<Vec<_>>());
        }
        for pair in report["cohort_comparisons"].as_array().into_iter().flatten() {
            for age in pair["ages"].as_array().unwrap().iter().take(2) {
                let keys = ["active_pct", "orders_per_active", "average_order_value", "revenue_per_member"];
                let changes = keys.iter().map(|key| &age[key]["change_pct"]);
                has(&[&pair["from"], &pair["to"], &age["age"]].into_iter().chain(changes).collect::<Vec<_>>());
            }
        }
        for window in report["health"].as_array().into_iter().flatten() {
            let keys = ["window", "revenue", "revenue_earlier", "revenue_earlier_pct", "active", "active_earlier", "active_earlier_pct"];
            has(&keys.map(|key| &window[key]));
        }
        for pair in report["comparisons"].as_array().unwrap() {
            let keys = ["retained", "churned", "new", "reactivated", "retention_rate", "churn_rate", "reactivation_rate"];
            let numbers = keys.iter().map(|key| &pair["lens2"][key]);
            has(&[&pair["from"], &pair["to"]].into_iter().chain(numbers).collect::<Vec<_>>());
        }
    }
}
