//! Lines that come sorted by their order → orders: of partitions that do not fit the memory of one thread, and of orders of very many lines.

use super::fault::Fault;
use super::group::{Grouper, Outcome, Take};
use super::input_counts::InputCounts;
use super::line_record::{self, Record};
use super::nameless::{Admission, admission, damaged, nameless_orders};
use crate::base::error::Result;
use crate::spill::Records;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Groups lines that come in the order of their orders, and in each of their digests. `some_nameless` says whether some name no customer.
pub(super) fn group_records(records: &Arc<Records>, grouper: &mut Grouper<'_, impl Take>, some_nameless: bool) -> Result<()> {
    let nameless = if some_nameless { nameless_orders(records)? } else { BTreeSet::new() };
    let mut refused: BTreeMap<Vec<u8>, Fault> = BTreeMap::new();
    let (mut before, mut sorted) = (Before::default(), records.read());
    while let Some(found) = sorted.next()? {
        let record = line_record::read(found).ok_or_else(damaged)?;
        if record.key != before.key
            && let Outcome::Refused(fault) = grouper.end()?
        {
            refused.insert(before.key.clone(), fault);
        }
        if record.key != before.key {
            grouper.notes.ids.look(&record.order);
        }
        let partial = record.partial();
        if !grouper.admit(&partial, !nameless.contains(record.key))? {
            continue;
        }
        let is_copy = before.counts_copy(&record, grouper) && grouper.is_copy(record.digest, 1);
        if is_copy {
            grouper.leave_out_duplicate(&partial)?;
        }
        if !is_copy || grouper.keeps_duplicates() {
            grouper.add(&partial);
        }
        before.set(&record);
    }
    if let Outcome::Refused(fault) = grouper.end()? {
        refused.insert(before.key, fault);
    }
    // Only now it is known which orders are left out. Each of their lines is, with its reason.
    if refused.is_empty() {
        return Ok(());
    }
    // What is noted of copies was noted before.
    let noted = (grouper.notes.copies_between, grouper.notes.copies_within);
    let (mut before, mut sorted) = (Before::default(), records.read());
    while let Some(found) = sorted.next()? {
        let record = line_record::read(found).ok_or_else(damaged)?;
        let Some(&fault) = refused.get(record.key) else { continue };
        let admitted = admission(&record.partial(), !nameless.contains(record.key), &grouper.validation.options) == Admission::Counts;
        if !admitted {
            continue;
        }
        if !(before.counts_copy(&record, grouper) && grouper.leaves_out(record.digest)) {
            grouper.refuse(&record.partial(), fault)?;
        }
        before.set(&record);
    }
    (grouper.notes.copies_between, grouper.notes.copies_within) = noted;
    Ok(())
}

/// The line before: its order, and its digest. No order's key is empty.
#[derive(Default)]
struct Before {
    key: Vec<u8>,
    digest: u64,
    equal: InputCounts,
}

impl Before {
    /// Whether a line is one of several equal ones that is too many.
    fn counts_copy(&mut self, record: &Record<'_>, grouper: &mut Grouper<'_, impl Take>) -> bool {
        if !self.is_same_as(record) {
            self.equal = InputCounts::default();
        }
        grouper.finds_duplicates() && grouper.is_one_more(&mut self.equal, record.partial().position)
    }

    fn is_same_as(&self, record: &Record<'_>) -> bool {
        self.digest == record.digest && self.key == record.key
    }

    fn set(&mut self, record: &Record<'_>) {
        self.digest = record.digest;
        if self.key != record.key {
            self.key.clear();
            self.key.extend_from_slice(record.key);
        }
    }
}
