//! The distribution of RFM scores: customers per score and window, counted in a pass over blocks whose scores are filled in.

use super::Lens;
use super::portable::{PortableLens, batch, for_windows, foreign, windows_of};
use crate::base::error::Result;
use crate::base::merge::Merge;
use crate::finalize::Block;
use crate::model::window::Window;
use arrow::array::{AsArray, RecordBatch, UInt16Array, UInt32Array, UInt64Array};
use arrow::datatypes::{UInt16Type, UInt32Type, UInt64Type};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Counts customers per RFM score and window. Observes blocks that have scores.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Distribution;

/// Customers per score, by the number that its three digits make.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ScoreCounts(Vec<u64>);

/// Scores have three digits.
const SCORES: usize = 1_000;

impl ScoreCounts {
    /// Counts customers with a score; false, and nothing counted, when it has more than three digits.
    #[inline]
    pub fn add(&mut self, score: u16, count: u64) -> bool {
        if self.0.is_empty() && count > 0 {
            self.0 = vec![0; SCORES];
        }
        let cell = self.0.get_mut(usize::from(score));
        cell.map(|cell| cell.merge(count)).is_some() || usize::from(score) < SCORES
    }

    fn iter(&self) -> impl Iterator<Item = (u16, u64)> {
        (0u16..).zip(self.0.iter().copied()).filter(|(_, n)| *n > 0)
    }
}

impl Merge for ScoreCounts {
    fn merge(&mut self, other: ScoreCounts) {
        for (score, n) in other.iter() {
            self.add(score, n);
        }
    }
}

impl Lens for Distribution {
    type Partial = Vec<ScoreCounts>;
    type Answer = Vec<BTreeMap<String, u64>>;

    fn empty(&self, windows: &[Window]) -> Vec<ScoreCounts> {
        vec![ScoreCounts::default(); windows.len()]
    }

    fn observe(&self, partial: &mut Vec<ScoreCounts>, block: &Block) {
        for (&window, &[r, f, m]) in block.window.iter().zip(&block.scores) {
            partial[window as usize].add(u16::from(r) * 100 + u16::from(f) * 10 + u16::from(m), 1);
        }
    }

    fn finish(&self, _: &[Window], partial: Vec<ScoreCounts>) -> Self::Answer {
        let named = |counts: ScoreCounts| counts.iter().map(|(score, n)| (format!("{score:03}"), n)).collect();
        partial.into_iter().map(named).collect()
    }
}

impl PortableLens for Distribution {
    /// One batch: `window` (its place in the run), `score` (the number that its digits make), `count`.
    fn encode(&self, partial: &Vec<ScoreCounts>, out: &mut Vec<RecordBatch>) -> Result<()> {
        let cells = || (0u32..).zip(partial).flat_map(|(window, counts)| counts.iter().map(move |(score, n)| (window, score, n)));
        let columns = batch([
            ("window", Arc::new(UInt32Array::from_iter_values(cells().map(|c| c.0))) as _),
            ("score", Arc::new(UInt16Array::from_iter_values(cells().map(|c| c.1))) as _),
            ("count", Arc::new(UInt64Array::from_iter_values(cells().map(|c| c.2))) as _),
        ])?;
        out.push(for_windows(columns, partial.len())?);
        Ok(())
    }

    fn decode(&self, batches: &mut dyn Iterator<Item = RecordBatch>) -> Result<Vec<ScoreCounts>> {
        let batch = batches.next().ok_or_else(|| foreign("distribution"))?;
        let columns = (
            batch.column_by_name("window").and_then(|a| a.as_primitive_opt::<UInt32Type>()),
            batch.column_by_name("score").and_then(|a| a.as_primitive_opt::<UInt16Type>()),
            batch.column_by_name("count").and_then(|a| a.as_primitive_opt::<UInt64Type>()),
        );
        let (Some(windows), Some(scores), Some(counts)) = columns else { return Err(foreign("distribution")) };
        let mut partial = vec![ScoreCounts::default(); windows_of(&batch).ok_or_else(|| foreign("distribution"))?];
        for row in 0..batch.num_rows() {
            let cells = partial.get_mut(windows.value(row) as usize).ok_or_else(|| foreign("distribution"))?;
            if !cells.add(scores.value(row), counts.value(row)) {
                return Err(foreign("distribution"));
            }
        }
        Ok(partial)
    }
}
