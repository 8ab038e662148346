//! The verdict on bad rows: whether they end a run. One process judges at its end; of a run in parts, each part tells what it found, and the
//! whole is judged where all of it is known, in the same words.

use super::{Judged, Pipeline};
use crate::base::error::Result;
use crate::base::merge::Merge;
use crate::lens::Lens;
use crate::model::cause::Causes;
use crate::model::note::Notes;
use crate::model::read_options::ReadOptions;
use crate::model::reject::OnBadRow;
use crate::route::{Ends, Ledger};
use crate::source::mapping;
use crate::source::values;
use crate::spec::Spec;
use crate::stats::Stats;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The rows that a verdict is about.
struct Rows {
    read: u64,
    rejected: u64,
    /// Inputs of which every row was rejected, and how many these were.
    left_out: Vec<(String, u64)>,
    /// Nothing answers for them now: they go into a state.
    are_saved: bool,
}

/// Fails where bad rows end the run, or where more were left out than may be.
fn verdict(spec: &Spec, reading: &ReadOptions, rows: &Rows, mut causes: Causes, notes: &Notes) -> Result<()> {
    causes.advise(|reject| values::advice(reject, reading, notes));
    let most = spec.max_rejects;
    let left_out = rows.left_out.first().filter(|_| rows.are_saved && !most.is_all());
    match (spec.on_bad_row, left_out) {
        (OnBadRow::Fail, _) if !causes.is_empty() => Err(causes.into_error(rows.read, spec.fail_fast)),
        (OnBadRow::Reject, _) if rows.rejected > most.of(rows.read) => Err(causes.too_many(rows.rejected, rows.read, most)),
        // A state would remember that it has the input, and the corrected run would change nothing.
        (OnBadRow::Reject, Some((input, rows))) => Err(causes.nothing_left(input, *rows)),
        _ => Ok(()),
    }
}

impl<L: Lens> Pipeline<L> {
    /// Fails where there were bad rows that end the run, or where more were left out than may be.
    pub(super) fn judge(&self) -> Result<()> {
        let Judged { of_states, rejected_of_states, orders, lines, lines_rejected } = self.judged;
        let snapshot = self.stats.snapshot();
        let rows = Rows {
            read: snapshot.rows_read.saturating_sub(of_states + orders) + lines,
            rejected: snapshot.rows_rejected.values().sum::<u64>().saturating_sub(rejected_of_states) + lines_rejected,
            left_out: self.ledger.causes.wholly_rejected(),
            are_saved: self.ledger.open.is_some(),
        };
        let reading = self.lines_read.as_ref().unwrap_or(&self.spec.reading);
        verdict(&self.spec, reading, &rows, self.ledger.causes.take(), &self.stats.notes())
    }
}

/// What a part of a run found that only the whole can be judged by.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Unjudged {
    causes: Causes,
    /// Rows of each input that were read and rejected.
    inputs: BTreeMap<String, (u64, u64)>,
    ends: Ends,
}

impl Unjudged {
    pub(super) fn of(ledger: &Ledger) -> Self {
        Unjudged { causes: ledger.causes.take(), inputs: ledger.causes.inputs(), ends: *crate::base::threads::lock(&ledger.ends) }
    }
}

impl Merge for Unjudged {
    fn merge(&mut self, more: Unjudged) {
        self.causes.merge(more.causes);
        for (input, (read, rejected)) in more.inputs {
            let known = self.inputs.entry(input).or_default();
            *known = (known.0 + read, known.1 + rejected);
        }
        self.ends = self.ends.and(more.ends);
    }
}

/// Judges the parts of a run that goes into a state, given their rows, their rejected rows and their notes. Gives the notes with what only
/// the whole shows.
///
/// # Errors
/// What one process would fail with.
pub(crate) fn judge_parts(spec: &Spec, (read, rejected): (u64, u64), parts: Unjudged, notes: Notes) -> Result<Notes> {
    mapping::judge(&notes)?;
    let Unjudged { causes, inputs, ends } = parts;
    let stats = Stats::default();
    let left_out = inputs.into_iter().filter(|(_, (read, rejected))| *read > 0 && rejected >= read).map(|(input, (read, _))| (input, read));
    let rows = Rows { read, rejected, left_out: left_out.collect(), are_saved: true };
    let spec = Spec { fail_fast: true, ..spec.clone() };
    verdict(&spec, &spec.reading, &rows, causes, &notes)?;
    stats.share_notes(notes);
    super::note_ends(ends, &stats);
    Ok(stats.notes())
}
