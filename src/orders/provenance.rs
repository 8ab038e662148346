//! Places: where a line came from, in 64 bits. The highest say in which chunk of the source it was, the others its row in that; so places
//! ascend as the input does, whoever read it, and what they stand for is looked up only when somebody must be told.

use crate::base::threads::lock;
use crate::model::line_batch::TransactionBatch;
use crate::model::period_batch::Origin;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// Bits of the row: a chunk has fewer than 2³⁸ of them.
const ROW: u32 = 38;

/// What places stand for.
#[derive(Debug, Default)]
pub(super) struct Provenance(Mutex<BTreeMap<u64, Stretch>>);

/// Rows that follow each other in one input.
#[derive(Debug, Clone)]
struct Stretch {
    origin: Arc<Origin>,
    row: u64,
    line: Option<u64>,
}

/// The place of a chunk's first row.
pub(super) fn of_chunk(number: u64) -> u64 {
    number << ROW
}

impl Provenance {
    /// Says where a batch is that begins at a place.
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

    /// The input, the row and the line at a place.
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
