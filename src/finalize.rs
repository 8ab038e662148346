//! Finalize: one partition's states → a [`Block`] of RFM metrics, column by column.
//!
//! Blocks are the message from here to [`lens`](crate::lens). A block holds every customer of its partition, each once, in the order of
//! hash and id, which depends on the rows alone; per window it holds a column set of the customers who are valid there. Scores are
//! filled in later, when the edges over all customers are known.

use crate::accumulate::{Ids, Partition};
use crate::calendar::Window;
use crate::money::Fixed2;
use crate::reject::{Reason, Reject, shown_timestamp};
use crate::rfm;
use crate::route::hash_id;
use crate::route::rows::{INLINE, parts, reference_time};
use crate::source::Column;
use arrow::buffer::Buffer;
use serde::{Deserialize, Serialize};

/// The finished customers of one partition.
#[derive(Debug, Clone)]
pub struct Block {
    /// Ids as Arrow views.
    views: Vec<u128>,
    /// Where the long ids lie.
    long_ids: Vec<Buffer>,
    /// Per customer, the earliest `period_start` of any accepted row.
    pub first_seen: Vec<i64>,
    /// Per window, the customers who are active in it.
    pub windows: Vec<WindowBlock>,
}

/// The customers of a block who are active in one window, column by column, ascending by customer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowBlock {
    /// The customer's index in the block.
    pub customer: Vec<u32>,
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

    /// A customer's id.
    pub fn id(&self, customer: u32) -> String {
        String::from_utf8_lossy(self.id_bytes(customer, &mut [0; 16])).into_owned()
    }

    /// The bytes of a customer's id, given room for a short one.
    pub(crate) fn id_bytes<'a>(&'a self, customer: u32, room: &'a mut [u8; 16]) -> &'a [u8] {
        let view = self.views[customer as usize];
        let (length, block, offset) = parts(view);
        if length > INLINE {
            return &self.long_ids[block][offset..offset + length];
        }
        *room = view.to_le_bytes();
        &room[4..4 + length]
    }

    pub(crate) fn view(&self, customer: u32) -> u128 {
        self.views[customer as usize]
    }
}

impl WindowBlock {
    /// The number of customers active in the window.
    pub fn len(&self) -> usize {
        self.customer.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.customer.is_empty()
    }
}

/// Turns a partition into a block, and the customers left out of a window into rejects. `first_key` is the key of the first window.
pub(crate) fn finalize(mut partition: Partition, windows: &[Window], first_key: u32) -> (Block, Vec<Reject>) {
    partition.fold(drop);
    let mut state = partition.state;
    let ids = state.take_ids();
    let order = by_hash(&ids);
    let mut rejects = Vec::new();
    let mut blocks = vec![WindowBlock::default(); windows.len()];
    for (rank, &customer) in (0..).zip(&order) {
        for (entry, total) in state.entries(customer as usize) {
            let at = (entry.window - first_key) as usize;
            let (window, block) = (&windows[at], &mut blocks[at]);
            match rfm::finish(total, entry.orders, entry.reference, window.observation_end) {
                Ok(rfm) => {
                    block.customer.push(rank);
                    block.recency_days.push(rfm.recency_days);
                    block.frequency.push(entry.orders);
                    block.monetary.push(rfm.monetary);
                    block.total_spend.push(rfm.total_spend);
                    block.observation_start.push(entry.start);
                }
                Err(reason) => {
                    let (column, value) = match reason {
                        Reason::NoOrders => (Column::TotalOrders, entry.orders.to_string()),
                        Reason::AfterObservationEnd => {
                            let (time, is_transaction) = reference_time(entry.reference);
                            (if is_transaction { Column::LastTransactionTs } else { Column::PeriodEnd }, shown_timestamp(time))
                        }
                        _ if entry.orders == i64::MAX => (Column::TotalOrders, "more than 9223372036854775806".to_owned()),
                        _ => (Column::TotalSpend, total.rounded().to_string()),
                    };
                    rejects.push(Reject::customer(window, ids.text(customer as usize), reason, column, value));
                }
            }
        }
    }
    let first_seen = order.iter().map(|&customer| state.customers[customer as usize].first_seen).collect();
    let (views, long_ids) = ids.into_views(&order);
    (Block { views, long_ids, first_seen, windows: blocks }, rejects)
}

/// Customers in the order of hash, then id.
fn by_hash(ids: &Ids) -> Vec<u32> {
    let mut order: Vec<(u64, u32)> = (0..ids.len()).map(|i| (hash_id(ids.get(i, &mut [0; 16])), i as u32)).collect();
    order.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| ids.get(a.1 as usize, &mut [0; 16]).cmp(ids.get(b.1 as usize, &mut [0; 16]))));
    order.into_iter().map(|(_, i)| i).collect()
}

impl WindowBlock {
    /// The metrics of the customer at a place, as amounts.
    pub fn money(&self, at: usize) -> (Fixed2, Fixed2) {
        (Fixed2::from_hundredths(self.monetary[at].into()), Fixed2::from_hundredths(self.total_spend[at].into()))
    }
}
