//! Pictures as inline SVG: a [`Canvas`] takes marks (bars, lines, areas, cells, ribbons, texts) and gives one `<svg>` with its title and
//! description.
//!
//! | file | owns |
//! |---|---|
//! | here | the canvas, and how coordinates are written |
//! | `linear_scale` | from numbers to coordinates, and the round numbers of an axis |
//! | `mark_paths` | bars with round ends, lines and areas through points, ribbons between two bars |
//!
//! Colours and fonts are classes, which the page's style sheet says: a picture is right in light, in dark and on paper. Coordinates are
//! floats, written with one decimal, so that equal answers are equal bytes; numbers that people read come as texts. Every text is escaped
//! here, and nowhere else.

mod linear_scale;
mod mark_paths;

pub(super) use linear_scale::LinearScale;
pub(super) use mark_paths::{area, hatching, polyline, ribbon, rounded};

use std::fmt::Write;

/// A coordinate with one decimal at most.
pub(super) fn at(coordinate: f64) -> String {
    let coordinate = if coordinate.is_finite() { coordinate.clamp(-99_999.0, 99_999.0) } else { 0.0 };
    let text = format!("{coordinate:.1}");
    match text.strip_suffix(".0").unwrap_or(&text) {
        "-0" => "0".to_owned(),
        text => text.to_owned(),
    }
}

/// A text between or in tags.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\'' => out += "&#39;",
            // No document may hold these.
            '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            _ => out.push(c),
        }
    }
    out
}

/// A rectangle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Area {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

impl Area {
    pub(super) fn new(x: f64, y: f64, width: f64, height: f64) -> Self {
        Area { x, y, width, height }
    }

    pub(super) fn bottom(self) -> f64 {
        self.y + self.height
    }

    pub(super) fn right(self) -> f64 {
        self.x + self.width
    }
}

/// A picture under construction.
#[derive(Debug)]
pub(super) struct Canvas {
    width: f64,
    height: f64,
    marks: String,
}

impl Canvas {
    pub(super) fn new(width: f64, height: f64) -> Self {
        Canvas { width, height, marks: String::new() }
    }

    /// Adds a mark that is written already.
    fn mark(&mut self, mark: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = self.marks.write_fmt(mark);
    }

    /// A bar or a cell. One with a tooltip shows it where the pointer rests.
    pub(super) fn cell(&mut self, area: Area, class: &str, tooltip: &str) {
        let (x, y, width, height) = (at(area.x), at(area.y), at(area.width.max(0.0)), at(area.height.max(0.0)));
        self.mark(format_args!("<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\""));
        self.close("rect", tooltip);
    }

    /// Anything that is a path: see [`polyline`], [`area`], [`ribbon`] and [`rounded`].
    pub(super) fn path(&mut self, path: &str, class: &str, tooltip: &str) {
        self.mark(format_args!("<path class=\"{class}\" d=\"{path}\""));
        self.close("path", tooltip);
    }

    /// A straight line.
    pub(super) fn line(&mut self, from: (f64, f64), to: (f64, f64), class: &str) {
        self.path(&polyline(&[from, to]), class, "");
    }

    /// A dot.
    pub(super) fn dot(&mut self, (x, y): (f64, f64), radius: f64, class: &str, tooltip: &str) {
        self.mark(format_args!("<circle class=\"{class}\" cx=\"{}\" cy=\"{}\" r=\"{}\"", at(x), at(y), at(radius)));
        self.close("circle", tooltip);
    }

    /// A text whose base line begins there; the classes `middle` and `end` have it around or before the place.
    pub(super) fn text(&mut self, (x, y): (f64, f64), class: &str, text: &str) {
        let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
        self.mark(format_args!("<text{class} x=\"{}\" y=\"{}\">{}</text>", at(x), at(y), escape(text)));
    }

    fn close(&mut self, tag: &str, tooltip: &str) {
        match tooltip {
            "" => self.mark(format_args!("/>")),
            _ => self.mark(format_args!("><title>{}</title></{tag}>", escape(tooltip))),
        }
    }

    /// The picture; `name` is what no other picture of the page is called.
    pub(super) fn finish(self, name: &str, title: &str, description: &str) -> String {
        let (width, height, name) = (at(self.width), at(self.height), escape(name));
        format!(
            "<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-labelledby=\"{name}-title {name}-desc\">\
            <title id=\"{name}-title\">{}</title><desc id=\"{name}-desc\">{}</desc>{}</svg>",
            escape(title),
            escape(description),
            self.marks
        )
    }

    /// A picture beside a number that says it all: screen readers pass it by.
    pub(super) fn finish_silent(self, class: &str) -> String {
        let (width, height) = (at(self.width), at(self.height));
        format!("<svg class=\"{class}\" viewBox=\"0 0 {width} {height}\" aria-hidden=\"true\">{}</svg>", self.marks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coordinates_are_short_and_always_the_same() {
        assert_eq!([0.04, -0.04, 1.25, 100.0, f64::NAN, f64::INFINITY, 1e300].map(at), ["0", "0", "1.2", "100", "0", "0", "99999"]);
    }

    #[test]
    fn texts_are_texts() {
        let mut canvas = Canvas::new(10.0, 10.0);
        canvas.text((1.0, 2.0), "", "</text><script>&\"'\u{1}");
        canvas.cell(Area::new(0.0, 0.0, -1.0, 2.0), "c", "<b>");
        let svg = canvas.finish("a", "<title>", "x");
        assert!(!svg.contains("<script") && !svg.contains("<b>") && svg.contains("&lt;script&gt;&amp;&quot;&#39;\u{fffd}"), "{svg}");
        assert!(svg.contains("width=\"0\" height=\"2\""), "{svg}");
    }
}
