//! Segments: names for groups of customers, by ranges of scores, orders, days and amounts. Data and arithmetic; the counts are made by
//! [`SegmentLens`](crate::lens::SegmentLens), and a file's rules are read by
//! [`segment_file`](super::segment_file).
//!
//! A rule names a customer who lies in all of its ranges. The first rule that matches decides, and who matches none is `other`; with
//! `exclusive`, rules of different names that could match one customer are refused. [`Segments::standard`] has the eleven names that people
//! know. They go by the recency score and by orders, not by a frequency score: where most customers bought once, quantiles of orders tell
//! nothing.

use crate::base::error::{Error, Result};
use crate::base::text::{counted, grouped};
use crate::model::segment_file::{SegmentFile, shown};
use serde::{Deserialize, Serialize};

/// The recency scores that the standard segments are made for.
const STANDARD_SCORES: u32 = 5;

/// Who matches no rule.
pub(crate) const OTHER: &str = "other";
/// Who is not active in a window, in moves.
pub const INACTIVE: &str = "inactive";

/// What a rule asks of a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentValues {
    /// Recency, frequency and monetary score.
    pub scores: [u8; 3],
    /// Orders.
    pub orders: i64,
    /// Days since the last order.
    pub recency_days: i64,
    /// Cents.
    pub total_spend: i64,
    /// Cents per order.
    pub monetary: i64,
}

impl SegmentValues {
    fn all(&self) -> [i64; MEASURES] {
        let [r, f, m] = self.scores.map(i64::from);
        [r, f, m, self.orders, self.recency_days, self.total_spend, self.monetary]
    }
}

pub(super) const MEASURES: usize = 7;
pub(super) const NAMES: [&str; MEASURES] = ["r", "f", "m", "orders", "recency_days", "total_spend", "monetary"];
/// From this measure on, values are money.
pub(super) const MONEY: usize = 5;
/// Before this measure, they are scores.
pub(super) const SCORES: usize = 3;

/// Values from the one to the other, both included; in cents where they are money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from: i64,
    pub(super) to: i64,
}

pub(super) const ALL: Span = Span { from: i64::MIN, to: i64::MAX };

impl Span {
    fn holds(self, value: i64) -> bool {
        (self.from..=self.to).contains(&value)
    }

    fn meets(self, other: Span) -> bool {
        self.from.max(other.from) <= self.to.min(other.to)
    }
}

/// A rule: a name, and a range of each measure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) name: u16,
    pub(super) spans: [Span; MEASURES],
}

impl Rule {
    fn matches(&self, values: &[i64; MEASURES]) -> bool {
        self.spans.iter().zip(values).all(|(span, &value)| span.holds(value))
    }

    /// Whether it asks for scores alone.
    fn is_of_scores(&self) -> bool {
        self.spans[SCORES..].iter().all(|span| *span == ALL)
    }

    fn meets(&self, other: &Rule) -> bool {
        self.spans.iter().zip(other.spans).all(|(span, other)| span.meets(other))
    }
}

/// Segments in the order of their rules.
///
/// ```
/// use lensflow::model::{SegmentValues, Segments};
///
/// let segments = Segments::standard();
/// let customer = SegmentValues { scores: [5, 3, 3], orders: 1, recency_days: 3, total_spend: 19_99, monetary: 19_99 };
/// assert_eq!(segments.names()[segments.of(&customer)], "new");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "SegmentFile", into = "SegmentFile")]
pub struct Segments {
    /// `other` is the last.
    pub(super) names: Vec<String>,
    pub(super) rules: Vec<Rule>,
    pub(super) exclusive: bool,
}

impl Segments {
    /// The names that people know, by recency score (5 is the most recent fifth) and orders in the window.
    ///
    /// | orders | r 5 | r 4 | r 3 | r 2 | r 1 |
    /// |---|---|---|---|---|---|
    /// | 1 | new | promising | about to sleep | hibernating | lost |
    /// | 2 or 3 | potential loyalists | potential loyalists | need attention | at risk | lost |
    /// | 4 and more | champions | loyal | loyal | at risk | cannot lose them |
    ///
    /// Every customer is in one of them, and only in one.
    pub fn standard() -> Self {
        let rule = |name: u16, (r_from, r_to): (i64, i64), (from, to): (i64, i64)| {
            let mut spans = [ALL; MEASURES];
            spans[0] = Span { from: r_from, to: r_to };
            spans[3] = Span { from, to };
            Rule { name, spans }
        };
        let (any, one, few, many) = (i64::MAX, (i64::MIN, 1), (2, 3), (4, i64::MAX));
        let names = [
            "champions",
            "loyal",
            "potential loyalists",
            "new",
            "promising",
            "need attention",
            "about to sleep",
            "at risk",
            "cannot lose them",
            "hibernating",
            "lost",
            OTHER,
        ];
        let rules = vec![
            rule(0, (5, any), many),
            rule(1, (3, 4), many),
            rule(2, (4, any), few),
            rule(3, (5, any), one),
            rule(4, (4, 4), one),
            rule(5, (3, 3), few),
            rule(6, (3, 3), one),
            rule(7, (2, 2), (2, any)),
            rule(8, (i64::MIN, 1), many),
            rule(9, (2, 2), one),
            rule(10, (i64::MIN, 1), (i64::MIN, 3)),
        ];
        Segments { names: names.map(str::to_owned).to_vec(), rules, exclusive: true }
    }

    /// The names, in the order of the rules; `other` is the last.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The place among the [names](Segments::names) of a customer's segment.
    #[inline]
    pub fn of(&self, customer: &SegmentValues) -> usize {
        let values = customer.all();
        let found = self.rules.iter().find(|rule| rule.matches(&values));
        found.map_or(self.names.len() - 1, |rule| usize::from(rule.name))
    }

    /// Checks that scores up to the best ones that can occur make sense of the rules.
    ///
    /// # Errors
    /// A rule that asks for a score that cannot occur: its segment would be empty without a word.
    pub fn check(&self, best_scores: [u32; 3]) -> Result<()> {
        if best_scores[0] != STANDARD_SCORES && *self == Segments::standard() {
            let what =
                format!("the standard segments go by recency scores up to {STANDARD_SCORES}, and they go up to {} here", best_scores[0]);
            return Err(Error::usage(what).help("leave `bins` out, give four cut points of recency, or write segments of your own"));
        }
        for rule in &self.rules {
            for ((span, best), measure) in rule.spans.iter().zip(best_scores).zip(NAMES) {
                let name = &self.names[usize::from(rule.name)];
                if *span != ALL && span.from > i64::from(best) {
                    let what = format!("segment {name:?} asks for {measure} = {}, and scores go up to {best} here", shown(*span, false));
                    return Err(Error::usage(what).help("choose `bins` or `cuts` that make as many scores, or other ranges"));
                }
            }
        }
        Ok(())
    }

    /// The segments that ask for more than the best scores of a window, in which equal values may leave fewer than there are bins.
    pub(crate) fn beyond(&self, best_scores: [u8; 3]) -> Vec<&str> {
        let is_beyond = |rule: &Rule| rule.spans.iter().zip(best_scores).any(|(span, best)| *span != ALL && span.from > i64::from(best));
        let all_beyond = |name: usize| self.rules.iter().filter(|rule| usize::from(rule.name) == name).all(is_beyond);
        (0..self.names.len() - 1).filter(|&name| all_beyond(name)).map(|name| self.names[name].as_str()).collect()
    }

    /// What the rules make of customers with these scores.
    pub fn cell(&self, scores: [u8; 3]) -> SegmentCell<'_> {
        let values = scores.map(i64::from);
        let may = |rule: &&Rule| rule.spans.iter().zip(values).all(|(span, value)| span.holds(value));
        let rules: Vec<&Rule> = self.rules.iter().filter(may).collect();
        let mut names: Vec<&str> = Vec::new();
        for rule in &rules {
            let name = self.names[usize::from(rule.name)].as_str();
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let others = |at: usize| rules[at + 1..].iter();
        let meet = |at: usize| others(at).any(|other| other.name != rules[at].name && meet_beside_scores(rules[at], other));
        SegmentCell {
            names,
            overlaps: (0..rules.len()).any(meet),
            is_covered: rules.iter().any(|rule| rule.is_of_scores()) || covers_orders(&rules),
        }
    }

    /// Sentences about what the rules leave open, given the best scores that can occur: cells of scores in no segment, in part in none, or
    /// in several.
    pub fn gaps(&self, best_scores: [u32; 3]) -> Vec<String> {
        let cells: Vec<SegmentCell<'_>> = score_cells(best_scores).map(|scores| self.cell(scores)).collect();
        let all = counted(cells.len(), "score cell", "score cells");
        let some = |is: &dyn Fn(&SegmentCell<'_>) -> bool| cells.iter().filter(|cell| is(cell)).count();
        let sentence = |count: usize, what: &str| (count > 0).then(|| format!("segments: of {all}, {} {what}", grouped(count)));
        [
            sentence(some(&|cell| cell.names.is_empty()), "in no segment: who lies there is \"other\""),
            sentence(
                some(&|cell| !cell.names.is_empty() && !cell.is_covered),
                "covered in part, as other values than scores decide: who matches nothing is \"other\"",
            ),
            sentence(some(&|cell| cell.overlaps), "in several segments: the first rule that matches decides"),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// Two segments that could both have a customer; of different names, and never of exclusive rules.
    pub fn overlap(&self) -> Option<(&str, &str)> {
        let pairs = self.rules.iter().enumerate().flat_map(|(at, rule)| self.rules[at + 1..].iter().map(move |other| (rule, other)));
        let (a, b) = pairs.filter(|(a, b)| a.name != b.name).find(|(a, b)| a.meets(b))?;
        Some((&self.names[usize::from(a.name)], &self.names[usize::from(b.name)]))
    }
}

/// Customers of one recency, frequency and monetary score, as rules see them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentCell<'a> {
    /// The segments that they may be in, without `other`, in the order of the rules.
    pub names: Vec<&'a str>,
    /// Whether a customer there can match rules of several names.
    pub overlaps: bool,
    /// Whether all customers there are in a segment, as far as scores and orders tell.
    pub is_covered: bool,
}

/// All scores that can occur.
fn score_cells([r, f, m]: [u32; 3]) -> impl Iterator<Item = [u8; 3]> {
    (1..=r).flat_map(move |r| (1..=f).flat_map(move |f| (1..=m).map(move |m| [r as u8, f as u8, m as u8])))
}

fn meet_beside_scores(a: &Rule, b: &Rule) -> bool {
    a.spans[SCORES..].iter().zip(&b.spans[SCORES..]).all(|(a, b)| a.meets(*b))
}

/// Whether rules that ask for orders alone, beside scores, leave no number of orders out. Customers have at least one.
fn covers_orders(rules: &[&Rule]) -> bool {
    let of_orders = |rule: &&&Rule| rule.spans[SCORES + 1..].iter().all(|span| *span == ALL);
    let mut spans: Vec<Span> = rules.iter().filter(of_orders).map(|rule| rule.spans[SCORES]).collect();
    spans.sort_unstable_by_key(|span| span.from);
    let mut next = 1i64;
    for span in spans {
        if span.from > next {
            return false;
        }
        match span.to.checked_add(1) {
            Some(after) => next = next.max(after),
            None => return true,
        }
    }
    false
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn customer(r: u8, orders: i64) -> SegmentValues {
        SegmentValues { scores: [r, 1, 1], orders, recency_days: 0, total_spend: 0, monetary: 0 }
    }

    /// Also where most bought once, and for any number of scores: one rule each, never none.
    #[test]
    fn the_standard_segments_cover_everybody_once() {
        let standard = Segments::standard();
        assert_eq!((standard.names().len(), standard.overlap()), (12, None));
        let mut seen = std::collections::BTreeSet::new();
        for (r, orders) in (1..=9).flat_map(|r| [1, 2, 3, 4, 5, 100, i64::MAX].map(|orders| (r, orders))) {
            let values = customer(r, orders).all();
            assert_eq!(standard.rules.iter().filter(|rule| rule.matches(&values)).count(), 1, "r {r}, {orders} orders");
            seen.insert(standard.of(&customer(r, orders)));
            assert!(standard.cell([r, 1, 1]).is_covered && !standard.cell([r, 1, 1]).overlaps);
        }
        assert_eq!(seen.len(), 11);
        assert!(standard.check([5, 5, 5]).is_ok() && standard.check([4, 5, 5]).is_err() && standard.check([9, 5, 5]).is_err());
        assert_eq!(standard.beyond([4, 1, 1]), ["champions", "new"]);
        let json = serde_json::to_string(&standard).unwrap();
        assert_eq!(serde_json::from_str::<Segments>(&json).unwrap(), standard);
    }
}
