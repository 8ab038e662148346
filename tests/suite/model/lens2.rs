//! Lens 2: a window's customers beside those of the window before.

use super::amounts::{change, fixed, share};
use super::rfm::Rfm;
use lensflow::model::Window;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What changed from one window to the next.
pub(super) struct Change {
    /// From, to, id and status, by id.
    pub(super) moved: Vec<[String; 4]>,
    /// What changed, by how much, from and to.
    pub(super) warnings: Vec<[String; 4]>,
    pub(super) report: Value,
}

impl Change {
    pub(super) fn between((w1, one): (&Window, &[Rfm]), (w2, two): (&Window, &[Rfm]), first_seen: &BTreeMap<String, i64>) -> Change {
        let (mut moved, mut warnings) = (Vec::new(), Vec::new());
        let ids = |customers: &[Rfm]| customers.iter().map(|c| c.id.clone()).collect::<BTreeSet<String>>();
        let (ids1, ids2) = (ids(one), ids(two));
        let new: BTreeSet<&String> = ids2.difference(&ids1).collect();
        let reactivated: BTreeSet<&String> = new.iter().copied().filter(|id| first_seen[*id] < w2.start).collect();
        let retained = ids1.intersection(&ids2).count() as i128;
        let churned = ids1.len() as i128 - retained;
        for id in ids1.union(&ids2) {
            let status = match (ids1.contains(id), ids2.contains(id)) {
                (true, true) => "retained",
                (true, false) => "churned",
                _ if reactivated.contains(id) => "reactivated",
                _ => "new",
            };
            moved.push([w1.name.clone(), w2.name.clone(), id.clone(), status.to_owned()]);
        }
        let sales = |customers: &[Rfm]| {
            (customers.iter().map(|c| c.total_spend).sum::<i128>(), customers.iter().map(|c| c.frequency).sum::<i128>())
        };
        let (first, second) = (sales(one), sales(two));
        let revenue_change = change((first.0, 1), (second.0, 1));
        let value_change = if first.1 == 0 || second.1 == 0 { 0 } else { change(first, second) };
        for (what, by) in [("revenue", revenue_change), ("average order value", value_change)] {
            if first.0 > 0 && by.abs() > 50_000 {
                warnings.push([what.to_owned(), fixed(by), w1.name.clone(), w2.name.clone()]);
            }
        }
        let report = json!({
            "from": w1.name,
            "to": w2.name,
            "lens2": {
                "retained": retained as u64,
                "churned": churned as u64,
                "new": new.len(),
                "reactivated": reactivated.len(),
                "retention_rate": fixed(share(retained, ids1.len() as i128)),
                "churn_rate": fixed(share(churned, ids1.len() as i128)),
                "reactivation_rate": fixed(share(reactivated.len() as i128, ids2.len() as i128)),
                "customer_count_change": ids2.len() as i64 - ids1.len() as i64,
                "revenue_change_pct": fixed(revenue_change),
                "avg_order_value_change_pct": fixed(value_change),
            },
        });
        Change { moved, warnings, report }
    }
}
