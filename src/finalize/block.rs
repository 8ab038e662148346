//! Blocks: finished customers, column by column.

use crate::base::money::Fixed2;
use crate::model::state_batch::StateBatch;
use crate::ranks::score::BlockScorer;

/// Finished customers, and a row for each of them and each window in which they are active.
#[derive(Debug, Clone, Default)]
pub struct Block {
    /// The customers' ids; without rows.
    ids: StateBatch,
    /// Per customer, the earliest `period_start` of any accepted row.
    pub first_seen: Vec<i64>,
    /// Per row, the customer's place in the block; ascending.
    pub customer: Vec<u32>,
    /// The window's place in the run; ascending within a customer.
    pub window: Vec<u32>,
    /// Whole days from the last transaction to the observation end.
    pub recency_days: Vec<i32>,
    /// Orders.
    pub frequency: Vec<i64>,
    /// Spend per order, in cents.
    pub monetary: Vec<i64>,
    /// Spend, in cents.
    pub total_spend: Vec<i64>,
    /// The earliest `period_start`, in microseconds since 1970; of runs with orders, the window's start.
    pub observation_start: Vec<i64>,
    /// The latest `last_transaction_ts`, if there is any; empty unless it is asked for.
    pub last_order: Vec<Option<i64>>,
    /// The moment of the first order; empty unless it is asked for.
    pub first_order: Vec<i64>,
    /// Recency, frequency and monetary scores; empty until all customers are known.
    pub scores: Vec<[u8; 3]>,
}

impl Block {
    /// The number of customers, those of no window included.
    pub fn customers(&self) -> usize {
        self.first_seen.len()
    }

    /// The number of rows: customers times the windows in which they are active.
    pub fn len(&self) -> usize {
        self.customer.len()
    }

    /// Whether no customer is active in any window.
    pub fn is_empty(&self) -> bool {
        self.customer.is_empty()
    }

    /// A customer's id.
    pub fn id(&self, customer: u32) -> String {
        self.ids.text(customer as usize)
    }

    pub(crate) fn ids(&self) -> &StateBatch {
        &self.ids
    }

    pub(super) fn clear(&mut self) {
        self.ids.clear();
        self.first_seen.clear();
        self.customer.clear();
        self.window.clear();
        self.recency_days.clear();
        self.frequency.clear();
        self.monetary.clear();
        self.total_spend.clear();
        self.observation_start.clear();
        self.last_order.clear();
        self.first_order.clear();
        self.scores.clear();
    }

    /// Takes over the customers' ids, which only some readers of a block need.
    pub(crate) fn set_ids(&mut self, states: &StateBatch) {
        self.ids.clone_ids(states);
    }

    /// Scores every row, by the scorer of its window.
    pub(crate) fn score(&mut self, scorers: &[BlockScorer]) {
        let values = self.window.iter().zip(&self.recency_days).zip(&self.frequency).zip(&self.monetary);
        self.scores.clear();
        self.scores.extend(values.map(|(((&w, &r), &f), &m)| scorers[w as usize].score(r, f, m)));
    }

    /// The metrics of a row, as amounts.
    pub fn money(&self, row: usize) -> (Fixed2, Fixed2) {
        (Fixed2::from_hundredths(self.monetary[row].into()), Fixed2::from_hundredths(self.total_spend[row].into()))
    }
}
