//! Whether an update goes with its state: the same windows and policies, and whether ids of orders are kept, by which those that come again
//! are known; where they are not, whether some may have come again.

use super::{Update, Updated};
use crate::base::error::{Error, Result};
use crate::model::window::Span;
use crate::state::Manifest;
use std::path::Path;

impl Update {
    pub(super) fn check_every(&self) -> Result<()> {
        match self.every {
            Some(every) if !every.is_calendar() => {
                Err(Error::usage(format!("a state is kept by calendar windows, and `every={every}` is none"))
                    .help("keep it by `every=day` or `every=month`; audits may then use `windows.every=all`"))
            }
            _ => Ok(()),
        }
    }

    /// The manifest of a state that was made as this update wants it.
    pub(super) fn same_policies(&self, manifest: Manifest, folder: &Path) -> Result<Manifest> {
        let refuse = |what: String, help: String| Err(Error::usage(what).input(folder.to_string_lossy()).help(help));
        if let Some(every) = self.every.filter(|&every| every != manifest.every) {
            let what = format!("the state is kept by {}, not by {every}", manifest.every);
            return refuse(what, format!("leave `every={every}` out, or make another state"));
        }
        self.lines.iter().try_for_each(|lines| manifest.groups_alike(&lines.orders, folder))?;
        if self.spec.on_bad_row != manifest.on_bad_row {
            let (was, is) = (manifest.on_bad_row.name(), self.spec.on_bad_row.name());
            return refuse(
                format!("the state was made with `on_bad_row={was}`, not {is}"),
                format!("say `on_bad_row={was}`, or make another state"),
            );
        }
        Ok(manifest)
    }

    /// Whether the state keeps the ids of its orders.
    pub(super) fn keeps_ids(&self, manifest: &Manifest, folder: &Path) -> Result<bool> {
        let refuse = |what: &str, help: &str| Err(Error::usage(what).input(folder.to_string_lossy()).help(help));
        let has_rows = !manifest.inputs.is_empty() || manifest.rows_read > 0;
        match self.order_ids {
            Some(true) if has_rows && !manifest.order_ids => {
                let what = "the state has orders and does not keep their ids, so that it could not know them when they come again";
                return refuse(what, "leave `order_ids=keep` out, or make another state of all inputs with it");
            }
            Some(false) if has_rows && manifest.order_ids => {
                return refuse("the state keeps the ids of its orders", "leave `order_ids=none` out, or make another state");
            }
            _ => {}
        }
        let keeps = self.order_ids.unwrap_or(manifest.order_ids);
        if keeps && self.lines.is_none() {
            let what = "the state is to know orders by their ids, and period aggregations have none";
            return refuse(what, "take orders in with `from=transactions`, or make another state without `order_ids=keep`");
        }
        if keeps && self.allow_duplicate {
            return refuse("the state knows orders that come again: none counts twice", "leave `allow_duplicate` out");
        }
        Ok(keeps)
    }
}

impl Updated {
    /// Notes where the rows of an input begin before those that the state had have ended.
    pub(super) fn overlaps(&mut self, before: Option<Span>, part: Option<Span>) {
        let (Some(before), Some(part)) = (before, part) else { return };
        if part.first_day() < before.day_after() {
            let first = self.overlap.map_or(part.first, |(_, first)| first.min(part.first));
            self.overlap = Some((before.last, first));
        }
    }
}
