//! The distribution of RFM scores: customers, orders and revenue per score and window, summed in a pass over blocks whose scores are
//! filled in.

use super::Lens;
use super::portable::{PortableLens, batch, complete, for_windows, foreign, sums, windows_of};
use crate::base::error::Result;
use crate::base::merge::Merge;
use crate::base::money::{Fixed2, Money};
use crate::finalize::Block;
use crate::model::window::Window;
use arrow::array::{AsArray, RecordBatch, UInt16Array, UInt32Array, UInt64Array};
use arrow::datatypes::{Decimal128Type, UInt16Type, UInt32Type, UInt64Type};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Sums per RFM score and window. Observes blocks that have scores.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Distribution;

/// The customers of one score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ScoreCell {
    /// Customers.
    pub customers: u64,
    /// Their orders.
    pub orders: i128,
    /// What they spent.
    pub revenue: Money,
}

impl Merge for ScoreCell {
    #[inline]
    fn merge(&mut self, other: ScoreCell) {
        self.customers.merge(other.customers);
        self.orders = self.orders.saturating_add(other.orders);
        self.revenue = Fixed2::from_hundredths(self.revenue.hundredths().saturating_add(other.revenue.hundredths()));
    }
}

/// Sums per score, by the score's three digits.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ScoreCells {
    /// One more than the largest digit there is room for: 0 without customers, 6 for the usual 5 bins, or 10.
    side: u16,
    cells: Vec<ScoreCell>,
}

const USUAL_SIDE: u16 = 6;
const LARGEST_SIDE: u16 = 10;

impl ScoreCells {
    /// Adds customers of a score; false, and nothing added, when one of its digits is above 9.
    #[inline]
    pub fn add(&mut self, score: [u8; 3], cell: ScoreCell) -> bool {
        if cell.customers == 0 {
            return score.iter().all(|&digit| u16::from(digit) < LARGEST_SIDE);
        }
        self.cell(score).map(|known| known.merge(cell)).is_some()
    }

    /// Adds a customer of a score.
    #[inline]
    fn count(&mut self, score: [u8; 3], orders: i64, cents: i64) {
        if let Some(cell) = self.cell(score) {
            cell.customers += 1;
            cell.orders += i128::from(orders);
            cell.revenue += Fixed2::from_hundredths(cents.into());
        }
    }

    /// The cell of a score, for which room is made; none when one of its digits is above 9.
    #[inline]
    fn cell(&mut self, score: [u8; 3]) -> Option<&mut ScoreCell> {
        let [r, f, m] = score.map(u16::from);
        let digit = r.max(f).max(m);
        if digit >= self.side && !self.reach(digit) {
            return None;
        }
        self.cells.get_mut(usize::from((r * self.side + f) * self.side + m))
    }

    /// Makes room for a digit.
    #[inline(never)]
    fn reach(&mut self, digit: u16) -> bool {
        let side = if digit < USUAL_SIDE { USUAL_SIDE } else { LARGEST_SIDE };
        if digit >= side {
            return false;
        }
        let mut larger = ScoreCells { side, cells: vec![ScoreCell::default(); usize::from(side * side * side)] };
        self.iter().for_each(|(score, cell)| _ = larger.add(score, cell));
        *self = larger;
        true
    }

    fn iter(&self) -> impl Iterator<Item = ([u8; 3], ScoreCell)> {
        let side = self.side;
        let digits = move |at: u16| [at / side / side, at / side % side, at % side].map(|digit| digit as u8);
        (0u16..).zip(self.cells.iter().copied()).filter(|(_, cell)| cell.customers > 0).map(move |(at, cell)| (digits(at), cell))
    }
}

impl Merge for ScoreCells {
    fn merge(&mut self, other: ScoreCells) {
        if self.cells.is_empty() {
            *self = other;
            return;
        }
        for (score, cell) in other.iter() {
            self.add(score, cell);
        }
    }
}

impl Lens for Distribution {
    type Partial = Vec<ScoreCells>;
    type Answer = Vec<BTreeMap<String, ScoreCell>>;

    fn empty(&self, windows: &[Window]) -> Vec<ScoreCells> {
        vec![ScoreCells::default(); windows.len()]
    }

    fn observe(&self, partial: &mut Vec<ScoreCells>, block: &Block) {
        let values = block.scores.iter().zip(&block.frequency).zip(&block.total_spend);
        for (&window, ((&score, &orders), &spend)) in block.window.iter().zip(values) {
            partial[window as usize].count(score, orders, spend);
        }
    }

    fn finish(&self, _: &[Window], partial: Vec<ScoreCells>) -> Self::Answer {
        let named = |cells: ScoreCells| cells.iter().map(|([r, f, m], cell)| (format!("{r}{f}{m}"), cell)).collect();
        partial.into_iter().map(named).collect()
    }
}

impl PortableLens for Distribution {
    /// One batch: `window` (its place in the run), `score` (the number that its digits make), `count`, `orders`, `revenue` (cents).
    fn encode(&self, partial: &Vec<ScoreCells>, out: &mut Vec<RecordBatch>) -> Result<()> {
        let cells = || (0u32..).zip(partial).flat_map(|(window, cells)| cells.iter().map(move |(score, cell)| (window, score, cell)));
        let number = |[r, f, m]: [u8; 3]| u16::from(r) * 100 + u16::from(f) * 10 + u16::from(m);
        let columns = batch([
            ("window", Arc::new(UInt32Array::from_iter_values(cells().map(|c| c.0))) as _),
            ("score", Arc::new(UInt16Array::from_iter_values(cells().map(|c| number(c.1)))) as _),
            ("count", Arc::new(UInt64Array::from_iter_values(cells().map(|c| c.2.customers))) as _),
            ("orders", sums(cells().map(|c| c.2.orders))),
            ("revenue", sums(cells().map(|c| c.2.revenue.hundredths()))),
        ])?;
        out.push(for_windows(columns, partial.len())?);
        Ok(())
    }

    fn decode(&self, batches: &mut dyn Iterator<Item = RecordBatch>) -> Result<Vec<ScoreCells>> {
        decoded(batches).ok_or_else(|| foreign("distribution"))
    }
}

fn decoded(batches: &mut dyn Iterator<Item = RecordBatch>) -> Option<Vec<ScoreCells>> {
    let batch = complete(batches.next()?)?;
    let windows = batch.column_by_name("window")?.as_primitive_opt::<UInt32Type>()?;
    let scores = batch.column_by_name("score")?.as_primitive_opt::<UInt16Type>()?;
    let counts = batch.column_by_name("count")?.as_primitive_opt::<UInt64Type>()?;
    let orders = batch.column_by_name("orders")?.as_primitive_opt::<Decimal128Type>()?;
    let revenue = batch.column_by_name("revenue")?.as_primitive_opt::<Decimal128Type>()?;
    let mut partial = vec![ScoreCells::default(); windows_of(&batch)?];
    for row in 0..batch.num_rows() {
        let score = scores.value(row);
        let digits = [score / 100, score / 10 % 10, score % 10].map(|digit| digit as u8);
        let cell =
            ScoreCell { customers: counts.value(row), orders: orders.value(row), revenue: Fixed2::from_hundredths(revenue.value(row)) };
        let cells = partial.get_mut(windows.value(row) as usize)?;
        if score > 999 || !cells.add(digits, cell) {
            return None;
        }
    }
    Some(partial)
}
