//! Orders that come again in an update: whether the state keeps order ids, by which it knows them; where it does not, whether some may have.

use super::{Update, Updated};
use crate::base::error::{Error, Result};
use crate::model::window::Span;
use crate::state::Manifest;
use std::path::Path;

impl Update {
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
