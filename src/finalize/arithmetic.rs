//! The arithmetic from a customer's sums in a window to recency, frequency and monetary value.

use crate::base::error::Result;
use crate::base::money::Total;
use crate::base::time::DAY;
use crate::finalize::Block;
use crate::model::columns::Column;
use crate::model::entry::reference_time;
use crate::model::reject::{Reason, Reject, shown_timestamp};
use crate::model::state_batch::StateBatch;
use crate::model::window::Window;

/// The arithmetic from states to blocks.
#[derive(Debug, Clone)]
pub(crate) struct Finalizer {
    pub(crate) windows: Vec<Window>,
    /// The key of the first window.
    pub(crate) first_key: u32,
    pub(crate) times: BlockTimes,
}

/// The times that blocks have of each customer's window.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct BlockTimes {
    /// Rows are orders, or some are: what is observed of each customer begins with the window. An order has no other period of its own, whether
    /// its row has that of a month, of a quarter, or its moment.
    pub(crate) of_orders: bool,
    /// Blocks have the last order.
    pub(crate) last_order: bool,
    /// Blocks have the first order: each row begins with the moment of its order.
    pub(crate) first_order: bool,
}

/// Is told of a customer who is not valid in a window: the window's place, the column at fault, what was spent.
pub(crate) type Refuse<'a> = &'a mut dyn FnMut(u32, Column, Total, Reject);

impl Finalizer {
    /// Fills a block from states. Customers who are not valid in a window have no row for it, and `refused`, if any, is told, with the
    /// window's place and what was spent there.
    pub(crate) fn fill(&self, states: &StateBatch, block: &mut Block, mut refused: Option<Refuse<'_>>) {
        block.clear();
        block.first_seen.extend_from_slice(&states.first_seen);
        let (mut from, mut rest) = (0, 0);
        for (customer, &end) in (0..).zip(&states.ends) {
            for entry in from..end as usize {
                let total = states.total(entry, &mut rest);
                let (orders, reference) = (states.orders[entry], states.references[entry]);
                let at = states.windows[entry] - self.first_key;
                let window = &self.windows[at as usize];
                match metrics_of(total, orders, reference, window.observation_end) {
                    Ok(rfm) => {
                        block.customer.push(customer);
                        block.window.push(at);
                        block.recency_days.push(rfm.recency_days);
                        block.frequency.push(orders);
                        block.monetary.push(rfm.monetary);
                        block.total_spend.push(rfm.total_spend);
                        block.observation_start.push(states.starts[entry]);
                        if self.times.last_order {
                            let (time, is_transaction) = reference_time(reference);
                            block.last_order.push(is_transaction.then_some(time));
                        }
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
                        refused(at, column, total, Reject::customer(window, states.text(customer as usize), reason, column, value));
                    }
                }
            }
            from = end as usize;
        }
        if self.times.first_order {
            block.first_order.clone_from(&block.observation_start);
        }
        if self.times.of_orders {
            let starts = block.window.iter().map(|&at| self.windows[at as usize].start);
            block.observation_start.clear();
            block.observation_start.extend(starts);
        }
    }
}

/// A customer's numbers in a window.
pub(crate) struct Metrics {
    pub(crate) recency_days: i32,
    /// In cents.
    pub(crate) monetary: i64,
    /// In cents.
    pub(crate) total_spend: i64,
}

/// A window's total of a customer stays below 10¹⁶, so that it fits a decimal of 18 digits.
pub(crate) const SPEND_LIMIT: i128 = 1_000_000_000_000_000_000;

/// The arithmetic of one customer and window.
#[inline]
pub(crate) fn metrics_of(total: Total, orders: i64, reference: i64, observation_end: i64) -> Result<Metrics, Reason> {
    let spend = total.rounded().hundredths();
    if orders == 0 {
        return Err(Reason::NoOrders);
    }
    if spend < 0 {
        return Err(Reason::NegativeSpend);
    }
    let days = (observation_end - reference_time(reference).0).div_euclid(DAY);
    if days < 0 {
        return Err(Reason::AfterObservationEnd);
    }
    if spend >= SPEND_LIMIT || orders == i64::MAX {
        return Err(Reason::AmountOutOfRange);
    }
    let spend = spend as i64;
    let (whole, rest) = (spend / orders, spend % orders);
    // Half of the orders or more is left: round up. Neither side is negative.
    let monetary = whole + i64::from(rest >= orders - rest);
    Ok(Metrics { recency_days: days as i32, monetary, total_spend: spend })
}
