//! Provenance: the input and the row that a line came from.
//!
//! A line carries its position only, in 64 bits: the highest are the number of its chunk in the source, the others its row in that chunk. So
//! positions ascend as the input does, whichever thread read it. The input and the row are looked up when they must be shown.

use crate::base::threads::lock;
use crate::model::line_batch::TransactionBatch;
use crate::model::period_batch::Origin;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// Bits of the row: a chunk has fewer than 2³⁸ of them.
const ROW: u32 = 38;

/// The inputs and rows that positions stand for.
#[derive(Debug, Default)]
pub(super) struct Provenance(Mutex<BTreeMap<u64, Stretch>>);

/// Rows that follow each other in one input.
#[derive(Debug, Clone)]
struct Stretch {
    origin: Arc<Origin>,
    row: u64,
    line: Option<u64>,
}

/// The position of a chunk's first row.
pub(super) fn of_chunk(number: u64) -> u64 {
    number << ROW
}

/// Which input each position is of, when all have been read; nothing where there is but one.
#[derive(Debug, Default)]
pub(super) struct InputsOf(Vec<(u64, u32)>);

impl InputsOf {
    /// The number of the input that a line came from.
    #[inline]
    pub(super) fn of(&self, position: u64) -> u32 {
        if self.0.is_empty() {
            return 0;
        }
        let after = self.0.partition_point(|(first, _)| *first <= position);
        after.checked_sub(1).map_or(0, |at| self.0[at].1)
    }
}

impl Provenance {
    /// The inputs of all positions so far.
    pub(super) fn inputs(&self) -> InputsOf {
        let stretches = lock(&self.0);
        let (mut numbers, mut starts) = (BTreeMap::new(), Vec::new());
        for (&first, stretch) in &*stretches {
            let next = numbers.len() as u32;
            let number = *numbers.entry(stretch.origin.name.as_str()).or_insert(next);
            if starts.last().is_none_or(|(_, last)| *last != number) {
                starts.push((first, number));
            }
        }
        if numbers.len() < 2 {
            starts.clear();
        }
        InputsOf(starts)
    }

    /// Records the batch that begins at a position.
    pub(super) fn begin(&self, position: u64, batch: &TransactionBatch) {
        let stretch = Stretch { origin: batch.origin.clone(), row: batch.first_row, line: batch.first_line };
        let mut stretches = lock(&self.0);
        if let Some((before, known)) = stretches.range(..position).next_back() {
            let on = position - before;
            let same = known.origin == stretch.origin && before >> ROW == position >> ROW;
            if same && known.row + on == stretch.row && known.line.map(|line| line + on) == stretch.line {
                return;
            }
        }
        stretches.insert(position, stretch);
    }

    /// The input, the row and the line at a position, as they are shown.
    pub(super) fn place(&self, position: u64) -> String {
        let (name, row, line) = self.find(position);
        format!("{name}, row {row}{}", line.map_or(String::new(), |line| format!(" (line {line})")))
    }

    /// The input, the row and the line at a position.
    pub(super) fn find(&self, position: u64) -> (String, u64, Option<u64>) {
        let stretches = lock(&self.0);
        match stretches.range(..=position).next_back() {
            Some((first, Stretch { origin, row, line })) => {
                let on = position - first;
                (origin.name.clone(), row + on, line.map(|line| line + on))
            }
            None => (String::new(), 0, None),
        }
    }
}
