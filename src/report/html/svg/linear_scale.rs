//! From numbers to coordinates, and the round numbers that an axis shows.

/// A straight line through two points.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct LinearScale {
    from: (f64, f64),
    to: (f64, f64),
}

impl LinearScale {
    /// A scale on which the numbers of a range lie between two coordinates. A range of one number lies at the first.
    pub(in super::super) fn new(numbers: (f64, f64), coordinates: (f64, f64)) -> Self {
        LinearScale { from: numbers, to: coordinates }
    }

    /// Where a number lies; never outside the coordinates.
    pub(in super::super) fn at(&self, number: f64) -> f64 {
        let ((low, high), (start, end)) = (self.from, self.to);
        let share = (number - low) / (high - low);
        if share.is_finite() { start + share.clamp(0.0, 1.0) * (end - start) } else { start }
    }

    /// Round numbers in the range, at steps of 1, 2 or 5 times a power of ten: about so many, and never more than twice as many.
    pub(in super::super) fn ticks(&self, about: usize) -> Vec<f64> {
        let (low, high) = self.from;
        let step = step((high - low) / about.max(1) as f64);
        if !step.is_finite() || step <= 0.0 {
            return vec![low];
        }
        let (first, last) = ((low / step - 1e-9).ceil(), (high / step + 1e-9).floor());
        let count = (last - first).clamp(0.0, 2.0 * about.max(1) as f64) as usize;
        (0..=count).map(|i| (first + i as f64) * step).collect()
    }
}

/// The least of 1, 2 and 5 times a power of ten that is not below a number.
fn step(number: f64) -> f64 {
    let power = 10_f64.powf(number.log10().floor());
    let rest = number / power;
    power * [1.0, 2.0, 5.0].into_iter().find(|&round| rest <= round * (1.0 + 1e-9)).unwrap_or(10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_lie_between_the_coordinates() {
        let scale = LinearScale::new((0.0, 200.0), (100.0, 0.0));
        assert_eq!([0.0, 50.0, 200.0, 300.0, -1.0, f64::NAN].map(|n| scale.at(n)), [100.0, 75.0, 0.0, 0.0, 100.0, 100.0]);
        assert_eq!(LinearScale::new((3.0, 3.0), (10.0, 20.0)).at(3.0), 10.0);
    }

    #[test]
    fn ticks_are_round() {
        let ticks = |low: f64, high: f64, about| LinearScale::new((low, high), (0.0, 1.0)).ticks(about);
        assert_eq!(ticks(0.0, 100.0, 4), [0.0, 50.0, 100.0]);
        assert_eq!(ticks(0.0, 9.0, 4), [0.0, 5.0]);
        assert_eq!(ticks(0.0, 80.0, 4), [0.0, 20.0, 40.0, 60.0, 80.0]);
        assert_eq!(ticks(-3.0, 3.0, 3), [-2.0, 0.0, 2.0]);
        assert_eq!(ticks(0.0, 1e15, 2), [0.0, 5e14, 1e15]);
        assert_eq!(ticks(5.0, 5.0, 3), [5.0]);
        assert_eq!(ticks(0.0, f64::INFINITY, 3).len(), 1);
        assert!((0..100).all(|i| ticks(0.0, 1.0 + f64::from(i) * 7.3, 3).len() <= 7));
    }
}
