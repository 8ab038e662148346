//! The Gini coefficient: 0 where all values are alike, near 1 where one has everything.
//!
//! For x_1 ≤ … ≤ x_n with the sum R it is (2·Σ i·x_i) / (n·R) − (n+1)/n, rounded to 4 decimals half away from zero; 0.0000 where R is 0 or
//! there are no values (Gini 1912, in the form for sorted values, without a correction for small samples).
//!
//! Σ i·x_i takes the order of all values. A histogram that counts one by one has it. A cell with more than three values of its own has not,
//! but its count, sum, smallest and largest value bound its part from both sides: least where the values between are all alike, most where
//! each is one of the two. As a rule both ends round to the same coefficient. Where they do not, [`widest`] names the cells to be told apart.

use super::histogram::Cell;
use crate::base::money::Fixed4;
use arrow::datatypes::i256;

/// The most cells told apart for it at a time: 5 MiB.
const MOST_CELLS: usize = 128;

/// The coefficient of ascending cells that do not overlap, if they determine it.
pub(super) fn gini(cells: impl Iterator<Item = Cell>) -> Option<Fixed4> {
    let (mut n, mut sum, mut low, mut high) = (0u64, 0i128, 0i128, 0i128);
    for cell in cells {
        let before = i128::from(n).saturating_mul(cell.sum);
        let (least, most) = ordered_sum(&cell);
        low = low.saturating_add(before).saturating_add(least);
        high = high.saturating_add(before).saturating_add(most);
        n = n.saturating_add(cell.count);
        sum = sum.saturating_add(cell.sum);
    }
    let (least, most) = (of_ordered_sum(n, sum, low), of_ordered_sum(n, sum, high));
    (least == most).then_some(least)
}

/// The coefficient of n values with a sum, given Σ i·x_i.
pub(crate) fn of_ordered_sum(n: u64, sum: i128, ordered_sum: i128) -> Fixed4 {
    let wide = i256::from_i128;
    let (n, sum, twice) = (wide(n.into()), wide(sum), wide(ordered_sum).wrapping_mul(wide(2)));
    let numerator = twice.wrapping_sub(n.wrapping_add(wide(1)).wrapping_mul(sum));
    Fixed4::quotient(numerator, n.wrapping_mul(sum))
}

/// The places of the cells that leave most of it open.
pub(super) fn widest(cells: impl Iterator<Item = Cell>) -> Vec<usize> {
    let gap = |cell: &Cell| {
        let (least, most) = ordered_sum(cell);
        most.saturating_sub(least)
    };
    let mut gaps: Vec<(i128, usize)> = cells.enumerate().map(|(at, cell)| (gap(&cell), at)).filter(|(gap, _)| *gap > 0).collect();
    gaps.sort_unstable_by(|a, b| b.cmp(a));
    gaps.into_iter().take(MOST_CELLS).map(|(_, at)| at).collect()
}

/// The least and the most that Σ j·x_j can be over the cell's own values, x_1 ≤ … ≤ x_count.
fn ordered_sum(cell: &Cell) -> (i128, i128) {
    let (count, min, max) = (i128::from(cell.count), i128::from(cell.min), i128::from(cell.max));
    if cell.is_one_value() || count < 2 {
        let known = up_to(count).saturating_mul(min);
        return (known, known);
    }
    // The ends are known; the others lie between them, from the second place on.
    let between = count - 2;
    let sum = cell.sum.saturating_sub(min).saturating_sub(max);
    let ends = min.saturating_add(max.saturating_mul(count)).saturating_add(sum);
    let alike = sum.saturating_mul(between + 1);
    let least = alike / 2 + alike % 2;
    // As many at the upper end as the sum allows, one somewhere, the rest at the lower end.
    let (width, above) = (max - min, sum.saturating_sub(between.saturating_mul(min)).max(0));
    let at_end = (above / width).min(between);
    let rest = if at_end == between { 0 } else { above % width };
    let places_at_end = up_to(between) - up_to(between - at_end);
    let most = up_to(between).saturating_mul(min).saturating_add(width.saturating_mul(places_at_end));
    let most = most.saturating_add(rest.saturating_mul(between - at_end));
    (ends.saturating_add(least), ends.saturating_add(most.max(least)))
}

/// 1 + 2 + … + n.
fn up_to(n: i128) -> i128 {
    n.saturating_mul(n + 1) / 2
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::base::merge::Merge;
    use proptest::prelude::*;

    fn exact(values: &[i64]) -> i128 {
        (1..).zip(values).map(|(i, &x)| i * i128::from(x)).sum()
    }

    fn cell_of(values: &[i64]) -> Cell {
        values.iter().fold(Cell::EMPTY, |mut cell, &value| {
            cell.merge(Cell::of(value, 1));
            cell
        })
    }

    proptest! {
        #[test]
        fn a_cell_bounds_its_part(mut values in prop::collection::vec(prop_oneof![0..3i64, 0..1_000i64, any::<i64>()], 1..30)) {
            values.sort_unstable();
            let (least, most) = ordered_sum(&cell_of(&values));
            prop_assert!((least..=most).contains(&exact(&values)));
            if values.len() <= 3 || values[0] == values[values.len() - 1] {
                prop_assert_eq!(least, most);
            }
        }

        /// However the values lie in cells, it is that of the values, or open.
        #[test]
        fn cells_never_say_another(mut values in prop::collection::vec(prop_oneof![0..3i64, 0..1_000i64], 1..60), cut in 1..20usize) {
            values.sort_unstable();
            let whole = gini(values.iter().map(|&v| Cell::of(v, 1))).unwrap();
            prop_assert_eq!(whole, of_ordered_sum(values.len() as u64, values.iter().map(|&v| i128::from(v)).sum(), exact(&values)));
            let cells: Vec<Cell> = values.chunks(cut).map(cell_of).collect();
            prop_assert!(gini(cells.iter().copied()).is_none_or(|said| said == whole));
            prop_assert!(gini(cells.iter().copied()).is_some() || !widest(cells.into_iter()).is_empty());
        }
    }

    #[test]
    fn known_coefficients() {
        let of = |values: &[i64]| gini(values.iter().map(|&v| Cell::of(v, 1))).unwrap().to_string();
        assert_eq!(of(&[]), "0.0000");
        assert_eq!(of(&[0, 0]), "0.0000");
        assert_eq!(of(&[7]), "0.0000");
        assert_eq!(of(&[5, 5, 5]), "0.0000");
        assert_eq!(of(&[0, 0, 0, 1]), "0.7500");
        assert_eq!(of(&[1, 2, 3]), "0.2222");
        assert_eq!(of(&[0, i64::MAX]), "0.5000");
    }
}
