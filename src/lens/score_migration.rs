//! How scores change from one window to the next: customers by their score in either, per measure and pair of adjacent windows. Observes
//! blocks that have scores.

use super::Lens;
use super::portable::{PortableLens, batch, complete, foreign};
use crate::base::error::Result;
use crate::base::merge::Merge;
use crate::finalize::Block;
use crate::model::window::Window;
use arrow::array::{AsArray, RecordBatch, UInt8Array, UInt32Array, UInt64Array};
use arrow::datatypes::{UInt8Type, UInt32Type, UInt64Type};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Counts customers by the scores that they have in two adjacent windows.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ScoreMigrations {
    /// How many pairs of windows there are.
    pairs: usize,
}

/// A score has one digit, and 0 is that of a customer who is not active.
const DIGITS: usize = 10;

/// Customers of a pair of windows, by measure and scores. Has no cells before the first customer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ScoreMoves(Vec<u64>);

impl ScoreMoves {
    /// Counts customers with a score of a measure (0 recency, 1 frequency, 2 monetary) in either window; false, and nothing counted, when
    /// there is no such measure or score.
    #[inline]
    pub fn add(&mut self, measure: usize, [from, to]: [u8; 2], customers: u64) -> bool {
        let there = measure < 3 && usize::from(from.max(to)) < DIGITS;
        if there && customers > 0 {
            self.cell(measure, from, to).merge(customers);
        }
        there
    }

    /// Counts a customer with scores of all measures in either window; 0 where they are not active. Scores have one digit.
    #[inline]
    fn count(&mut self, before: [u8; 3], after: [u8; 3]) {
        for (measure, (from, to)) in before.into_iter().zip(after).enumerate() {
            *self.cell(measure, from, to) += 1;
        }
    }

    /// The cell of a measure below 3 and scores below [`DIGITS`], for which room is made.
    #[inline]
    fn cell(&mut self, measure: usize, from: u8, to: u8) -> &mut u64 {
        if self.0.is_empty() {
            self.0 = vec![0; 3 * DIGITS * DIGITS];
        }
        &mut self.0[(measure * DIGITS + usize::from(from)) * DIGITS + usize::from(to)]
    }

    fn iter(&self) -> impl Iterator<Item = (usize, [u8; 2], u64)> {
        let place = |at: usize| (at / DIGITS / DIGITS, [at / DIGITS % DIGITS, at % DIGITS].map(|digit| digit as u8));
        let cells = self.0.iter().copied().enumerate().filter(|(_, n)| *n > 0);
        cells.map(move |(at, n)| (place(at).0, place(at).1, n))
    }
}

impl Merge for ScoreMoves {
    fn merge(&mut self, other: ScoreMoves) {
        self.0.merge(other.0);
    }
}

/// Customers by their score in the first window, then by that in the second; 0 for those who are not active there. Only what occurs.
pub type MovesByScore = BTreeMap<u8, BTreeMap<u8, u64>>;

/// The score migration of a pair of windows.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ScoreMigration {
    /// Recency scores.
    pub r: MovesByScore,
    /// Frequency scores.
    pub f: MovesByScore,
    /// Monetary scores.
    pub m: MovesByScore,
}

impl ScoreMigrations {
    /// For these windows.
    pub fn new(windows: &[Window]) -> Self {
        ScoreMigrations { pairs: windows.len().saturating_sub(1) }
    }
}

impl Lens for ScoreMigrations {
    type Partial = Vec<ScoreMoves>;
    type Answer = Vec<ScoreMigration>;

    fn empty(&self, windows: &[Window]) -> Vec<ScoreMoves> {
        vec![ScoreMoves::default(); windows.len().saturating_sub(1)]
    }

    /// As [`migrations`](super::lens2::migrations) goes through a block. But who stays is not guessed by a branch here, which would be
    /// wrong half of the time, and it makes no difference who was seen before.
    fn observe(&self, partial: &mut Vec<ScoreMoves>, block: &Block) {
        let rows = block.customer.len();
        let (customers, windows, scores) = (&block.customer[..rows], &block.window[..rows], &block.scores[..rows]);
        let mut follows = false;
        for row in 0..rows {
            let (window, next) = (windows[row] as usize, (row + 1).min(rows - 1));
            let stays = (next > row) & (customers[next] == customers[row]) & (windows[next] as usize == window + 1);
            if let Some(moves) = partial.get_mut(window) {
                moves.count(scores[row], scores[next].map(|score| score * u8::from(stays)));
            }
            if !follows && window > 0 {
                partial[window - 1].count([0; 3], scores[row]);
            }
            follows = stays;
        }
    }

    fn finish(&self, _: &[Window], partial: Vec<ScoreMoves>) -> Vec<ScoreMigration> {
        let named = |moves: ScoreMoves| {
            let mut migration = ScoreMigration::default();
            for (measure, [from, to], customers) in moves.iter() {
                let cells = [&mut migration.r, &mut migration.f, &mut migration.m].into_iter().nth(measure);
                cells.into_iter().for_each(|cells| _ = cells.entry(from).or_default().insert(to, customers));
            }
            migration
        };
        partial.into_iter().map(named).collect()
    }
}

impl PortableLens for ScoreMigrations {
    /// One batch: `pair` (the place of its first window), `measure` (0 recency, 1 frequency, 2 monetary), `from`, `to`, `count`.
    fn encode(&self, partial: &Vec<ScoreMoves>, out: &mut Vec<RecordBatch>) -> Result<()> {
        let cells: Vec<(u32, usize, [u8; 2], u64)> =
            (0u32..).zip(partial).flat_map(|(pair, moves)| moves.iter().map(move |(m, scores, n)| (pair, m, scores, n))).collect();
        out.push(batch([
            ("pair", Arc::new(UInt32Array::from_iter_values(cells.iter().map(|c| c.0))) as _),
            ("measure", Arc::new(UInt8Array::from_iter_values(cells.iter().map(|c| c.1 as u8))) as _),
            ("from", Arc::new(UInt8Array::from_iter_values(cells.iter().map(|c| c.2[0]))) as _),
            ("to", Arc::new(UInt8Array::from_iter_values(cells.iter().map(|c| c.2[1]))) as _),
            ("count", Arc::new(UInt64Array::from_iter_values(cells.iter().map(|c| c.3))) as _),
        ])?);
        Ok(())
    }

    fn decode(&self, batches: &mut dyn Iterator<Item = RecordBatch>) -> Result<Vec<ScoreMoves>> {
        self.decoded(batches).ok_or_else(|| foreign("score migration"))
    }
}

impl ScoreMigrations {
    fn decoded(&self, batches: &mut dyn Iterator<Item = RecordBatch>) -> Option<Vec<ScoreMoves>> {
        let batch = complete(batches.next()?)?;
        let pairs = batch.column_by_name("pair")?.as_primitive_opt::<UInt32Type>()?;
        let measures = batch.column_by_name("measure")?.as_primitive_opt::<UInt8Type>()?;
        let from = batch.column_by_name("from")?.as_primitive_opt::<UInt8Type>()?;
        let to = batch.column_by_name("to")?.as_primitive_opt::<UInt8Type>()?;
        let counts = batch.column_by_name("count")?.as_primitive_opt::<UInt64Type>()?;
        let mut partial = vec![ScoreMoves::default(); self.pairs];
        for row in 0..batch.num_rows() {
            let moves = partial.get_mut(pairs.value(row) as usize)?;
            if !moves.add(measures.value(row).into(), [from.value(row), to.value(row)], counts.value(row)) {
                return None;
            }
        }
        Some(partial)
    }
}
