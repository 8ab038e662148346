//! The paths of marks: lines and areas through points, bars with round ends, ribbons between two bars.

use super::{Area, at};
use std::fmt::Write;

/// Between the lines of hatching.
const STEP: f64 = 7.0;

/// A line through points.
pub(in super::super) fn polyline(points: &[(f64, f64)]) -> String {
    let mut path = String::new();
    for (i, &(x, y)) in points.iter().enumerate() {
        // Writing to a String cannot fail.
        let _ = write!(path, "{}{} {}", if i == 0 { "M" } else { "L" }, at(x), at(y));
    }
    path
}

/// What lies between points and a base line.
pub(in super::super) fn area(points: &[(f64, f64)], base: f64) -> String {
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return String::new() };
    format!("{}L{} {}L{} {}Z", polyline(points), at(last.0), at(base), at(first.0), at(base))
}

/// Slanted lines that fill a rectangle.
pub(in super::super) fn hatching(area: Area) -> String {
    let mut path = String::new();
    let mut from = STEP / 2.0;
    // Each goes up to the right, from the left or the lower edge to the upper or the right one.
    while from < area.width + area.height {
        let start = (area.x + (from - area.height).max(0.0), area.y + from.min(area.height));
        let end = (area.x + from.min(area.width), area.y + (from - area.width).max(0.0));
        path += &polyline(&[start, end]);
        from += STEP;
    }
    path
}

/// A bar with two round corners at the end that is away from its base; upright, or lying with its base to the left.
pub(in super::super) fn rounded(bar: Area, is_upright: bool) -> String {
    let Area { x, y, width, height } = bar;
    let (width, height) = (width.max(0.0), height.max(0.0));
    let r = 2.5_f64.min(width / 2.0).min(height / 2.0);
    let n = at;
    if is_upright {
        let (left, right, base) = (n(x), n(x + width), n(y + height));
        let (top, below) = (n(y), n(y + r));
        return format!(
            "M{left} {base}V{below}Q{left} {top} {} {top}H{}Q{right} {top} {right} {below}V{base}Z",
            n(x + r),
            n(x + width - r)
        );
    }
    let (top, bottom, base, end) = (n(y), n(y + height), n(x), n(x + width));
    let before = n(x + width - r);
    format!("M{base} {top}H{before}Q{end} {top} {end} {}V{}Q{end} {bottom} {before} {bottom}H{base}Z", n(y + r), n(y + height - r))
}

/// A ribbon from one upright edge (x, top, bottom) to another.
pub(in super::super) fn ribbon((x1, top1, bottom1): (f64, f64, f64), (x2, top2, bottom2): (f64, f64, f64)) -> String {
    let (a, b, middle) = (at(x1), at(x2), at((x1 + x2) / 2.0));
    format!(
        "M{a} {t1}C{middle} {t1} {middle} {t2} {b} {t2}V{b2}C{middle} {b2} {middle} {b1} {a} {b1}Z",
        t1 = at(top1),
        t2 = at(top2),
        b1 = at(bottom1),
        b2 = at(bottom2)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        assert_eq!(polyline(&[(0.0, 1.0), (2.5, 3.0)]), "M0 1L2.5 3");
        assert_eq!(area(&[(0.0, 1.0), (2.0, 3.0)], 10.0), "M0 1L2 3L2 10L0 10Z");
        assert_eq!(area(&[], 1.0), "");
        assert_eq!(hatching(Area::new(0.0, 0.0, 10.0, 5.0)), "M0 3.5L3.5 0M5.5 5L10 0.5");
        assert_eq!(rounded(Area::new(0.0, 0.0, 10.0, 20.0), true), "M0 20V2.5Q0 0 2.5 0H7.5Q10 0 10 2.5V20Z");
        assert_eq!(rounded(Area::new(0.0, 0.0, 10.0, 0.0), false), "M0 0H10Q10 0 10 0V0Q10 0 10 0H0Z");
        assert_eq!(ribbon((0.0, 0.0, 10.0), (20.0, 5.0, 15.0)), "M0 0C10 0 10 5 20 5V15C10 15 10 10 0 10Z");
    }
}
