//! Finalize: a piece of a partition's states → a [`Block`] of RFM metrics, column by column.
//!
//! Blocks are the message from here to [`lens`](crate::lens). They hold customers in the engine's order: by the hash of the id, then by
//! id, which depends on the input's rows alone; each customer has a row for every window in which they are valid, in time order. Where
//! one block ends and the next begins depends on the memory at hand and means nothing. Scores are filled in once the edges over all
//! customers are known.

use crate::base::money::Fixed2;
use crate::model::columns::Column;
use crate::model::entry::reference_time;
use crate::model::reject::{Reason, Reject, shown_timestamp};
use crate::model::state_batch::States;
use crate::model::window::Window;
use crate::ranks::score::Scorer;
use crate::rfm;

/// Finished customers, and a row for each of them and each window in which they are active.
#[derive(Debug, Clone, Default)]
pub struct Block {
    /// The customers' ids; without rows.
    ids: States,
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
    /// The earliest `period_start`, in microseconds since 1970.
    pub observation_start: Vec<i64>,
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

    pub(crate) fn ids(&self) -> &States {
        &self.ids
    }

    fn clear(&mut self) {
        self.ids.clear();
        self.first_seen.clear();
        self.customer.clear();
        self.window.clear();
        self.recency_days.clear();
        self.frequency.clear();
        self.monetary.clear();
        self.total_spend.clear();
        self.observation_start.clear();
        self.scores.clear();
    }

    /// Takes over the customers' ids, which only some readers of a block need.
    pub(crate) fn set_ids(&mut self, states: &States) {
        self.ids.clone_ids(states);
    }

    /// Scores every row, by the scorer of its window.
    pub(crate) fn score(&mut self, scorers: &[Scorer]) {
        let values = self.window.iter().zip(&self.recency_days).zip(&self.frequency).zip(&self.monetary);
        self.scores.clear();
        self.scores.extend(values.map(|(((&w, &r), &f), &m)| scorers[w as usize].score(r.into(), f, m)));
    }

    /// The metrics of a row, as amounts.
    pub fn money(&self, row: usize) -> (Fixed2, Fixed2) {
        (Fixed2::from_hundredths(self.monetary[row].into()), Fixed2::from_hundredths(self.total_spend[row].into()))
    }
}

/// The arithmetic from states to blocks.
#[derive(Debug, Clone)]
pub(crate) struct Finalizer {
    pub(crate) windows: Vec<Window>,
    /// The key of the first window.
    pub(crate) first_key: u32,
}

impl Finalizer {
    /// Fills a block from states. Customers who are not valid in a window have no row for it, and `refused`, if any, is told, with the
    /// window's place.
    pub(crate) fn fill(&self, states: &States, block: &mut Block, mut refused: Option<&mut dyn FnMut(u32, Reject)>) {
        block.clear();
        block.first_seen.extend_from_slice(&states.first_seen);
        let (mut from, mut rest) = (0, 0);
        for (customer, &end) in (0..).zip(&states.ends) {
            for entry in from..end as usize {
                let total = states.total(entry, &mut rest);
                let (orders, reference) = (states.orders[entry], states.references[entry]);
                let at = states.windows[entry] - self.first_key;
                let window = &self.windows[at as usize];
                match rfm::finish(total, orders, reference, window.observation_end) {
                    Ok(rfm) => {
                        block.customer.push(customer);
                        block.window.push(at);
                        block.recency_days.push(rfm.recency_days);
                        block.frequency.push(orders);
                        block.monetary.push(rfm.monetary);
                        block.total_spend.push(rfm.total_spend);
                        block.observation_start.push(states.starts[entry]);
                    }
                    Err(reason) => {
                        let Some(refused) = refused.as_mut() else { continue };
                        let (column, value) = match reason {
                            Reason::NoOrders => (Column::TotalOrders, orders.to_string()),
                            Reason::AfterObservationEnd => {
                                let (time, is_transaction) = reference_time(reference);
                                (if is_transaction { Column::LastTransactionTs } else { Column::PeriodEnd }, shown_timestamp(time))
                            }
                            _ if orders == i64::MAX => (Column::TotalOrders, "more than 9223372036854775806".to_owned()),
                            _ => (Column::TotalSpend, total.rounded().to_string()),
                        };
                        refused(at, Reject::customer(window, states.text(customer as usize), reason, column, value));
                    }
                }
            }
            from = end as usize;
        }
    }
}
