//! Telling the values of some cells apart: each cell becomes up to 1,024 narrower ones, which one more pass over the data fills.

use super::histogram::Cell;
use crate::base::merge::Merge;

/// A refinement divides a cell by as many bits at a time.
const BITS: u32 = 10;

/// Cells of equal width between two values.
#[derive(Debug, Clone)]
struct Range {
    min: i64,
    max: i64,
    /// None until there is a value.
    cells: Vec<Cell>,
}

impl Range {
    fn width(&self) -> u64 {
        self.max.wrapping_sub(self.min) as u64
    }

    fn shift(&self) -> u32 {
        (u64::BITS - self.width().leading_zeros()).saturating_sub(BITS)
    }

    /// Those that there are, or will be.
    fn len(&self) -> usize {
        (self.width() >> self.shift()) as usize + 1
    }

    fn add(&mut self, value: i64) {
        if self.cells.is_empty() {
            self.cells = vec![Cell::EMPTY; self.len()];
        }
        let at = (value.wrapping_sub(self.min) as u64 >> self.shift()) as usize;
        self.cells[at].merge(Cell::of(value, 1));
    }
}

/// Observes the values of some cells, ignoring others.
#[derive(Debug, Clone, Default)]
pub(crate) struct Refinement {
    /// The largest value of each range: what is searched, in one place.
    ends: Vec<i64>,
    /// Ascending, and they do not overlap.
    ranges: Vec<Range>,
}

impl Refinement {
    /// Of some cells, ascending.
    pub(super) fn of(cells: impl Iterator<Item = Cell>) -> Self {
        let ranges: Vec<Range> = cells.map(|cell| Range { min: cell.min, max: cell.max, cells: Vec::new() }).collect();
        Refinement { ends: ranges.iter().map(|range| range.max).collect(), ranges }
    }

    /// For the smallest value of each refined cell, the cells in its place.
    pub(super) fn into_cells(self) -> impl Iterator<Item = (i64, impl Iterator<Item = Cell>)> {
        self.ranges.into_iter().map(|range| (range.min, range.cells.into_iter().filter(|cell| cell.count > 0)))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The number of cells that it may come to hold.
    pub(crate) fn len(&self) -> usize {
        self.ranges.iter().map(Range::len).sum()
    }

    #[inline]
    pub(crate) fn add(&mut self, value: i64) {
        let at = self.ends.partition_point(|&end| end < value);
        if let Some(range) = self.ranges.get_mut(at).filter(|range| range.min <= value) {
            range.add(value);
        }
    }
}

/// Of the same ranges.
impl Merge for Refinement {
    fn merge(&mut self, other: Refinement) {
        for (mine, more) in self.ranges.iter_mut().zip(other.ranges) {
            if mine.cells.is_empty() {
                mine.cells = more.cells;
            } else {
                mine.cells.merge(more.cells);
            }
        }
    }
}
