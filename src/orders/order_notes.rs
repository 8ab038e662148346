//! What is noticed about lines and their orders and is no error, counted by one thread and then noted for all of them.

use crate::base::merge::Merge;
use crate::base::money::Total;
use crate::model::note::{Notes, Topic};
use crate::model::window::Granularity;

/// Days that an order may reach over without a note.
pub(super) const MOST_DAYS: u16 = 2;

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
    /// Refunds in another period than that of their order, and their sum.
    pub(super) moved_refunds: u64,
    pub(super) moved: Total,
}

impl OrderNotes {
    /// Adds the counts to the notes. `every` is the period that orders belong to.
    pub(super) fn note(self, notes: &Notes, every: Granularity) {
        let none = Total::default;
        let counts = [
            (Topic::LinesWithoutWorth, self.worthless_lines),
            (Topic::OrdersWithoutWorth, self.worthless_orders),
            (Topic::FilledCustomers, self.filled_customers),
            (Topic::FilledTimes, self.filled_times),
            (Topic::EqualLines, self.equal_lines),
            (Topic::EqualLinesDropped, self.equal_lines_dropped),
        ];
        counts.into_iter().for_each(|(topic, count)| notes.add_most(topic, "", count, none(), 0));
        notes.add_most(Topic::LongOrders, "", self.long_orders, none(), self.most_days);
        notes.add_most(Topic::MovedRefunds, &every.to_string(), self.moved_refunds, self.moved, 0);
    }

    /// Counts an order that reaches over so many days.
    #[cold]
    pub(super) fn add_long(&mut self, days: u64) {
        self.long_orders += 1;
        self.most_days = self.most_days.max(days);
    }

    /// Counts refunds that belong to an order of another period.
    #[cold]
    pub(super) fn add_moved(&mut self, lines: u64, amount: Total) {
        self.moved_refunds += lines;
        self.moved.merge(amount);
    }
}
