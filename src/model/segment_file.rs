//! The rules of segments as a file has them, TOML or JSON: a list of `segment`, each with a name and ranges.

use crate::base::error::{Error, Result};
use crate::base::money::Fixed2;
use crate::model::segments::{ALL, INACTIVE, MEASURES, MONEY, NAMES, OTHER, Rule, Segments, Span};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The most rules: far more than anybody looks at, and so few that the matrix of moves stays small.
const MOST_RULES: usize = 100;
/// The longest name: it has to fit a column.
const LONGEST_NAME: usize = 60;

/// As it is read.
pub(super) fn shown(span: Span, money: bool) -> String {
    let value = |value: i64| if money { Fixed2::from_hundredths(value.into()).to_string() } else { value.to_string() };
    match span {
        Span { from, to } if from == to => value(from),
        Span { from: i64::MIN, to } => format!("..{}", value(to)),
        Span { from, to: i64::MAX } => format!("{}..", value(from)),
        Span { from, to } => format!("{}..{}", value(from), value(to)),
    }
}

/// A range as a file has it: `4`, `"2..3"`, `"4.."`, `"..30"`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged, expecting = "a number, or a text such as \"2..3\", \"4..\" or \"..30\", is expected")]
enum RangeText {
    Whole(i64),
    Decimal(f64),
    Text(String),
}

impl fmt::Display for RangeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RangeText::Whole(number) => number.fmt(f),
            RangeText::Decimal(number) => number.fmt(f),
            RangeText::Text(text) => f.write_str(text),
        }
    }
}

/// The rules of a file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SegmentFile {
    #[serde(default)]
    exclusive: bool,
    segment: Vec<SegmentEntry>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SegmentEntry {
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    r: Option<RangeText>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    f: Option<RangeText>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    m: Option<RangeText>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    orders: Option<RangeText>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    recency_days: Option<RangeText>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    total_spend: Option<RangeText>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    monetary: Option<RangeText>,
}

/// The least value of each measure that a customer can have: scores and orders begin at 1.
const LEAST: [i64; MEASURES] = [1, 1, 1, 1, 0, 0, 0];

impl SegmentEntry {
    fn ranges(&self) -> [&Option<RangeText>; MEASURES] {
        [&self.r, &self.f, &self.m, &self.orders, &self.recency_days, &self.total_spend, &self.monetary]
    }

    fn spans(&self) -> Result<[Span; MEASURES]> {
        let mut spans = [ALL; MEASURES];
        for (at, (span, range)) in spans.iter_mut().zip(self.ranges()).enumerate() {
            if let Some(range) = range {
                let read = read_span(&range.to_string(), at >= MONEY).and_then(|span| match span.to < LEAST[at] {
                    true => Err("no customer has so little"),
                    false => Ok(span),
                });
                *span = read.map_err(|what| {
                    let what = format!("segment {:?}: {} = {range}: {what}", self.name, NAMES[at]);
                    Error::usage(format!(
                        "{what}; write a number, or a range such as \"2..3\", \"4..\" or \"..30\", both ends of which belong to it"
                    ))
                })?;
            }
        }
        Ok(spans)
    }
}

fn read_span(text: &str, money: bool) -> std::result::Result<Span, &'static str> {
    let number = |text: &str| {
        let text = text.trim();
        let value =
            if money { text.parse::<Fixed2>().ok().and_then(|money| money.hundredths().try_into().ok()) } else { text.parse().ok() };
        value.ok_or(if money { "no amount with at most two decimals" } else { "no whole number" })
    };
    let span = match text.split_once("..") {
        None => number(text).map(|value| Span { from: value, to: value })?,
        Some((from, to)) => Span {
            from: if from.trim().is_empty() { i64::MIN } else { number(from)? },
            to: if to.trim().is_empty() { i64::MAX } else { number(to)? },
        },
    };
    if span.from > span.to {
        return Err("the second number is less than the first");
    }
    if span == ALL { Err("no end at all") } else { Ok(span) }
}

impl TryFrom<SegmentFile> for Segments {
    type Error = Error;

    fn try_from(file: SegmentFile) -> Result<Self> {
        if file.segment.is_empty() || file.segment.len() > MOST_RULES {
            let what = format!("{} segments; give at least one [[segment]], and at most {MOST_RULES}", file.segment.len());
            return Err(Error::usage(what));
        }
        let (mut names, mut rules): (Vec<String>, Vec<Rule>) = (Vec::new(), Vec::new());
        for entry in &file.segment {
            if entry.name.trim().is_empty() || [OTHER, INACTIVE].contains(&entry.name.as_str()) {
                let what = "no name of a segment: who matches no rule is called \"other\", and who is not active \"inactive\"";
                return Err(Error::usage(format!("{:?} is {what}; choose another name", entry.name)));
            }
            if entry.name.chars().count() > LONGEST_NAME || entry.name.chars().any(char::is_control) {
                let what =
                    format!("a segment's name has at most {LONGEST_NAME} characters, and no line breaks or other signs that control");
                return Err(Error::usage(format!("{what}: {:?}", crate::base::text::shortened(&entry.name, 40))));
            }
            let name = names.iter().position(|name| *name == entry.name).unwrap_or_else(|| {
                names.push(entry.name.clone());
                names.len() - 1
            });
            rules.push(Rule { name: name as u16, spans: entry.spans()? });
        }
        names.push(OTHER.to_owned());
        let segments = Segments { names, rules, exclusive: file.exclusive };
        if let (true, Some((a, b))) = (segments.exclusive, segments.overlap()) {
            let what = format!("segments {a:?} and {b:?} can both have a customer, and they are to be exclusive");
            return Err(Error::usage(format!(
                "{what}; make their ranges differ, or leave exclusive out: then the first that matches decides"
            )));
        }
        Ok(segments)
    }
}

impl From<Segments> for SegmentFile {
    fn from(segments: Segments) -> Self {
        let entry = |rule: &Rule| {
            let mut ranges =
                rule.spans.iter().enumerate().map(|(at, span)| (*span != ALL).then(|| RangeText::Text(shown(*span, at >= MONEY))));
            let mut next = || ranges.next().flatten();
            SegmentEntry {
                name: segments.names[usize::from(rule.name)].clone(),
                r: next(),
                f: next(),
                m: next(),
                orders: next(),
                recency_days: next(),
                total_spend: next(),
                monetary: next(),
            }
        };
        SegmentFile { exclusive: segments.exclusive, segment: segments.rules.iter().map(entry).collect() }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::model::segments::{SegmentCell, SegmentValues};

    fn read(json: &str) -> std::result::Result<Segments, String> {
        serde_json::from_str(json).map_err(|e| e.to_string())
    }

    #[test]
    fn rules_are_read_and_the_first_decides() {
        let segments = read(
            r#"{"segment": [{"name": "big", "total_spend": "100.." }, {"name": "late", "recency_days": "..4"},
                {"name": "small", "monetary": "0..9.99"}, {"name": "big", "orders": 7}]}"#,
        )
        .unwrap();
        assert_eq!(segments.names(), ["big", "late", "small", OTHER]);
        let of = |orders, total_spend: i64| {
            let values = SegmentValues { scores: [1; 3], orders, recency_days: 5, total_spend, monetary: total_spend / orders };
            segments.names()[segments.of(&values)].clone()
        };
        assert_eq!([of(1, 10_000), of(1, 9_999), of(1, 999), of(20, 9_999), of(7, 9_000)], ["big", OTHER, "small", "small", "big"]);
        assert_eq!(segments.overlap(), Some(("big", "late")));
        let cell = segments.cell([1, 1, 1]);
        assert_eq!(cell, SegmentCell { names: vec!["big", "late", "small"], overlaps: true, is_covered: false });
        assert_eq!(segments.gaps([5, 5, 5]).len(), 2);
        assert!(Segments::standard().gaps([5, 5, 5]).is_empty());
    }

    #[test]
    fn rules_that_make_no_sense_are_refused() {
        for (json, why) in [
            (r#"{"segment": []}"#, "0 segments"),
            (r#"{"segment": [{"name": "other", "r": 1}]}"#, "no name"),
            (r#"{"segment": [{"name": "a", "r": "5..4"}]}"#, "less than the first"),
            (r#"{"segment": [{"name": "a", "r": "x"}]}"#, "no whole number"),
            (r#"{"segment": [{"name": "a", "orders": 1.5}]}"#, "no whole number"),
            (r#"{"segment": [{"name": "a", "monetary": "1.005"}]}"#, "two decimals"),
            (r#"{"segment": [{"name": "a", "r": ".."}]}"#, "no end"),
            (r#"{"segment": [{"name": "a", "score": 1}]}"#, "unknown field"),
            (r#"{"segment": [{"name": "inactive", "r": 1}]}"#, "not active"),
            (r#"{"segment": [{"name": "a\nb", "r": 1}]}"#, "line breaks"),
            (r#"{"segment": [{"name": "a", "r": [1, 2]}]}"#, "a number, or a text such as"),
            (r#"{"segment": [{"name": "a", "orders": "..0"}]}"#, "no customer has so little"),
            (r#"{"exclusive": true, "segment": [{"name": "a", "r": 1}, {"name": "b", "f": 1}]}"#, "exclusive"),
        ] {
            let error = read(json).unwrap_err();
            assert!(error.contains(why), "{json}: {error}");
        }
        assert!(
            read(r#"{"exclusive": true, "segment": [{"name": "a", "r": 1}, {"name": "a", "f": 1}, {"name": "b", "r": 2, "f": 2}]}"#)
                .is_ok()
        );
    }
}
