//! What is noticed about lines and their orders and is no error, counted by one thread and then noted for all of them.

use crate::base::merge::Merge;
use crate::base::money::{Amount, Total};
use crate::model::note::{Notes, Topic};
use crate::model::window::Granularity;
use crate::source::values::NULL_WORDS;
use crate::source::values::id_forms::{has_invisible, is_scientific};
use std::collections::BTreeSet;

/// Days that an order may reach over without a note.
pub(super) const MOST_DAYS: u16 = 2;

/// Longer ids of orders are not looked at.
const MOST_LOOKED_AT: usize = 40;

/// Signs that ids of orders are not what they should be. Each order is looked at once.
#[derive(Debug, Default)]
pub(super) struct OrderIdSigns {
    scientific: u64,
    points: u64,
    invisible: u64,
    nulls: BTreeSet<&'static str>,
}

impl OrderIdSigns {
    /// Looks at an id.
    #[inline]
    pub(super) fn look(&mut self, id: &[u8]) {
        // Mostly it is a number.
        if !id.iter().all(u8::is_ascii_digit) && id.len() <= MOST_LOOKED_AT {
            self.look_closely(id);
        }
    }

    fn look_closely(&mut self, id: &[u8]) {
        let (first, last) = (id.first().copied().unwrap_or_default(), id.last().copied().unwrap_or_default());
        let text = || String::from_utf8_lossy(id);
        if !first.is_ascii_digit() && id.len() <= 9 {
            self.nulls.extend(NULL_WORDS.into_iter().find(|word| word.as_bytes() == id));
        }
        if first.is_ascii_digit() && last.is_ascii_digit() {
            self.scientific += u64::from(is_scientific(&text()));
            self.points += u64::from(id.strip_suffix(b".0").is_some_and(|whole| whole.iter().all(u8::is_ascii_digit)));
        }
        if !id.iter().all(u8::is_ascii_graphic) {
            self.invisible += u64::from(has_invisible(&text()));
        }
    }

    fn note(&mut self, notes: &Notes) {
        let OrderIdSigns { scientific, points, invisible, nulls } = std::mem::take(self);
        notes.add(Topic::ScientificOrderIds, "", scientific);
        notes.add(Topic::PointOrderIds, "", points);
        notes.add(Topic::InvisibleOrderIds, "", invisible);
        nulls.into_iter().for_each(|word| notes.say(Topic::NullOrderIds, word));
    }
}

/// The counts of one thread.
#[derive(Debug, Default)]
pub(super) struct OrderNotes {
    /// Lines that say nothing of their worth.
    pub(super) worthless_lines: u64,
    /// Orders of which no line says its worth.
    pub(super) worthless_orders: u64,
    /// Lines that have the customer of their order's other lines.
    pub(super) filled_customers: u64,
    /// Lines that have the time of their order's other lines.
    pub(super) filled_times: u64,
    /// Lines that are equal to another of their order without a product, and count.
    pub(super) equal_lines: u64,
    /// Such lines that were left out, as was asked for.
    pub(super) equal_lines_dropped: u64,
    /// Orders of more than [`MOST_DAYS`] days, and the most days of one.
    pub(super) long_orders: u64,
    pub(super) most_days: u64,
    /// Orders of several lines whose `line_total` is the same on each, and what all but one of these come to; and other orders of several
    /// lines.
    pub(super) equal_totals: u64,
    pub(super) more_than_once: Total,
    pub(super) other_totals: u64,
    /// Orders with lines in several inputs.
    pub(super) scattered_orders: u64,
    /// Lines that are equal to another of their order in an input before, and in the same input.
    pub(super) copies_between: u64,
    pub(super) copies_within: u64,
    /// Orders whose ids show that they are not what they should be.
    pub(super) ids: OrderIdSigns,
    /// Refunds in another period than that of their order, and their sum.
    pub(super) moved_refunds: u64,
    pub(super) moved: Total,
}

impl OrderNotes {
    /// Adds the counts to the notes. `every` is the period that orders belong to.
    pub(super) fn note(mut self, notes: &Notes, every: Granularity) {
        let none = Total::default;
        let counts = [
            (Topic::LinesWithoutWorth, self.worthless_lines),
            (Topic::OrdersWithoutWorth, self.worthless_orders),
            (Topic::FilledCustomers, self.filled_customers),
            (Topic::FilledTimes, self.filled_times),
            (Topic::ScatteredOrders, self.scattered_orders),
            (Topic::EqualLines, self.equal_lines),
            (Topic::EqualLinesDropped, self.equal_lines_dropped),
        ];
        counts.into_iter().for_each(|(topic, count)| notes.add_most(topic, "", count, none(), 0));
        notes.add_most(Topic::EqualTotals, "", self.equal_totals, self.more_than_once, 0);
        notes.add_most(Topic::OtherTotals, "", self.other_totals, none(), 0);
        self.ids.note(notes);
        notes.add_most(Topic::CopiesBetween, "", self.copies_between, none(), 0);
        notes.add_most(Topic::CopiesWithin, "", self.copies_within, none(), 0);
        notes.add_most(Topic::LongOrders, "", self.long_orders, none(), self.most_days);
        notes.add_most(Topic::MovedRefunds, &every.to_string(), self.moved_refunds, self.moved, 0);
    }

    /// Counts an order that reaches over so many days.
    #[cold]
    pub(super) fn add_long(&mut self, days: u64) {
        self.long_orders += 1;
        self.most_days = self.most_days.max(days);
    }

    /// Counts an order of several lines with a `line_total`: their sum, and what each of them says, if they say the same.
    pub(super) fn add_totals(&mut self, mut sum: Total, each: Option<Amount>) {
        match each {
            Some(each) if each == Amount::default() => {}
            Some(each) => {
                sum.subtract(each.into());
                self.equal_totals += 1;
                self.more_than_once.merge(sum);
            }
            None => self.other_totals += 1,
        }
    }

    /// Counts refunds that belong to an order of another period.
    #[cold]
    pub(super) fn add_moved(&mut self, lines: u64, amount: Total) {
        self.moved_refunds += lines;
        self.moved.merge(amount);
    }
}
