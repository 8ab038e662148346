//! Everything that a run says, compared with the model.

use super::run::{Run, SOURCE, Way, collect, migration_rows, rfm_rows, run, sorted_rfm};
use crate::make::Case;
use crate::model::Answers;
use arrow::array::AsArray;
use arrow::compute::concat_batches;
use lensflow::model::{Reason, Reject};
use lensflow::pipeline::{Audit, Order};
use lensflow::report::Report;
use lensflow::report::json_text::{JsonNumbers, to_json};
use lensflow::report::rows::rfm_schema;
use serde_json::{Value, json};

/// Everything the engine says under the policy that rejects is what the model says.
pub(crate) fn equals(case: &Case, how: &Run) {
    let model = Answers::of(case);
    let audit = run(case, how).unwrap_or_else(|e| panic!("{how:?}: {e}"));
    report_equals(&audit.report, &model, how, case.rows.len());
    rows_equal(&audit, &model);
    rejects_equal(case, how, &audit, &model);
}

/// RFM and migration rows in both orders.
pub(crate) fn rows_equal(audit: &Audit, model: &Answers) {
    assert_eq!(rfm_rows(&sorted_rfm(audit)), model.rfm);
    let mut by_id = rfm_rows(&concat_batches(&rfm_schema(), &collect(audit.rfm(Order::Engine).expect("rows"))).expect("one schema"));
    let place = |window: &str| audit.windows().iter().position(|w| w.name == window);
    by_id.sort_by_key(|row| (place(&row.window), row.id.clone().into_bytes()));
    assert_eq!(by_id, model.rfm);
    assert_eq!(migration_rows(audit, Order::Sorted), model.moved);
    let mut moved = migration_rows(audit, Order::Engine);
    moved.sort_by_key(|[from, _, id, _]| (place(from), id.clone().into_bytes()));
    assert_eq!(moved, model.moved);
}

fn report_equals(report: &Report, model: &Answers, how: &Run, rows: usize) {
    let [_, text] = [JsonNumbers::Number, JsonNumbers::Text].map(|numbers| {
        let text = to_json(report, numbers).expect("a report has JSON");
        assert_eq!(&serde_json::from_str::<Report>(&text).expect("a report reads back"), report, "{how:?}");
        text
    });
    let mut json: Value = serde_json::from_str(&text).expect("JSON");
    let fields = json.as_object_mut().expect("an object");
    let warnings = fields.remove("warnings").expect("warnings");
    let mut sources = Vec::new();
    if how.pushed(rows) > 0 {
        sources.push("pushed");
    }
    if how.way != Way::Push {
        sources.push(SOURCE);
    }
    let input = fields["input"].as_object_mut().expect("an object");
    assert_eq!(input.remove("sources"), Some(json!(sources)), "{how:?}");
    assert_eq!(json, model.report, "{how:?}");
    // Windows that the data cover in part are marked in the report, where they are compared.
    let partly = |text: &Value| text.as_str().is_some_and(|text| text.contains("covered ") && text.contains(" of "));
    let (partial, warnings): (Vec<&Value>, Vec<&Value>) = warnings.as_array().expect("a list").iter().partition(|text| partly(text));
    let marked = |window: &&Value| window.get("covered_until").is_some() || window.get("covered_from").is_some();
    assert_eq!(partial.len(), model.report["windows"].as_array().expect("windows").iter().filter(marked).count(), "{how:?}: {partial:?}");
    // Notes about the input are another matter.
    let warnings: Vec<&Value> =
        warnings.into_iter().filter(|text| text.as_str().is_some_and(|text| text.contains(" changed by "))).collect();
    assert_eq!(warnings.len(), model.warnings.len(), "{how:?}: {warnings:?}");
    for (text, parts) in warnings.iter().zip(&model.warnings) {
        let text = text.as_str().expect("a text");
        assert!(parts.iter().all(|part| text.contains(part)), "{text} does not say {parts:?}");
    }
}

/// Window, id and reason of customers left out.
pub(crate) fn left_out(rejects: &[&Reject]) -> Vec<(String, String, Reason)> {
    rejects.iter().map(|r| (r.window.clone().unwrap_or_default(), r.customer_id.clone(), r.reason)).collect()
}

fn rejects_equal(case: &Case, how: &Run, audit: &Audit, model: &Answers) {
    let (n, said) = (case.rows.len(), case.said());
    let mut expected: Vec<_> = Vec::new();
    for (at, i) in how.order(n).into_iter().enumerate() {
        let Some(reason) = model.rejected_rows.get(&i) else { continue };
        let (source, row) = how.address(at, n);
        expected.push((source.to_owned(), row, said[i].id.clone().unwrap_or_default(), *reason));
    }
    expected.sort();
    let rejects: Vec<Reject> = audit.rejects().collect::<Result<_, _>>().expect("rejects");
    let (rows, customers): (Vec<_>, Vec<_>) = rejects.iter().partition(|r| r.window.is_none());
    let found: Vec<_> = rows.iter().map(|r| (r.source.clone(), r.row, r.customer_id.clone(), r.reason)).collect();
    assert_eq!(found, expected, "{how:?}");
    assert!(rows.iter().all(|r| r.fields.len() == 6 && r.fields[0] == r.customer_id), "{rows:?}");
    assert_eq!(left_out(&customers), model.left_out, "{how:?}");
    // Rows come first, as they do in the file.
    assert!(rejects.iter().is_sorted_by_key(|r| r.window.is_some()));
    let batches: Vec<_> = audit.reject_rows().collect::<Result<_, _>>().expect("batches");
    let reasons: Vec<_> = batches.iter().flat_map(|batch| batch["reason"].as_string::<i32>().iter().flatten()).collect();
    assert_eq!(reasons, rejects.iter().map(|r| r.reason.name()).collect::<Vec<_>>());
    let input = &audit.report.input;
    assert_eq!(input.rows_read, input.rows_accepted + input.rows_rejected.values().sum::<u64>());
    assert_eq!(input.rows_rejected.values().sum::<u64>(), rows.len() as u64);
}

/// Under the policy that fails there is an error exactly when the model rejects something, and it says what and where.
pub(crate) fn fails_iff_something_is_bad(case: &Case, how: &Run) {
    let (model, n) = (Answers::of(case), case.rows.len());
    let error = match run(case, how) {
        Ok(audit) => {
            assert!(
                model.rejected_rows.is_empty() && model.left_out.is_empty(),
                "no error about {:?} {:?}",
                model.rejected_rows,
                model.left_out
            );
            report_equals(&audit.report, &model, how, n);
            assert!(audit.rejects().next().is_none());
            return;
        }
        Err(error) => error,
    };
    let text = error.to_string();
    let bad: Vec<(usize, usize)> = how.order(n).into_iter().enumerate().filter(|(_, i)| model.rejected_rows.contains_key(i)).collect();
    if bad.is_empty() {
        let (window, id, reason) = model.left_out.first().unwrap_or_else(|| panic!("{how:?}: nothing is bad, but: {text}"));
        assert!([&format!("{id:?}"), window, reason.name()].iter().all(|part| text.contains(*part)), "{window} {id} {reason}: {text}");
        return;
    }
    let is_here = |(at, _): &&(usize, usize)| {
        let (source, row) = how.address(*at, n);
        error.at_input() == Some(source) && error.at_row() == Some(row)
    };
    let (at, i) = *bad.iter().find(is_here).unwrap_or_else(|| panic!("{how:?}: no such bad row: {text}"));
    // The first by input and row, whichever thread is faster.
    assert_eq!(Some(how.address(at, n)), bad.iter().map(|(at, _)| how.address(*at, n)).min(), "{how:?}: {text}");
    assert!(text.contains(model.rejected_rows[&i].name()), "{:?}: {text}", model.rejected_rows[&i]);
    let id = case.said()[i].id.clone().unwrap_or_default();
    assert!(id.is_empty() || text.contains(&format!("{id:?}")), "{id:?}: {text}");
}
