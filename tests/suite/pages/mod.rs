//! Pages of HTML: the same bytes for the same report, small, without scripts or anything that is loaded, with the numbers of the JSON in
//! their tables; names stay texts; templates of one's own, and what is said of those that fail.
//!
//! The reports are `tests/data/pages/*.json`: those of golden cases with everything that the page can show. `tests/page/look.mjs` looks at
//! them in a browser.

mod shown_numbers;

use super::support::*;
use lensflow::error::Kind;
use lensflow::report::html::{Currency, Locale, PageOptions, PageTemplate, page};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

const REPORTS: [&str; 4] = ["cdnow_quarters", "twelve_months", "quarters_with_segments", "months_with_cohorts"];

/// The most bytes of a page.
const SIZE: usize = 300_000;

pub(crate) fn report(name: &str) -> Value {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests/data/pages", &format!("{name}.json")].iter().collect();
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn with(locale: &str, currency: &str) -> PageOptions {
    let mut options = PageOptions::default();
    options.locale = locale.parse::<Locale>().unwrap();
    options.currency = currency.parse::<Currency>().ok();
    options
}

/// Puts a page where a browser looks at it: into the folder `SUITE_PAGES`, if that is set.
fn shown(name: &str, html: &str) {
    if let Some(folder) = std::env::var_os("SUITE_PAGES") {
        fs::write(Path::new(&folder).join(format!("{name}.html")), html).unwrap();
    }
}

/// Renders a report and checks what holds for every page.
pub(crate) fn rendered(report: &Value, options: &PageOptions) -> String {
    let html = page(report, options).unwrap();
    assert_eq!(html, page(report, options).unwrap());
    assert!(html.len() < SIZE, "{} bytes", html.len());
    assert!(html.starts_with("<!DOCTYPE html>") && html.trim_end().ends_with("</html>"));
    assert!(html.contains("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"));
    let lower = html.to_lowercase();
    let forbidden = ["<script", "<link", "<img", "<iframe", "<object", "<foreignobject", "@import", "url(", "src=", "href="];
    for word in forbidden {
        assert!(!lower.contains(word), "{word}");
    }
    for scheme in ["http:", "https:", "javascript:", "data:"] {
        // The policy's own attribute is the one that may be there.
        assert!(!lower.contains(scheme), "{scheme}");
    }
    // A tag that opens closes, and no attribute makes a handler.
    for tag in ["figure", "table", "details", "svg", "section", "tr", "text", "title"] {
        let opened = lower.matches(&format!("<{tag}>")).count() + lower.matches(&format!("<{tag} ")).count();
        assert_eq!(opened, lower.matches(&format!("</{tag}>")).count() + silent(&lower, tag), "{tag}");
    }
    assert!(!lower.contains(" onload=") && !lower.contains(" onerror="));
    let mut ids: Vec<&str> = html.split(" id=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count, "two elements have one id");
    html
}

/// Elements that close themselves.
fn silent(html: &str, tag: &str) -> usize {
    html.split(&format!("<{tag} ")).skip(1).filter(|rest| rest.split('>').next().unwrap().ends_with('/')).count()
}

#[test]
fn a_page_is_whole_small_and_loads_nothing() {
    for name in REPORTS {
        shown(name, &page(&report(name), &PageOptions::default()).unwrap());
        for options in [PageOptions::default(), with("de", "EUR"), with("fr", "USD"), with("en", "CHF")] {
            rendered(&report(name), &options);
        }
    }
    let euros = rendered(&report("cdnow_quarters"), &with("de", "EUR"));
    assert!(euros.contains("213.330,48\u{a0}€") && euros.contains("Revenue, EUR"));
    assert!(rendered(&report("cdnow_quarters"), &with("en", "USD")).contains("$213,330.48"));
}

/// A report of so many windows, which repeat those of another.
fn many(report: &Value, count: usize, name: impl Fn(usize) -> String) -> Value {
    let (windows, pairs) = (report["windows"].as_array().unwrap(), report["comparisons"].as_array().unwrap());
    let mut long = report.clone();
    let named = |at: usize, mut window: Value| {
        window["name"] = name(at).into();
        window
    };
    long["windows"] = (0..count).map(|at| named(at, windows[at % windows.len()].clone())).collect();
    long["comparisons"] = (1..count)
        .map(|at| {
            let mut pair = pairs[at % pairs.len()].clone();
            (pair["from"], pair["to"]) = (name(at - 1).into(), name(at).into());
            pair
        })
        .collect();
    long
}

#[test]
fn many_windows_are_a_page_of_limited_size() {
    let months = report("twelve_months");
    for count in [2, 24, 60, 62, 400, 2_000] {
        let html = rendered(&many(&months, count, |at| format!("w{at:04}")), &with("fr", "EUR"));
        let newest = format!("w{:04}", count - 1);
        assert!(html.contains(&format!(">{newest}</th>")), "{newest} is in a table");
        assert_eq!(html.contains(">w0000</th>"), count <= 60, "{count}");
        assert_eq!(html.contains("The newest 60 of"), count > 60, "{count}");
        assert_eq!(html.contains("The newest 400 of"), count > 400, "{count}");
    }
    let cohorts = report("months_with_cohorts");
    for count in [60, 200] {
        let (one, pair, month) = (&cohorts["cohorts"][0], &cohorts["cohort_comparisons"][0], &cohorts["health"][1]);
        let mut long = many(&months, count, |at| format!("w{at:04}"));
        let ages = (0..count).map(|age| one["ages"][age % one["ages"].as_array().unwrap().len()].clone()).collect::<Vec<_>>();
        let mut all = vec![one.clone(); count];
        for (at, cohort) in all.iter_mut().enumerate() {
            (cohort["name"], cohort["ages"]) = (format!("w{at:04}").into(), ages[at..].into());
        }
        let mut window = month.clone();
        let share = month["by_cohort"][0].clone();
        window["by_cohort"] = (0..count)
            .map(|at| {
                let mut share = share.clone();
                share["cohort"] = format!("w{at:04}").into();
                share
            })
            .collect();
        (long["cohorts"], long["cohort_comparisons"], long["health"]) =
            (all.into(), vec![pair.clone(); count].into(), vec![window; count].into());
        let html = rendered(&long, &with("de", "EUR"));
        let drawn = ["24", "12", "6"].map(|most| html.contains(&format!("The newest {most} of {count} cohorts are drawn")));
        assert!(drawn.contains(&true) && html.contains(&format!("oldest of {count} cohorts are one layer")), "{count}: {drawn:?}");
        shown(&format!("cohorts_{count}"), &html);
    }
    shown("sixty", &page(&many(&months, 60, |at| format!("w{at:04}")), &PageOptions::default()).unwrap());
    rendered(&many(&months, 60, |at| format!("a very long name of a period, {at}, {}", "and more ".repeat(500))), &with("de", "EUR"));
    // The worst: names that are written at six times their length, left-out customers everywhere, and nine bins.
    let mut worst = many(&report("quarters_with_segments"), 60, |at| format!("{}{at}", "\"".repeat(200)));
    let cells = (0..729).map(|at| {
        (format!("{}{}{}", at / 81 + 1, at / 9 % 9 + 1, at % 9 + 1), json!({"customers": at, "orders": at, "revenue": "123456.78"}))
    });
    worst["windows"][59]["more"]["rfm_cells"] = cells.collect::<serde_json::Map<_, _>>().into();
    let row = (0..10).map(|at| (at.to_string(), Value::from(123_456 + at))).collect::<serde_json::Map<_, _>>();
    let matrix = (0..10).map(|at| (at.to_string(), Value::from(row.clone()))).collect::<serde_json::Map<_, _>>();
    worst["comparisons"][58]["score_migration"] = json!({"r": matrix, "f": matrix, "m": matrix});
    rendered(&worst, &with("fr", "EUR"));
}

#[test]
fn reports_with_little_in_them_are_pages_too() {
    let folder = tempfile::tempdir().unwrap();
    for case in ["02_empty", "03_one_customer", "24_zero_spend", "01_tiny", "18_mills"] {
        fs::write(folder.path().join("periods.csv"), Golden::load(case).csv).unwrap();
        let flags = ["audit", "periods.csv", "--every", "half", "--report", "r.html", "--report", "r.json", "--json-numbers", "text", "-q"];
        lensflow(folder.path(), &flags).expect(0);
        let json: Value = serde_json::from_slice(&fs::read(folder.path().join("r.json")).unwrap()).unwrap();
        let html = rendered(&json, &PageOptions::default());
        assert!(html == fs::read_to_string(folder.path().join("r.html")).unwrap(), "{case}: the page is that of the JSON");
    }
    let nothing = rendered(&json!({"windows": []}), &PageOptions::default());
    assert!(nothing.contains("No row lies in any period"));
    rendered(&json!({"windows": [{}], "comparisons": [{}]}), &PageOptions::default());
    assert_eq!(page(&json!({"a": 1}), &PageOptions::default()).unwrap_err().kind(), Kind::Data);

    // Amounts of any size, and below zero.
    let text = report("quarters_with_segments").to_string();
    for digits in ["000000000000", "000000000000000000000"] {
        let huge = text.replace(".39\"", &format!("{digits}.39\"")).replace(".57\"", &format!("{digits}.57\""));
        rendered(&serde_json::from_str(&huge).unwrap(), &with("de", "EUR"));
    }
    rendered(&serde_json::from_str(&text.replace(":\"1", ":\"-1")).unwrap(), &with("en", "EUR"));
    let text = report("months_with_cohorts").to_string();
    rendered(&serde_json::from_str(&text.replace(":\"1", ":\"-1")).unwrap(), &with("en", "EUR"));
    rendered(&serde_json::from_str(&text.replace(".5", "000000000000000000000.5")).unwrap(), &with("de", "EUR"));
    let odd = json!([1, null, {"name": 3, "size": "x", "ages": [1, {}, null], "second_window": [1], "left_censored": true}, {"ages": {}}]);
    let pairs = json!([5, {"ages": [1, {"active_pct": 3}]}, {"from": {}, "ages": [{}, {}]}]);
    let health = json!([1, {"active": 1, "by_cohort": [1, {"cohort": 3, "revenue": "NaN"}]}]);
    rendered(&json!({"windows": [], "cohorts": odd, "cohort_comparisons": pairs, "health": health}), &PageOptions::default());
    // Not asked for, and asked for of nobody.
    assert!(!rendered(&report("twelve_months"), &PageOptions::default()).contains("ohort"));
    rendered(&json!({"windows": [], "cohorts": [], "cohort_comparisons": [], "health": []}), &PageOptions::default());
    // Amounts as JSON numbers, and values of kinds that nobody expects.
    let window = json!({"name": 5, "lens1": {"total_customers": 3, "total_revenue": 12.5, "total_orders": "x", "revenue_concentration": [1],
        "rfm_distribution": {"5é": 1, "5": 2, "999": 3, "555": {}}}, "more": {"lorenz": [1, "x", null], "deciles": [1, null], "gini": {},
        "orders_distribution": {"x": -1}, "spend_distribution": {"-1": 1, "0": "a", "7": 2}}, "segments": [1, {}]});
    rendered(
        &json!({"windows": [window, window], "comparisons": [{"from": 5, "to": 5, "lens2": [], "revenue_bridge": {"new": 3},
        "score_migration": {"m": {"99": 1, "a": {"b": 1}, "3": {"2": 1}}}}], "warnings": 3, "input": [1]}),
        &PageOptions::default(),
    );
}

#[test]
fn names_stay_texts() {
    let evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>&\u{202e}\u{0}{{ report }}{% x %}";
    let mut hostile = many(&report("quarters_with_segments"), 4, |at| format!("{evil}{at}"));
    hostile["lensflow"] = evil.into();
    hostile["input"]["sources"] = json!([evil, "long".repeat(100_000), "مرحبا.csv"]);
    hostile["input"][evil] = json!({evil: evil});
    hostile["input"]["rows_rejected"] = json!({evil: 3});
    hostile["warnings"] = vec![evil; 50].into();
    hostile["cut_points"] = json!({"recency": [evil], "frequency": evil, "from": evil});
    hostile["comparisons"][2]["segment_migration"] = json!({evil: {evil: evil}, "inactive": {evil: 7}});
    let last = &mut hostile["windows"][3];
    last["covered_until"] = evil.into();
    last["customers_rejected"] = json!({evil: 1});
    last["segments"][0]["segment"] = evil.into();
    last["segment_cells"] = json!({"11": {evil: 1}, evil: {}});
    last["more"]["rfm_cells"][evil] = json!({"customers": evil, "orders": evil, "revenue": evil});
    last["more"]["orders_distribution"][evil] = 1.into();
    last["lens1"]["revenue_concentration"][evil] = evil.into();
    let html = page(&hostile, &PageOptions::default()).unwrap();
    shown("hostile", &html);
    let lower = html.to_lowercase();
    for word in ["<script", "<img", "\u{202e}", "\u{0}"] {
        assert!(!lower.contains(word), "{word}");
    }
    assert!(html.contains("&lt;script&gt;alert(1)&lt;") && html.contains("{% x %}") && html.contains("مرحبا.csv") && html.len() < SIZE);
    // Outside of quotes, no tag has it.
    for tag in html.split('<').skip(1).filter_map(|tag| tag.split('>').next()) {
        assert!(!tag.split('"').step_by(2).any(|part| part.contains("onerror")), "{tag}");
    }
}

#[test]
fn a_template_of_ones_own_sees_the_json_and_the_figures() {
    let text = "{% from \"figure.html\" import figure, table %}<style>{% include \"style.css\" %}</style>\
        <h1>Ours & {{ summary.window }}</h1>{{ report.windows[5].lens1.total_revenue | amount }} {{ currency }} {{ locale }}\n\
        {{ figures.lorenz.pictures[0] | safe }}{{ figure(figures.deciles) }}{% for name in order %}[{{ name }}]{% endfor %}\
        {{ \"1234.5\" | number }} {{ \"12.50\" | percent }} {{ report.windows[0].more is defined }} {{ \"<b>\" }}";
    let mut options = with("en", "EUR");
    options.template = Some(PageTemplate::new("mine.html", text).unwrap());
    let html = page(&report("cdnow_quarters"), &options).unwrap();
    for wanted in
        ["<h1>Ours & 1998q2</h1>€213,330.48 EUR en\n<svg", "[flow][factors]", "1,234.5 12.50% True &lt;b&gt;", "figure-deciles", "--paper"]
    {
        assert!(html.contains(wanted), "{wanted}: {html}");
    }

    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.csv"), Golden::load("11_quarters").csv).unwrap();
    let run = |more: &[&str], code| {
        lensflow(folder.path(), &[&["audit", "a.csv", "--every", "quarter", "-q"], more].concat()).expect(code).stderr
    };
    fs::write(folder.path().join("own.html"), "one\n{{ report.windows | length }}\n").unwrap();
    run(&["--report", "r.html", "--template", "own.html"], 0);
    assert_eq!(fs::read_to_string(folder.path().join("r.html")).unwrap(), "one\n4");
    for (text, wanted) in [
        ("one\n{% if %}\n", "own.html: line 2"),
        ("one\n\n{{ report.window.name }}", "own.html: line 3"),
        ("{{ missing }}", "own.html: line 1"),
        ("\n{% include \"other.html\" %}", "own.html: line 2"),
        ("\n\n\n{{ 1 | nothing }}", "own.html: line 4"),
        ("\n{% include \"style.css\" %}{% from \"figure.html\" import table %}{{ table(5) }}", "figure.html: line"),
    ] {
        fs::write(folder.path().join("own.html"), text).unwrap();
        let told = run(&["--report", "r.html", "--template", "own.html"], 2);
        assert!(told.contains(wanted), "{text}: {told}");
    }
    assert!(run(&["--report", "r.html", "--template", "none.html"], 1).contains("none.html"));
    assert!(run(&["--report", "own.html", "--template", "own.html"], 2).contains("would be overwritten"));
    assert!(Path::new(&folder.path().join("r.html")).exists(), "a failed run leaves what was there");
}
